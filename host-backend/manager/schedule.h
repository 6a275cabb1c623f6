/* SPDX-License-Identifier: MIT */
/*
 * Whose turn it is on the manager's GPU: the scheduler (scheduler/) on the
 * event loop, and what it and the workers' gates tell each other. A vGPU is in
 * it while a QEMU is connected, whatever becomes of its workers meanwhile;
 * strikes are remembered longer.
 *
 * Settings are held here and nowhere else while pvgpud runs; saving them is
 * the caller's.
 */
#ifndef PVGPU_SCHEDULE_H
#define PVGPU_SCHEDULE_H

#include <stdbool.h>

#include "scheduler/gate.h"

struct grant_channel;
struct manager;
struct schedule;
struct scheduled;			/* a vGPU's part of it */
struct vgpu;

/* Makes manager->schedule, with the defaults, or with the board that an
 * earlier pvgpud left in the store. 0 or -errno. */
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

/* Sums since its QEMU connected, with what is used so far of the grant that it
 * has; channel_at_fault is the guest's number, from 1 (GATE_CHANNELS: pictures
 * for those who look). False: there is no QEMU, or no share for it. */
bool schedule_figures(const struct vgpu *vgpu, struct sched_figures *ret);
/* What its worker says, as of now: GPU time of channel `n` from 0 (the last of
 * GATE_CHANNELS is pictures read back), since the worker started. */
bool schedule_channel(const struct vgpu *vgpu, uint32_t n, uint64_t *ret_used,
		      uint64_t *ret_batches);

/* ------------------------------------------------------------ for vgpu.c */

/* A QEMU is there; again is nothing. 0 or -errno: no worker can be started. */
int schedule_join(struct vgpu *vgpu);
/* No QEMU any more, and no worker. Again is nothing. */
void schedule_leave(struct vgpu *vgpu);
/* Its worker is dead, and reaped if it was ours to. */
void schedule_worker_gone(struct vgpu *vgpu);
/* WORKER_GRANT_FDS descriptors for a worker's INIT; NULL: it has not joined. */
const int *schedule_descriptors(const struct vgpu *vgpu);

#endif
