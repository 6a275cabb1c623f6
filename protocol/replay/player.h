/* SPDX-License-Identifier: MIT */
/*
 * Plays a recording: all that comes before the loop once, then the loop, frame
 * for frame against the recorded pictures, or again and again as a load.
 * Functions return 0, or -1 with a line in `why`.
 *
 * Threads: a player is used by one at a time.
 */
#ifndef PVGPU_REPLAY_PLAYER_H
#define PVGPU_REPLAY_PLAYER_H

#include "protocol/replay/histogram.h"
#include "protocol/replay/target.h"

struct player {
	struct target *target;
	const struct recording *r;
	char why[256];
	uint8_t **memory;		/* behind resources, by name */
	struct target_stream *streams;	/* by the loop's steps; size 0: none */
	uint32_t repeat;		/* that they are put with */
	bool put;
	uint32_t step;			/* the next one */
	uint32_t frame;			/* the next one, of the loop's */
	uint64_t rewritten;		/* data that was waited for */

	struct flight {
		uint64_t number;	/* of the submission */
		uint64_t sent;		/* ns */
		uint64_t frame;		/* its beginning, where it ends one */
	} flights[TARGET_DEPTH_MAX];
	uint32_t first, under_way;
};

/* How a load is played. */
struct player_load {
	uint32_t depth;			/* batches under way, 1 to 64 */
	uint32_t repeat;		/* see player_calibrate(); 0: as recorded */
	uint64_t think;			/* ns from a frame's end to the next */
	uint64_t period;		/* ns from frame to frame; 0: none */
	uint64_t begin, end;		/* what counts, CLOCK_MONOTONIC ns */
};

struct player_figures {
	uint64_t batches, frames;	/* that were done in that time */
	uint64_t busy;			/* ns, of GPU time by the host */
	uint64_t window;		/* ns */
	struct histogram batch;		/* from submission to fence */
	struct histogram frame;		/* from its beginning to its last fence */
	struct histogram interval;	/* from a frame's end to the next one's */
};

/* Takes over the target, which player_close() closes; plays up to the loop. */
int player_open(struct player *p, struct target *t, const struct recording *r);
void player_close(struct player *p);

/* A lap, waiting for each frame and comparing its picture. *ret_worst is the
 * greatest distance, NULL allowed. */
int player_check(struct player *p, uint32_t *ret_worst);
/* Batches that are not sent as recorded, but all of a frame as one (or those
 * between two writes of data), and that `repeat` times in a row: how often, for
 * one to take so long, found by playing alone. *ret_batch is what one then
 * takes, ns. */
int player_calibrate(struct player *p, uint64_t wanted, uint32_t *ret_repeat,
		     uint64_t *ret_batch);
/* What comes before load->begin is played, and does not count. */
int player_run(struct player *p, const struct player_load *load,
	       struct player_figures *ret);

uint64_t player_now(void);

#endif
