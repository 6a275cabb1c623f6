// SPDX-License-Identifier: MIT
/*
 * The scheduler on the event loop; see schedule.h. Whatever happens goes to
 * the sched, and then settle() carries out what it has decided: new grants are
 * written into their pages, and the timer is set to when it is to be asked
 * again.
 */
#include "schedule.h"

#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/sealed.h"
#include "manager.h"
#include "seat.h"
#include "trace.h"

#define BOARD_NAME	"board"		/* in the store */

/* Reports of one vGPU beyond that wait for the end of the interval: no worker
 * keeps this process busy. */
#define REPORTS_MAX	500u
#define REPORTS_USEC	10000u

/* The watchdog looks so often while one batch may run at the longest. */
#define LOOKS		8u

struct schedule {
	struct manager *manager;
	struct sched *sched;
	int board_fd;
	struct grant_board *board;
	sd_event_source *deadline;	/* sched_deadline() */
	sd_event_source *look;		/* the watchdog's */
};

struct scheduled {
	struct vgpu *vgpu;
	struct seat seat;
	struct sched_vgpu *sched;	/* NULL: no share was left for it */
	sd_event_source *reports;
	bool killed;			/* by the watchdog, and not reaped */
};

static struct schedule *of(const struct vgpu *v)
{
	return v->manager->schedule;
}

/* ------------------------------------------------------- to the workers */

/* Its worker learns how to wake the one that its grant names. */
static void introduce(struct scheduled *to, uint32_t id)
{
	struct schedule *s = of(to->vgpu);
	uint64_t bit = 1ull << id % 64;

	if (id >= WORKER_PEERS || to->seat.peers[id / 64] & bit ||
	    !to->vgpu->worker)
		return;
	for (struct vgpu *v = s->manager->vgpus; v; v = v->next) {
		struct scheduled *peer = v->scheduled;

		if (peer && peer->sched && sched_id(peer->sched) == id &&
		    !worker_introduce(to->vgpu->worker, id,
				      peer->seat.fds[WORKER_GRANT_GO]))
			to->seat.peers[id / 64] |= bit;
	}
}

/* Another one has this number from now on, or nobody. */
static void forget(struct schedule *s, uint32_t id)
{
	for (struct vgpu *v = s->manager->vgpus; v; v = v->next)
		if (v->scheduled && id < WORKER_PEERS)
			v->scheduled->seat.peers[id / 64] &= ~(1ull << id % 64);
	grant_board_arm(s->board, id, 0);
}

/* An armed grant is on the board before anybody is told to hand over to it,
 * and one that began by the manager's word is off it only afterwards. */
static void publish(struct schedule *s, struct scheduled *to)
{
	const struct grant_told told = {
		.grant = *sched_grant(to->sched),
		.id = sched_id(to->sched),
		.watchdog = to->vgpu->sched_params.watchdog,
	};

	if (told.grant.armed && told.grant.kind == SCHED_GRANT_SLICE) {
		/* Again would take back that it has begun. */
		if (!grant_board_begun(s->board, told.id, told.grant.epoch))
			grant_board_arm(s->board, told.id, told.grant.epoch);
		seat_tell(&to->seat, &told);
	} else {
		seat_tell(&to->seat, &told);
		grant_board_arm(s->board, told.id, 0);
	}
	if (told.grant.successor != SCHED_NOBODY)
		introduce(to, told.grant.successor);
}

/* As ns; the loop counts microseconds. */
static void set_timer(sd_event_source *timer, uint64_t at)
{
	if (at == SCHED_NEVER) {
		sd_event_source_set_enabled(timer, SD_EVENT_OFF);
		return;
	}
	sd_event_source_set_time(timer, (at + 999) / 1000);
	sd_event_source_set_enabled(timer, SD_EVENT_ONESHOT);
}

/* The watchdog runs while anybody has a grant. */
static void set_look(struct schedule *s)
{
	uint64_t shortest = SCHED_NEVER;
	int enabled = SD_EVENT_OFF;

	sd_event_source_get_enabled(s->look, &enabled);
	for (struct vgpu *v = s->manager->vgpus; v; v = v->next)
		if (v->scheduled && v->scheduled->sched &&
		    sched_grant(v->scheduled->sched)->kind !=
			    SCHED_GRANT_NONE &&
		    v->sched_params.watchdog < shortest)
			shortest = v->sched_params.watchdog;
	if (shortest == SCHED_NEVER)
		sd_event_source_set_enabled(s->look, SD_EVENT_OFF);
	else if (enabled == SD_EVENT_OFF)
		set_timer(s->look, clock_ns() + shortest / LOOKS);
}

