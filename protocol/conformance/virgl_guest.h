/* SPDX-License-Identifier: MIT */
/*
 * A guest that renders: contexts, surfaces, batches of class VIRGL and
 * transfers; spec.md section 13. Answers are those of guest.h.
 */
#ifndef PVGPU_CONFORM_VIRGL_GUEST_H
#define PVGPU_CONFORM_VIRGL_GUEST_H

#include <pvgpu/footprint.h>

#include "guest.h"
#include "virgl_stream.h"

/* ------------------------------------------------------ control requests */

int context_create(struct guest *g, uint32_t context);
int context_destroy(struct guest *g, uint32_t context);
int context_attach(struct guest *g, uint32_t context, uint32_t resource);
int context_detach(struct guest *g, uint32_t context, uint32_t resource);

struct context_state {
	uint64_t busy;			/* ns */
	uint64_t batches;
	uint64_t charged;		/* bytes */
	uint32_t flags;
};
int context_query(struct guest *g, uint32_t context,
		  struct context_state *ret);

/* A 2D one of one level, of the guest's next name and no size; the caller
 * changes what is to be different. */
struct pvgpu_resource_create surface_2d(struct guest *g, uint32_t format,
					uint32_t width, uint32_t height);
/* `width` bytes that no renderer makes: they are charged and cost nothing. */
struct pvgpu_resource_create surface_hollow(struct guest *g, uint32_t width);
int surface_create(struct guest *g, const struct pvgpu_resource_create *q);

/* --------------------------------------------------------------- batches */

/* A context, a channel and a command buffer, to be used by one test. */
struct gl {
	struct guest *g;
	uint32_t context;
	uint32_t channel;
	uint32_t commands;		/* the resource with the streams */
	uint8_t *bytes;			/* of it */
	uint64_t used;
	struct stream s;		/* the one being written */
};

/* Opens channel 1, makes context 1 and the command buffer. False: something
 * was refused; the status is the guest's. */
bool gl_begin(struct gl *gl, struct guest *g);
/* Copies the stream into the command buffer, and sends it. */
bool gl_submit(struct gl *gl, uint16_t flags);
/* Sends it, waits, and returns its status. */
int gl_run(struct gl *gl);
/* Waits for the completion of the batch that was sent last. */
int gl_answer(struct gl *gl);
/* A batch that does nothing. */
bool gl_nop(struct gl *gl, uint16_t flags);

/* A surface that the context may name; size of VRAM behind it (0: none) at
 * *ret_bytes. The name, or 0. */
uint32_t gl_surface(struct gl *gl, struct pvgpu_resource_create *q,
		    uint64_t size, uint8_t **ret_bytes);
/* A target of 4 bytes a texel with VRAM behind it for all of level 0. */
uint32_t gl_target(struct gl *gl, uint32_t width, uint32_t height,
		   uint8_t **ret_bytes);
/* A BUFFER for stream_painter(). */
uint32_t gl_vertices(struct gl *gl);

struct transfer {
	uint32_t resource;
	uint32_t level;
	uint64_t offset;
	uint32_t stride, layer_stride;
	struct stream_box box;
};
struct pvgpu_virgl_transfer transfer_message(const struct gl *gl,
					     const struct transfer *t);
/* Sends one, waits, and returns its status. */
int gl_transfer(struct gl *gl, uint16_t opcode, const struct transfer *t);
/* Level 0 of a 2D surface without gaps, at offset 0. */
int gl_read(struct gl *gl, uint32_t resource, uint32_t width,
	    uint32_t height);

#endif
