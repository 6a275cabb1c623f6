// SPDX-License-Identifier: MIT
/* COMMIT: every check, its order, what is latched and when. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include <sys/mman.h>

#include "support_worker.h"

#define LE(v) pvgpu_cpu_to_le32(v)
#define LE16(v) pvgpu_cpu_to_le16(v)
#define CURSOR (WINDOW_PLANES - 1)

/* Offsets in a message of two heads and two planes. */
#define HEAD_AT(n) (40u + 64u * (n))
#define PLANE_AT(n) (40u + 128u + 128u * (n))
#define CLIP_AT(n) (PLANE_AT(2) + 16u * (n))

/* Two heads at 1024x768 with a primary each, and a cursor on head 0. */
static struct rig_commit good(void)
{
	struct rig_commit c = { 0 };

	commit_head(&c, 0, 1024, 768);
	commit_head(&c, 1, 1024, 768);
	commit_plane(&c, 0, 0, 1, PVGPU_FORMAT_XRGB8888, 1024, 768, 0, 0);
	commit_plane(&c, 0, CURSOR, 2, PVGPU_FORMAT_ARGB8888, 64, 64, -10,
		     700);
	return c;
}

static void up_with(struct rig *rig, uint64_t features)
{
	rig_up(rig);
	rig->hello.features = features;
	assert_int_equal(pvgpu_client_attach(&rig->client, &rig->hello, 1000),
			 0);
	rig_resource(rig, 1, 0, 1024 * 768 * 4);
	rig_resource(rig, 2, 16 << 20, 64 * 64 * 4);
	assert_int_equal(rig_create(rig, 3, 1 << 20), 0);	/* not backed */
	rig_resource(rig, 4, 32 << 20, 128 * 128 * 4);
}

/* A guest that knows a primary and a cursor, not scaled. */
static void up(struct rig *rig)
{
	up_with(rig, ~PVGPU_FEATURE_PLANES);
}

#define COMMIT(want, offset, change) do { \
	struct rig_commit c = good(); \
	struct pvgpu_commit_head *h = c.heads; \
	struct pvgpu_commit_plane *p = c.planes; \
	int got; \
	(void)h, (void)p; \
	change; \
	got = rig_commit(&rig, &c); \
	if (got != PVGPU_STATUS_##want || rig.detail != (offset)) \
		fail_msg("line %d: status %d detail %u", __LINE__, got, \
			 rig.detail); \
} while (0)

static void test_shape(void **state)
{
	struct rig rig;

	(void)state;
	up(&rig);
	COMMIT(INVALID, 0, c.extra = 8);
	COMMIT(INVALID, 0, c.extra = -8);
	COMMIT(INVALID, 20, c.commit.flags = LE(2));
	COMMIT(INVALID, 36, c.commit.reserved = LE(1));
	COMMIT(INVALID, HEAD_AT(1) + 44, h[1].reserved[0] = LE(1));
	COMMIT(INVALID, HEAD_AT(0) + 60, h[0].reserved[4] = LE(1));
	COMMIT(INVALID, PLANE_AT(1) + 124, p[1].reserved[3] = LE(1));
	COMMIT(INVALID, PLANE_AT(1) + 88, p[1].z = LE(1));
	COMMIT(INVALID, PLANE_AT(1) + 108, p[1].ycbcr = LE(1));
	/* Names. */
	COMMIT(LIMIT_HEADS, 2, c.commit.heads = LE(7));
	COMMIT(LIMIT_HEADS, 2, h[1].head = LE(2));
	COMMIT(LIMIT_HEADS, 2, p[0].head = LE(~0u));
	COMMIT(INVALID, HEAD_AT(1), h[1].head = 0);		/* twice */
	COMMIT(INVALID, HEAD_AT(1), c.commit.heads = LE(1));
	COMMIT(INVALID, 16, (c.head_count = 0, c.plane_count = 0));
	COMMIT(INVALID, PLANE_AT(1) + 4, p[1].plane = 0);	/* twice */
	COMMIT(LIMIT_PLANES, 4, p[1].plane = LE(4));
	COMMIT(LIMIT_PLANES, 4, p[1].plane = LE(~0u));
	COMMIT(UNSUPPORTED, PLANE_AT(1) + 4, p[1].plane = LE(1));
	COMMIT(OK, 0, (void)0);
	/* Nothing at all is nothing wrong. */
	COMMIT(OK, 0, (c.commit.heads = 0, c.head_count = c.plane_count = 0));
	assert_int_equal(rig_query(&rig).heads[0].frames, 1);
	rig_down(&rig);
}

