// SPDX-License-Identifier: MIT
/*
 * What a head shows against a naive reference, pixel by pixel: random planes,
 * formats, alpha, sizes, turns, an order, positions also off the screen,
 * strides, scattered extents.
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
#define Z_MAX 3u
#define CURSOR (WINDOW_PLANES - 1)

static const uint32_t formats[] = {
	PVGPU_FORMAT_XRGB8888, PVGPU_FORMAT_ARGB8888, PVGPU_FORMAT_XBGR8888,
	PVGPU_FORMAT_ABGR8888, PVGPU_FORMAT_RGB565, PVGPU_FORMAT_XRGB2101010,
	PVGPU_FORMAT_ARGB2101010, PVGPU_FORMAT_NV12,
};

struct source {
	uint32_t name, pages;
	uint32_t page[PRIMARY_PAGES];	/* of VRAM, in the resource's order */
};

struct shown {
	const struct source *source;
	uint32_t format, stride, width, height, src_x, src_y, src_w, src_h;
	uint32_t fraction;		/* of a pixel, in src_x and src_y */
	uint64_t offset, chroma_offset;
	uint32_t chroma_stride, ycbcr;
	int64_t x, y;
	uint32_t w, h;			/* in the mode */
	uint32_t alpha, blend, transform, z;
};

static uint8_t byte_of(const struct rig *rig, const struct source *s,
		       uint64_t offset)
{
	return rig->vram[(uint64_t)s->page[offset / PAGE] * PAGE +
			 offset % PAGE];
}

/* Whether nothing is rounded between memory and picture. */
static bool exact_format(uint32_t format)
{
	return format != PVGPU_FORMAT_XRGB2101010 &&
	       format != PVGPU_FORMAT_ARGB2101010 &&
	       format != PVGPU_FORMAT_NV12;
}

static bool pixels_blend(const struct shown *p)
{
	return p->blend && (p->format == PVGPU_FORMAT_ARGB8888 ||
			    p->format == PVGPU_FORMAT_ABGR8888 ||
			    p->format == PVGPU_FORMAT_ARGB2101010);
}

struct pixel {
	double a, r, g, b;		/* 0..255 */
};

static double bounded(double v)
{
	return v < 0 ? 0 : v > 255 ? 255 : v;
}

/* By the definitions of BT.601 and BT.709. */
static struct pixel of_ycbcr(const struct shown *p, double y, double cb,
			     double cr)
{
	double kr = p->ycbcr & PVGPU_YCBCR_BT709 ? 0.2126 : 0.299;
	double kb = p->ycbcr & PVGPU_YCBCR_BT709 ? 0.0722 : 0.114;
	struct pixel c = { .a = 255 };

	if (p->ycbcr & PVGPU_YCBCR_FULL) {
		cb -= 128;
		cr -= 128;
	} else {
		y = (y - 16) * 255 / 219;
		cb = (cb - 128) * 255 / 224;
		cr = (cr - 128) * 255 / 224;
	}
	c.r = y + 2 * (1 - kr) * cr;
	c.b = y + 2 * (1 - kb) * cb;
	c.g = (y - kr * c.r - kb * c.b) / (1 - kr - kb);
	c.r = bounded(c.r);
	c.g = bounded(c.g);
	c.b = bounded(c.b);
	return c;
}

static struct pixel fetch(const struct rig *rig, const struct shown *p,
			  uint32_t x, uint32_t y)
{
	uint32_t bytes = pvgpu_format_bytes(p->format), v = 0;
	uint64_t at = p->offset + (uint64_t)y * p->stride +
		      (uint64_t)x * bytes;
	uint64_t pair = p->chroma_offset + (uint64_t)(y / 2) *
			p->chroma_stride + x / 2 * 2;
	struct pixel c = { .a = 255 };
	bool ten = false, alpha = false;

	for (uint32_t i = 0; i < bytes; i++)
		v |= (uint32_t)byte_of(rig, p->source, at + i) << 8 * i;
	switch (p->format) {
	case PVGPU_FORMAT_NV12:
		return of_ycbcr(p, v, byte_of(rig, p->source, pair),
				byte_of(rig, p->source, pair + 1));
	case PVGPU_FORMAT_RGB565:
		c.r = (double)((v >> 11 & 31) << 3 | (v >> 11 & 31) >> 2);
		c.g = (double)((v >> 5 & 63) << 2 | (v >> 5 & 63) >> 4);
		c.b = (double)((v & 31) << 3 | (v & 31) >> 2);
		return c;
	case PVGPU_FORMAT_ARGB2101010:
		alpha = true;
		/* fall through */
	case PVGPU_FORMAT_XRGB2101010:
		ten = true;
		c.r = (v >> 20 & 1023) / 1023.0 * 255;
		c.g = (v >> 10 & 1023) / 1023.0 * 255;
		c.b = (v & 1023) / 1023.0 * 255;
		break;
	case PVGPU_FORMAT_ABGR8888:
		alpha = true;
		/* fall through */
	case PVGPU_FORMAT_XBGR8888:
		c.b = v >> 16 & 255;
		c.g = v >> 8 & 255;
		c.r = v & 255;
		break;
	case PVGPU_FORMAT_ARGB8888:
		alpha = true;
		/* fall through */
	default:
		c.r = v >> 16 & 255;
		c.g = v >> 8 & 255;
		c.b = v & 255;
	}
	if (alpha && p->blend)
		c.a = ten ? (v >> 30) * 85 : v >> 24;
	if (alpha && p->blend == PVGPU_BLEND_COVERAGE) {
		c.r *= c.a / 255;
		c.g *= c.a / 255;
		c.b *= c.a / 255;
	}
	return c;
}

