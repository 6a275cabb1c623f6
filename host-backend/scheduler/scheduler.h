/* SPDX-License-Identifier: MIT */
/*
 * Who may use one physical GPU, and for how long: the half of the scheduler
 * that the manager runs. The other half, a gate a vGPU (gate.h), runs where
 * batches are submitted and completed, and asks this one only when turns
 * change. The algorithm is in docs/scheduler.md.
 *
 * No I/O, no clock, no threads: every call says what time it is. Time is
 * nanoseconds of one monotonic clock, and a call with an earlier time than the
 * one before counts as the same time. Not thread-safe: one thread a GPU.
 *
 * Calls change grants. After each call take the vGPUs whose grants changed
 * with sched_changed(), and publish sched_grant() of each; call
 * sched_advance() at sched_deadline() at the latest.
 *
 * Errors are negative errno values. Memory is allocated by sched_new() and
 * sched_add() only, so that nothing else can fail for want of it.
 */
#ifndef PVGPU_SCHEDULER_H
#define PVGPU_SCHEDULER_H

#include <stddef.h>

#include "grant.h"

struct sched;
struct sched_vgpu;

enum sched_policy {
	SCHED_BEST_EFFORT,		/* all at once, work in flight bounded */
	SCHED_EQUAL_SHARE,		/* by weight, among those that work */
	SCHED_FIXED_SHARE,		/* each its share of the GPU, always */
};

enum sched_order {
	SCHED_STRICT,			/* round-robin, overshoot paid back */
	SCHED_LEAST_SERVED,
};

#define SCHED_MS		1000000ull
#define SCHED_SECOND		1000000000ull
#define SCHED_SLICE_MIN		(1 * SCHED_MS)
#define SCHED_SLICE_MAX		(30 * SCHED_MS)
#define SCHED_FREQUENCY_MIN	63u	/* Hz; a slice is one period */
#define SCHED_FREQUENCY_MAX	960u
#define SCHED_FACTOR_MIN	1u
#define SCHED_FACTOR_MAX	60u
#define SCHED_FACTOR_DEFAULT	33u
#define SCHED_WEIGHT_MAX	1000u
#define SCHED_WEIGHT_DEFAULT	100u
#define SCHED_BORROW_MIN	100u	/* percent of the share: none */
#define SCHED_BORROW_MAX	3200u
#define SCHED_WHOLE		1000000000u	/* shares are parts of it */
#define SCHED_WATCHDOG_MIN	(10 * SCHED_MS)
#define SCHED_WATCHDOG_MAX	(60 * SCHED_SECOND)
#define SCHED_WATCHDOG_DEFAULT	(2 * SCHED_SECOND)
#define SCHED_VGPUS_MAX		4096u

struct sched_config {
	enum sched_policy policy;
	enum sched_order order;
	uint64_t slice;			/* ns; least served */
	uint32_t frequency;		/* Hz; strict */
	uint32_t factor;		/* averaging factor; strict */
};

/* What a GPU that holds up to `vgpus` has unless told otherwise: best effort;
 * 2 ms and 480 Hz for up to 8, 1 ms and 960 Hz for more; factor 33. */
struct sched_config sched_config_default(uint32_t vgpus);

struct sched_params {
	uint32_t weight;		/* 1 to SCHED_WEIGHT_MAX; equal share:
					 * a turn is weight / default slices */
	uint32_t share;			/* 1 to SCHED_WHOLE; fixed share */
	uint32_t borrow;		/* percent of the share that it may have
					 * in all while others are idle */
	uint64_t watchdog;		/* ns; longest batch */
};

struct sched_params sched_params_default(void);
/* A fixed share: one of `instances`, or as much as memory; never 0. */
uint32_t sched_share_of_instances(uint32_t instances);
uint32_t sched_share_of_memory(uint64_t framebuffer, uint64_t gpu_memory);

/* NULL, or which value is wrong and what is allowed, for people. */
const char *sched_config_wrong(const struct sched_config *config);
const char *sched_params_wrong(const struct sched_params *params);

/* -EINVAL: config is wrong; -ENOMEM. The caller's, to be freed. */
int sched_new(const struct sched_config *config, struct sched **ret);
/* Frees all vGPUs too; accepts NULL. */
void sched_free(struct sched *s);
const struct sched_config *sched_config(const struct sched *s);
/* Takes effect within a round. A change of policy or order revokes what is
 * granted and forgets debts. -EINVAL; -ENOSPC: fixed share, and the shares are
 * more than the GPU. On failure nothing is changed. */
int sched_configure(struct sched *s, const struct sched_config *config,
		    uint64_t now);

/* A vGPU that is running; valid until sched_remove(). `owner` is handed back
 * by sched_owner(). -EINVAL, -ENOSPC as above or too many, -ENOMEM. */
int sched_add(struct sched *s, const struct sched_params *params, void *owner,
	      uint64_t now, struct sched_vgpu **ret);
/* Right after sched_add(): its gate knows `epoch` as the last one that an
 * earlier scheduler has given it, and if `granted` may hold that grant. It is
 * revoked, and not charged. */
void sched_adopt(struct sched *s, struct sched_vgpu *v, uint32_t epoch,
		 bool granted, uint64_t now);
