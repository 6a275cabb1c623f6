// SPDX-License-Identifier: MIT
/* Planes to pixels with pixman; see compose.h. */
#include "compose.h"

#include <errno.h>
#include <limits.h>
#include <pixman.h>
#include <stdlib.h>

#define BAND_BYTES (512u << 10)

/* What of a plane is seen in the rows at hand. */
struct visible {
	uint32_t src_x, src_y;		/* in the framebuffer */
	uint32_t dst_x, dst_y;		/* in the rows at hand */
	uint32_t w, h;
};

void composer_finish(struct composer *c)
{
	free(c->rows);
	*c = (struct composer){ 0 };
}

uint32_t compose_band(uint32_t width)
{
	uint32_t rows = BAND_BYTES / 4 / width;

	return rows ? rows : 1;
}

/* Clips [at, at + length) to [low, high): what is left, and how much was cut
 * off in front. */
static bool clip(int64_t at, uint32_t length, int64_t low, int64_t high,
		 uint32_t *ret_at, uint32_t *ret_length, uint32_t *ret_cut)
{
	int64_t from = at > low ? at : low;
	int64_t to = at + length < high ? at + length : high;

	if (from >= to)
		return false;
	*ret_at = (uint32_t)(from - low);
	*ret_length = (uint32_t)(to - from);
	*ret_cut = (uint32_t)(from - at);
	return true;
}

static bool clip_plane(const struct head_state *head,
		       const struct plane_state *p, uint32_t y, uint32_t count,
		       struct visible *v)
{
	uint32_t cut_x, cut_y;

	if (!p->resource ||
	    !clip(p->dst_x, p->w, 0, head->width, &v->dst_x, &v->w, &cut_x) ||
	    !clip(p->dst_y, p->h, y, (int64_t)y + count, &v->dst_y, &v->h,
		  &cut_y))
		return false;
	v->src_x = p->src_x + cut_x;
	v->src_y = p->src_y + cut_y;
	return true;
}

bool compose_visible(const struct head_state *head, uint32_t plane,
		     uint32_t *ret_x, uint32_t *ret_y, uint32_t *ret_width,
		     uint32_t *ret_height)
{
	struct visible v;

	if (!clip_plane(head, &head->planes[plane], 0, head->height, &v))
		return false;
	*ret_x = v.src_x;
	*ret_y = v.src_y;
	*ret_width = v.w;
	*ret_height = v.h;
	return true;
}

static pixman_format_code_t pixman_format(const struct plane_state *p)
{
	bool alpha = p->blend == PVGPU_BLEND_PREMULTIPLIED;

	switch (p->format) {
	case PVGPU_FORMAT_ARGB8888:
		return alpha ? PIXMAN_a8r8g8b8 : PIXMAN_x8r8g8b8;
	case PVGPU_FORMAT_ABGR8888:
		return alpha ? PIXMAN_a8b8g8r8 : PIXMAN_x8b8g8r8;
	case PVGPU_FORMAT_XBGR8888:
		return PIXMAN_x8b8g8r8;
	case PVGPU_FORMAT_RGB565:
		return PIXMAN_r5g6b5;
	default:
		return PIXMAN_x8r8g8b8;
	}
}

static bool opaque(const struct plane_state *p)
{
	return p->alpha == 0xffff && !PIXMAN_FORMAT_A(pixman_format(p));
}

/* Of a surface, in place: what was read back begins where it is seen. */
static pixman_image_t *surface_source(const struct compose_surface *s,
				      const struct plane_state *p,
				      const struct visible *v)
{
	return pixman_image_create_bits_no_clear(
		pixman_format(p), (int)v->w, (int)v->h,
		(void *)(uintptr_t)(s->pixels +
				    (size_t)(v->src_y - s->y) * s->stride),
		(int)s->stride);
}

/* The plane's visible pixels as an image: in place where they lie in one
 * piece that pixman can address, else gathered row by row. */
