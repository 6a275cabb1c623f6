// SPDX-License-Identifier: MIT
/* What the scheduler is set to; see sched_setting.h. */
#include "sched_setting.h"

#include <string.h>

#include "adopt.h"
#include "common/log.h"
#include "manager.h"
#include "state.h"
#include "varlink.h"

/* ---------------------------------------------------------- what is in effect */

/* Set at run time, configured, or by default. */
static uint64_t of_gpu(const struct manager *m, const struct config *config,
		       enum setting which, uint64_t by_default)
{
	if (settings_has(&m->scheduling, which))
		return m->scheduling.value[which];
	return settings_has(&config->schedule, which) ?
	       config->schedule.value[which] : by_default;
}

struct sched_config sched_setting_config(const struct manager *m,
					 const struct config *config)
{
	struct sched_config c = sched_config_default(m->map.count);

	c.policy = (enum sched_policy)of_gpu(m, config, SETTING_POLICY,
					     c.policy);
	c.order = (enum sched_order)of_gpu(m, config, SETTING_ORDER, c.order);
	c.slice = of_gpu(m, config, SETTING_SLICE, c.slice);
	c.frequency = (uint32_t)of_gpu(m, config, SETTING_FREQUENCY,
				       c.frequency);
	c.factor = (uint32_t)of_gpu(m, config, SETTING_FACTOR, c.factor);
	return c;
}

static uint64_t of_vgpu(const struct vgpu_type *type,
			const struct settings *set, enum setting which)
{
	return set && settings_has(set, which) ? set->value[which] :
						 type->schedule.value[which];
}

/* Where sizes are equal, as many as there could be have the same. */
uint32_t sched_setting_share(const struct manager *m,
			     const struct config *config,
			     const struct vgpu_type *type,
			     const struct settings *set)
{
	const struct vgpu_limits *l = &type->limits;
	uint64_t stated = of_vgpu(type, set, SETTING_SHARE), instances;

	if (stated)
		return (uint32_t)stated;
	if (m->map.mode == PLACEMENT_MIXED)
		return sched_share_of_memory(l->framebuffer,
					     config->gpu_memory);
	instances = config->gpu_memory / l->framebuffer;
	if (type->max_instances && type->max_instances < instances)
		instances = type->max_instances;
	return sched_share_of_instances((uint32_t)instances);
}

uint64_t sched_setting_shares(const struct manager *m,
			      const struct config *config,
			      const struct vgpu *except)
{
	uint64_t sum = 0;

	for (const struct vgpu *v = m->vgpus; v; v = v->next)
		if (v != except)
			sum += sched_setting_share(m, config, v->type,
						   &v->scheduling);
	return sum;
}

struct sched_params sched_setting_params(const struct vgpu *v)
{
	const struct settings *set = &v->scheduling;
	const struct manager *m = v->manager;

	return (struct sched_params){
		.weight = (uint32_t)of_vgpu(v->type, set, SETTING_WEIGHT),
		.share = sched_setting_share(m, &m->config, v->type, set),
		.borrow = (uint32_t)of_vgpu(v->type, set, SETTING_BORROW),
		.watchdog = of_vgpu(v->type, set, SETTING_WATCHDOG),
	};
}

uint32_t sched_setting_frame_limit(const struct vgpu *v)
{
	return (uint32_t)of_vgpu(v->type, &v->scheduling,
				 SETTING_FRAME_LIMIT);
}

/* ----------------------------------------------------------------- changes */

static int apply_gpu(struct manager *m)
{
	struct sched_config c = sched_setting_config(m, &m->config);
	const struct sched_config *now = schedule_config(m);

	if (c.policy == now->policy && c.order == now->order &&
	    c.slice == now->slice && c.frequency == now->frequency &&
	    c.factor == now->factor)
		return 0;
	return schedule_configure(m, &c);
}

