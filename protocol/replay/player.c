// SPDX-License-Identifier: MIT
/* Plays a recording; see player.h. */
#include "protocol/replay/player.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define STUCK_MS 30000u			/* for one batch */
#define CALIBRATION_NS 200000000ull
#define CALIBRATION_DEPTH 4u

uint64_t player_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static int target_failed(struct player *p)
{
	snprintf(p->why, sizeof(p->why), "step %u: %s", p->step,
		 p->target->why);
	return -1;
}

/* ------------------------------------------------------------ under way */

/* What counts of a load, and where. */
struct tally {
	const struct player_load *load;
	struct player_figures *figures;
	uint64_t busy;			/* at its beginning */
	uint64_t last_frame;		/* when it was done */
	bool counting, over;
};

static int look_at_clock(struct player *p, struct tally *tally)
{
	uint64_t now = player_now(), busy;
	bool begins = !tally->counting && now >= tally->load->begin;
	bool ends = tally->counting && now >= tally->load->end;

	if (tally->over || !(begins || ends))
		return 0;
	if (p->target->ops->busy(p->target, &busy))
		return target_failed(p);
	if (begins) {
		tally->counting = true;
		tally->busy = busy;
		tally->figures->window = now;
		return 0;
	}
	tally->over = true;
	tally->figures->busy = busy - tally->busy;
	tally->figures->window = now - tally->figures->window;
	return 0;
}

static void count(struct tally *tally, const struct flight *f, uint64_t now)
{
	struct player_figures *figures = tally->figures;

	if (tally->counting && !tally->over) {
		figures->batches++;
		histogram_add(&figures->batch, now - f->sent);
		if (f->frame) {
			figures->frames++;
			histogram_add(&figures->frame, now - f->frame);
			if (tally->last_frame)
				histogram_add(&figures->interval,
					      now - tally->last_frame);
		}
	}
	if (f->frame)
		tally->last_frame = now;
}

/* Waits for the oldest, and takes all that are done. */
static int reap(struct player *p, struct tally *tally)
{
	uint64_t until = player_now() + STUCK_MS * 1000000ull, done = 0, now;
	uint64_t oldest = p->flights[p->first].number;

	for (;;) {
		uint32_t ms = 1000;

		now = player_now();
		if (tally && !tally->over) {
			uint64_t next = tally->counting ? tally->load->end :
					tally->load->begin;

			ms = next <= now ? 0 : next - now > 1000000000 ? 1000 :
			     (uint32_t)((next - now) / 1000000) + 1;
		}
		if (p->target->ops->wait(p->target, oldest, ms, &done))
			return target_failed(p);
		now = player_now();
		if (done >= oldest)
			break;
		if (now > until) {
			snprintf(p->why, sizeof(p->why), "a batch has not come "
				 "to an end in %u s", STUCK_MS / 1000);
			return -1;
		}
		if (tally && look_at_clock(p, tally))
			return -1;
	}
	while (p->under_way && p->flights[p->first].number <= done) {
		if (tally)
			count(tally, &p->flights[p->first], now);
		p->first = (p->first + 1) % TARGET_DEPTH_MAX;
		p->under_way--;
	}
	return tally ? look_at_clock(p, tally) : 0;
}

static int drain(struct player *p, struct tally *tally)
{
	while (p->under_way)
		if (reap(p, tally))
			return -1;
	return 0;
}

/* What was just submitted is under way. */
static struct flight *note_flight(struct player *p)
{
	struct flight *f = &p->flights[(p->first + p->under_way++) %
				       TARGET_DEPTH_MAX];

	*f = (struct flight){ p->target->submitted, player_now(), 0 };
	return f;
}

static int make_room(struct player *p, struct tally *tally, uint32_t depth)
{
	while (p->under_way >= depth)
		if (reap(p, tally))
			return -1;
	return 0;
}

/* ---------------------------------------------------------------- steps */

/* The program wrote this when nothing under way could still read what was
 * there; another lap of it usually writes the same. */
static int write_data(struct player *p, const struct recording_step *step,
		      struct tally *tally)
{
	uint8_t *to = p->memory[step->resource] + step->offset;

	if (!memcmp(to, step->bytes, step->length))
		return 0;
	p->rewritten += p->under_way != 0;
	if (drain(p, tally))
		return -1;
	memcpy(to, step->bytes, step->length);
	return 0;
}

/* All kinds but BATCH, FRAME and LOOP. */
static int do_step(struct player *p, const struct recording_step *step,
		   struct tally *tally)
{
	const struct target_ops *ops = p->target->ops;
	int ret = 0;

	switch (step->kind) {
	case RECORDING_RESOURCE:
		ret = ops->create(p->target, step->resource, &step->made,
				  &p->memory[step->resource]);
		break;
	case RECORDING_DESTROY:
		p->memory[step->resource] = NULL;
		ret = ops->destroy(p->target, step->resource);
		break;
	case RECORDING_DATA:
		return write_data(p, step, tally);
	case RECORDING_TRANSFER:
		if (make_room(p, tally, TARGET_DEPTH_MAX))
			return -1;
		ret = ops->transfer(p->target, step->resource,
				    &step->transfer, false);
		if (!ret)
			note_flight(p);
		break;
	default:
		break;
	}
	return ret ? target_failed(p) : 0;
}

