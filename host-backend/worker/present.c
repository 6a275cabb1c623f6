// SPDX-License-Identifier: MIT
/* Screenshots; see present.h. */
#include "present.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "link.h"
#include "worker.h"

void present_init(struct present *p)
{
	*p = (struct present){ .memfd = -1 };
}

/* Lets go of the picture in hand. */
static void put_down(struct present *p)
{
	if (p->pixels)
		munmap(p->pixels, p->size);
	p->pixels = NULL;
	p->memfd = close_fd(p->memfd);
	for (uint32_t i = 0; i < WINDOW_PLANES; i++) {
		free(p->read[i]);
		p->read[i] = NULL;
		p->composer.surfaces[i] = (struct compose_surface){ 0 };
	}
	p->ended |= p->head != NULL;
	p->head = NULL;
	p->reading = 0;
	p->awaited = false;
}

void present_finish(struct present *p)
{
	put_down(p);
	composer_finish(&p->composer);
}

static void fail(struct worker *w, uint32_t cookie, int error)
{
	struct worker_screenshot_done done = {
		.header = { WORKER_SCREENSHOT_DONE, cookie },
		.error = error,
	};

	put_down(&w->present);
	link_screenshot(w, &done, -1);
}

/* Has the renderer read what is seen of a surface. 0 or -ENOMEM. */
static int read_plane(struct worker *w, uint32_t plane)
{
	struct present *p = &w->present;
	const struct plane_state *s = &p->state.planes[plane];
	struct compose_surface *to = &p->composer.surfaces[plane];
	struct job_read_back what = { .plane = plane, .picture = p->number };

	if (!s->resource || s->resource->kind != PVGPU_RESOURCE_SURFACE ||
	    !compose_visible(&p->state, plane, &what.x, &what.y, &what.width,
			     &what.height))
		return 0;
	what.stride = (what.width * pvgpu_format_bytes(s->format) + 3) / 4 * 4;
	what.size = (size_t)what.stride * what.height;
	/* Where the renderer fails, it stays black. */
	what.pixels = calloc(1, what.size);
	if (!what.pixels || !virgl_read_back(w, s->resource, &what)) {
		free(what.pixels);
		return -ENOMEM;
	}
	to->stride = what.stride;
	to->x = what.x;
	to->y = what.y;
	p->reading++;
	return 0;
}

void present_read(struct worker *w, struct job *job)
{
	struct job_read_back *b = &job->read_back;
	struct present *p = &w->present;

	if (!p->head || b->picture != p->number)
		return;			/* nobody waits for it any more */
	p->read[b->plane] = b->pixels;
	p->composer.surfaces[b->plane].pixels = b->pixels;
	b->pixels = NULL;
	p->reading--;
	while (p->awaited && !p->reading && present_turn(w))
		;
}

void present_begin(struct worker *w, uint32_t head, uint32_t cookie)
{
	struct present *p = &w->present;
	const struct head *h;
	int ret = 0;

	if (p->head) {
		p->waiting[p->waiting_count].head = head;
		p->waiting[p->waiting_count++].cookie = cookie;
		return;
	}
	if (head >= w->heads.count) {
		fail(w, cookie, ENODEV);
		return;
	}
	h = &w->heads.head[head];
	if (!h->now.active) {
		fail(w, cookie, ENODATA);
		return;
	}
	p->stride = h->now.width * 4;
	p->size = (size_t)p->stride * h->now.height;
	p->cookie = cookie;
	p->row = 0;
	p->memfd = memfd_create("pvgpu-picture",
				MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (p->memfd < 0 || ftruncate(p->memfd, (off_t)p->size)) {
		fail(w, cookie, errno);
		return;
	}
	p->pixels = mmap(NULL, p->size, PROT_READ | PROT_WRITE, MAP_SHARED,
			 p->memfd, 0);
	if (p->pixels == MAP_FAILED) {
		p->pixels = NULL;
		fail(w, cookie, errno);
		return;
	}
	p->head = h;
	p->state = h->now;
	p->number++;
	for (uint32_t i = 0; i < WINDOW_PLANES && !ret; i++)
		ret = read_plane(w, i);
	if (ret)
		fail(w, cookie, -ret);
}

/* The picture is whole: nobody can change it any more, then it goes out. */
static void deliver(struct worker *w)
{
	struct present *p = &w->present;
	const struct head_state *s = &p->state;
	struct worker_screenshot_done done = {
		.header = { WORKER_SCREENSHOT_DONE, p->cookie },
		.width = s->width,
		.height = s->height,
		.stride = p->stride,
		.frame = s->frame,
	};

	munmap(p->pixels, p->size);
	p->pixels = NULL;
	if (fcntl(p->memfd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW |
		  F_SEAL_WRITE | F_SEAL_SEAL)) {
		fail(w, p->cookie, errno);
		return;
	}
	link_screenshot(w, &done, p->memfd);
	put_down(p);
}

/* One band of the picture; returns whether there is more to do. */
static bool compose_band_of(struct worker *w)
{
	struct present *p = &w->present;
	const struct head_state *s = &p->state;
	uint32_t rows;
	int ret;

	if (!p->head || p->reading)
		return false;
	rows = compose_band(s->width);
	if (rows > s->height - p->row)
		rows = s->height - p->row;
	ret = compose_rows(&p->composer, &w->resources, s, p->row, rows,
			   p->pixels + (size_t)p->row * p->stride, p->stride);
	if (ret) {
		fail(w, p->cookie, -ret);
		return false;
	}
	p->row += rows;
	if (p->row < s->height)
		return true;
	deliver(w);
	return false;
}

/* Where none is in hand: the one that has waited longest. */
static bool begin_next(struct worker *w)
{
	struct present *p = &w->present;
	uint32_t head = p->waiting[0].head, cookie = p->waiting[0].cookie;

	if (p->head || !p->waiting_count)
		return false;
	p->waiting_count--;
	memmove(&p->waiting[0], &p->waiting[1],
		p->waiting_count * sizeof(p->waiting[0]));
	present_begin(w, head, cookie);
	return true;
}

bool present_turn(struct worker *w)
{
	bool more = compose_band_of(w);

	if (w->present.ended && w->attachment.state == PVGPU_STATE_ATTACHED)
		deferred_progress(w);
	w->present.ended = false;
	return begin_next(w) || more;
}

bool present_reads(const struct worker *w, const struct head *head)
{
	return w->present.head == head && w->present.reading;
}

void present_before_latch(struct worker *w, const struct head *head)
{
	if (present_reads(w, head))
		w->present.awaited = true;
	else if (w->present.head == head)
		while (compose_band_of(w))
			;
}

bool present_needs(const struct worker *w, const struct resource *r)
{
	for (uint32_t i = 0; w->present.head && i < WINDOW_PLANES; i++)
		if (w->present.state.planes[i].resource == r)
			return true;
	return false;
}

void present_cancel(struct worker *w)
{
	if (w->present.head)
		fail(w, w->present.cookie, ENODATA);
}
