/* SPDX-License-Identifier: MIT */
/*
 * Recordings of virgl programs: what a Mesa in a guest sent, up to and
 * including a loop of frames that can be played again and again. The format is
 * ours and described in format.md. A recording is checked whole when it is
 * read, so that who plays it need not; whether its streams are good is the
 * host's to say.
 *
 * Threads: a recording that was read is not changed any more.
 */
#ifndef PVGPU_RECORDING_H
#define PVGPU_RECORDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/replay/picture.h"

#define RECORDING_BYTES_MAX	(64u << 20)	/* unpacked */
#define RECORDING_RECORDS_MAX	(1u << 18)
#define RECORDING_RESOURCES_MAX	4096u		/* at a time */
#define RECORDING_BATCH_MAX	(1u << 20)	/* bytes */
#define RECORDING_SIZE_MAX	(64u << 20)	/* memory behind one resource */

enum recording_kind {
	RECORDING_RESOURCE = 1,	/* make one */
	RECORDING_DESTROY,
	RECORDING_DATA,		/* the guest writes into the memory behind it */
	RECORDING_TRANSFER,	/* from that memory into the surface */
	RECORDING_BATCH,
	RECORDING_FRAME,	/* one is done, and this surface shows it */
	RECORDING_LOOP,		/* the loop begins */
};

struct recording_resource {
	uint32_t target, format, bind;		/* virgl's numbers */
	uint32_t width, height, depth, layers, levels, samples, flags;
	uint32_t size;				/* bytes of memory, 0: none */
};

struct recording_transfer {
	uint32_t level, stride, layer_stride, offset;
	uint32_t x, y, z, width, height, depth;
};

/* One record. `bytes` lie in the recording. */
struct recording_step {
	enum recording_kind kind;
	uint32_t resource;			/* its name; BATCH, LOOP: 0 */
	uint32_t offset;			/* DATA: in the memory */
	uint32_t length;			/* DATA, BATCH: bytes */
	const uint8_t *bytes;			/* DATA, BATCH */
	struct recording_resource made;		/* RESOURCE */
	struct recording_transfer transfer;	/* TRANSFER */
	const struct picture *picture;		/* FRAME, in the recording */
	uint32_t width, height;			/* FRAME: of the surface */
};

struct recording {
	char label[64];				/* what was recorded */
	struct recording_step *steps;
	uint32_t count;
	uint32_t loop;				/* its first step */
	uint32_t frames;			/* of the loop, at least 1 */
	uint32_t batches;			/* of the loop, at least 1 */
	uint32_t highest;			/* name of a resource */
	uint8_t *storage;
	size_t used;				/* bytes of it */
};

/* Where and why a recording is refused. */
struct recording_fault {
	size_t offset;				/* in what was unpacked */
	char why[120];
};

/* Reads a file, packed by gzip or not. 0, -errno, or -EBADMSG with *ret_fault
 * for one that is no recording. */
int recording_read(struct recording *ret, const char *path,
		   struct recording_fault *ret_fault);
/* The same of bytes in memory; they are copied. */
int recording_parse(struct recording *ret, const void *bytes, size_t length,
		    struct recording_fault *ret_fault);
void recording_free(struct recording *r);

/* A recording as it is put together; begins zeroed. */
struct recording_writer {
	uint8_t *bytes;
	size_t length, room;
	uint32_t records;
	bool failed;				/* no memory */
};

void recording_begin(struct recording_writer *w, const char *label);
void recording_put_resource(struct recording_writer *w, uint32_t name,
			    const struct recording_resource *made);
void recording_put_destroy(struct recording_writer *w, uint32_t name);
void recording_put_data(struct recording_writer *w, uint32_t name,
			uint32_t offset, const void *bytes, uint32_t length);
void recording_put_transfer(struct recording_writer *w, uint32_t name,
			    const struct recording_transfer *t);
void recording_put_batch(struct recording_writer *w, const uint32_t *words,
			 uint32_t count);
void recording_put_frame(struct recording_writer *w, uint32_t name,
			 const struct picture *picture);
void recording_put_loop(struct recording_writer *w);
/* Writes the header's counts; the bytes are then a recording. */
void recording_finish(struct recording_writer *w);
/* Finishes, checks as a reader would, and writes it packed. As
 * recording_read(), and -ENOMEM. */
int recording_write(struct recording_writer *w, const char *path,
		    struct recording_fault *ret_fault);
void recording_writer_free(struct recording_writer *w);

#endif
