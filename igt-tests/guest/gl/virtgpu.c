// SPDX-License-Identifier: MIT
/*
 * pvgpu-virtgpu: the virtgpu uAPI of <drm/virtgpu_drm.h> by its raw calls, on
 * the render node of a DRM driver. Ends with a message and status 1 at the
 * first answer that is not as the uAPI says.
 *
 *   params DRIVER            all GETPARAMs, and the capsets' sizes
 *   calls DRIVER             every call, right and wrong
 *   garbage DRIVER SEED N    N command streams of noise in one context, while
 *                            another one goes on; tells how they ended
 *   wait DRIVER SECONDS      empty submissions with fences, one after another:
 *                            counts answers and errors, tells the longest wait
 *   latency DRIVER SECONDS   submit to fence, of empty streams: microseconds
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <linux/sync_file.h>
#include <virtgpu_drm.h>

#include "node.h"

/* Gallium's numbers, as virgl_protocol.h and p_defines.h have them. */
#define TARGET_BUFFER	0
#define TARGET_2D	2
#define FORMAT_R8	64		/* VIRGL_FORMAT_R8_UNORM */
#define FORMAT_RGBA	67		/* VIRGL_FORMAT_R8G8B8A8_UNORM */
#define BIND_RENDER	(1 << 1)
#define BIND_SAMPLER	(1 << 3)
#define BIND_VERTEX	(1 << 4)
#define CMD_NOP		0
#define CAPSET_VIRGL2	2

#define die(...) do { \
	fprintf(stderr, __VA_ARGS__); \
	fputc('\n', stderr); \
	exit(1); \
} while (0)
/* The call gives `wanted`: 0 or -errno. */
#define expect(call, wanted) do { \
	int got = (call); \
	if (got != (wanted)) \
		die("line %d: %s gives %d (%s), not %d", __LINE__, #call, got, \
		    strerror(-got), (wanted)); \
} while (0)

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static int64_t parameter(int fd, uint64_t which)
{
	uint32_t value = 0;
	struct drm_virtgpu_getparam p = { which, (uintptr_t)&value };
	int code = call(fd, DRM_IOCTL_VIRTGPU_GETPARAM, &p);

	return code ? code : (int64_t)value;
}

static int init_context(int fd, uint64_t capset)
{
	struct context_param p = { 1, capset };
	struct context_init init = { 1, 0, (uintptr_t)&p };

	return call(fd, CONTEXT_INIT, &init);
}

/* 0 or -errno; with an out-fence its descriptor goes to *fence. */
static int submit(int fd, const void *stream, uint32_t bytes, int *fence,
		  const uint32_t *handles, uint32_t count)
{
	struct execbuffer e = {
		.flags = fence ? FENCE_OUT : 0,
		.size = bytes,
		.command = (uintptr_t)stream,
		.bo_handles = (uintptr_t)handles,
		.num_bo_handles = count,
		.fence_fd = -1,
	};
	int code = call(fd, EXECBUFFER, &e);

	if (fence)
		*fence = code ? -1 : e.fence_fd;
	return code;
}

enum { DONE, FAILED, LATE };

/* Waits 10 s for a sync file, closes it, and tells how its fence ended. */
static int finished(int fence)
{
	struct pollfd p = { fence, POLLIN, 0 };
	struct sync_file_info info = { 0 };
	int end = LATE;

	if (poll(&p, 1, 10000) == 1) {
		expect(call(fence, SYNC_IOC_FILE_INFO, &info), 0);
		end = info.status < 0 ? FAILED : DONE;
	}
	close(fence);
	return end;
}

static uint32_t resource(int fd, uint32_t target, uint32_t format,
			 uint32_t bind, uint32_t width, uint32_t height,
			 uint32_t bytes)
{
	struct drm_virtgpu_resource_create c = {
		.target = target, .format = format, .bind = bind,
		.width = width, .height = height, .depth = 1, .array_size = 1,
		.size = bytes,
	};

	expect(call(fd, DRM_IOCTL_VIRTGPU_RESOURCE_CREATE, &c), 0);
	if (!c.bo_handle || !c.res_handle)
		die("a resource with handles %u, %u", c.bo_handle, c.res_handle);
	return c.bo_handle;
}

static void *map(int fd, uint32_t handle, size_t bytes)
{
	struct drm_virtgpu_map m = { .handle = handle };
	void *at;

	expect(call(fd, DRM_IOCTL_VIRTGPU_MAP, &m), 0);
	at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		  (off_t)m.offset);
	if (at == MAP_FAILED)
		die("mapping a resource: %s", strerror(errno));
	return at;
}

