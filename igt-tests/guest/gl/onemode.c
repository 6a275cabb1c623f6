// SPDX-License-Identifier: MIT
/*
 * pvgpu-onemode.so, for LD_PRELOAD: whichever card a program opens, it gets that
 * of the DRM driver PVGPU_DRIVER, and of its modes those of the size PVGPU_MODE,
 * WIDTHxHEIGHT. glmark2 can be told neither, takes the first card and the
 * largest mode, and two cards are to be measured alike.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <xf86drm.h>
#include <xf86drmMode.h>

#define CARD "/dev/dri/card"
#define CARDS 8

typedef int open_function(const char *path, int flags, mode_t mode);

static int is_driver(int fd, const char *wanted)
{
	drmVersionPtr version = drmGetVersion(fd);
	int is = version && !strcmp(version->name, wanted);

	drmFreeVersion(version);
	return is;
}

static int open_card(open_function *real, const char *wanted, int flags)
{
	for (int i = 0; i < CARDS; i++) {
		char path[32];
		int fd;

		snprintf(path, sizeof(path), CARD "%d", i);
		fd = real(path, flags, 0);
		if (fd >= 0 && is_driver(fd, wanted))
			return fd;
		if (fd >= 0)
			close(fd);
	}
	return -1;
}

int open(const char *path, int flags, ...)
{
	open_function *real = (open_function *)dlsym(RTLD_NEXT, "open");
	const char *wanted = getenv("PVGPU_DRIVER");
	va_list arguments;
	mode_t mode;

	va_start(arguments, flags);
	mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(arguments, mode_t) : 0;
	va_end(arguments);
	if (wanted && !strncmp(path, CARD, strlen(CARD)))
		return open_card(real, wanted, flags);
	return real(path, flags, mode);
}

int open64(const char *path, int flags, ...)
	__attribute__((alias("open")));

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
