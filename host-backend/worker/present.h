/* SPDX-License-Identifier: MIT */
/*
 * Pictures for those who look: a head composed into a sealed memfd, in bands
 * between the guest's messages. A commit to the head that is being composed
 * waits until the picture is whole: for the rest of one copy, never for the
 * viewer. With nobody looking nothing is copied.
 */
#ifndef PVGPU_WORKER_PRESENT_H
#define PVGPU_WORKER_PRESENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compose.h"

struct worker;
struct head;

struct present {
	struct composer composer;
	const struct head *head;	/* being composed, or NULL */
	uint32_t cookie;		/* of the manager's request */
	int memfd;
	uint8_t *pixels;
	size_t size;
	uint32_t stride;		/* bytes */
	uint32_t row;			/* next to be composed */
};

void present_init(struct present *p);
void present_finish(struct present *p);
/* Begins the picture of a head; answered through link_screenshot(), now or
 * later. No other may be under way. */
void present_begin(struct worker *w, uint32_t head, uint32_t cookie);
/* One band; returns whether there is more to do. */
bool present_turn(struct worker *w);
/* The head is about to show something else. */
void present_before_latch(struct worker *w, const struct head *head);
/* The heads go dark in the middle of it. */
void present_cancel(struct worker *w);

#endif
