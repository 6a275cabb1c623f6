// SPDX-License-Identifier: MIT
/*
 * pvgpu-gl: what the GL tests run in a guest, and, as the reference, on the
 * host with DRIVER `surfaceless`. DRIVER is a DRM driver's name.
 *
 *   info DRIVER                      vendor, renderer, version
 *   scene DRIVER WxH FRAME FILE.ppm  draws the scene off-screen
 *   show DRIVER FRAMES WxH...        draws it on heads 0, 1 ...: frame 0 to
 *                                    FRAMES, with flips; then waits for input
 *   spin DRIVER SECONDS [SIZE]       draws off-screen and reads back, counts
 *   flood DRIVER SECONDS [SIZE]      draws off-screen and waits for nothing, as
 *                                    much as the driver takes at once
 *   flips DRIVER SECONDS WxH         clears and flips on head 0, counts
 *   fill DRIVER MIB                  textures until GL has no memory or MIB are
 *                                    there, waits for input, goes on as told
 *   churn DRIVER MIB TIMES           makes and drops a texture of MIB
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "egl.h"
#include "scene.h"

static void size_of(const char *text, unsigned int *w, unsigned int *h)
{
	char half[16];
	const char *x = strchr(text, 'x');

	if (!x || (size_t)(x - text) >= sizeof(half))
		die("not a size: %s; it is WxH", text);
	memcpy(half, text, (size_t)(x - text));
	half[x - text] = 0;
	*w = number(half);
	*h = number(x + 1);
}

static void say(const char *what, unsigned int value)
{
	printf("%s %u\n", what, value);
	fflush(stdout);
}

static void wait_for_input(void)
{
	char c;

	while (read(0, &c, 1) == 1 && c != '\n')
		;
}

static void info(const char *driver)
{
	gl_open(driver, false);
	printf("vendor %s\nrenderer %s\nversion %s\n", glGetString(GL_VENDOR),
	       glGetString(GL_RENDERER), glGetString(GL_VERSION));
}

static void draw_off_screen(const char *driver, const char *size,
			    unsigned int frame, const char *path)
{
	unsigned int width, height;
	struct scene scene;

	size_of(size, &width, &height);
	gl_open(driver, false);
	gl_target(width, height);
	scene = scene_make();
	scene_draw(&scene, width, height, frame);
	ppm_write(path, gl_read(width, height), width, height);
	if (glGetError())
		die("GL has an error after the scene");
}

/* ------------------------------------------------------------------ heads */
struct shown {
	struct kms_output *output;
	unsigned int width, height;
	struct gbm_surface *gbm;
	EGLSurface surface;
	struct gbm_bo *bo;
};

static uint32_t framebuffer(int fd, struct gbm_bo *bo)
{
	uint32_t handles[4] = { gbm_bo_get_handle(bo).u32 };
	uint32_t strides[4] = { gbm_bo_get_stride(bo) };
	uint32_t offsets[4] = { 0 }, fb = 0;

	if (drmModeAddFB2(fd, gbm_bo_get_width(bo), gbm_bo_get_height(bo),
			  GBM_FORMAT_XRGB8888, handles, strides, offsets, &fb,
			  0))
		die("a framebuffer of a rendered buffer: %s", strerror(errno));
	return fb;
}

static void head_open(struct gl *gl, struct shown *h)
{
	h->gbm = gbm_surface_create(gl->gbm, h->width, h->height,
				    GBM_FORMAT_XRGB8888,
				    GBM_BO_USE_SCANOUT | GBM_BO_USE_RENDERING);
	need(h->gbm);
	h->surface = eglCreatePlatformWindowSurface(gl->display, gl->config,
						    h->gbm, NULL);
	if (h->surface == EGL_NO_SURFACE)
		die("no EGL surface: %#x", eglGetError());
}

static void draw_on(struct gl *gl, struct scene *scene, struct shown *head,
		    unsigned int frame)
{
	if (!eglMakeCurrent(gl->display, head->surface, head->surface,
			    gl->context))
		die("eglMakeCurrent: %#x", eglGetError());
	scene_draw(scene, head->width, head->height, frame);
	if (!eglSwapBuffers(gl->display, head->surface))
		die("eglSwapBuffers: %#x", eglGetError());
}