static int wait_for(int fd, uint32_t handle, uint32_t flags)
{
	struct drm_virtgpu_3d_wait w = { handle, flags };

	return call(fd, DRM_IOCTL_VIRTGPU_WAIT, &w);
}

static int move(int fd, unsigned long request, uint32_t handle,
		struct drm_virtgpu_3d_box box, uint32_t offset, uint32_t stride)
{
	struct transfer t = {
		.bo_handle = handle, .x = box.x, .y = box.y, .z = box.z,
		.w = box.w, .h = box.h, .d = box.d, .offset = offset,
		.stride = stride,
	};

	return call(fd, request, &t);
}

static void forget(int fd, uint32_t handle)
{
	struct drm_gem_close c = { .handle = handle };

	expect(call(fd, DRM_IOCTL_GEM_CLOSE, &c), 0);
}

/* A texture's bytes go to the host and come back; so does a part of them. The
 * stride is 0, the level's own: stock virtio-gpu takes no other but for blobs. */
static void round_trip(int fd)
{
	enum { W = 96, H = 40, STRIDE = W * 4, BYTES = STRIDE * H };
	struct drm_virtgpu_3d_box all = { 0, 0, 0, W, H, 1 };
	struct drm_virtgpu_3d_box part = { 8, 4, 0, 16, 8, 1 };
	uint32_t handle = resource(fd, TARGET_2D, FORMAT_RGBA,
				   BIND_RENDER | BIND_SAMPLER, W, H, BYTES);
	uint8_t *bytes = map(fd, handle, BYTES);

	for (int i = 0; i < BYTES; i++)
		bytes[i] = (uint8_t)(i * 7 + i / 256);
	expect(move(fd, TO_HOST, handle, all, 0, 0), 0);
	expect(wait_for(fd, handle, 0), 0);
	memset(bytes, 0, BYTES);
	expect(move(fd, FROM_HOST, handle, part, 4 * STRIDE + 8 * 4,
		    0), 0);
	expect(wait_for(fd, handle, 0), 0);
	for (int y = 0; y < H; y++)
		for (int x = 0; x < W; x++)
			for (int c = 0; c < 4; c++) {
				int i = y * STRIDE + x * 4 + c;
				bool in = x >= 8 && x < 24 && y >= 4 && y < 12;
				uint8_t want = in ? (uint8_t)(i * 7 + i / 256)
						  : 0;

				if (bytes[i] != want)
					die("part read back: %d,%d is %d, not "
					    "%d", x, y, bytes[i], want);
			}
	expect(move(fd, FROM_HOST, handle, all, 0, 0), 0);
	expect(wait_for(fd, handle, 0), 0);
	for (int i = 0; i < BYTES; i++)
		if (bytes[i] != (uint8_t)(i * 7 + i / 256))
			die("read back: byte %d is %d", i, bytes[i]);
	munmap(bytes, BYTES);
	forget(fd, handle);
}

static void params(const char *driver)
{
	static const char *const names[] = { NULL, "3D_FEATURES",
		"CAPSET_QUERY_FIX", "RESOURCE_BLOB", "HOST_VISIBLE",
		"CROSS_DEVICE", "CONTEXT_INIT", "SUPPORTED_CAPSET_IDs",
		"EXPLICIT_DEBUG_NAME" };
	static uint8_t caps[4096];
	int fd = open_node(driver);

	for (uint64_t i = 1; i <= 8; i++)
		printf("%s %lld\n", names[i], (long long)parameter(fd, i));
	for (uint32_t id = 1; id <= 2; id++) {
		struct drm_virtgpu_get_caps c = { id, id, (uintptr_t)caps,
						  sizeof(caps), 0 };
		uint32_t first;

		memset(caps, 0, sizeof(caps));
		expect(call(fd, DRM_IOCTL_VIRTGPU_GET_CAPS, &c), 0);
		memcpy(&first, caps, 4);
		printf("capset %u version %u\n", id, first);
	}
}

