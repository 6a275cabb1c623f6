/* SPDX-License-Identifier: MIT */
/*
 * Between pvgpud and one pvgpu-worker: a SOCK_SEQPACKET pair, one message a
 * datagram, descriptors beside it, and the state page. Both are ours and of
 * one build, but the worker handles hostile bytes: the manager checks every
 * message of a worker against the table in worker_link.c (size, descriptors)
 * before a handler runs, and believes nothing else.
 */
#ifndef PVGPU_WORKER_LINK_H
#define PVGPU_WORKER_LINK_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <pvgpu/wire.h>

#include "gpu.h"
#include "limits.h"
#include "window.h"

#define WORKER_LINK_VERSION	7u
#define WORKER_LINK_FD		3	/* where a worker finds its socket */
#define WORKER_EXIT_STUCK	3	/* its renderer does not end a batch */

enum worker_op {
	/* manager to worker */
	WORKER_INIT = 1,	/* first, once; see struct worker_init */
	WORKER_SCREENSHOT,	/* answered by SCREENSHOT_DONE */
	WORKER_QUERY,		/* answered by QUERY_DONE */
	WORKER_HEAD_SET,	/* not answered */
	WORKER_TRACE,		/* not answered; with one fd */
	WORKER_TRACE_STOP,	/* answered by TRACE_DONE */
	WORKER_FRAME_LIMIT,	/* not answered */
	WORKER_PEER,		/* not answered; with one fd */
	/* worker to manager */
	WORKER_READY,		/* INIT is done and the sandbox is shut */
	WORKER_SCREENSHOT_DONE,	/* with one fd where error is 0 */
	WORKER_QUERY_DONE,
	WORKER_TRACE_DONE,
	WORKER_OP_COUNT,
};

struct worker_header {
	uint32_t op;
	uint32_t cookie;	/* of a request, given back in its answer */
};

/* The descriptors of grants (grant_page.h), in this order. */
enum {
	WORKER_GRANT_PAGE,		/* memfds */
	WORKER_GRANT_BOARD,
	WORKER_GRANT_BELL,		/* eventfds: the manager wakes the worker, */
	WORKER_GRANT_GO,		/* another worker does, */
	WORKER_GRANT_REPORT,		/* the worker wakes the manager */
	WORKER_GRANT_FDS,
};

/* Descriptors: window memfd, state page memfd, WINDOW_VECTORS eventfds that
 * the guest rings (doorbells), WINDOW_VECTORS eventfds that ring the guest,
 * and those of grants. */
#define WORKER_INIT_OUTLIVES	1u	/* flag: do not die with the parent */
#define WORKER_INIT_GRANTS (2 + 2 * WINDOW_VECTORS)
#define WORKER_INIT_FDS (WORKER_INIT_GRANTS + WORKER_GRANT_FDS)
struct worker_init {
	struct worker_header header;
	uint32_t version;		/* WORKER_LINK_VERSION */
	uint32_t head_sets;		/* messages HEAD_SET that follow at once,
					 * to be heeded before the guest */
	uint32_t flags;
	uint32_t frame_limit;		/* until another comes; see below */
	char name[64];			/* of the vGPU, for logs */
	struct vgpu_limits limits;
	struct gpu_device gpu;		/* to render on */
};

/* What is plugged into a head from now on; the guest is told if it is there.
 * The manager has checked all of it. */
#define WORKER_EDID_MAX	1024u
struct worker_head_set {
	struct worker_header header;
	uint32_t head;
	uint32_t serial;		/* another one after every change */
	uint32_t connected;
	uint32_t width;			/* preferred mode */
	uint32_t height;
	uint32_t refresh;		/* mHz */
	uint32_t edid_size;		/* bytes, blocks of 128; 0: make one */
	uint32_t reserved;
	uint8_t edid[WORKER_EDID_MAX];
};

/* How many frames a head may show. */
struct worker_frame_limit {
	struct worker_header header;
	uint32_t limit;			/* mHz; 0: as many as it can */
	uint32_t reserved;
};

/* Whose turn may come after this worker's: its `go` eventfd, in place of what
 * was sent for this id before. */
