// SPDX-License-Identifier: MIT
/*
 * The checks of COMMIT, in the order that spec.md gives them. Nothing here
 * changes anything but the private copy of the states that is latched later.
 */
#include "heads.h"

#include <string.h>

#include "common/util.h"

struct commit {
	const struct pvgpu_commit *head;	/* of the message */
	const struct pvgpu_commit_head *heads;
	const struct pvgpu_commit_plane *planes;
	const struct pvgpu_rect *clips;
	uint32_t mask;
	uint32_t modesets;			/* heads with a new mode */
	uint32_t head_count, plane_count, clip_count;
	const struct vgpu_limits *limits;
	const struct resource_table *resources;
	uint64_t features;			/* granted */
	struct head_state *next;
};

static uint32_t offset_in(const struct commit *c, const void *field)
{
	return (uint32_t)((const uint8_t *)field - (const uint8_t *)c->head);
}

static struct verdict bad(const struct commit *c, const void *field)
{
	return invalid(offset_in(c, field));
}

/* The first reserved word that is not zero, or NULL. */
static const pvgpu_le32 *not_zero(const pvgpu_le32 *words, size_t count)
{
	for (; count; count--, words++)
		if (*words)
			return words;
	return NULL;
}

static struct verdict check_shape(struct commit *c, uint32_t length)
{
	const pvgpu_le32 *wrong;

	c->head_count = pvgpu_le32_to_cpu(c->head->head_count);
	c->plane_count = pvgpu_le32_to_cpu(c->head->plane_count);
	c->clip_count = pvgpu_le32_to_cpu(c->head->clip_count);
	if (length != sizeof(*c->head) +
	    (uint64_t)c->head_count * sizeof(*c->heads) +
	    (uint64_t)c->plane_count * sizeof(*c->planes) +
	    (uint64_t)c->clip_count * sizeof(*c->clips))
		return invalid(0);
	c->heads = (const void *)(c->head + 1);
	c->planes = (const void *)(c->heads + c->head_count);
	c->clips = (const void *)(c->planes + c->plane_count);

	if (pvgpu_le32_to_cpu(c->head->flags) & ~PVGPU_COMMIT_TEST)
		return bad(c, &c->head->flags);
	if (c->head->reserved)
		return bad(c, &c->head->reserved);
	for (uint32_t i = 0; i < c->head_count; i++) {
		const struct pvgpu_commit_head *h = &c->heads[i];

		wrong = not_zero(h->reserved, ARRAY_SIZE(h->reserved));
		if (wrong)
			return bad(c, wrong);
	}
	for (uint32_t i = 0; i < c->plane_count; i++) {
		const struct pvgpu_commit_plane *p = &c->planes[i];
		const pvgpu_le32 *end = (const void *)(p + 1);
		const pvgpu_le32 *from =
			c->features & PVGPU_FEATURE_PLANES ? p->reserved :
							     &p->z;

		wrong = not_zero(from, (size_t)(end - from));
		if (wrong)
			return bad(c, wrong);
	}
	return accepted();
}

/* Every head named exists, is in the mask, and is named once; every head in
 * the mask is named. */
static struct verdict check_names(struct commit *c)
{
	uint32_t seen = 0, seen_planes[PVGPU_MAX_HEADS] = { 0 };
	struct verdict none = over_limit(PVGPU_STATUS_LIMIT_HEADS,
					 c->limits->heads);

	c->mask = pvgpu_le32_to_cpu(c->head->heads);
	if (c->mask >> c->limits->heads)
		return none;
	for (uint32_t i = 0; i < c->head_count; i++)
		if (pvgpu_le32_to_cpu(c->heads[i].head) >= c->limits->heads)
			return none;
	for (uint32_t i = 0; i < c->plane_count; i++)
		if (pvgpu_le32_to_cpu(c->planes[i].head) >= c->limits->heads)
			return none;

