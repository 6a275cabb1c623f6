/* SPDX-License-Identifier: MIT */
/*
 * The EDID that a head shows its guest: a VESA E-EDID 1.4 base block made of
 * the type's limits and a preferred mode, and a DisplayID 1.3 extension where
 * the mode is beyond what a base block can say.
 */
#ifndef PVGPU_WORKER_EDID_H
#define PVGPU_WORKER_EDID_H

#include "common/limits.h"

#define EDID_BLOCK	128u
#define EDID_MAX	1024u	/* of one that was given; ours are smaller */

/* width and height in pixels within the limits, such that the mode has a
 * clock of 10 MHz or more (an EDID says no less), refresh in mHz, head counted
 * from 0. Returns the size in bytes, 128 or 256. */
uint32_t edid_make(uint8_t edid[EDID_MAX], const struct vgpu_limits *limits,
		   uint32_t head, uint32_t width, uint32_t height,
		   uint32_t refresh);

#endif
