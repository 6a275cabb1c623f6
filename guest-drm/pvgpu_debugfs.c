// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * debugfs: what the host announced, how the link does, and who has VRAM.
 */
#include "pvgpu_drv.h"

static struct pvgpu_card *card_of(struct seq_file *m)
{
	struct drm_info_node *node = m->private;

	return to_pvgpu(node->minor->dev);
}

static int limits_show(struct seq_file *m, void *unused)
{
	const struct pvgpu_device *device = &card_of(m)->link.client.device;

	seq_printf(m, "type %s\n", device->type_name);
	seq_printf(m, "uuid %pUb\n", device->vgpu_uuid);
	seq_printf(m, "features 0x%llx\n", device->features);
	seq_printf(m, "vram %llu\n", device->vram_size);
	seq_printf(m, "device_budget %llu\n", device->device_budget);
	seq_printf(m, "heads %u\n", device->heads);
	seq_printf(m, "planes %u\n", device->planes);
	seq_printf(m, "max_width %u\n", device->max_width);
	seq_printf(m, "max_height %u\n", device->max_height);
	seq_printf(m, "max_pixels %llu\n", device->max_pixels);
	seq_printf(m, "max_refresh %u\n", device->max_refresh);
	seq_printf(m, "cursor_max %u\n", device->cursor_max);
	seq_printf(m, "channels %u\n", device->channels);
	seq_printf(m, "max_resources %u\n", device->max_resources);
	seq_printf(m, "max_extents %u\n", device->max_extents);
	seq_printf(m, "message_max %u\n", device->message_max);
	seq_printf(m, "capsets 0x%x\n", device->capsets);
	seq_printf(m, "max_contexts %u\n", device->max_contexts);
	seq_printf(m, "max_commands %u\n", device->max_commands);
	return 0;
}

static int link_show(struct seq_file *m, void *unused)
{
	struct pvgpu_card *pvgpu = card_of(m);
	const struct pvgpu_link *link = &pvgpu->link;
	unsigned long batches = 0, failed = 0;
	u32 id;

	seq_printf(m, "attached %d\n", pvgpu_link_up(pvgpu));
	seq_printf(m, "generation %u\n", pvgpu_link_generation(pvgpu));
	seq_printf(m, "window %pap size %llu cached %d\n", &pvgpu->transport.bus,
		   pvgpu->transport.size, pvgpu_is_cached(pvgpu->transport.window));
	seq_printf(m, "vectors %u\n", pvgpu->transport.num_vectors);
	seq_printf(m, "interrupts %lu\n", link->interrupts);
	seq_printf(m, "doorbells %lu\n", link->doorbells);
	seq_printf(m, "calls %lu\n", link->calls);
	seq_printf(m, "failures %lu\n", link->failures);
	seq_printf(m, "resets %lu\n", link->resets);
	seq_printf(m, "commits %lu\n", pvgpu->kms.commits);
	seq_printf(m, "commits_refused %lu\n", pvgpu->kms.refused);
	for (id = 1; id <= PVGPU_MAX_CHANNELS; id++) {
		if (!pvgpu->channels[id])
			continue;
		batches += pvgpu->channels[id]->batches;
		failed += pvgpu->channels[id]->failed;
	}
	seq_printf(m, "batches %lu\n", batches);
	seq_printf(m, "batches_failed %lu\n", failed);
	return 0;
}

/* Channels, one a line, and who has how much of the device budget. */
static int render_show(struct seq_file *m, void *unused)
{
	struct pvgpu_card *pvgpu = card_of(m);
	struct pvgpu_virgl *virgl = &pvgpu->virgl;
	u32 id;

	seq_printf(m, "offered %d\n", pvgpu_has_virgl(pvgpu));
	seq_printf(m, "charged %llu\npeak %llu\n", pvgpu_virgl_charged(pvgpu), virgl->peak);
	seq_printf(m, "contexts_lost %lu\n", virgl->lost);
	seq_printf(m, "objects_waiting %d\n", atomic_read(&virgl->graves));
	for (id = 1; id <= PVGPU_MAX_CHANNELS; id++) {
		struct pvgpu_channel *channel = pvgpu->channels[id];
		struct pvgpu_fence_obj *fence;
		u32 under_way = 0;

		if (!channel)
			continue;
		spin_lock_irq(&channel->lock);
		list_for_each_entry(fence, &channel->fences, entry)
			under_way++;
		spin_unlock_irq(&channel->lock);
		seq_printf(m, "channel %u class %u open %d contexts %u ", id, channel->class,
			   channel->open, channel->contexts);
		seq_printf(m, "batches %lu failed %lu under_way %u\n", channel->batches,
			   channel->failed, under_way);
	}
	return 0;
}

static int vram_show(struct seq_file *m, void *unused)
{
	struct pvgpu_vram *vram = &card_of(m)->vram;
	struct drm_printer p = drm_seq_file_printer(m);

	mutex_lock(&vram->lock);
	seq_printf(m, "size %llu\nused %llu\npeak %llu\nobjects %lu\n", vram->size, vram->used,
		   vram->peak, vram->objects);
	drm_mm_print(&vram->mm, &p);
	mutex_unlock(&vram->lock);
	return 0;
}

/* One control round trip, timed: what all others cost at least. */
static int ping_show(struct seq_file *m, void *unused)
{
	struct pvgpu_card *pvgpu = card_of(m);
	struct pvgpu_ping ping = {
		.payload = pvgpu_cpu_to_le64(get_random_u64()),
	};
	struct pvgpu_ping_done done = { };
	ktime_t start = ktime_get();
	int ret;

	pvgpu_msg_init(&ping, PVGPU_OP_PING);
	ret = pvgpu_link_call(pvgpu, &ping, sizeof(ping), &done, sizeof(done));
	if (ret)
		return ret;
	if (done.payload != ping.payload)
		return -EPROTO;
	seq_printf(m, "%lld ns\n", ktime_to_ns(ktime_sub(ktime_get(), start)));
	return 0;
}

static const struct drm_info_list debugfs_files[] = {
	{ "limits", limits_show, 0, NULL },
	{ "link", link_show, 0, NULL },
	{ "vram", vram_show, 0, NULL },
	{ "render", render_show, 0, NULL },
	{ "ping", ping_show, 0, NULL },
};

void pvgpu_debugfs_init(struct drm_minor *minor)
{
	drm_debugfs_create_files(debugfs_files, ARRAY_SIZE(debugfs_files), minor->debugfs_root,
				 minor);
}