/* Up to the loop, each batch by itself. */
static int play_beginning(struct player *p)
{
	const struct target_ops *ops = p->target->ops;

	for (p->step = 0; p->step < p->r->loop; p->step++) {
		const struct recording_step *step = &p->r->steps[p->step];

		if (step->kind != RECORDING_BATCH) {
			if (do_step(p, step, NULL))
				return -1;
			continue;
		}
		if (ops->put(p->target, 0, step->bytes, step->length) ||
		    ops->submit(p->target, &(struct target_stream){
				0, step->length }))
			return target_failed(p);
		note_flight(p);
		if (drain(p, NULL))
			return -1;
	}
	return drain(p, NULL);
}

/* The steps from `first` on that one submission can be: batches in a row, or
 * one as it was recorded. Returns the step behind them. */
static uint32_t row_of(const struct recording *r, uint32_t first, bool as_one)
{
	uint32_t end = first + 1;

	while (as_one && end < r->count &&
	       r->steps[end].kind == RECORDING_BATCH)
		end++;
	return end;
}

static int put_row(struct player *p, uint32_t first, uint32_t end,
		   uint32_t repeat, uint64_t *at)
{
	struct target_stream *stream = &p->streams[first - p->r->loop];
	uint64_t length = 0;

	for (uint32_t i = first; i < end; i++)
		length += p->r->steps[i].length;
	length *= repeat;
	if (length > p->target->stream_max) {
		snprintf(p->why, sizeof(p->why), "step %u: a batch of %llu "
			 "bytes, repeated %u times; the host takes %u bytes",
			 first, (unsigned long long)length, repeat,
			 p->target->stream_max);
		return -1;
	}
	*stream = (struct target_stream){ *at, (uint32_t)length };
	for (uint32_t n = 0; n < repeat; n++)
		for (uint32_t i = first; i < end; i++) {
			const struct recording_step *s = &p->r->steps[i];

			if (p->target->ops->put(p->target, *at, s->bytes,
						s->length))
				return target_failed(p);
			*at += s->length;
		}
	return 0;
}

/* Puts the loop's streams down, so that a lap copies nothing. */
static int put_loop(struct player *p, uint32_t repeat)
{
	uint32_t loop = p->r->loop;
	uint64_t at = 0;

	if (p->put && p->repeat == repeat)
		return 0;
	if (drain(p, NULL))
		return -1;
	p->put = false;
	memset(p->streams, 0, (p->r->count - loop) * sizeof(*p->streams));
	for (uint32_t i = loop, end; i < p->r->count; i = end) {
		end = i + 1;
		if (p->r->steps[i].kind != RECORDING_BATCH)
			continue;
		end = row_of(p->r, i, repeat != 0);
		if (put_row(p, i, end, repeat ? repeat : 1, &at))
			return -1;
	}
	p->repeat = repeat;
	p->put = true;
	return 0;
}

/* The next step, which may be the first of another lap. */
static const struct recording_step *next_step(struct player *p)
{
	if (p->step == p->r->count) {
		p->step = p->r->loop;
		p->frame = 0;
	}
	return &p->r->steps[p->step];
}

/* Plays to the end of the next frame, *ret. */
static int play_frame(struct player *p, uint32_t depth, struct tally *tally,
		      const struct recording_step **ret)
{
	const struct recording_step *step;
	const struct target_stream *stream;
	uint64_t begun = player_now();
	struct flight *last = NULL;

	for (;; p->step++) {
		step = next_step(p);
		if (step->kind == RECORDING_FRAME)
			break;
		if (step->kind != RECORDING_BATCH) {
			if (do_step(p, step, tally))
				return -1;
			continue;
		}
		stream = &p->streams[p->step - p->r->loop];
		if (!stream->size)
			continue;
		if (make_room(p, tally, depth))
			return -1;
		if (p->target->ops->submit(p->target, stream))
			return target_failed(p);
		last = note_flight(p);
	}
	if (last)
		last->frame = begun;
	p->step++;
	p->frame = (p->frame + 1) % p->r->frames;
	*ret = step;
	return 0;
}

/* ------------------------------------------------------------- checking */

static struct recording_transfer whole(const struct recording_step *frame)
{
	return (struct recording_transfer){
		.stride = frame->width * 4, .width = frame->width,
		.height = frame->height, .depth = 1,
	};
}

/* Spoils what the surface shows, so that what is seen later was drawn. */
static int spoil(struct player *p)
{
	const struct recording_step *frame = next_step(p);
	struct recording_transfer all;
	uint8_t *pixels;

	while (frame->kind != RECORDING_FRAME)
		if (++frame == p->r->steps + p->r->count)
			frame = p->r->steps + p->r->loop;
	pixels = p->memory[frame->resource];
	if (!pixels)			/* not made yet */
		return 0;
	for (uint32_t i = 0; i < frame->width * frame->height * 4; i++)
		pixels[i] = (uint8_t)(i * 37 + (i >> 9) * 11);
	all = whole(frame);
	if (p->target->ops->transfer(p->target, frame->resource, &all, false))
		return target_failed(p);
	note_flight(p);
	return 0;
}

