/* SPDX-License-Identifier: MIT */
/*
 * Whose turn it is on the manager's GPU: the scheduler (scheduler/), run on
 * the event loop. A vGPU is in it while a QEMU is connected, whatever becomes
 * of its workers meanwhile, so that neither debts nor strikes end with one.
 *
 * Settings are held here and nowhere else while pvgpud runs; saving them is
 * the caller's.
 */
#ifndef PVGPU_SCHEDULE_H
#define PVGPU_SCHEDULE_H

#include <stdbool.h>

#include "scheduler/scheduler.h"

struct manager;
struct schedule;
struct vgpu;

/* Makes manager->schedule, with the defaults. 0 or -errno. */
int schedule_new(struct manager *manager);
/* After all vGPUs. */
void schedule_free(struct manager *manager);

const struct sched_config *schedule_config(const struct manager *manager);
/* Takes effect within a round. -EINVAL: sched_config_wrong() says why;
 * -ENOSPC: fixed share, and all vGPUs' shares are more than the GPU. */
int schedule_configure(struct manager *manager,
		       const struct sched_config *config);

const struct sched_params *schedule_params(const struct vgpu *vgpu);
/* At once, and for as long as the vGPU is there. -EINVAL, -ENOSPC likewise. */
int schedule_set(struct vgpu *vgpu, const struct sched_params *params);

/* Sums since its QEMU connected; false: there is none. */
bool schedule_figures(const struct vgpu *vgpu, struct sched_figures *ret);

/* For vgpu.c: a QEMU is there, and is gone. */
void schedule_join(struct vgpu *vgpu);
void schedule_leave(struct vgpu *vgpu);

#endif
