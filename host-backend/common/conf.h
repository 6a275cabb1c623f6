/* SPDX-License-Identifier: MIT */
/*
 * Reads a configuration file strictly, line by line: [SECTION], KEY = VALUE,
 * comments. inih splits keys from values; it knows no line numbers, cuts long
 * lines in two and does not report empty sections, so it is fed from here,
 * and what it must not see it does not get. What sections and keys mean is the
 * caller's.
 */
#ifndef PVGPU_CONF_H
#define PVGPU_CONF_H

#include <stdio.h>

#include "util.h"

#define CONF_LINE_MAX	198u		/* bytes of a line, as inih takes them */
#define CONF_FILE_MAX	(1u << 20)

/* Takes one finished line, "FILE:LINE: KEY: what is wrong and what is
 * allowed", without a newline. */
typedef void conf_report(void *userdata, const char *line);

struct conf {
	FILE *stream;
	const char *file;		/* names it in reports */
	/* A section begins; NULL: its line is no section's, and was reported.
	 * The name is the file's, so perhaps not printable. */
	void (*section)(struct conf *conf, const char *name);
	/* What may stand between [ and ], with them. */
	const char *section_allowed;
	void (*key)(struct conf *conf, const char *name, const char *value);
	void *userdata;
	conf_report *report;
	void *report_userdata;

	/* conf_read()'s own: */
	unsigned int line;		/* of the section or key now */
	unsigned int wrong;		/* reports so far */
	int error;			/* -errno that ends it; callbacks may set it */
};

/* Returns 0, -EINVAL if anything was reported, or another -errno. */
int conf_read(struct conf *conf);

/* Reports a line of this file; counts it as wrong. */
void conf_wrong(struct conf *conf, unsigned int line, const char *key,
		const char *format, ...) printf_like(4, 5);

/* Opens a regular file of up to CONF_FILE_MAX bytes. 0, -ENOTSUP: not regular,
 * -EFBIG: too large, or another -errno. */
int conf_open(FILE **ret, const char *path);
/* Says why conf_open() failed. */
void conf_open_report(conf_report *report, void *userdata, const char *path,
		      int error);

#endif
