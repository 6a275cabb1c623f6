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

#define XR24 2				/* B8G8R8X8 */
#define RG16 7				/* B5G6R5 */
#define RGB8 66				/* three bytes */
#define DXT1 105			/* 8 bytes for 4 x 4 */
#define ASTC 281			/* 16 bytes for 5 x 5 */
#define FLAT PVGPU_TARGET_2D
#define DEEP PVGPU_TARGET_3D
#define CUBE PVGPU_TARGET_CUBE
#define MANY PVGPU_TARGET_2D_ARRAY
#define BYTES PVGPU_TARGET_BUFFER

struct expected {
	struct pvgpu_surface s;		/* in the order of its fields */
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
		/* 4 x 4: 4 rows of 64 bytes, a page */
		{ { XR24, 1, 1, 1, 1, 1, 1, FLAT }, 4096 },
		{ { RG16, 1, 1, 1, 1, 1, 1, FLAT }, 4096 },
		/* 16 pixels fill a row, 17 take two: 64 rows, 4096 and 8192 */
		{ { XR24, 16, 64, 1, 1, 1, 1, FLAT }, 4096 },
		{ { XR24, 17, 64, 1, 1, 1, 1, FLAT }, 8192 },
		{ { RG16, 32, 64, 1, 1, 1, 1, FLAT }, 4096 },
		{ { RG16, 33, 64, 1, 1, 1, 1, FLAT }, 8192 },
		/* 16 x 65: 68 rows, two pages */
		{ { XR24, 16, 65, 1, 1, 1, 1, FLAT }, 8192 },
		/* 1920 * 4 = 7680 = 120 * 64; * 1080 = 8294400 = 2025 pages */
		{ { XR24, 1920, 1080, 1, 1, 1, 1, FLAT }, 8294400 },
		{ { XR24, 1920, 1080, 1, 1, 1, 4, FLAT }, 33177600 },
		{ { RG16, 1366, 768, 1, 1, 1, 1, FLAT }, 2113536 },
		/* three bytes count as four: 100 * 4 = 400, 448; * 100 */
		{ { RGB8, 100, 100, 1, 1, 1, 1, FLAT }, 45056 },
		/* 25 * 25 blocks: rows of 200 bytes, 256; * 25 = 6400 */
		{ { DXT1, 100, 100, 1, 1, 1, 1, FLAT }, 8192 },
		/* 12 / 5 = 3 blocks of 16 a side: 64 * 3 */
		{ { ASTC, 11, 11, 1, 1, 1, 1, FLAT }, 4096 },
		/* 256 x 256, 9 levels: rows of 1024 512 256 128 64 64 64 64 64
		 * bytes, 256 128 64 32 16 8 4 4 4 of them: 262144 65536 16384
		 * 4096 1024 512 256 256 256 = 350464, 86 pages */
		{ { XR24, 256, 256, 1, 1, 9, 1, FLAT }, 352256 },
		/* a cube of those: 2102784 = 513.4 pages */
		{ { XR24, 256, 256, 1, 6, 9, 1, CUBE }, 2105344 },
		/* 8 x 8 x 8, 4 levels: 64 * (8*8 + 4*4 + 4*2 + 4) = 5888 */
		{ { XR24, 8, 8, 8, 1, 4, 1, DEEP }, 8192 },
		/* depth is the largest side, and has levels of its own:
		 * 64 * 4 * (32 + 16 + 8 + 4 + 2 + 1) = 16128 */
		{ { XR24, 1, 1, 32, 1, 6, 1, DEEP }, 16384 },
		{ { 64, 1, 1, 1, 1, 1, 1, BYTES }, 4096 },
		{ { 64, 4097, 1, 1, 1, 1, 1, BYTES }, 8192 },
	};

	(void)state;
	check(cases, sizeof(cases) / sizeof(cases[0]));
}

static void test_largest(void **state)
{
	static const struct expected cases[] = {
		{ { XR24, 16384, 16384, 1, 1, 1, 1, FLAT }, 1ull << 30 },
		{ { XR24, 16384, 16384, 1, 2048, 1, 16, MANY }, 1ull << 45 },
		{ { XR24, 16384, 16384, 2048, 1, 1, 1, DEEP }, 1ull << 41 },
		{ { 64, 0xffffffff, 1, 1, 1, 1, 1, BYTES }, 1ull << 32 },
	};
	struct pvgpu_surface s = { 27, 16384, 16384, 1, 2048, 15, 1, MANY };

	(void)state;
	check(cases, sizeof(cases) / sizeof(cases[0]));
	/* 32 bytes a texel; all levels are less than 3/2 of the first. */
	assert_true(pvgpu_footprint(&s) > 1ull << 44);
	assert_true(pvgpu_footprint(&s) < 3ull << 43);
}

