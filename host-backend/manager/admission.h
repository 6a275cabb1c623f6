/* SPDX-License-Identifier: MIT */
/*
 * Whether one more vGPU may be: a place on the GPU, the sum of framebuffers
 * and device budgets against its memory, the sum of windows against the host's
 * memory, under fixed share the shares of the GPU's time, and the type's own
 * limit. The same questions for a new vGPU and for one of before the reboot.
 */
#ifndef PVGPU_ADMISSION_H
#define PVGPU_ADMISSION_H

#include "manager.h"

/* An error of io.pvgpu.Manager. */
struct refusal {
	const char *error;		/* "NoRoom", ... */
	const char *field;		/* "type" or "placement" */
	char message[900];
};

#define ANYWHERE INT64_MIN

/* May a vGPU of the type, of whose time slices `set` was set (NULL: nothing),
 * lie at `placement`, or ANYWHERE? True: *ret_at is the id. False: *refusal says
 * why not and what would do. */
bool admission_check(const struct manager *m, const struct vgpu_type *type,
		     const struct settings *set, int64_t placement,
		     uint32_t *ret_at, struct refusal *refusal);

/* How many more vGPUs of the type would be admitted now. */
uint64_t admission_room(const struct manager *m, const struct vgpu_type *type);

/* How many there could be with nothing else on the GPU. */
uint64_t admission_most(const struct manager *m, const struct vgpu_type *type);

/* Units of the GPU that a vGPU of the type takes. */
uint32_t admission_units(const struct vgpu_type *type);

/* Names of types, each with a blank in front; only those that fit, if asked. */
void admission_type_names(char *out, size_t size, const struct manager *m,
			  bool fitting);

#endif