/* ------------------------------------- a plane, one step after the other */

struct picture {
	uint32_t w, h;
	struct pixel *pixels;
};

static struct picture blank(uint32_t w, uint32_t h)
{
	struct picture p = { w, h, calloc((size_t)w * h,
					  sizeof(struct pixel)) };

	assert_non_null(p.pixels);
	return p;
}

static struct pixel *at(const struct picture *p, uint32_t x, uint32_t y)
{
	return &p->pixels[(size_t)y * p->w + x];
}

static struct picture cut_out(const struct rig *rig, const struct shown *s)
{
	struct picture to = blank(s->src_w, s->src_h);

	for (uint32_t y = 0; y < to.h; y++)
		for (uint32_t x = 0; x < to.w; x++)
			*at(&to, x, y) = fetch(rig, s, s->src_x + x,
					       s->src_y + y);
	return to;
}

static struct picture mirrored(struct picture from, bool x_axis)
{
	struct picture to = blank(from.w, from.h);

	for (uint32_t y = 0; y < to.h; y++)
		for (uint32_t x = 0; x < to.w; x++)
			*at(&to, x, y) = x_axis ?
				*at(&from, from.w - 1 - x, y) :
				*at(&from, x, from.h - 1 - y);
	free(from.pixels);
	return to;
}

/* By 90 degrees, counter-clockwise: the upper right corner goes to the upper
 * left. */
static struct picture turned(struct picture from)
{
	struct picture to = blank(from.h, from.w);

	for (uint32_t y = 0; y < to.h; y++)
		for (uint32_t x = 0; x < to.w; x++)
			*at(&to, x, y) = *at(&from, from.w - 1 - y, x);
	free(from.pixels);
	return to;
}

static struct pixel mix(struct pixel a, struct pixel b, double part)
{
	return (struct pixel){
		a.a + (b.a - a.a) * part, a.r + (b.r - a.r) * part,
		a.g + (b.g - a.g) * part, a.b + (b.b - a.b) * part,
	};
}

/* The two neighbours of a place, and how far it is from the first. */
static double neighbours(double place, uint32_t size, uint32_t *ret_a,
			 uint32_t *ret_b)
{
	double low = place < 0 ? 0 : place;

	*ret_a = (uint32_t)low;
	if (*ret_a > size - 1)
		*ret_a = size - 1;
	*ret_b = *ret_a + 1 < size ? *ret_a + 1 : *ret_a;
	return low - *ret_a > 1 ? 1 : low - *ret_a;
}

static struct picture scaled(struct picture from, uint32_t w, uint32_t h)
{
	struct picture to;

	if (from.w == w && from.h == h)
		return from;
	to = blank(w, h);
	for (uint32_t y = 0; y < h; y++)
		for (uint32_t x = 0; x < w; x++) {
			uint32_t x0, x1, y0, y1;
			double px = neighbours((x + 0.5) * from.w / w - 0.5,
					       from.w, &x0, &x1);
			double py = neighbours((y + 0.5) * from.h / h - 0.5,
					       from.h, &y0, &y1);

			*at(&to, x, y) = mix(
				mix(*at(&from, x0, y0), *at(&from, x1, y0),
				    px),
				mix(*at(&from, x0, y1), *at(&from, x1, y1),
				    px), py);
		}
	free(from.pixels);
	return to;
}

