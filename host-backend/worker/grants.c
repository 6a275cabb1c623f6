// SPDX-License-Identifier: MIT
/* The gate, and how it hears and tells; see grants.h. */
#include "grants.h"

#include <string.h>
#include <sys/mman.h>

#include "common/clock.h"
#include "common/sealed.h"
#include "common/util.h"

/* -------------------------------------------------------- the ring thread */

int grants_open(struct grants *g, const int *fds)
{
	cleanup_fd int page = fds[WORKER_GRANT_PAGE];
	cleanup_fd int board = fds[WORKER_GRANT_BOARD];
	int r;

	memset(g, 0, sizeof(*g));
	pthread_mutex_init(&g->lock, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(g->peers); i++)
		g->peers[i] = -1;
	g->bell = fds[WORKER_GRANT_BELL];
	g->go = fds[WORKER_GRANT_GO];
	g->report_fd = fds[WORKER_GRANT_REPORT];
	gate_init(&g->gate);
	for (uint32_t i = 0; i < GRANTS_PICTURES; i++)
		grants_set_priority(g, i, 0);
	r = sealed_map(page, sizeof(*g->page), (void **)&g->page);
	if (!r)
		r = sealed_map(board, sizeof(*g->board), (void **)&g->board);
	/* The workers before this one, and the manager, have counted so far. */
	if (!r)
		g->reported = atomic_load(&g->page->report.number);
	return r;
}

void grants_close(struct grants *g)
{
	if (g->page)
		munmap(g->page, sizeof(*g->page));
	if (g->board)
		munmap(g->board, sizeof(*g->board));
	for (size_t i = 0; i < ARRAY_SIZE(g->peers); i++)
		close_fd(g->peers[i]);
	close_fd(g->bell);
	close_fd(g->go);
	close_fd(g->report_fd);
	pthread_mutex_destroy(&g->lock);
}

bool grants_peer(struct grants *g, uint32_t id, int fd)
{
	if (id >= WORKER_PEERS) {
		close_fd(fd);
		return false;
	}
	pthread_mutex_lock(&g->lock);
	close_fd(g->peers[id]);
	g->peers[id] = fd;
	pthread_mutex_unlock(&g->lock);
	return true;
}

uint32_t grants_patience(const struct grants *g)
{
	struct grant_told told;
	uint64_t number = 0, watchdog = SCHED_WATCHDOG_DEFAULT;

	if (grant_hear(g->page, &number, &told) > 0 && told.watchdog &&
	    told.watchdog <= SCHED_WATCHDOG_MAX)
		watchdog = told.watchdog;
	return (uint32_t)((watchdog + watchdog / 2 + SCHED_SECOND) / SCHED_MS);
}

/* ------------------------------------------------ the renderer's thread */

static bool hand_over(struct grants *g, uint32_t id, uint32_t epoch)
{
	bool begun;

	if (id >= WORKER_PEERS)
		return false;
	pthread_mutex_lock(&g->lock);
	/* Without its eventfd the manager is the one to wake it. */
	begun = g->peers[id] >= 0 && grant_board_begin(g->board, id, epoch);
	if (begun)
		grant_ring(g->peers[id]);
	pthread_mutex_unlock(&g->lock);
	return begun;
}

static void take_message(struct grants *g, const struct gate_message *m)
{
	struct grant_report *r = &g->report;

	g->ring = true;
	switch (m->kind) {
	case GATE_NOTHING:
		break;
	case GATE_WANTS:
		r->wants = true;
		break;
	case GATE_IDLES:
		r->wants = false;
		break;
	case GATE_YIELDS:
		r->wants = false;
		r->yields = true;
		r->yield_epoch = m->end.epoch;
		r->yield_resumes = g->gate.grant.resumes;
		break;
	case GATE_ENDED:
		r->end = m->end;
		/* First of all: the GPU has nothing to do. */
		if (m->successor != SCHED_NOBODY)
			r->end.handed = hand_over(g, m->successor,
						  m->successor_epoch);
		r->wants = m->end.more;
		r->yields = false;
		break;
	}
}

