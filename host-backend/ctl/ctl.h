/* SPDX-License-Identifier: MIT */
/*
 * What the subcommands of pvgpuctl share: the command line as it was read, one
 * call to the daemon, and how things are printed. Exit statuses are an
 * interface: scripts look at them.
 */
#ifndef PVGPU_CTL_H
#define PVGPU_CTL_H

#include <stdbool.h>
#include <stddef.h>

#include <json-c/json.h>

#include "common/fdpass.h"
#include "common/util.h"

enum ctl_status {
	CTL_OK = 0,
	CTL_FAILED = 1,			/* the daemon said no, or its answer is odd */
	CTL_USAGE = 2,
	CTL_NO_DAEMON = 3,
};

#define CTL_ARGUMENTS_MAX 2

struct ctl {
	const char *socket;
	bool json;
	const char *command;		/* its name */
	const char *arguments[CTL_ARGUMENTS_MAX];	/* NULL: not given */
	const char *options[26];	/* by letter, see ctl_option() */
	unsigned int lasts;		/* seconds that a call itself takes */
};

/* An option that some commands take. */
struct ctl_option {
	char letter;			/* in ctl_command.options */
	bool brief;			/* -LETTER is the same */
	const char *name;		/* --NAME */
	const char *value;		/* what it takes, for people; NULL: none */
};
extern const struct ctl_option ctl_options[];
/* The letters of what `sched set` sets, in the order of enum setting. */
#define CTL_SETTING_OPTIONS "yrcqawhxgt"

/* The option's value ("" where it takes none), or NULL: not given. */
static inline const char *ctl_option(const struct ctl *ctl, char letter)
{
	return ctl->options[letter - 'a'];
}

struct ctl_command {
	const char *name;
	const char *usage;		/* the arguments, for people */
	int least, most;		/* how many arguments */
	const char *options;		/* letters of ctl_options */
	const char *summary;		/* one line */
	const char *help;		/* the rest, lines */
	enum ctl_status (*run)(struct ctl *ctl);
};
extern const struct ctl_command ctl_commands[];

/* One line on stderr: "pvgpuctl: COMMAND: ...". */
void ctl_complain(const struct ctl *ctl, const char *format, ...)
	printf_like(2, 3);

/* Calls io.pvgpu.Manager.METHOD; takes over `parameters` (NULL: none). On
 * CTL_OK *ret_reply is the reply's parameters, the caller's to put, and *ret_fd
 * (if not NULL) the descriptor beside it or -1. Else it has complained. */
enum ctl_status ctl_call(const struct ctl *ctl, const char *method,
			 json_object *parameters, json_object **ret_reply,
			 int *ret_fd);
/* Descriptors beside a reply. */
struct ctl_fds {
	int fds[FDPASS_MAX];
	size_t count;
};
void ctl_close_fds(struct ctl_fds *fds);
#define cleanup_fds cleanup(ctl_close_fds)
/* The same with all descriptors that are beside the reply. */
enum ctl_status ctl_call_fds(const struct ctl *ctl, const char *method,
			     json_object *parameters, json_object **ret_reply,
			     struct ctl_fds *ret_fds);
/* Parameters {"name": NAME}. */
json_object *ctl_named(const char *name);

/* Prints the reply as JSON, if --json was given; else returns false. */
bool ctl_print_json(const struct ctl *ctl, json_object *reply);

/* Members of an object from the daemon; "" and 0 where they are not there or
 * of another type. */
const char *json_string(json_object *object, const char *name);
long long json_number(json_object *object, const char *name);
bool json_true(json_object *object, const char *name);
/* A member that is an object or an array; NULL where there is none. */
json_object *json_member(json_object *object, const char *name);

void put_json(json_object **object);
#define cleanup_json cleanup(put_json)

/* A string of somebody else's for a terminal: control characters as '?'. Up
 * to 8 results are valid at a time. */
const char *ctl_safe(const char *text);

/* commands, one file each or two that are short */
enum ctl_status ctl_types(struct ctl *ctl);
enum ctl_status ctl_create(struct ctl *ctl);
enum ctl_status ctl_destroy(struct ctl *ctl);
enum ctl_status ctl_list(struct ctl *ctl);
enum ctl_status ctl_show(struct ctl *ctl);
enum ctl_status ctl_gpu(struct ctl *ctl);
enum ctl_status ctl_head(struct ctl *ctl);
enum ctl_status ctl_sched(struct ctl *ctl);
enum ctl_status ctl_stat(struct ctl *ctl);
enum ctl_status ctl_top(struct ctl *ctl);
enum ctl_status ctl_trace(struct ctl *ctl);
enum ctl_status ctl_screenshot(struct ctl *ctl);
enum ctl_status ctl_qemu_args(struct ctl *ctl);
enum ctl_status ctl_libvirt_xml(struct ctl *ctl);

#endif
