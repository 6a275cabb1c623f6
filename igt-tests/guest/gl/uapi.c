// SPDX-License-Identifier: MIT
/*
 * pvgpu-uapi DRIVER: the edges of the virtgpu uAPI on the render node of a DRM
 * driver: bad pointers, unknown flags, lengths, handles, boxes, fences,
 * syncobjs, rings. Speaks TAP. What it asks for is what stock virtio-gpu with
 * virgl does, so it passes on both; where ours refuses what virtio-gpu leaves
 * to its host, that is asked of ours alone.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <drm.h>
#include <drm_mode.h>
#include <linux/dma-buf.h>
#include <linux/sync_file.h>

/* The structs as the newest headers have them. */
struct map {
	uint64_t offset;
	uint32_t handle, pad;
};
struct execbuffer {
	uint32_t flags, size;
	uint64_t command, bo_handles;
	uint32_t num_bo_handles;
	int32_t fence_fd;
	uint32_t ring_idx, syncobj_stride;
	uint32_t num_in_syncobjs, num_out_syncobjs;
	uint64_t in_syncobjs, out_syncobjs;
};
struct getparam {
	uint64_t param, value;
};
struct resource_create {
	uint32_t target, format, bind, width, height, depth, array_size;
	uint32_t last_level, nr_samples, flags, bo_handle, res_handle;
	uint32_t size, stride;
};
struct resource_info {
	uint32_t bo_handle, res_handle, size, blob_mem;
};
struct transfer {
	uint32_t bo_handle, x, y, z, w, h, d;
	uint32_t level, offset, stride, layer_stride;
};
struct wait {
	uint32_t handle, flags;
};
struct get_caps {
	uint32_t id, version;
	uint64_t addr;
	uint32_t size, pad;
};
struct create_blob {
	uint32_t blob_mem, blob_flags, bo_handle, res_handle;
	uint64_t size;
	uint32_t pad, cmd_size;
	uint64_t cmd, blob_id;
};
struct context_param {
	uint64_t param, value;
};
struct context_init {
	uint32_t num_params, pad;
	uint64_t params;
};
struct syncobj {
	uint32_t handle, flags;
	uint64_t point;
};

#define VIRTGPU(number, type) DRM_IOWR(DRM_COMMAND_BASE + (number), type)
#define MAP		VIRTGPU(1, struct map)
#define EXECBUFFER	VIRTGPU(2, struct execbuffer)
#define GETPARAM	VIRTGPU(3, struct getparam)
#define RESOURCE_CREATE	VIRTGPU(4, struct resource_create)
#define RESOURCE_INFO	VIRTGPU(5, struct resource_info)
#define FROM_HOST	VIRTGPU(6, struct transfer)
#define TO_HOST		VIRTGPU(7, struct transfer)
#define WAIT		VIRTGPU(8, struct wait)
#define GET_CAPS	VIRTGPU(9, struct get_caps)
#define CREATE_BLOB	VIRTGPU(10, struct create_blob)
#define CONTEXT_INIT	VIRTGPU(11, struct context_init)

#define FENCE_IN	1u
#define FENCE_OUT	2u
#define RING_IDX	4u
#define NOWAIT		1u
#define EVENT_FENCE	0x90000000u
#define RESET		1u
#define NONE		0xfffffu	/* no handle is that high */
#define BAD		((uint64_t)8)	/* no memory is there */
#define RGBA		67u		/* VIRGL_FORMAT_R8G8B8A8_UNORM */
#define SAMPLER		(1u << 3)

static const char *driver, *skipped;
static bool ours, failed;

static void complain(int line, const char *format, ...)
{
	va_list args;

	failed = true;
	printf("# line %d: ", line);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
}

