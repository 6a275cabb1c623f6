// SPDX-License-Identifier: MIT
/* Pages and eventfds of grants; see seat.h. */
#include "seat.h"

#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>

#include "common/sealed.h"
#include "common/util.h"

static const char *const kept[WORKER_GRANT_FDS] = {
	[WORKER_GRANT_PAGE] = "grants",
	[WORKER_GRANT_BELL] = "bell",
	[WORKER_GRANT_GO] = "go",
	[WORKER_GRANT_REPORT] = "report",
};

static bool claim(struct seat *seat, struct store *store, const char *name)
{
	bool whole = true;

	for (int i = 0; i < WORKER_GRANT_FDS; i++)
		if (kept[i]) {
			seat->fds[i] = store_claim(store, name, kept[i]);
			whole &= seat->fds[i] >= 0;
		}
	return whole;
}

static int make(struct seat *seat, struct store *store, const char *name)
{
	int r = 0;

	for (int i = 0; i < WORKER_GRANT_FDS; i++) {
		if (!kept[i])
			continue;
		/* What was stored of one that no worker was told of. */
		if (seat->fds[i] >= 0)
			store_remove(store, name, kept[i]);
		close_fd(seat->fds[i]);
		seat->fds[i] = i == WORKER_GRANT_PAGE ?
			sealed_memfd("grants", name, GRANT_PAGE_SIZE) :
			eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (seat->fds[i] < 0)
			return i == WORKER_GRANT_PAGE ? seat->fds[i] : -errno;
	}
	/* Certain once the worker is told of them: its start waits for that. */
	for (int i = 0; !r && i < WORKER_GRANT_FDS; i++)
		if (kept[i])
			r = store_add(store, name, kept[i], seat->fds[i]);
	return r;
}

int seat_take(struct seat *seat, struct store *store, const char *name,
	      int board, bool *ret_claimed)
{
	bool claimed;
	int r = 0;

	memset(seat, 0, sizeof(*seat));
	for (int i = 0; i < WORKER_GRANT_FDS; i++)
		seat->fds[i] = -1;
	claimed = claim(seat, store, name);
	if (!claimed)
		r = make(seat, store, name);
	if (!r)
		r = sealed_map(seat->fds[WORKER_GRANT_PAGE],
			       sizeof(*seat->page), (void **)&seat->page);
	if (r < 0) {
		seat_drop(seat, store, name);
		return r;
	}
	seat->fds[WORKER_GRANT_BOARD] = board;
	if (claimed)
		grant_hear(seat->page, &seat->told_number, &seat->told);
	*ret_claimed = claimed;
	return 0;
}

void seat_drop(struct seat *seat, struct store *store, const char *name)
{
	if (seat->page)
		munmap(seat->page, sizeof(*seat->page));
	seat->page = NULL;
	for (int i = 0; i < WORKER_GRANT_FDS; i++) {
		if (!kept[i] || seat->fds[i] <= 0)
			continue;
		store_remove(store, name, kept[i]);
		seat->fds[i] = close_fd(seat->fds[i]);
	}
}

/* Whom to hand over to is of interest only then; and that a grant is no more,
 * the worker has said itself. */
static bool is_news(const struct sched_grant *a, const struct sched_grant *b)
{
	return b->kind != SCHED_GRANT_NONE &&
	       (a->epoch != b->epoch || a->kind != b->kind ||
		a->armed != b->armed || a->lent != b->lent ||
		a->resumes != b->resumes || a->budget != b->budget ||
		a->hold != b->hold);
}

void seat_tell(struct seat *seat, const struct grant_told *told)
{
	bool news = is_news(&seat->told.grant, &told->grant);

	grant_tell(seat->page, &seat->told_number, told);
	seat->told = *told;
	if (news)
		grant_ring(seat->fds[WORKER_GRANT_BELL]);
}

bool seat_hear(struct seat *seat)
{
	return grant_report_hear(seat->page, &seat->heard_number,
				 &seat->report) > 0;
}

void seat_clear(struct seat *seat)
{
	uint64_t number = atomic_load(&seat->page->report.number);

	memset(&seat->report, 0, sizeof(seat->report));
	memset(seat->peers, 0, sizeof(seat->peers));
	grant_report(seat->page, &number, &seat->report);
	seat->heard_number = number;
	for (uint32_t i = 0; i < GATE_CHANNELS; i++) {
		atomic_store(&seat->page->channels[i].used, 0);
		atomic_store(&seat->page->channels[i].batches, 0);
	}
	/* Nobody but a worker read them. */
	grant_quiet(seat->fds[WORKER_GRANT_BELL]);
	grant_quiet(seat->fds[WORKER_GRANT_GO]);
}
