// SPDX-License-Identifier: MIT
/* Jobs, done with virglrenderer; see render.h. */
#define VIRGL_RENDERER_UNSTABLE_APIS	/* fences of contexts, before 1.0 */
#include "render.h"

#include <epoxy/gl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <virglrenderer.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/util.h"
#include "egl.h"
#include "stream.h"
#include "transfer.h"

#define VIRGL_Y_0_TOP	(1u << 0)	/* of a resource's flags */

struct render {
	struct egl *egl;
	struct ledger *ledger;
	render_done *done;
	void *context;
	struct link_node contexts;	/* heads of lists */
	struct link_node resources;
	struct job *flying, **flying_end;	/* their fences are not reached */
	uint64_t fence;			/* the last one made */
	uint32_t *commands;		/* the batch in hand, a private copy */
	size_t commands_room;		/* bytes */
	struct transfer_buffer buffer;
	uint32_t current;		/* id of the context that ran a batch just now */
	bool complained;		/* the renderer, about the batch in hand */
	struct log_limit log;		/* for lines that a guest can provoke */
};

/* virglrenderer has one state a process; so has what its callback needs. */
static struct render *the_render;

/* ----------------------------------------------------------------- lists */

static void list_init(struct link_node *head)
{
	head->next = head->previous = head;
}

static void list_add(struct link_node *head, struct link_node *node)
{
	node->next = head;
	node->previous = head->previous;
	head->previous->next = node;
	head->previous = node;
}

static void list_remove(struct link_node *node)
{
	node->previous->next = node->next;
	node->next->previous = node->previous;
	node->next = node->previous = NULL;
}

#define LIST_ENTRY(node, type, member) \
	((struct type *)(void *)((char *)(node) - offsetof(struct type, member)))

/* ---------------------------------------------------------------- fences */

static void end(struct render *g, struct job *job, struct verdict v)
{
	job->verdict = v;
	g->done(g->context, job);
}

static void await(struct render *g, struct job *job, uint64_t fence)
{
	job->fence = fence;
	job->next = NULL;
	*g->flying_end = job;
	g->flying_end = &job->next;
}

/* Of what needs no fence of its own: it is done after what was submitted
 * before it, since that is how the GPU's time is counted. */
static void land(struct render *g, struct job *job, struct verdict v)
{
	if (!g->flying) {
		end(g, job, v);
		return;
	}
	job->verdict = v;
	await(g, job, g->fence);
}

/* Fences are reached in the order in which they were made. */
static void on_fence(void *cookie, uint32_t context, uint32_t ring,
		     uint64_t fence)
{
	struct render *g = cookie;

	(void)context, (void)ring;
	while (g->flying && g->flying->fence <= fence) {
		struct job *job = g->flying;

		g->flying = job->next;
		if (!g->flying)
			g->flying_end = &g->flying;
		end(g, job, job->verdict);
	}
}

/* Fences of no context: none are made. */
static void on_global_fence(void *cookie, uint32_t fence)
{
	(void)cookie, (void)fence;
}

static void lose(struct render *g, struct context *c, const char *why)
{
	if (atomic_exchange(&c->lost, true))
		return;
	if (log_allowed(&g->log))
		log_warning("context %u (%s) is lost: %s", c->name, c->label,
			    why);
}

/* virglrenderer says here, and nowhere else, that a context went wrong; from
 * then on it leaves out what the context draws. */
static void on_message(const char *format, va_list arguments)
{
	char line[256], printable[256];

	if (strstr(format, "context error reported"))
		the_render->complained = true;
	if (!log_allowed(&the_render->log))
		return;
	vsnprintf(line, sizeof(line), format, arguments);
	line[strcspn(line, "\n")] = 0;
	log_printable(printable, sizeof(printable), line, sizeof(line));
	log_debug("virglrenderer: %s", printable);
}

/* -------------------------------------------------------------- contexts */

static void context_create(struct render *g, struct job *job)
{
	struct context *c = job->context;

	c->stream = stream_new(g->ledger);
	c->made = c->stream &&
		!virgl_renderer_context_create_with_flags(c->id, c->capset,
			(uint32_t)strlen(c->label), c->label);
	list_add(&g->contexts, &c->node);
	if (!c->made)
		lose(g, c, "the renderer cannot make it");
}

/* Waits until all fences are reached. */
static void settle(struct render *g)
{
	struct pollfd fence = { .fd = render_fd(g), .events = POLLIN };

	while (g->flying)
		if (poll(&fence, 1, -1) > 0)
			render_poll(g);
}

/* virglrenderer 0.10 forgets the fence that it waits for, whose it is, and frees
 * what its waiting thread looks at next: so there are none meanwhile. */
