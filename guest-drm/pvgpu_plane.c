// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Planes: a primary and, where the host has them, a cursor for each head. No
 * scaling. A buffer is made known to the host when a commit is prepared, where
 * that may still fail. A cursor that only moves, or changes its picture, does
 * so outside the order of commits.
 */
#include "pvgpu_drv.h"

static const u32 primary_formats[] = {
	DRM_FORMAT_XRGB8888,
	DRM_FORMAT_ARGB8888,
	DRM_FORMAT_XBGR8888,
	DRM_FORMAT_ABGR8888,
	DRM_FORMAT_RGB565,
};

static const u32 cursor_formats[] = {
	DRM_FORMAT_ARGB8888,
};

static struct pvgpu_bo *fb_bo(struct drm_framebuffer *fb)
{
	return to_pvgpu_bo(fb->obj[0]);
}

void pvgpu_plane_wire(struct drm_plane_state *state, struct pvgpu_commit_plane *ret_wire)
{
	struct pvgpu_plane *plane = to_pvgpu_plane(state->plane);
	struct pvgpu_card *pvgpu = plane->head->pvgpu;
	struct drm_framebuffer *fb = state->fb;
	struct drm_rect *src = &state->src, *dst = &state->dst;

	memset(ret_wire, 0, sizeof(*ret_wire));
	ret_wire->head = pvgpu_cpu_to_le32(plane->head->index);
	ret_wire->plane = pvgpu_cpu_to_le32(plane->index == PVGPU_CURSOR ?
					    pvgpu->link.client.device.planes - 1 : 0);
	if (!state->visible || !fb)
		return;
	/* DRM's names of formats and ours are the same four characters. */
	ret_wire->format = pvgpu_cpu_to_le32(fb->format->format);
	/* How a surface lies in memory is the renderer's matter. */
	if (!fb_bo(fb)->surface) {
		ret_wire->offset = pvgpu_cpu_to_le64(fb->offsets[0]);
		ret_wire->stride = pvgpu_cpu_to_le32(fb->pitches[0]);
	}
	ret_wire->width = pvgpu_cpu_to_le32(fb->width);
	ret_wire->height = pvgpu_cpu_to_le32(fb->height);
	/* Whole pixels: without scaling a fraction has no meaning. */
	ret_wire->src_x = pvgpu_cpu_to_le32(src->x1 & ~0xffff);
	ret_wire->src_y = pvgpu_cpu_to_le32(src->y1 & ~0xffff);
	ret_wire->src_w = pvgpu_cpu_to_le32(drm_rect_width(dst) << 16);
	ret_wire->src_h = pvgpu_cpu_to_le32(drm_rect_height(dst) << 16);
	ret_wire->dst_x = pvgpu_cpu_to_le32(dst->x1);
	ret_wire->dst_y = pvgpu_cpu_to_le32(dst->y1);
	ret_wire->dst_w = pvgpu_cpu_to_le32(drm_rect_width(dst));
	ret_wire->dst_h = pvgpu_cpu_to_le32(drm_rect_height(dst));
	ret_wire->alpha = pvgpu_cpu_to_le16(0xffff);
	ret_wire->blend = pvgpu_cpu_to_le16(plane->index == PVGPU_CURSOR ?
					    PVGPU_BLEND_PREMULTIPLIED : PVGPU_BLEND_NONE);
}

/* ---------------------------------------------------------------- atomic */

static int pvgpu_plane_atomic_check(struct drm_plane *plane, struct drm_atomic_state *state)
{
	struct drm_plane_state *new_state = drm_atomic_get_new_plane_state(state, plane);
	const struct pvgpu_device *device = &to_pvgpu(plane->dev)->link.client.device;
	struct drm_crtc_state *crtc_state;

	if (!new_state->crtc)
		return 0;
	crtc_state = drm_atomic_get_new_crtc_state(state, new_state->crtc);
	if (WARN_ON(!crtc_state))
		return -EINVAL;
	if (to_pvgpu_plane(plane)->index == PVGPU_CURSOR &&
	    (new_state->fb->width > device->cursor_max ||
	     new_state->fb->height > device->cursor_max))
		return -EINVAL;
	return drm_atomic_helper_check_plane_state(new_state, crtc_state, DRM_PLANE_NO_SCALING,
						   DRM_PLANE_NO_SCALING, true, true);
}

static int pvgpu_plane_prepare_fb(struct drm_plane *plane, struct drm_plane_state *state)
{
	struct pvgpu_bo *bo;
	int ret;

	if (!state->fb)
		return 0;
	bo = fb_bo(state->fb);
	ret = drm_gem_plane_helper_prepare_fb(plane, state);
	if (ret)
		return ret;
	/* Limits are found here; a host that is lost finds out about the
	 * buffer when it is back.
	 */
	ret = pvgpu_bo_resource(bo, NULL);
	if (ret && ret != -EIO && ret != -ENODEV)
		return ret;
	return pvgpu_bo_foreign(bo) ? pvgpu_prime_pin_foreign(bo) : 0;
}

