// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Mode setting over all heads: the limits that a commit is checked against,
 * the order in which commits reach the host, and the COMMIT message, one for
 * all heads of an atomic commit.
 *
 * Beside the atomic state we remember what each head shows, in the form in
 * which the host was told ("shown"). It changes in the order of the messages
 * and also where there is no host, so it is what a host that lost everything
 * is told first, and commits go on in software meanwhile.
 */
#include "pvgpu_drv.h"

/* ---------------------------------------------------------------- budget */

/** struct pvgpu_budget - atomic state over all heads */
struct pvgpu_budget {
	struct drm_private_state base;
	/** @pixels: of each head's mode. KMS wants a head that is only blanked
	 * to come back without fail, so a blanked one counts too.
	 */
	u64 pixels[PVGPU_MAX_HEADS];
	/** @modeset: each head's last commit that changed its pixels. Commits of
	 * different heads may otherwise overtake each other, and the host would
	 * see one that grows before the one that made room for it.
	 */
	struct drm_crtc_commit *modeset[PVGPU_MAX_HEADS];
};

#define to_budget(state) container_of(state, struct pvgpu_budget, base)

static struct drm_private_state *budget_duplicate(struct drm_private_obj *obj)
{
	struct pvgpu_budget *budget;
	int i;

	budget = kmemdup(to_budget(obj->state), sizeof(*budget), GFP_KERNEL);
	if (!budget)
		return NULL;
	__drm_atomic_helper_private_obj_duplicate_state(obj, &budget->base);
	for (i = 0; i < PVGPU_MAX_HEADS; i++) {
		if (budget->modeset[i])
			drm_crtc_commit_get(budget->modeset[i]);
	}
	return &budget->base;
}

static void budget_destroy(struct drm_private_obj *obj, struct drm_private_state *state)
{
	struct pvgpu_budget *budget = to_budget(state);
	int i;

	for (i = 0; i < PVGPU_MAX_HEADS; i++) {
		if (budget->modeset[i])
			drm_crtc_commit_put(budget->modeset[i]);
	}
	kfree(budget);
}

static struct drm_private_state *budget_create(struct drm_private_obj *obj)
{
	struct pvgpu_budget *budget = kzalloc(sizeof(*budget), GFP_KERNEL);

	if (!budget)
		return ERR_PTR(-ENOMEM);
	pvgpu_private_state_init(obj, &budget->base);
	return &budget->base;
}

static const struct drm_private_state_funcs budget_funcs = {
	PVGPU_PRIVATE_CREATE(budget_create)
	.atomic_duplicate_state = budget_duplicate,
	.atomic_destroy_state = budget_destroy,
};

static int kms_atomic_check(struct drm_device *drm, struct drm_atomic_state *state)
{
	struct pvgpu_card *pvgpu = to_pvgpu(drm);
	struct drm_private_state *private;
	struct pvgpu_budget *budget = NULL;
	struct drm_crtc_state *crtc_state;
	struct drm_crtc *crtc;
	u64 sum = 0;
	int ret, i;

	ret = drm_atomic_helper_check(drm, state);
	if (ret)
		return ret;
	for_each_new_crtc_in_state(state, crtc, crtc_state, i) {
		if (!drm_atomic_crtc_needs_modeset(crtc_state))
			continue;
		private = drm_atomic_get_private_obj_state(state, &pvgpu->kms.budget);
		if (IS_ERR(private))
			return PTR_ERR(private);
		budget = to_budget(private);
		budget->pixels[drm_crtc_index(crtc)] = !crtc_state->enable ? 0 :
			(u64)crtc_state->mode.hdisplay * crtc_state->mode.vdisplay;
	}
	if (!budget)
		return 0;
	for (i = 0; i < PVGPU_MAX_HEADS; i++)
		sum += budget->pixels[i];
	if (sum > pvgpu->link.client.device.max_pixels) {
		drm_dbg_atomic(drm, "%llu pixels, the vGPU has %llu\n", sum,
			       pvgpu->link.client.device.max_pixels);
		return -EINVAL;
	}
	return 0;
}

