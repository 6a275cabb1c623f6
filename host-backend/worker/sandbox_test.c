// SPDX-License-Identifier: MIT
/*
 * pvgpu-worker --self-test: children enter the sandbox and try to get out of
 * it. Refused is: killed by the filter, or an error from the kernel. There
 * are three sandboxes: the tight one, and both stages of one that renders; in
 * the second of these GL is running, has drawn before and draws after. And
 * those two once more with a GPU, for which /dev/null stands in, since a GPU is
 * not everywhere: whose driver opens it once, and whose opens it again.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "common/util.h"
#include "sandbox.h"
#include "sandbox_gl_test.h"

enum { NOT_ENTERED = 43, NOT_STARTED, NOT_SEALED, NOT_DRAWN, NO_REPORT };

enum kind { TIGHT, STARTS, RUNS, GPU_STARTS, GPU_RUNS, GPU_REOPENS, KINDS };

static const char *const kind_names[KINDS] = {
	[TIGHT] = "a worker",
	[STARTS] = "a worker that starts GL",
	[RUNS] = "a worker with GL running",
	[GPU_STARTS] = "a worker that starts GL on a GPU",
	[GPU_RUNS] = "a worker with GL running on a GPU",
	[GPU_REOPENS] = "a worker with GL running on a GPU that is reopened",
};

/* Device 1:3 of Linux. */
static const struct gpu_device stand_in = {
	.hardware = 1, .driver = "null", .node = "/dev/null",
	.node_major = 1, .node_minor = 3,
	.place = "/sys/devices/virtual/mem/null",
}, absent = {
	.hardware = 1, .driver = "null", .node = "/dev/pvgpu-self-test",
};
static const struct gpu_driver stand_in_driver = {
	.nodes = { "" }, .needed = 1, .ioctls = "d", .ioctl_kinds = 1,
}, reopening_driver = {
	.nodes = { "" }, .needed = 1, .ioctls = "d", .ioctl_kinds = 1,
	.reopens = true,
};

static pid_t victim;			/* a process that is not the child's */

static bool try_open(void)
{
	return open("/etc/passwd", O_RDONLY) >= 0;
}

static bool try_open_library(void)
{
	return open("/usr/lib/os-release", O_RDONLY) >= 0 ||
	       open("/etc/ld.so.cache", O_RDONLY) >= 0;
}

static bool try_create(void)
{
	return open("/tmp/pvgpu-worker-self-test", O_WRONLY | O_CREAT, 0600) >=
	       0;
}

static bool try_write_library(void)
{
	return open("/etc/ld.so.cache", O_RDWR) >= 0 ||
	       open("/usr/lib/pvgpu-worker-self-test", O_RDWR | O_CREAT,
		    0600) >= 0;
}

static bool try_cache(void)
{
	return open("/cache/pvgpu-worker-self-test", O_RDWR | O_CREAT, 0600) >=
	       0;
}

static bool try_gpu(void)
{
	return open("/dev/null", O_RDWR) >= 0;
}

static bool try_other_device(void)
{
	return open("/dev/zero", O_RDWR) >= 0 ||
	       open("/dev/tty", O_RDWR) >= 0;
}

static bool try_what_gpu_is(void)
{
	return open("/sys/dev/char/1:3/uevent", O_RDONLY) >= 0;
}

static bool try_what_other_is(void)
{
	return open("/sys/devices/virtual/mem/zero/uevent", O_RDONLY) >= 0;
}

/* The filter refuses with EPERM, and the file behind it otherwise. */
static bool try_gpu_ioctl(void)
{
	return ioctl(STDERR_FILENO, _IO('d', 0)) >= 0 || errno != EPERM;
}

static bool try_terminal_ioctl(void)
{
	return ioctl(STDERR_FILENO, TIOCSTI, "x") >= 0 || errno != EPERM;
}

static bool try_socket(void)
{
	return socket(AF_UNIX, SOCK_STREAM, 0) >= 0;
}

static bool try_network(void)
{
	return socket(AF_INET, SOCK_STREAM, 0) >= 0;
}

static bool try_fork(void)
{
	return syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0) >= 0;
}

static bool try_vfork(void)
{
	return fork() >= 0;
}

static bool try_exec(void)
{
	char *const argv[] = { "/bin/true", NULL };

	/* What is executed ends with 0, and no report: exec itself may not
	 * return, so that is how it would be known. */
	execve(argv[0], argv, NULL);
	return false;
}

