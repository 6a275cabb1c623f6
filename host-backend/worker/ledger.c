// SPDX-License-Identifier: MIT
/* Budgets and their peaks; see ledger.h. */
#include "ledger.h"

void ledger_init(struct ledger *ledger, uint64_t window, uint64_t device)
{
	*ledger = (struct ledger){
		.window.limit = window,
		.device.limit = device,
	};
}

bool budget_charge(struct budget *budget, uint64_t bytes)
{
	uint64_t used = atomic_load(&budget->used), peak;

	do {
		if (bytes > budget->limit - used)
			return false;
	} while (!atomic_compare_exchange_weak(&budget->used, &used,
					       used + bytes));
	peak = atomic_load(&budget->peak);
	while (used + bytes > peak &&
	       !atomic_compare_exchange_weak(&budget->peak, &peak,
					     used + bytes))
		;
	return true;
}

void budget_release(struct budget *budget, uint64_t bytes)
{
	atomic_fetch_sub(&budget->used, bytes);
}

void ledger_note(struct ledger *ledger, enum ledger_kind kind, uint64_t more,
		 uint64_t less)
{
	atomic_fetch_add(&ledger->kinds[kind], more - less);
}

bool ledger_charge(struct ledger *ledger, enum ledger_kind kind,
		   uint64_t bytes)
{
	if (!budget_charge(&ledger->device, bytes))
		return false;
	ledger_note(ledger, kind, bytes, 0);
	return true;
}

void ledger_release(struct ledger *ledger, enum ledger_kind kind,
		    uint64_t bytes)
{
	ledger_note(ledger, kind, 0, bytes);
	budget_release(&ledger->device, bytes);
}

struct verdict ledger_charge_surface(struct ledger *ledger,
				     const struct pvgpu_surface *surface,
				     uint64_t *ret_bytes)
{
	uint64_t bytes = pvgpu_footprint(surface);

	if (!bytes)
		return invalid(0);
	if (!ledger_charge(ledger, LEDGER_SURFACES, bytes))
		return over_limit(PVGPU_STATUS_LIMIT_DEVICE,
				  ledger->device.limit);
	*ret_bytes = bytes;
	return accepted();
}
