/* SPDX-License-Identifier: MIT */
/*
 * The ivshmem server of one vGPU (QEMU's docs/specs/ivshmem-spec): listens on
 * the vGPU's socket, gives each QEMU that connects a fresh window and fresh
 * eventfds with the whole handshake at once, and notices when it leaves.
 * Nothing here reads the window; the one page that is written, the
 * information page, is mapped for that moment only.
 */
#ifndef PVGPU_BROKER_H
#define PVGPU_BROKER_H

#include <sys/types.h>

#include <systemd/sd-event.h>

#include "common/window.h"

/* What one connected QEMU and its worker share; the broker's descriptors. */
struct broker_session {
	int window;			/* memfd, sealed, layout.size bytes */
	int state;			/* memfd, sealed, struct worker_state */
	int doorbells[WINDOW_VECTORS];	/* the guest rings the worker */
	int interrupts[WINDOW_VECTORS];	/* the worker rings the guest */
	pid_t qemu_pid;			/* at connect, as the kernel says; 0 */
};

struct broker_ops {
	/* A QEMU has its handshake: broker_session() is not NULL. */
	void (*connected)(void *userdata);
	/* It is gone: the session's descriptors are closed already. */
	void (*disconnected)(void *userdata);
};

struct broker;

/* Listens at `path`. ops and userdata live as long as the broker. Returns 0,
 * -ENAMETOOLONG, -EADDRINUSE or another -errno. */
int broker_new(struct broker **ret, sd_event *event, const char *name,
	       const char *path, const struct vgpu_limits *limits,
	       const struct broker_ops *ops, void *userdata);
/* Drops QEMU without a call to disconnected, removes the socket. NULL is
 * accepted. */
void broker_free(struct broker *broker);

/* The session of the QEMU that is connected now, or NULL. A QEMU that has
 * just died is noticed here first. */
const struct broker_session *broker_session(struct broker *broker);

#endif
