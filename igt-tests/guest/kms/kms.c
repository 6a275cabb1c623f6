// SPDX-License-Identifier: MIT
/* What our guest programs share over libdrm; see kms.h. */
#include "kms.h"

#include <drm_fourcc.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

double now_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

int kms_open(const char *driver)
{
	for (int i = 0; i < 16; i++) {
		drmVersionPtr version;
		char path[32];
		bool ours;
		int fd;

		snprintf(path, sizeof(path), "/dev/dri/card%d", i);
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd < 0)
			continue;
		version = drmGetVersion(fd);
		ours = version && !strcmp(version->name, driver);
		drmFreeVersion(version);
		if (ours)
			return fd;
		close(fd);
	}
	return -1;
}

int kms_open_atomic(const char *driver)
{
	int fd = kms_open(driver);

	if (fd < 0)
		die("no card of driver %s", driver);
	need(!drmSetClientCap(fd, DRM_CLIENT_CAP_UNIVERSAL_PLANES, 1));
	need(!drmSetClientCap(fd, DRM_CLIENT_CAP_ATOMIC, 1));
	return fd;
}

uint32_t kms_property(int fd, uint32_t object, uint32_t type,
		      const char *name)
{
	drmModeObjectPropertiesPtr all =
		drmModeObjectGetProperties(fd, object, type);
	uint32_t found = 0;

	need(all);
	for (uint32_t i = 0; i < all->count_props && !found; i++) {
		drmModePropertyPtr p = drmModeGetProperty(fd, all->props[i]);

		if (p && !strcmp(p->name, name))
			found = p->prop_id;
		drmModeFreeProperty(p);
	}
	drmModeFreeObjectProperties(all);
	return found;
}

static uint64_t property_value(int fd, uint32_t object, uint32_t type,
			       uint32_t property)
{
	drmModeObjectPropertiesPtr all =
		drmModeObjectGetProperties(fd, object, type);
	uint64_t value = 0;

	need(all);
	for (uint32_t i = 0; i < all->count_props; i++)
		if (all->props[i] == property)
			value = all->prop_values[i];
	drmModeFreeObjectProperties(all);
	return value;
}

static void find_planes(int fd, struct kms_output *output)
{
	drmModePlaneResPtr planes = drmModeGetPlaneResources(fd);

	need(planes);
	for (uint32_t i = 0; i < planes->count_planes; i++) {
		uint32_t id = planes->planes[i], type;
		drmModePlanePtr plane = drmModeGetPlane(fd, id);
		struct kms_plane *to;

		if (!(plane->possible_crtcs & 1u << output->pipe)) {
			drmModeFreePlane(plane);
			continue;
		}
		drmModeFreePlane(plane);
		type = (uint32_t)property_value(fd, id, DRM_MODE_OBJECT_PLANE,
			kms_property(fd, id, DRM_MODE_OBJECT_PLANE, "type"));
		if (type == DRM_PLANE_TYPE_PRIMARY)
			to = &output->primary;
		else if (type == DRM_PLANE_TYPE_CURSOR)
			to = &output->cursor;
		else
			continue;
		to->id = id;
#define FIND(field, name) \
	(to->field = kms_property(fd, id, DRM_MODE_OBJECT_PLANE, name))
		FIND(fb, "FB_ID");
		FIND(crtc, "CRTC_ID");
		FIND(src_x, "SRC_X");
		FIND(src_y, "SRC_Y");
		FIND(src_w, "SRC_W");
		FIND(src_h, "SRC_H");
		FIND(x, "CRTC_X");
		FIND(y, "CRTC_Y");
		FIND(w, "CRTC_W");
		FIND(h, "CRTC_H");
		FIND(damage, "FB_DAMAGE_CLIPS");
#undef FIND
	}
	drmModeFreePlaneResources(planes);
}

