/* SPDX-License-Identifier: MIT */
/*
 * The walk over a virgl command stream before the renderer sees it (spec.md
 * "Class VIRGL"): what it makes is counted and charged, and what must not be
 * in it is refused. One stream a context, whose objects it knows by handle.
 *
 * The charge is never below what the renderer holds: what a batch destroys is
 * given back only when the renderer has carried it out, and what a refused
 * batch would have destroyed not before the end.
 *
 * Threads: the GL thread only; the ledger takes care of itself.
 */
#ifndef PVGPU_WORKER_STREAM_H
#define PVGPU_WORKER_STREAM_H

#include "ledger.h"

struct stream;

/* Of a new context, whose own charge is its maker's. The ledger outlives it.
 * NULL: no memory. */
struct stream *stream_new(struct ledger *ledger);
/* The context is gone from the renderer: returns every charge. NULL is fine. */
void stream_free(struct stream *stream);

/* Walks a batch of `count` words, a private copy. OK, and it may go to the
 * renderer; or CONTEXT_LOST with the offset in bytes of the command that is
 * to blame, and nothing of the batch may. From then on everything is refused. */
struct verdict stream_walk(struct stream *stream, const uint32_t *words,
			   uint32_t count);
/* The renderer has carried the batch out to its end; what it destroyed goes
 * back to the ledger (the next walk does it at the latest). Not to be called
 * where the renderer refused one: the context must then see no other walk. */
void stream_settle(struct stream *stream);
/* Why the last walk refused; a constant phrase, "" where it did not. */
const char *stream_complaint(const struct stream *stream);
/* Bytes of the device budget that it holds. */
uint64_t stream_charged(const struct stream *stream);

#endif
