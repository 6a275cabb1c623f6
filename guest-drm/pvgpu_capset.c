// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * What the renderer can, as the host tells it: asked for once in a generation,
 * and kept, because every program asks.
 */
#include "pvgpu_drv.h"

/* The renderer is started for the first one. */
#define CAPSET_TIMEOUT	(30 * HZ)
#define CAPSET_MAX	SZ_64K

/** struct caps - a capability set */
struct caps {
	struct list_head entry;
	u32 id, version, generation;
	u32 size;
	u8 data[];
};

/** struct caps_chunk - an answer */
struct caps_chunk {
	struct pvgpu_capset_done done;
	u8 data[PVGPU_CAPSET_CHUNK_MAX];
};

static int caps_ask(struct pvgpu_card *pvgpu, u32 id, u32 version, u32 offset,
		    struct caps_chunk *chunk)
{
	/* An answer has to fit a message. */
	u32 room = min_t(u32, PVGPU_CAPSET_CHUNK_MAX,
			 pvgpu->link.client.device.message_max - sizeof(chunk->done));
	struct pvgpu_capset ask = {
		.capset = pvgpu_cpu_to_le32(id),
		.version = pvgpu_cpu_to_le32(version),
		.offset = pvgpu_cpu_to_le32(offset),
		.size = pvgpu_cpu_to_le32(round_down(room, 8)),
	};
	struct pvgpu_request req;
	int ret;

	pvgpu_msg_init(&ask, PVGPU_OP_CAPSET);
	memset(chunk, 0, sizeof(*chunk));
	pvgpu_request_init(&req, chunk, sizeof(*chunk));
	req.timeout = CAPSET_TIMEOUT;
	ret = pvgpu_link_submit(pvgpu, &req, &ask, sizeof(ask));
	return ret ? ret : pvgpu_link_wait(pvgpu, &req);
}

static struct caps *caps_fetch(struct pvgpu_card *pvgpu, u32 id, u32 version)
{
	u32 generation = pvgpu_link_generation(pvgpu), total, size, at;
	struct caps_chunk *chunk;
	struct caps *caps = NULL;
	int ret;

	chunk = kmalloc(sizeof(*chunk), GFP_KERNEL);
	if (!chunk)
		return ERR_PTR(-ENOMEM);
	ret = caps_ask(pvgpu, id, version, 0, chunk);
	if (ret)
		goto out;
	total = pvgpu_le32_to_cpu(chunk->done.total);
	if (!total || total > CAPSET_MAX) {
		ret = -EPROTO;
		goto out;
	}
	caps = kzalloc(struct_size(caps, data, total), GFP_KERNEL);
	if (!caps) {
		ret = -ENOMEM;
		goto out;
	}
	for (at = 0;;) {
		size = pvgpu_le32_to_cpu(chunk->done.size);
		if (!size || size > PVGPU_CAPSET_CHUNK_MAX || size > total - at) {
			ret = -EPROTO;
			break;
		}
		memcpy(caps->data + at, chunk->data, size);
		at += size;
		if (at == total)
			break;
		ret = caps_ask(pvgpu, id, version, at, chunk);
		if (ret)
			break;
	}
out:
	kfree(chunk);
	if (ret) {
		kfree(caps);
		return ERR_PTR(ret == -EOPNOTSUPP ? -EINVAL : ret);
	}
	caps->id = id;
	caps->version = version;
	caps->generation = generation;
	caps->size = total;
	return caps;
}

void pvgpu_capset_fini(struct pvgpu_card *pvgpu)
{
	struct caps *caps, *next;

	list_for_each_entry_safe(caps, next, &pvgpu->virgl.caps, entry)
		kfree(caps);
}

/* caps_lock is held, and protects what is returned. */
static struct caps *caps_get(struct pvgpu_card *pvgpu, u32 id, u32 version)
{
	struct pvgpu_virgl *virgl = &pvgpu->virgl;
	struct caps *caps, *next;

	list_for_each_entry_safe(caps, next, &virgl->caps, entry) {
		if (caps->id != id || caps->version != version)
			continue;
		if (caps->generation == pvgpu_link_generation(pvgpu))
			return caps;
		/* Another renderer may be another one. */
		list_del(&caps->entry);
		kfree(caps);
	}
	caps = caps_fetch(pvgpu, id, version);
	if (!IS_ERR(caps))
		list_add(&caps->entry, &virgl->caps);
	return caps;
}

int pvgpu_ioctl_get_caps(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct pvgpu_card *pvgpu = to_pvgpu(drm);
	struct drm_virtgpu_get_caps *args = data;
	void *copy = NULL;
	struct caps *caps;
	u32 size = 0;
	int ret = 0;

	if (!pvgpu_has_virgl(pvgpu))
		return -ENOSYS;
	if (!args->size || args->cap_set_id > 31 ||
	    !(pvgpu->link.client.device.capsets & BIT(args->cap_set_id)))
		return -EINVAL;
	mutex_lock(&pvgpu->virgl.caps_lock);
	caps = caps_get(pvgpu, args->cap_set_id, args->cap_set_ver);
	if (IS_ERR(caps)) {
		ret = PTR_ERR(caps);
	} else {
		size = min(args->size, caps->size);
		copy = kmemdup(caps->data, size, GFP_KERNEL);
		if (!copy)
			ret = -ENOMEM;
	}
	mutex_unlock(&pvgpu->virgl.caps_lock);
	/* A program's memory is not touched under a lock of all. */
	if (!ret && copy_to_user(u64_to_user_ptr(args->addr), copy, size))
		ret = -EFAULT;
	kfree(copy);
	return ret;
}
