/* SPDX-License-Identifier: MIT */
/*
 * When a head's flips are shown: at its vblanks, and no more often than the
 * frame-rate limit allows. One pacer a head serves limiter and flips, so that
 * a guest that always has the next frame ready sees intervals that differ by
 * at most one vblank. Work that is not shown is not limited.
 *
 * No I/O, no clock: times are nanoseconds of one monotonic clock. Rates are in
 * mHz, so that 59.94 Hz is 59940. Not thread-safe.
 */
#ifndef PVGPU_SCHEDULER_PACER_H
#define PVGPU_SCHEDULER_PACER_H

#include <stdint.h>

#define PACER_RATE_MAX	1000000u	/* 1 kHz */

struct pacer {
	uint32_t refresh;		/* of the head */
	uint32_t limit;			/* 0: none */
	uint64_t base;			/* the time of vblank 0 */
	/* When the next flip is due: vblank and 1/limit parts of one. */
	uint64_t due;
	uint32_t due_rest;
};

/* Vblanks are at base and each period after; 0, or -EINVAL: refresh must be 1
 * to PACER_RATE_MAX. */
int pacer_init(struct pacer *p, uint32_t refresh, uint64_t base);
/* Another mode from now on, whose first vblank is at `base`. */
int pacer_set_refresh(struct pacer *p, uint32_t refresh, uint64_t base);
/* 0 is none; also one of at least the refresh rate limits nothing. -EINVAL
 * beyond PACER_RATE_MAX. From the next flip on. */
int pacer_set_limit(struct pacer *p, uint32_t limit);

/* The vblanks of now are found to be where `vblank` is one: they move there by
 * the shorter way, with what is booked. A clock that is not ours drifts. */
void pacer_align(struct pacer *p, uint64_t vblank);

/* The vblank at which a flip asked for now is shown and completes; books it.
 * A call for each flip, in their order. */
uint64_t pacer_flip(struct pacer *p, uint64_t now);
/* The time of vblank n, and the first one after `now`. */
uint64_t pacer_vblank(const struct pacer *p, uint64_t n);
uint64_t pacer_next_vblank(const struct pacer *p, uint64_t now);
/* From one to the next, in ns, rounded down. */
uint64_t pacer_period(const struct pacer *p);

/* The rate that a head may advertise, so that guests aim at it by themselves. */
uint32_t pacer_advertised(uint32_t refresh, uint32_t limit);

#endif
