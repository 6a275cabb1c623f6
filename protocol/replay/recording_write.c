// SPDX-License-Identifier: MIT
/* Putting a recording together; see recording.h, format.md. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "protocol/replay/recording_format.h"

static void *append(struct recording_writer *w, size_t length)
{
	if (w->length + length > w->room) {
		size_t room = (w->length + length) * 2;
		uint8_t *more = realloc(w->bytes, room);

		if (!more) {
			w->failed = true;
			return NULL;
		}
		w->bytes = more;
		w->room = room;
	}
	w->length += length;
	return memset(w->bytes + w->length - length, 0, length);
}

static void put_words(uint8_t *to, const uint32_t *words, size_t count)
{
	for (size_t i = 0; i < count; i++)
		for (int b = 0; b < 4; b++)
			*to++ = (uint8_t)(words[i] >> 8 * b);
}

/* A record: its words, and bytes behind them, padded. */
static void put(struct recording_writer *w, enum recording_kind kind,
		const uint32_t *words, size_t count, const void *bytes,
		uint32_t length)
{
	uint32_t body = (uint32_t)count * 4 + (length + 3) / 4 * 4;
	uint32_t head[] = { kind, body };
	uint8_t *to = append(w, RECORDING_RECORD_BYTES + body);

	if (!to)
		return;
	put_words(to, head, 2);
	put_words(to + RECORDING_RECORD_BYTES, words, count);
	if (length)
		memcpy(to + RECORDING_RECORD_BYTES + count * 4, bytes, length);
	w->records++;
}

void recording_begin(struct recording_writer *w, const char *label)
{
	uint8_t *head = append(w, RECORDING_HEADER_BYTES);

	if (!head)
		return;
	memcpy(head, RECORDING_MAGIC, 8);
	for (size_t i = 0; i < 63 && label[i]; i++)
		head[16 + i] = label[i] < ' ' || label[i] > '~' ?
			       '?' : (uint8_t)label[i];
}

void recording_put_resource(struct recording_writer *w, uint32_t name,
			    const struct recording_resource *m)
{
	const uint32_t words[] = {
		name, m->target, m->format, m->bind, m->width, m->height,
		m->depth, m->layers, m->levels, m->samples, m->flags, m->size,
	};

	put(w, RECORDING_RESOURCE, words, 12, NULL, 0);
}

void recording_put_destroy(struct recording_writer *w, uint32_t name)
{
	put(w, RECORDING_DESTROY, &name, 1, NULL, 0);
}

void recording_put_data(struct recording_writer *w, uint32_t name,
			uint32_t offset, const void *bytes, uint32_t length)
{
	const uint32_t words[] = { name, offset };

	put(w, RECORDING_DATA, words, 2, bytes, length);
}

void recording_put_transfer(struct recording_writer *w, uint32_t name,
			    const struct recording_transfer *t)
{
	const uint32_t words[] = {
		name, t->level, t->stride, t->layer_stride, t->offset,
		t->x, t->y, t->z, t->width, t->height, t->depth,
	};

	put(w, RECORDING_TRANSFER, words, 11, NULL, 0);
}

void recording_put_batch(struct recording_writer *w, const uint32_t *words,
			 uint32_t count)
{
	put(w, RECORDING_BATCH, words, count, NULL, 0);
}

void recording_put_frame(struct recording_writer *w, uint32_t name,
			 const struct picture *picture)
{
	put(w, RECORDING_FRAME, &name, 1, picture->mean, PICTURE_BYTES);
}

void recording_put_loop(struct recording_writer *w)
{
	put(w, RECORDING_LOOP, NULL, 0, NULL, 0);
}

void recording_finish(struct recording_writer *w)
{
	const uint32_t words[] = { RECORDING_VERSION, w->records };

	if (!w->failed)
		put_words(w->bytes + 8, words, 2);
}

int recording_write(struct recording_writer *w, const char *path,
		    struct recording_fault *ret_fault)
{
	struct recording check;
	gzFile file;
	int ret;

	recording_finish(w);
	if (w->failed)
		return -ENOMEM;
	ret = recording_parse(&check, w->bytes, w->length, ret_fault);
	if (ret)
		return ret;
	recording_free(&check);
	errno = ENOMEM;
	file = gzopen(path, "wb9e");
	if (!file)
		return -errno;
	ret = gzwrite(file, w->bytes, (unsigned int)w->length) ==
	      (int)w->length ? 0 : -EIO;
	if (gzclose(file) != Z_OK)
		ret = -EIO;
	if (ret)
		unlink(path);
	return ret;
}

void recording_writer_free(struct recording_writer *w)
{
	free(w->bytes);
	memset(w, 0, sizeof(*w));
}
