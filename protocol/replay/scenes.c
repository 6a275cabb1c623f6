// SPDX-License-Identifier: MIT
/*
 * scenes NAME SIZE: what recordings are made of, beside programs of others: a
 * window of SIZE by SIZE pixels in which one scene is drawn frame by frame, each
 * from its number alone, until the window system goes. Built and run by
 * record.sh.
 *
 *   fill     one draw; nearly all work is the fragment shader's
 *   draws    100 small draws, each with uniforms of its own
 *   layers   a texture with levels, blended in layers into a texture, and that
 *            shown: three passes
 *   upload   a mesh whose vertices are written anew each frame
 */
#include <EGL/egl.h>
#include <GLES2/gl2.h>
#include <X11/Xlib.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned int size;

static const char vertex[] =
	"attribute vec4 place; uniform vec4 shift; varying vec2 at;\n"
	"void main() { at = place.xy; gl_Position = vec4(place.xyz, 1.0) +\n"
	"  vec4(shift.xyz, 0.0); }\n";

__attribute__((noreturn))
static void fail(const char *why)
{
	fprintf(stderr, "scenes: %s\n", why);
	exit(1);
}

static GLuint shader(GLenum type, const char *text)
{
	GLuint name = glCreateShader(type);
	GLint good;

	glShaderSource(name, 1, &text, NULL);
	glCompileShader(name);
	glGetShaderiv(name, GL_COMPILE_STATUS, &good);
	if (!good)
		fail("a shader does not compile");
	return name;
}

/* A program with these uniforms beside `shift`; it is in use. */
static GLint use_program(const char *fragment)
{
	GLuint program = glCreateProgram();
	GLint good;

	glAttachShader(program, shader(GL_VERTEX_SHADER, vertex));
	glAttachShader(program, shader(GL_FRAGMENT_SHADER, fragment));
	glBindAttribLocation(program, 0, "place");
	glLinkProgram(program);
	glGetProgramiv(program, GL_LINK_STATUS, &good);
	if (!good)
		fail("a program does not link");
	glUseProgram(program);
	return glGetUniformLocation(program, "shift");
}

/* Vertices in a buffer, which stays bound. */
static void use_vertices(const float *places, size_t bytes, GLenum usage)
{
	GLuint name;

	glGenBuffers(1, &name);
	glBindBuffer(GL_ARRAY_BUFFER, name);
	glBufferData(GL_ARRAY_BUFFER, (GLsizeiptr)bytes, places, usage);
	glEnableVertexAttribArray(0);
	glVertexAttribPointer(0, 2, GL_FLOAT, GL_FALSE, 0, NULL);
}

static const float square[] = { -1, -1, 1, -1, -1, 1, 1, 1 };

/* ----------------------------------------------------------------- fill */

static GLint fill_shift;

static void fill_make(void)
{
	fill_shift = use_program(
		"precision highp float; varying vec2 at; uniform vec4 shift;\n"
		"void main() {\n"
		"  vec2 z = at, c = vec2(-0.7 + 0.01 * shift.w, 0.3);\n"
		"  float n = 0.0;\n"
		"  for (int i = 0; i < 24; i++) {\n"
		"    z = vec2(z.x * z.x - z.y * z.y, 2.0 * z.x * z.y) + c;\n"
		"    n += 1.0 / (1.0 + dot(z, z));\n"
		"    z = clamp(z, -4.0, 4.0);\n"
		"  }\n"
		"  gl_FragColor = vec4(n / 24.0, 0.5 + 0.5 * sin(n), at.x, 1.0);\n"
		"}\n");
	use_vertices(square, sizeof(square), GL_STATIC_DRAW);
}

static void fill_draw(unsigned int frame)
{
	glUniform4f(fill_shift, 0, 0, 0, (float)(frame % 16));
	glDrawArrays(GL_TRIANGLE_STRIP, 0, 4);
}

/* ---------------------------------------------------------------- draws */

static GLint draws_shift;

static void draws_make(void)
{
	static const float places[] = { 0, 0, 0.2f, 0, 0, 0.2f };

	draws_shift = use_program(
		"precision highp float; uniform vec4 shift;\n"
		"void main() { gl_FragColor = vec4(0.5 + 0.5 * shift.xy,\n"
		"  shift.w, 1.0); }\n");
	use_vertices(places, sizeof(places), GL_STATIC_DRAW);
}

