/* SPDX-License-Identifier: MIT */
/*
 * The control socket: any number of clients (up to a bound), each with one
 * call in progress, messages of bounded size, and nothing that waits for a
 * slow one.
 */
#ifndef PVGPU_CONTROL_H
#define PVGPU_CONTROL_H

#include <systemd/sd-event.h>

#define CONTROL_MESSAGE_MAX	65536u	/* bytes, the NUL included */
#define CONTROL_CLIENTS_MAX	64u

struct control;
struct manager;

/* Listens at `path`, or on the socket that the service manager opened there
 * (CONTROL_SOCKET_NAME among what was handed over). Returns 0 or -errno. */
#define CONTROL_SOCKET_NAME "control"
int control_new(struct control **ret, struct manager *manager,
		const char *path);
/* Drops all clients and removes the socket. Accepts NULL. */
void control_free(struct control *control);

#endif
