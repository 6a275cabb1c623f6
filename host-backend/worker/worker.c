// SPDX-License-Identifier: MIT
/* A worker's making, its turn, and its end; see worker.h. */
#include "worker.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "common/sealed.h"
#include "link.h"

/* What epoll says is ready: a doorbell's vector, or this. */
#define THE_LINK WINDOW_VECTORS
#define THE_RENDERER (WINDOW_VECTORS + 1)

static int watch(struct worker *w, int fd, uint32_t what)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u32 = what };

	return epoll_ctl(w->epoll, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

/* The state page is the manager's own: nobody but us and it has it. */
static int map_state(int fd, struct worker_state **ret)
{
	struct stat st;
	void *at;

	if (fstat(fd, &st))
		return -errno;
	if ((uint64_t)st.st_size < sizeof(struct worker_state))
		return -EINVAL;
	at = mmap(NULL, sizeof(struct worker_state), PROT_READ | PROT_WRITE,
		  MAP_SHARED, fd, 0);
	if (at == MAP_FAILED)
		return -errno;
	*ret = at;
	return 0;
}

static bool limits_ok(const struct vgpu_limits *l)
{
	return l->default_width && l->default_width <= l->max_width &&
	       l->default_height && l->default_height <= l->max_height &&
	       l->default_refresh && l->default_refresh <= l->max_refresh &&
	       l->max_refresh <= PACER_RATE_MAX &&
	       l->max_width <= UINT16_MAX && l->max_height <= UINT16_MAX;
}

int worker_init(struct worker *w, const struct worker_init *init,
		const int *fds)
{
	cleanup_fd int window = fds[0], state = fds[1];
	int ret;

	memset(w, 0, sizeof(*w));
	w->link = -1;
	w->epoll = -1;
	for (uint32_t v = 0; v < WINDOW_VECTORS; v++) {
		w->doorbells[v] = fds[2 + v];
		w->vectors[v] = fds[2 + WINDOW_VECTORS + v];
	}
	ret = grants_open(&w->grants, &fds[WORKER_INIT_GRANTS]);
	if (ret)
		return ret;
	present_init(&w->present);
	w->guest_log = (struct log_limit){ .burst = 20, .seconds = 60 };
	log_printable(w->name, sizeof(w->name), init->name,
		      sizeof(init->name));
	w->limits = init->limits;
	w->gpu = init->gpu;
	ret = window_layout(&w->layout, &w->limits);
	if (ret)
		return ret;
	if (!limits_ok(&w->limits) ||
	    limiter_set(&w->limiter, init->frame_limit))
		return -EINVAL;
	ret = sealed_map(window, w->layout.size, (void **)&w->window);
	if (!ret)
		ret = map_state(state, &w->kept);
	if (ret)
		return ret;
	ledger_init(&w->ledger, w->layout.vram_size,
		    w->limits.device_budget);
	ret = resource_table_init(&w->resources,
				  w->window + w->layout.vram_offset,
				  w->layout.vram_size,
				  w->limits.max_resources,
				  w->limits.max_extents, &w->ledger);
	if (ret)
		return ret;
	heads_init(&w->heads, &w->limits);
	w->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (w->epoll < 0)
		return -errno;
	for (uint32_t v = 0; v < WINDOW_VECTORS; v++) {
		/* Nothing that the guest does to a counter may block us. */
		if (fcntl(w->doorbells[v], F_SETFL, O_NONBLOCK) ||
		    fcntl(w->vectors[v], F_SETFL, O_NONBLOCK))
			return -errno;
		ret = watch(w, w->doorbells[v], v);
		if (ret)
			return ret;
	}
	return 0;
}

int worker_watch_link(struct worker *w, int link)
{
	int ret;

	if (fcntl(link, F_SETFL, O_NONBLOCK))
		return -errno;
	ret = watch(w, link, THE_LINK);
	if (ret)
		return ret;
	w->link = link;
	w->link_watched = true;
	return 0;
}

int worker_watch_renderer(struct worker *w)
{
	return watch(w, w->virgl.renderer->done_fd, THE_RENDERER);
}

void worker_finish(struct worker *w)
{
	virgl_finish(w);
	for (uint32_t i = 0; i < PVGPU_MAX_CHANNELS; i++)
		if (w->channels[i].open) {
			w->channels[i].class->close(w, &w->channels[i]);
			free(w->channels[i].batches);
		}
	present_finish(&w->present);
	trace_stop(&w->trace);
	resource_table_finish(&w->resources);
	if (w->window)
		munmap(w->window, w->layout.size);
	if (w->kept)
		munmap(w->kept, sizeof(*w->kept));
	for (uint32_t v = 0; v < WINDOW_VECTORS; v++) {
		close_fd(w->doorbells[v]);
		close_fd(w->vectors[v]);
	}
	grants_close(&w->grants);
	close_fd(w->link);
	close_fd(w->epoll);
}

void worker_name_renderer(struct worker *w, const char *renderer)
{
	snprintf(w->renderer, sizeof(w->renderer), "%s",
		 renderer ? renderer : "");
}

static void doorbell(struct worker *w, uint32_t vector)
{
	uint64_t count;

	if (read(w->doorbells[vector], &count, sizeof(count)) !=
	    sizeof(count))
		return;
	w->statistics.doorbells++;
	if (trace_on(&w->trace))
		trace_event(&w->trace, TRACE_DOORBELL, vector, 0);
	if (!vector)
		attach_look(w);
	queues_ring(w, vector);
}

/* A timeout that is also no longer than `ns`, but for being whole. */
static int shorter(int timeout_ms, uint64_t ns)
{
	uint64_t ms = ns / 1000000 + 1;

	return ms > INT_MAX || (timeout_ms >= 0 && (uint64_t)timeout_ms < ms) ?
	       timeout_ms : (int)ms;
}

int worker_turn(struct worker *w, int timeout_ms)
{
	struct epoll_event events[WINDOW_VECTORS + 2];
	bool more;
	int n, ret = 0;

	deferred_due(w);
	more = queues_turn(w);		/* sends the interrupts, too */
	more |= present_turn(w);
	more |= attach_sweep(w);
	/* No more requests are read than can wait. */
	if (w->link >= 0 && present_has_room(&w->present) != w->link_watched) {
		struct epoll_event event = {
			.events = w->link_watched ? 0 : EPOLLIN,
			.data.u32 = THE_LINK,
		};

		w->link_watched = !w->link_watched;
		if (epoll_ctl(w->epoll, EPOLL_CTL_MOD, w->link, &event))
			return -errno;
	}
	n = epoll_wait(w->epoll, events, ARRAY_SIZE(events),
		       more ? 0 : shorter(timeout_ms, deferred_wait(w)));
	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	for (int i = 0; i < n && !ret; i++) {
		if (events[i].data.u32 < WINDOW_VECTORS)
			doorbell(w, events[i].data.u32);
		else if (events[i].data.u32 == THE_RENDERER)
			virgl_done(w);
		else if (events[i].events & EPOLLIN)
			ret = link_serve(w);
		else
			ret = -EPIPE;
	}
	return ret;
}
