// SPDX-License-Identifier: MIT
/* Types, vGPUs and workers' words as JSON; see describe.h. */
#include "describe.h"

#include <string.h>

#include "common/log.h"
#include "sched_setting.h"
#include "varlink.h"

json_object *describe_type(const struct vgpu_type *type)
{
	const struct vgpu_limits *l = &type->limits;
	json_object *o = json_object_new_object();
	json_object *guests = json_object_new_array();
	json_object *classes = json_object_new_array();
	char text[VGPU_GUESTS_TEXT_MAX], *rest = text, *word;
	char class_text[VGPU_CLASSES_TEXT_MAX], *class_rest = class_text;

	json_put_string(o, "name", type->name);
	json_put_string(o, "board", type->board);
	json_put_string(o, "series", (char[]){ type->series, '\0' });
	json_put_string(o, "class", vgpu_series_text(type->series));
	json_put_int(o, "framebuffer", l->framebuffer);
	if (type->max_instances)
		json_put_int(o, "maxInstances", type->max_instances);
	json_put_int(o, "deviceBudget", l->device_budget);
	json_put_int(o, "heads", l->heads);
	json_put_int(o, "maxWidth", l->max_width);
	json_put_int(o, "maxHeight", l->max_height);
	json_put_int(o, "maxPixels", l->max_pixels);
	json_put_int(o, "maxRefresh", l->max_refresh);
	json_put_int(o, "defaultWidth", l->default_width);
	json_put_int(o, "defaultHeight", l->default_height);
	json_put_int(o, "defaultRefresh", l->default_refresh);
	json_put_int(o, "cursorMax", l->cursor_max);
	json_put_int(o, "channels", l->channels);
	json_put_int(o, "maxResources", l->max_resources);
	json_put_int(o, "maxExtents", l->max_extents);
	vgpu_guests_text(text, l->guests);
	while ((word = strsep(&rest, " ")))
		json_object_array_add(guests, json_object_new_string(word));
	json_put(o, "guests", guests);
	vgpu_classes_text(class_text, l->classes);
	while ((word = strsep(&class_rest, " ")))
		json_object_array_add(classes, json_object_new_string(word));
	json_put(o, "classes", classes);
	for (enum setting i = SETTING_WEIGHT; i < SETTINGS; i++)
		if (settings_has(&type->schedule, i))
			json_put(o, setting_infos[i].member,
				 setting_json(i, type->schedule.value[i]));
	return o;
}

json_object *describe_vgpu(struct vgpu *v)
{
	json_object *o = json_object_new_object();
	enum vgpu_state state = vgpu_state(v);
	const struct broker_session *session = broker_session(v->broker);

	json_put_string(o, "name", v->name);
	json_put_string(o, "type", v->type->name);
	json_put_string(o, "uuid", v->uuid);
	json_put_string(o, "state", vgpu_state_name(state));
	json_put_string(o, "socket", v->socket);
	json_put_int(o, "framebuffer", v->limits.framebuffer);
	json_put_int(o, "placement", v->placement);
	json_put_int(o, "heads", v->limits.heads);
	if (session && session->qemu_pid > 0)
		json_put_int(o, "qemuPid", (uint64_t)session->qemu_pid);
	if (session && v->worker && !v->worker_of_past)
		json_put_int(o, "workerPid", (uint64_t)worker_pid(v->worker));
	return o;
}

void describe_schedule(json_object *to, const struct vgpu *v)
{
	struct sched_figures figures, *f = &figures;
	json_object *o;

	if (!schedule_figures(v, f))
		return;
	o = json_object_new_object();

	json_put_string(o, "state", sched_state_name(f->state));
	if (f->entitlement)
		json_put(o, "entitlement", json_object_new_double(
			(double)f->entitlement / SCHED_WHOLE));
	json_put_int(o, "used", f->used);
	json_put_int(o, "charged", f->charged);
	json_put_int(o, "borrowed", f->borrowed);
	json_put_int(o, "lentTime", f->lent_time);
	json_put_int(o, "worth", f->worth);
	json_put_int(o, "unused", f->unused);
	json_put_int(o, "overshoot", f->overshoot);
	json_put_int(o, "held", f->held);
	json_put_int(o, "turns", f->turns);
	json_put_int(o, "loans", f->loans);
	json_put_int(o, "lent", f->lent);
	json_put_int(o, "waits", f->waits);
	json_put_int(o, "wait", f->wait);
	json_put_int(o, "waitMax", f->wait_max);
	json_put_int(o, "strikes", f->strikes);
	if (f->strikes && f->channel_at_fault != SCHED_NO_CHANNEL)
		json_put_int(o, "channelAtFault", f->channel_at_fault);
	if (f->held_until)
		json_put_int(o, "heldUntil", f->held_until);
	json_put(to, "schedule", o);
}

json_object *describe_gpu(const struct manager *m)
{
	json_object *o = json_object_new_object();
	uint64_t used = manager_memory_used(m);
	char device[GPU_TEXT_MAX];

	json_put_string(o, "name", m->config.gpu_name);
	json_put_string(o, "device", gpu_text(&m->gpu, device));
	json_put_string(o, "mode", placement_mode_name(m->map.mode));
	json_put(o, "memory", describe_budget(m->config.gpu_memory, used,
					      used));
	json_put_int(o, "largestFree", placement_largest_hole(&m->map) *
				       PLACEMENT_UNIT);
	json_put(o, "hostMemory", describe_budget(m->config.host_memory, used,
						  used));
	json_put_int(o, "vgpus", m->map.count);
	return o;
}

