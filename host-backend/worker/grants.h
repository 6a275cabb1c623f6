/* SPDX-License-Identifier: MIT */
/*
 * The worker's side of its grants (docs/scheduler.md): the gate, and the page,
 * the board and the eventfds by which it hears and tells. Nothing reaches the
 * GPU past it.
 *
 * Threads: the renderer's, but for grants_open(), grants_close() and
 * grants_peer(), which are the ring thread's.
 */
#ifndef PVGPU_WORKER_GRANTS_H
#define PVGPU_WORKER_GRANTS_H

#include <pthread.h>
#include <time.h>

#include <pvgpu/wire.h>

#include "common/grant_page.h"
#include "common/worker_link.h"

/* The gate's channel of pictures that are read back; the guest's are counted
 * from 0. */
#define GRANTS_PICTURES	PVGPU_MAX_CHANNELS

struct grants {
	struct grant_page *page;
	struct grant_board *board;
	int bell;			/* the manager has told something, */
	int go;				/* the one before hands over: polled */
	int report_fd;			/* for us to ring */
	pthread_mutex_t lock;		/* over `peers` */
	int peers[WORKER_PEERS];	/* their `go`, by id; -1 */
	/* The renderer's thread only. */
	struct gate gate;
	struct grant_told told;		/* last heard */
	uint64_t heard;			/* its number */
	struct grant_report report;
	uint64_t reported;
	bool ring;			/* the report is news */
};

/* Takes over WORKER_GRANT_FDS descriptors, also on failure. 0 or -errno. */
int grants_open(struct grants *g, const int *fds);
void grants_close(struct grants *g);
/* Whom to wake to hand over to `id`; takes over fd. False: no such id. */
bool grants_peer(struct grants *g, uint32_t id, int fd);

/* 0 first, as the guest counts them: pictures are before all. */
void grants_set_priority(struct grants *g, uint32_t channel, uint8_t priority);
/* So many batches of the channel wait: told if it is more than it was, or only
 * if it is less. */
void grants_set_ready(struct grants *g, uint32_t channel, uint32_t count,
		      bool more);
/* The channel whose batch goes next, and now is in flight; or -EAGAIN. */
int grants_submit(struct grants *g);
/* The oldest in flight is done; returns its GPU time, ns. */
uint64_t grants_fenced(struct grants *g);
/* An eventfd was readable: hears what is new. */
void grants_hear(struct grants *g);
/* Goes on with what time has come for. */
void grants_step(struct grants *g);
/* How long nothing need be done; NULL: for ever. */
const struct timespec *grants_timeout(const struct grants *g,
				      struct timespec *room);

/* How long the manager has patience with a batch, and a bit, in ms. */
uint32_t grants_patience(const struct grants *g);

#endif
