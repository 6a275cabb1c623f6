/* SPDX-License-Identifier: MIT */
/*
 * A listening Unix socket in the runtime directory, on the event loop: made
 * with the right mode from its first moment, removed with the object.
 */
#ifndef PVGPU_LISTENER_H
#define PVGPU_LISTENER_H

#include <systemd/sd-event.h>

struct listener;

/* `accepted` gets a non-blocking, close-on-exec descriptor, which is its own. */
typedef void listener_accepted(void *userdata, int fd);

/* -ENAMETOOLONG if the path does not fit a socket address; or -errno. */
int listener_new(struct listener **ret, sd_event *event, const char *path,
		 listener_accepted *accepted, void *userdata);
/* Accepts NULL. */
void listener_free(struct listener *listener);

#endif
