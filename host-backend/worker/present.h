/* SPDX-License-Identifier: MIT */
/*
 * Pictures for those who look: a head composed into a sealed memfd, in bands
 * between the guest's messages. A commit to the head that is being composed
 * waits until the picture is whole: for the rest of one copy, never for the
 * viewer. With nobody looking nothing is copied.
 *
 * What planes show of a SURFACE the renderer reads back first, between two
 * batches. That may take a while: a commit in the meantime is latched at once,
 * and the picture is of the state before it; only its completion waits, and
 * the destruction of what is still to be read (deferred.c).
 */
#ifndef PVGPU_WORKER_PRESENT_H
#define PVGPU_WORKER_PRESENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compose.h"

struct job;
struct worker;
struct head;

/* Requests that may wait for the picture in hand. */
#define PRESENT_WAITING 8u

struct present {
	struct composer composer;
	const struct head *head;	/* being composed, or NULL */
	struct head_state state;	/* of it, when the picture was begun */
	uint32_t number;		/* of the picture */
	uint32_t reading;		/* planes that are being read back */
	uint8_t *read[WINDOW_PLANES];	/* what was */
	bool awaited;			/* by a commit that is latched */
	bool ended;			/* what waited for it may go on */
	uint32_t cookie;		/* of the manager's request */
	int memfd;
	uint8_t *pixels;
	size_t size;
	uint32_t stride;		/* bytes */
	uint32_t row;			/* next to be composed */
	struct {
		uint32_t head, cookie;
	} waiting[PRESENT_WAITING];
	uint32_t waiting_count;
};

void present_init(struct present *p);
void present_finish(struct present *p);
/* Begins the picture of a head, or has it wait for the one in hand; answered
 * through link_screenshot(), now or later. There must be room. */
void present_begin(struct worker *w, uint32_t head, uint32_t cookie);
static inline bool present_has_room(const struct present *p)
{
	return p->waiting_count < PRESENT_WAITING;
}
/* One band, or the next picture; returns whether there is more to do. */
bool present_turn(struct worker *w);
/* Whether a commit to the head has to wait for its completion: its picture
 * is being read back. */
bool present_reads(const struct worker *w, const struct head *head);
/* The head is about to show something else. */
void present_before_latch(struct worker *w, const struct head *head);
/* Whether the picture in hand needs a resource. */
bool present_needs(const struct worker *w, const struct resource *r);
/* The renderer has read a plane back; takes the job's pixels. */
void present_read(struct worker *w, struct job *job);
/* The heads go dark in the middle of it. */
void present_cancel(struct worker *w);

#endif
