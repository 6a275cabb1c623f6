// SPDX-License-Identifier: MIT
/* A heap of vGPUs; see heap.h. */
#include "heap.h"

#include <string.h>

#include "common/util.h"

int heap_reserve(struct heap *h, uint32_t capacity)
{
	struct heap_item *items;
	uint32_t *at;

	if (capacity <= h->capacity)
		return 0;
	items = realloc(h->items, capacity * sizeof(*items));
	if (!items)
		return -ENOMEM;
	h->items = items;
	at = realloc(h->at, capacity * sizeof(*at));
	if (!at)
		return -ENOMEM;
	h->at = at;
	memset(&at[h->capacity], 0, (capacity - h->capacity) * sizeof(*at));
	h->capacity = capacity;
	return 0;
}

void heap_free(struct heap *h)
{
	free(h->items);
	free(h->at);
	*h = (struct heap){ 0 };
}

void heap_clear(struct heap *h)
{
	for (uint32_t i = 0; i < h->count; i++)
		h->at[h->items[i].slot] = 0;
	h->count = 0;
}

static bool before(struct heap_item a, struct heap_item b)
{
	int64_t difference = (int64_t)(a.key - b.key);

	return difference ? difference < 0 : a.slot < b.slot;
}

static void put(struct heap *h, uint32_t i, struct heap_item item)
{
	h->items[i] = item;
	h->at[item.slot] = i + 1;
}

static void sift_up(struct heap *h, uint32_t i, struct heap_item item)
{
	while (i && before(item, h->items[(i - 1) / 2])) {
		put(h, i, h->items[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	put(h, i, item);
}

static void sift_down(struct heap *h, uint32_t i, struct heap_item item)
{
	for (;;) {
		uint32_t child = 2 * i + 1;

		if (child >= h->count)
			break;
		if (child + 1 < h->count &&
		    before(h->items[child + 1], h->items[child]))
			child++;
		if (!before(h->items[child], item))
			break;
		put(h, i, h->items[child]);
		i = child;
	}
	put(h, i, item);
}

void heap_push(struct heap *h, uint32_t slot, uint64_t key)
{
	sift_up(h, h->count++, (struct heap_item){ .key = key, .slot = slot });
}

void heap_remove(struct heap *h, uint32_t slot)
{
	uint32_t i = h->at[slot];
	struct heap_item last;

	if (!i--)
		return;
	h->at[slot] = 0;
	last = h->items[--h->count];
	if (i == h->count)
		return;
	if (i && before(last, h->items[(i - 1) / 2]))
		sift_up(h, i, last);
	else
		sift_down(h, i, last);
}