static void test_modes(void **state)
{
	struct rig rig;

	(void)state;
	up(&rig);
#define AT(field) (HEAD_AT(0) + 16 + offsetof(struct pvgpu_mode, field))
	COMMIT(INVALID, HEAD_AT(0) + 4, h->flags = LE(4));
	COMMIT(INVALID, AT(clock), h->mode.clock = 0);
	COMMIT(INVALID, AT(hdisplay), h->mode.hdisplay = 0);
	COMMIT(INVALID, AT(hsync_start), h->mode.hsync_start = LE16(1023));
	COMMIT(INVALID, AT(hsync_end), h->mode.hsync_end = LE16(1024));
	COMMIT(INVALID, AT(htotal), h->mode.htotal = LE16(1100));
	COMMIT(INVALID, AT(vdisplay), h->mode.vdisplay = 0);
	COMMIT(INVALID, AT(vsync_start), h->mode.vsync_start = LE16(767));
	COMMIT(INVALID, AT(vsync_end), h->mode.vsync_end = LE16(768));
	COMMIT(INVALID, AT(vtotal), h->mode.vtotal = LE16(770));
	COMMIT(INVALID, AT(flags), h->mode.flags = LE(PVGPU_MODE_INTERLACED));
	COMMIT(INVALID, AT(flags), h->mode.flags = LE(8));
	COMMIT(OK, 0, h->mode.flags = LE(3));
	COMMIT(LIMIT_MODE, 61000, h->mode.clock = LE(60000));
	COMMIT(LIMIT_MODE, 1920, (h->mode.hdisplay = LE16(1921),
	       h->mode.hsync_start = h->mode.hsync_end = h->mode.htotal =
	       LE16(2100)));
	COMMIT(LIMIT_MODE, 1200, (h->mode.vdisplay = LE16(1201),
	       h->mode.vsync_start = h->mode.vsync_end = h->mode.vtotal =
	       LE16(1300)));
	/* Without HEAD_MODE there is no mode, and on a dark head it is missed;
	 * head 0 is lit by now, head 1 too. */
	COMMIT(INVALID, AT(clock), h->flags = LE(1));
	COMMIT(OK, 0, (h->flags = LE(1), memset(&h->mode, 0, 24)));
	COMMIT(INVALID, HEAD_AT(0) + 4, h->flags = LE(2));
	COMMIT(OK, 0, (h->flags = 0, memset(&h->mode, 0, 24),
		       c.plane_count = 0));
	COMMIT(INVALID, HEAD_AT(0) + 4, (h->flags = LE(1),
					 memset(&h->mode, 0, 24)));
	rig_down(&rig);
}

static void test_pixels(void **state)
{
	struct rig_commit c = { 0 };
	struct rig rig;

	(void)state;
	up(&rig);
	/* 1920x1080 and 1280x1024 fit just so. */
	commit_head(&c, 0, 1920, 1080);
	assert_int_equal(rig_commit(&rig, &c), 0);
	memset(&c, 0, sizeof(c));
	commit_head(&c, 1, 1280, 1025);
	assert_int_equal(rig_commit(&rig, &c), PVGPU_STATUS_LIMIT_PIXELS);
	assert_int_equal(rig.detail, 1920 * 1080 + 1280 * 1024);
	memset(&c, 0, sizeof(c));
	commit_head(&c, 1, 1280, 1024);
	assert_int_equal(rig_commit(&rig, &c), 0);
	/* What the commit itself switches off does not count. */
	memset(&c, 0, sizeof(c));
	commit_head(&c, 0, 0, 0);
	commit_head(&c, 1, 1920, 1200);
	assert_int_equal(rig_commit(&rig, &c), 0);
	rig_down(&rig);
}

