// SPDX-License-Identifier: MIT
/* Layout of the window and its information page; see window.h. */
#include "window.h"

#include <errno.h>
#include <string.h>

#include <pvgpu/barrier.h>

static uint64_t round_up(uint64_t v, uint64_t to)
{
	return (v + to - 1) / to * to;
}

int window_layout(struct window_layout *ret, const struct vgpu_limits *limits)
{
	struct window_layout l = { .size = WINDOW_MIN_SIZE };
	uint64_t queues;

	if (!limits->heads || limits->heads > PVGPU_MAX_HEADS ||
	    limits->channels > PVGPU_MAX_CHANNELS ||
	    !limits->framebuffer ||
	    limits->framebuffer % PVGPU_EXTENT_ALIGN ||
	    limits->framebuffer > 1ull << 46)
		return -EINVAL;
	l.queue_stride = (uint32_t)round_up(
		PVGPU_FENCE_WAKE_OFFSET(WINDOW_QUEUE_SLOTS) +
		sizeof(struct pvgpu_fence_wake), PVGPU_EXTENT_ALIGN);
	queues = PVGPU_QUEUES_OFFSET +
		 (uint64_t)(limits->channels + 2) * l.queue_stride;
	l.host_offset = PVGPU_REGION_ALIGN;	/* after the information page */
	l.host_size = round_up(queues, PVGPU_REGION_ALIGN);
	l.guest_offset = l.host_offset + l.host_size;
	l.guest_size = l.host_size;
	l.fence_offset = l.guest_offset + l.guest_size;
	l.fence_size = PVGPU_REGION_ALIGN;
	l.vram_offset = round_up(l.fence_offset + l.fence_size,
				 PVGPU_VRAM_ALIGN);
	l.vram_size = limits->framebuffer;
	while (l.size < l.vram_offset + l.vram_size)
		l.size *= 2;
	*ret = l;
	return 0;
}

uint64_t window_features(const struct vgpu_limits *limits)
{
	uint64_t features = PVGPU_FEATURE_CURSOR | PVGPU_FEATURE_PRIORITY |
			    PVGPU_FEATURE_VBLANK | PVGPU_FEATURE_PLANES;

	if (limits->classes & 1u << PVGPU_CHANNEL_COPY)
		features |= PVGPU_FEATURE_COPY;
	if (limits->classes & 1u << PVGPU_CHANNEL_VIRGL)
		features |= PVGPU_FEATURE_VIRGL;
	return features;
}

void window_write_info(void *page, const struct window_layout *layout,
		       const struct vgpu_limits *limits)
{
	struct pvgpu_info *shared = page, info = {
		.length = pvgpu_cpu_to_le32(sizeof(info)),
		.version_min = pvgpu_cpu_to_le32(PVGPU_VERSION_1),
		.version_max = pvgpu_cpu_to_le32(PVGPU_VERSION_1),
		.host_peer = pvgpu_cpu_to_le32(WINDOW_HOST_PEER),
		.features = pvgpu_cpu_to_le64(window_features(limits)),
		.window_size = pvgpu_cpu_to_le64(layout->size),
		.vram_offset = pvgpu_cpu_to_le64(layout->vram_offset),
		.vram_size = pvgpu_cpu_to_le64(layout->vram_size),
		.device_budget = pvgpu_cpu_to_le64(limits->device_budget),
		.host_offset = pvgpu_cpu_to_le64(layout->host_offset),
		.host_size = pvgpu_cpu_to_le64(layout->host_size),
		.guest_offset = pvgpu_cpu_to_le64(layout->guest_offset),
		.guest_size = pvgpu_cpu_to_le64(layout->guest_size),
		.fence_offset = pvgpu_cpu_to_le64(layout->fence_offset),
		.fence_size = pvgpu_cpu_to_le64(layout->fence_size),
		.vectors = pvgpu_cpu_to_le32(WINDOW_VECTORS),
		.queue_slots = pvgpu_cpu_to_le32(WINDOW_QUEUE_SLOTS),
		.queue_stride = pvgpu_cpu_to_le32(layout->queue_stride),
		.message_max = pvgpu_cpu_to_le32(PVGPU_MESSAGE_MAX),
		.heads = pvgpu_cpu_to_le32(limits->heads),
		.planes = pvgpu_cpu_to_le32(WINDOW_PLANES),
		.max_width = pvgpu_cpu_to_le32(limits->max_width),
		.max_height = pvgpu_cpu_to_le32(limits->max_height),
		.max_pixels = pvgpu_cpu_to_le64(limits->max_pixels),
		.cursor_max = pvgpu_cpu_to_le32(limits->cursor_max),
		.channels = pvgpu_cpu_to_le32(limits->channels),
		.channel_classes = pvgpu_cpu_to_le32(limits->classes),
		.max_resources = pvgpu_cpu_to_le32(limits->max_resources),
		.max_extents = pvgpu_cpu_to_le32(limits->max_extents),
		.max_refresh = pvgpu_cpu_to_le32(limits->max_refresh),
	};

	if (limits->classes & 1u << PVGPU_CHANNEL_VIRGL) {
		info.capsets = pvgpu_cpu_to_le32(1u << PVGPU_CAPSET_VIRGL |
						 1u << PVGPU_CAPSET_VIRGL2);
		info.max_contexts = pvgpu_cpu_to_le32(WINDOW_CONTEXTS);
		info.max_commands = pvgpu_cpu_to_le32(WINDOW_COMMANDS_MAX);
	}
	memcpy(info.type_name, limits->type_name,
	       strnlen(limits->type_name, sizeof(limits->type_name)));
	memcpy(info.vgpu_uuid, limits->uuid, sizeof(info.vgpu_uuid));
	/* The magic last in a new page; in one that is written again it stays,
	 * so that a guest that looks just then still knows its device. */
	memcpy((char *)shared + sizeof(info.magic),
	       (char *)&info + sizeof(info.magic),
	       sizeof(info) - sizeof(info.magic));
	pvgpu_store64(&shared->magic, PVGPU_MAGIC);
}
