/* SPDX-License-Identifier: MIT */
/* Times in bounded memory: to 3 % each, the longest exactly. Begins zeroed. */
#ifndef PVGPU_REPLAY_HISTOGRAM_H
#define PVGPU_REPLAY_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_SLOTS 2048u		/* 32 for each power of two */

struct histogram {
	uint64_t count;
	uint64_t worst;			/* ns */
	uint64_t slots[HISTOGRAM_SLOTS];
};

void histogram_add(struct histogram *h, uint64_t ns);
/* What part of them, 0 to 1, took at most so long, ns; 0 where none are. */
uint64_t histogram_at(const struct histogram *h, double part);

#endif