/* The call gives `wanted`: 0 or -errno. */
#define expect(result, wanted) do { \
	int got_ = (result); \
	if (got_ != (wanted)) \
		complain(__LINE__, "%s gives %d (%s), not %d", #result, got_, \
			 strerror(-got_), (wanted)); \
} while (0)
#define check(condition) do { \
	if (!(condition)) \
		complain(__LINE__, "not so: %s", #condition); \
} while (0)

static int call(int fd, unsigned long request, void *argument)
{
	int code;

	do
		code = ioctl(fd, request, argument);
	while (code && (errno == EINTR || errno == EAGAIN));
	return code ? -errno : 0;
}

static int open_node(void)
{
	for (int i = 128; i < 144; i++) {
		char path[32], name[32] = "";
		struct drm_version version = { .name = name,
					       .name_len = sizeof(name) - 1 };
		int fd;

		snprintf(path, sizeof(path), "/dev/dri/renderD%d", i);
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd < 0)
			continue;
		if (!call(fd, DRM_IOCTL_VERSION, &version) &&
		    !strcmp(name, driver))
			return fd;
		close(fd);
	}
	printf("Bail out! no render node of driver %s in /dev/dri\n", driver);
	exit(1);
}

static int parameter(int fd, uint64_t which, uint32_t *value)
{
	struct getparam p = { which, (uintptr_t)value };

	return call(fd, GETPARAM, &p);
}

static bool has(int fd, uint64_t which)
{
	uint32_t value = 0;

	return !parameter(fd, which, &value) && value;
}

static struct resource_create plain(void)
{
	return (struct resource_create){
		.target = 2, .format = RGBA, .bind = SAMPLER, .width = 64,
		.height = 32, .depth = 1, .array_size = 1,
		.size = 64 * 32 * 4,
	};
}

static uint32_t resource(int fd)
{
	struct resource_create r = plain();

	expect(call(fd, RESOURCE_CREATE, &r), 0);
	check(r.bo_handle && r.res_handle);
	return r.bo_handle;
}

static int wait_for(int fd, uint32_t handle, uint32_t flags)
{
	struct wait w = { handle, flags };

	return call(fd, WAIT, &w);
}

static const uint32_t nop;

static struct execbuffer empty(void)
{
	return (struct execbuffer){ .size = 4, .command = (uintptr_t)&nop,
				    .fence_fd = -1 };
}

static int exec(int fd, struct execbuffer e)
{
	return call(fd, EXECBUFFER, &e);
}

/* 1: done well, -errno: with an error, 0: not within 10 s. */
static int fence_end(int fence)
{
	struct pollfd p = { fence, POLLIN, 0 };
	struct sync_file_info info = { 0 };

	if (poll(&p, 1, 10000) == 1 &&
	    !call(fence, SYNC_IOC_FILE_INFO, &info))
		return info.status;
	return 0;
}

static void parameters(void)
{
	int fd = open_node();
	uint32_t value = 7;
	struct getparam bad = { 1, BAD };

	for (uint64_t i = 1; i <= 7; i++)
		expect(parameter(fd, i, &value), 0);
	expect(parameter(fd, 1, &value), 0);
	check(value == 1);
	expect(parameter(fd, 2, &value), 0);
	check(value == 1);
	expect(parameter(fd, 0, &value), -EINVAL);
	expect(parameter(fd, 0xfff, &value), -EINVAL);
	expect(parameter(fd, ~0ull, &value), -EINVAL);
	expect(call(fd, GETPARAM, &bad), -EFAULT);
	if (ours) {
		uint64_t wide = 0;
		struct getparam own = { 0x1000, (uintptr_t)&wide };

		expect(call(fd, GETPARAM, &own), 0);
		check(wide >= 1u << 20);
		own.param = 0x1fff;
		expect(call(fd, GETPARAM, &own), -EINVAL);
	}
	close(fd);
}

