// SPDX-License-Identifier: MIT
/*
 * Our own ioctls from a program's side: the host copies and fills, ordered by
 * fences, and refuses what it must. Exit status 0 and "ok", or 1 and the line
 * that was not so.
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
#include <unistd.h>

#include <drm.h>
#include <drm_mode.h>

#include "guest-drm/uapi/pvgpu_drm.h"

#define check(condition) do { \
	if (!(condition)) { \
		fprintf(stderr, "line %d: %s (errno %d, %s)\n", __LINE__, \
			#condition, errno, strerror(errno)); \
		exit(1); \
	} } while (0)

struct buffer {
	uint32_t handle;
	uint32_t stride;
	uint64_t size;
	uint8_t *bytes;
};

static int card = -1;

static int try_create(struct buffer *b, uint32_t width, uint32_t height)
{
	struct drm_mode_create_dumb dumb = {
		.width = width, .height = height, .bpp = 32,
	};

	if (ioctl(card, DRM_IOCTL_MODE_CREATE_DUMB, &dumb))
		return -errno;
	*b = (struct buffer){ dumb.handle, dumb.pitch, dumb.size, NULL };
	return 0;
}

static void map(struct buffer *b)
{
	struct drm_mode_map_dumb where = { .handle = b->handle };

	check(!ioctl(card, DRM_IOCTL_MODE_MAP_DUMB, &where));
	b->bytes = mmap(NULL, b->size, PROT_READ | PROT_WRITE, MAP_SHARED,
			card, (off_t)where.offset);
	check(b->bytes != MAP_FAILED);
}

static void drop(struct buffer *b)
{
	struct drm_mode_destroy_dumb dumb = { .handle = b->handle };

	if (b->bytes)
		munmap(b->bytes, b->size);
	check(!ioctl(card, DRM_IOCTL_MODE_DESTROY_DUMB, &dumb));
}

/* Waits for the out-fence and closes it. */
static void wait_fence(int fd)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

	check(fd >= 0);
	check(poll(&poll_fd, 1, 20000) == 1);
	close(fd);
}

static int copy(const struct buffer *src, uint64_t from,
		const struct buffer *dst, uint64_t to, uint32_t row_bytes,
		uint32_t height, uint32_t flags, int in)
{
	struct drm_pvgpu_copy args = {
		.src = { src->handle, src->stride, from },
		.dst = { dst->handle, dst->stride, to },
		.row_bytes = row_bytes, .height = height,
		.flags = flags, .in_fence_fd = in,
	};

	if (ioctl(card, DRM_IOCTL_PVGPU_COPY, &args))
		return -errno;
	return flags & DRM_PVGPU_FENCE_OUT ? args.out_fence_fd : 0;
}

static int fill(const struct buffer *dst, uint64_t to, uint32_t row_bytes,
		uint32_t height, uint32_t unit, uint32_t value, uint32_t flags)
{
	struct drm_pvgpu_fill args = {
		.dst = { dst->handle, dst->stride, to },
		.row_bytes = row_bytes, .height = height,
		.unit = unit, .value = value, .flags = flags,
	};

	if (ioctl(card, DRM_IOCTL_PVGPU_FILL, &args))
		return -errno;
	return flags & DRM_PVGPU_FENCE_OUT ? args.out_fence_fd : 0;
}

static uint8_t pattern(uint64_t at)
{
	return (uint8_t)((at * 2654435761u) >> 13 ^ at);
}

/* Rectangles between two buffers of the given size: inside and outside. */
static void rectangles(struct buffer *a, struct buffer *b)
{
	const uint32_t x = 40, y = 7, w = 400, h = 50;
	uint64_t at = (uint64_t)y * a->stride + x;

	for (uint64_t i = 0; i < a->size; i++)
		a->bytes[i] = pattern(i);
	memset(b->bytes, 0x55, b->size);
	wait_fence(copy(a, at, b, at, w, h, DRM_PVGPU_FENCE_OUT, -1));
	for (uint64_t i = 0; i < b->size; i++) {
		uint64_t row = i / b->stride, column = i % b->stride;
		bool inside = row >= y && row < y + h && column >= x &&
			      column < x + w;

		if (b->bytes[i] != (inside ? pattern(i) : 0x55)) {
			fprintf(stderr, "byte %llu is %#x\n",
				(unsigned long long)i, b->bytes[i]);
			exit(1);
		}
	}
	/* Whole, and over itself by one row. */
	wait_fence(copy(a, 0, b, 0, a->stride, (uint32_t)(a->size / a->stride),
			DRM_PVGPU_FENCE_OUT, -1));
	check(!memcmp(a->bytes, b->bytes, a->size / a->stride * a->stride));
	wait_fence(copy(b, 0, b, b->stride, b->stride,
			(uint32_t)(b->size / b->stride) - 1,
			DRM_PVGPU_FENCE_OUT, -1));
	check(!memcmp(a->bytes, b->bytes + b->stride,
		      (a->size / a->stride - 1) * a->stride));
}

