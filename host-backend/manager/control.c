// SPDX-License-Identifier: MIT
/* The control socket's clients and their bytes; see control.h. */
#include "control.h"

#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "common/fdpass.h"
#include "common/log.h"
#include "common/util.h"
#include "listener.h"
#include "manager.h"
#include "varlink.h"

struct control {
	struct manager *manager;
	struct listener *listener;
	struct client *clients;
	unsigned int count;
	struct log_limit refused;
};

/* A client's messages are taken one at a time, one a turn of the loop, and
 * the next only when the reply to the last is on its way: so a client costs
 * one message and one reply of memory, whatever it does. */
struct client {
	struct control *control;
	struct client *next;
	int fd;
	sd_event_source *io;
	sd_event_source *turn;		/* enabled when there may be work */
	struct varlink_call call;
	bool ended;			/* it sends no more */
	bool last;			/* close once the reply is out */
	bool broken;			/* close now */

	char in[CONTROL_MESSAGE_MAX];
	size_t in_used;
	char *out;
	size_t out_size, out_sent;
	int out_fds[FDPASS_MAX];	/* go with the first byte */
	size_t out_fd_count;
};

static void close_fds(struct client *c)
{
	while (c->out_fd_count)
		close_fd(c->out_fds[--c->out_fd_count]);
}

static void client_free(struct client *c)
{
	struct client **at = &c->control->clients;

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	c->control->count--;
	varlink_cancel(&c->call);
	sd_event_source_disable_unref(c->io);
	sd_event_source_disable_unref(c->turn);
	close_fd(c->fd);
	close_fds(c);
	free(c->out);
	free(c);
}

/* varlink_call.send */
static void queue_reply(void *userdata, char *text, size_t size,
			const int *fds, size_t count)
{
	struct client *c = userdata;

	c->out = text;
	c->out_size = size;
	c->out_sent = 0;
	if (count)
		memcpy(c->out_fds, fds, count * sizeof(*fds));
	c->out_fd_count = count;
	if (!size)
		c->broken = true;
	sd_event_source_set_enabled(c->turn, SD_EVENT_ON);
}

static void flush(struct client *c)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int) * FDPASS_MAX)];
	} control = { 0 };
	ssize_t n;

	while (c->out && c->out_sent < c->out_size) {
		struct iovec iov = { .iov_base = c->out + c->out_sent,
				     .iov_len = c->out_size - c->out_sent };
		struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

		if (c->out_fd_count) {
			size_t size = c->out_fd_count * sizeof(int);
			struct cmsghdr *header;

			msg.msg_control = &control;
			msg.msg_controllen = CMSG_SPACE(size);
			header = CMSG_FIRSTHDR(&msg);
			header->cmsg_level = SOL_SOCKET;
			header->cmsg_type = SCM_RIGHTS;
			header->cmsg_len = CMSG_LEN(size);
			memcpy(CMSG_DATA(header), c->out_fds, size);
		}
		n = sendmsg(c->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			if (errno != EAGAIN)
				c->broken = true;
			return;
		}
		close_fds(c);
		c->out_sent += (size_t)n;
	}
	free(c->out);
	c->out = NULL;
}

static void receive(struct client *c)
{
	ssize_t n;

	/* Descriptors that a client sends are dropped by the kernel, since
	 * there is no room for them here. */
	n = recv(c->fd, c->in + c->in_used, sizeof(c->in) - c->in_used,
		 MSG_DONTWAIT);
	if (n > 0)
		c->in_used += (size_t)n;
	else if (n == 0)
		c->ended = true;
	else if (errno != EAGAIN && errno != EINTR)
		c->broken = true;
}

/* Starts the next call, if there is a whole message. */
static void take_message(struct client *c)
{
	char *end = memchr(c->in, '\0', c->in_used);
	size_t size;

	if (!end) {
		if (c->in_used < sizeof(c->in))
			return;
		c->last = true;
		c->in_used = 0;
		c->call.busy = true;
		c->call.oneway = false;
		varlink_error(&c->call, "BadMessage", "message",
			      "longer than is allowed: %u bytes with the NUL "
			      "at its end", CONTROL_MESSAGE_MAX);
		return;
	}
	size = (size_t)(end - c->in) + 1;
	if (!varlink_begin(&c->call, c->in, size - 1))
		c->last = true;
	memmove(c->in, c->in + size, c->in_used - size);
	c->in_used -= size;
}

