// SPDX-License-Identifier: MIT
/* Capability sets and contexts: spec.md 13.1 and 13.2. */
#include "conform.h"
#include "virgl_guest.h"

#define CAPS_MAX 65536u
#define GLSL_LEVEL 66u			/* word of both sets; 130 or more */

static int capset(struct guest *g, uint32_t set, uint32_t version,
		  uint32_t offset, uint32_t size,
		  struct pvgpu_capset_done *ret)
{
	struct pvgpu_capset q = {
		.capset = pvgpu_cpu_to_le32(set),
		.version = pvgpu_cpu_to_le32(version),
		.offset = pvgpu_cpu_to_le32(offset),
		.size = pvgpu_cpu_to_le32(size),
	};
	int status = guest_call(g, PVGPU_OP_CAPSET, &q, sizeof(q));

	if (!status)
		memcpy(ret, g->reply, sizeof(*ret));
	return status;
}

/* All of a set in pieces of one size, into `to`. */
static void fetch(struct guest *g, uint32_t set, uint32_t version,
		  uint32_t piece, uint8_t *to, uint32_t total)
{
	struct pvgpu_capset_done done;
	uint32_t at = 0, size, i;

	while (at < total) {
		EXPECT_OK(g, "CAPSET", capset(g, set, version, at, piece,
					      &done));
		size = pvgpu_le32_to_cpu(done.size);
		EXPECT(pvgpu_le32_to_cpu(done.total) == total, "total %u",
		       pvgpu_le32_to_cpu(done.total));
		EXPECT(size == (total - at < piece ? total - at : piece),
		       "%u bytes at %u of %u", size, at, total);
		EXPECT(g->reply_length == sizeof(done) + (size + 7) / 8 * 8,
		       "an answer of %u bytes", g->reply_length);
		EXPECT(!done.reserved, "reserved");
		memcpy(to + at, g->reply + sizeof(done), size);
		for (i = size; i < (size + 7) / 8 * 8; i++)
			EXPECT(!g->reply[sizeof(done) + i], "padding");
		at += size;
	}
}

static void capsets(struct guest *g)
{
	static uint8_t whole[CAPS_MAX], again[CAPS_MAX];
	struct pvgpu_capset_done done;
	uint32_t set, version, total, glsl;

	for (set = 0; set < 32; set++) {
		if (!(g->d->capsets & 1u << set))
			continue;
		EXPECT_OK(g, "CAPSET", capset(g, set, 0, 0, 0, &done));
		version = pvgpu_le32_to_cpu(done.max_version);
		total = pvgpu_le32_to_cpu(done.total);
		EXPECT(!done.size && g->reply_length == sizeof(done),
		       "bytes nobody asked for");
		EXPECT(total >= 304 && total <= CAPS_MAX, "set %u of %u bytes",
		       set, total);
		fetch(g, set, version, PVGPU_CAPSET_CHUNK_MAX, whole, total);
		if (!conform_failed())
			fetch(g, set, version, 61, again, total);
		if (conform_failed())
			return;
		EXPECT(!memcmp(whole, again, total), "set %u changes", set);
		memcpy(&glsl, whole + GLSL_LEVEL * 4, 4);
		EXPECT(glsl >= 130, "set %u: GLSL %u", set, glsl);
		EXPECT_OK(g, "at its end", capset(g, set, version, total, 8,
						  &done));
		EXPECT(!done.size, "bytes beyond the end");
		EXPECT_OK(g, "far beyond", capset(g, set, version, ~0u, 4096,
						  &done));
		EXPECT(!done.size, "bytes beyond the end");
	}
}

