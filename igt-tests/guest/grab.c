// SPDX-License-Identifier: MIT
/*
 * What a DRM card shows, seen from inside the guest: `list` prints its heads
 * as JSON, `grab` writes what a CRTC scans out as a PPM picture. Asks the
 * kernel directly, so that nothing of libdrm's stands between.
 *
 *   pvgpu-grab DRIVER list
 *   pvgpu-grab DRIVER grab CRTC-INDEX FILE.ppm
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <drm.h>
#include <drm_fourcc.h>
#include <drm_mode.h>

#define MAX_OBJECTS	32
#define MAX_MODES	256

static int card = -1;
static char card_path[32];
static struct drm_mode_card_res res;
static uint32_t crtcs[MAX_OBJECTS], connectors[MAX_OBJECTS];

__attribute__((format(printf, 1, 2), noreturn))
static void fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fprintf(stderr, "pvgpu-grab: ");
	vfprintf(stderr, format, args);
	fprintf(stderr, "\n");
	va_end(args);
	exit(1);
}

static int drm(unsigned long request, void *arg)
{
	int r;

	do {
		r = ioctl(card, request, arg);
	} while (r < 0 && (errno == EINTR || errno == EAGAIN));
	return r;
}

/* Opens the card of that driver; never stays its master. */
static void open_card(const char *driver)
{
	for (int i = 0; i < 16; i++) {
		char name[32] = "";
		struct drm_version v = { .name = name, .name_len = sizeof(name) - 1 };

		snprintf(card_path, sizeof(card_path), "/dev/dri/card%d", i);
		card = open(card_path, O_RDWR | O_CLOEXEC);
		if (card < 0)
			continue;
		ioctl(card, DRM_IOCTL_DROP_MASTER, 0);
		if (!drm(DRM_IOCTL_VERSION, &v) && !strcmp(name, driver))
			return;
		close(card);
	}
	fail("no card of the driver %s", driver);
}

static void get_resources(void)
{
	res = (struct drm_mode_card_res){
		.crtc_id_ptr = (uintptr_t)crtcs, .count_crtcs = MAX_OBJECTS,
		.connector_id_ptr = (uintptr_t)connectors, .count_connectors = MAX_OBJECTS,
	};
	if (drm(DRM_IOCTL_MODE_GETRESOURCES, &res))
		fail("GETRESOURCES: %s", strerror(errno));
	if (res.count_crtcs > MAX_OBJECTS || res.count_connectors > MAX_OBJECTS)
		fail("more than %d heads", MAX_OBJECTS);
}

static void get_crtc(unsigned int index, struct drm_mode_crtc *crtc)
{
	*crtc = (struct drm_mode_crtc){ .crtc_id = crtcs[index] };
	if (drm(DRM_IOCTL_MODE_GETCRTC, crtc))
		fail("GETCRTC %u: %s", index, strerror(errno));
}

/* ------------------------------------------------------------------ list */
static void list_connector(uint32_t id)
{
	static struct drm_mode_modeinfo modes[MAX_MODES];
	uint32_t encoders[MAX_OBJECTS];
	struct drm_mode_get_connector c = {
		.connector_id = id,
		.modes_ptr = (uintptr_t)modes, .count_modes = MAX_MODES,
		.encoders_ptr = (uintptr_t)encoders, .count_encoders = MAX_OBJECTS,
	};
	uint32_t possible = 0;

	if (drm(DRM_IOCTL_MODE_GETCONNECTOR, &c))
		fail("GETCONNECTOR %u: %s", id, strerror(errno));
	for (unsigned int i = 0; i < c.count_encoders && i < MAX_OBJECTS; i++) {
		struct drm_mode_get_encoder e = { .encoder_id = encoders[i] };

		if (!drm(DRM_IOCTL_MODE_GETENCODER, &e))
			possible |= e.possible_crtcs;
	}
	printf("{\"id\": %u, \"type\": %u, \"connected\": %s, \"crtcs\": [",
	       id, c.connector_type, c.connection == 1 ? "true" : "false");
	for (unsigned int i = 0, n = 0; i < res.count_crtcs; i++)
		if (possible & (1u << i))
			printf("%s%u", n++ ? ", " : "", i);
	printf("], \"modes\": [");
	for (unsigned int i = 0; i < c.count_modes && i < MAX_MODES; i++)
		printf("%s{\"name\": \"%.32s\", \"width\": %u, \"height\": %u, "
		       "\"refresh\": %u, \"preferred\": %s}", i ? ", " : "",
		       modes[i].name, modes[i].hdisplay, modes[i].vdisplay,
		       modes[i].vrefresh,
		       modes[i].type & DRM_MODE_TYPE_PREFERRED ? "true" : "false");
	printf("]}");
}

static int list(void)
{
	struct drm_version v = { 0 };

	drm(DRM_IOCTL_VERSION, &v);
	printf("{\"card\": \"%s\", \"version\": \"%d.%d\", \"max_width\": %u, "
	       "\"max_height\": %u,\n \"crtcs\": [", card_path,
	       v.version_major, v.version_minor, res.max_width, res.max_height);
	for (unsigned int i = 0; i < res.count_crtcs; i++) {
		struct drm_mode_crtc c;

		get_crtc(i, &c);
		printf("%s\n  {\"id\": %u, \"active\": %s, \"mode\": \"%.32s\", "
		       "\"width\": %u, \"height\": %u, \"refresh\": %u, "
		       "\"x\": %u, \"y\": %u, \"fb\": %u}",
		       i ? "," : "", c.crtc_id, c.mode_valid ? "true" : "false",
		       c.mode_valid ? c.mode.name : "", c.mode.hdisplay,
		       c.mode.vdisplay, c.mode.vrefresh, c.x, c.y, c.fb_id);
	}
	printf("],\n \"connectors\": [");
	for (unsigned int i = 0; i < res.count_connectors; i++) {
		printf("%s\n  ", i ? "," : "");
		list_connector(connectors[i]);
	}
	printf("]}\n");
	return 0;
}

