// SPDX-License-Identifier: MIT
/* Log lines; see log.h. One write a line, so that lines of several processes
 * on one descriptor never mix. */
#include "log.h"

#include <stdarg.h>
#include <string.h>
#include <time.h>

static enum log_level highest = LEVEL_INFO;
static char line_prefix[80];
static int journal = -1;

void log_set_level(enum log_level level)
{
	highest = level;
}

void log_set_prefix(const char *prefix)
{
	snprintf(line_prefix, sizeof(line_prefix), "%s: ", prefix);
}

void log_line(enum log_level level, const char *format, ...)
{
	static const char *const names[] = { "error: ", "warning: ", "", "" };
	static const char *const marks[] = { "<3>", "<4>", "<6>", "<7>" };
	char line[1024];
	size_t used;
	va_list ap;
	int n;

	if (level > highest)
		return;
	if (journal < 0)
		journal = getenv("JOURNAL_STREAM") != NULL;
	n = snprintf(line, sizeof(line) - 1, "%s%s%s",
		     journal ? marks[level] : "", line_prefix, names[level]);
	used = (size_t)n;
	va_start(ap, format);
	n = vsnprintf(line + used, sizeof(line) - 1 - used, format, ap);
	va_end(ap);
	if (n > 0)
		used += (size_t)n < sizeof(line) - 1 - used ?
			(size_t)n : sizeof(line) - 2 - used;
	line[used++] = '\n';
	if (write(STDERR_FILENO, line, used) < 0)
		return;	/* nowhere left to say so */
}

const char *log_printable(char *out, size_t out_size, const void *bytes,
			  size_t size)
{
	const unsigned char *from = bytes;
	size_t i;

	for (i = 0; i < size && i + 1 < out_size && from[i]; i++)
		out[i] = from[i] >= 0x20 && from[i] < 0x7f ? (char)from[i] : '?';
	out[i] = '\0';
	return out;
}

bool log_allowed(struct log_limit *limit)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	if (now.tv_sec - limit->window_start >= limit->seconds) {
		limit->window_start = now.tv_sec;
		limit->used = 0;
		if (limit->dropped)
			log_line(LEVEL_WARNING, "%u similar lines were dropped",
				 limit->dropped);
		limit->dropped = 0;
	}
	if (limit->used >= limit->burst) {
		limit->dropped++;
		return false;
	}
	limit->used++;
	return true;
}
