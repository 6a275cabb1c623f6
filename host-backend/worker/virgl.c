// SPDX-License-Identifier: MIT
/* Contexts, surfaces and capability sets; see virgl.h. */
#include "virgl.h"

#include <stdlib.h>
#include <string.h>

#include "worker.h"

static bool granted(const struct worker *w)
{
	return w->attachment.features & PVGPU_FEATURE_VIRGL;
}

static struct verdict not_granted(void)
{
	return verdict(PVGPU_STATUS_UNSUPPORTED, 0);
}

struct context *virgl_context(const struct virgl *v, uint32_t name)
{
	struct context *c = v->contexts;

	while (c && c->name != name)
		c = c->next;
	return c;
}

/* ------------------------------------------------------ jobs of the lane */

/* The renderer is there, and its lane takes a job: else RETRY, NO_MEMORY. */
static struct verdict lane_ready(struct worker *w)
{
	struct virgl *v = &w->virgl;

	if (!v->renderer && !v->failed) {
		v->renderer = renderer_new(&w->gpu, &w->ledger,
					   &w->grants);
		if (v->renderer && worker_watch_renderer(w)) {
			renderer_free(v->renderer);
			v->renderer = NULL;
		}
		v->failed = !v->renderer;
		if (v->failed)
			log_error("no thread for the renderer: %m");
	}
	if (v->failed)
		return verdict(PVGPU_STATUS_NO_MEMORY, 0);
	if (!renderer_has_room(v->renderer))
		return verdict(VERDICT_RETRY, 0);
	return accepted();
}

static void send(struct worker *w, struct job *job)
{
	if (job->context)
		job->context->jobs++;
	renderer_lane(w->virgl.renderer, job);
}

/* Its last job is made with it, so that its end needs no memory. */
static struct rendered *rendered_new(uint32_t name)
{
	struct rendered *r = calloc(1, sizeof(*r));

	if (r)
		r->last = job_new(JOB_RESOURCE_DESTROY, 0);
	if (r && !r->last) {
		free(r);
		return NULL;
	}
	if (r) {
		r->name = name;
		r->last->rendered = r;
	}
	return r;
}

void rendered_free(struct rendered *r)
{
	if (!r)
		return;
	job_free(r->last);
	free(r);
}

/* The VRAM behind a resource, as pieces of a job. */
static struct job *job_with_vram(struct worker *w, enum job_kind kind,
				 const struct resource *r)
{
	struct job *job = job_new(kind, r->extent_count);

	for (uint32_t i = 0; job && i < r->extent_count; i++) {
		job->pieces[i].iov_base = w->resources.vram +
					  r->extents[i].offset;
		job->pieces[i].iov_len = r->extents[i].length;
	}
	return job;
}

/* --------------------------------------------------------------- capsets */

static void capset_answer(struct worker *w, const struct pvgpu_capset *q,
			  const struct renderer_info *info, struct answer *a)
{
	uint32_t id = pvgpu_le32_to_cpu(q->capset);
	uint32_t offset = pvgpu_le32_to_cpu(q->offset);
	uint32_t size = pvgpu_le32_to_cpu(q->size);
	uint32_t total = info->capset_size[id];
	struct {
		struct pvgpu_capset_done done;
		uint8_t data[PVGPU_CAPSET_CHUNK_MAX];
	} all = { 0 };

	(void)w;
	if (offset > total)
		offset = total;
	if (size > total - offset)
		size = total - offset;
	all.done.max_version = pvgpu_cpu_to_le32(info->capset_version[id]);
	all.done.total = pvgpu_cpu_to_le32(total);
	all.done.size = pvgpu_cpu_to_le32(size);
	memcpy(all.data, info->capset[id] + offset, size);
	answer_fill(a, &all, sizeof(all.done) + (size + 7) / 8 * 8);
}

/* What can be said of it once the renderer has started, or has not. */
static struct verdict capset_judge(const struct pvgpu_capset *q,
				   const struct renderer_info *info)
{
	uint32_t id = pvgpu_le32_to_cpu(q->capset);

	if (!info->started)
		return verdict(PVGPU_STATUS_NO_MEMORY, 0);
	if (!info->capset[id])
		return verdict(PVGPU_STATUS_UNSUPPORTED,
			       offsetof(struct pvgpu_capset, capset));
	if (pvgpu_le32_to_cpu(q->version) > info->capset_version[id])
		return verdict(PVGPU_STATUS_UNSUPPORTED,
			       offsetof(struct pvgpu_capset, version));
	return accepted();
}

