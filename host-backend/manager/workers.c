// SPDX-License-Identifier: MIT
/* One pvgpu-worker process; see workers.h. */
#include "workers.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "common/fdpass.h"
#include "common/log.h"
#include "common/util.h"
#include "spawn.h"

#define READY_USEC	(60 * 1000000ull)	/* from start to READY */
#define COME_USEC	(30 * 1000000ull)	/* from its unit's start */
#define LINGER_USEC	200000ull		/* from its socket's end */
#define EXIT_MS		1000			/* the same, when we wait */
#define KILL_MS		5000			/* from SIGKILL */
#define QUERY_USEC	(2 * 1000000ull)
#define SCREENSHOT_USEC	(20 * 1000000ull)

#define SCREENSHOT_SEALS \
	(F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

struct worker {
	sd_event *event;
	struct store *store;
	struct units *units;		/* NULL: no unit of its own */
	char name[64];
	struct vgpu_limits limits;
	struct gpu_device gpu;
	const struct broker_session *session;	/* until it is told */
	const struct head_setting *heads;	/* likewise */
	const uint32_t *frame_limit;	/* likewise */
	const int *grants;		/* likewise */
	const struct worker_ops *ops;
	void *userdata;

	pid_t pid;			/* 0: not there yet, or dead */
	int pidfd;
	int socket;
	bool child;			/* ours to reap */
	bool awaited;			/* its unit has not connected so far */
	bool adopted;			/* an earlier pvgpud asked it things */
	bool told;			/* INIT is sent */
	sd_event_source *death;
	sd_event_source *messages;
	sd_event_source *deadline;	/* it is killed then, for: */
	const char *deadline_why;
	bool ready;
	uint32_t last_cookie;
	struct worker_request *requests;
	char why[WORKER_WHY_MAX];	/* we killed it; empty if we did not */
};

struct worker_request {
	struct worker *worker;
	struct worker_request *next;
	uint32_t cookie;
	enum worker_op answered_by;
	worker_answer *answer;
	void *userdata;
	sd_event_source *timer;
};

/* -------------------------------------------------------------- requests */

void worker_request_cancel(struct worker_request *request)
{
	struct worker_request **at = &request->worker->requests;

	while (*at != request)
		at = &(*at)->next;
	*at = request->next;
	sd_event_source_disable_unref(request->timer);
	free(request);
}

static void request_finish(struct worker_request *request, int error,
			   const union worker_message *message, int fd)
{
	worker_answer *answer = request->answer;
	void *userdata = request->userdata;

	worker_request_cancel(request);
	answer(userdata, error, message, fd);
}

static int request_late(sd_event_source *source, uint64_t usec,
			void *userdata)
{
	(void)source;
	(void)usec;
	request_finish(userdata, -ETIMEDOUT, NULL, -1);
	return 0;
}

static int ask(struct worker *w, enum worker_op op, uint32_t head,
	       worker_answer *answer, void *userdata,
	       struct worker_request **ret)
{
	union worker_message message = { 0 };
	struct worker_request *request;
	int r;

	request = calloc(1, sizeof(*request));
	if (!request)
		return -ENOMEM;
	r = sd_event_add_time_relative(w->event, &request->timer,
		CLOCK_MONOTONIC,
		op == WORKER_SCREENSHOT ? SCREENSHOT_USEC : QUERY_USEC, 0,
		request_late, request);
	if (r < 0) {
		free(request);
		return r;
	}
	request->worker = w;
	request->cookie = ++w->last_cookie;
	request->answer = answer;
	request->userdata = userdata;
	request->answered_by = op == WORKER_QUERY ? WORKER_QUERY_DONE :
			       op == WORKER_TRACE_STOP ? WORKER_TRACE_DONE :
							 WORKER_SCREENSHOT_DONE;
	request->next = w->requests;
	w->requests = request;
	message.header.op = op;
	message.header.cookie = request->cookie;
	if (op == WORKER_SCREENSHOT)
		message.screenshot.head = head;
	r = worker_link_send(w->socket, &message, NULL, 0);
	/* A full or dead socket: the timer or the death answers. */
	if (r < 0)
		log_debug("%s: to the worker: %s", w->name, strerror(-r));
	*ret = request;
	return 0;
}

int worker_ask(struct worker *w, enum worker_op op, uint32_t head,
	       worker_answer *answer, void *userdata,
	       struct worker_request **ret)
{
	if (!worker_is_ready(w))
		return -EAGAIN;
	return ask(w, op, head, answer, userdata, ret);
}

/* The answer to a question that was asked only to be answered. */
static void forget(void *userdata, int error,
		   const union worker_message *message, int fd)
{
	(void)userdata;
	(void)error;
	(void)message;
	close_fd(fd);
}

/* -------------------------------------------------------------- messages */

static void close_socket(struct worker *w)
{
	w->messages = sd_event_source_disable_unref(w->messages);
	if (w->socket < 0)
		return;
	/* The store's copy keeps it open for a moment. */
	shutdown(w->socket, SHUT_RDWR);
	store_remove(w->store, w->name, "worker");
	w->socket = close_fd(w->socket);
}

static int never_came(sd_event_source *source, void *userdata);

void worker_kill(struct worker *w, const char *why)
{
	if (w->why[0])
		return;
	snprintf(w->why, sizeof(w->why), "%s", why);
	close_socket(w);
	w->awaited = false;
	if (w->units)
		units_kill(w->units, w->name);
	if (w->pidfd >= 0)
		pidfd_send_signal(w->pidfd, SIGKILL, NULL, 0);
	else if (sd_event_add_defer(w->event, &w->death, never_came, w) < 0)
		log_error("%s: out of memory", w->name);
}

static int deadline_passed(sd_event_source *source, uint64_t usec,
			   void *userdata)
{
	struct worker *w = userdata;

	(void)source;
	(void)usec;
	worker_kill(w, w->deadline_why);
	return 0;
}

/* Kills the worker, for this reason, unless something else happens first. */
static int set_deadline(struct worker *w, uint64_t usec, const char *why)
{
	w->deadline = sd_event_source_disable_unref(w->deadline);
	w->deadline_why = why;
	return sd_event_add_time_relative(w->event, &w->deadline,
					  CLOCK_MONOTONIC, usec, 0,
					  deadline_passed, w);
}

static bool screenshot_makes_sense(const struct worker *w,
				   const struct worker_screenshot_done *done,
				   int fd)
{
	struct stat st;
	int seals;

	if (done->error)
		return fd < 0 && done->error > 0;
	if (fd < 0 || !done->width || !done->height ||
	    done->width > w->limits.max_width ||
	    done->height > w->limits.max_height ||
	    done->stride < done->width * 4 ||
	    done->stride > done->width * 4 + 4096)
		return false;
	seals = fcntl(fd, F_GET_SEALS);
	return seals >= 0 && (seals & SCREENSHOT_SEALS) == SCREENSHOT_SEALS &&
	       fstat(fd, &st) == 0 &&
	       st.st_size >= (off_t)done->stride * done->height;
}

static void query_tidy(struct worker_query_done *done)
{
	done->driver_name[sizeof(done->driver_name) - 1] = '\0';
	done->os_name[sizeof(done->os_name) - 1] = '\0';
	done->renderer[sizeof(done->renderer) - 1] = '\0';
}

static void is_ready(struct worker *w)
{
	w->ready = true;
	w->deadline = sd_event_source_disable_unref(w->deadline);
	w->ops->ready(w->userdata);
}

/* Takes over fd. False if it is nothing that this worker may say now. */
static bool handle_message(struct worker *w, union worker_message *message,
			   int fd)
{
	cleanup_fd int passed = fd;
	struct worker_request *request;

	/* Its READY may have gone to an earlier pvgpud that had no time to
	 * write that down; an answer says as much. */
	if (w->adopted && !w->ready && message->header.op == WORKER_QUERY_DONE)
		is_ready(w);
	switch (message->header.op) {
	case WORKER_READY:
		if (w->ready)
			return w->adopted;
		is_ready(w);
		return true;
	case WORKER_SCREENSHOT_DONE:
		if (!screenshot_makes_sense(w, &message->screenshot_done,
					    passed))
			return false;
		break;
	case WORKER_QUERY_DONE:
		query_tidy(&message->query_done);
		break;
	case WORKER_TRACE_DONE:
		break;
	default:
		return false;
	}
	if (!w->ready || (!w->adopted && (!message->header.cookie ||
	    message->header.cookie > w->last_cookie)))
		return false;
	for (request = w->requests; request; request = request->next)
		if (request->cookie == message->header.cookie)
			break;
	if (!request)
		return true;	/* it was late, or nobody wants it now */
	if (request->answered_by != message->header.op)
		return false;
	request_finish(request, 0, message, take_fd(&passed));
	return true;
}

static int socket_event(sd_event_source *source, int fd, uint32_t events,
			void *userdata)
{
	struct worker *w = userdata;
	union worker_message message = { 0 };
	int fds[FDPASS_MAX];
	size_t count = 0;
	ssize_t n;

	(void)source;
	(void)events;
	n = worker_link_receive(fd, &message, fds, &count);
	if (n == -EAGAIN || n == -EINTR)
		return 0;
	if (n > 0 && count <= 1 &&
	    handle_message(w, &message, count ? fds[0] : -1))
		return 0;
	for (size_t i = 1; n > 0 && count > 1 && i <= count; i++)
		close_fd(fds[i - 1]);
	if (n == 0 || n == -ECONNRESET) {
		/* Mostly it is dying, and how is worth knowing. */
		close_socket(w);
		if (set_deadline(w, LINGER_USEC, "it closed its socket") < 0)
			worker_kill(w, "it closed its socket");
	} else {
		worker_kill(w, "it sent a message that makes no sense");
	}
	return 0;
}

/* ------------------------------------------------------- birth and death */

static const char *describe_death(char out[WORKER_WHY_MAX],
				  const siginfo_t *info, const char *killed)
{
	const char *signal_name;

	/* A crash closes the socket before it is a death: what the kernel says
	 * goes first. But one that was fast enough ended in order, because we
	 * had hung up. */
	if (killed[0] && ((info->si_code == CLD_KILLED &&
			   info->si_status == SIGKILL) ||
			  (info->si_code == CLD_EXITED && !info->si_status))) {
		snprintf(out, WORKER_WHY_MAX, "%s", killed);
	} else if (info->si_code == CLD_EXITED) {
		snprintf(out, WORKER_WHY_MAX, "it exited with status %d",
			 info->si_status);
	} else {
		signal_name = sigabbrev_np(info->si_status);
		snprintf(out, WORKER_WHY_MAX, "it was killed by signal %d "
			 "(SIG%s)", info->si_status,
			 signal_name ? signal_name : "?");
	}
	return out;
}

/* Everything but the process itself. */
static void worker_release(struct worker *w)
{
	close_socket(w);
	w->ready = false;
	w->deadline = sd_event_source_disable_unref(w->deadline);
	w->death = sd_event_source_disable_unref(w->death);
	if (w->pidfd >= 0)
		store_remove(w->store, w->name, "pidfd");
	w->pidfd = close_fd(w->pidfd);
	while (w->requests)
		request_finish(w->requests, -ECONNRESET, NULL, -1);
	free(w);
}

/* A worker that is gone before it was there. */
static int never_came(sd_event_source *source, void *userdata)
{
	struct worker *w = userdata;

	(void)source;
	w->ops->gone(w->userdata, w->why);
	worker_release(w);
	return 0;
}

/* One that is not our child: its parent knows how it died. */
static int died(struct worker *w)
{
	const char *why = w->why[0] ? w->why :
		w->units ? "the journal of its unit says how" :
			   "it was not this pvgpud's child";

	w->pid = 0;
	w->ops->gone(w->userdata, why);
	worker_release(w);
	return 0;
}

static int reap(sd_event_source *source, int fd, uint32_t events,
		void *userdata)
{
	struct worker *w = userdata;
	char why[WORKER_WHY_MAX];
	siginfo_t info = { 0 };

	(void)source;
	(void)events;
	if (!w->child)
		return died(w);
	if (waitid(P_PIDFD, (id_t)fd, &info, WEXITED | WNOHANG) < 0) {
		log_error("%s: waitid: %s", w->name, strerror(errno));
		info.si_code = CLD_EXITED;
	} else if (!info.si_pid) {
		return 0;
	}
	w->pid = 0;
	w->ops->gone(w->userdata, describe_death(why, &info, w->why));
	worker_release(w);
	return 0;
}

int worker_set_head(struct worker *w, uint32_t head,
		    const struct head_setting *setting)
{
	struct worker_head_set message;

	if (w->socket < 0)
		return -ECONNRESET;
	head_setting_message(&message, head, setting);
	return worker_link_send(w->socket, &message, NULL, 0);
}

int worker_set_frame_limit(struct worker *w, uint32_t limit)
{
	struct worker_frame_limit message = {
		.header.op = WORKER_FRAME_LIMIT, .limit = limit,
	};

	return w->socket < 0 ? -ECONNRESET :
	       worker_link_send(w->socket, &message, NULL, 0);
}

int worker_introduce(struct worker *w, uint32_t id, int go)
{
	const struct worker_peer message = {
		.header.op = WORKER_PEER, .id = id,
	};

	/* Before its INIT it would be nonsense. */
	if (!worker_is_ready(w))
		return -EAGAIN;
	return worker_link_send(w->socket, &message, &go, 1);
}

int worker_trace(struct worker *w, int fd)
{
	const struct worker_trace message = { { .op = WORKER_TRACE } };

	if (w->socket < 0)
		return -ECONNRESET;
	return worker_link_send(w->socket, &message, &fd, 1);
}

static int send_init(struct worker *w, const struct broker_session *session,
		     const struct head_setting *heads, uint32_t frame_limit)
{
	struct worker_init init = {
		.header.op = WORKER_INIT,
		.version = WORKER_LINK_VERSION,
		.flags = store_keeps(w->store) ? WORKER_INIT_OUTLIVES : 0,
		.frame_limit = frame_limit,
		.limits = w->limits,
		.gpu = w->gpu,
	};
	int fds[WORKER_INIT_FDS], r;

	for (uint32_t i = 0; i < w->limits.heads; i++)
		init.head_sets += !head_setting_is_default(&heads[i],
							   &w->limits);
	memcpy(init.name, w->name, sizeof(init.name));
	fds[0] = session->window;
	fds[1] = session->state;
	memcpy(&fds[2], session->doorbells, sizeof(session->doorbells));
	memcpy(&fds[2 + WINDOW_VECTORS], session->interrupts,
	       sizeof(session->interrupts));
	memcpy(&fds[WORKER_INIT_GRANTS], w->grants,
	       WORKER_GRANT_FDS * sizeof(fds[0]));
	r = worker_link_send(w->socket, &init, fds, ARRAY_SIZE(fds));
	for (uint32_t i = 0; !r && i < w->limits.heads; i++)
		if (!head_setting_is_default(&heads[i], &w->limits))
			r = worker_set_head(w, i, &heads[i]);
	return r;
}

static int watch(struct worker *w)
{
	int r = sd_event_add_io(w->event, &w->death, w->pidfd, EPOLLIN, reap,
				w);

	if (r >= 0 && w->socket >= 0)
		r = sd_event_add_io(w->event, &w->messages, w->socket, EPOLLIN,
				    socket_event, w);
	return r;
}

/* The process is there and its socket too: they are kept, and it is told. */
static int tell(struct worker *w)
{
	int r = watch(w);

	if (r < 0)
		return r;
	r = set_deadline(w, READY_USEC, "it was not ready in time");
	if (r < 0)
		return r;
	store_add(w->store, w->name, "worker", w->socket);
	store_add(w->store, w->name, "pidfd", w->pidfd);
	store_barrier(w->store);
	w->ops->changed(w->userdata);
	r = send_init(w, w->session, w->heads, *w->frame_limit);
	if (r < 0)
		return r;
	w->told = true;
	w->ops->changed(w->userdata);
	return 0;
}

static struct worker *make(const struct worker_setup *setup)
{
	struct worker *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->event = setup->event;
	w->store = setup->store;
	w->units = setup->units;
	w->limits = *setup->limits;
	w->gpu = *setup->gpu;
	w->session = setup->session;
	w->grants = setup->grants;
	w->heads = setup->heads;
	w->frame_limit = setup->frame_limit;
	w->ops = setup->ops;
	w->userdata = setup->userdata;
	w->pidfd = -1;
	w->socket = -1;
	snprintf(w->name, sizeof(w->name), "%s", setup->name);
	return w;
}

static int start_child(struct worker *w, const struct worker_setup *setup)
{
	cleanup_fd int theirs = -1;
	int pair[2], r;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	w->socket = pair[0];
	theirs = pair[1];
	if (fcntl(w->socket, F_SETFL, O_NONBLOCK) < 0)
		return -errno;
	r = spawn_worker(&w->pid, setup->program, setup->debug, theirs);
	if (r < 0) {
		w->pid = 0;
		return r;
	}
	w->child = true;
	w->pidfd = pidfd_open(w->pid, 0);
	return w->pidfd < 0 ? -errno : tell(w);
}

/* `changed` is called from in here: *ret is set before, so that it sees the
 * worker, and NULL again on failure. */
int worker_start(struct worker **ret, const struct worker_setup *setup)
{
	struct worker *w = make(setup);
	int r;

	if (!w)
		return -ENOMEM;
	*ret = w;
	if (w->units) {
		w->awaited = true;
		r = set_deadline(w, COME_USEC, "its unit did not start it in "
					       "time");
		if (r >= 0)
			r = units_start(w->units, w->name, &w->limits,
					&w->gpu);
	} else {
		r = start_child(w, setup);
	}
	if (r < 0) {
		*ret = NULL;
		worker_free(w);
		return r;
	}
	return 0;
}

bool worker_connected(struct worker *w, int socket, int pidfd, pid_t pid)
{
	int r;

	if (!w->awaited) {
		close_fd(socket);
		close_fd(pidfd);
		return false;
	}
	w->awaited = false;
	w->socket = socket;
	w->pidfd = pidfd;
	w->pid = pid;
	r = tell(w);
	if (r < 0) {
		log_error("%s: worker (pid %d): %s", w->name, (int)pid,
			  strerror(-r));
		worker_kill(w, "it could not be told");
	}
	return true;
}

int worker_adopt(struct worker **ret, const struct worker_setup *setup,
		 const struct worker_kept *kept)
{
	struct worker_request *request;
	struct worker *w;
	int r;

	if (!store_has(setup->store, setup->name, "pidfd"))
		return -ENOENT;
	w = make(setup);
	if (!w)
		return -ENOMEM;
	w->pidfd = store_claim(w->store, w->name, "pidfd");
	w->socket = store_claim(w->store, w->name, "worker");
	w->pid = kept->pid;
	w->told = kept->told;
	w->ready = kept->ready;
	w->adopted = true;
	/* Late answers to the last pvgpud's questions must not fit ours. */
	if (getrandom(&w->last_cookie, sizeof(w->last_cookie), 0) < 0)
		w->last_cookie = (uint32_t)kept->pid << 12;
	w->last_cookie &= 0x7fffffff;
	r = watch(w);
	if (r >= 0 && !w->ready)
		r = set_deadline(w, READY_USEC, "it was not ready in time");
	if (r < 0) {
		worker_free(w);
		return r;
	}
	*ret = w;
	if (!setup->session)
		worker_kill(w, "its QEMU is gone");
	else if (w->socket < 0)
		worker_kill(w, "its socket was not kept");
	else if (kept->link != WORKER_LINK_VERSION)
		worker_kill(w, "it is of another version than this pvgpud");
	else if (!w->told)
		worker_kill(w, "an earlier pvgpud did not finish its start");
	else if (!w->ready)
		ask(w, WORKER_QUERY, 0, forget, NULL, &request);
	else	/* the one that an earlier pvgpud may have been at */
		ask(w, WORKER_TRACE_STOP, 0, forget, NULL, &request);
	return 0;
}

struct worker_kept worker_kept(const struct worker *w)
{
	return (struct worker_kept){
		.pid = w->pid, .link = WORKER_LINK_VERSION,
		.told = w->told, .ready = w->ready,
	};
}

static bool dies_within(const struct worker *w, int ms)
{
	struct pollfd poll_fd = { .fd = w->pidfd, .events = POLLIN };

	return poll(&poll_fd, 1, ms) > 0;
}

/* One that is not our child ends when its socket does, or is made to. */
static void end_stranger(struct worker *w)
{
	if (w->units && w->pidfd < 0) {
		units_kill(w->units, w->name);
		return;
	}
	if (w->pidfd < 0)
		return;
	close_socket(w);
	if (dies_within(w, w->units ? EXIT_MS : 0))
		return;
	if (w->units)
		units_kill(w->units, w->name);
	else
		pidfd_send_signal(w->pidfd, SIGKILL, NULL, 0);
	if (!dies_within(w, KILL_MS))
		log_error("%s: worker (pid %d) does not die", w->name,
			  (int)w->pid);
}

void worker_free(struct worker *w)
{
	if (!w)
		return;
	if (!w->child) {
		end_stranger(w);
	} else if (w->pid) {
		/* Not reaped yet, so the number is still this process's. */
		kill(w->pid, SIGKILL);
		while (waitpid(w->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	worker_release(w);
}

pid_t worker_pid(const struct worker *w)
{
	return w->pid;
}

bool worker_is_ready(const struct worker *w)
{
	return w->ready && w->socket >= 0;
}

bool worker_is_dying(const struct worker *w)
{
	return w->socket < 0 && !w->awaited;
}
