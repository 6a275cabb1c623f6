/* SPDX-License-Identifier: MIT */
/*
 * A vGPU without a VM: connects to its ivshmem socket as QEMU does, maps the
 * window, and gives the portable client its hooks. spec.md section 2.
 */
#ifndef PVGPU_PEER_H
#define PVGPU_PEER_H

#include <stdbool.h>
#include <stdint.h>

#include "protocol/client/client.h"

struct peer {
	int socket;
	int memory;			/* of the window */
	uint8_t *window;
	uint64_t size;			/* bytes */
	int64_t version;		/* what the server said */
	int64_t id;
	uint32_t doorbells;		/* how many of each */
	uint32_t interrupts;
	int doorbell[PVGPU_MAX_VECTORS];	/* eventfds, ours to write */
	int interrupt[PVGPU_MAX_VECTORS];	/* ours to read */
	uint32_t rung;			/* doorbells written so far */
};

/* Connects and takes the whole handshake. 0, -errno, -EPROTO for a handshake
 * that is not one, -ETIMEDOUT; *ret_why says more, in words. */
int peer_connect(struct peer *ret, const char *path, const char **ret_why);
/* Goes, as QEMU does when it ends; accepts one that never connected. */
void peer_disconnect(struct peer *p);

/* Whether the server has said anything since the handshake, or hung up. */
bool peer_silent(const struct peer *p);
/* Waits for the vector's interrupt and takes it; false: none came. */
bool peer_interrupted(struct peer *p, uint32_t vector, int timeout_ms);
void peer_ring(struct peer *p, uint32_t vector);

/* For pvgpu_client_init(); their context is the peer. */
extern const struct pvgpu_client_hooks peer_hooks;

uint64_t peer_now_ms(void);

#endif