static void capset_refusals(struct guest *g)
{
	static const uint32_t wrong[] = { 0, 3, 4, 31, 32, 33, 64, ~0u };
	const uint32_t set = PVGPU_CAPSET_VIRGL2;
	struct pvgpu_capset_done done;
	uint32_t i, version;

	EXPECT(g->d->capsets & 1u << set, "no VIRGL2");
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		EXPECT_ANSWER(g, "a set that is not",
			      capset(g, wrong[i], ~0u, 0, ~0u, &done),
			      PVGPU_STATUS_UNSUPPORTED, 16);
	EXPECT_OK(g, "CAPSET", capset(g, set, 0, 0, 0, &done));
	version = pvgpu_le32_to_cpu(done.max_version);
	EXPECT_ANSWER(g, "a version too high",
		      capset(g, set, version + 1, 0, ~0u, &done),
		      PVGPU_STATUS_UNSUPPORTED, 20);
	EXPECT_ANSWER(g, "more than fits", capset(g, set, version, 0,
						  4097, &done),
		      PVGPU_STATUS_INVALID, 28);
}

/* -------------------------------------------------------------- contexts */

static int create_as(struct guest *g, uint32_t context, uint32_t set)
{
	struct pvgpu_context_create q = {
		.context = pvgpu_cpu_to_le32(context),
		.capset = pvgpu_cpu_to_le32(set),
	};

	/* Any bytes: what a log makes of them is its own affair. */
	memset(q.label, 0x1b, sizeof(q.label));
	return guest_call(g, PVGPU_OP_CONTEXT_CREATE, &q, sizeof(q));
}

static void create_refusals(struct guest *g)
{
	static const uint32_t wrong[] = { 0, 3, 31, 32, 33, ~0u };
	uint32_t i;

	EXPECT_ANSWER(g, "name 0", create_as(g, 0, ~0u), PVGPU_STATUS_INVALID,
		      16);
	EXPECT_OK(g, "create", create_as(g, 7, PVGPU_CAPSET_VIRGL2));
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		EXPECT_ANSWER(g, "a set that is not",
			      create_as(g, 7, wrong[i]),
			      PVGPU_STATUS_UNSUPPORTED, 20);
	EXPECT_ANSWER(g, "twice", create_as(g, 7, PVGPU_CAPSET_VIRGL2),
		      PVGPU_STATUS_EXISTS, 16);
	EXPECT_OK(g, "2^32-1", create_as(g, ~0u, PVGPU_CAPSET_VIRGL2));
	if (g->d->capsets & 1u << PVGPU_CAPSET_VIRGL)
		EXPECT_OK(g, "of the first set",
			  create_as(g, 8, PVGPU_CAPSET_VIRGL));
	EXPECT_OK(g, "destroy", context_destroy(g, 7));
	EXPECT_OK(g, "the name again", create_as(g, 7, PVGPU_CAPSET_VIRGL2));
}

static void destroy_refusals(struct guest *g)
{
	struct pvgpu_context_destroy q = {
		.context = pvgpu_cpu_to_le32(5),
		.reserved = pvgpu_cpu_to_le32(1),
	};

	EXPECT_ANSWER(g, "reserved", guest_call(g, PVGPU_OP_CONTEXT_DESTROY,
		      &q, sizeof(q)), PVGPU_STATUS_INVALID, 20);
	EXPECT_ANSWER(g, "none of that name", context_destroy(g, 5),
		      PVGPU_STATUS_NOT_FOUND, 16);
	EXPECT_ANSWER(g, "name 0", context_destroy(g, 0),
		      PVGPU_STATUS_NOT_FOUND, 16);
	EXPECT_OK(g, "create", context_create(g, 5));
	EXPECT_ANSWER(g, "reserved", guest_call(g, PVGPU_OP_CONTEXT_DESTROY,
		      &q, sizeof(q)), PVGPU_STATUS_INVALID, 20);
	EXPECT_OK(g, "destroy", context_destroy(g, 5));
	EXPECT_ANSWER(g, "destroy twice", context_destroy(g, 5),
		      PVGPU_STATUS_NOT_FOUND, 16);
}

