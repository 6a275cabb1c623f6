// SPDX-License-Identifier: MIT
/* SCM_RIGHTS in both directions; see fdpass.h. */
#include "fdpass.h"

#include <string.h>
#include <sys/socket.h>

#include "util.h"

union control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(sizeof(int) * FDPASS_MAX)];
};

int fdpass_send(int socket, const void *data, size_t size, const int *fds,
		size_t count)
{
	struct iovec iov = { .iov_base = (void *)data, .iov_len = size };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	union control control;
	ssize_t n;

	if (count > FDPASS_MAX)
		return -E2BIG;
	if (count) {
		struct cmsghdr *c;

		memset(&control, 0, sizeof(control));
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(sizeof(int) * count);
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * count);
		memcpy(CMSG_DATA(c), fds, sizeof(int) * count);
	}
	do
		n = sendmsg(socket, &msg, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return (size_t)n == size ? 0 : -EIO;
}

ssize_t fdpass_receive(int socket, void *data, size_t size, int *fds,
		       size_t max_fds, size_t *ret_count)
{
	struct iovec iov = { .iov_base = data, .iov_len = size };
	union control control;
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = sizeof(control),
	};
	int got[FDPASS_MAX];
	struct cmsghdr *c;
	size_t count = 0;
	ssize_t n;

	do
		n = recvmsg(socket, &msg, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	for (c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0;
		     i < (c->cmsg_len - CMSG_LEN(0)) / sizeof(int); i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
			if (count < FDPASS_MAX)
				got[count++] = fd;
			else
				close_fd(fd);
		}
	}
	if (msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC) || count > max_fds) {
		while (count)
			close_fd(got[--count]);
		return -EPROTO;
	}
	if (count)
		memcpy(fds, got, count * sizeof(int));
	*ret_count = count;
	return n;
}
