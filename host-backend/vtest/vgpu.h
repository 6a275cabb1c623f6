/* SPDX-License-Identifier: MIT */
/*
 * The door's end of its vGPU: a guest of the protocol that has no VM. It
 * connects to the vGPU's socket as QEMU does, attaches, and shares out what a
 * guest has: VRAM, names, channels. One thread; requests block for an answer
 * that the worker gives without waiting for the renderer.
 */
#ifndef PVGPU_VTEST_VGPU_H
#define PVGPU_VTEST_VGPU_H

#include "names.h"
#include "protocol/client/peer.h"
#include "space.h"

#define VGPU_CAPSETS 3u			/* by PVGPU_CAPSET_*, 0 unused */

struct vgpu_hooks {
	/* RESOURCE_DESTROY was answered. */
	void (*destroyed)(void *context, uint32_t resource);
	/* A batch of this cookie was refused or lost. */
	void (*failed)(void *context, uint32_t cookie, uint32_t status,
		       uint32_t detail);
};

struct vgpu {
	struct peer peer;
	struct pvgpu_client client;
	uint8_t *vram;
	struct space space;
	struct names resources;		/* by name, dying ones too */
	uint32_t last_name, last_context;
	uint32_t asked;			/* requests without an answer */
	uint32_t refused;		/* the first status that was not OK */
	struct vgpu_channel {
		uint32_t users;
		uint64_t sent;		/* the last fence */
		bool open;
	} channels[PVGPU_MAX_CHANNELS + 1];
	struct vgpu_capset {
		uint8_t *bytes;
		uint32_t size;
	} capsets[VGPU_CAPSETS];
	const struct vgpu_hooks *hooks;
	void *context;			/* of the hooks */
	_Alignas(8) uint8_t reply[PVGPU_MESSAGE_MAX];
};

/* Connects; -errno, and in words what failed. */
int vgpu_connect(struct vgpu *vgpu, const char *path,
		 const struct vgpu_hooks *hooks, void *context,
		 const char **ret_why);
/* Attaches, anew where it was attached: nothing of before is there any more.
 * 0, -ENOTSUP: it does not render, -EACCES: its type is not for Linux,
 * -ETIMEDOUT. */
int vgpu_attach(struct vgpu *vgpu);
void vgpu_disconnect(struct vgpu *vgpu);
/* False: the attachment is lost, with all that was made. */
bool vgpu_attached(const struct vgpu *vgpu);

/* A control request, whose header is filled in here; settle() waits for the
 * answers of all: 0, the first status that is not OK, or -ECONNRESET. */
int vgpu_ask(struct vgpu *vgpu, uint16_t opcode, void *message,
	     uint32_t length);
int vgpu_settle(struct vgpu *vgpu);
/* Its answer goes to hooks->destroyed(). */
int vgpu_destroy(struct vgpu *vgpu, uint32_t resource);

/* A name that no resource has; a context of this capset. */
uint32_t vgpu_name(struct vgpu *vgpu);
/* Asked for once and kept; 0, a status, or -errno. */
int vgpu_capset(struct vgpu *vgpu, uint32_t capset,
		const struct vgpu_capset **ret);

/* The channel with the fewest users, opened if need be; 0, a status, -errno. */
int vgpu_channel_join(struct vgpu *vgpu, uint32_t *ret_channel);
void vgpu_channel_leave(struct vgpu *vgpu, uint32_t channel);
/* Sends a batch, which begins with struct pvgpu_submit; *ret_fence is its
 * fence. -EAGAIN: no room now, -ECONNRESET. */
int vgpu_submit(struct vgpu *vgpu, uint32_t channel, uint16_t opcode,
		uint32_t cookie, void *batch, uint32_t length,
		uint64_t *ret_fence);
bool vgpu_done(const struct vgpu *vgpu, uint32_t channel, uint64_t fence);

/* Calls the hooks for all that came. */
void vgpu_take(struct vgpu *vgpu);
/* Asks for interrupts at what comes next; false: something came already. */
bool vgpu_sleep(struct vgpu *vgpu);

#endif
