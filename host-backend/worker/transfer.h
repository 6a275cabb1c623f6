/* SPDX-License-Identifier: MIT */
/*
 * Transfers between a surface and the VRAM behind it (spec.md section 13.4),
 * in steps that virglrenderer gets right: it knows no rows without gaps, reads
 * one layer at a time, writes one face at a time, and takes strides of whole
 * texels only. What it does not know goes through a buffer, band by band.
 *
 * Threads: the renderer's thread.
 */
#ifndef PVGPU_WORKER_TRANSFER_H
#define PVGPU_WORKER_TRANSFER_H

#include "renderer.h"

/* virglrenderer names it and leaves it to virgl_hw.h, which is not installed
 * everywhere; the layout is virgl's stable interface. */
struct virgl_box {
	uint32_t x, y, z;
	uint32_t w, h, d;
};

struct transfer_buffer {
	uint8_t *bytes;			/* NULL until it is first needed */
};

void transfer_buffer_free(struct transfer_buffer *buffer);

/* Does a job of kind TRANSFER_TO or _FROM, which was checked. 0; -ENOMEM; or
 * -EINVAL where the renderer refuses it. */
int transfer_run(struct transfer_buffer *buffer, const struct job *job);

#endif
