// SPDX-License-Identifier: MIT
/*
 * Which system calls each stage of the sandbox leaves. What is not listed
 * ends a worker that does not render. GL's libraries try this and that and do
 * without it: there it fails with EPERM, but for what only an intruder wants.
 */
#include "sandbox_calls.h"

#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <sys/prctl.h>

#include "common/filter.h"
#include "common/util.h"

/* Every worker's. */
static const int always[] = {
	/* the loop */
	SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_ctl),
	SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(recvmsg), SCMP_SYS(sendmsg),
	SCMP_SYS(close), SCMP_SYS(restart_syscall), SCMP_SYS(rt_sigreturn),
	/* pictures */
	SCMP_SYS(memfd_create), SCMP_SYS(ftruncate),
	/* the allocator, and freed VRAM */
	SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise),
	SCMP_SYS(futex), SCMP_SYS(getrandom),
	/* where the vDSO has no clock */
	SCMP_SYS(clock_gettime),
	SCMP_SYS(exit), SCMP_SYS(exit_group),
};

/* Threads, their queues, and how much of the machine there is. */
static const int gl[] = {
	SCMP_SYS(set_robust_list), SCMP_SYS(rseq), SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(sched_yield), SCMP_SYS(sched_getaffinity),
	SCMP_SYS(sched_setaffinity), SCMP_SYS(nanosleep),
	SCMP_SYS(clock_nanosleep), SCMP_SYS(clock_getres),
	SCMP_SYS(gettimeofday), SCMP_SYS(poll), SCMP_SYS(ppoll),
	SCMP_SYS(eventfd2), SCMP_SYS(getpid), SCMP_SYS(gettid),
	SCMP_SYS(sysinfo), SCMP_SYS(uname), SCMP_SYS(getrusage),
	SCMP_SYS(fstat), SCMP_SYS(lseek), SCMP_SYS(flock),
	/* code that was made becomes code: LLVM's, and Mesa's own */
	SCMP_SYS(mmap), SCMP_SYS(mprotect),
};

/* Libraries are found and loaded, configuration is read. */
static const int gl_starts[] = {
	SCMP_SYS(readlink), SCMP_SYS(readlinkat), SCMP_SYS(stat),
	SCMP_SYS(lstat), SCMP_SYS(newfstatat), SCMP_SYS(statx),
	SCMP_SYS(statfs), SCMP_SYS(fstatfs), SCMP_SYS(access),
	SCMP_SYS(faccessat), SCMP_SYS(faccessat2), SCMP_SYS(getdents64),
	SCMP_SYS(pread64), SCMP_SYS(getcwd), SCMP_SYS(getuid),
	SCMP_SYS(geteuid), SCMP_SYS(getgid), SCMP_SYS(getegid),
	SCMP_SYS(rt_sigaction), SCMP_SYS(sigaltstack),
	/* the second stage */
	SCMP_SYS(seccomp),
};

/* The files of the shaders' cache are made. */
static const int gl_starts_cached[] = {
	SCMP_SYS(mkdir), SCMP_SYS(mkdirat), SCMP_SYS(fallocate),
};

/* Nobody tries these and does without. */
static const int intrusions[] = {
	SCMP_SYS(execveat), SCMP_SYS(ptrace), SCMP_SYS(process_vm_readv),
	SCMP_SYS(process_vm_writev), SCMP_SYS(pidfd_getfd), SCMP_SYS(bpf),
	SCMP_SYS(unshare), SCMP_SYS(setns), SCMP_SYS(mount),
	SCMP_SYS(userfaultfd), SCMP_SYS(io_uring_setup), SCMP_SYS(keyctl),
};

static int add_tight(scmp_filter_ctx filter)
{
	int ret = filter_allow_data(filter);

	return ret ? ret : filter_deny_asan(filter);
}

static int add_gl(scmp_filter_ctx filter)
{
	const uint64_t apart = CLONE_THREAD | CLONE_NEWNS | CLONE_NEWUSER |
			       CLONE_NEWNET | CLONE_NEWPID | CLONE_NEWIPC |
			       CLONE_NEWUTS | CLONE_NEWCGROUP;
	int ret = FILTER_ADD(filter, SCMP_ACT_ALLOW, gl);

	/* Threads, by the call whose flags can be seen. */
	if (!ret)
		ret = filter_allow_if(filter, SCMP_SYS(clone),
			SCMP_A0(SCMP_CMP_MASKED_EQ, apart, CLONE_THREAD));
	if (!ret)
		ret = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS),
				       SCMP_SYS(clone3), 0);
	if (!ret)
		ret = filter_allow_if(filter, SCMP_SYS(prctl),
			       SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME));
	/* abort() */
	if (!ret)
		ret = filter_allow_if(filter, SCMP_SYS(tgkill),
			SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid()));
	/* To ask for limits, not to set them. */
	if (!ret && !FILTER_WITH_ASAN)
		ret = filter_allow_if(filter, SCMP_SYS(prlimit64),
			       SCMP_A2(SCMP_CMP_EQ, 0));
	if (!ret)
		ret = FILTER_ADD(filter, SCMP_ACT_KILL_PROCESS, intrusions);
	if (!ret && !FILTER_WITH_ASAN)
		ret = seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS,
				       SCMP_SYS(execve), 0);
	return ret;
}

