/* SPDX-License-Identifier: MIT */
/*
 * What the parts of pvgpud share: the event loop, what it was started with,
 * and the vGPUs. There is one thread.
 */
#ifndef PVGPU_MANAGER_H
#define PVGPU_MANAGER_H

#include "config.h"
#include "schedule.h"
#include "types/placement.h"
#include "types/types.h"
#include "vgpu.h"

#define PVGPU_RELEASE "0.1"

struct options;
struct state;

struct manager {
	sd_event *event;
	const struct options *options;
	struct store *store;
	struct units *units;		/* NULL: workers are children */
	bool adopting;			/* an earlier one's vGPUs */
	bool control_given;		/* systemd's socket, owner and mode */
	const char *runtime_dir;
	const char *worker_program;
	bool debug;
	struct config config;		/* configure.c fills this and types */
	struct gpu_device gpu;		/* what workers are told to render on */
	struct vgpu_types types;
	struct settings scheduling;	/* of the GPU, what was set by calls */
	struct placement_map map;	/* of the GPU, what vGPUs have */
	bool mode_was_set;		/* by a call; the configuration's yields */
	struct state *state;		/* NULL: nothing outlives this process */
	struct schedule *schedule;	/* of the GPU's time */
	struct vgpu *vgpus;		/* in order of creation */
	struct figures_wait *figures_waits;
	struct trace *trace;		/* NULL: none is on */
	struct metrics *metrics;	/* NULL: served nowhere */
};

/* The vGPU of this name, or NULL. */
struct vgpu *manager_find(struct manager *manager, const char *name);
/* Sum of the framebuffers of all vGPUs. */
uint64_t manager_memory_used(const struct manager *manager);

/* Adds a vGPU, without saving it; the caller has checked the name, and
 * admission has given the placement. 0 or -errno. */
int manager_create(struct manager *manager, const struct vgpu_spec *spec,
		   struct vgpu **ret);
/* Writes the vGPU to where it outlives this process, with its settings, before
 * it returns 0; or -errno with the old ones there still. */
int manager_save(struct vgpu *vgpu);
/* Ends the vGPU. What is saved of it stays: state_remove_vgpu() is for that. */
void manager_destroy(struct manager *manager, struct vgpu *vgpu);

/* Another mode of the GPU, saved. -EBUSY while vGPUs are placed. */
int manager_set_mode(struct manager *manager, enum placement_mode mode);

#endif
