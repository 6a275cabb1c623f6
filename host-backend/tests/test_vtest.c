// SPDX-License-Identifier: MIT
/* What the vtest door is made of, each part alone: names, VRAM, boxes, and the
 * handles in a stream; at the end noise, a fixed number of times. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/util.h"
#include "vtest/box.h"
#include "vtest/names.h"
#include "vtest/rewrite.h"
#include "vtest/space.h"
#include "worker/virgl_wire.h"

static uint64_t seed = 0x70766770755f7674;

static uint32_t any(uint32_t below)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(seed >> 33) % below;
}

/* ------------------------------------------------------------------- names */

static void names_are_kept(void **state)
{
	enum { COUNT = 5000 };
	static bool there[COUNT];
	struct names n = { 0 };
	uint32_t count = 0;

	(void)state;
	assert_int_equal(names_get(&n, 7), 0);
	names_remove(&n, 7);
	for (int i = 0; i < 100000; i++) {
		uint32_t name = 1 + any(COUNT - 1);

		if (any(2)) {
			assert_int_equal(names_set(&n, name, name * 3), 0);
			there[name] = true;
		} else {
			names_remove(&n, name);
			there[name] = false;
		}
	}
	for (uint32_t name = 1; name < COUNT; name++) {
		assert_int_equal(names_get(&n, name),
				 there[name] ? name * 3 : 0);
		count += there[name];
	}
	assert_int_equal(n.count, count);
	for (uint32_t name = 1; name < COUNT; name++)
		names_remove(&n, name);
	assert_int_equal(n.count, 0);
	assert_in_range(n.bits, 1, 6);		/* it is small again */
	names_free(&n);
}

/* -------------------------------------------------------------------- VRAM */

static void space_is_shared_out(void **state)
{
	enum { PIECES = 64, PAGES = 256 };
	static struct {
		uint64_t offset, size;
	} has[PIECES];
	static uint8_t owner[PAGES];
	struct space s;
	uint64_t offset;
	int fresh;

	(void)state;
	assert_int_equal(space_init(&s, PAGES * 4096), 0);
	assert_int_equal(space_take(&s, 0, &offset, &fresh), -ENOSPC);
	assert_int_equal(space_take(&s, PAGES * 4096 + 1, &offset, &fresh),
			 -ENOSPC);
	assert_int_equal(space_take(&s, UINT64_MAX, &offset, &fresh), -ENOSPC);
	for (int i = 0; i < 20000; i++) {
		uint32_t p = any(PIECES);
		uint64_t page, pages = (has[p].size + 4095) / 4096;

		if (has[p].size) {
			assert_int_equal(space_give(&s, has[p].offset,
						    has[p].size), 0);
			memset(owner + has[p].offset / 4096, 0, pages);
			has[p].size = 0;
			continue;
		}
		has[p].size = 1 + any(16 * 4096);
		if (space_take(&s, has[p].size, &has[p].offset, &fresh)) {
			has[p].size = 0;
			continue;
		}
		pages = (has[p].size + 4095) / 4096;
		for (page = has[p].offset / 4096; pages--; page++) {
			assert_true(page < PAGES);
			assert_int_equal(owner[page], 0);
			owner[page] = 1;
		}
	}
	for (int p = 0; p < PIECES; p++)
		if (has[p].size)
			assert_int_equal(space_give(&s, has[p].offset,
						    has[p].size), 0);
	/* All in one piece again, and none of it as new. */
	assert_int_equal(space_take(&s, PAGES * 4096, &offset, &fresh), 0);
	assert_int_equal(fresh, 0);
	assert_int_equal(space_take(&s, 1, &offset, &fresh), -ENOSPC);
	space_free(&s);
}

static void space_knows_what_is_new(void **state)
{
	struct space s;
	uint64_t a, b;
	int fresh;

	(void)state;
	assert_int_equal(space_init(&s, 1 << 20), 0);
	assert_int_equal(space_take(&s, 5000, &a, &fresh), 0);
	assert_int_equal(fresh, 1);
	assert_int_equal(space_give(&s, a, 5000), 0);
	assert_int_equal(space_take(&s, 1, &b, &fresh), 0);
	assert_int_equal(b, a);
	assert_int_equal(fresh, 0);
	space_free(&s);
}

