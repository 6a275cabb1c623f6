// SPDX-License-Identifier: MIT
/* The resource table and the walk through extents; see resource.h. */
#include "resource.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

#include "common/util.h"
#include "virgl.h"

#define NAMED_MAX 255u
/* Of VRAM that is given back at a time: about 0.2 ms. */
#define SWEEP_BYTES (1u << 20)

static uint32_t bucket_of(const struct resource_table *t, uint32_t name)
{
	return (uint32_t)((name * t->key) >> (64 - t->bits));
}

int resource_table_init(struct resource_table *t, uint8_t *vram,
			uint64_t vram_size, uint32_t max_resources,
			uint32_t max_extents, struct ledger *ledger)
{
	cleanup_free struct resource **buckets = NULL;
	cleanup_free uint8_t *named = NULL;
	uint32_t bits = 1;
	uint64_t key;

	while (bits < 16 && 1u << bits < max_resources)
		bits++;
	if (getrandom(&key, sizeof(key), 0) != sizeof(key))
		return -errno;
	buckets = calloc(1u << bits, sizeof(*buckets));
	named = calloc(vram_size / PVGPU_EXTENT_ALIGN + 1, sizeof(*named));
	if (!buckets || !named)
		return -ENOMEM;
	*t = (struct resource_table){
		.vram = vram, .vram_size = vram_size, .ledger = ledger,
		.buckets = take_ptr(buckets), .bits = bits, .key = key | 1,
		.max_resources = max_resources, .max_extents = max_extents,
		.named = take_ptr(named), .sweep = vram_size,
	};
	return 0;
}

void resource_table_finish(struct resource_table *t)
{
	if (t->buckets)
		resource_table_clear(t);
	free(t->buckets);
	free(t->named);
	t->buckets = NULL;
	t->named = NULL;
}

void resource_table_clear(struct resource_table *t)
{
	for (uint32_t i = 0; i < 1u << t->bits; i++)
		while (t->buckets[i])
			resource_destroy(t, t->buckets[i]);
	if (t->named_most)
		memset(t->named, 0, t->vram_size / PVGPU_EXTENT_ALIGN);
	t->named_most = false;
	t->aliased = false;
	t->sweep = t->vram_size;
}

struct resource *resource_find(const struct resource_table *t, uint32_t name)
{
	struct resource *r = t->buckets[bucket_of(t, name)];

	while (r && r->name != name)
		r = r->next;
	return r;
}

/* The field of the request that makes it no surface. */
static size_t surface_field(enum pvgpu_surface_verdict v)
{
	static const size_t fields[] = {
		[PVGPU_SURFACE_BAD_FORMAT] =
			offsetof(struct pvgpu_resource_create, format),
		[PVGPU_SURFACE_BAD_TARGET] =
			offsetof(struct pvgpu_resource_create, target),
		[PVGPU_SURFACE_BAD_WIDTH] =
			offsetof(struct pvgpu_resource_create, width),
		[PVGPU_SURFACE_BAD_HEIGHT] =
			offsetof(struct pvgpu_resource_create, height),
		[PVGPU_SURFACE_BAD_DEPTH] =
			offsetof(struct pvgpu_resource_create, depth),
		[PVGPU_SURFACE_BAD_LAYERS] =
			offsetof(struct pvgpu_resource_create, layers),
		[PVGPU_SURFACE_BAD_LEVELS] =
			offsetof(struct pvgpu_resource_create, levels),
		[PVGPU_SURFACE_BAD_SAMPLES] =
			offsetof(struct pvgpu_resource_create, samples),
	};

	return fields[v];
}

static struct verdict check_surface(const struct pvgpu_resource_create *q,
				    const struct virgl *virgl,
				    struct pvgpu_surface *ret)
{
	uint32_t context = pvgpu_le32_to_cpu(q->context);
	enum pvgpu_surface_verdict v;