static void wrong_calls(int fd)
{
	uint32_t nop = CMD_NOP, none = 0xffff;
	struct execbuffer flags = { .flags = 0x100, .fence_fd = -1 };
	struct drm_virtgpu_resource_info info = { .bo_handle = none };
	struct drm_virtgpu_get_caps caps = { .cap_set_id = 99, .size = 16 };

	expect(parameter(fd, 0x0fff) < 0 ? -EINVAL : 0, -EINVAL);
	expect(call(fd, EXECBUFFER, &flags), -EINVAL);
	expect(call(fd, DRM_IOCTL_VIRTGPU_RESOURCE_INFO, &info), -ENOENT);
	expect(wait_for(fd, none, 0), -ENOENT);
	expect(call(fd, DRM_IOCTL_VIRTGPU_GET_CAPS, &caps), -EINVAL);
	expect(submit(fd, &nop, 4, NULL, &none, 1), -ENOENT);
	expect(submit(fd, (void *)8, 4096, NULL, NULL, 0), -EFAULT);
}

static void fences(int fd)
{
	uint32_t nop = CMD_NOP, handle;
	struct execbuffer in = { .flags = FENCE_IN | FENCE_OUT, .size = 4,
				 .command = (uintptr_t)&nop };
	int fence;

	expect(submit(fd, &nop, 4, &fence, NULL, 0), 0);
	in.fence_fd = dup(fence);
	if (finished(fence) != DONE)
		die("an out-fence of an empty stream does not end well");
	fence = in.fence_fd;
	expect(call(fd, EXECBUFFER, &in), 0);
	close(fence);
	if (finished(in.fence_fd) != DONE)
		die("a submission with an in-fence does not end well");
	in = (struct execbuffer){ .flags = FENCE_IN, .size = 4, .fence_fd = 99,
				  .command = (uintptr_t)&nop };
	expect(call(fd, EXECBUFFER, &in), -EINVAL);

	handle = resource(fd, TARGET_BUFFER, FORMAT_R8, BIND_VERTEX, 4096, 1,
			  4096);
	for (int i = 0; i < 50; i++) {
		int code;

		expect(submit(fd, &nop, 4, NULL, &handle, 1), 0);
		code = wait_for(fd, handle, VIRTGPU_WAIT_NOWAIT);
		if (code && code != -EBUSY)
			die("WAIT without waiting gives %d", code);
	}
	expect(wait_for(fd, handle, 0), 0);
	expect(wait_for(fd, handle, VIRTGPU_WAIT_NOWAIT), 0);
	forget(fd, handle);
}

static void syncobjs(int fd)
{
	struct { uint32_t handle, flags; uint64_t point; } object = { 0 };
	struct drm_syncobj_create create = { 0 };
	struct drm_syncobj_wait wait = { 0 };
	uint32_t nop = CMD_NOP;
	struct execbuffer e = { .size = 4, .command = (uintptr_t)&nop,
				.fence_fd = -1, .syncobj_stride = 16,
				.num_out_syncobjs = 1,
				.out_syncobjs = (uintptr_t)&object };

	if (call(fd, DRM_IOCTL_SYNCOBJ_CREATE, &create)) {
		printf("no syncobjs\n");
		return;
	}
	object.handle = create.handle;
	/* Before Linux 6.6 the struct ends before these members. */
	expect(call(fd, EXECBUFFER, &e), 0);
	wait.handles = (uintptr_t)&create.handle;
	wait.count_handles = 1;
	wait.timeout_nsec = (int64_t)((now() + 10) * 1e9);
	expect(call(fd, DRM_IOCTL_SYNCOBJ_WAIT, &wait), 0);
	e.num_in_syncobjs = 1;
	e.in_syncobjs = (uintptr_t)&object;
	e.num_out_syncobjs = 0;
	expect(call(fd, EXECBUFFER, &e), 0);
	object.handle = 0xffff;
	expect(call(fd, EXECBUFFER, &e), -ENOENT);
	printf("syncobjs\n");
}

static void calls(const char *driver)
{
	int fd = open_node(driver), other = open_node(driver);
	struct drm_virtgpu_resource_info info = { 0 };
	uint32_t handle;

	if (parameter(fd, 6) == 1) {
		expect(init_context(fd, 63), -EINVAL);
		expect(init_context(fd, CAPSET_VIRGL2), 0);
		expect(init_context(fd, CAPSET_VIRGL2), -EEXIST);
		printf("context_init\n");
	}
	wrong_calls(fd);
	handle = resource(fd, TARGET_2D, FORMAT_RGBA, BIND_SAMPLER, 64, 64,
			  64 * 64 * 4);
	info.bo_handle = handle;
	expect(call(fd, DRM_IOCTL_VIRTGPU_RESOURCE_INFO, &info), 0);
	if (!info.res_handle || info.size < 64 * 64 * 4)
		die("RESOURCE_INFO: resource %u of %u bytes", info.res_handle,
		    info.size);
	/* A handle is its file's alone. */
	expect(wait_for(other, handle, 0), -ENOENT);
	forget(fd, handle);
	round_trip(fd);
	round_trip(other);
	fences(fd);
	syncobjs(other);
	printf("done\n");
}

