/* SPDX-License-Identifier: MIT */
/*
 * What the conformance tests share. A test is a function that is given a
 * guest, freshly attached unless it says otherwise, and returns at the first
 * expectation that does not hold. Limits come from the information page, so
 * that the tests fit any type.
 */
#ifndef PVGPU_CONFORM_H
#define PVGPU_CONFORM_H

#include <string.h>

#include "guest.h"

struct test {
	const char *name;		/* what must hold */
	void (*run)(struct guest *g);
	bool detached;			/* it attaches by itself */
};

extern const struct test attach_tests[], control_tests[], resource_tests[],
	channel_tests[], copy_tests[], commit_tests[], abuse_tests[],
	draw_tests[], head_tests[], replace_tests[], head_replace_tests[],
	virgl_offer_tests[], virgl_absent_tests[], virgl_wanted_tests[],
	virgl_context_tests[], virgl_surface_tests[], virgl_batch_tests[],
	virgl_transfer_tests[], virgl_draw_tests[], virgl_look_tests[],
	virgl_noise_tests[], virgl_growth_tests[], virgl_replace_tests[];

/* Run for every head that is drawn, with head, width and height behind it;
 * NULL: none was given. Its exit status says whether the picture is right. */
extern const char *screenshot_command;
/* Changes what is plugged into a head, with the head and what pvgpuctl head
 * takes behind it; head_tests are run only with it. */
extern const char *head_command;
/* Kills the process that serves the vGPU; replace_tests are run only with it. */
extern const char *replace_command;
/* Prints what is used of the device and of the window budget, bytes, and the
 * KiB of memory that the process has of its own; virgl_growth_tests are run
 * only with it. */
extern const char *figures_command;

/* Notes why the test that runs has failed. */
void conform_fail(const char *file, int line, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
bool conform_failed(void);

#define EXPECT(condition, ...) do { \
	if (!(condition)) { \
		conform_fail(__FILE__, __LINE__, __VA_ARGS__); \
		return; \
	} } while (0)

/* Whether a request ended with this status and detail; fails the test and
 * says which request if not. */
bool conform_answered(struct guest *g, const char *file, int line,
		      const char *what, int answer, uint32_t status,
		      uint32_t detail);
#define EXPECT_ANSWER(g, what, call, status, detail) do { \
	if (!conform_answered(g, __FILE__, __LINE__, what, call, status, \
			      detail)) \
		return; \
	} while (0)
#define EXPECT_OK(g, what, call) EXPECT_ANSWER(g, what, call, 0, 0)

static inline uint32_t clamp32(uint64_t v)
{
	return v > UINT32_MAX ? UINT32_MAX : (uint32_t)v;
}

static inline uint32_t xorshift(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

#endif
