/* SPDX-License-Identifier: MIT */
/*
 * Rendering with virgl, the ring thread's side (spec.md section 13): contexts
 * and surfaces by name, the checks of their messages and of batches, and the
 * jobs that come of them. Nothing here waits for the renderer.
 */
#ifndef PVGPU_WORKER_VIRGL_H
#define PVGPU_WORKER_VIRGL_H

#include <stdbool.h>
#include <stdint.h>

#include <pvgpu/wire.h>

#include "renderer.h"

struct answer;
struct channel;
struct resource;
struct worker;

/* CAPSET requests that may wait for the renderer's start. */
#define VIRGL_WAITING 2u

struct virgl {
	struct renderer *renderer;	/* NULL until it is first needed */
	bool failed;			/* it cannot be had */
	struct context *contexts;	/* by name */
	uint32_t context_count;
	uint32_t next_id;		/* of a context, for the renderer */
	struct pvgpu_capset waiting[VIRGL_WAITING];
	uint32_t waiting_count;
};

/* The context of that name, or NULL. */
struct context *virgl_context(const struct virgl *v, uint32_t name);

/* Handlers of control requests; see control.c. */
struct verdict virgl_capset(struct worker *w, const void *message,
			    uint32_t length, struct answer *a);
struct verdict virgl_context_create(struct worker *w, const void *message,
				    uint32_t length, struct answer *a);
struct verdict virgl_context_destroy(struct worker *w, const void *message,
				     uint32_t length, struct answer *a);
struct verdict virgl_context_attach(struct worker *w, const void *message,
				    uint32_t length, struct answer *a);
struct verdict virgl_context_detach(struct worker *w, const void *message,
				    uint32_t length, struct answer *a);
struct verdict virgl_context_query(struct worker *w, const void *message,
				   uint32_t length, struct answer *a);

/* RESOURCE_CREATE and _BACK of both kinds; the renderer is told. */
struct verdict virgl_resource_create(struct worker *w, const void *message);
struct verdict virgl_resource_back(struct worker *w, const void *message,
				   uint32_t length);
/* Tells the renderer that a resource goes. True: its VRAM may still be in use
 * until deferred_rendered() is called for `d`. */
bool virgl_resource_forget(struct worker *w, struct resource *r,
			   struct deferred *d);

/* Has the renderer read a part of a surface, for present_read(). False: no
 * memory, and the pixels stay the caller's. */
bool virgl_read_back(struct worker *w, struct resource *r,
		     const struct job_read_back *what);

bool resource_attached(const struct resource *r, const struct context *c);

/* Completion slots that answers which are owed may take: at most these. */
#define VIRGL_OWED_MAX (VIRGL_WAITING * ((sizeof(struct pvgpu_capset_done) + \
	PVGPU_CAPSET_CHUNK_MAX + PVGPU_SLOT_SIZE - 1) / PVGPU_SLOT_SIZE))
uint32_t virgl_owed_slots(const struct worker *w);
/* The renderer is done with something. */
void virgl_done(struct worker *w);
/* Everything goes, as at attach; the process ends where the renderer does
 * not come to an end in time. */
void virgl_reset(struct worker *w);
void virgl_finish(struct worker *w);

#endif
