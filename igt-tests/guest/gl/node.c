// SPDX-License-Identifier: MIT
/* A render node and its calls; see node.h. */
#include "node.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int call(int fd, unsigned long request, void *argument)
{
	int code;

	do
		code = ioctl(fd, request, argument);
	while (code && (errno == EINTR || errno == EAGAIN));
	return code ? -errno : 0;
}

int open_node(const char *driver)
{
	for (int i = 128; i < 144; i++) {
		char path[32], name[32] = "";
		struct drm_version version = { .name = name,
					       .name_len = sizeof(name) - 1 };
		int fd;

		snprintf(path, sizeof(path), "/dev/dri/renderD%d", i);
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd < 0)
			continue;
		if (!call(fd, DRM_IOCTL_VERSION, &version) &&
		    !strcmp(name, driver))
			return fd;
		close(fd);
	}
	fprintf(stderr, "no render node of driver %s in /dev/dri\n", driver);
	exit(1);
}
