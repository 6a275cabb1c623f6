/* SPDX-License-Identifier: MIT */
/*
 * The heads: what is plugged into each (connector, EDID) and what each shows
 * (mode and planes). commit.c checks a COMMIT on a copy of the states; here
 * they are latched, and resources that a plane shows are pinned.
 *
 * Threads: the ring thread only.
 */
#ifndef PVGPU_WORKER_HEADS_H
#define PVGPU_WORKER_HEADS_H

#include "common/limits.h"
#include "common/window.h"
#include "common/worker_link.h"
#include "edid.h"
#include "resource.h"

struct plane_state {
	struct resource *resource;	/* NULL: off */
	uint32_t format;
	uint64_t offset;		/* of pixel (0,0), bytes; LINEAR */
	uint32_t stride;		/* bytes; LINEAR */
	uint64_t chroma_offset;		/* NV12 */
	uint32_t chroma_stride;
	uint32_t ycbcr;			/* PVGPU_YCBCR_* */
	uint32_t width, height;		/* of the framebuffer */
	uint32_t src_x, src_y;		/* 16.16; whole where nothing scales */
	uint32_t src_w, src_h;
	uint32_t w, h;			/* of the destination */
	int32_t dst_x, dst_y;		/* may lie outside the mode */
	uint32_t z;
	uint32_t transform;		/* PVGPU_TRANSFORM_* */
	uint32_t hot_x, hot_y;
	uint16_t alpha;
	uint16_t blend;
};

/* By 90 or 270 degrees: width and height change places. */
static inline bool plane_turned(const struct plane_state *p)
{
	return p->transform & PVGPU_TRANSFORM_TURN_90;
}

/* The size that it would have in the mode, 16.16, if it were not scaled. */
static inline uint32_t plane_natural_w(const struct plane_state *p)
{
	return plane_turned(p) ? p->src_h : p->src_w;
}

static inline uint32_t plane_natural_h(const struct plane_state *p)
{
	return plane_turned(p) ? p->src_w : p->src_h;
}

struct head_state {
	bool active;
	uint32_t width, height;		/* of the mode */
	uint32_t refresh;		/* mHz */
	uint64_t frame;			/* the guest's number */
	/* Of the commit that made it so. */
	bool flips;			/* another picture in the same mode */
	uint32_t vblank;		/* ns from then to the guest's next
					 * one; 0: it did not say */
	struct plane_state planes[WINDOW_PLANES];
};

struct head {
	struct head_state now;
	uint64_t latched;		/* frames, since the worker started */
	bool connected;
	uint32_t serial;		/* of what is plugged in */
	uint32_t width, height;		/* preferred mode */
	uint32_t refresh;		/* mHz */
	uint8_t edid[EDID_MAX];
	uint32_t edid_size;		/* bytes */
};

struct heads {
	uint32_t count;
	struct head head[PVGPU_MAX_HEADS];
};

/* Every head connected, with the type's default mode. */
void heads_init(struct heads *heads, const struct vgpu_limits *limits);
/* Plugs a monitor into a head, or pulls it. -EINVAL for what no manager of
 * ours says. */
int heads_plug(struct heads *heads, const struct vgpu_limits *limits,
	       const struct worker_head_set *set);
/* All heads dark, nothing pinned; connectors stay. */
void heads_dark(struct heads *heads);
/* Makes `next` the state of a head. */
void heads_latch(struct head *head, const struct head_state *next);

/* Refresh of a mode in mHz: clock in kHz over the pixels of a whole frame. */
static inline uint64_t mode_refresh(uint32_t clock, uint32_t htotal,
				    uint32_t vtotal)
{
	return (uint64_t)clock * 1000000 / ((uint64_t)htotal * vtotal);
}

/* Checks a whole COMMIT message of `length` bytes against the limits and the
 * features that were granted; on
 * success next[] holds the states of the heads in *ret_mask to be latched. */
struct verdict commit_check(const struct heads *heads,
			    const struct resource_table *resources,
			    const struct vgpu_limits *limits,
			    uint64_t features,
			    const void *message, uint32_t length,
			    struct head_state next[PVGPU_MAX_HEADS],
			    uint32_t *ret_mask);

#endif
