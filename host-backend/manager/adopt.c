// SPDX-License-Identifier: MIT
/* The record in the store; see adopt.h. */
#include "adopt.h"

#include <stddef.h>
#include <string.h>

#include "common/log.h"
#include "sched_setting.h"
#include "varlink.h"

#define RECORD_VERSION 1

/* A vGPU keeps the limits that it was made with, whatever has become of its
 * type: its window is laid out by them. */
static const struct number {
	const char *name;
	size_t offset;
	size_t size;
} limit_numbers[] = {
#define NUMBER(member) { #member, offsetof(struct vgpu_limits, member), \
			 sizeof(((struct vgpu_limits *)0)->member) }
	NUMBER(framebuffer), NUMBER(device_budget), NUMBER(max_pixels),
	NUMBER(heads), NUMBER(max_width), NUMBER(max_height),
	NUMBER(max_refresh), NUMBER(cursor_max), NUMBER(channels),
	NUMBER(max_resources), NUMBER(max_extents), NUMBER(guests),
	NUMBER(classes),
	NUMBER(default_width), NUMBER(default_height),
	NUMBER(default_refresh),
#undef NUMBER
};

static json_object *save_limits(const struct vgpu_limits *limits)
{
	json_object *o = json_object_new_object();

	for (size_t i = 0; i < ARRAY_SIZE(limit_numbers); i++) {
		const struct number *n = &limit_numbers[i];
		uint64_t value = 0;

		memcpy(&value, (const char *)limits + n->offset, n->size);
		json_put(o, n->name, json_object_new_uint64(value));
	}
	return o;
}

static uint64_t get_number(json_object *from, const char *name)
{
	json_object *value;

	return json_object_object_get_ex(from, name, &value) ?
	       json_object_get_uint64(value) : 0;
}

static const char *get_text(json_object *from, const char *name)
{
	json_object *value;

	return json_object_object_get_ex(from, name, &value) &&
	       json_object_is_type(value, json_type_string) ?
	       json_object_get_string(value) : "";
}

static bool get_flag(json_object *from, const char *name)
{
	json_object *value;

	return json_object_object_get_ex(from, name, &value) &&
	       json_object_get_boolean(value);
}

static void read_limits(struct vgpu_limits *limits, json_object *from)
{
	for (size_t i = 0; i < ARRAY_SIZE(limit_numbers); i++) {
		const struct number *n = &limit_numbers[i];
		uint64_t value = get_number(from, n->name);

		memcpy((char *)limits + n->offset, &value, n->size);
	}
	/* One that was made before there were others. */
	if (!limits->classes)
		limits->classes = 1u << PVGPU_CHANNEL_COPY;
}

static void save_uuid(json_object *o, const struct vgpu *v)
{
	char text[2 * sizeof(v->limits.uuid) + 1];

	for (size_t i = 0; i < sizeof(v->limits.uuid); i++)
		snprintf(text + 2 * i, 3, "%02x", v->limits.uuid[i]);
	json_put_string(o, "uuid", text);
}

static bool read_uuid(uint8_t out[16], const char *text)
{
	for (size_t i = 0; i < 16; i++) {
		unsigned int byte;

		if (strlen(text) != 32 || sscanf(text + 2 * i, "%2x", &byte) != 1)
			return false;
		out[i] = (uint8_t)byte;
	}
	return true;
}

static json_object *save_heads(const struct vgpu *v)
{
	json_object *heads = json_object_new_array();

	for (uint32_t i = 0; i < v->limits.heads; i++)
		if (!head_setting_is_default(&v->heads[i], &v->limits))
			json_object_array_add(heads,
				head_setting_json(i, &v->heads[i]));
	return heads;
}

static json_object *save_vgpu(struct vgpu *v)
{
	json_object *o = json_object_new_object();

	json_put_string(o, "name", v->name);
	json_put_string(o, "type", v->type->name);
	json_put_string(o, "board", v->type->board);
	json_put_string(o, "series", (char[]){ v->type->series, '\0' });
	json_put_int(o, "placement", v->placement);
	save_uuid(o, v);
	json_put(o, "limits", save_limits(&v->limits));
	json_put_int(o, "maxInstances", v->type->max_instances);
	json_put(o, "typeScheduling",
		 settings_json(&v->type->schedule, SETTINGS_VGPU));
	json_put(o, "scheduling",
		 settings_json(&v->scheduling, SETTINGS_VGPU));
	json_put(o, "heads", save_heads(v));
	json_put_int(o, "stage", broker_stage(v->broker));
	json_put_int(o, "qemuPid", (uint64_t)broker_qemu_pid(v->broker));
	json_put_int(o, "deaths", v->deaths);
	json_put_int(o, "replaced", v->replaced);
	if (v->worker) {
		struct worker_kept kept = worker_kept(v->worker);

		json_put_int(o, "workerPid", (uint64_t)kept.pid);
		json_put_int(o, "workerLink", kept.link);
		json_put(o, "workerTold", json_object_new_boolean(kept.told));
		json_put(o, "workerReady",
			 json_object_new_boolean(kept.ready));
		json_put(o, "workerOfPast",
			 json_object_new_boolean(v->worker_of_past));
	}
	return o;
}