static void attaching(struct guest *g)
{
	struct pvgpu_resource_create q = surface_2d(g, VIRGL_B8G8R8A8, 8, 8);
	uint32_t surface = pvgpu_le32_to_cpu(q.resource), linear, half = 90;

	linear = guest_resource(g, 4096, NULL);
	EXPECT(linear, "resource");
	EXPECT_OK(g, "create", guest_create(g, half, 8192));
	EXPECT_OK(g, "back half", guest_back(g, half, 65536, 4096));
	EXPECT_OK(g, "surface", surface_create(g, &q));
	EXPECT_ANSWER(g, "to no context", context_attach(g, 1, surface),
		      PVGPU_STATUS_NOT_FOUND, 16);
	EXPECT_ANSWER(g, "from no context", context_detach(g, 1, surface),
		      PVGPU_STATUS_NOT_FOUND, 16);
	/* Names of contexts are others than those of resources. */
	EXPECT_OK(g, "context", context_create(g, surface));
	EXPECT_ANSWER(g, "no resource", context_attach(g, surface, 999),
		      PVGPU_STATUS_NOT_FOUND, 20);
	EXPECT_ANSWER(g, "resource 0", context_attach(g, surface, 0),
		      PVGPU_STATUS_NOT_FOUND, 20);
	EXPECT_ANSWER(g, "no resource", context_detach(g, surface, 999),
		      PVGPU_STATUS_NOT_FOUND, 20);
	EXPECT_ANSWER(g, "half a resource", context_attach(g, surface, half),
		      PVGPU_STATUS_INVALID, 20);
	EXPECT_OK(g, "which was never attached",
		  context_detach(g, surface, half));
	EXPECT_OK(g, "attach", context_attach(g, surface, surface));
	EXPECT_OK(g, "twice", context_attach(g, surface, surface));
	EXPECT_OK(g, "a linear one", context_attach(g, surface, linear));
	EXPECT_OK(g, "detach", context_detach(g, surface, surface));
	EXPECT_OK(g, "twice", context_detach(g, surface, surface));
	/* Destroyed while it is attached. */
	EXPECT_OK(g, "attach", context_attach(g, surface, surface));
	EXPECT_OK(g, "destroy", guest_destroy(g, surface));
	EXPECT_OK(g, "destroy", guest_destroy(g, linear));
	EXPECT_ANSWER(g, "it is gone", context_detach(g, surface, surface),
		      PVGPU_STATUS_NOT_FOUND, 20);
	EXPECT_OK(g, "destroy", context_destroy(g, surface));
}