static void capsets(void)
{
	int fd = open_node();
	uint8_t caps[8192];
	struct get_caps c = { 2, 1, (uintptr_t)caps, sizeof(caps), 0 }, bad;

	memset(caps, 0xaa, sizeof(caps));
	bad = c;
	expect(call(fd, GET_CAPS, &bad), 0);
	check(caps[0] != 0xaa && caps[sizeof(caps) - 1] == 0xaa);
	memset(caps, 0xaa, sizeof(caps));
	bad = c;
	bad.size = 4;
	expect(call(fd, GET_CAPS, &bad), 0);
	check(caps[0] != 0xaa && caps[4] == 0xaa);
	bad = c;
	bad.size = 0;
	expect(call(fd, GET_CAPS, &bad), -EINVAL);
	bad = c;
	bad.id = 0;
	expect(call(fd, GET_CAPS, &bad), -EINVAL);
	bad.id = 99;
	expect(call(fd, GET_CAPS, &bad), -EINVAL);
	bad = c;
	bad.version = 1000;
	expect(call(fd, GET_CAPS, &bad), -EINVAL);
	bad = c;
	bad.addr = BAD;
	expect(call(fd, GET_CAPS, &bad), -EFAULT);
	close(fd);
}

static int init(int fd, uint32_t count, const struct context_param *params)
{
	struct context_init i = { count, 0, (uintptr_t)params };

	return call(fd, CONTEXT_INIT, &i);
}

/* One parameter, or two, in a file of their own. */
static void init_gives(int line, int wanted, uint32_t count,
		       struct context_param a, struct context_param b)
{
	struct context_param params[2] = { a, b };
	int fd = open_node(), got = init(fd, count, params);

	if (got != wanted)
		complain(line, "CONTEXT_INIT of %llu = %llu, %llu = %llu gives "
			 "%d, not %d", (unsigned long long)a.param,
			 (unsigned long long)a.value,
			 (unsigned long long)b.param,
			 (unsigned long long)b.value, got, wanted);
	close(fd);
}
#define INIT(wanted, count, ...) \
	init_gives(__LINE__, wanted, count, __VA_ARGS__)
#define P(param, value) ((struct context_param){ (param), (value) })

static void contexts(void)
{
	int fd = open_node();
	struct context_param virgl = P(1, 2);
	struct context_init bad = { 1, 0, BAD };

	if (!has(fd, 6)) {
		expect(init(fd, 1, &virgl), -EINVAL);
		skipped = "no CONTEXT_INIT";
		close(fd);
		return;
	}
	expect(call(fd, CONTEXT_INIT, &bad), -EFAULT);
	bad.num_params = 1000;
	expect(call(fd, CONTEXT_INIT, &bad), -EINVAL);
	INIT(-EINVAL, 1, P(0, 0), P(0, 0));
	INIT(-EINVAL, 1, P(99, 0), P(0, 0));
	INIT(-EINVAL, 1, P(1, 63), P(0, 0));
	INIT(-EINVAL, 1, P(1, 64), P(0, 0));
	INIT(-EINVAL, 1, P(1, ~0ull), P(0, 0));
	INIT(-EINVAL, 2, P(1, 2), P(1, 1));
	INIT(-EINVAL, 1, P(2, 65), P(0, 0));
	INIT(-EINVAL, 2, P(2, 1), P(2, 1));
	INIT(-EINVAL, 1, P(3, 1), P(0, 0));
	INIT(-EINVAL, 2, P(2, 2), P(3, 4));
	INIT(0, 2, P(2, 64), P(3, ~0ull));
	INIT(0, 0, P(0, 0), P(0, 0));
	if (has(fd, 8)) {
		INIT(0, 2, P(1, 2), P(4, (uintptr_t)"a name"));
		INIT(-EFAULT, 1, P(4, BAD), P(0, 0));
	}
	expect(init(fd, 1, &virgl), 0);
	expect(init(fd, 1, &virgl), -EEXIST);
	close(fd);
	/* Whoever did something has a context already. */
	fd = open_node();
	resource(fd);
	expect(init(fd, 1, &virgl), -EEXIST);
	close(fd);
}

