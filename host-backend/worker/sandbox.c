// SPDX-License-Identifier: MIT
/* Giving everything up; see sandbox.h. */
#include "sandbox.h"

#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "common/util.h"
#include "sandbox_calls.h"

/* A user that owns nothing, where the manager gives no other. */
#define NOBODY 65534

#if defined(__SANITIZE_ADDRESS__)
#define WITH_ASAN 1
#else
#define WITH_ASAN 0
#endif

/* Address space of GL: its libraries, stacks, and what malloc sets aside for
 * each thread. What is used of it is bounded by the ledger and the cgroup. */
#define GL_SPACE (16ull << 30)

/* Where GL keeps the shaders that it has compiled, for the next program that
 * brings the same: memory that goes with the worker and so serves one VM. Its
 * files are opened while GL starts. Bytes. */
#define CACHE "/cache"
#define CACHE_SIZE (16u << 20)

static bool in_first_stage, has_cache;
static const struct gpu_driver *driver;	/* of the GPU; NULL: llvmpipe */

/* ------------------------------------------------------------ namespaces */

/* What GL is loaded from, as far as it is there: libraries and the drivers
 * beside them, and the lists that say which. llvmpipe needs no device; what
 * other drivers need besides is in common/gpu.c. */
static const char *const gl_files[] = {
	"/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/share/glvnd",
	"/usr/share/drirc.d", "/usr/share/libdrm", "/etc/glvnd", "/etc/drirc",
	"/etc/ld.so.cache",
};

/* Makes the directories that a path below the working one lies in. */
static bool make_parents(const char *here)
{
	char path[256];

	for (const char *at = here; (at = strchr(at, '/')); at++) {
		if ((size_t)(at - here) >= sizeof(path))
			return false;
		memcpy(path, here, (size_t)(at - here));
		path[at - here] = '\0';
		if (mkdir(path, 0755) && errno != EEXIST)
			return false;
	}
	return true;
}

/* Shows a file or directory at the same place below the working directory,
 * for reading; a symbolic link is made again. A device node shown as such can
 * be opened to be written, too. */
static bool show(const char *path, bool is_node)
{
	struct mount_attr attr = {
		.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID |
			    (is_node ? MOUNT_ATTR_NOEXEC : MOUNT_ATTR_NODEV),
	};
	const char *here = path + 1;
	char target[256];
	struct stat st;
	int fd;

	if (lstat(path, &st))
		return errno == ENOENT;
	if (!make_parents(here) || (is_node && !S_ISCHR(st.st_mode)))
		return false;
	if (S_ISLNK(st.st_mode)) {
		ssize_t n = readlink(path, target, sizeof(target) - 1);

		if (n < 0)
			return false;
		target[n] = '\0';
		return !symlink(target, here);
	}
	if (S_ISDIR(st.st_mode)) {
		if (mkdir(here, 0755))
			return false;
	} else {
		fd = open(here, O_WRONLY | O_CREAT | O_CLOEXEC, 0444);
		if (close_fd(fd), fd < 0)
			return false;
	}
	return !mount(path, here, NULL, MS_BIND | MS_REC, NULL) &&
	       !mount_setattr(AT_FDCWD, here, AT_RECURSIVE, &attr,
			      sizeof(attr));
}

/* The GPU's nodes, what its driver reads, and what libdrm asks about a node. */
static bool show_gpu(const struct gpu_device *gpu)
{
	char path[GPU_NODE_MAX];

	for (size_t i = 0; gpu_node(driver, gpu, i, path); i++)
		if (!show(path, true))
			return false;
	for (const char *const *file = driver->files; *file; file++)
		if (!show(*file, false))
			return false;
	if (*gpu->place && !show(gpu->place, false))
		return false;
	if (!*gpu->node)
		return true;
	snprintf(path, sizeof(path), "/sys/dev/char/%u:%u", gpu->node_major,
		 gpu->node_minor);
	return show(path, false);
}

static bool show_gl(const struct gpu_device *gpu)
{
	for (size_t i = 0; i < ARRAY_SIZE(gl_files); i++)
		if (!show(gl_files[i], false))
			return false;
	return !driver || show_gpu(gpu);
}

