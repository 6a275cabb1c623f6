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
#include <sys/stat.h>

#include "common/fdpass.h"
#include "common/log.h"
#include "common/sealed.h"
#include "common/util.h"
#include "common/worker_link.h"
#include "listener.h"

#define IVSHMEM_VERSION	0
#define IVSHMEM_MEMORY	-1

struct broker {
	sd_event *event;
	char *name;
	struct vgpu_limits limits;
	struct window_layout layout;
	const struct broker_ops *ops;
	void *userdata;
	struct store *store;
	struct listener *listener;
	struct log_limit refused;
	enum broker_stage stage;

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

	s->window = sealed_memfd("window", b->name, b->layout.size);
	if (s->window < 0)
		return s->window;
	s->state = sealed_memfd("state", b->name,
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

/* ----------------------------------------------------------------- store */

/* Each eventfd has a name of its own: the store keeps no order. */
static const char *const kept_doorbells[] = {
	"doorbell0", "doorbell1", "doorbell2", "doorbell3",
};
static const char *const kept_interrupts[] = {
	"interrupt0", "interrupt1", "interrupt2", "interrupt3",
};
_Static_assert(ARRAY_SIZE(kept_doorbells) == WINDOW_VECTORS &&
	       ARRAY_SIZE(kept_interrupts) == WINDOW_VECTORS, "names");

/* Calls `each` with the name and place of every descriptor of a session. */
#define FOR_EACH_KEPT(s, qemu, each) do { \
	each("window", &(s)->window); \
	each("state", &(s)->state); \
	for (unsigned int i_ = 0; i_ < WINDOW_VECTORS; i_++) { \
		each(kept_doorbells[i_], &(s)->doorbells[i_]); \
		each(kept_interrupts[i_], &(s)->interrupts[i_]); \
	} \
	each("qemu", qemu); \
} while (0)

/* QEMU's socket goes last: with it the session is whole. */
static int session_store(struct broker *b, struct broker_session *s, int *qemu)
{
	int r = 0;

#define ADD(what, fd) (r = r ? r : store_add(b->store, b->name, what, *(fd)))
	FOR_EACH_KEPT(s, qemu, ADD);
#undef ADD
	return r ? r : store_barrier(b->store);
}

static void session_unstore(struct broker *b)
{
#define REMOVE(what, fd) ((void)(fd), store_remove(b->store, b->name, what))
	FOR_EACH_KEPT(&b->session, &b->qemu, REMOVE);
#undef REMOVE
}

/* True if there is one of each kind and size. */
static bool session_claim(struct broker *b, struct broker_session *s,
			  int *qemu)
{
	bool whole = true;
	struct stat st;

#define CLAIM(what, fd) \
	(*(fd) = store_claim(b->store, b->name, what), \
	 whole = whole && *(fd) >= 0)
	FOR_EACH_KEPT(s, qemu, CLAIM);
#undef CLAIM
	return whole && fstat(s->window, &st) == 0 &&
	       (uint64_t)st.st_size == b->layout.size &&
	       fstat(s->state, &st) == 0 &&
	       st.st_size == sizeof(struct worker_state);
}

static void drop_qemu(struct broker *b)
{
	b->source = sd_event_source_disable_unref(b->source);
	if (b->qemu >= 0) {
		/* The store's copy keeps it open for a moment. */
		shutdown(b->qemu, SHUT_RDWR);
		session_unstore(b);
	}
	b->qemu = close_fd(b->qemu);
	session_clear(&b->session);
	b->stage = BROKER_ALONE;
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

/* The handshake, and QEMU is watched from then on. */
static int greet(struct broker *b)
{
	int r = 0;

	if (b->stage == BROKER_ALONE) {
		b->stage = BROKER_GREETING;
		b->ops->changed(b->userdata);
		r = handshake(b->qemu, &b->session);
		b->stage = BROKER_CONNECTED;
	}
	if (!r)
		r = sd_event_add_io(b->event, &b->source, b->qemu,
				    EPOLLIN | EPOLLRDHUP, qemu_event, b);
	return r < 0 ? r : 0;
}

void broker_adopt(struct broker *b, enum broker_stage stage, pid_t qemu_pid)
{
	const char *problem = NULL;
	struct ucred peer = { 0 };
	socklen_t size = sizeof(peer);
	bool any = store_has(b->store, b->name, "qemu");

	if (!session_claim(b, &b->session, &b->qemu))
		problem = "not all of its descriptors were kept";
	else if (stage == BROKER_GREETING)
		problem = "it was interrupted in its handshake";
	b->session.qemu_pid = qemu_pid;
	/* With no word of it in the record it has had no handshake so far. */
	if (stage == BROKER_ALONE && b->qemu >= 0 &&
	    getsockopt(b->qemu, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0)
		b->session.qemu_pid = peer.pid;
	b->stage = stage;
	if (!problem && greet(b) < 0)
		problem = "it cannot be watched";
	if (!problem) {
		log_info("%s: QEMU (pid %d) is still connected", b->name,
			 (int)b->session.qemu_pid);
		return;
	}
	if (any || stage != BROKER_ALONE)
		log_warning("%s: QEMU (pid %d) is lost: %s", b->name,
			    (int)b->session.qemu_pid, problem);
	session_unstore(b);
	drop_qemu(b);
}

enum broker_stage broker_stage(const struct broker *b)
{
	return b->stage;
}

pid_t broker_qemu_pid(const struct broker *b)
{
	return b->session.qemu_pid;
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
	if (r < 0) {
		log_error("%s: QEMU (pid %d) refused: %s", b->name,
			  (int)peer.pid, strerror(-r));
		session_clear(&session);
		return;
	}
	/* Without a store it lives as long as we do, so that is no reason to
	 * refuse it. */
	session_store(b, &session, &qemu);
	b->qemu = take_fd(&qemu);
	b->session = session;
	r = greet(b);
	if (r < 0) {
		log_error("%s: QEMU (pid %d) refused: %s", b->name,
			  (int)peer.pid, strerror(-r));
		drop_qemu(b);
		b->ops->changed(b->userdata);
		return;
	}
	log_info("%s: QEMU (pid %d) connected", b->name, (int)peer.pid);
	b->ops->connected(b->userdata);
}

/* Every restart finds the same socket listening, with what waits in it. */
static int listen_at(struct broker *b, const char *path)
{
	int fd = store_claim(b->store, b->name, "listener"), r;

	if (fd >= 0)
		return listener_adopt(&b->listener, b->event, fd, path,
				      accepted, b);
	r = listener_new(&b->listener, b->event, path, accepted, b);
	if (!r)
		store_add(b->store, b->name, "listener",
			  listener_fd(b->listener));
	return r;
}

int broker_new(struct broker **ret, sd_event *event, const char *name,
	       const char *path, const struct vgpu_limits *limits,
	       struct store *store, const struct broker_ops *ops,
	       void *userdata)
{
	struct broker *b;
	int r;

	b = calloc(1, sizeof(*b));
	if (!b)
		return -ENOMEM;
	b->event = event;
	b->store = store;
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
		r = listen_at(b, path);
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
	if (b->listener)
		store_remove(b->store, b->name, "listener");
	listener_free(b->listener);
	drop_qemu(b);
	free(b->name);
	free(b);
}
