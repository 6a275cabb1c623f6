// SPDX-License-Identifier: MIT
/* The commands of vtest, one function each; see client.h. */
#include <string.h>

#include "client.h"
#include "common/log.h"
#include "rewrite.h"
#include "worker/virgl_wire.h"

/* -------------------------------------------------------------- the client */

static struct resource *find(const struct client *c, uint32_t handle)
{
	return (struct resource *)names_get(&c->handles, handle);
}

/* What the vGPU answered: a status, or -errno. */
static int refused(struct client *c, const char *what, int status)
{
	if (status > 0)
		return client_bad(c, "%s: the vGPU refuses with status %d",
				  what, status);
	return client_bad(c, "%s: %s", what, strerror(-status));
}

static int make_arena(struct client *c)
{
	struct vgpu *v = c->vgpu;
	struct pvgpu_resource_create create = {
		.kind = pvgpu_cpu_to_le32(PVGPU_RESOURCE_LINEAR),
		.size = pvgpu_cpu_to_le64(CLIENT_ARENA),
	};
	struct {
		struct pvgpu_resource_back back;
		struct pvgpu_extent extent;
	} backing = {
		.back.count = pvgpu_cpu_to_le32(1),
		.extent.length = pvgpu_cpu_to_le64(CLIENT_ARENA),
	};
	struct resource *r = calloc(1, sizeof(*r));
	int ret, fresh;

	if (!r)
		return -ENOMEM;
	ret = space_take(&v->space, CLIENT_ARENA, &r->vram, &fresh);
	if (ret) {
		free(r);
		return PVGPU_STATUS_LIMIT_WINDOW;
	}
	r->size = CLIENT_ARENA;
	r->name = vgpu_name(v);
	ret = names_set(&v->resources, r->name, (uintptr_t)r);
	if (ret) {
		resource_free(v, r);
		return ret;
	}
	r->made = true;
	c->arena = r->name;
	c->arena_vram = r->vram;
	create.resource = backing.back.resource = pvgpu_cpu_to_le32(r->name);
	backing.extent.offset = pvgpu_cpu_to_le64(r->vram);
	ret = vgpu_ask(v, PVGPU_OP_RESOURCE_CREATE, &create, sizeof(create));
	if (!ret)
		ret = vgpu_ask(v, PVGPU_OP_RESOURCE_BACK, &backing,
			       sizeof(backing));
	return ret ? ret : vgpu_settle(v);
}

/* What it needs of the vGPU before it can have anything else. */
static int begin(struct client *c)
{
	struct vgpu *v = c->vgpu;
	struct pvgpu_context_create q = {
		.capset = pvgpu_cpu_to_le32(PVGPU_CAPSET_VIRGL2),
	};
	int ret;

	if (c->context)
		return 0;
	ret = vgpu_channel_join(v, &c->channel);
	if (!ret)
		ret = make_arena(c);
	if (ret)
		return refused(c, "its channel", ret);
	if (!++v->last_context)
		v->last_context = 1;
	q.context = pvgpu_cpu_to_le32(v->last_context);
	memcpy(q.label, c->label, sizeof(q.label));
	ret = vgpu_ask(v, PVGPU_OP_CONTEXT_CREATE, &q, sizeof(q));
	if (!ret)
		ret = vgpu_settle(v);
	if (ret)
		return refused(c, "its context", ret);
	c->context = v->last_context;
	/* What others had under way in the channel is not waited for. */
	c->last = 0;
	return 0;
}

/* ---------------------------------------------------------------- greeting */

static int create_renderer(struct client *c, const uint8_t *body,
			   uint32_t length)
{
	char name[40], label[sizeof(c->label)];

	if (c->greeted)
		return client_bad(c, "it asks for a second renderer");
	c->greeted = true;
	log_printable(name, sizeof(name), body, length);
	snprintf(label, sizeof(label), "%.20s (%.36s)", c->label, name);
	memcpy(c->label, label, sizeof(label));
	return 0;
}

static int answer(struct client *c, enum vtest_command command,
		  const uint32_t *words, uint32_t count)
{
	uint32_t bytes[4] = { count, command };

	if (count)
		memcpy(bytes + 2, words, count * 4);
	return client_send(c, bytes, 8 + count * 4, -1);
}

static int ping_version(struct client *c, const uint8_t *body, uint32_t length)
{
	(void)body, (void)length;
	return answer(c, VTEST_PING_VERSION, NULL, 0);
}