	for (uint32_t i = 0; i < c->head_count; i++) {
		uint32_t bit = 1u << pvgpu_le32_to_cpu(c->heads[i].head);

		if (!(c->mask & bit) || seen & bit)
			return bad(c, &c->heads[i].head);
		seen |= bit;
		if (pvgpu_le32_to_cpu(c->heads[i].flags) &
		    PVGPU_COMMIT_HEAD_MODE)
			c->modesets |= bit;
	}
	if (seen != c->mask)
		return bad(c, &c->head->heads);
	for (uint32_t i = 0; i < c->plane_count; i++) {
		uint32_t head = pvgpu_le32_to_cpu(c->planes[i].head);
		uint32_t plane = pvgpu_le32_to_cpu(c->planes[i].plane);

		if (!(c->mask & 1u << head))
			return bad(c, &c->planes[i].head);
		if (plane >= WINDOW_PLANES)
			continue;	/* refused by its own check */
		if (seen_planes[head] & 1u << plane)
			return bad(c, &c->planes[i].plane);
		seen_planes[head] |= 1u << plane;
	}
	return accepted();
}

static struct verdict check_mode(const struct commit *c,
				 const struct pvgpu_mode *m,
				 struct head_state *next)
{
	uint32_t hdisplay = pvgpu_le16_to_cpu(m->hdisplay);
	uint32_t hsync_start = pvgpu_le16_to_cpu(m->hsync_start);
	uint32_t hsync_end = pvgpu_le16_to_cpu(m->hsync_end);
	uint32_t htotal = pvgpu_le16_to_cpu(m->htotal);
	uint32_t vdisplay = pvgpu_le16_to_cpu(m->vdisplay);
	uint32_t vsync_start = pvgpu_le16_to_cpu(m->vsync_start);
	uint32_t vsync_end = pvgpu_le16_to_cpu(m->vsync_end);
	uint32_t vtotal = pvgpu_le16_to_cpu(m->vtotal);
	uint32_t clock = pvgpu_le32_to_cpu(m->clock);
	uint64_t refresh;

	if (!clock)
		return bad(c, &m->clock);
	if (!hdisplay)
		return bad(c, &m->hdisplay);
	if (hsync_start < hdisplay)
		return bad(c, &m->hsync_start);
	if (hsync_end < hsync_start)
		return bad(c, &m->hsync_end);
	if (htotal < hsync_end)
		return bad(c, &m->htotal);
	if (!vdisplay)
		return bad(c, &m->vdisplay);
	if (vsync_start < vdisplay)
		return bad(c, &m->vsync_start);
	if (vsync_end < vsync_start)
		return bad(c, &m->vsync_end);
	if (vtotal < vsync_end)
		return bad(c, &m->vtotal);
	if (pvgpu_le32_to_cpu(m->flags) &
	    ~(PVGPU_MODE_HSYNC_POSITIVE | PVGPU_MODE_VSYNC_POSITIVE))
		return bad(c, &m->flags);	/* interlaced ones too */
	refresh = mode_refresh(clock, htotal, vtotal);
	if (!refresh)
		return bad(c, &m->clock);

	if (hdisplay > c->limits->max_width)
		return over_limit(PVGPU_STATUS_LIMIT_MODE,
				  c->limits->max_width);
	if (vdisplay > c->limits->max_height)
		return over_limit(PVGPU_STATUS_LIMIT_MODE,
				  c->limits->max_height);
	if (refresh > c->limits->max_refresh)
		return over_limit(PVGPU_STATUS_LIMIT_MODE,
				  c->limits->max_refresh);
	next->width = hdisplay;
	next->height = vdisplay;
	next->refresh = (uint32_t)refresh;
	return accepted();
}