static void flip(struct gl *gl, struct shown *head, bool first)
{
	struct gbm_bo *bo = gbm_surface_lock_front_buffer(head->gbm);
	struct kms_flip event = { .pending = 1 };
	uint32_t fb;

	need(bo);
	fb = framebuffer(gl->fd, bo);
	if (first) {
		drmModeModeInfo *mode = kms_mode(head->output, head->width,
						 head->height);

		if (!mode)
			die("no mode %ux%u", head->width, head->height);
		if (drmModeSetCrtc(gl->fd, head->output->crtc, fb, 0, 0,
				   &head->output->connector, 1, mode))
			die("setting a mode: %s", strerror(errno));
	} else {
		if (drmModePageFlip(gl->fd, head->output->crtc, fb,
				    DRM_MODE_PAGE_FLIP_EVENT, &event))
			die("a flip: %s", strerror(errno));
		while (event.pending)
			kms_wait_flip(gl->fd, &event);
	}
	if (head->bo)
		gbm_surface_release_buffer(head->gbm, head->bo);
	head->bo = bo;
}

static void show(const char *driver, unsigned int frames, int count,
		 char **sizes)
{
	struct kms_output outputs[KMS_MAX_OUTPUTS];
	struct shown heads[KMS_MAX_OUTPUTS] = { 0 };
	struct gl gl = gl_open(driver, true);
	int have = (int)kms_outputs(gl.fd, outputs);
	struct scene scene = scene_make();

	if (count > have)
		die("%d heads asked for, %d are there", count, have);
	for (int i = 0; i < count; i++) {
		struct shown *h = &heads[i];

		h->output = &outputs[i];
		size_of(sizes[i], &h->width, &h->height);
		head_open(&gl, h);
	}
	for (unsigned int frame = 0; frame <= frames; frame++) {
		for (int i = 0; i < count; i++)
			draw_on(&gl, &scene, &heads[i], frame);
		for (int i = 0; i < count; i++)
			flip(&gl, &heads[i], frame == 0);
	}
	say("ready", frames);
	wait_for_input();
}

/* ------------------------------------------------------------- endurance */
static void spin(const char *driver, unsigned int seconds, unsigned int size)
{
	struct gl gl = gl_open(driver, false);
	double begin = now_seconds(), said = begin;
	unsigned int frames = 0, wrong = 0;
	struct scene scene = scene_make();

	(void)gl;
	gl_target(size, size);
	while (!frames || now_seconds() - begin < seconds) {
		unsigned int at = (size * 3 / 4 + size / 16);
		uint8_t pixel[4] = { 0 };

		scene_draw(&scene, size, size, frames % 8);
		glReadPixels((GLint)at, (GLint)(size / 8), 1, 1, GL_RGBA,
			     GL_UNSIGNED_BYTE, pixel);
		/* The scissored patch: its green says which frame it is. */
		if (pixel[0] != 255 || pixel[2] != 0 ||
		    (unsigned int)(pixel[1] + 16) / 32 != frames % 8)
			wrong++;
		/* The first frame has the shaders to compile. */
		if (!frames++)
			begin = now_seconds();
		if (now_seconds() - said > 0.2) {
			said = now_seconds();
			say("frame", frames);
		}
	}
	say("frames", frames);
	say("wrong", wrong);
}

/* Every frame a batch that takes long. */
static void flood(const char *driver, unsigned int seconds, unsigned int size)
{
	double begin = now_seconds(), said = begin;
	struct scene scene;

	gl_open(driver, false);
	scene = scene_make();
	gl_target(size, size);
	for (unsigned int frame = 1; now_seconds() - begin < seconds; frame++) {
		scene_draw(&scene, size, size, frame % 8);
		glFlush();
		if (now_seconds() - said < 0.2)
			continue;
		said = now_seconds();
		say("frame", frame);
	}
}

static void flips(const char *driver, unsigned int seconds, const char *size)
{
	struct kms_output outputs[KMS_MAX_OUTPUTS];
	struct gl gl = gl_open(driver, true);
	struct shown head = { .output = outputs };
	unsigned int count = 0;
	double begin;

	need(kms_outputs(gl.fd, outputs));
	size_of(size, &head.width, &head.height);
	head_open(&gl, &head);
	for (begin = now_seconds(); now_seconds() - begin < seconds; count++) {
		if (!eglMakeCurrent(gl.display, head.surface, head.surface,
				    gl.context))
			die("eglMakeCurrent: %#x", eglGetError());
		glClearColor(0, (float)(count % 8) / 8, 0, 1);
		glClear(GL_COLOR_BUFFER_BIT);
		if (!eglSwapBuffers(gl.display, head.surface))
			die("eglSwapBuffers: %#x", eglGetError());
		flip(&gl, &head, !count);
	}
	say("flips", count);
}

