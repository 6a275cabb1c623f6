// SPDX-License-Identifier: MIT
/* The page's clients and their bytes; see http.h. */
#include "http.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/epoll.h>

#include "common/log.h"
#include "common/size.h"
#include "common/util.h"
#include "listener.h"

#define IGNORED_MAX 65536u

struct http {
	sd_event *event;
	struct http_page page;
	struct listener *listener;
	struct http_request *requests;	/* the newest first */
	unsigned int count;
};

/* A connection and its one request. */
struct http_request {
	struct http *http;
	struct http_request *next;
	int fd;
	sd_event_source *io;
	sd_event_source *deadline;
	bool head;			/* HEAD: no body */
	bool later;			/* the page's owner replies later */
	void *pending;
	char *out;			/* the reply, once there is one */
	size_t out_size, out_sent;
	size_t in_used;
	size_t ignored;			/* bytes behind the request */
	char in[HTTP_REQUEST_MAX];
};

/* --------------------------------------------------------------- address */

static int parse_port(in_port_t *ret, const char *text)
{
	uint64_t port;

	if (parse_number(&port, text, UINT16_MAX) || !port)
		return -EINVAL;
	*ret = htons((uint16_t)port);
	return 0;
}

int http_address_parse(struct http_address *ret, const char *text)
{
	struct http_address a = { 0 };
	const char *colon = strrchr(text, ':');
	char host[INET6_ADDRSTRLEN + 2];

	if (*text == '/') {
		if (strlen(text) >= sizeof(a.path.sun_path))
			return -EINVAL;
		a.path.sun_family = AF_UNIX;
		strcpy(a.path.sun_path, text);
		a.size = sizeof(a.path);
		*ret = a;
		return 0;
	}
	if (!colon || (size_t)(colon - text) >= sizeof(host))
		return -EINVAL;
	snprintf(host, sizeof(host), "%.*s", (int)(colon - text), text);
	if (inet_pton(AF_INET, host, &a.in.sin_addr) == 1) {
		a.in.sin_family = AF_INET;
		a.size = sizeof(a.in);
		if (ntohl(a.in.sin_addr.s_addr) >> 24 != IN_LOOPBACKNET ||
		    parse_port(&a.in.sin_port, colon + 1))
			return -EINVAL;
	} else if (!strcmp(host, "[::1]")) {
		a.in6.sin6_family = AF_INET6;
		a.in6.sin6_addr = in6addr_loopback;
		a.size = sizeof(a.in6);
		if (parse_port(&a.in6.sin6_port, colon + 1))
			return -EINVAL;
	} else {
		return -EINVAL;
	}
	*ret = a;
	return 0;
}

/* --------------------------------------------------------------- replies */

static void drop(struct http_request *r)
{
	struct http_request **at = &r->http->requests;

	while (*at != r)
		at = &(*at)->next;
	*at = r->next;
	r->http->count--;
	if (r->later)
		r->http->page.gone(r->pending);
	sd_event_source_disable_unref(r->io);
	sd_event_source_disable_unref(r->deadline);
	close_fd(r->fd);
	free(r->out);
	free(r);
}

/* Sends what can be sent now. When all is out the connection lasts until the
 * client has closed it too: what it may still send must not reset it before
 * it has read the reply. */
static void flush(struct http_request *r)
{
	while (r->out && r->out_sent < r->out_size) {
		ssize_t n = send(r->fd, r->out + r->out_sent,
				 r->out_size - r->out_sent,
				 MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EAGAIN) {
			drop(r);
			return;
		}
		if (n < 0)
			break;
		r->out_sent += (size_t)n;
	}
	if (r->out_sent < r->out_size) {
		sd_event_source_set_io_events(r->io, EPOLLOUT);
		return;
	}
	shutdown(r->fd, SHUT_WR);
	sd_event_source_set_io_events(r->io, EPOLLIN);
}

static void answer(struct http_request *r, const char *status,
		   const char *type, const char *body, size_t size)
{
	cleanup_free char *head = NULL;
	int n = asprintf(&head, "HTTP/1.1 %s\r\nContent-Type: %s\r\n"
			 "Content-Length: %zu\r\nConnection: close\r\n"
			 "Cache-Control: no-store\r\n%s\r\n", status, type,
			 size, strncmp(status, "405", 3) ? "" :
			 "Allow: GET, HEAD\r\n");

	if (n < 0) {
		head = NULL;
		drop(r);
		return;
	}
	if (r->head)
		size = 0;
	r->out = malloc((size_t)n + size);
	if (!r->out) {
		drop(r);
		return;
	}
	memcpy(r->out, head, (size_t)n);
	if (size)
		memcpy(r->out + n, body, size);
	r->out_size = (size_t)n + size;
	flush(r);
}

static void refuse(struct http_request *r, const char *status,
		   const char *text)
{
	answer(r, status, "text/plain; charset=utf-8", text, strlen(text));
}

void http_later(struct http_request *r, void *pending)
{
	r->later = true;
	r->pending = pending;
	/* One who says no more may still wait for the reply. */
	sd_event_source_set_io_events(r->io, 0);
}

void http_reply(struct http_request *r, char *text, size_t size)
{
	r->later = false;
	if (text)
		answer(r, "200 OK", r->http->page.type, text, size);
	else
		refuse(r, "503 Service Unavailable", "no memory for it now\n");
	free(text);
}

