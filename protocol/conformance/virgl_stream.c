// SPDX-License-Identifier: MIT
/* Streams of virgl commands; see virgl_stream.h. */
#include "virgl_stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRIANGLE_STRIP 5u

static const char vertex_text[] =
	"VERT\n"
	"DCL IN[0]\n"
	"DCL OUT[0], POSITION\n"
	"  0: MOV OUT[0], IN[0]\n"
	"  1: END\n";

static const char fragment_text[] =
	"FRAG\n"
	"PROPERTY FS_COLOR0_WRITES_ALL_CBUFS 1\n"
	"DCL OUT[0], COLOR\n"
	"DCL CONST[0]\n"
	"  0: MOV OUT[0], CONST[0]\n"
	"  1: END\n";

uint32_t float_bits(float value)
{
	uint32_t bits;

	memcpy(&bits, &value, sizeof(bits));
	return bits;
}

void stream_begin(struct stream *s)
{
	s->count = 0;
}

static uint32_t *begin(struct stream *s, uint32_t command, uint32_t object,
		       uint32_t count)
{
	uint32_t *at = &s->words[s->count + 1];

	if (count > 0xffff || count + 1 > STREAM_WORDS - s->count) {
		fprintf(stderr, "a stream of more than %u words\n",
			STREAM_WORDS);
		abort();
	}
	s->words[s->count] = command | object << 8 | count << 16;
	s->count += count + 1;
	return at;
}

uint32_t stream_put(struct stream *s, uint32_t command, uint32_t object,
		    const uint32_t *words, uint32_t count)
{
	uint32_t offset = s->count * 4;
	uint32_t *at = begin(s, command, object, count);

	if (count)
		memcpy(at, words, count * 4);
	return offset;
}

/* ------------------------------------------------------------------ state */

void stream_sub_context(struct stream *s, uint32_t command, uint32_t number)
{
	STREAM(s, command, 0, number);
}

void stream_surface(struct stream *s, uint32_t handle, uint32_t resource,
		    uint32_t format, uint32_t level, uint32_t layer)
{
	STREAM(s, VIRGL_CREATE_OBJECT, VIRGL_OBJECT_SURFACE, handle, resource,
	       format, level, layer | layer << 16);
}

void stream_destroy(struct stream *s, uint32_t object, uint32_t handle)
{
	STREAM(s, VIRGL_DESTROY_OBJECT, object, handle);
}

void stream_framebuffer(struct stream *s, uint32_t surface)
{
	STREAM(s, VIRGL_SET_FRAMEBUFFER, 0, 1, 0, surface);
}

void stream_viewport(struct stream *s, uint32_t width, uint32_t height)
{
	uint32_t x = float_bits((float)width / 2);
	uint32_t y = float_bits((float)height / 2), z = float_bits(0.5f);

	STREAM(s, VIRGL_SET_VIEWPORT, 0, 0, x, y, z, x, y, z);
}

void stream_shader(struct stream *s, uint32_t handle, uint32_t type,
		   const char *text, uint32_t *ret_bytes)
{
	uint32_t bytes = (uint32_t)strlen(text) + 1;
	uint32_t words = (bytes + 3) / 4;
	uint32_t *at = begin(s, VIRGL_CREATE_OBJECT, VIRGL_OBJECT_SHADER,
			     5 + words);

	at[0] = handle;
	at[1] = type;
	at[2] = bytes;
	at[3] = bytes;			/* tokens at most */
	at[4] = 0;			/* of stream-out */
	memset(at + 5, 0, words * 4);
	memcpy(at + 5, text, bytes);
	if (ret_bytes)
		*ret_bytes = words * 4;
}

void stream_plain_state(struct stream *s, uint32_t first)
{
	uint32_t all = 0xfu << 27;	/* of red, green, blue and alpha */
	/* Depth clipping, half a pixel's centre, the lower edge's rule. */
	uint32_t raster = 1u << 1 | 1u << 29 | 1u << 30;
	uint32_t one = float_bits(1);

	STREAM(s, VIRGL_CREATE_OBJECT, VIRGL_OBJECT_BLEND, first, 0, 0, all,
	       all, all, all, all, all, all, all);
	STREAM(s, VIRGL_BIND_OBJECT, VIRGL_OBJECT_BLEND, first);
	STREAM(s, VIRGL_CREATE_OBJECT, VIRGL_OBJECT_RASTERIZER, first + 1,
	       raster, one, 0, 0, one, 0, 0, 0);
	STREAM(s, VIRGL_BIND_OBJECT, VIRGL_OBJECT_RASTERIZER, first + 1);
	STREAM(s, VIRGL_CREATE_OBJECT, VIRGL_OBJECT_DSA, first + 2, 0, 0, 0,
	       0);
	STREAM(s, VIRGL_BIND_OBJECT, VIRGL_OBJECT_DSA, first + 2);
}

