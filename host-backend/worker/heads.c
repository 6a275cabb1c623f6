// SPDX-License-Identifier: MIT
/* Connectors and latched states; see heads.h. */
#include "heads.h"

#include <errno.h>
#include <string.h>

void heads_init(struct heads *heads, const struct vgpu_limits *limits)
{
	memset(heads, 0, sizeof(*heads));
	heads->count = limits->heads;
	for (uint32_t i = 0; i < heads->count; i++) {
		const struct worker_head_set set = {
			.head = i, .serial = 1, .connected = true,
			.width = limits->default_width,
			.height = limits->default_height,
			.refresh = limits->default_refresh,
		};

		heads_plug(heads, limits, &set);
	}
}

int heads_plug(struct heads *heads, const struct vgpu_limits *limits,
	       const struct worker_head_set *set)
{
	struct head *head;

	_Static_assert(WORKER_EDID_MAX == EDID_MAX, "one bound");
	if (set->head >= heads->count || set->edid_size > EDID_MAX ||
	    set->edid_size % EDID_BLOCK || !set->width ||
	    set->width > limits->max_width || !set->height ||
	    set->height > limits->max_height || !set->refresh ||
	    set->refresh > limits->max_refresh)
		return -EINVAL;
	head = &heads->head[set->head];
	head->serial = set->serial;
	head->connected = set->connected;
	head->edid_size = 0;
	head->width = head->height = head->refresh = 0;
	if (!head->connected)
		return 0;
	head->width = set->width;
	head->height = set->height;
	head->refresh = set->refresh;
	head->edid_size = set->edid_size;
	if (set->edid_size)
		memcpy(head->edid, set->edid, set->edid_size);
	else
		head->edid_size = edid_make(head->edid, limits, set->head,
					    set->width, set->height,
					    set->refresh);
	return 0;
}

static void pin(const struct head_state *state, uint32_t by)
{
	for (uint32_t p = 0; p < WINDOW_PLANES; p++)
		if (state->planes[p].resource)
			state->planes[p].resource->shown += by;
}

void heads_latch(struct head *head, const struct head_state *next)
{
	pin(next, 1);
	pin(&head->now, (uint32_t)-1);
	head->now = *next;
	head->latched++;
}

void heads_dark(struct heads *heads)
{
	for (uint32_t i = 0; i < heads->count; i++) {
		pin(&heads->head[i].now, (uint32_t)-1);
		memset(&heads->head[i].now, 0, sizeof(heads->head[i].now));
	}
}
