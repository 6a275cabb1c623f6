/* SPDX-License-Identifier: MIT */
/*
 * What pvgpud is told by /etc/pvgpu/pvgpud.conf, or by the options of the same
 * meaning on its command line, which win.
 */
#ifndef PVGPU_CONFIG_H
#define PVGPU_CONFIG_H

#include <sys/types.h>

#include "common/conf.h"
#include "gpu_find.h"
#include "http.h"
#include "types/placement.h"
#include "types/setting.h"

#define CONFIG_FILE	"/etc/pvgpu/pvgpud.conf"
#define NO_GROUP	((gid_t)-1)

struct config {
	char gpu_name[32];
	char gpu_device[GPU_WANTED_MAX];	/* for gpu_find() */
	uint64_t gpu_memory;		/* bytes */
	enum placement_mode gpu_mode;	/* until one is set at run time */
	struct settings schedule;	/* of the GPU, what is given */
	uint64_t host_memory;		/* bytes that all windows may take */
	gid_t socket_group;		/* of the control socket, or NO_GROUP */
	gid_t vgpu_socket_group;	/* of the vGPUs' sockets */
	struct http_address metrics;	/* size 0: nowhere */
};

enum config_key_index {
	CONFIG_GPU_NAME, CONFIG_GPU_DEVICE, CONFIG_GPU_MEMORY, CONFIG_GPU_MODE,
	CONFIG_POLICY, CONFIG_ORDER, CONFIG_SLICE, CONFIG_FREQUENCY,
	CONFIG_FACTOR,
	CONFIG_HOST_MEMORY, CONFIG_SOCKET_GROUP, CONFIG_VGPU_SOCKET_GROUP,
	CONFIG_METRICS,
	CONFIG_KEYS,
};

struct config_key {
	const char *section;
	const char *name;
	const char *option;		/* on the command line, with -- */
	/* Reads the value; 0 or -EINVAL. */
	int (*set)(struct config *config, const char *value);
	const char *allowed;		/* for people */
};
extern const struct config_key config_keys[CONFIG_KEYS];

void config_defaults(struct config *config);

/* Reads an open file over what is there. Every wrong line is reported. 0,
 * -EINVAL if anything was reported, or -errno. */
int config_parse(struct config *config, FILE *stream, const char *file,
		 conf_report *report, void *userdata);

#endif
