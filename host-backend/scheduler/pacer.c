// SPDX-License-Identifier: MIT
/* When a head's flips are shown; see pacer.h. */
#include "pacer.h"

#include <errno.h>

#define MHZ_NS 1000000000000ull		/* ns * mHz in a second */

static uint64_t scale(uint64_t a, uint64_t b, uint64_t c)
{
	return (uint64_t)((unsigned __int128)a * b / c);
}

int pacer_init(struct pacer *p, uint32_t refresh, uint64_t base)
{
	*p = (struct pacer){ 0 };
	return pacer_set_refresh(p, refresh, base);
}

int pacer_set_refresh(struct pacer *p, uint32_t refresh, uint64_t base)
{
	if (!refresh || refresh > PACER_RATE_MAX)
		return -EINVAL;
	p->refresh = refresh;
	p->base = base;
	p->due = 0;
	p->due_rest = 0;
	return 0;
}

int pacer_set_limit(struct pacer *p, uint32_t limit)
{
	if (limit > PACER_RATE_MAX)
		return -EINVAL;
	/* Parts of the old limit say nothing in the new one. */
	if (p->due_rest) {
		p->due++;
		p->due_rest = 0;
	}
	p->limit = limit;
	return 0;
}

uint64_t pacer_vblank(const struct pacer *p, uint64_t n)
{
	return p->base + scale(n, MHZ_NS, p->refresh);
}

static uint64_t first_after(const struct pacer *p, uint64_t now)
{
	uint64_t n;

	if (now < p->base)
		return 0;
	n = scale(now - p->base, p->refresh, MHZ_NS);
	/* Both divisions round down. */
	while (pacer_vblank(p, n) <= now)
		n++;
	return n;
}

uint64_t pacer_period(const struct pacer *p)
{
	return MHZ_NS / p->refresh;
}

void pacer_align(struct pacer *p, uint64_t vblank)
{
	uint64_t n = first_after(p, vblank), after = pacer_vblank(p, n);
	uint64_t before = n ? pacer_vblank(p, n - 1) : 0;

	if (!n || after - vblank < vblank - before)
		p->base -= after - vblank;
	else
		p->base += vblank - before;
}

uint64_t pacer_next_vblank(const struct pacer *p, uint64_t now)
{
	return pacer_vblank(p, first_after(p, now));
}

uint64_t pacer_flip(struct pacer *p, uint64_t now)
{
	uint64_t first = first_after(p, now);
	uint64_t at = p->due + (p->due_rest ? 1 : 0);

	if (first > at) {
		/* The guest is late: nothing of that is made up for. */
		at = first;
		p->due = first;
		p->due_rest = 0;
	}
	if (!p->limit || p->limit >= p->refresh) {
		p->due = at + 1;
		p->due_rest = 0;
	} else {
		uint64_t rest = (uint64_t)p->due_rest + p->refresh;

		p->due += rest / p->limit;
		p->due_rest = (uint32_t)(rest % p->limit);
	}
	return pacer_vblank(p, at);
}

uint32_t pacer_advertised(uint32_t refresh, uint32_t limit)
{
	return limit && limit < refresh ? limit : refresh;
}
