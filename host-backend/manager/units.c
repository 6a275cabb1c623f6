// SPDX-License-Identifier: MIT
/* Workers as systemd units; see units.h. */
#include "units.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <systemd/sd-bus.h>
#include <systemd/sd-login.h>

#include "common/log.h"
#include "common/util.h"
#include "listener.h"

#define SYSTEMD	"org.freedesktop.systemd1", "/org/freedesktop/systemd1", \
		"org.freedesktop.systemd1.Manager"
#define LISTENER_NAME	"workers"

/* What a worker needs beside its vGPU's memory: code, tables, one picture,
 * copies under way. */
#define MEMORY_MARGIN	(768ull << 20)

struct units {
	sd_event *event;
	struct store *store;
	sd_bus *bus;
	char *prefix;			/* of unit names, up to the @ */
	struct listener *listener;
	units_connected *connected;
	void *userdata;
	struct log_limit refused;
};

/* ------------------------------------------------------------ connections */

/* The instance that a process belongs to, or NULL; the caller's. */
static char *instance_of(const struct units *u, pid_t pid)
{
	cleanup_free char *unit = NULL;
	size_t prefix = strlen(u->prefix), length;
	char *end;

	if (sd_pid_get_unit(pid, &unit) < 0)
		return NULL;
	length = strlen(unit);
	if (strncmp(unit, u->prefix, prefix) || length <= prefix + 8)
		return NULL;
	end = unit + length - strlen(".service");
	if (strcmp(end, ".service"))
		return NULL;
	*end = '\0';
	return strdup(unit + prefix);
}

static void accepted(void *userdata, int fd)
{
	struct units *u = userdata;
	cleanup_fd int socket = fd, pidfd = -1;
	cleanup_free char *name = NULL;
	struct ucred peer = { 0 };
	socklen_t size = sizeof(peer);
	struct pollfd dead;

	if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
	    peer.pid > 0)
		pidfd = pidfd_open(peer.pid, 0);
	if (pidfd >= 0)
		name = instance_of(u, peer.pid);
	/* Alive after the look: so the look was at this process and not at
	 * another that got its number. */
	dead = (struct pollfd){ .fd = pidfd, .events = POLLIN };
	if (!name || poll(&dead, 1, 0) != 0) {
		if (log_allowed(&u->refused))
			log_warning("workers: process %d (user %d) is in no "
				    "unit %s*, and is sent away",
				    (int)peer.pid, (int)peer.uid, u->prefix);
		return;
	}
	u->connected(u->userdata, name, take_fd(&socket), take_fd(&pidfd),
		     peer.pid);
}

/* ------------------------------------------------------------------ D-Bus */

static int connect_bus(struct units *u)
{
	int r;

	if (u->bus && sd_bus_is_open(u->bus) > 0)
		return 0;
	if (u->bus) {
		sd_bus_detach_event(u->bus);
		u->bus = sd_bus_close_unref(u->bus);
	}
	r = sd_bus_open_system(&u->bus);
	if (r >= 0)
		r = sd_bus_attach_event(u->bus, u->event, 0);
	if (r < 0)
		log_error("workers: no system bus: %s", strerror(-r));
	return r < 0 ? r : 0;
}

static int answered(sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
	const char *what = userdata;
	const sd_bus_error *e = sd_bus_message_get_error(reply);

	(void)error;
	/* Nothing to kill is as good as killed. */
	if (e && (strcmp(what, "KillUnit") ||
		  !sd_bus_error_has_name(e, "org.freedesktop.systemd1."
					    "NoSuchUnit")))
		log_error("workers: systemd refuses %s: %s", what, e->message);
	return 0;
}

/* The nodes of the GPU, in place of what the unit was allowed before. */
static int append_devices(sd_bus_message *m, const struct gpu_device *gpu)
{
	const struct gpu_driver *driver = gpu_driver(gpu);
	char node[GPU_NODE_MAX];
	int r = sd_bus_message_append(m, "(sv)", "DeviceAllow", "a(ss)", 0);

	for (size_t i = 0; r >= 0 && gpu_node(driver, gpu, i, node); i++)
		r = sd_bus_message_append(m, "(sv)", "DeviceAllow", "a(ss)", 1,
					  node, "rw");
	return r;
}

