/* SPDX-License-Identifier: MIT */
/*
 * Lines on standard error, with a level prefix that the journal reads where it
 * is the reader. Programs log; libraries return errors.
 */
#ifndef PVGPU_LOG_H
#define PVGPU_LOG_H

#include <stdbool.h>

#include "util.h"

enum log_level { LEVEL_ERROR, LEVEL_WARNING, LEVEL_INFO, LEVEL_DEBUG };

/* The highest level that is written; LEVEL_INFO at start. */
void log_set_level(enum log_level level);
/* A word in front of every line, such as the vGPU's name; copied. */
void log_set_prefix(const char *prefix);
/* One line, newline added; control characters that came from outside must be
 * escaped by the caller with log_printable(). */
void log_line(enum log_level level, const char *format, ...)
	printf_like(2, 3);

#define log_error(...) log_line(LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_line(LEVEL_WARNING, __VA_ARGS__)
#define log_info(...) log_line(LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LEVEL_DEBUG, __VA_ARGS__)

/* Copies up to `size` bytes of a foreign string into `out` (out_size bytes,
 * NUL-terminated), every byte outside printable ASCII as '?'. Stops at NUL. */
const char *log_printable(char *out, size_t out_size, const void *bytes,
			  size_t size);

/* At most `burst` lines in any `seconds`; for what a guest can provoke. */
struct log_limit {
	unsigned int burst;
	unsigned int seconds;
	long long window_start;		/* seconds, CLOCK_MONOTONIC */
	unsigned int used;
	unsigned int dropped;		/* since the last line that was let through */
};
bool log_allowed(struct log_limit *limit);

#endif
