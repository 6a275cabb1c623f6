/* SPDX-License-Identifier: MIT */
/*
 * Where on a GPU a vGPU's framebuffer lies. The GPU is a row of GiB; a vGPU
 * takes as many in a row as its type's framebuffer has, and its placement id
 * is the first of them. No I/O, no allocation beyond the map itself, no
 * knowledge of types: sizes in, ids out. The rule is in docs/placement.md.
 */
#ifndef PVGPU_PLACEMENT_H
#define PVGPU_PLACEMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PLACEMENT_UNIT		(1ull << 30)	/* bytes of one id */
#define PLACEMENT_UNITS_MAX	4096u

enum placement_mode {
	PLACEMENT_MIXED,		/* any sizes, any id */
	PLACEMENT_EQUAL,		/* one size, ids are multiples of it */
};
#define PLACEMENT_MODES_ALLOWED "equal or mixed"

struct placement {
	uint32_t at;			/* the id */
	uint32_t size;
};

struct placement_map {
	enum placement_mode mode;
	uint32_t units;			/* of the GPU */
	uint32_t count;
	struct placement *items;	/* sorted by id, apart */
};

/* An empty map of up to PLACEMENT_UNITS_MAX units. 0 or -ENOMEM. */
int placement_init(struct placement_map *map, uint32_t units,
		   enum placement_mode mode);
/* Accepts a zeroed map. */
void placement_clear(struct placement_map *map);

/* Another mode; -EBUSY while anything is placed (and it is another). */
int placement_set_mode(struct placement_map *map, enum placement_mode mode);
/* Another size of the GPU; -EBUSY if something placed would lie outside. */
int placement_set_units(struct placement_map *map, uint32_t units);

/* The id that the rule gives to a vGPU of this size: the caller takes it.
 * -EDOM: equal mode, and vGPUs of another size are placed; -ENOSPC: no hole is
 * large enough. */
int placement_find(const struct placement_map *map, uint32_t size,
		   uint32_t *ret_at);
/* Is it an id of this size in this mode, taken or not? */
bool placement_is_id(const struct placement_map *map, uint32_t size,
		     uint32_t at);
/* May it lie there? 0, -EDOM as above, -EINVAL: not an id of this size in this
 * mode; -EBUSY: something lies there. */
int placement_check(const struct placement_map *map, uint32_t size,
		    uint32_t at);
/* Checks and takes. */
int placement_take(struct placement_map *map, uint32_t size, uint32_t at);
/* Takes even where the mode or the size of the GPU forbid it, which are changed
 * then, to mixed and to as many units as it needs; for what is there already.
 * 0, -EBUSY, or -EINVAL beyond PLACEMENT_UNITS_MAX. */
int placement_insist(struct placement_map *map, uint32_t size, uint32_t at);
/* Gives back what was taken at this id; an id that was not is ignored. */
void placement_release(struct placement_map *map, uint32_t at);

/* Units that nobody has, and the most of them in a row. */
uint32_t placement_free(const struct placement_map *map);
uint32_t placement_largest_hole(const struct placement_map *map);
/* How many more of this size fit, if nothing else comes. */
uint32_t placement_room(const struct placement_map *map, uint32_t size);

/* Writes the ids at which a vGPU of this size may lie, as "0-4 8 12-14"; with
 * `free_only` those at which nothing lies; "none" if there is none. Cut with
 * "..." where it would not fit. */
void placement_ids_text(const struct placement_map *map, uint32_t size,
			bool free_only, char *out, size_t out_size);

const char *placement_mode_name(enum placement_mode mode);
/* 0 or -EINVAL. */
int placement_mode_parse(enum placement_mode *ret, const char *text);

#endif
