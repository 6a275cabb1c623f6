// SPDX-License-Identifier: MIT
/*
 * The methods of io.pvgpu.Manager: admission, and what is told about vGPUs.
 * Parameters arrive with their types checked (varlink.c); what their values
 * may be is checked here.
 */
#include <inttypes.h>
#include <string.h>
#include <sys/un.h>

#include "common/size.h"
#include "common/util.h"
#include "describe.h"
#include "manager.h"
#include "methods.h"

struct vgpu *method_vgpu(struct varlink_call *call)
{
	const char *name = varlink_string(call, "name");
	struct vgpu *v = manager_find(call->manager, name);
	char names[600] = "";
	size_t used = 0;

	if (v)
		return v;
	for (v = call->manager->vgpus; v && used < sizeof(names); v = v->next)
		used += (size_t)snprintf(names + used, sizeof(names) - used,
					 " %s", v->name);
	varlink_error(call, "NoSuchVgpu", "name",
		      "'%.64s' is not a vGPU; there are:%s", name,
		      used ? names : " none");
	return NULL;
}

static void list_types(struct varlink_call *call)
{
	const struct manager *m = call->manager;
	json_object *reply = json_object_new_object();
	json_object *types = json_object_new_array();
	json_object *room = json_object_new_array();
	uint64_t used = manager_memory_used(m);

	for (size_t i = 0; i < m->types.count; i++) {
		json_object_array_add(types, describe_type(&m->types.items[i]));
		json_object_array_add(room, json_object_new_int64((int64_t)
			manager_room_for(m, &m->types.items[i])));
	}
	json_put(reply, "types", types);
	json_put(reply, "room", room);
	json_put(reply, "memory", describe_budget(m->gpu_memory, used, used));
	varlink_reply(call, reply, -1);
}

/* ---------------------------------------------------- create and destroy */

static void type_names(char *out, size_t size, const struct manager *m,
		       bool fitting)
{
	size_t used = 0;

	out[0] = '\0';
	for (size_t i = 0; i < m->types.count && used < size; i++)
		if (!fitting || manager_room_for(m, &m->types.items[i]))
			used += (size_t)snprintf(out + used, size - used,
						 " %s", m->types.items[i].name);
}

static void no_room(struct varlink_call *call, const struct vgpu_type *type)
{
	const struct manager *m = call->manager;
	char wanted[SIZE_TEXT_MAX], free_text[SIZE_TEXT_MAX];
	char total[SIZE_TEXT_MAX], fitting[600];

	format_size(wanted, type->limits.framebuffer);
	format_size(free_text, m->gpu_memory - manager_memory_used(m));
	format_size(total, m->gpu_memory);
	type_names(fitting, sizeof(fitting), m, true);
	varlink_error(call, "NoRoom", "type",
		      "%s takes %s, and %s of the GPU's %s are free; "
		      "types that fit:%s", type->name, wanted, free_text,
		      total, *fitting ? fitting : " none");
}

static void create(struct varlink_call *call)
{
	struct manager *m = call->manager;
	const char *name = varlink_string(call, "name");
	const char *type_name = varlink_string(call, "type");
	const struct vgpu_type *type;
	json_object *reply;
	struct vgpu *v;
	int r;

	if (!vgpu_name_is_valid(name)) {
		varlink_error(call, "InvalidName", "name",
			      "'%.64s' is not a name; allowed are %s", name,
			      VGPU_NAME_ALLOWED);
		return;
	}
	if (manager_find(m, name)) {
		varlink_error(call, "Exists", "name",
			      "there is a vGPU '%s' already", name);
		return;
	}
	type = vgpu_types_find(&m->types, type_name);
	if (!type) {
		char names[900];

		type_names(names, sizeof(names), m, false);
		varlink_error(call, "UnknownType", "type",
			      "'%.64s' is not a type; types:%s", type_name,
			      names);
		return;
	}
	if (!manager_room_for(m, type)) {
		no_room(call, type);
		return;
	}
	r = manager_create(m, name, type, &v);
	if (r == -ENAMETOOLONG) {
		varlink_error(call, "InvalidName", "name",
			      "the socket's path %s/%s.sock is too long; "
			      "allowed are %zu bytes", m->runtime_dir, name,
			      sizeof(((struct sockaddr_un *)0)->sun_path) - 1);
		return;
	}
	if (r < 0) {
		varlink_error(call, "System", "socket", "%s/%s.sock: %s",
			      m->runtime_dir, name, strerror(-r));
		return;
	}
	reply = json_object_new_object();
	json_put(reply, "vgpu", describe_vgpu(v));
	varlink_reply(call, reply, -1);
}

