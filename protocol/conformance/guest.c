// SPDX-License-Identifier: MIT
/* A guest for tests; see guest.h. */
#include "guest.h"

#include <string.h>

int guest_connect(struct guest *g, const char *path, const char **ret_why)
{
	int ret;

	memset(g, 0, sizeof(*g));
	ret = peer_connect(&g->peer, path, ret_why);
	if (ret)
		return ret;
	ret = pvgpu_client_init(&g->client, g->peer.window, g->peer.size,
				&peer_hooks, &g->peer);
	if (ret) {
		*ret_why = "the information page";
		peer_disconnect(&g->peer);
		return ret;
	}
	g->d = &g->client.device;
	g->vram = g->peer.window + g->d->vram_offset;
	return 0;
}

void guest_disconnect(struct guest *g)
{
	peer_disconnect(&g->peer);
}

int guest_attach(struct guest *g, uint64_t features)
{
	const struct pvgpu_hello hello = {
		.guest_os = PVGPU_GUEST_TEST,
		.driver_version = 1 << 16,
		.features = features,
		.driver_name = "pvgpu-conform",
		.os_name = "none",
	};

	g->vram_used = 0;
	g->next_name = 1;
	memset(g->fences, 0, sizeof(g->fences));
	return pvgpu_client_attach(&g->client, &hello, ANSWER_MS);
}

struct pvgpu_msg guest_header(struct guest *g, uint16_t opcode,
			      uint32_t length)
{
	return (struct pvgpu_msg){
		.length = pvgpu_cpu_to_le32(length),
		.opcode = pvgpu_cpu_to_le16(opcode),
		.cookie = pvgpu_cpu_to_le32(++g->client.next_cookie),
		.generation = pvgpu_cpu_to_le32(g->client.generation),
	};
}

static void note_reply(struct guest *g)
{
	struct pvgpu_completion done;

	memcpy(&done, g->reply, sizeof(done));
	g->reply_length = pvgpu_le32_to_cpu(done.msg.length);
	g->status = pvgpu_le32_to_cpu(done.status);
	g->detail = pvgpu_le32_to_cpu(done.detail);
}

int guest_call(struct guest *g, uint16_t opcode, void *message,
	       uint32_t length)
{
	struct pvgpu_msg *msg = message;
	int ret;

	msg->opcode = pvgpu_cpu_to_le16(opcode);
	ret = pvgpu_client_call(&g->client, message, length, g->reply,
				ANSWER_MS);
	if (ret < 0)
		return ret;
	note_reply(g);
	return ret;
}

bool guest_put(struct guest *g, uint32_t queue, const void *message,
	       uint32_t length)
{
	if (pvgpu_producer_put(&g->client.queues[queue].submit, message,
			       length) <= 0)
		return false;
	pvgpu_client_flush(&g->client, queue);
	return true;
}

bool guest_completion(struct guest *g, uint32_t queue, uint32_t timeout_ms)
{
	uint64_t start = peer_now_ms(), gone;

	for (;;) {
		int length = pvgpu_client_take(&g->client, queue, g->reply);

		if (length > 0) {
			note_reply(g);
			return true;
		}
		if (length < 0)
			return false;
		gone = peer_now_ms() - start;
		if (gone >= timeout_ms)
			return false;
		if (pvgpu_client_sleep(&g->client, queue))
			peer_interrupted(&g->peer,
					 pvgpu_device_vector(g->d, queue),
					 (int)(timeout_ms - gone));
	}
}

int guest_ping(struct guest *g)
{
	struct pvgpu_ping q = { .payload = pvgpu_cpu_to_le64(0x70696e67) };

	return guest_call(g, PVGPU_OP_PING, &q, sizeof(q));
}

/* ------------------------------------------------------------- resources */

int guest_create(struct guest *g, uint32_t name, uint64_t size)
{
	struct pvgpu_resource_create q = {
		.resource = pvgpu_cpu_to_le32(name),
		.kind = pvgpu_cpu_to_le32(PVGPU_RESOURCE_LINEAR),
		.size = pvgpu_cpu_to_le64(size),
	};

	return guest_call(g, PVGPU_OP_RESOURCE_CREATE, &q, sizeof(q));
}

