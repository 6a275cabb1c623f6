// SPDX-License-Identifier: MIT
/* pvgpuctl head: what is plugged into the heads of a vGPU. */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "common/size.h"
#include "ctl.h"

#define EDID_FILE_MAX 65536	/* the daemon says what is too much */

/* Adds width, height and, if it is said, refresh. */
static int add_mode(json_object *parameters, const char *text)
{
	char copy[48], *x, *at;
	uint64_t width, height, refresh;

	if (strlen(text) >= sizeof(copy))
		return -EINVAL;
	strcpy(copy, text);
	at = strchr(copy, '@');
	if (at)
		*at++ = '\0';
	x = strchr(copy, 'x');
	if (!x)
		return -EINVAL;
	*x++ = '\0';
	if (parse_number(&width, copy, INT32_MAX) ||
	    parse_number(&height, x, INT32_MAX) ||
	    (at && parse_decimal(&refresh, at, 3, INT32_MAX)))
		return -EINVAL;
	json_object_object_add(parameters, "width",
			       json_object_new_int64((int64_t)width));
	json_object_object_add(parameters, "height",
			       json_object_new_int64((int64_t)height));
	if (at)
		json_object_object_add(parameters, "refresh",
				json_object_new_int64((int64_t)refresh));
	return 0;
}

/* The file's bytes as hexadecimal digits, or NULL, and it has complained. */
static json_object *read_edid(const struct ctl *ctl, const char *path)
{
	cleanup_file FILE *stream = fopen(path, "rbe");
	static unsigned char bytes[EDID_FILE_MAX];
	static char text[2 * EDID_FILE_MAX + 1];
	size_t size = 0;

	if (stream)
		size = fread(bytes, 1, sizeof(bytes), stream);
	if (!stream || ferror(stream)) {
		ctl_complain(ctl, "%s: %s", ctl_safe(path), strerror(errno));
		return NULL;
	}
	/* More would not even fit a message. */
	if (!size || size > 16384) {
		ctl_complain(ctl, "%s: %s%zu bytes; allowed is an EDID, blocks "
			     "of 128 bytes", ctl_safe(path),
			     size == sizeof(bytes) ? "at least " : "", size);
		return NULL;
	}
	for (size_t i = 0; i < size; i++)
		sprintf(text + 2 * i, "%02x", bytes[i]);
	return json_object_new_string_len(text, (int)(2 * size));
}

static void print_head(json_object *head)
{
	printf("%-5lld %-9s %lldx%lld at %.3f Hz", json_number(head, "head"),
	       json_true(head, "connected") ? "plugged" : "unplugged",
	       json_number(head, "width"), json_number(head, "height"),
	       (double)json_number(head, "refresh") / 1000.0);
	if (json_number(head, "edidSize"))
		printf(", EDID of %lld bytes given\n",
		       json_number(head, "edidSize"));
	else
		puts(", EDID made by pvgpu");
}

static enum ctl_status show_heads(struct ctl *ctl, long long only)
{
	cleanup_json json_object *reply = NULL;
	json_object *heads, *found = NULL;
	enum ctl_status status;
	size_t count;

	status = ctl_call(ctl, "ListHeads", ctl_named(ctl->arguments[0]),
			  &reply, NULL);
	if (status)
		return status;
	heads = json_member(reply, "heads");
	count = json_object_get_type(heads) == json_type_array ?
		json_object_array_length(heads) : 0;
	if (only < 0) {
		if (ctl_print_json(ctl, reply))
			return CTL_OK;
		for (size_t i = 0; i < count; i++)
			print_head(json_object_array_get_idx(heads, i));
		return CTL_OK;
	}
	for (size_t i = 0; i < count; i++)
		if (json_number(json_object_array_get_idx(heads, i), "head") ==
		    only)
			found = json_object_array_get_idx(heads, i);
	if (!found) {
		ctl_complain(ctl, "head: %lld is not a head of '%s'; allowed "
			     "are 0 to %zu", only, ctl_safe(ctl->arguments[0]),
			     count ? count - 1 : 0);
		return CTL_FAILED;
	}
	if (!ctl_print_json(ctl, found))
		print_head(found);
	return CTL_OK;
}

static enum ctl_status set_head(struct ctl *ctl, uint64_t head)
{
	const char *mode = ctl_option(ctl, 'm'), *edid = ctl_option(ctl, 'e');
	cleanup_json json_object *parameters = ctl_named(ctl->arguments[0]);
	cleanup_json json_object *reply = NULL;
	json_object *bytes;
	enum ctl_status status;

	json_object_object_add(parameters, "head",
			       json_object_new_int64((int64_t)head));
	if (ctl_option(ctl, 'p') || ctl_option(ctl, 'u'))
		json_object_object_add(parameters, "connected",
			json_object_new_boolean(!!ctl_option(ctl, 'p')));
	if (mode && add_mode(parameters, mode)) {
		ctl_complain(ctl, "--mode: '%s' given; allowed is WxH or "
			     "WxH@HZ, such as 1920x1080@59.94",
			     ctl_safe(mode));
		return CTL_USAGE;
	}
	if (edid) {
		bytes = strcmp(edid, "default") ? read_edid(ctl, edid) :
			json_object_new_string("");
		if (!bytes)
			return CTL_FAILED;
		json_object_object_add(parameters, "edid", bytes);
	}
	status = ctl_call(ctl, "SetHead", take_ptr(parameters), &reply, NULL);
	if (status || ctl_print_json(ctl, reply))
		return status;
	print_head(json_member(reply, "head"));
	return CTL_OK;
}

enum ctl_status ctl_head(struct ctl *ctl)
{
	bool sets = ctl_option(ctl, 'p') || ctl_option(ctl, 'u') ||
		    ctl_option(ctl, 'm') || ctl_option(ctl, 'e');
	uint64_t head = 0;

	if (ctl->arguments[1] &&
	    parse_number(&head, ctl->arguments[1], INT32_MAX)) {
		ctl_complain(ctl, "head: '%s' given; allowed is a number, 0 "
			     "for the first", ctl_safe(ctl->arguments[1]));
		return CTL_USAGE;
	}
	if (!sets)
		return show_heads(ctl, ctl->arguments[1] ? (long long)head :
							   -1);
	if (!ctl->arguments[1]) {
		ctl_complain(ctl, "needs NAME HEAD to set something");
		return CTL_USAGE;
	}
	if (ctl_option(ctl, 'p') && ctl_option(ctl, 'u')) {
		ctl_complain(ctl, "--plug and --unplug given; allowed is one");
		return CTL_USAGE;
	}
	if (ctl_option(ctl, 'm') && ctl_option(ctl, 'e')) {
		ctl_complain(ctl, "--mode and --edid given; allowed is one: an "
			     "EDID says its mode");
		return CTL_USAGE;
	}
	return set_head(ctl, head);
}
