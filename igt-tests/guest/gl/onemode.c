// SPDX-License-Identifier: MIT
/*
 * pvgpu-onemode.so, for LD_PRELOAD: of all cards a program sees the one of the
 * DRM driver PVGPU_DRIVER, and of its modes those of the size PVGPU_MODE,
 * WIDTHxHEIGHT. glmark2 can be told neither, takes the first card and the
 * largest mode, and two cards are to be measured alike.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xf86drm.h>
#include <xf86drmMode.h>

drmModeResPtr drmModeGetResources(int fd)
{
	drmModeResPtr (*real)(int) = dlsym(RTLD_NEXT, "drmModeGetResources");
	const char *wanted = getenv("PVGPU_DRIVER");
	drmVersionPtr version = drmGetVersion(fd);
	int ours = version && (!wanted || !strcmp(version->name, wanted));

	drmFreeVersion(version);
	return ours ? real(fd) : NULL;
}

drmModeConnectorPtr drmModeGetConnector(int fd, uint32_t id)
{
	drmModeConnectorPtr (*real)(int, uint32_t) =
		dlsym(RTLD_NEXT, "drmModeGetConnector");
	drmModeConnectorPtr c = real(fd, id);
	const char *wanted = getenv("PVGPU_MODE");
	int kept = 0;

	for (int i = 0; c && wanted && i < c->count_modes; i++) {
		char size[32];

		snprintf(size, sizeof(size), "%ux%u", c->modes[i].hdisplay,
			 c->modes[i].vdisplay);
		if (!strcmp(size, wanted))
			c->modes[kept++] = c->modes[i];
	}
	if (c && wanted)
		c->count_modes = kept;
	return c;
}