static int kms_commit_setup(struct drm_atomic_state *state)
{
	struct pvgpu_card *pvgpu = to_pvgpu(state->dev);
	struct drm_private_state *private;
	struct drm_crtc_state *crtc_state;
	struct pvgpu_budget *budget;
	struct drm_crtc *crtc;
	int i;

	private = drm_atomic_get_new_private_obj_state(state, &pvgpu->kms.budget);
	if (!private)
		return 0;
	budget = to_budget(private);
	for_each_new_crtc_in_state(state, crtc, crtc_state, i) {
		struct drm_crtc_commit **slot = &budget->modeset[drm_crtc_index(crtc)];

		if (!drm_atomic_crtc_needs_modeset(crtc_state) || !crtc_state->commit)
			continue;
		if (*slot)
			drm_crtc_commit_put(*slot);
		*slot = drm_crtc_commit_get(crtc_state->commit);
	}
	return 0;
}

/* Every earlier commit that changes the sum is at the host. */
static void kms_wait_for_budget(struct drm_atomic_state *state)
{
	struct pvgpu_card *pvgpu = to_pvgpu(state->dev);
	struct drm_private_state *private;
	struct pvgpu_budget *budget;
	int i;

	private = drm_atomic_get_old_private_obj_state(state, &pvgpu->kms.budget);
	if (!private)
		return;
	budget = to_budget(private);
	for (i = 0; i < PVGPU_MAX_HEADS; i++) {
		if (budget->modeset[i] &&
		    !wait_for_completion_timeout(&budget->modeset[i]->hw_done, 10 * HZ))
			drm_err(state->dev, "a modeset of head %d is stuck\n", i);
	}
}

/* ------------------------------------------------------- COMMIT messages */

/** struct pvgpu_commit_build - a COMMIT under construction; kms.lock */
struct pvgpu_commit_build {
	u32 mask, head_count, plane_count, clip_count, max_clips;
	struct pvgpu_commit_head heads[PVGPU_MAX_HEADS];
	struct pvgpu_commit_plane planes[PVGPU_MAX_HEADS * PVGPU_PLANES];
	struct pvgpu_rect clips[PVGPU_MESSAGE_MAX / sizeof(struct pvgpu_rect)];
};

/** struct pvgpu_released - objects that a commit takes off the planes */
struct pvgpu_released {
	struct pvgpu_bo *bo[PVGPU_MAX_HEADS * PVGPU_PLANES];
	u32 count;
};

static u32 build_length(const struct pvgpu_commit_build *build)
{
	return sizeof(struct pvgpu_commit) +
	       build->head_count * sizeof(struct pvgpu_commit_head) +
	       build->plane_count * sizeof(struct pvgpu_commit_plane) +
	       build->clip_count * sizeof(struct pvgpu_rect);
}

static struct pvgpu_commit_build *build_start(struct pvgpu_card *pvgpu)
{
	struct pvgpu_commit_build *build = pvgpu->kms.build;

	memset(build, 0, offsetof(struct pvgpu_commit_build, heads));
	/* Room for all heads and planes was checked when we were loaded. */
	build->max_clips = (pvgpu->link.client.device.message_max -
			    sizeof(struct pvgpu_commit) -
			    pvgpu->kms.heads * (sizeof(struct pvgpu_commit_head) +
				PVGPU_PLANES * sizeof(struct pvgpu_commit_plane))) /
			   sizeof(struct pvgpu_rect);
	return build;
}

static struct pvgpu_commit_head *build_head(struct pvgpu_head *head,
					    struct pvgpu_commit_build *build, bool mode)
{
	struct pvgpu_commit_head *wire = &build->heads[build->head_count++];
	struct pvgpu_head_shown *shown = &head->shown;
	u32 flags = 0;

	memset(wire, 0, sizeof(*wire));
	if (shown->active)
		flags |= PVGPU_COMMIT_HEAD_ACTIVE;
	if (shown->active && mode) {
		flags |= PVGPU_COMMIT_HEAD_MODE;
		wire->mode = shown->mode;
	}
	wire->head = pvgpu_cpu_to_le32(head->index);
	wire->flags = pvgpu_cpu_to_le32(flags);
	wire->frame = pvgpu_cpu_to_le64(++shown->frame);
	build->mask |= BIT(head->index);
	return wire;
}

