/* SPDX-License-Identifier: MIT */
/*
 * Control requests that are answered later: RESOURCE_DESTROY while batches
 * submitted before it are not done, a picture needs it or its VRAM is given
 * back to the host, CHANNEL_CLOSE while a batch is in hand, and COMMIT while a
 * picture of what it replaces is being read back, or before its flips are due.
 * Later control messages overtake them, so that a long copy delays no commit,
 * and a flip no cursor.
 */
#ifndef PVGPU_WORKER_DEFERRED_H
#define PVGPU_WORKER_DEFERRED_H

#include "channel.h"
#include "heads.h"
#include "resource.h"

/* As many as leave room in the ring of completions; see control_slice(). */
#define DEFERRED_MAX 240u

struct deferred {
	bool used;
	struct pvgpu_msg msg;		/* of the request */
	struct resource *resource;	/* to be destroyed, or NULL */
	struct channel *channel;	/* to be closed, or NULL */
	bool commit;			/* latched, to be completed */
	const struct head *head;	/* whose picture is read, or NULL */
	uint64_t until;			/* its flips are due; 0: they are */
	bool told;			/* the renderer: the resource goes */
	bool rendering;			/* it may still use its VRAM */
	bool giving;			/* nobody does: that goes back */
	uint32_t waits;			/* bit (1 << channel - 1) */
	uint32_t positions[PVGPU_MAX_CHANNELS];
};

/* Whether the batch that a channel took last was submitted before the request
 * came. */
bool deferred_before(const struct deferred *d, const struct channel *c);

/* Destroys now, or as soon as the channels passed what they hold now. */
struct verdict deferred_destroy(struct worker *w, const struct pvgpu_msg *msg,
				struct resource *r);
struct verdict deferred_close(struct worker *w, const struct pvgpu_msg *msg,
			      struct channel *c);
/* Of a commit that is latched: when the picture of the head (or NULL) is whole,
 * and not before `until`. There is room. */
struct verdict deferred_commit(struct worker *w, const struct pvgpu_msg *msg,
			       const struct head *head, uint64_t until);
/* Whether one more request may wait. */
bool deferred_room(const struct worker *w);
/* A batch is done, a channel closed, a picture whole: answers what waited for
 * it. */
void deferred_progress(struct worker *w);
/* Answers the flips that are due. */
void deferred_due(struct worker *w);
/* In how many ns the next one is; UINT64_MAX: none waits. */
uint64_t deferred_wait(const struct worker *w);
/* The renderer has let go of the resource. */
void deferred_rendered(struct worker *w, struct deferred *d);
/* Gives back a bounded piece of VRAM; whether there is more. */
bool deferred_turn(struct worker *w);
void deferred_clear(struct worker *w);

#endif
