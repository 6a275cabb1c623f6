/* SPDX-License-Identifier: MIT */
/*
 * The record of what there is, written at every change into the store, and the
 * vGPUs that a new pvgpud makes of it: the same names and limits, the same
 * QEMU and the same worker.
 */
#ifndef PVGPU_ADOPT_H
#define PVGPU_ADOPT_H

#include "manager.h"

/* Writes the record; without a store it does nothing. */
void manager_record(struct manager *manager);

/* Makes the vGPUs of the inherited record, if there is one. What does not fit
 * is logged, and left for store_drop_rest(). */
void manager_adopt(struct manager *manager);

#endif