/* Its worker is gone (or sched_lost() was called); frees it. */
void sched_remove(struct sched *s, struct sched_vgpu *v, uint64_t now);
int sched_set(struct sched *s, struct sched_vgpu *v,
	      const struct sched_params *params, uint64_t now);
const struct sched_params *sched_params(const struct sched_vgpu *v);
void *sched_owner(const struct sched_vgpu *v);
/* Its number, as in sched_grant.successor, below SCHED_VGPUS_MAX + 1. */
uint32_t sched_id(const struct sched_vgpu *v);

/* ------------------------------------------------------- from the gates */

/* It has a batch ready and no grant, or its grant is lent. Again is nothing. */
void sched_wants(struct sched *s, struct sched_vgpu *v, uint64_t now);
/* It has none any more, and no grant. */
void sched_idles(struct sched *s, struct sched_vgpu *v, uint64_t now);
/* It holds the GPU with nothing in flight, and prepares its next batch. */
void sched_yields(struct sched *s, struct sched_vgpu *v, uint32_t epoch,
		  uint64_t now);
/* -ESTALE: not its grant (a former worker's); nothing is changed. */
int sched_ended(struct sched *s, struct sched_vgpu *v,
		const struct sched_end *end, uint64_t now);
/* Its worker has died or was killed, and with it all it had in flight; `used`
 * is what its grant had used. It may want again, with the next worker. */
void sched_lost(struct sched *s, struct sched_vgpu *v, uint64_t used,
		uint64_t now);

/* ----------------------------------------------------------- to the gates */

const struct sched_grant *sched_grant(const struct sched_vgpu *v);
/* One whose grant changed since it was last returned, or NULL. */
struct sched_vgpu *sched_changed(struct sched *s);
uint64_t sched_deadline(const struct sched *s);
void sched_advance(struct sched *s, uint64_t now);

/* --------------------------------------------------------------- watchdog */

/* What a gate publishes of the batch that the GPU is at. */
struct sched_running {
	bool in_flight;
	uint32_t channel;
	uint64_t since;			/* submitted, and the one before done */
};

#define SCHED_NO_CHANNEL	UINT32_MAX

/* Tells what a gate publishes. */
void sched_note_running(struct sched *s, struct sched_vgpu *v,
			const struct sched_running *running);
/* Whose worker is to be killed, for a batch that takes too long or because it
 * does not give back what was revoked; NULL: nobody's. Ask some times a
 * watchdog's length, having told what all that have a grant are at: of those
 * in flight together the oldest is at fault, and the others' time begins anew.
 * Kill it, reap it, call sched_lost(), and ask again. It was counted a strike:
 * from the second within SCHED_FORGIVEN on the vGPU is held back for 1 s, 2 s,
 * ... SCHED_PENALTY_MAX. *ret_channel is the one at fault, or
 * SCHED_NO_CHANNEL. */
#define SCHED_FORGIVEN		(60 * SCHED_SECOND)
#define SCHED_PENALTY_MAX	(60 * SCHED_SECOND)
struct sched_vgpu *sched_overdue(struct sched *s, uint64_t now,
				 uint32_t *ret_channel);

/* What a vGPU that leaves did, for when it comes back: a guest that powers off
 * is not forgiven for it. */
struct sched_past {
	uint32_t strikes, channel_at_fault;
	uint64_t last_strike, penalty, held_until;
};
struct sched_past sched_past(const struct sched_vgpu *v);
/* Right after sched_add(). */
void sched_recall(struct sched *s, struct sched_vgpu *v,
		  const struct sched_past *past, uint64_t now);

/* ----------------------------------------------------------------- figures */

enum sched_state {
	SCHED_STATE_IDLE, SCHED_STATE_WAITING, SCHED_STATE_ARMED,
	SCHED_STATE_RUNNING, SCHED_STATE_LENDING, SCHED_STATE_BORROWING,
	SCHED_STATE_DRAINING, SCHED_STATE_HELD_BACK,
};

/* Sums since sched_add(), in ns of GPU time where nothing else is said. */
struct sched_figures {
	enum sched_state state;
	uint32_t entitlement;		/* of SCHED_WHOLE; 0: best effort */
	uint64_t used;			/* all */
	uint64_t charged;		/* of it, what counts for its share */
	uint64_t borrowed;		/* of it, in others' time */
	uint64_t lent_time;		/* others', in its own */
	uint64_t worth;			/* of its turns, before paying back */
	uint64_t unused;		/* of them, left by it */
	uint64_t overshoot;		/* strict: to be paid back */
	uint64_t held;			/* time that turns lasted */
	uint64_t waited;		/* of that, for a next batch */
	uint64_t turns, loans, lent;	/* numbers; lent: to others */
	uint64_t waits, wait, wait_max;	/* for turns: number, times */
	uint32_t strikes, channel_at_fault;
	uint64_t held_until;		/* held back; else 0 */
};

/* charged == worth - unused + overshoot, exactly, in strict order without
 * changes of policy. */
struct sched_figures sched_figures(const struct sched *s,
				   const struct sched_vgpu *v);
const char *sched_state_name(enum sched_state state);

#endif