#define TEXTURES 4096

static unsigned int fill_up(GLuint *names, unsigned int most, GLenum *error)
{
	unsigned int made = 0;

	while (made < most && made < TEXTURES) {
		glGenTextures(1, &names[made]);
		glBindTexture(GL_TEXTURE_2D, names[made]);
		glTexParameteri(GL_TEXTURE_2D, GL_TEXTURE_MIN_FILTER,
				GL_NEAREST);
		glTexImage2D(GL_TEXTURE_2D, 0, GL_RGBA, 2048, 2048, 0, GL_RGBA,
			     GL_UNSIGNED_BYTE, NULL);
		*error = glGetError();
		if (*error) {
			glDeleteTextures(1, &names[made]);
			break;
		}
		made++;
	}
	glFinish();
	return made;
}

static void fill(const char *driver, unsigned int mib)
{
	static GLuint names[TEXTURES];
	GLenum error = 0, again = 0;
	unsigned int made, more;

	gl_open(driver, false);
	gl_target(64, 64);
	made = fill_up(names, mib / 16, &error);
	printf("filled %u MiB error %#x\n", made * 16, error);
	fflush(stdout);
	wait_for_input();
	/* Half of it back: as much as that must be had again. */
	glDeleteTextures((GLsizei)(made / 2), names + (made - made / 2));
	glFinish();
	more = fill_up(names + (made - made / 2), made / 2, &again);
	printf("again %u of %u error %#x\n", more, made / 2, again);
	glDeleteTextures((GLsizei)(made - made / 2 + more), names);
	glFinish();
	/* And the context still draws. */
	glClearColor(0, 1, 0, 1);
	glClear(GL_COLOR_BUFFER_BIT);
	printf("clear %s\n", gl_read(64, 64)[1] == 255 ? "right" : "wrong");
}

static void churn(const char *driver, unsigned int mib, unsigned int times)
{
	GLuint fbo;

	gl_open(driver, false);
	glGenFramebuffers(1, &fbo);
	glBindFramebuffer(GL_FRAMEBUFFER, fbo);
	for (unsigned int i = 0; i < times; i++) {
		GLuint name;

		glGenTextures(1, &name);
		glBindTexture(GL_TEXTURE_2D, name);
		glTexImage2D(GL_TEXTURE_2D, 0, GL_RGBA, 1024,
			     (GLsizei)(256 * mib), 0, GL_RGBA,
			     GL_UNSIGNED_BYTE, NULL);
		glFramebufferTexture2D(GL_FRAMEBUFFER, GL_COLOR_ATTACHMENT0,
				       GL_TEXTURE_2D, name, 0);
		glClear(GL_COLOR_BUFFER_BIT);
		glFlush();
		glDeleteTextures(1, &name);
		if (glGetError())
			die("GL has an error after %u textures", i);
	}
	glFinish();
	say("churned", times);
}

int main(int argc, char **argv)
{
	const char *what = argc > 2 ? argv[1] : "", *driver = argv[2];

	if (!strcmp(what, "info") && argc == 3)
		info(driver);
	else if (!strcmp(what, "scene") && argc == 6)
		draw_off_screen(driver, argv[3], number(argv[4]), argv[5]);
	else if (!strcmp(what, "show") && argc > 4)
		show(driver, number(argv[3]), argc - 4, argv + 4);
	else if (!strcmp(what, "spin") && argc >= 4)
		spin(driver, number(argv[3]), argc > 4 ? number(argv[4]) : 128);
	else if (!strcmp(what, "flood") && argc >= 4)
		flood(driver, number(argv[3]), argc > 4 ? number(argv[4]) : 512);
	else if (!strcmp(what, "flips") && argc == 5)
		flips(driver, number(argv[3]), argv[4]);
	else if (!strcmp(what, "fill") && argc == 4)
		fill(driver, number(argv[3]));
	else if (!strcmp(what, "churn") && argc == 5)
		churn(driver, number(argv[3]), number(argv[4]));
	else
		die("usage: pvgpu-gl info|scene|show|spin|flood|flips|fill|churn "
		    "DRIVER ...; gl.c's first comment has the rest");
	return 0;
}
