// SPDX-License-Identifier: MIT
/* pvgpu-worker: command line, start-up and loop. */
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "link.h"
#include "sandbox.h"
#include "worker.h"

/* Beyond what is mapped at the start: resource tables, the buffer of an
 * overlapping copy on each channel, and one picture. */
#define MEMORY_MARGIN (512ull << 20)

static const char usage[] =
	"Usage: pvgpu-worker [--debug] [--connect SOCKET]\n"
	"       pvgpu-worker --self-test\n"
	"\n"
	"Serves one vGPU. Started by pvgpud with a socket on descriptor 3, or by\n"
	"systemd as an instance of pvgpu-worker@.service, to connect to pvgpud's\n"
	"SOCKET; not for the command line, but for --self-test, which shuts the\n"
	"sandbox and shows that it holds (TAP on standard output).\n";

/* Makes WORKER_LINK_FD a connection to the manager. */
static int connect_link(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	cleanup_fd int fd = -1;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address,
			      sizeof(address)) < 0)
		return -errno;
	if (fd == WORKER_LINK_FD)
		take_fd(&fd);
	else if (dup2(fd, WORKER_LINK_FD) < 0)
		return -errno;
	return 0;
}

/* What it was told to render on cannot be had: nothing else is taken instead,
 * and the guest has its heads all the same. */
static void do_without_gpu(struct worker *w, const struct sandbox_report *shut)
{
	char text[GPU_TEXT_MAX];

	log_error("nothing is rendered, for want of %s: %s: %s",
		  gpu_text(&w->gpu, text),
		  *shut->missing ? shut->missing : "a root of its own",
		  strerror(-shut->gpu));
	w->virgl.failed = true;
	worker_name_renderer(w, RENDERER_NONE);
}

static int serve(struct worker *w)
{
	int fds[FDPASS_MAX], keep[WORKER_INIT_FDS + 2], ret;
	struct sandbox sandbox = { .keep = keep };
	struct sandbox_report shut;
	struct worker_init init;

	ret = link_receive_init(WORKER_LINK_FD, &init, fds);
	if (ret) {
		log_error("no start message on descriptor %d: %s",
			  WORKER_LINK_FD, strerror(-ret));
		return ret;
	}
	ret = worker_init(w, &init, fds);
	if (!ret)
		ret = link_receive_heads(w, WORKER_LINK_FD, init.head_sets);
	if (!ret)
		ret = worker_watch_link(w, WORKER_LINK_FD);
	if (ret) {
		log_error("cannot serve '%s': %s", w->name, strerror(-ret));
		return ret;
	}
	log_set_prefix(w->name);

	keep[sandbox.count++] = w->link;
	keep[sandbox.count++] = w->epoll;
	for (uint32_t v = 0; v < WINDOW_VECTORS; v++) {
		keep[sandbox.count++] = w->doorbells[v];
		keep[sandbox.count++] = w->vectors[v];
	}
	keep[sandbox.count++] = w->grants.bell;
	keep[sandbox.count++] = w->grants.go;
	keep[sandbox.count++] = w->grants.report_fd;
	sandbox.renders = w->limits.classes & 1u << PVGPU_CHANNEL_VIRGL;
	sandbox.picture = (uint64_t)w->limits.max_width *
			  w->limits.max_height * 4;
	sandbox.memory = MEMORY_MARGIN + sandbox.picture +
			 (sandbox.renders ? w->limits.device_budget : 0);
	sandbox.gpu = &w->gpu;
	sandbox.driver = gpu_driver(&w->gpu);
	sandbox.outlive = init.flags & WORKER_INIT_OUTLIVES;
	ret = sandbox_enter(&sandbox, &shut);
	if (ret) {
		log_error("cannot shut the sandbox: %s", strerror(-ret));
		return ret;
	}
	log_debug("sandbox: system calls, limits, capabilities%s%s%s",
		  shut.user ? ", user" : "",
		  shut.namespaces ? ", namespaces" : "",
		  shut.root ? ", root" : "");
	if (shut.gpu)
		do_without_gpu(w, &shut);
	attach_start(w);
	ret = link_ready(w, init.header.cookie);
	while (!ret)
		ret = worker_turn(w, -1);
	if (ret != -EPIPE)
		log_error("gives up: %s", strerror(-ret));
	return ret;
}

/*
 * The process: one for each running vGPU, started and reaped by pvgpud; one
 * thread, and once a guest renders that of renderer.h and GL's own. Descriptor
 * 3 is the link to the manager; the first message on it brings the vGPU's
 * limits, its window, the state page and the eventfds. With these mapped and
 * watched the process shuts itself in (sandbox.h) and only then looks at the
 * first byte that a guest wrote.
 *
 * From there on it waits in epoll for doorbells, the manager, and until a flip
 * that is held is due. Each turn of the loop does a bounded piece of work: some
 * control messages, a slice of one channel, a band of a picture. It may die at
 * any moment: the manager keeps the window, the eventfds and the state page,
 * and gives them to the next one, whose guest sees a reset. It ends when the
 * manager does, unless it was told to outlive it (WORKER_INIT_OUTLIVES).
 */
int main(int argc, char **argv)
{
	const char *socket_path = NULL;
	static struct worker w;
	int ret;

	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--self-test"))
			return sandbox_self_test() ? 1 : 0;
		if (!strcmp(argv[i], "--debug")) {
			log_set_level(LEVEL_DEBUG);
			continue;
		}
		if (!strcmp(argv[i], "--connect") && argv[i + 1]) {
			socket_path = argv[++i];
			continue;
		}
		if (!strcmp(argv[i], "--help")) {
			fputs(usage, stdout);
			return 0;
		}
		fprintf(stderr, "pvgpu-worker: '%s' is not an option\n%s",
			argv[i], usage);
		return 2;
	}
	log_set_prefix("pvgpu-worker");
	ret = socket_path ? connect_link(socket_path) : 0;
	if (ret) {
		log_error("--connect: %s: %s", socket_path, strerror(-ret));
		return 1;
	}
	/* The link is all that ends it in order. What is left the kernel puts
	 * away, and what would run at exit may need what is shut by now. */
	_exit(serve(&w) == -EPIPE ? 0 : 1);
}
