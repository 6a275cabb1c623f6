// SPDX-License-Identifier: MIT
/* Reading recordings, and checking all of them; see recording.h, format.md. */
#include "protocol/replay/recording.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "protocol/replay/recording_format.h"

struct reader {
	struct recording *r;
	struct recording_fault *fault;
	size_t at;			/* of the record being read */
	const uint8_t *body;		/* of it */
	uint32_t length;
	bool looping;
	/* The resources that there are, in no order. */
	struct live {
		uint32_t name;
		bool of_loop;
		struct recording_resource made;
	} *live;
	uint32_t lives;
};

__attribute__((format(printf, 2, 3)))
static int refuse(struct reader *in, const char *format, ...)
{
	va_list arguments;

	in->fault->offset = in->at;
	va_start(arguments, format);
	vsnprintf(in->fault->why, sizeof(in->fault->why), format, arguments);
	va_end(arguments);
	return -EBADMSG;
}

static uint32_t word(const uint8_t *bytes)
{
	return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 |
	       (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

static uint32_t body_word(const struct reader *in, uint32_t index)
{
	return word(in->body + (size_t)index * 4);
}

static struct live *find(struct reader *in, uint32_t name)
{
	for (uint32_t i = 0; i < in->lives; i++)
		if (in->live[i].name == name)
			return &in->live[i];
	return NULL;
}

/* The resource that word 0 of the record names. */
static int named(struct reader *in, struct recording_step *step,
		 struct live **ret)
{
	step->resource = body_word(in, 0);
	*ret = find(in, step->resource);
	if (!*ret)
		return refuse(in, "there is no resource %u", step->resource);
	return 0;
}

static int read_resource(struct reader *in, struct recording_step *step)
{
	struct recording_resource *m = &step->made;
	uint32_t *fields[] = {
		&m->target, &m->format, &m->bind, &m->width, &m->height,
		&m->depth, &m->layers, &m->levels, &m->samples, &m->flags,
		&m->size,
	};

	step->resource = body_word(in, 0);
	for (uint32_t i = 0; i < sizeof(fields) / sizeof(*fields); i++)
		*fields[i] = body_word(in, i + 1);
	if (!step->resource || step->resource > RECORDING_NAME_MAX)
		return refuse(in, "resource %u: names are 1 to %u",
			      step->resource, RECORDING_NAME_MAX);
	if (find(in, step->resource))
		return refuse(in, "resource %u exists already",
			      step->resource);
	if (in->lives == RECORDING_RESOURCES_MAX)
		return refuse(in, "more than %u resources at a time",
			      RECORDING_RESOURCES_MAX);
	if (m->size > RECORDING_SIZE_MAX)
		return refuse(in, "resource %u: %u bytes, of at most %u",
			      step->resource, m->size, RECORDING_SIZE_MAX);
	if (step->resource > in->r->highest)
		in->r->highest = step->resource;
	in->live[in->lives++] = (struct live){
		step->resource, in->looping, *m,
	};
	return 0;
}

static int read_destroy(struct reader *in, struct recording_step *step)
{
	struct live *live;
	int ret = named(in, step, &live);

	if (ret)
		return ret;
	if (in->looping && !live->of_loop)
		return refuse(in, "the loop destroys resource %u, which it "
			      "has not made", step->resource);
	*live = in->live[--in->lives];
	return 0;
}

static int read_data(struct reader *in, struct recording_step *step)
{
	struct live *live;
	int ret = named(in, step, &live);

	if (ret)
		return ret;
	step->offset = body_word(in, 1);
	step->bytes = in->body + 8;
	step->length = in->length - 8;
	if (!step->length || step->offset > live->made.size ||
	    step->length > live->made.size - step->offset)
		return refuse(in, "%u bytes at %u of resource %u, which has "
			      "%u", step->length, step->offset,
			      step->resource, live->made.size);
	return 0;
}

static int read_transfer(struct reader *in, struct recording_step *step)
{
	struct recording_transfer *t = &step->transfer;
	uint32_t *fields[] = {
		&t->level, &t->stride, &t->layer_stride, &t->offset,
		&t->x, &t->y, &t->z, &t->width, &t->height, &t->depth,
	};
	struct live *live;
	int ret = named(in, step, &live);

	for (uint32_t i = 0; i < sizeof(fields) / sizeof(*fields); i++)
		*fields[i] = body_word(in, i + 1);
	if (!ret && !live->made.size)
		ret = refuse(in, "a transfer from resource %u, which has no "
			     "memory", step->resource);
	return ret;
}

static int read_batch(struct reader *in, struct recording_step *step)
{
	if (!in->length || in->length > RECORDING_BATCH_MAX)
		return refuse(in, "a batch of %u bytes, of 4 to %u",
			      in->length, RECORDING_BATCH_MAX);
	step->bytes = in->body;
	step->length = in->length;
	in->r->batches += in->looping;
	return 0;
}

static int read_frame(struct reader *in, struct recording_step *step)
{
	const struct recording_resource *m;
	struct live *live;
	int ret = named(in, step, &live);

	if (ret)
		return ret;
	m = &live->made;
	if (!recording_can_show(m))
		return refuse(in, "resource %u shows no frame: format %u, "
			      "%u × %u, %u bytes", step->resource, m->format,
			      m->width, m->height, m->size);
	step->width = m->width;
	step->height = m->height;
	step->picture = (const struct picture *)(in->body + 4);
	in->r->frames += in->looping;
	return 0;
}

static int read_loop(struct reader *in, struct recording_step *step)
{
	(void)step;
	if (in->looping)
		return refuse(in, "a second loop");
	in->looping = true;
	in->r->loop = in->r->count + 1;
	return 0;
}

bool recording_can_show(const struct recording_resource *made)
{
	static const uint32_t formats[] = RECORDING_SHOWN_FORMATS;

	if (made->width < PICTURE_SIDE || made->height < PICTURE_SIDE ||
	    (uint64_t)made->width * made->height * 4 > made->size)
		return false;
	for (uint32_t i = 0; i < sizeof(formats) / sizeof(*formats); i++)
		if (made->format == formats[i])
			return true;
	return false;
}

/* By kind: the bytes that a record has at least, and at most if not more. */
static const struct {
	uint32_t least;
	bool more;
	int (*read)(struct reader *in, struct recording_step *step);
} kinds[] = {
	[RECORDING_RESOURCE] = { 48, false, read_resource },
	[RECORDING_DESTROY] = { 4, false, read_destroy },
	[RECORDING_DATA] = { 8, true, read_data },
	[RECORDING_TRANSFER] = { 44, false, read_transfer },
	[RECORDING_BATCH] = { 0, true, read_batch },
	[RECORDING_FRAME] = { 4 + PICTURE_BYTES, false, read_frame },
	[RECORDING_LOOP] = { 0, false, read_loop },
};

static int read_record(struct reader *in, struct recording_step *step)
{
	const struct recording *r = in->r;
	size_t rest = r->used - in->at;
	uint32_t kind;

	if (rest < RECORDING_RECORD_BYTES)
		return refuse(in, "ends in the middle of a record");
	kind = word(r->storage + in->at);
	in->length = word(r->storage + in->at + 4);
	in->body = r->storage + in->at + RECORDING_RECORD_BYTES;
	if (kind < RECORDING_RESOURCE || kind > RECORDING_LOOP)
		return refuse(in, "a record of kind %u", kind);
	if (in->length > rest - RECORDING_RECORD_BYTES)
		return refuse(in, "a record of %u bytes, and %zu are left",
			      in->length, rest - RECORDING_RECORD_BYTES);
	if (in->length % 4 || in->length < kinds[kind].least ||
	    (!kinds[kind].more && in->length != kinds[kind].least))
		return refuse(in, "a record of kind %u with %u bytes, not %u%s",
			      kind, in->length, kinds[kind].least,
			      kinds[kind].more ? " and a multiple of 4" : "");
	step->kind = (enum recording_kind)kind;
	return kinds[kind].read(in, step);
}

static int read_header(struct reader *in, uint32_t *ret_records)
{
	struct recording *r = in->r;
	const uint8_t *head = r->storage;

	if (r->used < RECORDING_HEADER_BYTES ||
	    memcmp(head, RECORDING_MAGIC, 8))
		return refuse(in, "this is no recording");
	if (word(head + 8) != RECORDING_VERSION)
		return refuse(in, "version %u, and only %u is known",
			      word(head + 8), RECORDING_VERSION);
	*ret_records = word(head + 12);
	memcpy(r->label, head + 16, sizeof(r->label));
	if (r->label[sizeof(r->label) - 1])
		return refuse(in, "the label does not end");
	for (const char *c = r->label; *c; c++)
		if (*c < ' ' || *c > '~')
			return refuse(in, "the label is no plain text");
	if (*ret_records > RECORDING_RECORDS_MAX)
		return refuse(in, "%u records, of at most %u", *ret_records,
			      RECORDING_RECORDS_MAX);
	if (*ret_records > (r->used - RECORDING_HEADER_BYTES) /
			   RECORDING_RECORD_BYTES)
		return refuse(in, "%u records do not fit into %zu bytes",
			      *ret_records, r->used);
	return 0;
}

/* What is true of the whole. */
static int read_end(struct reader *in)
{
	struct recording *r = in->r;

	if (in->at != r->used)
		return refuse(in, "%zu bytes behind the last record",
			      r->used - in->at);
	if (!r->frames || !r->batches)
		return refuse(in, "the loop has %u batches and %u frames",
			      r->batches, r->frames);
	if (r->steps[r->count - 1].kind != RECORDING_FRAME &&
	    r->steps[r->count - 1].kind != RECORDING_DESTROY)
		return refuse(in, "the loop does not end with its last frame");
	for (uint32_t i = 0; i < in->lives; i++)
		if (in->live[i].of_loop)
			return refuse(in, "the loop makes resource %u, and "
				      "leaves it", in->live[i].name);
	return 0;
}

static int read_all(struct reader *in)
{
	struct recording *r = in->r;
	uint32_t records = 0;
	int ret = read_header(in, &records);

	if (ret)
		return ret;
	r->steps = calloc(records + 1, sizeof(*r->steps));
	in->live = calloc(RECORDING_RESOURCES_MAX, sizeof(*in->live));
	if (!r->steps || !in->live)
		return -ENOMEM;
	in->at = RECORDING_HEADER_BYTES;
	for (; r->count < records; r->count++) {
		ret = read_record(in, &r->steps[r->count]);
		if (ret)
			return ret;
		in->at += RECORDING_RECORD_BYTES + in->length;
	}
	return read_end(in);
}

/* Takes over r->storage. */
static int parse(struct recording *r, struct recording_fault *ret_fault)
{
	struct reader in = { .r = r, .fault = ret_fault };
	int ret = read_all(&in);

	free(in.live);
	return ret;
}

int recording_parse(struct recording *ret, const void *bytes, size_t length,
		    struct recording_fault *ret_fault)
{
	struct recording r = { .used = length };
	int err = -ENOMEM;

	r.storage = malloc(length ? length : 1);
	if (r.storage) {
		memcpy(r.storage, bytes, length);
		err = parse(&r, ret_fault);
	}
	if (err)
		recording_free(&r);
	else
		*ret = r;
	return err;
}

/* All of the file, unpacked; more than the limit is refused, not read. */
static int unpack(struct recording *r, gzFile file,
		  struct recording_fault *ret_fault)
{
	size_t room = 1u << 20;
	int n, code;

	r->storage = malloc(room);
	if (!r->storage)
		return -ENOMEM;
	for (;;) {
		if (r->used == room) {
			uint8_t *more = realloc(r->storage, room * 2);

			if (!more)
				return -ENOMEM;
			r->storage = more;
			room *= 2;
		}
		n = gzread(file, r->storage + r->used,
			   (unsigned int)(room - r->used));
		if (n <= 0)
			break;
		r->used += (size_t)n;
		if (r->used > RECORDING_BYTES_MAX)
			break;
	}
	ret_fault->offset = r->used;
	gzerror(file, &code);
	if (code == Z_ERRNO)
		return -errno;
	if (code != Z_OK && code != Z_STREAM_END)
		snprintf(ret_fault->why, sizeof(ret_fault->why),
			 "what gzip packed is broken or ends early");
	else if (r->used > RECORDING_BYTES_MAX)
		snprintf(ret_fault->why, sizeof(ret_fault->why),
			 "more than %u bytes", RECORDING_BYTES_MAX);
	else
		return 0;
	return -EBADMSG;
}

int recording_read(struct recording *ret, const char *path,
		   struct recording_fault *ret_fault)
{
	struct recording r = { 0 };
	gzFile file;
	int err;

	errno = ENOMEM;
	file = gzopen(path, "rbe");
	if (!file)
		return -errno;
	err = unpack(&r, file, ret_fault);
	gzclose(file);
	if (!err)
		err = parse(&r, ret_fault);
	if (err)
		recording_free(&r);
	else
		*ret = r;
	return err;
}

void recording_free(struct recording *r)
{
	free(r->steps);
	free(r->storage);
	memset(r, 0, sizeof(*r));
}
