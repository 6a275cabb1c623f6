// SPDX-License-Identifier: MIT
/* COMMIT: its checks, in their order, and what it leaves: spec.md 10. */
#include <stdio.h>

#include "conform.h"

#define WIDTH	640u
#define HEIGHT	480u
#define XR24	PVGPU_FORMAT_XRGB8888
#define AR24	PVGPU_FORMAT_ARGB8888

/* Where things lie in the message of base(): a head, primary and cursor
 * planes, two clips. */
#define HEAD(f)		(40 + (uint32_t)offsetof(struct pvgpu_commit_head, f))
#define MODE(f)		(56 + (uint32_t)offsetof(struct pvgpu_mode, f))
#define PLANE(f)	(104 + (uint32_t)offsetof(struct pvgpu_commit_plane, f))
#define CURSOR(f)	(232 + (uint32_t)offsetof(struct pvgpu_commit_plane, f))
#define CLIP(n, f)	(360 + 16 * (n) + \
			 (uint32_t)offsetof(struct pvgpu_rect, f))
#define COMMIT(f)	((uint32_t)offsetof(struct pvgpu_commit, f))

struct scene {
	uint32_t screen, cursor;	/* resources */
};

static bool make(struct guest *g, struct scene *s)
{
	s->screen = guest_resource(g, WIDTH * HEIGHT * 4, NULL);
	s->cursor = guest_resource(g, 32 * 32 * 4, NULL);
	return s->screen && s->cursor;
}

/* A commit with one of everything, and all of it right. */
static void base(struct commit *c, const struct guest *g, const struct scene *s)
{
	struct pvgpu_commit_plane *p;

	commit_begin(c);
	commit_head(c, 0, WIDTH, HEIGHT, 60000);
	p = commit_plane(c, 0, 0, s->screen, XR24, WIDTH, HEIGHT, 0, 0);
	p->clips = pvgpu_cpu_to_le32(2);
	p = commit_plane(c, 0, g->d->planes - 1, s->cursor, AR24, 32, 32, 10,
			 10);
	p->blend = pvgpu_cpu_to_le16(PVGPU_BLEND_PREMULTIPLIED);
	commit_clip(c, 0, 0, WIDTH, 1);
	commit_clip(c, 5, 5, 10, 10);
}

static void patch(struct commit *c, uint32_t at, uint32_t size, uint64_t value)
{
	value = pvgpu_cpu_to_le64(value);
	memcpy(c->bytes + at, &value, size);
}

/* The base with one field changed is refused so, and lights nothing. */
static bool refuse(struct guest *g, const struct scene *s, uint32_t at,
		   uint32_t size, uint64_t value, uint32_t status,
		   uint32_t detail)
{
	struct commit c;
	char what[80];

	snprintf(what, sizeof(what), "0x%llx at %u",
		 (unsigned long long)value, at);
	base(&c, g, s);
	patch(&c, at, size, value);
	return conform_answered(g, __FILE__, __LINE__, what,
				guest_commit(g, &c), status, detail);
}

