/* SPDX-License-Identifier: MIT */
/* What a test can tell the fake worker, and what it shows. */
#ifndef PVGPU_HELPER_FAKE_WORKER_H
#define PVGPU_HELPER_FAKE_WORKER_H

/* At the start of the guest's region, read at start and at each doorbell 0. */
enum fake_order {
	FAKE_BEHAVE,
	FAKE_CRASH,			/* SIGSEGV */
	FAKE_EXIT,			/* status 7 */
	FAKE_JUNK,			/* a message that is none */
	FAKE_DEAF,			/* closes its socket, lives on */
	FAKE_SILENT,			/* never answers a query */
	FAKE_WRONG_COOKIE,
	FAKE_SHORT_PICTURE,
	FAKE_UNSEALED_PICTURE,
	FAKE_WILD_TRACE,		/* records that make no sense */
};

#define FAKE_WIDTH	64u
#define FAKE_HEIGHT	48u
#define FAKE_HEADS	1024u		/* bytes from the region's start */
#define FAKE_FRAME_LIMIT 2048u		/* there: what it was told last */
#define FAKE_DARK_HEAD	1u
#define FAKE_BATCHES	10u		/* more at each question, */
#define FAKE_GPU_TIME	3000000u	/* ns */
#define FAKE_FENCE	77u		/* of a batch in its trace */
#define FAKE_PIXEL(head, i) ((uint32_t)(head) << 20 | (uint32_t)(i))

#endif