/* ------------------------------------------------------------------- boxes */

static const struct pvgpu_surface picture = {
	.format = 1, .width = 100, .height = 50, .depth = 1, .layers = 1,
	.levels = 3, .samples = 1, .target = PVGPU_TARGET_2D,
};

static void boxes_lie_where_levels_do(void **state)
{
	const uint32_t box[] = { 3, 4, 0, 10, 5, 1 };
	struct box_place p;

	(void)state;
	assert_int_equal(box_place(&p, &picture, 0, box, 0, 0, 1612, 20000,
				   false), 0);
	assert_int_equal(p.stride, 400);
	assert_int_equal(p.row, 40);
	assert_int_equal(p.rows, 5);
	assert_int_equal(p.layers, 1);
	assert_int_equal(box_end(&p), 1612 + 4 * 400 + 40);
	assert_int_equal(box_place(&p, &picture, 1, box, 0, 0, 0, 20000,
				   false), 0);
	assert_int_equal(p.stride, 200);
	assert_int_equal(box_place(&p, &picture, 0, box, 0, 0, 0, 200, true),
			 0);
	assert_int_equal(p.stride, 40);
	/* To the byte, and no further. */
	assert_int_equal(box_place(&p, &picture, 0, box, 0, 0, 0, 199, true),
			 -ERANGE);
	assert_int_equal(box_place(&p, &picture, 0, box, 1000, 0, 0, 4040,
				   false), 0);
	assert_int_equal(box_place(&p, &picture, 0, box, 1000, 0, 0, 4039,
				   false), -ERANGE);
	assert_int_equal(box_place(&p, &picture, 3, box, 0, 0, 0, 20000,
				   false), -EINVAL);
}

static void boxes_of_blocks_and_layers(void **state)
{
	const struct pvgpu_surface dxt1 = {
		.format = 105, .width = 64, .height = 64, .depth = 1,
		.layers = 6, .levels = 1, .samples = 1,
		.target = PVGPU_TARGET_CUBE,
	};
	const uint32_t box[] = { 0, 0, 1, 64, 64, 2 };
	const struct pvgpu_surface bytes = {
		.format = 64, .width = 1000, .height = 1, .depth = 1,
		.layers = 1, .levels = 1, .samples = 1,
		.target = PVGPU_TARGET_BUFFER,
	};
	const uint32_t part[] = { 100, 0, 0, 33, 1, 1 };
	struct box_place p;

	(void)state;
	assert_int_equal(box_place(&p, &dxt1, 0, box, 0, 0, 0, 1 << 20, false),
			 0);
	assert_int_equal(p.row, 128);		/* 16 blocks of 8 bytes */
	assert_int_equal(p.rows, 16);
	assert_int_equal(p.layer, 2048);
	assert_int_equal(box_end(&p), 4096);
	assert_int_equal(box_place(&p, &bytes, 0, part, 0, 0, 100, 133, false),
			 0);
	assert_int_equal(box_end(&p), 133);
	assert_int_equal(box_place(&p, &bytes, 0, part, 0, 0, 101, 133, false),
			 -ERANGE);
}

/* Whatever a client says: a place that is accepted lies in the memory. */
static void boxes_never_leave_memory(void **state)
{
	static const uint32_t odd[] = { 0, 1, 2, 3, 63, 4096, 16384, 16385,
					1u << 31, UINT32_MAX };
	int accepted = 0;

	(void)state;
	for (int i = 0; i < 300000; i++) {
		uint32_t box[6];
		struct box_place p;
		uint64_t size = any(2) ? any(1 << 20) : any(1 << 30);
		uint32_t v[10];

		for (size_t k = 0; k < ARRAY_SIZE(v); k++)
			v[k] = any(3) ? any(200) : odd[any(ARRAY_SIZE(odd))];
		memcpy(box, v, sizeof(box));
		if (box_place(&p, &picture, v[6] % 4, box, v[7], v[8], v[9],
			      size, i & 1))
			continue;
		accepted++;
		assert_true(p.row && p.rows && p.layers);
		assert_true(p.offset + (uint64_t)p.layer * (p.layers - 1) +
			    (uint64_t)p.stride * (p.rows - 1) + p.row <= size);
	}
	assert_in_range(accepted, 10000, 300000);
}

