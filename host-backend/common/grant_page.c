// SPDX-License-Identifier: MIT
/* The page and the board of grants; see grant_page.h. */
#include "grant_page.h"

#include "util.h"

#define READ_TRIES 16

/* ------------------------------------------------------------------ boxes */

void grant_box_write(struct grant_box *box, uint64_t *number,
		     const uint64_t *words, size_t count)
{
	uint64_t next = *number + 1 ? *number + 1 : 1;
	_Atomic uint64_t *to = box->values[next % 2];

	/* Who reads a word of this value must see that the one before it is in
	 * force: what it was reading lay in the same place. */
	atomic_thread_fence(memory_order_release);
	for (size_t i = 0; i < count; i++)
		atomic_store_explicit(&to[i], words[i], memory_order_relaxed);
	atomic_store_explicit(&box->number, next, memory_order_release);
	*number = next;
}

int grant_box_read(const struct grant_box *box, uint64_t *number,
		   uint64_t *words, size_t count)
{
	for (int i = 0; i < READ_TRIES; i++) {
		uint64_t now = atomic_load_explicit(&box->number,
						    memory_order_acquire);
		const _Atomic uint64_t *from = box->values[now % 2];

		if (now == *number)
			return 0;
		for (size_t w = 0; w < count; w++)
			words[w] = atomic_load_explicit(&from[w],
							memory_order_relaxed);
		atomic_thread_fence(memory_order_acquire);
		if (atomic_load_explicit(&box->number,
					 memory_order_relaxed) == now) {
			*number = now;
			return 1;
		}
	}
	return -EAGAIN;
}

/* Values travel as words of known layout, not as structs with padding. */

enum { ARMED = 1, LENDS = 2, LENT = 4, SLOT = 8, SINGLE = 16 };
enum { BEGAN = 1, MORE = 2, HANDED = 4 };
enum { WANTS = 1, YIELDS = 2, IN_FLIGHT = 4 };

#define TOLD_WORDS	8u
#define REPORT_WORDS	12u

static uint64_t pair(uint32_t low, uint32_t high)
{
	return low | (uint64_t)high << 32;
}

static uint32_t high(uint64_t word)
{
	return (uint32_t)(word >> 32);
}

void grant_tell(struct grant_page *page, uint64_t *number,
		const struct grant_told *told)
{
	const struct sched_grant *g = &told->grant;
	const uint64_t words[TOLD_WORDS] = {
		pair(g->epoch, g->kind),
		pair((g->armed ? ARMED : 0) | (g->lends ? LENDS : 0) |
		     (g->lent ? LENT : 0) | (g->slot ? SLOT : 0) |
		     (g->single ? SINGLE : 0), g->resumes),
		g->budget, g->hold, g->window,
		pair(g->successor, g->successor_epoch),
		told->id, told->watchdog,
	};

	grant_box_write(&page->told, number, words, TOLD_WORDS);
}

int grant_hear(const struct grant_page *page, uint64_t *number,
	       struct grant_told *ret)
{
	uint64_t w[TOLD_WORDS];
	int r = grant_box_read(&page->told, number, w, TOLD_WORDS);

	if (r <= 0)
		return r;
	*ret = (struct grant_told){
		.grant = {
			.epoch = (uint32_t)w[0],
			/* Read back by a manager that starts, too. */
			.kind = high(w[0]) <= SCHED_GRANT_DRAIN ?
				high(w[0]) : SCHED_GRANT_DRAIN,
			.armed = w[1] & ARMED,
			.lends = w[1] & LENDS,
			.lent = w[1] & LENT,
			.slot = w[1] & SLOT,
			.single = w[1] & SINGLE,
			.resumes = high(w[1]),
			.budget = w[2], .hold = w[3], .window = w[4],
			.successor = (uint32_t)w[5],
			.successor_epoch = high(w[5]),
		},
		.id = (uint32_t)w[6] <= SCHED_VGPUS_MAX ? (uint32_t)w[6] : 0,
		.watchdog = w[7],
	};
	return 1;
}

void grant_report(struct grant_page *page, uint64_t *number,
		  const struct grant_report *r)
{
	const uint64_t words[REPORT_WORDS] = {
		pair((r->wants ? WANTS : 0) | (r->yields ? YIELDS : 0) |
		     (r->running.in_flight ? IN_FLIGHT : 0),
		     r->running.channel),
		pair(r->yield_epoch, r->yield_resumes),
		r->running.since,
		pair(r->end.epoch,
		     (r->end.began ? BEGAN : 0) | (r->end.more ? MORE : 0) |
		     (r->end.handed ? HANDED : 0)),
		r->end.used, r->end.free, r->end.waited,
		r->epoch, r->used, r->used_total, r->batches,
	};

	grant_box_write(&page->report, number, words, REPORT_WORDS);
}

int grant_report_hear(const struct grant_page *page, uint64_t *number,
		      struct grant_report *ret)
{
	uint64_t w[REPORT_WORDS];
	int r = grant_box_read(&page->report, number, w, REPORT_WORDS);

	if (r <= 0)
		return r;
	*ret = (struct grant_report){
		.wants = w[0] & WANTS,
		.yields = w[0] & YIELDS,
		.yield_epoch = (uint32_t)w[1],
		.yield_resumes = high(w[1]),
		.running = {
			.in_flight = w[0] & IN_FLIGHT,
			.channel = high(w[0]) < GATE_CHANNELS ?
				   high(w[0]) : SCHED_NO_CHANNEL,
			.since = w[2],
		},
		.end = {
			.epoch = (uint32_t)w[3],
			.began = high(w[3]) & BEGAN,
			.more = high(w[3]) & MORE,
			.handed = high(w[3]) & HANDED,
			.used = w[4], .free = w[5], .waited = w[6],
		},
		.epoch = (uint32_t)w[7],
		.used = w[8], .used_total = w[9], .batches = w[10],
	};
	return 1;
}

/* ------------------------------------------------------------------ board */

enum { WORD_ARMED = 1, WORD_BEGUN = 2 };

void grant_board_arm(struct grant_board *board, uint32_t id, uint32_t epoch)
{
	atomic_store(&board->words[id], epoch ? pair(epoch, WORD_ARMED) : 0);
}

bool grant_board_begin(struct grant_board *board, uint32_t id, uint32_t epoch)
{
	uint64_t armed = pair(epoch, WORD_ARMED);

	return id <= SCHED_VGPUS_MAX &&
	       atomic_compare_exchange_strong(&board->words[id], &armed,
					      pair(epoch, WORD_BEGUN));
}

bool grant_board_begun(const struct grant_board *board, uint32_t id,
		       uint32_t epoch)
{
	return id <= SCHED_VGPUS_MAX &&
	       atomic_load(&board->words[id]) == pair(epoch, WORD_BEGUN);
}

/* ------------------------------------------------------------------ bells */

void grant_ring(int fd)
{
	static const uint64_t one = 1;

	/* A full counter wakes as well. */
	if (write(fd, &one, sizeof(one)) < 0)
		return;
}

void grant_quiet(int fd)
{
	uint64_t count;

	if (read(fd, &count, sizeof(count)) < 0)
		return;
}