static bool try_ptrace(void)
{
	return !ptrace(PTRACE_ATTACH, victim, NULL, NULL);
}

static bool try_kill(void)
{
	return !kill(victim, SIGTERM) ||
	       !syscall(SYS_tgkill, victim, victim, SIGTERM);
}

static bool try_unshare(void)
{
	return !unshare(CLONE_NEWUSER);
}

static bool try_code(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED;
}

static bool try_setuid(void)
{
	return !syscall(SYS_setresuid, 0, 0, 0);
}

static bool try_privileges(void)
{
	return !prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0) ||
	       !prctl(PR_SET_DUMPABLE, 1);
}

static bool try_limits(void)
{
	struct rlimit core = { 64, 64 }, files = { 1 << 16, 1 << 16 };

	return !setrlimit(RLIMIT_CORE, &core) ||
	       !setrlimit(RLIMIT_NOFILE, &files);
}

static bool try_inherited(void)
{
	char byte;

	/* Opened before, and not among what is kept. */
	return read(100, &byte, 1) == 1;
}

static const struct attempt {
	const char *what;
	bool (*try)(void);
	unsigned int kinds;		/* in which it must be refused */
	unsigned int must;		/* in which it must not */
	bool deadly;			/* ends who tries, where GL is */
} attempts[] = {
#define NO_GPU	(1u << TIGHT | 1u << STARTS | 1u << RUNS)
#define SEALED	(1u << RUNS | 1u << GPU_RUNS | 1u << GPU_REOPENS)
#define ON_GPU	(1u << GPU_STARTS | 1u << GPU_RUNS | 1u << GPU_REOPENS)
#define ALL	(NO_GPU | ON_GPU)
	{ "opens a file", try_open, ALL, 0, false },
	{ "opens a file of GL's", try_open_library, 1u << TIGHT | SEALED,
	  0, false },
	{ "makes a file", try_create, ALL, 0, false },
	{ "writes to a file of GL's", try_write_library, ALL, 0, false },
	{ "makes a local socket", try_socket, ALL, 0, false },
	{ "makes a network socket", try_network, ALL, 0, false },
	{ "forks", try_vfork, ALL, 0, false },
	{ "forks by another call", try_fork, ALL, 0, false },
	{ "executes a program", try_exec, ALL, 0, true },
	{ "traces another process", try_ptrace, ALL, 0, true },
	{ "signals another process", try_kill, ALL, 0, false },
	{ "makes a user namespace", try_unshare, ALL, 0, true },
	{ "opens the GPU", try_gpu, NO_GPU | 1u << GPU_RUNS,
	  1u << GPU_STARTS | 1u << GPU_REOPENS, false },
	{ "opens another device", try_other_device, ALL, 0, false },
	{ "reads what its GPU is", try_what_gpu_is, NO_GPU | SEALED,
	  1u << GPU_STARTS, false },
	{ "reads what another device is", try_what_other_is, ALL, 0, false },
	{ "asks the GPU by ioctl", try_gpu_ioctl, NO_GPU, ON_GPU, false },
	{ "types into a terminal by ioctl", try_terminal_ioctl, ALL, 0,
	  false },
	{ "makes a file beside the shaders' cache", try_cache,
	  1u << TIGHT | SEALED, 0, false },
	{ "maps memory to execute", try_code, 1u << TIGHT, 0, false },
	{ "becomes root", try_setuid, ALL, 0, false },
	{ "wants privileges back", try_privileges, ALL, 0, false },
	{ "raises its limits", try_limits, ALL, 0, false },
	{ "uses a descriptor left open", try_inherited, ALL, 0, false },
};

/* What a child has to say. Its reports of attempts are indexed as above. */
struct report {
	struct sandbox_report shut;
	enum { NOT_TRIED, REFUSED, DID } here[ARRAY_SIZE(attempts)];
	bool thread_opened;		/* another thread, after the seal */
	bool cached;			/* GL keeps what it has compiled */
	bool ended;			/* what follows was reached */
	char renderer[128];
};

static int failed;
static unsigned int points;

