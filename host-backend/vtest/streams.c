// SPDX-License-Identifier: MIT
/*
 * Streams of virgl commands: from the client's connection to the arena with the
 * vGPU's names in it, and what they need to be in VRAM before, and in shared
 * memory after; see commands.h.
 */
#include "commands.h"

#include <string.h>

#include "rewrite.h"
#include "worker/virgl_wire.h"

static uint32_t name_of(void *context, uint32_t handle)
{
	struct client *c = context;
	struct resource *r = command_find(c, handle);
	int status = r ? resource_make(c->vgpu, r, c->context) : 0;

	if (status && !*c->why)
		command_refused(c, "a resource of its stream", status);
	return r ? r->name : REWRITE_NOBODY;
}

/* Notes a copy that the stream needs; parks the client where the bytes of VRAM
 * are still needed as they are. */
static int heed_move(struct client *c, const struct move *m)
{
	if (m->kind != MOVE_QUERY &&
	    !resource_idle(m->r, client_done(c), m->place.offset,
			   box_end(&m->place)))
		return client_park(c, m->r->busy);
	return command_add_move(c, &c->moves, m);
}

static int heed_transfer(struct client *c, const uint32_t *words, bool copy)
{
	struct resource *r = command_find(c, words[REWRITE_RESOURCE]), *at = r;
	uint32_t offset = words[REWRITE_OFFSET];
	bool to_host = words[REWRITE_DIRECTION] == REWRITE_TO_HOST;
	struct move m;

	if (copy) {
		at = command_find(c, words[REWRITE_COPY_MEMORY]);
		offset = words[REWRITE_COPY_OFFSET];
		to_host = !(words[REWRITE_COPY_FLAGS] &
			    REWRITE_COPY_FROM_HOST);
	}
	m = (struct move){ .r = at };
	m.kind = to_host ? MOVE_TO_HOST : MOVE_FROM_HOST;
	if (!r || !at || !at->memory ||
	    box_place(&m.place, &r->shape, words[REWRITE_LEVEL],
		      words + REWRITE_BOX, words[REWRITE_STRIDE],
		      words[REWRITE_LAYER_STRIDE], offset, at->size, false))
		return client_bad(c, "its stream transfers a box of resource "
				  "%u that is not there", words[1]);
	return heed_move(c, &m);
}

/* What the host writes into a resource by itself: its first bytes. */
static int heed_report(struct client *c, struct resource *r, uint32_t bytes,
		       int kind)
{
	const struct move m = {
		kind, r, { 0, bytes, 0, bytes, 1, 1 }, 0,
	};

	if (!r || !r->memory || r->size < bytes)
		return 0;
	return heed_move(c, &m);
}

static int heed(void *context, const uint32_t *words)
{
	uint32_t number = virgl_number(words[0]);
	struct client *c = context;
	struct resource *r;

	switch (number) {
	case VIRGL_TRANSFER3D:
	case VIRGL_COPY_TRANSFER3D:
		return heed_transfer(c, words,
				     number == VIRGL_COPY_TRANSFER3D);
	case VIRGL_CREATE_OBJECT:
		if (!words[REWRITE_QUERY] || !words[REWRITE_QUERY_MEMORY])
			return 0;
		if (c->queries.count >= CLIENT_QUERIES_MAX ||
		    names_set(&c->queries, words[REWRITE_QUERY],
			      words[REWRITE_QUERY_MEMORY]))
			return client_bad(c, "it makes more than %u queries",
					  CLIENT_QUERIES_MAX);
		return 0;
	case VIRGL_DESTROY_OBJECT:
		names_remove(&c->queries, words[1]);
		return 0;
	case VIRGL_GET_QUERY_RESULT:
		r = command_find(c, (uint32_t)names_get(&c->queries,
						words[REWRITE_QUERY]));
		return heed_report(c, r, VTEST_QUERY_BYTES, MOVE_QUERY);
	case VIRGL_GET_MEMORY_INFO:
		r = command_find(c, words[REWRITE_RESOURCE]);
		return heed_report(c, r, VTEST_MEMORY_INFO_BYTES,
				   MOVE_FROM_HOST);
	default:
		return 0;
	}
}

