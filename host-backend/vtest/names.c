// SPDX-License-Identifier: MIT
/* Numbers to values; see names.h. */
#include "names.h"

#include <sys/random.h>

#include "common/util.h"

#define MIN_BITS 4u

static uint32_t home(const struct names *n, uint32_t name)
{
	return (uint32_t)((name * n->key) >> (64 - n->bits));
}

/* Its place, or the free one where it would go. */
static struct name_place *locate(const struct names *n, uint32_t name)
{
	uint32_t mask = (1u << n->bits) - 1, at = home(n, name);

	while (n->places[at].name && n->places[at].name != name)
		at = (at + 1) & mask;
	return &n->places[at];
}

uintptr_t names_get(const struct names *n, uint32_t name)
{
	return name && n->places ? locate(n, name)->value : 0;
}

static int resize(struct names *n, uint32_t bits)
{
	struct names bigger = {
		.key = n->key, .bits = bits, .count = n->count,
	};

	bigger.places = calloc((size_t)1 << bits, sizeof(*bigger.places));
	if (!bigger.places)
		return -ENOMEM;
	for (uint32_t i = 0; n->places && i < 1u << n->bits; i++)
		if (n->places[i].name)
			*locate(&bigger, n->places[i].name) = n->places[i];
	free(n->places);
	*n = bigger;
	return 0;
}

int names_set(struct names *n, uint32_t name, uintptr_t value)
{
	struct name_place *p;
	int ret;

	if (!n->key) {
		if (getrandom(&n->key, sizeof(n->key), 0) != sizeof(n->key))
			return -ENOMEM;
		n->key |= 1;
	}
	/* Half of the places stay free. */
	if (!n->places || n->count >= 1u << (n->bits - 1)) {
		ret = resize(n, n->places ? n->bits + 1 : MIN_BITS);
		if (ret)
			return ret;
	}
	p = locate(n, name);
	n->count += !p->name;
	*p = (struct name_place){ name, value };
	return 0;
}

void names_remove(struct names *n, uint32_t name)
{
	uint32_t mask = (1u << n->bits) - 1, hole, at;

	if (!names_get(n, name))
		return;
	hole = at = (uint32_t)(locate(n, name) - n->places);
	/* Those that it displaced move up. */
	for (;;) {
		at = (at + 1) & mask;
		if (!n->places[at].name)
			break;
		if (((at - home(n, n->places[at].name)) & mask) <
		    ((at - hole) & mask))
			continue;
		n->places[hole] = n->places[at];
		hole = at;
	}
	n->places[hole] = (struct name_place){ 0 };
	n->count--;
	/* If there is no memory for a smaller one, the larger stays. */
	if (n->bits > MIN_BITS && n->count < 1u << (n->bits - 3))
		resize(n, n->bits - 1);
}

void names_free(struct names *n)
{
	free(n->places);
	*n = (struct names){ 0 };
}
