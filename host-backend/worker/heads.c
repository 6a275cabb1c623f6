// SPDX-License-Identifier: MIT
/* Connectors and latched states; see heads.h. */
#include "heads.h"

#include <string.h>

void heads_init(struct heads *heads, const struct vgpu_limits *limits)
{
	memset(heads, 0, sizeof(*heads));
	heads->count = limits->heads;
	for (uint32_t i = 0; i < heads->count; i++)
		heads_plug(heads, limits, i, limits->default_width,
			   limits->default_height, limits->default_refresh);
}

bool heads_plug(struct heads *heads, const struct vgpu_limits *limits,
		uint32_t index, uint32_t width, uint32_t height,
		uint32_t refresh)
{
	struct head *head = &heads->head[index];

	if (head->connected == !!width && head->width == width &&
	    head->height == height && head->refresh == refresh)
		return false;
	head->connected = !!width;
	head->width = width;
	head->height = height;
	head->refresh = refresh;
	head->serial++;
	head->edid_size = !width ? 0 :
		edid_make(head->edid, limits, index, width, height, refresh);
	return true;
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