#define WORKER_PEERS	128u
struct worker_peer {
	struct worker_header header;
	uint32_t id;			/* sched_id(), below WORKER_PEERS */
	uint32_t reserved;
};

struct worker_ready {
	struct worker_header header;
};

/* The fd is a memfd for a struct trace_file, to be written to until it is told
 * to stop, from where the file says on. */
struct worker_trace {
	struct worker_header header;
};

struct worker_trace_stop {
	struct worker_header header;
};

/* The file is not written to any more. */
struct worker_trace_done {
	struct worker_header header;
};

struct worker_screenshot {
	struct worker_header header;
	uint32_t head;
	uint32_t reserved;
};

/* The fd is a memfd, sealed against every change, of stride * height bytes,
 * XRGB8888 little-endian. error is an errno value: ENODEV no such head,
 * ENODATA the head is dark. */
struct worker_screenshot_done {
	struct worker_header header;
	int32_t error;
	uint32_t width;
	uint32_t height;
	uint32_t stride;
	uint64_t frame;			/* the guest's number of it */
};

struct worker_query {
	struct worker_header header;
};

struct worker_head_state {
	uint32_t active;
	uint32_t width;
	uint32_t height;
	uint32_t refresh;		/* mHz */
	uint64_t frames;		/* latched since the worker started */
};

struct worker_query_done {
	struct worker_header header;
	uint32_t state;			/* PVGPU_STATE_* */
	uint32_t generation;
	uint32_t guest_os;		/* PVGPU_GUEST_*, as the guest says */
	uint32_t driver_version;
	char driver_name[33];		/* printable, NUL-terminated */
	char os_name[65];
	char renderer[128];		/* GL_RENDERER; "": none started */
	uint8_t reserved[2];
	uint32_t resources;
	uint32_t channels;		/* open */
	uint64_t window_used;		/* bytes of VRAM behind resources */
	uint64_t window_peak;
	uint64_t device_used;
	uint64_t device_peak;
	uint64_t device_surfaces;	/* of device_used, by what it is for */
	uint64_t device_contexts;
	uint64_t device_objects;
	uint64_t device_shaders;
	uint64_t messages;		/* control messages taken */
	uint64_t refused;		/* of them, answered with a bad status */
	uint64_t batches;		/* submissions completed */
	uint64_t gpu_time;		/* ns that they took on the GPU */
	uint64_t doorbells;		/* wake-ups by the guest */
	uint64_t interrupts;		/* sent to the guest */
	struct worker_head_state heads[PVGPU_MAX_HEADS];
};

/*
 * The state page, a memfd shared by the manager and the vGPU's workers, one
 * after the other; never the guest's. Written by the worker; it is what a
 * replacement must know (protocol law: generation and nonce live in the
 * host's private memory).
 */
struct worker_state {
	uint64_t nonce;			/* last answered */
	uint32_t generation;		/* last used; 0: none yet */
	uint32_t reserved;
};

/* Size of an op's message and the descriptors that come with it. */
struct worker_link_op {
	const char *name;
	size_t size;
	size_t min_fds;
	size_t max_fds;
};
extern const struct worker_link_op worker_link_ops[WORKER_OP_COUNT];

union worker_message {
	struct worker_header header;
	struct worker_init init;
	struct worker_head_set head_set;
	struct worker_frame_limit frame_limit;
	struct worker_peer peer;
	struct worker_ready ready;
	struct worker_screenshot screenshot;
	struct worker_screenshot_done screenshot_done;
	struct worker_trace trace;
	struct worker_trace_stop trace_stop;
	struct worker_trace_done trace_done;
	struct worker_query query;
	struct worker_query_done query_done;
};

/* Sends a message of header.op's size; the descriptors stay the caller's. */
int worker_link_send(int socket, const void *message, const int *fds,
		     size_t count);
/* Receives one message that fits the table; fds become the caller's. Returns
 * its size, 0 at the end, -EPROTO (nothing kept) or -errno. */
ssize_t worker_link_receive(int socket, union worker_message *message,
			    int *fds, size_t *ret_count);

#endif