struct verdict virgl_capset(struct worker *w, const void *message,
			    uint32_t length, struct answer *a)
{
	const struct pvgpu_capset *q = message;
	struct virgl *virgl = &w->virgl;
	uint32_t id = pvgpu_le32_to_cpu(q->capset);
	struct renderer_info info;
	struct verdict v;
	struct job *job;

	(void)length;
	if (!granted(w))
		return not_granted();
	if (id != PVGPU_CAPSET_VIRGL && id != PVGPU_CAPSET_VIRGL2)
		return verdict(PVGPU_STATUS_UNSUPPORTED,
			       offsetof(struct pvgpu_capset, capset));
	v = lane_ready(w);
	if (refused(v))
		return v;
	info = renderer_info(virgl->renderer);
	if (info.started || info.failed) {
		v = capset_judge(q, &info);
		if (!refused(v) && pvgpu_le32_to_cpu(q->size) >
				   PVGPU_CAPSET_CHUNK_MAX)
			v = invalid(offsetof(struct pvgpu_capset, size));
		if (!refused(v))
			capset_answer(w, q, &info, a);
		return v;
	}
	if (pvgpu_le32_to_cpu(q->size) > PVGPU_CAPSET_CHUNK_MAX)
		return invalid(offsetof(struct pvgpu_capset, size));
	if (virgl->waiting_count == VIRGL_WAITING)
		return verdict(VERDICT_RETRY, 0);
	if (!virgl->waiting_count) {
		job = job_new(JOB_START, 0);
		if (!job)
			return verdict(PVGPU_STATUS_NO_MEMORY, 0);
		send(w, job);
	}
	virgl->waiting[virgl->waiting_count++] = *q;
	return verdict(VERDICT_LATER, 0);
}

static void started(struct worker *w)
{
	struct virgl *virgl = &w->virgl;
	struct renderer_info info = renderer_info(virgl->renderer);
	struct answer a;

	for (uint32_t i = 0; i < virgl->waiting_count &&
	     w->attachment.state == PVGPU_STATE_ATTACHED; i++) {
		const struct pvgpu_capset *q = &virgl->waiting[i];
		struct verdict v = capset_judge(q, &info);

		a.length = 0;
		if (!refused(v))
			capset_answer(w, q, &info, &a);
		control_post(w, &q->msg, v, &a);
	}
	virgl->waiting_count = 0;
}

uint32_t virgl_owed_slots(const struct worker *w)
{
	return w->virgl.waiting_count *
	       pvgpu_slots(sizeof(struct pvgpu_capset_done) +
			   PVGPU_CAPSET_CHUNK_MAX);
}

/* -------------------------------------------------------------- contexts */

static void context_put(struct context *c)
{
	if (!c->destroyed || c->jobs)
		return;
	job_free(c->last);
	free(c);
}

struct verdict virgl_context_create(struct worker *w, const void *message,
				    uint32_t length, struct answer *a)
{
	const struct pvgpu_context_create *q = message;
	uint32_t name = pvgpu_le32_to_cpu(q->context);
	uint32_t capset = pvgpu_le32_to_cpu(q->capset);
	struct virgl *virgl = &w->virgl;
	struct context *c;
	struct verdict v;
	struct job *job;

	(void)length, (void)a;
	if (!granted(w))
		return not_granted();
	if (!name)
		return invalid(offsetof(struct pvgpu_context_create, context));
	if (capset != PVGPU_CAPSET_VIRGL && capset != PVGPU_CAPSET_VIRGL2)
		return verdict(PVGPU_STATUS_UNSUPPORTED,
			       offsetof(struct pvgpu_context_create, capset));
	if (virgl_context(virgl, name))
		return verdict(PVGPU_STATUS_EXISTS,
			       offsetof(struct pvgpu_context_create, context));
	if (virgl->context_count >= WINDOW_CONTEXTS)
		return over_limit(PVGPU_STATUS_LIMIT_CONTEXTS,
				  WINDOW_CONTEXTS);
	v = lane_ready(w);
	if (refused(v))
		return v;
	if (!ledger_charge(&w->ledger, LEDGER_CONTEXTS,
			   PVGPU_CHARGE_CONTEXT))
		return over_limit(PVGPU_STATUS_LIMIT_DEVICE,
				  w->ledger.device.limit);
	c = calloc(1, sizeof(*c));
	job = job_new(JOB_CONTEXT_CREATE, 0);
	if (c)
		c->last = job_new(JOB_CONTEXT_DESTROY, 0);
	if (!c || !job || !c->last) {
		ledger_release(&w->ledger, LEDGER_CONTEXTS,
			       PVGPU_CHARGE_CONTEXT);
		job_free(job);
		free(c);
		return verdict(PVGPU_STATUS_NO_MEMORY, 0);
	}
	c->name = name;
	c->capset = capset;
	log_printable(c->label, sizeof(c->label), q->label, sizeof(q->label));
	do
		c->id = ++virgl->next_id;
	while (!c->id);
	c->next = virgl->contexts;
	virgl->contexts = c;
	virgl->context_count++;
	job->context = c;
	send(w, job);
	return accepted();
}