int guest_back(struct guest *g, uint32_t name, uint64_t offset,
	       uint64_t length)
{
	struct {
		struct pvgpu_resource_back back;
		struct pvgpu_extent extent;
	} q = {
		.back.resource = pvgpu_cpu_to_le32(name),
		.back.count = pvgpu_cpu_to_le32(1),
		.extent.offset = pvgpu_cpu_to_le64(offset),
		.extent.length = pvgpu_cpu_to_le64(length),
	};

	return guest_call(g, PVGPU_OP_RESOURCE_BACK, &q, sizeof(q));
}

int guest_destroy(struct guest *g, uint32_t name)
{
	struct pvgpu_resource_destroy q = {
		.resource = pvgpu_cpu_to_le32(name),
	};

	return guest_call(g, PVGPU_OP_RESOURCE_DESTROY, &q, sizeof(q));
}

uint32_t guest_resource(struct guest *g, uint64_t size, uint8_t **ret_bytes)
{
	uint64_t length = (size + 4095) / 4096 * 4096;
	uint32_t name = g->next_name;

	if (guest_create(g, name, size) ||
	    guest_back(g, name, g->vram_used, length))
		return 0;
	g->next_name++;
	if (ret_bytes)
		*ret_bytes = g->vram + g->vram_used;
	g->vram_used += length;
	return name;
}

/* -------------------------------------------------------------- channels */

int guest_open_as(struct guest *g, uint32_t channel, uint32_t channel_class)
{
	struct pvgpu_channel_open q = {
		.channel = pvgpu_cpu_to_le32(channel),
		.channel_class = pvgpu_cpu_to_le32(channel_class),
	};

	if (channel && channel <= g->d->channels) {
		pvgpu_client_queue_init(&g->client, channel);
		g->fences[channel] = 0;
	}
	return guest_call(g, PVGPU_OP_CHANNEL_OPEN, &q, sizeof(q));
}

int guest_open(struct guest *g, uint32_t channel)
{
	return guest_open_as(g, channel, PVGPU_CHANNEL_COPY);
}

int guest_close(struct guest *g, uint32_t channel)
{
	struct pvgpu_channel_close q = {
		.channel = pvgpu_cpu_to_le32(channel),
	};

	return guest_call(g, PVGPU_OP_CHANNEL_CLOSE, &q, sizeof(q));
}

bool guest_submit(struct guest *g, uint32_t channel, uint16_t opcode,
		  uint16_t flags, void *batch, uint32_t length)
{
	struct pvgpu_submit *submit = batch;

	submit->msg = guest_header(g, opcode, length);
	submit->msg.flags = pvgpu_cpu_to_le16(flags);
	submit->fence = pvgpu_cpu_to_le64(g->fences[channel] + 1);
	if (!guest_put(g, channel, batch, length))
		return false;
	g->fences[channel]++;
	return true;
}

int guest_finish(struct guest *g, uint32_t channel)
{
	return pvgpu_client_fence_wait(&g->client, channel, g->fences[channel],
				       ANSWER_MS);
}

/* --------------------------------------------------------------- commits */

struct pvgpu_commit *commit_begin(struct commit *c)
{
	memset(c, 0, sizeof(*c));
	c->length = sizeof(struct pvgpu_commit);
	return (void *)c->bytes;
}

static void *append(struct commit *c, uint32_t size, pvgpu_le32 *count)
{
	void *at = c->bytes + c->length;

	*count = pvgpu_cpu_to_le32(pvgpu_le32_to_cpu(*count) + 1);
	c->length += size;
	return at;
}

struct pvgpu_mode mode_make(uint32_t width, uint32_t height, uint32_t refresh)
{
	uint32_t htotal = width + 160, vtotal = height + 30;
	uint64_t clock = (uint64_t)htotal * vtotal * refresh / 1000000;

