/* SPDX-License-Identifier: MIT */
/*
 * The catalogue of vGPU types: what administrators write into *.conf files,
 * checked line by line, and as the limits that everything else works with.
 */
#ifndef PVGPU_TYPES_CATALOGUE_H
#define PVGPU_TYPES_CATALOGUE_H

#include <stddef.h>
#include <stdio.h>

#include "common/conf.h"
#include "common/limits.h"
#include "setting.h"

#define VGPU_TYPES_MAX		512u	/* in all files together */
#define VGPU_TYPE_LINE_MAX	CONF_LINE_MAX
#define VGPU_TYPE_FILE_MAX	CONF_FILE_MAX

struct vgpu_type {
	char name[32];			/* BOARD-GiBSERIES, such as PV24-2Q */
	char board[16];
	char series;			/* Q, B, A or C */
	struct vgpu_limits limits;	/* without a vGPU's uuid */
	uint32_t max_instances;		/* on one GPU; 0: as memory allows */
	struct settings schedule;	/* of a vGPU; all but SETTING_SHARE are
					 * given: without it, by its size */
	char *file;			/* where it stands */
	unsigned int line;
};

struct vgpu_types {
	struct vgpu_type *items;
	size_t count;
};

typedef conf_report vgpu_types_report;

/* Reads the *.conf files of the directories in order of their names; a file of
 * a later directory replaces the one of the same name in an earlier one.
 * Every wrong line is reported. Returns 0, -EINVAL if anything was reported,
 * or another -errno with the directory or file reported as well. On failure
 * `types` is empty. */
int vgpu_types_load(struct vgpu_types *types, const char *const *directories,
		    size_t count, vgpu_types_report *report, void *userdata);

/* Adds the types of one open file; `file` names it in reports. Returns 0,
 * -EINVAL if anything was reported (good types are added all the same), or
 * -errno. */
int vgpu_types_parse(struct vgpu_types *types, FILE *stream, const char *file,
		     vgpu_types_report *report, void *userdata);

/* Frees what the catalogue holds, not the struct; accepts a zeroed one. */
void vgpu_types_clear(struct vgpu_types *types);

/* The type of this name, or NULL. Valid as long as the catalogue. */
const struct vgpu_type *vgpu_types_find(const struct vgpu_types *types,
					const char *name);

/* What a type of the series has unless its file says otherwise. */
void type_schedule_defaults(struct settings *schedule, char series);

/* What a series is for, one word: "workstation", "desktop", ... */
const char *vgpu_series_text(char series);

/* Names of the guests in a mask, separated by blanks, as in the files. */
#define VGPU_GUESTS_TEXT_MAX 64
const char *vgpu_guests_text(char out[VGPU_GUESTS_TEXT_MAX], uint32_t guests);

/* And of the channels' classes. */
#define VGPU_CLASSES_TEXT_MAX 32
const char *vgpu_classes_text(char out[VGPU_CLASSES_TEXT_MAX],
			      uint32_t classes);

#endif