void manager_record(struct manager *m)
{
	json_object *record, *vgpus;

	/* Not while the last pvgpud's record is still being read. */
	if (!store_keeps(m->store) || m->adopting)
		return;
	record = json_object_new_object();
	vgpus = json_object_new_array();
	json_put_int(record, "version", RECORD_VERSION);
	for (struct vgpu *v = m->vgpus; v; v = v->next)
		json_object_array_add(vgpus, save_vgpu(v));
	json_put(record, "vgpus", vgpus);
	store_save(m->store, record);
}

/* An array of what head_setting_json() wrote. */
static void read_heads(struct vgpu *v, json_object *heads)
{
	for (size_t i = 0; i < json_object_array_length(heads); i++) {
		json_object *one = json_object_array_get_idx(heads, i), *number;
		char why[HEAD_WHY_MAX];
		int64_t head = -1;

		if (json_object_object_get_ex(one, "head", &number))
			head = json_object_get_int64(number);
		if (head >= 0 && head < v->limits.heads &&
		    head_setting_from_json(&v->heads[head], one, &v->limits,
					   why) < 0)
			log_error("%s: head %d: %s", v->name, (int)head, why);
	}
}

/* What settings_json() wrote; one that was made before there were any has
 * none. */
static void read_scheduling(struct settings *s, json_object *from,
			    const char *name)
{
	char why[SETTING_WHY_MAX];
	json_object *o;

	if (json_object_object_get_ex(from, name, &o) &&
	    settings_from_json(s, o, SETTINGS_VGPU, why))
		log_error("%s: %s: %s", get_text(from, "name"), name, why);
}

/* Its type as it was when the vGPU was made. */
static bool read_type(struct vgpu_type *type, json_object *from)
{
	json_object *limits = NULL;

	json_object_object_get_ex(from, "limits", &limits);
	read_limits(&type->limits, limits);
	snprintf(type->name, sizeof(type->name), "%s", get_text(from, "type"));
	snprintf(type->limits.type_name, sizeof(type->limits.type_name), "%s",
		 type->name);
	snprintf(type->board, sizeof(type->board), "%s",
		 get_text(from, "board"));
	type->series = get_text(from, "series")[0];
	type->max_instances = (uint32_t)get_number(from, "maxInstances");
	type_schedule_defaults(&type->schedule, type->series);
	read_scheduling(&type->schedule, from, "typeScheduling");
	return type->name[0] && type->limits.framebuffer &&
	       type->limits.heads <= PVGPU_MAX_HEADS;
}

static void adopt_vgpu(struct manager *m, json_object *from)
{
	struct vgpu_past past = {
		.stage = (enum broker_stage)get_number(from, "stage"),
		.qemu_pid = (pid_t)get_number(from, "qemuPid"),
		.worker = {
			.pid = (pid_t)get_number(from, "workerPid"),
			.link = (unsigned int)get_number(from, "workerLink"),
			.told = get_flag(from, "workerTold"),
			.ready = get_flag(from, "workerReady"),
		},
		.worker_of_past = get_flag(from, "workerOfPast"),
		.deaths = (unsigned int)get_number(from, "deaths"),
		.replaced = (unsigned int)get_number(from, "replaced"),
	};
	struct vgpu_type type = { 0 };
	struct settings scheduling = { 0 };
	uint8_t uuid[16];
	struct vgpu_spec spec = {
		.scheduling = &scheduling,
		.name = get_text(from, "name"),
		.type = &type,
		.placement = (uint32_t)get_number(from, "placement"),
		.uuid = uuid,
	};
	json_object *heads;
	struct vgpu *v;
	int r = -EINVAL;

	read_scheduling(&scheduling, from, "scheduling");
	if (vgpu_name_is_valid(spec.name) && !manager_find(m, spec.name) &&
	    past.stage <= BROKER_CONNECTED && read_type(&type, from) &&
	    read_uuid(uuid, get_text(from, "uuid")))
		r = manager_create(m, &spec, &v);
	if (r < 0) {
		log_error("store: vGPU '%s' cannot be taken over: %s",
			  spec.name, strerror(-r));
		return;
	}
	if (json_object_object_get_ex(from, "heads", &heads) &&
	    json_object_is_type(heads, json_type_array))
		read_heads(v, heads);
	vgpu_take_over(v, &past);
}

void manager_adopt(struct manager *m)
{
	json_object *record = store_record(m->store), *vgpus;
	size_t count = 0;

	m->adopting = true;
	if (record && get_number(record, "version") != RECORD_VERSION)
		log_error("store: a record of version %llu; this pvgpud reads "
			  "%d", (unsigned long long)get_number(record,
			  "version"), RECORD_VERSION);
	else if (record && json_object_object_get_ex(record, "vgpus", &vgpus) &&
		 json_object_is_type(vgpus, json_type_array))
		count = json_object_array_length(vgpus);
	for (size_t i = 0; i < count; i++)
		adopt_vgpu(m, json_object_array_get_idx(vgpus, i));
	json_object_put(record);
	m->adopting = false;
	manager_record(m);
}
