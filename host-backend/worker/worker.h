/* SPDX-License-Identifier: MIT */
/*
 * Everything that a worker is: the vGPU that it serves, what it holds of the
 * guest's, and where it is in its work. One of them a process.
 *
 * Threads: this is the ring thread's. Nothing in it waits for anything but the
 * next event, and whatever may take long is done in pieces, or by the renderer
 * (renderer.h), which has a thread of its own once there is something to
 * render.
 */
#ifndef PVGPU_WORKER_WORKER_H
#define PVGPU_WORKER_WORKER_H

#include "attach.h"
#include "channel.h"
#include "common/log.h"
#include "common/window.h"
#include "common/worker_link.h"
#include "control.h"
#include "deferred.h"
#include "grants.h"
#include "heads.h"
#include "ledger.h"
#include "limiter.h"
#include "present.h"
#include "queue.h"
#include "resource.h"
#include "trace.h"
#include "virgl.h"

struct worker_statistics {
	uint64_t messages;		/* control messages taken */
	uint64_t refused;
	uint64_t batches;
	uint64_t gpu_time;		/* ns */
	uint64_t doorbells;
	uint64_t interrupts;
};

struct worker {
	/* Given by the manager, once. */
	char name[65];
	struct vgpu_limits limits;
	struct gpu_device gpu;		/* to render on */
	struct window_layout layout;
	uint8_t *window;		/* layout.size bytes, shared */
	struct worker_state *kept;	/* the state page */
	int link;			/* to the manager */
	bool link_watched;		/* for requests */
	int epoll;
	int doorbells[WINDOW_VECTORS];	/* the guest rings */
	int vectors[WINDOW_VECTORS];	/* ring the guest */
	struct grants grants;		/* of GPU time */

	/* The guest. */
	struct attachment attachment;
	struct ledger ledger;
	struct resource_table resources;
	struct heads heads;
	struct virgl virgl;
	struct channel channels[PVGPU_MAX_CHANNELS];
	struct queue queues[PVGPU_MAX_CHANNELS + 2];
	struct deferred deferred[DEFERRED_MAX];
	uint32_t deferred_count;
	uint32_t flips_held;		/* of them, until they are due */
	struct limiter limiter;
	uint32_t control_held;		/* bytes of a request to be retried */
	uint32_t next_channel;		/* whose turn it is, from 0 */
	uint32_t events_pending;	/* heads */
	uint32_t interrupts_owed;	/* vectors */
	struct log_limit guest_log;	/* for lines that a guest can provoke */

	/* The viewers. */
	struct present present;

	char renderer[128];		/* GL_RENDERER; "": none started */
	struct worker_statistics statistics;
	struct trace trace;
	/* Private copies of the messages in hand. */
	uint64_t control_message[PVGPU_MESSAGE_MAX / 8];
	uint64_t channel_message[PVGPU_MESSAGE_MAX / 8];
};

/* Takes what WORKER_INIT brought: maps the window and makes the tables. fds
 * are WORKER_INIT_FDS many, the worker's from here on, also on failure. The
 * guest is not looked at before attach_start(). 0 or -errno. */
int worker_init(struct worker *w, const struct worker_init *init,
		const int *fds);
/* Serves the manager on this socket; the worker's from here on if 0. */
int worker_watch_link(struct worker *w, int link);
/* Hears of what w->virgl.renderer has done. */
int worker_watch_renderer(struct worker *w);
void worker_finish(struct worker *w);

/* Waits, at most timeout_ms (-1: for ever), for events and serves them and
 * what is pending. 0; -EPIPE when the manager has gone; or -errno. */
int worker_turn(struct worker *w, int timeout_ms);

/* What GL says that it renders with, for `pvgpuctl show`; NULL: none is
 * started any more. The ring thread only. */
void worker_name_renderer(struct worker *w, const char *renderer);

static inline struct queue *worker_event_queue(struct worker *w)
{
	return &w->queues[w->limits.channels + 1];
}

#endif
