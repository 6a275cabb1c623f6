/* SPDX-License-Identifier: MIT */
/*
 * The device that the workers render on: what pvgpud found out about it, and
 * what its GL driver needs of the host. That is a table, a row a kind of
 * driver; the sandbox, systemd's device list and the system calls that are
 * left all follow from it.
 */
#ifndef PVGPU_GPU_H
#define PVGPU_GPU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Travels from manager to worker as it is; all text is NUL-terminated. */
struct gpu_device {
	uint32_t hardware;		/* 0: llvmpipe; nothing below is set */
	char driver[32];		/* the kernel's, such as "amdgpu" */
	char address[16];		/* on PCI, "0000:03:00.0"; or "" */
	char node[32];			/* "/dev/dri/renderD128", or "" */
	uint32_t node_major;		/* of `node` */
	uint32_t node_minor;
	uint32_t number;		/* of /dev/nvidiaN */
	char place[212];		/* "/sys/devices/...", or "" */
};

struct gpu_driver {
	const char *name;		/* the kernel's; NULL: any other */
	/* Device nodes that are opened as GL starts, up to NULL. '#' stands for
	 * the device's number, "" for its render node; that comes last. */
	const char *nodes[7];
	size_t needed;			/* so many of `nodes` must be there */
	/* Files and directories that are read as GL starts, up to NULL, where
	 * they exist; those of every driver are sandbox.c's. */
	const char *files[6];
	/* The driver opens its nodes again while it runs. Files it never may. */
	bool reopens;
	/* Kinds of ioctl, the byte above a request's number. */
	const char *ioctls;
	size_t ioctl_kinds;
	bool reserves;			/* more address space than a limit may say */
};

/* The row of a device; NULL for llvmpipe. */
const struct gpu_driver *gpu_driver(const struct gpu_device *device);

/* The path of the driver's n-th node for this device; false: there are no more.
 * A driver that is NULL has none. */
#define GPU_NODE_MAX 48
bool gpu_node(const struct gpu_driver *driver, const struct gpu_device *device,
	      size_t n, char out[GPU_NODE_MAX]);

/* What people read: the node or address, the driver. Returns out. */
#define GPU_TEXT_MAX 128
const char *gpu_text(const struct gpu_device *device, char out[GPU_TEXT_MAX]);

#endif
