// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Connectors: what the host says is plugged into a head. It is asked once
 * after each attach and whenever it says that something changed; the DRM core
 * is answered from memory.
 */
#include "pvgpu_drv.h"

#define EDID_MAX	SZ_32K	/* 256 blocks of 128 bytes */

/* Reads the EDID of the state that has this serial. -ESTALE: it has another by
 * now.
 */
static int edid_read(struct pvgpu_head *head, u32 serial, u8 *edid, u32 size)
{
	/* The answer's header, then the bytes. */
	struct pvgpu_head_edid_done *done;
	u32 chunk = min_t(u32, PVGPU_EDID_CHUNK_MAX,
			  head->pvgpu->link.client.device.message_max - sizeof(*done));
	u32 at, got;
	int ret = 0;

	done = kzalloc(sizeof(*done) + chunk, GFP_KERNEL);
	if (!done)
		return -ENOMEM;
	for (at = 0; at < size; at += got) {
		struct pvgpu_head_edid query = {
			.head = pvgpu_cpu_to_le32(head->index),
			.serial = pvgpu_cpu_to_le32(serial),
			.offset = pvgpu_cpu_to_le32(at),
			.size = pvgpu_cpu_to_le32(min(chunk, size - at)),
		};

		pvgpu_msg_init(&query, PVGPU_OP_HEAD_EDID);
		ret = pvgpu_link_call(head->pvgpu, &query, sizeof(query), done,
				      sizeof(*done) + chunk);
		if (ret)
			break;
		got = min3(pvgpu_le32_to_cpu(done->size), chunk, size - at);
		if (!got) {
			ret = -ENODATA;
			break;
		}
		memcpy(edid + at, done + 1, got);
	}
	kfree(done);
	return ret;
}

bool pvgpu_connector_query(struct pvgpu_head *head)
{
	struct pvgpu_head_query query = {
		.head = pvgpu_cpu_to_le32(head->index),
	};
	struct pvgpu_head_query_done done = { };
	u32 serial, size;
	u8 *edid = NULL;
	bool changed;
	int ret;

	pvgpu_msg_init(&query, PVGPU_OP_HEAD_QUERY);
	ret = pvgpu_link_call(head->pvgpu, &query, sizeof(query), &done, sizeof(done));
	if (ret)
		return false;
	serial = pvgpu_le32_to_cpu(done.serial);
	size = min_t(u32, pvgpu_le32_to_cpu(done.edid_size), EDID_MAX);
	if (size) {
		edid = kmalloc(size, GFP_KERNEL);
		/* Without an EDID there are the standard modes. If it changed
		 * meanwhile, the event that says so is on its way.
		 */
		if (!edid || edid_read(head, serial, edid, size)) {
			kfree(edid);
			edid = NULL;
			size = 0;
		}
	}

	mutex_lock(&head->plug_lock);
	changed = head->serial != serial ||
		  head->connected != !!(pvgpu_le32_to_cpu(done.flags) & PVGPU_HEAD_CONNECTED);
	head->connected = pvgpu_le32_to_cpu(done.flags) & PVGPU_HEAD_CONNECTED;
	head->serial = serial;
	head->width = pvgpu_le32_to_cpu(done.width);
	head->height = pvgpu_le32_to_cpu(done.height);
	head->refresh = pvgpu_le32_to_cpu(done.refresh);
	swap(head->edid, edid);
	head->edid_size = size;
	mutex_unlock(&head->plug_lock);
	kfree(edid);
	return changed;
}

static struct pvgpu_head *to_head(struct drm_connector *connector)
{
	return container_of(connector, struct pvgpu_head, connector);
}

static enum drm_connector_status pvgpu_connector_detect(struct drm_connector *connector,
							bool force)
{
	return READ_ONCE(to_head(connector)->connected) ? connector_status_connected :
							  connector_status_disconnected;
}

/* plug_lock is held. */
static int edid_block(void *context, u8 *buffer, unsigned int block, size_t length)
{
	struct pvgpu_head *head = context;
	size_t at = (size_t)block * EDID_LENGTH;

	if (at > head->edid_size || length > head->edid_size - at)
		return -1;
	memcpy(buffer, head->edid + at, length);
	return 0;
}

/* The preferred mode, for a head without an EDID. */
static int add_preferred(struct drm_connector *connector, u32 width, u32 height, u32 refresh)
{
	struct drm_display_mode *mode;

	if (!width || !height || width > PVGPU_MAX_SIDE || height > PVGPU_MAX_SIDE)
		return 0;
	mode = drm_cvt_mode(connector->dev, width, height,
			    clamp_t(u32, DIV_ROUND_CLOSEST(refresh, 1000), 1, 1000),
			    false, false, false);
	if (!mode)
		return 0;
	mode->type |= DRM_MODE_TYPE_PREFERRED;
	drm_mode_probed_add(connector, mode);
	return 1;
}

static int pvgpu_connector_get_modes(struct drm_connector *connector)
{
	struct pvgpu_head *head = to_head(connector);
	const struct pvgpu_device *device = &head->pvgpu->link.client.device;
	const struct drm_edid *edid;
	int count;

	mutex_lock(&head->plug_lock);
	edid = drm_edid_read_custom(connector, edid_block, head);
	count = pvgpu_edid_add_modes(connector, edid);
	if (!edid)
		count += add_preferred(connector, head->width, head->height, head->refresh);
	mutex_unlock(&head->plug_lock);
	drm_edid_free(edid);
	/* The host scales to nothing and so shows any of the standard modes. */
	return count + drm_add_modes_noedid(connector,
					    min(device->max_width, PVGPU_MAX_SIDE),
					    min(device->max_height, PVGPU_MAX_SIDE));
}

static const struct drm_connector_helper_funcs pvgpu_connector_helper_funcs = {
	.get_modes = pvgpu_connector_get_modes,
};

static const struct drm_connector_funcs pvgpu_connector_funcs = {
	.fill_modes = drm_helper_probe_single_connector_modes,
	.detect = pvgpu_connector_detect,
	.reset = drm_atomic_helper_connector_reset,
	.atomic_duplicate_state = drm_atomic_helper_connector_duplicate_state,
	.atomic_destroy_state = drm_atomic_helper_connector_destroy_state,
};

static void connector_fini(struct drm_device *drm, void *head)
{
	kfree(((struct pvgpu_head *)head)->edid);
}

int pvgpu_connector_init(struct pvgpu_head *head)
{
	struct drm_device *drm = &head->pvgpu->drm;
	struct drm_encoder *encoder;
	int ret;

	ret = drmm_mutex_init(drm, &head->plug_lock);
	if (ret)
		return ret;
	ret = drmm_add_action_or_reset(drm, connector_fini, head);
	if (ret)
		return ret;
	encoder = drmm_plain_encoder_alloc(drm, NULL, DRM_MODE_ENCODER_VIRTUAL, NULL);
	if (IS_ERR(encoder))
		return PTR_ERR(encoder);
	encoder->possible_crtcs = drm_crtc_mask(head->crtc);
	ret = drmm_connector_init(drm, &head->connector, &pvgpu_connector_funcs,
				  DRM_MODE_CONNECTOR_VIRTUAL, NULL);
	if (ret)
		return ret;
	drm_connector_helper_add(&head->connector, &pvgpu_connector_helper_funcs);
	drm_connector_attach_edid_property(&head->connector);
	head->connector.polled = DRM_CONNECTOR_POLL_HPD;
	return drm_connector_attach_encoder(&head->connector, encoder);
}
