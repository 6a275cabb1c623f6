// SPDX-License-Identifier: MIT
/* Playing against a vGPU, as a guest of its own; see target.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/conformance/virgl_guest.h"
#include "protocol/replay/target.h"

#define CHANNEL 1u
#define CONTEXT 1u
#define ATTACH_MS 30000u
#define PAGE 4096u

/* The VRAM that a name has; another of that name gets it again. */
struct place {
	uint64_t offset, room;
};

struct vgpu {
	struct target target;
	struct guest guest;
	uint32_t highest;		/* name of a recording */
	struct place *places;		/* by name */
	uint32_t area;			/* the resource for streams */
	uint64_t area_offset, area_size;
};

static struct vgpu *vgpu(struct target *t)
{
	return (struct vgpu *)t;
}

/* What the host has answered, in words that somebody can look up. */
static int refused(struct vgpu *v, int ret, const char *what, uint32_t name)
{
	if (ret < 0)
		snprintf(v->target.why, sizeof(v->target.why), "%s %u: %s",
			 what, name, ret == PVGPU_CLIENT_TIMEOUT ?
			 "no answer in time" : "the attachment is lost");
	else
		snprintf(v->target.why, sizeof(v->target.why),
			 "%s %u: refused with status %d, detail %u", what,
			 name, ret, v->guest.detail);
	return -1;
}

/* VRAM for a name, or for the area (0). */
static int reserve(struct vgpu *v, struct place *place, uint64_t size)
{
	struct guest *g = &v->guest;
	uint64_t room = (size + PAGE - 1) / PAGE * PAGE;

	if (place->room >= room)
		return 0;
	if (room > g->d->vram_size - g->vram_used) {
		snprintf(v->target.why, sizeof(v->target.why),
			 "the vGPU's framebuffer of %llu MiB is too small",
			 (unsigned long long)g->d->vram_size >> 20);
		return -1;
	}
	*place = (struct place){ g->vram_used, room };
	g->vram_used += room;
	return 0;
}

static int vgpu_create(struct target *t, uint32_t name,
		       const struct recording_resource *made,
		       uint8_t **ret_memory)
{
	struct vgpu *v = vgpu(t);
	const struct pvgpu_resource_create q = {
		.resource = pvgpu_cpu_to_le32(name),
		.kind = pvgpu_cpu_to_le32(PVGPU_RESOURCE_SURFACE),
		.size = pvgpu_cpu_to_le64(made->size),
		.format = pvgpu_cpu_to_le32(made->format),
		.width = pvgpu_cpu_to_le32(made->width),
		.height = pvgpu_cpu_to_le32(made->height),
		.depth = pvgpu_cpu_to_le32(made->depth),
		.layers = pvgpu_cpu_to_le32(made->layers),
		.levels = pvgpu_cpu_to_le32(made->levels),
		.samples = pvgpu_cpu_to_le32(made->samples),
		.bind = pvgpu_cpu_to_le32(made->bind),
		.target = pvgpu_cpu_to_le32(made->target),
		.flags = pvgpu_cpu_to_le32(made->flags),
		.context = pvgpu_cpu_to_le32(CONTEXT),
	};
	struct place *place = &v->places[name];
	int ret = surface_create(&v->guest, &q);

	if (ret)
		return refused(v, ret, "making resource", name);
	*ret_memory = NULL;
	if (!made->size)
		return 0;
	if (reserve(v, place, made->size))
		return -1;
	ret = guest_back(&v->guest, name, place->offset,
			 (made->size + PAGE - 1) / PAGE * PAGE);
	if (ret)
		return refused(v, ret, "memory for resource", name);
	*ret_memory = v->guest.vram + place->offset;
	return 0;
}

static int vgpu_destroy(struct target *t, uint32_t name)
{
	int ret = guest_destroy(&vgpu(t)->guest, name);

	return ret ? refused(vgpu(t), ret, "destroying resource", name) : 0;
}

static int submit(struct vgpu *v, uint16_t opcode, void *message,
		  uint32_t length)
{
	if (!guest_submit(&v->guest, CHANNEL, opcode, 0, message, length)) {
		snprintf(v->target.why, sizeof(v->target.why),
			 "the channel's ring is full");
		return -1;
	}
	v->target.submitted = v->guest.fences[CHANNEL];
	return 0;
}

static int vgpu_transfer(struct target *t, uint32_t name,
			 const struct recording_transfer *how, bool from)
{
	struct pvgpu_virgl_transfer q = {
		.context = pvgpu_cpu_to_le32(CONTEXT),
		.resource = pvgpu_cpu_to_le32(name),
		.offset = pvgpu_cpu_to_le64(how->offset),
		.level = pvgpu_cpu_to_le32(how->level),
		.stride = pvgpu_cpu_to_le32(how->stride),
		.layer_stride = pvgpu_cpu_to_le32(how->layer_stride),
		.x = pvgpu_cpu_to_le32(how->x),
		.y = pvgpu_cpu_to_le32(how->y),
		.z = pvgpu_cpu_to_le32(how->z),
		.width = pvgpu_cpu_to_le32(how->width),
		.height = pvgpu_cpu_to_le32(how->height),
		.depth = pvgpu_cpu_to_le32(how->depth),
	};

	return submit(vgpu(t), from ? PVGPU_OP_VIRGL_TRANSFER_FROM :
		      PVGPU_OP_VIRGL_TRANSFER_TO, &q, sizeof(q));
}