/* A plane as it is shown now; its damage is the clips from `first` on. */
static int build_plane(struct pvgpu_head *head, u32 index, u32 first_clip,
		       struct pvgpu_commit_build *build)
{
	struct pvgpu_plane_shown *shown = &head->shown.planes[index];
	struct pvgpu_commit_plane *wire = &build->planes[build->plane_count];
	u32 name;
	int ret;

	*wire = shown->wire;
	if (shown->bo) {
		ret = pvgpu_bo_resource(shown->bo, &name);
		if (ret == -EIO && shown->bo->surface && pvgpu_link_up(head->pvgpu)) {
			/* The renderer has lost it: dark until there is another. */
			*wire = (struct pvgpu_commit_plane){
				.head = shown->wire.head,
				.plane = shown->wire.plane,
			};
			build->clip_count = first_clip;
			build->plane_count++;
			return 0;
		}
		if (ret)
			return ret;
		wire->resource = pvgpu_cpu_to_le32(name);
	}
	if (build->clip_count > first_clip) {
		wire->first_clip = pvgpu_cpu_to_le32(first_clip);
		wire->clips = pvgpu_cpu_to_le32(build->clip_count - first_clip);
	}
	build->plane_count++;
	return 0;
}

/* Publishes the message; kms.lock is held, so that this order is the order of
 * what is shown.
 */
static int build_submit(struct pvgpu_card *pvgpu, struct pvgpu_commit_build *build,
			struct pvgpu_request *req)
{
	struct pvgpu_commit *msg = pvgpu->kms.message;
	u8 *at = (u8 *)(msg + 1);
	size_t size;

	memset(msg, 0, sizeof(*msg));
	pvgpu_msg_init(msg, PVGPU_OP_COMMIT);
	msg->heads = pvgpu_cpu_to_le32(build->mask);
	msg->head_count = pvgpu_cpu_to_le32(build->head_count);
	msg->plane_count = pvgpu_cpu_to_le32(build->plane_count);
	msg->clip_count = pvgpu_cpu_to_le32(build->clip_count);
	size = build->head_count * sizeof(build->heads[0]);
	memcpy(at, build->heads, size);
	at += size;
	size = build->plane_count * sizeof(build->planes[0]);
	memcpy(at, build->planes, size);
	at += size;
	memcpy(at, build->clips, build->clip_count * sizeof(build->clips[0]));
	pvgpu->kms.commits++;
	return pvgpu_link_submit(pvgpu, req, msg, build_length(build));
}

/* The plane shows this object from now on; the old one goes when the host has
 * let go of it.
 */
static void shown_set_plane(struct pvgpu_plane_shown *shown, struct drm_plane_state *state,
			    struct pvgpu_released *released)
{
	if (shown->bo)
		released->bo[released->count++] = shown->bo;
	shown->bo = NULL;
	pvgpu_plane_wire(state, &shown->wire);
	if (state->visible && state->fb) {
		shown->bo = to_pvgpu_bo(state->fb->obj[0]);
		drm_gem_object_get(&shown->bo->base);
	}
}

static void release_all(struct pvgpu_released *released)
{
	u32 i;

	for (i = 0; i < released->count; i++)
		drm_gem_object_put(&released->bo[i]->base);
}

static void mode_to_wire(const struct drm_display_mode *mode, struct pvgpu_mode *wire)
{
	u32 flags = 0;

	if (mode->flags & DRM_MODE_FLAG_PHSYNC)
		flags |= PVGPU_MODE_HSYNC_POSITIVE;
	if (mode->flags & DRM_MODE_FLAG_PVSYNC)
		flags |= PVGPU_MODE_VSYNC_POSITIVE;
	wire->clock = pvgpu_cpu_to_le32(mode->clock);
	wire->hdisplay = pvgpu_cpu_to_le16(mode->hdisplay);
	wire->hsync_start = pvgpu_cpu_to_le16(mode->hsync_start);
	wire->hsync_end = pvgpu_cpu_to_le16(mode->hsync_end);
	wire->htotal = pvgpu_cpu_to_le16(mode->htotal);
	wire->vdisplay = pvgpu_cpu_to_le16(mode->vdisplay);
	wire->vsync_start = pvgpu_cpu_to_le16(mode->vsync_start);
	wire->vsync_end = pvgpu_cpu_to_le16(mode->vsync_end);
	wire->vtotal = pvgpu_cpu_to_le16(mode->vtotal);
	wire->flags = pvgpu_cpu_to_le32(flags);
}

