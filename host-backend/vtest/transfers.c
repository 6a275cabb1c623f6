// SPDX-License-Identifier: MIT
/* Transfers that are commands of their own; see commands.h. */
#include "commands.h"

#include <string.h>

static int send_transfer(struct client *c, struct resource *r, bool to_host,
			 uint32_t level, const uint32_t box[6],
			 const struct box_place *place, uint64_t *ret_fence)
{
	bool buffer = r->shape.target == PVGPU_TARGET_BUFFER;
	struct pvgpu_virgl_transfer q = {
		.context = pvgpu_cpu_to_le32(c->context),
		.resource = pvgpu_cpu_to_le32(r->name),
		.offset = pvgpu_cpu_to_le64(place->offset),
		.level = pvgpu_cpu_to_le32(level),
		.stride = pvgpu_cpu_to_le32(buffer ? 0 : place->stride),
		.layer_stride = pvgpu_cpu_to_le32(buffer ? 0 : place->layer),
		.x = pvgpu_cpu_to_le32(box[0]),
		.y = pvgpu_cpu_to_le32(box[1]),
		.z = pvgpu_cpu_to_le32(box[2]),
		.width = pvgpu_cpu_to_le32(box[3]),
		.height = pvgpu_cpu_to_le32(box[4]),
		.depth = pvgpu_cpu_to_le32(box[5]),
	};
	uint64_t done = client_done(c);
	int ret = command_send_batch(c, to_host ? PVGPU_OP_VIRGL_TRANSFER_TO :
			     PVGPU_OP_VIRGL_TRANSFER_FROM, &q, sizeof(q),
			     ret_fence);

	if (!ret)
		resource_use(r, done, *ret_fence, place->offset,
			     box_end(place));
	return ret;
}

/* A resource that can be transferred, made if it was not. */
static int transferred(struct client *c, uint32_t handle, bool memory,
		       struct resource **ret)
{
	struct resource *r = command_find(c, handle);
	int status;

	if (!r || !r->size || (memory && !r->memory))
		return client_bad(c, "it transfers resource %u, which is not "
				  "there or has no memory", handle);
	status = resource_make(c->vgpu, r, c->context);
	if (status)
		return command_refused(c, "its resource", status);
	*ret = r;
	return 0;
}

static int transfer2(struct client *c, const uint8_t *body, bool to_host)
{
	struct move move = { .kind = MOVE_FROM_HOST };
	struct vtest_transfer2 q;
	uint8_t *vram;
	int ret;

	memcpy(&q, body, sizeof(q));
	ret = transferred(c, q.handle, true, &move.r);
	if (ret)
		return ret;
	if (box_place(&move.place, &move.r->shape, q.level, q.box, 0, 0,
		      q.offset, move.r->size, false))
		return client_bad(c, "it transfers a box that resource %u does "
				  "not hold", q.handle);
	if (!resource_idle(move.r, client_done(c), move.place.offset,
			   box_end(&move.place)))
		return client_park(c, move.r->busy);
	vram = c->vgpu->vram + move.r->vram;
	if (to_host)
		box_copy(vram, &move.place, move.r->memory, &move.place);
	ret = to_host ? 0 : command_backs_room(c, 1);
	if (!ret)
		ret = send_transfer(c, move.r, to_host, q.level, q.box,
				    &move.place, &move.fence);
	c->copied += (size_t)move.place.row * move.place.rows *
		     move.place.layers;
	return ret || to_host ? ret : command_add_move(c, &c->backs, &move);
}

int command_transfer_put2(struct client *c, const uint8_t *body,
			 uint32_t length)
{
	(void)length;
	return transfer2(c, body, true);
}

int command_transfer_get2(struct client *c, const uint8_t *body,
			 uint32_t length)
{
	(void)length;
	return transfer2(c, body, false);
}

/* Where the bytes of a TRANSFER lie: without gaps at the beginning of VRAM, and
 * as the client has them. */
static int inline_places(struct client *c, const struct vtest_transfer *q,
			 struct resource **ret_r, struct box_place *ret_vram,
			 struct box_place *ret_client)
{
	int ret = transferred(c, q->handle, false, ret_r);

	if (ret)
		return ret;
	if (box_place(ret_vram, &(*ret_r)->shape, q->level, q->box, 0, 0, 0,
		      (*ret_r)->size, true) ||
	    box_place(ret_client, &(*ret_r)->shape, q->level, q->box,
		      q->stride, q->layer_stride, 0, q->size, true))
		return client_bad(c, "it transfers a box of resource %u that "
				  "%u bytes do not hold", q->handle, q->size);
	return 0;
}

int command_transfer_put(struct client *c, const uint8_t *body, uint32_t length)
{
	struct box_place in_vram, in_client;
	struct vtest_transfer q;
	struct resource *r;
	uint64_t fence;
	int ret;

	(void)length;
	memcpy(&q, body, sizeof(q));
	ret = inline_places(c, &q, &r, &in_vram, &in_client);
	if (ret)
		return ret;
	if (!resource_idle(r, client_done(c), 0, box_end(&in_vram)))
		return client_park(c, r->busy);
	box_copy(c->vgpu->vram + r->vram, &in_vram, body + sizeof(q),
		 &in_client);
	c->copied += q.size;
	return send_transfer(c, r, true, q.level, q.box, &in_vram, &fence);
}

int command_transfer_get(struct client *c, const uint8_t *body, uint32_t length)
{
	struct box_place in_vram, in_client;
	cleanup_free uint8_t *bytes = NULL;
	struct vtest_transfer q;
	struct resource *r;
	int ret;

	(void)length;
	memcpy(&q, body, sizeof(q));
	if (q.size > CLIENT_INLINE_MAX)
		return client_bad(c, "it asks for %u bytes; %u are allowed",
				  q.size, CLIENT_INLINE_MAX);
	ret = inline_places(c, &q, &r, &in_vram, &in_client);
	if (!ret && !c->reading)
		ret = send_transfer(c, r, false, q.level, q.box, &in_vram,
				    &c->reading);
	if (ret)
		return ret;
	if (client_done(c) < c->reading)
		return client_park(c, c->reading);
	c->reading = 0;
	vgpu_take(c->vgpu);
	if (*c->why)
		return -EPROTO;
	bytes = calloc(1, q.size);
	if (!bytes)
		return client_bad(c, "there is no memory for %u bytes", q.size);
	box_copy(bytes, &in_client, c->vgpu->vram + r->vram, &in_vram);
	c->copied += q.size;
	return client_send(c, bytes, q.size, -1);
}
