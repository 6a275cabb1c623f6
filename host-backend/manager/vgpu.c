// SPDX-License-Identifier: MIT
/* One vGPU's life; see vgpu.h. */
#include "vgpu.h"

#include <string.h>
#include <sys/random.h>

#include "adopt.h"
#include "common/log.h"
#include "common/util.h"
#include "listener.h"
#include "manager.h"
#include "sched_setting.h"
#include "trace.h"

#define STEADY_USEC	(10 * 1000000ull)	/* lived long: no bad sign */
#define DELAY_MIN_USEC	250000ull
#define DELAY_MAX_USEC	(30 * 1000000ull)

bool vgpu_name_is_valid(const char *name)
{
	size_t length = strlen(name);

	return length >= 1 && length <= VGPU_NAME_MAX &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") ==
		       length && *name != '_' && *name != '-';
}

static void start_worker(struct vgpu *v);

static uint64_t now(const struct vgpu *v)
{
	uint64_t usec = 0;

	sd_event_now(v->manager->event, CLOCK_MONOTONIC, &usec);
	return usec;
}

static int restart_due(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct vgpu *v = userdata;

	(void)source;
	(void)usec;
	v->restart = sd_event_source_disable_unref(v->restart);
	if (!v->worker && broker_session(v->broker))
		start_worker(v);
	return 0;
}

/* The first death is answered at once, a row of them ever more slowly. */
static void replace_worker(struct vgpu *v)
{
	uint64_t delay = 0;
	int r;

	if (now(v) - v->started >= STEADY_USEC)
		v->deaths = 0;
	if (v->deaths)
		delay = v->deaths > 7 ? DELAY_MAX_USEC :
			DELAY_MIN_USEC << (v->deaths - 1);
	v->deaths++;
	v->replaced++;
	if (delay)
		log_warning("%s: worker death %u in a row; the next starts in "
			    "%.2f s", v->name, v->deaths, (double)delay / 1e6);
	r = sd_event_add_time_relative(v->manager->event, &v->restart,
				       CLOCK_MONOTONIC, delay, 1, restart_due,
				       v);
	if (r < 0)
		log_error("%s: no timer for a new worker: %s", v->name,
			  strerror(-r));
}

static void worker_ready(void *userdata)
{
	struct vgpu *v = userdata;

	log_info("%s: worker (pid %d) is ready", v->name,
		 (int)worker_pid(v->worker));
	v->figures.late = false;	/* that was another */
	trace_worker_ready(v);
	manager_record(v->manager);
}

static void worker_changed(void *userdata)
{
	struct vgpu *v = userdata;

	manager_record(v->manager);
}

static void worker_gone(void *userdata, const char *why)
{
	struct vgpu *v = userdata;
	bool of_past = v->worker_of_past;

	v->worker = NULL;
	v->worker_of_past = false;
	schedule_worker_gone(v);
	manager_record(v->manager);
	if (!broker_session(v->broker)) {
		schedule_leave(v);
		log_debug("%s: worker ended: %s", v->name, why);
		return;
	}
	if (of_past) {
		start_worker(v);
		return;
	}
	log_error("%s: worker died: %s", v->name, why);
	replace_worker(v);
}

static const struct worker_ops worker_ops = {
	.ready = worker_ready,
	.gone = worker_gone,
	.changed = worker_changed,
};

static struct worker_setup worker_setup(struct vgpu *v)
{
	struct manager *m = v->manager;

	return (struct worker_setup){
		.event = m->event,
		.store = m->store,
		.units = m->units,
		.program = m->worker_program,
		.debug = m->debug,
		.name = v->name,
		.limits = &v->limits,
		.gpu = &m->gpu,
		.heads = v->heads,
		.frame_limit = &v->frame_limit,
		.session = broker_session(v->broker),
		.ops = &worker_ops,
		.userdata = v,
	};
}

static void start_worker(struct vgpu *v)
{
	struct worker_setup setup = worker_setup(v);
	int r;

	if (!setup.session)
		return;
	v->started = now(v);
	r = schedule_join(v);
	setup.grants = schedule_descriptors(v);
	if (!r)
		r = worker_start(&v->worker, &setup);
	if (r < 0) {
		log_error("%s: no worker: %s: %s", v->name,
			  setup.units ? "its unit" : setup.program,
			  strerror(-r));
		replace_worker(v);
	}
}

static void qemu_connected(void *userdata)
{
	struct vgpu *v = userdata;

	v->deaths = 0;
	v->replaced = 0;
	manager_record(v->manager);
	/* The last QEMU's worker is still dying: worker_gone() goes on. */
	if (!v->worker)
		start_worker(v);
}

static void qemu_disconnected(void *userdata)
{
	struct vgpu *v = userdata;

	v->restart = sd_event_source_disable_unref(v->restart);
	if (v->worker) {
		v->worker_of_past = true;
		worker_kill(v->worker, "its QEMU is gone");
	} else {
		schedule_leave(v);
	}
	manager_record(v->manager);
}

static void broker_changed(void *userdata)
{
	struct vgpu *v = userdata;

	manager_record(v->manager);
}

static const struct broker_ops broker_ops = {
	.changed = broker_changed,
	.connected = qemu_connected,
	.disconnected = qemu_disconnected,
};