static pixman_image_t *source(struct composer *c,
			      const struct resource_table *resources,
			      const struct plane_state *p,
			      const struct visible *v)
{
	uint32_t pixel = pvgpu_format_bytes(p->format);
	uint64_t at = p->offset + (uint64_t)v->src_y * p->stride +
		      (uint64_t)v->src_x * pixel;
	uint64_t row = (uint64_t)v->w * pixel, run;
	uint64_t span = (uint64_t)(v->h - 1) * p->stride + row;
	uint32_t stride = (uint32_t)((row + 3) / 4 * 4);
	struct resource_cursor cursor = { .resource = p->resource };
	uint8_t *bits = resource_run(resources, &cursor, at, &run);

	if (run >= span && !((uintptr_t)bits % 4) && !(p->stride % 4) &&
	    p->stride <= INT_MAX)
		return pixman_image_create_bits_no_clear(
			pixman_format(p), (int)v->w, (int)v->h, (void *)bits,
			(int)p->stride);

	if (c->size < (size_t)stride * v->h) {
		uint8_t *more = realloc(c->rows, (size_t)stride * v->h);

		if (!more)
			return NULL;
		c->rows = more;
		c->size = (size_t)stride * v->h;
	}
	for (uint32_t y = 0; y < v->h; y++)
		resource_read(resources, &cursor, at + (uint64_t)y * p->stride,
			      c->rows + (size_t)y * stride, row);
	return pixman_image_create_bits_no_clear(
		pixman_format(p), (int)v->w, (int)v->h, (void *)c->rows,
		(int)stride);
}

static int compose_plane(struct composer *c,
			 const struct resource_table *resources,
			 const struct plane_state *p,
			 const struct compose_surface *surface,
			 const struct visible *v, pixman_image_t *to)
{
	pixman_image_t *from, *mask = NULL;
	int ret = 0;

	if (p->resource->kind != PVGPU_RESOURCE_SURFACE)
		from = source(c, resources, p, v);
	else if (surface->pixels)
		from = surface_source(surface, p, v);
	else
		return 0;

	if (from && p->alpha != 0xffff) {
		pixman_color_t alpha = { .alpha = p->alpha };

		mask = pixman_image_create_solid_fill(&alpha);
		if (!mask)
			ret = -ENOMEM;
	}
	if (from && !ret)
		pixman_image_composite32(opaque(p) ? PIXMAN_OP_SRC :
					 PIXMAN_OP_OVER, from, mask, to, 0, 0,
					 0, 0, (int32_t)v->dst_x,
					 (int32_t)v->dst_y, (int32_t)v->w,
					 (int32_t)v->h);
	if (mask)
		pixman_image_unref(mask);
	if (from)
		pixman_image_unref(from);
	return from ? ret : -ENOMEM;
}

static void each_row(const struct head_state *head, uint32_t count,
		     uint8_t *to, uint32_t stride, uint32_t keep, uint32_t set)
{
	for (uint32_t y = 0; y < count; y++, to += stride) {
		uint32_t *row = (uint32_t *)(void *)to;

		for (uint32_t x = 0; x < head->width; x++)
			row[x] = (row[x] & keep) | set;
	}
}

int compose_rows(struct composer *c, const struct resource_table *resources,
		 const struct head_state *head, uint32_t y, uint32_t count,
		 uint8_t *to, uint32_t stride)
{
	pixman_image_t *image = pixman_image_create_bits_no_clear(
		PIXMAN_x8r8g8b8, (int)head->width, (int)count, (void *)to,
		(int)stride);
	struct visible v;
	int ret = 0;

	if (!image)
		return -ENOMEM;
	/* Black, unless the lowest plane covers it all. */
	if (!clip_plane(head, &head->planes[0], y, count, &v) ||
	    !opaque(&head->planes[0]) || v.w != head->width || v.h != count ||
	    head->planes[0].resource->kind == PVGPU_RESOURCE_SURFACE)
		each_row(head, count, to, stride, 0, 0);
	for (uint32_t i = 0; i < WINDOW_PLANES && !ret; i++)
		if (clip_plane(head, &head->planes[i], y, count, &v))
			ret = compose_plane(c, resources, &head->planes[i],
					    &c->surfaces[i], &v, image);
	/* The unused byte holds whatever the guest left in it. */
	each_row(head, count, to, stride, 0xffffff, 0xff000000);
	pixman_image_unref(image);
	return ret;
}
