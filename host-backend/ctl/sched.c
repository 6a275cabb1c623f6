// SPDX-License-Identifier: MIT
/* pvgpuctl sched: how the GPU's time is shared out. */
#include <string.h>

#include "ctl.h"
#include "types/setting.h"

/* The letters of the settings' options, in order of enum setting. */
static const char letters[] = CTL_SETTING_OPTIONS;
_Static_assert(sizeof(letters) == SETTINGS + 1, "a letter each");

/* A member as people write it. */
static const char *text_of(char out[SETTING_TEXT_MAX], json_object *from,
			   enum setting which)
{
	const char *name = setting_infos[which].member;
	long long number;

	if (setting_infos[which].words)
		return ctl_safe(json_string(from, name));
	number = json_number(from, name);
	return setting_text(out, which, number > 0 ? (uint64_t)number : 0);
}

static bool was_set(json_object *from, enum setting which)
{
	json_object *set = json_member(from, "set");

	for (size_t i = 0; json_object_get_type(set) == json_type_array &&
			   i < json_object_array_length(set); i++)
		if (!strcmp(json_object_get_string(
				    json_object_array_get_idx(set, i)),
			    setting_infos[which].member))
			return true;
	return false;
}

/* One line each, for the GPU or one vGPU. */
static void print_settings(json_object *from, enum setting first,
			   enum setting end, const char *unless_set)
{
	char text[SETTING_TEXT_MAX];

	for (enum setting i = first; i < end; i++)
		printf("%-11s %-14s %s\n", setting_infos[i].name,
		       text_of(text, from, i),
		       was_set(from, i) ? "set" : unless_set);
}

static void print_gpu(json_object *gpu)
{
	print_settings(gpu, SETTINGS_GPU, "configured or by default");
}

static void print_vgpu(json_object *vgpu)
{
	printf("%-11s %s\n", "name", ctl_safe(json_string(vgpu, "name")));
	print_settings(vgpu, SETTINGS_VGPU, "of its type");
}

static enum ctl_status show_all(struct ctl *ctl)
{
	cleanup_json json_object *reply = NULL;
	enum ctl_status status;
	json_object *vgpus;

	status = ctl_call(ctl, "GetGpuScheduling", NULL, &reply, NULL);
	if (status || ctl_print_json(ctl, reply))
		return status;
	print_gpu(json_member(reply, "gpu"));
	vgpus = json_member(reply, "vgpus");
	printf("\n%-20s %6s %12s %7s %9s %11s  %s\n", "NAME", "WEIGHT",
	       "SHARE", "BORROW", "WATCHDOG", "FRAME LIMIT", "SET");
	for (size_t i = 0; vgpus && i < json_object_array_length(vgpus); i++) {
		json_object *v = json_object_array_get_idx(vgpus, i);
		char text[SETTINGS][SETTING_TEXT_MAX];

		printf("%-20s %6s %12s %7s %9s %11s ",
		       ctl_safe(json_string(v, "name")),
		       text_of(text[0], v, SETTING_WEIGHT),
		       text_of(text[1], v, SETTING_SHARE),
		       text_of(text[2], v, SETTING_BORROW),
		       text_of(text[3], v, SETTING_WATCHDOG),
		       text_of(text[4], v, SETTING_FRAME_LIMIT));
		for (enum setting s = SETTING_WEIGHT; s < SETTINGS; s++)
			if (was_set(v, s))
				printf(" %s", setting_infos[s].name);
		puts("");
	}
	return CTL_OK;
}

static enum ctl_status show(struct ctl *ctl)
{
	cleanup_json json_object *reply = NULL;
	enum ctl_status status;

	if (!ctl->arguments[1])
		return show_all(ctl);
	status = ctl_call(ctl, "GetScheduling", ctl_named(ctl->arguments[1]),
			  &reply, NULL);
	if (!status && !ctl_print_json(ctl, reply))
		print_vgpu(json_member(reply, "vgpu"));
	return status;
}

/* The option's value for the call; NULL, and it has complained. */
static json_object *value_of(const struct ctl *ctl, enum setting which)
{
	const struct setting_info *info = &setting_infos[which];
	const char *given = ctl_option(ctl, letters[which]);
	uint64_t number;

	if (!strcmp(given, "default"))
		return info->words ? json_object_new_string(given) :
				     json_object_new_int64(-1);
	if (setting_parse(&number, which, given)) {
		ctl_complain(ctl, "%s: '%s' given; allowed is %s; or default",
			     info->option, ctl_safe(given), info->allowed);
		return NULL;
	}
	return info->words ? json_object_new_string(given) :
			     json_object_new_int64((int64_t)number);
}

static enum ctl_status set(struct ctl *ctl)
{
	const char *name = ctl->arguments[1];
	cleanup_json json_object *parameters = name ? ctl_named(name) :
						      json_object_new_object();
	cleanup_json json_object *reply = NULL;
	enum ctl_status status;
	bool any = false;

	for (enum setting i = 0; i < SETTINGS; i++) {
		json_object *value;

		if (!ctl_option(ctl, letters[i]))
			continue;
		if (!!name != (i >= SETTING_WEIGHT)) {
			ctl_complain(ctl, "%s: is %s; allowed is %s",
				     setting_infos[i].option,
				     name ? "set of the GPU" :
					    "set of a vGPU",
				     name ? "set without a NAME" :
					    "set NAME");
			return CTL_USAGE;
		}
		value = value_of(ctl, i);
		if (!value)
			return CTL_USAGE;
		json_object_object_add(parameters, setting_infos[i].member,
				       value);
		any = true;
	}
	if (!any) {
		ctl_complain(ctl, "set: nothing given; needs an option, see "
			     "--help");
		return CTL_USAGE;
	}
	status = ctl_call(ctl, name ? "SetScheduling" : "SetGpuScheduling",
			  take_ptr(parameters), &reply, NULL);
	if (status || ctl_print_json(ctl, reply))
		return status;
	if (name)
		print_vgpu(json_member(reply, "vgpu"));
	else
		print_gpu(json_member(reply, "gpu"));
	return CTL_OK;
}

enum ctl_status ctl_sched(struct ctl *ctl)
{
	const char *what = ctl->arguments[0];

	if (!strcmp(what, "set"))
		return set(ctl);
	if (strcmp(what, "show")) {
		ctl_complain(ctl, "'%s' given; allowed are show and set",
			     ctl_safe(what));
		return CTL_USAGE;
	}
	for (enum setting i = 0; i < SETTINGS; i++)
		if (ctl_option(ctl, letters[i])) {
			ctl_complain(ctl, "%s: is for set",
				     setting_infos[i].option);
			return CTL_USAGE;
		}
	return show(ctl);
}