/* The damage of a plane, as clips. None means all of it. */
static void build_damage(struct drm_plane_state *old_state, struct drm_plane_state *new_state,
			 struct pvgpu_commit_build *build)
{
	struct drm_atomic_helper_damage_iter iter;
	u32 first = build->clip_count;
	struct drm_rect clip;

	/* Without clips of the user's the iterator says all of it, too. */
	if (!drm_plane_get_damage_clips_count(new_state))
		return;
	drm_atomic_helper_damage_iter_init(&iter, old_state, new_state);
	drm_atomic_for_each_plane_damage(&iter, &clip) {
		struct pvgpu_rect *rect = &build->clips[build->clip_count];

		if (build->clip_count >= build->max_clips) {
			build->clip_count = first;
			return;
		}
		rect->x = pvgpu_cpu_to_le32(clip.x1);
		rect->y = pvgpu_cpu_to_le32(clip.y1);
		rect->width = pvgpu_cpu_to_le32(drm_rect_width(&clip));
		rect->height = pvgpu_cpu_to_le32(drm_rect_height(&clip));
		build->clip_count++;
	}
}

/* Brings the shadow of a foreign buffer up to date. Damage is relative to the
 * last frame of the plane, so it is enough only if that was this buffer.
 */
static void copy_foreign(struct drm_plane_state *old_state, struct drm_plane_state *new_state)
{
	struct drm_framebuffer *fb = new_state->fb;
	struct pvgpu_bo *bo = to_pvgpu_bo(fb->obj[0]);
	struct drm_atomic_helper_damage_iter iter;
	u32 bytes = fb->format->cpp[0];
	struct drm_rect clip;

	pvgpu_prime_sync_begin(bo);
	if (bo->foreign_copied && old_state->visible && old_state->fb &&
	    old_state->fb->obj[0] == fb->obj[0]) {
		drm_atomic_helper_damage_iter_init(&iter, old_state, new_state);
	} else {
		/* The whole visible part, by an old state that showed nothing. */
		drm_atomic_helper_damage_iter_init(&iter, new_state, new_state);
		iter.full_update = true;
	}
	drm_atomic_for_each_plane_damage(&iter, &clip)
		pvgpu_prime_sync_rows(bo, fb->offsets[0] + (u64)clip.y1 * fb->pitches[0] +
					  clip.x1 * bytes,
				      fb->pitches[0], drm_rect_width(&clip) * bytes,
				      drm_rect_height(&clip));
	bo->foreign_copied = true;
	pvgpu_prime_sync_end(bo);
}

/* -------------------------------------------------------------- commit */

/* Waits for a submitted COMMIT. A host that refuses one is broken. */
static void kms_wait(struct pvgpu_card *pvgpu, struct pvgpu_request *req)
{
	int ret = pvgpu_link_wait(pvgpu, req);

	if (!ret || req->error || ret == -EIO)
		return;
	pvgpu->kms.refused++;
	drm_err_ratelimited(&pvgpu->drm, "the host refused a commit: status %u, detail %u\n",
			    req->status, req->detail);
	pvgpu_link_fail(pvgpu);
}

/* Heads of this commit that the host must hear of, into `shown` and `build`.
 * kms.lock is held.
 */
static int kms_apply(struct drm_atomic_state *state, struct pvgpu_commit_build *build,
		     struct pvgpu_released *released)
{
	struct drm_crtc_state *old_crtc_state, *new_crtc_state;
	struct drm_plane_state *old_state, *new_state;
	struct drm_plane *plane;
	struct drm_crtc *crtc;
	int i, error = 0;
	u32 planes = 0;

	for_each_new_plane_in_state(state, plane, new_state, i)
		planes |= BIT(to_pvgpu_plane(plane)->head->index);

