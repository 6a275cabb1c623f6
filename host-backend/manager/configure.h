/* SPDX-License-Identifier: MIT */
/*
 * Configuration and types as a whole: read and checked beside what is in use,
 * and taken over only if all of it is good.
 */
#ifndef PVGPU_CONFIGURE_H
#define PVGPU_CONFIGURE_H

#include "manager.h"

/* Reads both, by m->options, and takes them over; what was wrong is logged.
 * vGPUs keep the type that they were made with. 0, or -errno with everything
 * as it was. */
int configure(struct manager *m);

#endif
