// SPDX-License-Identifier: MIT
/* Rules that our seccomp filters share; see filter.h. */
#include "filter.h"

#include <errno.h>
#include <sys/mman.h>

#include "util.h"

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

int filter_add(scmp_filter_ctx filter, uint32_t action, const int *calls,
	       size_t count)
{
	for (size_t i = 0; i < count; i++) {
		int ret = seccomp_rule_add(filter, action, calls[i], 0);

		if (ret && ret != -EEXIST)	/* twice over is once */
			return ret;
	}
	return 0;
}

int filter_allow_if(scmp_filter_ctx filter, int call,
		    struct scmp_arg_cmp compare)
{
	return seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, call, 1,
				      &compare);
}

int filter_allow_data(scmp_filter_ctx filter)
{
	int ret = filter_allow_if(filter, SCMP_SYS(mmap),
				  SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));

	if (!ret)
		ret = filter_allow_if(filter, SCMP_SYS(mprotect),
				      SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC,
					      0));
	return ret;
}

int filter_allow_asan(scmp_filter_ctx filter)
{
	return FILTER_WITH_ASAN ?
	       FILTER_ADD(filter, SCMP_ACT_ALLOW, for_asan) : 0;
}

int filter_deny_asan(scmp_filter_ctx filter)
{
	return FILTER_WITH_ASAN ?
	       FILTER_ADD(filter, SCMP_ACT_ERRNO(EPERM), denied_for_asan) : 0;
}
