// SPDX-License-Identifier: MIT
/* Times in bounded memory; see histogram.h. */
#include "protocol/replay/histogram.h"

/* Below 32 a slot each; above, the five bits behind the highest one. */
static uint32_t slot_of(uint64_t ns)
{
	uint32_t shift;

	if (ns < 32)
		return (uint32_t)ns;
	shift = 58u - (uint32_t)__builtin_clzll(ns);
	return (shift + 1) * 32 + (uint32_t)(ns >> shift & 31);
}

/* The most that a slot stands for. */
static uint64_t slot_end(uint32_t slot)
{
	if (slot < 32)
		return slot;
	return ((uint64_t)(slot % 32 + 33) << (slot / 32 - 1)) - 1;
}

void histogram_add(struct histogram *h, uint64_t ns)
{
	h->slots[slot_of(ns)]++;
	h->count++;
	if (ns > h->worst)
		h->worst = ns;
}

uint64_t histogram_at(const struct histogram *h, double part)
{
	uint64_t wanted = (uint64_t)(part * (double)h->count + 0.5);
	uint64_t seen = 0;

	for (uint32_t i = 0; i < HISTOGRAM_SLOTS && h->count; i++) {
		seen += h->slots[i];
		if (seen >= wanted && seen)
			return slot_end(i) < h->worst ? slot_end(i) : h->worst;
	}
	return h->worst;
}