static struct picture plane_picture(const struct rig *rig,
				    const struct shown *s)
{
	struct picture p = cut_out(rig, s);

	if (s->transform & PVGPU_TRANSFORM_MIRROR_X)
		p = mirrored(p, true);
	if (s->transform & PVGPU_TRANSFORM_MIRROR_Y)
		p = mirrored(p, false);
	for (uint32_t n = s->transform & 3; n; n--)
		p = turned(p);
	return scaled(p, s->w, s->h);
}

static double over(double below, double above, double alpha, double plane)
{
	double v = above * plane + below * (1 - alpha / 255 * plane);

	return v > 255 ? 255 : v;
}

static void lay_over(struct picture *to, const struct rig *rig,
		     const struct shown *s)
{
	struct picture p = plane_picture(rig, s);
	double plane = s->alpha / 65535.0;

	for (uint32_t y = 0; y < p.h; y++)
		for (uint32_t x = 0; x < p.w; x++) {
			int64_t out_x = s->x + x, out_y = s->y + y;
			struct pixel c = *at(&p, x, y), *out;

			if (out_x < 0 || out_x >= to->w || out_y < 0 ||
			    out_y >= to->h)
				continue;
			out = at(to, (uint32_t)out_x, (uint32_t)out_y);
			out->r = over(out->r, c.r, c.a, plane);
			out->g = over(out->g, c.g, c.a, plane);
			out->b = over(out->b, c.b, c.a, plane);
		}
	free(p.pixels);
}

/* Nobody's lower z above a higher one; looked for from 0 up. */
static struct picture expected(const struct rig *rig,
			       const struct shown planes[WINDOW_PLANES],
			       uint32_t width, uint32_t height)
{
	struct picture out = blank(width, height);

	for (uint32_t z = 0; z <= Z_MAX; z++)
		for (int i = 0; i < (int)WINDOW_PLANES; i++)
			if (planes[i].source && planes[i].z == z)
				lay_over(&out, rig, &planes[i]);
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
		.blend = (uint32_t)(noise(seed) % 3),
		.z = pick(seed, 0, Z_MAX),
		.transform = noise(seed) % 2 ? pick(seed, 0, 15) : 0,
		.fraction = noise(seed) % 4 ? 0 : pick(seed, 1, 0xffff),
	};
	uint32_t bytes = pvgpu_format_bytes(p.format), in_w, in_h;
	uint64_t size = (uint64_t)source->pages * PAGE, span;
	bool nv12 = p.format == PVGPU_FORMAT_NV12;

	/* The second part of NV12 is somewhere in the second half. */
	if (nv12) {
		size /= 2;
		p.ycbcr = pick(seed, 0, 3);
	}
	p.src_w = pick(seed, 1, most);
	p.src_h = pick(seed, 1, most);
	p.src_x = pick(seed, 0, 40);
	p.src_y = pick(seed, 0, 20);
	p.width = p.src_x + p.src_w + pick(seed, 1, 9);
	p.height = p.src_y + p.src_h + pick(seed, 1, 9);
	p.stride = p.width * bytes + pick(seed, 0, 3) * pick(seed, 0, 5);
	span = (uint64_t)p.stride * (p.height - 1) + p.width * bytes;
	while (span > size) {
		p.src_h--;
		p.height--;
		span = (uint64_t)p.stride * (p.height - 1) + p.width * bytes;
	}
	p.offset = noise(seed) % (size - span + 1);
	if (noise(seed) % 2)
		p.offset -= p.offset % 4;
	if (nv12) {
		p.chroma_stride = (p.width + 1) / 2 * 2 + pick(seed, 0, 7);
		span = (uint64_t)p.chroma_stride * ((p.height + 1) / 2);
		p.chroma_offset = size + noise(seed) % (size - span);
	}
	in_w = p.transform & 1 ? p.src_h : p.src_w;
	in_h = p.transform & 1 ? p.src_w : p.src_h;
	p.w = in_w;
	p.h = in_h;
	if (!(noise(seed) % 3)) {
		p.w = pick(seed, (in_w + 3) / 4, in_w * 2);
		p.h = pick(seed, (in_h + 3) / 4, in_h * 2);
		p.fraction = 0;
	}
	if (source->pages == CURSOR_PAGES) {
		p.w = p.w > 64 ? 64 : p.w;
		p.h = p.h > 64 ? 64 : p.h;
	}
	if (p.w != in_w || p.h != in_h)
		p.fraction = 0;
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
	p->src_x = pvgpu_cpu_to_le32(s->src_x << 16 | s->fraction);
	p->src_y = pvgpu_cpu_to_le32(s->src_y << 16 | s->fraction);
	p->src_w = pvgpu_cpu_to_le32(s->src_w << 16);
	p->src_h = pvgpu_cpu_to_le32(s->src_h << 16);
	p->dst_w = pvgpu_cpu_to_le32(s->w);
	p->dst_h = pvgpu_cpu_to_le32(s->h);
	p->alpha = pvgpu_cpu_to_le16((uint16_t)s->alpha);
	p->blend = pvgpu_cpu_to_le16((uint16_t)s->blend);
	p->z = pvgpu_cpu_to_le32(s->z);
	p->transform = pvgpu_cpu_to_le32(s->transform);
	p->chroma_offset = pvgpu_cpu_to_le64(s->chroma_offset);
	p->chroma_stride = pvgpu_cpu_to_le32(s->chroma_stride);
	p->ycbcr = pvgpu_cpu_to_le32(s->ycbcr);
}