static int protocol_version(struct client *c, const uint8_t *body,
			    uint32_t length)
{
	(void)length;
	memcpy(&c->version, body, 4);
	if (c->version > VTEST_VERSION)
		c->version = VTEST_VERSION;
	if (c->version == 1)		/* nobody speaks it any more */
		c->version = 0;
	return answer(c, VTEST_PROTOCOL_VERSION, &c->version, 1);
}

static int send_caps(struct client *c, uint32_t capset)
{
	const struct vgpu_capset *caps;
	uint32_t header[2];
	int ret = vgpu_capset(c->vgpu, capset, &caps);

	if (ret)
		return refused(c, "its capabilities", ret);
	header[0] = caps->size + 1;	/* bytes, here */
	header[1] = capset;
	ret = client_send(c, header, sizeof(header), -1);
	return ret ? ret : client_send(c, caps->bytes, caps->size, -1);
}

static int get_caps(struct client *c, const uint8_t *body, uint32_t length)
{
	(void)body, (void)length;
	return send_caps(c, PVGPU_CAPSET_VIRGL);
}

static int get_caps2(struct client *c, const uint8_t *body, uint32_t length)
{
	(void)body, (void)length;
	return send_caps(c, PVGPU_CAPSET_VIRGL2);
}

/* --------------------------------------------------------------- resources */

static void link_resource(struct client *c, struct resource *r)
{
	r->born = c->last;
	r->next = c->resources;
	if (r->next)
		r->next->prev = r;
	c->resources = r;
}

static void unlink_resource(struct client *c, struct resource *r)
{
	if (r->prev)
		r->prev->next = r->next;
	else
		c->resources = r->next;
	if (r->next)
		r->next->prev = r->prev;
}

static int create(struct client *c, const struct vtest_create *q, bool share)
{
	static struct log_limit limit = { .burst = 10, .seconds = 10 };
	cleanup_fd int fd = -1;
	struct resource *r;
	int ret;

	if (!q->handle || q->handle == REWRITE_NOBODY ||
	    names_get(&c->handles, q->handle))
		return client_bad(c, "resource %u: 0, ~0 or in use",
				  q->handle);
	ret = begin(c);
	if (ret)
		return ret;
	ret = resource_new(c->vgpu, q, share, c->context, &r, &fd);
	if (ret == -ECONNRESET || (ret && (!share || !q->size)))
		return refused(c, "its resource", ret);
	if (ret) {
		/* A byte without a descriptor: GL has no memory. */
		if (log_allowed(&limit))
			log_info("%s: a resource of %ux%u, %u bytes: refused "
				 "with status %d", c->label, q->width,
				 q->height, q->size, ret);
		return client_send(c, "", 1, -1);
	}
	link_resource(c, r);
	if (names_set(&c->handles, r->handle, (uintptr_t)r))
		return client_bad(c, "there is no memory for its resource");
	return fd >= 0 ? client_send(c, "", 1, take_fd(&fd)) : 0;
}

static int resource_create(struct client *c, const uint8_t *body,
			   uint32_t length)
{
	struct vtest_create q = { 0 };

	(void)length;
	memcpy(&q, body, VTEST_CREATE_WORDS * 4);
	return create(c, &q, false);
}

static int resource_create2(struct client *c, const uint8_t *body,
			    uint32_t length)
{
	struct vtest_create q;

	(void)length;
	memcpy(&q, body, sizeof(q));
	return create(c, &q, true);
}

static int resource_unref(struct client *c, const uint8_t *body,
			  uint32_t length)
{
	uint32_t handle, kept = 0;
	struct resource *r;

	(void)length;
	memcpy(&handle, body, 4);
	r = find(c, handle);
	if (!r)
		return 0;
	for (uint32_t i = 0; i < c->backs.count; i++)
		if (c->backs.m[i].r != r)
			c->backs.m[kept++] = c->backs.m[i];
	c->backs.count = kept;
	names_remove(&c->handles, handle);
	unlink_resource(c, r);
	resource_drop(c->vgpu, r);
	return 0;
}

/* --------------------------------------------------------------- transfers */

static int add_move(struct client *c, struct moves *moves,
		    const struct move *move)
{
	if (moves->count == moves->room) {
		uint32_t room = moves->room * 2 + 16;
		struct move *more = realloc(moves->m, room * sizeof(*more));

		if (!more)
			return client_bad(c, "there is no memory for its "
					  "transfers");
		moves->m = more;
		moves->room = room;
	}
	moves->m[moves->count++] = *move;
	return 0;
}

