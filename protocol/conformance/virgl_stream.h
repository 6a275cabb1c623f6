/* SPDX-License-Identifier: MIT */
/*
 * Writes streams of virgl commands, as a driver in a guest would: a word with
 * command, object and length for each, then its words. Only what tests need;
 * numbers are those of virglrenderer's virgl_protocol.h and virgl_hw.h, and of
 * Gallium's p_defines.h, which these streams follow.
 */
#ifndef PVGPU_CONFORM_VIRGL_STREAM_H
#define PVGPU_CONFORM_VIRGL_STREAM_H

#include <stdbool.h>
#include <stdint.h>

/* Formats of surfaces. */
#define VIRGL_B8G8R8A8		1u
#define VIRGL_B8G8R8X8		2u
#define VIRGL_B5G6R5		7u
#define VIRGL_R32_FLOAT		28u
#define VIRGL_R64G64B64A64	27u	/* vertices only: no renderer has it */
#define VIRGL_RGBA32_FLOAT	31u
#define VIRGL_R16		48u
#define VIRGL_R8		64u
#define VIRGL_R8G8		65u
#define VIRGL_R8G8B8A8		67u

/* VIRGL_BIND_* */
#define VIRGL_BIND_DEPTH	(1u << 0)
#define VIRGL_BIND_TARGET	(1u << 1)	/* is drawn into */
#define VIRGL_BIND_VIEW		(1u << 3)	/* is sampled */
#define VIRGL_BIND_VERTEX	(1u << 4)
#define VIRGL_BIND_CONSTANT	(1u << 6)
#define VIRGL_BIND_CUSTOM	(1u << 17)
#define VIRGL_BIND_STAGING	(1u << 19)
#define VIRGL_BIND_NOBODYS	(1u << 31)	/* no renderer makes it */

/* VIRGL_CCMD_* */
enum virgl_command {
	VIRGL_NOP = 0, VIRGL_CREATE_OBJECT, VIRGL_BIND_OBJECT,
	VIRGL_DESTROY_OBJECT, VIRGL_SET_VIEWPORT, VIRGL_SET_FRAMEBUFFER,
	VIRGL_SET_VERTEX_BUFFERS, VIRGL_CLEAR, VIRGL_DRAW_VBO,
	VIRGL_INLINE_WRITE, VIRGL_SET_CONSTANTS = 12, VIRGL_BLIT = 16,
	VIRGL_COPY_REGION, VIRGL_BEGIN_QUERY = 19, VIRGL_END_QUERY,
	VIRGL_GET_QUERY_RESULT, VIRGL_SET_SUB_CONTEXT = 28,
	VIRGL_CREATE_SUB_CONTEXT, VIRGL_DESTROY_SUB_CONTEXT,
	VIRGL_BIND_SHADER, VIRGL_TRANSFER3D = 43, VIRGL_END_TRANSFERS,
	VIRGL_COPY_TRANSFER3D, VIRGL_RESOURCE_MAKE = 48,
	VIRGL_RESOURCE_SET_TYPE,
};

/* VIRGL_OBJECT_* */
enum virgl_object {
	VIRGL_OBJECT_NONE, VIRGL_OBJECT_BLEND, VIRGL_OBJECT_RASTERIZER,
	VIRGL_OBJECT_DSA, VIRGL_OBJECT_SHADER, VIRGL_OBJECT_VERTEX_ELEMENTS,
	VIRGL_OBJECT_SAMPLER_VIEW, VIRGL_OBJECT_SAMPLER_STATE,
	VIRGL_OBJECT_SURFACE, VIRGL_OBJECT_QUERY,
};

enum virgl_shader { VIRGL_SHADER_VERTEX, VIRGL_SHADER_FRAGMENT };

#define VIRGL_CLEAR_DEPTH	(1u << 0)
#define VIRGL_CLEAR_COLOUR	(1u << 2)	/* the first colour buffer */

#define STREAM_WORDS 16384u

#define STREAM_RECTANGLES 8u		/* that have a place of their own */
#define STREAM_VERTICES (64u * STREAM_RECTANGLES)
struct stream {
	uint32_t rectangles;		/* drawn so far */
	uint32_t count;			/* of the words */
	uint32_t words[STREAM_WORDS];	/* in the processor's order */
};

void stream_begin(struct stream *s);
/* One command; where there is no room, the program ends: tests know what
 * they write. Returns the offset of the command in the stream, bytes. */
uint32_t stream_put(struct stream *s, uint32_t command, uint32_t object,
		    const uint32_t *words, uint32_t count);
#define STREAM(s, command, object, ...) \
	stream_put(s, command, object, (const uint32_t[]){ __VA_ARGS__ }, \
		   sizeof((const uint32_t[]){ __VA_ARGS__ }) / 4)

uint32_t float_bits(float value);

/* ------------------------------------------------------------------ state */

void stream_sub_context(struct stream *s, uint32_t command, uint32_t number);
/* A view of a level and layer of a resource, to be drawn into. */
void stream_surface(struct stream *s, uint32_t handle, uint32_t resource,
		    uint32_t format, uint32_t level, uint32_t layer);
void stream_destroy(struct stream *s, uint32_t object, uint32_t handle);
/* One colour buffer, 0: none. */
void stream_framebuffer(struct stream *s, uint32_t surface);
void stream_viewport(struct stream *s, uint32_t width, uint32_t height);
/* TGSI, in one piece. What its text is charged for is *ret_bytes, NULL
 * allowed. */
void stream_shader(struct stream *s, uint32_t handle, uint32_t type,
		   const char *text, uint32_t *ret_bytes);
/* Blending, rasterizer and depth state that let everything through: objects
 * first, first + 1 and first + 2, bound. */
void stream_plain_state(struct stream *s, uint32_t first);
/* Bytes into a BUFFER, a multiple of 4 of them. */
void stream_write(struct stream *s, uint32_t resource, uint32_t offset,
		  const void *bytes, uint32_t size);
/* Words behind the fragment shader's constants. */
void stream_constants(struct stream *s, uint32_t shader, const float *values,
		      uint32_t count);

/* -------------------------------------------------------------- drawing */

void stream_clear(struct stream *s, float red, float green, float blue,
		  float alpha);
/* Makes and binds all that stream_rectangle() needs, from object `first` on:
 * eight of them. vertices: a BUFFER of STREAM_VERTICES bytes or more, bound as
 * VERTEX. */
void stream_painter(struct stream *s, uint32_t first, uint32_t vertices);
/* Two triangles from (x0, y0) to (x1, y1), in clip space, of one colour. */
void stream_rectangle(struct stream *s, uint32_t vertices, const float *box,
		      const float *rgba);

struct stream_box {
	uint32_t x, y, z, width, height, depth;
};

void stream_copy(struct stream *s, uint32_t to, uint32_t to_x, uint32_t to_y,
		 uint32_t from, const struct stream_box *box);
/* Level 0 to level 0, scaled to the nearest texel. */
void stream_blit(struct stream *s, uint32_t to, const struct stream_box *dst,
		 uint32_t from, const struct stream_box *src,
		 uint32_t format);

#endif
