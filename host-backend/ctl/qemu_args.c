// SPDX-License-Identifier: MIT
/* pvgpuctl qemu-args */
#include <string.h>

#include "ctl.h"

/* Prints a word so that a POSIX shell reads it back as it is. */
static void print_quoted(const char *word)
{
	static const char plain[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
		"0123456789_-+=.,:/@%";

	if (*word && word[strspn(word, plain)] == '\0') {
		fputs(word, stdout);
		return;
	}
	putchar('\'');
	for (; *word; word++) {
		if (*word == '\'')
			fputs("'\\''", stdout);
		else
			putchar(*word);
	}
	putchar('\'');
}

enum ctl_status ctl_qemu_args(struct ctl *ctl)
{
	cleanup_json json_object *reply = NULL;
	json_object *arguments;
	enum ctl_status status;

	status = ctl_call(ctl, "QemuArguments", ctl_named(ctl->arguments[0]),
			  &reply, NULL);
	if (status || ctl_print_json(ctl, reply))
		return status;
	arguments = json_member(reply, "arguments");
	if (json_object_get_type(arguments) != json_type_array) {
		ctl_complain(ctl, "the reply has no arguments");
		return CTL_FAILED;
	}
	for (size_t i = 0; i < json_object_array_length(arguments); i++) {
		if (i)
			putchar(' ');
		print_quoted(json_object_get_string(
				json_object_array_get_idx(arguments, i)));
	}
	putchar('\n');
	return CTL_OK;
}
