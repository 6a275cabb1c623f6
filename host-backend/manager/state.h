/* SPDX-License-Identifier: MIT */
/*
 * What outlives pvgpud and a reboot of the host, in the state directory:
 *
 *   gpu.json          the mode of the GPU and its time slices, once set
 *   vgpus/NAME.json   a vGPU: name, uuid, type, placement, settings
 *
 * Each file is replaced whole or not at all, and is on the disk when a
 * function returns 0. A file that is damaged, or whose vGPU is not admitted
 * any more, is reported and stays as it is; its name is then not free.
 */
#ifndef PVGPU_STATE_H
#define PVGPU_STATE_H

#include "manager.h"

struct state;

/* Opens the directory, made if need be, for this process alone: -EWOULDBLOCK
 * if another has it. */
int state_open(struct state **ret, const char *path);
/* Leaves everything on the disk. Accepts NULL. */
void state_close(struct state *state);

/* Writes or replaces the vGPU's file. A NULL state saves nothing. 0 or -errno. */
int state_save_vgpu(struct state *state, const struct vgpu *vgpu);
/* Removes it; one that is not there is fine. */
int state_remove_vgpu(struct state *state, const char *name);
/* Is there a file of this name? It may be a damaged one. */
bool state_has_vgpu(struct state *state, const char *name);
/* The directory, for messages. */
const char *state_path(const struct state *state);

/* What was set of the GPU. 0 or -errno. */
int state_save_gpu(const struct manager *m);

/* Takes over what was saved of the GPU, its mode if it is empty, and makes all
 * saved vGPUs that there are not yet. What cannot be is logged, each in one
 * line. */
void state_restore_gpu(struct manager *m);
void state_restore_vgpus(struct manager *m);
/* Saves vGPUs of which there is no file: a sudden end between making and
 * saving, or an earlier pvgpud without a state directory. */
void state_save_missing(struct manager *m);

#endif
