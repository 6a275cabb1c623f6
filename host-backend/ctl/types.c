// SPDX-License-Identifier: MIT
/* pvgpuctl types */
#include "common/size.h"
#include "ctl.h"

static long long element(json_object *array, size_t i)
{
	return json_object_get_type(array) == json_type_array ?
		json_object_get_int64(json_object_array_get_idx(array, i)) : 0;
}

/* The strings of an array with blanks between, as many as there is room. */
static const char *words(char *out, size_t size, json_object *array)
{
	size_t used = 0;

	out[0] = '\0';
	for (size_t i = 0; json_object_get_type(array) == json_type_array &&
	     i < json_object_array_length(array) && used < size; i++)
		used += (size_t)snprintf(out + used, size - used, "%s%s",
			i ? " " : "", ctl_safe(json_object_get_string(
				json_object_array_get_idx(array, i))));
	return out;
}

enum ctl_status ctl_types(struct ctl *ctl)
{
	cleanup_json json_object *reply = NULL;
	json_object *types, *memory;
	enum ctl_status status;
	char text[SIZE_TEXT_MAX];

	status = ctl_call(ctl, "ListTypes", NULL, &reply, NULL);
	if (status || ctl_print_json(ctl, reply))
		return status;
	types = json_member(reply, "types");
	memory = json_member(reply, "memory");
	printf("%-12s %-13s %6s  %5s  %-10s  %10s  %-10s  %5s %5s\n", "TYPE",
	       "SERIES", "MEMORY", "HEADS", "LARGEST", "PIXELS", "CLASSES",
	       "FITS", "MOST");
	for (size_t i = 0; types && i < json_object_array_length(types); i++) {
		json_object *t = json_object_array_get_idx(types, i);
		char resolution[32], series[32], classes[32];

		snprintf(resolution, sizeof(resolution), "%lldx%lld",
			 json_number(t, "maxWidth"),
			 json_number(t, "maxHeight"));
		snprintf(series, sizeof(series), "%.2s %.20s",
			 ctl_safe(json_string(t, "series")),
			 ctl_safe(json_string(t, "class")));
		printf("%-12s %-13s %6s  %5lld  %-10s  %10lld  %-10s  "
		       "%5lld %5lld\n",
		       ctl_safe(json_string(t, "name")), series,
		       format_size(text, (uint64_t)
				   json_number(t, "framebuffer")),
		       json_number(t, "heads"), resolution,
		       json_number(t, "maxPixels"),
		       words(classes, sizeof(classes),
			     json_member(t, "classes")),
		       element(json_member(reply, "room"), i),
		       element(json_member(reply, "most"), i));
	}
	printf("\nGPU memory: %s", format_size(text, (uint64_t)
					       json_number(memory, "used")));
	printf(" of %s given away, %s sizes\n", format_size(text, (uint64_t)
					json_number(memory, "limit")),
	       ctl_safe(json_string(reply, "mode")));
	return CTL_OK;
}
