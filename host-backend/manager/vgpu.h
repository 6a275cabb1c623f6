/* SPDX-License-Identifier: MIT */
/*
 * One vGPU's life: created, waiting for a QEMU, running with one worker after
 * another, destroyed. Ties the broker (QEMU and the memory) to the worker.
 */
#ifndef PVGPU_VGPU_H
#define PVGPU_VGPU_H

#include "broker.h"
#include "figures.h"
#include "head_setting.h"
#include "scheduler/scheduler.h"
#include "types/types.h"
#include "workers.h"

#define VGPU_NAME_MAX 32
#define VGPU_NAME_ALLOWED \
	"1 to 32 of a-z 0-9 _ -, the first a letter or a digit"

enum vgpu_state {
	VGPU_WAITING,			/* for a QEMU */
	VGPU_STARTING,			/* QEMU is there, the worker not ready */
	VGPU_RUNNING,
	VGPU_REPLACING,			/* the worker died; another will come */
};

struct vgpu {
	struct manager *manager;
	struct vgpu *next;
	char name[VGPU_NAME_MAX + 1];
	const struct vgpu_type *type;	/* &own_type */
	struct vgpu_type own_type;	/* as it was at creation; no file */
	struct vgpu_limits limits;	/* the type's, and the uuid */
	char uuid[37];
	uint32_t placement;		/* id on the GPU, see types/placement.h */
	char *socket;			/* path */
	struct broker *broker;
	struct worker *worker;		/* NULL while there is none */
	struct figures figures;
	struct head_setting heads[PVGPU_MAX_HEADS];	/* after a change:
							 * manager_save() */

	/* schedule.c's. */
	struct sched_params sched_params;
	struct sched_past sched_past;	/* from when it was last */
	struct scheduled *scheduled;	/* NULL: not now */

	struct settings scheduling;	/* what was set of it; after a change:
					 * sched_setting_set_vgpu() */
	uint32_t frame_limit;		/* mHz; 0: none */

	/* Of the QEMU that is connected. */
	bool worker_of_past;		/* the worker is an earlier QEMU's */
	unsigned int deaths;		/* in a row, each soon after the start */
	unsigned int replaced;		/* workers, for this QEMU */
	uint64_t started;		/* usec, CLOCK_MONOTONIC */
	sd_event_source *restart;
};

/* What is known of one that an earlier pvgpud served. */
struct vgpu_past {
	enum broker_stage stage;
	pid_t qemu_pid;
	struct worker_kept worker;
	bool worker_of_past;
	unsigned int deaths;
	unsigned int replaced;
};

bool vgpu_name_is_valid(const char *name);

/* What makes a vGPU, new or one of before. */
struct vgpu_spec {
	const char *name;
	const struct vgpu_type *type;
	uint32_t placement;
	const uint8_t *uuid;		/* 16 bytes; NULL: a new one */
	const struct head_setting *heads;	/* limits.heads; NULL: defaults */
	const struct settings *scheduling;	/* NULL: nothing was set */
};

/* -ENAMETOOLONG: the socket's path would not fit an address. */
int vgpu_new(struct vgpu **ret, struct manager *manager,
	     const struct vgpu_spec *spec);
/* Makes it the one that an earlier pvgpud served: the QEMU and the worker that
 * the store has for it are its own from now on, or end. */
void vgpu_take_over(struct vgpu *vgpu, const struct vgpu_past *past);
/* Kills and reaps the worker, drops QEMU, removes the socket. Accepts NULL. */
void vgpu_free(struct vgpu *vgpu);

/* Makes a checked setting a head's, for the worker of now and all to come. 0;
 * or -errno, and nothing has changed. */
int vgpu_set_head(struct vgpu *vgpu, uint32_t head,
		  const struct head_setting *setting);

/* How many frames a head may show from now on, in mHz; 0: as many as it can.
 * 0; or -errno, and nothing has changed. */
int vgpu_set_frame_limit(struct vgpu *vgpu, uint32_t limit);

enum vgpu_state vgpu_state(struct vgpu *vgpu);
const char *vgpu_state_name(enum vgpu_state state);

#endif
