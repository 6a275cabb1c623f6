// SPDX-License-Identifier: MIT
/* The scene of scene.h. */
#include "scene.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "egl.h"

#define STAY { 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1 }

static const char flat_vertex[] =
	"attribute vec4 place; attribute vec4 data;\n"
	"uniform mat4 matrix; varying vec4 colour;\n"
	"void main() { gl_Position = matrix * place; colour = data; }\n";
static const char flat_fragment[] =
	"precision highp float; varying vec4 colour;\n"
	"void main() { gl_FragColor = colour; }\n";
static const char textured_vertex[] =
	"attribute vec4 place; attribute vec4 data;\n"
	"uniform mat4 matrix; varying vec2 at;\n"
	"void main() { gl_Position = matrix * place; at = data.xy; }\n";
static const char textured_fragment[] =
	"precision highp float; varying vec2 at; uniform sampler2D map;\n"
	"void main() { gl_FragColor = texture2D(map, at); }\n";
static const char rings_fragment[] =
	"precision highp float; varying vec2 at; uniform float aspect;\n"
	"void main() {\n"
	"  float r = length((at - 0.5) * vec2(aspect, 1.0)) * 12.0;\n"
	"  float a = 0.5 + 0.5 * sin(r);\n"
	"  gl_FragColor = vec4(a, 1.0 - a, smoothstep(0.0, 6.0, r), 1.0);\n"
	"}\n";

static GLuint texture(unsigned int size, GLenum filter, bool checker)
{
	static uint8_t pixels[128 * 128 * 4];
	GLuint name;

	for (unsigned int y = 0; y < size; y++)
		for (unsigned int x = 0; x < size; x++) {
			uint8_t *p = pixels + (y * size + x) * 4;
			bool odd = (x ^ y) & 1;

			p[0] = checker ? (odd ? 250 : 10) : (uint8_t)(x * 2);
			p[1] = checker ? (odd ? 200 : 60) : (uint8_t)(y * 2);
			p[2] = checker ? (uint8_t)(x * 255 / size)
				       : (uint8_t)((x & 16) ^ (y & 16) ? 255 : 0);
			p[3] = 255;
		}
	glGenTextures(1, &name);
	glBindTexture(GL_TEXTURE_2D, name);
	glTexImage2D(GL_TEXTURE_2D, 0, GL_RGBA, (GLsizei)size, (GLsizei)size,
		     0, GL_RGBA, GL_UNSIGNED_BYTE, pixels);
	if (filter == GL_LINEAR_MIPMAP_LINEAR)
		glGenerateMipmap(GL_TEXTURE_2D);
	glTexParameteri(GL_TEXTURE_2D, GL_TEXTURE_MIN_FILTER, (GLint)filter);
	glTexParameteri(GL_TEXTURE_2D, GL_TEXTURE_MAG_FILTER,
			checker ? GL_NEAREST : GL_LINEAR);
	return name;
}

struct scene scene_make(void)
{
	struct scene s = {
		.flat = gl_program(flat_vertex, flat_fragment),
		.textured = gl_program(textured_vertex, textured_fragment),
		.rings = gl_program(textured_vertex, rings_fragment),
		.checker = texture(16, GL_NEAREST, true),
		.smooth = texture(128, GL_LINEAR_MIPMAP_LINEAR, false),
	};

	s.flat_matrix = glGetUniformLocation(s.flat, "matrix");
	s.textured_matrix = glGetUniformLocation(s.textured, "matrix");
	s.rings_aspect = glGetUniformLocation(s.rings, "aspect");
	return s;
}

/* A rectangle by its corners; `data` is a colour a corner, or places in a
 * texture from 0 to `repeat`. */
static void rectangle(float x0, float y0, float x1, float y1,
		      const float *colours, float repeat)
{
	const float places[] = { x0, y0, x1, y0, x0, y1, x1, y1 };
	const float at[] = { 0, 0, repeat, 0, 0, repeat, repeat, repeat };

	glVertexAttribPointer(0, 2, GL_FLOAT, GL_FALSE, 0, places);
	glVertexAttribPointer(1, colours ? 4 : 2, GL_FLOAT, GL_FALSE, 0,
			      colours ? colours : at);
	glDrawArrays(GL_TRIANGLE_STRIP, 0, 4);
}

/* Column by column, as GL has it: turned about x and y, then perspective. */
static void cube_matrix(float *m, float angle, float aspect)
{
	float c = cosf(angle), s = sinf(angle), near = 1, far = 8, size = 0.55f;
	float ct = cosf(0.5f), st = sinf(0.5f), f = 1.8f;
	float turn[9] = { c, st * s, -ct * s, 0, ct, st, s, -st * c, ct * c };

	memset(m, 0, 16 * sizeof(*m));
	for (int i = 0; i < 3; i++) {
		float z = turn[i * 3 + 2] * size;

		m[i * 4 + 0] = turn[i * 3 + 0] * size * f / aspect;
		m[i * 4 + 1] = turn[i * 3 + 1] * size * f;
		m[i * 4 + 2] = z * (far + near) / (near - far);
		m[i * 4 + 3] = -z;
	}
	m[14] = -4 * (far + near) / (near - far) +
		2 * far * near / (near - far);
	m[15] = 4;
}

