/* SPDX-License-Identifier: MIT */
/*
 * One connection: what a client sent and was not heeded yet, what it was not
 * sent yet, and what it has: a context, resources, batches under way. A command
 * that has to wait parks the client until a fence, and is begun again then; so
 * a command does nothing before it is sure that it need not wait.
 */
#ifndef PVGPU_VTEST_CLIENT_H
#define PVGPU_VTEST_CLIENT_H

#include "common/util.h"
#include "resource.h"

#define CLIENT_STREAM_MAX	(1u << 20)	/* bytes of one SUBMIT */
#define CLIENT_INLINE_MAX	(16u << 20)	/* bytes that follow a TRANSFER */
#define CLIENT_ARENA		(4u << 20)	/* VRAM for streams under way */
#define CLIENT_BATCHES		32u		/* under way */
#define CLIENT_BACKS_MAX	16384u		/* copies to be made after them */
#define CLIENT_QUERIES_MAX	65536u

/* A copy between VRAM and a resource's memory: the same place in both. */
struct move {
	enum { MOVE_TO_HOST, MOVE_FROM_HOST, MOVE_QUERY } kind;
	struct resource *r;
	struct box_place place;
	uint64_t fence;			/* from the host: not before it */
};

struct moves {
	struct move *m;
	uint32_t count, room;
};

struct client {
	struct client *next;
	struct vgpu *vgpu;
	int fd;
	char label[64];			/* printable */
	char why[160];			/* it is to be closed; "": nothing */
	bool greeted;			/* CREATE_RENDERER came */
	uint32_t version;

	uint8_t *in;			/* from in_at on not heeded yet */
	size_t in_size, in_at, in_have;
	uint8_t *out;			/* from out_at on not sent yet */
	size_t out_at, out_have;
	int out_fd;			/* goes with the next byte; -1 */
	bool more;			/* there is something to heed */

	uint32_t context;		/* 0: nothing asked for one yet */
	uint32_t channel;
	uint64_t last;			/* fence of its last batch */
	uint64_t await;			/* parked until this fence; 0 */
	uint64_t reading;		/* of a TRANSFER_GET under way; 0 */
	struct names handles;		/* to struct resource */
	struct names queries;		/* to handles */
	struct resource *resources;

	uint32_t arena;			/* a LINEAR resource's name */
	uint64_t arena_vram;		/* where */
	uint64_t arena_head;		/* the next stream goes here */
	struct {
		uint64_t fence, from, to;	/* a stream in the arena */
	} batches[CLIENT_BATCHES];	/* oldest first */
	uint32_t batch_count;

	struct moves moves;		/* of the stream that is looked at */
	struct moves backs;		/* of batches under way */
	size_t copied;			/* bytes, in this turn */
};

/* Takes the socket over, which is non-blocking. NULL: no memory. */
struct client *client_new(struct vgpu *vgpu, int fd);
/* Reads, heeds and answers for a bounded time. False: it is to be freed, and
 * why says why. */
bool client_run(struct client *c);
/* With all it has. */
void client_free(struct client *c);

/* What poll() is to wait for: POLLIN, POLLOUT, or 0 for a fence. */
short client_events(const struct client *c);

/* --------------------------------------------------- for the commands */

/* Notes why it is to be closed; -EPROTO. */
int client_bad(struct client *c, const char *format, ...) printf_like(2, 3);
/* Parks it until the fence; -EAGAIN. */
int client_park(struct client *c, uint64_t fence);
/* Sends, or keeps for later; fd goes with the first byte and is closed. */
int client_send(struct client *c, const void *bytes, size_t size, int fd);
/* The highest fence of its channel that is done. */
uint64_t client_done(const struct client *c);
/* Copies to shared memory what batches that are done brought. */
void client_copy_back(struct client *c);
/* Bytes of the command at `words` as far as it is there (`have` bytes); 0: it
 * is not to be heeded, and why says why. */
size_t command_size(struct client *c, const uint8_t *bytes, size_t have);
/* Heeds it: 0, -EAGAIN, or -EPROTO. */
int command_run(struct client *c, const uint8_t *bytes);

#endif
