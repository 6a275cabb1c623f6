// SPDX-License-Identifier: MIT
/*
 * What a head shows against a naive reference, pixel by pixel: random planes,
 * formats, alpha, positions also off the screen, strides, scattered extents.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include <sys/mman.h>

#include "support_worker.h"

#define PAGE 4096u
#define PRIMARY_PAGES 700u
#define CURSOR_PAGES 40u

static const uint32_t formats[] = {
	PVGPU_FORMAT_XRGB8888, PVGPU_FORMAT_ARGB8888, PVGPU_FORMAT_XBGR8888,
	PVGPU_FORMAT_ABGR8888, PVGPU_FORMAT_RGB565,
};

struct source {
	uint32_t name, pages;
	uint32_t page[PRIMARY_PAGES];	/* of VRAM, in the resource's order */
};

struct shown {
	const struct source *source;
	uint32_t format, stride, width, height, src_x, src_y, w, h;
	uint64_t offset;
	int64_t x, y;
	uint32_t alpha;
	bool premultiplied;
};

static uint8_t byte_of(const struct rig *rig, const struct source *s,
		       uint64_t offset)
{
	return rig->vram[(uint64_t)s->page[offset / PAGE] * PAGE +
			 offset % PAGE];
}

struct pixel {
	double a, r, g, b;		/* 0..255 */
};

static struct pixel fetch(const struct rig *rig, const struct shown *p,
			  uint32_t x, uint32_t y)
{
	uint32_t bytes = pvgpu_format_bytes(p->format), v = 0;
	uint64_t at = p->offset + (uint64_t)y * p->stride +
		      (uint64_t)x * bytes;
	struct pixel c = { .a = 255 };

	for (uint32_t i = 0; i < bytes; i++)
		v |= (uint32_t)byte_of(rig, p->source, at + i) << 8 * i;
	switch (p->format) {
	case PVGPU_FORMAT_RGB565:
		c.r = (double)((v >> 11 & 31) << 3 | (v >> 11 & 31) >> 2);
		c.g = (double)((v >> 5 & 63) << 2 | (v >> 5 & 63) >> 4);
		c.b = (double)((v & 31) << 3 | (v & 31) >> 2);
		return c;
	case PVGPU_FORMAT_XBGR8888:
	case PVGPU_FORMAT_ABGR8888:
		c.b = v >> 16 & 255;
		c.g = v >> 8 & 255;
		c.r = v & 255;
		break;
	default:
		c.r = v >> 16 & 255;
		c.g = v >> 8 & 255;
		c.b = v & 255;
	}
	if (p->premultiplied && (p->format == PVGPU_FORMAT_ARGB8888 ||
				 p->format == PVGPU_FORMAT_ABGR8888))
		c.a = v >> 24;
	return c;
}

static double over(double below, double above, double alpha, double plane)
{
	double v = above * plane + below * (1 - alpha / 255 * plane);

	return v > 255 ? 255 : v;
}

static struct pixel expected(const struct rig *rig, const struct shown *planes,
			     uint32_t x, uint32_t y)
{
	struct pixel out = { 0 };

	for (int i = 0; i < 2; i++) {
		const struct shown *p = &planes[i];
		double plane = p->alpha / 65535.0;
		struct pixel c;

		if (!p->source || x < p->x || x >= p->x + p->w || y < p->y ||
		    y >= p->y + p->h)
			continue;
		c = fetch(rig, p, (uint32_t)(p->src_x + x - p->x),
			  (uint32_t)(p->src_y + y - p->y));
		out.r = over(out.r, c.r, c.a, plane);
		out.g = over(out.g, c.g, c.a, plane);
		out.b = over(out.b, c.b, c.a, plane);
	}
	return out;
}

static uint32_t pick(uint64_t *seed, uint32_t low, uint32_t high)
{
	return low + (uint32_t)(noise(seed) % (high - low + 1));
}

