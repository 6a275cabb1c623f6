// SPDX-License-Identifier: MIT
/*
 * Trace-event JSON; see trace_json.h. The threads of a vGPU are its tracks:
 * schedule, GPU, decode, commits, doorbells, interrupts, and each head's. An
 * arrow leads from where a batch was decoded to where it ran. The batches of a
 * channel, which overlap, are asynchronous events from being taken to being
 * fenced.
 */
#include "trace_json.h"

#include <inttypes.h>

#include <pvgpu/wire.h>

#include "common/util.h"
#include "scheduler/scheduler.h"

enum track {
	TRACK_SCHEDULE = 1, TRACK_GPU, TRACK_DECODE, TRACK_COMMITS,
	TRACK_DOORBELLS, TRACK_INTERRUPTS, TRACK_HEADS,
};
_Static_assert(TRACK_HEADS + PVGPU_MAX_HEADS <= 64, "bits of named[]");

/* ---------------------------------------------------------------- events */

static const char *const track_names[] = {
	[TRACK_SCHEDULE] = "schedule", [TRACK_GPU] = "GPU",
	[TRACK_DECODE] = "decode", [TRACK_COMMITS] = "commits",
	[TRACK_DOORBELLS] = "doorbells", [TRACK_INTERRUPTS] = "interrupts",
};

static void name_track(struct trace_json *t, unsigned int vgpu,
		       unsigned int track);

/* What all have: "ph", "pid", "tid", and "ts" in microseconds. A track gets
 * its name before its first event. */
static void event(struct trace_json *t, char phase, unsigned int vgpu,
		  unsigned int track, uint64_t at)
{
	uint64_t ns = at - t->began, bit = 1ull << track;

	if (track && !(t->named[vgpu] & bit)) {
		t->named[vgpu] |= bit;
		name_track(t, vgpu, track);
	}
	fprintf(t->out, "%s\n{\"ph\":\"%c\",\"pid\":%u,\"tid\":%u,"
		"\"ts\":%" PRIu64 ".%03u", t->any ? "," : "", phase, vgpu,
		track, ns / 1000, (unsigned int)(ns % 1000));
	t->any = true;
}

static void name(struct trace_json *t, const char *what, unsigned int vgpu,
		 unsigned int track, const char *text)
{
	event(t, 'M', vgpu, track, t->began);
	fprintf(t->out, ",\"name\":\"%s\",\"args\":{\"name\":\"%s\"}}", what,
		text);
}

static void sort(struct trace_json *t, const char *what, unsigned int vgpu,
		 unsigned int track, unsigned int index)
{
	event(t, 'M', vgpu, track, t->began);
	fprintf(t->out, ",\"name\":\"%s\",\"args\":{\"sort_index\":%u}}", what,
		index);
}

static void name_track(struct trace_json *t, unsigned int vgpu,
		       unsigned int track)
{
	char text[16];

	snprintf(text, sizeof(text), "head %u", track - TRACK_HEADS);
	name(t, "thread_name", vgpu, track,
	     track < TRACK_HEADS ? track_names[track] : text);
	sort(t, "thread_sort_index", vgpu, track, track);
}

/* From begin to end of the record, but for its name and arguments. */
static void span(struct trace_json *t, unsigned int vgpu, unsigned int track,
		 const struct trace_record *r)
{
	uint64_t ns = r->end - r->begin;

	event(t, 'X', vgpu, track, r->begin);
	fprintf(t->out, ",\"dur\":%" PRIu64 ".%03u", ns / 1000,
		(unsigned int)(ns % 1000));
}

static void instant(struct trace_json *t, unsigned int vgpu,
		    unsigned int track, const struct trace_record *r,
		    const char *what, uint64_t number)
{
	event(t, 'i', vgpu, track, r->begin);
	fprintf(t->out, ",\"s\":\"t\",\"name\":\"%s %" PRIu64 "\"}", what,
		number);
}

/* "id" of a batch: no other in the trace has it. */
static void put_id(struct trace_json *t, unsigned int vgpu,
		   const struct trace_record *r)
{
	fprintf(t->out, ",\"id\":\"%u.%u.%" PRIu64 "\"", vgpu, r->where, r->id);
}

static void batch_span(struct trace_json *t, unsigned int vgpu,
		       unsigned int track, const struct trace_record *r)
{
	span(t, vgpu, track, r);
	if (r->where)
		fprintf(t->out, ",\"name\":\"channel %u\",\"args\":{\"fence\":%"
			PRIu64 ",\"context\":%u}}", r->where, r->id,
			r->context);
	else
		fputs(",\"name\":\"picture\"}", t->out);
}

/* The GPU is held for a batch from before it is decoded. */
static void arrow(struct trace_json *t, unsigned int vgpu,
		  const struct trace_record *from,
		  const struct trace_record *to)
{
	event(t, 's', vgpu, TRACK_DECODE, from->begin);
	put_id(t, vgpu, from);
	fputs(",\"cat\":\"decoded\",\"name\":\"decoded\"}", t->out);
	event(t, 'f', vgpu, TRACK_GPU,
	      to->begin > from->begin ? to->begin : from->begin);
	put_id(t, vgpu, to);
	fputs(",\"cat\":\"decoded\",\"name\":\"decoded\",\"bp\":\"e\"}",
	      t->out);
}