/*
 * On a GPU. What can be opened to be written is its nodes: all that is in the
 * root beside them, and beside the cache that the worker has in any case, is
 * mounted for reading, which binds files and directories, and no devices.
 */
static int add_gpu(scmp_filter_ctx filter, const struct gpu_driver *driver,
		   bool opens)
{
	static const int asks[] = {
		SCMP_SYS(stat), SCMP_SYS(newfstatat), SCMP_SYS(statx),
	};
	const uint64_t writes = O_ACCMODE | O_CREAT | O_TRUNC;
	int ret = filter_allow_if(filter, SCMP_SYS(fcntl),
			   SCMP_A1(SCMP_CMP_EQ, F_DUPFD_CLOEXEC));

	for (size_t i = 0; i < driver->ioctl_kinds && !ret; i++)
		ret = filter_allow_if(filter, SCMP_SYS(ioctl),
			SCMP_A1(SCMP_CMP_MASKED_EQ, 0xff00,
				(scmp_datum_t)(unsigned char)
				driver->ioctls[i] << 8));
	if (!ret && opens)
		ret = FILTER_ADD(filter, SCMP_ACT_ALLOW, asks);
	if (!ret && opens)
		ret = filter_allow_if(filter, SCMP_SYS(open),
			       SCMP_A1(SCMP_CMP_MASKED_EQ, writes, O_RDWR));
	if (!ret && opens)
		ret = filter_allow_if(filter, SCMP_SYS(openat),
			       SCMP_A2(SCMP_CMP_MASKED_EQ, writes, O_RDWR));
	return ret;
}

static int add_gl_starts(scmp_filter_ctx filter, bool cached)
{
	static const int harmless[] = {
		F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_DUPFD_CLOEXEC,
	};
	const uint64_t writes = O_ACCMODE | O_CREAT | O_TRUNC;
	int ret = FILTER_ADD(filter, SCMP_ACT_ALLOW, gl_starts);

	if (!ret)
		ret = filter_allow_if(filter, SCMP_SYS(open),
			       SCMP_A1(SCMP_CMP_MASKED_EQ, writes, O_RDONLY));
	if (!ret)
		ret = filter_allow_if(filter, SCMP_SYS(openat),
			       SCMP_A2(SCMP_CMP_MASKED_EQ, writes, O_RDONLY));
	if (!ret && cached)
		ret = FILTER_ADD(filter, SCMP_ACT_ALLOW, gl_starts_cached);
	if (!ret && cached)
		ret = filter_allow_if(filter, SCMP_SYS(openat),
			       SCMP_A2(SCMP_CMP_MASKED_EQ, writes,
				       O_RDWR | O_CREAT));
	for (size_t i = 0; i < ARRAY_SIZE(harmless) && !ret; i++)
		ret = filter_allow_if(filter, SCMP_SYS(fcntl),
			SCMP_A1(SCMP_CMP_EQ, (scmp_datum_t)harmless[i]));
	return ret;
}

int sandbox_calls(enum sandbox_stage stage, const struct gpu_driver *driver)
{
	scmp_filter_ctx filter = seccomp_init(stage == SANDBOX_TIGHT ?
					      SCMP_ACT_KILL_PROCESS :
					      SCMP_ACT_ERRNO(EPERM));
	int ret;

	if (!filter)
		return -ENOMEM;
	ret = FILTER_ADD(filter, SCMP_ACT_ALLOW, always);
	if (!ret)
		ret = filter_allow_if(filter, SCMP_SYS(fcntl),
			       SCMP_A1(SCMP_CMP_EQ, F_ADD_SEALS));
	if (!ret)
		ret = filter_allow_asan(filter);
	if (!ret)
		ret = stage == SANDBOX_TIGHT ? add_tight(filter) :
					       add_gl(filter);
	if (!ret && (stage == SANDBOX_GL_STARTS ||
		     stage == SANDBOX_GL_STARTS_CACHED))
		ret = add_gl_starts(filter,
				    stage == SANDBOX_GL_STARTS_CACHED);
	if (!ret && stage != SANDBOX_TIGHT && driver)
		ret = add_gpu(filter, driver, stage != SANDBOX_GL_RUNS ||
					      driver->reopens);
	/* It has been set, and may not be asked for again. */
	if (!ret && stage == SANDBOX_GL_RUNS)
		ret = seccomp_attr_set(filter, SCMP_FLTATR_CTL_NNP, 0);
	if (!ret && stage == SANDBOX_GL_RUNS)
		ret = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
	if (!ret)
		ret = seccomp_load(filter);
	seccomp_release(filter);
	return ret;
}