	if (pvgpu_le32_to_cpu(q->flags) & ~PVGPU_SURFACE_Y_0_TOP)
		return invalid(offsetof(struct pvgpu_resource_create, flags));
	if (context && !virgl_context(virgl, context))
		return verdict(PVGPU_STATUS_NOT_FOUND,
			       offsetof(struct pvgpu_resource_create, context));
	*ret = (struct pvgpu_surface){
		.format = pvgpu_le32_to_cpu(q->format),
		.width = pvgpu_le32_to_cpu(q->width),
		.height = pvgpu_le32_to_cpu(q->height),
		.depth = pvgpu_le32_to_cpu(q->depth),
		.layers = pvgpu_le32_to_cpu(q->layers),
		.levels = pvgpu_le32_to_cpu(q->levels),
		.samples = pvgpu_le32_to_cpu(q->samples),
		.target = pvgpu_le32_to_cpu(q->target),
	};
	v = pvgpu_surface_check(ret);
	return v == PVGPU_SURFACE_OK ? accepted() : invalid(surface_field(v));
}

static struct verdict check_linear(const struct pvgpu_resource_create *q)
{
	const pvgpu_le32 *surface_only = &q->format;

	if (!q->size)
		return invalid(offsetof(struct pvgpu_resource_create, size));
	for (size_t at = offsetof(struct pvgpu_resource_create, format);
	     at < sizeof(*q); at += sizeof(*surface_only))
		if (*surface_only++)
			return invalid(at);
	return accepted();
}

struct verdict resource_create(struct resource_table *t,
			       const struct pvgpu_resource_create *q,
			       const struct virgl *virgl,
			       struct resource **ret_resource)
{
	uint64_t size = pvgpu_le64_to_cpu(q->size), backing;
	uint32_t name = pvgpu_le32_to_cpu(q->resource);
	uint32_t kind = pvgpu_le32_to_cpu(q->kind);
	bool surface = kind == PVGPU_RESOURCE_SURFACE;
	struct resource *r, made = { .name = name, .kind = kind, .size = size };
	struct verdict v;

	if (!name)
		return invalid(offsetof(struct pvgpu_resource_create, resource));
	if (q->reserved)
		return invalid(offsetof(struct pvgpu_resource_create, reserved));
	if (surface && !virgl)
		return verdict(PVGPU_STATUS_UNSUPPORTED,
			       offsetof(struct pvgpu_resource_create, kind));
	if (!surface && kind != PVGPU_RESOURCE_LINEAR)
		return invalid(offsetof(struct pvgpu_resource_create, kind));
	v = surface ? check_surface(q, virgl, &made.surface) : check_linear(q);
	if (refused(v))
		return v;
	if (resource_find(t, name))
		return verdict(PVGPU_STATUS_EXISTS,
			       offsetof(struct pvgpu_resource_create, resource));
	backing = pvgpu_linear_extent(size);
	if ((size && !backing) || backing > t->vram_size)
		return over_limit(PVGPU_STATUS_LIMIT_WINDOW, t->vram_size);
	if (t->count >= t->max_resources)
		return over_limit(PVGPU_STATUS_LIMIT_RESOURCES,
				  t->max_resources);
	if (surface) {
		v = ledger_charge_surface(t->ledger, &made.surface,
					  &made.charged);
		if (refused(v))
			return v;
	}
	r = malloc(sizeof(*r));
	if (!r) {
		ledger_release(t->ledger, LEDGER_SURFACES, made.charged);
		return verdict(PVGPU_STATUS_NO_MEMORY, 0);
	}
	*r = made;
	r->next = t->buckets[bucket_of(t, name)];
	t->buckets[bucket_of(t, name)] = r;
	t->count++;
	*ret_resource = r;
	return accepted();
}

/* Units of VRAM that hold nothing any more: the memory behind them is the
 * host's again, and they read as zero. */
static void remove_memory(struct resource_table *t, uint64_t at, uint64_t count)
{
	/* A kernel that cannot do it costs memory, and nothing else. */
	if (count)
		madvise(t->vram + at * PVGPU_EXTENT_ALIGN,
			count * PVGPU_EXTENT_ALIGN, MADV_REMOVE);
}

/* An extent has one more name. */
static void name_extent(struct resource_table *t, uint64_t offset,
			uint64_t length)
{
	uint8_t *named = t->named + offset / PVGPU_EXTENT_ALIGN;
	uint8_t most = 0;

	for (uint64_t i = 0; i < length / PVGPU_EXTENT_ALIGN; i++) {
		most |= named[i];
		named[i] += named[i] != NAMED_MAX;
	}
	t->aliased |= most != 0;
	t->named_most |= most >= NAMED_MAX - 1;
}

