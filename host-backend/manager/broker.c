// SPDX-License-Identifier: MIT
/* The ivshmem server of one vGPU; see broker.h. */
#include "broker.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "common/fdpass.h"
#include "common/log.h"
#include "common/util.h"
#include "common/worker_link.h"
#include "listener.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008u		/* Linux 6.3 */
#endif

#define IVSHMEM_VERSION	0
#define IVSHMEM_MEMORY	-1

struct broker {
	sd_event *event;
	char *name;
	struct vgpu_limits limits;
	struct window_layout layout;
	const struct broker_ops *ops;
	void *userdata;
	struct listener *listener;
	struct log_limit refused;

	/* Of the QEMU that is connected; qemu is -1 while there is none. */
	int qemu;
	sd_event_source *source;
	struct broker_session session;
};

static void session_clear(struct broker_session *s)
{
	s->window = close_fd(s->window);
	s->state = close_fd(s->state);
	for (unsigned int i = 0; i < WINDOW_VECTORS; i++) {
		s->doorbells[i] = close_fd(s->doorbells[i]);
		s->interrupts[i] = close_fd(s->interrupts[i]);
	}
	s->qemu_pid = 0;
}

static const struct broker_session no_session = {
	.window = -1, .state = -1,
	.doorbells = { [0 ... WINDOW_VECTORS - 1] = -1 },
	.interrupts = { [0 ... WINDOW_VECTORS - 1] = -1 },
};

/* A memfd whose size nobody can change any more. */
static int sealed_memory(const char *kind, const char *name, uint64_t size)
{
	cleanup_fd int fd = -1;
	char label[128];

	snprintf(label, sizeof(label), "pvgpu-%s-%s", kind, name);
	fd = memfd_create(label, MFD_CLOEXEC | MFD_ALLOW_SEALING |
				 MFD_NOEXEC_SEAL);
	if (fd < 0 && errno == EINVAL)
		fd = memfd_create(label, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0 || ftruncate(fd, (off_t)size) < 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW |
				   F_SEAL_SEAL) < 0)
		return -errno;
	return take_fd(&fd);
}

static int write_info(int window, const struct broker *b)
{
	void *page = mmap(NULL, PVGPU_REGION_ALIGN, PROT_READ | PROT_WRITE,
			  MAP_SHARED, window, 0);

	if (page == MAP_FAILED)
		return -errno;
	window_write_info(page, &b->layout, &b->limits);
	munmap(page, PVGPU_REGION_ALIGN);
	return 0;
}