static void batch(struct trace_json *t, unsigned int vgpu,
		  const struct trace_record *r)
{
	for (const char *phase = "be"; *phase; phase++) {
		event(t, *phase, vgpu, 0, *phase == 'b' ? r->begin : r->end);
		put_id(t, vgpu, r);
		fprintf(t->out, ",\"cat\":\"batch\",\"name\":\"channel %u\"",
			r->where);
		if (*phase == 'b')
			fprintf(t->out, ",\"args\":{\"fence\":%" PRIu64
				",\"status\":%u}", r->id, r->context);
		fputs("}", t->out);
	}
}

/* --------------------------------------------------------------- records */

/* Whether a record of a worker's makes sense, or one of the schedule's of so
 * many vGPUs. */
static bool is_good(const struct trace_record *r, bool schedule,
		    unsigned int vgpus)
{
	if (r->begin > r->end || (r->kind == TRACE_STATE ||
				  r->kind == TRACE_WORKER) != schedule)
		return false;
	switch (r->kind) {
	case TRACE_BATCH:
	case TRACE_DECODE:
		return r->where >= 1 && r->where <= PVGPU_MAX_CHANNELS;
	case TRACE_GPU:
		return r->where <= PVGPU_MAX_CHANNELS;
	case TRACE_FLIP:
		return r->where < PVGPU_MAX_HEADS;
	case TRACE_COMMIT:
	case TRACE_DOORBELL:
	case TRACE_INTERRUPT:
		return true;
	case TRACE_STATE:
		return r->where < vgpus && r->context <= SCHED_STATE_HELD_BACK;
	case TRACE_WORKER:
		return r->where < vgpus;
	default:
		return false;
	}
}

static void put(struct trace_json *t, unsigned int vgpu,
		const struct trace_record *r)
{
	switch (r->kind) {
	case TRACE_BATCH:
		batch(t, vgpu, r);
		break;
	case TRACE_DECODE:
		batch_span(t, vgpu, TRACK_DECODE, r);
		break;
	case TRACE_GPU:
		batch_span(t, vgpu, TRACK_GPU, r);
		break;
	case TRACE_COMMIT:
		span(t, vgpu, TRACK_COMMITS, r);
		fprintf(t->out, ",\"name\":\"commit\",\"args\":{\"heads\":"
			"\"0x%x\"}}", r->context);
		break;
	case TRACE_FLIP:
		instant(t, vgpu, TRACK_HEADS + r->where, r, "frame", r->id);
		break;
	case TRACE_DOORBELL:
		instant(t, vgpu, TRACK_DOORBELLS, r, "vector", r->where);
		break;
	case TRACE_INTERRUPT:
		instant(t, vgpu, TRACK_INTERRUPTS, r, "vector", r->where);
		break;
	case TRACE_STATE:
		span(t, r->where + 1u, TRACK_SCHEDULE, r);
		fprintf(t->out, ",\"name\":\"%s\"}",
			sched_state_name((enum sched_state)r->context));
		break;
	case TRACE_WORKER:
		event(t, 'i', r->where + 1u, TRACK_SCHEDULE, r->begin);
		fputs(",\"s\":\"p\",\"name\":\"a worker begins\"}", t->out);
		break;
	}
}

void trace_json_file(struct trace_json *t, unsigned int vgpu,
		     const struct trace_file *file, unsigned int vgpus)
{
	const volatile struct trace_file *shared = file;
	uint64_t taken = shared->taken, count = taken;
	struct trace_record decoded = { 0 }, r;

	if (count > TRACE_RECORDS)
		count = TRACE_RECORDS;
	t->lost += taken - count;
	for (uint64_t i = 0; i < count; i++) {
		/* Once: a worker that hangs may still have the file. */
		r = shared->records[i];
		if (!is_good(&r, !vgpu, vgpus)) {
			t->bad++;
			continue;
		}
		if (r.end < t->began || r.begin > t->ended)
			continue;
		if (r.begin < t->began)
			r.begin = t->began;
		if (r.end > t->ended)
			r.end = t->ended;
		put(t, vgpu, &r);
		t->written++;
		/* Both of a job stand together. */
		if (r.kind == TRACE_GPU && decoded.kind == TRACE_DECODE &&
		    decoded.where == r.where && decoded.id == r.id)
			arrow(t, vgpu, &decoded, &r);
		decoded = r;
	}
}

/* ------------------------------------------------------------------ whole */

void trace_json_begin(struct trace_json *t)
{
	fputs("{\"displayTimeUnit\":\"ms\",\"traceEvents\":[", t->out);
}

void trace_json_vgpu(struct trace_json *t, unsigned int vgpu,
		     const char *vgpu_name)
{
	name(t, "process_name", vgpu, 0, vgpu_name);
	sort(t, "process_sort_index", vgpu, 0, vgpu);
}

void trace_json_end(struct trace_json *t)
{
	fprintf(t->out, "\n],\"otherData\":{\"records\":%" PRIu64 ",\"lost\":%"
		PRIu64 ",\"bad\":%" PRIu64 "}}\n", t->written, t->lost, t->bad);
}
