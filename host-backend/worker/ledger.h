/* SPDX-License-Identifier: MIT */
/*
 * The two budgets of a vGPU, never mixed: the window (VRAM behind resources)
 * and the device (what the renderer holds on the guest's behalf). Everything
 * is charged before it is made.
 */
#ifndef PVGPU_WORKER_LEDGER_H
#define PVGPU_WORKER_LEDGER_H

#include <pvgpu/footprint.h>

#include "verdict.h"

struct budget {
	uint64_t limit;			/* bytes */
	uint64_t used;
	uint64_t peak;			/* since the worker started */
};

struct ledger {
	struct budget window;
	struct budget device;
};

void ledger_init(struct ledger *ledger, uint64_t window, uint64_t device);
/* Charges all of `bytes` or nothing; false: it does not fit. */
bool budget_charge(struct budget *budget, uint64_t bytes);
void budget_release(struct budget *budget, uint64_t bytes);

/* Charges a surface its footprint (spec.md "Footprint") against the device
 * budget; *ret_bytes is what to release with it. INVALID, with detail 0, where
 * no such surface can be; LIMIT_DEVICE where it does not fit. */
struct verdict ledger_charge_surface(struct ledger *ledger,
				     const struct pvgpu_surface *surface,
				     uint64_t *ret_bytes);

#endif