struct verdict virgl_context_destroy(struct worker *w, const void *message,
				     uint32_t length, struct answer *a)
{
	const struct pvgpu_context_destroy *q = message;
	struct virgl *virgl = &w->virgl;
	struct context **link = &virgl->contexts, *c;

	(void)length, (void)a;
	if (!granted(w))
		return not_granted();
	if (q->reserved)
		return invalid(offsetof(struct pvgpu_context_destroy,
					reserved));
	while (*link && (*link)->name != pvgpu_le32_to_cpu(q->context))
		link = &(*link)->next;
	c = *link;
	if (!c)
		return verdict(PVGPU_STATUS_NOT_FOUND,
			       offsetof(struct pvgpu_context_destroy,
					context));
	*link = c->next;
	virgl->context_count--;
	c->destroyed = true;
	ledger_release(&w->ledger, LEDGER_CONTEXTS,
			       PVGPU_CHARGE_CONTEXT);
	c->last->context = c;
	send(w, c->last);
	c->last = NULL;
	return accepted();
}

struct verdict virgl_context_query(struct worker *w, const void *message,
				   uint32_t length, struct answer *a)
{
	const struct pvgpu_context_query *q = message;
	struct pvgpu_context_query_done done = { 0 };
	struct context *c;

	(void)length;
	if (!granted(w))
		return not_granted();
	if (q->reserved)
		return invalid(offsetof(struct pvgpu_context_query, reserved));
	c = virgl_context(&w->virgl, pvgpu_le32_to_cpu(q->context));
	if (!c)
		return verdict(PVGPU_STATUS_NOT_FOUND,
			       offsetof(struct pvgpu_context_query, context));
	done.busy = pvgpu_cpu_to_le64(atomic_load(&c->busy));
	done.batches = pvgpu_cpu_to_le64(atomic_load(&c->batches));
	done.charged = pvgpu_cpu_to_le64(PVGPU_CHARGE_CONTEXT +
					 atomic_load(&c->charged));
	done.flags = pvgpu_cpu_to_le32(atomic_load(&c->lost) ?
				       PVGPU_CONTEXT_LOST : 0);
	answer_fill(a, &done, sizeof(done));
	return accepted();
}

/* ------------------------------------------------- attaching, detaching */

bool resource_attached(const struct resource *r, const struct context *c)
{
	for (uint32_t i = 0; i < r->context_count; i++)
		if (r->contexts[i] == c->id)
			return true;
	return false;
}

static bool lives(const struct virgl *v, uint32_t id)
{
	const struct context *c = v->contexts;

	while (c && c->id != id)
		c = c->next;
	return c;
}

/* Room for one more; contexts that have gone make some. */
static bool attach_room(const struct virgl *v, struct resource *r)
{
	uint32_t room = r->context_room ? r->context_room * 2 : 1, kept = 0;
	uint32_t *more;

	if (r->context_count < r->context_room)
		return true;
	for (uint32_t i = 0; i < r->context_count; i++)
		if (lives(v, r->contexts[i]))
			r->contexts[kept++] = r->contexts[i];
	r->context_count = kept;
	if (kept < r->context_room)
		return true;
	more = realloc(r->contexts, room * sizeof(*more));
	if (!more)
		return false;
	r->contexts = more;
	r->context_room = room;
	return true;
}

/* The two that ATTACH and DETACH name, where virgl is granted. */
static struct verdict find_both(struct worker *w,
				const struct pvgpu_context_attach *q,
				struct context **ret_context,
				struct resource **ret_resource)
{
	if (!granted(w))
		return not_granted();
	*ret_context = virgl_context(&w->virgl, pvgpu_le32_to_cpu(q->context));
	if (!*ret_context)
		return verdict(PVGPU_STATUS_NOT_FOUND,
			       offsetof(struct pvgpu_context_attach, context));
	*ret_resource = resource_find(&w->resources,
				      pvgpu_le32_to_cpu(q->resource));
	if (!*ret_resource || (*ret_resource)->dying)
		return verdict(PVGPU_STATUS_NOT_FOUND,
			       offsetof(struct pvgpu_context_attach, resource));
	return accepted();
}