static void boxes_are_copied(void **state)
{
	const uint32_t box[] = { 0, 0, 0, 7, 3, 1 };
	uint8_t from[4096], to[84], back[4096] = { 0 };
	struct box_place wide, tight;

	(void)state;
	for (size_t i = 0; i < sizeof(from); i++)
		from[i] = (uint8_t)(i * 7 + i / 256);
	assert_int_equal(box_place(&wide, &picture, 0, box, 0, 0, 8,
				   sizeof(from), false), 0);
	assert_int_equal(box_place(&tight, &picture, 0, box, 0, 0, 0,
				   sizeof(to), true), 0);
	box_copy(to, &tight, from, &wide);
	box_copy(back, &wide, to, &tight);
	for (size_t i = 0; i < sizeof(back); i++) {
		bool in = i >= 8 && (i - 8) / 400 < 3 && (i - 8) % 400 < 28;

		assert_int_equal(back[i], in ? from[i] : 0);
	}
}

/* ----------------------------------------------------------------- streams */

static uint32_t heeded[16], heeded_count;

static uint32_t name(void *context, uint32_t handle)
{
	(void)context;
	return handle == 99 ? REWRITE_NOBODY : handle + 1000;
}

static int heed(void *context, const uint32_t *command)
{
	(void)context;
	if (heeded_count < ARRAY_SIZE(heeded))
		heeded[heeded_count] = virgl_number(command[0]);
	heeded_count++;
	return command[1] == 77 ? -EAGAIN : 0;
}

static const struct rewrite_hooks hooks = { name, heed };

/* A command of `length` words that are all 5: which of them are replaced. */
static uint64_t replaced(uint32_t number, uint32_t type, uint32_t length)
{
	uint32_t in[40], out[40], at;
	uint64_t which = 0;

	in[0] = virgl_command(number, type, length);
	for (uint32_t i = 1; i <= length; i++)
		in[i] = 5;
	assert_int_equal(rewrite(out, in, length + 1, &hooks, NULL, &at), 0);
	assert_int_equal(out[0], in[0]);
	for (uint32_t i = 1; i <= length; i++) {
		assert_true(out[i] == 5 || out[i] == 1005);
		which |= (uint64_t)(out[i] != 5) << i;
	}
	return which;
}

#define W(n) (1ull << (n))