/* Room for `count` copies after what is sent next. */
static int backs_room(struct client *c, uint32_t count)
{
	if (c->backs.count + count > CLIENT_BACKS_MAX)
		client_copy_back(c);
	if (c->backs.count + count <= CLIENT_BACKS_MAX)
		return 0;
	if (!c->backs.count)
		return client_bad(c, "it reads back in %u places at once; %u "
				  "are allowed", count, CLIENT_BACKS_MAX);
	return client_park(c, c->last);
}

static int send_batch(struct client *c, uint16_t opcode, void *batch,
		      uint32_t length, uint64_t *ret_fence)
{
	int ret = vgpu_submit(c->vgpu, c->channel, opcode, c->context, batch,
			      length, ret_fence);

	if (ret == -EAGAIN)		/* the ring is full */
		return client_park(c, client_done(c) + 1);
	if (ret)
		return refused(c, "its batch", ret);
	c->last = *ret_fence;
	return 0;
}

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
	int ret = send_batch(c, to_host ? PVGPU_OP_VIRGL_TRANSFER_TO :
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
	struct resource *r = find(c, handle);
	int status;

	if (!r || !r->size || (memory && !r->memory))
		return client_bad(c, "it transfers resource %u, which is not "
				  "there or has no memory", handle);
	status = resource_make(c->vgpu, r, c->context);
	if (status)
		return refused(c, "its resource", status);
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
	ret = to_host ? 0 : backs_room(c, 1);
	if (!ret)
		ret = send_transfer(c, move.r, to_host, q.level, q.box,
				    &move.place, &move.fence);
	c->copied += (size_t)move.place.row * move.place.rows *
		     move.place.layers;
	return ret || to_host ? ret : add_move(c, &c->backs, &move);
}

static int transfer_put2(struct client *c, const uint8_t *body,
			 uint32_t length)
{
	(void)length;
	return transfer2(c, body, true);
}