/* And one less; the host gets the memory back where that was the last one,
 * and is asked to in runs. */
static void give_back(struct resource_table *t, uint64_t offset,
		      uint64_t length)
{
	uint64_t at = offset / PVGPU_EXTENT_ALIGN;
	uint64_t end = at + length / PVGPU_EXTENT_ALIGN, run = 0;

	for (; at < end; at++) {
		t->named[at] -= t->named[at] != NAMED_MAX;
		if (!t->named[at]) {
			run++;
			continue;
		}
		remove_memory(t, at - run, run);
		run = 0;
	}
	remove_memory(t, end - run, run);
}

bool resource_give_back(struct resource_table *t, struct resource *r,
			int64_t *budget)
{
	while (r->given_back < r->extent_count && *budget > 0) {
		const struct extent *e = &r->extents[r->given_back];
		uint64_t length = e->length - r->given_bytes;

		if (length > SWEEP_BYTES)
			length = SWEEP_BYTES;
		give_back(t, e->offset + r->given_bytes, length);
		/* A call costs something, however little it gives back. */
		*budget -= (int64_t)(length + SWEEP_BYTES / 64);
		r->given_bytes += length;
		if (r->given_bytes == e->length) {
			r->given_back++;
			r->given_bytes = 0;
		}
	}
	return r->given_back == r->extent_count;
}

/* What is left of a resource is named by it no more, and not given back. */
static void unname(struct resource_table *t, const struct resource *r)
{
	uint64_t done = r->given_bytes;

	for (uint32_t i = r->given_back; i < r->extent_count; i++) {
		uint64_t at = (r->extents[i].offset + done) /
			      PVGPU_EXTENT_ALIGN;
		uint64_t end = (r->extents[i].offset + r->extents[i].length) /
			       PVGPU_EXTENT_ALIGN;

		for (; at < end; at++)
			t->named[at] -= t->named[at] != NAMED_MAX;
		done = 0;
	}
}

void resource_sweep_begin(struct resource_table *t)
{
	t->sweep = 0;
}

bool resource_sweep(struct resource_table *t)
{
	uint64_t left = t->vram_size - t->sweep;

	if (left > SWEEP_BYTES)
		left = SWEEP_BYTES;
	remove_memory(t, t->sweep / PVGPU_EXTENT_ALIGN,
		      left / PVGPU_EXTENT_ALIGN);
	t->sweep += left;
	return t->sweep < t->vram_size;
}

void resource_destroy(struct resource_table *t, struct resource *r)
{
	struct resource **link = &t->buckets[bucket_of(t, r->name)];

	while (*link != r)
		link = &(*link)->next;
	*link = r->next;
	unname(t, r);
	budget_release(&t->ledger->window, r->backed);
	ledger_release(t->ledger, LEDGER_SURFACES, r->charged);
	t->count--;
	rendered_free(r->rendered);
	free(r->contexts);
	free(r->extents);
	free(r);
}

/* -------------------------------------------------------------- backing */

/* Checks each extent on its own and their sum against what is missing. */
static struct verdict check_extents(const struct resource_table *t,
				    const struct resource *r,
				    const struct pvgpu_extent *extents,
				    uint32_t count, uint64_t *ret_sum)
{
	uint64_t missing = pvgpu_linear_extent(r->size) - r->backed;
	uint64_t sum = 0;

	for (uint32_t i = 0; i < count; i++) {
		uint64_t offset = pvgpu_le64_to_cpu(extents[i].offset);
		uint64_t length = pvgpu_le64_to_cpu(extents[i].length);
		size_t at = sizeof(struct pvgpu_resource_back) +
			    i * sizeof(*extents);
		size_t length_at = at + offsetof(struct pvgpu_extent, length);

		if (offset % PVGPU_EXTENT_ALIGN)
			return invalid(at);
		if (!length || length % PVGPU_EXTENT_ALIGN)
			return invalid(length_at);
		if (offset > t->vram_size || length > t->vram_size - offset)
			return verdict(PVGPU_STATUS_RANGE, (uint32_t)at);
		if (length > missing - sum)
			return verdict(PVGPU_STATUS_RANGE, (uint32_t)length_at);
		sum += length;
	}
	*ret_sum = sum;
	return accepted();
}

