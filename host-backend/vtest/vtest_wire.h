/* SPDX-License-Identifier: MIT */
/*
 * The vtest protocol as Mesa's virpipe driver speaks it, up to version 2: a
 * stream socket, words in the machine's order. A command is a length, a number
 * and a body; an answer has the same two words in front. Lengths count words,
 * but for CREATE_RENDERER, which counts bytes.
 */
#ifndef PVGPU_VTEST_WIRE_H
#define PVGPU_VTEST_WIRE_H

#include <stdint.h>

#define VTEST_VERSION 2u

enum vtest_command {
	VTEST_GET_CAPS = 1,
	VTEST_RESOURCE_CREATE,
	VTEST_RESOURCE_UNREF,
	VTEST_TRANSFER_GET,
	VTEST_TRANSFER_PUT,
	VTEST_SUBMIT,
	VTEST_BUSY_WAIT,
	VTEST_CREATE_RENDERER,
	VTEST_GET_CAPS2,
	VTEST_PING_VERSION,
	VTEST_PROTOCOL_VERSION,
	/* since version 2 */
	VTEST_RESOURCE_CREATE2,
	VTEST_TRANSFER_GET2,
	VTEST_TRANSFER_PUT2,
	VTEST_COMMANDS,
};

struct vtest_header {
	uint32_t length;
	uint32_t command;
};

/* RESOURCE_CREATE; CREATE2 goes on with size. */
struct vtest_create {
	uint32_t handle;		/* the client's choice */
	uint32_t target, format, bind;
	uint32_t width, height, depth;
	uint32_t array_size, last_level, samples;
	uint32_t size;			/* bytes of memory to share; 0: none */
};
#define VTEST_CREATE_WORDS	10u
#define VTEST_CREATE2_WORDS	11u

/* TRANSFER_GET and PUT: `size` bytes come back, or follow the command. The
 * length of a PUT counts them too, in words rounded up; they are not padded. */
struct vtest_transfer {
	uint32_t handle, level;
	uint32_t stride, layer_stride;	/* 0: without gaps */
	uint32_t box[6];		/* x, y, z, width, height, depth */
	uint32_t size;
};
#define VTEST_TRANSFER_WORDS	11u

/* TRANSFER_GET2 and PUT2: in the shared memory, laid out as the level is. The
 * length of a PUT2 counts bytes that never come. */
struct vtest_transfer2 {
	uint32_t handle, level;
	uint32_t box[6];
	uint32_t size;			/* what nobody reads */
	uint32_t offset;
};
#define VTEST_TRANSFER2_WORDS	10u

struct vtest_busy_wait {
	uint32_t handle;		/* 0: of all that there is */
	uint32_t flags;
};
#define VTEST_BUSY_WAIT_WORDS	2u
#define VTEST_BUSY_WAIT_WAIT	1u	/* answer when it is not busy */

/* What virgl writes where a query's result is to be read. */
#define VTEST_QUERY_WAITS	2u	/* its first word: not there yet */
#define VTEST_QUERY_BYTES	16u
/* And for GET_MEMORY_INFO. */
#define VTEST_MEMORY_INFO_BYTES	24u

#endif
