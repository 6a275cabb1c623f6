// SPDX-License-Identifier: MIT
/*
 * The methods of io.pvgpu.Manager: admission, and what is told about vGPUs.
 * Parameters arrive with their types checked (varlink.c); what their values
 * may be is checked here.
 */
#include <inttypes.h>
#include <string.h>
#include <sys/un.h>

#include "admission.h"
#include "common/log.h"
#include "common/util.h"
#include "describe.h"
#include "manager.h"
#include "methods.h"
#include "state.h"

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

int64_t method_head(struct varlink_call *call, const struct vgpu *v)
{
	int64_t head = varlink_int(call, "head");

	if (head >= 0 && head < v->limits.heads)
		return head;
	varlink_error(call, "NoSuchHead", "head",
		      "%" PRId64 " is not a head of '%s'; allowed are 0 to %u",
		      head, v->name, v->limits.heads - 1);
	return -1;
}

const struct vgpu_type *method_type(struct varlink_call *call)
{
	const struct manager *m = call->manager;
	const char *name = varlink_string(call, "type");
	const struct vgpu_type *type = vgpu_types_find(&m->types, name);
	char names[900];

	if (type)
		return type;
	admission_type_names(names, sizeof(names), m, false);
	varlink_error(call, "UnknownType", "type",
		      "'%.64s' is not a type; types:%s", name, names);
	return NULL;
}

static void list_types(struct varlink_call *call)
{
	const struct manager *m = call->manager;
	json_object *reply = json_object_new_object();
	json_object *types = json_object_new_array();
	json_object *room = json_object_new_array();
	json_object *most = json_object_new_array();
	uint64_t used = manager_memory_used(m);

	for (size_t i = 0; i < m->types.count; i++) {
		json_object_array_add(types, describe_type(&m->types.items[i]));
		json_object_array_add(room, json_object_new_int64((int64_t)
			admission_room(m, &m->types.items[i])));
		json_object_array_add(most, json_object_new_int64((int64_t)
			admission_most(m, &m->types.items[i])));
	}
	json_put(reply, "types", types);
	json_put(reply, "room", room);
	json_put(reply, "most", most);
	json_put(reply, "memory",
		 describe_budget(m->config.gpu_memory, used, used));
	json_put_string(reply, "mode", placement_mode_name(m->map.mode));
	varlink_reply(call, reply, -1);
}

/* ---------------------------------------------------- create and destroy */

/* Makes and saves it; undone whole if that fails. */
static int create_saved(struct manager *m, const struct vgpu_spec *spec,
			struct vgpu **ret)
{
	struct vgpu *v;
	int r;

	r = manager_create(m, spec, &v);
	if (r < 0)
		return r;
	r = manager_save(v);
	if (r < 0) {
		log_error("%s: not saved below %s: %s", v->name,
			  state_path(m->state), strerror(-r));
		manager_destroy(m, v);
		return r;
	}
	*ret = v;
	return 0;
}

