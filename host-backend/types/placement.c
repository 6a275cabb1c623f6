// SPDX-License-Identifier: MIT
/* Where on a GPU vGPUs lie; see placement.h. */
#include "placement.h"

#include <string.h>

#include "common/util.h"

/* The free rows of units, in order: *at and *length are of the next one from
 * *index on. */
static bool next_hole(const struct placement_map *map, uint32_t *index,
		      uint32_t *at, uint32_t *length)
{
	while (*index <= map->count) {
		uint32_t i = (*index)++;
		uint32_t start = i ? map->items[i - 1].at +
				     map->items[i - 1].size : 0;
		uint32_t end = i < map->count ? map->items[i].at : map->units;

		if (end <= start)
			continue;
		*at = start;
		*length = end - start;
		return true;
	}
	return false;
}

int placement_init(struct placement_map *map, uint32_t units,
		   enum placement_mode mode)
{
	/* As many as can ever lie there, so that taking needs no memory. */
	struct placement *items = calloc(PLACEMENT_UNITS_MAX, sizeof(*items));

	if (!items)
		return -ENOMEM;
	*map = (struct placement_map){
		.mode = mode, .units = units, .items = items,
	};
	return 0;
}

void placement_clear(struct placement_map *map)
{
	free(map->items);
	*map = (struct placement_map){ 0 };
}

int placement_set_mode(struct placement_map *map, enum placement_mode mode)
{
	if (map->count && mode != map->mode)
		return -EBUSY;
	map->mode = mode;
	return 0;
}

int placement_set_units(struct placement_map *map, uint32_t units)
{
	const struct placement *last = &map->items[map->count - 1];

	if (map->count && last->at + last->size > units)
		return -EBUSY;
	map->units = units;
	return 0;
}

/* Equal mode: all are of the size of the first. */
static bool other_size(const struct placement_map *map, uint32_t size)
{
	return map->mode == PLACEMENT_EQUAL && map->count &&
	       map->items[0].size != size;
}

static uint32_t round_up(uint32_t at, uint32_t size)
{
	return (at + size - 1) / size * size;
}

/* The best id in a hole that is large enough: a multiple of the size, at the
 * hole's end if one is there; else its start. */
static uint32_t best_in_hole(uint32_t start, uint32_t length, uint32_t size)
{
	uint32_t first = round_up(start, size);
	uint32_t end = start + length;

	if (first == start || first + size > end)
		return start;
	return end % size ? first : end - size;
}

int placement_find(const struct placement_map *map, uint32_t size,
		   uint32_t *ret_at)
{
	uint32_t index = 0, start, length, best = UINT32_MAX, at = 0;

	if (!size)
		return -EINVAL;
	if (other_size(map, size))
		return -EDOM;
	while (next_hole(map, &index, &start, &length)) {
		if (map->mode == PLACEMENT_EQUAL) {
			/* Only the row's tail can be no multiple. */
			if (length < size)
				continue;
			*ret_at = start;
			return 0;
		}
		if (length < size || length >= best)
			continue;
		best = length;
		at = best_in_hole(start, length, size);
	}
	if (best == UINT32_MAX)
		return -ENOSPC;
	*ret_at = at;
	return 0;
}

bool placement_is_id(const struct placement_map *map, uint32_t size,
		     uint32_t at)
{
	return size && size <= map->units && at <= map->units - size &&
	       (map->mode == PLACEMENT_MIXED || at % size == 0);
}