static int look(struct player *p, const struct recording_step *frame,
		uint32_t number, uint32_t *worst)
{
	const struct recording_transfer all = whole(frame);
	struct picture_distance apart;
	struct picture got;

	if (p->target->ops->transfer(p->target, frame->resource, &all, true))
		return target_failed(p);
	note_flight(p);
	if (drain(p, NULL))
		return -1;
	picture_take(&got, p->memory[frame->resource], frame->width,
		     frame->height);
	apart = picture_distance(&got, frame->picture);
	if (apart.worst > *worst)
		*worst = apart.worst;
	if (picture_same(&got, frame->picture))
		return 0;
	snprintf(p->why, sizeof(p->why), "frame %u is not the recorded one: "
		 "fields differ by up to %u of 255, %.1f in the mean", number,
		 apart.worst, apart.mean);
	return -1;
}

int player_check(struct player *p, uint32_t *ret_worst)
{
	const struct recording_step *frame;
	uint32_t worst = 0;

	/* A load may have ended in the middle. */
	while (p->frame)
		if (play_frame(p, 1, NULL, &frame))
			return -1;
	if (put_loop(p, 0))
		return -1;
	for (uint32_t i = 0; i < p->r->frames; i++)
		if (spoil(p) || play_frame(p, 1, NULL, &frame) ||
		    drain(p, NULL) || look(p, frame, i, &worst))
			return -1;
	if (ret_worst)
		*ret_worst = worst;
	return 0;
}

/* ----------------------------------------------------------------- load */

/* What a batch takes where nobody else wants the GPU, ns. */
static int cost(struct player *p, uint32_t repeat, uint64_t *ret)
{
	const struct recording_step *frame;
	uint64_t begun, batches = p->target->submitted, gone;

	if (put_loop(p, repeat))
		return -1;
	begun = player_now();
	do {
		if (play_frame(p, CALIBRATION_DEPTH, NULL, &frame))
			return -1;
		gone = player_now() - begun;
	} while (gone < CALIBRATION_NS || p->frame);
	if (drain(p, NULL))
		return -1;
	*ret = (player_now() - begun) / (p->target->submitted - batches);
	return 0;
}

int player_calibrate(struct player *p, uint64_t wanted, uint32_t *ret_repeat,
		     uint64_t *ret_batch)
{
	uint32_t repeat = 1;
	uint64_t took;

	/* The first guess includes what a batch costs by itself. */
	for (int i = 0; i < 4; i++) {
		uint64_t better;

		if (cost(p, repeat, &took))
			return -1;
		better = ((uint64_t)repeat * wanted + took / 2) / took;
		if (!better)
			better = 1;
		if (better > 100000)
			better = 100000;
		*ret_repeat = repeat;
		*ret_batch = took;
		if (better == repeat)
			break;
		repeat = (uint32_t)better;
	}
	return 0;
}

static void sleep_until(uint64_t when)
{
	const struct timespec t = {
		(time_t)(when / 1000000000), (long)(when % 1000000000),
	};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL))
		;
}

/* Between two frames: until the next one is to begin. */
static int pause_for(struct player *p, const struct player_load *load,
		     struct tally *tally, uint64_t *next)
{
	uint64_t now;

	if (!load->think && !load->period)
		return 0;
	if (drain(p, tally))
		return -1;
	now = player_now();
	*next += load->period;
	/* What was missed is not made up. */
	if (*next < now + load->think)
		*next = now + load->think;
	sleep_until(*next < load->end ? *next : load->end);
	return look_at_clock(p, tally);
}

int player_run(struct player *p, const struct player_load *load,
	       struct player_figures *ret)
{
	struct tally tally = { .load = load, .figures = ret };
	const struct recording_step *frame;
	uint64_t next = player_now();

	memset(ret, 0, sizeof(*ret));
	if (put_loop(p, load->repeat))
		return -1;
	while (!tally.over) {
		if (play_frame(p, load->depth, &tally, &frame))
			return -1;
		if (pause_for(p, load, &tally, &next))
			return -1;
	}
	return drain(p, &tally);
}

int player_open(struct player *p, struct target *t, const struct recording *r)
{
	*p = (struct player){ .target = t, .r = r };
	p->memory = calloc(r->highest + 1, sizeof(*p->memory));
	p->streams = calloc(r->count - r->loop, sizeof(*p->streams));
	if (!p->memory || !p->streams) {
		snprintf(p->why, sizeof(p->why), "no memory");
		return -1;
	}
	if (play_beginning(p))
		return -1;
	p->step = r->loop;
	return put_loop(p, 0);
}

void player_close(struct player *p)
{
	if (p->target)
		p->target->ops->close(p->target);
	free(p->memory);
	free(p->streams);
	memset(p, 0, sizeof(*p));
}
