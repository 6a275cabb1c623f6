// SPDX-License-Identifier: MIT
/* EGL; see egl.h. */
#include "egl.h"

#include <epoxy/egl.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/util.h"

#define DEVICES_MAX 64

/* Of EGL_EXT_device_drm_render_node, which older headers do not know. */
#ifndef EGL_DRM_RENDER_NODE_FILE_EXT
#define EGL_DRM_RENDER_NODE_FILE_EXT 0x3377
#endif

struct egl {
	EGLDisplay display;
	EGLConfig config;
};

/* Whether a list of extensions has this one. */
static bool has(const char *list, const char *name)
{
	size_t length = strlen(name);

	while (list && (list = strstr(list, name))) {
		list += length;
		if (!*list || *list == ' ')
			return true;
	}
	return false;
}

/* The render node of a device of EGL's: NULL if it does not say, "" if it has
 * none because it is software. */
static const char *node_of(EGLDeviceEXT device)
{
	const char *extensions = eglQueryDeviceStringEXT(device,
							 EGL_EXTENSIONS);

	if (has(extensions, "EGL_MESA_device_software"))
		return "";
	if (!has(extensions, "EGL_EXT_device_drm_render_node"))
		return NULL;
	return eglQueryDeviceStringEXT(device, EGL_DRM_RENDER_NODE_FILE_EXT);
}

/* The device whose render node this is. A driver that does not tell of render
 * nodes is taken at its word where it has one device: it sees no nodes but
 * those of this one. */
static EGLDeviceEXT find_device(const struct gpu_device *gpu)
{
	EGLDeviceEXT devices[DEVICES_MAX], silent = EGL_NO_DEVICE_EXT;
	unsigned int silent_count = 0;
	EGLint count = 0;

	if (!eglQueryDevicesEXT(DEVICES_MAX, devices, &count))
		return EGL_NO_DEVICE_EXT;
	for (EGLint i = 0; i < count; i++) {
		const char *node = node_of(devices[i]);

		if (node && *node && !strcmp(node, gpu->node))
			return devices[i];
		if (!node) {
			silent = devices[i];
			silent_count++;
		}
	}
	return silent_count == 1 ? silent : EGL_NO_DEVICE_EXT;
}

static EGLDisplay open_display(const struct gpu_device *gpu)
{
	const char *extensions = eglQueryString(EGL_NO_DISPLAY,
						EGL_EXTENSIONS);
	EGLDeviceEXT device;

	if (!gpu->hardware) {
		if (has(extensions, "EGL_MESA_platform_surfaceless"))
			return eglGetPlatformDisplayEXT(
				EGL_PLATFORM_SURFACELESS_MESA,
				EGL_DEFAULT_DISPLAY, NULL);
		log_error("EGL has no surfaceless platform, which llvmpipe is on");
		return EGL_NO_DISPLAY;
	}
	if (!has(extensions, "EGL_EXT_platform_device") ||
	    (!has(extensions, "EGL_EXT_device_base") &&
	     !has(extensions, "EGL_EXT_device_enumeration"))) {
		log_error("EGL can be asked for no device");
		return EGL_NO_DISPLAY;
	}
	device = find_device(gpu);
	if (device == EGL_NO_DEVICE_EXT) {
		log_error("EGL has no device for it: is its driver's part for GL installed?");
		return EGL_NO_DISPLAY;
	}
	return eglGetPlatformDisplayEXT(EGL_PLATFORM_DEVICE_EXT, device, NULL);
}

/* Desktop GL without a surface, in any version that is asked for. */
static bool prepare(struct egl *e)
{
	static const EGLint wanted[] = {
		EGL_SURFACE_TYPE, EGL_PBUFFER_BIT,
		EGL_RENDERABLE_TYPE, EGL_OPENGL_BIT,
		EGL_RED_SIZE, 1, EGL_GREEN_SIZE, 1, EGL_BLUE_SIZE, 1,
		EGL_NONE,
	};
	const char *extensions;
	EGLint count = 0;

	if (!eglInitialize(e->display, NULL, NULL)) {
		log_error("EGL does not start: error 0x%x", eglGetError());
		return false;
	}
	extensions = eglQueryString(e->display, EGL_EXTENSIONS);
	if (has(extensions, "EGL_KHR_surfaceless_context") &&
	    has(extensions, "EGL_KHR_create_context") &&
	    eglBindAPI(EGL_OPENGL_API) &&
	    eglChooseConfig(e->display, wanted, &e->config, 1, &count) &&
	    count == 1)
		return true;
	log_error("EGL has no OpenGL without a window");
	eglTerminate(e->display);
	return false;
}

struct egl *egl_open(const struct gpu_device *gpu)
{
	cleanup_free struct egl *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	e->display = open_display(gpu);
	if (e->display == EGL_NO_DISPLAY || !prepare(e))
		return NULL;
	return take_ptr(e);
}

void egl_close(struct egl *e)
{
	if (!e)
		return;
	egl_make_current(e, NULL);
	eglTerminate(e->display);
	free(e);
}

void *egl_context_new(struct egl *e, int major, int minor, bool shared)
{
	const EGLint attributes[] = {
		EGL_CONTEXT_MAJOR_VERSION_KHR, major,
		EGL_CONTEXT_MINOR_VERSION_KHR, minor, EGL_NONE,
	};

	return eglCreateContext(e->display, e->config,
				shared ? eglGetCurrentContext() :
					 EGL_NO_CONTEXT, attributes);
}

void egl_context_free(struct egl *e, void *context)
{
	eglDestroyContext(e->display, context);
}

bool egl_make_current(struct egl *e, void *context)
{
	return eglMakeCurrent(e->display, EGL_NO_SURFACE, EGL_NO_SURFACE,
			      context ? context : EGL_NO_CONTEXT);
}

bool egl_is_software(const char *renderer)
{
	static const char *const names[] = {
		"llvmpipe", "softpipe", "swrast", "Software Rasterizer",
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (!strncmp(renderer, names[i], strlen(names[i])))
			return true;
	return false;
}
