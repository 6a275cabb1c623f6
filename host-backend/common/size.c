// SPDX-License-Identifier: MIT
/* Numbers as people write them; see size.h. */
#include "size.h"

#include <inttypes.h>
#include <string.h>

#include "util.h"

static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };

/* Reads the digits that text starts with; NULL if there are none or if they
 * are more than max. */
static const char *read_digits(uint64_t *ret, const char *text, uint64_t max)
{
	const char *p = text;
	uint64_t v = 0;

	for (; *p >= '0' && *p <= '9'; p++) {
		uint64_t digit = (uint64_t)(*p - '0');

		if (v > (max - digit) / 10 || digit > max)
			return NULL;
		v = v * 10 + digit;
	}
	if (p == text)
		return NULL;
	*ret = v;
	return p;
}

int parse_number(uint64_t *ret, const char *text, uint64_t max)
{
	uint64_t v;
	const char *end = read_digits(&v, text, max);

	if (!end || *end)
		return -EINVAL;
	*ret = v;
	return 0;
}

int parse_decimal(uint64_t *ret, const char *text, unsigned int places,
		  uint64_t max)
{
	size_t whole = strcspn(text, "."), used = 0;
	char digits[40];
	uint64_t v;

	/* Without the dot, and with noughts for what is not said. */
	if (whole + places >= sizeof(digits) || !whole)
		return -EINVAL;
	memcpy(digits, text, whole);
	text += whole;
	if (*text && !*++text)
		return -EINVAL;
	for (; used < places && *text; used++)
		digits[whole + used] = *text++;
	if (*text)
		return -EINVAL;
	while (used < places)
		digits[whole + used++] = '0';
	digits[whole + used] = '\0';
	if (parse_number(&v, digits, max))
		return -EINVAL;
	*ret = v;
	return 0;
}

int parse_size(uint64_t *ret, const char *text)
{
	const uint64_t max = 1ull << 62;
	uint64_t v;
	const char *end = read_digits(&v, text, max);

	if (!end)
		return -EINVAL;
	while (*end == ' ')
		end++;
	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		if (strcmp(end, units[i]))
			continue;
		if (v > max >> (10 * i))
			return -EINVAL;
		*ret = v << (10 * i);
		return 0;
	}
	return -EINVAL;
}

const char *format_size(char out[SIZE_TEXT_MAX], uint64_t bytes)
{
	size_t unit = 0;
	uint64_t tenths;

	while (unit + 1 < ARRAY_SIZE(units) && bytes >> (10 * (unit + 1)))
		unit++;
	if (!(bytes & ((1ull << (10 * unit)) - 1))) {
		snprintf(out, SIZE_TEXT_MAX, "%" PRIu64 " %s",
			 bytes >> (10 * unit), units[unit]);
		return out;
	}
	tenths = (bytes >> (10 * (unit - 1))) * 10 >> 10;
	snprintf(out, SIZE_TEXT_MAX, "%" PRIu64 ".%" PRIu64 " %s", tenths / 10,
		 tenths % 10, units[unit]);
	return out;
}
