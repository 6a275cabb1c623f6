// SPDX-License-Identifier: MIT
/*
 * pvgpud starts here: options, types, the runtime directory under its lock,
 * the control socket, the loop, and the orderly end.
 */
#include <fcntl.h>
#include <limits.h>
#include <dirent.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>

#include <systemd/sd-daemon.h>

#include "adopt.h"
#include "common/log.h"
#include "common/util.h"
#include "configure.h"
#include "control.h"
#include "listener.h"
#include "manager.h"
#include "metrics.h"
#include "options.h"
#include "sched_setting.h"
#include "state.h"

/* The worker program: as told, or beside us, or where packages put it. */
static int find_worker(char out[PATH_MAX], const char *told)
{
	ssize_t n;
	char *slash;

	if (told) {
		/* Absolute, for errors that can be understood later. */
		if (!realpath(told, out))
			return -errno;
	} else {
		n = readlink("/proc/self/exe", out, PATH_MAX - 16);
		if (n < 0)
			return -errno;
		out[n] = '\0';
		slash = strrchr(out, '/');
		strcpy(slash ? slash + 1 : out, "pvgpu-worker");
		if (access(out, X_OK) < 0)
			strcpy(out, "/usr/libexec/pvgpu-worker");
	}
	return access(out, X_OK) < 0 ? -errno : 0;
}

/* Whether a socket of the runtime directory is one that was handed to us. */
static bool is_ours(const struct store *store, const char *file)
{
	size_t length = strlen(file);
	char name[VGPU_NAME_MAX + 1];

	if (!strcmp(file, "control"))
		return store_has(store, CONTROL_SOCKET_NAME, NULL);
	if (length < 6 || length - 5 > VGPU_NAME_MAX)
		return false;
	snprintf(name, sizeof(name), "%.*s", (int)(length - 5), file);
	return store_has(store, name, "listener");
}

/* The runtime directory is one pvgpud's: whoever holds DIR/lock. Sockets that
 * a killed one left are removed only under that lock. */
static int take_runtime_dir(int *ret_lock, const char *path,
			    const struct store *store)
{
	cleanup_fd int directory = -1;
	cleanup_fd int lock = -1;
	const struct dirent *entry;
	struct stat st;
	DIR *listing;

	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		return -errno;
	directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (directory < 0)
		return -errno;
	lock = openat(directory, "lock", O_RDWR | O_CREAT | O_CLOEXEC |
					 O_NOFOLLOW, 0600);
	if (lock < 0)
		return -errno;
	if (flock(lock, LOCK_EX | LOCK_NB) < 0)
		return -errno;
	listing = fdopendir(directory);
	if (!listing)
		return -errno;
	take_fd(&directory);
	while ((entry = readdir(listing))) {
		const char *end = strrchr(entry->d_name, '.');

		if (strcmp(entry->d_name, "control") &&
		    strcmp(entry->d_name, "workers") &&
		    (!end || strcmp(end, ".sock")))
			continue;
		if (!strcmp(entry->d_name, "workers") ?
		    store_has(store, "workers", NULL) :
		    is_ours(store, entry->d_name))
			continue;
		if (fstatat(dirfd(listing), entry->d_name, &st,
			    AT_SYMLINK_NOFOLLOW) < 0 || !S_ISSOCK(st.st_mode))
			continue;
		log_info("removing %s/%s, left by an earlier pvgpud", path,
			 entry->d_name);
		unlinkat(dirfd(listing), entry->d_name, 0);
	}
	closedir(listing);
	*ret_lock = take_fd(&lock);
	return 0;
}

/* Each vGPU in use costs a dozen descriptors. */
static void raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static void warn_of_group(const struct manager *m)
{
	if (m->control_given && m->config.socket_group != NO_GROUP)
		log_warning("socket_group is of no use here: the control "
			    "socket is systemd's, and its SocketGroup counts");
}

/* After a change of groups. */
static void share_sockets(struct manager *m)
{
	cleanup_free char *path = NULL;
	int r = -ENOMEM;

	warn_of_group(m);
	if (m->control_given)
		r = 0;
	else if (asprintf(&path, "%s/control", m->runtime_dir) >= 0)
		r = socket_share(path, m->config.socket_group);
	if (r < 0)
		log_error("socket_group: control: %s", strerror(-r));
	for (struct vgpu *v = m->vgpus; v; v = v->next) {
		r = socket_share(v->socket, m->config.vgpu_socket_group);
		if (r < 0)
			log_error("vgpu_socket_group: %s: %s", v->socket,
				  strerror(-r));
	}
}

