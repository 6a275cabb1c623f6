/* SPDX-License-Identifier: MIT */
/*
 * Small files of one JSON object each: replaced whole or not at all, and read
 * as if anybody could have written them.
 */
#ifndef PVGPU_JSON_FILE_H
#define PVGPU_JSON_FILE_H

#include <json-c/json.h>

#define JSON_FILE_MAX	(256u << 10)	/* bytes */

/* Puts the object (taken over) into the file `name` of the directory, which is
 * a descriptor; a file of that name stays as it is until the new one is on the
 * disk, and for good if the call fails. 0, -EFBIG, or another -errno. */
int json_file_replace(int directory, const char *name, json_object *object);

/* The object in the file, the caller's; or NULL, and *ret_why says in words
 * why not. */
json_object *json_file_read(int directory, const char *name,
			    const char **ret_why);

#endif
