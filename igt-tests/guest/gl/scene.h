/* SPDX-License-Identifier: MIT */
/*
 * A scene that every renderer must draw alike: gradients, textures filtered in
 * every way, a rotating cube under a depth test, blending, a scissor, and a
 * fragment shader with arithmetic. Geometry and textures are computed here.
 */
#ifndef GL_SCENE_H
#define GL_SCENE_H

#include <GLES2/gl2.h>

struct scene {
	GLuint flat, textured, rings;
	GLint flat_matrix, textured_matrix, rings_aspect;
	GLuint checker, smooth;
};

struct scene scene_make(void);
/* Draws frame `frame` into what is bound, `width` by `height` pixels. */
void scene_draw(const struct scene *scene, unsigned int width,
		unsigned int height, unsigned int frame);

#endif