static void test_planes(void **state)
{
	struct rig rig;

	(void)state;
	up(&rig);
#define PAT(n, field) (PLANE_AT(n) + offsetof(struct pvgpu_commit_plane, field))
	COMMIT(NOT_FOUND, PAT(0, resource), p->resource = LE(99));
	COMMIT(INVALID, PAT(0, resource), p->resource = LE(3));
	COMMIT(UNSUPPORTED, PAT(0, format), p->format = LE(0x34325258 + 1));
	COMMIT(INVALID, PAT(0, width), p->width = 0);
	COMMIT(INVALID, PAT(0, height), p->height = 0);
	COMMIT(INVALID, PAT(0, stride), p->stride = LE(4095));
	COMMIT(RANGE, PAT(0, offset), p->offset = 4);
	COMMIT(RANGE, PAT(0, offset), p->offset = ~0ull);
	COMMIT(RANGE, PAT(0, offset), p->stride = LE(~0u));
	COMMIT(RANGE, PAT(0, offset), p->height = LE(~0u));
	COMMIT(RANGE, PAT(0, src_x), p->src_x = LE(1));
	COMMIT(RANGE, PAT(0, src_y), p->src_y = LE(~0u));
	COMMIT(INVALID, PAT(0, src_w), p->src_w = 0);
	COMMIT(INVALID, PAT(0, src_h), p->src_h = 0);
	COMMIT(UNSUPPORTED, PAT(0, dst_w), p->dst_w = LE(1023));
	COMMIT(UNSUPPORTED, PAT(0, dst_h), p->dst_h = LE(0x10000 + 768));
	COMMIT(UNSUPPORTED, PAT(0, dst_w), p->src_w = LE((1023 << 16) + 1));
	COMMIT(INVALID, PAT(0, blend), p->blend = LE16(2));
	COMMIT(INVALID, PAT(0, hot_x), p->hot_x = LE(1));
	COMMIT(INVALID, PAT(0, hot_y), p->hot_y = LE(1));
	COMMIT(OK, 0, (p[1].hot_x = LE(3), p[1].hot_y = LE(4)));
	/* Anywhere on or off the screen. */
	COMMIT(OK, 0, (p->dst_x = LE(~0u), p->dst_y = LE(0x7fffffff)));
	COMMIT(OK, 0, (p->dst_x = LE(0x80000000), p->dst_y = LE(0x80000000)));
	COMMIT(OK, 0, p->alpha = 0);
	/* On a dark head. */
	COMMIT(INVALID, PAT(0, head), (h->flags = 0, memset(&h->mode, 0, 24)));
	COMMIT(LIMIT_CURSOR, 64, (p[1].resource = LE(4), p[1].width = LE(65),
	       p[1].stride = LE(65 * 4), p[1].src_w = LE(65 << 16),
	       p[1].dst_w = LE(65)));
	/* Part of a large one is small enough. */
	COMMIT(OK, 0, (p[1].resource = LE(4), p[1].width = LE(128),
	       p[1].height = LE(128), p[1].stride = LE(512),
	       p[1].src_x = LE(64 << 16)));
	/* Off says nothing else. */
#define OFF(field, value) \
	COMMIT(INVALID, PAT(1, field), (memset(&p[1], 0, sizeof(p[1])), \
	       p[1].plane = LE(CURSOR), p[1].field = value))
	OFF(format, LE(1));
	OFF(offset, 1);
	OFF(offset, 1ull << 40);
	OFF(stride, LE(1));
	OFF(hot_y, LE(1));
	OFF(alpha, LE16(1));
	OFF(blend, LE16(1));
	OFF(first_clip, LE(1));
	OFF(clips, LE(1));
	COMMIT(OK, 0, (memset(&p[1], 0, sizeof(p[1])),
	       p[1].plane = LE(CURSOR)));
	rig_down(&rig);
}

