// SPDX-License-Identifier: MIT
/* Small files of JSON; see json_file.h. */
#include "json_file.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "common/util.h"

#define DEPTH_MAX	16

static int write_all(int fd, const char *text)
{
	size_t size = strlen(text);

	while (size) {
		ssize_t n = write(fd, text, size);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			text += n;
			size -= (size_t)n;
		}
	}
	return fsync(fd) < 0 ? -errno : 0;
}

int json_file_replace(int directory, const char *name, json_object *object)
{
	const char *text = json_object_to_json_string_ext(object,
		JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
		JSON_C_TO_STRING_NOSLASHESCAPE);
	cleanup_fd int fd = -1;
	char temporary[80];
	int r = -ENOMEM;

	snprintf(temporary, sizeof(temporary), ".%s.new", name);
	if (text && strlen(text) + 1 > JSON_FILE_MAX) {
		r = -EFBIG;
	} else if (text) {
		fd = openat(directory, temporary, O_WRONLY | O_CREAT |
			    O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
		r = fd < 0 ? -errno : write_all(fd, text);
	}
	json_object_put(object);
	if (!r && renameat(directory, temporary, directory, name) < 0)
		r = -errno;
	if (!r && fsync(directory) < 0)
		r = -errno;
	if (r < 0)
		unlinkat(directory, temporary, 0);
	return r;
}

json_object *json_file_read(int directory, const char *name,
			    const char **ret_why)
{
	cleanup_fd int fd = openat(directory, name, O_RDONLY | O_CLOEXEC |
				   O_NOFOLLOW | O_NONBLOCK);
	cleanup_free char *text = NULL;
	json_tokener *tokener;
	json_object *object;
	size_t used = 0;
	struct stat st;
	ssize_t n = 1;

	if (fd < 0 || fstat(fd, &st) < 0) {
		*ret_why = strerror(errno);
		return NULL;
	}
	if (!S_ISREG(st.st_mode) || st.st_size > JSON_FILE_MAX) {
		*ret_why = S_ISREG(st.st_mode) ?
			"larger than any that pvgpud writes" :
			"not a regular file";
		return NULL;
	}
	text = malloc(JSON_FILE_MAX);
	tokener = json_tokener_new_ex(DEPTH_MAX);
	while (text && used < JSON_FILE_MAX && n > 0) {
		n = read(fd, text + used, JSON_FILE_MAX - used);
		if (n > 0)
			used += (size_t)n;
	}
	if (!text || !tokener || n < 0) {
		*ret_why = n < 0 ? strerror(errno) : "out of memory";
		json_tokener_free(tokener);
		return NULL;
	}
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT |
					JSON_TOKENER_VALIDATE_UTF8);
	object = json_tokener_parse_ex(tokener, text, (int)used);
	*ret_why = json_tokener_get_error(tokener) == json_tokener_continue ?
		"it ends too early" :
		json_tokener_error_desc(json_tokener_get_error(tokener));
	if (object && (json_tokener_get_parse_end(tokener) != used ||
		       json_object_get_type(object) != json_type_object)) {
		json_object_put(object);
		object = NULL;
		*ret_why = "not one object";
	}
	json_tokener_free(tokener);
	return object;
}
