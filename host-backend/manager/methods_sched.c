// SPDX-License-Identifier: MIT
/* GetGpuScheduling, SetGpuScheduling, GetScheduling, SetScheduling: what the
 * scheduler is set to. */
#include <inttypes.h>
#include <string.h>

#include "common/log.h"
#include "manager.h"
#include "methods.h"
#include "sched_setting.h"
#include "state.h"

#define BY_DEFAULT	"default"	/* in place of a word; a number: -1 */

static json_object *names_of(const struct settings *set)
{
	json_object *names = json_object_new_array();

	for (enum setting i = 0; i < SETTINGS; i++)
		if (settings_has(set, i))
			json_object_array_add(names, json_object_new_string(
				setting_infos[i].member));
	return names;
}

static json_object *scheduling_of_gpu(const struct manager *m)
{
	const struct sched_config *c = schedule_config(m);
	struct settings all = { 0 };
	json_object *o;

	settings_put(&all, SETTING_POLICY, c->policy);
	settings_put(&all, SETTING_ORDER, c->order);
	settings_put(&all, SETTING_SLICE, c->slice);
	settings_put(&all, SETTING_FREQUENCY, c->frequency);
	settings_put(&all, SETTING_FACTOR, c->factor);
	o = settings_json(&all, SETTINGS_GPU);
	json_put(o, "set", names_of(&m->scheduling));
	return o;
}

static json_object *scheduling_of(const struct vgpu *v)
{
	const struct sched_params *p = schedule_params(v);
	struct settings all = { 0 };
	json_object *o;

	settings_put(&all, SETTING_WEIGHT, p->weight);
	settings_put(&all, SETTING_SHARE, p->share);
	settings_put(&all, SETTING_BORROW, p->borrow);
	settings_put(&all, SETTING_WATCHDOG, p->watchdog);
	settings_put(&all, SETTING_FRAME_LIMIT, v->frame_limit);
	o = settings_json(&all, SETTINGS_VGPU);
	json_put_string(o, "name", v->name);
	json_put(o, "set", names_of(&v->scheduling));
	return o;
}

/* `set` with what the call wants of it. False: the error is sent. */
static bool change(struct varlink_call *call, struct settings *set,
		   enum setting from, enum setting to)
{
	for (enum setting i = from; i < to; i++) {
		const struct setting_info *info = &setting_infos[i];
		json_object *value = NULL;
		uint64_t number;

		if (!varlink_given(call, info->member))
			continue;
		if (info->words ?
		    !strcmp(varlink_string(call, info->member), BY_DEFAULT) :
		    varlink_int(call, info->member) == -1) {
			settings_drop(set, i);
			continue;
		}
		json_object_object_get_ex(call->parameters, info->member,
					  &value);
		if (setting_from_json(&number, i, value)) {
			varlink_error(call, "InvalidSetting", info->member,
				      "%.64s given; allowed is %s",
				      json_object_to_json_string(value),
				      info->allowed);
			return false;
		}
		settings_put(set, i, number);
	}
	return true;
}

/* "weight 200, frame_limit 30", and what is by default is not said. */
static void log_set(const char *what, const struct settings *set)
{
	char all[300] = "", text[SETTING_TEXT_MAX];
	size_t used = 0;

	for (enum setting i = 0; i < SETTINGS; i++)
		if (settings_has(set, i))
			used += (size_t)snprintf(all + used,
				sizeof(all) - used, "%s%s %s",
				used ? ", " : "", setting_infos[i].name,
				setting_text(text, i, set->value[i]));
	log_info("%s: time slices are set to: %s", what,
		 used ? all : "nothing but defaults");
}

static void failed(struct varlink_call *call, int error)
{
	varlink_error(call, "System", "state", "%s: %s",
		      state_path(call->manager->state), strerror(-error));
}

void method_get_gpu_scheduling(struct varlink_call *call)
{
	json_object *reply = json_object_new_object();
	json_object *vgpus = json_object_new_array();

	for (const struct vgpu *v = call->manager->vgpus; v; v = v->next)
		json_object_array_add(vgpus, scheduling_of(v));
	json_put(reply, "gpu", scheduling_of_gpu(call->manager));
	json_put(reply, "vgpus", vgpus);
	varlink_reply(call, reply, -1);
}

void method_set_gpu_scheduling(struct varlink_call *call)
{
	struct manager *m = call->manager;
	struct settings set = m->scheduling;
	char text[SETTING_TEXT_MAX];
	json_object *reply;
	int r;

	if (!change(call, &set, SETTINGS_GPU))
		return;
	r = sched_setting_set_gpu(m, &set);
	if (r == -ENOSPC) {
		varlink_error(call, "NoRoom", "policy", "the vGPUs that there "
			      "are have %s of the GPU's time together; "
			      "fixed-share is for up to 100%%",
			      setting_text(text, SETTING_SHARE,
					   sched_setting_shares(m, &m->config,
								NULL)));
		return;
	}
	if (r < 0) {
		failed(call, r);
		return;
	}
	log_set(m->config.gpu_name, &set);
	reply = json_object_new_object();
	json_put(reply, "gpu", scheduling_of_gpu(m));
	varlink_reply(call, reply, -1);
}

void method_get_scheduling(struct varlink_call *call)
{
	const struct vgpu *v = method_vgpu(call);
	json_object *reply;

	if (!v)
		return;
	reply = json_object_new_object();
	json_put(reply, "vgpu", scheduling_of(v));
	varlink_reply(call, reply, -1);
}

void method_set_scheduling(struct varlink_call *call)
{
	struct manager *m = call->manager;
	struct vgpu *v = method_vgpu(call);
	char text[SETTING_TEXT_MAX], rest[SETTING_TEXT_MAX];
	struct settings set;
	uint64_t others;
	json_object *reply;
	int r;

	if (!v)
		return;
	set = v->scheduling;
	if (!change(call, &set, SETTINGS_VGPU))
		return;
	r = sched_setting_set_vgpu(v, &set);
	if (r == -ENOSPC) {
		others = sched_setting_shares(m, &m->config, v);
		setting_text(text, SETTING_SHARE, sched_setting_share(
			m, &m->config, v->type, &set));
		setting_text(rest, SETTING_SHARE, others < SCHED_WHOLE ?
			     SCHED_WHOLE - others : 0);
		varlink_error(call, "NoRoom", "share", "it would be %s; "
			      "allowed is up to %s: the policy is fixed-share, "
			      "and the other vGPUs have the rest", text, rest);
		return;
	}
	if (r < 0) {
		failed(call, r);
		return;
	}
	log_set(v->name, &set);
	reply = json_object_new_object();
	json_put(reply, "vgpu", scheduling_of(v));
	varlink_reply(call, reply, -1);
}
