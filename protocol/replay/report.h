/* SPDX-License-Identifier: MIT */
/* A player of pvgpu-replay's command line, and what is told of it. */
#ifndef PVGPU_REPLAY_REPORT_H
#define PVGPU_REPLAY_REPORT_H

#include <pthread.h>

#include "protocol/replay/player.h"

struct client {
	const char *path, *socket;
	const struct recording *recording;	/* its own, or one before's */
	struct recording own;
	struct player player;
	struct player_load load;
	uint64_t wanted_batch;		/* ns, 0: the load says how many */
	uint64_t batch;			/* ns that one takes alone; 0: unknown */
	struct player_figures figures;
	uint32_t worst;			/* distance of a picture, of 255 */
	pthread_t thread;
	bool failed;
	char why[256];
};

/* `checked`: nothing was measured. */
void report_text(const struct client *clients, uint32_t count, bool checked);
void report_json(const struct client *clients, uint32_t count, bool checked);
void report_recording(const char *path, const struct recording *r);

#endif
