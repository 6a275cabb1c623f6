/* SPDX-License-Identifier: MIT */
/*
 * GL contexts without a window, on the device that was asked for and on no
 * other: the only file that calls EGL.
 *
 * Threads: contexts are made current by any, one at a time each; all else is
 * the renderer's thread's.
 */
#ifndef PVGPU_WORKER_EGL_H
#define PVGPU_WORKER_EGL_H

#include <stdbool.h>

#include "common/gpu.h"

struct egl;

/* NULL, and the log says why: nothing else is rendered on instead. */
struct egl *egl_open(const struct gpu_device *gpu);
/* After the last context. NULL is nothing. */
void egl_close(struct egl *e);

/* A context of desktop GL; `shared` has the objects of the thread's current
 * one. NULL if that version cannot be had. */
void *egl_context_new(struct egl *e, int major, int minor, bool shared);
void egl_context_free(struct egl *e, void *context);
/* NULL: none is current any more. */
bool egl_make_current(struct egl *e, void *context);

/* Whether a GL_RENDERER is llvmpipe's or another's that draws in software. */
bool egl_is_software(const char *renderer);

#endif
