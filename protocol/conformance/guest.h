/* SPDX-License-Identifier: MIT */
/*
 * A guest for tests, on the portable client: requests, resources with VRAM
 * behind them, commits, channels. Answers are the status of the host (0 is
 * OK), or a negative PVGPU_CLIENT_*; the answer itself lies in reply.
 */
#ifndef PVGPU_CONFORM_GUEST_H
#define PVGPU_CONFORM_GUEST_H

#include "protocol/client/peer.h"

#define ANSWER_MS 10000

struct guest {
	struct peer peer;
	struct pvgpu_client client;
	struct pvgpu_device *d;		/* the client's */
	uint8_t *vram;
	uint64_t vram_used;		/* handed out by guest_resource() */
	uint32_t next_name;
	uint64_t fences[PVGPU_MAX_CHANNELS + 1];	/* last one submitted */
	_Alignas(8) uint8_t reply[PVGPU_MESSAGE_MAX];
	uint32_t reply_length;
	uint32_t status, detail;	/* of it */
};

int guest_connect(struct guest *g, const char *path, const char **ret_why);
void guest_disconnect(struct guest *g);
/* Attaches with these features and forgets what it had. */
int guest_attach(struct guest *g, uint64_t features);

/* A control round trip; `message` is given its header here. */
int guest_call(struct guest *g, uint16_t opcode, void *message,
	       uint32_t length);
/* Puts a message whose header the caller filled in whole; rings if it must.
 * False: no room. */
bool guest_put(struct guest *g, uint32_t queue, const void *message,
	       uint32_t length);
/* Waits for a completion of a queue, of this generation; false: none came. */
bool guest_completion(struct guest *g, uint32_t queue, uint32_t timeout_ms);
/* The header of a message from this guest. */
struct pvgpu_msg guest_header(struct guest *g, uint16_t opcode,
			      uint32_t length);
int guest_ping(struct guest *g);

/* ------------------------------------------------------------- resources */

int guest_create(struct guest *g, uint32_t name, uint64_t size);
int guest_back(struct guest *g, uint32_t name, uint64_t offset,
	       uint64_t length);
int guest_destroy(struct guest *g, uint32_t name);
/* A resource of `size` bytes in one extent of fresh VRAM; its name, or 0.
 * *ret_bytes is its memory, NULL allowed. */
uint32_t guest_resource(struct guest *g, uint64_t size, uint8_t **ret_bytes);

/* -------------------------------------------------------------- channels */

/* As one of class COPY, or of another. */
int guest_open(struct guest *g, uint32_t channel);
int guest_open_as(struct guest *g, uint32_t channel, uint32_t channel_class);
int guest_close(struct guest *g, uint32_t channel);
/* Puts a batch with the channel's next fence, and rings if it must. */
bool guest_submit(struct guest *g, uint32_t channel, uint16_t opcode,
		  uint16_t flags, void *batch, uint32_t length);
/* Waits for the last fence submitted: 0, or TIMEOUT or LOST. */
int guest_finish(struct guest *g, uint32_t channel);

/* --------------------------------------------------------------- commits */

/* A commit as it is put together: heads, then planes, then clips. */
struct commit {
	_Alignas(8) uint8_t bytes[PVGPU_MESSAGE_MAX];
	uint32_t length;
};

struct pvgpu_commit *commit_begin(struct commit *c);
/* width 0: the head goes dark. refresh in mHz. */
struct pvgpu_commit_head *commit_head(struct commit *c, uint32_t head,
				      uint32_t width, uint32_t height,
				      uint32_t refresh);
/* The whole framebuffer at (x, y); resource 0: off. */
struct pvgpu_commit_plane *commit_plane(struct commit *c, uint32_t head,
					uint32_t plane, uint32_t resource,
					uint32_t format, uint32_t width,
					uint32_t height, int32_t x, int32_t y);
void commit_clip(struct commit *c, uint32_t x, uint32_t y, uint32_t width,
		 uint32_t height);
int guest_commit(struct guest *g, struct commit *c);
/* Timings of a mode of that size, and of that refresh as nearly as kHz go. */
struct pvgpu_mode mode_make(uint32_t width, uint32_t height,
			    uint32_t refresh);
/* Whether the host holds the head for active, by a commit that only tests. */
bool guest_head_active(struct guest *g, uint32_t head);

#endif
