/* SPDX-License-Identifier: MIT */
/*
 * What the renderer does with a job: the only file that calls virglrenderer
 * (but for transfer.c) and GL. All of it runs on the renderer's thread.
 */
#ifndef PVGPU_WORKER_RENDER_H
#define PVGPU_WORKER_RENDER_H

#include "renderer.h"

/* Tells of a job that is done; it is not render's any more. */
typedef void render_done(void *context, struct job *job);

/* Starts GL and virglrenderer on that device, and fills *ret_info but for
 * `started` and `failed`; its capsets are the caller's. NULL, and the log says
 * why: where GL_RENDERER says that it is another, too. */
struct render *render_start(const struct gpu_device *gpu,
			    struct ledger *ledger, render_done *done,
			    void *context, struct renderer_info *ret_info);
void render_stop(struct render *g);
/* Does a job; it is told as done now or when its fence is reached. */
void render_job(struct render *g, struct job *job);
/* Readable when fences may have been reached, for render_poll(). */
int render_fd(struct render *g);
void render_poll(struct render *g);
/* Destroys all contexts and resources; the jobs that wait are told as done,
 * LOST. */
void render_reset(struct render *g);

#endif