	for_each_oldnew_crtc_in_state(state, crtc, old_crtc_state, new_crtc_state, i) {
		struct pvgpu_head *head = to_pvgpu_crtc(crtc)->head;
		bool modeset = drm_atomic_crtc_needs_modeset(new_crtc_state);
		struct pvgpu_commit_head *wire;
		u32 p;

		if (!modeset && !(planes & BIT(head->index)))
			continue;
		if (!head->shown.active && !new_crtc_state->active)
			continue;
		head->shown.active = new_crtc_state->active;
		if (modeset && head->shown.active)
			mode_to_wire(&new_crtc_state->adjusted_mode, &head->shown.mode);
		wire = build_head(head, build, modeset);
		/* A limit on our frames is kept at our vblanks. They begin after
		 * a modeset.
		 */
		if (!modeset && head->shown.active &&
		    head->pvgpu->link.client.features & PVGPU_FEATURE_VBLANK)
			wire->vblank = pvgpu_cpu_to_le32(pvgpu_vblank_ahead(head));
		for (p = 0; p < PVGPU_PLANES && !head->shown.active; p++) {
			struct pvgpu_plane_shown *shown = &head->shown.planes[p];

			/* A head that goes dark loses its planes. */
			if (shown->bo)
				released->bo[released->count++] = shown->bo;
			memset(shown, 0, sizeof(*shown));
		}
	}

	for_each_oldnew_plane_in_state(state, plane, old_state, new_state, i) {
		struct pvgpu_plane *p = to_pvgpu_plane(plane);
		u32 first = build->clip_count;
		int ret;

		if (!p->head->shown.active)
			continue;
		if (new_state->visible && new_state->fb) {
			if (pvgpu_bo_foreign(to_pvgpu_bo(new_state->fb->obj[0])))
				copy_foreign(old_state, new_state);
			build_damage(old_state, new_state, build);
		}
		shown_set_plane(&p->head->shown.planes[p->index], new_state, released);
		ret = build_plane(p->head, p->index, first, build);
		if (ret)
			error = ret;
	}
	return error;
}

static void kms_flush(struct pvgpu_card *pvgpu, struct drm_atomic_state *state)
{
	struct pvgpu_released released = { };
	struct pvgpu_commit_build *build;
	struct pvgpu_request req;
	bool sent = false;
	int ret;

	pvgpu_request_init(&req, NULL, 0);
	mutex_lock(&pvgpu->kms.lock);
	build = build_start(pvgpu);
	ret = kms_apply(state, build, &released);
	if (!ret && build->mask && pvgpu_link_up(pvgpu)) {
		ret = build_submit(pvgpu, build, &req);
		sent = !ret;
	}
	mutex_unlock(&pvgpu->kms.lock);

	if (sent)
		kms_wait(pvgpu, &req);
	else if (ret && ret != -ENODEV && pvgpu_link_up(pvgpu))
		/* What is shown and what the host has differ. */
		pvgpu_link_fail(pvgpu);
	/* The host has let go of the old buffers, or has nothing any more. */
	release_all(&released);
}

/* Whether a commit on this CRTC is done with its completion, and need not look
 * like a flip: an async one, or one whose event is the core's own (nobody
 * asked for a time) and that lights the head or draws in what it shows.
 */
static bool kms_done_at_once(struct drm_atomic_state *state, struct drm_crtc *crtc,
			     struct drm_crtc_state *crtc_state)
{
	struct drm_plane_state *old_state, *new_state;
	struct drm_plane *plane;
	int i;

	if (!crtc_state->active || crtc_state->async_flip)
		return true;
	if (crtc_state->event->base.file_priv || crtc_state->event->base.fence)
		return false;
	if (drm_atomic_crtc_needs_modeset(crtc_state))
		return true;
	for_each_oldnew_plane_in_state(state, plane, old_state, new_state, i) {
		if (new_state->crtc == crtc && old_state->fb != new_state->fb)
			return false;
	}
	return true;
}

static void kms_send_events(struct drm_atomic_state *state)
{
	struct drm_crtc_state *crtc_state;
	struct drm_crtc *crtc;
	int i;

	for_each_new_crtc_in_state(state, crtc, crtc_state, i) {
		struct drm_pending_vblank_event *event = crtc_state->event;
		bool at_once;

		if (!event)
			continue;
		at_once = kms_done_at_once(state, crtc, crtc_state);
		crtc_state->event = NULL;
		spin_lock_irq(&crtc->dev->event_lock);
		/* The frame is latched: a flip is done at the next vblank. */
		if (!at_once && !drm_crtc_vblank_get(crtc))
			drm_crtc_arm_vblank_event(crtc, event);
		else
			drm_crtc_send_vblank_event(crtc, event);
		spin_unlock_irq(&crtc->dev->event_lock);
	}
}