static void query(struct guest *g)
{
	struct pvgpu_context_query q = {
		.context = pvgpu_cpu_to_le32(1),
		.reserved = pvgpu_cpu_to_le32(1),
	};
	uint32_t surface, text, i;
	struct context_state s;
	uint64_t before;
	uint8_t *bytes;
	struct gl gl;

	EXPECT_ANSWER(g, "reserved", guest_call(g, PVGPU_OP_CONTEXT_QUERY, &q,
		      sizeof(q)), PVGPU_STATUS_INVALID, 20);
	EXPECT_ANSWER(g, "no such context", context_query(g, 1, &s),
		      PVGPU_STATUS_NOT_FOUND, 16);
	EXPECT(gl_begin(&gl, g), "begin: status %u", g->status);
	EXPECT_OK(g, "query", context_query(g, 1, &s));
	EXPECT(!s.batches && !s.flags && !s.busy, "%llu batches, flags %u",
	       (unsigned long long)s.batches, s.flags);
	EXPECT(s.charged == PVGPU_CHARGE_CONTEXT, "charged %llu",
	       (unsigned long long)s.charged);

	surface = gl_target(&gl, 256, 256, &bytes);
	EXPECT(surface, "surface");
	for (i = 0; i < 10; i++) {
		stream_begin(&gl.s);
		stream_surface(&gl.s, 10 + i, surface, VIRGL_B8G8R8A8, 0, 0);
		stream_framebuffer(&gl.s, 10 + i);
		stream_clear(&gl.s, 1, 0, 0, 1);
		EXPECT_OK(g, "draw", gl_run(&gl));
	}
	EXPECT_OK(g, "query", context_query(g, 1, &s));
	EXPECT(s.batches == 10, "%llu batches", (unsigned long long)s.batches);
	EXPECT(s.busy > 0 && s.busy < 60000000000ull, "busy for %llu ns",
	       (unsigned long long)s.busy);
	EXPECT(s.charged == PVGPU_CHARGE_CONTEXT + 10 * PVGPU_CHARGE_OBJECT,
	       "ten objects: charged %llu", (unsigned long long)s.charged);

	/* One that takes another's handle replaces it. */
	stream_begin(&gl.s);
	stream_surface(&gl.s, 10, surface, VIRGL_B8G8R8A8, 0, 0);
	EXPECT_OK(g, "the same handle", gl_run(&gl));
	EXPECT_OK(g, "query", context_query(g, 1, &s));
	EXPECT(s.charged == PVGPU_CHARGE_CONTEXT + 10 * PVGPU_CHARGE_OBJECT,
	       "the same handle: charged %llu", (unsigned long long)s.charged);

	stream_begin(&gl.s);
	for (i = 0; i < 10; i++)
		stream_destroy(&gl.s, VIRGL_OBJECT_SURFACE, 10 + i);
	stream_sub_context(&gl.s, VIRGL_CREATE_SUB_CONTEXT, 1);
	stream_sub_context(&gl.s, VIRGL_SET_SUB_CONTEXT, 1);
	stream_shader(&gl.s, 3, VIRGL_SHADER_VERTEX,
		      "VERT\nDCL IN[0]\nDCL OUT[0], POSITION\n"
		      "  0: MOV OUT[0], IN[0]\n  1: END\n", &text);
	EXPECT_OK(g, "a shader in another sub-context", gl_run(&gl));
	EXPECT_OK(g, "query", context_query(g, 1, &s));
	before = s.charged;
	EXPECT(before == 2 * PVGPU_CHARGE_CONTEXT + PVGPU_CHARGE_SHADER +
	       (uint64_t)PVGPU_CHARGE_TEXT * text,
	       "a shader of %u: charged %llu", text,
	       (unsigned long long)before);
	stream_begin(&gl.s);
	stream_sub_context(&gl.s, VIRGL_DESTROY_SUB_CONTEXT, 1);
	EXPECT_OK(g, "destroy the sub-context", gl_run(&gl));
	EXPECT_OK(g, "query", context_query(g, 1, &s));
	EXPECT(s.charged == PVGPU_CHARGE_CONTEXT, "all destroyed: charged "
	       "%llu", (unsigned long long)s.charged);
}

/* As many as may be, or as many as the budget holds. */
static void contexts_limit(struct guest *g)
{
	uint64_t fit = g->d->device_budget / PVGPU_CHARGE_CONTEXT;
	uint32_t most = g->d->max_contexts, n;
	bool budget = fit < most;

	if (budget)
		most = (uint32_t)fit;
	for (n = 1; n <= most; n++)
		EXPECT_OK(g, "create", context_create(g, n));
	if (budget)
		EXPECT_ANSWER(g, "beyond the budget", context_create(g, n),
			      PVGPU_STATUS_LIMIT_DEVICE,
			      clamp32(g->d->device_budget));
	else
		EXPECT_ANSWER(g, "one too many", context_create(g, n),
			      PVGPU_STATUS_LIMIT_CONTEXTS, most);
	EXPECT_ANSWER(g, "one that is", context_create(g, 1),
		      PVGPU_STATUS_EXISTS, 16);
	EXPECT_OK(g, "destroy one", context_destroy(g, most / 2 + 1));
	EXPECT_OK(g, "one instead", context_create(g, most + 1));
	for (n = 1; n <= most + 1; n++)
		if (n != most / 2 + 1)
			EXPECT_OK(g, "destroy", context_destroy(g, n));
	EXPECT_OK(g, "again", context_create(g, 1));
}

const struct test virgl_context_tests[] = {
	{ "capset-in-pieces", capsets, false },
	{ "capset-refusals", capset_refusals, false },
	{ "context-create-refusals", create_refusals, false },
	{ "context-destroy-refusals", destroy_refusals, false },
	{ "context-attach", attaching, false },
	{ "context-query", query, false },
	{ "context-limit", contexts_limit, false },
	{ NULL, NULL, false },
};