static void destroy(struct varlink_call *call)
{
	struct vgpu *v = method_vgpu(call);
	const struct broker_session *session;

	if (!v)
		return;
	session = broker_session(v->broker);
	if (session && !varlink_bool(call, "force")) {
		varlink_error(call, "InUse", "name",
			      "QEMU (pid %d) has '%s'; stop it first, or "
			      "destroy with force", (int)session->qemu_pid,
			      v->name);
		return;
	}
	manager_destroy(call->manager, v);
	varlink_reply(call, NULL, -1);
}

static void list(struct varlink_call *call)
{
	json_object *reply = json_object_new_object();
	json_object *vgpus = json_object_new_array();

	for (struct vgpu *v = call->manager->vgpus; v; v = v->next)
		json_object_array_add(vgpus, describe_vgpu(v));
	json_put(reply, "vgpus", vgpus);
	varlink_reply(call, reply, -1);
}

/* ------------------------------------- what the worker has to be asked for */

struct pending {
	struct varlink_call *call;
	struct worker_request *request;
	uint32_t head;
	char name[VGPU_NAME_MAX + 1];
};

static void cancel_pending(void *userdata)
{
	struct pending *p = userdata;

	worker_request_cancel(p->request);
	free(p);
}

/* Asks the vGPU's worker; the call is answered by `answer`. 0 or -errno. */
static int ask(struct varlink_call *call, struct vgpu *v, enum worker_op op,
	       uint32_t head, worker_answer *answer)
{
	struct pending *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return -ENOMEM;
	p->call = call;
	p->head = head;
	memcpy(p->name, v->name, sizeof(p->name));
	r = worker_ask(v->worker, op, head, answer, p, &p->request);
	if (r < 0) {
		free(p);
		return r;
	}
	call->pending = p;
	call->cancel = cancel_pending;
	return 0;
}

static const char *no_answer_text(int error)
{
	return error == -ETIMEDOUT ? "the worker does not answer" :
				     "the worker died before it answered";
}

/* `query` is NULL where there is none; `why` then says so, or is NULL. */
static void show_reply(struct varlink_call *call, struct vgpu *v,
		       const struct worker_query_done *query, const char *why)
{
	json_object *reply = json_object_new_object();
	json_object *worker = json_object_new_object();

	json_put(reply, "vgpu", describe_vgpu(v));
	json_put(reply, "limits", describe_type(v->type));
	json_put_int(worker, "replaced", v->replaced);
	if (why)
		json_put_string(worker, "error", why);
	json_put(reply, "worker", worker);
	if (query) {
		json_put(reply, "guest", describe_guest(query));
		json_put(reply, "heads",
			 describe_heads(query, v->limits.heads));
		json_put(reply, "window",
			 describe_budget(v->limits.framebuffer,
					 query->window_used,
					 query->window_peak));
		json_put(reply, "device",
			 describe_budget(v->limits.device_budget,
					 query->device_used,
					 query->device_peak));
		json_put(reply, "counters", describe_counters(query));
	} else {
		json_put(reply, "heads", json_object_new_array());
		json_put(reply, "window",
			 describe_limit(v->limits.framebuffer));
		json_put(reply, "device",
			 describe_limit(v->limits.device_budget));
	}
	varlink_reply(call, reply, -1);
}

static void show_answer(void *userdata, int error,
			const union worker_message *message, int fd)
{
	cleanup_free struct pending *p = userdata;
	struct varlink_call *call = p->call;
	struct vgpu *v = method_vgpu(call);

	(void)fd;	/* QUERY_DONE has none */
	if (v)
		show_reply(call, v, message ? &message->query_done : NULL,
			   error ? no_answer_text(error) : NULL);
}

static void show(struct varlink_call *call)
{
	struct vgpu *v = method_vgpu(call);
	int r;

	if (!v)
		return;
	switch (vgpu_state(v)) {
	case VGPU_WAITING:
		show_reply(call, v, NULL, NULL);
		return;
	case VGPU_STARTING:
		show_reply(call, v, NULL, "the worker is starting");
		return;
	case VGPU_REPLACING:
		show_reply(call, v, NULL, "the worker died, another follows");
		return;
	case VGPU_RUNNING:
		r = ask(call, v, WORKER_QUERY, 0, show_answer);
		if (r < 0)
			show_reply(call, v, NULL, strerror(-r));
		return;
	}
}

