/* SPDX-License-Identifier: MIT */
/*
 * What our GL programs share: a GLES context on a card found by the name of
 * its DRM driver, or, for the reference, on no card ("surfaceless", Mesa's
 * software renderer); an off-screen target; PPM files. Every function ends the
 * program with a message on failure: these are tests.
 */
#ifndef GL_EGL_H
#define GL_EGL_H

#include <EGL/egl.h>
#include <EGL/eglext.h>
#include <GLES2/gl2.h>
#include <gbm.h>
#include <stdbool.h>
#include <stdint.h>

#include "../kms/kms.h"

struct gl {
	int fd;				/* -1 when surfaceless */
	struct gbm_device *gbm;
	EGLDisplay display;
	EGLConfig config;
	EGLContext context;
};

/* The render node of this DRM driver; ends the program without one. */
int render_node(const char *driver);
/* A context that is current, without a surface. With `card`, on the primary
 * node with modes to set, else on the render node. */
struct gl gl_open(const char *driver, bool card);
/* A colour and depth target of this size, bound; its framebuffer object. */
GLuint gl_target(unsigned int width, unsigned int height);
/* The bound target's pixels, RGBA, the lowest row first; free() them. */
uint8_t *gl_read(unsigned int width, unsigned int height);
/* A program of these two shaders; attribute 0 is `place`, 1 `data`. */
GLuint gl_program(const char *vertex, const char *fragment);
/* Writes gl_read()'s pixels as a PPM, the highest row first. */
void ppm_write(const char *path, const uint8_t *rgba, unsigned int width,
	       unsigned int height);
/* The decimal number that a text is, all of it. */
unsigned int number(const char *text);

#endif
