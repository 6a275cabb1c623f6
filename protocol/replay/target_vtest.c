// SPDX-License-Identifier: MIT
/*
 * Playing against a server that speaks vtest, version 2: virgl_test_server, to
 * have something to compare a vGPU with, or pvgpu-vtest; see target.h. The
 * server is asked only when somebody waits, and then for all that was
 * submitted: it would decode nothing while it waits.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "protocol/replay/target.h"
#include "protocol/replay/vtest.h"

#define AREA_BYTES (32u << 20)
#define NAME "pvgpu-replay"

struct vtest {
	struct target target;
	int socket;
	uint32_t highest;
	struct {
		uint8_t *memory;	/* NULL: none */
		size_t size;
	} *behind;			/* resources, by name */
	uint8_t *area;
	uint64_t done;			/* submission */
};

static struct vtest *vtest(struct target *t)
{
	return (struct vtest *)t;
}

static int failed(struct vtest *v, const char *what)
{
	snprintf(v->target.why, sizeof(v->target.why), "%s: %s", what,
		 errno ? strerror(errno) : "the server has gone");
	return -1;
}

static int send_all(struct vtest *v, struct iovec *parts, size_t count)
{
	struct msghdr message = { .msg_iov = parts, .msg_iovlen = count };

	while (message.msg_iovlen) {
		ssize_t n = sendmsg(v->socket, &message, MSG_NOSIGNAL);

		if (n < 0)
			return failed(v, "sending");
		while (message.msg_iovlen &&
		       (size_t)n >= message.msg_iov->iov_len) {
			n -= (ssize_t)message.msg_iov->iov_len;
			message.msg_iov++;
			message.msg_iovlen--;
		}
		if (message.msg_iovlen) {
			message.msg_iov->iov_base =
				(char *)message.msg_iov->iov_base + n;
			message.msg_iov->iov_len -= (size_t)n;
		}
	}
	return 0;
}

/* `length` is what the header says: words, or the bytes of a name. */
static int say(struct vtest *v, uint32_t command, uint32_t length,
	       const void *body, size_t bytes)
{
	uint32_t head[] = { length, command };
	struct iovec parts[] = {
		{ head, sizeof(head) }, { (void *)body, bytes },
	};

	return send_all(v, parts, 2);
}

static int say_words(struct vtest *v, uint32_t command,
		     const uint32_t *words, uint32_t count)
{
	return say(v, command, count, words, count * sizeof(*words));
}

/* The one word that is answered. */
static int answer(struct vtest *v, uint32_t command, uint32_t *ret)
{
	uint32_t words[3];
	ssize_t n;

	errno = 0;
	n = recv(v->socket, words, sizeof(words), MSG_WAITALL);
	if (n != sizeof(words))
		return failed(v, "waiting for an answer");
	if (words[0] != 1 || words[1] != command) {
		snprintf(v->target.why, sizeof(v->target.why),
			 "an answer to %u, not to %u", words[1], command);
		return -1;
	}
	*ret = words[2];
	return 0;
}

