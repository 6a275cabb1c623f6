// SPDX-License-Identifier: MIT
/* A connection; see client.h. */
#include "client.h"

#include <poll.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>

#define IN_SIZE		65536u
#define TURN_COMMANDS	64u
#define TURN_BYTES	(4u << 20)	/* copied */

int client_bad(struct client *c, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	vsnprintf(c->why, sizeof(c->why), format, list);
	va_end(list);
	return -EPROTO;
}

int client_park(struct client *c, uint64_t fence)
{
	c->await = fence;
	return -EAGAIN;
}

uint64_t client_done(const struct client *c)
{
	return c->channel ? pvgpu_client_fence(&c->vgpu->client, c->channel,
					       NULL) : 0;
}

struct client *client_new(struct vgpu *vgpu, int fd)
{
	struct client *c = calloc(1, sizeof(*c));
	struct ucred who;
	socklen_t length = sizeof(who);

	if (!c)
		return NULL;
	c->in = malloc(IN_SIZE);
	if (!c->in) {
		free(c);
		return NULL;
	}
	c->in_size = IN_SIZE;
	c->vgpu = vgpu;
	c->fd = fd;
	c->out_fd = -1;
	if (!getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &length))
		snprintf(c->label, sizeof(c->label), "process %d", who.pid);
	return c;
}

void client_free(struct client *c)
{
	struct vgpu *v = c->vgpu;

	while (c->resources) {
		struct resource *r = c->resources;

		c->resources = r->next;
		resource_drop(v, r);
	}
	if (c->context && vgpu_attached(v)) {
		struct pvgpu_context_destroy q = {
			.context = pvgpu_cpu_to_le32(c->context),
		};

		vgpu_ask(v, PVGPU_OP_CONTEXT_DESTROY, &q, sizeof(q));
		vgpu_settle(v);
	}
	if (c->arena)
		resource_drop(v, (struct resource *)names_get(&v->resources,
							      c->arena));
	if (c->channel)
		vgpu_channel_leave(v, c->channel);
	names_free(&c->handles);
	names_free(&c->queries);
	close_fd(c->fd);
	close_fd(c->out_fd);
	free(c->in);
	free(c->out);
	free(c->moves.m);
	free(c->backs.m);
	free(c);
}

short client_events(const struct client *c)
{
	return c->out_have > c->out_at ? POLLOUT : c->await ? 0 : POLLIN;
}

/* ---------------------------------------------------------------- sending */

static int flush(struct client *c)
{
	while (c->out_at < c->out_have) {
		struct iovec iov = { c->out + c->out_at,
				     c->out_have - c->out_at };
		union {
			char bytes[CMSG_SPACE(sizeof(int))];
			struct cmsghdr align;
		} control = { 0 };
		struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
		ssize_t n;

		if (c->out_fd >= 0) {
			struct cmsghdr *head = &control.align;

			msg.msg_control = &control;
			msg.msg_controllen = sizeof(control);
			head->cmsg_level = SOL_SOCKET;
			head->cmsg_type = SCM_RIGHTS;
			head->cmsg_len = CMSG_LEN(sizeof(int));
			memcpy(CMSG_DATA(head), &c->out_fd, sizeof(int));
		}
		n = sendmsg(c->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? -EAGAIN :
			       client_bad(c, "it reads no more: %s",
					  strerror(errno));
		c->out_fd = close_fd(c->out_fd);
		c->out_at += (size_t)n;
	}
	free(take_ptr(c->out));
	c->out_at = c->out_have = 0;
	return 0;
}

/* Nothing is heeded while something waits to be sent: so this is bounded by
 * what one command answers. */
int client_send(struct client *c, const void *bytes, size_t size, int fd)
{
	uint8_t *more = realloc(c->out, c->out_have + size);
	int ret;

	if (!more) {
		close_fd(fd);
		return client_bad(c, "there is no memory for an answer");
	}
	memcpy(more + c->out_have, bytes, size);
	c->out = more;
	c->out_have += size;
	if (fd >= 0)
		c->out_fd = fd;
	ret = flush(c);
	return ret == -EAGAIN ? 0 : ret;
}

/* -------------------------------------------------------------- receiving */

/* Moves what is there to the beginning of the buffer. */
static void realign(struct client *c)
{
	c->in_have -= c->in_at;
	memmove(c->in, c->in + c->in_at, c->in_have);
	c->in_at = 0;
}

/* Room for a command of `need` bytes; what a larger one took is given back. */
static int make_room(struct client *c, size_t need)
{
	size_t size = need < IN_SIZE ? IN_SIZE : need;
	uint8_t *other;

	realign(c);
	if (size == c->in_size || (size < c->in_size && c->in_have > size))
		return 0;
	other = realloc(c->in, size);
	if (!other)
		return client_bad(c, "there is no memory for a command of %zu "
				  "bytes", need);
	c->in = other;
	c->in_size = size;
	return 0;
}

/* 1: more came; 0: nothing now. */
static int receive(struct client *c)
{
	ssize_t n;

	do
		n = recv(c->fd, c->in + c->in_have, c->in_size - c->in_have,
			 MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (!n)
		return client_bad(c, "%s", c->in_have > c->in_at ?
				  "it ended in the middle of a command" : "");
	if (n < 0)
		return errno == EAGAIN ? 0 :
		       client_bad(c, "%s", strerror(errno));
	c->in_have += (size_t)n;
	return 1;
}

/* 1: it was heeded; 0: it is not there wholly, or waits. */
static int next_command(struct client *c)
{
	const uint8_t *bytes = c->in + c->in_at;
	size_t have = c->in_have - c->in_at, need;
	int ret;

	need = command_size(c, bytes, have);
	if (!need)
		return -EPROTO;
	if (need > have) {
		ret = make_room(c, need);
		return ret ? ret : receive(c);
	}
	ret = command_run(c, bytes);
	if (ret)
		return ret == -EAGAIN ? 0 : ret;
	c->in_at += need;
	if (c->in_at % 4)		/* words are read where they lie */
		realign(c);
	return 1;
}

bool client_run(struct client *c)
{
	uint32_t turns = TURN_COMMANDS;
	int ret;

	c->more = false;
	c->copied = 0;
	if (*c->why)
		return false;
	ret = flush(c);
	if (ret)
		return ret == -EAGAIN;
	if (c->await && client_done(c) < c->await)
		return true;
	do {
		c->await = 0;
		ret = next_command(c);
	} while (ret > 0 && !c->out_have && --turns &&
		 c->copied < TURN_BYTES);
	c->more = ret > 0 && !c->out_have;
	return ret >= 0;
}

void client_copy_back(struct client *c)
{
	uint64_t done = client_done(c);
	uint32_t kept = 0;

	for (uint32_t i = 0; i < c->backs.count; i++) {
		const struct move *m = &c->backs.m[i];

		if (m->fence > done)
			c->backs.m[kept++] = *m;
		else
			box_copy(m->r->memory, &m->place,
				 c->vgpu->vram + m->r->vram, &m->place);
	}
	c->backs.count = kept;
}
