/* SPDX-License-Identifier: MIT */
/*
 * Numbers as people write them in type files and on command lines: byte sizes
 * with a binary unit, plain counts. Strict: the whole text is the number.
 */
#ifndef PVGPU_SIZE_H
#define PVGPU_SIZE_H

#include <stddef.h>
#include <stdint.h>

/* Digits only, at most `max`. Returns 0, or -EINVAL. */
int parse_number(uint64_t *ret, const char *text, uint64_t max);

/* Digits, and up to `places` more behind a dot: in units of the last place, at
 * most `max`. "59.94" with 3 places is 59940. Returns 0, or -EINVAL. */
int parse_decimal(uint64_t *ret, const char *text, unsigned int places,
		  uint64_t max);

/* A number with B, KiB, MiB, GiB or TiB directly or after blanks behind it,
 * at most 2^62. Returns 0, or -EINVAL. */
int parse_size(uint64_t *ret, const char *text);

#define SIZE_TEXT_MAX 32
/* "2 GiB", "1.5 MiB", "0 B": short, for people. Returns out. */
const char *format_size(char out[SIZE_TEXT_MAX], uint64_t bytes);

#endif
