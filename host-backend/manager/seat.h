/* SPDX-License-Identifier: MIT */
/*
 * A vGPU's seat in the scheduler: its page of grants and the eventfds that go
 * with it (common/grant_page.h), kept in the store, so that they outlive this
 * process. Whatever the worker writes there is read once and checked.
 */
#ifndef PVGPU_SEAT_H
#define PVGPU_SEAT_H

#include <stdbool.h>

#include "common/grant_page.h"
#include "common/worker_link.h"
#include "store.h"

struct seat {
	int fds[WORKER_GRANT_FDS];	/* WORKER_GRANT_BOARD is not the seat's */
	struct grant_page *page;
	struct grant_told told;		/* last */
	uint64_t told_number, heard_number;
	struct grant_report report;	/* last heard; zeros: none */
	uint64_t peers[WORKER_PEERS / 64];	/* that its worker knows */
};

/* Makes one, and puts it into the store under the vGPU's name; or claims the
 * one that is there, with what was last told: *ret_claimed. 0 or -errno. */
int seat_take(struct seat *seat, struct store *store, const char *name,
	      int board, bool *ret_claimed);
/* Closes it and takes it out of the store. Accepts a zeroed one. */
void seat_drop(struct seat *seat, struct store *store, const char *name);
static inline bool seat_is_taken(const struct seat *seat)
{
	return seat->page;
}

/* Tells, and wakes the worker if it has to know at once. */
void seat_tell(struct seat *seat, const struct grant_told *told);
/* Whether there is a newer report: seat->report. */
bool seat_hear(struct seat *seat);
/* There is no worker: nothing is reported, and it knows nobody. */
void seat_clear(struct seat *seat);

#endif
