/* SPDX-License-Identifier: MIT */
/*
 * A table from numbers that somebody else chooses to values. They are found by
 * open addressing under a key that nobody knows, so that no choice makes it
 * slow. One thread.
 */
#ifndef PVGPU_VTEST_NAMES_H
#define PVGPU_VTEST_NAMES_H

#include <stdbool.h>
#include <stdint.h>

struct names {
	uint64_t key;			/* odd, random; 0: not used yet */
	uint32_t bits;			/* log2 of the places */
	uint32_t count;
	struct name_place {
		uint32_t name;		/* 0: free */
		uintptr_t value;
	} *places;
};

/* The value, or 0 where the name is 0 or nobody has it. */
uintptr_t names_get(const struct names *names, uint32_t name);
/* Name and value are not 0; a name that is there gets the new value.
 * -ENOMEM. */
int names_set(struct names *names, uint32_t name, uintptr_t value);
void names_remove(struct names *names, uint32_t name);
void names_free(struct names *names);

#endif
