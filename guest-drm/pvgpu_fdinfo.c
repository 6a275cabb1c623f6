// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * What an open file uses, for programs that list GPUs' users; the kernel's
 * drm-usage-stats.rst says what the keys mean. Region "vram" is the window,
 * "device" what the renderer holds.
 */
#include "pvgpu_drv.h"

/** struct usage - bytes of a region */
struct usage {
	u64 total, shared, resident, active;
};

static void usage_add(struct usage *usage, u64 size, bool shared, bool active)
{
	usage->total += size;
	usage->resident += size;
	if (shared)
		usage->shared += size;
	if (active)
		usage->active += size;
}

static void usage_print(struct drm_printer *p, const char *region, const struct usage *usage)
{
	drm_printf(p, "drm-total-%s:\t%llu KiB\n", region, usage->total >> 10);
	drm_printf(p, "drm-shared-%s:\t%llu KiB\n", region, usage->shared >> 10);
	drm_printf(p, "drm-resident-%s:\t%llu KiB\n", region, usage->resident >> 10);
	drm_printf(p, "drm-active-%s:\t%llu KiB\n", region, usage->active >> 10);
	drm_printf(p, "drm-memory-%s:\t%llu KiB\n", region, usage->resident >> 10);
}

static void file_usage(struct drm_file *file, struct usage *vram, struct usage *device)
{
	struct drm_gem_object *obj;
	int id = 0;

	spin_lock(&file->table_lock);
	idr_for_each_entry(&file->object_idr, obj, id) {
		struct pvgpu_bo *bo = to_pvgpu_bo(obj);
		bool shared = obj->handle_count > 1 || obj->dma_buf;
		bool active = !dma_resv_test_signaled(obj->resv, DMA_RESV_USAGE_READ);

		if (READ_ONCE(bo->vram.count))
			usage_add(vram, obj->size, shared, active);
		if (bo->surface && bo->generation == pvgpu_link_generation(to_pvgpu(obj->dev)))
			usage_add(device, bo->charge, shared, active);
	}
	spin_unlock(&file->table_lock);
}

void pvgpu_fdinfo(struct drm_printer *p, struct drm_file *file)
{
	struct pvgpu_file *pfile = file->driver_priv;
	struct pvgpu_context *context = smp_load_acquire(&pfile->context);
	struct usage vram = { }, device = { };
	struct pvgpu_context_query_done done = { };

	pvgpu_fdinfo_head(p, file, pfile->client_id);
	if (!pvgpu_has_virgl(pfile->pvgpu)) {
		file_usage(file, &vram, &device);
		usage_print(p, "vram", &vram);
		return;
	}
	/* What a lost one has used it has used. */
	if (context && !pvgpu_context_query(context, &done)) {
		u64 charged = pvgpu_le64_to_cpu(done.charged);

		WRITE_ONCE(pfile->busy, max(READ_ONCE(pfile->busy), pvgpu_le64_to_cpu(done.busy)));
		usage_add(&device, charged, false, false);
	}
	drm_printf(p, "drm-engine-render:\t%llu ns\n", READ_ONCE(pfile->busy));
	file_usage(file, &vram, &device);
	usage_print(p, "vram", &vram);
	usage_print(p, "device", &device);
}
