// SPDX-License-Identifier: MIT
/* The commands of vtest, but for transfers and streams; see commands.h. */
#include "commands.h"

#include <string.h>

#include "common/log.h"
#include "rewrite.h"

/* -------------------------------------------------------------- the client */

struct resource *command_find(const struct client *c, uint32_t handle)
{
	return (struct resource *)names_get(&c->handles, handle);
}

/* What the vGPU answered: a status, or -errno. */
int command_refused(struct client *c, const char *what, int status)
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
int command_begin(struct client *c)
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
		return command_refused(c, "its channel", ret);
	if (!++v->last_context)
		v->last_context = 1;
	q.context = pvgpu_cpu_to_le32(v->last_context);
	memcpy(q.label, c->label, sizeof(q.label));
	ret = vgpu_ask(v, PVGPU_OP_CONTEXT_CREATE, &q, sizeof(q));
	if (!ret)
		ret = vgpu_settle(v);
	if (ret)
		return command_refused(c, "its context", ret);
	c->context = v->last_context;
	/* What others had under way in the channel is not waited for. */
	c->last = 0;
	return 0;
}

int command_add_move(struct client *c, struct moves *moves,
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
int command_backs_room(struct client *c, uint32_t count)
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

int command_send_batch(struct client *c, uint16_t opcode, void *batch,
		       uint32_t length, uint64_t *ret_fence)
{
	int ret = vgpu_submit(c->vgpu, c->channel, opcode, c->context, batch,
			      length, ret_fence);

	if (ret == -EAGAIN)		/* the ring is full */
		return client_park(c, client_done(c) + 1);
	if (ret)
		return command_refused(c, "its batch", ret);
	c->last = *ret_fence;
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
		return command_refused(c, "its capabilities", ret);
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
	ret = command_begin(c);
	if (ret)
		return ret;
	ret = resource_new(c->vgpu, q, share, c->context, &r, &fd);
	if (ret == -ECONNRESET || (ret && (!share || !q->size)))
		return command_refused(c, "its resource", ret);
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
	r = command_find(c, handle);
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

/* ----------------------------------------------------------------- waiting */

static int busy_wait(struct client *c, const uint8_t *body, uint32_t length)
{
	struct vtest_busy_wait q;
	struct resource *r;
	uint32_t busy;
	uint64_t fence;

	(void)length;
	memcpy(&q, body, sizeof(q));
	r = command_find(c, q.handle);
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
	[VTEST_TRANSFER_GET] = { VTEST_TRANSFER_WORDS, 0, command_transfer_get },
	[VTEST_TRANSFER_PUT] = { VTEST_TRANSFER_WORDS, 0, command_transfer_put },
	[VTEST_SUBMIT] = { ~0u, 0, command_submit },
	[VTEST_BUSY_WAIT] = { VTEST_BUSY_WAIT_WORDS, 0, busy_wait },
	[VTEST_CREATE_RENDERER] = { ~0u, 0, create_renderer },
	[VTEST_GET_CAPS2] = { 0, 0, get_caps2 },
	[VTEST_PING_VERSION] = { 0, 0, ping_version },
	[VTEST_PROTOCOL_VERSION] = { 1, 0, protocol_version },
	[VTEST_RESOURCE_CREATE2] = { VTEST_CREATE2_WORDS, 2,
				     resource_create2 },
	[VTEST_TRANSFER_GET2] = { VTEST_TRANSFER2_WORDS, 2, command_transfer_get2 },
	[VTEST_TRANSFER_PUT2] = { VTEST_TRANSFER2_WORDS, 2, command_transfer_put2 },
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
