// SPDX-License-Identifier: MIT
/* Free bytes of VRAM; see space.h. */
#include "space.h"

#include <pvgpu/footprint.h>

#include "common/util.h"

struct space_range {
	struct space_range *next;
	uint64_t offset, size;
};

static int insert(struct space_range **at, uint64_t offset, uint64_t size)
{
	struct space_range *r = malloc(sizeof(*r));

	if (!r)
		return -ENOMEM;
	*r = (struct space_range){ *at, offset, size };
	*at = r;
	return 0;
}

static void take_out(struct space_range **at)
{
	struct space_range *r = *at;

	*at = r->next;
	free(r);
}

int space_init(struct space *s, uint64_t size)
{
	*s = (struct space){ 0 };
	return insert(&s->free, 0, size);
}

int space_take(struct space *s, uint64_t size, uint64_t *ret_offset,
	       int *ret_fresh)
{
	struct space_range **at = &s->free;

	size = pvgpu_linear_extent(size);
	while (*at && (*at)->size < size)
		at = &(*at)->next;
	if (!*at || !size)
		return -ENOSPC;
	*ret_offset = (*at)->offset;
	*ret_fresh = *ret_offset >= s->used;
	if (s->used < *ret_offset + size)
		s->used = *ret_offset + size;
	(*at)->offset += size;
	(*at)->size -= size;
	if (!(*at)->size)
		take_out(at);
	return 0;
}

int space_give(struct space *s, uint64_t offset, uint64_t size)
{
	struct space_range **at = &s->free, *before = NULL;

	size = pvgpu_linear_extent(size);
	while (*at && (*at)->offset < offset) {
		before = *at;
		at = &(*at)->next;
	}
	if (*at && offset + size == (*at)->offset) {
		(*at)->offset = offset;
		(*at)->size += size;
	} else if (!before || before->offset + before->size != offset) {
		return insert(at, offset, size);
	} else {
		before->size += size;
		return 0;
	}
	if (before && before->offset + before->size == offset) {
		before->size += (*at)->size;
		take_out(at);
	}
	return 0;
}

void space_free(struct space *s)
{
	while (s->free)
		take_out(&s->free);
}