static void cube(void)
{
	static const int8_t corner[8][3] = {
		{ -1, -1, -1 }, { 1, -1, -1 }, { -1, 1, -1 }, { 1, 1, -1 },
		{ -1, -1, 1 }, { 1, -1, 1 }, { -1, 1, 1 }, { 1, 1, 1 },
	};
	static const uint8_t side[6][4] = {
		{ 0, 1, 2, 3 }, { 5, 4, 7, 6 }, { 4, 0, 6, 2 },
		{ 1, 5, 3, 7 }, { 4, 5, 0, 1 }, { 2, 3, 6, 7 },
	};
	float places[36][3], colours[36][4];
	static const uint8_t order[6] = { 0, 1, 2, 2, 1, 3 };

	for (int i = 0; i < 36; i++) {
		const int8_t *p = corner[side[i / 6][order[i % 6]]];

		for (int k = 0; k < 3; k++) {
			places[i][k] = p[k];
			colours[i][k] = 0.25f + 0.25f * (float)(p[k] + 1) +
					(k == i / 12 ? 0.2f : 0.0f);
		}
		colours[i][3] = 1;
	}
	glVertexAttribPointer(0, 3, GL_FLOAT, GL_FALSE, 0, places);
	glVertexAttribPointer(1, 4, GL_FLOAT, GL_FALSE, 0, colours);
	glDrawArrays(GL_TRIANGLES, 0, 36);
}

static void backdrop(const struct scene *s, unsigned int width,
		     unsigned int height)
{
	static const float stay[16] = STAY;
	static const float colours[16] = { 0.9f, 0.1f, 0.1f, 1, 0.1f, 0.8f, 0.1f,
					   1, 0.1f, 0.1f, 0.9f, 1, 1, 1, 0.2f, 1 };

	glUseProgram(s->flat);
	glUniformMatrix4fv(s->flat_matrix, 1, GL_FALSE, stay);
	rectangle(-0.95f, 0.05f, -0.05f, 0.95f, colours, 0);

	glUseProgram(s->rings);
	glUniformMatrix4fv(glGetUniformLocation(s->rings, "matrix"), 1,
			   GL_FALSE, stay);
	glUniform1f(s->rings_aspect, (float)width / (float)height);
	rectangle(0.05f, 0.05f, 0.95f, 0.95f, NULL, 1);

	glUseProgram(s->textured);
	glUniformMatrix4fv(s->textured_matrix, 1, GL_FALSE, stay);
	glBindTexture(GL_TEXTURE_2D, s->checker);
	rectangle(-0.95f, -0.95f, -0.05f, -0.5f, NULL, 2);
	glBindTexture(GL_TEXTURE_2D, s->smooth);
	rectangle(-0.95f, -0.45f, -0.05f, -0.05f, NULL, 1);
	rectangle(0.05f, -0.95f, 0.4f, -0.6f, NULL, 3);
}

void scene_draw(const struct scene *s, unsigned int width,
		unsigned int height, unsigned int frame)
{
	static const float stay[16] = STAY;
	static const float glass[16] = { 1, 1, 1, 0.6f, 1, 0, 1, 0.2f, 0, 1, 1,
					 0.7f, 0, 0, 0, 0.5f };
	float matrix[16];

	glEnableVertexAttribArray(0);
	glEnableVertexAttribArray(1);
	glViewport(0, 0, (GLsizei)width, (GLsizei)height);
	glClearColor(0.1f, 0.2f, 0.3f, 1);
	glClear(GL_COLOR_BUFFER_BIT | GL_DEPTH_BUFFER_BIT);
	backdrop(s, width, height);

	glEnable(GL_DEPTH_TEST);
	cube_matrix(matrix, 0.6f + 0.05f * (float)frame,
		    (float)width / (float)height);
	glUseProgram(s->flat);
	glUniformMatrix4fv(s->flat_matrix, 1, GL_FALSE, matrix);
	cube();
	glDisable(GL_DEPTH_TEST);

	glEnable(GL_BLEND);
	glBlendFunc(GL_SRC_ALPHA, GL_ONE_MINUS_SRC_ALPHA);
	glUniformMatrix4fv(s->flat_matrix, 1, GL_FALSE, stay);
	rectangle(-0.7f, -0.7f, 0.7f, 0.3f, glass, 0);
	glDisable(GL_BLEND);

	glEnable(GL_SCISSOR_TEST);
	glScissor((GLint)(width * 3 / 4), (GLint)(height / 16),
		  (GLsizei)(width / 8), (GLsizei)(height / 8));
	glClearColor(1, (float)(frame % 8) / 8, 0, 1);
	glClear(GL_COLOR_BUFFER_BIT);
	glDisable(GL_SCISSOR_TEST);
}
