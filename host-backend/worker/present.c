// SPDX-License-Identifier: MIT
/* Screenshots; see present.h. */
#include "present.h"

#include <fcntl.h>
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
	p->head = NULL;
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

void present_begin(struct worker *w, uint32_t head, uint32_t cookie)
{
	struct present *p = &w->present;
	const struct head *h;

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
}

/* The picture is whole: nobody can change it any more, then it goes out. */
static void deliver(struct worker *w)
{
	struct present *p = &w->present;
	const struct head_state *s = &p->head->now;
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

bool present_turn(struct worker *w)
{
	struct present *p = &w->present;
	const struct head_state *s;
	uint32_t rows;
	int ret;

	if (!p->head)
		return false;
	s = &p->head->now;
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

void present_before_latch(struct worker *w, const struct head *head)
{
	if (w->present.head == head)
		while (present_turn(w))
			;
}

void present_cancel(struct worker *w)
{
	if (w->present.head)
		fail(w, w->present.cookie, ENODATA);
}
