// SPDX-License-Identifier: MIT
/*
 * Rendering by a real worker with a real renderer (the host's EGL device):
 * capability sets, contexts, surfaces, batches and transfers, what becomes of
 * a context that goes wrong, and that the books are right in the end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "support_worker.h"

#define ARENA		1u		/* LINEAR: commands */
#define SURFACE		2u		/* 64 x 64 B8G8R8A8, backed */
#define CHANNEL		1u
#define CONTEXT		7u
#define SIDE		64u
#define BYTES		(SIDE * SIDE * 4)

/* virgl's commands that are used here: length, object type, command. */
#define CMD(command, type, length) \
	((uint32_t)(command) | (uint32_t)(type) << 8 | (uint32_t)(length) << 16)
#define CREATE_OBJECT	1
#define SET_FRAMEBUFFER	5
#define CLEAR		7
#define OBJECT_SURFACE	8
#define CREATE_SUB_CTX	29
#define SET_SUB_CTX	28

static uint64_t fence;

static void rig_up_virgl(struct rig *rig)
{
	struct vgpu_limits limits = rig_limits;

	limits.classes |= 1u << PVGPU_CHANNEL_VIRGL;
	limits.device_budget = 64 << 20;
	fence = 0;
	rig_make(rig, &limits);
	rig_start_inside(rig);
	rig->hello.features |= PVGPU_FEATURE_VIRGL;
	assert_false(pvgpu_client_attach(&rig->client, &rig->hello, 1000));
	assert_true(rig->client.features & PVGPU_FEATURE_VIRGL);
}

static int create_context(struct rig *rig, uint32_t name)
{
	struct pvgpu_context_create q = {
		.msg.opcode = pvgpu_cpu_to_le16(PVGPU_OP_CONTEXT_CREATE),
		.context = pvgpu_cpu_to_le32(name),
		.capset = pvgpu_cpu_to_le32(PVGPU_CAPSET_VIRGL2),
		.label = "a test",
	};

	return rig_call(rig, &q, sizeof(q));
}

static int destroy_context(struct rig *rig, uint32_t name)
{
	struct pvgpu_context_destroy q = {
		.msg.opcode = pvgpu_cpu_to_le16(PVGPU_OP_CONTEXT_DESTROY),
		.context = pvgpu_cpu_to_le32(name),
	};

	return rig_call(rig, &q, sizeof(q));
}

static int create_surface(struct rig *rig, uint32_t name, uint32_t side,
			  uint64_t size, uint32_t context)
{
	struct pvgpu_resource_create q = {
		.msg.opcode = pvgpu_cpu_to_le16(PVGPU_OP_RESOURCE_CREATE),
		.resource = pvgpu_cpu_to_le32(name),
		.kind = pvgpu_cpu_to_le32(PVGPU_RESOURCE_SURFACE),
		.size = pvgpu_cpu_to_le64(size),
		.format = pvgpu_cpu_to_le32(1),
		.width = pvgpu_cpu_to_le32(side),
		.height = pvgpu_cpu_to_le32(side),
		.depth = pvgpu_cpu_to_le32(1),
		.layers = pvgpu_cpu_to_le32(1),
		.levels = pvgpu_cpu_to_le32(1),
		.samples = pvgpu_cpu_to_le32(1),
		.bind = pvgpu_cpu_to_le32(1 << 1 | 1 << 3),
		.target = pvgpu_cpu_to_le32(PVGPU_TARGET_2D),
		.context = pvgpu_cpu_to_le32(context),
	};

	return rig_call(rig, &q, sizeof(q));
}

static void open_virgl(struct rig *rig)
{
	struct pvgpu_channel_open q = {
		.msg.opcode = pvgpu_cpu_to_le16(PVGPU_OP_CHANNEL_OPEN),
		.channel = pvgpu_cpu_to_le32(CHANNEL),
		.channel_class = pvgpu_cpu_to_le32(PVGPU_CHANNEL_VIRGL),
	};

	assert_int_equal(rig_call(rig, &q, sizeof(q)), PVGPU_STATUS_OK);
}

