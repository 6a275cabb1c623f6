/* SPDX-License-Identifier: MIT */
/*
 * The commands of vtest, for commands.c, which has their table, transfers.c and
 * streams.c. Each heeds one whole command: 0; -EAGAIN if the client was parked,
 * and it is to be begun again; or -EPROTO, and the client's `why` says why.
 */
#ifndef PVGPU_VTEST_COMMANDS_H
#define PVGPU_VTEST_COMMANDS_H

#include "client.h"

int command_transfer_get(struct client *c, const uint8_t *body,
			 uint32_t length);
int command_transfer_put(struct client *c, const uint8_t *body,
			 uint32_t length);
int command_transfer_get2(struct client *c, const uint8_t *body,
			  uint32_t length);
int command_transfer_put2(struct client *c, const uint8_t *body,
			  uint32_t length);
int command_submit(struct client *c, const uint8_t *body, uint32_t length);

/* ------------------------------------------------------ what they share */

/* The resource of this handle, or NULL. */
struct resource *command_find(const struct client *c, uint32_t handle);
/* What the vGPU answered, a status or -errno, as the end of the client. */
int command_refused(struct client *c, const char *what, int status);
/* Its channel, arena and context, if it has none yet. */
int command_begin(struct client *c);
/* Sends a batch of the client; its fence is the client's last. */
int command_send_batch(struct client *c, uint16_t opcode, void *batch,
		       uint32_t length, uint64_t *ret_fence);
int command_add_move(struct client *c, struct moves *moves,
		     const struct move *move);
/* Room for `count` copies after what is sent next. */
int command_backs_room(struct client *c, uint32_t count);

#endif