static void kms_commit_tail(struct drm_atomic_state *state)
{
	struct drm_device *drm = state->dev;

	kms_wait_for_budget(state);
	drm_atomic_helper_commit_modeset_disables(drm, state);
	kms_flush(to_pvgpu(drm), state);
	drm_atomic_helper_commit_modeset_enables(drm, state);
	kms_send_events(state);
	drm_atomic_helper_commit_hw_done(state);
	drm_atomic_helper_cleanup_planes(drm, state);
	/* A flip right behind a blocking commit is refused until that one's
	 * vblank has passed, so it does not return before.
	 */
	drm_atomic_helper_wait_for_flip_done(drm, state);
}

void pvgpu_kms_update_plane(struct pvgpu_plane *plane, bool wait)
{
	struct pvgpu_head *head = plane->head;
	struct pvgpu_card *pvgpu = head->pvgpu;
	struct pvgpu_released released = { };
	struct pvgpu_commit_build *build;
	struct pvgpu_request *req;
	bool sent = false;
	int ret = 0;

	/* Small enough not to fail, which we may no longer. */
	req = kmalloc(sizeof(*req), GFP_KERNEL | __GFP_NOFAIL);
	pvgpu_request_init(req, NULL, 0);
	req->orphan = !wait;
	mutex_lock(&pvgpu->kms.lock);
	build = build_start(pvgpu);
	if (head->shown.active) {
		shown_set_plane(&head->shown.planes[plane->index], plane->base.state,
				&released);
		build_head(head, build, false);
		if (pvgpu_link_up(pvgpu)) {
			ret = build_plane(head, plane->index, 0, build);
			if (!ret)
				ret = build_submit(pvgpu, build, req);
			sent = !ret;
		}
	}
	mutex_unlock(&pvgpu->kms.lock);
	if (ret && ret != -ENODEV)
		pvgpu_link_fail(pvgpu);
	if (sent && wait)
		kms_wait(pvgpu, req);
	if (!sent || wait)
		kfree(req);
	release_all(&released);
}

int pvgpu_kms_replay(struct pvgpu_card *pvgpu)
{
	struct pvgpu_commit_build *build = build_start(pvgpu);
	struct pvgpu_request req;
	u32 h, p;
	int ret;

	for (h = 0; h < pvgpu->kms.heads; h++) {
		struct pvgpu_head *head = &pvgpu->heads[h];

		if (!head->shown.active)
			continue;
		build_head(head, build, true);
		for (p = 0; p < PVGPU_PLANES; p++) {
			if (!head->shown.planes[p].bo)
				continue;
			ret = build_plane(head, p, 0, build);
			if (ret)
				return ret;
		}
	}
	if (!build->mask)
		return 0;
	pvgpu_request_init(&req, NULL, 0);
	ret = build_submit(pvgpu, build, &req);
	return ret ? ret : pvgpu_link_wait(pvgpu, &req);
}

/* ------------------------------------------------------------------ init */

/* Whether a plane can show it; a surface's rows are not where a program could
 * say.
 */
static bool fb_shows(const struct drm_framebuffer *fb)
{
	const struct pvgpu_bo *bo = to_pvgpu_bo(fb->obj[0]);
	const struct pvgpu_surface *shape = &bo->shape;

	if (!bo->surface)
		return true;
	return pvgpu_surface_shows(shape->format, fb->format->format) && !fb->offsets[0] &&
	       (shape->target == PVGPU_TARGET_2D || shape->target == PVGPU_TARGET_RECT) &&
	       shape->samples == 1 && fb->width <= shape->width && fb->height <= shape->height;
}