/* Does what can be done now; the client may be gone after it. */
static void work(struct client *c)
{
	bool idle, more;
	uint32_t events = 0;

	if (!c->broken)
		flush(c);
	if (!c->broken && !c->out && !c->call.busy && !c->last) {
		take_message(c);
		if (!c->broken)
			flush(c);
	}
	idle = !c->out && !c->call.busy;
	more = memchr(c->in, '\0', c->in_used);
	if (c->broken || (idle && (c->last || (c->ended && !more)))) {
		client_free(c);
		return;
	}
	if (idle && !c->ended && c->in_used < sizeof(c->in))
		events |= EPOLLIN;
	if (c->out)
		events |= EPOLLOUT;
	sd_event_source_set_io_events(c->io, events);
	sd_event_source_set_enabled(c->turn, idle && more ? SD_EVENT_ON :
							    SD_EVENT_OFF);
}

static int client_turn(sd_event_source *source, void *userdata)
{
	(void)source;
	work(userdata);
	return 0;
}

static int client_event(sd_event_source *source, int fd, uint32_t events,
			void *userdata)
{
	struct client *c = userdata;

	(void)source;
	(void)fd;
	if (events & (EPOLLHUP | EPOLLERR) && (c->out || c->call.busy))
		c->broken = true;	/* nobody is there for the reply */
	else if (events & (EPOLLIN | EPOLLHUP | EPOLLERR) &&
		 c->in_used < sizeof(c->in))
		receive(c);
	work(c);
	return 0;
}

static void accepted(void *userdata, int fd)
{
	struct control *control = userdata;
	socklen_t size = sizeof(struct ucred);
	struct client *c;

	if (control->count >= CONTROL_CLIENTS_MAX) {
		if (log_allowed(&control->refused))
			log_warning("control: client refused: there are %u, "
				    "as many as are allowed", control->count);
		close_fd(fd);
		return;
	}
	c = malloc(sizeof(*c));
	if (!c) {
		close_fd(fd);
		return;
	}
	memset(c, 0, offsetof(struct client, in));
	c->in_used = 0;
	c->out = NULL;
	c->out_fd_count = 0;
	c->fd = fd;
	c->control = control;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &c->call.peer, &size) < 0)
		c->call.peer = (struct ucred){ .uid = (uid_t)-1,
					       .gid = (gid_t)-1 };
	c->call.manager = control->manager;
	c->call.send = queue_reply;
	c->call.userdata = c;
	c->next = control->clients;
	control->clients = c;
	control->count++;
	if (sd_event_add_io(control->manager->event, &c->io, fd, EPOLLIN,
			    client_event, c) < 0 ||
	    sd_event_add_defer(control->manager->event, &c->turn, client_turn,
			       c) < 0 ||
	    sd_event_source_set_enabled(c->turn, SD_EVENT_OFF) < 0)
		client_free(c);
}

int control_new(struct control **ret, struct manager *manager,
		const char *path)
{
	int r, fd = store_claim(manager->store, CONTROL_SOCKET_NAME, NULL);
	struct control *control;

	control = calloc(1, sizeof(*control));
	if (!control)
		return -ENOMEM;
	control->manager = manager;
	control->refused = (struct log_limit){ .burst = 3, .seconds = 10 };
	manager->control_given = fd >= 0;
	if (fd >= 0)
		r = listener_adopt(&control->listener, manager->event, fd,
				   NULL, accepted, control);
	else
		r = listener_new(&control->listener, manager->event, path,
				 accepted, control);
	if (r < 0) {
		free(control);
		return r;
	}
	*ret = control;
	return 0;
}

void control_free(struct control *control)
{
	if (!control)
		return;
	listener_free(control->listener);
	while (control->clients)
		client_free(control->clients);
	free(control);
}