/* Makes the first plane one of resource 4, 64x64 of 128x128. */
#define SMALL (p->resource = LE(4), p->width = p->height = LE(128), \
	       p->stride = LE(512), p->src_w = p->src_h = LE(64 << 16), \
	       p->dst_w = p->dst_h = LE(64))

/* With the feature: overlays, sizes, turns, formats. */
static void test_overlays(void **state)
{
	struct rig rig;

	(void)state;
	up_with(&rig, ~0ull);
	COMMIT(OK, 0, p[1].plane = LE(1));
	COMMIT(OK, 0, p[1].plane = LE(2));
	COMMIT(LIMIT_PLANES, 4, p[1].plane = LE(4));
	COMMIT(INVALID, PAT(1, plane), p[1].plane = 0);	/* twice */
	COMMIT(INVALID, PAT(1, reserved), p[1].reserved[0] = LE(1));
	COMMIT(OK, 0, (p[0].z = LE(~0u), p[1].z = LE(7)));
	/* Overlays are no cursors: of any size, and with no hot spot. */
	COMMIT(OK, 0, (SMALL, p->plane = LE(1), p->dst_w = LE(128),
		       p->dst_h = LE(200)));
	COMMIT(INVALID, PAT(0, hot_x), (SMALL, p->plane = LE(1),
					p->hot_x = LE(1)));
	/* Sizes: a quarter to sixteen times as large. */
	COMMIT(OK, 0, (SMALL, p->dst_w = LE(16), p->dst_h = LE(1024)));
	COMMIT(OK, 0, (SMALL, p->dst_w = LE(1024), p->dst_h = LE(16)));
	COMMIT(UNSUPPORTED, PAT(0, dst_w), (SMALL, p->dst_w = LE(15)));
	COMMIT(UNSUPPORTED, PAT(0, dst_w), (SMALL, p->dst_w = LE(1025)));
	COMMIT(UNSUPPORTED, PAT(0, dst_w), (SMALL, p->dst_w = 0));
	COMMIT(UNSUPPORTED, PAT(0, dst_w), (SMALL, p->dst_w = LE(~0u)));
	COMMIT(UNSUPPORTED, PAT(0, dst_h), (SMALL, p->dst_h = LE(15)));
	COMMIT(UNSUPPORTED, PAT(0, dst_h), (SMALL, p->dst_h = LE(1025)));
	COMMIT(OK, 0, (SMALL, p->dst_w = LE(1), p->src_w = LE(0x1000)));
	COMMIT(UNSUPPORTED, PAT(0, dst_w), (SMALL, p->dst_w = LE(1),
					    p->src_w = LE(0xfff)));
	COMMIT(LIMIT_CURSOR, 64, p[1].dst_w = LE(65));
	/* Turned: what was the width is the height. */
	COMMIT(OK, 0, (SMALL, p->transform = LE(15)));
	COMMIT(INVALID, PAT(0, transform), (SMALL, p->transform = LE(16)));
	COMMIT(OK, 0, (SMALL, p->transform = LE(1), p->src_w = LE(16 << 16),
		       p->dst_w = LE(64), p->dst_h = LE(16)));
	COMMIT(OK, 0, (SMALL, p->transform = LE(1), p->src_w = LE(8 << 16),
		       p->dst_h = LE(128)));
	COMMIT(UNSUPPORTED, PAT(0, dst_h), (SMALL, p->transform = LE(3),
	       p->src_w = LE(8 << 16), p->dst_h = LE(129)));
	/* Sources that are too long for it, but not if nothing is done. */
#define LONG (p->width = LE(65535), p->height = LE(1), p->offset = 0, \
	      p->stride = LE(65535 * 4), p->src_w = LE(32768u << 16), \
	      p->src_h = LE(1 << 16), p->dst_w = LE(32768), p->dst_h = LE(1))
	COMMIT(OK, 0, LONG);
	COMMIT(UNSUPPORTED, PAT(0, src_w), (LONG, p->transform = LE(4)));
	COMMIT(UNSUPPORTED, PAT(0, src_w), (LONG, p->dst_w = LE(32767)));
	COMMIT(UNSUPPORTED, PAT(0, src_w), (LONG, p->transform = LE(1),
	       p->dst_w = LE(1), p->dst_h = LE(32768)));
	COMMIT(OK, 0, (LONG, p->src_w = LE(32767u << 16),
		       p->dst_w = LE(32768)));
	/* Formats. */
	COMMIT(OK, 0, p->format = LE(PVGPU_FORMAT_ARGB2101010));
	COMMIT(OK, 0, p->blend = LE16(PVGPU_BLEND_COVERAGE));
	COMMIT(INVALID, PAT(0, blend), p->blend = LE16(3));
