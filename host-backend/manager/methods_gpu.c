// SPDX-License-Identifier: MIT
/* GetGpu, SetGpuMode and ListPlacements: the GPU and what lies where on it. */
#include <string.h>

#include "admission.h"
#include "describe.h"
#include "manager.h"
#include "methods.h"
#include "state.h"

void method_get_gpu(struct varlink_call *call)
{
	json_object *reply = json_object_new_object();

	json_put(reply, "gpu", describe_gpu(call->manager));
	json_put(reply, "placements", describe_placements(call->manager));
	varlink_reply(call, reply, -1);
}

void method_set_gpu_mode(struct varlink_call *call)
{
	struct manager *m = call->manager;
	const char *text = varlink_string(call, "mode");
	json_object *reply;
	enum placement_mode mode;
	int r;

	if (placement_mode_parse(&mode, text)) {
		varlink_error(call, "InvalidMode", "mode",
			      "'%.64s' given; allowed is %s", text,
			      PLACEMENT_MODES_ALLOWED);
		return;
	}
	r = manager_set_mode(m, mode);
	if (r == -EBUSY) {
		varlink_error(call, "InUse", "mode",
			      "it is %s, and %u vGPUs are placed; it is "
			      "switched only while there is none",
			      placement_mode_name(m->map.mode), m->map.count);
	} else if (r < 0) {
		varlink_error(call, "System", "state", "%s: %s",
			      state_path(m->state), strerror(-r));
	} else {
		reply = json_object_new_object();
		json_put(reply, "gpu", describe_gpu(m));
		varlink_reply(call, reply, -1);
	}
}

void method_list_placements(struct varlink_call *call)
{
	const struct manager *m = call->manager;
	const struct vgpu_type *type = method_type(call);
	json_object *reply, *ids, *vacant;
	uint32_t size;

	if (!type)
		return;
	size = admission_units(type);
	ids = json_object_new_array();
	vacant = json_object_new_array();
	for (uint32_t at = 0; at < m->map.units; at++) {
		if (!placement_is_id(&m->map, size, at))
			continue;
		json_object_array_add(ids, json_object_new_int64(at));
		if (!placement_check(&m->map, size, at))
			json_object_array_add(vacant,
					      json_object_new_int64(at));
	}
	reply = json_object_new_object();
	json_put_int(reply, "size", size);
	json_put(reply, "ids", ids);
	json_put(reply, "free", vacant);
	varlink_reply(call, reply, -1);
}