/* A LINEAR resource becomes the renderer's when a context first wants it. */
static bool make_blob(struct worker *w, struct resource *r)
{
	struct job *job = job_with_vram(w, JOB_BLOB_CREATE, r);

	r->rendered = job ? rendered_new(r->name) : NULL;
	if (!r->rendered) {
		job_free(job);
		return false;
	}
	job->rendered = r->rendered;
	send(w, job);
	return true;
}

/* A job about both, sent. */
static void send_both(struct worker *w, struct job *job, struct context *c,
		      const struct resource *r)
{
	job->context = c;
	job->rendered = r->rendered;
	send(w, job);
}

struct verdict virgl_context_attach(struct worker *w, const void *message,
				    uint32_t length, struct answer *a)
{
	struct resource *r;
	struct context *c;
	struct verdict v;
	struct job *job;

	(void)length, (void)a;
	v = find_both(w, message, &c, &r);
	if (refused(v))
		return v;
	if (r->kind == PVGPU_RESOURCE_LINEAR && !resource_usable(r))
		return invalid(offsetof(struct pvgpu_context_attach, resource));
	if (resource_attached(r, c))
		return accepted();
	v = lane_ready(w);
	if (refused(v))
		return v;
	job = job_new(JOB_ATTACH, 0);
	if (!job || !attach_room(&w->virgl, r) ||
	    (!r->rendered && !make_blob(w, r))) {
		job_free(job);
		return verdict(PVGPU_STATUS_NO_MEMORY, 0);
	}
	r->contexts[r->context_count++] = c->id;
	send_both(w, job, c, r);
	return accepted();
}

struct verdict virgl_context_detach(struct worker *w, const void *message,
				    uint32_t length, struct answer *a)
{
	struct resource *r;
	struct context *c;
	struct verdict v;
	struct job *job;

	(void)length, (void)a;
	v = find_both(w, message, &c, &r);
	if (refused(v) || !resource_attached(r, c))
		return v;
	v = lane_ready(w);
	if (refused(v))
		return v;
	job = job_new(JOB_DETACH, 0);
	if (!job)
		return verdict(PVGPU_STATUS_NO_MEMORY, 0);
	for (uint32_t i = 0; i < r->context_count; i++)
		if (r->contexts[i] == c->id)
			r->contexts[i] = r->contexts[--r->context_count];
	send_both(w, job, c, r);
	return accepted();
}

/* ------------------------------------------------------------- resources */

static struct verdict surface_create(struct worker *w,
				     const struct pvgpu_resource_create *q)
{
	struct resource *r = NULL;
	struct rendered *rendered;
	struct verdict v;
	struct job *job;

	v = lane_ready(w);
	if (refused(v))
		return v;
	job = job_new(JOB_SURFACE_CREATE, 0);
	rendered = rendered_new(pvgpu_le32_to_cpu(q->resource));
	if (!job || !rendered)
		v = verdict(PVGPU_STATUS_NO_MEMORY, 0);
	if (!refused(v))
		v = resource_create(&w->resources, q, &w->virgl, &r);
	if (refused(v)) {
		rendered_free(rendered);
		job_free(job);
		return v;
	}
	r->rendered = rendered;
	job->rendered = rendered;
	job->surface = (struct job_surface){
		.surface = r->surface,
		.bind = pvgpu_le32_to_cpu(q->bind),
		.flags = pvgpu_le32_to_cpu(q->flags),
	};
	job->context = virgl_context(&w->virgl, pvgpu_le32_to_cpu(q->context));
	/* Without memory for the list it is attached to none. */
	if (job->context && attach_room(&w->virgl, r))
		r->contexts[r->context_count++] = job->context->id;
	send(w, job);
	return accepted();
}

struct verdict virgl_resource_create(struct worker *w, const void *message)
{
	const struct pvgpu_resource_create *q = message;
	struct resource *r;

	if (granted(w) &&
	    pvgpu_le32_to_cpu(q->kind) == PVGPU_RESOURCE_SURFACE)
		return surface_create(w, q);
	return resource_create(&w->resources, q, NULL, &r);
}