static struct verdict check_head(const struct commit *c,
				 const struct pvgpu_commit_head *h)
{
	struct head_state *next = &c->next[pvgpu_le32_to_cpu(h->head)];
	uint32_t flags = pvgpu_le32_to_cpu(h->flags);
	bool active = flags & PVGPU_COMMIT_HEAD_ACTIVE;

	if (h->vblank && !(c->features & PVGPU_FEATURE_VBLANK))
		return verdict(PVGPU_STATUS_UNSUPPORTED,
			       offset_in(c, &h->vblank));
	if (flags & ~(PVGPU_COMMIT_HEAD_ACTIVE | PVGPU_COMMIT_HEAD_MODE))
		return bad(c, &h->flags);
	if (!(flags & PVGPU_COMMIT_HEAD_MODE)) {
		const pvgpu_le32 *wrong = not_zero((const void *)&h->mode,
						   sizeof(h->mode) / 4);

		if (wrong)
			return bad(c, wrong);
		if (active && !next->active)
			return bad(c, &h->flags);	/* of what mode? */
	} else if (!active) {
		return bad(c, &h->flags);
	}
	if (!active)
		memset(next, 0, sizeof(*next));
	next->active = active;
	next->frame = pvgpu_le64_to_cpu(h->frame);
	next->flips = false;		/* until its primary is named */
	next->vblank = pvgpu_le32_to_cpu(h->vblank);
	return flags & PVGPU_COMMIT_HEAD_MODE ?
		check_mode(c, &h->mode, next) : accepted();
}

static struct verdict check_pixels(const struct commit *c)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < c->limits->heads; i++)
		if (c->next[i].active)
			sum += (uint64_t)c->next[i].width * c->next[i].height;
	return sum > c->limits->max_pixels ?
		over_limit(PVGPU_STATUS_LIMIT_PIXELS, c->limits->max_pixels) :
		accepted();
}

/* A plane that is switched off says nothing else. */
static struct verdict check_off(const struct commit *c,
				const struct pvgpu_commit_plane *p)
{
	const pvgpu_le32 *wrong = not_zero(&p->format,
		(offsetof(struct pvgpu_commit_plane, alpha) -
		 offsetof(struct pvgpu_commit_plane, format)) / 4);

	if (wrong)	/* offset has two words */
		return bad(c, (const uint8_t *)wrong ==
			      (const uint8_t *)&p->offset + 4 ?
			      (const void *)&p->offset : wrong);
	if (p->alpha)
		return bad(c, &p->alpha);
	if (p->blend)
		return bad(c, &p->blend);
	if (p->first_clip)
		return bad(c, &p->first_clip);
	if (p->clips)
		return bad(c, &p->clips);
	if (p->z)
		return bad(c, &p->z);
	if (p->transform)
		return bad(c, &p->transform);
	if (p->chroma_offset)
		return bad(c, &p->chroma_offset);
	if (p->chroma_stride)
		return bad(c, &p->chroma_stride);
	return p->ycbcr ? bad(c, &p->ycbcr) : accepted();
}

/* LINEAR: where its pixels lie in the resource. */
static struct verdict check_linear(const struct commit *c,
				   const struct pvgpu_commit_plane *p,
				   struct plane_state *s)
{
	uint64_t row = (uint64_t)s->width * pvgpu_format_bytes(s->format);
	uint64_t span = (uint64_t)s->stride * (s->height - 1) + row;
	bool nv12 = s->format == PVGPU_FORMAT_NV12;
	uint64_t chroma_row = ((uint64_t)s->width + 1) / 2 * 2;
	uint64_t chroma_span = (uint64_t)s->chroma_stride *
			       (((uint64_t)s->height + 1) / 2 - 1) +
			       chroma_row;

	if (s->stride < row)
		return bad(c, &p->stride);
	if (nv12 ? s->chroma_stride < chroma_row : s->chroma_stride != 0)
		return bad(c, &p->chroma_stride);
	if (!nv12 && s->chroma_offset)
		return bad(c, &p->chroma_offset);
	if (!resource_holds(s->resource, s->offset, span))
		return verdict(PVGPU_STATUS_RANGE, offset_in(c, &p->offset));
	if (nv12 && !resource_holds(s->resource, s->chroma_offset,
				    chroma_span))
		return verdict(PVGPU_STATUS_RANGE,
			       offset_in(c, &p->chroma_offset));
	return accepted();
}