static void draws_draw(unsigned int frame)
{
	for (unsigned int i = 0; i < 100; i++) {
		unsigned int n = i + frame;

		glUniform4f(draws_shift, (float)(n % 10) / 5 - 1,
			    (float)(i / 10) / 5 - 1, 0,
			    (float)(n % 7) / 7);
		glDrawArrays(GL_TRIANGLES, 0, 3);
	}
}

/* --------------------------------------------------------------- layers */

static GLint layers_shift;
static GLuint layers_from, layers_to, layers_target;

static GLuint texture(unsigned int side, const uint8_t *pixels)
{
	GLuint name;

	glGenTextures(1, &name);
	glBindTexture(GL_TEXTURE_2D, name);
	glTexImage2D(GL_TEXTURE_2D, 0, GL_RGBA, (GLsizei)side, (GLsizei)side,
		     0, GL_RGBA, GL_UNSIGNED_BYTE, pixels);
	if (pixels)
		glGenerateMipmap(GL_TEXTURE_2D);
	glTexParameteri(GL_TEXTURE_2D, GL_TEXTURE_MIN_FILTER, pixels ?
			GL_LINEAR_MIPMAP_LINEAR : GL_LINEAR);
	glTexParameteri(GL_TEXTURE_2D, GL_TEXTURE_MAG_FILTER, GL_LINEAR);
	glTexParameteri(GL_TEXTURE_2D, GL_TEXTURE_WRAP_S, pixels ? GL_REPEAT :
			GL_CLAMP_TO_EDGE);
	glTexParameteri(GL_TEXTURE_2D, GL_TEXTURE_WRAP_T, pixels ? GL_REPEAT :
			GL_CLAMP_TO_EDGE);
	return name;
}

static void layers_make(void)
{
	enum { SIDE = 128 };
	static uint8_t pixels[SIDE * SIDE * 4];

	for (unsigned int i = 0; i < SIDE * SIDE; i++) {
		pixels[i * 4] = (uint8_t)(i % SIDE * 2);
		pixels[i * 4 + 1] = (uint8_t)(i / SIDE * 2);
		pixels[i * 4 + 2] = (i / 16 ^ i / (SIDE * 16)) & 1 ? 220 : 30;
		pixels[i * 4 + 3] = 140;
	}
	layers_from = texture(SIDE, pixels);
	layers_to = texture(size, NULL);
	glGenFramebuffers(1, &layers_target);
	glBindFramebuffer(GL_FRAMEBUFFER, layers_target);
	glFramebufferTexture2D(GL_FRAMEBUFFER, GL_COLOR_ATTACHMENT0,
			       GL_TEXTURE_2D, layers_to, 0);
	layers_shift = use_program(
		"precision highp float; varying vec2 at; uniform sampler2D map;\n"
		"uniform vec4 shift;\n"
		"void main() { gl_FragColor =\n"
		"  texture2D(map, (0.5 + 0.5 * at) * shift.w); }\n");
	use_vertices(square, sizeof(square), GL_STATIC_DRAW);
	glBlendFunc(GL_SRC_ALPHA, GL_ONE_MINUS_SRC_ALPHA);
}

static void layers_draw(unsigned int frame)
{
	glBindFramebuffer(GL_FRAMEBUFFER, layers_target);
	glClear(GL_COLOR_BUFFER_BIT);
	glBindTexture(GL_TEXTURE_2D, layers_from);
	glEnable(GL_BLEND);
	for (unsigned int i = 0; i < 6; i++) {
		glUniform4f(layers_shift, 0.3f * (float)i - 0.8f,
			    0.1f * (float)((frame + i) % 8) - 0.4f, 0,
			    0.7f + (float)i);
		glDrawArrays(GL_TRIANGLE_STRIP, 0, 4);
	}
	glDisable(GL_BLEND);
	glBindFramebuffer(GL_FRAMEBUFFER, 0);
	glBindTexture(GL_TEXTURE_2D, layers_to);
	glUniform4f(layers_shift, 0, 0, 0, 1);
	glDrawArrays(GL_TRIANGLE_STRIP, 0, 4);
}

