// SPDX-License-Identifier: MIT
/*
 * pvgpu-worker --self-test: one child for each attempt enters the sandbox and
 * tries. Refused is: killed by the filter, or an error from the kernel.
 */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "common/util.h"
#include "sandbox.h"

enum { DID = 42, COULD_NOT_ENTER = 43, NO_REPORT = 44 };

static pid_t victim;			/* a process that is not the child's */

static bool try_open(void)
{
	return open("/etc/passwd", O_RDONLY) >= 0;
}

static bool try_create(void)
{
	return open("/tmp/pvgpu-worker-self-test", O_WRONLY | O_CREAT, 0600) >=
	       0;
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
	return fork() >= 0;
}

static bool try_exec(void)
{
	char *const argv[] = { "/bin/true", NULL };

	/* What is executed ends with 0, not with DID: exec itself may not
	 * return, so the child is told apart by its exit status. */
	execve(argv[0], argv, NULL);
	return false;
}

static bool try_ptrace(void)
{
	return !ptrace(PTRACE_ATTACH, victim, NULL, NULL);
}

static bool try_kill(void)
{
	return !kill(victim, SIGTERM);
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

static bool try_inherited(void)
{
	char byte;

	/* Opened before, and not among what is kept. */
	return read(100, &byte, 1) == 1;
}

static const struct attempt {
	const char *what;
	bool (*try)(void);
} attempts[] = {
	{ "opens a file", try_open },
	{ "makes a file", try_create },
	{ "makes a local socket", try_socket },
	{ "makes a network socket", try_network },
	{ "forks", try_fork },
	{ "executes a program", try_exec },
	{ "traces another process", try_ptrace },
	{ "signals another process", try_kill },
	{ "makes a user namespace", try_unshare },
	{ "maps memory to execute", try_code },
	{ "becomes root", try_setuid },
	{ "uses a descriptor left open", try_inherited },
};

static _Noreturn void child(const struct attempt *a, int report)
{
	int keep[] = { report }, zero = open("/dev/zero", O_RDONLY);
	struct sandbox_report shut;

	dup2(zero, 100);
	if (sandbox_enter(keep, 1, 64 << 20, 1 << 20, false, &shut))
		_exit(COULD_NOT_ENTER);
	/* From here on write() and _exit() are allowed, and little else. */
	if (write(report, &shut, sizeof(shut)) != sizeof(shut))
		_exit(NO_REPORT);
	_exit(a->try() ? DID : 1);
}

/* Starts the attempt; the wait status, and what could be shut. */
static int attempt(const struct attempt *a, struct sandbox_report *ret_shut)
{
	int pipes[2], status = -1;
	pid_t pid;

	if (pipe(pipes))
		return -1;
	pid = fork();
	if (!pid)
		child(a, pipes[1]);
	close(pipes[1]);
	if (pid < 0 ||
	    read(pipes[0], ret_shut, sizeof(*ret_shut)) != sizeof(*ret_shut))
		*ret_shut = (struct sandbox_report){ 0 };
	close(pipes[0]);
	if (pid > 0)
		waitpid(pid, &status, 0);
	return status;
}

int sandbox_self_test(void)
{
	struct sandbox_report shut = { 0 };
	int failed = 0;

	fflush(stdout);
	victim = fork();
	if (!victim)
		for (;;)
			pause();
	printf("TAP version 13\n1..%zu\n", ARRAY_SIZE(attempts));
	for (size_t i = 0; i < ARRAY_SIZE(attempts); i++) {
		const struct attempt *a = &attempts[i];
		bool held;
		int status;

		fflush(stdout);
		status = attempt(a, &shut);
		/* An exec that works ends with /bin/true's 0. */
		held = (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS) ||
		       (WIFEXITED(status) && WEXITSTATUS(status) == 1);
		failed += !held;
		printf("%sok %zu - a worker that %s is %s\n",
		       held ? "" : "not ", i + 1, a->what,
		       !held ? "not stopped" :
		       WIFSIGNALED(status) ? "killed" : "refused");
		if (!held)
			printf("# wait status 0x%x\n", (unsigned int)status);
	}
	printf("# user: %s; namespaces: %s; empty root: %s\n",
	       shut.user ? "its own" : "the caller's",
	       shut.namespaces ? "its own" : "the caller's, not permitted",
	       shut.root ? "yes" : "no, not permitted");
	fflush(stdout);
	kill(victim, SIGKILL);
	waitpid(victim, NULL, 0);
	return failed;
}
