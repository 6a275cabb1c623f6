// SPDX-License-Identifier: MIT
/* One pvgpu-worker process; see workers.h. */
#include "workers.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "common/fdpass.h"
#include "common/log.h"
#include "common/util.h"

#define READY_USEC	(60 * 1000000ull)	/* from start to READY */
#define LINGER_USEC	200000ull		/* from its socket's end */
#define QUERY_USEC	(2 * 1000000ull)
#define SCREENSHOT_USEC	(20 * 1000000ull)

#define SCREENSHOT_SEALS \
	(F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

struct worker {
	sd_event *event;
	char name[64];
	struct vgpu_limits limits;
	const struct worker_ops *ops;
	void *userdata;

	pid_t pid;
	int pidfd;
	int socket;
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

int worker_ask(struct worker *w, enum worker_op op, uint32_t head,
	       worker_answer *answer, void *userdata,
	       struct worker_request **ret)
{
	union worker_message message = { 0 };
	struct worker_request *request;
	int r;

	if (!worker_is_ready(w))
		return -EAGAIN;
	request = calloc(1, sizeof(*request));
	if (!request)
		return -ENOMEM;
	r = sd_event_add_time_relative(w->event, &request->timer,
		CLOCK_MONOTONIC,
		op == WORKER_QUERY ? QUERY_USEC : SCREENSHOT_USEC, 0,
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

/* -------------------------------------------------------------- messages */

static void close_socket(struct worker *w)
{
	w->messages = sd_event_source_disable_unref(w->messages);
	w->socket = close_fd(w->socket);
}

void worker_kill(struct worker *w, const char *why)
{
	if (w->why[0])
		return;
	snprintf(w->why, sizeof(w->why), "%s", why);
	close_socket(w);
	pidfd_send_signal(w->pidfd, SIGKILL, NULL, 0);
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
}

/* Takes over fd. False if it is nothing that this worker may say now. */
static bool handle_message(struct worker *w, union worker_message *message,
			   int fd)
{
	cleanup_fd int passed = fd;
	struct worker_request *request;

	switch (message->header.op) {
	case WORKER_READY:
		if (w->ready)
			return false;
		w->ready = true;
		w->deadline = sd_event_source_disable_unref(w->deadline);
		w->ops->ready(w->userdata);
		return true;
	case WORKER_SCREENSHOT_DONE:
		if (!screenshot_makes_sense(w, &message->screenshot_done,
					    passed))
			return false;
		break;
	case WORKER_QUERY_DONE:
		query_tidy(&message->query_done);
		break;
	default:
		return false;
	}
	if (!w->ready || !message->header.cookie ||
	    message->header.cookie > w->last_cookie)
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
	 * goes first. */
	if (killed[0] && info->si_code == CLD_KILLED &&
	    info->si_status == SIGKILL) {
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
	w->pidfd = close_fd(w->pidfd);
	while (w->requests)
		request_finish(w->requests, -ECONNRESET, NULL, -1);
	free(w);
}

static int reap(sd_event_source *source, int fd, uint32_t events,
		void *userdata)
{
	struct worker *w = userdata;
	char why[WORKER_WHY_MAX];
	siginfo_t info = { 0 };

	(void)source;
	(void)events;
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

/* What a worker's environment may hold: how our lines are read and, for
 * sanitizers, where their findings go. */
static char **clean_environment(bool debug)
{
	static const char *const kept[] = {
		"JOURNAL_STREAM", "ASAN_OPTIONS", "UBSAN_OPTIONS",
		"LSAN_OPTIONS",
	};
	char **environment;
	size_t used = 0;

	environment = calloc(ARRAY_SIZE(kept) + 2, sizeof(*environment));
	if (!environment)
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++) {
		const char *value = getenv(kept[i]);

		if (value && asprintf(&environment[used++], "%s=%s", kept[i],
				      value) < 0)
			environment[--used] = NULL;
	}
	if (debug)
		environment[used] = strdup("PVGPU_DEBUG=1");
	return environment;
}

static void free_strings(char ***strings)
{
	for (char **s = *strings; s && *s; s++)
		free(*s);
	free(*strings);
}

static int spawn(pid_t *ret, const char *program, bool debug, int socket)
{
	cleanup(free_strings) char **environment = clean_environment(debug);
	char *const arguments[] = { (char *)"pvgpu-worker", NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none, all;
	int r;

	if (!environment)
		return -ENOMEM;
	sigemptyset(&none);
	sigfillset(&all);
	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attributes);
	r = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO,
					     "/dev/null", O_RDONLY, 0);
	if (!r)
		r = posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO,
						     STDOUT_FILENO);
	if (!r)
		r = posix_spawn_file_actions_adddup2(&actions, socket,
						     WORKER_LINK_FD);
	if (!r)
		r = posix_spawn_file_actions_addclosefrom_np(&actions,
			WORKER_LINK_FD + 1);
	if (!r)
		r = posix_spawnattr_setflags(&attributes,
			POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
			POSIX_SPAWN_SETPGROUP);
	if (!r)
		r = posix_spawnattr_setsigmask(&attributes, &none);
	if (!r)
		r = posix_spawnattr_setsigdefault(&attributes, &all);
	if (!r)
		r = posix_spawn(ret, program, &actions, &attributes, arguments,
				environment);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	return -r;
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

static int send_init(struct worker *w, const struct broker_session *session,
		     const struct head_setting *heads)
{
	struct worker_init init = {
		.header.op = WORKER_INIT,
		.version = WORKER_LINK_VERSION,
		.limits = w->limits,
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
	r = worker_link_send(w->socket, &init, fds, ARRAY_SIZE(fds));
	for (uint32_t i = 0; !r && i < w->limits.heads; i++)
		if (!head_setting_is_default(&heads[i], &w->limits))
			r = worker_set_head(w, i, &heads[i]);
	return r;
}

int worker_start(struct worker **ret, const struct worker_setup *setup)
{
	int pair[2] = { -1, -1 };
	cleanup_fd int theirs = -1;
	struct worker *w;
	int r;

	w = calloc(1, sizeof(*w));
	if (!w)
		return -ENOMEM;
	w->event = setup->event;
	w->limits = *setup->limits;
	w->ops = setup->ops;
	w->userdata = setup->userdata;
	w->pidfd = -1;
	snprintf(w->name, sizeof(w->name), "%s", setup->name);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
		r = -errno;
		free(w);
		return r;
	}
	w->socket = pair[0];
	theirs = pair[1];
	if (fcntl(w->socket, F_SETFL, O_NONBLOCK) < 0) {
		r = -errno;
		goto fail;
	}
	r = spawn(&w->pid, setup->program, setup->debug, theirs);
	if (r < 0) {
		w->pid = 0;
		goto fail;
	}
	w->pidfd = pidfd_open(w->pid, 0);
	if (w->pidfd < 0) {
		r = -errno;
		goto fail;
	}
	r = sd_event_add_io(w->event, &w->death, w->pidfd, EPOLLIN, reap, w);
	if (r < 0)
		goto fail;
	r = sd_event_add_io(w->event, &w->messages, w->socket, EPOLLIN,
			    socket_event, w);
	if (r < 0)
		goto fail;
	r = set_deadline(w, READY_USEC, "it was not ready in time");
	if (r < 0)
		goto fail;
	r = send_init(w, setup->session, setup->heads);
	if (r < 0)
		goto fail;
	*ret = w;
	return 0;
fail:
	worker_free(w);
	return r;
}

void worker_free(struct worker *w)
{
	if (!w)
		return;
	if (w->pid) {
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
	return w->socket < 0;
}
