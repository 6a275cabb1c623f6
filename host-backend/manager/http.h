/* SPDX-License-Identifier: MIT */
/*
 * As much of an HTTP server as a meter on this host needs: one page, read by
 * GET or HEAD from a Unix socket or a loopback port, one request a connection.
 * Whoever connects is a stranger: connections, bytes and time are bounded, and
 * the oldest connection makes room for a new one.
 */
#ifndef PVGPU_HTTP_H
#define PVGPU_HTTP_H

#include <netinet/in.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <systemd/sd-event.h>

#define HTTP_CONNECTIONS_MAX	16u
#define HTTP_REQUEST_MAX	4096u	/* bytes, headers included */
#define HTTP_SECONDS_MAX	5u	/* of a connection */

struct http_address {
	union {
		struct sockaddr any;
		struct sockaddr_un path;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	};
	socklen_t size;			/* 0: none */
};

#define HTTP_ADDRESS_ALLOWED \
	"a socket's path such as /run/pvgpu/metrics, or a port of this host " \
	"itself such as 127.0.0.1:9437 or [::1]:9437"
/* -EINVAL for what is not allowed. */
int http_address_parse(struct http_address *ret, const char *text);

struct http;
struct http_request;

/* Somebody wants the page: http_reply() now, or http_later(). */
typedef void http_wanted(void *userdata, struct http_request *request);
/* The client of a reply that was to come later is gone. */
typedef void http_gone(void *pending);

struct http_page {
	const char *path;		/* such as /metrics */
	const char *type;		/* of its content */
	http_wanted *wanted;
	http_gone *gone;
	void *userdata;
};

/* Listens; the page is copied. The socket file of one that was killed is
 * replaced. 0 or -errno, -EADDRINUSE if somebody listens there. */
int http_new(struct http **ret, sd_event *event,
	     const struct http_address *address, const struct http_page *page);
/* Drops all clients and removes the socket. Accepts NULL. */
void http_free(struct http *http);

/* The reply comes later; `pending` is what `gone` is given. */
void http_later(struct http_request *request, void *pending);
/* The page's text, malloc'ed and taken over; NULL: there is none now. */
void http_reply(struct http_request *request, char *text, size_t size);

#endif
