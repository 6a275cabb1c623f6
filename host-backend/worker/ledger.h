/* SPDX-License-Identifier: MIT */
/*
 * The two budgets of a vGPU, never mixed: the window (VRAM behind resources)
 * and the device (what the renderer holds on the guest's behalf). Everything
 * is charged before it is made.
 *
 * Threads: any; a charge is all or nothing, and figures are those of a moment.
 */
#ifndef PVGPU_WORKER_LEDGER_H
#define PVGPU_WORKER_LEDGER_H

#include <stdatomic.h>

#include <pvgpu/footprint.h>

#include "verdict.h"

struct budget {
	uint64_t limit;			/* bytes */
	_Atomic uint64_t used;
	_Atomic uint64_t peak;		/* since the worker started */
};

/* What the device budget goes into. */
enum ledger_kind {
	LEDGER_SURFACES,		/* footprints */
	LEDGER_CONTEXTS,		/* and sub-contexts */
	LEDGER_OBJECTS,			/* in streams, but for shaders */
	LEDGER_SHADERS,
	LEDGER_KINDS
};

struct ledger {
	struct budget window;
	struct budget device;
	_Atomic uint64_t kinds[LEDGER_KINDS];	/* bytes; of device.used */
};

/* Before a second thread has it. */
void ledger_init(struct ledger *ledger, uint64_t window, uint64_t device);
/* Charges all of `bytes` or nothing; false: it does not fit. */
bool budget_charge(struct budget *budget, uint64_t bytes);
void budget_release(struct budget *budget, uint64_t bytes);

/* The device budget, by kind; as above. */
bool ledger_charge(struct ledger *ledger, enum ledger_kind kind,
		   uint64_t bytes);
void ledger_release(struct ledger *ledger, enum ledger_kind kind,
		    uint64_t bytes);
/* What has been charged to the device budget is of this kind (or, where it
 * is `less`, was): for one that charges a sum of several. */
void ledger_note(struct ledger *ledger, enum ledger_kind kind, uint64_t more,
		 uint64_t less);

/* Charges a surface its footprint (spec.md "Footprint") against the device
 * budget; *ret_bytes is what to release with it. INVALID, with detail 0, where
 * no such surface can be; LIMIT_DEVICE where it does not fit. */
struct verdict ledger_charge_surface(struct ledger *ledger,
				     const struct pvgpu_surface *surface,
				     uint64_t *ret_bytes);

#endif
