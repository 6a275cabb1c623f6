/* SPDX-License-Identifier: MIT */
/* What the self-test draws in the sandbox; for sandbox_test.c alone. */
#ifndef PVGPU_WORKER_SANDBOX_GL_TEST_H
#define PVGPU_WORKER_SANDBOX_GL_TEST_H

#include <stdbool.h>

/* Starts the renderer on this thread: GL_RENDERER, or NULL. */
const char *sandbox_gl_start(void);
/* A context, a clear, shaders that are compiled, a triangle, a fence; false
 * where it was refused, does not end in 30 s, or is not the right picture. */
bool sandbox_gl_draw(void);

#endif
