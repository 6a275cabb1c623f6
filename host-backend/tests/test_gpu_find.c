// SPDX-License-Identifier: MIT
/*
 * Which GPU is rendered on: trees like those of /sys and /proc, with cards on
 * PCI, on virtio, on a platform bus, NVIDIA's with and without a render node,
 * and what is said where there is none. And the table of what drivers need.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/util.h"
#include "manager/gpu_find.h"

static char root[64];

/* What lies at this path of the tree: its folders are made. */
static const char *at(const char *format, ...) printf_like(1, 2);
static const char *at(const char *format, ...)
{
	static char path[512];
	size_t used = (size_t)snprintf(path, sizeof(path), "%s", root);
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(path + used, sizeof(path) - used, format, arguments);
	va_end(arguments);
	for (char *slash = path + used; (slash = strchr(slash + 1, '/')); ) {
		*slash = '\0';
		mkdir(path, 0755);
		*slash = '/';
	}
	return path;
}

static void put(const char *path, const char *text)
{
	cleanup_file FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
}

/* Links in /sys are relative, and how long the way up is counts. */
static void put_link(const char *path, const char *to)
{
	char target[512] = "";

	for (const char *p = path + strlen(root) + 1; (p = strchr(p, '/'));
	     p++)
		strcat(target, "../");
	strcat(target, to + 1);
	assert_int_equal(symlink(target, path), 0);
}

/* A device at `place` in /sys, and its driver, if it has one. */
static void add_device(const char *place, const char *bus, const char *driver)
{
	char to[128];

	snprintf(to, sizeof(to), "/sys/bus/%s", bus);
	put_link(at("%s/subsystem", place), to);
	snprintf(to, sizeof(to), "/sys/bus/%s/drivers/%s", bus,
		 driver ? driver : "");
	if (driver)
		put_link(at("%s/driver", place), to);
	snprintf(to, sizeof(to), "%s", strrchr(place, '/') + 1);
	if (!strcmp(bus, "pci"))
		put_link(at("/sys/bus/pci/devices/%s", to), place);
}

static void add_render_node(const char *place, unsigned int minor)
{
	char text[32], to[256];

	snprintf(text, sizeof(text), "226:%u\n", minor);
	put(at("%s/drm/renderD%u/dev", place, minor), text);
	put_link(at("%s/drm/renderD%u/device", place, minor), place);
	snprintf(to, sizeof(to), "%s/drm/renderD%u", place, minor);
	put_link(at("/sys/class/drm/renderD%u", minor), to);
	/* Beside it are primary nodes and connectors. */
	put(at("/sys/class/drm/card%u/dev", minor - 128), "226:0\n");
	put(at("/sys/class/drm/card%u-HDMI-A-1/status", minor - 128), "x\n");
}

static void add_nvidia(const char *address, unsigned int number)
{
	char text[64];

	snprintf(text, sizeof(text), "Model: \t\t H\nDevice Minor: \t %u\n",
		 number);
	put(at("/proc/driver/nvidia/gpus/%s/information", address), text);
}