/* Streams that are done leave the arena; a place for another, or parked. */
static int arena_place(struct client *c, uint32_t size, uint64_t *ret_from)
{
	uint64_t done = client_done(c), from;
	uint32_t gone = 0;

	while (gone < c->batch_count && c->batches[gone].fence <= done)
		gone++;
	c->batch_count -= gone;
	memmove(c->batches, c->batches + gone,
		c->batch_count * sizeof(c->batches[0]));
	if (c->batch_count == CLIENT_BATCHES)
		return client_park(c, c->batches[0].fence);
	from = c->batch_count ? c->arena_head : 0;
	if (from + size > CLIENT_ARENA)
		from = 0;
	for (uint32_t i = 0; i < c->batch_count; i++)
		if (from < c->batches[i].to &&
		    from + size > c->batches[i].from)
			return client_park(c, c->batches[i].fence);
	*ret_from = from;
	return 0;
}

/* Brings to VRAM what the stream will read there. What it is to write there and
 * perhaps does not is the client's own. */
static void copy_forth(struct client *c)
{
	static const uint32_t waits = VTEST_QUERY_WAITS;

	for (uint32_t i = 0; i < c->moves.count; i++) {
		const struct move *m = &c->moves.m[i];
		uint8_t *vram = c->vgpu->vram + m->r->vram;

		box_copy(vram, &m->place, m->r->memory, &m->place);
		if (m->kind == MOVE_QUERY)
			memcpy(vram, &waits, sizeof(waits));
		c->copied += (size_t)m->place.row * m->place.rows *
			     m->place.layers;
	}
}

static uint32_t count_backs(const struct moves *moves)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < moves->count; i++)
		count += moves->m[i].kind != MOVE_TO_HOST;
	return count;
}

int command_submit(struct client *c, const uint8_t *body, uint32_t length)
{
	static const struct rewrite_hooks hooks = { name_of, heed };
	struct pvgpu_virgl_submit q = { 0 };
	uint32_t size = length * 4, bad_at;
	uint64_t from = 0, fence, done;
	int ret;

	if (!length)
		return 0;
	ret = command_begin(c);
	if (!ret)
		ret = arena_place(c, size, &from);
	if (ret)
		return ret;
	c->moves.count = 0;
	ret = rewrite((uint32_t *)(void *)(c->vgpu->vram + c->arena_vram +
					   from),
		      (const uint32_t *)(const void *)body, length, &hooks, c,
		      &bad_at);
	if (ret == -EINVAL)
		return client_bad(c, "its stream makes no sense at byte %u",
				  bad_at * 4);
	if (!ret && *c->why)
		ret = -EPROTO;
	if (!ret)
		ret = command_backs_room(c, count_backs(&c->moves));
	if (ret)
		return ret;
	copy_forth(c);
	q.context = pvgpu_cpu_to_le32(c->context);
	q.resource = pvgpu_cpu_to_le32(c->arena);
	q.offset = pvgpu_cpu_to_le64(from);
	q.size = pvgpu_cpu_to_le32(size);
	done = client_done(c);
	ret = command_send_batch(c, PVGPU_OP_VIRGL_SUBMIT, &q, sizeof(q), &fence);
	if (ret)
		return ret;
	c->batches[c->batch_count].fence = fence;
	c->batches[c->batch_count].from = from;
	c->batches[c->batch_count++].to = c->arena_head = from + size;
	for (uint32_t i = 0; i < c->moves.count && !ret; i++) {
		struct move *m = &c->moves.m[i];

		m->fence = fence;
		resource_use(m->r, done, fence, m->place.offset,
			     box_end(&m->place));
		if (m->kind != MOVE_TO_HOST)
			ret = command_add_move(c, &c->backs, m);
	}
	return ret;
}
