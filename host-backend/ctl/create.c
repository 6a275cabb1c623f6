// SPDX-License-Identifier: MIT
/* pvgpuctl create and destroy */
#include "common/size.h"
#include "ctl.h"

enum ctl_status ctl_create(struct ctl *ctl)
{
	json_object *parameters = ctl_named(ctl->arguments[0]);
	cleanup_json json_object *reply = NULL;
	const char *placement = ctl_option(ctl, 'l');
	json_object *vgpu;
	enum ctl_status status;
	uint64_t id;

	if (placement && parse_number(&id, placement, INT32_MAX)) {
		json_object_put(parameters);
		ctl_complain(ctl, "--placement: '%s' given; allowed is a "
			     "number", ctl_safe(placement));
		return CTL_USAGE;
	}
	if (placement)
		json_object_object_add(parameters, "placement",
				       json_object_new_int64((int64_t)id));
	json_object_object_add(parameters, "type",
			       json_object_new_string(ctl->arguments[1]));
	status = ctl_call(ctl, "Create", parameters, &reply, NULL);
	if (status || ctl_print_json(ctl, reply))
		return status;
	vgpu = json_member(reply, "vgpu");
	printf("created %s, type %s, uuid %s, socket %s, placement %lld\n",
	       ctl_safe(json_string(vgpu, "name")),
	       ctl_safe(json_string(vgpu, "type")),
	       ctl_safe(json_string(vgpu, "uuid")),
	       ctl_safe(json_string(vgpu, "socket")),
	       json_number(vgpu, "placement"));
	return CTL_OK;
}

enum ctl_status ctl_destroy(struct ctl *ctl)
{
	json_object *parameters = ctl_named(ctl->arguments[0]);
	cleanup_json json_object *reply = NULL;
	enum ctl_status status;

	if (ctl_option(ctl, 'f'))
		json_object_object_add(parameters, "force",
				       json_object_new_boolean(true));
	status = ctl_call(ctl, "Destroy", parameters, &reply, NULL);
	if (status || ctl_print_json(ctl, reply))
		return status;
	printf("destroyed %s\n", ctl_safe(ctl->arguments[0]));
	return CTL_OK;
}