static void add_placement(json_object *array, uint32_t at, uint32_t end,
			  const struct vgpu *v)
{
	json_object *o;

	if (at == end)
		return;
	o = json_object_new_object();
	json_put_int(o, "placement", at);
	json_put_int(o, "size", end - at);
	if (v) {
		json_put_string(o, "name", v->name);
		json_put_string(o, "type", v->type->name);
	}
	json_object_array_add(array, o);
}

json_object *describe_placements(const struct manager *m)
{
	json_object *array = json_object_new_array();
	uint32_t end = 0;

	for (uint32_t i = 0; i < m->map.count; i++) {
		const struct placement *p = &m->map.items[i];
		const struct vgpu *v = m->vgpus;

		while (v && v->placement != p->at)
			v = v->next;
		add_placement(array, end, p->at, NULL);
		end = p->at + p->size;
		add_placement(array, p->at, end, v);
	}
	add_placement(array, end, m->map.units, NULL);
	return array;
}

/* A name for a number of the worker's, which may be any. */
static const char *name_of(const char *const *names, size_t count,
			   uint32_t number)
{
	return number < count ? names[number] : names[0];
}

json_object *describe_guest(const struct worker_query_done *query)
{
	static const char *const states[] = {
		[PVGPU_STATE_DETACHED] = "detached",
		[PVGPU_STATE_ATTACHED] = "attached",
		[PVGPU_STATE_LOST] = "lost",
		[PVGPU_STATE_BROKEN] = "broken",
		[PVGPU_STATE_REFUSED] = "refused",
	};
	static const char *const systems[PVGPU_GUEST_COUNT] = {
		[PVGPU_GUEST_UNKNOWN] = "unknown",
		[PVGPU_GUEST_LINUX] = "linux",
		[PVGPU_GUEST_WINDOWS] = "windows",
		[PVGPU_GUEST_FIRMWARE] = "firmware",
		[PVGPU_GUEST_BSD] = "bsd",
		[PVGPU_GUEST_TEST] = "test",
	};
	json_object *o = json_object_new_object();
	char text[80];

	json_put_string(o, "state", name_of(states, ARRAY_SIZE(states),
					    query->state));
	json_put_int(o, "generation", query->generation);
	json_put_string(o, "os", name_of(systems, ARRAY_SIZE(systems),
					 query->guest_os));
	json_put_string(o, "osName",
			log_printable(text, sizeof(text), query->os_name,
				      sizeof(query->os_name)));
	json_put_string(o, "driverName",
			log_printable(text, sizeof(text), query->driver_name,
				      sizeof(query->driver_name)));
	snprintf(text, sizeof(text), "%u.%u", query->driver_version >> 16,
		 query->driver_version & 0xffff);
	json_put_string(o, "driverVersion", text);
	return o;
}

json_object *describe_heads(const struct worker_query_done *query,
			    uint32_t heads)
{
	json_object *array = json_object_new_array();

	for (uint32_t i = 0; i < heads && i < PVGPU_MAX_HEADS; i++) {
		const struct worker_head_state *head = &query->heads[i];
		json_object *o = json_object_new_object();

		json_put_int(o, "head", i);
		json_put(o, "active", json_object_new_boolean(head->active));
		json_put_int(o, "width", head->width);
		json_put_int(o, "height", head->height);
		json_put_int(o, "refresh", head->refresh);
		json_put_int(o, "frames", head->frames);
		json_object_array_add(array, o);
	}
	return array;
}

json_object *describe_counters(const struct worker_query_done *query)
{
	json_object *o = json_object_new_object();

	json_put_int(o, "resources", query->resources);
	json_put_int(o, "channels", query->channels);
	json_put_int(o, "messages", query->messages);
	json_put_int(o, "refused", query->refused);
	json_put_int(o, "batches", query->batches);
	json_put_int(o, "gpuTime", query->gpu_time);
	json_put_int(o, "doorbells", query->doorbells);
	json_put_int(o, "interrupts", query->interrupts);
	return o;
}

json_object *describe_limit(uint64_t limit)
{
	json_object *o = json_object_new_object();

	json_put_int(o, "limit", limit);
	return o;
}

json_object *describe_budget(uint64_t limit, uint64_t used, uint64_t peak)
{
	json_object *o = describe_limit(limit);

	json_put_int(o, "used", used);
	json_put_int(o, "free", used < limit ? limit - used : 0);
	json_put_int(o, "peak", peak);
	return o;
}

json_object *describe_device(uint64_t limit,
			     const struct worker_query_done *query)
{
	json_object *o = describe_budget(limit, query->device_used,
					 query->device_peak);
	char text[2 * sizeof(query->renderer)];

	json_put_int(o, "surfaces", query->device_surfaces);
	json_put_int(o, "contexts", query->device_contexts);
	json_put_int(o, "objects", query->device_objects);
	json_put_int(o, "shaders", query->device_shaders);
	json_put_string(o, "renderer",
			log_printable(text, sizeof(text), query->renderer,
				      sizeof(query->renderer)));
	return o;
}