static void context_destroy(struct render *g, struct context *c)
{
	settle(g);
	if (c->made)
		virgl_renderer_context_destroy(c->id);
	stream_free(c->stream);
	c->stream = NULL;
	c->made = false;
	c->gone = true;
	list_remove(&c->node);
}

/* ------------------------------------------------------------- resources */

static void surface_create(struct render *g, struct job *job)
{
	const struct job_surface *s = &job->surface;
	struct rendered *r = job->rendered;
	struct virgl_renderer_resource_create_args args = {
		.handle = r->name,
		.target = s->surface.target,
		.format = s->surface.format,
		.bind = s->bind,
		.width = s->surface.width,
		.height = s->surface.height,
		.depth = s->surface.depth,
		.array_size = s->surface.layers,
		.last_level = s->surface.levels - 1,
		.nr_samples = s->surface.samples > 1 ? s->surface.samples : 0,
		.flags = s->flags & PVGPU_SURFACE_Y_0_TOP ? VIRGL_Y_0_TOP : 0,
	};

	list_add(&g->resources, &r->node);
	r->surface = s->surface;
	r->made = !virgl_renderer_resource_create(&args, NULL, 0);
	if (!r->made && log_allowed(&g->log))
		log_warning("the renderer cannot make surface %u: target %u, format %u, %ux%u",
			    r->name, args.target, args.format, args.width,
			    args.height);
	/* It was made for a context: as if that attached it. */
	if (r->made && job->context && job->context->made)
		virgl_renderer_ctx_attach_resource((int)job->context->id,
						   (int)r->name);
}

/* The job's pieces, for as long as the renderer uses them. */
static struct iovec *own_pieces(const struct job *job)
{
	struct iovec *iov = calloc(job->count, sizeof(*iov));

	if (iov)
		memcpy(iov, job->pieces, job->count * sizeof(*iov));
	return iov;
}

static void surface_back(struct job *job)
{
	struct rendered *r = job->rendered;

	if (!r->made)
		return;
	r->iov = own_pieces(job);
	r->iov_count = job->count;
	if (!r->iov || virgl_renderer_resource_attach_iov((int)r->name, r->iov,
							  (int)job->count)) {
		free(r->iov);
		r->iov = NULL;
	}
}

static void blob_create(struct render *g, struct job *job)
{
	struct rendered *r = job->rendered;
	struct virgl_renderer_resource_create_blob_args args = {
		.res_handle = r->name,
		.blob_mem = VIRGL_RENDERER_BLOB_MEM_GUEST,
		.num_iovs = job->count,
	};

	list_add(&g->resources, &r->node);
	r->iov = own_pieces(job);
	args.iovecs = r->iov;
	for (uint32_t i = 0; i < job->count; i++)
		args.size += job->pieces[i].iov_len;
	r->made = r->iov && !virgl_renderer_resource_create_blob(&args);
}

static void resource_destroy(struct rendered *r)
{
	if (r->made) {
		struct iovec *iov;
		int count;

		if (r->iov)
			virgl_renderer_resource_detach_iov((int)r->name, &iov,
							   &count);
		virgl_renderer_resource_unref(r->name);
	}
	free(r->iov);
	r->iov = NULL;
	r->made = false;
	list_remove(&r->node);
}

static struct verdict read_back(struct job *job)
{
	const struct job_read_back *b = &job->read_back;
	struct virgl_box box = { b->x, b->y, 0, b->width, b->height, 1 };
	struct iovec to = { b->pixels, b->size };

	if (!job->rendered || !job->rendered->made ||
	    virgl_renderer_transfer_read_iov(job->rendered->name, 0, 0,
					     b->stride, 0, &box, 0, &to, 1))
		return verdict(PVGPU_STATUS_NOT_FOUND, 0);
	return accepted();
}

/* --------------------------------------------------------------- batches */

static bool room_for_commands(struct render *g, size_t size)
{
	uint32_t *more;

	if (size <= g->commands_room)
		return true;
	more = realloc(g->commands, size);
	if (!more)
		return false;
	g->commands = more;
	g->commands_room = size;
	return true;
}

/* The guest's words, once, into memory that it cannot change. */
static size_t copy_commands(struct render *g, const struct job *job)
{
	size_t size = 0;

	for (uint32_t i = 0; i < job->count; i++)
		size += job->pieces[i].iov_len;
	if (!room_for_commands(g, size))
		return 0;
	size = 0;
	for (uint32_t i = 0; i < job->count; i++) {
		memcpy((uint8_t *)g->commands + size, job->pieces[i].iov_base,
		       job->pieces[i].iov_len);
		size += job->pieces[i].iov_len;
	}
	return size;
}