static void resources(void)
{
	int fd = open_node(), other = open_node();
	struct resource_create r = plain();
	struct resource_info info = { .bo_handle = NONE };
	struct drm_gem_close forget = { .handle = NONE };
	struct map m = { .handle = NONE };
	uint32_t handle = resource(fd);
	uint8_t *bytes;

	expect(call(fd, RESOURCE_INFO, &info), -ENOENT);
	info.bo_handle = handle;
	expect(call(other, RESOURCE_INFO, &info), -ENOENT);
	expect(call(fd, RESOURCE_INFO, &info), 0);
	check(info.res_handle && info.size == 8192);
	expect(call(fd, MAP, &m), -ENOENT);
	m.handle = handle;
	expect(call(fd, MAP, &m), 0);
	bytes = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		     (off_t)m.offset);
	check(bytes != MAP_FAILED);
	if (bytes != MAP_FAILED) {
		check(!bytes[0] && !bytes[8191]);
		bytes[8191] = 1;
	}
	check(mmap(NULL, 1 << 20, PROT_READ, MAP_SHARED, fd,
		   (off_t)m.offset) == MAP_FAILED);
	expect(call(fd, DRM_IOCTL_GEM_CLOSE, &forget), -EINVAL);
	forget.handle = handle;
	expect(call(fd, DRM_IOCTL_GEM_CLOSE, &forget), 0);
	/* Its mapping is there still. */
	if (bytes != MAP_FAILED) {
		check(bytes[8191] == 1);
		munmap(bytes, 8192);
	}
	r.size = 0;
	expect(call(fd, RESOURCE_CREATE, &r), 0);
	info.bo_handle = r.bo_handle;
	expect(call(fd, RESOURCE_INFO, &info), 0);
	check(info.size == (uint32_t)sysconf(_SC_PAGESIZE));
	if (ours) {
#define REFUSED(member, value, wanted) do { \
		r = plain(); \
		r.member = (value); \
		expect(call(fd, RESOURCE_CREATE, &r), (wanted)); \
	} while (0)
		REFUSED(target, 9, -EINVAL);
		REFUSED(format, 0, -EINVAL);
		REFUSED(format, 0xffff, -EINVAL);
		REFUSED(width, 0, -EINVAL);
		REFUSED(width, 16385, -EINVAL);
		REFUSED(height, ~0u, -EINVAL);
		REFUSED(depth, 2, -EINVAL);
		REFUSED(array_size, 2, -EINVAL);
		REFUSED(last_level, 7, -EINVAL);
		REFUSED(last_level, ~0u, -EINVAL);
		REFUSED(nr_samples, 3, -EINVAL);
		REFUSED(flags, 8, -EINVAL);
		REFUSED(size, ~0u, -ENOMEM);
	}
	close(fd);
	close(other);
}

static void blobs(void)
{
	int fd = open_node();
	struct create_blob good = { .blob_mem = 1, .blob_flags = 1,
				    .size = 65536 }, bad;
	struct resource_info info = { 0 };
	struct transfer t = { .w = 1, .h = 1, .d = 1 };
	struct map m = { 0 };

	bad = good;
	bad.blob_mem = 0;
	expect(call(fd, CREATE_BLOB, &bad), -EINVAL);
	bad.blob_mem = 4;
	expect(call(fd, CREATE_BLOB, &bad), -EINVAL);
	bad = good;
	bad.blob_flags = 8;
	expect(call(fd, CREATE_BLOB, &bad), -EINVAL);
	bad = good;
	bad.blob_flags = 4;
	expect(call(fd, CREATE_BLOB, &bad), -EINVAL);
	bad = good;
	bad.blob_id = 1;
	expect(call(fd, CREATE_BLOB, &bad), -EINVAL);
	bad = good;
	bad.cmd_size = 4;
	expect(call(fd, CREATE_BLOB, &bad), -EINVAL);
	if (!has(fd, 4)) {
		bad = good;
		bad.blob_mem = 2;
		expect(call(fd, CREATE_BLOB, &bad), -EINVAL);
	}
	bad = good;
	if (!has(fd, 3)) {
		expect(call(fd, CREATE_BLOB, &bad), -EINVAL);
		close(fd);
		return;
	}
	expect(call(fd, CREATE_BLOB, &bad), 0);
	m.handle = info.bo_handle = t.bo_handle = bad.bo_handle;
	expect(call(fd, RESOURCE_INFO, &info), 0);
	check(info.blob_mem == 1 && info.size == 65536);
	check(info.res_handle == bad.res_handle);
	expect(call(fd, MAP, &m), 0);
	expect(call(fd, TO_HOST, &t), ours ? -EINVAL : 0);
	expect(call(fd, FROM_HOST, &t), -EINVAL);
	close(fd);
}