static int make_root(void **state)
{
	(void)state;
	strcpy(root, "/tmp/pvgpu-gpu-XXXXXX");
	return mkdtemp(root) ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *st, int type,
		      struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static int remove_root(void **state)
{
	(void)state;
	return nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

#define AMD	"/sys/devices/pci0000:00/0000:00:03.1/0000:0a:00.0"
#define INTEL	"/sys/devices/pci0000:00/0000:00:02.0"
#define VIRTIO	"/sys/devices/pci0000:00/0000:00:05.0/virtio2"
#define VGEM	"/sys/devices/platform/vgem"
#define ARM	"/sys/devices/platform/soc/ff9a0000.gpu"
#define NVIDIA	"/sys/devices/pci0000:40/0000:41:00.0"

static void expect(const char *wanted, const char *text, const char *place)
{
	char why[GPU_WHY_MAX], shown[GPU_TEXT_MAX];
	struct gpu_device d;

	assert_int_equal(gpu_find(&d, wanted, root, why), 0);
	assert_string_equal(gpu_text(&d, shown), text);
	assert_string_equal(d.place, place);
	assert_int_equal(d.hardware, strcmp(text, "llvmpipe") != 0);
}

static void expect_error(const char *wanted, int error, const char *text)
{
	struct gpu_device d, before;
	char why[GPU_WHY_MAX];

	memset(&before, 0x5a, sizeof(before));
	d = before;
	assert_int_equal(gpu_find(&d, wanted, root, why), error);
	assert_string_equal(why, text);
	assert_memory_equal(&d, &before, sizeof(d));
}

static void none_is_there(void **state)
{
	(void)state;
	expect("llvmpipe", "llvmpipe", "");
	expect("auto", "llvmpipe", "");
	expect_error("/dev/dri/renderD128", -ENOENT, "it is not there; this "
		     "host has no GPU that a driver is bound to");
	expect_error("0000:41:00.0", -ENOENT, "it is not there; this host "
		     "has no GPU that a driver is bound to");
}

static void by_node_and_by_address(void **state)
{
	struct gpu_device d;
	char why[GPU_WHY_MAX];

	(void)state;
	add_device(INTEL, "pci", "i915");
	add_render_node(INTEL, 129);
	add_device(AMD, "pci", "amdgpu");
	add_render_node(AMD, 130);
	add_device(VIRTIO, "virtio", "virtio_gpu");
	add_render_node(VIRTIO, 1000);
	add_device(ARM, "platform", "panfrost");
	add_render_node(ARM, 1001);
	expect("/dev/dri/renderD129", "/dev/dri/renderD129 (i915, "
	       "0000:00:02.0)", INTEL);
	expect("/dev/dri/renderD130", "/dev/dri/renderD130 (amdgpu, "
	       "0000:0a:00.0)", AMD);
	expect("0000:0a:00.0", "/dev/dri/renderD130 (amdgpu, 0000:0a:00.0)",
	       AMD);
	/* The bridge in front of it is none. */
	expect_error("0000:00:03.1", -ENOENT, "it is not there; this host "
		     "has /dev/dri/renderD129 (i915, 0000:00:02.0), "
		     "/dev/dri/renderD130 (amdgpu, 0000:0a:00.0), "
		     "/dev/dri/renderD1000 (virtio_gpu, 0000:00:05.0), "
		     "/dev/dri/renderD1001 (panfrost)");
	/* libdrm goes up from virtio to PCI. */
	expect("0000:00:05.0", "/dev/dri/renderD1000 (virtio_gpu, "
	       "0000:00:05.0)", "/sys/devices/pci0000:00/0000:00:05.0");
	expect("/dev/dri/renderD1001", "/dev/dri/renderD1001 (panfrost)",
	       ARM);
	expect("llvmpipe", "llvmpipe", "");
	assert_int_equal(gpu_find(&d, "/dev/dri/renderD130", root, why), 0);
	assert_int_equal(d.node_major, 226);
	assert_int_equal(d.node_minor, 130);
}

static void automatic_takes_the_first_with_a_gpu(void **state)
{
	(void)state;
	add_device(VGEM, "platform", "vgem");
	add_render_node(VGEM, 128);
	expect("auto", "llvmpipe", "");
	add_device(AMD, "pci", "amdgpu");
	add_render_node(AMD, 1129);
	add_device(INTEL, "pci", "i915");
	add_render_node(INTEL, 129);
	expect("auto", "/dev/dri/renderD129 (i915, 0000:00:02.0)", INTEL);
	/* By its name also what has no GPU. */
	expect("/dev/dri/renderD128", "/dev/dri/renderD128 (vgem)", VGEM);
}

static void without_a_driver(void **state)
{
	(void)state;
	add_device(AMD, "pci", NULL);
	expect_error("0000:0a:00.0", -ENODEV, "no driver gives it a render "
		     "node; this host has no GPU that a driver is bound to");
	expect("auto", "llvmpipe", "");
}

static void nvidia(void **state)
{
	struct gpu_device d;
	char why[GPU_WHY_MAX];

	(void)state;
	add_device(NVIDIA, "pci", "nvidia");
	expect_error("0000:41:00.0", -ENODEV, "no driver gives it a render "
		     "node; this host has no GPU that a driver is bound to");
	add_nvidia("0000:41:00.0", 3);
	expect("0000:41:00.0", "0000:41:00.0 (nvidia)", NVIDIA);
	expect("auto", "0000:41:00.0 (nvidia)", NVIDIA);
	add_render_node(NVIDIA, 128);
	expect("0000:41:00.0", "/dev/dri/renderD128 (nvidia, 0000:41:00.0)",
	       NVIDIA);
	assert_int_equal(gpu_find(&d, "auto", root, why), 0);
	assert_int_equal(d.number, 3);
}

/* The nodes of a device, one after the other. */
static void nodes_are(const struct gpu_device *d, const char *text)
{
	char node[GPU_NODE_MAX], all[400] = "";

	for (size_t i = 0; gpu_node(gpu_driver(d), d, i, node); i++) {
		strcat(all, *all ? " " : "");
		strcat(all, node);
	}
	assert_string_equal(all, text);
}

static void nodes_of_drivers(void **state)
{
	static const struct gpu_device llvmpipe, amd = {
		.hardware = 1, .driver = "amdgpu",
		.node = "/dev/dri/renderD131",
	}, headless = { .hardware = 1, .driver = "nvidia", .number = 12 },
	drm = { .hardware = 1, .driver = "nvidia", .number = 0,
		.node = "/dev/dri/renderD128" };

	(void)state;
	assert_null(gpu_driver(&llvmpipe));
	nodes_are(&llvmpipe, "");
	nodes_are(&amd, "/dev/dri/renderD131");
	assert_false(gpu_driver(&amd)->reopens);
	nodes_are(&headless, "/dev/nvidiactl /dev/nvidia12 /dev/nvidia-uvm "
		  "/dev/nvidia-modeset");
	nodes_are(&drm, "/dev/nvidiactl /dev/nvidia0 /dev/nvidia-uvm "
		  "/dev/nvidia-modeset /dev/dri/renderD128");
	assert_true(gpu_driver(&drm)->reopens);
}

static void what_can_be_wanted(void **state)
{
	static const char *const good[] = {
		"llvmpipe", "auto", "/dev/dri/renderD128", "0000:41:00.0",
		"00a1:0f:1f.7",
	}, *const bad[] = {
		"", "gpu0", "/dev/dri/card0", "/dev/dri/renderD",
		"/dev/dri/renderD12x", "/dev/dri/renderD1234567",
		"/dev/dri/renderD128/../../mem", "renderD128", "41:00.0",
		"0000:41:00.8", "0000:41:00", "0000:4G:00.0", "0000:AB:00.0",
		"0000-41:00.0", "0000:41:00.00",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		assert_true(gpu_wanted_ok(good[i]));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (gpu_wanted_ok(bad[i]))
			fail_msg("'%s' is taken", bad[i]);
}

#define IN_A_TREE(test) \
	cmocka_unit_test_setup_teardown(test, make_root, remove_root)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_can_be_wanted),
		IN_A_TREE(none_is_there),
		IN_A_TREE(by_node_and_by_address),
		IN_A_TREE(automatic_takes_the_first_with_a_gpu),
		IN_A_TREE(without_a_driver),
		IN_A_TREE(nvidia),
		cmocka_unit_test(nodes_of_drivers),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("gpu_find", tests, NULL, NULL);
}