unsigned int kms_outputs(int fd, struct kms_output *outputs)
{
	drmModeResPtr resources = drmModeGetResources(fd);
	unsigned int count = 0, used = 0;

	need(resources);
	for (int i = 0; i < resources->count_connectors; i++) {
		drmModeConnectorPtr c =
			drmModeGetConnector(fd, resources->connectors[i]);
		struct kms_output *o = &outputs[count];
		drmModeEncoderPtr encoder;

		need(c);
		if (c->connection != DRM_MODE_CONNECTED || !c->count_modes ||
		    count == KMS_MAX_OUTPUTS) {
			drmModeFreeConnector(c);
			continue;
		}
		memset(o, 0, sizeof(*o));
		o->connector = c->connector_id;
		o->mode_count = (unsigned int)c->count_modes;
		o->modes = calloc(o->mode_count, sizeof(*o->modes));
		memcpy(o->modes, c->modes, o->mode_count * sizeof(*o->modes));
		encoder = drmModeGetEncoder(fd, c->encoders[0]);
		need(encoder);
		for (o->pipe = 0; o->pipe < 32; o->pipe++)
			if (encoder->possible_crtcs & ~used & 1u << o->pipe)
				break;
		drmModeFreeEncoder(encoder);
		drmModeFreeConnector(c);
		need(o->pipe < (unsigned int)resources->count_crtcs);
		used |= 1u << o->pipe;
		o->crtc = resources->crtcs[o->pipe];
		o->connector_crtc = kms_property(fd, o->connector,
			DRM_MODE_OBJECT_CONNECTOR, "CRTC_ID");
		o->crtc_mode = kms_property(fd, o->crtc, DRM_MODE_OBJECT_CRTC,
					    "MODE_ID");
		o->crtc_active = kms_property(fd, o->crtc,
					      DRM_MODE_OBJECT_CRTC, "ACTIVE");
		find_planes(fd, o);
		count++;
	}
	drmModeFreeResources(resources);
	return count;
}

drmModeModeInfo *kms_mode(struct kms_output *output, unsigned int width,
			  unsigned int height)
{
	for (unsigned int i = 0; i < output->mode_count; i++)
		if (output->modes[i].hdisplay == width &&
		    output->modes[i].vdisplay == height)
			return &output->modes[i];
	return NULL;
}

drmModeModeInfo kms_made_up_mode(unsigned int width, unsigned int height)
{
	drmModeModeInfo m = {
		.hdisplay = (uint16_t)width,
		.hsync_start = (uint16_t)(width + 48),
		.hsync_end = (uint16_t)(width + 80),
		.htotal = (uint16_t)(width + 160),
		.vdisplay = (uint16_t)height,
		.vsync_start = (uint16_t)(height + 3),
		.vsync_end = (uint16_t)(height + 9),
		.vtotal = (uint16_t)(height + 45),
		.vrefresh = 60,
		.flags = DRM_MODE_FLAG_PHSYNC | DRM_MODE_FLAG_NVSYNC,
		.type = DRM_MODE_TYPE_USERDEF,
	};

	m.clock = (uint32_t)m.htotal * m.vtotal * 60 / 1000;
	snprintf(m.name, sizeof(m.name), "%ux%u", width, height);
	return m;
}

int kms_try_buffer(int fd, uint32_t width, uint32_t height, uint32_t format,
		   struct kms_buffer *buffer)
{
	struct drm_mode_create_dumb create = {
		.width = width, .height = height,
		.bpp = format == DRM_FORMAT_RGB565 ? 16 : 32,
	};
	struct drm_mode_map_dumb map = { 0 };
	uint32_t handles[4] = { 0 }, strides[4] = { 0 }, offsets[4] = { 0 };
	struct kms_buffer b = {
		.width = width, .height = height, .format = format,
	};

	if (drmIoctl(fd, DRM_IOCTL_MODE_CREATE_DUMB, &create))
		return -errno;
	b.handle = create.handle;
	b.stride = create.pitch;
	b.size = create.size;
	map.handle = b.handle;
	need(!drmIoctl(fd, DRM_IOCTL_MODE_MAP_DUMB, &map));
	b.pixels = mmap(NULL, b.size, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			(off_t)map.offset);
	need(b.pixels != MAP_FAILED);
	if (format) {
		handles[0] = b.handle;
		strides[0] = b.stride;
		need(!drmModeAddFB2(fd, width, height, format, handles,
				    strides, offsets, &b.fb, 0));
	}
	*buffer = b;
	return 0;
}