/* What the box and level say only the host judges: the call is good, nothing
 * happens, and with us the context goes on. */
static void transfers(void)
{
	int fd = open_node();
	uint32_t handle = resource(fd);
	struct transfer t = { .bo_handle = NONE, .w = 64, .h = 32, .d = 1 };
	struct map m = { .handle = handle };
	uint8_t *bytes;

	expect(call(fd, TO_HOST, &t), -ENOENT);
	expect(call(fd, FROM_HOST, &t), -ENOENT);
	expect(call(fd, MAP, &m), 0);
	bytes = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		     (off_t)m.offset);
	check(bytes != MAP_FAILED);
	if (bytes == MAP_FAILED)
		return;
	t.bo_handle = handle;
	memset(bytes, 0x5a, 8192);
	expect(call(fd, TO_HOST, &t), 0);
	expect(wait_for(fd, handle, 0), 0);
	memset(bytes, 0, 8192);
	expect(call(fd, FROM_HOST, &t), 0);
	expect(wait_for(fd, handle, 0), 0);
	check(bytes[0] == 0x5a && bytes[8191] == 0x5a);
	memset(bytes, 0, 8192);
	t.x = 1;
	expect(call(fd, FROM_HOST, &t), 0);
	t.x = 0;
	t.level = 3;
	expect(call(fd, FROM_HOST, &t), 0);
	t.level = ~0u;
	expect(call(fd, TO_HOST, &t), 0);
	t.level = 0;
	t.z = 1;
	expect(call(fd, FROM_HOST, &t), 0);
	t.z = 0;
	t.offset = 4096;
	expect(call(fd, FROM_HOST, &t), 0);
	t.offset = ~0u;
	expect(call(fd, FROM_HOST, &t), 0);
	t.offset = 0;
	t.w = ~0u;
	expect(call(fd, FROM_HOST, &t), 0);
	t.w = 64;
	expect(wait_for(fd, handle, 0), 0);
	for (int i = 0; i < 8192; i++)
		if (bytes[i]) {
			complain(__LINE__, "byte %d is %d", i, bytes[i]);
			break;
		}
	/* virtio-gpu's host gives such a context up. Explicit strides it takes
	 * for blobs only. */
	if (ours) {
		expect(call(fd, FROM_HOST, &t), 0);
		expect(wait_for(fd, handle, 0), 0);
		check(bytes[0] == 0x5a && bytes[8191] == 0x5a);
		t.stride = 512;
		t.w = t.h = 8;
		memset(bytes, 0, 8192);
		expect(call(fd, FROM_HOST, &t), 0);
		expect(wait_for(fd, handle, 0), 0);
		check(bytes[31] == 0x5a && !bytes[32] && !bytes[256] &&
		      bytes[512] == 0x5a && bytes[7 * 512 + 31] == 0x5a);
	}
	munmap(bytes, 8192);
	close(fd);
}