static int set_properties(struct units *u, const char *unit, uint64_t memory,
			  const struct gpu_device *gpu)
{
	sd_bus_message *m = NULL;
	int r = sd_bus_message_new_method_call(u->bus, &m, SYSTEMD,
					       "SetUnitProperties");

	if (r >= 0)
		r = sd_bus_message_append(m, "sb", unit, 1);
	if (r >= 0)
		r = sd_bus_message_open_container(m, 'a', "(sv)");
	if (r >= 0)
		r = sd_bus_message_append(m, "(sv)", "MemoryMax", "t", memory);
	if (r >= 0)
		r = append_devices(m, gpu);
	if (r >= 0)
		r = sd_bus_message_close_container(m);
	if (r >= 0)
		r = sd_bus_call_async(u->bus, NULL, m, answered,
				      (void *)"SetUnitProperties", 0);
	sd_bus_message_unref(m);
	return r;
}

int units_start(struct units *u, const char *name,
		const struct vgpu_limits *limits, const struct gpu_device *gpu)
{
	uint64_t memory = limits->framebuffer + limits->device_budget +
			  MEMORY_MARGIN;
	cleanup_free char *unit = NULL;
	int r = connect_bus(u);

	if (r < 0)
		return r;
	if (asprintf(&unit, "%s%s.service", u->prefix, name) < 0)
		return -ENOMEM;
	r = set_properties(u, unit, memory, gpu);
	if (r >= 0)
		r = sd_bus_call_method_async(u->bus, NULL, SYSTEMD,
			"RestartUnit", answered, (void *)"RestartUnit", "ss",
			unit, "replace");
	return r < 0 ? r : 0;
}

void units_kill(struct units *u, const char *name)
{
	cleanup_free char *unit = NULL;

	if (connect_bus(u) < 0)
		return;
	if (asprintf(&unit, "%s%s.service", u->prefix, name) < 0)
		return;
	if (sd_bus_call_method_async(u->bus, NULL, SYSTEMD, "KillUnit",
				     answered, (void *)"KillUnit", "ssi",
				     unit, "all", (int32_t)SIGKILL) < 0)
		log_error("workers: %s cannot be killed", unit);
	else
		sd_bus_flush(u->bus);
}

/* --------------------------------------------------------- birth and death */

static int listen_at(struct units *u, const char *path)
{
	int fd = store_claim(u->store, LISTENER_NAME, NULL), r;

	if (fd >= 0)
		return listener_adopt(&u->listener, u->event, fd, path,
				      accepted, u);
	/* Anybody may knock; accepted() asks the kernel who it is. */
	fd = listener_bind(path, SOCK_SEQPACKET, 0666);
	if (fd < 0)
		return fd;
	/* Whatever our umask is. */
	r = chmod(path, 0666) < 0 ? -errno : 0;
	if (!r)
		r = store_add(u->store, LISTENER_NAME, NULL, fd);
	if (!r)
		r = listener_adopt(&u->listener, u->event, fd, path, accepted,
				   u);
	else
		close_fd(fd);
	return r;
}

int units_new(struct units **ret, sd_event *event, struct store *store,
	      const char *template, const char *path,
	      units_connected *connected, void *userdata)
{
	struct units *u;
	int r;

	u = calloc(1, sizeof(*u));
	if (!u)
		return -ENOMEM;
	u->event = event;
	u->store = store;
	u->connected = connected;
	u->userdata = userdata;
	u->refused = (struct log_limit){ .burst = 3, .seconds = 10 };
	u->prefix = strndup(template, strcspn(template, "@") + 1);
	r = u->prefix ? listen_at(u, path) : -ENOMEM;
	if (r < 0) {
		units_free(u);
		return r;
	}
	*ret = u;
	return 0;
}

void units_free(struct units *u)
{
	if (!u)
		return;
	listener_free(u->listener);
	if (u->bus)
		sd_bus_flush_close_unref(u->bus);
	free(u->prefix);
	free(u);
}