/* Sends a batch and waits for its completion: the status. */
static uint32_t batch(struct rig *rig, void *message, uint32_t length)
{
	struct pvgpu_submit *submit = message;
	struct pvgpu_completion *done = (void *)rig->reply;

	submit->msg.flags = pvgpu_cpu_to_le16(PVGPU_MSG_NOTIFY);
	submit->fence = pvgpu_cpu_to_le64(++fence);
	assert_false(pvgpu_client_send(&rig->client, CHANNEL, message,
				       length));
	pvgpu_client_flush(&rig->client, CHANNEL);
	assert_false(pvgpu_client_fence_wait(&rig->client, CHANNEL, fence,
					     20000));
	while (!pvgpu_client_take(&rig->client, CHANNEL, rig->reply))
		assert_true(pvgpu_client_attached(&rig->client));
	assert_true(pvgpu_le64_to_cpu(done->value) == fence);
	rig->detail = pvgpu_le32_to_cpu(done->detail);
	return pvgpu_le32_to_cpu(done->status);
}

static uint8_t *vram(struct rig *rig, uint64_t offset)
{
	return (uint8_t *)rig->window + rig->layout.vram_offset + offset;
}

static uint32_t submit(struct rig *rig, uint32_t context,
		       const uint32_t *words, uint32_t count)
{
	struct pvgpu_virgl_submit q = {
		.submit.msg.opcode = pvgpu_cpu_to_le16(PVGPU_OP_VIRGL_SUBMIT),
		.context = pvgpu_cpu_to_le32(context),
		.resource = pvgpu_cpu_to_le32(ARENA),
		.size = pvgpu_cpu_to_le32(count * 4),
	};

	memcpy(vram(rig, 0), words, count * 4);
	return batch(rig, &q, sizeof(q));
}

static uint32_t transfer(struct rig *rig, uint16_t opcode, uint32_t context,
			 uint32_t side)
{
	struct pvgpu_virgl_transfer q = {
		.submit.msg.opcode = pvgpu_cpu_to_le16(opcode),
		.context = pvgpu_cpu_to_le32(context),
		.resource = pvgpu_cpu_to_le32(SURFACE),
		.width = pvgpu_cpu_to_le32(side),
		.height = pvgpu_cpu_to_le32(side),
		.depth = pvgpu_cpu_to_le32(1),
	};

	return batch(rig, &q, sizeof(q));
}

static uint32_t bits(float f)
{
	uint32_t u;

	memcpy(&u, &f, 4);
	return u;
}

/* Clears SURFACE to a colour, in a sub-context of its own. */
static uint32_t clear(struct rig *rig, uint32_t context, float r, float g,
		      float b)
{
	uint32_t words[] = {
		CMD(CREATE_SUB_CTX, 0, 1), 1,
		CMD(SET_SUB_CTX, 0, 1), 1,
		CMD(CREATE_OBJECT, OBJECT_SURFACE, 5), 10, SURFACE, 1, 0, 0,
		CMD(SET_FRAMEBUFFER, 0, 3), 1, 0, 10,
		CMD(CLEAR, 0, 8), 1 << 2, bits(r), bits(g), bits(b), bits(1),
		0, 0, 0,
	};

	return submit(rig, context, words, ARRAY_SIZE(words));
}

static void make_things(struct rig *rig)
{
	uint64_t extent[] = { 1 << 20, BYTES };

	rig_resource(rig, ARENA, 0, 65536);
	open_virgl(rig);
	assert_int_equal(create_context(rig, CONTEXT), PVGPU_STATUS_OK);
	assert_int_equal(create_surface(rig, SURFACE, SIDE, BYTES, CONTEXT),
			 PVGPU_STATUS_OK);
	assert_int_equal(rig_back(rig, SURFACE, extent, 1), PVGPU_STATUS_OK);
}

