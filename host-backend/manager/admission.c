// SPDX-License-Identifier: MIT
/* Whether one more vGPU may be; see admission.h. */
#include "admission.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "common/size.h"
#include "common/util.h"
#include "sched_setting.h"

struct sums {
	uint64_t framebuffers;		/* so also: window budgets */
	uint64_t device_budgets;
	uint64_t of_type;		/* vGPUs of the type in question */
};

static struct sums sum_up(const struct manager *m,
			  const struct vgpu_type *type)
{
	struct sums s = { 0 };

	for (const struct vgpu *v = m->vgpus; v; v = v->next) {
		s.framebuffers += v->limits.framebuffer;
		s.device_budgets += v->limits.device_budget;
		s.of_type += !strcmp(v->type->name, type->name);
	}
	return s;
}

/* What is left of a limit; it may have been lowered below what is in use. */
static uint64_t left(uint64_t limit, uint64_t used)
{
	return used < limit ? limit - used : 0;
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* What is left of the GPU's time, where it is given away in shares. */
static uint64_t left_shares(const struct manager *m)
{
	return sched_setting_config(m, &m->config).policy == SCHED_FIXED_SHARE ?
	       left(SCHED_WHOLE, sched_setting_shares(m, &m->config, NULL)) :
	       UINT64_MAX;
}

uint32_t admission_units(const struct vgpu_type *type)
{
	return (uint32_t)(type->limits.framebuffer / PLACEMENT_UNIT);
}

uint64_t admission_room(const struct manager *m, const struct vgpu_type *type)
{
	const struct vgpu_limits *l = &type->limits;
	struct sums s = sum_up(m, type);
	uint64_t room = placement_room(&m->map, admission_units(type));

	room = least(room, left(m->config.gpu_memory, s.device_budgets) /
			   l->device_budget);
	room = least(room, left(m->config.host_memory, s.framebuffers) /
			   l->framebuffer);
	if (type->max_instances)
		room = least(room, left(type->max_instances, s.of_type));
	return least(room, left_shares(m) /
			   sched_setting_share(m, &m->config, type, NULL));
}

uint64_t admission_most(const struct manager *m, const struct vgpu_type *type)
{
	const struct vgpu_limits *l = &type->limits;
	uint64_t most = m->map.units / admission_units(type);

	most = least(most, m->config.gpu_memory / l->device_budget);
	most = least(most, m->config.host_memory / l->framebuffer);
	return type->max_instances ? least(most, type->max_instances) : most;
}

void admission_type_names(char *out, size_t size, const struct manager *m,
			  bool fitting)
{
	size_t used = 0;

	out[0] = '\0';
	for (size_t i = 0; i < m->types.count && used < size; i++)
		if (!fitting || admission_room(m, &m->types.items[i]))
			used += (size_t)snprintf(out + used, size - used,
						 " %s", m->types.items[i].name);
}

/* Refuses for want of room, and says what would fit. */
static void printf_like(3, 4)
no_room(const struct manager *m, struct refusal *refusal, const char *format,
	...)
{
	char fitting[500], *message = refusal->message;
	size_t size = sizeof(refusal->message), used;
	va_list ap;

	refusal->error = "NoRoom";
	refusal->field = "type";
	va_start(ap, format);
	vsnprintf(message, size, format, ap);
	va_end(ap);
	used = strlen(message);
	admission_type_names(fitting, sizeof(fitting), m, true);
	snprintf(message + used, size - used, "; types that fit:%s",
		 *fitting ? fitting : " none");
}

static bool check_place(const struct manager *m, const struct vgpu_type *type,
			uint32_t *ret_at, struct refusal *refusal)
{
	const struct placement_map *map = &m->map;
	uint32_t units = admission_units(type);
	char wanted[SIZE_TEXT_MAX], free_text[SIZE_TEXT_MAX];
	char total[SIZE_TEXT_MAX], row[SIZE_TEXT_MAX];
	uint32_t vacant = placement_free(map);

	format_size(wanted, type->limits.framebuffer);
	format_size(free_text, vacant * PLACEMENT_UNIT);
	format_size(total, m->config.gpu_memory);
	switch (placement_find(map, units, ret_at)) {
	case 0:
		return true;
	case -EDOM:
		no_room(m, refusal, "the GPU is in equal mode, and its vGPUs "
			"have %s each; %s has %s",
			format_size(row, map->items[0].size * PLACEMENT_UNIT),
			type->name, wanted);
		return false;
	default:
		if (vacant < units)
			no_room(m, refusal, "%s takes %s, and %s of the GPU's "
				"%s are free", type->name, wanted, free_text,
				total);
		else
			no_room(m, refusal, "%s takes %s in a row, and of the "
				"GPU's %s that are free the most in a row are "
				"%s", type->name, wanted, free_text,
				format_size(row, placement_largest_hole(map) *
						 PLACEMENT_UNIT));
		return false;
	}
}

static bool check_placement(const struct manager *m,
			    const struct vgpu_type *type, int64_t placement,
			    uint32_t *ret_at, struct refusal *refusal)
{
	uint32_t units = admission_units(type);
	char free_ids[400];
	int r = -EINVAL;

	if (placement >= 0 && placement <= UINT32_MAX / 2)
		r = placement_check(&m->map, units, (uint32_t)placement);
	if (!r) {
		*ret_at = (uint32_t)placement;
		return true;
	}
	placement_ids_text(&m->map, units, true, free_ids, sizeof(free_ids));
	refusal->error = "BadPlacement";
	refusal->field = "placement";
	snprintf(refusal->message, sizeof(refusal->message),
		 "%" PRId64 " is %s; free for %s in %s mode are %s", placement,
		 r == -EBUSY ? "taken" : "not an id of this type",
		 type->name, placement_mode_name(m->map.mode), free_ids);
	return false;
}

bool admission_check(const struct manager *m, const struct vgpu_type *type,
		     const struct settings *set, int64_t placement,
		     uint32_t *ret_at, struct refusal *refusal)
{
	uint32_t share = sched_setting_share(m, &m->config, type, set);
	const struct vgpu_limits *l = &type->limits;
	struct sums s = sum_up(m, type);
	char wanted[SIZE_TEXT_MAX], rest[SIZE_TEXT_MAX], total[SIZE_TEXT_MAX];
	uint64_t vacant;

	if (!check_place(m, type, ret_at, refusal))
		return false;
	vacant = left(m->config.gpu_memory, s.device_budgets);
	if (vacant < l->device_budget) {
		no_room(m, refusal, "%s has a device_budget of %s, and %s of "
			"the GPU's %s are not promised yet", type->name,
			format_size(wanted, l->device_budget),
			format_size(rest, vacant),
			format_size(total, m->config.gpu_memory));
		return false;
	}
	vacant = left(m->config.host_memory, s.framebuffers);
	if (vacant < l->framebuffer) {
		no_room(m, refusal, "%s takes up to %s of the host's memory, "
			"and %s of the %s that host_memory allows are not "
			"promised yet", type->name,
			format_size(wanted, l->framebuffer),
			format_size(rest, vacant),
			format_size(total, m->config.host_memory));
		return false;
	}
	if (type->max_instances && s.of_type >= type->max_instances) {
		no_room(m, refusal, "there are %" PRIu64 " of %s, and its "
			"max_instances is %u", s.of_type, type->name,
			type->max_instances);
		return false;
	}
	vacant = left_shares(m);
	if (vacant < share) {
		no_room(m, refusal, "the policy is fixed-share, %s's share is "
			"%s, and %s of the GPU's time are not given away yet",
			type->name, setting_text(wanted, SETTING_SHARE, share),
			setting_text(rest, SETTING_SHARE, vacant));
		return false;
	}
	return placement == ANYWHERE ||
	       check_placement(m, type, placement, ret_at, refusal);
}
