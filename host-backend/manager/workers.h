/* SPDX-License-Identifier: MIT */
/*
 * One pvgpu-worker process: started as a child with a clean environment and
 * its socket on descriptor 3, or as an instance of a systemd unit that connects
 * to us; or taken over from an earlier pvgpud. It is given its window, asked questions that time out, killed and
 * reaped. Every message from it is checked by worker_link's table and against
 * what it may say now; one that talks nonsense is killed.
 */
#ifndef PVGPU_WORKERS_H
#define PVGPU_WORKERS_H

#include <stdbool.h>

#include <systemd/sd-event.h>

#include "broker.h"
#include "common/worker_link.h"
#include "head_setting.h"
#include "store.h"
#include "units.h"

#define WORKER_WHY_MAX 160

struct worker_ops {
	/* The worker has taken over the window. */
	void (*ready)(void *userdata);
	/* The process is reaped; the worker object is freed after this. `why`
	 * is for people. */
	void (*gone)(void *userdata, const char *why);
	/* worker_kept() is another one; see broker_ops.changed. */
	void (*changed)(void *userdata);
};

/* What the next pvgpud must know to take a worker over. */
struct worker_kept {
	pid_t pid;
	unsigned int link;		/* its WORKER_LINK_VERSION */
	bool told;			/* INIT is sent */
	bool ready;
};

struct worker;
struct worker_request;

/* The answer to a request, once: error 0 and the checked message, with an fd
 * for SCREENSHOT_DONE that carries one (the callee's, else -1); or error
 * -ETIMEDOUT or -ECONNRESET (the worker died) and message NULL. */
typedef void worker_answer(void *userdata, int error,
			   const union worker_message *message, int fd);

struct worker_setup {
	sd_event *event;
	struct store *store;
	struct units *units;		/* NULL: a child that runs `program` */
	const char *program;
	bool debug;
	const char *name;		/* of the vGPU */
	const struct vgpu_limits *limits;
	const struct gpu_device *gpu;
	const struct head_setting *heads;	/* limits->heads of them */
	const uint32_t *frame_limit;	/* mHz; 0: none */
	const struct broker_session *session;
	const int *grants;		/* WORKER_GRANT_FDS; as long as it */
	const struct worker_ops *ops;
	void *userdata;
};

/* Starts the process and sends INIT and the heads. Returns 0 or -errno. */
int worker_start(struct worker **ret, const struct worker_setup *setup);

/* Takes over a worker whose descriptors are in the store. 0, -ENOENT if there
 * is none, or -errno. `session` may be NULL: then it is killed. */
int worker_adopt(struct worker **ret, const struct worker_setup *setup,
		 const struct worker_kept *kept);
struct worker_kept worker_kept(const struct worker *worker);

/* The process `pid` of this worker's unit is connected by `socket`; both
 * descriptors are taken over. False if this worker waits for none. */
bool worker_connected(struct worker *worker, int socket, int pidfd, pid_t pid);

/* SIGKILL; `gone` follows from the event loop once it is reaped. */
void worker_kill(struct worker *worker, const char *why);

/* Kills, waits for the death, frees; requests get -ECONNRESET, `gone` is not
 * called. Accepts NULL. */
void worker_free(struct worker *worker);

pid_t worker_pid(const struct worker *worker);
bool worker_is_ready(const struct worker *worker);
/* It has no socket any more; it is dead or will be in a moment. */
bool worker_is_dying(const struct worker *worker);

/* Asks `op` (WORKER_QUERY, WORKER_TRACE_STOP or WORKER_SCREENSHOT of `head`). The answer comes
 * from the event loop, never from inside this call. -EAGAIN while the worker
 * is not ready. */
int worker_ask(struct worker *worker, enum worker_op op, uint32_t head,
	       worker_answer *answer, void *userdata,
	       struct worker_request **ret);
/* Sends a head's setting to a worker that has its INIT. 0 or -errno. */
int worker_set_head(struct worker *worker, uint32_t head,
		    const struct head_setting *setting);
/* The same of the frame-rate limit, in mHz; 0 is none. */
int worker_set_frame_limit(struct worker *worker, uint32_t limit);
/* Tells it whom to wake when it hands over to `id`; the descriptor stays the
 * caller's. 0 or -errno. */
int worker_introduce(struct worker *worker, uint32_t id, int go);
/* Has it trace into a file (common/trace.h); the descriptor stays the
 * caller's. 0 or -errno. */
int worker_trace(struct worker *worker, int fd);
/* The answer is no longer wanted. */
void worker_request_cancel(struct worker_request *request);

#endif
