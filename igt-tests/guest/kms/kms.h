/* SPDX-License-Identifier: MIT */
/*
 * The little that our guest programs share over libdrm: find a card by its
 * driver, list what is plugged in, make dumb framebuffers, build atomic
 * requests. Every function ends the program with a message on failure unless
 * it says otherwise: these are tests, and their caller reads the message.
 */
#ifndef KMS_H
#define KMS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <xf86drm.h>
#include <xf86drmMode.h>

#define KMS_MAX_OUTPUTS 16

struct kms_plane {
	uint32_t id;
	uint32_t fb, crtc, src_x, src_y, src_w, src_h, x, y, w, h, damage;
};

/* A connector, the CRTC that goes with it, and their planes. */
struct kms_output {
	uint32_t connector, crtc;
	unsigned int pipe;
	drmModeModeInfo *modes;		/* modes[0] is the preferred one */
	unsigned int mode_count;
	uint32_t connector_crtc, crtc_mode, crtc_active;
	struct kms_plane primary, cursor;
};

struct kms_buffer {
	uint32_t width, height, stride, handle, fb, format;
	uint64_t size;
	uint32_t *pixels;
};

#define die(...) do { \
	fprintf(stderr, __VA_ARGS__); \
	fputc('\n', stderr); \
	exit(1); \
} while (0)
#define need(condition) do { \
	if (!(condition)) \
		die("%s:%d: not so: %s (errno %d)", __func__, __LINE__, \
		    #condition, errno); \
} while (0)

/* Opens the card of this DRM driver; -1 if there is none. */
int kms_open(const char *driver);
/* As above, atomic and universal planes switched on; ends without it. */
int kms_open_atomic(const char *driver);

/* Connected outputs in connector order, each with a CRTC of its own. */
unsigned int kms_outputs(int fd, struct kms_output *outputs);
/* The mode WxH of an output, NULL if it has none. */
drmModeModeInfo *kms_mode(struct kms_output *output, unsigned int width,
			  unsigned int height);
/* A mode of this size at 60 Hz with reduced blanking (VESA CVT), made up. */
drmModeModeInfo kms_made_up_mode(unsigned int width, unsigned int height);
uint32_t kms_property(int fd, uint32_t object, uint32_t type,
		      const char *name);

/* 0 or -errno. */
int kms_try_buffer(int fd, uint32_t width, uint32_t height, uint32_t format,
		   struct kms_buffer *buffer);
void kms_buffer(int fd, uint32_t width, uint32_t height, uint32_t format,
		struct kms_buffer *buffer);
void kms_buffer_free(int fd, struct kms_buffer *buffer);

/* Adds to a request: the output at this mode, its primary plane showing the
 * whole buffer; its cursor plane at a place (NULL: off). */
void kms_add_light(int fd, drmModeAtomicReq *request,
		   const struct kms_output *output, drmModeModeInfo *mode,
		   const struct kms_buffer *buffer);
void kms_add_cursor(drmModeAtomicReq *request,
		    const struct kms_output *output,
		    const struct kms_buffer *buffer, int x, int y);
void kms_add_off(drmModeAtomicReq *request, const struct kms_output *output);

/* Handles one event or waits; pageflip fills sequence and microseconds. */
struct kms_flip {
	unsigned int sequence;
	uint64_t time_us;
	unsigned int pending;
};
void kms_wait_flip(int fd, struct kms_flip *flip);

double now_seconds(void);

#endif
