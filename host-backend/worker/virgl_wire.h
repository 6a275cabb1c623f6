/* SPDX-License-Identifier: MIT */
/*
 * What the walk over a stream (stream.c) must know of virgl's commands: their
 * numbers, the fewest words that each must have for a renderer to read no
 * further, and where handles and lengths of what is made lie. The numbers are
 * those of virglrenderer's virgl_protocol.h up to 1.3, which Debian does not
 * install.
 */
#ifndef PVGPU_WORKER_VIRGL_WIRE_H
#define PVGPU_WORKER_VIRGL_WIRE_H

#include <stdint.h>

/* A command begins with a word: number, object type, length in words. */
static inline uint32_t virgl_number(uint32_t word)
{
	return word & 0xff;
}

static inline uint32_t virgl_object_type(uint32_t word)
{
	return word >> 8 & 0xff;
}

static inline uint32_t virgl_length(uint32_t word)
{
	return word >> 16;
}

static inline uint32_t virgl_command(uint32_t number, uint32_t type,
				     uint32_t length)
{
	return number | type << 8 | length << 16;
}

/* X(name, number, words at least): commands that are let through. */
#define VIRGL_COMMANDS(X) \
	X(NOP, 0, 0) \
	X(CREATE_OBJECT, 1, 1) \
	X(BIND_OBJECT, 2, 1) \
	X(DESTROY_OBJECT, 3, 1) \
	X(SET_VIEWPORT_STATE, 4, 1) \
	X(SET_FRAMEBUFFER_STATE, 5, 2) \
	X(SET_VERTEX_BUFFERS, 6, 0) \
	X(CLEAR, 7, 8) \
	X(DRAW_VBO, 8, 12) \
	X(RESOURCE_INLINE_WRITE, 9, 12) \
	X(SET_SAMPLER_VIEWS, 10, 2) \
	X(SET_INDEX_BUFFER, 11, 1) \
	X(SET_CONSTANT_BUFFER, 12, 2) \
	X(SET_STENCIL_REF, 13, 1) \
	X(SET_BLEND_COLOR, 14, 4) \
	X(SET_SCISSOR_STATE, 15, 1) \
	X(BLIT, 16, 21) \
	X(RESOURCE_COPY_REGION, 17, 13) \
	X(BIND_SAMPLER_STATES, 18, 2) \
	X(BEGIN_QUERY, 19, 1) \
	X(END_QUERY, 20, 1) \
	X(GET_QUERY_RESULT, 21, 2) \
	X(SET_POLYGON_STIPPLE, 22, 32) \
	X(SET_CLIP_STATE, 23, 32) \
	X(SET_SAMPLE_MASK, 24, 1) \
	X(SET_STREAMOUT_TARGETS, 25, 1) \
	X(SET_RENDER_CONDITION, 26, 3) \
	X(SET_UNIFORM_BUFFER, 27, 5) \
	X(SET_SUB_CTX, 28, 1) \
	X(CREATE_SUB_CTX, 29, 1) \
	X(DESTROY_SUB_CTX, 30, 1) \
	X(BIND_SHADER, 31, 2) \
	X(SET_TESS_STATE, 32, 6) \
	X(SET_MIN_SAMPLES, 33, 1) \
	X(SET_SHADER_BUFFERS, 34, 2) \
	X(SET_SHADER_IMAGES, 35, 2) \
	X(MEMORY_BARRIER, 36, 1) \
	X(LAUNCH_GRID, 37, 8) \
	X(SET_FRAMEBUFFER_STATE_NO_ATTACH, 38, 2) \
	X(TEXTURE_BARRIER, 39, 1) \
	X(SET_ATOMIC_BUFFERS, 40, 2) \
	X(SET_DEBUG_FLAGS, 41, 2) \
	X(GET_QUERY_RESULT_QBO, 42, 6) \
	X(TRANSFER3D, 43, 13) \
	X(END_TRANSFERS, 44, 0) \
	X(COPY_TRANSFER3D, 45, 14) \
	X(SET_TWEAKS, 46, 2) \
	X(CLEAR_TEXTURE, 47, 12) \
	X(GET_MEMORY_INFO, 50, 1) \
	X(SEND_STRING_MARKER, 51, 2) \
	X(LINK_SHADER, 52, 6) \
	X(CLEAR_SURFACE, 62, 10) \
	X(GET_PIPE_RESOURCE_LAYOUT, 63, 2)

/* And that are refused: what makes resources uncharged, and video, which
 * nobody offers (CREATE_VIDEO_CODEC to END_FRAME). */
#define VIRGL_PIPE_RESOURCE_CREATE	48u
#define VIRGL_PIPE_RESOURCE_SET_TYPE	49u
#define VIRGL_VIDEO_FIRST		53u
#define VIRGL_VIDEO_LAST		61u

/* X(name, number, words at least): types of CREATE_OBJECT, whose first word
 * is the handle. */
#define VIRGL_OBJECTS(X) \
	X(BLEND, 1, 11) \
	X(RASTERIZER, 2, 9) \
	X(DSA, 3, 5) \
	X(SHADER, 4, 5) \
	X(VERTEX_ELEMENTS, 5, 1) \
	X(SAMPLER_VIEW, 6, 6) \
	X(SAMPLER_STATE, 7, 9) \
	X(SURFACE, 8, 5) \
	X(QUERY, 9, 4) \
	X(STREAMOUT_TARGET, 10, 4) \
	X(MSAA_SURFACE, 11, 6)

enum virgl_commands {
#define X(name, number, least) VIRGL_##name = number,
	VIRGL_COMMANDS(X)
#undef X
};

enum virgl_objects {
#define X(name, number, least) VIRGL_OBJECT_##name = number,
	VIRGL_OBJECTS(X)
#undef X
};

/* Words of a CREATE_OBJECT of a shader, counted from the command's own. */
#define VIRGL_SHADER_KIND	2u
#define VIRGL_SHADER_LENGTH	3u	/* of the whole text, bytes; or what
					 * came before, with the bit below */
#define VIRGL_SHADER_TOKENS	4u
#define VIRGL_SHADER_OUTPUTS	5u	/* streamed out; a compute shader's
					 * local memory */
#define VIRGL_SHADER_CONTINUED	0x80000000u
#define VIRGL_SHADER_COMPUTE	5u	/* the last kind */
#define VIRGL_MAX_OUTPUTS	64u

/* Of SET_STREAMOUT_TARGETS: handles follow the first word. */
#define VIRGL_TARGETS_HANDLES	2u
#define VIRGL_MAX_TARGETS	16u

#define VIRGL_MARKER_LENGTH	1u	/* bytes, of the words behind it */

#endif
