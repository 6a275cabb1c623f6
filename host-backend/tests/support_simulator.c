// SPDX-License-Identifier: MIT
/* A simulated GPU in virtual time; see support_simulator.h. */
#include "support_simulator.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#define GPU_QUEUE 8192u
#define GUEST_DEPTH_MAX 64u

enum event_kind {
	EVENT_GPU, EVENT_PLACE, EVENT_PREPARED, EVENT_ON, EVENT_OFF,
	EVENT_STEP, EVENT_SCHED, EVENT_MESSAGE, EVENT_GRANT, EVENT_AWAKE,
	EVENT_WATCH,
};

struct event {
	uint64_t at, serial;
	enum event_kind kind;
	uint32_t n, life;
	struct gate_message message;
};

struct guest {
	struct sim *sim;
	struct sched_vgpu *vgpu;
	struct gate gate;
	struct sim_guest what;
	bool there, on;
	uint32_t life;			/* of guest and worker */
	uint32_t wanted;		/* batches to be prepared */
	bool preparing;
	uint64_t ready_at[GUEST_DEPTH_MAX];
	uint32_t ready_first, ready;
	uint64_t asleep_until, step_at;
	bool queued;
	bool shared;			/* has batches among others' */
	struct sim_figures figures;
};

struct gpu_batch {
	uint32_t n, life;
	uint64_t cost;
	bool shared;			/* others' may be between its own */
};

struct sim {
	struct sched *sched;
	struct guest **guests;
	uint32_t count, by_id[SCHED_VGPUS_MAX + 2];
	struct event *events;
	uint32_t events_count, events_room;
	uint64_t now, serial, steps, random;
	uint64_t latency, hop, watch_every;
	struct gpu_batch gpu[GPU_QUEUE];
	uint32_t gpu_first, gpu_count;
	uint64_t gpu_since, busy, idle_ready, sched_at;
	uint32_t ready_guests;
	bool was_shared;
	uint32_t *work;			/* guests to look after */
	uint32_t work_count;
};

uint64_t sim_random(struct sim *sim, uint64_t below)
{
	sim->random ^= sim->random << 13;
	sim->random ^= sim->random >> 7;
	sim->random ^= sim->random << 17;
	return below ? sim->random % below : 0;
}

/* ---------------------------------------------------------------- events */

static bool earlier(const struct event *a, const struct event *b)
{
	return a->at != b->at ? a->at < b->at : a->serial < b->serial;
}