static void point(bool ok, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
static void point(bool ok, const char *format, ...)
{
	va_list arguments;

	failed += !ok;
	printf("%sok %u - ", ok ? "" : "not ", ++points);
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	printf("\n");
}

/* ------------------------------------------------------------- children */

static pthread_barrier_t sealed;

/* A thread from before the seal; whether it opens a file after it. */
static void *other_thread(void *result)
{
	pthread_barrier_wait(&sealed);
	*(bool *)result = try_open() || try_open_library();
	return NULL;
}

static void start_and_seal(struct report *r)
{
	const char *renderer;
	pthread_t thread;

	pthread_barrier_init(&sealed, NULL, 2);
	if (pthread_create(&thread, NULL, other_thread, &r->thread_opened))
		_exit(NOT_STARTED);
	renderer = sandbox_gl_start();
	if (!renderer)
		_exit(NOT_STARTED);
	snprintf(r->renderer, sizeof(r->renderer), "%s", renderer);
	if (sandbox_seal())
		_exit(NOT_SEALED);
	pthread_barrier_wait(&sealed);
	pthread_join(thread, NULL);
}

/* Whether a file that is open to be written has grown; GL writes its shaders
 * some time after it compiled them. */
static bool cache_grows(void)
{
	for (int i = 0; i < 500; i++) {
		struct stat st;

		/* Standard input's number is free to be had; and fstat() of
		 * the library is a call with a name, which is shut. */
		for (int fd = 0; fd < 100; fd++)
			if (fd != STDOUT_FILENO && fd != STDERR_FILENO &&
			    !syscall(SYS_fstat, fd, &st) && S_ISREG(st.st_mode) &&
			    st.st_nlink && st.st_size > 256)
				return true;
		nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
	}
	return false;
}

/* Tries one attempt, or, with -1, all that one survives; where GL is to run,
 * that is started and draws in the process that tries all. */
static _Noreturn void child(enum kind kind, const struct gpu_device *gpu,
			    int one, struct report *r)
{
	int zero = open("/dev/zero", O_RDONLY);
	struct sandbox sandbox = {
		.memory = 512u << 20, .picture = 1 << 20,
		.renders = kind != TIGHT,
		.gpu = gpu, .driver = kind < GPU_STARTS ? NULL :
			kind == GPU_REOPENS ? &reopening_driver :
					      &stand_in_driver,
	};

	dup2(zero, 100);
	if (sandbox_enter(&sandbox, &r->shut))
		_exit(NOT_ENTERED);
	if (kind == RUNS && one < 0)
		start_and_seal(r);
	else if (1u << kind & SEALED && sandbox_seal())
		_exit(NOT_SEALED);
	/* What is tried ends after its report, or never came to it. */
	for (int i = one < 0 ? 0 : one; i < (int)ARRAY_SIZE(attempts); i++) {
		if (one < 0 && attempts[i].deadly)
			continue;
		r->here[i] = attempts[i].try() ? DID : REFUSED;
		if (one >= 0)
			break;
	}
	if (kind == RUNS && one < 0 && !sandbox_gl_draw())
		_exit(NOT_DRAWN);
	r->cached = kind == RUNS && one < 0 && r->shut.root && cache_grows();
	r->ended = true;
	_exit(1);
}

/* The child's wait status; its report is in memory that both have. */
static int run_child(enum kind kind, const struct gpu_device *gpu, int one,
		     struct report *r)
{
	int status = -1;
	pid_t pid;

	memset(r, 0, sizeof(*r));
	fflush(stdout);
	pid = fork();
	if (!pid)
		child(kind, gpu, one, r);
	if (pid > 0)
		waitpid(pid, &status, 0);
	return status;
}

static const char *why_not(int status)
{
	static const char *const texts[] = {
		[NOT_ENTERED - NOT_ENTERED] = "cannot enter the sandbox",
		[NOT_STARTED - NOT_ENTERED] = "cannot start GL in it",
		[NOT_SEALED - NOT_ENTERED] = "cannot enter the second stage",
		[NOT_DRAWN - NOT_ENTERED] = "draws no right picture in it",
	};

	if (WIFEXITED(status) && WEXITSTATUS(status) >= NOT_ENTERED &&
	    WEXITSTATUS(status) < NO_REPORT)
		return texts[WEXITSTATUS(status) - NOT_ENTERED];
	return WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) :
				     "ends otherwise";
}

/* --------------------------------------------------------------- parent */

static bool killed(int status)
{
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS;
}