#define NV12 (SMALL, p->format = LE(PVGPU_FORMAT_NV12), p->stride = LE(128), \
	      p->chroma_offset = 128 * 128, p->chroma_stride = LE(128))
	COMMIT(OK, 0, NV12);
	COMMIT(OK, 0, (NV12, p->ycbcr = LE(3)));
	COMMIT(OK, 0, (NV12, p->width = LE(127), p->height = LE(127)));
	COMMIT(INVALID, PAT(0, ycbcr), (NV12, p->ycbcr = LE(4)));
	COMMIT(INVALID, PAT(0, ycbcr), p->ycbcr = LE(1));
	COMMIT(INVALID, PAT(0, chroma_stride), (NV12,
						p->chroma_stride = LE(127)));
	COMMIT(INVALID, PAT(0, chroma_stride), (NV12, p->width = LE(127),
						p->chroma_stride = LE(127)));
	COMMIT(INVALID, PAT(0, chroma_stride), p->chroma_stride = LE(1));
	COMMIT(INVALID, PAT(0, chroma_offset), p->chroma_offset = 1);
	COMMIT(INVALID, PAT(0, chroma_offset), p->chroma_offset = 1ull << 60);
	COMMIT(OK, 0, (NV12, p->chroma_offset = 128 * 128 * 4 - 128 * 64));
	COMMIT(RANGE, PAT(0, chroma_offset), (NV12,
	       p->chroma_offset = 128 * 128 * 4 - 128 * 64 + 1));
	COMMIT(RANGE, PAT(0, chroma_offset), (NV12,
					      p->chroma_offset = ~0ull));
	COMMIT(RANGE, PAT(0, chroma_offset), (NV12,
					      p->chroma_stride = LE(~0u)));
	/* Off says nothing of them either. */
	OFF(z, LE(1));
	OFF(transform, LE(1));
	OFF(chroma_offset, 1ull << 40);
	OFF(chroma_stride, LE(1));
	OFF(ycbcr, LE(1));
	rig_down(&rig);
}

/* Without it there is nothing of them. */
static void test_no_overlays(void **state)
{
	static const uint32_t formats[] = {
		PVGPU_FORMAT_XRGB2101010, PVGPU_FORMAT_ARGB2101010,
		PVGPU_FORMAT_NV12,
	};
	struct rig rig;

	(void)state;
	up(&rig);
	for (uint32_t i = 0; i < ARRAY_SIZE(formats); i++)
		COMMIT(UNSUPPORTED, PAT(0, format), p->format = LE(formats[i]));
	COMMIT(INVALID, PAT(0, chroma_offset) + 4,
	       p->chroma_offset = 1ull << 40);
	COMMIT(INVALID, PAT(0, transform), p->transform = LE(4));
	rig_down(&rig);
}

static struct pvgpu_rect clip(uint32_t x, uint32_t y, uint32_t w, uint32_t h)
{
	return (struct pvgpu_rect){ LE(x), LE(y), LE(w), LE(h) };
}