static void settle(struct schedule *s)
{
	struct sched_vgpu *v;

	while ((v = sched_changed(s->sched)))
		publish(s, sched_owner(v));
	set_timer(s->deadline, sched_deadline(s->sched));
	set_look(s);
	trace_scheduled(s->manager);
}

static int deadline_passed(sd_event_source *source, uint64_t usec,
			   void *userdata)
{
	struct schedule *s = userdata;

	(void)source;
	(void)usec;
	sched_advance(s->sched, clock_ns());
	settle(s);
	return 0;
}

/* ----------------------------------------------------- from the workers */

/* What the report says that the sched does not know yet. It is the state of
 * the gate, so nothing is lost by being read late, and what is of another
 * grant than the one of now says nothing. */
static void heed(struct schedule *s, struct scheduled *from, uint64_t now)
{
	const struct grant_report *r = &from->seat.report;
	const struct sched_grant *g;

	if (!seat_hear(&from->seat) || !from->sched)
		return;
	g = sched_grant(from->sched);
	if (g->kind != SCHED_GRANT_NONE && r->end.epoch == g->epoch)
		sched_ended(s->sched, from->sched, &r->end, now);
	else if (r->yields && r->yield_epoch == g->epoch && !g->lent &&
		 r->yield_resumes == g->resumes)
		sched_yields(s->sched, from->sched, g->epoch, now);
	if (r->wants)
		sched_wants(s->sched, from->sched, now);
	else
		sched_idles(s->sched, from->sched, now);
}

static int reported(sd_event_source *source, int fd, uint32_t events,
		    void *userdata)
{
	struct scheduled *from = userdata;
	struct schedule *s = of(from->vgpu);

	(void)source;
	(void)events;
	grant_quiet(fd);
	heed(s, from, clock_ns());
	settle(s);
	return 0;
}

/* --------------------------------------------------------------- watchdog */

static void strike(struct scheduled *at_fault, uint32_t channel)
{
	struct vgpu *v = at_fault->vgpu;
	struct sched_figures f = sched_figures(of(v)->sched, at_fault->sched);
	double limit = (double)v->sched_params.watchdog / 1e9;
	char what[32] = "it", why[WORKER_WHY_MAX];

	if (!v->worker || worker_is_dying(v->worker))
		return;
	if (channel == GATE_CHANNELS - 1)
		snprintf(what, sizeof(what), "a picture of a head");
	else if (channel != SCHED_NO_CHANNEL)
		snprintf(what, sizeof(what), "channel %u", channel + 1);
	snprintf(why, sizeof(why), "%s kept the GPU for more than %g s "
		 "(watchdog)", what, limit);
	if (f.held_until)
		log_warning("%s: has kept the GPU %u times: held back for "
			    "%.0f s", v->name, f.strikes,
			    (double)(f.held_until - clock_ns()) / 1e9);
	at_fault->killed = true;
	worker_kill(v->worker, why);
}

static int look(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct schedule *s = userdata;
	struct sched_vgpu *late;
	uint64_t now = clock_ns();
	bool killed = false;
	uint32_t channel;

	(void)source;
	(void)usec;
	for (struct vgpu *v = s->manager->vgpus; v; v = v->next) {
		struct scheduled *one = v->scheduled;

		if (!one || !one->sched)
			continue;
		killed |= one->killed;
		heed(s, one, now);
		sched_note_running(s->sched, one->sched,
				   &one->seat.report.running);
	}
	/* The others' time begins anew: who is late as well is next time. One
	 * that dies slowly is no second fault. */
	late = killed ? NULL : sched_overdue(s->sched, now, &channel);
	if (late)
		strike(sched_owner(late), channel);
	settle(s);
	return 0;
}

/* --------------------------------------------------------------- settings */

const struct sched_config *schedule_config(const struct manager *m)
{
	return sched_config(m->schedule->sched);
}

/* Of all vGPUs, there or not, if one had `params`. */
static uint64_t shares(const struct manager *m, const struct vgpu *one,
		       const struct sched_params *params)
{
	uint64_t sum = 0;

	for (const struct vgpu *v = m->vgpus; v; v = v->next)
		sum += v == one ? params->share : v->sched_params.share;
	return sum;
}