/* SIGHUP: configuration and types again. */
static int reload(sd_event_source *source, const struct signalfd_siginfo *info,
		  void *userdata)
{
	struct manager *m = userdata;

	(void)source;
	log_info("reload, asked for by pid %u, uid %u", info->ssi_pid,
		 info->ssi_uid);
	if (configure(m) < 0) {
		log_error("reload: nothing is changed");
		return 0;
	}
	share_sockets(m);
	metrics_open(m);
	state_restore_vgpus(m);
	log_info("reload: done, %zu types", m->types.count);
	return 0;
}

static int catch_signals(sd_event *event, struct manager *m)
{
	sigset_t signals;
	int r;

	sigemptyset(&signals);
	sigaddset(&signals, SIGHUP);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	if (sigprocmask(SIG_BLOCK, &signals, NULL) < 0)
		return -errno;
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);	/* a write that is too much is an error */
	/* Ignored, it would reap our children behind our back. */
	signal(SIGCHLD, SIG_DFL);
	r = sd_event_add_signal(event, NULL, SIGHUP, reload, m);
	/* Without a handler a signal ends the loop with status 0. */
	if (r >= 0)
		r = sd_event_add_signal(event, NULL, SIGTERM, NULL, NULL);
	if (r >= 0)
		r = sd_event_add_signal(event, NULL, SIGINT, NULL, NULL);
	return r;
}

/* units_connected() */
static void worker_came(void *userdata, const char *name, int socket,
			int pidfd, pid_t pid)
{
	struct vgpu *v = manager_find(userdata, name);

	if (v && v->worker) {
		worker_connected(v->worker, socket, pidfd, pid);
		return;
	}
	log_debug("workers: process %d serves '%s', and that needs none",
		  (int)pid, name);
	close_fd(socket);
	close_fd(pidfd);
}

static int open_units(struct manager *m, const char *template)
{
	cleanup_free char *path = NULL;
	int r;

	if (!template)
		return 0;
	if (asprintf(&path, "%s/workers", m->runtime_dir) < 0)
		return -ENOMEM;
	r = units_new(&m->units, m->event, m->store, template, path,
		      worker_came, m);
	if (r < 0)
		log_error("%s: %s", path, strerror(-r));
	return r;
}

static void tell_ready(struct manager *m, const char *path)
{
	size_t vgpus = 0;

	for (const struct vgpu *v = m->vgpus; v; v = v->next)
		vgpus++;
	printf("pvgpud: ready, %zu types, control socket %s\n",
	       m->types.count, path);
	fflush(stdout);
	sd_event_set_watchdog(m->event, true);
	sd_notifyf(0, "READY=1\nSTATUS=%zu types; %zu vGPUs taken over",
		   m->types.count, vgpus);
}

static int run(struct manager *m)
{
	struct control *control = NULL;
	cleanup_free char *path = NULL;
	int r;

	if (asprintf(&path, "%s/control", m->runtime_dir) < 0)
		return -ENOMEM;
	state_restore_gpu(m);
	sched_setting_apply(m);
	/* Those that are alive before those that are only written down. */
	r = open_units(m, m->options->worker_unit);
	if (r < 0)
		return r;
	manager_adopt(m);
	state_restore_vgpus(m);
	state_save_missing(m);
	r = control_new(&control, m, path);
	if (!r && !m->control_given)
		r = socket_share(path, m->config.socket_group);
	if (r < 0) {
		log_error("%s: %s", path, strerror(-r));
		goto out;
	}
	r = metrics_open(m);
	if (r < 0)
		goto out;
	warn_of_group(m);
	store_drop_rest(m->store);
	tell_ready(m, path);
	r = sd_event_loop(m->event);
	if (r < 0)
		log_error("event loop: %s", strerror(-r));
out:
	/* Everything is in the store. If there is a next pvgpud it goes on from
	 * here; if not, the store is closed, and that ends QEMUs' devices and
	 * the workers. */
	if (store_keeps(m->store)) {
		sd_notify(0, "STOPPING=1");
		store_barrier(m->store);
		log_info("ends, and leaves everything to the next pvgpud");
		exit(r < 0 ? EXIT_FAILURE : EXIT_SUCCESS);
	}
	control_free(control);
	metrics_close(m);
	while (m->vgpus)
		manager_destroy(m, m->vgpus);
	units_free(m->units);
	return r;
}