static void test_clips(void **state)
{
	struct rig rig;

	(void)state;
	up(&rig);
	COMMIT(INVALID, PAT(0, first_clip), p->clips = LE(1));
	COMMIT(INVALID, PAT(0, first_clip), (c.clip_count = 2,
	       p->first_clip = LE(1), p->clips = LE(2)));
	COMMIT(INVALID, PAT(0, first_clip), (c.clip_count = 2,
	       p->first_clip = LE(~0u), p->clips = LE(2)));
	COMMIT(OK, 0, (c.clip_count = 2, p->first_clip = LE(1),
	       p->clips = LE(1), c.clips[0] = clip(5000, 0, 1, 1),
	       c.clips[1] = clip(1023, 767, 1, 1)));
	COMMIT(RANGE, CLIP_AT(1), (c.clip_count = 2, p->clips = LE(2),
	       c.clips[1] = clip(1024, 0, 1, 1)));
	COMMIT(RANGE, CLIP_AT(0), (c.clip_count = 2, p->clips = LE(2),
	       c.clips[0] = clip(1, 0, ~0u, 1)));
	COMMIT(RANGE, CLIP_AT(1) + 4, (c.clip_count = 2, p->clips = LE(2),
	       c.clips[1] = clip(0, 700, 1, 69)));
	rig_down(&rig);
}

/* All or nothing, and only what was named. */
static void test_latch(void **state)
{
	struct worker_query_done q;
	struct rig rig;

	(void)state;
	up(&rig);
	COMMIT(OK, 0, c.commit.flags = LE(PVGPU_COMMIT_TEST));
	q = rig_query(&rig);
	assert_false(q.heads[0].active);
	assert_int_equal(q.heads[0].frames, 0);
	COMMIT(OK, 0, (void)0);
	q = rig_query(&rig);
	assert_true(q.heads[0].active && q.heads[1].active);
	assert_int_equal(q.heads[0].width, 1024);
	assert_int_equal(q.heads[0].refresh,
			 mode_refresh(1184 * 808 * 60 / 1000, 1184, 808));
	assert_int_equal(q.heads[1].frames, 1);

	/* Shown: not to be destroyed; head 1's planes stay when head 0 goes. */
	assert_int_equal(rig_destroy(&rig, 1), PVGPU_STATUS_BUSY);
	assert_int_equal(rig_destroy(&rig, 2), PVGPU_STATUS_BUSY);
	COMMIT(OK, 0, (c.commit.heads = LE(2), c.head_count = 1,
		       h[0] = h[1], c.plane_count = 1, p->head = LE(1)));
	/* A commit whose last plane is bad changes nothing of the first. */
	COMMIT(NOT_FOUND, PAT(1, resource), (p[0].resource = LE(4),
	       p[0].width = p[0].dst_w = LE(100),
	       p[0].height = p[0].dst_h = LE(100),
	       p[0].src_w = p[0].src_h = LE(100 << 16),
	       p[0].stride = LE(400), p[1].resource = LE(77)));
	assert_int_equal(rig_destroy(&rig, 4), 0);
	COMMIT(OK, 0, (c.commit.heads = LE(1), c.head_count = 1,
		       c.plane_count = 0, h->flags = 0,
		       memset(&h->mode, 0, 24)));
	assert_int_equal(rig_destroy(&rig, 2), 0);
	assert_int_equal(rig_destroy(&rig, 1), PVGPU_STATUS_BUSY);
	COMMIT(OK, 0, (c.commit.heads = LE(2), c.head_count = 1, h[0] = h[1],
		       c.plane_count = 1, memset(p, 0, sizeof(*p)),
		       p->head = LE(1)));
	assert_int_equal(rig_destroy(&rig, 1), 0);
	rig_down(&rig);
}

/* Without the feature there is no cursor plane. */
static void test_no_cursor(void **state)
{
	struct rig rig;

	(void)state;
	up(&rig);
	rig.hello.features = PVGPU_FEATURE_COPY;
	assert_int_equal(pvgpu_client_attach(&rig.client, &rig.hello, 1000), 0);
	rig_resource(&rig, 1, 0, 1024 * 768 * 4);
	rig_resource(&rig, 2, 16 << 20, 64 * 64 * 4);
	COMMIT(UNSUPPORTED, PAT(1, plane), (void)0);
	rig_down(&rig);
}