static void enroll(struct scheduled *one)
{
	struct vgpu *v = one->vgpu;
	int r;

	if (one->sched)
		return;
	r = sched_add(of(v)->sched, &v->sched_params, one, clock_ns(),
		      &one->sched);
	if (!r)
		sched_recall(of(v)->sched, one->sched, &v->sched_past,
			     clock_ns());
	else if (r == -ENOSPC)
		log_error("%s: no share of the GPU is left for it: it renders "
			  "nothing until there is", v->name);
	else
		log_error("%s: not scheduled: %s", v->name, strerror(-r));
}

/* After a change that may have made room for some. */
static void changed(struct schedule *s)
{
	uint64_t now = clock_ns();

	for (struct vgpu *v = s->manager->vgpus; v; v = v->next)
		if (v->scheduled && !v->scheduled->sched) {
			enroll(v->scheduled);
			v->scheduled->seat.heard_number = 0;
			heed(s, v->scheduled, now);
		}
	settle(s);
}

int schedule_configure(struct manager *m, const struct sched_config *config)
{
	int r;

	if (config->policy == SCHED_FIXED_SHARE &&
	    shares(m, NULL, NULL) > SCHED_WHOLE)
		return -ENOSPC;
	r = sched_configure(m->schedule->sched, config, clock_ns());
	if (!r)
		changed(m->schedule);
	return r;
}

const struct sched_params *schedule_params(const struct vgpu *v)
{
	return &v->sched_params;
}

int schedule_set(struct vgpu *v, const struct sched_params *params)
{
	struct schedule *s = of(v);
	int r = 0;

	if (sched_params_wrong(params))
		return -EINVAL;
	if (sched_config(s->sched)->policy == SCHED_FIXED_SHARE &&
	    shares(v->manager, v, params) > SCHED_WHOLE)
		return -ENOSPC;
	if (v->scheduled && v->scheduled->sched)
		r = sched_set(s->sched, v->scheduled->sched, params, clock_ns());
	if (r < 0)
		return r;
	v->sched_params = *params;
	if (v->scheduled && v->scheduled->sched)
		publish(s, v->scheduled);	/* the watchdog */
	changed(s);
	return 0;
}

/* ---------------------------------------------------------------- figures */

bool schedule_figures(const struct vgpu *v, struct sched_figures *ret)
{
	const struct scheduled *one = v->scheduled;
	const struct sched_grant *g;
	struct grant_report r;
	uint64_t number = 0;

	if (!one || !one->sched)
		return false;
	*ret = sched_figures(of(v)->sched, one->sched);
	/* People count a guest's channels as the guest does. */
	if (ret->channel_at_fault != SCHED_NO_CHANNEL)
		ret->channel_at_fault++;
	/* A grant that goes on for long is not over for long. */
	g = sched_grant(one->sched);
	if (g->kind != SCHED_GRANT_NONE &&
	    grant_report_hear(one->seat.page, &number, &r) > 0 &&
	    r.epoch == g->epoch)
		ret->used += r.used;
	return true;
}

bool schedule_channel(const struct vgpu *v, uint32_t n, uint64_t *ret_used,
		      uint64_t *ret_batches)
{
	const struct grant_channel *c;

	if (!v->scheduled || n >= GATE_CHANNELS)
		return false;
	c = &v->scheduled->seat.page->channels[n];
	*ret_used = atomic_load(&c->used);
	*ret_batches = atomic_load(&c->batches);
	return true;
}

/* ------------------------------------------------------ coming and going */

/* Its gate may hold what an earlier pvgpud granted: that is revoked, and
 * nobody is granted anything until it has ended. */
static void take_over(struct schedule *s, struct scheduled *one)
{
	const struct sched_grant *told = &one->seat.told.grant;

	if (!one->sched)
		return;
	sched_adopt(s->sched, one->sched, told->epoch,
		    told->kind != SCHED_GRANT_NONE, clock_ns());
	heed(s, one, clock_ns());
}