/* The first placement that ends behind `at`. */
static uint32_t first_behind(const struct placement_map *map, uint32_t at)
{
	uint32_t low = 0, high = map->count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (map->items[middle].at + map->items[middle].size > at)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

int placement_check(const struct placement_map *map, uint32_t size,
		    uint32_t at)
{
	uint32_t i;

	if (other_size(map, size))
		return -EDOM;
	if (!placement_is_id(map, size, at))
		return -EINVAL;
	i = first_behind(map, at);
	return i < map->count && map->items[i].at < at + size ? -EBUSY : 0;
}

int placement_take(struct placement_map *map, uint32_t size, uint32_t at)
{
	int r = placement_check(map, size, at);
	uint32_t i;

	if (r < 0)
		return r;
	i = first_behind(map, at);
	memmove(&map->items[i + 1], &map->items[i],
		(map->count - i) * sizeof(*map->items));
	map->items[i] = (struct placement){ .at = at, .size = size };
	map->count++;
	return 0;
}

int placement_insist(struct placement_map *map, uint32_t size, uint32_t at)
{
	struct placement_map wider = *map;
	int r;

	if (!placement_take(map, size, at))
		return 0;
	if (!size || size > PLACEMENT_UNITS_MAX ||
	    at > PLACEMENT_UNITS_MAX - size)
		return -EINVAL;
	if (at + size > wider.units)
		wider.units = at + size;
	if (other_size(map, size) || at % size)
		wider.mode = PLACEMENT_MIXED;
	r = placement_take(&wider, size, at);
	if (!r)
		*map = wider;
	return r;
}

void placement_release(struct placement_map *map, uint32_t at)
{
	uint32_t i = first_behind(map, at);

	if (i == map->count || map->items[i].at != at)
		return;
	map->count--;
	memmove(&map->items[i], &map->items[i + 1],
		(map->count - i) * sizeof(*map->items));
}

uint32_t placement_free(const struct placement_map *map)
{
	uint32_t index = 0, start, length, sum = 0;

	while (next_hole(map, &index, &start, &length))
		sum += length;
	return sum;
}

uint32_t placement_largest_hole(const struct placement_map *map)
{
	uint32_t index = 0, start, length, largest = 0;

	while (next_hole(map, &index, &start, &length))
		if (length > largest)
			largest = length;
	return largest;
}

uint32_t placement_room(const struct placement_map *map, uint32_t size)
{
	uint32_t index = 0, start, length, sum = 0;

	if (!size || other_size(map, size))
		return 0;
	while (next_hole(map, &index, &start, &length))
		sum += length / size;
	return sum;
}

void placement_ids_text(const struct placement_map *map, uint32_t size,
			bool free_only, char *out, size_t out_size)
{
	/* Ids of one size in equal mode stand apart by it. */
	uint32_t step = map->mode == PLACEMENT_EQUAL && size ? size : 1;
	uint32_t at = 0;
	size_t used = 0;

	out[0] = '\0';
	while (size && at + size <= map->units) {
		uint32_t last = at;
		char word[32];
		int length;

		if (free_only && placement_check(map, size, at)) {
			at += step;
			continue;
		}
		while (step == 1 && last + 1 + size <= map->units &&
		       !(free_only && placement_check(map, size, last + 1)))
			last++;
		length = last > at ?
			snprintf(word, sizeof(word), "%s%u-%u",
				 used ? " " : "", at, last) :
			snprintf(word, sizeof(word), "%s%u", used ? " " : "",
				 at);
		if (used + (size_t)length + sizeof(" ...") > out_size) {
			snprintf(out + used, out_size - used, " ...");
			return;
		}
		memcpy(out + used, word, (size_t)length + 1);
		used += (size_t)length;
		at = last + step;
	}
	if (!used)
		snprintf(out, out_size, "none");
}

static const char *const mode_names[] = {
	[PLACEMENT_MIXED] = "mixed",
	[PLACEMENT_EQUAL] = "equal",
};

const char *placement_mode_name(enum placement_mode mode)
{
	return mode_names[mode];
}

int placement_mode_parse(enum placement_mode *ret, const char *text)
{
	for (size_t i = 0; i < ARRAY_SIZE(mode_names); i++)
		if (!strcmp(mode_names[i], text)) {
			*ret = (enum placement_mode)i;
			return 0;
		}
	return -EINVAL;
}
