// SPDX-License-Identifier: MIT
/* A guest that renders; see virgl_guest.h. */
#include "virgl_guest.h"

#include <string.h>

#define COMMAND_BYTES (1u << 20)

/* ------------------------------------------------------ control requests */

int context_create(struct guest *g, uint32_t context)
{
	struct pvgpu_context_create q = {
		.context = pvgpu_cpu_to_le32(context),
		.capset = pvgpu_cpu_to_le32(PVGPU_CAPSET_VIRGL2),
		.label = "pvgpu-conform",
	};

	return guest_call(g, PVGPU_OP_CONTEXT_CREATE, &q, sizeof(q));
}

int context_destroy(struct guest *g, uint32_t context)
{
	struct pvgpu_context_destroy q = {
		.context = pvgpu_cpu_to_le32(context),
	};

	return guest_call(g, PVGPU_OP_CONTEXT_DESTROY, &q, sizeof(q));
}

static int attach(struct guest *g, uint16_t opcode, uint32_t context,
		  uint32_t resource)
{
	struct pvgpu_context_attach q = {
		.context = pvgpu_cpu_to_le32(context),
		.resource = pvgpu_cpu_to_le32(resource),
	};

	return guest_call(g, opcode, &q, sizeof(q));
}

int context_attach(struct guest *g, uint32_t context, uint32_t resource)
{
	return attach(g, PVGPU_OP_CONTEXT_ATTACH, context, resource);
}

int context_detach(struct guest *g, uint32_t context, uint32_t resource)
{
	return attach(g, PVGPU_OP_CONTEXT_DETACH, context, resource);
}

int context_query(struct guest *g, uint32_t context,
		  struct context_state *ret)
{
	struct pvgpu_context_query q = {
		.context = pvgpu_cpu_to_le32(context),
	};
	struct pvgpu_context_query_done done;
	int ret_status = guest_call(g, PVGPU_OP_CONTEXT_QUERY, &q, sizeof(q));

	memset(ret, 0, sizeof(*ret));
	if (ret_status || g->reply_length != sizeof(done))
		return ret_status ? ret_status : PVGPU_CLIENT_BAD_INFO;
	memcpy(&done, g->reply, sizeof(done));
	ret->busy = pvgpu_le64_to_cpu(done.busy);
	ret->batches = pvgpu_le64_to_cpu(done.batches);
	ret->charged = pvgpu_le64_to_cpu(done.charged);
	ret->flags = pvgpu_le32_to_cpu(done.flags);
	return 0;
}

struct pvgpu_resource_create surface_2d(struct guest *g, uint32_t format,
					uint32_t width, uint32_t height)
{
	return (struct pvgpu_resource_create){
		.resource = pvgpu_cpu_to_le32(g->next_name++),
		.kind = pvgpu_cpu_to_le32(PVGPU_RESOURCE_SURFACE),
		.format = pvgpu_cpu_to_le32(format),
		.width = pvgpu_cpu_to_le32(width),
		.height = pvgpu_cpu_to_le32(height),
		.depth = pvgpu_cpu_to_le32(1),
		.layers = pvgpu_cpu_to_le32(1),
		.levels = pvgpu_cpu_to_le32(1),
		.samples = pvgpu_cpu_to_le32(1),
		.bind = pvgpu_cpu_to_le32(VIRGL_BIND_VIEW |
					  VIRGL_BIND_TARGET),
		.target = pvgpu_cpu_to_le32(PVGPU_TARGET_2D),
	};
}

struct pvgpu_resource_create surface_hollow(struct guest *g, uint32_t width)
{
	struct pvgpu_resource_create q = surface_2d(g, VIRGL_R8, width, 1);

	q.target = pvgpu_cpu_to_le32(PVGPU_TARGET_BUFFER);
	q.bind = pvgpu_cpu_to_le32(VIRGL_BIND_NOBODYS);
	return q;
}

int surface_create(struct guest *g, const struct pvgpu_resource_create *q)
{
	struct pvgpu_resource_create copy = *q;

	return guest_call(g, PVGPU_OP_RESOURCE_CREATE, &copy, sizeof(copy));
}

/* --------------------------------------------------------------- batches */

bool gl_begin(struct gl *gl, struct guest *g)
{
	*gl = (struct gl){ .g = g, .context = 1, .channel = 1 };
	if (context_create(g, gl->context) ||
	    guest_open_as(g, gl->channel, PVGPU_CHANNEL_VIRGL))
		return false;
	gl->commands = guest_resource(g, COMMAND_BYTES, &gl->bytes);
	stream_begin(&gl->s);
	return gl->commands != 0;
}

