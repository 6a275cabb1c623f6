// SPDX-License-Identifier: MIT
/* pvgpuctl list */
#include "common/size.h"
#include "ctl.h"

/* A process's number, or "-" for none. */
static const char *pid_text(char out[24], long long pid)
{
	if (pid > 0)
		snprintf(out, 24, "%lld", pid);
	else
		snprintf(out, 24, "-");
	return out;
}

enum ctl_status ctl_list(struct ctl *ctl)
{
	cleanup_json json_object *reply = NULL;
	json_object *vgpus;
	enum ctl_status status;

	status = ctl_call(ctl, "List", NULL, &reply, NULL);
	if (status || ctl_print_json(ctl, reply))
		return status;
	vgpus = json_member(reply, "vgpus");
	printf("%-20s %-14s %6s  %5s  %-9s %8s %8s\n", "NAME", "TYPE",
	       "MEMORY", "HEADS", "STATE", "QEMU", "WORKER");
	for (size_t i = 0; vgpus && i < json_object_array_length(vgpus); i++) {
		json_object *v = json_object_array_get_idx(vgpus, i);
		char memory[SIZE_TEXT_MAX], qemu[24], worker[24];

		printf("%-20s %-14s %6s  %5lld  %-9s %8s %8s\n",
		       ctl_safe(json_string(v, "name")),
		       ctl_safe(json_string(v, "type")),
		       format_size(memory, (uint64_t)
				   json_number(v, "framebuffer")),
		       json_number(v, "heads"),
		       ctl_safe(json_string(v, "state")),
		       pid_text(qemu, json_number(v, "qemuPid")),
		       pid_text(worker, json_number(v, "workerPid")));
	}
	return CTL_OK;
}
