/* SPDX-License-Identifier: MIT */
/*
 * A listening Unix socket in the runtime directory, on the event loop: made
 * with the right mode from its first moment, removed with the object.
 */
#ifndef PVGPU_LISTENER_H
#define PVGPU_LISTENER_H

#include <sys/types.h>

#include <systemd/sd-event.h>

struct listener;

/* `accepted` gets a non-blocking, close-on-exec descriptor, which is its own. */
typedef void listener_accepted(void *userdata, int fd);

/* -ENAMETOOLONG if the path does not fit a socket address; or -errno. */
int listener_new(struct listener **ret, sd_event *event, const char *path,
		 listener_accepted *accepted, void *userdata);
/* Gives a socket in the file system to this process's user and to `group`, who
 * may then connect (mode 0660); (gid_t)-1: to the user alone. 0 or -errno. */
int socket_share(const char *path, gid_t group);
/* As above with a listening socket that was made before; takes over fd, also
 * on failure. With `path` NULL the name is somebody else's to remove. */
int listener_adopt(struct listener **ret, sd_event *event, int fd,
		   const char *path, listener_accepted *accepted,
		   void *userdata);
/* A socket of this type (SOCK_STREAM, SOCK_SEQPACKET) that listens at `path`,
 * or -errno. */
int listener_bind(const char *path, int type, mode_t mode);
int listener_fd(const struct listener *listener);
/* Accepts NULL. */
void listener_free(struct listener *listener);

#endif
