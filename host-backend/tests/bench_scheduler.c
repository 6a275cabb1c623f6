// SPDX-License-Identifier: MIT
/*
 * What a decision of the scheduler costs at 1,024 vGPUs, for `make bench`: a
 * holder's turn ends, the one that was armed begins, and the next is armed.
 * Prints one line a policy and order: its name and nanoseconds, the median of
 * some rounds.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "common/util.h"
#include "scheduler/scheduler.h"

#define VGPUS	1024u
#define TURNS	200000u
#define ROUNDS	7

static uint64_t clock_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * SCHED_SECOND + (uint64_t)t.tv_nsec;
}

static void must(int r)
{
	if (r < 0) {
		fprintf(stderr, "bench-scheduler: %d\n", r);
		exit(1);
	}
}

/* The turns one after the other, each overshooting by something. */
static uint64_t turns(struct sched *s, uint64_t *now, uint32_t count)
{
	struct sched_vgpu *holder = NULL, *v;
	uint32_t seed = 1;
	uint64_t begun = clock_ns(), guard = 0;

	while (count) {
		const struct sched_grant *g;
		struct sched_end end;

		while ((v = sched_changed(s))) {
			g = sched_grant(v);
			if (g->kind == SCHED_GRANT_SLICE && !g->armed)
				holder = v;
		}
		if (!holder) {
			*now = sched_deadline(s);
			sched_advance(s, *now);
			if (++guard > TURNS)
				must(-EDEADLK);
			continue;
		}
		g = sched_grant(holder);
		seed = seed * 1664525u + 1013904223u;
		end = (struct sched_end){
			.epoch = g->epoch,
			.began = true,
			.more = true,
			.handed = g->successor != SCHED_NOBODY,
			.used = g->budget + (seed >> 12),
		};
		*now += end.used;
		v = holder;
		holder = NULL;
		must(sched_ended(s, v, &end, *now));
		count--;
	}
	/* The last one's turn stays: it is ended by the next call. */
	while ((v = sched_changed(s)))
		;
	return clock_ns() - begun;
}

static int by_size(const void *a, const void *b)
{
	double difference = *(const double *)a - *(const double *)b;

	return difference < 0 ? -1 : difference > 0;
}

static void measure(const char *name, enum sched_policy policy,
		    enum sched_order order)
{
	struct sched_config config = sched_config_default(VGPUS);
	struct sched_params params = sched_params_default();
	double costs[ROUNDS];

	config.policy = policy;
	config.order = order;
	params.share = sched_share_of_instances(VGPUS);
	for (int i = 0; i < ROUNDS; i++) {
		uint64_t now = SCHED_SECOND;
		struct sched_vgpu *v;
		struct sched *s;

		must(sched_new(&config, &s));
		for (uint32_t n = 0; n < VGPUS; n++) {
			params.weight = 50 + n % 100;
			must(sched_add(s, &params, NULL, now, &v));
			sched_wants(s, v, now);
		}
		costs[i] = (double)turns(s, &now, TURNS) / TURNS;
		sched_free(s);
	}
	qsort(costs, ROUNDS, sizeof(costs[0]), by_size);
	printf("%s\t%.1f\n", name, costs[ROUNDS / 2]);
}

int main(void)
{
	measure("equal share, strict", SCHED_EQUAL_SHARE, SCHED_STRICT);
	measure("equal share, least served", SCHED_EQUAL_SHARE,
		SCHED_LEAST_SERVED);
	measure("fixed share, strict", SCHED_FIXED_SHARE, SCHED_STRICT);
	measure("fixed share, least served", SCHED_FIXED_SHARE,
		SCHED_LEAST_SERVED);
	return 0;
}