static void screenshot_answer(void *userdata, int error,
			      const union worker_message *message, int fd)
{
	cleanup_free struct pending *p = userdata;
	struct varlink_call *call = p->call;
	const struct worker_screenshot_done *done;
	json_object *reply;

	if (error) {
		varlink_error(call, "NoAnswer", p->name, "%s",
			      no_answer_text(error));
		return;
	}
	done = &message->screenshot_done;
	if (done->error == ENODATA) {
		varlink_error(call, "HeadDark", "head",
			      "%u of '%s' shows nothing now", p->head,
			      p->name);
	} else if (done->error) {
		varlink_error(call, "System", "head", "%u of '%s': %s",
			      p->head, p->name, strerror(done->error));
	} else {
		reply = json_object_new_object();
		json_put_int(reply, "width", done->width);
		json_put_int(reply, "height", done->height);
		json_put_int(reply, "stride", done->stride);
		json_put_string(reply, "format", "XRGB8888");
		json_put_int(reply, "frame", done->frame);
		json_put_int(reply, "fileDescriptor", 0);
		varlink_reply(call, reply, fd);
	}
}

static void screenshot(struct varlink_call *call)
{
	struct vgpu *v = method_vgpu(call);
	int64_t head = varlink_int(call, "head");
	enum vgpu_state state;
	int r;

	if (!v)
		return;
	if (head < 0 || head >= v->limits.heads) {
		varlink_error(call, "NoSuchHead", "head",
			      "%" PRId64 " is not a head of '%s'; allowed are "
			      "0 to %u", head, v->name, v->limits.heads - 1);
		return;
	}
	state = vgpu_state(v);
	if (state != VGPU_RUNNING) {
		varlink_error(call, "NotRunning", "name",
			      "'%s' is %s; a picture needs it running",
			      v->name, vgpu_state_name(state));
		return;
	}
	r = ask(call, v, WORKER_SCREENSHOT, (uint32_t)head, screenshot_answer);
	if (r < 0)
		varlink_error(call, "System", "worker", "%s", strerror(-r));
}

/* ------------------------------------------------------------------ QEMU */

/* QEMU's option parser takes a comma as the end of a value, two as one. */
static int append_option_value(char **text, const char *value)
{
	size_t used = strlen(*text);
	char *longer = realloc(*text, used + 2 * strlen(value) + 1);

	if (!longer)
		return -ENOMEM;
	*text = longer;
	for (const char *p = value; *p; p++) {
		if (*p == ',')
			longer[used++] = ',';
		longer[used++] = *p;
	}
	longer[used] = '\0';
	return 0;
}

static void qemu_arguments(struct varlink_call *call)
{
	struct vgpu *v = method_vgpu(call);
	json_object *reply, *arguments;
	cleanup_free char *chardev = NULL;
	cleanup_free char *device = NULL;

	if (!v)
		return;
	if (asprintf(&chardev, "socket,id=pvgpu-%s,path=", v->name) < 0)
		chardev = NULL;
	if (asprintf(&device, "ivshmem-doorbell,chardev=pvgpu-%s,vectors=%u",
		     v->name, WINDOW_VECTORS) < 0)
		device = NULL;
	if (!chardev || !device || append_option_value(&chardev, v->socket)) {
		varlink_error(call, "System", "memory", "none left");
		return;
	}
	arguments = json_object_new_array();
	json_object_array_add(arguments, json_object_new_string("-chardev"));
	json_object_array_add(arguments, json_object_new_string(chardev));
	json_object_array_add(arguments, json_object_new_string("-device"));
	json_object_array_add(arguments, json_object_new_string(device));
	reply = json_object_new_object();
	json_put(reply, "arguments", arguments);
	varlink_reply(call, reply, -1);
}

#define PARAMETERS(...) \
	((const struct varlink_parameter[]){ __VA_ARGS__ __VA_OPT__(,) { 0 } })
#define NAME { "name", json_type_string, false }

const struct varlink_method manager_methods[] = {
	{ "io.pvgpu.Manager.ListTypes", PARAMETERS(), list_types },
	{ "io.pvgpu.Manager.Create",
	  PARAMETERS(NAME, { "type", json_type_string, false }), create },
	{ "io.pvgpu.Manager.Destroy",
	  PARAMETERS(NAME, { "force", json_type_boolean, true }), destroy },
	{ "io.pvgpu.Manager.List", PARAMETERS(), list },
	{ "io.pvgpu.Manager.Show", PARAMETERS(NAME), show },
	{ "io.pvgpu.Manager.Screenshot",
	  PARAMETERS(NAME, { "head", json_type_int, false }), screenshot },
	{ "io.pvgpu.Manager.ListHeads", PARAMETERS(NAME), method_list_heads },
	{ "io.pvgpu.Manager.SetHead",
	  PARAMETERS(NAME, { "head", json_type_int, false },
		     { "connected", json_type_boolean, true },
		     { "width", json_type_int, true },
		     { "height", json_type_int, true },
		     { "refresh", json_type_int, true },
		     { "edid", json_type_string, true }), method_set_head },
	{ "io.pvgpu.Manager.LibvirtXml", PARAMETERS(NAME), method_libvirt_xml },
	{ "io.pvgpu.Manager.QemuArguments", PARAMETERS(NAME), qemu_arguments },
	{ 0 }
};