	return (struct pvgpu_mode){
		.clock = pvgpu_cpu_to_le32((uint32_t)clock),
		.hdisplay = pvgpu_cpu_to_le16((uint16_t)width),
		.hsync_start = pvgpu_cpu_to_le16((uint16_t)(width + 48)),
		.hsync_end = pvgpu_cpu_to_le16((uint16_t)(width + 80)),
		.htotal = pvgpu_cpu_to_le16((uint16_t)htotal),
		.vdisplay = pvgpu_cpu_to_le16((uint16_t)height),
		.vsync_start = pvgpu_cpu_to_le16((uint16_t)(height + 3)),
		.vsync_end = pvgpu_cpu_to_le16((uint16_t)(height + 9)),
		.vtotal = pvgpu_cpu_to_le16((uint16_t)vtotal),
		.flags = pvgpu_cpu_to_le32(PVGPU_MODE_HSYNC_POSITIVE),
	};
}

struct pvgpu_commit_head *commit_head(struct commit *c, uint32_t head,
				      uint32_t width, uint32_t height,
				      uint32_t refresh)
{
	struct pvgpu_commit *commit = (void *)c->bytes;
	struct pvgpu_commit_head *h = append(c, sizeof(*h),
					     &commit->head_count);

	commit->heads |= pvgpu_cpu_to_le32(1u << (head & 31));
	h->head = pvgpu_cpu_to_le32(head);
	if (width) {
		h->flags = pvgpu_cpu_to_le32(PVGPU_COMMIT_HEAD_ACTIVE |
					     PVGPU_COMMIT_HEAD_MODE);
		h->mode = mode_make(width, height, refresh);
	}
	return h;
}

struct pvgpu_commit_plane *commit_plane(struct commit *c, uint32_t head,
					uint32_t plane, uint32_t resource,
					uint32_t format, uint32_t width,
					uint32_t height, int32_t x, int32_t y)
{
	struct pvgpu_commit *commit = (void *)c->bytes;
	struct pvgpu_commit_plane *p = append(c, sizeof(*p),
					      &commit->plane_count);

	p->head = pvgpu_cpu_to_le32(head);
	p->plane = pvgpu_cpu_to_le32(plane);
	if (!resource)
		return p;
	p->resource = pvgpu_cpu_to_le32(resource);
	p->format = pvgpu_cpu_to_le32(format);
	p->stride = pvgpu_cpu_to_le32(width *
		(format == PVGPU_FORMAT_RGB565 ? 2 : 4));
	p->width = pvgpu_cpu_to_le32(width);
	p->height = pvgpu_cpu_to_le32(height);
	p->src_w = pvgpu_cpu_to_le32(width << 16);
	p->src_h = pvgpu_cpu_to_le32(height << 16);
	p->dst_x = pvgpu_cpu_to_le32((uint32_t)x);
	p->dst_y = pvgpu_cpu_to_le32((uint32_t)y);
	p->dst_w = pvgpu_cpu_to_le32(width);
	p->dst_h = pvgpu_cpu_to_le32(height);
	p->alpha = pvgpu_cpu_to_le16(0xffff);
	return p;
}

void commit_clip(struct commit *c, uint32_t x, uint32_t y, uint32_t width,
		 uint32_t height)
{
	struct pvgpu_commit *commit = (void *)c->bytes;
	struct pvgpu_rect *r = append(c, sizeof(*r), &commit->clip_count);

	r->x = pvgpu_cpu_to_le32(x);
	r->y = pvgpu_cpu_to_le32(y);
	r->width = pvgpu_cpu_to_le32(width);
	r->height = pvgpu_cpu_to_le32(height);
}

int guest_commit(struct guest *g, struct commit *c)
{
	return guest_call(g, PVGPU_OP_COMMIT, c->bytes, c->length);
}

bool guest_head_active(struct guest *g, uint32_t head)
{
	struct commit c;

	commit_begin(&c)->flags = pvgpu_cpu_to_le32(PVGPU_COMMIT_TEST);
	commit_head(&c, head, 0, 0, 0)->flags =
		pvgpu_cpu_to_le32(PVGPU_COMMIT_HEAD_ACTIVE);
	return guest_commit(g, &c) == PVGPU_STATUS_OK;
}
