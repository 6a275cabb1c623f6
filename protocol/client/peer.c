// SPDX-License-Identifier: MIT
/* The other end of a vGPU's ivshmem socket; see peer.h. */
#include "peer.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define HANDSHAKE_MS 10000

uint64_t peer_now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* One 8-byte word and at most one descriptor, -1 for none. */
static int receive_word(int socket, int64_t *ret_value, int *ret_fd)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	uint8_t bytes[8];
	size_t have = 0;
	uint64_t value = 0;

	*ret_fd = -1;
	while (have < sizeof(bytes)) {
		struct iovec part = { bytes + have, sizeof(bytes) - have };
		struct msghdr message = {
			.msg_iov = &part, .msg_iovlen = 1,
			.msg_control = &control,
			.msg_controllen = sizeof(control),
		};
		struct pollfd wait = { .fd = socket, .events = POLLIN };
		struct cmsghdr *c;
		ssize_t n;

		if (poll(&wait, 1, HANDSHAKE_MS) != 1)
			return -ETIMEDOUT;
		n = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
		if (n <= 0)
			return n ? -errno : -ECONNRESET;
		have += (size_t)n;
		c = CMSG_FIRSTHDR(&message);
		if (c && c->cmsg_level == SOL_SOCKET &&
		    c->cmsg_type == SCM_RIGHTS)
			memcpy(ret_fd, CMSG_DATA(c), sizeof(*ret_fd));
		if (message.msg_flags & MSG_CTRUNC)
			return -EPROTO;
	}
	for (int i = 7; i >= 0; i--)
		value = value << 8 | bytes[i];
	*ret_value = (int64_t)value;
	return 0;
}

static int map_window(struct peer *p)
{
	struct stat info;

	if (fstat(p->memory, &info) < 0)
		return -errno;
	p->size = (uint64_t)info.st_size;
	p->window = mmap(NULL, p->size, PROT_READ | PROT_WRITE, MAP_SHARED,
			 p->memory, 0);
	if (p->window == MAP_FAILED) {
		p->window = NULL;
		return -errno;
	}
	return 0;
}

/* An eventfd of the host (its doorbells), or of our own (interrupts). */
static int keep_vector(struct peer *p, int64_t id, int fd,
		       const struct pvgpu_device *d)
{
	bool own = id == p->id;
	uint32_t *count = own ? &p->interrupts : &p->doorbells;

	if (fd < 0 || *count == PVGPU_MAX_VECTORS ||
	    (!own && id != d->host_peer))
		return -EPROTO;
	(own ? p->interrupt : p->doorbell)[(*count)++] = fd;
	return 0;
}

static int handshake(struct peer *p, const char **why)
{
	struct pvgpu_device device;
	int64_t word;
	int fd, ret;

	*why = "the version";
	ret = receive_word(p->socket, &p->version, &fd);
	if (ret)
		return ret;
	if (fd >= 0 || p->version != 0)
		return -EPROTO;
	*why = "our own number";
	ret = receive_word(p->socket, &p->id, &fd);
	if (ret)
		return ret;
	if (fd >= 0 || p->id < 0 || p->id > 0xffff)
		return -EPROTO;
	*why = "the memory";
	ret = receive_word(p->socket, &word, &p->memory);
	if (ret)
		return ret;
	if (word != -1 || p->memory < 0)
		return -EPROTO;
	*why = "mapping the memory";
	ret = map_window(p);
	if (ret)
		return ret;
	*why = "the information page";
	if (pvgpu_device_read(&device, p->window, p->size))
		return -EPROTO;
	*why = "the vectors";
	while (p->doorbells < device.vectors ||
	       p->interrupts < device.vectors) {
		ret = receive_word(p->socket, &word, &fd);
		if (!ret)
			ret = keep_vector(p, word, fd, &device);
		if (ret)
			return ret;
	}
	*why = "";
	return 0;
}

int peer_connect(struct peer *ret, const char *path, const char **ret_why)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct peer p = { .memory = -1 };
	int r;

	*ret_why = "the path";
	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	*ret_why = "connecting";
	p.socket = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (p.socket < 0)
		return -errno;
	if (connect(p.socket, (struct sockaddr *)&address, sizeof(address)) < 0)
		r = -errno;
	else
		r = handshake(&p, ret_why);
	if (r)
		peer_disconnect(&p);
	else
		*ret = p;
	return r;
}

void peer_disconnect(struct peer *p)
{
	if (p->window)
		munmap(p->window, p->size);
	for (uint32_t i = 0; i < p->doorbells; i++)
		close(p->doorbell[i]);
	for (uint32_t i = 0; i < p->interrupts; i++)
		close(p->interrupt[i]);
	if (p->memory >= 0)
		close(p->memory);
	if (p->socket >= 0)
		close(p->socket);
	memset(p, 0, sizeof(*p));
	p->memory = p->socket = -1;
}

bool peer_silent(const struct peer *p)
{
	struct pollfd look = { .fd = p->socket, .events = POLLIN };

	return poll(&look, 1, 0) == 0;
}

bool peer_interrupted(struct peer *p, uint32_t vector, int timeout_ms)
{
	struct pollfd wait = { .fd = p->interrupt[vector], .events = POLLIN };
	uint64_t count;

	return poll(&wait, 1, timeout_ms) == 1 &&
	       read(p->interrupt[vector], &count, sizeof(count)) ==
	       sizeof(count);
}

void peer_ring(struct peer *p, uint32_t vector)
{
	static const uint64_t one = 1;

	p->rung++;
	/* A full counter is a doorbell that rings already. */
	if (write(p->doorbell[vector], &one, sizeof(one)) < 0)
		return;
}

static void hook_doorbell(void *context, uint32_t vector)
{
	peer_ring(context, vector);
}

static void hook_wait(void *context, uint32_t vector, uint32_t timeout_ms)
{
	peer_interrupted(context, vector,
			 timeout_ms > 60000 ? 60000 : (int)timeout_ms);
}

static uint64_t hook_now(void *context)
{
	(void)context;
	return peer_now_ms();
}

static uint64_t hook_random(void *context)
{
	uint64_t value = 0;

	(void)context;
	while (getrandom(&value, sizeof(value), 0) != sizeof(value))
		;
	return value;
}

const struct pvgpu_client_hooks peer_hooks = {
	.doorbell = hook_doorbell,
	.wait = hook_wait,
	.now_ms = hook_now,
	.random = hook_random,
};
