/* SPDX-License-Identifier: MIT */
/*
 * The service side of Varlink (https://varlink.org): one message in, its
 * method found and its parameters checked against a table, one reply out. No
 * sockets here; control.c moves the bytes.
 */
#ifndef PVGPU_VARLINK_H
#define PVGPU_VARLINK_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include <json-c/json.h>

#include "common/util.h"

struct manager;

/* One call, from varlink_begin() to its reply. */
struct varlink_call {
	struct manager *manager;
	/* Takes the reply: `size` bytes that end in a NUL, malloc'ed, and up to
	 * FDPASS_MAX descriptors beside them; all are its own. */
	void (*send)(void *userdata, char *text, size_t size, const int *fds,
		     size_t count);
	void *userdata;
	struct ucred peer;		/* who calls, as the kernel says */

	bool busy;			/* a reply is still owed */
	bool oneway;			/* and will not be sent */
	const struct varlink_method *method;	/* NULL: none that we have */
	json_object *message;
	json_object *parameters;	/* inside message; checked */
	/* Of a handler that replies later: called if nobody wants the reply
	 * any more. */
	void (*cancel)(void *pending);
	void *pending;
};

struct varlink_parameter {
	const char *name;		/* NULL ends the table */
	enum json_type type;
	bool optional;
};

struct varlink_method {
	const char *name;		/* with the interface; NULL ends */
	const struct varlink_parameter *parameters;
	void (*handle)(struct varlink_call *call);
	bool changes;			/* who called, and how it ended, is logged */
};

/* Takes one message without its NUL. Replies now or later, once, unless the
 * call is oneway. False if the bytes were no Varlink call: the connection has
 * no use after the error that was sent. */
bool varlink_begin(struct varlink_call *call, const char *message,
		   size_t length);

/* The handler's reply. `parameters` (may be NULL: none) and fd (-1: none) are
 * taken over. */
void varlink_reply(struct varlink_call *call, json_object *parameters, int fd);
/* The same with up to FDPASS_MAX of them. */
void varlink_reply_fds(struct varlink_call *call, json_object *parameters,
		       const int *fds, size_t count);

/* An error of our interface: `name` without the interface. `field` is the
 * parameter or thing that is wrong. */
void varlink_error(struct varlink_call *call, const char *name,
		   const char *field, const char *format, ...)
	printf_like(4, 5);

/* The client is gone: cancels what is pending. */
void varlink_cancel(struct varlink_call *call);

/* Checked parameters of the call; NULL, 0 or false where an optional one is
 * absent. */
bool varlink_given(const struct varlink_call *call, const char *name);
const char *varlink_string(const struct varlink_call *call, const char *name);
int64_t varlink_int(const struct varlink_call *call, const char *name);
bool varlink_bool(const struct varlink_call *call, const char *name);

/* Adding members; each takes what it is given. */
void json_put(json_object *object, const char *name, json_object *value);
void json_put_int(json_object *object, const char *name, uint64_t value);
void json_put_string(json_object *object, const char *name, const char *value);

/* methods.c: what io.pvgpu.Manager offers. */
extern const struct varlink_method manager_methods[];

#endif