/* Done when the renderer's fence behind it is. */
static void fly(struct render *g, struct job *job)
{
	job->verdict = accepted();
	await(g, job, ++g->fence);
	if (!virgl_renderer_context_create_fence(job->context->id, 0, 0,
						 job->fence))
		return;
	/* No fence: wait for it here. */
	glFinish();
	on_fence(g, 0, 0, job->fence);
}

static void submit(struct render *g, struct job *job)
{
	struct context *c = job->context;
	size_t size = copy_commands(g, job);
	struct verdict v;
	int ret;

	if (!size) {
		land(g, job, verdict(PVGPU_STATUS_NO_MEMORY, 0));
		return;
	}
	v = stream_walk(c->stream, g->commands, (uint32_t)(size / 4));
	atomic_store(&c->charged, stream_charged(c->stream));
	if (refused(v)) {
		lose(g, c, stream_complaint(c->stream));
		land(g, job, v);
		return;
	}
	g->complained = false;
	ret = virgl_renderer_submit_cmd(g->commands, (int)c->id,
					(int)(size / 4));
	if (ret || g->complained) {
		lose(g, c, "the renderer refuses its commands");
		land(g, job, verdict(PVGPU_STATUS_CONTEXT_LOST, 0));
		return;
	}
	if (job->traced)
		job->submitted = clock_ns();
	stream_settle(c->stream);
	atomic_store(&c->charged, stream_charged(c->stream));
	fly(g, job);
}

static void transfer(struct render *g, struct job *job)
{
	int ret = transfer_run(&g->buffer, job);

	if (ret == -ENOMEM) {
		land(g, job, verdict(PVGPU_STATUS_NO_MEMORY, 0));
		return;
	}
	if (ret) {
		lose(g, job->context, "the renderer refuses a transfer");
		land(g, job, verdict(PVGPU_STATUS_CONTEXT_LOST, 0));
		return;
	}
	land(g, job, accepted());
}

#define CONTEXT_FIELD(kind) ((kind) == JOB_SUBMIT ? \
	(uint32_t)offsetof(struct pvgpu_virgl_submit, context) : \
	(uint32_t)offsetof(struct pvgpu_virgl_transfer, context))

static void batch(struct render *g, struct job *job)
{
	if (job->traced)
		job->begun = clock_ns();
	if (job->kind == JOB_NOP) {
		end(g, job, accepted());
		return;
	}
	if (job->context->gone) {
		land(g, job, verdict(PVGPU_STATUS_NOT_FOUND,
				     CONTEXT_FIELD(job->kind)));
		return;
	}
	if (atomic_load(&job->context->lost)) {
		land(g, job, verdict(PVGPU_STATUS_CONTEXT_LOST, 0));
		return;
	}
	if (job->kind == JOB_SUBMIT)
		submit(g, job);
	else
		transfer(g, job);
}

/* Making and ending sub-contexts leaves another GL context current than the one
 * that virglrenderer 0.10 believes is: the next batch of that one would run in
 * the wrong place. So nothing but batch after batch of one context goes on
 * where it was. */
static void enter(struct render *g, const struct job *job)
{
	uint32_t now = job->kind == JOB_SUBMIT ? job->context->id : 0;

	if (job->kind == JOB_START || job->kind == JOB_NOP)
		return;
	if (!now || now != g->current)
		virgl_renderer_force_ctx_0();
	g->current = now;
}

void render_job(struct render *g, struct job *job)
{
	struct context *c = job->context;
	bool both = c && c->made && job->rendered && job->rendered->made;

	enter(g, job);
	switch (job->kind) {
	case JOB_NOP:
	case JOB_SUBMIT:
	case JOB_TRANSFER_TO:
	case JOB_TRANSFER_FROM:
		batch(g, job);
		return;
	case JOB_START:
		break;
	case JOB_CONTEXT_CREATE:
		context_create(g, job);
		break;
	case JOB_CONTEXT_DESTROY:
		context_destroy(g, c);
		break;
	case JOB_SURFACE_CREATE:
		surface_create(g, job);
		break;
	case JOB_BLOB_CREATE:
		blob_create(g, job);
		break;
	case JOB_BACK:
		surface_back(job);
		break;
	case JOB_RESOURCE_DESTROY:
		resource_destroy(job->rendered);
		break;
	case JOB_ATTACH:
		if (both)
			virgl_renderer_ctx_attach_resource((int)c->id,
				(int)job->rendered->name);
		break;
	case JOB_DETACH:
		if (both)
			virgl_renderer_ctx_detach_resource((int)c->id,
				(int)job->rendered->name);
		break;
	case JOB_READ_BACK:
		land(g, job, read_back(job));
		return;
	}
	end(g, job, accepted());
}

int render_fd(struct render *g)
{
	(void)g;
	return virgl_renderer_get_poll_fd();
}

