// SPDX-License-Identifier: MIT
/* pvgpuctl types */
#include "common/size.h"
#include "ctl.h"

enum ctl_status ctl_types(struct ctl *ctl)
{
	cleanup_json json_object *reply = NULL;
	json_object *types, *room, *memory;
	enum ctl_status status;
	char text[SIZE_TEXT_MAX];

	status = ctl_call(ctl, "ListTypes", NULL, &reply, NULL);
	if (status || ctl_print_json(ctl, reply))
		return status;
	types = json_member(reply, "types");
	room = json_member(reply, "room");
	memory = json_member(reply, "memory");
	printf("%-16s %-9s %6s  %5s  %-14s %12s  %s\n", "TYPE", "SERIES",
	       "MEMORY", "HEADS", "MAX RESOLUTION", "MAX PIXELS", "FITS");
	for (size_t i = 0; types && i < json_object_array_length(types); i++) {
		json_object *t = json_object_array_get_idx(types, i);
		char resolution[32];

		snprintf(resolution, sizeof(resolution), "%lldx%lld",
			 json_number(t, "maxWidth"),
			 json_number(t, "maxHeight"));
		printf("%-16s %-9s %6s  %5lld  %-14s %12lld  %lld\n",
		       ctl_safe(json_string(t, "name")),
		       ctl_safe(json_string(t, "series")),
		       format_size(text, (uint64_t)
				   json_number(t, "framebuffer")),
		       json_number(t, "heads"), resolution,
		       json_number(t, "maxPixels"),
		       room ? (long long)json_object_get_int64(
				json_object_array_get_idx(room, i)) : 0);
	}
	printf("\nGPU memory: %s", format_size(text, (uint64_t)
					       json_number(memory, "used")));
	printf(" of %s given away, %s sizes\n", format_size(text, (uint64_t)
					json_number(memory, "limit")),
	       ctl_safe(json_string(reply, "mode")));
	return CTL_OK;
}