static void test_capset(void **state)
{
	struct pvgpu_capset q = {
		.msg.opcode = pvgpu_cpu_to_le16(PVGPU_OP_CAPSET),
		.capset = pvgpu_cpu_to_le32(PVGPU_CAPSET_VIRGL2),
		.size = pvgpu_cpu_to_le32(PVGPU_CAPSET_CHUNK_MAX),
	};
	const struct pvgpu_capset_done *done;
	struct rig rig;
	uint32_t total;

	(void)state;
	rig_up_virgl(&rig);
	done = (void *)rig.reply;
	assert_int_equal(rig_call(&rig, &q, sizeof(q)), PVGPU_STATUS_OK);
	total = pvgpu_le32_to_cpu(done->total);
	assert_in_range(total, 500, 4096);
	assert_int_equal(pvgpu_le32_to_cpu(done->size), total);
	/* Started: answered at once, in parts as well. */
	q.offset = pvgpu_cpu_to_le32(total - 8);
	assert_int_equal(rig_call(&rig, &q, sizeof(q)), PVGPU_STATUS_OK);
	assert_int_equal(pvgpu_le32_to_cpu(done->size), 8);
	q.offset = pvgpu_cpu_to_le32(total + 1);
	assert_int_equal(rig_call(&rig, &q, sizeof(q)), PVGPU_STATUS_OK);
	assert_int_equal(pvgpu_le32_to_cpu(done->size), 0);
	rig_down(&rig);
}

static void test_clear(void **state)
{
	struct rig rig;
	uint32_t *pixels;

	(void)state;
	rig_up_virgl(&rig);
	make_things(&rig);
	pixels = (void *)vram(&rig, 1 << 20);
	assert_int_equal(clear(&rig, CONTEXT, 1, 0.5f, 0), PVGPU_STATUS_OK);
	assert_int_equal(transfer(&rig, PVGPU_OP_VIRGL_TRANSFER_FROM, CONTEXT,
				  SIDE), PVGPU_STATUS_OK);
	for (uint32_t i = 0; i < SIDE * SIDE; i++)
		assert_int_equal(pixels[i] | 0x100, 0xffff8100 | 0x100);
	/* The other way, and back. */
	for (uint32_t i = 0; i < SIDE * SIDE; i++)
		pixels[i] = i * 0x01010101u;
	assert_int_equal(transfer(&rig, PVGPU_OP_VIRGL_TRANSFER_TO, CONTEXT,
				  SIDE), PVGPU_STATUS_OK);
	memset(pixels, 0, BYTES);
	assert_int_equal(transfer(&rig, PVGPU_OP_VIRGL_TRANSFER_FROM, CONTEXT,
				  SIDE), PVGPU_STATUS_OK);
	for (uint32_t i = 0; i < SIDE * SIDE; i++)
		assert_int_equal(pixels[i], i * 0x01010101u);
	assert_int_equal(transfer(&rig, PVGPU_OP_VIRGL_TRANSFER_FROM, CONTEXT,
				  SIDE + 1), PVGPU_STATUS_RANGE);
	rig_down(&rig);
}

static void test_islands(void **state)
{
	static const uint32_t garbage[] = { 0xdeadbeef, 0x12345678 };
	/* Well-formed, and the renderer knows no such object. */
	static const uint32_t wrong[] = {
		CMD(SET_FRAMEBUFFER, 0, 3), 1, 0, 4711,
	};
	struct rig rig;

	(void)state;
	rig_up_virgl(&rig);
	make_things(&rig);
	assert_int_equal(create_context(&rig, 8), PVGPU_STATUS_OK);
	assert_int_equal(submit(&rig, 8, garbage, 2),
			 PVGPU_STATUS_CONTEXT_LOST);
	assert_int_equal(submit(&rig, 8, wrong, 4), PVGPU_STATUS_CONTEXT_LOST);
	assert_int_equal(clear(&rig, CONTEXT, 0, 0, 1), PVGPU_STATUS_OK);
	assert_int_equal(create_context(&rig, 9), PVGPU_STATUS_OK);
	assert_int_equal(submit(&rig, 9, wrong, 4), PVGPU_STATUS_CONTEXT_LOST);
	assert_int_equal(clear(&rig, CONTEXT, 0, 1, 0), PVGPU_STATUS_OK);
	assert_int_equal(destroy_context(&rig, 8), PVGPU_STATUS_OK);
	assert_int_equal(create_context(&rig, 8), PVGPU_STATUS_OK);
	assert_int_equal(submit(&rig, 10, wrong, 4), PVGPU_STATUS_NOT_FOUND);
	rig_down(&rig);
}