/* A picture that is being taken shows one frame, whatever is committed. */
static void test_picture_and_commit(void **state)
{
	struct worker_screenshot ask = {
		.header = { WORKER_SCREENSHOT, 1 },
	};
	struct worker_query query = { { WORKER_QUERY, 2 } };
	union worker_message answer;
	struct rig_commit c = { 0 };
	int fds[FDPASS_MAX];
	const uint32_t *pixels;
	uint32_t *other, wrong = 0;
	size_t count;
	struct rig rig;

	(void)state;
	rig_up(&rig);
	rig_resource(&rig, 1, 0, 1920 * 1080 * 4);
	rig_resource(&rig, 2, 16 << 20, 1920 * 1080 * 4);
	memset(rig.vram, 0x11, 1920 * 1080 * 4);
	memset(rig.vram + (16 << 20), 0x22, 1920 * 1080 * 4);
	commit_head(&c, 0, 1920, 1080);
	commit_plane(&c, 0, 0, 1, PVGPU_FORMAT_XRGB8888, 1920, 1080, 0, 0);
	assert_int_equal(rig_commit(&rig, &c), 0);
	assert_int_equal(worker_link_send(rig.link, &ask, NULL, 0), 0);
	assert_int_equal(worker_link_send(rig.link, &query, NULL, 0), 0);
	for (int i = 0; i < 4; i++)
		assert_int_equal(worker_turn(rig.worker, 0), 0);
	assert_true(rig.worker->present.row > 0);
	assert_true(rig.worker->present.head != NULL);
	c.planes[0].resource = LE(2);
	c.heads[0].frame = 77;
	assert_int_equal(rig_commit(&rig, &c), 0);
	/* The old buffer is the guest's again: nothing of this is seen. */
	memset(rig.vram, 0x33, 1920 * 1080 * 4);
	/* The question behind it did not wait for the picture. */
	assert_true(worker_link_receive(rig.link, &answer, fds, &count) > 0);
	assert_int_equal(answer.header.op, WORKER_QUERY_DONE);
	assert_true(worker_link_receive(rig.link, &answer, fds, &count) > 0);
	assert_int_equal(answer.header.op, WORKER_SCREENSHOT_DONE);
	assert_int_equal(answer.screenshot_done.error, 0);
	assert_int_equal(answer.screenshot_done.frame, 1001);
	pixels = mmap(NULL, 1920 * 1080 * 4, PROT_READ, MAP_SHARED, fds[0], 0);
	assert_true(pixels != MAP_FAILED);
	for (uint32_t i = 0; i < 1920 * 1080; i++)
		wrong += pixels[i] != 0xff111111;
	assert_int_equal(wrong, 0);
	munmap((void *)pixels, 1920 * 1080 * 4);
	close(fds[0]);
	assert_int_equal(rig_screenshot(&rig, 0, &other).frame, 77);
	assert_int_equal(other[12345], 0xff222222);
	munmap(other, 1920 * 1080 * 4);
	assert_int_equal(rig_screenshot(&rig, 1, &other).error, ENODATA);
	assert_int_equal(rig_screenshot(&rig, 2, &other).error, ENODEV);
	assert_int_equal(rig_screenshot(&rig, ~0u, &other).error, ENODEV);

	/* The guest goes in the middle of one. */
	assert_int_equal(worker_link_send(rig.link, &ask, NULL, 0), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(worker_turn(rig.worker, 0), 0);
	assert_int_equal(pvgpu_client_detach(&rig.client, 1000), 0);
	assert_true(worker_link_receive(rig.link, &answer, fds, &count) > 0);
	assert_int_equal(answer.screenshot_done.error, ENODATA);
	rig_down(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shape),
		cmocka_unit_test(test_modes),
		cmocka_unit_test(test_pixels),
		cmocka_unit_test(test_planes),
		cmocka_unit_test(test_overlays),
		cmocka_unit_test(test_no_overlays),
		cmocka_unit_test(test_clips),
		cmocka_unit_test(test_latch),
		cmocka_unit_test(test_no_cursor),
		cmocka_unit_test(test_picture_and_commit),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	log_set_level(LEVEL_ERROR);
	return cmocka_run_group_tests_name("worker commit", tests, NULL, NULL);
}