bool gl_submit(struct gl *gl, uint16_t flags)
{
	uint32_t size = gl->s.count * 4;
	struct pvgpu_virgl_submit q = {
		.context = pvgpu_cpu_to_le32(gl->context),
		.resource = pvgpu_cpu_to_le32(gl->commands),
		.size = pvgpu_cpu_to_le32(size),
	};

	if (size > COMMAND_BYTES - gl->used) {
		if (guest_finish(gl->g, gl->channel))
			return false;
		gl->used = 0;
	}
	for (uint32_t i = 0; i < gl->s.count; i++)
		pvgpu_store32((void *)(gl->bytes + gl->used + i * 4),
			      gl->s.words[i]);
	q.offset = pvgpu_cpu_to_le64(gl->used);
	gl->used += size;
	return guest_submit(gl->g, gl->channel, PVGPU_OP_VIRGL_SUBMIT, flags,
			    &q, sizeof(q));
}

int gl_answer(struct gl *gl)
{
	struct pvgpu_completion done;

	/* Of others there may be some that nobody has taken yet. */
	do {
		if (!guest_completion(gl->g, gl->channel, ANSWER_MS))
			return PVGPU_CLIENT_TIMEOUT;
		memcpy(&done, gl->g->reply, sizeof(done));
	} while (pvgpu_le64_to_cpu(done.value) < gl->g->fences[gl->channel]);
	return (int)gl->g->status;
}

int gl_run(struct gl *gl)
{
	return gl_submit(gl, PVGPU_MSG_NOTIFY) ? gl_answer(gl) :
	       PVGPU_CLIENT_FULL;
}

bool gl_nop(struct gl *gl, uint16_t flags)
{
	struct pvgpu_submit q = { 0 };

	return guest_submit(gl->g, gl->channel, PVGPU_OP_VIRGL_NOP, flags, &q,
			    sizeof(q));
}

uint32_t gl_surface(struct gl *gl, struct pvgpu_resource_create *q,
		    uint64_t size, uint8_t **ret_bytes)
{
	uint32_t name = pvgpu_le32_to_cpu(q->resource);
	uint64_t length = (size + 4095) / 4096 * 4096;
	struct guest *g = gl->g;

	q->size = pvgpu_cpu_to_le64(size);
	q->context = pvgpu_cpu_to_le32(gl->context);
	if (surface_create(g, q) ||
	    (size && guest_back(g, name, g->vram_used, length)))
		return 0;
	if (ret_bytes)
		*ret_bytes = g->vram + g->vram_used;
	g->vram_used += length;
	return name;
}

uint32_t gl_target(struct gl *gl, uint32_t width, uint32_t height,
		   uint8_t **ret_bytes)
{
	struct pvgpu_resource_create q = surface_2d(gl->g, VIRGL_B8G8R8A8,
						    width, height);

	return gl_surface(gl, &q, (uint64_t)width * height * 4, ret_bytes);
}

uint32_t gl_vertices(struct gl *gl)
{
	struct pvgpu_resource_create q = surface_2d(gl->g, VIRGL_R8,
						    STREAM_VERTICES, 1);

	q.target = pvgpu_cpu_to_le32(PVGPU_TARGET_BUFFER);
	q.bind = pvgpu_cpu_to_le32(VIRGL_BIND_VERTEX);
	return gl_surface(gl, &q, 0, NULL);
}

struct pvgpu_virgl_transfer transfer_message(const struct gl *gl,
					     const struct transfer *t)
{
	return (struct pvgpu_virgl_transfer){
		.context = pvgpu_cpu_to_le32(gl->context),
		.resource = pvgpu_cpu_to_le32(t->resource),
		.offset = pvgpu_cpu_to_le64(t->offset),
		.level = pvgpu_cpu_to_le32(t->level),
		.stride = pvgpu_cpu_to_le32(t->stride),
		.layer_stride = pvgpu_cpu_to_le32(t->layer_stride),
		.x = pvgpu_cpu_to_le32(t->box.x),
		.y = pvgpu_cpu_to_le32(t->box.y),
		.z = pvgpu_cpu_to_le32(t->box.z),
		.width = pvgpu_cpu_to_le32(t->box.width),
		.height = pvgpu_cpu_to_le32(t->box.height),
		.depth = pvgpu_cpu_to_le32(t->box.depth),
	};
}

int gl_transfer(struct gl *gl, uint16_t opcode, const struct transfer *t)
{
	struct pvgpu_virgl_transfer q = transfer_message(gl, t);

	return guest_submit(gl->g, gl->channel, opcode, PVGPU_MSG_NOTIFY, &q,
			    sizeof(q)) ? gl_answer(gl) : PVGPU_CLIENT_FULL;
}

int gl_read(struct gl *gl, uint32_t resource, uint32_t width, uint32_t height)
{
	const struct transfer t = {
		.resource = resource, .box = { 0, 0, 0, width, height, 1 },
	};

	return gl_transfer(gl, PVGPU_OP_VIRGL_TRANSFER_FROM, &t);
}
