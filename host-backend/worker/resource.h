/* SPDX-License-Identifier: MIT */
/*
 * The guest's resources by name, the VRAM behind them, and the way to their
 * bytes. Names are the guest's and may be anything, so they are found by a
 * hash whose key no guest knows; how many there are and how many extents each
 * has is bounded by the type.
 *
 * Threads: the ring thread only.
 */
#ifndef PVGPU_WORKER_RESOURCE_H
#define PVGPU_WORKER_RESOURCE_H

#include "ledger.h"

struct deferred;
struct rendered;
struct virgl;

struct extent {
	uint64_t start;			/* in the resource, bytes */
	uint64_t offset;		/* in VRAM, bytes */
	uint64_t length;
};

struct resource {
	struct resource *next;		/* in its bucket */
	uint32_t name;
	uint32_t kind;			/* PVGPU_RESOURCE_* */
	uint64_t size;			/* bytes */
	uint64_t backed;		/* bytes; all of it when usable */
	struct pvgpu_surface surface;	/* SURFACE */
	uint64_t charged;		/* its footprint */
	struct rendered *rendered;	/* the renderer's part of it, or NULL */
	uint32_t *contexts;		/* ids of those it is attached to */
	uint32_t context_count;
	uint32_t context_room;
	struct extent *extents;		/* neighbours in VRAM are merged */
	uint32_t extent_count;
	uint32_t extent_room;
	uint32_t extents_named;		/* as the guest sent them */
	uint32_t given_back;		/* extents, while it is destroyed */
	uint64_t given_bytes;		/* of the next one */
	uint32_t shown;			/* planes that show it */
	const struct deferred *dying;	/* its destruction waits, or NULL */
};

struct resource_table {
	uint8_t *vram;			/* shared with the guest */
	uint64_t vram_size;
	struct ledger *ledger;
	struct resource **buckets;
	uint32_t bits;			/* log2 of the buckets */
	uint64_t key;			/* odd, random */
	uint32_t count;
	uint32_t max_resources;
	uint32_t max_extents;
	/* For each unit of VRAM how often resources name it. What reaches the
	 * most that there is stays there until the next attach. */
	uint8_t *named;
	bool named_most;
	/* From where on VRAM that the guest gave up goes back; vram_size:
	 * it did not. */
	uint64_t sweep;
	/* Some VRAM was behind two resources since the last attach, so two
	 * resources, or two places of one, may be the same memory. */
	bool aliased;
};

/* vram is the caller's and outlives the table. 0 or -errno. */
int resource_table_init(struct resource_table *table, uint8_t *vram,
			uint64_t vram_size, uint32_t max_resources,
			uint32_t max_extents, struct ledger *ledger);
void resource_table_finish(struct resource_table *table);
/* Drops every resource and what it was charged. */
void resource_table_clear(struct resource_table *table);

/* The resource of that name, or NULL; also one whose destruction waits. */
struct resource *resource_find(const struct resource_table *table,
			       uint32_t name);
/* Makes it here, charged; the renderer is told of a surface by the caller.
 * virgl: NULL where surfaces are not granted. */
struct verdict resource_create(struct resource_table *table,
			       const struct pvgpu_resource_create *request,
			       const struct virgl *virgl,
			       struct resource **ret_resource);
/* length: of the whole message, at least sizeof(*request). */
struct verdict resource_back(struct resource_table *table,
			     const struct pvgpu_resource_back *request,
			     uint32_t length,
			     struct resource **ret_resource);
/* VRAM behind a resource that is being destroyed and that no other names goes
 * back to the host, about *budget bytes of it, which is lowered; what was
 * given back before is not named by it any more. Whether all of it is. */
bool resource_give_back(struct resource_table *table, struct resource *r,
			int64_t *budget);
void resource_destroy(struct resource_table *table, struct resource *r);

/* The guest has given all of it up. Until the next resource_table_clear(). */
void resource_sweep_begin(struct resource_table *table);
/* A bounded piece of it; whether there is more. */
bool resource_sweep(struct resource_table *table);

static inline bool resource_usable(const struct resource *r)
{
	return r->size && r->backed == pvgpu_linear_extent(r->size);
}

/* Whether [offset, offset + span) lies in the resource; no overflow. */
static inline bool resource_holds(const struct resource *r, uint64_t offset,
				  uint64_t span)
{
	return offset <= r->size && span <= r->size - offset;
}

/* Where a walk through a resource's extents last was; zero to begin. */
struct resource_cursor {
	const struct resource *resource;
	uint32_t extent;
};

/* The bytes at `offset`, and in *ret_length how many follow without a gap.
 * offset must be below the size of a usable resource. */
uint8_t *resource_run(const struct resource_table *table,
		      struct resource_cursor *cursor, uint64_t offset,
		      uint64_t *ret_length);
/* The end of the bytes before `end`, and how many lie before it without a
 * gap; 0 < end <= size. */
uint8_t *resource_run_before(const struct resource_table *table,
			     struct resource_cursor *cursor, uint64_t end,
			     uint64_t *ret_length);
/* Copies out of a usable resource; the range must lie in it. */
void resource_read(const struct resource_table *table,
		   struct resource_cursor *cursor, uint64_t offset, void *to,
		   uint64_t length);

#endif