/* A plane that fits into its resource, anywhere on or off the screen. */
static struct shown random_plane(uint64_t *seed, const struct source *source,
				 uint32_t most, uint32_t screen_w,
				 uint32_t screen_h)
{
	struct shown p = {
		.source = source,
		.format = formats[noise(seed) % ARRAY_SIZE(formats)],
		.alpha = noise(seed) % 3 ? 0xffff :
			 (uint32_t)(noise(seed) % 65536),
		.premultiplied = noise(seed) % 2,
	};
	uint32_t bytes = pvgpu_format_bytes(p.format);
	uint64_t size = (uint64_t)source->pages * PAGE, span;

	p.w = pick(seed, 1, most);
	p.h = pick(seed, 1, most);
	p.src_x = pick(seed, 0, 40);
	p.src_y = pick(seed, 0, 20);
	p.width = p.src_x + p.w + pick(seed, 0, 9);
	p.height = p.src_y + p.h + pick(seed, 0, 9);
	p.stride = p.width * bytes + pick(seed, 0, 3) * pick(seed, 0, 5);
	span = (uint64_t)p.stride * (p.height - 1) + p.width * bytes;
	while (span > size) {
		p.height = p.src_y + --p.h;
		span = (uint64_t)p.stride * (p.height - 1) + p.width * bytes;
	}
	p.offset = noise(seed) % (size - span + 1);
	if (noise(seed) % 2)
		p.offset -= p.offset % 4;
	p.x = (int64_t)(noise(seed) % (screen_w + p.w)) - p.w / 2;
	p.y = (int64_t)(noise(seed) % (screen_h + p.h)) - p.h / 2;
	if (!(noise(seed) % 3))
		p.x = p.y = 0;
	return p;
}

static void add(struct rig_commit *c, uint32_t index, const struct shown *s)
{
	struct pvgpu_commit_plane *p = commit_plane(c, 0, index,
		s->source->name, s->format, s->width, s->height,
		(int32_t)s->x, (int32_t)s->y);

	p->offset = pvgpu_cpu_to_le64(s->offset);
	p->stride = pvgpu_cpu_to_le32(s->stride);
	p->src_x = pvgpu_cpu_to_le32(s->src_x << 16);
	p->src_y = pvgpu_cpu_to_le32(s->src_y << 16);
	p->src_w = pvgpu_cpu_to_le32(s->w << 16);
	p->src_h = pvgpu_cpu_to_le32(s->h << 16);
	p->dst_w = pvgpu_cpu_to_le32(s->w);
	p->dst_h = pvgpu_cpu_to_le32(s->h);
	p->alpha = pvgpu_cpu_to_le16((uint16_t)s->alpha);
	p->blend = pvgpu_cpu_to_le16(s->premultiplied);
}

static bool near(double want, uint32_t got, double slack)
{
	double d = want - got;

	return d >= -slack && d <= slack;
}

static void compare(struct rig *rig, const struct shown *planes,
		    uint32_t width, uint32_t height, uint32_t round)
{
	struct worker_screenshot_done done;
	/* 8-bit arithmetic rounds at each step; with nothing to blend there
	 * is nothing to round. */
	bool exact = (!planes[0].source || (planes[0].alpha == 0xffff &&
			!planes[0].premultiplied)) &&
		     (!planes[1].source || (planes[1].alpha == 0xffff &&
			!planes[1].premultiplied));
	uint32_t *pixels;

	done = rig_screenshot(rig, 0, &pixels);
	assert_int_equal(done.error, 0);
	assert_int_equal(done.width, width);
	assert_int_equal(done.height, height);
	for (uint32_t y = 0; y < height; y++) {
		for (uint32_t x = 0; x < width; x++) {
			uint32_t v = pixels[y * (done.stride / 4) + x];
			struct pixel e = expected(rig, planes, x, y);
			double slack = exact ? 0 : 2.5;

			if (near(e.r, v >> 16 & 255, slack) &&
			    near(e.g, v >> 8 & 255, slack) &&
			    near(e.b, v & 255, slack) && v >> 24 == 255)
				continue;
			fail_msg("round %u at %u,%u: %08x, not %.1f %.1f %.1f",
				 round, x, y, v, e.r, e.g, e.b);
		}
	}
	munmap(pixels, (size_t)done.stride * height);
}