static bool make_cache(void)
{
	char options[64];

	/* Whoever we are by then. */
	snprintf(options, sizeof(options), "mode=0777,size=%u", CACHE_SIZE);
	return !mkdir(CACHE + 1, 0755) &&
	       !mount("none", CACHE + 1, "tmpfs",
		      MS_NODEV | MS_NOEXEC | MS_NOSUID, options);
}

/* A read-only root in which is nothing, or what GL is loaded from and the one
 * place where it may write. */
static bool new_root(const struct sandbox *sandbox)
{
	bool with_gl = sandbox->renders;
	static const char place[] = "/proc/self/fdinfo";

	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("none", place, "tmpfs", MS_NODEV | MS_NOEXEC | MS_NOSUID,
		  with_gl ? "size=64k,mode=0755" : "size=4k,mode=0555") ||
	    chdir(place) ||
	    (with_gl && !(show_gl(sandbox->gpu) && make_cache())) ||
	    syscall(SYS_pivot_root, ".", ".") ||
	    umount2(".", MNT_DETACH) || chdir("/"))
		return false;
	return !mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY |
		      MS_NODEV | MS_NOEXEC | MS_NOSUID, NULL);
}

static bool write_file(const char *path, const char *text)
{
	cleanup_fd int fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd >= 0 && write(fd, text, strlen(text)) ==
			  (ssize_t)strlen(text);
}

/* In a user namespace of its own it is nobody: who has no name there can make
 * no directory. */
static bool name_user(uid_t uid, gid_t gid)
{
	char text[64];

	snprintf(text, sizeof(text), "%d %u 1\n", NOBODY, uid);
	if (!write_file("/proc/self/uid_map", text) ||
	    !write_file("/proc/self/setgroups", "deny"))
		return false;
	snprintf(text, sizeof(text), "%d %u 1\n", NOBODY, gid);
	return write_file("/proc/self/gid_map", text);
}

static void enter_namespaces(const struct sandbox *sandbox,
			     struct sandbox_report *report)
{
	int kinds = CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNS;
	uid_t uid = geteuid();
	gid_t gid = getegid();

	/* Root needs no user namespace for them, anybody else does. */
	report->namespaces = !uid && !unshare(kinds);
	if (!report->namespaces) {
		report->namespaces = !unshare(kinds | CLONE_NEWUSER);
		if (report->namespaces && sandbox->renders &&
		    !name_user(uid, gid))
			return;
	}
	if (report->namespaces)
		report->root = new_root(sandbox);
}

/* GL's libraries are asked for the one device or for none, whatever was asked
 * of this process, and to keep what they compile in two files that stay open,
 * or to themselves. */
static void set_environment(void)
{
	unsetenv("MESA_LOADER_DRIVER_OVERRIDE");
	unsetenv("GALLIUM_DRIVER");
	unsetenv("LIBGL_ALWAYS_SOFTWARE");
	if (!driver) {
		setenv("LIBGL_ALWAYS_SOFTWARE", "true", 1);
		setenv("GALLIUM_DRIVER", "llvmpipe", 1);
	}
	if (has_cache) {
		setenv("MESA_SHADER_CACHE_DIR", CACHE, 1);
		setenv("MESA_DISK_CACHE_SINGLE_FILE", "true", 1);
		return;
	}
	setenv("MESA_SHADER_CACHE_DISABLE", "true", 1);
	setenv("MESA_GLSL_CACHE_DISABLE", "true", 1);	/* its name before */
}

/* GL has mapped one of the files: a page of it that no memory is left for would
 * end us. */
static int fill_holes(const char *path, const struct stat *st, int type,
		      struct FTW *where)
{
	cleanup_fd int fd = -1;

	(void)where;
	if (type != FTW_F || !st->st_size)
		return 0;
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	return fd < 0 || fallocate(fd, 0, 0, st->st_size) ? -1 : 0;
}

/* --------------------------------------------------------- user and rights */

/* The groups that the GPU's nodes demand of who opens them. */
static size_t groups_of(const struct gpu_device *gpu, gid_t groups[])
{
	char path[GPU_NODE_MAX];
	size_t count = 0;
	struct stat st;

	for (size_t i = 0; gpu_node(driver, gpu, i, path); i++)
		if (!stat(path, &st) && S_ISCHR(st.st_mode) &&
		    (st.st_mode & 0066) == 0060)
			groups[count++] = st.st_gid;
	return count;
}

