// SPDX-License-Identifier: MIT
/* pvgpuctl gpu */
#include <string.h>

#include "common/size.h"
#include "ctl.h"

#define UNIT (1ull << 30)		/* bytes of one placement id */

static void print_budget(const char *label, json_object *budget)
{
	char limit[SIZE_TEXT_MAX], used[SIZE_TEXT_MAX];

	printf("%-10s %s of %s given away\n", label,
	       format_size(used, (uint64_t)json_number(budget, "used")),
	       format_size(limit, (uint64_t)json_number(budget, "limit")));
}

static enum ctl_status show_gpu(struct ctl *ctl)
{
	cleanup_json json_object *reply = NULL;
	json_object *gpu, *placements;
	enum ctl_status status;
	char size[SIZE_TEXT_MAX];

	status = ctl_call(ctl, "GetGpu", NULL, &reply, NULL);
	if (status || ctl_print_json(ctl, reply))
		return status;
	gpu = json_member(reply, "gpu");
	placements = json_member(reply, "placements");
	printf("%-10s %s\n", "name", ctl_safe(json_string(gpu, "name")));
	printf("%-10s %s\n", "device", ctl_safe(json_string(gpu, "device")));
	printf("%-10s %s sizes\n", "mode", ctl_safe(json_string(gpu, "mode")));
	print_budget("memory", json_member(gpu, "memory"));
	printf("%-10s %s in a row at most\n", "free",
	       format_size(size, (uint64_t)json_number(gpu, "largestFree")));
	print_budget("host RAM", json_member(gpu, "hostMemory"));
	printf("\n%-10s %8s  %-20s %s\n", "PLACEMENT", "SIZE", "NAME", "TYPE");
	for (size_t i = 0; placements &&
			   i < json_object_array_length(placements); i++) {
		json_object *p = json_object_array_get_idx(placements, i);
		long long at = json_number(p, "placement");
		const char *name = json_string(p, "name");
		char ids[48];

		snprintf(ids, sizeof(ids), "%lld-%lld", at,
			 at + json_number(p, "size") - 1);
		printf("%-10s %8s  %-20s %s\n", ids,
		       format_size(size, (uint64_t)json_number(p, "size") *
					 UNIT),
		       *name ? ctl_safe(name) : "free",
		       ctl_safe(json_string(p, "type")));
	}
	return CTL_OK;
}

static enum ctl_status set_mode(struct ctl *ctl)
{
	json_object *parameters = json_object_new_object();
	cleanup_json json_object *reply = NULL;
	enum ctl_status status;

	json_object_object_add(parameters, "mode",
			       json_object_new_string(ctl->arguments[1]));
	status = ctl_call(ctl, "SetGpuMode", parameters, &reply, NULL);
	if (status || ctl_print_json(ctl, reply))
		return status;
	printf("the GPU takes vGPUs of %s sizes now\n",
	       ctl_safe(json_string(json_member(reply, "gpu"), "mode")));
	return CTL_OK;
}

/* Numbers, with rows of them as "1-4". */
static void print_ids(const char *label, json_object *ids)
{
	size_t count = ids ? json_object_array_length(ids) : 0;

	printf("%-10s", label);
	for (size_t i = 0; i < count;) {
		int64_t first = json_object_get_int64(
			json_object_array_get_idx(ids, i));
		int64_t last = first;

		while (++i < count && json_object_get_int64(
				json_object_array_get_idx(ids, i)) == last + 1)
			last++;
		if (last > first)
			printf(" %lld-%lld", (long long)first,
			       (long long)last);
		else
			printf(" %lld", (long long)first);
	}
	puts(count ? "" : " none");
}

static enum ctl_status show_placements(struct ctl *ctl)
{
	json_object *parameters = json_object_new_object();
	cleanup_json json_object *reply = NULL;
	enum ctl_status status;
	char size[SIZE_TEXT_MAX];

	json_object_object_add(parameters, "type",
			       json_object_new_string(ctl->arguments[1]));
	status = ctl_call(ctl, "ListPlacements", parameters, &reply, NULL);
	if (status || ctl_print_json(ctl, reply))
		return status;
	printf("%-10s %s\n", "size",
	       format_size(size, (uint64_t)json_number(reply, "size") * UNIT));
	print_ids("ids", json_member(reply, "ids"));
	print_ids("free", json_member(reply, "free"));
	return CTL_OK;
}

enum ctl_status ctl_gpu(struct ctl *ctl)
{
	const char *what = ctl->arguments[0];

	if (!what)
		return show_gpu(ctl);
	if (!strcmp(what, "set-mode") && ctl->arguments[1])
		return set_mode(ctl);
	if (!strcmp(what, "placements") && ctl->arguments[1])
		return show_placements(ctl);
	ctl_complain(ctl, "'%s' given; allowed are nothing, set-mode MODE and "
		     "placements TYPE", ctl_safe(what));
	return CTL_USAGE;
}
