// SPDX-License-Identifier: MIT
/* GetFigures: what vGPUs use, as meters read it. */
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/util.h"
#include "describe.h"
#include "methods.h"
#include "schedule.h"
#include "types/setting.h"

struct gathering {
	struct varlink_call *call;
	struct figures_wait *wait;
	char name[VGPU_NAME_MAX + 1];	/* "": all */
};

static json_object *describe_figures(struct vgpu *v)
{
	const struct figures *f = figures_of(v);
	const struct broker_session *session = broker_session(v->broker);
	json_object *o = json_object_new_object();

	json_put_string(o, "name", v->name);
	json_put_string(o, "type", v->type->name);
	json_put_string(o, "state", vgpu_state_name(vgpu_state(v)));
	if (session && v->worker && !v->worker_of_past)
		json_put_int(o, "workerPid", (uint64_t)worker_pid(v->worker));
	json_put_int(o, "replaced", v->replaced);
	json_put(o, "stale", json_object_new_boolean(v->figures.late));
	describe_schedule(o, v);
	if (!f) {
		json_put(o, "heads", json_object_new_array());
		json_put(o, "window", describe_limit(v->limits.framebuffer));
		json_put(o, "device", describe_limit(v->limits.device_budget));
		return o;
	}
	json_put_int(o, "time", f->time);
	json_put(o, "heads", describe_heads(&f->live, v->limits.heads));
	json_put(o, "window",
		 describe_budget(v->limits.framebuffer, f->live.window_used,
				 f->live.window_peak));
	json_put(o, "device",
		 describe_device(v->limits.device_budget, &f->live));
	json_put(o, "counters", describe_counters(&f->live));
	return o;
}

static void reply(struct varlink_call *call, const char *name)
{
	char policy[SETTING_TEXT_MAX];
	json_object *o, *vgpus;

	if (*name && !method_vgpu(call))	/* destroyed meanwhile */
		return;
	o = json_object_new_object();
	vgpus = json_object_new_array();
	for (struct vgpu *v = call->manager->vgpus; v; v = v->next)
		if (!*name || !strcmp(v->name, name))
			json_object_array_add(vgpus, describe_figures(v));
	json_put_int(o, "time", clock_ns());
	json_put(o, "gpu", describe_gpu(call->manager));
	json_put_string(o, "policy", setting_text(policy, SETTING_POLICY,
		schedule_config(call->manager)->policy));
	json_put(o, "vgpus", vgpus);
	varlink_reply(call, o, -1);
}

static void gathered(void *userdata)
{
	cleanup_free struct gathering *g = userdata;

	reply(g->call, g->name);
}

static void cancel(void *userdata)
{
	struct gathering *g = userdata;

	figures_cancel(g->wait);
	free(g);
}

void method_get_figures(struct varlink_call *call)
{
	const char *name = varlink_string(call, "name");
	struct vgpu *only = NULL;
	struct gathering *g;
	int r;

	if (name) {
		only = method_vgpu(call);
		if (!only)
			return;
	}
	g = calloc(1, sizeof(*g));
	if (!g) {
		varlink_error(call, "System", "memory", "none left");
		return;
	}
	g->call = call;
	snprintf(g->name, sizeof(g->name), "%s", name ? name : "");
	r = figures_gather(call->manager, only, gathered, g, &g->wait);
	if (!r) {
		call->pending = g;
		call->cancel = cancel;
		return;
	}
	if (r < 0)
		varlink_error(call, "System", "figures", "%s", strerror(-r));
	else
		reply(call, g->name);
	free(g);
}
