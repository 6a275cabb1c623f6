/* SPDX-License-Identifier: MIT */
/*
 * Rendering without manners: streams of noise, good streams with words that
 * are others, transfers out of every range, names of others, contexts and
 * surfaces by the thousand. Nothing of it waits for an answer.
 */
#ifndef PVGPU_CONFORM_VIRGL_NOISE_H
#define PVGPU_CONFORM_VIRGL_NOISE_H

#include "virgl_guest.h"

#define NOISE_CHANNEL 3u

struct virgl_noise {
	struct guest *g;
	uint32_t random;		/* state, not 0 */
	uint32_t commands;		/* the resource with the streams */
	uint8_t *bytes;			/* of it */
	uint64_t batches, requests;	/* sent so far */
	struct stream good, wild;
};

/* Some contexts with surfaces and a channel, in good order, of a guest that
 * has just attached. False: the vGPU does not render, or has had enough. */
bool noise_begin(struct virgl_noise *n, struct guest *g, uint32_t seed);
/* Sends one thing more. False: the rings are full; their completions were
 * taken. */
bool noise_step(struct virgl_noise *n);

#endif