static int take_memory(struct vtest *v, uint32_t name, size_t size)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	char byte[4];
	struct iovec part = { byte, sizeof(byte) };
	struct msghdr message = {
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *c;
	void *memory;
	int fd;

	errno = 0;
	if (recvmsg(v->socket, &message, MSG_CMSG_CLOEXEC) <= 0)
		return failed(v, "waiting for memory");
	c = CMSG_FIRSTHDR(&message);
	if (!c || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
		return failed(v, "memory");
	memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (memory == MAP_FAILED)
		return failed(v, "mapping memory");
	v->behind[name].memory = memory;
	v->behind[name].size = size;
	return 0;
}

static int vtest_create(struct target *t, uint32_t name,
			const struct recording_resource *m,
			uint8_t **ret_memory)
{
	struct vtest *v = vtest(t);
	const uint32_t words[] = {
		name, m->target, m->format, m->bind, m->width, m->height,
		m->depth, m->layers, m->levels - 1,
		m->samples > 1 ? m->samples : 0, m->size,
	};

	if (say_words(v, VTEST_CREATE2, words, 11) ||
	    (m->size && take_memory(v, name, m->size)))
		return -1;
	*ret_memory = v->behind[name].memory;
	return 0;
}

static int vtest_destroy(struct target *t, uint32_t name)
{
	struct vtest *v = vtest(t);

	if (v->behind[name].memory)
		munmap(v->behind[name].memory, v->behind[name].size);
	v->behind[name].memory = NULL;
	return say_words(v, VTEST_UNREF, &name, 1);
}

static int vtest_transfer(struct target *t, uint32_t name,
			  const struct recording_transfer *how, bool from)
{
	const uint32_t words[] = {
		name, how->level, how->x, how->y, how->z, how->width,
		how->height, how->depth,
		(uint32_t)vtest(t)->behind[name].size, how->offset,
	};

	t->submitted++;
	return say_words(vtest(t), from ? VTEST_GET2 : VTEST_PUT2, words, 10);
}

static int vtest_submit(struct target *t, const struct target_stream *s)
{
	struct vtest *v = vtest(t);

	t->submitted++;
	return say(v, VTEST_SUBMIT, s->size / 4, v->area + s->offset, s->size);
}

static int vtest_put(struct target *t, uint64_t at, const uint8_t *bytes,
		     uint32_t length)
{
	if (at > AREA_BYTES || length > AREA_BYTES - at) {
		snprintf(t->why, sizeof(t->why), "streams of more than %u "
			 "bytes", AREA_BYTES);
		return -1;
	}
	memcpy(vtest(t)->area + at, bytes, length);
	return 0;
}

static int vtest_wait(struct target *t, uint64_t number, uint32_t timeout_ms,
		      uint64_t *ret_done)
{
	static const uint32_t words[] = { 0, 1 };	/* of all; to its end */
	struct vtest *v = vtest(t);
	uint32_t busy;

	(void)timeout_ms;		/* it does not say anything before */
	if (v->done < number) {
		uint64_t submitted = t->submitted;

		if (say_words(v, VTEST_BUSY_WAIT, words, 2) ||
		    answer(v, VTEST_BUSY_WAIT, &busy))
			return -1;
		v->done = submitted;
	}
	*ret_done = v->done;
	return 0;
}

/* Nobody accounts there. */
static int vtest_busy(struct target *t, uint64_t *ret_busy)
{
	(void)t;
	*ret_busy = 0;
	return 0;
}

static void vtest_close(struct target *t)
{
	struct vtest *v = vtest(t);

	for (uint32_t i = 0; v->behind && i <= v->highest; i++)
		if (v->behind[i].memory)
			munmap(v->behind[i].memory, v->behind[i].size);
	if (v->socket >= 0)
		close(v->socket);
	free(v->behind);
	free(v->area);
	free(v);
}

static const struct target_ops vtest_ops = {
	.create = vtest_create,
	.destroy = vtest_destroy,
	.transfer = vtest_transfer,
	.submit = vtest_submit,
	.put = vtest_put,
	.wait = vtest_wait,
	.busy = vtest_busy,
	.close = vtest_close,
};

static int greet(struct vtest *v)
{
	static const uint32_t two = 2;
	uint32_t version;

	if (say(v, VTEST_CREATE_RENDERER, sizeof(NAME), NAME, sizeof(NAME)) ||
	    say_words(v, VTEST_PROTOCOL_VERSION, &two, 1) ||
	    answer(v, VTEST_PROTOCOL_VERSION, &version))
		return -1;
	if (version == 2)
		return 0;
	snprintf(v->target.why, sizeof(v->target.why),
		 "it speaks vtest %u, not 2", version);
	return -1;
}

int target_vtest(struct target **ret, const char *path,
		 const struct recording *r)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct vtest *v = calloc(1, sizeof(*v));

	*ret = NULL;
	if (!v)
		return -1;
	*ret = &v->target;
	v->target.ops = &vtest_ops;
	v->target.stream_max = 4 * RECORDING_BATCH_MAX;
	v->highest = r->highest;
	v->socket = -1;
	v->behind = calloc(r->highest + 1, sizeof(*v->behind));
	v->area = malloc(AREA_BYTES);
	errno = ENAMETOOLONG;
	if (!v->behind || !v->area || strlen(path) >= sizeof(address.sun_path))
		return failed(v, path);
	strcpy(address.sun_path, path);
	v->socket = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (v->socket < 0 ||
	    connect(v->socket, (void *)&address, sizeof(address)) < 0)
		return failed(v, "connecting");
	return greet(v);
}
