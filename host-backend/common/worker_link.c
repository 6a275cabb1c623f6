// SPDX-License-Identifier: MIT
/* The table of manager-worker messages and its two users; see worker_link.h. */
#include "worker_link.h"

#include "fdpass.h"
#include "util.h"

const struct worker_link_op worker_link_ops[WORKER_OP_COUNT] = {
	[WORKER_INIT] = { "init", sizeof(struct worker_init),
			  WORKER_INIT_FDS, WORKER_INIT_FDS },
	[WORKER_SCREENSHOT] = { "screenshot",
				sizeof(struct worker_screenshot), 0, 0 },
	[WORKER_QUERY] = { "query", sizeof(struct worker_query), 0, 0 },
	[WORKER_HEAD_SET] = { "head-set", sizeof(struct worker_head_set),
			      0, 0 },
	[WORKER_FRAME_LIMIT] = { "frame-limit",
				 sizeof(struct worker_frame_limit), 0, 0 },
	[WORKER_PEER] = { "peer", sizeof(struct worker_peer), 1, 1 },
	[WORKER_TRACE] = { "trace", sizeof(struct worker_trace), 1, 1 },
	[WORKER_TRACE_STOP] = { "trace-stop",
				sizeof(struct worker_trace_stop), 0, 0 },
	[WORKER_READY] = { "ready", sizeof(struct worker_ready), 0, 0 },
	[WORKER_SCREENSHOT_DONE] = { "screenshot-done",
				     sizeof(struct worker_screenshot_done),
				     0, 1 },
	[WORKER_QUERY_DONE] = { "query-done",
				sizeof(struct worker_query_done), 0, 0 },
	[WORKER_TRACE_DONE] = { "trace-done",
				sizeof(struct worker_trace_done), 0, 0 },
};

int worker_link_send(int socket, const void *message, const int *fds,
		     size_t count)
{
	const struct worker_header *header = message;

	return fdpass_send(socket, message, worker_link_ops[header->op].size,
			   fds, count);
}

ssize_t worker_link_receive(int socket, union worker_message *message,
			    int *fds, size_t *ret_count)
{
	int got[FDPASS_MAX];
	size_t count = 0;
	const struct worker_link_op *op;
	ssize_t n;

	n = fdpass_receive(socket, message, sizeof(*message), got,
			   ARRAY_SIZE(got), &count);
	if (n <= 0)
		return n;
	if ((size_t)n >= sizeof(message->header) &&
	    message->header.op < WORKER_OP_COUNT) {
		op = &worker_link_ops[message->header.op];
		if (op->size == (size_t)n && count >= op->min_fds &&
		    count <= op->max_fds) {
			for (size_t i = 0; i < count; i++)
				fds[i] = got[i];
			*ret_count = count;
			return n;
		}
	}
	while (count)
		close_fd(got[--count]);
	return -EPROTO;
}