static void test_books(void **state)
{
	struct rig rig;
	uint64_t used;

	(void)state;
	rig_up_virgl(&rig);
	make_things(&rig);
	used = rig_query(&rig).device_used;
	assert_int_equal(used, PVGPU_CHARGE_CONTEXT + BYTES);
	for (uint32_t i = 0; i < 300; i++) {
		assert_int_equal(create_surface(&rig, 20, 2048, 0, CONTEXT),
				 PVGPU_STATUS_OK);
		assert_int_equal(rig_destroy(&rig, 20), PVGPU_STATUS_OK);
	}
	assert_int_equal(rig_query(&rig).device_used, used);
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(create_surface(&rig, 30 + i, 2048, 0, 0),
				 i < 3 ? PVGPU_STATUS_OK : 0);
	assert_int_equal(create_surface(&rig, 40, 2048, 0, 0),
			 PVGPU_STATUS_LIMIT_DEVICE);
	/* A guest that comes anew finds all of it. */
	assert_false(pvgpu_client_attach(&rig.client, &rig.hello, 5000));
	assert_int_equal(rig_query(&rig).device_used, 0);
	fence = 0;
	make_things(&rig);
	assert_int_equal(clear(&rig, CONTEXT, 1, 1, 1), PVGPU_STATUS_OK);
	rig_down(&rig);
}

/* ----------------------------------------------- what memory it takes */

/* Resident private memory of this process, which holds the renderer. */
static uint64_t resident(void)
{
	unsigned long long all = 0, shared = 0;
	FILE *f = fopen("/proc/self/statm", "re");

	assert_non_null(f);
	assert_int_equal(fscanf(f, "%*u %llu %llu", &all, &shared), 2);
	fclose(f);
	return (all - shared) * 4096;
}

struct kind {
	struct pvgpu_surface s;
	uint32_t bind;			/* colour 2, depth 1 */
};

static int create_kind(struct rig *rig, uint32_t name, const struct kind *k)
{
	struct pvgpu_resource_create q = {
		.msg.opcode = pvgpu_cpu_to_le16(PVGPU_OP_RESOURCE_CREATE),
		.resource = pvgpu_cpu_to_le32(name),
		.kind = pvgpu_cpu_to_le32(PVGPU_RESOURCE_SURFACE),
		.format = pvgpu_cpu_to_le32(k->s.format),
		.width = pvgpu_cpu_to_le32(k->s.width),
		.height = pvgpu_cpu_to_le32(k->s.height),
		.depth = pvgpu_cpu_to_le32(k->s.depth),
		.layers = pvgpu_cpu_to_le32(k->s.layers),
		.levels = pvgpu_cpu_to_le32(k->s.levels),
		.samples = pvgpu_cpu_to_le32(k->s.samples),
		.bind = pvgpu_cpu_to_le32(k->bind),
		.target = pvgpu_cpu_to_le32(k->s.target),
		.context = pvgpu_cpu_to_le32(CONTEXT),
	};

	return rig_call(rig, &q, sizeof(q));
}

/* Writes to all of it, so that it is really there. */
static uint32_t clear_kind(struct rig *rig, uint32_t name,
			   const struct kind *k, uint32_t handle)
{
	uint32_t last = k->s.target == PVGPU_TARGET_3D ? k->s.depth - 1 :
			k->s.layers - 1;
	bool colour = k->bind & 2;
	uint32_t words[] = {
		CMD(CREATE_OBJECT, OBJECT_SURFACE, 5), handle, name,
		k->s.format, 0, last << 16,
		CMD(SET_FRAMEBUFFER, 0, colour ? 3 : 2), colour,
		colour ? 0 : handle, handle,
		CMD(CLEAR, 0, 8), colour ? 1 << 2 : 3, bits(1), bits(1),
		bits(1), bits(1), 0, 0x3fe00000, 7,
	};

	if (!colour) {		/* no colour buffer: one word less */
		memmove(words + 9, words + 10, 9 * sizeof(words[0]));
		return submit(rig, CONTEXT, words, ARRAY_SIZE(words) - 1);
	}
	return submit(rig, CONTEXT, words, ARRAY_SIZE(words));
}

