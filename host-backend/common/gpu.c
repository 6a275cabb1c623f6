// SPDX-License-Identifier: MIT
/* What GL drivers need of the host; see gpu.h. */
#include "gpu.h"

#include <stdio.h>
#include <string.h>

#include "util.h"

#define KINDS(text) .ioctls = (text), .ioctl_kinds = sizeof(text) - 1

/*
 * Written from the drivers' sources and manuals. Of the first row nothing has
 * run so far; of the second, Mesa's virgl on the render node of a pvgpu in a VM.
 *
 * NVIDIA's own: its EGL looks at /proc/driver/nvidia for what the nodes are,
 * and opens them for each context again. nvidia-uvm's ioctls have no kind, the
 * modesetting node's are 'm', a render node is there only with nvidia-drm.
 *
 * Mesa's opens the render node once, as a screen is made, and duplicates it.
 * libdrm asks /sys what is behind it. Buffers and fences travel as descriptors
 * with ioctls of their own: 'b' and '>'.
 */
static const struct gpu_driver drivers[] = {
	{
		.name = "nvidia",
		.nodes = { "/dev/nvidiactl", "/dev/nvidia#", "/dev/nvidia-uvm",
			   "/dev/nvidia-modeset", "" },
		.needed = 2,
		.files = { "/proc/driver/nvidia", "/proc/devices",
			   "/usr/share/egl", "/etc/egl",
			   "/usr/share/nvidia" },
		.reopens = true,
		KINDS("Fdmb>\0"),
		.reserves = true,
	}, {
		.nodes = { "" },
		.needed = 1,
		KINDS("db>"),
	},
};

const struct gpu_driver *gpu_driver(const struct gpu_device *device)
{
	const struct gpu_driver *row = drivers;

	if (!device->hardware)
		return NULL;
	while (row->name && strcmp(row->name, device->driver))
		row++;
	return row;
}

bool gpu_node(const struct gpu_driver *driver, const struct gpu_device *device,
	      size_t n, char out[GPU_NODE_MAX])
{
	const char *name;
	size_t length;

	if (!driver || n >= ARRAY_SIZE(driver->nodes) || !driver->nodes[n])
		return false;
	name = driver->nodes[n];
	length = strcspn(name, "#");
	if (!*name)
		snprintf(out, GPU_NODE_MAX, "%s", device->node);
	else if (name[length])
		snprintf(out, GPU_NODE_MAX, "%.*s%u", (int)length, name,
			 device->number);
	else
		snprintf(out, GPU_NODE_MAX, "%s", name);
	return *out;
}

const char *gpu_text(const struct gpu_device *device, char out[GPU_TEXT_MAX])
{
	const char *address = device->address;

	if (!device->hardware)
		snprintf(out, GPU_TEXT_MAX, "llvmpipe");
	else if (!*device->node)
		snprintf(out, GPU_TEXT_MAX, "%s (%s)", address, device->driver);
	else
		snprintf(out, GPU_TEXT_MAX, "%s (%s%s%s)", device->node,
			 device->driver, *address ? ", " : "", address);
	return out;
}