static void post(struct sim *sim, struct event event)
{
	uint32_t i = sim->events_count++;

	if (sim->events_count > sim->events_room) {
		sim->events_room = sim->events_room ? 2 * sim->events_room : 64;
		sim->events = realloc(sim->events, sim->events_room *
						   sizeof(*sim->events));
		assert_non_null(sim->events);
	}
	event.serial = sim->serial++;
	while (i && earlier(&event, &sim->events[(i - 1) / 2])) {
		sim->events[i] = sim->events[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	sim->events[i] = event;
}

static struct event take(struct sim *sim)
{
	struct event first = sim->events[0];
	struct event last = sim->events[--sim->events_count];
	uint32_t i = 0, child;

	while ((child = 2 * i + 1) < sim->events_count) {
		if (child + 1 < sim->events_count &&
		    earlier(&sim->events[child + 1], &sim->events[child]))
			child++;
		if (!earlier(&sim->events[child], &last))
			break;
		sim->events[i] = sim->events[child];
		i = child;
	}
	sim->events[i] = last;
	return first;
}

static void post_guest(struct sim *sim, struct guest *g, uint32_t n,
		       enum event_kind kind, uint64_t after)
{
	post(sim, (struct event){
		.at = sim->now + after, .kind = kind, .n = n, .life = g->life,
	});
}

static void look_after(struct sim *sim, uint32_t n)
{
	if (sim->guests[n]->queued)
		return;
	sim->guests[n]->queued = true;
	sim->work[sim->work_count++] = n;
}

static void take_changes(struct sim *sim)
{
	struct sched_vgpu *v;
	uint64_t at;

	while ((v = sched_changed(sim->sched))) {
		uint32_t n = sim->by_id[sched_id(v)];

		if (sim->latency) {
			post_guest(sim, sim->guests[n], n, EVENT_GRANT,
				   sim->latency);
			continue;
		}
		gate_update(&sim->guests[n]->gate, sched_grant(v), sim->now);
		look_after(sim, n);
	}
	at = sched_deadline(sim->sched);
	/* Only an earlier one needs an event; a later one is asked for then. */
	if (at < sim->sched_at || sim->sched_at <= sim->now) {
		if (at != SCHED_NEVER) {
			assert_true(at >= sim->now);
			post(sim, (struct event){ .at = at,
						  .kind = EVENT_SCHED });
		}
		sim->sched_at = at;
	}
}

/* ------------------------------------------------------------------- GPU */

/* An octave by chance, then a place in it. */
static uint64_t batch_cost(struct sim *sim, const struct sim_guest *what)
{
	uint64_t low = what->cost_min, high;
	uint32_t octaves = 0;

	while (low << octaves < what->cost_max)
		octaves++;
	if (!octaves)
		return low;
	low <<= sim_random(sim, octaves);
	high = 2 * low < what->cost_max ? 2 * low : what->cost_max;
	return low + sim_random(sim, high - low + 1);
}

static void gpu_start(struct sim *sim)
{
	sim->gpu_since = sim->now;
	post(sim, (struct event){
		.at = sim->now + sim->gpu[sim->gpu_first].cost,
		.kind = EVENT_GPU, .n = sim->gpu_first,
		.life = sim->gpu[sim->gpu_first].life,
	});
}

static bool exclusive(const struct sim *sim)
{
	return sched_config(sim->sched)->policy != SCHED_BEST_EFFORT;
}

static void submit(struct sim *sim, struct guest *g, uint32_t n)
{
	uint32_t last = (sim->gpu_first + sim->gpu_count - 1) % GPU_QUEUE;
	uint64_t waited;

	/* Until it learns that all no longer run at once. */
	if (sched_grant(g->vgpu)->kind != SCHED_GRANT_DRAIN)
		sim->was_shared = false;
	if (sim->gpu_count && sim->gpu[last].n != n && exclusive(sim) &&
	    !sim->was_shared)
		fail_msg("vGPU %u submits with work of vGPU %u in flight", n,
			 sim->gpu[last].n);
	assert_true(sim->gpu_count < GPU_QUEUE);
	waited = sim->now - g->ready_at[g->ready_first];
	if (waited > g->figures.longest_wait)
		g->figures.longest_wait = waited;
	g->ready_first = (g->ready_first + 1) % GUEST_DEPTH_MAX;
	if (!exclusive(sim) || g->gate.flight_count == 1)
		g->shared = !exclusive(sim) || sim->was_shared;
	if (!--g->ready)
		sim->ready_guests--;
	sim->gpu[(last + 1) % GPU_QUEUE] = (struct gpu_batch){
		.n = n, .life = g->life, .cost = batch_cost(sim, &g->what),
		.shared = !exclusive(sim) || sim->was_shared || g->shared,
	};
	if (!sim->gpu_count++)
		gpu_start(sim);
}

static uint64_t varied(struct sim *sim, const struct sim_guest *what,
		       uint64_t ns)
{
	return what->jitter ? ns / 2 + sim_random(sim, ns + 1) : ns;
}

static void gpu_done(struct sim *sim)
{
	struct gpu_batch batch = sim->gpu[sim->gpu_first];
	struct guest *g = sim->guests[batch.n];

	sim->gpu_first = (sim->gpu_first + 1) % GPU_QUEUE;
	sim->gpu_count--;
	sim->busy += batch.cost;
	if (g->there && batch.life == g->life) {
		uint64_t took = gate_fenced(&g->gate, sim->now);

		if (!batch.shared)
			assert_int_equal(took, batch.cost);
		g->figures.used += batch.cost;
		g->figures.batches++;
		if (!g->ready && !g->gate.flight_count)
			g->figures.ever_unready = true;
		post_guest(sim, g, batch.n, EVENT_PLACE,
			   varied(sim, &g->what, g->what.think));
		look_after(sim, batch.n);
	}
	if (sim->gpu_count)
		gpu_start(sim);
}

/* ---------------------------------------------------------------- guests */

static void prepared(struct sim *sim, struct guest *g, uint32_t n)
{
	if (!g->ready++)
		sim->ready_guests++;
	g->ready_at[(g->ready_first + g->ready - 1) % GUEST_DEPTH_MAX] =
		sim->now;
	gate_ready(&g->gate, n % 3, 1, sim->now);
	look_after(sim, n);
}

static void prepare(struct sim *sim, struct guest *g, uint32_t n)
{
	while (g->wanted && !g->what.prepare) {
		g->wanted--;
		prepared(sim, g, n);
	}
	if (g->wanted && !g->preparing) {
		g->wanted--;
		g->preparing = true;
		gate_preparing(&g->gate, true, sim->now);
		look_after(sim, n);
		post_guest(sim, g, n, EVENT_PREPARED, g->what.prepare);
	}
}

static void place_free(struct sim *sim, struct guest *g, uint32_t n)
{
	if (!g->on || g->wanted + g->ready + g->gate.flight_count +
		      g->preparing >= g->what.depth)
		return;
	g->wanted++;
	prepare(sim, g, n);
}

static void turn_on(struct sim *sim, struct guest *g, uint32_t n)
{
	uint32_t under_way = g->wanted + g->ready + g->gate.flight_count +
			     g->preparing;

	g->on = true;
	while (under_way++ < g->what.depth)
		place_free(sim, g, n);
	if (g->what.on)
		post_guest(sim, g, n, EVENT_OFF,
			   varied(sim, &g->what, g->what.on));
}

/* ------------------------------------------------------------ the two halves */

static void deliver(struct sim *sim, struct guest *g,
		    const struct gate_message *message)
{
	switch (message->kind) {
	case GATE_WANTS:
		sched_wants(sim->sched, g->vgpu, sim->now);
		break;
	case GATE_IDLES:
		sched_idles(sim->sched, g->vgpu, sim->now);
		break;
	case GATE_YIELDS:
		sched_yields(sim->sched, g->vgpu, message->end.epoch, sim->now);
		break;
	default:
		sched_ended(sim->sched, g->vgpu, &message->end, sim->now);
	}
	take_changes(sim);
}

static void hand_over(struct sim *sim, struct gate_message *message)
{
	uint32_t to;
	struct guest *g;

	if (message->kind != GATE_ENDED || message->successor == SCHED_NOBODY)
		return;
	to = sim->by_id[message->successor];
	g = sim->guests[to];
	if (!g->there || !gate_go(&g->gate, message->successor_epoch, sim->now))
		return;
	message->end.handed = true;
	if (sim->hop) {
		g->asleep_until = sim->now + sim->hop;
		post_guest(sim, g, to, EVENT_AWAKE, sim->hop);
	}
	look_after(sim, to);
}

static void pump(struct sim *sim, uint32_t n)
{
	struct guest *g = sim->guests[n];
	struct gate_message message;
	uint64_t at;
	int channel;

	while (g->there) {
		message = gate_message(&g->gate, sim->now);
		if (message.kind != GATE_NOTHING) {
			hand_over(sim, &message);
			if (sim->latency)
				post(sim, (struct event){
					.at = sim->now + sim->latency, .n = n,
					.kind = EVENT_MESSAGE, .life = g->life,
					.message = message,
				});
			else
				deliver(sim, g, &message);
			continue;
		}
		channel = sim->now < g->asleep_until ? -1 :
			  gate_next(&g->gate, sim->now);
		if (channel < 0)
			break;
		assert_true(gate_submit(&g->gate, (uint32_t)channel, sim->now));
		submit(sim, g, n);
		prepare(sim, g, n);
	}
	at = gate_deadline(&g->gate);
	if (g->there && at != SCHED_NEVER &&
	    (at < g->step_at || g->step_at <= sim->now)) {
		g->step_at = at > sim->now ? at : sim->now;
		post_guest(sim, g, n, EVENT_STEP, g->step_at - sim->now);
	}
}

static void work(struct sim *sim)
{
	while (sim->work_count) {
		uint32_t n = sim->work[--sim->work_count];

		sim->guests[n]->queued = false;
		pump(sim, n);
	}
}

static void watch(struct sim *sim)
{
	struct sched_vgpu *v;
	uint32_t channel;

	for (uint32_t n = 0; n < sim->count; n++) {
		struct sched_running running =
			gate_running(&sim->guests[n]->gate);

		if (sim->guests[n]->there)
			sched_note_running(sim->sched, sim->guests[n]->vgpu,
					   &running);
	}
	while ((v = sched_overdue(sim->sched, sim->now, &channel)))
		sim_kill(sim, sim->by_id[sched_id(v)]);
	post(sim, (struct event){ .at = sim->now + sim->watch_every,
				  .kind = EVENT_WATCH });
}

static void happen(struct sim *sim, const struct event *event)
{
	struct guest *g = event->n < sim->count ? sim->guests[event->n] : NULL;

	switch (event->kind) {
	case EVENT_GPU:
		/* A killed worker's batches are gone, and their event stale. */
		if (sim->gpu_count && event->n == sim->gpu_first &&
		    event->life == sim->gpu[sim->gpu_first].life &&
		    event->at == sim->gpu_since +
				 sim->gpu[sim->gpu_first].cost)
			gpu_done(sim);
		return;
	case EVENT_SCHED:
		if (event->at == sim->sched_at)
			sim->sched_at = 0;
		sched_advance(sim->sched, sim->now);
		take_changes(sim);
		return;
	case EVENT_WATCH:
		if (sim->watch_every)
			watch(sim);
		return;
	default:
		break;
	}
	if (!g->there || event->life != g->life)
		return;
	switch (event->kind) {
	case EVENT_PLACE:
		place_free(sim, g, event->n);
		break;
	case EVENT_PREPARED:
		g->preparing = false;
		gate_preparing(&g->gate, g->wanted, sim->now);
		prepared(sim, g, event->n);
		prepare(sim, g, event->n);
		break;
	case EVENT_ON:
		turn_on(sim, g, event->n);
		break;
	case EVENT_OFF:
		g->on = false;
		post_guest(sim, g, event->n, EVENT_ON,
			   varied(sim, &g->what, g->what.off));
		break;
	case EVENT_STEP:
		if (event->at == g->step_at)
			g->step_at = SCHED_NEVER;
		gate_step(&g->gate, sim->now);
		break;
	case EVENT_MESSAGE:
		deliver(sim, g, &event->message);
		break;
	case EVENT_GRANT:
		gate_update(&g->gate, sched_grant(g->vgpu), sim->now);
		break;
	default:
		break;
	}
	look_after(sim, event->n);
}

void sim_run(struct sim *sim, uint64_t ns)
{
	uint64_t end = sim->now + ns, quiet = 0, last = sim->now;

	work(sim);
	while (sim->events_count && sim->events[0].at <= end) {
		struct event event = take(sim);

		assert_true(event.at >= sim->now);
		if (!sim->gpu_count && sim->ready_guests)
			sim->idle_ready += event.at - sim->now;
		sim->now = event.at;
		sim->steps++;
		quiet = sim->now == last ? quiet + 1 : 0;
		last = sim->now;
		if (quiet > 100000)
			fail_msg("time stands still at %llu",
				 (unsigned long long)sim->now);
		happen(sim, &event);
		work(sim);
	}
	if (!sim->gpu_count && sim->ready_guests)
		sim->idle_ready += end - sim->now;
	sim->now = end;
}

/* ----------------------------------------------------------------- set-up */

struct sim *sim_new(const struct sched_config *config, uint32_t seed)
{
	struct sim *sim = calloc(1, sizeof(*sim));

	assert_non_null(sim);
	assert_int_equal(sched_new(config, &sim->sched), 0);
	sim->random = 0x9e3779b97f4a7c15ull ^ seed;
	sim->now = SEC;
	sim->sched_at = SCHED_NEVER;
	return sim;
}

void sim_free(struct sim *sim)
{
	sched_free(sim->sched);
	for (uint32_t n = 0; n < sim->count; n++)
		free(sim->guests[n]);
	free(sim->guests);
	free(sim->work);
	free(sim->events);
	free(sim);
}

struct sched *sim_sched(struct sim *sim)
{
	return sim->sched;
}

uint64_t sim_now(const struct sim *sim)
{
	return sim->now;
}

void sim_set_latency(struct sim *sim, uint64_t message, uint64_t hop)
{
	sim->latency = message;
	sim->hop = hop;
}

uint32_t sim_add(struct sim *sim, const struct sim_guest *guest,
		 const struct sched_params *params)
{
	uint32_t n = sim->count++;
	struct guest *g = calloc(1, sizeof(*g));

	sim->guests = realloc(sim->guests, sim->count * sizeof(*sim->guests));
	sim->work = realloc(sim->work, sim->count * sizeof(*sim->work));
	assert_true(g && sim->guests && sim->work);
	sim->guests[n] = g;
	assert_true(guest->depth <= GUEST_DEPTH_MAX);
	g->sim = sim;
	g->what = *guest;
	g->there = true;
	g->life = 1;
	g->step_at = SCHED_NEVER;
	gate_init(&g->gate);
	assert_int_equal(sched_add(sim->sched, params, g, sim->now, &g->vgpu),
			 0);
	sim->by_id[sched_id(g->vgpu)] = n;
	take_changes(sim);
	if (!guest->silent)
		turn_on(sim, g, n);
	look_after(sim, n);
	work(sim);
	return n;
}

/* What the GPU was at for it is gone too. */
static void forget_work(struct sim *sim, struct guest *g, uint32_t n)
{
	uint32_t kept = 0;
	bool first = sim->gpu_count && sim->gpu[sim->gpu_first].n == n;

	for (uint32_t i = 0; i < sim->gpu_count; i++) {
		struct gpu_batch b = sim->gpu[(sim->gpu_first + i) % GPU_QUEUE];

		if (b.n != n)
			sim->gpu[(sim->gpu_first + kept++) % GPU_QUEUE] = b;
	}
	sim->gpu_count = kept;
	if (first && kept)
		gpu_start(sim);
	if (g->ready)
		sim->ready_guests--;
	g->ready = g->wanted = 0;
	g->preparing = g->on = false;
	g->life++;
	g->step_at = SCHED_NEVER;
}

void sim_kill(struct sim *sim, uint32_t n)
{
	struct guest *g = sim->guests[n];
	uint64_t used = g->gate.used;

	forget_work(sim, g, n);
	gate_init(&g->gate);
	sched_lost(sim->sched, g->vgpu, used, sim->now);
	take_changes(sim);
	if (!g->what.silent)
		turn_on(sim, g, n);
	look_after(sim, n);
	work(sim);
}

void sim_remove(struct sim *sim, uint32_t n)
{
	struct guest *g = sim->guests[n];

	forget_work(sim, g, n);
	g->there = false;
	sched_remove(sim->sched, g->vgpu, sim->now);
	g->vgpu = NULL;
	take_changes(sim);
	work(sim);
}

void sim_set_guest(struct sim *sim, uint32_t n, const struct sim_guest *guest)
{
	struct guest *g = sim->guests[n];

	g->what = *guest;
	g->on = false;
	if (!guest->silent)
		turn_on(sim, g, n);
	look_after(sim, n);
	work(sim);
}

void sim_configure(struct sim *sim, const struct sched_config *config)
{
	if (!exclusive(sim))
		sim->was_shared = true;
	assert_int_equal(sched_configure(sim->sched, config, sim->now), 0);
	take_changes(sim);
	work(sim);
}

void sim_set(struct sim *sim, uint32_t n, const struct sched_params *params)
{
	assert_int_equal(sched_set(sim->sched, sim->guests[n]->vgpu, params,
				   sim->now), 0);
	take_changes(sim);
	work(sim);
}

void sim_watch(struct sim *sim, uint64_t every)
{
	bool was = sim->watch_every;

	sim->watch_every = every;
	if (!was && every)
		post(sim, (struct event){ .at = sim->now + every,
					  .kind = EVENT_WATCH });
}

struct sched_vgpu *sim_vgpu(struct sim *sim, uint32_t n)
{
	return sim->guests[n]->vgpu;
}

struct gate *sim_gate(struct sim *sim, uint32_t n)
{
	return &sim->guests[n]->gate;
}

void sim_mark(struct sim *sim)
{
	for (uint32_t n = 0; n < sim->count; n++) {
		struct guest *g = sim->guests[n];

		g->figures.ever_unready = !g->ready && !g->gate.flight_count;
		g->figures.longest_wait = 0;
	}
}

struct sim_figures sim_figures(struct sim *sim, uint32_t n)
{
	struct guest *g = sim->guests[n];
	struct sim_figures figures = g->figures;

	figures.there = g->there;
	if (g->ready &&
	    sim->now - g->ready_at[g->ready_first] > figures.longest_wait)
		figures.longest_wait = sim->now - g->ready_at[g->ready_first];
	return figures;
}

uint64_t sim_busy(const struct sim *sim)
{
	return sim->busy;
}

uint64_t sim_idle_ready(const struct sim *sim)
{
	return sim->idle_ready;
}

uint64_t sim_steps(const struct sim *sim)
{
	return sim->steps;
}
