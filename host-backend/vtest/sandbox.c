// SPDX-License-Identifier: MIT
/* Giving up what a door needs no more; see sandbox.h. */
#include "sandbox.h"

#include <fcntl.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "common/util.h"

#if defined(__SANITIZE_ADDRESS__)
#define WITH_ASAN 1
#else
#define WITH_ASAN 0
#endif

static const int allowed[] = {
	/* the loop, and clients */
	SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(read), SCMP_SYS(write),
	SCMP_SYS(accept4), SCMP_SYS(recvfrom), SCMP_SYS(sendmsg),
	SCMP_SYS(getsockopt), SCMP_SYS(close), SCMP_SYS(unlink),
	SCMP_SYS(restart_syscall), SCMP_SYS(rt_sigreturn),
	/* their memory, and VRAM that changes hands */
	SCMP_SYS(memfd_create), SCMP_SYS(ftruncate), SCMP_SYS(fallocate),
	SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(brk),
	SCMP_SYS(futex), SCMP_SYS(getrandom), SCMP_SYS(clock_gettime),
	SCMP_SYS(exit), SCMP_SYS(exit_group),
};

static const int for_asan[] = {
	SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(sigaltstack), SCMP_SYS(getpid), SCMP_SYS(gettid),
	SCMP_SYS(sched_yield), SCMP_SYS(getrusage), SCMP_SYS(prlimit64),
	SCMP_SYS(fstat), SCMP_SYS(newfstatat), SCMP_SYS(getcwd),
	SCMP_SYS(uname), SCMP_SYS(sched_getaffinity),
};

/* A report begins by looking for its maps and a symboliser; it does without
 * them, but not if the question is deadly. */
static const int denied_for_asan[] = {
	SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(readlink),
	SCMP_SYS(readlinkat), SCMP_SYS(stat), SCMP_SYS(access),
	SCMP_SYS(socket), SCMP_SYS(clone), SCMP_SYS(pipe), SCMP_SYS(pipe2),
	SCMP_SYS(lseek), SCMP_SYS(ioctl), SCMP_SYS(prctl), SCMP_SYS(execve),
};

static int add(scmp_filter_ctx filter, uint32_t action, const int *calls,
	       size_t count)
{
	for (size_t i = 0; i < count; i++) {
		int ret = seccomp_rule_add(filter, action, calls[i], 0);

		if (ret && ret != -EEXIST)
			return ret;
	}
	return 0;
}

static int allow_if(scmp_filter_ctx filter, int call,
		    struct scmp_arg_cmp compare)
{
	return seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, call, 1,
				      &compare);
}

int sandbox_shut(void)
{
	scmp_filter_ctx filter;
	int ret;

	if (prctl(PR_SET_DUMPABLE, 0) ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -errno;
	filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	if (!filter)
		return -ENOMEM;
	ret = add(filter, SCMP_ACT_ALLOW, allowed, ARRAY_SIZE(allowed));
	if (!ret)
		ret = allow_if(filter, SCMP_SYS(fcntl),
			       SCMP_A1(SCMP_CMP_EQ, F_ADD_SEALS));
	/* Memory may be had, never code. */
	if (!ret)
		ret = allow_if(filter, SCMP_SYS(mmap),
			SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	if (!ret)
		ret = allow_if(filter, SCMP_SYS(mprotect),
			SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	if (!ret && WITH_ASAN)
		ret = add(filter, SCMP_ACT_ALLOW, for_asan,
			  ARRAY_SIZE(for_asan));
	if (!ret && WITH_ASAN)
		ret = add(filter, SCMP_ACT_ERRNO(EPERM), denied_for_asan,
			  ARRAY_SIZE(denied_for_asan));
	if (!ret)
		ret = seccomp_load(filter);
	seccomp_release(filter);
	return ret;
}
