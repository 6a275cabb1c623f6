/* SPDX-License-Identifier: MIT */
/*
 * What a vGPU may have, as its type says: the one structure that the type
 * catalogue fills, the window announces, and the worker enforces. Plain
 * numbers, so that it can travel in a message between our own processes.
 */
#ifndef PVGPU_LIMITS_H
#define PVGPU_LIMITS_H

#include <stdint.h>

struct vgpu_limits {
	char type_name[32];		/* NUL-terminated */
	uint8_t uuid[16];		/* of the vGPU */
	uint64_t framebuffer;		/* bytes of VRAM: the window budget */
	uint64_t device_budget;		/* bytes the renderer may hold */
	uint64_t max_pixels;		/* sum over the active heads */
	uint32_t heads;
	uint32_t max_width;		/* of one mode */
	uint32_t max_height;
	uint32_t max_refresh;		/* mHz */
	uint32_t cursor_max;		/* width and height */
	uint32_t channels;
	uint32_t classes;		/* bit (1 << PVGPU_CHANNEL_*) */
	uint32_t max_resources;
	uint32_t max_extents;		/* of one resource */
	uint32_t guests;		/* bit (1 << PVGPU_GUEST_*) */
	uint32_t default_width;		/* preferred mode of a head */
	uint32_t default_height;
	uint32_t default_refresh;	/* mHz */
};

#endif
