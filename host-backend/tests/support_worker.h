/* SPDX-License-Identifier: MIT */
/*
 * A rig for tests of the worker: a window, a state page and eventfds as the
 * manager makes them, a worker (in this process, pumped by the guest's waits,
 * or a child), and the portable client as the guest.
 */
#ifndef PVGPU_SUPPORT_WORKER_H
#define PVGPU_SUPPORT_WORKER_H

#include "common/fdpass.h"
#include "worker/worker.h"

#include "protocol/client/client.h"

struct rig {
	struct vgpu_limits limits;
	struct window_layout layout;
	int window_fd, state_fd, link;	/* link: the manager's end */
	int doorbells[WINDOW_VECTORS], vectors[WINDOW_VECTORS];
	int grants[WORKER_GRANT_FDS];
	struct grant_page *page;	/* says: all of the GPU */
	uint8_t *window, *vram;
	struct worker_state *state;
	struct worker *worker;		/* inside this process, or NULL */
	pid_t child;			/* or 0 */
	struct pvgpu_client client;
	struct pvgpu_hello hello;
	uint64_t reply[PVGPU_MESSAGE_MAX / 8];
	uint32_t detail;		/* of the last call */
};

/* 64 MiB of VRAM, 2 heads up to 1920x1080 at 60 Hz, every guest, small
 * limits of everything that is tested. */
extern const struct vgpu_limits rig_limits;

/* Window and eventfds; no worker yet. Any failure ends the test. */
void rig_make(struct rig *rig, const struct vgpu_limits *limits);
/* What INIT brings; they stay the rig's. */
void rig_gather_fds(const struct rig *rig, int fds[WORKER_INIT_FDS]);
void rig_start_inside(struct rig *rig);
void rig_stop_inside(struct rig *rig);
/* A child of this program, with the link on descriptor 3; waits for READY. */
void rig_start_child(struct rig *rig, const char *program);
/* Ends the child by closing the link; returns its wait status. */
int rig_stop_child(struct rig *rig);
void rig_drop(struct rig *rig);
/* Lets the worker inside work until it has nothing to do. */
void rig_pump(struct rig *rig);
/* Makes, starts inside, attaches: what most tests begin with. */
void rig_up(struct rig *rig);
void rig_down(struct rig *rig);

/* Control calls: the status; the detail is left in rig->detail. */
int rig_call(struct rig *rig, void *message, uint32_t length);
int rig_create(struct rig *rig, uint32_t name, uint64_t size);
/* offsets and lengths alternate. */
int rig_back(struct rig *rig, uint32_t name, const uint64_t *extents,
	     uint32_t count);
int rig_destroy(struct rig *rig, uint32_t name);
/* Creates and backs in one piece at a VRAM offset. */
void rig_resource(struct rig *rig, uint32_t name, uint64_t offset,
		  uint64_t size);
int rig_open(struct rig *rig, uint32_t channel);
int rig_close(struct rig *rig, uint32_t channel);

/* Screenshot by the link: the worker's answer, and the mapped picture, which
 * the caller unmaps, in *ret_pixels (NULL if it was refused). */
struct worker_screenshot_done rig_screenshot(struct rig *rig, uint32_t head,
					     uint32_t **ret_pixels);
struct worker_query_done rig_query(struct rig *rig);

/* A COMMIT under construction. */
struct rig_commit {
	struct pvgpu_commit commit;
	struct pvgpu_commit_head heads[PVGPU_MAX_HEADS + 1];
	struct pvgpu_commit_plane planes[40];
	struct pvgpu_rect clips[64];
	uint32_t head_count, plane_count, clip_count;
	int32_t extra;			/* bytes added to the length */
};
/* Adds a head: width 0 is off, else a mode at refresh mHz about. */
struct pvgpu_commit_head *commit_head(struct rig_commit *c, uint32_t head,
				      uint32_t width, uint32_t height);
/* Adds a plane that shows all of a framebuffer at (x, y). */
struct pvgpu_commit_plane *commit_plane(struct rig_commit *c, uint32_t head,
					uint32_t plane, uint32_t resource,
					uint32_t format, uint32_t width,
					uint32_t height, int32_t x, int32_t y);
int rig_commit(struct rig *rig, const struct rig_commit *c);

/* To be called first by tests that render: keeps LeakSanitizer's report to
 * what is ours. */
void rig_keep_mesa(void);

/* Small repeatable noise: the state may be any number but 0. */
uint64_t noise(uint64_t *state);

#endif