static int session_make(struct broker_session *s, const struct broker *b)
{
	int r;

	s->window = sealed_memory("window", b->name, b->layout.size);
	if (s->window < 0)
		return s->window;
	s->state = sealed_memory("state", b->name,
				 sizeof(struct worker_state));
	if (s->state < 0)
		return s->state;
	for (unsigned int i = 0; i < WINDOW_VECTORS; i++) {
		s->doorbells[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (s->doorbells[i] < 0)
			return -errno;
		s->interrupts[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (s->interrupts[i] < 0)
			return -errno;
	}
	r = write_info(s->window, b);
	return r;
}

/* One word of the server: little-endian, with at most one descriptor. */
static int send_word(int qemu, int64_t value, int fd)
{
	uint64_t wire = pvgpu_cpu_to_le64((uint64_t)value);

	return fdpass_send(qemu, &wire, sizeof(wire), &fd, fd >= 0);
}

/* All of it, without waiting: a socket that has just been accepted holds it,
 * and QEMU sits in realize until it has read it. */
static int handshake(int qemu, const struct broker_session *s)
{
	int r;

	r = send_word(qemu, IVSHMEM_VERSION, -1);
	if (!r)
		r = send_word(qemu, WINDOW_GUEST_PEER, -1);
	if (!r)
		r = send_word(qemu, IVSHMEM_MEMORY, s->window);
	for (unsigned int i = 0; !r && i < WINDOW_VECTORS; i++)
		r = send_word(qemu, WINDOW_HOST_PEER, s->doorbells[i]);
	for (unsigned int i = 0; !r && i < WINDOW_VECTORS; i++)
		r = send_word(qemu, WINDOW_GUEST_PEER, s->interrupts[i]);
	return r;
}

static void drop_qemu(struct broker *b)
{
	b->source = sd_event_source_disable_unref(b->source);
	b->qemu = close_fd(b->qemu);
	session_clear(&b->session);
}

static void qemu_left(struct broker *b, const char *why)
{
	log_info("%s: QEMU (pid %d) %s", b->name, (int)b->session.qemu_pid,
		 why);
	drop_qemu(b);
	b->ops->disconnected(b->userdata);
}

static int qemu_event(sd_event_source *source, int fd, uint32_t events,
		      void *userdata)
{
	struct broker *b = userdata;
	char byte;
	ssize_t n;

	(void)source;
	n = recv(fd, &byte, sizeof(byte), MSG_DONTWAIT);
	if (n > 0)
		qemu_left(b, "is dropped: it sent bytes, and a client of "
			     "ivshmem sends none");
	else if (n == 0 || (errno != EAGAIN && errno != EINTR) ||
		 events & (EPOLLHUP | EPOLLERR))
		qemu_left(b, "hung up");
	return 0;
}

const struct broker_session *broker_session(struct broker *b)
{
	struct pollfd poll_fd = { .fd = b->qemu, .events = POLLRDHUP };

	if (b->qemu < 0)
		return NULL;
	if (poll(&poll_fd, 1, 0) > 0 && poll_fd.revents) {
		qemu_left(b, "hung up");
		return NULL;
	}
	return &b->session;
}

static void accepted(void *userdata, int fd)
{
	struct broker *b = userdata;
	struct broker_session session = no_session;
	cleanup_fd int qemu = fd;
	struct ucred peer = { 0 };
	socklen_t size = sizeof(peer);
	int r;

	if (getsockopt(qemu, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
		peer.pid = 0;
	/* A QEMU that was killed and one started after it may be seen in one
	 * turn of the loop, in either order. */
	if (broker_session(b)) {
		if (log_allowed(&b->refused))
			log_warning("%s: QEMU (pid %d) refused: pid %d has "
				    "this vGPU", b->name, (int)peer.pid,
				    (int)b->session.qemu_pid);
		return;
	}
	session.qemu_pid = peer.pid;
	r = session_make(&session, b);
	if (!r)
		r = handshake(qemu, &session);
	if (!r)
		r = sd_event_add_io(b->event, &b->source, qemu,
				    EPOLLIN | EPOLLRDHUP, qemu_event, b);
	if (r < 0) {
		log_error("%s: QEMU (pid %d) refused: %s", b->name,
			  (int)peer.pid, strerror(-r));
		session_clear(&session);
		return;
	}
	b->qemu = take_fd(&qemu);
	b->session = session;
	log_info("%s: QEMU (pid %d) connected", b->name, (int)peer.pid);
	b->ops->connected(b->userdata);
}

int broker_new(struct broker **ret, sd_event *event, const char *name,
	       const char *path, const struct vgpu_limits *limits,
	       const struct broker_ops *ops, void *userdata)
{
	struct broker *b;
	int r;

	b = calloc(1, sizeof(*b));
	if (!b)
		return -ENOMEM;
	b->event = event;
	b->limits = *limits;
	b->ops = ops;
	b->userdata = userdata;
	b->qemu = -1;
	b->session = no_session;
	b->refused = (struct log_limit){ .burst = 3, .seconds = 10 };
	b->name = strdup(name);
	r = b->name ? 0 : -ENOMEM;
	if (!r)
		r = window_layout(&b->layout, limits);
	if (!r)
		r = listener_new(&b->listener, event, path, accepted, b);
	if (r < 0) {
		broker_free(b);
		return r;
	}
	*ret = b;
	return 0;
}

void broker_free(struct broker *b)
{
	if (!b)
		return;
	listener_free(b->listener);
	drop_qemu(b);
	free(b->name);
	free(b);
}