static void test_memory(void **state)
{
	static const struct kind kinds[] = {
		{ { 1, 2048, 2048, 1, 1, 1, 1, PVGPU_TARGET_2D }, 2 },
		{ { 67, 1000, 1000, 1, 1, 10, 1, PVGPU_TARGET_2D }, 2 },
		{ { 64, 4096, 2048, 1, 1, 1, 1, PVGPU_TARGET_2D }, 2 },
		{ { 31, 1024, 1024, 1, 1, 1, 1, PVGPU_TARGET_2D }, 2 },
		{ { 20, 2048, 2048, 1, 1, 1, 1, PVGPU_TARGET_2D }, 1 },
		{ { 18, 2048, 1024, 1, 1, 1, 1, PVGPU_TARGET_2D }, 1 },
		{ { 1, 1024, 1024, 1, 6, 1, 1, PVGPU_TARGET_CUBE }, 2 },
		{ { 1, 256, 256, 64, 1, 1, 1, PVGPU_TARGET_3D }, 2 },
		{ { 1, 1024, 1024, 1, 1, 1, 4, PVGPU_TARGET_2D }, 2 },
		{ { 94, 1024, 1024, 1, 3, 1, 1, PVGPU_TARGET_2D_ARRAY }, 2 },
	};
	struct vgpu_limits limits = rig_limits;
	uint64_t before, charged;
	struct rig rig;

	(void)state;
	limits.classes |= 1u << PVGPU_CHANNEL_VIRGL;
	limits.device_budget = 1 << 30;
	limits.max_resources = 1000;
	fence = 0;
	rig_make(&rig, &limits);
	rig_start_inside(&rig);
	rig.hello.features |= PVGPU_FEATURE_VIRGL;
	assert_false(pvgpu_client_attach(&rig.client, &rig.hello, 1000));
	make_things(&rig);
	assert_int_equal(clear(&rig, CONTEXT, 1, 1, 1), PVGPU_STATUS_OK);
	before = resident();
	charged = rig_query(&rig).device_used;
	for (uint32_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		uint64_t now = resident(), cost;

		for (uint32_t n = 0; n < 4; n++) {
			uint32_t name = 100 + i * 4 + n;

			assert_int_equal(create_kind(&rig, name, &kinds[i]),
					 PVGPU_STATUS_OK);
			assert_int_equal(clear_kind(&rig, name, &kinds[i],
						    name), PVGPU_STATUS_OK);
		}
		cost = resident() - now;
		fprintf(stderr, "# format %u, %ux%ux%u, %u layers, %u samples: charged %llu KiB, took %llu KiB\n",
			kinds[i].s.format, kinds[i].s.width,
			kinds[i].s.height, kinds[i].s.depth,
			kinds[i].s.layers, kinds[i].s.samples,
			4 * (unsigned long long)pvgpu_footprint(&kinds[i].s) >> 10,
			(unsigned long long)cost >> 10);
	}
	charged = rig_query(&rig).device_used - charged;
	/* All that it took was charged, but for the renderer's own. */
	assert_in_range(resident() - before, charged / 2,
			charged + (32 << 20));
	for (uint32_t i = 0; i < 4 * ARRAY_SIZE(kinds); i++)
		assert_int_equal(rig_destroy(&rig, 100 + i), PVGPU_STATUS_OK);
	assert_int_equal(destroy_context(&rig, CONTEXT), PVGPU_STATUS_OK);
	rig_down(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_capset),
		cmocka_unit_test(test_clear),
		cmocka_unit_test(test_islands),
		cmocka_unit_test(test_books),
		cmocka_unit_test(test_memory),
	};

	rig_keep_mesa();
	cmocka_set_message_output(CM_OUTPUT_TAP);
	log_set_level(LEVEL_WARNING);
	return cmocka_run_group_tests_name("worker virgl", tests, NULL, NULL);
}