/* A SURFACE has its own idea of where they lie. */
static struct verdict check_surface(const struct commit *c,
				    const struct pvgpu_commit_plane *p,
				    struct plane_state *s)
{
	if (s->offset)
		return bad(c, &p->offset);
	if (s->stride)
		return bad(c, &p->stride);
	if (s->chroma_stride)
		return bad(c, &p->chroma_stride);
	if (s->chroma_offset)
		return bad(c, &p->chroma_offset);
	if (s->width > s->resource->surface.width)
		return verdict(PVGPU_STATUS_RANGE, offset_in(c, &p->width));
	if (s->height > s->resource->surface.height)
		return verdict(PVGPU_STATUS_RANGE, offset_in(c, &p->height));
	return accepted();
}

/* Whether a resource can be a framebuffer at all. */
static bool has_picture(const struct resource *r)
{
	if (r->kind != PVGPU_RESOURCE_SURFACE)
		return resource_usable(r);
	return (r->surface.target == PVGPU_TARGET_2D ||
		r->surface.target == PVGPU_TARGET_RECT) &&
	       r->surface.samples == 1;
}

static bool format_shown(const struct commit *c, const struct resource *r,
			 uint32_t format)
{
	if (pvgpu_format_of_planes(format) &&
	    !(c->features & PVGPU_FEATURE_PLANES))
		return false;
	return r->kind == PVGPU_RESOURCE_SURFACE ?
	       pvgpu_surface_shows(r->surface.format, format) :
	       pvgpu_format_bytes(format) != 0;
}

static struct verdict check_framebuffer(const struct commit *c,
					const struct pvgpu_commit_plane *p,
					struct plane_state *s)
{
	s->resource = resource_find(c->resources,
				    pvgpu_le32_to_cpu(p->resource));
	if (!s->resource || s->resource->dying)
		return verdict(PVGPU_STATUS_NOT_FOUND,
			       offset_in(c, &p->resource));
	if (!has_picture(s->resource))
		return bad(c, &p->resource);
	s->format = pvgpu_le32_to_cpu(p->format);
	if (!format_shown(c, s->resource, s->format))
		return verdict(PVGPU_STATUS_UNSUPPORTED,
			       offset_in(c, &p->format));
	s->offset = pvgpu_le64_to_cpu(p->offset);
	s->stride = pvgpu_le32_to_cpu(p->stride);
	s->chroma_offset = pvgpu_le64_to_cpu(p->chroma_offset);
	s->chroma_stride = pvgpu_le32_to_cpu(p->chroma_stride);
	s->ycbcr = pvgpu_le32_to_cpu(p->ycbcr);
	s->width = pvgpu_le32_to_cpu(p->width);
	s->height = pvgpu_le32_to_cpu(p->height);
	if (!s->width)
		return bad(c, &p->width);
	if (!s->height)
		return bad(c, &p->height);
	if (s->ycbcr > (s->format == PVGPU_FORMAT_NV12 ?
			PVGPU_YCBCR_BT709 | PVGPU_YCBCR_FULL : 0))
		return bad(c, &p->ycbcr);
	return s->resource->kind == PVGPU_RESOURCE_SURFACE ?
	       check_surface(c, p, s) : check_linear(c, p, s);
}

/* Whether one side can become as long as that; `from` is 16.16. */
static bool scale_ok(const struct commit *c, uint64_t from, uint64_t to)
{
	if (!(c->features & PVGPU_FEATURE_PLANES))
		return from == to << 16;
	return to && from <= (to << 16) * PVGPU_SCALE_DOWN_MAX &&
	       to << 16 <= from * PVGPU_SCALE_UP_MAX;
}

