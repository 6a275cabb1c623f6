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
#include "store.h"

/* What one connected QEMU and its worker share; the broker's descriptors. */
struct broker_session {
	int window;			/* memfd, sealed, layout.size bytes */
	int state;			/* memfd, sealed, struct worker_state */
	int doorbells[WINDOW_VECTORS];	/* the guest rings the worker */
	int interrupts[WINDOW_VECTORS];	/* the worker rings the guest */
	pid_t qemu_pid;			/* at connect, as the kernel says; 0 */
};

/* How far it has come with the QEMU that is connected. */
enum broker_stage {
	BROKER_ALONE,			/* no QEMU */
	BROKER_GREETING,		/* in the middle of the handshake */
	BROKER_CONNECTED,
};

struct broker_ops {
	/* broker_stage() is another one, and what this process does next
	 * depends on the next one's knowing that. */
	void (*changed)(void *userdata);
	/* A QEMU has its handshake: broker_session() is not NULL. */
	void (*connected)(void *userdata);
	/* It is gone: the session's descriptors are closed already. */
	void (*disconnected)(void *userdata);
};

struct broker;

/* Listens at `path`, or goes on listening there where an earlier process did.
 * All descriptors are put into `store` before anybody depends on them. ops and userdata live as long as the broker. Returns 0,
 * -ENAMETOOLONG, -EADDRINUSE or another -errno. */
int broker_new(struct broker **ret, sd_event *event, const char *name,
	       const char *path, const struct vgpu_limits *limits,
	       struct store *store, const struct broker_ops *ops,
	       void *userdata);
/* Takes over the QEMU and its window from an earlier process that had come to
 * `stage` with it; no call to `connected`. What cannot be taken over is closed
 * and removed from the store, and broker_session() is NULL then. */
void broker_adopt(struct broker *broker, enum broker_stage stage,
		  pid_t qemu_pid);
/* Drops QEMU without a call to disconnected, removes the socket. NULL is
 * accepted. */
void broker_free(struct broker *broker);

/* The session of the QEMU that is connected now, or NULL. A QEMU that has
 * just died is noticed here first. */
const struct broker_session *broker_session(struct broker *broker);
enum broker_stage broker_stage(const struct broker *broker);
/* 0: none. */
pid_t broker_qemu_pid(const struct broker *broker);

#endif