/* The one that is given, or a random one: RFC 9562 version 4. */
static int set_uuid(struct vgpu *v, const uint8_t *given)
{
	uint8_t *u = v->limits.uuid;
	size_t used = 0;

	if (given) {
		memcpy(u, given, sizeof(v->limits.uuid));
	} else {
		if (getrandom(u, sizeof(v->limits.uuid), 0) !=
		    sizeof(v->limits.uuid))
			return -EIO;
		u[6] = (u[6] & 0x0f) | 0x40;
		u[8] = (u[8] & 0x3f) | 0x80;
	}
	for (size_t i = 0; i < sizeof(v->limits.uuid); i++)
		used += (size_t)snprintf(v->uuid + used,
			sizeof(v->uuid) - used, "%s%02x",
			i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", u[i]);
	return 0;
}

int vgpu_new(struct vgpu **ret, struct manager *manager,
	     const struct vgpu_spec *spec)
{
	struct vgpu *v;
	int r;

	v = calloc(1, sizeof(*v));
	if (!v)
		return -ENOMEM;
	v->manager = manager;
	v->own_type = *spec->type;
	v->own_type.file = NULL;	/* the catalogue's */
	v->type = &v->own_type;
	v->limits = spec->type->limits;
	v->placement = spec->placement;
	if (spec->scheduling)
		v->scheduling = *spec->scheduling;
	v->sched_params = sched_setting_params(v);
	v->frame_limit = sched_setting_frame_limit(v);
	for (uint32_t i = 0; i < v->limits.heads; i++) {
		if (spec->heads)
			v->heads[i] = spec->heads[i];
		else
			head_setting_default(&v->heads[i], &v->limits);
	}
	snprintf(v->name, sizeof(v->name), "%s", spec->name);
	r = set_uuid(v, spec->uuid);
	if (!r && asprintf(&v->socket, "%s/%s.sock", manager->runtime_dir,
			   spec->name) < 0) {
		v->socket = NULL;
		r = -ENOMEM;
	}
	if (!r)
		r = broker_new(&v->broker, manager->event, v->name, v->socket,
			       &v->limits, manager->store, &broker_ops, v);
	if (!r) {
		r = socket_share(v->socket, manager->config.vgpu_socket_group);
		if (r < 0)
			log_error("%s: for vgpu_socket_group: %s", v->socket,
				  strerror(-r));
		/* One that a VM has goes on with what it has. */
		if (manager->adopting)
			r = 0;
	}
	if (r < 0) {
		vgpu_free(v);
		return r;
	}
	*ret = v;
	return 0;
}

void vgpu_take_over(struct vgpu *v, const struct vgpu_past *past)
{
	struct worker_setup setup;
	int r;

	v->deaths = past->deaths;
	v->replaced = past->replaced;
	v->started = now(v);
	broker_adopt(v->broker, past->stage, past->qemu_pid);
	setup = worker_setup(v);
	if (setup.session)
		schedule_join(v);
	setup.grants = schedule_descriptors(v);
	/* It may be another QEMU's than the one that is there now. */
	v->worker_of_past = past->worker_of_past || !setup.session ||
			    past->stage == BROKER_ALONE;
	if (v->worker_of_past)
		setup.session = NULL;
	r = worker_adopt(&v->worker, &setup, &past->worker);
	if (r < 0) {
		v->worker_of_past = false;
		if (r != -ENOENT)
			log_error("%s: worker (pid %d) cannot be taken over: "
				  "%s", v->name, (int)past->worker.pid,
				  strerror(-r));
		if (broker_session(v->broker))
			start_worker(v);
	} else if (setup.session) {
		log_info("%s: worker (pid %d) is still there", v->name,
			 (int)worker_pid(v->worker));
		/* The last pvgpud may have ended before it said so. */
		worker_set_frame_limit(v->worker, v->frame_limit);
	}
}

void vgpu_free(struct vgpu *v)
{
	if (!v)
		return;
	sd_event_source_disable_unref(v->restart);
	figures_drop(v);
	trace_leave(v);
	/* The worker first: no process of ours outlives its memory's owner. */
	worker_free(v->worker);
	v->worker = NULL;
	schedule_leave(v);
	broker_free(v->broker);
	free(v->socket);
	free(v);
}

/* A worker that dies has nobody to tell; the next one gets all. */
static bool worker_hears(const struct vgpu *v)
{
	return v->worker && !v->worker_of_past && !worker_is_dying(v->worker);
}

static int unless_it_died(int r)
{
	return r == -EPIPE || r == -ECONNRESET ? 0 : r;
}

int vgpu_set_head(struct vgpu *v, uint32_t head,
		  const struct head_setting *setting)
{
	int r = 0;

	if (worker_hears(v))
		r = unless_it_died(worker_set_head(v->worker, head, setting));
	if (r < 0)
		return r;
	v->heads[head] = *setting;
	manager_record(v->manager);
	return 0;
}

int vgpu_set_frame_limit(struct vgpu *v, uint32_t limit)
{
	int r = 0;

	if (limit != v->frame_limit && worker_hears(v))
		r = unless_it_died(worker_set_frame_limit(v->worker, limit));
	if (!r)
		v->frame_limit = limit;
	return r;
}

enum vgpu_state vgpu_state(struct vgpu *v)
{
	if (!broker_session(v->broker))
		return VGPU_WAITING;
	if (v->worker && !v->worker_of_past) {
		if (worker_is_dying(v->worker))
			return VGPU_REPLACING;
		return worker_is_ready(v->worker) ? VGPU_RUNNING :
						    VGPU_STARTING;
	}
	return v->replaced ? VGPU_REPLACING : VGPU_STARTING;
}

const char *vgpu_state_name(enum vgpu_state state)
{
	static const char *const names[] = {
		[VGPU_WAITING] = "waiting",
		[VGPU_STARTING] = "starting",
		[VGPU_RUNNING] = "running",
		[VGPU_REPLACING] = "replacing",
	};

	return names[state];
}
