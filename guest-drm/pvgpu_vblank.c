// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Vblanks: a timer of our own at the exact rate of the mode. Tick n is at
 * base + n * pixels of a frame / pixel clock, computed from the base each
 * time, so nothing drifts, and a tick that the processor slept through is
 * counted, not delayed.
 */
#include "pvgpu_drv.h"

static struct pvgpu_vblank *vblank_of(struct drm_crtc *crtc)
{
	return &to_pvgpu_crtc(crtc)->head->vblank;
}

static ktime_t tick_time(const struct pvgpu_vblank *vblank, u64 n)
{
	/* Pixels * 10^6 / kHz is nanoseconds. */
	return ktime_add_ns(vblank->base,
			    mul_u64_u64_div_u64(n * vblank->frame, 1000000, vblank->clock));
}

/* The last tick that is not after `now`. */
static u64 tick_at(const struct pvgpu_vblank *vblank, ktime_t now)
{
	s64 since = ktime_to_ns(ktime_sub(now, vblank->base));
	u64 n;

	if (since <= 0)
		return 0;
	n = mul_u64_u64_div_u64(since, vblank->clock, vblank->frame * 1000000);
	/* Both divisions round down, so it can be one too early. */
	if (ktime_compare(tick_time(vblank, n + 1), now) <= 0)
		n++;
	return n;
}

static enum hrtimer_restart vblank_tick(struct hrtimer *timer)
{
	struct pvgpu_vblank *vblank = container_of(timer, struct pvgpu_vblank, timer);
	struct pvgpu_head *head = container_of(vblank, struct pvgpu_head, vblank);
	enum hrtimer_restart ret = HRTIMER_NORESTART;
	unsigned long flags;

	drm_crtc_handle_vblank(head->crtc);

	/* The core may have disabled and enabled us meanwhile. */
	spin_lock_irqsave(&vblank->lock, flags);
	if (vblank->enabled && !hrtimer_is_queued(timer)) {
		hrtimer_set_expires(timer,
				    tick_time(vblank, tick_at(vblank, ktime_get()) + 1));
		ret = HRTIMER_RESTART;
	}
	spin_unlock_irqrestore(&vblank->lock, flags);
	return ret;
}

int pvgpu_vblank_enable(struct drm_crtc *crtc)
{
	struct pvgpu_vblank *vblank = vblank_of(crtc);
	unsigned long flags;

	spin_lock_irqsave(&vblank->lock, flags);
	vblank->enabled = true;
	hrtimer_start(&vblank->timer, tick_time(vblank, tick_at(vblank, ktime_get()) + 1),
		      HRTIMER_MODE_ABS);
	spin_unlock_irqrestore(&vblank->lock, flags);
	return 0;
}

/* Called with the core's spinlocks held, also from within the tick: it must
 * not wait for the tick.
 */
void pvgpu_vblank_disable(struct drm_crtc *crtc)
{
	struct pvgpu_vblank *vblank = vblank_of(crtc);
	unsigned long flags;

	spin_lock_irqsave(&vblank->lock, flags);
	vblank->enabled = false;
	hrtimer_try_to_cancel(&vblank->timer);
	spin_unlock_irqrestore(&vblank->lock, flags);
}

bool pvgpu_vblank_timestamp(struct drm_crtc *crtc, int *max_error, ktime_t *time,
			    bool in_vblank_irq)
{
	struct pvgpu_vblank *vblank = vblank_of(crtc);
	ktime_t now = ktime_get();

	*time = vblank->frame ? tick_time(vblank, tick_at(vblank, now)) : now;
	return true;
}

void pvgpu_vblank_start(struct pvgpu_head *head, const struct drm_display_mode *mode)
{
	struct pvgpu_vblank *vblank = &head->vblank;

	vblank->frame = (u64)mode->htotal * mode->vtotal;
	vblank->clock = mode->clock;
	vblank->base = ktime_get();
	drm_crtc_vblank_on(head->crtc);
}

u32 pvgpu_vblank_ahead(struct pvgpu_head *head)
{
	const struct pvgpu_vblank *vblank = &head->vblank;
	ktime_t now = ktime_get();
	s64 ahead;

	if (!vblank->frame)
		return 0;
	ahead = ktime_to_ns(ktime_sub(tick_time(vblank, tick_at(vblank, now) + 1), now));
	return clamp_t(s64, ahead, 1, U32_MAX);
}

void pvgpu_vblank_stop(struct pvgpu_head *head)
{
	drm_crtc_vblank_off(head->crtc);
	hrtimer_cancel(&head->vblank.timer);
}

static void vblank_fini(struct drm_device *drm, void *vblank)
{
	hrtimer_cancel(&((struct pvgpu_vblank *)vblank)->timer);
}

int pvgpu_vblank_init(struct pvgpu_head *head)
{
	spin_lock_init(&head->vblank.lock);
	hrtimer_setup(&head->vblank.timer, vblank_tick, CLOCK_MONOTONIC, HRTIMER_MODE_ABS);
	return drmm_add_action_or_reset(&head->pvgpu->drm, vblank_fini, &head->vblank);
}