/*
 * Process model
 *
 * One pvgpud a host, one thread, one sd-event loop. It holds no guest data and
 * runs no guest's commands, so nothing a guest does can crash it.
 *
 *   pvgpud
 *    ├─ DIR/control     clients of io.pvgpu.Manager       control.c, varlink.c
 *    ├─ metrics         Prometheus, where configured  metrics.c, http.c
 *    ├─ DIR/NAME.sock   the vGPU's ivshmem server         broker.c
 *    │    └─ one QEMU   window and state memfds, eventfds, all made afresh at
 *    │                  its connect and dropped at its hang-up
 *    └─ pvgpu-worker    one child while a QEMU is there   workers.c
 *         └─ its socket (SOCK_SEQPACKET, the child's fd 3): INIT with those
 *            descriptors, then questions and answers
 *
 * vgpu.c joins them. QEMU comes: a worker is started. The worker dies: it is
 * reaped, and the next gets the same memory and eventfds, so that the guest
 * sees a device reset and not a dead device. QEMU goes: the worker is killed
 * and reaped; a worker is never alive beside its successor.
 *
 * Between QEMU and worker nothing passes through here. A worker handles bytes
 * of a hostile guest, so it is not believed either: its messages are checked
 * against a table, its answers have deadlines, and nonsense is its end.
 *
 * Under systemd all descriptors, and a record of what is whose (adopt.c), are
 * in the service's store (store.c) before anybody depends on them, and workers
 * are units of their own (units.c). So the end of a pvgpud, orderly or not, is
 * no event for a vGPU: the next one is handed everything and goes on.
 */
int main(int argc, char **argv)
{
	struct options options;
	struct manager m = { 0 };
	char worker[PATH_MAX] = "", runtime_dir[PATH_MAX];
	cleanup_fd int lock = -1;
	int r, status = EXIT_SUCCESS;

	if (!options_read(&options, argc, argv, &status))
		return status;
	log_set_prefix("pvgpud");
	if (options.debug)
		log_set_level(LEVEL_DEBUG);
	m.options = &options;
	if (configure(&m) < 0) {
		status = EXIT_FAILURE;
		goto out;
	}
	r = find_worker(worker, options.worker);
	if (r < 0) {
		log_error("--worker: %s: %s", options.worker ? options.worker :
			  worker, strerror(-r));
		status = EXIT_FAILURE;
		goto out;
	}
	r = store_open(&m.store);
	if (r < 0) {
		log_error("what systemd handed over: %s", strerror(-r));
		status = EXIT_FAILURE;
		goto out;
	}
	r = take_runtime_dir(&lock, options.runtime_dir, m.store);
	if (r < 0) {
		log_error("--runtime-dir: %s: %s", options.runtime_dir,
			  r == -EWOULDBLOCK ? "another pvgpud runs there" :
					      strerror(-r));
		status = EXIT_FAILURE;
		goto out;
	}
	/* QEMU may run elsewhere, and is told whole paths. */
	m.runtime_dir = realpath(options.runtime_dir, runtime_dir);
	if (!m.runtime_dir) {
		log_error("--runtime-dir: %s: %s", options.runtime_dir,
			  strerror(errno));
		status = EXIT_FAILURE;
		goto out;
	}
	if (options.state_dir) {
		r = state_open(&m.state, options.state_dir);
		if (r < 0) {
			log_error("--state-dir: %s: %s", options.state_dir,
				  r == -EWOULDBLOCK ? "another pvgpud has it" :
						      strerror(-r));
			status = EXIT_FAILURE;
			goto out;
		}
	} else {
		log_debug("no --state-dir: vGPUs end with this process");
	}
	raise_descriptor_limit();
	m.worker_program = worker;
	m.debug = options.debug;
	r = sd_event_new(&m.event);
	if (r >= 0)
		r = catch_signals(m.event, &m);
	if (r >= 0)
		r = schedule_new(&m);
	if (r < 0)
		log_error("event loop: %s", strerror(-r));
	else
		r = run(&m);
	if (r < 0)
		status = EXIT_FAILURE;
	schedule_free(&m);
	sd_event_unref(m.event);
out:
	state_close(m.state);
	placement_clear(&m.map);
	store_free(m.store);
	vgpu_types_clear(&m.types);
	return status;
}
