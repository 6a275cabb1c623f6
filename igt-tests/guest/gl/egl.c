// SPDX-License-Identifier: MIT
/* A GLES context on a card of ours; see egl.h. */
#include "egl.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

unsigned int number(const char *text)
{
	unsigned int value = 0;
	const char *c = text;

	/* Not strtoul(): its name in newer C libraries is not in older ones,
	 * and one build serves the guests of all suites. */
	do {
		if (*c < '0' || *c > '9' || value > 100000000)
			die("not a number: %s", text);
		value = value * 10 + (unsigned int)(*c - '0');
	} while (*++c);
	return value;
}

int render_node(const char *driver)
{
	for (int i = 128; i < 144; i++) {
		drmVersionPtr version;
		char path[32];
		bool found;
		int fd;

		snprintf(path, sizeof(path), "/dev/dri/renderD%d", i);
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd < 0)
			continue;
		version = drmGetVersion(fd);
		found = version && !strcmp(version->name, driver);
		drmFreeVersion(version);
		if (found)
			return fd;
		close(fd);
	}
	die("no render node of driver %s in /dev/dri", driver);
}

static EGLDisplay open_display(struct gl *gl, const char *driver, bool card)
{
	if (!strcmp(driver, "surfaceless"))
		return eglGetPlatformDisplay(EGL_PLATFORM_SURFACELESS_MESA,
					     NULL, NULL);
	gl->fd = card ? kms_open_atomic(driver) : render_node(driver);
	gl->gbm = gbm_create_device(gl->fd);
	if (!gl->gbm)
		die("%s: no GBM device", driver);
	return eglGetPlatformDisplay(EGL_PLATFORM_GBM_KHR, gl->gbm, NULL);
}

/* The configuration whose buffers a head takes: XRGB8888 with depth. */
static EGLConfig choose(struct gl *gl)
{
	static const EGLint wanted[] = {
		EGL_SURFACE_TYPE, EGL_WINDOW_BIT, EGL_RED_SIZE, 8,
		EGL_GREEN_SIZE, 8, EGL_BLUE_SIZE, 8, EGL_ALPHA_SIZE, 0,
		EGL_DEPTH_SIZE, 16, EGL_RENDERABLE_TYPE, EGL_OPENGL_ES2_BIT,
		EGL_NONE,
	};
	EGLConfig configs[64];
	EGLint count = 0;

	if (!eglChooseConfig(gl->display, wanted, configs, 64, &count))
		die("eglChooseConfig: %#x", eglGetError());
	for (EGLint i = 0; i < count; i++) {
		EGLint format = 0;

		eglGetConfigAttrib(gl->display, configs[i],
				   EGL_NATIVE_VISUAL_ID, &format);
		if ((uint32_t)format == GBM_FORMAT_XRGB8888)
			return configs[i];
	}
	die("no EGL configuration for XRGB8888 among %d", count);
}

struct gl gl_open(const char *driver, bool card)
{
	static const EGLint version[] = { EGL_CONTEXT_CLIENT_VERSION, 2,
					  EGL_NONE };
	struct gl gl = { .fd = -1 };

	gl.display = open_display(&gl, driver, card);
	if (gl.display == EGL_NO_DISPLAY)
		die("%s: no EGL display: %#x", driver, eglGetError());
	if (!eglInitialize(gl.display, NULL, NULL))
		die("%s: eglInitialize: %#x", driver, eglGetError());
	eglBindAPI(EGL_OPENGL_ES_API);
	gl.config = gl.gbm ? choose(&gl) : EGL_NO_CONFIG_KHR;
	gl.context = eglCreateContext(gl.display, gl.config, EGL_NO_CONTEXT,
				      version);
	if (gl.context == EGL_NO_CONTEXT)
		die("%s: eglCreateContext: %#x", driver, eglGetError());
	if (!eglMakeCurrent(gl.display, EGL_NO_SURFACE, EGL_NO_SURFACE,
			    gl.context))
		die("%s: eglMakeCurrent: %#x", driver, eglGetError());
	return gl;
}

