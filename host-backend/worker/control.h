/* SPDX-License-Identifier: MIT */
/*
 * Control messages: a table of opcodes, sizes and handlers. A handler sees
 * only messages of the current generation whose size the table allows.
 */
#ifndef PVGPU_WORKER_CONTROL_H
#define PVGPU_WORKER_CONTROL_H

#include "verdict.h"

struct worker;

#define ANSWER_MAX (PVGPU_CAPSET_CHUNK_MAX + 64)

/* An answer as the handler fills it: what follows the completion. */
struct answer {
	struct pvgpu_completion done;
	uint8_t data[ANSWER_MAX];
	uint32_t length;		/* of data, bytes; a multiple of 8 */
};

/* Hands an answer struct's part behind its completion to the answer. */
void answer_fill(struct answer *a, const void *whole, size_t size);

/* A bounded number of control messages. */
void control_slice(struct worker *w);
/* Post the completion of a request whose room is kept; with what the answer
 * holds, if it is not refused, or nothing. */
void control_post(struct worker *w, const struct pvgpu_msg *request,
		  struct verdict v, struct answer *a);
void control_answer(struct worker *w, const struct pvgpu_msg *request,
		    struct verdict v);

#endif
