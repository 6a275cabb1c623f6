// SPDX-License-Identifier: MIT
/* Trace: a call that lasts as long as the trace, and ends it if its caller
 * goes. */
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

#include "manager.h"
#include "methods.h"
#include "trace.h"

/* The call's descriptors are copies. */
static void add_fd(json_object *o, int fds[], size_t *count, int fd)
{
	json_put_int(o, "fileDescriptor", *count);
	fds[(*count)++] = fcntl(fd, F_DUPFD_CLOEXEC, 0);
}

static void traced(void *userdata, const struct trace *t)
{
	struct varlink_call *call = userdata;
	json_object *reply = json_object_new_object();
	json_object *vgpus = json_object_new_array();
	json_object *schedule = json_object_new_object();
	int fds[TRACE_VGPUS_MAX + 1];
	size_t count = 0;

	json_put_int(reply, "began", trace_began(t));
	json_put_int(reply, "ended", trace_ended(t));
	add_fd(schedule, fds, &count, trace_schedule_fd(t));
	json_put(reply, "schedule", schedule);
	for (size_t i = 0; i < trace_count(t); i++) {
		json_object *one = json_object_new_object();

		json_put_string(one, "name", trace_name(t, i));
		add_fd(one, fds, &count, trace_fd(t, i));
		json_object_array_add(vgpus, one);
	}
	json_put(reply, "vgpus", vgpus);
	for (size_t i = 0; i < count; i++) {
		if (fds[i] >= 0)
			continue;
		for (i = 0; i < count; i++)
			close_fd(fds[i]);
		json_object_put(reply);
		varlink_error(call, "System", "descriptors", "none left");
		return;
	}
	varlink_reply_fds(call, reply, fds, count);
}

static void cancel(void *userdata)
{
	struct varlink_call *call = userdata;

	trace_cancel(call->manager);
}

void method_trace(struct varlink_call *call)
{
	int64_t ms = varlink_int(call, "milliseconds");
	struct vgpu *only = NULL;
	int r;

	if (varlink_given(call, "name")) {
		only = method_vgpu(call);
		if (!only)
			return;
	}
	if (ms < 1 || ms > (int64_t)(TRACE_USEC_MAX / 1000)) {
		varlink_error(call, "BadDuration", "milliseconds",
			      "%" PRId64 " given; allowed are 1 to %llu", ms,
			      TRACE_USEC_MAX / 1000);
		return;
	}
	r = trace_begin(call->manager, only, (uint64_t)ms * 1000, traced,
			call);
	switch (-r) {
	case 0:
		call->pending = call;
		call->cancel = cancel;
		break;
	case EBUSY:
		varlink_error(call, "Busy", "trace",
			      "another one is on; one is allowed at a time");
		break;
	case ENOENT:
		varlink_error(call, "NoSuchVgpu", "name", "there are none");
		break;
	case E2BIG:
		varlink_error(call, "TooMany", "name", "there are more than "
			      "%u vGPUs, as many as are allowed at a time; "
			      "say which one", TRACE_VGPUS_MAX);
		break;
	default:
		varlink_error(call, "System", "trace", "%s", strerror(-r));
	}
}