static void publish(struct grants *g, const struct sched_running *running)
{
	g->report.running = *running;
	g->report.epoch = g->gate.grant.epoch;
	g->report.used = g->gate.used;
	g->report.used_total = g->gate.used_total;
	grant_report(g->page, &g->reported, &g->report);
}

/* The gate's messages go out, and what it is at is seen. */
static void settle(struct grants *g, uint64_t now)
{
	struct sched_running running;
	struct gate_message m;

	while ((m = gate_message(&g->gate, now)).kind != GATE_NOTHING)
		take_message(g, &m);
	running = gate_running(&g->gate);
	publish(g, &running);
	if (g->ring)
		grant_ring(g->report_fd);
	g->ring = false;
}

static bool listen_now(struct grants *g, uint64_t now)
{
	const struct sched_grant *grant = &g->gate.grant;
	bool news = grant_hear(g->page, &g->heard, &g->told) > 0;

	if (news)
		gate_update(&g->gate, &g->told.grant, now);
	/* Whoever hands over may be faster than the manager's word. */
	if (grant->armed && grant->kind == SCHED_GRANT_SLICE &&
	    grant_board_begun(g->board, g->told.id, grant->epoch))
		news |= gate_go(&g->gate, grant->epoch, now);
	return news;
}

void grants_hear(struct grants *g)
{
	uint64_t now;

	grant_quiet(g->bell);
	grant_quiet(g->go);
	now = clock_ns();
	listen_now(g, now);
	settle(g, now);
}

void grants_step(struct grants *g)
{
	uint64_t now = clock_ns();

	if (gate_deadline(&g->gate) <= now)
		settle(g, now);
}

void grants_set_priority(struct grants *g, uint32_t channel, uint8_t priority)
{
	gate_set_priority(&g->gate, channel, (uint8_t)(priority + 1));
}

void grants_set_ready(struct grants *g, uint32_t channel, uint32_t count,
		      bool more)
{
	uint32_t ready = g->gate.channels[channel].ready;
	uint64_t now;

	if (more ? count <= ready : count >= ready)
		return;
	now = clock_ns();
	listen_now(g, now);
	gate_set_ready(&g->gate, channel, count, now);
	settle(g, now);
}

int grants_submit(struct grants *g)
{
	uint64_t now = clock_ns();
	struct sched_running running;
	int channel;

	do {
		channel = gate_next(&g->gate, now);
		if (channel < 0) {
			settle(g, now);
			return channel;
		}
		/* In flight first, and then a look whether it still may be: so
		 * a manager that revokes the grant sees the one or is seen. */
		running = gate_running(&g->gate);
		if (!running.in_flight) {
			running = (struct sched_running){
				true, (uint32_t)channel, now };
			publish(g, &running);
		}
		atomic_thread_fence(memory_order_seq_cst);
	} while (listen_now(g, now));
	if (!gate_submit(&g->gate, (uint32_t)channel, now))
		channel = -EAGAIN;
	settle(g, now);
	return channel;
}

uint64_t grants_fenced(struct grants *g)
{
	uint64_t now = clock_ns(), took;
	struct grant_channel *c;
	uint32_t channel = gate_running(&g->gate).channel;

	if (channel >= GATE_CHANNELS)
		return 0;
	listen_now(g, now);
	took = gate_fenced(&g->gate, now);
	g->report.batches++;
	c = &g->page->channels[channel];
	atomic_fetch_add_explicit(&c->used, took, memory_order_relaxed);
	atomic_fetch_add_explicit(&c->batches, 1, memory_order_relaxed);
	settle(g, now);
	return took;
}

const struct timespec *grants_timeout(const struct grants *g,
				      struct timespec *room)
{
	uint64_t at = gate_deadline(&g->gate), now = clock_ns();

	if (at == SCHED_NEVER)
		return NULL;
	at = at > now ? at - now : 0;
	room->tv_sec = (time_t)(at / SCHED_SECOND);
	room->tv_nsec = (long)(at % SCHED_SECOND);
	return room;
}
