// SPDX-License-Identifier: MIT
/*
 * pvgpu-uapi DRIVER: the edges of the virtgpu uAPI on the render node of a DRM
 * driver: bad pointers, unknown flags, lengths, handles, boxes, fences,
 * syncobjs, rings. Speaks TAP. What it asks for is what stock virtio-gpu with
 * virgl does, so it passes on both; where ours refuses what virtio-gpu leaves
 * to its host, that is asked of ours alone.
 */
#include "uapi.h"

#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <drm_mode.h>
#include <linux/dma-buf.h>
#include <linux/sync_file.h>

const char *driver, *skipped;
bool ours, failed;

void complain(int line, const char *format, ...)
{
	va_list args;

	failed = true;
	printf("# line %d: ", line);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
}

int parameter(int fd, uint64_t which, uint32_t *value)
{
	struct getparam p = { which, (uintptr_t)value };

	return call(fd, GETPARAM, &p);
}

bool has(int fd, uint64_t which)
{
	uint32_t value = 0;

	return !parameter(fd, which, &value) && value;
}

struct resource_create plain(void)
{
	return (struct resource_create){
		.target = 2, .format = RGBA, .bind = SAMPLER, .width = 64,
		.height = 32, .depth = 1, .array_size = 1,
		.size = 64 * 32 * 4,
	};
}

uint32_t resource(int fd)
{
	struct resource_create r = plain();

	expect(call(fd, RESOURCE_CREATE, &r), 0);
	check(r.bo_handle && r.res_handle);
	return r.bo_handle;
}

int wait_for(int fd, uint32_t handle, uint32_t flags)
{
	struct wait w = { handle, flags };

	return call(fd, WAIT, &w);
}

static const uint32_t nop;

struct execbuffer empty(void)
{
	return (struct execbuffer){ .size = 4, .command = (uintptr_t)&nop,
				    .fence_fd = -1 };
}

int exec(int fd, struct execbuffer e)
{
	return call(fd, EXECBUFFER, &e);
}

int fence_end(int fence)
{
	struct pollfd p = { fence, POLLIN, 0 };
	struct sync_file_info info = { 0 };

	if (poll(&p, 1, 10000) == 1 &&
	    !call(fence, SYNC_IOC_FILE_INFO, &info))
		return info.status;
	return 0;
}

int init(int fd, uint32_t count, const struct context_param *params)
{
	struct context_init i = { count, 0, (uintptr_t)params };

	return call(fd, CONTEXT_INIT, &i);
}

static void parameters(void)
{
	int fd = open_node(driver);
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
	int fd = open_node(driver);
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

/* One parameter, or two, in a file of their own. */
static void init_gives(int line, int wanted, uint32_t count,
		       struct context_param a, struct context_param b)
{
	struct context_param params[2] = { a, b };
	int fd = open_node(driver), got = init(fd, count, params);

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

static void contexts(void)
{
	int fd = open_node(driver);
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
	fd = open_node(driver);
	resource(fd);
	expect(init(fd, 1, &virgl), -EEXIST);
	close(fd);
}

static void resources(void)
{
	int fd = open_node(driver), other = open_node(driver);
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
	int fd = open_node(driver);
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
	int fd = open_node(driver);
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

static void sharing(void)
{
	int fd = open_node(driver), other = open_node(driver);
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
	int fd = open_node(driver);
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
	int fd = open_node(driver), other = open_node(driver);
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
