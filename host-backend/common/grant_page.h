/* SPDX-License-Identifier: MIT */
/*
 * How the two halves of the scheduler meet: a page a vGPU, shared by pvgpud
 * and the vGPU's worker, and a board a GPU, shared by pvgpud and all workers.
 * Both are memfds of pvgpud's making whose size is sealed; a guest never has
 * them.
 *
 * The page has two boxes, one for each direction: the grant, and the report.
 * A box has one writer. It holds two values and the number of the one that is
 * in force: a new one is written beside it, and then its number. So a reader
 * never waits for a writer, nor for one that was killed while it wrote: it
 * reads the value in force, and again if the number has moved meanwhile. Only
 * a writer that wrote twice during a read makes it begin anew; one that does
 * so on purpose is given up on.
 *
 * What is told is a state and not a message: "wants", "has ended grant 7". It
 * may be read late, twice, or by the next pvgpud. Behind each change that the
 * other side must see an eventfd is written.
 *
 * The board has a word a vGPU, by sched_id(): the grant that was armed for it.
 * Whoever hands over changes ARMED to BEGUN and writes to the other's `go`
 * eventfd: one hop.
 */
#ifndef PVGPU_GRANT_PAGE_H
#define PVGPU_GRANT_PAGE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "scheduler/gate.h"

#define GRANT_BOX_WORDS	16u

struct grant_box {
	_Alignas(64) _Atomic uint64_t number;	/* 0: nothing was written yet */
	_Alignas(64) _Atomic uint64_t values[2][GRANT_BOX_WORDS];
};

/* What the manager says. */
struct grant_told {
	struct sched_grant grant;
	uint32_t id;			/* sched_id() of this vGPU */
	uint64_t watchdog;		/* ns */
};

/* What the gate says; see enum gate_kind for what becomes of it. */
struct grant_report {
	bool wants;			/* without a grant, or with a lent one */
	bool yields;			/* the grant of this epoch, as often */
	uint32_t yield_epoch;		/* given back as resumes says */
	uint32_t yield_resumes;
	struct sched_end end;		/* of the last one that ended; epoch
					 * 0: none has */
	struct sched_running running;
	uint32_t epoch;			/* of what it holds; */
	uint64_t used;			/* GPU time under it, ns */
	uint64_t used_total;		/* since the worker started */
	uint64_t batches;		/* likewise */
};

/* GPU time by channel, from 0; the last one is pictures that were read back. */
struct grant_channel {
	_Atomic uint64_t used;		/* ns, since the worker started */
	_Atomic uint64_t batches;
};

struct grant_page {
	struct grant_box told;
	struct grant_box report;
	_Alignas(64) struct grant_channel channels[GATE_CHANNELS];
};
#define GRANT_PAGE_SIZE	4096u
_Static_assert(sizeof(struct grant_page) <= GRANT_PAGE_SIZE, "grant page");

/* A value of at most GRANT_BOX_WORDS words, padding included, written after
 * the one that has *number, which counts on. One thread. */
void grant_box_write(struct grant_box *box, uint64_t *number,
		     const uint64_t *words, size_t count);
/* The value in force: 1 if it is another one than that of *number, which
 * follows; 0 if it is not; -EAGAIN if it changed all the time. */
int grant_box_read(const struct grant_box *box, uint64_t *number,
		   uint64_t *words, size_t count);

void grant_tell(struct grant_page *page, uint64_t *number,
		const struct grant_told *told);
int grant_hear(const struct grant_page *page, uint64_t *number,
	       struct grant_told *ret);
void grant_report(struct grant_page *page, uint64_t *number,
		  const struct grant_report *report);
/* Whatever the worker wrote, the values are in range, or nonsense that can be
 * worked with. */
int grant_report_hear(const struct grant_page *page, uint64_t *number,
		      struct grant_report *ret);

/* ------------------------------------------------------------------ board */

struct grant_board {
	_Atomic uint64_t words[SCHED_VGPUS_MAX + 1];
};

/* Arms a grant, or (epoch 0) none. The manager. */
void grant_board_arm(struct grant_board *board, uint32_t id, uint32_t epoch);
/* The armed grant begins; false: it is not armed (any more). Whoever hands
 * over. */
bool grant_board_begin(struct grant_board *board, uint32_t id, uint32_t epoch);
/* Has it begun? */
bool grant_board_begun(const struct grant_board *board, uint32_t id,
		       uint32_t epoch);

/* ------------------------------------------------------------------ bells */

/* Wakes whoever polls this eventfd; never waits. */
void grant_ring(int fd);
/* Who was woken is awake. */
void grant_quiet(int fd);

#endif