/* What becomes of the source on its way into the mode. */
static struct verdict check_transform(const struct commit *c,
				      const struct pvgpu_commit_plane *p,
				      struct plane_state *s)
{
	const uint32_t all = PVGPU_TRANSFORM_TURN_270 |
			     PVGPU_TRANSFORM_MIRROR_X |
			     PVGPU_TRANSFORM_MIRROR_Y;
	bool scales_w, scales_h;

	s->transform = pvgpu_le32_to_cpu(p->transform);
	s->z = pvgpu_le32_to_cpu(p->z);
	if (s->transform & ~all)
		return bad(c, &p->transform);
	if (!scale_ok(c, plane_natural_w(s), s->w))
		return verdict(PVGPU_STATUS_UNSUPPORTED,
			       offset_in(c, &p->dst_w));
	if (!scale_ok(c, plane_natural_h(s), s->h))
		return verdict(PVGPU_STATUS_UNSUPPORTED,
			       offset_in(c, &p->dst_h));
	scales_w = plane_natural_w(s) != (uint64_t)s->w << 16;
	scales_h = plane_natural_h(s) != (uint64_t)s->h << 16;
	if (scales_w || scales_h || s->transform) {
		if (s->src_w > PVGPU_SCALE_SOURCE_MAX << 16)
			return verdict(PVGPU_STATUS_UNSUPPORTED,
				       offset_in(c, &p->src_w));
		if (s->src_h > PVGPU_SCALE_SOURCE_MAX << 16)
			return verdict(PVGPU_STATUS_UNSUPPORTED,
				       offset_in(c, &p->src_h));
	}
	/* Where nothing is scaled a fraction selects the pixel it lies in. */
	if (!(plane_turned(s) ? scales_h : scales_w))
		s->src_x &= ~0xffffu;
	if (!(plane_turned(s) ? scales_w : scales_h))
		s->src_y &= ~0xffffu;
	return accepted();
}

/* The source in the framebuffer and the destination in the mode. */
static struct verdict check_rectangles(const struct commit *c,
				       const struct pvgpu_commit_plane *p,
				       struct plane_state *s)
{
	uint32_t blends = c->features & PVGPU_FEATURE_PLANES ?
		PVGPU_BLEND_COVERAGE : PVGPU_BLEND_PREMULTIPLIED;
	struct verdict v;

	s->src_x = pvgpu_le32_to_cpu(p->src_x);
	s->src_y = pvgpu_le32_to_cpu(p->src_y);
	s->src_w = pvgpu_le32_to_cpu(p->src_w);
	s->src_h = pvgpu_le32_to_cpu(p->src_h);
	s->w = pvgpu_le32_to_cpu(p->dst_w);
	s->h = pvgpu_le32_to_cpu(p->dst_h);
	if (!s->src_w)
		return bad(c, &p->src_w);
	if (!s->src_h)
		return bad(c, &p->src_h);
	if ((uint64_t)s->src_x + s->src_w > (uint64_t)s->width << 16)
		return verdict(PVGPU_STATUS_RANGE, offset_in(c, &p->src_x));
	if ((uint64_t)s->src_y + s->src_h > (uint64_t)s->height << 16)
		return verdict(PVGPU_STATUS_RANGE, offset_in(c, &p->src_y));
	v = check_transform(c, p, s);
	if (refused(v))
		return v;
	s->dst_x = (int32_t)pvgpu_le32_to_cpu(p->dst_x);
	s->dst_y = (int32_t)pvgpu_le32_to_cpu(p->dst_y);
	s->hot_x = pvgpu_le32_to_cpu(p->hot_x);
	s->hot_y = pvgpu_le32_to_cpu(p->hot_y);
	s->alpha = pvgpu_le16_to_cpu(p->alpha);
	s->blend = pvgpu_le16_to_cpu(p->blend);
	if (s->blend > blends)
		return bad(c, &p->blend);
	return accepted();
}