static uint32_t noise(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

/* Some streams are noise whole, most have headers that look right. */
static uint32_t make_noise(uint32_t *words, uint32_t most, uint32_t *state)
{
	uint32_t count = 1 + noise(state) % most, at = 0;

	for (uint32_t i = 0; i < count; i++)
		words[i] = noise(state) % 4 ? noise(state) % 64 : noise(state);
	if (noise(state) % 4 == 0)
		return count;
	while (at < count) {
		uint32_t length = noise(state) % 24;

		words[at] = length << 16 | (noise(state) % 10) << 8 |
			    noise(state) % 60;
		at += length + 1;
	}
	return count;
}

static void garbage(const char *driver, uint32_t seed, unsigned int count)
{
	unsigned int ended[3] = { 0 }, refused = 0;
	uint32_t words[512], state = seed | 1;
	int fd = open_node(driver), good = open_node(driver);

	round_trip(good);
	for (unsigned int i = 0; i < count; i++) {
		uint32_t n = make_noise(words, 512, &state);
		int fence;

		if (submit(fd, words, n * 4, &fence, NULL, 0)) {
			refused++;
			continue;
		}
		ended[finished(fence)]++;
	}
	round_trip(good);
	close(fd);
	fd = open_node(driver);
	round_trip(fd);
	printf("done %u failed %u refused %u late %u\n", ended[DONE],
	       ended[FAILED], refused, ended[LATE]);
	if (ended[LATE])
		die("%u fences of garbage are not done after 10 s",
		    ended[LATE]);
}

static void wait_loop(const char *driver, unsigned int seconds)
{
	unsigned int ended[3] = { 0 }, refused = 0;
	double begin = now(), said = begin, longest = 0;
	int fd = open_node(driver);
	uint32_t nop = CMD_NOP;

	while (now() - begin < seconds) {
		double start = now();
		int fence;

		if (submit(fd, &nop, 4, &fence, NULL, 0)) {
			refused++;
			usleep(10000);
			/* What a program does that is told so: begin again. */
			close(fd);
			fd = open_node(driver);
		} else {
			ended[finished(fence)]++;
		}
		if (now() - start > longest)
			longest = now() - start;
		if (now() - said > 0.2) {
			said = now();
			printf("at %u\n", ended[DONE]);
			fflush(stdout);
		}
	}
	printf("done %u failed %u refused %u late %u longest_ms %.0f\n",
	       ended[DONE], ended[FAILED], refused, ended[LATE],
	       longest * 1000);
}

static int ascending(const void *a, const void *b)
{
	double d = *(const double *)a - *(const double *)b;

	return d < 0 ? -1 : d > 0;
}

static void latency(const char *driver, unsigned int seconds)
{
	enum { MOST = 1 << 16 };
	double *took = calloc(MOST, sizeof(*took)), begin = now();
	int fd = open_node(driver), fence;
	uint32_t nop = CMD_NOP;
	size_t n = 0;

	while (now() - begin < seconds && n < MOST) {
		double start = now();

		expect(submit(fd, &nop, 4, &fence, NULL, 0), 0);
		if (finished(fence) != DONE)
			die("a fence does not end well");
		took[n++] = (now() - start) * 1e6;
	}
	qsort(took, n, sizeof(*took), ascending);
	printf("submit_us_p50 %.1f\nsubmit_us_p99 %.1f\nsubmits_per_s %.1f\n",
	       took[n / 2], took[n * 99 / 100],
	       (double)n / (now() - begin));
}

int main(int argc, char **argv)
{
	const char *what = argc > 2 ? argv[1] : "", *driver = argv[2];

	if (!strcmp(what, "params") && argc == 3)
		params(driver);
	else if (!strcmp(what, "calls") && argc == 3)
		calls(driver);
	else if (!strcmp(what, "garbage") && argc == 5)
		garbage(driver, (uint32_t)atoi(argv[3]),
			(unsigned int)atoi(argv[4]));
	else if (!strcmp(what, "wait") && argc == 4)
		wait_loop(driver, (unsigned int)atoi(argv[3]));
	else if (!strcmp(what, "latency") && argc == 4)
		latency(driver, (unsigned int)atoi(argv[3]));
	else
		die("usage: pvgpu-virtgpu params|calls|garbage|wait|latency "
		    "DRIVER ...; virtgpu.c's first comment has the rest");
	return 0;
}
