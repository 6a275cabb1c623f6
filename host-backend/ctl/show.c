// SPDX-License-Identifier: MIT
/* pvgpuctl show */
#include <string.h>
#include <time.h>

#include "common/size.h"
#include "ctl.h"

static void print_process(const char *label, long long pid)
{
	if (pid > 0)
		printf("%-10s process %lld\n", label, pid);
	else
		printf("%-10s none\n", label);
}

static void print_limits(json_object *limits)
{
	char framebuffer[SIZE_TEXT_MAX];
	json_object *guests = json_member(limits, "guests");
	json_object *classes = json_member(limits, "classes");

	printf("%-10s %s: framebuffer %s, %lld heads, up to %lldx%lld at "
	       "%g Hz,\n%-10s %lld pixels in all, %lld channels, cursor up to "
	       "%lld, guests", "type", ctl_safe(json_string(limits, "name")),
	       format_size(framebuffer, (uint64_t)
			   json_number(limits, "framebuffer")),
	       json_number(limits, "heads"), json_number(limits, "maxWidth"),
	       json_number(limits, "maxHeight"),
	       (double)json_number(limits, "maxRefresh") / 1000.0, "",
	       json_number(limits, "maxPixels"),
	       json_number(limits, "channels"),
	       json_number(limits, "cursorMax"));
	for (size_t i = 0; guests && i < json_object_array_length(guests); i++)
		printf(" %s", ctl_safe(json_object_get_string(
				json_object_array_get_idx(guests, i))));
	printf(",\n%-10s classes", "");
	for (size_t i = 0; classes && i < json_object_array_length(classes);
	     i++)
		printf(" %s", ctl_safe(json_object_get_string(
				json_object_array_get_idx(classes, i))));
	puts("");
}

static void print_guest(json_object *guest)
{
	if (!guest)
		return;
	printf("%-10s %s, generation %lld", "guest",
	       ctl_safe(json_string(guest, "state")),
	       json_number(guest, "generation"));
	if (strcmp(json_string(guest, "state"), "detached"))
		printf(", says: %s, %s, driver %s %s",
		       ctl_safe(json_string(guest, "os")),
		       ctl_safe(json_string(guest, "osName")),
		       ctl_safe(json_string(guest, "driverName")),
		       ctl_safe(json_string(guest, "driverVersion")));
	puts("");
}

static void print_heads(json_object *heads)
{
	for (size_t i = 0; heads && i < json_object_array_length(heads); i++) {
		json_object *h = json_object_array_get_idx(heads, i);

		printf("head %-5lld ", json_number(h, "head"));
		if (json_true(h, "active"))
			printf("%lldx%lld at %.3f Hz, %lld frames\n",
			       json_number(h, "width"),
			       json_number(h, "height"),
			       (double)json_number(h, "refresh") / 1000.0,
			       json_number(h, "frames"));
		else
			printf("dark, %lld frames\n",
			       json_number(h, "frames"));
	}
}

static void print_budget(const char *label, json_object *budget)
{
	char limit[SIZE_TEXT_MAX], used[SIZE_TEXT_MAX], peak[SIZE_TEXT_MAX];
	char rest[SIZE_TEXT_MAX];

	format_size(limit, (uint64_t)json_number(budget, "limit"));
	if (!json_member(budget, "used")) {
		printf("%-10s limit %s\n", label, limit);
		return;
	}
	printf("%-10s %s of %s used, %s free, at most %s used so far\n", label,
	       format_size(used, (uint64_t)json_number(budget, "used")), limit,
	       format_size(rest, (uint64_t)json_number(budget, "free")),
	       format_size(peak, (uint64_t)json_number(budget, "peak")));
}

static void print_device(json_object *device)
{
	static const char *const kinds[] = {
		"surfaces", "contexts", "objects", "shaders",
	};
	const char *renderer = json_string(device, "renderer");

	print_budget("device", device);
	if (!json_member(device, "used"))
		return;
	if (json_number(device, "used")) {
		printf("%-10s", "");
		for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
			char size[SIZE_TEXT_MAX];

			format_size(size, (uint64_t)json_number(device,
								kinds[i]));
			printf("%s %s %s", i ? "," : "", kinds[i], size);
		}
		puts("");
	}
	printf("%-10s %s\n", "renderer", *renderer ? ctl_safe(renderer) :
	       "not started");
}

static void print_counters(json_object *counters)
{
	if (!counters)
		return;
	printf("%-10s %lld resources, %lld open channels; since the worker "
	       "started:\n%-10s %lld messages, %lld of them refused, %lld "
	       "batches, %lld doorbells, %lld interrupts\n", "counters",
	       json_number(counters, "resources"),
	       json_number(counters, "channels"), "",
	       json_number(counters, "messages"),
	       json_number(counters, "refused"),
	       json_number(counters, "batches"),
	       json_number(counters, "doorbells"),
	       json_number(counters, "interrupts"));
}

static void print_schedule(json_object *schedule)
{
	struct timespec t;
	double left;

	if (!schedule)
		return;
	printf("%-10s %s, %.3f s used in %lld turns\n", "GPU time",
	       ctl_safe(json_string(schedule, "state")),
	       (double)json_number(schedule, "used") / 1e9,
	       json_number(schedule, "turns"));
	if (!json_number(schedule, "strikes"))
		return;
	printf("%-10s %lld batches took too long", "",
	       json_number(schedule, "strikes"));
	if (json_number(schedule, "channelAtFault"))
		printf(", the last on channel %lld",
		       json_number(schedule, "channelAtFault"));
	clock_gettime(CLOCK_MONOTONIC, &t);
	left = (double)json_number(schedule, "heldUntil") / 1e9 -
	       (double)t.tv_sec - (double)t.tv_nsec / 1e9;
	if (left > 0)
		printf("; held back for another %.1f s", left);
	puts("");
}

enum ctl_status ctl_show(struct ctl *ctl)
{
	cleanup_json json_object *reply = NULL;
	json_object *vgpu, *worker;
	enum ctl_status status;

	status = ctl_call(ctl, "Show", ctl_named(ctl->arguments[0]), &reply,
			  NULL);
	if (status || ctl_print_json(ctl, reply))
		return status;
	vgpu = json_member(reply, "vgpu");
	worker = json_member(reply, "worker");
	printf("%-10s %s\n", "name", ctl_safe(json_string(vgpu, "name")));
	print_limits(json_member(reply, "limits"));
	printf("%-10s %s\n", "uuid", ctl_safe(json_string(vgpu, "uuid")));
	printf("%-10s %lld\n", "placement", json_number(vgpu, "placement"));
	printf("%-10s %s\n", "socket", ctl_safe(json_string(vgpu, "socket")));
	printf("%-10s %s\n", "state", ctl_safe(json_string(vgpu, "state")));
	print_process("QEMU", json_number(vgpu, "qemuPid"));
	print_process("worker", json_number(vgpu, "workerPid"));
	if (json_number(worker, "replaced"))
		printf("%-10s %lld times for this QEMU\n", "replaced",
		       json_number(worker, "replaced"));
	if (*json_string(worker, "error"))
		printf("%-10s %s: no live figures\n", "",
		       ctl_safe(json_string(worker, "error")));
	print_schedule(json_member(reply, "schedule"));
	print_guest(json_member(reply, "guest"));
	print_heads(json_member(reply, "heads"));
	print_budget("window", json_member(reply, "window"));
	print_device(json_member(reply, "device"));
	print_counters(json_member(reply, "counters"));
	return CTL_OK;
}
