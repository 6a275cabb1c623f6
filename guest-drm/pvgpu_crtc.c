// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * CRTCs: one a head. What they show goes to the host in pvgpu_kms.c, for all
 * heads of a commit at once; here are their limits and their vblanks.
 */
#include "pvgpu_drv.h"

/* Millihertz, rounded down, as the host computes it from the mode we send. */
static u64 mode_refresh(const struct drm_display_mode *mode)
{
	return div_u64((u64)mode->clock * 1000000, (u32)mode->htotal * mode->vtotal);
}

static enum drm_mode_status pvgpu_crtc_mode_valid(struct drm_crtc *crtc,
						  const struct drm_display_mode *mode)
{
	const struct pvgpu_device *device =
		&to_pvgpu(crtc->dev)->link.client.device;

	if (mode->flags & DRM_MODE_FLAG_INTERLACE)
		return MODE_NO_INTERLACE;
	if (mode->flags & DRM_MODE_FLAG_DBLSCAN || mode->vscan > 1)
		return MODE_NO_DBLESCAN;
	if (mode->clock <= 0 || !mode->htotal || !mode->vtotal || !mode_refresh(mode))
		return MODE_BAD;
	if (mode->hdisplay > device->max_width)
		return MODE_BAD_HVALUE;
	if (mode->vdisplay > device->max_height)
		return MODE_BAD_VVALUE;
	if ((u64)mode->hdisplay * mode->vdisplay > device->max_pixels)
		return MODE_MEM;
	if (mode_refresh(mode) > device->max_refresh)
		return MODE_CLOCK_HIGH;
	return MODE_OK;
}

static void pvgpu_crtc_atomic_enable(struct drm_crtc *crtc, struct drm_atomic_state *state)
{
	struct drm_crtc_state *crtc_state = drm_atomic_get_new_crtc_state(state, crtc);

	pvgpu_vblank_start(to_pvgpu_crtc(crtc)->head, &crtc_state->adjusted_mode);
}

static void pvgpu_crtc_atomic_disable(struct drm_crtc *crtc, struct drm_atomic_state *state)
{
	pvgpu_vblank_stop(to_pvgpu_crtc(crtc)->head);
}

static const struct drm_crtc_helper_funcs pvgpu_crtc_helper_funcs = {
	.mode_valid = pvgpu_crtc_mode_valid,
	.atomic_enable = pvgpu_crtc_atomic_enable,
	.atomic_disable = pvgpu_crtc_atomic_disable,
};

static const struct drm_crtc_funcs pvgpu_crtc_funcs = {
	.set_config = drm_atomic_helper_set_config,
	.page_flip = drm_atomic_helper_page_flip,
	.reset = drm_atomic_helper_crtc_reset,
	.atomic_duplicate_state = drm_atomic_helper_crtc_duplicate_state,
	.atomic_destroy_state = drm_atomic_helper_crtc_destroy_state,
	.enable_vblank = pvgpu_vblank_enable,
	.disable_vblank = pvgpu_vblank_disable,
	.get_vblank_timestamp = pvgpu_vblank_timestamp,
};

int pvgpu_crtc_init(struct pvgpu_head *head)
{
	struct pvgpu_crtc *crtc;

	crtc = drmm_crtc_alloc_with_planes(&head->pvgpu->drm, struct pvgpu_crtc, base,
					   head->planes[PVGPU_PRIMARY],
					   head->planes[PVGPU_CURSOR], &pvgpu_crtc_funcs,
					   NULL);
	if (IS_ERR(crtc))
		return PTR_ERR(crtc);
	drm_crtc_helper_add(&crtc->base, &pvgpu_crtc_helper_funcs);
	crtc->head = head;
	head->crtc = &crtc->base;
	return pvgpu_vblank_init(head);
}