void stream_write(struct stream *s, uint32_t resource, uint32_t offset,
		  const void *bytes, uint32_t size)
{
	uint32_t *at = begin(s, VIRGL_INLINE_WRITE, 0, 11 + size / 4);

	memset(at, 0, 11 * 4);
	at[0] = resource;
	at[5] = offset;
	at[8] = size;
	at[9] = 1;
	at[10] = 1;
	memcpy(at + 11, bytes, size);
}

void stream_constants(struct stream *s, uint32_t shader, const float *values,
		      uint32_t count)
{
	uint32_t *at = begin(s, VIRGL_SET_CONSTANTS, 0, 2 + count);

	at[0] = shader;
	at[1] = 0;
	memcpy(at + 2, values, count * 4);
}

/* -------------------------------------------------------------- drawing */

void stream_clear(struct stream *s, float red, float green, float blue,
		  float alpha)
{
	STREAM(s, VIRGL_CLEAR, 0, VIRGL_CLEAR_COLOUR, float_bits(red),
	       float_bits(green), float_bits(blue), float_bits(alpha), 0, 0,
	       0);
}

void stream_painter(struct stream *s, uint32_t first, uint32_t vertices)
{
	stream_plain_state(s, first);
	STREAM(s, VIRGL_CREATE_OBJECT, VIRGL_OBJECT_VERTEX_ELEMENTS,
	       first + 3, 0, 0, 0, VIRGL_RGBA32_FLOAT);
	STREAM(s, VIRGL_BIND_OBJECT, VIRGL_OBJECT_VERTEX_ELEMENTS, first + 3);
	stream_shader(s, first + 4, VIRGL_SHADER_VERTEX, vertex_text, NULL);
	STREAM(s, VIRGL_BIND_SHADER, 0, first + 4, VIRGL_SHADER_VERTEX);
	stream_shader(s, first + 5, VIRGL_SHADER_FRAGMENT, fragment_text,
		      NULL);
	STREAM(s, VIRGL_BIND_SHADER, 0, first + 5, VIRGL_SHADER_FRAGMENT);
	STREAM(s, VIRGL_SET_VERTEX_BUFFERS, 0, 16, 0, vertices);
}

void stream_rectangle(struct stream *s, uint32_t vertices, const float *box,
		      const float *rgba)
{
	const float corners[] = {
		box[0], box[1], 0, 1, box[2], box[1], 0, 1,
		box[0], box[3], 0, 1, box[2], box[3], 0, 1,
	};

	/* A write waits for no draw before it: on a GPU that one may still be
	 * reading. */
	const uint32_t at = s->rectangles++ % STREAM_RECTANGLES;

	stream_write(s, vertices, at * sizeof(corners), corners,
		     sizeof(corners));
	stream_constants(s, VIRGL_SHADER_FRAGMENT, rgba, 4);
	STREAM(s, VIRGL_DRAW_VBO, 0, at * 4, 4, TRIANGLE_STRIP, 0, 1, 0, 0, 0,
	       0, at * 4, at * 4 + 3, 0);
}

void stream_copy(struct stream *s, uint32_t to, uint32_t to_x, uint32_t to_y,
		 uint32_t from, const struct stream_box *box)
{
	STREAM(s, VIRGL_COPY_REGION, 0, to, 0, to_x, to_y, 0, from, 0, box->x,
	       box->y, box->z, box->width, box->height, box->depth);
}

void stream_blit(struct stream *s, uint32_t to, const struct stream_box *dst,
		 uint32_t from, const struct stream_box *src, uint32_t format)
{
	/* Red, green, blue and alpha; the filter is the nearest texel. */
	STREAM(s, VIRGL_BLIT, 0, 0xf, 0, 0, to, 0, format, dst->x, dst->y,
	       dst->z, dst->width, dst->height, dst->depth, from, 0, format,
	       src->x, src->y, src->z, src->width, src->height, src->depth);
}
