/* SPDX-License-Identifier: MIT */
/*
 * A binary heap of vGPUs that knows where each one is, so that any can leave
 * in O(log n). Keys are compared by signed difference: they may wrap, as long
 * as all that are in the heap are within half the range.
 */
#ifndef PVGPU_SCHEDULER_HEAP_H
#define PVGPU_SCHEDULER_HEAP_H

#include <stdbool.h>
#include <stdint.h>

struct heap_item {
	uint64_t key;			/* smallest first, */
	uint32_t slot;			/* then the smaller slot */
};

struct heap {
	struct heap_item *items;
	uint32_t *at;			/* by slot: index + 1; 0: not there */
	uint32_t count, capacity;
};

/* Room for slots below capacity; 0 or -ENOMEM, when nothing is changed. */
int heap_reserve(struct heap *h, uint32_t capacity);
void heap_free(struct heap *h);
void heap_clear(struct heap *h);
/* It must not be there. */
void heap_push(struct heap *h, uint32_t slot, uint64_t key);
/* Nothing if it is not there. */
void heap_remove(struct heap *h, uint32_t slot);

static inline bool heap_has(const struct heap *h, uint32_t slot)
{
	return h->at[slot];
}

/* The first item, or NULL. */
static inline const struct heap_item *heap_top(const struct heap *h)
{
	return h->count ? &h->items[0] : 0;
}

#endif