#define REFUSE(at, size, value, status, detail) do { \
		if (!refuse(g, &s, at, size, value, \
			    PVGPU_STATUS_##status, detail)) \
			return; \
	} while (0)
#define INVALID_AT(at, size, value) REFUSE(at, size, value, INVALID, at)

static void base_is_right(struct guest *g)
{
	struct scene s;
	struct commit c;

	EXPECT(make(g, &s), "resources");
	base(&c, g, &s);
	EXPECT_OK(g, "commit", guest_commit(g, &c));
	EXPECT(guest_head_active(g, 0), "head 0 is dark");
	EXPECT_ANSWER(g, "destroy what is shown", guest_destroy(g, s.cursor),
		      PVGPU_STATUS_BUSY, 16);
	EXPECT_OK(g, "commit again", guest_commit(g, &c));
}

static void shape(struct guest *g)
{
	struct scene s;
	struct commit c;
	uint32_t at;

	EXPECT(make(g, &s), "resources");
	REFUSE(COMMIT(head_count), 4, 0, INVALID, 0);
	REFUSE(COMMIT(head_count), 4, 2, INVALID, 0);
	REFUSE(COMMIT(plane_count), 4, 1, INVALID, 0);
	REFUSE(COMMIT(plane_count), 4, 3, INVALID, 0);
	REFUSE(COMMIT(clip_count), 4, 1, INVALID, 0);
	REFUSE(COMMIT(clip_count), 4, 3, INVALID, 0);
	/* Products that are 2^32 or 2^64 too large. */
	REFUSE(COMMIT(head_count), 4, 1 + (1u << 26), INVALID, 0);
	REFUSE(COMMIT(plane_count), 4, 2 + (1u << 25), INVALID, 0);
	REFUSE(COMMIT(clip_count), 4, 2 + (1u << 28), INVALID, 0);
	REFUSE(COMMIT(clip_count), 4, 0xffffffff, INVALID, 0);
	INVALID_AT(COMMIT(flags), 4, 2);
	INVALID_AT(COMMIT(flags), 4, 0x80000001);
	INVALID_AT(COMMIT(reserved), 4, 1);
	for (at = HEAD(reserved); at < 104; at += 4)
		INVALID_AT(at, 4, 1u << 31);
	for (at = PLANE(reserved); at < 232; at += 4)
		INVALID_AT(at, 4, 1);
	for (at = CURSOR(reserved); at < 360; at += 4)
		INVALID_AT(at, 4, 0x01000000);
	/* Of nothing: no heads, all stays. */
	commit_begin(&c);
	EXPECT_OK(g, "a commit of nothing", guest_commit(g, &c));
}

static void names(struct guest *g)
{
	uint32_t heads = g->d->heads;
	struct scene s;
	struct commit c;

	EXPECT(make(g, &s), "resources");
	REFUSE(COMMIT(heads), 4, 1u << heads | 1, LIMIT_HEADS, heads);
	REFUSE(COMMIT(heads), 4, 0x80000001, LIMIT_HEADS, heads);
	REFUSE(HEAD(head), 4, heads, LIMIT_HEADS, heads);
	REFUSE(HEAD(head), 4, 0xffffffff, LIMIT_HEADS, heads);
	REFUSE(HEAD(head), 4, 32, LIMIT_HEADS, heads);
	REFUSE(PLANE(head), 4, heads, LIMIT_HEADS, heads);
	REFUSE(PLANE(head), 4, 0xffffffff, LIMIT_HEADS, heads);
	REFUSE(CURSOR(head), 4, 32, LIMIT_HEADS, heads);
	REFUSE(COMMIT(heads), 4, 0, INVALID, HEAD(head));
	REFUSE(CURSOR(plane), 4, 0, INVALID, CURSOR(plane));
	/* A head twice; a plane of a head that is not in the mask. */
	commit_begin(&c);
	commit_head(&c, 0, WIDTH, HEIGHT, 60000);
	commit_head(&c, 0, WIDTH, HEIGHT, 60000);
	EXPECT_ANSWER(g, "a head twice", guest_commit(g, &c),
		      PVGPU_STATUS_INVALID, 40 + 64);
	commit_begin(&c);
	commit_plane(&c, 0, 0, s.screen, XR24, WIDTH, HEIGHT, 0, 0);
	EXPECT_ANSWER(g, "a plane of no head", guest_commit(g, &c),
		      PVGPU_STATUS_INVALID, 40);
	if (heads > 1) {
		REFUSE(COMMIT(heads), 4, 3, INVALID, COMMIT(heads));
		REFUSE(COMMIT(heads), 4, 2, INVALID, HEAD(head));
		REFUSE(PLANE(head), 4, 1, INVALID, PLANE(head));
	}
	EXPECT(!guest_head_active(g, 0), "a refused commit lit head 0");
}

static void modes(struct guest *g)
{
	const struct pvgpu_device *d = g->d;
	struct scene s;
	struct commit c;
	uint32_t bit;

	EXPECT(make(g, &s), "resources");
	INVALID_AT(HEAD(flags), 4, 4 | 3);
	INVALID_AT(HEAD(flags), 4, 0x80000003);
	INVALID_AT(HEAD(flags), 4, 2);		/* a mode, but dark */
	INVALID_AT(MODE(clock), 4, 0);
	INVALID_AT(MODE(hdisplay), 2, 0);
	INVALID_AT(MODE(hsync_start), 2, WIDTH - 1);
	INVALID_AT(MODE(hsync_end), 2, WIDTH + 47);
	INVALID_AT(MODE(htotal), 2, WIDTH + 79);
	INVALID_AT(MODE(vdisplay), 2, 0);
	INVALID_AT(MODE(vsync_start), 2, HEIGHT - 1);
	INVALID_AT(MODE(vsync_end), 2, HEIGHT + 2);
	INVALID_AT(MODE(vtotal), 2, HEIGHT + 8);
	for (bit = 2; bit < 32; bit++)
		INVALID_AT(MODE(flags), 4, 1u << bit);
	/* A mode without its flag, and an active head without a mode. */
	REFUSE(HEAD(flags), 4, 1, INVALID, MODE(clock));
	commit_begin(&c);
	commit_head(&c, 0, 0, 0, 0)->flags = pvgpu_cpu_to_le32(1);
	EXPECT_ANSWER(g, "lit with no mode", guest_commit(g, &c),
		      PVGPU_STATUS_INVALID, HEAD(flags));
	/* The limits: exactly, and by one more. */
	commit_begin(&c);
	commit_head(&c, 0, d->max_width + 1, 100, 50000);
	EXPECT_ANSWER(g, "too wide", guest_commit(g, &c),
		      PVGPU_STATUS_LIMIT_MODE, d->max_width);
	commit_begin(&c);
	commit_head(&c, 0, 100, d->max_height + 1, 50000);
	EXPECT_ANSWER(g, "too high", guest_commit(g, &c),
		      PVGPU_STATUS_LIMIT_MODE, d->max_height);
	commit_begin(&c);
	commit_head(&c, 0, d->max_width, 100, 50000);
	EXPECT_OK(g, "as wide as can be", guest_commit(g, &c));
	commit_begin(&c);
	commit_head(&c, 0, 100, d->max_height, 50000);
	EXPECT_OK(g, "as high as can be", guest_commit(g, &c));
	commit_begin(&c);
	commit_head(&c, 0, WIDTH, HEIGHT, d->max_refresh + 10000);
	EXPECT_ANSWER(g, "too fast", guest_commit(g, &c),
		      PVGPU_STATUS_LIMIT_MODE, d->max_refresh);
	commit_begin(&c);
	commit_head(&c, 0, WIDTH, HEIGHT, d->max_refresh);
	EXPECT_OK(g, "as fast as can be", guest_commit(g, &c));
	REFUSE(MODE(clock), 4, 0xffffffff, LIMIT_MODE, d->max_refresh);
	/* Interlaced is refused before its limits are looked at. */
	base(&c, g, &s);
	patch(&c, MODE(flags), 4, PVGPU_MODE_INTERLACED);
	patch(&c, MODE(clock), 4, 0xffffffff);
	EXPECT_ANSWER(g, "interlaced", guest_commit(g, &c),
		      PVGPU_STATUS_INVALID, MODE(flags));
}

/* Lights as many heads as it takes to pass the budget, one after the other,
 * then all at once. */
static void pixels(struct guest *g)
{
	const struct pvgpu_device *d = g->d;
	uint64_t one = (uint64_t)d->max_width * d->max_height, sum = 0;
	struct commit c;
	uint32_t head, lit = 0;

	for (head = 0; head < d->heads; head++) {
		bool fits = sum + one <= d->max_pixels;

		commit_begin(&c);
		commit_head(&c, head, d->max_width, d->max_height, 30000);
		if (fits)
			EXPECT_OK(g, "a head more", guest_commit(g, &c));
		else
			EXPECT_ANSWER(g, "a head too many",
				      guest_commit(g, &c),
				      PVGPU_STATUS_LIMIT_PIXELS,
				      clamp32(d->max_pixels));
		EXPECT(guest_head_active(g, head) == fits, "head %u", head);
		if (fits) {
			sum += one;
			lit++;
		}
	}
	/* All dark, then all in one message. */
	EXPECT(guest_attach(g, ~0ull) == 0, "attach");
	commit_begin(&c);
	for (head = 0; head < d->heads; head++)
		commit_head(&c, head, d->max_width, d->max_height, 30000);
	if (lit == d->heads)
		EXPECT_OK(g, "all at once", guest_commit(g, &c));
	else
		EXPECT_ANSWER(g, "all at once", guest_commit(g, &c),
			      PVGPU_STATUS_LIMIT_PIXELS,
			      clamp32(d->max_pixels));
	/* A head that goes dark in the same commit gives its pixels back. */
	if (lit == d->heads)
		return;
	EXPECT(guest_attach(g, ~0ull) == 0, "attach");
	for (head = 0; head < lit; head++) {
		commit_begin(&c);
		commit_head(&c, head, d->max_width, d->max_height, 30000);
		EXPECT_OK(g, "light", guest_commit(g, &c));
	}
	if (!lit)
		return;
	commit_begin(&c);
	commit_head(&c, 0, 0, 0, 0);
	commit_head(&c, lit, d->max_width, d->max_height, 30000);
	EXPECT_OK(g, "one for another", guest_commit(g, &c));
	EXPECT(!guest_head_active(g, 0) && guest_head_active(g, lit),
	       "they did not change places");
}

static void planes(struct guest *g)
{
	const uint32_t half = 500;
	struct scene s;
	struct commit c;
	uint32_t at;

	/* As who knows nothing of overlays sees them. */
	EXPECT(guest_attach(g, ~PVGPU_FEATURE_PLANES) == 0, "attach");
	EXPECT(make(g, &s), "resources");
	EXPECT_OK(g, "create", guest_create(g, half, WIDTH * HEIGHT * 4));
	EXPECT_OK(g, "back", guest_back(g, half, 0, 4096));
	REFUSE(PLANE(plane), 4, g->d->planes, LIMIT_PLANES, g->d->planes);
	REFUSE(PLANE(plane), 4, 32, LIMIT_PLANES, g->d->planes);
	REFUSE(PLANE(plane), 4, 0xffffffff, LIMIT_PLANES, g->d->planes);
	REFUSE(PLANE(resource), 4, 777, NOT_FOUND, PLANE(resource));
	INVALID_AT(PLANE(resource), 4, half);
	REFUSE(PLANE(format), 4, 0, UNSUPPORTED, PLANE(format));
	REFUSE(PLANE(format), 4, PVGPU_FOURCC('N', 'V', '1', '2'),
	       UNSUPPORTED, PLANE(format));
	INVALID_AT(PLANE(width), 4, 0);
	INVALID_AT(PLANE(height), 4, 0);
	INVALID_AT(PLANE(stride), 4, 0);
	INVALID_AT(PLANE(stride), 4, WIDTH * 4 - 1);
	INVALID_AT(PLANE(blend), 2, 2);
	INVALID_AT(PLANE(hot_x), 4, 1);
	INVALID_AT(PLANE(hot_y), 4, 1);
	for (at = PLANE(z); at < PLANE(reserved); at += 4)
		INVALID_AT(at, 4, 1);
	if (g->d->planes > 2)
		REFUSE(CURSOR(plane), 4, 1, UNSUPPORTED, CURSOR(plane));

	/* The framebuffer in the resource. */
	REFUSE(PLANE(offset), 8, 4, RANGE, PLANE(offset));
	REFUSE(PLANE(offset), 8, 1, RANGE, PLANE(offset));
	REFUSE(PLANE(offset), 8, ~0ull, RANGE, PLANE(offset));
	REFUSE(PLANE(offset), 8, -(uint64_t)(WIDTH * HEIGHT * 4), RANGE,
	       PLANE(offset));
	REFUSE(PLANE(stride), 4, WIDTH * 4 + 4, RANGE, PLANE(offset));
	REFUSE(PLANE(stride), 4, 0xffffffff, RANGE, PLANE(offset));
	REFUSE(PLANE(height), 4, HEIGHT + 1, RANGE, PLANE(offset));
	REFUSE(PLANE(height), 4, 0xffffffff, RANGE, PLANE(offset));
	REFUSE(PLANE(width), 4, WIDTH + 1, INVALID, PLANE(stride));
	REFUSE(PLANE(width), 4, 0xffffffff, INVALID, PLANE(stride));

	/* The source in the framebuffer. */
	INVALID_AT(PLANE(src_w), 4, 0);
	INVALID_AT(PLANE(src_h), 4, 0);
	REFUSE(PLANE(src_x), 4, 1, RANGE, PLANE(src_x));
	REFUSE(PLANE(src_y), 4, 1, RANGE, PLANE(src_y));
	REFUSE(PLANE(src_x), 4, 0xffffffff, RANGE, PLANE(src_x));
	REFUSE(PLANE(src_w), 4, (WIDTH << 16) + 1, RANGE, PLANE(src_x));
	REFUSE(PLANE(src_w), 4, 0xffffffff, RANGE, PLANE(src_x));
	REFUSE(PLANE(src_h), 4, 0xffff0000, RANGE, PLANE(src_y));

	/* Nothing scales. */
	REFUSE(PLANE(dst_w), 4, WIDTH - 1, UNSUPPORTED, PLANE(dst_w));
	REFUSE(PLANE(dst_w), 4, 0, UNSUPPORTED, PLANE(dst_w));
	REFUSE(PLANE(dst_w), 4, WIDTH + 65536, UNSUPPORTED, PLANE(dst_w));
	REFUSE(PLANE(dst_h), 4, HEIGHT + 1, UNSUPPORTED, PLANE(dst_h));
	REFUSE(PLANE(src_w), 4, (WIDTH << 16) - 1, UNSUPPORTED, PLANE(dst_w));

	/* A dark head shows nothing. */
	base(&c, g, &s);
	patch(&c, HEAD(flags), 4, 0);
	memset(c.bytes + HEAD(mode), 0, sizeof(struct pvgpu_mode));
	EXPECT_ANSWER(g, "a plane of a dark head", guest_commit(g, &c),
		      PVGPU_STATUS_INVALID, PLANE(head));
	EXPECT(!guest_head_active(g, 0), "a refused commit lit head 0");
	EXPECT_OK(g, "nothing is shown", guest_destroy(g, s.screen));
}

/* Every limit of what the feature brings; the cursor of base() is an overlay. */
static void overlays(struct guest *g)
{
	struct scene s;
	struct commit c;
	uint32_t at;

	EXPECT(g->d->features & PVGPU_FEATURE_PLANES && g->d->planes >= 4,
	       "no overlays");
	EXPECT(make(g, &s), "resources");
	for (at = 1; at + 1 < g->d->planes; at++) {
		base(&c, g, &s);
		patch(&c, CURSOR(plane), 4, at);
		patch(&c, CURSOR(z), 4, 0xffffffff);
		EXPECT_OK(g, "an overlay", guest_commit(g, &c));
	}
	commit_begin(&c);
	commit_head(&c, 0, 0, 0, 0);
	EXPECT_OK(g, "dark", guest_commit(g, &c));
	REFUSE(CURSOR(plane), 4, g->d->planes, LIMIT_PLANES, g->d->planes);
	INVALID_AT(PLANE(blend), 2, 3);
	INVALID_AT(PLANE(transform), 4, 16);
	INVALID_AT(PLANE(transform), 4, 0x80000000);
	INVALID_AT(PLANE(chroma_stride), 4, 1);
	INVALID_AT(PLANE(chroma_offset), 8, 1);
	INVALID_AT(PLANE(chroma_offset), 8, 1ull << 63);
	INVALID_AT(PLANE(ycbcr), 4, 1);
	/* Smaller and larger, but not by any factor. */
	REFUSE(PLANE(dst_w), 4, 0, UNSUPPORTED, PLANE(dst_w));
	REFUSE(PLANE(dst_w), 4, WIDTH / 4 - 1, UNSUPPORTED, PLANE(dst_w));
	REFUSE(PLANE(dst_w), 4, WIDTH * 16 + 1, UNSUPPORTED, PLANE(dst_w));
	REFUSE(PLANE(dst_w), 4, 0xffffffff, UNSUPPORTED, PLANE(dst_w));
	REFUSE(PLANE(dst_h), 4, HEIGHT / 4 - 1, UNSUPPORTED, PLANE(dst_h));
	REFUSE(PLANE(dst_h), 4, HEIGHT * 16 + 1, UNSUPPORTED, PLANE(dst_h));
	/* Turned, the other way round. */
	base(&c, g, &s);
	patch(&c, PLANE(transform), 4, PVGPU_TRANSFORM_TURN_90);
	patch(&c, PLANE(dst_w), 4, HEIGHT * 16 + 1);
	EXPECT_ANSWER(g, "turned, too wide", guest_commit(g, &c),
		      PVGPU_STATUS_UNSUPPORTED, PLANE(dst_w));
	patch(&c, PLANE(dst_w), 4, HEIGHT * 16);
	EXPECT_OK(g, "turned", guest_commit(g, &c));
	/* Two parts, both inside of the resource. */
	base(&c, g, &s);
	patch(&c, PLANE(format), 4, PVGPU_FORMAT_NV12);
	EXPECT_ANSWER(g, "NV12 of one part", guest_commit(g, &c),
		      PVGPU_STATUS_INVALID, PLANE(chroma_stride));
	patch(&c, PLANE(chroma_stride), 4, WIDTH);
	patch(&c, PLANE(chroma_offset), 8, WIDTH * HEIGHT * 4 -
	      WIDTH * HEIGHT / 2 + 1);
	patch(&c, PLANE(stride), 4, WIDTH);
	EXPECT_ANSWER(g, "its second part beyond the end",
		      guest_commit(g, &c), PVGPU_STATUS_RANGE,
		      PLANE(chroma_offset));
	patch(&c, PLANE(chroma_offset), 8, WIDTH * HEIGHT * 4 -
	      WIDTH * HEIGHT / 2);
	EXPECT_OK(g, "NV12", guest_commit(g, &c));
	patch(&c, PLANE(ycbcr), 4, 4);
	EXPECT_ANSWER(g, "colours of no kind", guest_commit(g, &c),
		      PVGPU_STATUS_INVALID, PLANE(ycbcr));
}

static void planes_off(struct guest *g)
{
	static const uint32_t widths[] = { 2, 4, 8 };
	struct scene s;
	struct commit c;
	uint32_t at, size;

	EXPECT(make(g, &s), "resources");
	for (at = PLANE(format); at < PLANE(reserved); at += size) {
		size = at == PLANE(offset) || at == PLANE(chroma_offset) ? 8 :
		       at == PLANE(alpha) || at == PLANE(blend) ? 2 : 4;
		base(&c, g, &s);
		memset(c.bytes + PLANE(resource), 0,
		       232 - PLANE(resource));
		patch(&c, at, widths[size / 4], 1);
		EXPECT_ANSWER(g, "a plane that is off, but",
			      guest_commit(g, &c), PVGPU_STATUS_INVALID, at);
	}
	/* Off on an active head, and on one that is dark. */
	commit_begin(&c);
	commit_head(&c, 0, WIDTH, HEIGHT, 60000);
	commit_plane(&c, 0, 0, 0, 0, 0, 0, 0, 0);
	EXPECT_OK(g, "off", guest_commit(g, &c));
	commit_begin(&c);
	commit_head(&c, 0, 0, 0, 0);
	commit_plane(&c, 0, 0, 0, 0, 0, 0, 0, 0);
	EXPECT_OK(g, "off in the dark", guest_commit(g, &c));
}

static void cursor(struct guest *g)
{
	uint32_t most = g->d->cursor_max, big, p = g->d->planes - 1;
	struct scene s;
	struct commit c;
	int32_t x;

	EXPECT(g->d->features & PVGPU_FEATURE_CURSOR, "no cursor");
	EXPECT(make(g, &s), "resources");
	big = guest_resource(g, (uint64_t)(most + 1) * (most + 1) * 4, NULL);
	EXPECT(big, "resource");
	commit_begin(&c);
	commit_head(&c, 0, WIDTH, HEIGHT, 60000);
	commit_plane(&c, 0, p, big, AR24, most, most, 0, 0);
	EXPECT_OK(g, "the largest cursor", guest_commit(g, &c));
	commit_begin(&c);
	commit_head(&c, 0, WIDTH, HEIGHT, 60000);
	commit_plane(&c, 0, p, big, AR24, most + 1, most, 0, 0);
	EXPECT_ANSWER(g, "too wide", guest_commit(g, &c),
		      PVGPU_STATUS_LIMIT_CURSOR, most);
	commit_begin(&c);
	commit_head(&c, 0, WIDTH, HEIGHT, 60000);
	commit_plane(&c, 0, p, big, AR24, most, most + 1, 0, 0);
	EXPECT_ANSWER(g, "too high", guest_commit(g, &c),
		      PVGPU_STATUS_LIMIT_CURSOR, most);
	/* Anywhere, with any hot spot. */
	for (x = -2000; x <= 2000; x += 500) {
		struct pvgpu_commit_plane *plane;

		commit_begin(&c);
		commit_head(&c, 0, 0, 0, 0)->flags = pvgpu_cpu_to_le32(1);
		plane = commit_plane(&c, 0, p, s.cursor, AR24, 32, 32, x, -x);
		plane->hot_x = pvgpu_cpu_to_le32(31);
		plane->hot_y = pvgpu_cpu_to_le32(7);
		EXPECT_OK(g, "move", guest_commit(g, &c));
	}
	commit_begin(&c);
	commit_head(&c, 0, 0, 0, 0)->flags = pvgpu_cpu_to_le32(1);
	commit_plane(&c, 0, p, s.cursor, AR24, 32, 32, INT32_MIN, INT32_MAX);
	EXPECT_OK(g, "as far away as can be", guest_commit(g, &c));
}

static void clips(struct guest *g)
{
	struct scene s;
	struct commit c;

	EXPECT(make(g, &s), "resources");
	REFUSE(PLANE(clips), 4, 3, INVALID, PLANE(first_clip));
	REFUSE(PLANE(clips), 4, 0xffffffff, INVALID, PLANE(first_clip));
	INVALID_AT(PLANE(first_clip), 4, 1);
	INVALID_AT(PLANE(first_clip), 4, 0xffffffff);
	REFUSE(CLIP(0, x), 4, 1, RANGE, CLIP(0, x));
	REFUSE(CLIP(0, width), 4, WIDTH + 1, RANGE, CLIP(0, x));
	REFUSE(CLIP(0, x), 4, 0xffffffff, RANGE, CLIP(0, x));
	REFUSE(CLIP(1, y), 4, HEIGHT - 9, RANGE, CLIP(1, y));
	REFUSE(CLIP(1, height), 4, 0xffffffff, RANGE, CLIP(1, y));
	/* Nobody's clip is nobody's business; an empty one is none. */
	base(&c, g, &s);
	patch(&c, PLANE(clips), 4, 1);
	patch(&c, CLIP(1, x), 4, 0xffffffff);
	EXPECT_OK(g, "a clip that no plane names", guest_commit(g, &c));
	base(&c, g, &s);
	patch(&c, CLIP(1, width), 4, 0);
	EXPECT_OK(g, "an empty clip", guest_commit(g, &c));
}

static void formats(struct guest *g)
{
	static const uint32_t all[] = {
		PVGPU_FORMAT_XRGB8888, PVGPU_FORMAT_ARGB8888,
		PVGPU_FORMAT_XBGR8888, PVGPU_FORMAT_ABGR8888,
		PVGPU_FORMAT_RGB565,
	};
	uint32_t i, r = guest_resource(g, 700 * 500 * 4, NULL);
	struct pvgpu_commit_plane *p;
	struct commit c;

	EXPECT(r, "resource");
	for (i = 0; i < 5; i++) {
		commit_begin(&c);
		commit_head(&c, 0, WIDTH, HEIGHT, 60000);
		commit_plane(&c, 0, 0, r, all[i], 700, 500, -30, -10);
		EXPECT_OK(g, "a larger framebuffer", guest_commit(g, &c));
	}
	/* A part of it, from a fraction of a pixel. */
	commit_begin(&c);
	commit_head(&c, 0, WIDTH, HEIGHT, 60000);
	p = commit_plane(&c, 0, 0, r, XR24, 700, 500, 0, 0);
	p->src_x = pvgpu_cpu_to_le32((50 << 16) | 0x8000);
	p->src_w = pvgpu_cpu_to_le32(600 << 16);
	p->dst_w = pvgpu_cpu_to_le32(600);
	EXPECT_OK(g, "a part of it", guest_commit(g, &c));
	p->src_x = pvgpu_cpu_to_le32((100 << 16) | 1);
	EXPECT_ANSWER(g, "a fraction beyond it", guest_commit(g, &c),
		      PVGPU_STATUS_RANGE, PLANE(src_x));
}

/* Several things wrong: the first in the order of the checks counts. */
static void order(struct guest *g)
{
	struct scene s;
	struct commit c;

	EXPECT(make(g, &s), "resources");
	base(&c, g, &s);
	patch(&c, CLIP(0, x), 4, 0xffffffff);
	patch(&c, CURSOR(dst_w), 4, 1);
	patch(&c, PLANE(offset), 8, ~0ull);
	patch(&c, PLANE(format), 4, 1);
	patch(&c, MODE(hdisplay), 2, 0xffff);
	patch(&c, MODE(clock), 4, 0);
	patch(&c, HEAD(head), 4, 99);
	patch(&c, COMMIT(reserved), 4, 1);
#define NEXT(status, detail, at, size, value) do { \
		EXPECT_ANSWER(g, "the first", guest_commit(g, &c), \
			      PVGPU_STATUS_##status, detail); \
		patch(&c, at, size, value); \
	} while (0)
	NEXT(INVALID, COMMIT(reserved), COMMIT(reserved), 4, 0);
	NEXT(LIMIT_HEADS, g->d->heads, HEAD(head), 4, 0);
	NEXT(INVALID, MODE(clock), MODE(clock), 4, 1000);
	NEXT(INVALID, MODE(hsync_start), MODE(hdisplay), 2, WIDTH);
	NEXT(UNSUPPORTED, PLANE(format), PLANE(format), 4, XR24);
	NEXT(RANGE, PLANE(offset), PLANE(offset), 8, 0);
	NEXT(RANGE, CLIP(0, x), CLIP(0, x), 4, 0);
	NEXT(UNSUPPORTED, CURSOR(dst_w), CURSOR(dst_w), 4, 32);
#undef NEXT
	EXPECT_OK(g, "all put right", guest_commit(g, &c));
}

static void all_or_nothing(struct guest *g)
{
	uint32_t first = guest_resource(g, WIDTH * HEIGHT * 4, NULL);
	uint32_t second = guest_resource(g, WIDTH * HEIGHT * 4, NULL);
	struct commit c;

	EXPECT(first && second, "resources");
	commit_begin(&c);
	commit_head(&c, 0, WIDTH, HEIGHT, 60000);
	commit_plane(&c, 0, 0, first, XR24, WIDTH, HEIGHT, 0, 0);
	EXPECT_OK(g, "show the first", guest_commit(g, &c));
	/* The plane is right, the cursor is not; nothing may change. */
	commit_begin(&c);
	commit_head(&c, 0, 320, 200, 60000);
	commit_plane(&c, 0, 0, second, XR24, WIDTH, HEIGHT, 0, 0);
	commit_plane(&c, 0, g->d->planes - 1, 999, AR24, 32, 32, 0, 0);
	EXPECT_ANSWER(g, "a cursor of nothing", guest_commit(g, &c),
		      PVGPU_STATUS_NOT_FOUND, CURSOR(resource));
	EXPECT_ANSWER(g, "the first is still shown", guest_destroy(g, first),
		      PVGPU_STATUS_BUSY, 16);
	EXPECT_OK(g, "the second never was", guest_destroy(g, second));
	if (g->d->heads > 1) {
		commit_begin(&c);
		commit_head(&c, 0, 0, 0, 0);
		commit_head(&c, 1, g->d->max_width + 1, 100, 60000);
		EXPECT_ANSWER(g, "two heads, the second wrong",
			      guest_commit(g, &c), PVGPU_STATUS_LIMIT_MODE,
			      g->d->max_width);
		EXPECT(guest_head_active(g, 0), "the first went dark");
	}
}

static void test_only(struct guest *g)
{
	struct scene s;
	struct commit c;

	EXPECT(make(g, &s), "resources");
	base(&c, g, &s);
	patch(&c, COMMIT(flags), 4, PVGPU_COMMIT_TEST);
	EXPECT_OK(g, "test", guest_commit(g, &c));
	EXPECT(!guest_head_active(g, 0), "a test lit the head");
	EXPECT_OK(g, "a test showed it", guest_destroy(g, s.cursor));
	EXPECT_ANSWER(g, "test without the cursor", guest_commit(g, &c),
		      PVGPU_STATUS_NOT_FOUND, CURSOR(resource));
}

/* A completed commit has let go of what was shown before. */
static void released(struct guest *g)
{
	uint32_t shown = 0, next, i, kept;
	uint64_t vram;
	struct commit c;

	kept = guest_resource(g, 32 * 32 * 4, NULL);
	EXPECT(kept, "resource");
	vram = g->vram_used;
	for (i = 0; i < 20; i++) {
		g->vram_used = vram + (i % 2) * WIDTH * HEIGHT * 4;
		next = guest_resource(g, WIDTH * HEIGHT * 4, NULL);
		EXPECT(next, "resource");
		commit_begin(&c);
		commit_head(&c, 0, i ? 0 : WIDTH, HEIGHT, 60000)->flags =
			pvgpu_cpu_to_le32(i ? 1 : 3);
		commit_plane(&c, 0, 0, next, XR24, WIDTH, HEIGHT, 0, 0);
		if (!i)
			commit_plane(&c, 0, g->d->planes - 1, kept, AR24, 32,
				     32, 0, 0);
		EXPECT_OK(g, "flip", guest_commit(g, &c));
		if (shown)
			EXPECT_OK(g, "the buffer before",
				  guest_destroy(g, shown));
		shown = next;
	}
	/* A plane that was not named kept its state. */
	EXPECT_ANSWER(g, "the cursor", guest_destroy(g, kept),
		      PVGPU_STATUS_BUSY, 16);
	/* A head that goes dark loses all of it, and it stays lost. */
	commit_begin(&c);
	commit_head(&c, 0, 0, 0, 0);
	EXPECT_OK(g, "dark", guest_commit(g, &c));
	commit_begin(&c);
	commit_head(&c, 0, WIDTH, HEIGHT, 60000);
	EXPECT_OK(g, "lit again", guest_commit(g, &c));
	EXPECT_OK(g, "screen", guest_destroy(g, shown));
	EXPECT_OK(g, "cursor", guest_destroy(g, kept));
}

const struct test commit_tests[] = {
	{ "commit", base_is_right, false },
	{ "commit-shape", shape, false },
	{ "commit-names", names, false },
	{ "commit-modes", modes, false },
	{ "commit-pixel-budget", pixels, false },
	{ "commit-planes", planes, false },
	{ "commit-planes-off", planes_off, false },
	{ "commit-overlays", overlays, false },
	{ "commit-cursor", cursor, false },
	{ "commit-clips", clips, false },
	{ "commit-formats", formats, false },
	{ "commit-order-of-checks", order, false },
	{ "commit-all-or-nothing", all_or_nothing, false },
	{ "commit-test-only", test_only, false },
	{ "commit-releases-buffers", released, false },
	{ NULL, NULL, false },
};
