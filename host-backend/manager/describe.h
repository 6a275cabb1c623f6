/* SPDX-License-Identifier: MIT */
/*
 * Types, vGPUs and what a worker says of them, as the JSON objects of
 * io.pvgpu.Manager.varlink. New objects, the caller's.
 */
#ifndef PVGPU_DESCRIBE_H
#define PVGPU_DESCRIBE_H

#include <json-c/json.h>

#include "common/worker_link.h"
#include "manager.h"

json_object *describe_type(const struct vgpu_type *type);
json_object *describe_vgpu(struct vgpu *vgpu);
/* Adds what the scheduler gave it, if it is scheduled, as "schedule". */
void describe_schedule(json_object *to, const struct vgpu *vgpu);
json_object *describe_gpu(const struct manager *manager);
/* What lies where on the GPU: vGPUs and holes, in order of their ids. */
json_object *describe_placements(const struct manager *manager);
json_object *describe_guest(const struct worker_query_done *query);
json_object *describe_heads(const struct worker_query_done *query,
			    uint32_t heads);
json_object *describe_counters(const struct worker_query_done *query);

/* Without figures: just the limit. */
json_object *describe_limit(uint64_t limit);
json_object *describe_budget(uint64_t limit, uint64_t used, uint64_t peak);
/* The device budget, by kind, and what renders. */
json_object *describe_device(uint64_t limit,
			     const struct worker_query_done *query);

#endif
