/* SPDX-License-Identifier: MIT */
/*
 * What an administrator plugged into a head: a monitor or none, the mode that
 * it prefers, and an EDID if one was given (else the worker makes one). A
 * vGPU's settings outlive its workers and its guests.
 */
#ifndef PVGPU_HEAD_SETTING_H
#define PVGPU_HEAD_SETTING_H

#include <stdbool.h>
#include <stddef.h>

#include <json-c/json.h>

#include "common/limits.h"
#include "common/worker_link.h"

struct head_setting {
	uint32_t serial;		/* another one after every change */
	bool connected;
	uint32_t width, height;		/* preferred mode */
	uint32_t refresh;		/* mHz */
	uint32_t edid_size;		/* bytes; 0: none given */
	uint8_t edid[WORKER_EDID_MAX];
};

/* What a head is before anybody sets it. */
void head_setting_default(struct head_setting *setting,
			  const struct vgpu_limits *limits);
/* Nobody has set it, or not to anything else. */
bool head_setting_is_default(const struct head_setting *setting,
			     const struct vgpu_limits *limits);

#define HEAD_WHY_MAX 200
/* Whether a monitor may prefer this mode: 0, or -EINVAL with what is wrong
 * and what is allowed in `why`. */
int head_mode_check(uint32_t width, uint32_t height, uint32_t refresh,
		    const struct vgpu_limits *limits, char why[HEAD_WHY_MAX]);
/* Takes an EDID of `size` bytes (any bytes, any size) and the mode that it
 * prefers, the first detailed timing. 0, or -EINVAL as above. */
int head_edid_take(struct head_setting *setting, const uint8_t *edid,
		   size_t size, const struct vgpu_limits *limits,
		   char why[HEAD_WHY_MAX]);
/* The same of an EDID in hexadecimal digits. */
int head_edid_take_text(struct head_setting *setting, const char *text,
			const struct vgpu_limits *limits,
			char why[HEAD_WHY_MAX]);

/* All of a setting as JSON, for the control socket and for a file; a new
 * object, the caller's. */
json_object *head_setting_json(uint32_t head,
			       const struct head_setting *setting);
/* A setting that head_setting_json() wrote, from a file that may be anything:
 * 0, or -EINVAL as above and the setting as it was. */
int head_setting_from_json(struct head_setting *setting, json_object *object,
			   const struct vgpu_limits *limits,
			   char why[HEAD_WHY_MAX]);

/* The message that brings it to a worker. */
void head_setting_message(struct worker_head_set *message, uint32_t head,
			  const struct head_setting *setting);

#endif
