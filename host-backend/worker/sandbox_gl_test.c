// SPDX-License-Identifier: MIT
/*
 * A picture drawn by the renderer with all that a guest's would need: see
 * sandbox_gl_test.h. It goes the way of a guest's batches, walk included.
 */
#include "sandbox_gl_test.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "common/util.h"
#include "ledger.h"
#include "render.h"
#include "virgl_wire.h"

#define SIDE		64u
#define TIMEOUT_MS	30000
#define TARGET		1u		/* resources */
#define VERTICES	2u
#define BIND_VERTICES	(1u << 4)	/* virgl's */
#define BIND_TARGET	(1u << 1)
#define B8G8R8A8	1u
#define R8		64u
#define R32G32B32A32	31u
#define COLOUR_0	(1u << 2)
#define TRIANGLES	4u

static struct {
	struct render *render;
	struct renderer_info info;
	struct ledger ledger;
	struct context context;
	struct rendered target, vertices;
	uint32_t pixels[SIDE * SIDE];
	uint32_t words[512], count;
	unsigned int done;		/* jobs */
	bool refused;
} t = {
	.context = { .id = 1, .name = 1, .capset = 2, .label = "self-test" },
	.target = { .name = TARGET },
	.vertices = { .name = VERTICES },
};

static void done(void *context, struct job *job)
{
	(void)context;
	t.done++;
	t.refused |= refused(job->verdict);
	if (job->kind == JOB_READ_BACK)
		memcpy(t.pixels, job->read_back.pixels, sizeof(t.pixels));
	job_free(job);
}

const char *sandbox_gl_start(void)
{
	static const struct gpu_device llvmpipe;

	ledger_init(&t.ledger, 0, 64u << 20);
	t.render = render_start(&llvmpipe, &t.ledger, done, NULL, &t.info);
	return t.render ? t.info.name : NULL;
}

/* Does it and waits until it is done. */
static bool wait_for(struct job *job)
{
	struct pollfd fd = { .fd = render_fd(t.render), .events = POLLIN };
	unsigned int before = t.done;

	render_job(t.render, job);
	while (t.done == before) {
		if (poll(&fd, 1, TIMEOUT_MS) != 1)
			return false;
		render_poll(t.render);
	}
	return !t.refused;
}

static bool make_context(void)
{
	struct job *job = job_new(JOB_CONTEXT_CREATE, 0);

	if (!job)
		return false;
	job->context = &t.context;
	return wait_for(job);
}

static bool make_resource(struct rendered *rendered,
			  const struct pvgpu_surface *surface, uint32_t bind)
{
	struct job *job = job_new(JOB_SURFACE_CREATE, 0);

	if (!job)
		return false;
	job->context = &t.context;
	job->rendered = rendered;
	job->surface.surface = *surface;
	job->surface.bind = bind;
	return wait_for(job) && rendered->made;
}

static uint32_t bits(float f)
{
	uint32_t word;

	memcpy(&word, &f, sizeof(word));
	return word;
}

static void words(const uint32_t *from, uint32_t count)
{
	memcpy(t.words + t.count, from, count * 4);
	t.count += count;
}

#define COMMAND(number, type, ...) do { \
	const uint32_t args_[] = { __VA_ARGS__ }; \
	const uint32_t head_ = virgl_command(number, type, \
					     ARRAY_SIZE(args_)); \
	words(&head_, 1); \
	words(args_, ARRAY_SIZE(args_)); \
} while (0)

static void shader(uint32_t handle, uint32_t kind, const char *text)
{
	uint32_t padded[64] = { 0 };
	uint32_t size = (uint32_t)strlen(text) + 1, length = (size + 3) / 4;
	uint32_t head[] = {
		virgl_command(VIRGL_CREATE_OBJECT, VIRGL_OBJECT_SHADER,
			      5 + length),
		handle, kind, size, 60, 0,
	};

	memcpy(padded, text, size);
	words(head, ARRAY_SIZE(head));
	words(padded, length);
	COMMAND(VIRGL_BIND_SHADER, 0, handle, kind);
}