GLuint gl_target(unsigned int width, unsigned int height)
{
	GLuint fbo, colour, depth;

	glGenFramebuffers(1, &fbo);
	glBindFramebuffer(GL_FRAMEBUFFER, fbo);
	glGenTextures(1, &colour);
	glBindTexture(GL_TEXTURE_2D, colour);
	glTexImage2D(GL_TEXTURE_2D, 0, GL_RGBA, (GLsizei)width, (GLsizei)height,
		     0, GL_RGBA, GL_UNSIGNED_BYTE, NULL);
	glTexParameteri(GL_TEXTURE_2D, GL_TEXTURE_MIN_FILTER, GL_NEAREST);
	glFramebufferTexture2D(GL_FRAMEBUFFER, GL_COLOR_ATTACHMENT0,
			       GL_TEXTURE_2D, colour, 0);
	glBindTexture(GL_TEXTURE_2D, 0);
	glGenRenderbuffers(1, &depth);
	glBindRenderbuffer(GL_RENDERBUFFER, depth);
	glRenderbufferStorage(GL_RENDERBUFFER, GL_DEPTH_COMPONENT16,
			      (GLsizei)width, (GLsizei)height);
	glFramebufferRenderbuffer(GL_FRAMEBUFFER, GL_DEPTH_ATTACHMENT,
				  GL_RENDERBUFFER, depth);
	if (glCheckFramebufferStatus(GL_FRAMEBUFFER) !=
	    GL_FRAMEBUFFER_COMPLETE)
		die("an off-screen target of %ux%u is not complete", width,
		    height);
	glViewport(0, 0, (GLsizei)width, (GLsizei)height);
	return fbo;
}

uint8_t *gl_read(unsigned int width, unsigned int height)
{
	uint8_t *pixels = malloc((size_t)width * height * 4);

	need(pixels);
	glPixelStorei(GL_PACK_ALIGNMENT, 1);
	glReadPixels(0, 0, (GLsizei)width, (GLsizei)height, GL_RGBA,
		     GL_UNSIGNED_BYTE, pixels);
	return pixels;
}

static GLuint shader(GLenum kind, const char *source)
{
	GLuint name = glCreateShader(kind);
	GLint done = 0;
	char log[1024];

	glShaderSource(name, 1, &source, NULL);
	glCompileShader(name);
	glGetShaderiv(name, GL_COMPILE_STATUS, &done);
	if (!done) {
		glGetShaderInfoLog(name, sizeof(log), NULL, log);
		die("a shader does not compile: %s", log);
	}
	return name;
}

GLuint gl_program(const char *vertex, const char *fragment)
{
	GLuint program = glCreateProgram();
	GLint done = 0;

	glAttachShader(program, shader(GL_VERTEX_SHADER, vertex));
	glAttachShader(program, shader(GL_FRAGMENT_SHADER, fragment));
	glBindAttribLocation(program, 0, "place");
	glBindAttribLocation(program, 1, "data");
	glLinkProgram(program);
	glGetProgramiv(program, GL_LINK_STATUS, &done);
	if (!done)
		die("a program does not link");
	return program;
}

void ppm_write(const char *path, const uint8_t *rgba, unsigned int width,
	       unsigned int height)
{
	uint8_t *row = malloc((size_t)width * 3);
	FILE *f = fopen(path, "wb");

	need(f && row);
	fprintf(f, "P6\n%u %u\n255\n", width, height);
	for (unsigned int y = height; y-- > 0;) {
		const uint8_t *in = rgba + (size_t)y * width * 4;

		for (unsigned int x = 0; x < width; x++)
			memcpy(row + x * 3, in + x * 4, 3);
		need(fwrite(row, 3, width, f) == width);
	}
	need(!fclose(f));
	free(row);
}