/* --------------------------------------------------------------- upload */

enum { COLUMNS = 24, ROWS = 24 };
static float mesh[COLUMNS * ROWS * 6][2];

static void upload_make(void)
{
	use_program("precision highp float; varying vec2 at;\n"
		    "void main() { gl_FragColor = vec4(0.5 + 0.5 * at,\n"
		    "  fract(8.0 * at.x), 1.0); }\n");
	use_vertices(NULL, sizeof(mesh), GL_STREAM_DRAW);
}

static void upload_draw(unsigned int frame)
{
	static const unsigned char corner[6][2] = {
		{ 0, 0 }, { 1, 0 }, { 0, 1 }, { 0, 1 }, { 1, 0 }, { 1, 1 },
	};

	for (unsigned int i = 0; i < COLUMNS * ROWS * 6; i++) {
		float x = (float)(i / 6 % COLUMNS + corner[i % 6][0]) / COLUMNS;
		float y = (float)(i / 6 / COLUMNS + corner[i % 6][1]) / ROWS;

		/* Values that pack well: sixteenths of a field. */
		mesh[i][0] = x * 1.8f - 0.9f;
		mesh[i][1] = y * 1.8f - 0.9f +
			     floorf(4 * sinf(x * 9 + (float)(frame % 32))) / 64;
	}
	glBufferSubData(GL_ARRAY_BUFFER, 0, sizeof(mesh), mesh);
	glDrawArrays(GL_TRIANGLES, 0, COLUMNS * ROWS * 6);
}

/* --------------------------------------------------------------- window */

static const struct {
	const char *name;
	void (*make)(void);
	void (*draw)(unsigned int frame);
} scenes[] = {
	{ "fill", fill_make, fill_draw },
	{ "draws", draws_make, draws_draw },
	{ "layers", layers_make, layers_draw },
	{ "upload", upload_make, upload_draw },
};

static EGLSurface open_window(EGLDisplay *display)
{
	static const EGLint wanted[] = {
		EGL_RENDERABLE_TYPE, EGL_OPENGL_ES2_BIT, EGL_RED_SIZE, 8,
		EGL_GREEN_SIZE, 8, EGL_BLUE_SIZE, 8, EGL_NONE,
	};
	static const EGLint version[] = { EGL_CONTEXT_CLIENT_VERSION, 2,
					  EGL_NONE };
	Display *x = XOpenDisplay(NULL);
	EGLContext context;
	EGLSurface surface;
	EGLConfig config;
	EGLint count;
	Window window;

	if (!x)
		fail("no X server");
	window = XCreateSimpleWindow(x, DefaultRootWindow(x), 0, 0, size, size,
				     0, 0, 0);
	XMapWindow(x, window);
	XSync(x, False);
	*display = eglGetDisplay((EGLNativeDisplayType)x);
	if (!eglInitialize(*display, NULL, NULL) ||
	    !eglChooseConfig(*display, wanted, &config, 1, &count) || !count)
		fail("no EGL");
	surface = eglCreateWindowSurface(*display, config, window, NULL);
	context = eglCreateContext(*display, config, NULL, version);
	if (!eglMakeCurrent(*display, surface, surface, context))
		fail("no GL");
	return surface;
}

int main(int argc, char **argv)
{
	EGLDisplay display;
	EGLSurface surface;

	if (argc != 3)
		fail("what is its name, and how large?");
	size = (unsigned int)atoi(argv[2]);
	surface = open_window(&display);
	fprintf(stderr, "scenes: %s\n", glGetString(GL_RENDERER));
	for (size_t i = 0; i < sizeof(scenes) / sizeof(*scenes); i++) {
		if (strcmp(scenes[i].name, argv[1]))
			continue;
		scenes[i].make();
		glViewport(0, 0, (GLsizei)size, (GLsizei)size);
		glClearColor(0.2f, 0.1f, 0.3f, 1);
		for (unsigned int frame = 0;; frame++) {
			glClear(GL_COLOR_BUFFER_BIT);
			scenes[i].draw(frame);
			eglSwapBuffers(display, surface);
		}
	}
	fail("no such scene");
}
