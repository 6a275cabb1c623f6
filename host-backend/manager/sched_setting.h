/* SPDX-License-Identifier: MIT */
/*
 * What the scheduler is set to: for the GPU what was set at run time, else what
 * is configured, else a default; for a vGPU what was set at run time, else what
 * its type says. What was set outlives pvgpud (state.c), and no VM is stopped
 * for it.
 *
 * schedule.c holds what comes of it, and calls that change it are made here
 * only.
 */
#ifndef PVGPU_SCHED_SETTING_H
#define PVGPU_SCHED_SETTING_H

#include <json-c/json.h>

#include "scheduler/scheduler.h"
#include "types/types.h"

struct config;
struct manager;
struct vgpu;

/* Of the GPU, with this configuration and as many vGPUs as there are. */
struct sched_config sched_setting_config(const struct manager *m,
					 const struct config *config);
/* The share of the GPU that a vGPU of the type has under fixed share; `set`,
 * which may be NULL, is what was set of it. */
uint32_t sched_setting_share(const struct manager *m,
			     const struct config *config,
			     const struct vgpu_type *type,
			     const struct settings *set);
/* What all vGPUs have of it together, but for `except` (or NULL). */
uint64_t sched_setting_shares(const struct manager *m,
			      const struct config *config,
			      const struct vgpu *except);
struct sched_params sched_setting_params(const struct vgpu *v);
uint32_t sched_setting_frame_limit(const struct vgpu *v);	/* mHz; 0: none */

/* Puts everything into effect that is set: to be called after a change of the
 * configuration, or of the number of vGPUs. What cannot be is logged. */
void sched_setting_apply(struct manager *m);

/* Another `set` of the GPU or of a vGPU, in effect and saved. -ENOSPC: fixed
 * share, and the shares are more than the GPU; or -errno of saving it. On
 * failure nothing has changed. */
int sched_setting_set_gpu(struct manager *m, const struct settings *set);
int sched_setting_set_vgpu(struct vgpu *v, const struct settings *set);

/* Those from `from` up to `to` that are given, as JSON; a new object, the
 * caller's. */
json_object *settings_json(const struct settings *s, enum setting from,
			   enum setting to);
/* One of its members, or what a call or file has in that place: 0; or -EINVAL
 * where the value is not allowed. */
int setting_from_json(uint64_t *ret, enum setting which, json_object *value);
json_object *setting_json(enum setting which, uint64_t value);
/* settings_json() back, from a file that may hold anything. 0; or -EINVAL with
 * what is wrong and what is allowed in `why`. */
#define SETTING_WHY_MAX 200
int settings_from_json(struct settings *s, json_object *object,
		       enum setting from, enum setting to,
		       char why[SETTING_WHY_MAX]);

#endif