void render_poll(struct render *g)
{
	(void)g;
	virgl_renderer_poll();
}

/* ------------------------------------------------------------ start, end */

/* virglrenderer's contexts; its thread that waits for fences has one too. */
static virgl_renderer_gl_context context_new(void *cookie, int scanout,
		struct virgl_renderer_gl_ctx_param *param)
{
	struct render *g = cookie;

	(void)scanout;
	return egl_context_new(g->egl, param->major_ver, param->minor_ver,
			       param->shared);
}

static void context_free(void *cookie, virgl_renderer_gl_context context)
{
	struct render *g = cookie;

	egl_context_free(g->egl, context);
}

/* 0 or -1, as virglrenderer takes it. */
static int context_enter(void *cookie, int scanout,
			 virgl_renderer_gl_context context)
{
	struct render *g = cookie;

	(void)scanout;
	return egl_make_current(g->egl, context) ? 0 : -1;
}

static int read_capsets(struct renderer_info *info)
{
	for (uint32_t id = 0; id < ARRAY_SIZE(info->capset); id++) {
		uint32_t version = 0, size = 0;

		if (id != PVGPU_CAPSET_VIRGL && id != PVGPU_CAPSET_VIRGL2)
			continue;
		virgl_renderer_get_cap_set(id, &version, &size);
		if (!size)
			continue;
		info->capset[id] = calloc(1, size);
		if (!info->capset[id])
			return -ENOMEM;
		virgl_renderer_fill_caps(id, version, info->capset[id]);
		info->capset_size[id] = size;
		info->capset_version[id] = version;
	}
	return 0;
}

/* GL on hardware that turns out to be software would be slow, and nobody would
 * know why; and what is measured on a GPU must not pass for llvmpipe. */
static bool is_what_was_asked_for(const struct gpu_device *gpu,
				  const char *name)
{
	char text[GPU_TEXT_MAX];

	if (egl_is_software(name) == !gpu->hardware)
		return true;
	log_error("asked for %s, and GL renders on %s", gpu_text(gpu, text),
		  name);
	return false;
}

struct render *render_start(const struct gpu_device *gpu,
			    struct ledger *ledger, render_done *done,
			    void *context, struct renderer_info *ret_info)
{
	static struct virgl_renderer_callbacks callbacks = {
		.version = 3,
		.write_fence = on_global_fence,
		.create_gl_context = context_new,
		.destroy_gl_context = context_free,
		.make_current = context_enter,
		.write_context_fence = on_fence,
	};
	struct render *g = calloc(1, sizeof(*g));
	const char *name;
	int ret;

	if (!g)
		return NULL;
	g->ledger = ledger;
	g->done = done;
	g->context = context;
	g->flying_end = &g->flying;
	g->log = (struct log_limit){ .burst = 20, .seconds = 60 };
	list_init(&g->contexts);
	list_init(&g->resources);
	the_render = g;
	g->egl = egl_open(gpu);
	if (!g->egl) {
		free(g);
		return NULL;
	}
	virgl_set_debug_callback(on_message);
	ret = virgl_renderer_init(g, VIRGL_RENDERER_THREAD_SYNC, &callbacks);
	if (ret) {
		log_error("virglrenderer does not start: %d", ret);
		egl_close(g->egl);
		free(g);
		return NULL;
	}
	if (virgl_renderer_get_poll_fd() < 0) {
		log_error("virglrenderer cannot tell of fences without polling");
		goto fail;
	}
	virgl_renderer_force_ctx_0();
	name = (const char *)glGetString(GL_RENDERER);
	log_printable(ret_info->name, sizeof(ret_info->name),
		      name ? name : "unknown", name ? strlen(name) : 7);
	if (!is_what_was_asked_for(gpu, ret_info->name))
		goto fail;
	if (read_capsets(ret_info)) {
		log_error("no memory for the capability sets");
		goto fail;
	}
	log_info("rendering on %s", ret_info->name);
	return g;
fail:
	virgl_renderer_cleanup(g);
	egl_close(g->egl);
	free(g);
	return NULL;
}

void render_reset(struct render *g)
{
	/* Contexts first: they hold what they are attached to. With them ends
	 * all that is under way. */
	while (g->contexts.next != &g->contexts)
		context_destroy(g, LIST_ENTRY(g->contexts.next, context,
					      node));
	while (g->resources.next != &g->resources)
		resource_destroy(LIST_ENTRY(g->resources.next, rendered,
					    node));
}

void render_stop(struct render *g)
{
	render_reset(g);
	virgl_renderer_cleanup(g);
	egl_close(g->egl);
	free(g->commands);
	transfer_buffer_free(&g->buffer);
	free(g);
}
