// SPDX-License-Identifier: MIT
/* Records of what the worker does; see trace.h. */
#include "trace.h"

#include <errno.h>
#include <sys/mman.h>

#include "worker.h"

int trace_start(struct trace *t, int fd)
{
	void *at = mmap(NULL, sizeof(*t->file), PROT_READ | PROT_WRITE,
			MAP_SHARED, fd, 0);

	if (at == MAP_FAILED)
		return -errno;
	trace_stop(t);
	t->file = at;
	t->since = clock_ns();
	return 0;
}

void trace_stop(struct trace *t)
{
	if (t->file)
		munmap(t->file, sizeof(*t->file));
	t->file = NULL;
}

static void put(struct trace *t, enum trace_kind kind, uint32_t where,
		uint32_t context, uint64_t id, uint64_t begin, uint64_t end)
{
	const struct trace_record record = {
		.begin = begin, .end = end, .id = id, .context = context,
		.kind = (uint16_t)kind, .where = (uint16_t)where,
	};

	trace_put(t->file, &record);
}

void trace_event(struct trace *t, enum trace_kind kind, uint32_t where,
		 uint64_t id)
{
	uint64_t now = clock_ns();

	put(t, kind, where, 0, id, now, now);
}

void trace_commit(struct trace *t, uint64_t begin, uint32_t heads)
{
	put(t, TRACE_COMMIT, 0, heads, 0, begin, clock_ns());
}

void trace_batch(struct trace *t, const struct channel *c,
		 const struct batch *b)
{
	/* One that was taken before began with the trace. */
	put(t, TRACE_BATCH, c->index, b->verdict.status, b->fence,
	    b->taken ? b->taken : t->since, clock_ns());
}

void trace_job(struct trace *t, const struct job *job)
{
	uint32_t context = job->context ? job->context->name : 0;
	uint64_t fence = job->batch ? job->batch->fence : 0;
	uint32_t channel = job->batch ? job->channel : 0;

	if (!job->traced)
		return;
	if (job->submitted)
		put(t, TRACE_DECODE, channel, context, fence, job->begun,
		    job->submitted);
	if (job->ended)
		put(t, TRACE_GPU, channel, context, fence,
		    job->ended - job->gpu_time, job->ended);
}
