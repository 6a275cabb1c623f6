/* SPDX-License-Identifier: MIT */
/*
 * Control messages: a table of opcodes, sizes and handlers. A handler sees
 * only messages of the current generation whose size the table allows.
 */
#ifndef PVGPU_WORKER_CONTROL_H
#define PVGPU_WORKER_CONTROL_H

#include "verdict.h"

struct worker;

/* A bounded number of control messages. */
void control_slice(struct worker *w);
/* Posts the completion of a request whose room is kept (deferred.c). */
void control_answer(struct worker *w, const struct pvgpu_msg *request,
		    struct verdict v);

#endif