/* VRAM pages in random order, some of them in runs. */
static void make_source(struct rig *rig, struct source *s, uint32_t name,
			uint32_t first, uint32_t pages, uint64_t *seed)
{
	uint64_t e[2 * 100];

	s->name = name;
	s->pages = pages;
	for (uint32_t i = 0; i < pages; i++)
		s->page[i] = first + i;
	for (uint32_t i = pages - 1; i; i--) {
		uint32_t j = (uint32_t)(noise(seed) % (i + 1)), t = s->page[i];

		if (noise(seed) % 8)
			continue;
		s->page[i] = s->page[j];
		s->page[j] = t;
	}
	assert_int_equal(rig_create(rig, name, (uint64_t)pages * PAGE), 0);
	for (uint32_t i = 0; i < pages; i += 100) {
		uint32_t n = pages - i < 100 ? pages - i : 100;

		for (uint32_t k = 0; k < n; k++) {
			e[2 * k] = (uint64_t)s->page[i + k] * PAGE;
			e[2 * k + 1] = PAGE;
		}
		assert_int_equal(rig_back(rig, name, e, n), 0);
	}
	for (uint32_t i = 0; i < pages * PAGE; i++)
		rig->vram[(uint64_t)first * PAGE + i] = (uint8_t)noise(seed);
}

static void test_random(void **state)
{
	uint64_t seed = 0x123456789abcdef;
	struct source *sources = calloc(2, sizeof(*sources));
	struct rig rig;

	(void)state;
	rig_up(&rig);
	make_source(&rig, &sources[0], 1, 0, PRIMARY_PAGES, &seed);
	make_source(&rig, &sources[1], 2, 1000, CURSOR_PAGES, &seed);
	for (uint32_t n = 0; n < 150; n++) {
		uint32_t width = pick(&seed, 50, n % 10 ? 150 : 900);
		uint32_t height = pick(&seed, 50, 120);
		struct shown planes[2] = { 0 };
		struct rig_commit c = { 0 };

		commit_head(&c, 0, width, height);
		for (uint32_t i = 0; i < 2; i++) {
			if (!(noise(&seed) % 5)) {
				c.planes[c.plane_count++] =
					(struct pvgpu_commit_plane){
					.plane = pvgpu_cpu_to_le32(i),
				};
				continue;
			}
			planes[i] = random_plane(&seed, &sources[i],
						 i ? 64 : 160, width, height);
			add(&c, i, &planes[i]);
		}
		assert_int_equal(rig_commit(&rig, &c), 0);
		compare(&rig, planes, width, height, n);
	}
	rig_down(&rig);
	free(sources);
}

/* What was drawn is what is seen, in one piece and in many. */
static void full_screen(bool scattered)
{
	uint64_t seed = 99;
	struct source *source = calloc(1, sizeof(*source));
	struct shown planes[2] = { {
		.source = source, .format = PVGPU_FORMAT_XRGB8888,
		.stride = 1024 * 4, .width = 1024, .height = 640,
		.w = 1024, .h = 640, .alpha = 0xffff,
	} };
	struct rig_commit c = { 0 };
	struct rig rig;

	rig_up(&rig);
	if (scattered) {
		make_source(&rig, source, 1, 0, 640, &seed);
	} else {
		rig_resource(&rig, 1, 0, 1024 * 640 * 4);
		source->name = 1;
		source->pages = 640;
		for (uint32_t i = 0; i < 640; i++)
			source->page[i] = i;
		for (uint32_t i = 0; i < 640 * PAGE; i++)
			rig.vram[i] = (uint8_t)noise(&seed);
	}
	commit_head(&c, 0, 1024, 640);
	add(&c, 0, &planes[0]);
	assert_int_equal(rig_commit(&rig, &c), 0);
	compare(&rig, planes, 1024, 640, 0);
	/* Drawn without a commit, as a guest's front buffer is. */
	for (uint32_t i = 0; i < 640 * PAGE; i++)
		rig.vram[i] = (uint8_t)noise(&seed);
	compare(&rig, planes, 1024, 640, 1);
	rig_down(&rig);
	free(source);
}

static void test_full_screen(void **state)
{
	(void)state;
	full_screen(false);
}

static void test_full_screen_scattered(void **state)
{
	(void)state;
	full_screen(true);
}

/* No plane at all is black, and so is the rest around a small one. */
static void test_black(void **state)
{
	struct shown none[2] = { 0 };
	struct rig_commit c = { 0 };
	struct rig rig;

	(void)state;
	rig_up(&rig);
	commit_head(&c, 0, 333, 222);
	assert_int_equal(rig_commit(&rig, &c), 0);
	compare(&rig, none, 333, 222, 0);
	rig_down(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_full_screen),
		cmocka_unit_test(test_full_screen_scattered),
		cmocka_unit_test(test_black),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	log_set_level(LEVEL_ERROR);
	return cmocka_run_group_tests_name("worker compose", tests, NULL,
					   NULL);
}
