/* SPDX-License-Identifier: MIT */
/*
 * A simulated GPU with guests of several kinds, run by the scheduler and one
 * gate a vGPU in virtual time. It checks at every step what must always hold,
 * and stops the test where it does not: work of one vGPU at a time where the
 * policy says so, bounded work in flight, no grant that nobody ends.
 */
#ifndef PVGPU_SUPPORT_SIMULATOR_H
#define PVGPU_SUPPORT_SIMULATOR_H

#include "scheduler/gate.h"
#include "scheduler/scheduler.h"

#define US 1000ull
#define MS 1000000ull
#define SEC 1000000000ull

/* For eight vGPUs; all else as it is by default. */
static inline struct sched_config config(enum sched_policy policy,
					 enum sched_order order)
{
	struct sched_config c = sched_config_default(8);

	c.policy = policy;
	c.order = order;
	return c;
}

/* Under fixed-share, one of so many. */
static inline struct sched_params share(uint32_t of)
{
	struct sched_params p = sched_params_default();

	p.share = SCHED_WHOLE / of;
	return p;
}

struct sim;

/* A guest keeps `depth` batches on the way. Each is prepared for `prepare`,
 * one after the other, is then ready, costs the GPU something between the two
 * costs, and its place is free again `think` after it was done. With `on` and
 * `off` it comes to an end and starts again. */
struct sim_guest {
	uint32_t depth;
	uint64_t cost_min, cost_max;	/* ns; even on a logarithmic scale */
	uint64_t think, prepare;
	uint64_t on, off;		/* ns; 0: always on */
	bool jitter;			/* think, on, off vary by half */
	bool silent;			/* it does nothing at all */
};

/* Since it was added, or sim_mark(). */
struct sim_figures {
	uint64_t used;			/* GPU time, by completion */
	uint64_t batches;
	uint64_t longest_wait;		/* of a ready batch for its submission */
	bool ever_unready;		/* its ring was empty once all it had
					 * in flight was done */
	bool there;
};

struct sim *sim_new(const struct sched_config *config, uint32_t seed);
void sim_free(struct sim *sim);
struct sched *sim_sched(struct sim *sim);
uint64_t sim_now(const struct sim *sim);
uint64_t sim_random(struct sim *sim, uint64_t below);
/* Messages to and grants from the scheduler, and a hand-over, take so long. */
void sim_set_latency(struct sim *sim, uint64_t message, uint64_t hop);

/* Returns its number; fails the test if the scheduler refuses. */
uint32_t sim_add(struct sim *sim, const struct sim_guest *guest,
		 const struct sched_params *params);
void sim_remove(struct sim *sim, uint32_t n);
void sim_set_guest(struct sim *sim, uint32_t n, const struct sim_guest *guest);
struct sched_vgpu *sim_vgpu(struct sim *sim, uint32_t n);
struct gate *sim_gate(struct sim *sim, uint32_t n);
/* Its worker dies, or is killed; another comes at once. */
void sim_kill(struct sim *sim, uint32_t n);
void sim_configure(struct sim *sim, const struct sched_config *config);
void sim_set(struct sim *sim, uint32_t n, const struct sched_params *params);
/* The manager looks with the watchdog every so often; 0: never. */
void sim_watch(struct sim *sim, uint64_t every);

void sim_run(struct sim *sim, uint64_t ns);
/* Counts "ever unready" and longest waits anew. */
void sim_mark(struct sim *sim);
struct sim_figures sim_figures(struct sim *sim, uint32_t n);
uint64_t sim_busy(const struct sim *sim);	/* GPU time of all */
/* Time with nothing on the GPU although a batch was ready. */
uint64_t sim_idle_ready(const struct sim *sim);
uint64_t sim_steps(const struct sim *sim);

#endif