static struct verdict check_clips(const struct commit *c,
				  const struct pvgpu_commit_plane *p,
				  const struct plane_state *s)
{
	uint32_t first = pvgpu_le32_to_cpu(p->first_clip);
	uint32_t count = pvgpu_le32_to_cpu(p->clips);

	if (count > c->clip_count || first > c->clip_count - count)
		return bad(c, &p->first_clip);
	for (uint32_t i = first; i < first + count; i++) {
		const struct pvgpu_rect *r = &c->clips[i];

		if ((uint64_t)pvgpu_le32_to_cpu(r->x) +
		    pvgpu_le32_to_cpu(r->width) > s->width)
			return verdict(PVGPU_STATUS_RANGE, offset_in(c, r));
		if ((uint64_t)pvgpu_le32_to_cpu(r->y) +
		    pvgpu_le32_to_cpu(r->height) > s->height)
			return verdict(PVGPU_STATUS_RANGE,
				       offset_in(c, &r->y));
	}
	return accepted();
}

static struct verdict check_plane(const struct commit *c,
				  const struct pvgpu_commit_plane *p)
{
	struct head_state *head = &c->next[pvgpu_le32_to_cpu(p->head)];
	uint32_t index = pvgpu_le32_to_cpu(p->plane);
	bool is_cursor = index == WINDOW_PLANES - 1;
	struct plane_state s = { 0 };
	struct verdict v;

	if (index >= WINDOW_PLANES)
		return over_limit(PVGPU_STATUS_LIMIT_PLANES, WINDOW_PLANES);
	if ((is_cursor && !(c->features & PVGPU_FEATURE_CURSOR)) ||
	    (index && !is_cursor && !(c->features & PVGPU_FEATURE_PLANES)))
		return verdict(PVGPU_STATUS_UNSUPPORTED,
			       offset_in(c, &p->plane));
	if (!index)
		head->flips = !(c->modesets &
				1u << pvgpu_le32_to_cpu(p->head));
	if (!p->resource) {
		v = check_off(c, p);
		if (!refused(v))
			head->planes[index] = s;
		return v;
	}
	v = check_framebuffer(c, p, &s);
	if (!refused(v))
		v = check_rectangles(c, p, &s);
	if (refused(v))
		return v;
	if (!head->active)
		return bad(c, &p->head);
	if (is_cursor && (s.w > c->limits->cursor_max ||
			  s.h > c->limits->cursor_max))
		return over_limit(PVGPU_STATUS_LIMIT_CURSOR,
				  c->limits->cursor_max);
	if (!is_cursor && s.hot_x)
		return bad(c, &p->hot_x);
	if (!is_cursor && s.hot_y)
		return bad(c, &p->hot_y);
	v = check_clips(c, p, &s);
	if (!refused(v))
		head->planes[index] = s;
	return v;
}

struct verdict commit_check(const struct heads *heads,
			    const struct resource_table *resources,
			    const struct vgpu_limits *limits,
			    uint64_t features,
			    const void *message, uint32_t length,
			    struct head_state next[PVGPU_MAX_HEADS],
			    uint32_t *ret_mask)
{
	struct commit c = {
		.head = message, .limits = limits, .resources = resources,
		.features = features, .next = next,
	};
	struct verdict v = check_shape(&c, length);

	if (!refused(v))
		v = check_names(&c);
	if (refused(v))
		return v;
	for (uint32_t i = 0; i < heads->count; i++)
		next[i] = heads->head[i].now;
	for (uint32_t i = 0; i < c.head_count && !refused(v); i++)
		v = check_head(&c, &c.heads[i]);
	if (!refused(v))
		v = check_pixels(&c);
	for (uint32_t i = 0; i < c.plane_count && !refused(v); i++)
		v = check_plane(&c, &c.planes[i]);
	if (!refused(v))
		*ret_mask = c.mask;
	return v;
}