/* Red all over, and a green triangle over half of it, corner to corner. */
static void write_picture(void)
{
	const uint32_t one = bits(1), minus = bits(-1), half = bits(SIDE / 2);

	COMMAND(VIRGL_CREATE_SUB_CTX, 0, 1);
	COMMAND(VIRGL_SET_SUB_CTX, 0, 1);
	COMMAND(VIRGL_CREATE_OBJECT, VIRGL_OBJECT_SURFACE, 10, TARGET,
		B8G8R8A8, 0, 0);
	COMMAND(VIRGL_SET_FRAMEBUFFER_STATE, 0, 1, 0, 10);
	COMMAND(VIRGL_SET_VIEWPORT_STATE, 0, 0, half, half, bits(0.5f), half,
		half, bits(0.5f));
	COMMAND(VIRGL_CREATE_OBJECT, VIRGL_OBJECT_BLEND, 11, 0, 0,
		0xfu << 27, 0, 0, 0, 0, 0, 0, 0);
	COMMAND(VIRGL_BIND_OBJECT, VIRGL_OBJECT_BLEND, 11);
	COMMAND(VIRGL_CREATE_OBJECT, VIRGL_OBJECT_DSA, 12, 0, 0, 0, 0);
	COMMAND(VIRGL_BIND_OBJECT, VIRGL_OBJECT_DSA, 12);
	COMMAND(VIRGL_CREATE_OBJECT, VIRGL_OBJECT_RASTERIZER, 13,
		1u << 1 | 1u << 29, one, 0, 0, one, 0, 0, 0);
	COMMAND(VIRGL_BIND_OBJECT, VIRGL_OBJECT_RASTERIZER, 13);
	COMMAND(VIRGL_CREATE_OBJECT, VIRGL_OBJECT_VERTEX_ELEMENTS, 14, 0, 0,
		0, R32G32B32A32);
	COMMAND(VIRGL_BIND_OBJECT, VIRGL_OBJECT_VERTEX_ELEMENTS, 14);
	COMMAND(VIRGL_RESOURCE_INLINE_WRITE, 0, VERTICES, 0, 0, 0, 0, 0, 0, 0,
		48, 1, 1, minus, minus, 0, one, one, minus, 0, one, minus,
		one, 0, one);
	COMMAND(VIRGL_SET_VERTEX_BUFFERS, 0, 16, 0, VERTICES);
	shader(15, 0, "VERT\nDCL IN[0]\nDCL OUT[0], POSITION\n"
	       "  0: MOV OUT[0], IN[0]\n  1: END\n");
	shader(16, 1, "FRAG\nDCL OUT[0], COLOR\n"
	       "IMM[0] FLT32 { 0.0, 1.0, 0.0, 1.0}\n"
	       "  0: MOV OUT[0], IMM[0]\n  1: END\n");
	COMMAND(VIRGL_CLEAR, 0, COLOUR_0, one, 0, 0, one, 0, 0, 0);
	COMMAND(VIRGL_DRAW_VBO, 0, 0, 3, TRIANGLES, 0, 1, 0, 0, 0, 0, 0, 2,
		0);
}

static bool submit(void)
{
	struct job *job = job_new(JOB_SUBMIT, 1);

	if (!job)
		return false;
	write_picture();
	job->context = &t.context;
	job->pieces[0].iov_base = t.words;
	job->pieces[0].iov_len = t.count * 4;
	return wait_for(job);
}

static bool read_back(void)
{
	struct job *job = job_new(JOB_READ_BACK, 0);

	if (!job)
		return false;
	job->rendered = &t.target;
	job->read_back = (struct job_read_back){
		.width = SIDE, .height = SIDE, .stride = SIDE * 4,
		.pixels = calloc(1, sizeof(t.pixels)),
		.size = sizeof(t.pixels),
	};
	if (!job->read_back.pixels) {
		job_free(job);
		return false;
	}
	return wait_for(job);
}

bool sandbox_gl_draw(void)
{
	static const struct pvgpu_surface target = {
		.format = B8G8R8A8, .target = PVGPU_TARGET_2D, .width = SIDE,
		.height = SIDE, .depth = 1, .layers = 1, .levels = 1,
		.samples = 1,
	}, vertices = {
		.format = R8, .target = PVGPU_TARGET_BUFFER, .width = 48,
		.height = 1, .depth = 1, .layers = 1, .levels = 1,
		.samples = 1,
	};
	uint32_t red = 0, green = 0;

	if (!make_context() ||
	    !make_resource(&t.target, &target, BIND_TARGET) ||
	    !make_resource(&t.vertices, &vertices, BIND_VERTICES) ||
	    !submit() || !read_back())
		return false;
	for (uint32_t i = 0; i < SIDE * SIDE; i++) {
		red += t.pixels[i] == 0xffff0000;
		green += t.pixels[i] == 0xff00ff00;
	}
	/* The edge goes through the middle of pixels. */
	return red + green == SIDE * SIDE &&
	       red >= SIDE * (SIDE - 1) / 2 && green >= SIDE * (SIDE - 1) / 2;
}
