/* SPDX-License-Identifier: MIT */
/*
 * The keys of a type's section: how the value of each is read, and what must
 * agree between them. Knows nothing of files and lines; parse.c does.
 */
#ifndef PVGPU_TYPE_KEYS_H
#define PVGPU_TYPE_KEYS_H

#include <stdbool.h>

#include "types.h"

enum type_key_index {
	KEY_SERIES, KEY_FRAMEBUFFER, KEY_HEADS, KEY_MAX_RESOLUTION,
	KEY_MAX_PIXELS, KEY_DEFAULT_MODE, KEY_MAX_REFRESH, KEY_GUESTS,
	KEY_CLASSES, KEY_CURSOR_MAX, KEY_CHANNELS, KEY_DEVICE_BUDGET,
	KEY_MAX_RESOURCES, KEY_MAX_EXTENTS, KEY_MAX_INSTANCES,
	KEY_WEIGHT, KEY_SHARE, KEY_BORROW, KEY_WATCHDOG, KEY_FRAME_LIMIT,
	KEY_COUNT,
};

struct type_key {
	const char *name;
	bool required;
	/* Reads the value into the type; 0 or -EINVAL. */
	int (*set)(struct vgpu_type *type, const char *value);
	const char *allowed;		/* for people */
};
extern const struct type_key type_keys[KEY_COUNT];

/* Defaults of the optional keys. */
void type_keys_defaults(struct vgpu_type *type);

/* Splits a name into board, GiB and series. 0 or -EINVAL. */
int type_name_parse(struct vgpu_type *type, uint64_t *ret_gib,
		    const char *name);
#define TYPE_NAME_ALLOWED "[BOARD-GiBSERIES], such as [PV24-2Q]: " \
	"a board of at most 15 letters and digits, 1 to 1024, one of Q B A C"

/* Checks the values against each other, for a type that has all required
 * keys. Calls `wrong` with the key at fault and what is allowed instead. */
typedef void type_key_wrong(void *userdata, enum type_key_index key,
			    const char *allowed);
void type_keys_check(struct vgpu_type *type, uint64_t name_gib,
		     bool device_budget_given, type_key_wrong *wrong,
		     void *userdata);

#endif
