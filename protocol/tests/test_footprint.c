// SPDX-License-Identifier: MIT
/*
 * What a surface is charged (pvgpu/footprint.h): values computed by hand from
 * the formula of spec.md, the largest ones that exist, and everything that is
 * no surface.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pvgpu/footprint.h>

#define XR24 PVGPU_FORMAT_XRGB8888
#define RG16 PVGPU_FORMAT_RGB565

struct expected {
	struct pvgpu_surface s;		/* format w h depth layers levels samples */
	uint64_t bytes;
};

static void check(const struct expected *cases, unsigned int count)
{
	unsigned int i;

	for (i = 0; i < count; i++)
		if (pvgpu_footprint(&cases[i].s) != cases[i].bytes)
			fail_msg("case %u: %llu, not %llu", i,
				 (unsigned long long)
				 pvgpu_footprint(&cases[i].s),
				 (unsigned long long)cases[i].bytes);
}

static void test_values(void **state)
{
	static const struct expected cases[] = {
		/* one pixel: a row of 64 bytes, a page */
		{ { XR24, 1, 1, 1, 1, 1, 1 }, 4096 },
		{ { RG16, 1, 1, 1, 1, 1, 1 }, 4096 },
		/* 16 pixels fill a row, 17 take two: 64 rows, 4096 and 8192 */
		{ { XR24, 16, 64, 1, 1, 1, 1 }, 4096 },
		{ { XR24, 17, 64, 1, 1, 1, 1 }, 8192 },
		{ { RG16, 32, 64, 1, 1, 1, 1 }, 4096 },
		{ { RG16, 33, 64, 1, 1, 1, 1 }, 8192 },
		/* 16 x 65: 4160 bytes, two pages */
		{ { XR24, 16, 65, 1, 1, 1, 1 }, 8192 },
		/* 1920 * 4 = 7680 = 120 * 64; * 1080 = 8294400 = 2025 pages */
		{ { XR24, 1920, 1080, 1, 1, 1, 1 }, 8294400 },
		{ { XR24, 1920, 1080, 1, 1, 1, 4 }, 33177600 },
		{ { RG16, 1366, 768, 1, 1, 1, 1 }, 2113536 },
		/* 4 x 4 with 3 levels: 64 * (4 + 2 + 1) = 448 */
		{ { XR24, 4, 4, 1, 1, 3, 1 }, 4096 },
		/* 256 x 256, 9 levels: rows 1024 512 256 128 64 64 64 64 64 by
		 * 256 128 64 32 16 8 4 2 1: 262144 65536 16384 4096 1024 512
		 * 256 128 64 = 350144, 86 pages */
		{ { XR24, 256, 256, 1, 1, 9, 1 }, 352256 },
		/* a cube of those: 2100864 = 512.9 pages */
		{ { XR24, 256, 256, 1, 6, 9, 1 }, 2101248 },
		/* 8 x 8 x 8, 4 levels: 64 * (8*8 + 4*4 + 2*2 + 1) = 5440 */
		{ { XR24, 8, 8, 8, 1, 4, 1 }, 8192 },
		/* depth is the largest side, and has levels of its own:
		 * 64 * (32 + 16 + 8 + 4 + 2 + 1) = 4032 */
		{ { XR24, 1, 1, 32, 1, 6, 1 }, 4096 },
	};

	(void)state;
	check(cases, sizeof(cases) / sizeof(cases[0]));
}

static void test_largest(void **state)
{
	static const struct expected cases[] = {
		{ { XR24, 16384, 16384, 1, 1, 1, 1 }, 1ull << 30 },
		{ { XR24, 16384, 16384, 1, 2048, 1, 16 }, 1ull << 45 },
		{ { XR24, 16384, 16384, 2048, 1, 1, 16 }, 1ull << 45 },
	};
	struct pvgpu_surface s = { XR24, 16384, 16384, 1, 2048, 15, 1 };

	(void)state;
	check(cases, 3);
	/* All levels are less than 4/3 of the first plus a row each. */
	assert_true(pvgpu_footprint(&s) > 1ull << 41);
	assert_true(pvgpu_footprint(&s) < 3ull << 40);
}

static void test_no_surface(void **state)
{
	static const struct expected cases[] = {
		{ { 0, 1, 1, 1, 1, 1, 1 }, 0 },
		{ { XR24 + 1, 1, 1, 1, 1, 1, 1 }, 0 },
		{ { XR24, 0, 1, 1, 1, 1, 1 }, 0 },
		{ { XR24, 1, 0, 1, 1, 1, 1 }, 0 },
		{ { XR24, 1, 1, 0, 1, 1, 1 }, 0 },
		{ { XR24, 1, 1, 1, 0, 1, 1 }, 0 },
		{ { XR24, 1, 1, 1, 1, 0, 1 }, 0 },
		{ { XR24, 1, 1, 1, 1, 1, 0 }, 0 },
		{ { XR24, 16385, 1, 1, 1, 1, 1 }, 0 },
		{ { XR24, 1, 16385, 1, 1, 1, 1 }, 0 },
		{ { XR24, 1, 1, 2049, 1, 1, 1 }, 0 },
		{ { XR24, 1, 1, 1, 2049, 1, 1 }, 0 },
		{ { XR24, 1, 1, 1, 1, 1, 3 }, 0 },
		{ { XR24, 1, 1, 1, 1, 1, 32 }, 0 },
		{ { XR24, 0xffffffff, 0xffffffff, 1, 1, 1, 1 }, 0 },
		{ { XR24, 1, 1, 0xffffffff, 1, 1, 1 }, 0 },
		{ { XR24, 1, 1, 1, 0xffffffff, 1, 1 }, 0 },
		{ { XR24, 1, 1, 1, 1, 0xffffffff, 1 }, 0 },
		{ { XR24, 1, 1, 1, 1, 1, 0x80000000 }, 0 },
		/* one level more than there are halvings */
		{ { XR24, 1, 1, 1, 1, 2, 1 }, 0 },
		{ { XR24, 256, 1, 1, 1, 10, 1 }, 0 },
		{ { XR24, 16384, 16384, 1, 1, 16, 1 }, 0 },
		/* multisampled with levels; an array of volumes */
		{ { XR24, 4, 4, 1, 1, 2, 2 }, 0 },
		{ { XR24, 4, 4, 2, 2, 1, 1 }, 0 },
	};

	(void)state;
	check(cases, sizeof(cases) / sizeof(cases[0]));
}

static void test_linear(void **state)
{
	(void)state;
	assert_int_equal(pvgpu_linear_extent(0), 0);
	assert_int_equal(pvgpu_linear_extent(1), 4096);
	assert_int_equal(pvgpu_linear_extent(4096), 4096);
	assert_int_equal(pvgpu_linear_extent(4097), 8192);
	assert_true(pvgpu_linear_extent(0xfffffffffffff000ull) ==
		    0xfffffffffffff000ull);
	assert_int_equal(pvgpu_linear_extent(0xfffffffffffff001ull), 0);
	assert_int_equal(pvgpu_linear_extent(~0ull), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_largest),
		cmocka_unit_test(test_no_surface),
		cmocka_unit_test(test_linear),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("footprint", tests, NULL, NULL);
}
