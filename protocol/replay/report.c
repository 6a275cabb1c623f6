// SPDX-License-Identifier: MIT
/* What pvgpu-replay tells; see report.h. */
#include "protocol/replay/report.h"

#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

static double seconds(uint64_t ns)
{
	return (double)ns / 1e9;
}

static double milliseconds(uint64_t ns)
{
	return (double)ns / 1e6;
}

static const char *base(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static uint64_t all_busy(const struct client *clients, uint32_t count)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < count; i++)
		sum += clients[i].figures.busy;
	return sum;
}

void report_text(const struct client *clients, uint32_t count, bool checked)
{
	uint64_t busy = all_busy(clients, count);

	if (checked) {
		for (uint32_t i = 0; i < count; i++)
			printf("%s: %s: %u frames are as recorded, to %u of "
			       "255\n", clients[i].socket,
			       base(clients[i].path),
			       clients[i].recording->frames,
			       clients[i].worst);
		return;
	}
	printf("%-16s %-14s %5s %8s %8s %8s %8s %8s %8s %6s\n", "vGPU",
	       "recording", "depth", "batch/s", "frame/s", "p50 ms", "p99 ms",
	       "worst ms", "GPU s", "share");
	for (uint32_t i = 0; i < count; i++) {
		const struct client *c = &clients[i];
		const struct player_figures *f = &c->figures;
		double window = seconds(f->window);

		printf("%-16s %-14s %5u %8.1f %8.1f %8.2f %8.2f %8.2f %8.3f "
		       "%5.1f%%\n", base(c->socket), base(c->path),
		       c->load.depth, (double)f->batches / window,
		       (double)f->frames / window,
		       milliseconds(histogram_at(&f->batch, 0.5)),
		       milliseconds(histogram_at(&f->batch, 0.99)),
		       milliseconds(f->batch.worst), seconds(f->busy),
		       busy ? 100.0 * (double)f->busy / (double)busy : 0.0);
	}
}

static void add(json_object *o, const char *key, double value)
{
	json_object_object_add(o, key, json_object_new_double(value));
}

static void add_whole(json_object *o, const char *key, uint64_t value)
{
	json_object_object_add(o, key, json_object_new_int64((int64_t)value));
}

static void add_times(json_object *o, const char *key,
		      const struct histogram *h)
{
	json_object *times = json_object_new_object();

	add_whole(times, "count", h->count);
	add(times, "p50Ms", milliseconds(histogram_at(h, 0.5)));
	add(times, "p99Ms", milliseconds(histogram_at(h, 0.99)));
	add(times, "worstMs", milliseconds(h->worst));
	json_object_object_add(o, key, times);
}

static json_object *client_json(const struct client *c, bool checked)
{
	const struct player_figures *f = &c->figures;
	json_object *o = json_object_new_object();

	json_object_object_add(o, "socket",
			       json_object_new_string(c->socket));
	json_object_object_add(o, "recording",
			       json_object_new_string(c->path));
	add_whole(o, "pictureDistance", c->worst);
	if (checked)
		return o;
	add_whole(o, "depth", c->load.depth);
	add_whole(o, "repeat", c->load.repeat);
	if (c->batch)
		add(o, "aloneBatchMs", milliseconds(c->batch));
	add(o, "seconds", seconds(f->window));
	add_whole(o, "batches", f->batches);
	add_whole(o, "frames", f->frames);
	add(o, "gpuSeconds", seconds(f->busy));
	add_times(o, "batch", &f->batch);
	add_times(o, "frame", &f->frame);
	add_times(o, "interval", &f->interval);
	return o;
}

void report_json(const struct client *clients, uint32_t count, bool checked)
{
	json_object *all = json_object_new_object();
	json_object *list = json_object_new_array();

	for (uint32_t i = 0; i < count; i++)
		json_object_array_add(list,
				      client_json(&clients[i], checked));
	json_object_object_add(all, "clients", list);
	puts(json_object_to_json_string_ext(all, JSON_C_TO_STRING_PRETTY |
					    JSON_C_TO_STRING_SPACED));
	json_object_put(all);
}

void report_recording(const char *path, const struct recording *r)
{
	uint64_t bytes = 0, data = 0, memory = 0;

	for (uint32_t i = 0; i < r->count; i++) {
		const struct recording_step *s = &r->steps[i];

		memory += s->kind == RECORDING_RESOURCE ? s->made.size : 0;
		if (i >= r->loop) {
			bytes += s->kind == RECORDING_BATCH ? s->length : 0;
			data += s->kind == RECORDING_DATA ? s->length : 0;
		}
	}
	printf("%s: %s\n  %u records, %llu KiB behind resources; loop: %u "
	       "frames, %u batches of %llu bytes, %llu bytes of data\n",
	       base(path), r->label, r->count,
	       (unsigned long long)memory / 1024, r->frames, r->batches,
	       (unsigned long long)bytes, (unsigned long long)data);
}