static void test_no_surface(void **state)
{
	static const struct {
		struct pvgpu_surface s;
		enum pvgpu_surface_verdict bad;
	} cases[] = {
		{ { 0, 1, 1, 1, 1, 1, 1, FLAT }, PVGPU_SURFACE_BAD_FORMAT },
		{ { 73, 1, 1, 1, 1, 1, 1, FLAT }, PVGPU_SURFACE_BAD_FORMAT },
		{ { 166, 1, 1, 1, 1, 1, 1, FLAT }, PVGPU_SURFACE_BAD_FORMAT },
		{ { 348, 1, 1, 1, 1, 1, 1, FLAT }, PVGPU_SURFACE_BAD_FORMAT },
		{ { PVGPU_FORMAT_XRGB8888, 1, 1, 1, 1, 1, 1, FLAT },
		  PVGPU_SURFACE_BAD_FORMAT },
		{ { XR24, 1, 1, 1, 1, 1, 1, 9 }, PVGPU_SURFACE_BAD_TARGET },
		{ { XR24, 0, 1, 1, 1, 1, 1, FLAT }, PVGPU_SURFACE_BAD_WIDTH },
		{ { XR24, 16385, 1, 1, 1, 1, 1, FLAT },
		  PVGPU_SURFACE_BAD_WIDTH },
		{ { XR24, 1, 0, 1, 1, 1, 1, FLAT }, PVGPU_SURFACE_BAD_HEIGHT },
		{ { XR24, 1, 16385, 1, 1, 1, 1, FLAT },
		  PVGPU_SURFACE_BAD_HEIGHT },
		{ { XR24, 4, 2, 1, 1, 1, 1, PVGPU_TARGET_1D },
		  PVGPU_SURFACE_BAD_HEIGHT },
		{ { XR24, 4, 2, 1, 1, 1, 1, BYTES }, PVGPU_SURFACE_BAD_HEIGHT },
		{ { XR24, 4, 2, 1, 6, 1, 1, CUBE }, PVGPU_SURFACE_BAD_HEIGHT },
		{ { XR24, 1, 1, 0, 1, 1, 1, FLAT }, PVGPU_SURFACE_BAD_DEPTH },
		{ { XR24, 1, 1, 2, 1, 1, 1, FLAT }, PVGPU_SURFACE_BAD_DEPTH },
		{ { XR24, 1, 1, 2049, 1, 1, 1, DEEP }, PVGPU_SURFACE_BAD_DEPTH },
		{ { XR24, 1, 1, 0xffffffff, 1, 1, 1, DEEP },
		  PVGPU_SURFACE_BAD_DEPTH },
		{ { XR24, 1, 1, 1, 0, 1, 1, FLAT }, PVGPU_SURFACE_BAD_LAYERS },
		{ { XR24, 1, 1, 1, 2, 1, 1, FLAT }, PVGPU_SURFACE_BAD_LAYERS },
		{ { XR24, 1, 1, 2, 2, 1, 1, DEEP }, PVGPU_SURFACE_BAD_LAYERS },
		{ { XR24, 1, 1, 1, 2049, 1, 1, MANY },
		  PVGPU_SURFACE_BAD_LAYERS },
		{ { XR24, 1, 1, 1, 5, 1, 1, CUBE }, PVGPU_SURFACE_BAD_LAYERS },
		{ { XR24, 1, 1, 1, 0xffffffff, 1, 1, MANY },
		  PVGPU_SURFACE_BAD_LAYERS },
		{ { XR24, 1, 1, 1, 8, 1, 1, PVGPU_TARGET_CUBE_ARRAY },
		  PVGPU_SURFACE_BAD_LAYERS },
		{ { XR24, 1, 1, 1, 1, 0, 1, FLAT }, PVGPU_SURFACE_BAD_LEVELS },
		/* one level more than there are halvings */
		{ { XR24, 1, 1, 1, 1, 2, 1, FLAT }, PVGPU_SURFACE_BAD_LEVELS },
		{ { XR24, 256, 1, 1, 1, 10, 1, FLAT },
		  PVGPU_SURFACE_BAD_LEVELS },
		{ { XR24, 16384, 16384, 1, 1, 16, 1, FLAT },
		  PVGPU_SURFACE_BAD_LEVELS },
		{ { XR24, 1, 1, 1, 1, 0xffffffff, 1, FLAT },
		  PVGPU_SURFACE_BAD_LEVELS },
		{ { XR24, 4, 4, 1, 1, 2, 1, PVGPU_TARGET_RECT },
		  PVGPU_SURFACE_BAD_LEVELS },
		{ { XR24, 4, 1, 1, 1, 2, 1, BYTES }, PVGPU_SURFACE_BAD_LEVELS },
		{ { XR24, 1, 1, 1, 1, 1, 0, FLAT }, PVGPU_SURFACE_BAD_SAMPLES },
		{ { XR24, 1, 1, 1, 1, 1, 3, FLAT }, PVGPU_SURFACE_BAD_SAMPLES },
		{ { XR24, 1, 1, 1, 1, 1, 32, FLAT },
		  PVGPU_SURFACE_BAD_SAMPLES },
		{ { XR24, 1, 1, 1, 1, 1, 0x80000000, FLAT },
		  PVGPU_SURFACE_BAD_SAMPLES },
		/* multisampled with levels, or in three dimensions */
		{ { XR24, 4, 4, 1, 1, 2, 2, FLAT }, PVGPU_SURFACE_BAD_SAMPLES },
		{ { XR24, 4, 4, 2, 1, 1, 2, DEEP }, PVGPU_SURFACE_BAD_SAMPLES },
	};
	unsigned int i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (pvgpu_surface_check(&cases[i].s) != cases[i].bad ||
		    pvgpu_footprint(&cases[i].s))
			fail_msg("case %u: %d, not %d", i,
				 pvgpu_surface_check(&cases[i].s),
				 cases[i].bad);
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