/* By hand from virgl_protocol.h, not from the table that is tested. */
static void handles_are_replaced(void **state)
{
	static const struct {
		uint32_t number, type, length;
		uint64_t which;
	} all[] = {
		{ 1, 1, 11, 0 }, { 1, 4, 9, 0 }, { 1, 7, 9, 0 },
		{ 1, 6, 6, W(2) }, { 1, 8, 5, W(2) }, { 1, 9, 4, W(4) },
		{ 1, 10, 4, W(2) }, { 1, 11, 6, W(2) },
		{ 2, 1, 1, 0 }, { 3, 1, 1, 0 }, { 5, 0, 4, 0 },
		{ 6, 0, 9, W(3) | W(6) | W(9) }, { 6, 0, 0, 0 },
		{ 7, 0, 8, 0 }, { 8, 0, 12, 0 }, { 8, 0, 14, 0 },
		{ 8, 0, 20, W(15) | W(20) }, { 9, 0, 30, W(1) },
		{ 10, 0, 6, 0 }, { 11, 0, 3, W(1) }, { 11, 0, 1, W(1) },
		{ 12, 0, 20, 0 }, { 16, 0, 21, W(4) | W(13) },
		{ 17, 0, 13, W(1) | W(6) }, { 18, 0, 8, 0 }, { 21, 0, 2, 0 },
		{ 25, 0, 5, 0 }, { 27, 0, 5, W(5) }, { 31, 0, 2, 0 },
		{ 34, 0, 11, W(5) | W(8) | W(11) },
		{ 35, 0, 12, W(7) | W(12) }, { 37, 0, 8, W(7) },
		{ 38, 0, 2, 0 }, { 40, 0, 7, W(4) | W(7) }, { 42, 0, 6, W(2) },
		{ 43, 0, 13, W(1) }, { 44, 0, 9, 0 },
		{ 45, 0, 14, W(1) | W(12) }, { 47, 0, 12, W(1) },
		{ 50, 0, 1, W(1) }, { 51, 0, 2, 0 }, { 52, 0, 6, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		assert_int_equal(replaced(all[i].number, all[i].type,
					  all[i].length), all[i].which);
}

static void what_is_nobodys_has_no_name(void **state)
{
	const uint32_t in[] = { virgl_command(17, 0, 13), 99, 0, 0, 0, 0, 0,
				0, 0, 0, 0, 0, 0, 0 };
	uint32_t out[ARRAY_SIZE(in)], at;

	(void)state;
	assert_int_equal(rewrite(out, in, ARRAY_SIZE(in), &hooks, NULL, &at),
			 0);
	assert_int_equal(out[1], REWRITE_NOBODY);
	assert_int_equal(out[6], 0);		/* none is none */
}

static void streams_are_bounded(void **state)
{
	uint32_t in[40] = { 0 }, out[40], at = 1234;

	(void)state;
	assert_int_equal(rewrite(out, in, 0, &hooks, NULL, &at), 0);
	in[2] = virgl_command(7, 0, 8);
	assert_int_equal(rewrite(out, in, 10, &hooks, NULL, &at), -EINVAL);
	assert_int_equal(at, 2);		/* it ends one word too late */
	assert_int_equal(rewrite(out, in, 11, &hooks, NULL, &at), 0);
	in[2] = virgl_command(43, 0, 12);	/* shorter than a transfer */
	assert_int_equal(rewrite(out, in, 40, &hooks, NULL, &at), -EINVAL);
	in[2] = virgl_command(1, 9, 3);		/* than a query */
	assert_int_equal(rewrite(out, in, 40, &hooks, NULL, &at), -EINVAL);
}

static void memory_is_pointed_out(void **state)
{
	static const uint8_t kinds[] = { 43, 45, 21, 50, 3, 1 };
	uint32_t in[40], out[40], at;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		memset(in, 0, sizeof(in));
		in[0] = virgl_command(kinds[i], 9, 14);
		heeded_count = 0;
		assert_int_equal(rewrite(out, in, 15, &hooks, NULL, &at), 0);
		assert_int_equal(heeded_count, 1);
		assert_int_equal(heeded[0], kinds[i]);
		in[1] = 77;
		assert_int_equal(rewrite(out, in, 15, &hooks, NULL, &at),
				 -EAGAIN);
	}
}

static void noise(void **state)
{
	enum { WORDS = 200, TIMES = 50000 };
	uint32_t good = 0;

	(void)state;
	for (int i = 0; i < TIMES; i++) {
		uint32_t count = any(WORDS), at = 0, filled = 0;
		/* Of this size on the heap: a word beyond it is found. */
		cleanup_free uint32_t *in = malloc(count * 4 + 1);
		cleanup_free uint32_t *out = malloc(count * 4 + 1);
		int ret;

		assert_non_null(in);
		assert_non_null(out);
		for (uint32_t k = 0; k < count; k++)
			in[k] = any(4) ? any(100) : any(UINT32_MAX);
		/* Mostly commands that fit, else all ends at the first. */
		while (filled < count && any(20)) {
			uint32_t length = any(24);

			in[filled] = virgl_command(any(66), any(12), length);
			filled += 1 + length;
		}
		ret = rewrite(out, in, count, &hooks, NULL, &at);
		good += !ret;
		assert_true(ret == 0 || ret == -EINVAL || ret == -EAGAIN);
		if (ret == -EINVAL)
			assert_true(at < count);
	}
	assert_in_range(good, 100, TIMES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_kept),
		cmocka_unit_test(space_is_shared_out),
		cmocka_unit_test(space_knows_what_is_new),
		cmocka_unit_test(boxes_lie_where_levels_do),
		cmocka_unit_test(boxes_of_blocks_and_layers),
		cmocka_unit_test(boxes_never_leave_memory),
		cmocka_unit_test(boxes_are_copied),
		cmocka_unit_test(handles_are_replaced),
		cmocka_unit_test(what_is_nobodys_has_no_name),
		cmocka_unit_test(streams_are_bounded),
		cmocka_unit_test(memory_is_pointed_out),
		cmocka_unit_test(noise),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
