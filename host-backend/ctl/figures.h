/* SPDX-License-Identifier: MIT */
/*
 * Figures of vGPUs as `stat` and `top` tell them: one sample, what has become
 * of it since another, and both as a table.
 */
#ifndef PVGPU_CTL_FIGURES_H
#define PVGPU_CTL_FIGURES_H

#include "ctl.h"

#define FIGURES_DELAY_DEFAULT	1000u	/* ms */

/* Seconds with up to three decimals, from 0.1 on. */
bool figures_seconds(unsigned int *ret_ms, const char *text,
		     unsigned int max_ms);
/* --delay and --count, in ms and a number; what is not given stays. */
enum ctl_status figures_options(const struct ctl *ctl, unsigned int *ms,
				unsigned int *count);

/* GetFigures of all vGPUs, or of the one that the command names. */
enum ctl_status figures_sample(const struct ctl *ctl, json_object **ret);

/* Gives each vGPU of `now` that was there `before`, with the same worker, a
 * member "rates". */
void figures_rates(json_object *before, json_object *now);

enum figures_order { FIGURES_BY_GPU, FIGURES_BY_NAME };

/* Lines of a table of `now`, the heading first: for each, `line` is called
 * with what fits `width` columns. */
typedef void figures_line(void *userdata, const char *text, bool heading);
void figures_table(json_object *now, enum figures_order order, size_t width,
		   figures_line *line, void *userdata);

/* A sample as one line of JSON. */
void figures_print_line(json_object *now);
/* One line on the GPU and the host. */
void figures_summary(json_object *now, char *out, size_t size);

#endif
