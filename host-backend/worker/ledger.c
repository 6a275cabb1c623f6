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
	if (bytes > budget->limit - budget->used)
		return false;
	budget->used += bytes;
	if (budget->used > budget->peak)
		budget->peak = budget->used;
	return true;
}

void budget_release(struct budget *budget, uint64_t bytes)
{
	budget->used -= bytes;
}

struct verdict ledger_charge_surface(struct ledger *ledger,
				     const struct pvgpu_surface *surface,
				     uint64_t *ret_bytes)
{
	uint64_t bytes = pvgpu_footprint(surface);

	if (!bytes)
		return invalid(0);
	if (!budget_charge(&ledger->device, bytes))
		return over_limit(PVGPU_STATUS_LIMIT_DEVICE,
				  ledger->device.limit);
	*ret_bytes = bytes;
	return accepted();
}
