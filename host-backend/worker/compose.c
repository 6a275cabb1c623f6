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
	uint32_t src_x, src_y;		/* pixels of the framebuffer, */
	uint32_t src_w, src_h;		/* all that is looked at */
	uint32_t dst_x, dst_y;		/* in the rows at hand */
	uint32_t w, h;
	uint32_t cut_x, cut_y;		/* of the plane, before dst_x, dst_y */
};

void composer_finish(struct composer *c)
{
	free(c->rows);
	free(c->multiplied);
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

/* --------------------------------------------- from the mode to the source */

/* How one axis of the source follows from one of the destination. */
struct axis {
	uint32_t from, size;		/* of the source, 16.16 */
	uint32_t length;		/* of the destination, pixels */
	bool flipped;
};

/* The source's axis that is across, or down. Of turned ones the destination's
 * axes have changed places. */
static struct axis source_axis(const struct plane_state *p, bool down)
{
	uint32_t turn = p->transform & PVGPU_TRANSFORM_TURN_270;
	uint32_t mirror = down ? PVGPU_TRANSFORM_MIRROR_Y :
				 PVGPU_TRANSFORM_MIRROR_X;
	/* Counter-clockwise, the first turn shows what was right above, and
	 * the second what was below. */
	bool turned_over = down ? turn & 2u : turn == 1 || turn == 2;

	return (struct axis){
		.from = down ? p->src_y : p->src_x,
		.size = down ? p->src_h : p->src_w,
		.length = down != plane_turned(p) ? p->h : p->w,
		.flipped = turned_over != !!(p->transform & mirror),
	};
}

/* Where in the source, 16.16, a place of the destination is: 0 to length. */
static int64_t axis_at(const struct axis *a, uint32_t at)
{
	int64_t moved = (int64_t)((uint64_t)at * a->size / a->length);

	return (int64_t)a->from + (a->flipped ? a->size - moved : moved);
}

static bool axis_scales(const struct axis *a)
{
	return a->size != (uint64_t)a->length << 16;
}

/* The pixels of the source that are looked at for `count` of the destination:
 * where it scales, a neighbour on each side too. */
static void axis_span(const struct axis *a, uint32_t cut, uint32_t count,
		      uint32_t *ret_first, uint32_t *ret_count)
{
	int64_t one = axis_at(a, cut), other = axis_at(a, cut + count);
	int64_t low = one < other ? one : other;
	int64_t high = one < other ? other : one;
	int64_t end = (int64_t)a->from + a->size;

	if (axis_scales(a)) {
		low = low - 0x10000 > a->from ? low - 0x10000 : a->from;
		high = high + 0x10000 < end ? high + 0x10000 : end;
	}
	*ret_first = (uint32_t)(low >> 16);
	*ret_count = (uint32_t)((high + 0xffff) >> 16) - *ret_first;
}

static bool clip_plane(const struct head_state *head,
		       const struct plane_state *p, uint32_t y, uint32_t count,
		       struct visible *v)
{
	bool turned = plane_turned(p);
	struct axis across, down;

	if (!p->resource ||
	    !clip(p->dst_x, p->w, 0, head->width, &v->dst_x, &v->w,
		  &v->cut_x) ||
	    !clip(p->dst_y, p->h, y, (int64_t)y + count, &v->dst_y, &v->h,
		  &v->cut_y))
		return false;
	across = source_axis(p, false);
	down = source_axis(p, true);
	axis_span(&across, turned ? v->cut_y : v->cut_x,
		  turned ? v->h : v->w, &v->src_x, &v->src_w);
	axis_span(&down, turned ? v->cut_x : v->cut_y,
		  turned ? v->w : v->h, &v->src_y, &v->src_h);
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
	*ret_width = v.src_w;
	*ret_height = v.src_h;
	return true;
}

/* Has pixman find a pixel of the destination in `from`, which begins where the
 * source is looked at. Where nothing changes it needs to be told nothing. */
static bool transform(pixman_image_t *from, const struct plane_state *p,
		      const struct visible *v)
{
	struct axis axes[2] = { source_axis(p, false), source_axis(p, true) };
	bool turned = plane_turned(p);
	bool scales = axis_scales(&axes[0]) || axis_scales(&axes[1]);
	pixman_transform_t t = { .matrix[2][2] = pixman_fixed_1 };

	if (!p->transform && !scales)
		return true;
	for (int i = 0; i < 2; i++) {
		const struct axis *a = &axes[i];
		bool by_y = (i == 1) != turned;
		int64_t step = (a->size + a->length / 2) / a->length;
		int64_t first = i ? v->src_y : v->src_x;

		t.matrix[i][by_y] = (pixman_fixed_t)(a->flipped ? -step :
								  step);
		t.matrix[i][2] = (pixman_fixed_t)
			(axis_at(a, by_y ? v->cut_y : v->cut_x) -
			 (first << 16));
	}
	pixman_image_set_repeat(from, PIXMAN_REPEAT_PAD);
	return pixman_image_set_transform(from, &t) &&
	       pixman_image_set_filter(from, scales ? PIXMAN_FILTER_BILINEAR :
				       PIXMAN_FILTER_NEAREST, NULL, 0);
}

/* ------------------------------------------------------------------ pixels */

static bool has_alpha(uint32_t format)
{
	return format == PVGPU_FORMAT_ARGB8888 ||
	       format == PVGPU_FORMAT_ABGR8888 ||
	       format == PVGPU_FORMAT_ARGB2101010;
}

/* How the pixels lie in memory, with their alpha or without a look at it. */
static pixman_format_code_t pixman_format(uint32_t format, bool alpha)
{
	switch (format) {
	case PVGPU_FORMAT_ARGB8888:
		return alpha ? PIXMAN_a8r8g8b8 : PIXMAN_x8r8g8b8;
	case PVGPU_FORMAT_ABGR8888:
		return alpha ? PIXMAN_a8b8g8r8 : PIXMAN_x8b8g8r8;
	case PVGPU_FORMAT_XBGR8888:
		return PIXMAN_x8b8g8r8;
	case PVGPU_FORMAT_ARGB2101010:
		return alpha ? PIXMAN_a2r10g10b10 : PIXMAN_x2r10g10b10;
	case PVGPU_FORMAT_XRGB2101010:
		return PIXMAN_x2r10g10b10;
	case PVGPU_FORMAT_RGB565:
		return PIXMAN_r5g6b5;
	default:		/* NV12 too, once it is converted */
		return PIXMAN_x8r8g8b8;
	}
}

static bool blends(const struct plane_state *p)
{
	return p->blend != PVGPU_BLEND_NONE && has_alpha(p->format);
}

static bool opaque(const struct plane_state *p)
{
	return p->alpha == 0xffff && !blends(p);
}

static uint8_t *room(uint8_t **buffer, size_t *has, size_t needs)
{
	uint8_t *more;

	if (*has >= needs)
		return *buffer;
	more = realloc(*buffer, needs);
	if (!more)
		return NULL;
	*buffer = more;
	*has = needs;
	return more;
}

static uint8_t clamp(int32_t v)
{
	return v < 0 ? 0 : v > 255 ? 255 : (uint8_t)v;
}

/* A row of NV12: `y` begins at an even pixel or `odd` one, `c` with its pair. */
static void convert_row(uint32_t *to, const uint8_t *y, const uint8_t *c,
			uint32_t count, bool odd, uint32_t ycbcr)
{
	/* By PVGPU_YCBCR_*, 16.16: of luma; of Cr in red; of Cb and Cr in
	 * green; of Cb in blue. */
	static const struct {
		int32_t y, r, gb, gr, b;
	} factors[] = {
		{ 76309, 104597, 25675, 53279, 132201 },
		{ 76309, 117489, 13975, 34925, 138438 },
		{ 65536, 91881, 22553, 46802, 116130 },
		{ 65536, 103206, 12276, 30679, 121609 },
	};
	const int32_t black = ycbcr & PVGPU_YCBCR_FULL ? 0 : 16;

	for (uint32_t x = 0; x < count; x++) {
		const uint8_t *pair = c + (x + odd) / 2 * 2;
		int32_t luma = (y[x] - black) * factors[ycbcr].y + 32768;
		int32_t cb = pair[0] - 128, cr = pair[1] - 128;

		to[x] = 0xff000000 |
			(uint32_t)clamp((luma + cr * factors[ycbcr].r) >> 16)
				<< 16 |
			(uint32_t)clamp((luma - cb * factors[ycbcr].gb -
					 cr * factors[ycbcr].gr) >> 16) << 8 |
			clamp((luma + cb * factors[ycbcr].b) >> 16);
	}
}

static pixman_image_t *nv12_source(struct composer *c,
				   const struct resource_table *resources,
				   const struct plane_state *p,
				   const struct visible *v)
{
	struct resource_cursor luma = { .resource = p->resource };
	struct resource_cursor chroma = luma;
	uint32_t pairs = (v->src_x + v->src_w + 1) / 2 - v->src_x / 2;
	size_t stride = (size_t)v->src_w * 4, pixels = stride * v->src_h;
	uint8_t *rows = room(&c->rows, &c->size,
			     pixels + v->src_w + 2u * pairs);
	uint8_t *y, *cbcr;

	if (!rows)
		return NULL;
	y = rows + pixels;
	cbcr = y + v->src_w;
	for (uint32_t i = 0; i < v->src_h; i++) {
		uint64_t row = v->src_y + i;

		resource_read(resources, &luma, p->offset + row * p->stride +
			      v->src_x, y, v->src_w);
		if (!i || !(row % 2))
			resource_read(resources, &chroma, p->chroma_offset +
				      row / 2 * p->chroma_stride +
				      v->src_x / 2 * 2, cbcr, 2u * pairs);
		convert_row((uint32_t *)(void *)(rows + i * stride), y, cbcr,
			    v->src_w, v->src_x % 2, p->ycbcr);
	}
	return pixman_image_create_bits_no_clear(PIXMAN_x8r8g8b8,
		(int)v->src_w, (int)v->src_h, (void *)rows, (int)stride);
}

/* The bits that are looked at: in place where they lie in one piece that pixman
 * can address, else gathered row by row. NULL: no memory. */
static const uint8_t *linear_bits(struct composer *c,
				  const struct resource_table *resources,
				  const struct plane_state *p,
				  const struct visible *v,
				  uint32_t *ret_stride)
{
	uint32_t pixel = pvgpu_format_bytes(p->format);
	uint64_t at = p->offset + (uint64_t)v->src_y * p->stride +
		      (uint64_t)v->src_x * pixel;
	uint64_t row = (uint64_t)v->src_w * pixel, run;
	uint64_t span = (uint64_t)(v->src_h - 1) * p->stride + row;
	uint32_t stride = (uint32_t)((row + 3) / 4 * 4);
	struct resource_cursor cursor = { .resource = p->resource };
	uint8_t *bits = resource_run(resources, &cursor, at, &run);

	*ret_stride = p->stride;
	if (run >= span && !((uintptr_t)bits % 4) && !(p->stride % 4) &&
	    p->stride <= INT_MAX)
		return bits;
	if (!room(&c->rows, &c->size, (size_t)stride * v->src_h))
		return NULL;
	for (uint32_t y = 0; y < v->src_h; y++)
		resource_read(resources, &cursor, at + (uint64_t)y * p->stride,
			      c->rows + (size_t)y * stride, row);
	*ret_stride = stride;
	return c->rows;
}

static pixman_image_t *image_of(const struct plane_state *p, bool alpha,
				const struct visible *v, const uint8_t *bits,
				uint32_t stride)
{
	return pixman_image_create_bits_no_clear(
		pixman_format(p->format, alpha), (int)v->src_w,
		(int)v->src_h, (void *)(uintptr_t)bits, (int)stride);
}

/* COVERAGE: the colours times the alpha, beside the alpha. */
static pixman_image_t *multiply(struct composer *c,
				const struct plane_state *p,
				const struct visible *v, const uint8_t *bits,
				uint32_t stride)
{
	uint32_t width = v->src_w * 4;
	pixman_image_t *colours = NULL, *alpha = NULL, *to = NULL;

	if (room(&c->multiplied, &c->multiplied_size,
		 (size_t)width * v->src_h)) {
		colours = image_of(p, false, v, bits, stride);
		alpha = image_of(p, true, v, bits, stride);
		to = pixman_image_create_bits_no_clear(PIXMAN_a8r8g8b8,
			(int)v->src_w, (int)v->src_h, (void *)c->multiplied,
			(int)width);
	}
	if (colours && alpha && to)
		pixman_image_composite32(PIXMAN_OP_SRC, colours, alpha, to, 0,
					 0, 0, 0, 0, 0, (int32_t)v->src_w,
					 (int32_t)v->src_h);
	if (alpha)
		pixman_image_unref(alpha);
	if (to && !(colours && alpha)) {
		pixman_image_unref(to);
		to = NULL;
	}
	if (colours)
		pixman_image_unref(colours);
	return to;
}

/* What is looked at of the plane, as an image; NULL: no memory. */
static pixman_image_t *source(struct composer *c,
			      const struct resource_table *resources,
			      const struct plane_state *p,
			      const struct compose_surface *s,
			      const struct visible *v)
{
	const uint8_t *bits;
	uint32_t stride;

	if (p->format == PVGPU_FORMAT_NV12)
		return nv12_source(c, resources, p, v);
	if (p->resource->kind == PVGPU_RESOURCE_SURFACE) {
		/* What was read back begins where it is seen. */
		stride = s->stride;
		bits = s->pixels + (size_t)(v->src_y - s->y) * stride +
		       (size_t)(v->src_x - s->x) *
		       pvgpu_format_bytes(p->format);
	} else {
		bits = linear_bits(c, resources, p, v, &stride);
		if (!bits)
			return NULL;
	}
	if (p->blend == PVGPU_BLEND_COVERAGE && has_alpha(p->format))
		return multiply(c, p, v, bits, stride);
	return image_of(p, p->blend == PVGPU_BLEND_PREMULTIPLIED, v, bits,
			stride);
}

static int compose_plane(struct composer *c,
			 const struct resource_table *resources,
			 const struct plane_state *p,
			 const struct compose_surface *surface,
			 const struct visible *v, pixman_image_t *to)
{
	pixman_image_t *from, *mask = NULL;
	int ret = 0;

	if (p->resource->kind == PVGPU_RESOURCE_SURFACE && !surface->pixels)
		return 0;
	from = source(c, resources, p, surface, v);
	if (from && !transform(from, p, v))
		ret = -ENOMEM;
	if (from && !ret && p->alpha != 0xffff) {
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

/* The planes' numbers, from the lowest up. */
static void put_in_order(const struct head_state *head,
			 uint32_t order[WINDOW_PLANES])
{
	for (uint32_t i = 0; i < WINDOW_PLANES; i++) {
		uint32_t at = i;

		for (; at && head->planes[order[at - 1]].z >
			     head->planes[i].z; at--)
			order[at] = order[at - 1];
		order[at] = i;
	}
}

/* Whether a plane leaves nothing of what is below it. */
static bool covers(const struct head_state *head, const struct plane_state *p,
		   uint32_t y, uint32_t count)
{
	struct visible v;

	return clip_plane(head, p, y, count, &v) && opaque(p) &&
	       v.w == head->width && v.h == count &&
	       p->resource->kind != PVGPU_RESOURCE_SURFACE;
}

int compose_rows(struct composer *c, const struct resource_table *resources,
		 const struct head_state *head, uint32_t y, uint32_t count,
		 uint8_t *to, uint32_t stride)
{
	pixman_image_t *image = pixman_image_create_bits_no_clear(
		PIXMAN_x8r8g8b8, (int)head->width, (int)count, (void *)to,
		(int)stride);
	uint32_t order[WINDOW_PLANES], first = 0;
	struct visible v;
	int ret = 0;

	if (!image)
		return -ENOMEM;
	put_in_order(head, order);
	/* What is covered is not composed; else all begins with black. */
	for (uint32_t i = 0; i < WINDOW_PLANES; i++)
		if (covers(head, &head->planes[order[i]], y, count))
			first = i + 1;
	if (first)
		first--;
	else
		each_row(head, count, to, stride, 0, 0);
	for (uint32_t i = first; i < WINDOW_PLANES && !ret; i++)
		if (clip_plane(head, &head->planes[order[i]], y, count, &v))
			ret = compose_plane(c, resources,
					    &head->planes[order[i]],
					    &c->surfaces[order[i]], &v, image);
	/* The unused byte holds whatever the guest left in it. */
	each_row(head, count, to, stride, 0xffffff, 0xff000000);
	pixman_image_unref(image);
	return ret;
}