/* Not all kernels refuse what no plane can show. */
static struct drm_framebuffer *kms_fb_create(struct drm_device *drm, struct drm_file *file,
					     PVGPU_FB_INFO_PARAM
					     const struct drm_mode_fb_cmd2 *cmd)
{
	struct drm_framebuffer *fb;

	if (!drm_any_plane_has_format(drm, cmd->pixel_format, cmd->modifier[0]))
		return ERR_PTR(-EINVAL);
	fb = drm_gem_fb_create_with_dirty(drm, file, PVGPU_FB_INFO cmd);
	if (!IS_ERR(fb) && !fb_shows(fb)) {
		drm_framebuffer_put(fb);
		return ERR_PTR(-EINVAL);
	}
	return fb;
}

static const struct drm_mode_config_funcs mode_config_funcs = {
	.fb_create = kms_fb_create,
	.atomic_check = kms_atomic_check,
	.atomic_commit = drm_atomic_helper_commit,
};

static const struct drm_mode_config_helper_funcs mode_config_helper_funcs = {
	.atomic_commit_setup = kms_commit_setup,
	.atomic_commit_tail = kms_commit_tail,
};

static void budget_fini(struct drm_device *drm, void *obj)
{
	drm_atomic_private_obj_fini(obj);
}

static int head_init(struct pvgpu_card *pvgpu, u32 index)
{
	struct pvgpu_head *head = &pvgpu->heads[index];
	int ret;

	head->pvgpu = pvgpu;
	head->index = index;
	ret = pvgpu_plane_init(head, PVGPU_PRIMARY);
	if (!ret && pvgpu->link.client.device.planes > 1 &&
	    pvgpu->link.client.device.features & PVGPU_FEATURE_CURSOR)
		ret = pvgpu_plane_init(head, PVGPU_CURSOR);
	if (!ret)
		ret = pvgpu_crtc_init(head);
	return ret ? ret : pvgpu_connector_init(head);
}

int pvgpu_kms_init(struct pvgpu_card *pvgpu)
{
	const struct pvgpu_device *device = &pvgpu->link.client.device;
	struct drm_device *drm = &pvgpu->drm;
	u32 i;
	int ret;

	pvgpu->kms.heads = device->heads;
	if (device->message_max < sizeof(struct pvgpu_commit) + device->heads *
	    (sizeof(struct pvgpu_commit_head) + PVGPU_PLANES * sizeof(struct pvgpu_commit_plane))) {
		drm_err(drm, "a commit of %u heads does not fit a message of %u bytes\n",
			device->heads, device->message_max);
		return -EPROTO;
	}
	ret = drmm_mutex_init(drm, &pvgpu->kms.lock);
	if (ret)
		return ret;
	pvgpu->kms.message = drmm_kzalloc(drm, device->message_max, GFP_KERNEL);
	pvgpu->kms.build = drmm_kzalloc(drm, sizeof(*pvgpu->kms.build), GFP_KERNEL);
	if (!pvgpu->kms.message || !pvgpu->kms.build)
		return -ENOMEM;
	ret = drmm_mode_config_init(drm);
	if (ret)
		return ret;

	drm->mode_config.min_width = 1;
	drm->mode_config.min_height = 1;
	drm->mode_config.max_width = PVGPU_MAX_SIDE;
	drm->mode_config.max_height = PVGPU_MAX_SIDE;
	drm->mode_config.cursor_width = device->cursor_max;
	drm->mode_config.cursor_height = device->cursor_max;
	drm->mode_config.preferred_depth = 24;
	drm->mode_config.async_page_flip = true;
	drm->mode_config.fb_modifiers_not_supported = true;
	drm->mode_config.funcs = &mode_config_funcs;
	drm->mode_config.helper_private = &mode_config_helper_funcs;

	ret = pvgpu_private_obj_init(drm, &pvgpu->kms.budget, &budget_funcs, budget_create);
	if (ret)
		return ret;
	ret = drmm_add_action_or_reset(drm, budget_fini, &pvgpu->kms.budget);
	if (ret)
		return ret;
	for (i = 0; i < device->heads; i++) {
		ret = head_init(pvgpu, i);
		if (ret)
			return ret;
	}
	if (!device->heads)
		return 0;
	/* Our timestamps are exact, so the counter can stop when unused. */
	drm->vblank_disable_immediate = true;
	ret = drm_vblank_init(drm, device->heads);
	if (ret)
		return ret;
	drm_mode_config_reset(drm);
	return 0;
}