static bool near(double want, uint32_t got, double slack)
{
	double d = want - got;

	return d >= -slack && d <= slack;
}

/* How far off the host may be: nothing is rounded where nothing is converted,
 * blended or interpolated; 8-bit arithmetic rounds at each step, and weights of
 * neighbours have 7 bits. */
static double slack_of(const struct shown *p)
{
	uint32_t w = p->transform & 1 ? p->src_h : p->src_w;
	uint32_t h = p->transform & 1 ? p->src_w : p->src_h;

	if (!p->source)
		return 0;
	return (exact_format(p->format) ? 0 : 1) +
	       (pixels_blend(p) ? 1.25 : 0) + (p->alpha != 0xffff ? 1.75 : 0) +
	       (p->w != w || p->h != h ? 4 : 0);
}

static void compare(struct rig *rig, const struct shown planes[WINDOW_PLANES],
		    uint32_t width, uint32_t height, uint32_t round)
{
	struct picture want = expected(rig, planes, width, height);
	struct worker_screenshot_done done;
	uint32_t *pixels;
	double slack = 0;

	for (uint32_t i = 0; i < WINDOW_PLANES; i++)
		slack += slack_of(&planes[i]);
	done = rig_screenshot(rig, 0, &pixels);
	assert_int_equal(done.error, 0);
	assert_int_equal(done.width, width);
	assert_int_equal(done.height, height);
	for (uint32_t y = 0; y < height; y++) {
		for (uint32_t x = 0; x < width; x++) {
			uint32_t v = pixels[y * (done.stride / 4) + x];
			struct pixel e = *at(&want, x, y);

			if (near(e.r, v >> 16 & 255, slack) &&
			    near(e.g, v >> 8 & 255, slack) &&
			    near(e.b, v & 255, slack) && v >> 24 == 255)
				continue;
			for (uint32_t i = 0; i < WINDOW_PLANES; i++)
				print_message("# plane %u: %s %.4s %ux%u to %ux%u at %d,%d transform %u blend %u alpha %u z %u\n",
					i, planes[i].source ? "on" : "off",
					(const char *)&planes[i].format,
					planes[i].src_w, planes[i].src_h,
					planes[i].w, planes[i].h,
					(int)planes[i].x, (int)planes[i].y,
					planes[i].transform, planes[i].blend,
					planes[i].alpha, planes[i].z);
			fail_msg("round %u at %u,%u: %08x, not %.1f %.1f %.1f",
				 round, x, y, v, e.r, e.g, e.b);
		}
	}
	munmap(pixels, (size_t)done.stride * height);
	free(want.pixels);
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
	for (uint32_t n = 0; n < 300; n++) {
		uint32_t width = pick(&seed, 50, n % 10 ? 150 : 900);
		/* Several bands, too. */
		uint32_t height = pick(&seed, 50, n % 10 ? 120 : 400);
		struct shown planes[WINDOW_PLANES] = { 0 };
		struct rig_commit c = { 0 };

		commit_head(&c, 0, width, height);
		for (uint32_t i = 0; i < WINDOW_PLANES; i++) {
			if (!(noise(&seed) % 5)) {
				c.planes[c.plane_count++] =
					(struct pvgpu_commit_plane){
					.plane = pvgpu_cpu_to_le32(i),
				};
				continue;
			}
			planes[i] = random_plane(&seed, i < CURSOR ?
						 &sources[0] : &sources[1],
						 i < CURSOR ? 160 : 64,
						 width, height);
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
	struct shown planes[WINDOW_PLANES] = { {
		.source = source, .format = PVGPU_FORMAT_XRGB8888,
		.stride = 1024 * 4, .width = 1024, .height = 640,
		.src_w = 1024, .src_h = 640, .w = 1024, .h = 640,
		.alpha = 0xffff,
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
	struct shown none[WINDOW_PLANES] = { 0 };
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
