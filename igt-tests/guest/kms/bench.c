// SPDX-License-Identifier: MIT
/*
 * The guest's side of `make bench`: the same loops on whatever card its
 * DRIVER names, timed in the guest, one "name value" line a figure. Each loop
 * ends only when the host has taken everything: our driver says so by itself,
 * and virtio-gpu is asked with a fenced request behind the last one (its
 * control queue is first in, first out).
 */
#include "kms.h"

#include <drm_fourcc.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include <virtgpu_drm.h>

static const char *driver;
static bool virtio;

/* The smallest request that the host answers: a resource made, its answer
 * waited for, and let go. */
static void virtio_round_trip(int fd)
{
	struct drm_virtgpu_resource_create create = {
		.target = 2, .format = 1, .bind = 2,
		.width = 16, .height = 16, .depth = 1, .array_size = 1,
		.size = 16 * 16 * 4,
	};
	struct drm_virtgpu_3d_wait wait = { 0 };
	struct drm_gem_close close = { 0 };

	need(!drmIoctl(fd, DRM_IOCTL_VIRTGPU_RESOURCE_CREATE, &create));
	wait.handle = create.bo_handle;
	need(!drmIoctl(fd, DRM_IOCTL_VIRTGPU_WAIT, &wait));
	close.handle = create.bo_handle;
	need(!drmIoctl(fd, DRM_IOCTL_GEM_CLOSE, &close));
}

/* Buffers are made known to the host only when it must know them, so that
 * would not be a round trip here. */
static void pvgpu_round_trip(int fd)
{
	static char path[64];
	char answer[64];
	struct stat st;
	int ping;

	if (!path[0]) {
		need(!fstat(fd, &st));
		snprintf(path, sizeof(path), "/sys/kernel/debug/dri/%u/ping",
			 minor(st.st_rdev));
	}
	ping = open(path, O_RDONLY | O_CLOEXEC);
	need(ping >= 0 && read(ping, answer, sizeof(answer)) > 0);
	close(ping);
}

static void host_has_all(int fd)
{
	if (virtio)
		virtio_round_trip(fd);
}

struct screen {
	int fd;
	struct kms_output outputs[KMS_MAX_OUTPUTS];
	struct kms_buffer buffers[2];
	bool async;
};

static void screen_open(struct screen *s, unsigned int width,
			unsigned int height)
{
	drmModeAtomicReq *request = drmModeAtomicAlloc();
	drmModeModeInfo made_up, *mode;
	uint64_t async = 0;

	s->fd = kms_open_atomic(driver);
	need(kms_outputs(s->fd, s->outputs));
	mode = kms_mode(&s->outputs[0], width, height);
	if (!mode) {
		made_up = kms_made_up_mode(width, height);
		mode = &made_up;
	}
	for (int b = 0; b < 2; b++) {
		kms_buffer(s->fd, width, height, DRM_FORMAT_XRGB8888,
			   &s->buffers[b]);
		memset(s->buffers[b].pixels, b ? 0x55 : 0xaa,
		       s->buffers[b].size);
	}
	kms_add_light(s->fd, request, &s->outputs[0], mode, &s->buffers[0]);
	need(!drmModeAtomicCommit(s->fd, request,
				  DRM_MODE_ATOMIC_ALLOW_MODESET, NULL));
	s->async = !drmGetCap(s->fd, DRM_CAP_ASYNC_PAGE_FLIP, &async) && async;
}

static void flip_once(struct screen *s, unsigned int frame,
		      struct kms_flip *flip)
{
	flip->pending = 1;
	need(!drmModePageFlip(s->fd, s->outputs[0].crtc,
			      s->buffers[frame & 1].fb,
			      DRM_MODE_PAGE_FLIP_EVENT |
			      (s->async ? DRM_MODE_PAGE_FLIP_ASYNC : 0),
			      flip));
	kms_wait_flip(s->fd, flip);
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void flips(double seconds, unsigned int w, unsigned int h)
{
	struct screen s;
	struct kms_flip flip = { 0 };
	double start, end, *each = calloc(1000000, sizeof(*each));
	unsigned int n = 0;

	need(each);
	screen_open(&s, w, h);
	for (int i = 0; i < 10; i++)
		flip_once(&s, n++, &flip);
	host_has_all(s.fd);
	n = 0;
	start = now_seconds();
	do {
		double before = now_seconds();

		flip_once(&s, n, &flip);
		end = now_seconds();
		each[n++] = end - before;
	} while (end - start < seconds && n < 1000000);
	host_has_all(s.fd);
	end = now_seconds();
	qsort(each, n, sizeof(*each), by_value);
	printf("flips_per_s %.3f\n", n / (end - start));
	printf("flip_us_p50 %.3f\nflip_us_p99 %.3f\n", each[n / 2] * 1e6,
	       each[n * 99 / 100] * 1e6);
}

/* Writes every pixel and hands it over, until the host has it. */
static void updates(double seconds, unsigned int w, unsigned int h)
{
	struct screen s;
	double start, end;
	unsigned int n = 0;

	screen_open(&s, w, h);
	host_has_all(s.fd);
	start = now_seconds();
	do {
		memset(s.buffers[0].pixels, (int)(n & 0xff),
		       s.buffers[0].size);
		need(!drmModeDirtyFB(s.fd, s.buffers[0].fb, NULL, 0));
		host_has_all(s.fd);
		n++;
		end = now_seconds();
	} while (end - start < seconds);
	printf("updates_per_s %.3f\n", n / (end - start));
	printf("last_value %u\n", (n - 1) & 0xff);
	fflush(stdout);
	/* The caller looks at the host's picture meanwhile. */
	getchar();
}

static void round_trips(double seconds)
{
	int fd = kms_open(driver);
	unsigned int n = 0;
	double start, end;

	need(fd >= 0);
	start = now_seconds();
	do {
		if (virtio)
			virtio_round_trip(fd);
		else
			pvgpu_round_trip(fd);
		n++;
		end = now_seconds();
	} while (end - start < seconds);
	printf("round_trips_per_s %.3f\n", n / (end - start));
}

int main(int argc, char **argv)
{
	double seconds;

	if (argc < 4) {
		fprintf(stderr, "usage: pvgpu-bench DRIVER flips|updates|round-trips SECONDS [WIDTH HEIGHT]\n");
		return 2;
	}
	driver = argv[1];
	virtio = !strcmp(driver, "virtio_gpu");
	seconds = atof(argv[3]);
	if (!strcmp(argv[2], "round-trips")) {
		round_trips(seconds);
	} else {
		unsigned int w = argc > 5 ? (unsigned int)atoi(argv[4]) : 1920;
		unsigned int h = argc > 5 ? (unsigned int)atoi(argv[5]) : 1080;

		if (!strcmp(argv[2], "flips"))
			flips(seconds, w, h);
		else if (!strcmp(argv[2], "updates"))
			updates(seconds, w, h);
		else
			die("'%s' is no benchmark", argv[2]);
	}
	return 0;
}