/* What only a root of its own could refuse or give. */
static bool needs_root(enum kind kind, size_t i)
{
	bool (*try)(void) = attempts[i].try;

	return (kind == STARTS &&
		(try == try_open || try == try_what_gpu_is ||
		 try == try_what_other_is)) || 1u << kind & ON_GPU;
}

static void judge(enum kind kind, size_t i, int status,
		  const struct report *r)
{
	bool refused = r->here[i] == REFUSED ||
		       (r->here[i] == NOT_TRIED && killed(status));

	/* Where no root could be made only the calls are left: one that starts
	 * GL may then read what its user may, and none renders on a GPU. */
	if (!r->shut.root && needs_root(kind, i)) {
		printf("ok %u - %s that %s # SKIP no root of its own is "
		       "permitted here\n", ++points, kind_names[kind],
		       attempts[i].what);
		return;
	}
	if (attempts[i].must & 1u << kind) {
		point(r->here[i] == DID, "%s %s", kind_names[kind],
		      attempts[i].what);
		return;
	}
	point(refused, "%s that %s is %s", kind_names[kind], attempts[i].what,
	      !refused ? "not stopped" :
	      r->here[i] == REFUSED ? "refused" : "killed");
	if (!refused)
		printf("# wait status 0x%x: %s\n", (unsigned int)status,
		       why_not(status));
}

/* One child an attempt: each may be the last thing that it does. */
static void test_one_by_one(enum kind kind, struct report *r)
{
	for (size_t i = 0; i < ARRAY_SIZE(attempts); i++) {
		if (!((attempts[i].kinds | attempts[i].must) & 1u << kind) ||
		    (kind == RUNS && !attempts[i].deadly))
			continue;
		judge(kind, i, run_child(kind, &stand_in, (int)i, r), r);
	}
}

static void test_running(struct report *r)
{
	int status = run_child(RUNS, NULL, -1, r);

	point(r->ended, "%s draws, on %s", kind_names[RUNS],
	      *r->renderer ? r->renderer : "nothing");
	if (!r->ended)
		printf("# wait status 0x%x: %s\n", (unsigned int)status,
		       why_not(status));
	point(r->ended && !r->thread_opened,
	      "and no thread of it from before opens a file");
	point(r->cached || !r->shut.root, "and GL keeps what it compiled%s",
	      r->shut.root ? "" :
	      " # SKIP no root of its own is permitted here");
	for (size_t i = 0; i < ARRAY_SIZE(attempts); i++)
		if (attempts[i].kinds & 1u << RUNS && !attempts[i].deadly)
			judge(RUNS, i, status, r);
}

/* A GPU that cannot be opened is told of, and so is which node it was. */
static void test_absent(struct report *r)
{
	run_child(GPU_STARTS, &absent, 0, r);
	point(!r->shut.root || (r->shut.gpu == -ENOENT &&
				!strcmp(r->shut.missing, absent.node)),
	      "a worker whose GPU is not there says so: %s: %s",
	      r->shut.missing, strerror(-r->shut.gpu));
}

int sandbox_self_test(void)
{
	struct report *r = mmap(NULL, sizeof(*r), PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (r == MAP_FAILED)
		return 1;
	fflush(stdout);
	victim = fork();
	if (!victim)
		for (;;)
			pause();
	printf("TAP version 13\n");
	test_one_by_one(TIGHT, r);
	printf("# without GL: user: %s; namespaces: %s; empty root: %s\n",
	       r->shut.user ? "its own" : "the caller's",
	       r->shut.namespaces ? "its own" : "the caller's, not permitted",
	       r->shut.root ? "yes" : "no, not permitted");
	test_one_by_one(STARTS, r);
	test_running(r);
	printf("# with GL: user: %s; namespaces: %s; root of its own: %s\n",
	       r->shut.user ? "its own" : "the caller's",
	       r->shut.namespaces ? "its own" : "the caller's, not permitted",
	       r->shut.root ? "yes" : "no, not permitted");
	test_one_by_one(RUNS, r);
	test_one_by_one(GPU_STARTS, r);
	test_one_by_one(GPU_RUNS, r);
	test_one_by_one(GPU_REOPENS, r);
	test_absent(r);
	printf("1..%u\n", points);
	fflush(stdout);
	kill(victim, SIGKILL);
	waitpid(victim, NULL, 0);
	return failed;
}
