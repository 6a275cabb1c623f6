// SPDX-License-Identifier: MIT
/*
 * pvgpu-glbench: small measurements for `make bench`, each "NAME VALUE".
 *
 *   draws DRIVER SECONDS         small draws a second, each with new uniforms
 *   frames DRIVER SECONDS        a clear and a pixel read back, one after another
 *   upload DRIVER SECONDS        texture upload, MB/s, to the end of it
 *   readback DRIVER SECONDS      glReadPixels, MB/s
 *   flips DRIVER SECONDS W H [RATE]
 *                                clears and flips on head 0, frames a second, as
 *                                fast as the card lets us or at most RATE; says
 *                                "first_frame 1" when it begins to count
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "egl.h"

enum { SIDE = 1024, DRAWS = 500 };

static void draws(unsigned int seconds)
{
	static const char vertex[] =
		"attribute vec4 place; uniform vec4 shift;\n"
		"void main() { gl_Position = place + shift; }\n";
	static const char fragment[] =
		"precision highp float; uniform vec4 shift;\n"
		"void main() { gl_FragColor = shift; }\n";
	static const float places[] = { 0, 0, 0.05f, 0, 0, 0.05f };
	GLuint program = gl_program(vertex, fragment);
	GLint shift = glGetUniformLocation(program, "shift");
	unsigned long count = 0;
	double begin;

	gl_target(256, 256);
	glUseProgram(program);
	glEnableVertexAttribArray(0);
	glVertexAttribPointer(0, 2, GL_FLOAT, GL_FALSE, 0, places);
	begin = now_seconds();
	while (now_seconds() - begin < seconds) {
		for (int i = 0; i < DRAWS; i++) {
			glUniform4f(shift, (float)(i % 40) / 20 - 1,
				    (float)(i % 23) / 12 - 1, 0, 0);
			glDrawArrays(GL_TRIANGLES, 0, 3);
		}
		glFinish();
		count += DRAWS;
	}
	printf("draws_per_s %.1f\n",
	       (double)count / (now_seconds() - begin));
}

static void frames(unsigned int seconds)
{
	unsigned long count = 0;
	uint8_t pixel[4];
	double begin;

	gl_target(256, 256);
	begin = now_seconds();
	while (now_seconds() - begin < seconds) {
		glClearColor((float)(count % 256) / 255, 0, 0, 1);
		glClear(GL_COLOR_BUFFER_BIT);
		glReadPixels(7, 7, 1, 1, GL_RGBA, GL_UNSIGNED_BYTE, pixel);
		if (pixel[0] != count % 256)
			die("frame %lu is another's", count);
		count++;
	}
	printf("frames_per_s %.1f\n",
	       (double)count / (now_seconds() - begin));
}

static void move_pixels(unsigned int seconds, bool up)
{
	uint8_t *pixels = malloc(SIDE * SIDE * 4);
	unsigned long count = 0;
	double begin;

	need(pixels);
	memset(pixels, 0x5a, SIDE * SIDE * 4);
	gl_target(SIDE, SIDE);
	if (up) {
		GLuint name;

		glGenTextures(1, &name);
		glBindTexture(GL_TEXTURE_2D, name);
		glTexImage2D(GL_TEXTURE_2D, 0, GL_RGBA, SIDE, SIDE, 0, GL_RGBA,
			     GL_UNSIGNED_BYTE, NULL);
	}
	glClear(GL_COLOR_BUFFER_BIT);
	glFinish();
	begin = now_seconds();
	while (now_seconds() - begin < seconds) {
		if (up) {
			glTexSubImage2D(GL_TEXTURE_2D, 0, 0, 0, SIDE, SIDE,
					GL_RGBA, GL_UNSIGNED_BYTE, pixels);
			glFinish();
		} else {
			glReadPixels(0, 0, SIDE, SIDE, GL_RGBA,
				     GL_UNSIGNED_BYTE, pixels);
		}
		count++;
	}
	printf("%s_mb_per_s %.1f\n", up ? "upload" : "readback",
	       (double)count * SIDE * SIDE * 4 / 1e6 /
	       (now_seconds() - begin));
}

static uint32_t framebuffer(struct gl *gl, struct gbm_bo *bo)
{
	uint32_t handles[4] = { gbm_bo_get_handle(bo).u32 };
	uint32_t strides[4] = { gbm_bo_get_stride(bo) };
	uint32_t offsets[4] = { 0 }, *fb = gbm_bo_get_user_data(bo);

	if (fb)
		return *fb;
	fb = malloc(sizeof(*fb));
	need(fb);
	if (drmModeAddFB2(gl->fd, gbm_bo_get_width(bo), gbm_bo_get_height(bo),
			  GBM_FORMAT_XRGB8888, handles, strides, offsets, fb,
			  0))
		die("a framebuffer: %s", strerror(errno));
	gbm_bo_set_user_data(bo, fb, NULL);
	return *fb;
}

static void sleep_until(double when)
{
	double left = when - now_seconds();

	if (left > 0)
		usleep((useconds_t)(left * 1e6));
}

static void flips(struct gl *gl, unsigned int seconds, unsigned int width,
		  unsigned int height, unsigned int rate)
{
	struct kms_output outputs[KMS_MAX_OUTPUTS];
	struct gbm_bo *shown = NULL;
	unsigned long count = 0;
	struct gbm_surface *surface;
	drmModeModeInfo *mode;
	double begin = 0;
	uint64_t async = 0;
	EGLSurface egl;

	/* A card that never waits for a vblank need not offer not to. */
	if (drmGetCap(gl->fd, DRM_CAP_ASYNC_PAGE_FLIP, &async))
		async = 0;

	need(kms_outputs(gl->fd, outputs));
	mode = kms_mode(outputs, width, height);
	if (!mode)
		die("no mode %ux%u", width, height);
	surface = gbm_surface_create(gl->gbm, width, height,
				     GBM_FORMAT_XRGB8888,
				     GBM_BO_USE_SCANOUT | GBM_BO_USE_RENDERING);
	need(surface);
	egl = eglCreatePlatformWindowSurface(gl->display, gl->config, surface,
					     NULL);
	if (egl == EGL_NO_SURFACE ||
	    !eglMakeCurrent(gl->display, egl, egl, gl->context))
		die("no EGL surface: %#x", eglGetError());
	do {
		struct kms_flip event = { .pending = 1 };
		struct gbm_bo *bo;

		glClearColor((float)(count % 16) / 16, 0.5f, 0.25f, 1);
		glClear(GL_COLOR_BUFFER_BIT);
		eglSwapBuffers(gl->display, egl);
		bo = gbm_surface_lock_front_buffer(surface);
		need(bo);
		if (!shown) {
			need(!drmModeSetCrtc(gl->fd, outputs[0].crtc,
					     framebuffer(gl, bo), 0, 0,
					     &outputs[0].connector, 1, mode));
			printf("first_frame 1\n");
			fflush(stdout);
			begin = now_seconds();
		} else {
			need(!drmModePageFlip(gl->fd, outputs[0].crtc,
					      framebuffer(gl, bo),
					      DRM_MODE_PAGE_FLIP_EVENT |
					      (async ?
					       DRM_MODE_PAGE_FLIP_ASYNC : 0),
					      &event));
			while (event.pending)
				kms_wait_flip(gl->fd, &event);
			gbm_surface_release_buffer(surface, shown);
			count++;
		}
		shown = bo;
		if (rate)
			sleep_until(begin + (double)count / rate);
	} while (now_seconds() - begin < seconds);
	printf("gl_flips_per_s %.1f\ngl_flips %lu\n",
	       (double)count / (now_seconds() - begin), count);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	const char *what = argc > 3 ? argv[1] : "";
	unsigned int seconds = argc > 3 ? number(argv[3]) : 0;
	bool on_head = !strcmp(what, "flips") &&
		       (argc == 6 || argc == 7);
	struct gl gl;

	if (!on_head && strcmp(what, "draws") && strcmp(what, "frames") &&
	    strcmp(what, "upload") && strcmp(what, "readback"))
		die("usage: pvgpu-glbench draws|frames|upload|readback DRIVER"
		    " SECONDS or flips DRIVER SECONDS WIDTH HEIGHT"
		    " [RATE]");
	gl = gl_open(argv[2], on_head);
	if (on_head)
		flips(&gl, seconds, number(argv[4]), number(argv[5]),
		      argc == 7 ? number(argv[6]) : 0);
	else if (!strcmp(what, "draws"))
		draws(seconds);
	else if (!strcmp(what, "frames"))
		frames(seconds);
	else
		move_pixels(seconds, !strcmp(what, "upload"));
	return 0;
}