struct verdict virgl_resource_back(struct worker *w, const void *message,
				   uint32_t length)
{
	struct resource *r = NULL;
	struct verdict v;
	struct job *job;

	v = resource_back(&w->resources, message, length, &r);
	if (refused(v) || r->kind != PVGPU_RESOURCE_SURFACE ||
	    !resource_usable(r))
		return v;
	job = job_with_vram(w, JOB_BACK, r);
	if (!job) {
		/* It cannot be backed in part: what was added stays, and no
		 * transfer finds it in the renderer. */
		return verdict(PVGPU_STATUS_NO_MEMORY, 0);
	}
	job->rendered = r->rendered;
	send(w, job);
	return v;
}

bool virgl_resource_forget(struct worker *w, struct resource *r,
			   struct deferred *d)
{
	struct rendered *rendered = r->rendered;
	struct job *job;

	if (!rendered)
		return false;
	job = rendered->last;
	rendered->last = NULL;
	r->rendered = NULL;
	/* Until then the renderer may still write into its VRAM. */
	job->deferred = r->extent_count ? d : NULL;
	send(w, job);
	return job->deferred;
}

bool virgl_read_back(struct worker *w, struct resource *r,
		     const struct job_read_back *what)
{
	struct job *job = r->rendered ? job_new(JOB_READ_BACK, 0) : NULL;

	if (!job)
		return false;
	job->rendered = r->rendered;
	job->read_back = *what;
	job->traced = trace_on(&w->trace);
	job->channel = RENDERER_PICTURES;
	renderer_batch(w->virgl.renderer, job);
	return true;
}

/* ------------------------------------------------------------ what is done */

static void job_done(struct worker *w, struct job *job)
{
	switch (job->kind) {
	case JOB_START:
		started(w);
		break;
	case JOB_RESOURCE_DESTROY:
		if (job->deferred)
			deferred_rendered(w, job->deferred);
		rendered_free(job->rendered);
		break;
	case JOB_NOP:
	case JOB_SUBMIT:
	case JOB_TRANSFER_TO:
	case JOB_TRANSFER_FROM:
		batch_end(w, &w->channels[job->channel - 1], job->batch,
			  job->verdict);
		break;
	default:
		break;
	}
}

static void job_put(struct job *job)
{
	if (job->context) {
		job->context->jobs--;
		context_put(job->context);
	}
	job_free(job);
}

void virgl_done(struct worker *w)
{
	struct queue *control = &w->queues[PVGPU_QUEUE_CONTROL];
	struct job *job = renderer_done(w->virgl.renderer);

	if (!w->renderer[0]) {
		struct renderer_info info = renderer_info(w->virgl.renderer);

		memcpy(w->renderer, info.name, sizeof(w->renderer));
	}
	while (job) {
		struct job *next = job->next;

		w->statistics.gpu_time += job->gpu_time;
		/* Who looks does so also after a ring broke. */
		if (trace_on(&w->trace))
			trace_job(&w->trace, job);
		if (job->kind == JOB_READ_BACK)
			present_read(w, job);
		else if (w->attachment.state == PVGPU_STATE_ATTACHED)
			job_done(w, job);
		else if (job->kind == JOB_RESOURCE_DESTROY)
			rendered_free(job->rendered);
		job_put(job);
		job = next;
	}
	if (w->attachment.state != PVGPU_STATE_ATTACHED)
		return;
	if (w->control_held)
		control->pending = true;	/* the lane may have room */
	queue_settle(w, control);
}

/* -------------------------------------------------------------- the end */

void virgl_reset(struct worker *w)
{
	struct virgl *v = &w->virgl;
	struct job *jobs = NULL;

	/* A renderer that is not done by then is in a batch that does not end,
	 * and nobody has killed us for it. */
	if (v->renderer && renderer_reset(v->renderer,
					  grants_patience(&w->grants),
					  &jobs)) {
		log_warning("the renderer does not end its batch: this worker ends instead");
		_exit(WORKER_EXIT_STUCK);
	}
	while (jobs) {
		struct job *next = jobs->next;

		if (jobs->kind == JOB_RESOURCE_DESTROY)
			rendered_free(jobs->rendered);
		job_put(jobs);
		jobs = next;
	}
	while (v->contexts) {
		struct context *c = v->contexts;

		v->contexts = c->next;
		c->destroyed = true;
		ledger_release(&w->ledger, LEDGER_CONTEXTS,
			       PVGPU_CHARGE_CONTEXT);
		context_put(c);
	}
	v->context_count = 0;
	v->waiting_count = 0;
}

void virgl_finish(struct worker *w)
{
	if (!w->virgl.renderer)
		return;
	virgl_reset(w);
	renderer_free(w->virgl.renderer);
	w->virgl.renderer = NULL;
}
