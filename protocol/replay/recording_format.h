/* SPDX-License-Identifier: MIT */
/* The numbers of format.md that reader and writer share. */
#ifndef PVGPU_RECORDING_FORMAT_H
#define PVGPU_RECORDING_FORMAT_H

#include "protocol/replay/recording.h"

#define RECORDING_MAGIC		"PVGPUREC"
#define RECORDING_VERSION	1u
#define RECORDING_HEADER_BYTES	80u
#define RECORDING_RECORD_BYTES	8u
#define RECORDING_NAME_MAX	0xffffu

/* B8G8R8A8, B8G8R8X8, R8G8B8A8, R8G8B8X8 */
#define RECORDING_SHOWN_FORMATS { 1, 2, 67, 134 }

/* Whether a frame's picture can be taken of it. */
bool recording_can_show(const struct recording_resource *made);

#endif
