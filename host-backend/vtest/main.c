// SPDX-License-Identifier: MIT
/* The program: its command line, its socket, and the order of it all. */
#include <getopt.h>
#include <grp.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "common/log.h"
#include "door.h"
#include "sandbox.h"

#define STATUS_USAGE 2

static const char help[] =
"pvgpu-vtest - a vGPU for containers and processes\n"
"\n"
"  pvgpu-vtest --vgpu NAME --socket PATH [OPTION]...\n"
"\n"
"  --vgpu NAME         the vGPU that clients get; one with a / is the path of\n"
"                      its socket\n"
"  --socket PATH       where clients connect; replaced if nobody listens there\n"
"  --mode MODE         the socket's permissions, octal [0600]\n"
"  --group GROUP       the socket's group [that of the process]\n"
"  --clients N         at most so many at once, 1 to 256 [64]\n"
"  --runtime-dir DIR   where pvgpud's sockets are [/run/pvgpu]\n"
"  --debug             log more\n"
"  --help\n"
"\n"
"Clients are programs with Mesa's driver virpipe: GALLIUM_DRIVER=virpipe and\n"
"LIBGL_ALWAYS_SOFTWARE=1 in their environment, and the socket at\n"
"/tmp/.virgl_test. It stays in the foreground and prints one line when it is\n"
"ready; SIGTERM and SIGINT end it.\n";

struct options {
	const char *vgpu, *socket, *group;
	const char *runtime_dir;
	mode_t mode;
	uint32_t clients;
};

static int wrong(const char *option, const char *given, const char *allowed)
{
	fprintf(stderr, "pvgpu-vtest: %s: '%s' given; allowed is %s\n", option,
		given, allowed);
	return STATUS_USAGE;
}

/* -1: go on; else the exit status. */
static int read_options(struct options *o, int argc, char **argv)
{
	enum { VGPU = 256, SOCKET, MODE, GROUP, CLIENTS, RUNTIME_DIR, DEBUG,
	       HELP };
	static const struct option table[] = {
		{ "vgpu", required_argument, NULL, VGPU },
		{ "socket", required_argument, NULL, SOCKET },
		{ "mode", required_argument, NULL, MODE },
		{ "group", required_argument, NULL, GROUP },
		{ "clients", required_argument, NULL, CLIENTS },
		{ "runtime-dir", required_argument, NULL, RUNTIME_DIR },
		{ "debug", no_argument, NULL, DEBUG },
		{ "help", no_argument, NULL, HELP },
		{ 0 }
	};
	unsigned long number;
	int option;
	char *end;

	*o = (struct options){ .runtime_dir = "/run/pvgpu", .mode = 0600,
			       .clients = 64 };
	opterr = 0;
	while ((option = getopt_long(argc, argv, ":", table, NULL)) != -1) {
		switch (option) {
		case VGPU:
			o->vgpu = optarg;
			break;
		case SOCKET:
			o->socket = optarg;
			break;
		case MODE:
			number = strtoul(optarg, &end, 8);
			if (*end || end == optarg || number > 0777)
				return wrong("--mode", optarg,
					     "an octal number up to 0777");
			o->mode = (mode_t)number;
			break;
		case GROUP:
			o->group = optarg;
			break;
		case CLIENTS:
			number = strtoul(optarg, &end, 10);
			if (*end || !number || number > DOOR_CLIENTS_MAX)
				return wrong("--clients", optarg, "1 to 256");
			o->clients = (uint32_t)number;
			break;
		case RUNTIME_DIR:
			o->runtime_dir = optarg;
			break;
		case DEBUG:
			log_set_level(LEVEL_DEBUG);
			break;
		case HELP:
			fputs(help, stdout);
			return 0;
		case ':':
			return wrong(argv[optind - 1], "nothing",
				     "a value; see --help");
		default:
			return wrong("option", argv[optind - 1],
				     "what --help shows");
		}
	}
	if (optind < argc)
		return wrong("argument", argv[optind],
			     "none but options; see --help");
	if (!o->vgpu || !*o->vgpu || !o->socket || !*o->socket)
		return wrong("command line", !o->vgpu ? "no --vgpu" :
			     "no --socket", "both; see --help");
	return -1;
}

/* A socket that nobody listens at is left over. */
static bool left_over(const struct sockaddr_un *address)
{
	cleanup_fd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct stat st;

	return !lstat(address->sun_path, &st) && S_ISSOCK(st.st_mode) &&
	       connect(fd, (const struct sockaddr *)address,
		       sizeof(*address)) < 0 && errno == ECONNREFUSED;
}

static int make_listener(const struct options *o)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	cleanup_fd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC |
				   SOCK_NONBLOCK, 0);
	struct group *group = o->group ? getgrnam(o->group) : NULL;
	mode_t mask;
	int ret;

	if (o->group && !group)
		return -ESRCH;
	if (strlen(o->socket) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, o->socket);
	if (fd < 0)
		return -errno;
	if (left_over(&address))
		unlink(o->socket);
	/* Nobody connects before it is whose it should be. */
	mask = umask(0777);
	ret = bind(fd, (struct sockaddr *)&address, sizeof(address));
	umask(mask);
	if (ret < 0)
		return -errno;
	if ((group && chown(o->socket, (uid_t)-1, group->gr_gid)) ||
	    chmod(o->socket, o->mode) || listen(fd, 32)) {
		ret = -errno;
		unlink(o->socket);
		return ret;
	}
	return take_fd(&fd);
}

/* A descriptor that is readable when the end is asked for. */
static int watch_signals(void)
{
	sigset_t ends;

	sigemptyset(&ends);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGINT);
	if (sigprocmask(SIG_BLOCK, &ends, NULL))
		return -errno;
	return signalfd(-1, &ends, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int vgpu_path(const struct options *o, char *path, size_t size)
{
	int n = strchr(o->vgpu, '/') ?
		snprintf(path, size, "%s", o->vgpu) :
		snprintf(path, size, "%s/%s.sock", o->runtime_dir, o->vgpu);

	return n < (int)size ? 0 : -ENAMETOOLONG;
}

static int serve(struct door *d, const struct options *o, const char *vgpu)
{
	int ret;

	d->clients_max = o->clients;
	d->signals = watch_signals();
	if (d->signals < 0)
		return d->signals;
	ret = door_open(d, vgpu);
	if (ret)
		return ret;
	d->listener = make_listener(o);
	if (d->listener < 0) {
		log_error("%s: %s", o->socket, d->listener == -ESRCH ?
			  "there is no such group" : strerror(-d->listener));
		return d->listener;
	}
	printf("pvgpu-vtest: %s is at %s\n", o->vgpu, o->socket);
	fflush(stdout);
	ret = sandbox_shut();
	if (ret)
		log_error("cannot shut the sandbox: %s", strerror(-ret));
	else
		ret = door_serve(d);
	unlink(o->socket);
	door_close(d);
	return ret;
}

int main(int argc, char **argv)
{
	char path[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
	static struct door door;
	struct options o;
	int ret = read_options(&o, argc, argv);

	if (ret >= 0)
		return ret;
	log_set_prefix("pvgpu-vtest");
	if (vgpu_path(&o, path, sizeof(path)))
		return wrong("--vgpu", o.vgpu, "a shorter one");
	/* What would run at exit may need what is shut by now. */
	_exit(serve(&door, &o, path) ? 1 : 0);
}
