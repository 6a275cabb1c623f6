// SPDX-License-Identifier: MIT
/*
 * What the host says that a guest holds, and what it holds itself: back to
 * nothing when all is given back, however often. With --figures only. spec.md
 * 11 and 13.
 */
#include <stdio.h>
#include <stdlib.h>

#include "conform.h"
#include "virgl_guest.h"

#define WARM_UP		200u		/* rounds: caches fill, heaps settle */
#define ROUNDS		800u
#define GROWTH_KIB	8192u		/* in all rounds; 10 bytes each of them
					 * would not show, a surface would */

struct figures {
	unsigned long long used;	/* bytes of the device budget */
	unsigned long long window;	/* bytes of VRAM behind resources */
	unsigned long long kib;		/* of the worker's own memory */
};

static bool ask(struct figures *ret)
{
	FILE *from = popen(figures_command, "r");
	int n = from ? fscanf(from, "%llu %llu %llu", &ret->used,
			      &ret->window, &ret->kib) : 0;

	return from && !pclose(from) && n == 3;
}

static void expect_used(uint64_t used, const char *what)
{
	struct figures now;

	EXPECT(ask(&now), "no figures");
	EXPECT(now.used == used, "%s: %llu bytes are used, not %llu", what,
	       now.used, (unsigned long long)used);
}

/* A painter with three targets: what it is charged comes in *ret_charge. */
static bool furnish(struct gl *gl, uint32_t first, uint64_t *ret_charge)
{
	struct context_state s;
	uint32_t target, vertices, i;

	stream_begin(&gl->s);
	for (i = 0; i < 3; i++) {
		target = gl_target(gl, 128, 64, NULL);
		if (!target)
			return false;
		stream_surface(&gl->s, first + 20 + i, target, VIRGL_B8G8R8A8,
			       0, 0);
	}
	vertices = gl_vertices(gl);
	if (!vertices)
		return false;
	stream_framebuffer(&gl->s, first + 20);
	stream_painter(&gl->s, first, vertices);
	stream_sub_context(&gl->s, VIRGL_CREATE_SUB_CONTEXT, 3);
	stream_sub_context(&gl->s, VIRGL_SET_SUB_CONTEXT, 3);
	stream_plain_state(&gl->s, 1);
	stream_sub_context(&gl->s, VIRGL_SET_SUB_CONTEXT, 0);
	if (gl_run(gl) || context_query(gl->g, gl->context, &s))
		return false;
	*ret_charge = s.charged + 3 * 128 * 64 * 4 + 4096;
	return true;
}

static void budget_comes_back(struct guest *g)
{
	uint64_t charge[3] = { 0 };
	uint32_t i, first, last;
	struct gl gl;

	expect_used(0, "after attach");
	if (conform_failed())
		return;
	EXPECT(gl_begin(&gl, g), "begin: status %u", g->status);
	first = g->next_name;
	for (i = 0; i < 3; i++) {
		gl.context = i + 1;
		if (i)
			EXPECT_OK(g, "context", context_create(g, i + 1));
		EXPECT(furnish(&gl, 10, &charge[i]), "status %u", g->status);
		EXPECT(charge[i] == charge[0], "%llu and %llu",
		       (unsigned long long)charge[i],
		       (unsigned long long)charge[0]);
	}
	last = g->next_name;
	expect_used(charge[0] * 3, "three contexts");
	if (conform_failed())
		return;
	/* One is lost, one is destroyed with all that it has. */
	gl.context = 2;
	stream_begin(&gl.s);
	stream_put(&gl.s, 200, 0, NULL, 0);
	EXPECT(gl_run(&gl) == PVGPU_STATUS_CONTEXT_LOST, "%u", g->status);
	EXPECT_OK(g, "destroy", context_destroy(g, 2));
	EXPECT_OK(g, "destroy", context_destroy(g, 1));
	for (i = first; i < last; i++)
		EXPECT_OK(g, "destroy", guest_destroy(g, i));
	EXPECT_OK(g, "destroy", context_destroy(g, 3));
	expect_used(0, "all destroyed");
	if (conform_failed())
		return;
	/* And with the attachment. */
	EXPECT_OK(g, "context", context_create(g, 1));
	gl.context = 1;
	EXPECT(furnish(&gl, 10, &charge[0]), "status %u", g->status);
	expect_used(charge[0], "one context");
	if (conform_failed())
		return;
	EXPECT(!guest_attach(g, ~0ull), "attach");
	expect_used(0, "after the next attach");
}

/* A life of a program, with all that it makes. */
static bool round_of(struct gl *gl, uint32_t round)
{
	struct guest *g = gl->g;
	uint32_t first = g->next_name, last, i;
	uint64_t vram = g->vram_used, charge;
	bool lost = round % 7 == 3;

	gl->context = 2 + round % 5;
	if (context_create(g, gl->context) || !furnish(gl, 10, &charge))
		return false;
	stream_begin(&gl->s);
	stream_clear(&gl->s, 0, (float)(round % 9) / 8, 0, 1);
	if (lost)
		stream_put(&gl->s, 200, 0, NULL, 0);
	if (gl_run(gl) != (lost ? (int)PVGPU_STATUS_CONTEXT_LOST : 0))
		return false;
	last = g->next_name;
	if (!lost && gl_read(gl, first, 128, 64))
		return false;
	/* By turns the context first, or what it used. */
	if (round % 2 && context_destroy(g, gl->context))
		return false;
	for (i = first; i < last; i++)
		if (guest_destroy(g, i))
			return false;
	if (round % 2 == 0 && context_destroy(g, gl->context))
		return false;
	g->vram_used = vram;
	return true;
}

