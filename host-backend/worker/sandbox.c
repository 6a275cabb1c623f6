// SPDX-License-Identifier: MIT
/* Giving everything up; see sandbox.h. */
#include "sandbox.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "common/util.h"

/* A user that owns nothing, where the manager gives no other. */
#define NOBODY 65534

#if defined(__SANITIZE_ADDRESS__)
#define WITH_ASAN 1
#else
#define WITH_ASAN 0
#endif

/* ------------------------------------------------------------ namespaces */

/* An empty, read-only root; whoever asks finds no file in it. */
static bool empty_root(void)
{
	static const char place[] = "/proc/self/fdinfo";

	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("none", place, "tmpfs", MS_NODEV | MS_NOEXEC | MS_NOSUID,
		  "size=4k,mode=0555") ||
	    chdir(place) ||
	    syscall(SYS_pivot_root, ".", ".") ||
	    umount2(".", MNT_DETACH) || chdir("/"))
		return false;
	return !mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY |
		      MS_NODEV | MS_NOEXEC | MS_NOSUID, NULL);
}

static void enter_namespaces(struct sandbox_report *report)
{
	int kinds = CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNS;

	/* Root needs no user namespace for them, anybody else does. */
	report->namespaces = (!geteuid() && !unshare(kinds)) ||
			     !unshare(kinds | CLONE_NEWUSER);
	if (report->namespaces)
		report->root = empty_root();
}

/* --------------------------------------------------------- user and rights */

static int drop_user(struct sandbox_report *report)
{
	if (geteuid())
		return 0;
	if (setgroups(0, NULL) || setresgid(NOBODY, NOBODY, NOBODY) ||
	    setresuid(NOBODY, NOBODY, NOBODY)) {
		/* In a container that maps nobody else there is nobody to
		 * become; the rest holds all the same, and the report says so. */
		return errno == EINVAL || errno == EPERM ? 0 : -errno;
	}
	report->user = true;
	return 0;
}

/* What could ever be had again; before the user changes, who may do this. */
static int drop_bounds(void)
{
	/* EINVAL: past the last one; EPERM: there was nothing to drop from. */
	for (int cap = 0; cap <= CAP_LAST_CAP; cap++)
		if (prctl(PR_CAPBSET_DROP, cap) && errno != EINVAL &&
		    errno != EPERM)
			return -errno;
	return 0;
}

static int drop_capabilities(void)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct none[2] = { 0 };

	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	return syscall(SYS_capset, &header, none) ? -errno : 0;
}

static int limit(int which, uint64_t value)
{
	struct rlimit now, lower;

	if (getrlimit((__rlimit_resource_t)which, &now))
		return -errno;
	lower.rlim_cur = lower.rlim_max =
		value < now.rlim_max ? (rlim_t)value : now.rlim_max;
	return setrlimit((__rlimit_resource_t)which, &lower) ? -errno : 0;
}

