/* SPDX-License-Identifier: MIT */
/*
 * Which GPU the workers render on: what the configuration says, and what of
 * that the host has. /sys and /proc are looked at and no device node is: pvgpud
 * has none of them under systemd, and whether it can be opened is the worker's
 * to find out, as the user that it is.
 */
#ifndef PVGPU_GPU_FIND_H
#define PVGPU_GPU_FIND_H

#include "common/gpu.h"

#define GPU_WANTED_MAX		32
#define GPU_WANTED_ALLOWED	"llvmpipe, auto, a render node such as " \
				"/dev/dri/renderD128 or a PCI address such " \
				"as 0000:03:00.0"

/* Whether this can be looked for. */
bool gpu_wanted_ok(const char *wanted);

/* Finds it below `root`, "" for the host's own. 0; -ENOENT if there is none,
 * or -ENODEV if it cannot be rendered on; or another -errno. `why` then says
 * what there is instead. "auto" is the first that can be rendered on, or
 * llvmpipe. */
#define GPU_WHY_MAX 512
int gpu_find(struct gpu_device *ret, const char *wanted, const char *root,
	     char why[GPU_WHY_MAX]);

#endif
