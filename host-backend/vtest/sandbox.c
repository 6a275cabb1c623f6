// SPDX-License-Identifier: MIT
/* Giving up what a door needs no more; see sandbox.h. */
#include "sandbox.h"

#include <fcntl.h>
#include <sys/prctl.h>

#include "common/filter.h"
#include "common/util.h"

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
	ret = FILTER_ADD(filter, SCMP_ACT_ALLOW, allowed);
	if (!ret)
		ret = filter_allow_if(filter, SCMP_SYS(fcntl),
				      SCMP_A1(SCMP_CMP_EQ, F_ADD_SEALS));
	if (!ret)
		ret = filter_allow_data(filter);
	if (!ret)
		ret = filter_allow_asan(filter);
	if (!ret)
		ret = filter_deny_asan(filter);
	if (!ret)
		ret = seccomp_load(filter);
	seccomp_release(filter);
	return ret;
}
