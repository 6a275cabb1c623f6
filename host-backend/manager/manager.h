/* SPDX-License-Identifier: MIT */
/*
 * What the parts of pvgpud share: the event loop, what it was started with,
 * and the vGPUs. There is one thread.
 */
#ifndef PVGPU_MANAGER_H
#define PVGPU_MANAGER_H

#include "types/types.h"
#include "vgpu.h"

#define PVGPU_RELEASE "0.1"

struct manager {
	sd_event *event;
	const char *runtime_dir;
	const char *worker_program;
	bool debug;
	uint64_t gpu_memory;		/* bytes of framebuffer to give away */
	struct vgpu_types types;
	struct vgpu *vgpus;		/* in order of creation */
};

/* The vGPU of this name, or NULL. */
struct vgpu *manager_find(struct manager *manager, const char *name);
/* Sum of the framebuffers of all vGPUs. */
uint64_t manager_memory_used(const struct manager *manager);
/* How many more vGPUs of the type fit. */
uint64_t manager_room_for(const struct manager *manager,
			  const struct vgpu_type *type);

/* Adds a vGPU; the caller has checked name and room. 0 or -errno. */
int manager_create(struct manager *manager, const char *name,
		   const struct vgpu_type *type, struct vgpu **ret);
void manager_destroy(struct manager *manager, struct vgpu *vgpu);

#endif
