/* SPDX-License-Identifier: MIT */
/* The command line of pvgpud. */
#ifndef PVGPU_OPTIONS_H
#define PVGPU_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config.h"

#define TYPES_DIRS_MAX 8

struct options {
	const char *runtime_dir;
	const char *types_dirs[TYPES_DIRS_MAX];
	size_t types_count;		/* 0: the built-in ones */
	const char *worker;		/* NULL: beside pvgpud, or libexec */
	const char *config;		/* NULL: CONFIG_FILE, if it is there */
	const char *state_dir;		/* NULL: nothing is saved */
	const char *keys[CONFIG_KEYS];	/* over the file's; NULL: not given */
	const char *worker_unit;	/* NULL: workers are children */
	bool debug;
};

/* Reads the command line. Returns true to go on; else *ret_status is the exit
 * status, and what there was to say is printed. */
bool options_read(struct options *options, int argc, char **argv,
		  int *ret_status);

#endif
