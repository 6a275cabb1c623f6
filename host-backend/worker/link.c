// SPDX-License-Identifier: MIT
/* Requests of the manager; see link.h. */
#include "link.h"

#include <string.h>

#include "worker.h"

int link_receive_init(int socket, struct worker_init *ret_init, int *ret_fds)
{
	union worker_message message;
	size_t count = 0;
	ssize_t n = worker_link_receive(socket, &message, ret_fds, &count);

	if (n <= 0)
		return n ? (int)n : -EPIPE;
	if (message.header.op != WORKER_INIT ||
	    message.init.version != WORKER_LINK_VERSION) {
		while (count)
			close_fd(ret_fds[--count]);
		return -EPROTO;
	}
	*ret_init = message.init;
	return 0;
}

int link_receive_heads(struct worker *w, int socket, uint32_t count)
{
	union worker_message message;
	int fds[FDPASS_MAX];
	size_t passed = 0;

	while (count--) {
		ssize_t n = worker_link_receive(socket, &message, fds,
						&passed);
		int ret;

		if (n <= 0)
			return n ? (int)n : -EPIPE;
		while (passed)
			close_fd(fds[--passed]);
		if (message.header.op != WORKER_HEAD_SET)
			return -EPROTO;
		ret = heads_plug(&w->heads, &w->limits, &message.head_set);
		if (ret)
			return ret;
	}
	return 0;
}

/* The link is a socket of its own buffer, and one answer is under way at
 * most, so a full one means a manager that stopped reading: it loses the
 * answer, the guest loses nothing. */
static int answer(struct worker *w, const void *message, const int *fds,
		  size_t count)
{
	int ret = worker_link_send(w->link, message, fds, count);

	if (ret == -EAGAIN) {
		log_warning("the manager does not read its answers");
		return 0;
	}
	return ret;
}

int link_ready(struct worker *w, uint32_t cookie)
{
	struct worker_ready ready = { { WORKER_READY, cookie } };

	return answer(w, &ready, NULL, 0);
}

void link_screenshot(struct worker *w,
		     const struct worker_screenshot_done *done, int fd)
{
	int ret = answer(w, done, &fd, fd >= 0);

	if (ret)
		log_warning("screenshot not delivered: %s", strerror(-ret));
}

static int query(struct worker *w, uint32_t cookie)
{
	const struct attachment *a = &w->attachment;
	struct worker_query_done done = {
		.header = { WORKER_QUERY_DONE, cookie },
		.state = a->state,
		.generation = a->generation,
		.guest_os = a->guest_os,
		.driver_version = a->driver_version,
		.resources = w->resources.count,
		.window_used = w->ledger.window.used,
		.window_peak = w->ledger.window.peak,
		.device_used = w->ledger.device.used,
		.device_peak = w->ledger.device.peak,
		.device_surfaces = w->ledger.kinds[LEDGER_SURFACES],
		.device_contexts = w->ledger.kinds[LEDGER_CONTEXTS],
		.device_objects = w->ledger.kinds[LEDGER_OBJECTS],
		.device_shaders = w->ledger.kinds[LEDGER_SHADERS],
		.messages = w->statistics.messages,
		.refused = w->statistics.refused,
		.batches = w->statistics.batches,
		.gpu_time = w->statistics.gpu_time,
		.doorbells = w->statistics.doorbells,
		.interrupts = w->statistics.interrupts,
	};

	memcpy(done.driver_name, a->driver_name, sizeof(done.driver_name));
	memcpy(done.os_name, a->os_name, sizeof(done.os_name));
	memcpy(done.renderer, w->renderer, sizeof(done.renderer));
	for (uint32_t i = 0; i < w->limits.channels; i++)
		done.channels += w->channels[i].open;
	for (uint32_t i = 0; i < w->heads.count; i++) {
		const struct head *h = &w->heads.head[i];

		done.heads[i] = (struct worker_head_state){
			.active = h->now.active,
			.width = h->now.width,
			.height = h->now.height,
			.refresh = h->now.refresh,
			.frames = h->latched,
		};
	}
	return answer(w, &done, NULL, 0);
}

static int trace_stopped(struct worker *w, uint32_t cookie)
{
	struct worker_trace_done done = { { WORKER_TRACE_DONE, cookie } };

	trace_stop(&w->trace);
	return answer(w, &done, NULL, 0);
}

int link_serve(struct worker *w)
{
	int fds[FDPASS_MAX];
	union worker_message message;
	size_t count = 0;
	ssize_t n = worker_link_receive(w->link, &message, fds, &count);

	if (n == -EAGAIN)
		return 0;
	if (n <= 0)
		return n && n != -ECONNRESET ? (int)n : -EPIPE;
	switch (message.header.op) {
	case WORKER_SCREENSHOT:
		present_begin(w, message.screenshot.head,
			      message.header.cookie);
		return 0;
	case WORKER_QUERY:
		return query(w, message.header.cookie);
	case WORKER_HEAD_SET:
		if (heads_plug(&w->heads, &w->limits, &message.head_set))
			return -EPROTO;
		event_heads(w, 1u << message.head_set.head);
		return 0;
	case WORKER_FRAME_LIMIT:
		return limiter_set(&w->limiter, message.frame_limit.limit) ?
		       -EPROTO : 0;
	case WORKER_PEER:
		return grants_peer(&w->grants, message.peer.id, fds[0]) ? 0 :
		       -EPROTO;
	case WORKER_TRACE:
		n = trace_start(&w->trace, fds[0]);
		close_fd(fds[0]);
		if (n)
			log_warning("cannot trace: %s", strerror(-(int)n));
		return 0;
	case WORKER_TRACE_STOP:
		return trace_stopped(w, message.header.cookie);
	default:
		while (count)
			close_fd(fds[--count]);
		return -EPROTO;
	}
}