static int apply_vgpu(struct vgpu *v)
{
	struct sched_params p = sched_setting_params(v);
	const struct sched_params *now = schedule_params(v);
	int r = 0;

	if (p.weight != now->weight || p.share != now->share ||
	    p.borrow != now->borrow || p.watchdog != now->watchdog)
		r = schedule_set(v, &p);
	return r < 0 ? r : vgpu_set_frame_limit(v,
						sched_setting_frame_limit(v));
}

void sched_setting_apply(struct manager *m)
{
	int r;

	for (struct vgpu *v = m->vgpus; v; v = v->next) {
		r = apply_vgpu(v);
		if (r < 0)
			log_error("%s: its time slices stay as they were: %s",
				  v->name, strerror(-r));
	}
	r = apply_gpu(m);
	if (r == -ENOSPC)
		log_error("policy fixed-share: the vGPUs that there are have "
			  "more than the GPU together; it stays %s",
			  setting_infos[SETTING_POLICY].words[
				  schedule_config(m)->policy]);
	else if (r < 0)
		log_error("time slices stay as they were: %s", strerror(-r));
}

int sched_setting_set_gpu(struct manager *m, const struct settings *set)
{
	struct settings before = m->scheduling;
	int r;

	m->scheduling = *set;
	r = apply_gpu(m);
	if (!r)
		r = state_save_gpu(m);
	if (r < 0) {
		m->scheduling = before;
		apply_gpu(m);
	}
	return r;
}

int sched_setting_set_vgpu(struct vgpu *v, const struct settings *set)
{
	struct settings before = v->scheduling;
	int r;

	v->scheduling = *set;
	r = apply_vgpu(v);
	if (!r)
		r = manager_save(v);
	if (r < 0) {
		v->scheduling = before;
		apply_vgpu(v);
		return r;
	}
	manager_record(v->manager);
	return 0;
}

/* -------------------------------------------------------------------- JSON */

json_object *setting_json(enum setting which, uint64_t value)
{
	const char *const *words = setting_infos[which].words;

	return words ? json_object_new_string(words[value]) :
		       json_object_new_int64((int64_t)value);
}

json_object *settings_json(const struct settings *s, enum setting from,
			   enum setting to)
{
	json_object *o = json_object_new_object();

	for (enum setting i = from; i < to; i++)
		if (settings_has(s, i))
			json_put(o, setting_infos[i].member,
				 setting_json(i, s->value[i]));
	return o;
}

int setting_from_json(uint64_t *ret, enum setting which, json_object *value)
{
	int64_t number;

	if (setting_infos[which].words)
		return json_object_get_type(value) == json_type_string ?
		       setting_parse(ret, which,
				     json_object_get_string(value)) : -EINVAL;
	if (json_object_get_type(value) != json_type_int)
		return -EINVAL;
	number = json_object_get_int64(value);
	if (number < 0 || !setting_is_allowed(which, (uint64_t)number))
		return -EINVAL;
	*ret = (uint64_t)number;
	return 0;
}

int settings_from_json(struct settings *s, json_object *object,
		       enum setting from, enum setting to,
		       char why[SETTING_WHY_MAX])
{
	struct settings all = { 0 };

	if (json_object_get_type(object) != json_type_object) {
		snprintf(why, SETTING_WHY_MAX, "allowed is an object");
		return -EINVAL;
	}
	json_object_object_foreach(object, name, value) {
		enum setting i = from;
		uint64_t number;

		while (i < to && strcmp(setting_infos[i].member, name))
			i++;
		if (i == to) {
			snprintf(why, SETTING_WHY_MAX, "%.64s is nothing that "
				 "is set", name);
			return -EINVAL;
		}
		if (setting_from_json(&number, i, value)) {
			snprintf(why, SETTING_WHY_MAX, "%s: allowed is %s",
				 name, setting_infos[i].allowed);
			return -EINVAL;
		}
		settings_put(&all, i, number);
	}
	*s = all;
	return 0;
}
