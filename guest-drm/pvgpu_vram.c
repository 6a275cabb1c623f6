// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * The allocator of VRAM: drm_mm over all of it, several page extents for one
 * allocation where there is no hole that is big enough, and access to it
 * through the window. VRAM is cached memory of the host's and has no struct
 * pages here.
 */
#include "pvgpu_drv.h"

#define CLEAR_STEP	SZ_1M

static void vram_fini(struct drm_device *drm, void *mm)
{
	/* Objects that the host has just let go of. */
	flush_workqueue(to_pvgpu(drm)->link.wq);
	drm_mm_takedown(mm);
}

int pvgpu_vram_init(struct pvgpu_card *pvgpu)
{
	struct pvgpu_vram *vram = &pvgpu->vram;
	int ret;

	vram->size = round_down(pvgpu->link.client.device.vram_size, PAGE_SIZE);
	ret = drmm_mutex_init(&pvgpu->drm, &vram->lock);
	if (ret)
		return ret;
	drm_mm_init(&vram->mm, 0, vram->size);
	return drmm_add_action_or_reset(&pvgpu->drm, vram_fini, &vram->mm);
}

/* The largest hole; vram.lock is held. */
static u64 vram_largest(struct pvgpu_vram *vram)
{
	u64 start, end, largest = 0;
	struct drm_mm_node *node;

	drm_mm_for_each_hole(node, &vram->mm, start, end)
		largest = max(largest, end - start);
	return round_down(largest, PAGE_SIZE);
}

/* One more block of at most `want` bytes; vram.lock is held. */
static struct pvgpu_piece *vram_block(struct pvgpu_vram *vram, u64 want)
{
	/* Firmware, humans and huge pages like large objects aligned. */
	u64 align = want >= PVGPU_VRAM_ALIGN ? PVGPU_VRAM_ALIGN : PAGE_SIZE;
	struct pvgpu_piece *block;
	int ret;

	block = kzalloc(sizeof(*block), GFP_KERNEL);
	if (!block)
		return ERR_PTR(-ENOMEM);
	ret = drm_mm_insert_node_generic(&vram->mm, &block->node, want, align, 0,
					 DRM_MM_INSERT_BEST);
	if (ret == -ENOSPC && align != PAGE_SIZE)
		ret = drm_mm_insert_node_generic(&vram->mm, &block->node, want, PAGE_SIZE,
						 0, DRM_MM_INSERT_BEST);
	if (ret == -ENOSPC) {
		want = min(want, vram_largest(vram));
		ret = want ? drm_mm_insert_node_generic(&vram->mm, &block->node, want,
							PAGE_SIZE, 0, DRM_MM_INSERT_BEST) :
			     -ENOMEM;
	}
	if (ret) {
		kfree(block);
		return ERR_PTR(ret == -ENOSPC ? -ENOMEM : ret);
	}
	return block;
}

static void vram_free_locked(struct pvgpu_vram *vram, struct pvgpu_extents *ext)
{
	u32 i;

	for (i = 0; i < ext->count; i++) {
		vram->used -= ext->blocks[i]->node.size;
		drm_mm_remove_node(&ext->blocks[i]->node);
		kfree(ext->blocks[i]);
	}
	kvfree(ext->blocks);
	ext->blocks = NULL;
	ext->count = 0;
}

/* Room for twice as many blocks. */
static int extents_grow(struct pvgpu_extents *ext, u32 *room)
{
	u32 more = max(4u, *room * 2);
	struct pvgpu_piece **blocks;

	blocks = kvmalloc_array(more, sizeof(*blocks), GFP_KERNEL);
	if (!blocks)
		return -ENOMEM;
	if (ext->count)
		memcpy(blocks, ext->blocks, ext->count * sizeof(*blocks));
	kvfree(ext->blocks);
	ext->blocks = blocks;
	*room = more;
	return 0;
}

int pvgpu_vram_alloc(struct pvgpu_card *pvgpu, struct pvgpu_extents *ext, u64 size)
{
	u32 max_extents = pvgpu->link.client.device.max_extents, room = 0;
	struct pvgpu_vram *vram = &pvgpu->vram;
	struct pvgpu_piece *block;
	u64 done = 0;
	int ret = 0;

	memset(ext, 0, sizeof(*ext));
	mutex_lock(&vram->lock);
	if (!size || size > vram->size - vram->used) {
		ret = -ENOMEM;
		goto out;
	}
	while (done < size) {
		ret = ext->count >= max_extents ? -ENOSPC : 0;
		if (!ret && ext->count == room)
			ret = extents_grow(ext, &room);
		if (ret)
			break;
		block = vram_block(vram, size - done);
		if (IS_ERR(block)) {
			ret = PTR_ERR(block);
			break;
		}
		block->start = done;
		done += block->node.size;
		vram->used += block->node.size;
		ext->blocks[ext->count++] = block;
	}
	if (ret) {
		vram_free_locked(vram, ext);
	} else {
		ext->size = size;
		vram->objects++;
		vram->peak = max(vram->peak, vram->used);
	}
out:
	mutex_unlock(&vram->lock);
	return ret;
}

void pvgpu_vram_free(struct pvgpu_card *pvgpu, struct pvgpu_extents *ext)
{
	struct pvgpu_vram *vram = &pvgpu->vram;

	if (!ext->count)
		return;
	mutex_lock(&vram->lock);
	vram_free_locked(vram, ext);
	vram->objects--;
	mutex_unlock(&vram->lock);
}

u64 pvgpu_vram_offset(const struct pvgpu_extents *ext, u64 at, u64 *ret_run)
{
	const struct pvgpu_piece *block;
	u32 low = 0, high = ext->count - 1;

	while (low < high) {
		u32 middle = (low + high + 1) / 2;

		if (ext->blocks[middle]->start <= at)
			low = middle;
		else
			high = middle - 1;
	}
	block = ext->blocks[low];
	if (ret_run)
		*ret_run = block->start + block->node.size - at;
	return block->node.start + (at - block->start);
}

void *pvgpu_vram_address(struct pvgpu_card *pvgpu, u64 offset)
{
	return pvgpu->transport.window + pvgpu->link.client.device.vram_offset + offset;
}

void pvgpu_vram_clear(struct pvgpu_card *pvgpu, const struct pvgpu_extents *ext)
{
	u64 at, run, step;
	int idx;

	for (at = 0; at < ext->size; at += step) {
		u64 offset = pvgpu_vram_offset(ext, at, &run);

		step = min_t(u64, run, CLEAR_STEP);
		if (!drm_dev_enter(&pvgpu->drm, &idx))
			return;
		memset(pvgpu_vram_address(pvgpu, offset), 0, step);
		drm_dev_exit(idx);
		cond_resched();
	}
}

void pvgpu_vram_write(struct pvgpu_card *pvgpu, const struct pvgpu_extents *ext, u64 at,
		      const struct iosys_map *from, size_t offset, size_t size)
{
	u64 run, step;

	for (; size; at += step, offset += step, size -= step) {
		u64 to = pvgpu_vram_offset(ext, at, &run);

		step = min_t(u64, run, size);
		iosys_map_memcpy_from(pvgpu_vram_address(pvgpu, to), from, offset, step);
	}
}