static void create(struct varlink_call *call)
{
	struct manager *m = call->manager;
	const char *name = varlink_string(call, "name");
	struct vgpu_spec spec = { .name = name };
	struct refusal refusal;
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
	if (state_has_vgpu(m->state, name)) {
		varlink_error(call, "Exists", "name",
			      "%s/vgpus/%s.json holds a vGPU '%s' that was "
			      "left aside; move that file away first",
			      state_path(m->state), name, name);
		return;
	}
	spec.type = method_type(call);
	if (!spec.type)
		return;
	if (!admission_check(m, spec.type, NULL,
			     varlink_given(call, "placement") ?
			     varlink_int(call, "placement") : ANYWHERE,
			     &spec.placement, &refusal)) {
		varlink_error(call, refusal.error, refusal.field, "%s",
			      refusal.message);
		return;
	}
	r = create_saved(m, &spec, &v);
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
	int r;

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
	r = state_remove_vgpu(call->manager->state, v->name);
	if (r < 0) {
		varlink_error(call, "System", "state", "%s/vgpus/%s.json: %s",
			      state_path(call->manager->state), v->name,
			      strerror(-r));
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
	describe_schedule(reply, v);
	if (query) {
		json_put(reply, "guest", describe_guest(query));
		json_put(reply, "heads",
			 describe_heads(query, v->limits.heads));
		json_put(reply, "window",
			 describe_budget(v->limits.framebuffer,
					 query->window_used,
					 query->window_peak));
		json_put(reply, "device",
			 describe_device(v->limits.device_budget, query));
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
	int64_t head = v ? method_head(call, v) : -1;
	enum vgpu_state state;
	int r;

	if (head < 0)
		return;
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
	{ "io.pvgpu.Manager.ListTypes", PARAMETERS(), list_types, false },
	{ "io.pvgpu.Manager.GetGpu", PARAMETERS(), method_get_gpu, false },
	{ "io.pvgpu.Manager.SetGpuMode",
	  PARAMETERS({ "mode", json_type_string, false }), method_set_gpu_mode,
	  true },
	{ "io.pvgpu.Manager.ListPlacements",
	  PARAMETERS({ "type", json_type_string, false }), method_list_placements,
	  false },
	{ "io.pvgpu.Manager.Create",
	  PARAMETERS(NAME, { "type", json_type_string, false },
		     { "placement", json_type_int, true }), create, true },
	{ "io.pvgpu.Manager.Destroy",
	  PARAMETERS(NAME, { "force", json_type_boolean, true }), destroy, true },
	{ "io.pvgpu.Manager.List", PARAMETERS(), list, false },
	{ "io.pvgpu.Manager.Show", PARAMETERS(NAME), show, false },
	{ "io.pvgpu.Manager.GetFigures",
	  PARAMETERS({ "name", json_type_string, true }), method_get_figures,
	  false },
	{ "io.pvgpu.Manager.Trace",
	  PARAMETERS({ "name", json_type_string, true },
		     { "milliseconds", json_type_int, false }), method_trace,
	  false },
	{ "io.pvgpu.Manager.Screenshot",
	  PARAMETERS(NAME, { "head", json_type_int, false }), screenshot,
	  false },
	{ "io.pvgpu.Manager.ListHeads", PARAMETERS(NAME), method_list_heads,
	  false },
	{ "io.pvgpu.Manager.SetHead",
	  PARAMETERS(NAME, { "head", json_type_int, false },
		     { "connected", json_type_boolean, true },
		     { "width", json_type_int, true },
		     { "height", json_type_int, true },
		     { "refresh", json_type_int, true },
		     { "edid", json_type_string, true }), method_set_head,
	  true },
	{ "io.pvgpu.Manager.GetGpuScheduling", PARAMETERS(),
	  method_get_gpu_scheduling, false },
	{ "io.pvgpu.Manager.SetGpuScheduling",
	  PARAMETERS({ "policy", json_type_string, true },
		     { "order", json_type_string, true },
		     { "slice", json_type_int, true },
		     { "frequency", json_type_int, true },
		     { "factor", json_type_int, true }),
	  method_set_gpu_scheduling, true },
	{ "io.pvgpu.Manager.GetScheduling", PARAMETERS(NAME),
	  method_get_scheduling, false },
	{ "io.pvgpu.Manager.SetScheduling",
	  PARAMETERS(NAME, { "weight", json_type_int, true },
		     { "share", json_type_int, true },
		     { "borrow", json_type_int, true },
		     { "watchdog", json_type_int, true },
		     { "frameLimit", json_type_int, true }),
	  method_set_scheduling, true },
	{ "io.pvgpu.Manager.LibvirtXml", PARAMETERS(NAME), method_libvirt_xml,
	  false },
	{ "io.pvgpu.Manager.QemuArguments", PARAMETERS(NAME), qemu_arguments,
	  false },
	{ 0 }
};
