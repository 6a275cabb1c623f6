// SPDX-License-Identifier: MIT
/* A listening Unix socket; see listener.h. When descriptors run out it rests
 * for a second instead of spinning on a connection that it cannot take. */
#include "listener.h"

#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "common/log.h"
#include "common/util.h"

#define REST_USEC 1000000u

struct listener {
	int fd;
	char *path;
	sd_event_source *source;
	sd_event_source *rest;
	listener_accepted *accepted;
	void *userdata;
};

static int rested(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct listener *l = userdata;

	(void)source;
	(void)usec;
	return sd_event_source_set_enabled(l->source, SD_EVENT_ON);
}

static int readable(sd_event_source *source, int fd, uint32_t events,
		    void *userdata)
{
	struct listener *l = userdata;
	int client;

	(void)source;
	(void)events;
	client = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (client >= 0) {
		l->accepted(l->userdata, client);
		return 0;
	}
	if (errno == EMFILE || errno == ENFILE || errno == ENOMEM ||
	    errno == ENOBUFS) {
		log_warning("%s: accept: %s; no new connections for a second",
			    l->path ? l->path : "socket", strerror(errno));
		sd_event_source_set_enabled(l->source, SD_EVENT_OFF);
		sd_event_source_set_time_relative(l->rest, REST_USEC);
		sd_event_source_set_enabled(l->rest, SD_EVENT_ONESHOT);
	}
	return 0;
}

int listener_bind(const char *path, int type, mode_t mode)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	cleanup_fd int fd = -1;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	/* Before bind(), so that the name never has a wider mode. */
	if (fchmod(fd, mode) < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	if (listen(fd, SOMAXCONN) < 0) {
		int r = -errno;

		unlink(path);
		return r;
	}
	return take_fd(&fd);
}

int listener_adopt(struct listener **ret, sd_event *event, int fd,
		   const char *path, listener_accepted *accepted,
		   void *userdata)
{
	cleanup_fd int socket = fd;
	struct listener *l;
	int r, flags;

	flags = fcntl(socket, F_GETFL);
	if (flags < 0 || fcntl(socket, F_SETFL, flags | O_NONBLOCK) < 0)
		return -errno;
	l = calloc(1, sizeof(*l));
	if (!l)
		return -ENOMEM;
	l->accepted = accepted;
	l->userdata = userdata;
	l->fd = take_fd(&socket);
	r = sd_event_add_io(event, &l->source, l->fd, EPOLLIN, readable, l);
	if (r >= 0)
		r = sd_event_add_time_relative(event, &l->rest,
			CLOCK_MONOTONIC, REST_USEC, 0, rested, l);
	if (r >= 0)
		r = sd_event_source_set_enabled(l->rest, SD_EVENT_OFF);
	if (r >= 0 && path) {
		l->path = strdup(path);
		r = l->path ? 0 : -ENOMEM;
	}
	if (r < 0) {
		listener_free(l);
		return r;
	}
	*ret = l;
	return 0;
}

int listener_new(struct listener **ret, sd_event *event, const char *path,
		 listener_accepted *accepted, void *userdata)
{
	int fd = listener_bind(path, SOCK_STREAM, 0600), r;

	if (fd < 0)
		return fd;
	r = listener_adopt(ret, event, fd, path, accepted, userdata);
	if (r < 0)
		unlink(path);
	return r;
}

int socket_share(const char *path, gid_t group)
{
	struct stat st;

	/* Clients of a socket that is right already notice nothing. */
	if (lstat(path, &st) < 0)
		return -errno;
	if (group != (gid_t)-1 && st.st_gid == group &&
	    (st.st_mode & 0777) == 0660)
		return 0;
	/* Never open to a group that is not the one. */
	if (chmod(path, 0600) < 0)
		return -errno;
	if (group == (gid_t)-1)
		return 0;
	if (lchown(path, (uid_t)-1, group) < 0 || chmod(path, 0660) < 0)
		return -errno;
	return 0;
}

int listener_fd(const struct listener *l)
{
	return l->fd;
}

void listener_free(struct listener *l)
{
	if (!l)
		return;
	sd_event_source_disable_unref(l->rest);
	sd_event_source_disable_unref(l->source);
	if (l->path)
		unlink(l->path);
	close_fd(l->fd);
	free(l->path);
	free(l);
}