int schedule_join(struct vgpu *v)
{
	struct schedule *s = of(v);
	struct scheduled *one;
	bool claimed;
	int r;

	if (v->scheduled)
		return 0;
	one = calloc(1, sizeof(*one));
	if (!one)
		return -ENOMEM;
	one->vgpu = v;
	r = seat_take(&one->seat, v->manager->store, v->name, s->board_fd,
		      &claimed);
	if (r < 0)
		goto fail;
	r = sd_event_add_io(v->manager->event, &one->reports,
			    one->seat.fds[WORKER_GRANT_REPORT], EPOLLIN,
			    reported, one);
	if (r >= 0)
		r = sd_event_source_set_ratelimit(one->reports, REPORTS_USEC,
						  REPORTS_MAX);
	if (r >= 0)
		r = sd_event_source_set_priority(one->reports,
						 SD_EVENT_PRIORITY_IMPORTANT);
	if (r < 0)
		goto fail;
	v->scheduled = one;
	enroll(one);
	if (claimed)
		take_over(s, one);
	settle(s);
	return 0;
fail:
	log_error("%s: no page for its grants: %s", v->name, strerror(-r));
	sd_event_source_disable_unref(one->reports);
	seat_drop(&one->seat, v->manager->store, v->name);
	free(one);
	return r;
}

void schedule_leave(struct vgpu *v)
{
	struct schedule *s = of(v);
	struct scheduled *one = v->scheduled;

	if (!one)
		return;
	v->scheduled = NULL;
	if (one->sched) {
		uint32_t id = sched_id(one->sched);

		v->sched_past = sched_past(one->sched);
		sched_remove(s->sched, one->sched, clock_ns());
		forget(s, id);
	}
	sd_event_source_disable_unref(one->reports);
	seat_drop(&one->seat, v->manager->store, v->name);
	free(one);
	changed(s);
}

void schedule_worker_gone(struct vgpu *v)
{
	struct schedule *s = of(v);
	struct scheduled *one = v->scheduled;
	const struct grant_report *r;
	uint64_t now = clock_ns();

	if (!one)
		return;
	one->killed = false;
	if (one->sched) {
		/* What it said last, and then nothing any more. */
		heed(s, one, now);
		r = &one->seat.report;
		sched_lost(s->sched, one->sched,
			   r->epoch == sched_grant(one->sched)->epoch ?
			   r->used : 0, now);
	}
	seat_clear(&one->seat);
	settle(s);
}

const int *schedule_descriptors(const struct vgpu *v)
{
	return v->scheduled ? v->scheduled->seat.fds : NULL;
}

/* ------------------------------------------------------------ start, end */

static int take_board(struct schedule *s, struct store *store)
{
	int r;

	s->board_fd = store_claim(store, BOARD_NAME, NULL);
	if (s->board_fd < 0) {
		s->board_fd = sealed_memfd("board", "gpu", sizeof(*s->board));
		if (s->board_fd < 0)
			return s->board_fd;
		r = store_add(store, BOARD_NAME, NULL, s->board_fd);
		if (r < 0)
			return r;
	}
	r = sealed_map(s->board_fd, sizeof(*s->board), (void **)&s->board);
	/* The numbers are dealt anew. */
	for (uint32_t id = 0; !r && id <= SCHED_VGPUS_MAX; id++)
		grant_board_arm(s->board, id, 0);
	return r;
}

static int add_timer(struct schedule *s, sd_event_source **ret,
		     sd_event_time_handler_t handler)
{
	int r = sd_event_add_time(s->manager->event, ret, CLOCK_MONOTONIC, 0,
				  1, handler, s);

	if (r >= 0)
		r = sd_event_source_set_enabled(*ret, SD_EVENT_OFF);
	if (r >= 0)
		r = sd_event_source_set_priority(*ret,
						 SD_EVENT_PRIORITY_IMPORTANT);
	return r;
}

int schedule_new(struct manager *m)
{
	struct sched_config config = sched_config_default(1);
	struct schedule *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	s->manager = m;
	s->board_fd = -1;
	m->schedule = s;
	r = sched_new(&config, &s->sched);
	if (r >= 0)
		r = take_board(s, m->store);
	if (r >= 0)
		r = add_timer(s, &s->deadline, deadline_passed);
	if (r >= 0)
		r = add_timer(s, &s->look, look);
	if (r < 0)
		schedule_free(m);
	return r < 0 ? r : 0;
}

void schedule_free(struct manager *m)
{
	struct schedule *s = m->schedule;

	if (!s)
		return;
	sd_event_source_disable_unref(s->deadline);
	sd_event_source_disable_unref(s->look);
	sched_free(s->sched);
	if (s->board)
		munmap(s->board, sizeof(*s->board));
	close_fd(s->board_fd);
	free(s);
	m->schedule = NULL;
}
