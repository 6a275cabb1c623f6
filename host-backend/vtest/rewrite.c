// SPDX-License-Identifier: MIT
/* Replacing handles in a stream; see rewrite.h. */
#include "rewrite.h"

#include <stdbool.h>
#include <string.h>

#include "common/util.h"
#include "worker/virgl_wire.h"

/* Where a command has handles: up to two words of their own; or every `step`
 * words from `first` on, to its end. Numbered as in virgl_protocol.h. */
struct handles {
	uint8_t one, two;		/* 0: none */
	uint8_t first, step;		/* step 0: none */
	bool heeded;
};

static const struct handles commands[256] = {
	[VIRGL_SET_VERTEX_BUFFERS] = { .first = 3, .step = 3 },
	[VIRGL_DRAW_VBO] = { .one = 15, .two = 20 },
	[VIRGL_RESOURCE_INLINE_WRITE] = { .one = 1 },
	[VIRGL_SET_INDEX_BUFFER] = { .one = 1 },
	[VIRGL_BLIT] = { .one = 4, .two = 13 },
	[VIRGL_RESOURCE_COPY_REGION] = { .one = 1, .two = 6 },
	[VIRGL_SET_UNIFORM_BUFFER] = { .one = 5 },
	[VIRGL_SET_SHADER_BUFFERS] = { .first = 5, .step = 3 },
	[VIRGL_SET_SHADER_IMAGES] = { .first = 7, .step = 5 },
	[VIRGL_LAUNCH_GRID] = { .one = 7 },
	[VIRGL_SET_ATOMIC_BUFFERS] = { .first = 4, .step = 3 },
	[VIRGL_GET_QUERY_RESULT_QBO] = { .one = 2 },
	[VIRGL_TRANSFER3D] = { .one = 1, .heeded = true },
	[VIRGL_COPY_TRANSFER3D] = { .one = 1, .two = 12, .heeded = true },
	[VIRGL_CLEAR_TEXTURE] = { .one = 1 },
	[VIRGL_GET_MEMORY_INFO] = { .one = 1, .heeded = true },
	[VIRGL_GET_QUERY_RESULT] = { .heeded = true },
	[VIRGL_DESTROY_OBJECT] = { .heeded = true },
};

static const struct handles objects[256] = {
	[VIRGL_OBJECT_SAMPLER_VIEW] = { .one = 2 },
	[VIRGL_OBJECT_SURFACE] = { .one = 2 },
	[VIRGL_OBJECT_QUERY] = { .one = 4, .heeded = true },
	[VIRGL_OBJECT_STREAMOUT_TARGET] = { .one = 2 },
	[VIRGL_OBJECT_MSAA_SURFACE] = { .one = 2 },
};

static const uint8_t least[256] = {
#define X(name, number, words) [number] = words,
	VIRGL_COMMANDS(X)
#undef X
};

static const uint8_t object_least[256] = {
#define X(name, number, words) [number] = words,
	VIRGL_OBJECTS(X)
#undef X
};

static void replace(uint32_t *to, const uint32_t *from, uint32_t at,
		    uint32_t length, const struct rewrite_hooks *hooks,
		    void *context)
{
	if (at && at <= length && from[at])
		to[at] = hooks->name(context, from[at]);
}

int rewrite(uint32_t *to, const uint32_t *from, uint32_t count,
	    const struct rewrite_hooks *hooks, void *context,
	    uint32_t *ret_at)
{
	uint32_t at = 0;

	memcpy(to, from, (size_t)count * 4);
	while (at < count) {
		const uint32_t *in = from + at;
		uint32_t number = virgl_number(*in);
		uint32_t type = virgl_object_type(*in);
		uint32_t length = virgl_length(*in);
		bool object = number == VIRGL_CREATE_OBJECT;
		const struct handles *h = object ? &objects[type] :
						   &commands[number];
		int ret;

		if (length >= count - at || length < least[number] ||
		    (object && length < object_least[type])) {
			*ret_at = at;
			return -EINVAL;
		}
		replace(to + at, in, h->one, length, hooks, context);
		replace(to + at, in, h->two, length, hooks, context);
		for (uint32_t i = h->first; h->step && i <= length;
		     i += h->step)
			replace(to + at, in, i, length, hooks, context);
		ret = h->heeded ? hooks->heed(context, in) : 0;
		if (ret)
			return ret;
		at += 1 + length;
	}
	return 0;
}