static int transfer_get2(struct client *c, const uint8_t *body,
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

static int transfer_put(struct client *c, const uint8_t *body, uint32_t length)
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

static int transfer_get(struct client *c, const uint8_t *body, uint32_t length)
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

/* ----------------------------------------------------------------- streams */

static uint32_t name_of(void *context, uint32_t handle)
{
	struct client *c = context;
	struct resource *r = find(c, handle);
	int status = r ? resource_make(c->vgpu, r, c->context) : 0;

	if (status && !*c->why)
		refused(c, "a resource of its stream", status);
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
	return add_move(c, &c->moves, m);
}

static int heed_transfer(struct client *c, const uint32_t *words, bool copy)
{
	struct resource *r = find(c, words[REWRITE_RESOURCE]), *at = r;
	uint32_t offset = words[REWRITE_OFFSET];
	bool to_host = words[REWRITE_DIRECTION] == REWRITE_TO_HOST;
	struct move m;

	if (copy) {
		at = find(c, words[REWRITE_COPY_MEMORY]);
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
		return heed_report(c, find(c, (uint32_t)names_get(&c->queries,
						words[REWRITE_QUERY])),
				   VTEST_QUERY_BYTES, MOVE_QUERY);
	case VIRGL_GET_MEMORY_INFO:
		return heed_report(c, find(c, words[1]),
				   VTEST_MEMORY_INFO_BYTES, MOVE_FROM_HOST);
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

static int submit(struct client *c, const uint8_t *body, uint32_t length)
{
	static const struct rewrite_hooks hooks = { name_of, heed };
	struct pvgpu_virgl_submit q = { 0 };
	uint32_t size = length * 4, bad_at;
	uint64_t from = 0, fence, done;
	int ret;

	if (!length)
		return 0;
	ret = begin(c);
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
		ret = backs_room(c, count_backs(&c->moves));
	if (ret)
		return ret;
	copy_forth(c);
	q.context = pvgpu_cpu_to_le32(c->context);
	q.resource = pvgpu_cpu_to_le32(c->arena);
	q.offset = pvgpu_cpu_to_le64(from);
	q.size = pvgpu_cpu_to_le32(size);
	done = client_done(c);
	ret = send_batch(c, PVGPU_OP_VIRGL_SUBMIT, &q, sizeof(q), &fence);
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
			ret = add_move(c, &c->backs, m);
	}
	return ret;
}

/* ----------------------------------------------------------------- waiting */

static int busy_wait(struct client *c, const uint8_t *body, uint32_t length)
{
	struct vtest_busy_wait q;
	struct resource *r;
	uint32_t busy;
	uint64_t fence;

	(void)length;
	memcpy(&q, body, sizeof(q));
	r = find(c, q.handle);
	/* What was never named is a fence: it waits for what was before it. */
	fence = r && !r->made ? r->born : c->last;
	busy = client_done(c) < fence;
	if (busy && q.flags & VTEST_BUSY_WAIT_WAIT)
		return client_park(c, fence);
	if (!busy) {
		/* Who sees the fence may see what failed before it. */
		vgpu_take(c->vgpu);
		if (*c->why)
			return -EPROTO;
		client_copy_back(c);
	}
	return answer(c, VTEST_BUSY_WAIT, &busy, 1);
}

/* --------------------------------------------------------------- the table */

static const struct {
	uint32_t words;			/* of the body; ~0: by its length */
	uint32_t version;		/* that has it */
	int (*run)(struct client *c, const uint8_t *body, uint32_t length);
} commands[VTEST_COMMANDS] = {
	[VTEST_GET_CAPS] = { 0, 0, get_caps },
	[VTEST_RESOURCE_CREATE] = { VTEST_CREATE_WORDS, 0, resource_create },
	[VTEST_RESOURCE_UNREF] = { 1, 0, resource_unref },
	[VTEST_TRANSFER_GET] = { VTEST_TRANSFER_WORDS, 0, transfer_get },
	[VTEST_TRANSFER_PUT] = { VTEST_TRANSFER_WORDS, 0, transfer_put },
	[VTEST_SUBMIT] = { ~0u, 0, submit },
	[VTEST_BUSY_WAIT] = { VTEST_BUSY_WAIT_WORDS, 0, busy_wait },
	[VTEST_CREATE_RENDERER] = { ~0u, 0, create_renderer },
	[VTEST_GET_CAPS2] = { 0, 0, get_caps2 },
	[VTEST_PING_VERSION] = { 0, 0, ping_version },
	[VTEST_PROTOCOL_VERSION] = { 1, 0, protocol_version },
	[VTEST_RESOURCE_CREATE2] = { VTEST_CREATE2_WORDS, 2,
				     resource_create2 },
	[VTEST_TRANSFER_GET2] = { VTEST_TRANSFER2_WORDS, 2, transfer_get2 },
	[VTEST_TRANSFER_PUT2] = { VTEST_TRANSFER2_WORDS, 2, transfer_put2 },
};

#define NAME_MAX_BYTES 4096u

static size_t bad_size(struct client *c, const struct vtest_header *h)
{
	client_bad(c, "command %u of length %u is none", h->command, h->length);
	return 0;
}

size_t command_size(struct client *c, const uint8_t *bytes, size_t have)
{
	struct vtest_transfer put;
	struct vtest_header h;
	uint32_t words;

	if (have < sizeof(h))
		return sizeof(h);
	memcpy(&h, bytes, sizeof(h));
	if (h.command >= VTEST_COMMANDS || !commands[h.command].run ||
	    c->version < commands[h.command].version ||
	    c->greeted == (h.command == VTEST_CREATE_RENDERER))
		return bad_size(c, &h);
	words = commands[h.command].words;
	switch (h.command) {
	case VTEST_CREATE_RENDERER:
		return h.length <= NAME_MAX_BYTES ? sizeof(h) + h.length :
						    bad_size(c, &h);
	case VTEST_SUBMIT:
		return h.length <= CLIENT_STREAM_MAX / 4 ?
		       sizeof(h) + h.length * 4 : bad_size(c, &h);
	case VTEST_TRANSFER_PUT2:	/* counts what never comes */
		return h.length >= words ? sizeof(h) + words * 4 :
					   bad_size(c, &h);
	case VTEST_TRANSFER_PUT:
		if (h.length < words)
			return bad_size(c, &h);
		if (have < sizeof(h) + sizeof(put))
			return sizeof(h) + sizeof(put);
		memcpy(&put, bytes + sizeof(h), sizeof(put));
		if (put.size > CLIENT_INLINE_MAX)
			return bad_size(c, &h);
		return sizeof(h) + sizeof(put) + put.size;
	default:
		return h.length == words ? sizeof(h) + words * 4 :
					   bad_size(c, &h);
	}
}

int command_run(struct client *c, const uint8_t *bytes)
{
	struct vtest_header h;

	memcpy(&h, bytes, sizeof(h));
	return commands[h.command].run(c, bytes + sizeof(h), h.length);
}