static void no_growth(struct guest *g)
{
	struct figures before, after;
	uint32_t i;
	struct gl gl;

	EXPECT(gl_begin(&gl, g), "begin: status %u", g->status);
	for (i = 0; i < WARM_UP; i++)
		EXPECT(round_of(&gl, i), "round %u: status %u", i, g->status);
	EXPECT(ask(&before), "no figures");
	for (i = 0; i < ROUNDS; i++)
		EXPECT(round_of(&gl, i), "round %u: status %u", i, g->status);
	EXPECT(ask(&after), "no figures");
	EXPECT(after.used == before.used && after.window == before.window,
	       "used %llu and %llu, then %llu and %llu", before.used,
	       before.window, after.used, after.window);
	EXPECT(after.kib < before.kib + GROWTH_KIB,
	       "the worker has grown from %llu to %llu KiB in %u rounds",
	       before.kib, after.kib, ROUNDS);
}

/* The same for surfaces alone, which are many. */
static void no_growth_by_surfaces(struct guest *g)
{
	struct pvgpu_resource_create q;
	struct figures before = { 0 }, after;
	uint32_t i, name;
	struct gl gl;

	EXPECT(gl_begin(&gl, g), "begin: status %u", g->status);
	for (i = 0; i < 6000; i++) {
		q = surface_2d(g, VIRGL_B8G8R8A8, 64 + i % 64, 64);
		name = gl_surface(&gl, &q, 0, NULL);
		EXPECT(name, "surface %u: status %u", i, g->status);
		EXPECT_OK(g, "destroy", guest_destroy(g, name));
		if (i == 2000)
			EXPECT(ask(&before), "no figures");
	}
	EXPECT_OK(g, "a batch behind them", (stream_put(&gl.s, VIRGL_NOP, 0,
		  NULL, 0), gl_run(&gl)));
	EXPECT(ask(&after), "no figures");
	EXPECT(after.kib < before.kib + GROWTH_KIB,
	       "the worker has grown from %llu to %llu KiB", before.kib,
	       after.kib);
}

/* Writes a shader of some length that is like no other. */
static const char *shader_text(uint32_t number, uint32_t instructions)
{
	static char text[4096];
	int at = snprintf(text, sizeof(text), "FRAG\n"
		"DCL IN[0], POSITION, LINEAR\nDCL OUT[0], COLOR\n"
		"DCL TEMP[0]\nIMM[0] FLT32 { 0.%u, 1.0, 0.0, 1.0}\n"
		"  0: MOV TEMP[0], IMM[0]\n", number);

	for (uint32_t i = 1; i <= instructions; i++)
		at += snprintf(text + at, sizeof(text) - (size_t)at,
			       "  %u: MAD TEMP[0], TEMP[0], IN[0], IMM[0]\n",
			       i);
	snprintf(text + at, sizeof(text) - (size_t)at,
		 "  %u: MOV OUT[0], TEMP[0]\n  %u: END\n", instructions + 1,
		 instructions + 2);
	return text;
}

/* What compiled shaders take of the host's memory is in the charge. */
static void shaders_are_charged(struct guest *g)
{
	static const float all[] = { -1, -1, 1, 1 }, colour[] = { 1, 0, 0, 1 };
	uint32_t target, vertices, i;
	struct figures before = { 0 }, after;
	struct gl gl;

	EXPECT(gl_begin(&gl, g), "begin: status %u", g->status);
	target = gl_target(&gl, 128, 64, NULL);
	vertices = gl_vertices(&gl);
	EXPECT(target && vertices, "resources: status %u", g->status);
	stream_begin(&gl.s);
	stream_surface(&gl.s, 20, target, VIRGL_B8G8R8A8, 0, 0);
	stream_framebuffer(&gl.s, 20);
	stream_viewport(&gl.s, 128, 64);
	stream_painter(&gl.s, 1, vertices);
	for (i = 0; i < 220; i++) {
		stream_shader(&gl.s, 1000 + i, VIRGL_SHADER_FRAGMENT,
			      shader_text(i + 1, i % 3 * 10), NULL);
		STREAM(&gl.s, VIRGL_BIND_SHADER, 0, 1000 + i,
		       VIRGL_SHADER_FRAGMENT);
		stream_rectangle(&gl.s, vertices, all, colour);
		EXPECT_OK(g, "draw", gl_run(&gl));
		stream_begin(&gl.s);
		if (i == 20)
			EXPECT(ask(&before), "no figures");
	}
	EXPECT(ask(&after), "no figures");
	EXPECT(after.kib < before.kib + (after.used - before.used) / 1024 +
	       GROWTH_KIB, "the worker has grown by %llu KiB, for %llu bytes",
	       after.kib - before.kib, after.used - before.used);
	/* And it measured something. */
	EXPECT(after.kib > before.kib + GROWTH_KIB, "by %llu KiB only",
	       after.kib - before.kib);
}

const struct test virgl_growth_tests[] = {
	{ "virgl-budget-comes-back", budget_comes_back, false },
	{ "virgl-growth-by-contexts", no_growth, false },
	{ "virgl-growth-by-surfaces", no_growth_by_surfaces, false },
	{ "virgl-growth-by-shaders", shaders_are_charged, false },
	{ NULL, NULL, false },
};