/* Room for `count` more extents. */
static bool make_room(struct resource *r, uint32_t count)
{
	uint32_t need = r->extent_count + count, room = r->extent_room * 2;
	struct extent *more;

	if (need <= r->extent_room)
		return true;
	if (room < need)
		room = need;
	more = realloc(r->extents, room * sizeof(*more));
	if (!more)
		return false;
	r->extents = more;
	r->extent_room = room;
	return true;
}

struct verdict resource_back(struct resource_table *t,
			     const struct pvgpu_resource_back *q,
			     uint32_t length, struct resource **ret_resource)
{
	const struct pvgpu_extent *extents = (const void *)(q + 1);
	uint32_t count = pvgpu_le32_to_cpu(q->count);
	struct resource *r;
	struct verdict v;
	uint64_t sum;

	if (length != sizeof(*q) + (uint64_t)count * sizeof(*extents))
		return invalid(0);
	if (!count)
		return invalid(offsetof(struct pvgpu_resource_back, count));
	r = resource_find(t, pvgpu_le32_to_cpu(q->resource));
	if (!r || r->dying)
		return verdict(PVGPU_STATUS_NOT_FOUND,
			       offsetof(struct pvgpu_resource_back, resource));
	v = check_extents(t, r, extents, count, &sum);
	if (refused(v))
		return v;
	if (count > t->max_extents - r->extents_named)
		return over_limit(PVGPU_STATUS_LIMIT_EXTENTS, t->max_extents);
	/* Charged before anything is made on the guest's behalf. */
	if (!budget_charge(&t->ledger->window, sum))
		return over_limit(PVGPU_STATUS_LIMIT_WINDOW,
				  t->ledger->window.limit);
	if (!make_room(r, count)) {
		budget_release(&t->ledger->window, sum);
		return verdict(PVGPU_STATUS_NO_MEMORY, 0);
	}

	for (uint32_t i = 0; i < count; i++) {
		struct extent *last = r->extents + r->extent_count - 1;
		struct extent e = {
			.start = r->backed,
			.offset = pvgpu_le64_to_cpu(extents[i].offset),
			.length = pvgpu_le64_to_cpu(extents[i].length),
		};

		name_extent(t, e.offset, e.length);
		r->backed += e.length;
		if (r->extent_count && last->offset + last->length == e.offset)
			last->length += e.length;
		else
			r->extents[r->extent_count++] = e;
	}
	r->extents_named += count;
	*ret_resource = r;
	return accepted();
}

/* ----------------------------------------------------------------- bytes */

/* The extent that holds `offset`; near the last one, or by bisection. */
static const struct extent *locate(struct resource_cursor *c, uint64_t offset)
{
	const struct resource *r = c->resource;
	const struct extent *e = &r->extents[c->extent];
	uint32_t low = 0, high = r->extent_count - 1;

	if (offset >= e->start && offset - e->start < e->length)
		return e;
	if (c->extent < high && offset >= e[1].start &&
	    offset - e[1].start < e[1].length) {
		c->extent++;
		return e + 1;
	}
	while (low < high) {
		uint32_t middle = low + (high - low + 1) / 2;

		if (r->extents[middle].start <= offset)
			low = middle;
		else
			high = middle - 1;
	}
	c->extent = low;
	return &r->extents[low];
}

uint8_t *resource_run(const struct resource_table *t,
		      struct resource_cursor *c, uint64_t offset,
		      uint64_t *ret_length)
{
	const struct extent *e = locate(c, offset);

	*ret_length = e->length - (offset - e->start);
	return t->vram + e->offset + (offset - e->start);
}

uint8_t *resource_run_before(const struct resource_table *t,
			     struct resource_cursor *c, uint64_t end,
			     uint64_t *ret_length)
{
	const struct extent *e = locate(c, end - 1);

	*ret_length = end - e->start;
	return t->vram + e->offset + *ret_length;
}

void resource_read(const struct resource_table *t, struct resource_cursor *c,
		   uint64_t offset, void *to, uint64_t length)
{
	while (length) {
		uint64_t run;
		const uint8_t *from = resource_run(t, c, offset, &run);

		if (run > length)
			run = length;
		memcpy(to, from, run);
		to = (uint8_t *)to + run;
		offset += run;
		length -= run;
	}
}
