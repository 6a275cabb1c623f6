// SPDX-License-Identifier: MIT
/* The loop; see door.h. */
#include "door.h"

#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "common/log.h"

/* How often it is looked whether the worker is there, while somebody waits. */
#define LOOK_MS 500

static void destroyed(void *context, uint32_t resource)
{
	struct door *d = context;
	struct resource *r = (struct resource *)names_get(&d->vgpu.resources,
							  resource);

	if (r)
		resource_free(&d->vgpu, r);
}

static void failed(void *context, uint32_t cookie, uint32_t status,
		   uint32_t detail)
{
	struct door *d = context;

	for (struct client *c = d->clients; c; c = c->next)
		if (c->context == cookie && !*c->why)
			client_bad(c, "its batch was refused: status %u, "
				   "detail %u", status, detail);
}

static const struct vgpu_hooks hooks = { destroyed, failed };

static const char *attach_problem(int ret)
{
	return ret == -ENOTSUP ? "its type does not render" :
	       ret == -EACCES ? "its type is not for guests with Linux" :
	       strerror(-ret);
}

int door_open(struct door *d, const char *vgpu_socket)
{
	const char *why;
	int ret = vgpu_connect(&d->vgpu, vgpu_socket, &hooks, d, &why);

	if (ret) {
		log_error("%s: %s: %s", vgpu_socket, why, strerror(-ret));
		return ret;
	}
	ret = vgpu_attach(&d->vgpu);
	if (ret) {
		log_error("%s: %s", vgpu_socket, attach_problem(ret));
		vgpu_disconnect(&d->vgpu);
	}
	return ret;
}

/* ----------------------------------------------------------------- clients */

static void drop(struct door *d, struct client **at)
{
	static struct log_limit limit = { .burst = 20, .seconds = 10 };
	struct client *c = *at;

	*at = c->next;
	d->count--;
	if (*c->why && log_allowed(&limit))
		log_warning("%s: closed: %s", c->label, c->why);
	else
		log_debug("%s: closed", c->label);
	client_free(c);
}

static void drop_all(struct door *d, const char *why)
{
	while (d->clients) {
		if (why)
			client_bad(d->clients, "%s", why);
		drop(d, &d->clients);
	}
}

static void accept_client(struct door *d)
{
	int fd = accept4(d->listener, NULL, NULL, SOCK_CLOEXEC |
			 SOCK_NONBLOCK);
	struct client *c = fd < 0 ? NULL : client_new(&d->vgpu, fd);

	if (fd >= 0 && !c)
		close_fd(fd);
	if (!c)
		return;
	c->next = d->clients;
	d->clients = c;
	d->count++;
	log_debug("%s: connected", c->label);
}

/* The worker was replaced: what clients had is gone. */
static int begin_again(struct door *d)
{
	int ret;

	log_warning("the vGPU was reset");
	drop_all(d, "the vGPU was reset");
	ret = vgpu_attach(&d->vgpu);
	if (ret)
		log_error("attaching again: %s", attach_problem(ret));
	return ret;
}

/* -------------------------------------------------------------- the loop */

/* Asks for the fences that clients wait for; false: there is something to do
 * already. */
static bool may_sleep(struct door *d)
{
	uint64_t lowest[PVGPU_MAX_CHANNELS + 1];
	bool may = vgpu_sleep(&d->vgpu);

	memset(lowest, 0xff, sizeof(lowest));
	for (struct client *c = d->clients; c; c = c->next) {
		if (c->more || *c->why)
			return false;
		if (c->await && c->await < lowest[c->channel])
			lowest[c->channel] = c->await;
	}
	for (uint32_t i = 1; i <= d->vgpu.client.device.channels; i++)
		if (lowest[i] != UINT64_MAX)
			may = pvgpu_client_fence_sleep(&d->vgpu.client, i,
						       lowest[i]) && may;
	return may;
}

static bool anybody_waits(const struct door *d)
{
	bool waits = d->vgpu.resources.count;

	for (const struct client *c = d->clients; c && !waits; c = c->next)
		waits = c->await;
	return waits;
}

static void run_clients(struct door *d, const struct pollfd *polled)
{
	struct client **at = &d->clients;

	while (*at) {
		struct client *c = *at;
		short events = (polled++)->revents;
		bool gone = events & (POLLERR | POLLHUP) && !client_events(c);

		/* One that hung up and has sent more is heard to the end. */
		if (gone || !client_run(c))
			drop(d, at);
		else
			at = &c->next;
	}
}

/* What is always waited for comes before the clients. */
enum { SIGNALS, LISTENER, SERVER, VECTORS };

int door_serve(struct door *d)
{
	struct pollfd wait[VECTORS + PVGPU_MAX_VECTORS + DOOR_CLIENTS_MAX];
	uint32_t vectors = d->vgpu.peer.interrupts;
	uint64_t count;
	int ret;

	for (;;) {
		struct pollfd *at = wait + VECTORS;
		bool sleep = may_sleep(d);

		wait[SIGNALS] = (struct pollfd){ d->signals, POLLIN, 0 };
		wait[LISTENER] = (struct pollfd){
			d->count < d->clients_max ? d->listener : -1,
			POLLIN, 0 };
		wait[SERVER] = (struct pollfd){ d->vgpu.peer.socket, POLLIN,
						0 };
		for (uint32_t v = 0; v < vectors; v++)
			*at++ = (struct pollfd){ d->vgpu.peer.interrupt[v],
						 POLLIN, 0 };
		for (struct client *c = d->clients; c; c = c->next)
			*at++ = (struct pollfd){ c->fd, client_events(c), 0 };
		if (poll(wait, (nfds_t)(at - wait), !sleep ? 0 :
			 anybody_waits(d) ? LOOK_MS : -1) < 0 &&
		    errno != EINTR)
			return -errno;
		if (wait[SIGNALS].revents)
			return 0;
		if (wait[SERVER].revents & POLLHUP) {
			log_error("the vGPU is gone");
			return -ECONNRESET;
		}
		for (uint32_t v = 0; v < vectors; v++)
			if (wait[VECTORS + v].revents & POLLIN &&
			    read(wait[VECTORS + v].fd, &count,
				 sizeof(count)) < 0)
				return -errno;
		if (!vgpu_attached(&d->vgpu)) {
			ret = begin_again(d);
			if (ret)
				return ret;
			continue;
		}
		vgpu_take(&d->vgpu);
		run_clients(d, wait + VECTORS + vectors);
		if (wait[LISTENER].revents & POLLIN)
			accept_client(d);
	}
}

void door_close(struct door *d)
{
	drop_all(d, NULL);
	vgpu_disconnect(&d->vgpu);
}
