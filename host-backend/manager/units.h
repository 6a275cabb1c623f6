/* SPDX-License-Identifier: MIT */
/*
 * Workers as instances of a systemd unit: pvgpu-worker@NAME.service, started,
 * limited and killed over D-Bus. A started worker connects to DIR/workers, and
 * which vGPU it serves is told by the unit that its process is in, so a
 * process can be nobody but itself.
 */
#ifndef PVGPU_UNITS_H
#define PVGPU_UNITS_H

#include <systemd/sd-event.h>

#include "common/gpu.h"
#include "common/limits.h"
#include "store.h"

struct units;

/* The process `pid`, of the instance `name`, has connected; takes over both
 * descriptors. */
typedef void units_connected(void *userdata, const char *name, int socket,
			     int pidfd, pid_t pid);

/* `template` is NAME@.service, `path` the socket's. Returns 0 or -errno. */
int units_new(struct units **ret, sd_event *event, struct store *store,
	      const char *template, const char *path,
	      units_connected *connected, void *userdata);
/* Accepts NULL. */
void units_free(struct units *units);

/* Starts the instance, and ends one that is still there first. Its memory is
 * limited to what such a vGPU may use, its devices to that GPU's. 0 or -errno; a refusal that comes later
 * is logged. */
int units_start(struct units *units, const char *name,
		const struct vgpu_limits *limits,
		const struct gpu_device *gpu);
/* SIGKILL to all of the instance; not waited for. */
void units_kill(struct units *units, const char *name);

#endif
