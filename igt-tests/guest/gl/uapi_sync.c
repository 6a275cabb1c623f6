// SPDX-License-Identifier: MIT
/* pvgpu-uapi's cases of batches and of what comes after them: waits, fences,
 * syncobjs, rings, and more batches than fit. */
#include "uapi.h"

#include <fcntl.h>
#include <poll.h>
#include <time.h>
#include <unistd.h>

void waits(void)
{
	int fd = open_node(driver);
	uint32_t handle = resource(fd);
	struct execbuffer e = empty();

	expect(wait_for(fd, 0, 0), -ENOENT);
	expect(wait_for(fd, NONE, NOWAIT), -ENOENT);
	expect(wait_for(fd, handle, 0), 0);
	expect(wait_for(fd, handle, NOWAIT), 0);
	e.bo_handles = (uintptr_t)&handle;
	e.num_bo_handles = 1;
	for (int i = 0; i < 300; i++) {
		int code;

		expect(exec(fd, e), 0);
		code = wait_for(fd, handle, NOWAIT);
		check(!code || code == -EBUSY);
	}
	expect(wait_for(fd, handle, 0), 0);
	expect(wait_for(fd, handle, NOWAIT), 0);
	close(fd);
}

void batches(void)
{
	int fd = open_node(driver), file = open("/dev/null", O_RDONLY);
	uint32_t handle = resource(fd), twice[2] = { handle, handle };
	struct execbuffer e;

	expect(exec(fd, empty()), 0);
	e = empty();
	e.flags = 8;
	expect(exec(fd, e), -EINVAL);
	e.flags = ~0u;
	expect(exec(fd, e), -EINVAL);
	e = empty();
	e.command = BAD;
	expect(exec(fd, e), -EFAULT);
	e.size = 0;
	expect(exec(fd, e), 0);
	e = empty();
	e.num_bo_handles = 1;
	e.bo_handles = BAD;
	expect(exec(fd, e), -EFAULT);
	e.bo_handles = (uintptr_t)twice;
	expect(exec(fd, e), 0);
	e.num_bo_handles = 2;
	expect(exec(fd, e), -EALREADY);
	twice[1] = NONE;
	expect(exec(fd, e), -ENOENT);
	if (ours) {
		e.num_bo_handles = ~0u;
		expect(exec(fd, e), -ENOMEM);
		e = empty();
		e.size = ~0u;
		expect(exec(fd, e), -EINVAL);
	}
	e = empty();
	e.flags = RING_IDX;
	expect(exec(fd, e), -EINVAL);
	e = empty();
	e.flags = FENCE_IN;
	expect(exec(fd, e), -EINVAL);
	e.fence_fd = file;
	expect(exec(fd, e), -EINVAL);
	/* Programs built with old headers pass less. */
	e = empty();
	expect(call(fd, VIRTGPU(2, char[32 + 8]), &e), 0);
	close(file);
	close(fd);
}

void fences(void)
{
	int fd = open_node(driver), first, second;
	struct execbuffer e = empty();

	e.flags = FENCE_OUT;
	expect(call(fd, EXECBUFFER, &e), 0);
	first = e.fence_fd;
	check(first >= 0);
	expect(fence_end(first), 1);
	e.flags = FENCE_OUT | FENCE_IN;
	expect(call(fd, EXECBUFFER, &e), 0);
	second = e.fence_fd;
	check(second >= 0 && second != first);
	expect(fence_end(second), 1);
	/* A refused one makes no descriptor and leaves the member alone. */
	e.flags = FENCE_OUT;
	e.fence_fd = 77;
	e.command = BAD;
	expect(call(fd, EXECBUFFER, &e), -EFAULT);
	check(e.fence_fd == 77);
	/* One outlives its file. */
	e = empty();
	e.flags = FENCE_OUT;
	expect(call(fd, EXECBUFFER, &e), 0);
	close(fd);
	expect(fence_end(e.fence_fd), 1);
	close(e.fence_fd);
	close(first);
	close(second);
}

static uint32_t new_syncobj(int fd)
{
	struct drm_syncobj_create c = { 0 };

	expect(call(fd, DRM_IOCTL_SYNCOBJ_CREATE, &c), 0);
	return c.handle;
}

static int64_t in_seconds(int seconds)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (t.tv_sec + seconds) * 1000000000ll + t.tv_nsec;
}

static int syncobj_wait(int fd, uint32_t handle)
{
	struct drm_syncobj_wait w = {
		.handles = (uintptr_t)&handle, .count_handles = 1,
		.timeout_nsec = in_seconds(10),
	};

	return call(fd, DRM_IOCTL_SYNCOBJ_WAIT, &w);
}