static int drop_user(const gid_t *groups, size_t count,
		     struct sandbox_report *report)
{
	if (geteuid())
		return 0;
	if (setgroups(count, groups) || setresgid(NOBODY, NOBODY, NOBODY) ||
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

/* Whether, as the user that this is now, the GPU can be opened. */
static void try_gpu(const struct gpu_device *gpu,
		    struct sandbox_report *report)
{
	char path[GPU_NODE_MAX];

	if (!report->root)
		report->gpu = -EPERM;
	for (size_t i = 0; !report->gpu && i < driver->needed; i++) {
		cleanup_fd int fd = -1;

		if (gpu_node(driver, gpu, i, path))
			fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd >= 0)
			continue;
		report->gpu = -errno;
		memcpy(report->missing, path, sizeof(path));
	}
	/* Then nothing of it is to be had, not even asked for. */
	if (report->gpu)
		driver = NULL;
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

static int set_limits(const struct sandbox *sandbox, uint64_t mapped)
{
	bool gl = sandbox->renders;
	int ret = limit(RLIMIT_CORE, 0);

	/* Threads count as processes, and those of all workers together. */
	if (!ret && !gl)
		ret = limit(RLIMIT_NPROC, 0);
	if (!ret)
		ret = limit(RLIMIT_NOFILE, gl ? 256 : 64);
	if (!ret)
		ret = limit(RLIMIT_FSIZE, has_cache &&
			    sandbox->picture < CACHE_SIZE ? CACHE_SIZE :
			    sandbox->picture);
	if (!ret)
		ret = limit(RLIMIT_MEMLOCK, 0);
	if (!ret)
		ret = limit(RLIMIT_MSGQUEUE, 0);
	/* ASan's shadow is most of the address space. */
	if (!ret && mapped && !WITH_ASAN && !(driver && driver->reserves))
		ret = limit(RLIMIT_AS, mapped + sandbox->memory +
				       (gl ? GL_SPACE : 0));
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

int sandbox_enter(const struct sandbox *sandbox,
		  struct sandbox_report *ret_report)
{
	struct sandbox_report report = { 0 };
	gid_t groups[ARRAY_SIZE(driver->nodes)];
	size_t group_count;
	uint64_t mapped = mapped_now();
	pid_t parent = getppid();
	int ret = close_others(sandbox->keep, sandbox->count);

	if (ret)
		return ret;
	driver = sandbox->renders ? sandbox->driver : NULL;
	group_count = driver ? groups_of(sandbox->gpu, groups) : 0;
	enter_namespaces(sandbox, &report);
	has_cache = sandbox->renders && report.root;
	if (sandbox->renders)
		set_environment();
	ret = drop_bounds();
	if (!ret)
		ret = drop_user(groups, group_count, &report);
	if (!ret)
		ret = drop_capabilities();
	if (!ret && driver)
		try_gpu(sandbox->gpu, &report);
	if (!ret)
		ret = set_limits(sandbox, mapped);
	if (ret)
		return ret;
	/* After the last change of user, which forgets it; and a parent that
	 * died before is noticed here. */
	if (prctl(PR_SET_PDEATHSIG, sandbox->outlive ? 0 : SIGKILL) ||
	    prctl(PR_SET_DUMPABLE, 0) ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -errno;
	if (!sandbox->outlive && getppid() != parent)
		return -ESRCH;
	ret = sandbox_calls(!sandbox->renders ? SANDBOX_TIGHT :
			    has_cache ? SANDBOX_GL_STARTS_CACHED :
					SANDBOX_GL_STARTS, driver);
	if (ret)
		return ret;
	in_first_stage = sandbox->renders;
	*ret_report = report;
	return 0;
}

int sandbox_seal(void)
{
	int ret;

	if (!in_first_stage)
		return 0;
	if (has_cache && nftw(CACHE, fill_holes, 4, FTW_PHYS | FTW_MOUNT))
		return -errno;
	ret = sandbox_calls(SANDBOX_GL_RUNS, driver);
	if (!ret)
		in_first_stage = false;
	return ret;
}