/* ------------------------------------------------------------------ grab */
static const uint8_t *map_framebuffer(const struct drm_mode_fb_cmd2 *fb)
{
	size_t size = fb->offsets[0] + (size_t)fb->pitches[0] * fb->height;
	struct drm_mode_map_dumb map = { .handle = fb->handles[0] };
	void *p = MAP_FAILED;

	if (!drm(DRM_IOCTL_MODE_MAP_DUMB, &map))
		p = mmap(NULL, size, PROT_READ, MAP_SHARED, card, map.offset);
	if (p == MAP_FAILED) {
		struct drm_prime_handle prime = { .handle = fb->handles[0], .flags = DRM_CLOEXEC };

		if (drm(DRM_IOCTL_PRIME_HANDLE_TO_FD, &prime))
			fail("the framebuffer can neither be mapped nor exported: %s",
			     strerror(errno));
		p = mmap(NULL, size, PROT_READ, MAP_SHARED, prime.fd, 0);
		close(prime.fd);
	}
	if (p == MAP_FAILED)
		fail("mapping the framebuffer: %s", strerror(errno));
	return (const uint8_t *)p + fb->offsets[0];
}

static void to_rgb(uint8_t *rgb, const uint8_t *pixel, uint32_t format)
{
	uint16_t v;

	switch (format) {
	case DRM_FORMAT_XRGB8888:
	case DRM_FORMAT_ARGB8888:
		rgb[0] = pixel[2];
		rgb[1] = pixel[1];
		rgb[2] = pixel[0];
		break;
	case DRM_FORMAT_XBGR8888:
	case DRM_FORMAT_ABGR8888:
		memcpy(rgb, pixel, 3);
		break;
	case DRM_FORMAT_RGB565:
		memcpy(&v, pixel, 2);
		rgb[0] = (v >> 11) * 255 / 31;
		rgb[1] = (v >> 5 & 63) * 255 / 63;
		rgb[2] = (v & 31) * 255 / 31;
		break;
	}
}

static int grab(unsigned int index, const char *path)
{
	struct drm_mode_fb_cmd2 fb = { 0 };
	struct drm_mode_crtc crtc;
	unsigned int bytes;

	if (index >= res.count_crtcs)
		fail("there is no CRTC %u, only 0 to %u", index, res.count_crtcs - 1);
	get_crtc(index, &crtc);
	if (!crtc.mode_valid || !crtc.fb_id)
		fail("CRTC %u shows nothing", index);
	fb.fb_id = crtc.fb_id;
	if (drm(DRM_IOCTL_MODE_GETFB2, &fb))
		fail("GETFB2 %u: %s", crtc.fb_id, strerror(errno));
	switch (fb.pixel_format) {
	case DRM_FORMAT_XRGB8888:
	case DRM_FORMAT_ARGB8888:
	case DRM_FORMAT_XBGR8888:
	case DRM_FORMAT_ABGR8888:
		bytes = 4;
		break;
	case DRM_FORMAT_RGB565:
		bytes = 2;
		break;
	default:
		fail("pixel format %.4s is not known here", (char *)&fb.pixel_format);
	}
	if (crtc.x + crtc.mode.hdisplay > fb.width || crtc.y + crtc.mode.vdisplay > fb.height)
		fail("the CRTC reaches beyond its framebuffer");

	const uint8_t *pixels = map_framebuffer(&fb);
	size_t row_size = crtc.mode.hdisplay * 3;
	uint8_t *row = malloc(row_size);
	FILE *f = fopen(path, "we");

	if (!f || !row)
		fail("%s: %s", path, strerror(errno));
	setvbuf(f, NULL, _IOFBF, 256 << 10);
	fprintf(f, "P6\n%u %u\n255\n", crtc.mode.hdisplay, crtc.mode.vdisplay);
	for (unsigned int y = 0; y < crtc.mode.vdisplay; y++) {
		const uint8_t *p = pixels + (size_t)(crtc.y + y) * fb.pitches[0] + crtc.x * bytes;

		for (unsigned int x = 0; x < crtc.mode.hdisplay; x++)
			to_rgb(row + 3 * x, p + x * bytes, fb.pixel_format);
		fwrite(row, row_size, 1, f);
	}
	free(row);
	if (ferror(f) | fclose(f))
		fail("%s: %s", path, strerror(errno));
	return 0;
}

int main(int argc, char **argv)
{
	bool is_list = argc == 3 && !strcmp(argv[2], "list");
	bool is_grab = argc == 5 && !strcmp(argv[2], "grab");

	if (!is_list && !is_grab) {
		fprintf(stderr, "usage: pvgpu-grab DRIVER list\n"
			"       pvgpu-grab DRIVER grab CRTC-INDEX FILE.ppm\n");
		return 2;
	}
	open_card(argv[1]);
	get_resources();
	return is_list ? list() : grab(strtoul(argv[3], NULL, 10), argv[4]);
}