static int point_wait(int fd, uint32_t handle, uint64_t point)
{
	struct drm_syncobj_timeline_wait w = {
		.handles = (uintptr_t)&handle, .points = (uintptr_t)&point,
		.count_handles = 1, .timeout_nsec = in_seconds(10),
	};

	return call(fd, DRM_IOCTL_SYNCOBJ_TIMELINE_WAIT, &w);
}

void syncobjs(void)
{
	int fd = open_node(driver);
	struct syncobj in = { 0 }, out = { 0 };
	struct execbuffer e = empty(), sends;

	e.syncobj_stride = sizeof(struct syncobj);
	sends = e;
	sends.num_out_syncobjs = 1;
	sends.out_syncobjs = (uintptr_t)&out;
	out.handle = new_syncobj(fd);
	expect(exec(fd, sends), 0);
	expect(syncobj_wait(fd, out.handle), 0);
	out.flags = RESET;
	expect(exec(fd, sends), -EINVAL);
	out = (struct syncobj){ .handle = NONE };
	expect(exec(fd, sends), -EINVAL);
	sends.out_syncobjs = BAD;
	expect(exec(fd, sends), -EFAULT);

	/* In: one that was signalled, then reset; one that never was. */
	out = (struct syncobj){ .handle = new_syncobj(fd) };
	in = out;
	e.num_in_syncobjs = 1;
	e.in_syncobjs = (uintptr_t)&in;
	expect(exec(fd, e), -EINVAL);
	sends.out_syncobjs = (uintptr_t)&out;
	expect(exec(fd, sends), 0);
	in.flags = RESET;
	expect(exec(fd, e), 0);
	expect(syncobj_wait(fd, in.handle), -EINVAL);
	in.flags = 2;
	expect(exec(fd, e), -EINVAL);
	in = (struct syncobj){ .handle = NONE };
	expect(exec(fd, e), -ENOENT);
	e.in_syncobjs = BAD;
	expect(exec(fd, e), -EFAULT);

	/* Points of a timeline. */
	out = (struct syncobj){ .handle = new_syncobj(fd), .point = 5 };
	expect(exec(fd, sends), 0);
	expect(point_wait(fd, out.handle, 5), 0);
	out.point = 9;
	expect(exec(fd, sends), 0);
	in = out;
	in.point = 7;
	e.in_syncobjs = (uintptr_t)&in;
	expect(exec(fd, e), 0);
	expect(point_wait(fd, out.handle, 9), 0);
	/* Without a stride there is no handle in them. */
	e.syncobj_stride = 0;
	expect(exec(fd, e), -ENOENT);
	close(fd);
}

void rings(void)
{
	struct context_param params[] = { P(2, 2), P(3, 1) };
	struct drm_event event = { 0 };
	struct pollfd p = { 0, POLLIN, 0 };
	struct execbuffer e = empty();
	int fd = open_node(driver);

	if (!has(fd, 6)) {
		skipped = "no CONTEXT_INIT";
		close(fd);
		return;
	}
	expect(init(fd, 2, params), 0);
	p.fd = fd;
	e.flags = RING_IDX;
	e.ring_idx = 2;
	expect(exec(fd, e), -EINVAL);
	e.ring_idx = 1;
	expect(exec(fd, e), 0);
	check(poll(&p, 1, 200) == 0);
	e.ring_idx = 0;
	expect(exec(fd, e), 0);
	check(poll(&p, 1, 10000) == 1);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	check(read(fd, &event, sizeof(event)) == sizeof(event));
	check(event.type == EVENT_FENCE && event.length == sizeof(event));
	e.flags = RING_IDX | FENCE_OUT;
	expect(call(fd, EXECBUFFER, &e), 0);
	expect(fence_end(e.fence_fd), 1);
	close(e.fence_fd);
	/* One that nobody reads goes with the file. */
	close(fd);
}

/* More than any ring holds, by many files at once: everybody gets his turn. */
void flood(void)
{
	enum { FILES = 12, BATCHES = 200, WORDS = 4096 };
	static uint32_t words[WORDS];
	int fds[FILES];

	for (int i = 0; i < FILES; i++)
		fds[i] = open_node(driver);
	for (int n = 0; n < BATCHES; n++)
		for (int i = 0; i < FILES; i++) {
			struct execbuffer e = {
				.command = (uintptr_t)words,
				.size = sizeof(words), .fence_fd = -1,
				.flags = n == BATCHES - 1 ? FENCE_OUT : 0,
			};

			expect(call(fds[i], EXECBUFFER, &e), 0);
			if (e.flags) {
				expect(fence_end(e.fence_fd), 1);
				close(e.fence_fd);
			}
			if (failed)
				return;
		}
	for (int i = 0; i < FILES; i++)
		close(fds[i]);
}
