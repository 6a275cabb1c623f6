/* SPDX-License-Identifier: MIT */
/*
 * Attach, reset and loss: the guest's block, the host's block, nonce and
 * generation. spec.md "Attach" and "Reset".
 */
#ifndef PVGPU_WORKER_ATTACH_H
#define PVGPU_WORKER_ATTACH_H

#include <stdbool.h>
#include <stdint.h>

struct worker;

struct attachment {
	uint32_t state;			/* PVGPU_STATE_* */
	uint32_t generation;
	uint64_t nonce;			/* last answered */
	uint64_t features;		/* granted */
	uint32_t guest_os;		/* as it says */
	uint32_t driver_version;
	char driver_name[33];		/* printable */
	char os_name[65];
};

/* The worker begins: a new generation, state DETACHED, or LOST if another
 * worker served this window before; then a look at the guest's nonce. */
void attach_start(struct worker *w);
/* Doorbell 0: attaches or detaches if the nonce says so. */
void attach_look(struct worker *w);
/* Gives back a piece of the VRAM of a guest that has left for good; whether
 * there is more. */
bool attach_sweep(struct worker *w);
/* The guest's side of a queue makes no sense: nothing of it is believed any
 * more until the next attach. The picture stays. */
void attach_broken(struct worker *w, uint32_t queue);

#endif