static void pvgpu_plane_cleanup_fb(struct drm_plane *plane, struct drm_plane_state *state)
{
	if (state->fb && pvgpu_bo_foreign(fb_bo(state->fb)))
		pvgpu_prime_unpin_foreign(fb_bo(state->fb));
}

/* A foreign buffer must be copied in a commit, in order, and one that is being
 * drawn is waited for in a commit.
 */
static int pvgpu_cursor_async_check(struct drm_plane *plane, struct drm_atomic_state *state
				    PVGPU_ASYNC_CHECK_FLIP)
{
	struct drm_plane_state *new_state = drm_atomic_get_new_plane_state(state, plane);

	if (!plane->state->crtc || !plane->state->crtc->state->active || !plane->state->fb ||
	    !new_state->fb || pvgpu_bo_foreign(fb_bo(new_state->fb)))
		return -EINVAL;
	if (new_state->fb != plane->state->fb &&
	    !dma_resv_test_signaled(new_state->fb->obj[0]->resv, DMA_RESV_USAGE_WRITE))
		return -EINVAL;
	return 0;
}

static void pvgpu_cursor_async_update(struct drm_plane *plane, struct drm_atomic_state *state)
{
	struct drm_plane_state *new_state = drm_atomic_get_new_plane_state(state, plane);
	struct drm_plane_state *old_state = plane->state;
	bool swapped = old_state->fb != new_state->fb;

	old_state->src_x = new_state->src_x;
	old_state->src_y = new_state->src_y;
	old_state->src_w = new_state->src_w;
	old_state->src_h = new_state->src_h;
	old_state->crtc_x = new_state->crtc_x;
	old_state->crtc_y = new_state->crtc_y;
	old_state->crtc_w = new_state->crtc_w;
	old_state->crtc_h = new_state->crtc_h;
	old_state->src = new_state->src;
	old_state->dst = new_state->dst;
	old_state->visible = new_state->visible;
	swap(old_state->fb, new_state->fb);
	/* An old picture is released when this returns: not before the host
	 * has let go of it. A mere move waits for nobody.
	 */
	pvgpu_kms_update_plane(to_pvgpu_plane(plane), swapped);
}


static const struct drm_plane_helper_funcs pvgpu_primary_helper_funcs = {
	.prepare_fb = pvgpu_plane_prepare_fb,
	.cleanup_fb = pvgpu_plane_cleanup_fb,
	.atomic_check = pvgpu_plane_atomic_check,
};

static const struct drm_plane_helper_funcs pvgpu_cursor_helper_funcs = {
	.prepare_fb = pvgpu_plane_prepare_fb,
	.cleanup_fb = pvgpu_plane_cleanup_fb,
	.atomic_check = pvgpu_plane_atomic_check,
	.atomic_async_check = pvgpu_cursor_async_check,
	.atomic_async_update = pvgpu_cursor_async_update,
};

static const struct drm_plane_funcs pvgpu_plane_funcs = {
	.update_plane = drm_atomic_helper_update_plane,
	.disable_plane = drm_atomic_helper_disable_plane,
	.reset = drm_atomic_helper_plane_reset,
	.atomic_duplicate_state = drm_atomic_helper_plane_duplicate_state,
	.atomic_destroy_state = drm_atomic_helper_plane_destroy_state,
};

int pvgpu_plane_init(struct pvgpu_head *head, u32 index)
{
	bool cursor = index == PVGPU_CURSOR;
	struct pvgpu_plane *plane;

	plane = drmm_universal_plane_alloc(&head->pvgpu->drm, struct pvgpu_plane, base,
					   BIT(head->index), &pvgpu_plane_funcs,
					   cursor ? cursor_formats : primary_formats,
					   cursor ? ARRAY_SIZE(cursor_formats) :
						    ARRAY_SIZE(primary_formats),
					   NULL,
					   cursor ? DRM_PLANE_TYPE_CURSOR :
						    DRM_PLANE_TYPE_PRIMARY,
					   NULL);
	if (IS_ERR(plane))
		return PTR_ERR(plane);
	drm_plane_helper_add(&plane->base, cursor ? &pvgpu_cursor_helper_funcs :
						    &pvgpu_primary_helper_funcs);
	plane->head = head;
	plane->index = index;
	head->planes[index] = &plane->base;
	/* Damage is per plane; the cursor is small enough to be taken whole. */
	if (!cursor)
		drm_plane_enable_fb_damage_clips(&plane->base);
	return 0;
}