static int vgpu_submit(struct target *t, const struct target_stream *s)
{
	struct vgpu *v = vgpu(t);
	struct pvgpu_virgl_submit q = {
		.context = pvgpu_cpu_to_le32(CONTEXT),
		.resource = pvgpu_cpu_to_le32(v->area),
		.offset = pvgpu_cpu_to_le64(s->offset),
		.size = pvgpu_cpu_to_le32(s->size),
	};

	return submit(v, PVGPU_OP_VIRGL_SUBMIT, &q, sizeof(q));
}

static int vgpu_put(struct target *t, uint64_t at, const uint8_t *bytes,
		    uint32_t length)
{
	struct vgpu *v = vgpu(t);

	if (at > v->area_size || length > v->area_size - at) {
		snprintf(t->why, sizeof(t->why), "streams of more than %llu "
			 "bytes", (unsigned long long)v->area_size);
		return -1;
	}
	memcpy(v->guest.vram + v->area_offset + at, bytes, length);
	return 0;
}

/* The batch that failed has left a completion. */
static int batch_failed(struct vgpu *v)
{
	while (guest_completion(&v->guest, CHANNEL, 1000))
		if (v->guest.status) {
			snprintf(v->target.why, sizeof(v->target.why),
				 "a batch failed with status %u, detail %u",
				 v->guest.status, v->guest.detail);
			return -1;
		}
	snprintf(v->target.why, sizeof(v->target.why), "a batch failed");
	return -1;
}

static int vgpu_wait(struct target *t, uint64_t number, uint32_t timeout_ms,
		     uint64_t *ret_done)
{
	struct vgpu *v = vgpu(t);
	uint32_t flags;
	int ret = pvgpu_client_fence_wait(&v->guest.client, CHANNEL, number,
					  timeout_ms);

	*ret_done = pvgpu_client_fence(&v->guest.client, CHANNEL, &flags);
	if (flags & PVGPU_FENCE_FAILED)
		return batch_failed(v);
	if (ret == PVGPU_CLIENT_LOST)
		return refused(v, ret, "batch", (uint32_t)number);
	return 0;
}

static int vgpu_busy(struct target *t, uint64_t *ret_busy)
{
	struct context_state state;
	int ret = context_query(&vgpu(t)->guest, CONTEXT, &state);

	if (ret)
		return refused(vgpu(t), ret, "asking for context", CONTEXT);
	*ret_busy = state.busy;
	return 0;
}

static void vgpu_close(struct target *t)
{
	struct vgpu *v = vgpu(t);

	if (v->guest.client.generation)
		pvgpu_client_leave(&v->guest.client, ATTACH_MS);
	guest_disconnect(&v->guest);
	free(v->places);
	free(v);
}

static const struct target_ops vgpu_ops = {
	.create = vgpu_create,
	.destroy = vgpu_destroy,
	.transfer = vgpu_transfer,
	.submit = vgpu_submit,
	.put = vgpu_put,
	.wait = vgpu_wait,
	.busy = vgpu_busy,
	.close = vgpu_close,
};

/* A quarter of VRAM, and as much as anybody needs. */
static int make_area(struct vgpu *v)
{
	struct guest *g = &v->guest;
	struct place place = { 0 };
	int ret;

	v->area_size = g->d->vram_size / 4 / PAGE * PAGE;
	if (v->area_size > 32u << 20)
		v->area_size = 32u << 20;
	if (reserve(v, &place, v->area_size))
		return -1;
	v->target.stream_max = g->d->max_commands;
	v->area = v->highest + 1;
	v->area_offset = place.offset;
	ret = guest_create(g, v->area, v->area_size);
	if (!ret)
		ret = guest_back(g, v->area, place.offset, v->area_size);
	return ret ? refused(v, ret, "room for streams, resource", v->area) :
	       0;
}

static int attach(struct vgpu *v)
{
	const struct pvgpu_hello hello = {
		.guest_os = PVGPU_GUEST_TEST,
		.driver_version = 1 << 16,
		.features = PVGPU_FEATURE_VIRGL,
		.driver_name = "pvgpu-replay",
		.os_name = "none",
	};
	struct guest *g = &v->guest;
	int ret;

	if (!(g->d->features & PVGPU_FEATURE_VIRGL)) {
		snprintf(v->target.why, sizeof(v->target.why),
			 "its type does not render");
		return -1;
	}
	ret = pvgpu_client_attach(&g->client, &hello, ATTACH_MS);
	if (ret)
		return refused(v, ret, "attaching to vGPU", 0);
	ret = context_create(g, CONTEXT);
	if (ret)
		return refused(v, ret, "making context", CONTEXT);
	ret = guest_open_as(g, CHANNEL, PVGPU_CHANNEL_VIRGL);
	if (ret)
		return refused(v, ret, "opening channel", CHANNEL);
	return make_area(v);
}

int target_vgpu(struct target **ret, const char *socket,
		const struct recording *r)
{
	struct vgpu *v = calloc(1, sizeof(*v));
	const char *why;
	int err;

	*ret = NULL;
	if (!v)
		return -1;
	*ret = &v->target;
	v->target.ops = &vgpu_ops;
	v->highest = r->highest;
	v->places = calloc(r->highest + 1, sizeof(*v->places));
	if (!v->places) {
		free(v);
		*ret = NULL;
		return -1;
	}
	err = guest_connect(&v->guest, socket, &why);
	if (err) {
		/* There is nothing to be shut. */
		v->guest.peer.socket = v->guest.peer.memory = -1;
		snprintf(v->target.why, sizeof(v->target.why), "%s: %s", why,
			 strerror(-err));
		return -1;
	}
	return attach(v);
}
