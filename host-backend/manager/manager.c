// SPDX-License-Identifier: MIT
/* The vGPUs that there are, and whether one more fits; see manager.h. */
#include "manager.h"

#include <string.h>

#include "common/log.h"

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

uint64_t manager_room_for(const struct manager *m,
			  const struct vgpu_type *type)
{
	/* Every vGPU was let in by this sum, so it never exceeds the total. */
	return (m->gpu_memory - manager_memory_used(m)) /
	       type->limits.framebuffer;
}

int manager_create(struct manager *m, const char *name,
		   const struct vgpu_type *type, struct vgpu **ret)
{
	struct vgpu **at = &m->vgpus;
	struct vgpu *v;
	int r;

	r = vgpu_new(&v, m, name, type);
	if (r < 0)
		return r;
	while (*at)
		at = &(*at)->next;
	*at = v;
	*ret = v;
	log_info("%s: created, type %s, socket %s", v->name, type->name,
		 v->socket);
	return 0;
}

void manager_destroy(struct manager *m, struct vgpu *vgpu)
{
	struct vgpu **at = &m->vgpus;

	while (*at != vgpu)
		at = &(*at)->next;
	*at = vgpu->next;
	log_info("%s: destroyed", vgpu->name);
	vgpu_free(vgpu);
}