static void fills(struct buffer *b)
{
	wait_fence(fill(b, 0, b->stride, (uint32_t)(b->size / b->stride), 4,
			0x11223344, DRM_PVGPU_FENCE_OUT));
	for (uint64_t i = 0; i < b->size / b->stride * b->stride; i += 4)
		check(*(uint32_t *)(b->bytes + i) == 0x11223344);
	wait_fence(fill(b, 3, 5, 2, 1, 0xab, DRM_PVGPU_FENCE_OUT));
	check(b->bytes[2] == 0x33 || b->bytes[2] == 0x22);
	for (int i = 3; i < 8; i++)
		check(b->bytes[i] == 0xab && b->bytes[b->stride + i] == 0xab);
	check(b->bytes[8] == 0x44);
}

/* A chain: each step starts when the one before has signalled. */
static void fences(struct buffer *a, struct buffer *b)
{
	int last = fill(a, 0, 64, 1, 4, 1, DRM_PVGPU_FENCE_OUT);

	for (int i = 0; i < 200; i++) {
		const struct buffer *from = i & 1 ? b : a, *to = i & 1 ? a : b;
		int next = copy(from, 0, to, 0, 64, 1, DRM_PVGPU_FENCE_OUT |
				DRM_PVGPU_FENCE_IN, last);

		check(next >= 0);
		close(last);
		last = next;
	}
	wait_fence(last);
	check(*(uint32_t *)a->bytes == 1 && *(uint32_t *)b->bytes == 1);
	/* More than the ring holds, without a fence of ours. */
	for (uint32_t i = 0; i < 2000; i++)
		check(!fill(a, i % 16 * 4, 4, 1, 4, i, 0));
	wait_fence(fill(a, 64, 4, 1, 4, 7, DRM_PVGPU_FENCE_OUT));
	for (uint32_t i = 0; i < 16; i++)
		check(((uint32_t *)a->bytes)[i] == 1984 + i);
}

static void refusals(struct buffer *a, struct buffer *b)
{
	const struct buffer none = { .handle = 12345, .stride = 64 };

	check(copy(&none, 0, b, 0, 4, 1, 0, -1) == -ENOENT);
	check(copy(a, 0, &none, 0, 4, 1, 0, -1) == -ENOENT);
	check(copy(a, 0, b, 0, 0, 1, 0, -1) == -EINVAL);
	check(copy(a, 0, b, 0, 4, 0, 0, -1) == -EINVAL);
	check(copy(a, a->size - 3, b, 0, 4, 1, 0, -1) == -EINVAL);
	check(copy(a, 0, b, b->size - 3, 4, 1, 0, -1) == -EINVAL);
	check(copy(a, ~0ull, b, 0, 4, 1, 0, -1) == -EINVAL);
	check(copy(a, 0, b, 0, 4, ~0u, 0, -1) == -EINVAL);
	check(copy(a, 0, b, 0, a->stride + 4, 2, 0, -1) == -EINVAL);
	check(copy(a, 0, b, 0, 4, 1, 1u << 5, -1) == -EINVAL);
	check(copy(a, 0, b, 0, 4, 1, DRM_PVGPU_FENCE_IN, -1) == -EINVAL);
	check(fill(b, 0, 6, 1, 4, 0, 0) == -EINVAL);
	check(fill(b, 0, 6, 1, 3, 0, 0) == -EINVAL);
	check(fill(b, b->size, 4, 1, 4, 0, 0) == -EINVAL);
}

/* Leaves only holes of one buffer's size, then makes one that needs many. */
static void scattered(void)
{
	enum { COUNT = 128 };
	struct buffer small[COUNT], rest[64], large, plain;
	uint64_t step = 64u << 20;
	int rests = 0, i;

	for (i = 0; i < COUNT; i++)
		check(!try_create(&small[i], 256, 256));
	/* All the rest of VRAM, in ever smaller pieces. */
	for (; step >= 4096; step /= 2)
		while (rests < 64 &&
		       !try_create(&rest[rests], 1024, (uint32_t)(step / 4096)))
			rests++;
	check(rests < 64);
	check(try_create(&large, 1024, 1024) == -ENOMEM);
	for (i = 0; i < COUNT; i += 2)
		drop(&small[i]);
	check(!try_create(&large, 256, 256 * 16));
	check(!try_create(&plain, 256, 256 * 16));
	map(&large);
	map(&plain);
	for (uint64_t at = 0; at < large.size; at++)
		check(!large.bytes[at]);
	rectangles(&large, &plain);
	fills(&large);
	drop(&large);
	drop(&plain);
	for (i = 1; i < COUNT; i += 2)
		drop(&small[i]);
	while (rests)
		drop(&rest[--rests]);
}

int main(void)
{
	struct buffer a, b;
	char path[] = "/dev/dri/card0";

	for (; card < 0 && path[13] < '8'; path[13]++) {
		char name[8] = "";
		struct drm_version version = { .name_len = 7, .name = name };

		card = open(path, O_RDWR | O_CLOEXEC);
		if (card >= 0 && (ioctl(card, DRM_IOCTL_VERSION, &version) ||
				  strcmp(name, "pvgpu"))) {
			close(card);
			card = -1;
		}
	}
	check(card >= 0);
	check(!try_create(&a, 320, 200));
	check(!try_create(&b, 320, 200));
	map(&a);
	map(&b);
	rectangles(&a, &b);
	fills(&b);
	fences(&a, &b);
	refusals(&a, &b);
	drop(&a);
	drop(&b);
	scattered();
	puts("ok");
	return 0;
}
