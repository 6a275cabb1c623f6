// SPDX-License-Identifier: MIT
/* The vGPUs that there are, and their places; see manager.h. */
#include "manager.h"

#include <string.h>

#include "admission.h"
#include "adopt.h"
#include "common/log.h"
#include "sched_setting.h"
#include "state.h"

struct vgpu *manager_find(struct manager *m, const char *name)
{
	struct vgpu *v;

	for (v = m->vgpus; v; v = v->next)
		if (!strcmp(v->name, name))
			break;
	return v;
}

uint64_t manager_memory_used(const struct manager *m)
{
	uint64_t used = 0;

	for (const struct vgpu *v = m->vgpus; v; v = v->next)
		used += v->limits.framebuffer;
	return used;
}

static void insert(struct manager *m, struct vgpu *vgpu)
{
	struct vgpu **at = &m->vgpus;

	while (*at)
		at = &(*at)->next;
	*at = vgpu;
}

/* A vGPU that a VM may be using counts more than what the configuration has
 * become meanwhile. */
static int insist(struct manager *m, uint32_t units, uint32_t at)
{
	struct placement_map before = m->map;
	int r = placement_insist(&m->map, units, at);

	if (r < 0 || (m->map.units == before.units &&
		      m->map.mode == before.mode))
		return r;
	m->config.gpu_memory = m->map.units * PLACEMENT_UNIT;
	log_warning("a vGPU that is there has GiB %u to %u: the GPU is taken "
		    "for %u GiB, %s sizes", at, at + units - 1, m->map.units,
		    placement_mode_name(m->map.mode));
	return 0;
}

int manager_create(struct manager *m, const struct vgpu_spec *spec,
		   struct vgpu **ret)
{
	uint32_t units = admission_units(spec->type);
	struct vgpu *v;
	int r;

	r = m->adopting ? insist(m, units, spec->placement) :
			  placement_take(&m->map, units, spec->placement);
	if (r < 0)
		return r;
	r = vgpu_new(&v, m, spec);
	if (r < 0) {
		placement_release(&m->map, spec->placement);
		return r;
	}
	insert(m, v);
	sched_setting_apply(m);
	/* Nobody may use a socket that a sudden death would take away. */
	if (!m->adopting)
		store_barrier(m->store);
	manager_record(m);
	*ret = v;
	log_info("%s: there, type %s, placement %u, socket %s", v->name,
		 v->type->name, v->placement, v->socket);
	return 0;
}

int manager_save(struct vgpu *v)
{
	return state_save_vgpu(v->manager->state, v);
}

void manager_destroy(struct manager *m, struct vgpu *vgpu)
{
	struct vgpu **at = &m->vgpus;

	while (*at != vgpu)
		at = &(*at)->next;
	*at = vgpu->next;
	log_info("%s: gone", vgpu->name);
	placement_release(&m->map, vgpu->placement);
	vgpu_free(vgpu);
	sched_setting_apply(m);
	manager_record(m);
}

int manager_set_mode(struct manager *m, enum placement_mode mode)
{
	enum placement_mode before = m->map.mode;
	bool was_set = m->mode_was_set;
	int r = placement_set_mode(&m->map, mode);

	if (r < 0)
		return r;
	m->mode_was_set = true;
	r = state_save_gpu(m);
	if (r < 0) {
		m->map.mode = before;
		m->mode_was_set = was_set;
	}
	return r;
}
