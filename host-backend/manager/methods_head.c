// SPDX-License-Identifier: MIT
/* ListHeads and SetHead: what is plugged into the heads of a vGPU. */
#include <inttypes.h>
#include <string.h>

#include "common/log.h"
#include "manager.h"
#include "methods.h"

void method_list_heads(struct varlink_call *call)
{
	struct vgpu *v = method_vgpu(call);
	json_object *reply, *heads;

	if (!v)
		return;
	heads = json_object_new_array();
	for (uint32_t i = 0; i < v->limits.heads; i++)
		json_object_array_add(heads,
				      head_setting_json(i, &v->heads[i]));
	reply = json_object_new_object();
	json_put(reply, "heads", heads);
	varlink_reply(call, reply, -1);
}

/* A parameter that may be absent: 0 and *value as it was, or its number. */
static int take_number(struct varlink_call *call, const char *name,
		       uint32_t *value)
{
	int64_t given;

	if (!varlink_given(call, name))
		return 0;
	given = varlink_int(call, name);
	if (given < 0 || given > INT32_MAX) {
		varlink_error(call, "InvalidHead", name, "%" PRId64 " given; "
			      "allowed is 0 to %d", given, INT32_MAX);
		return -EINVAL;
	}
	*value = (uint32_t)given;
	return 0;
}

/* The head's setting with what the call wants. 0, or -EINVAL and the error is
 * sent. */
static int change(struct varlink_call *call, struct head_setting *s,
		  const struct vgpu_limits *l)
{
	const char *edid = varlink_string(call, "edid");
	bool mode = varlink_given(call, "width") ||
		    varlink_given(call, "height") ||
		    varlink_given(call, "refresh");
	char why[HEAD_WHY_MAX];

	if (varlink_given(call, "connected"))
		s->connected = varlink_bool(call, "connected");
	if (mode && edid) {
		varlink_error(call, "InvalidHead", "edid", "a mode is given "
			      "too; allowed is one: an EDID says its mode");
		return -EINVAL;
	}
	if (mode) {
		s->refresh = l->default_refresh;
		if (take_number(call, "width", &s->width) ||
		    take_number(call, "height", &s->height) ||
		    take_number(call, "refresh", &s->refresh))
			return -EINVAL;
		if (head_mode_check(s->width, s->height, s->refresh, l, why)) {
			varlink_error(call, "InvalidHead", "mode", "%s", why);
			return -EINVAL;
		}
		s->edid_size = 0;
	} else if (edid && *edid) {
		if (head_edid_take_text(s, edid, l, why)) {
			varlink_error(call, "InvalidHead", "edid", "%s", why);
			return -EINVAL;
		}
	} else if (edid) {
		s->width = l->default_width;
		s->height = l->default_height;
		s->refresh = l->default_refresh;
		s->edid_size = 0;
	}
	if (!s->edid_size)
		memset(s->edid, 0, sizeof(s->edid));
	return 0;
}

void method_set_head(struct varlink_call *call)
{
	struct vgpu *v = method_vgpu(call);
	int64_t head = v ? method_head(call, v) : -1;
	struct head_setting next, before;
	json_object *reply;
	int r;

	if (head < 0)
		return;
	next = v->heads[head];
	if (change(call, &next, &v->limits))
		return;
	if (memcmp(&next, &v->heads[head], sizeof(next))) {
		before = v->heads[head];
		next.serial++;
		r = vgpu_set_head(v, (uint32_t)head, &next);
		if (!r)
			r = manager_save(v);
		if (r < 0) {
			if (v->heads[head].serial == next.serial) {
				before.serial = next.serial + 1;
				vgpu_set_head(v, (uint32_t)head, &before);
			}
			varlink_error(call, "System", "head", "%" PRId64
				      " of '%s': %s", head, v->name,
				      strerror(-r));
			return;
		}
		log_info("%s: head %" PRId64 " is %s, %ux%u at %g Hz%s",
			 v->name, head, next.connected ? "plugged" :
			 "unplugged", next.width, next.height,
			 next.refresh / 1000.0,
			 next.edid_size ? ", by its own EDID" : "");
	}
	reply = json_object_new_object();
	json_put(reply, "head",
		 head_setting_json((uint32_t)head, &v->heads[head]));
	varlink_reply(call, reply, -1);
}