static void waits(void)
{
	int fd = open_node();
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

static void batches(void)
{
	int fd = open_node(), file = open("/dev/null", O_RDONLY);
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

static void fences(void)
{
	int fd = open_node(), first, second;
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

static void syncobjs(void)
{
	int fd = open_node();
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

static void rings(void)
{
	struct context_param params[] = { P(2, 2), P(3, 1) };
	struct drm_event event = { 0 };
	struct pollfd p = { 0, POLLIN, 0 };
	struct execbuffer e = empty();
	int fd = open_node();

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

static void sharing(void)
{
	int fd = open_node(), other = open_node();
	struct drm_prime_handle give = { .handle = resource(fd),
					 .flags = DRM_CLOEXEC | DRM_RDWR };
	struct drm_prime_handle take = { 0 }, again = { 0 };
	struct resource_info a = { 0 }, b = { 0 };
	struct execbuffer e = empty();
	struct transfer t = { .w = 64, .h = 32, .d = 1 };
	struct drm_gem_close forget;

	expect(call(fd, DRM_IOCTL_PRIME_HANDLE_TO_FD, &give), 0);
	take.fd = give.fd;
	expect(call(other, DRM_IOCTL_PRIME_FD_TO_HANDLE, &take), 0);
	again.fd = give.fd;
	expect(call(fd, DRM_IOCTL_PRIME_FD_TO_HANDLE, &again), 0);
	check(again.handle == give.handle);
	a.bo_handle = give.handle;
	b.bo_handle = take.handle;
	expect(call(fd, RESOURCE_INFO, &a), 0);
	expect(call(other, RESOURCE_INFO, &b), 0);
	check(a.res_handle == b.res_handle && a.size == b.size);
	e.bo_handles = (uintptr_t)&take.handle;
	e.num_bo_handles = 1;
	for (int i = 0; i < 20; i++) {
		t.bo_handle = give.handle;
		expect(call(fd, TO_HOST, &t), 0);
		t.bo_handle = take.handle;
		expect(call(other, FROM_HOST, &t), 0);
		expect(exec(other, e), 0);
		/* Gone and back again, while it is in use. */
		forget = (struct drm_gem_close){ .handle = take.handle };
		expect(call(other, DRM_IOCTL_GEM_CLOSE, &forget), 0);
		take.handle = 0;
		expect(call(other, DRM_IOCTL_PRIME_FD_TO_HANDLE, &take), 0);
	}
	expect(wait_for(fd, give.handle, 0), 0);
	/* The one who made it goes; it stays. */
	close(fd);
	t.bo_handle = take.handle;
	expect(call(other, FROM_HOST, &t), 0);
	expect(wait_for(other, take.handle, 0), 0);
	close(give.fd);
	close(other);
}

/* Whoever maps a buffer of another's sees what was drawn, between the two calls
 * of the dma-buf that say so. With virtio-gpu he does not. */
static void mapping(void)
{
	struct dma_buf_sync sync = { DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW };
	struct drm_prime_handle give = { .flags = DRM_CLOEXEC | DRM_RDWR };
	struct transfer t = { .w = 64, .h = 32, .d = 1 };
	struct map m = { 0 };
	int fd = open_node();
	uint8_t *own, *bytes;

	if (!ours) {
		skipped = "ours alone";
		close(fd);
		return;
	}
	t.bo_handle = m.handle = give.handle = resource(fd);
	expect(call(fd, MAP, &m), 0);
	own = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		   (off_t)m.offset);
	expect(call(fd, DRM_IOCTL_PRIME_HANDLE_TO_FD, &give), 0);
	bytes = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, give.fd,
		     0);
	check(own != MAP_FAILED && bytes != MAP_FAILED);
	if (failed)
		return;
	memset(own, 0x5a, 8192);
	expect(call(fd, TO_HOST, &t), 0);
	expect(wait_for(fd, t.bo_handle, 0), 0);
	memset(own, 0, 8192);
	expect(call(give.fd, DMA_BUF_IOCTL_SYNC, &sync), 0);
	check(bytes[0] == 0x5a && bytes[8191] == 0x5a);
	memset(bytes, 0xa5, 8192);
	sync.flags = DMA_BUF_SYNC_END | DMA_BUF_SYNC_RW;
	expect(call(give.fd, DMA_BUF_IOCTL_SYNC, &sync), 0);
	memset(own, 0, 8192);
	expect(call(fd, FROM_HOST, &t), 0);
	expect(wait_for(fd, t.bo_handle, 0), 0);
	check(own[0] == 0xa5 && own[8191] == 0xa5);
	munmap(own, 8192);
	munmap(bytes, 8192);
	close(give.fd);
	close(fd);
}

/* A stream of nonsense costs the file that sent it its context, and nobody
 * else anything. Of virtio-gpu no program learns that. */
static void islands(void)
{
	static const uint32_t nonsense[4] = { 3u << 16 | 0xff, 1, 2, 3 };
	int fd = open_node(), other = open_node();
	struct execbuffer e = empty();
	uint32_t handle = resource(other);

	resource(fd);
	e.command = (uintptr_t)nonsense;
	e.size = sizeof(nonsense);
	e.flags = FENCE_OUT;
	expect(call(fd, EXECBUFFER, &e), 0);
	if (ours) {
		struct resource_create r = plain();
		uint64_t lost = 0;
		struct getparam own = { 0x1004, (uintptr_t)&lost };

		expect(fence_end(e.fence_fd), -EIO);
		expect(exec(fd, empty()), -EIO);
		expect(call(fd, RESOURCE_CREATE, &r), -EIO);
		expect(call(fd, GETPARAM, &own), 0);
		check(lost == 1);
		expect(call(other, GETPARAM, &own), 0);
		check(lost == 0);
	}
	close(e.fence_fd);
	close(fd);
	e = empty();
	e.flags = FENCE_OUT;
	e.bo_handles = (uintptr_t)&handle;
	e.num_bo_handles = 1;
	expect(call(other, EXECBUFFER, &e), 0);
	expect(fence_end(e.fence_fd), 1);
	close(e.fence_fd);
	close(other);
}

/* More than any ring holds, by many files at once: everybody gets his turn. */
static void flood(void)
{
	enum { FILES = 12, BATCHES = 200, WORDS = 4096 };
	static uint32_t words[WORDS];
	int fds[FILES];

	for (int i = 0; i < FILES; i++)
		fds[i] = open_node();
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

static const struct {
	const char *name;
	void (*function)(void);
} tests[] = {
	{ "parameters", parameters },
	{ "capability sets", capsets },
	{ "contexts and their parameters", contexts },
	{ "resources", resources },
	{ "blobs", blobs },
	{ "transfers, also out of range", transfers },
	{ "waiting", waits },
	{ "batches", batches },
	{ "fences", fences },
	{ "syncobjs", syncobjs },
	{ "rings and their events", rings },
	{ "buffers of two files", sharing },
	{ "a buffer that is mapped by others", mapping },
	{ "a lost context is nobody else's", islands },
	{ "a flood of batches", flood },
};

int main(int argc, char **argv)
{
	enum { COUNT = sizeof(tests) / sizeof(tests[0]) };
	int status = 0;

	if (argc != 2) {
		fprintf(stderr, "usage: pvgpu-uapi DRIVER\n");
		return 2;
	}
	driver = argv[1];
	ours = !strcmp(driver, "pvgpu");
	printf("TAP version 13\n1..%d\n", COUNT);
	for (int i = 0; i < COUNT; i++) {
		failed = false;
		skipped = NULL;
		tests[i].function();
		printf("%s %d - %s%s%s\n", failed ? "not ok" : "ok", i + 1,
		       tests[i].name, skipped ? " # SKIP " : "",
		       skipped ? skipped : "");
		fflush(stdout);
		status |= failed;
	}
	return status;
}