/* -------------------------------------------------------------- requests */

/* The request is whole; the client may be gone after it. */
static void serve(struct http_request *r)
{
	const struct http_page *page = &r->http->page;
	char *line = r->in, *method, *path, *version, *query;
	char text[64];

	line[strcspn(line, "\r\n")] = '\0';
	method = strsep(&line, " ");
	path = line ? strsep(&line, " ") : NULL;
	version = line;
	if (!version || strncmp(version, "HTTP/1.", 7)) {
		refuse(r, "400 Bad Request", "not an HTTP/1 request\n");
		return;
	}
	r->head = !strcmp(method, "HEAD");
	if (!r->head && strcmp(method, "GET")) {
		refuse(r, "405 Method Not Allowed",
		       "allowed are GET and HEAD\n");
		return;
	}
	query = strchr(path, '?');
	if (query)
		*query = '\0';
	if (strcmp(path, page->path)) {
		snprintf(text, sizeof(text), "there is only %s\n", page->path);
		refuse(r, "404 Not Found", text);
		return;
	}
	page->wanted(page->userdata, r);
}

static void receive(struct http_request *r)
{
	char rest[512];
	ssize_t n;

	if (r->out) {
		n = recv(r->fd, rest, sizeof(rest), MSG_DONTWAIT);
		r->ignored += n > 0 ? (size_t)n : 0;
		if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR) ||
		    r->ignored > IGNORED_MAX)
			drop(r);
		return;
	}
	n = recv(r->fd, r->in + r->in_used, sizeof(r->in) - 1 - r->in_used,
		 MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		drop(r);
		return;
	}
	r->in_used += (size_t)n;
	r->in[r->in_used] = '\0';
	if (memmem(r->in, r->in_used, "\r\n\r\n", 4) ||
	    memmem(r->in, r->in_used, "\n\n", 2))
		serve(r);
	else if (r->in_used == sizeof(r->in) - 1)
		refuse(r, "431 Request Header Fields Too Large",
		       "a request of 4095 bytes is allowed\n");
}

static int request_event(sd_event_source *source, int fd, uint32_t events,
			 void *userdata)
{
	struct http_request *r = userdata;

	(void)source;
	(void)fd;
	if (r->out && r->out_sent < r->out_size)
		flush(r);
	else if (r->later && events & (EPOLLHUP | EPOLLERR))
		drop(r);
	else
		receive(r);
	return 0;
}

static int too_late(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)source;
	(void)usec;
	drop(userdata);
	return 0;
}

static void accepted(void *userdata, int fd)
{
	struct http *h = userdata;
	struct http_request *r = calloc(1, sizeof(*r)), *oldest;

	if (!r) {
		close_fd(fd);
		return;
	}
	if (h->count == HTTP_CONNECTIONS_MAX) {
		for (oldest = h->requests; oldest->next; oldest = oldest->next)
			;
		drop(oldest);
	}
	r->http = h;
	r->fd = fd;
	r->next = h->requests;
	h->requests = r;
	h->count++;
	if (sd_event_add_io(h->event, &r->io, fd, EPOLLIN, request_event,
			    r) < 0 ||
	    sd_event_add_time_relative(h->event, &r->deadline, CLOCK_MONOTONIC,
				       HTTP_SECONDS_MAX * 1000000ull, 0,
				       too_late, r) < 0)
		drop(r);
}

/* ---------------------------------------------------------------- socket */

/* Whether nobody listens at a socket file any more. */
static bool is_dead(const struct http_address *a)
{
	cleanup_fd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK |
					    SOCK_CLOEXEC, 0);

	return fd >= 0 && connect(fd, &a->any, a->size) < 0 &&
	       errno == ECONNREFUSED;
}

static int bind_path(const struct http_address *a)
{
	const char *path = a->path.sun_path;
	int fd = listener_bind(path, SOCK_STREAM, 0600);

	if (fd != -EADDRINUSE || !is_dead(a))
		return fd;
	unlink(path);
	return listener_bind(path, SOCK_STREAM, 0600);
}

static int bind_port(const struct http_address *a)
{
	static const int one = 1;
	cleanup_fd int fd = socket(a->any.sa_family, SOCK_STREAM |
				   SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	/* Not refused for the last one's connections. */
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, &a->any, a->size) < 0 || listen(fd, SOMAXCONN) < 0)
		return -errno;
	return take_fd(&fd);
}

int http_new(struct http **ret, sd_event *event,
	     const struct http_address *address, const struct http_page *page)
{
	bool path = address->any.sa_family == AF_UNIX;
	struct http *h;
	int r, fd = path ? bind_path(address) : bind_port(address);

	if (fd < 0)
		return fd;
	h = calloc(1, sizeof(*h));
	if (!h) {
		close_fd(fd);
		return -ENOMEM;
	}
	h->event = event;
	h->page = *page;
	r = listener_adopt(&h->listener, event, fd,
			   path ? address->path.sun_path : NULL, accepted, h);
	if (r < 0) {
		free(h);
		return r;
	}
	*ret = h;
	return 0;
}

void http_free(struct http *h)
{
	if (!h)
		return;
	listener_free(h->listener);
	while (h->requests)
		drop(h->requests);
	free(h);
}