void kms_buffer(int fd, uint32_t width, uint32_t height, uint32_t format,
		struct kms_buffer *buffer)
{
	int ret = kms_try_buffer(fd, width, height, format, buffer);

	if (ret)
		die("dumb buffer of %ux%u: %s", width, height, strerror(-ret));
}

void kms_buffer_free(int fd, struct kms_buffer *buffer)
{
	struct drm_mode_destroy_dumb destroy = { .handle = buffer->handle };

	if (buffer->fb)
		need(!drmModeRmFB(fd, buffer->fb));
	need(!munmap(buffer->pixels, buffer->size));
	need(!drmIoctl(fd, DRM_IOCTL_MODE_DESTROY_DUMB, &destroy));
}

static void add_plane(drmModeAtomicReq *request, const struct kms_plane *plane,
		      uint32_t crtc, const struct kms_buffer *b, int x, int y)
{
	uint64_t w = b ? b->width : 0, h = b ? b->height : 0;
	const struct { uint32_t property; uint64_t value; } values[] = {
		{ plane->fb, b ? b->fb : 0 },
		{ plane->crtc, b ? crtc : 0 },
		{ plane->src_x, 0 }, { plane->src_y, 0 },
		{ plane->src_w, w << 16 }, { plane->src_h, h << 16 },
		{ plane->x, (uint64_t)(int64_t)x },
		{ plane->y, (uint64_t)(int64_t)y },
		{ plane->w, w }, { plane->h, h },
	};

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		need(drmModeAtomicAddProperty(request, plane->id,
					      values[i].property,
					      values[i].value) >= 0);
}

void kms_add_light(int fd, drmModeAtomicReq *request,
		   const struct kms_output *o, drmModeModeInfo *mode,
		   const struct kms_buffer *buffer)
{
	uint32_t blob;

	need(!drmModeCreatePropertyBlob(fd, mode, sizeof(*mode), &blob));
	need(drmModeAtomicAddProperty(request, o->connector,
				      o->connector_crtc, o->crtc) >= 0);
	need(drmModeAtomicAddProperty(request, o->crtc, o->crtc_mode,
				      blob) >= 0);
	need(drmModeAtomicAddProperty(request, o->crtc, o->crtc_active,
				      1) >= 0);
	add_plane(request, &o->primary, o->crtc, buffer, 0, 0);
}

void kms_add_cursor(drmModeAtomicReq *request, const struct kms_output *o,
		    const struct kms_buffer *buffer, int x, int y)
{
	add_plane(request, &o->cursor, o->crtc, buffer, x, y);
}

void kms_add_off(drmModeAtomicReq *request, const struct kms_output *o)
{
	need(drmModeAtomicAddProperty(request, o->connector,
				      o->connector_crtc, 0) >= 0);
	need(drmModeAtomicAddProperty(request, o->crtc, o->crtc_mode,
				      0) >= 0);
	need(drmModeAtomicAddProperty(request, o->crtc, o->crtc_active,
				      0) >= 0);
	add_plane(request, &o->primary, 0, NULL, 0, 0);
	add_plane(request, &o->cursor, 0, NULL, 0, 0);
}

static void on_flip(int fd, unsigned int sequence, unsigned int seconds,
		    unsigned int microseconds, void *data)
{
	struct kms_flip *flip = data;

	(void)fd;
	flip->sequence = sequence;
	flip->time_us = (uint64_t)seconds * 1000000 + microseconds;
	flip->pending--;
}

void kms_wait_flip(int fd, struct kms_flip *flip)
{
	drmEventContext events = {
		.version = 2, .page_flip_handler = on_flip,
	};
	struct pollfd p = { .fd = fd, .events = POLLIN };

	while (flip->pending) {
		int n = poll(&p, 1, 10000);

		if (n == 0)
			die("no flip event for 10 s");
		need(n == 1 || errno == EINTR);
		need(!drmHandleEvent(fd, &events));
	}
}