/* Bytes of address space in use, from /proc; 0 if that is not to be had. */
static uint64_t mapped_now(void)
{
	cleanup_file FILE *f = fopen("/proc/self/statm", "re");
	unsigned long long pages = 0;

	if (!f || fscanf(f, "%llu", &pages) != 1)
		return 0;
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static int set_limits(uint64_t mapped, uint64_t memory, uint64_t picture)
{
	int ret = limit(RLIMIT_CORE, 0);

	if (!ret)
		ret = limit(RLIMIT_NPROC, 0);
	if (!ret)
		ret = limit(RLIMIT_NOFILE, 64);
	if (!ret)
		ret = limit(RLIMIT_FSIZE, picture);
	if (!ret)
		ret = limit(RLIMIT_MEMLOCK, 0);
	if (!ret)
		ret = limit(RLIMIT_MSGQUEUE, 0);
	/* ASan's shadow is most of the address space. */
	if (!ret && mapped && !WITH_ASAN)
		ret = limit(RLIMIT_AS, mapped + memory);
	return ret;
}

static int close_others(const int *keep, size_t count)
{
	unsigned int from = STDERR_FILENO + 1;

	close(STDIN_FILENO);
	for (;;) {
		unsigned int next = ~0u;

		for (size_t i = 0; i < count; i++)
			if (keep[i] >= 0 && (unsigned int)keep[i] >= from &&
			    (unsigned int)keep[i] < next)
				next = (unsigned int)keep[i];
		if (next > from && syscall(SYS_close_range, from, next - 1, 0))
			return -errno;
		if (next == ~0u)
			return 0;
		from = next + 1;
	}
}

/* --------------------------------------------------------- system calls */

static int allow(scmp_filter_ctx filter)
{
	static const int calls[] = {
		/* the loop */
		SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait),
		SCMP_SYS(epoll_ctl), SCMP_SYS(read), SCMP_SYS(write),
		SCMP_SYS(recvmsg), SCMP_SYS(sendmsg), SCMP_SYS(close),
		SCMP_SYS(restart_syscall), SCMP_SYS(rt_sigreturn),
		/* pictures */
		SCMP_SYS(memfd_create), SCMP_SYS(ftruncate),
		/* the allocator */
		SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap),
		SCMP_SYS(madvise), SCMP_SYS(futex), SCMP_SYS(getrandom),
		/* where the vDSO has no clock */
		SCMP_SYS(clock_gettime),
		SCMP_SYS(exit), SCMP_SYS(exit_group),
	};
	static const int for_asan[] = {
		SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask),
		SCMP_SYS(sigaltstack), SCMP_SYS(getpid), SCMP_SYS(gettid),
		SCMP_SYS(sched_yield), SCMP_SYS(getrusage),
		SCMP_SYS(prlimit64), SCMP_SYS(fstat), SCMP_SYS(newfstatat),
		SCMP_SYS(getcwd), SCMP_SYS(uname), SCMP_SYS(sched_getaffinity),
	};
	/* A report begins by looking for its maps and a symboliser; it does
	 * without them, but not if the question is deadly. */
	static const int denied_for_asan[] = {
		SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(readlink),
		SCMP_SYS(readlinkat), SCMP_SYS(stat), SCMP_SYS(access),
		SCMP_SYS(socket), SCMP_SYS(clone), SCMP_SYS(pipe),
		SCMP_SYS(pipe2), SCMP_SYS(lseek), SCMP_SYS(ioctl),
		SCMP_SYS(prctl), SCMP_SYS(execve),
	};
	int ret = 0;

	for (size_t i = 0; i < ARRAY_SIZE(calls) && !ret; i++)
		ret = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0);
	/* Memory may be had, never code. */
	if (!ret)
		ret = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap),
			1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	if (!ret)
		ret = seccomp_rule_add(filter, SCMP_ACT_ALLOW,
			SCMP_SYS(mprotect), 1,
			SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	if (!ret)
		ret = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(fcntl),
			1, SCMP_A1(SCMP_CMP_EQ, F_ADD_SEALS));
	for (size_t i = 0; WITH_ASAN && i < ARRAY_SIZE(for_asan) && !ret; i++)
		ret = seccomp_rule_add(filter, SCMP_ACT_ALLOW, for_asan[i], 0);
	for (size_t i = 0;
	     WITH_ASAN && i < ARRAY_SIZE(denied_for_asan) && !ret; i++)
		ret = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM),
				       denied_for_asan[i], 0);
	return ret;
}

static int filter_calls(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int ret;

	if (!filter)
		return -ENOMEM;
	ret = allow(filter);
	if (!ret)
		ret = seccomp_load(filter);
	seccomp_release(filter);
	return ret;
}

int sandbox_enter(const int *keep, size_t count, uint64_t memory,
		  uint64_t picture, bool outlive,
		  struct sandbox_report *ret_report)
{
	struct sandbox_report report = { 0 };
	uint64_t mapped = mapped_now();
	pid_t parent = getppid();
	int ret = close_others(keep, count);

	if (ret)
		return ret;
	enter_namespaces(&report);
	ret = drop_bounds();
	if (!ret)
		ret = drop_user(&report);
	if (!ret)
		ret = drop_capabilities();
	if (!ret)
		ret = set_limits(mapped, memory, picture);
	if (ret)
		return ret;
	/* After the last change of user, which forgets it; and a parent that
	 * died before is noticed here. */
	if (prctl(PR_SET_PDEATHSIG, outlive ? 0 : SIGKILL) ||
	    prctl(PR_SET_DUMPABLE, 0) ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -errno;
	if (!outlive && getppid() != parent)
		return -ESRCH;
	ret = filter_calls();
	if (ret)
		return ret;
	*ret_report = report;
	return 0;
}
