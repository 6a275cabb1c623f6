// SPDX-License-Identifier: MIT
/*
 * The worker as a process, both builds, in its sandbox: everything that it
 * does is allowed there, it sleeps when nothing is to be done, leaks nothing,
 * and ends with its manager.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "support_worker.h"

static const char *const builds[] = {
	"build/bin/pvgpu-worker", "build/asan/bin/pvgpu-worker",
};

static uint64_t of_status(pid_t pid, const char *key)
{
	char path[64], line[256];
	unsigned long long value = ~0ull;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f = fopen(path, "re");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		if (!strncmp(line, key, strlen(key)))
			sscanf(line + strlen(key), strncmp(key, "Cap", 3) ?
			       ": %llu" : ": %llx", &value);
	fclose(f);
	assert_true(value != ~0ull);
	return value;
}

static int descriptors(pid_t pid)
{
	char path[64];
	int count = -3;		/* "." and "..", and the directory's own */
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	d = opendir(path);
	if (!d)
		return -1;	/* another user's */
	while (readdir(d))
		count++;
	closedir(d);
	return count;
}

static void batch(struct rig *rig, void *message, uint32_t length,
		  uint16_t opcode, uint64_t fence)
{
	struct pvgpu_submit *s = message;
	uint32_t flags;

	s->msg.opcode = pvgpu_cpu_to_le16(opcode);
	s->fence = pvgpu_cpu_to_le64(fence);
	assert_int_equal(pvgpu_client_send(&rig->client, 1, message, length),
			 0);
	pvgpu_client_flush(&rig->client, 1);
	assert_int_equal(pvgpu_client_fence_wait(&rig->client, 1, fence, 5000),
			 0);
	pvgpu_client_fence(&rig->client, 1, &flags);
	assert_int_equal(flags, 0);
}

static struct pvgpu_copy_area area(uint32_t resource, uint64_t offset,
				   uint32_t stride)
{
	return (struct pvgpu_copy_area){
		.resource = pvgpu_cpu_to_le32(resource),
		.stride = pvgpu_cpu_to_le32(stride),
		.offset = pvgpu_cpu_to_le64(offset),
	};
}

/* Copies of every order, with the buffer too; pictures of every format,
 * gathered and in place. A system call that is missing kills the worker. */
static void work(struct rig *rig)
{
	static const uint32_t formats[] = {
		PVGPU_FORMAT_XRGB8888, PVGPU_FORMAT_ARGB8888,
		PVGPU_FORMAT_XBGR8888, PVGPU_FORMAT_ABGR8888,
		PVGPU_FORMAT_RGB565,
	};
	uint64_t extents[512], fence = 0;
	uint32_t *pixels;

	assert_int_equal(pvgpu_client_attach(&rig->client, &rig->hello, 5000),
			 0);
	assert_int_equal(rig_open(rig, 1), 0);
	rig_resource(rig, 1, 0, 1920 * 1080 * 4);
	assert_int_equal(rig_create(rig, 2, 256 * 4096), 0);
	for (uint32_t i = 0; i < 256; i++) {
		extents[2 * i] = (32 << 20) + (uint64_t)(255 - i) * 4096;
		extents[2 * i + 1] = 4096;
	}
	assert_int_equal(rig_back(rig, 2, extents, 256), 0);
	for (uint32_t i = 0; i < 4; i++) {
		struct pvgpu_copy_rect q = {
			.src = area(1, 4096, i == 2 ? 7000 : 8000),
			.dst = area(i == 3 ? 2 : 1, i ? 4100 : 4000, 8000),
			.row_bytes = pvgpu_cpu_to_le32(5000),
			.height = pvgpu_cpu_to_le32(i == 3 ? 100 : 900),
		};
		struct pvgpu_copy_fill f = {
			.dst = area(2, 99, 3000),
			.row_bytes = pvgpu_cpu_to_le32(2000),
			.height = pvgpu_cpu_to_le32(300),
			.unit = pvgpu_cpu_to_le32(4),
		};

		batch(rig, &q, sizeof(q), PVGPU_OP_COPY_RECT, ++fence);
		batch(rig, &f, sizeof(f), PVGPU_OP_COPY_FILL, ++fence);
	}
	for (uint32_t i = 0; i < ARRAY_SIZE(formats) * 4; i++) {
		uint32_t format = formats[i / 4];
		struct worker_screenshot_done done;
		struct rig_commit c = { 0 };

		commit_head(&c, 0, 1920, 1080);
		commit_plane(&c, 0, 0, 1, format, 1920, 1080, 0, 0)->alpha =
			pvgpu_cpu_to_le16(i % 2 ? 0xffff : 0x8000);
		commit_plane(&c, 0, 1, 2, format, 60, 64, -5, 1060)->blend =
			pvgpu_cpu_to_le16(i / 2 % 2);
		assert_int_equal(rig_commit(rig, &c), 0);
		done = rig_screenshot(rig, 0, &pixels);
		assert_int_equal(done.error, 0);
		munmap(pixels, (size_t)done.stride * done.height);
	}
	assert_int_equal(rig_close(rig, 1), 0);
	assert_int_equal(rig_query(rig).channels, 0);
}

static void test_works_in_its_sandbox(void **state)
{
	struct rig rig;
	int status, fds;

	(void)state;
	for (size_t b = 0; b < ARRAY_SIZE(builds); b++) {
		rig_make(&rig, &rig_limits);
		rig_start_child(&rig, builds[b]);
		fds = descriptors(rig.child);
		work(&rig);
		work(&rig);
		assert_int_equal(descriptors(rig.child), fds);
		status = rig_stop_child(&rig);
		assert_true(WIFEXITED(status) && !WEXITSTATUS(status));
		rig_drop(&rig);
	}
}

/* No timer, no polling: who has nothing to do is not scheduled. */
static void test_sleeps(void **state)
{
	struct rig rig;

	(void)state;
	for (size_t b = 0; b < ARRAY_SIZE(builds); b++) {
		uint64_t before;

		rig_make(&rig, &rig_limits);
		rig_start_child(&rig, builds[b]);
		work(&rig);
		usleep(100000);
		before = of_status(rig.child, "voluntary_ctxt_switches");
		usleep(700000);
		assert_true(of_status(rig.child, "voluntary_ctxt_switches") ==
			    before);
		rig_stop_child(&rig);
		rig_drop(&rig);
	}
}

static void test_shut(void **state)
{
	struct rig rig;

	(void)state;
	rig_make(&rig, &rig_limits);
	rig_start_child(&rig, builds[0]);
	assert_int_equal(of_status(rig.child, "NoNewPrivs"), 1);
	assert_int_equal(of_status(rig.child, "Seccomp"), 2);
	assert_int_equal(of_status(rig.child, "CapEff"), 0);
	if (!geteuid()) {
		assert_int_equal(of_status(rig.child, "CapBnd"), 0);
		assert_int_not_equal(of_status(rig.child, "Uid"), 0);
	}
	rig_stop_child(&rig);
	rig_drop(&rig);
}

/* The manager dies, the worker dies with it, also if somebody else still
 * holds the other end of its link. */
static void test_dies_with_its_parent(void **state)
{
	int pipes[2], status, ends[2];
	struct rig rig;
	pid_t parent, worker = 0;

	(void)state;
	/* Orphans come to this process, so that it sees the worker end. */
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	assert_int_equal(pipe(pipes), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
	rig_make(&rig, &rig_limits);
	parent = fork();
	assert_true(parent >= 0);
	if (!parent) {
		rig_start_child(&rig, builds[0]);
		/* The grandparent gets the link as well. */
		if (fdpass_send(ends[1], "x", 1, &rig.link, 1) ||
		    write(pipes[1], &rig.child, sizeof(rig.child)) !=
		    sizeof(rig.child))
			_exit(1);
		pause();
		_exit(1);
	}
	assert_int_equal(read(pipes[0], &worker, sizeof(worker)),
			 sizeof(worker));
	{
		size_t count = 0;
		char byte;
		int link;

		assert_int_equal(fdpass_receive(ends[0], &byte, 1, &link, 1,
						&count), 1);
		assert_int_equal(count, 1);
		assert_int_equal(kill(parent, SIGKILL), 0);
		assert_int_equal(waitpid(parent, &status, 0), parent);
		for (int i = 0; i < 500 && !waitpid(worker, &status, WNOHANG);
		     i++)
			usleep(10000);
		assert_true(WIFSIGNALED(status));
		assert_int_equal(WTERMSIG(status), SIGKILL);
		close(link);
	}
	close(pipes[0]);
	close(pipes[1]);
	close(ends[0]);
	close(ends[1]);
	rig.link = -1;
	rig_drop(&rig);
}

/* What the manager would never send ends it with a word, not with a hang. */
static void bad_start(const struct worker_init *init, int window)
{
	int fds[WORKER_INIT_FDS], ends[2], status;
	struct rig rig;
	pid_t pid;

	rig_make(&rig, &rig_limits);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
	pid = fork();
	if (!pid) {
		int null = open("/dev/null", O_WRONLY);

		dup2(null, STDERR_FILENO);
		if (ends[1] != WORKER_LINK_FD)
			dup2(ends[1], WORKER_LINK_FD);
		close(ends[0]);
		execl(builds[1], builds[1], NULL);
		_exit(127);
	}
	close(ends[1]);
	rig_gather_fds(&rig, fds);
	if (window >= 0)
		fds[0] = window;
	assert_int_equal(worker_link_send(ends[0], init, fds,
					  WORKER_INIT_FDS), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 1);
	close(ends[0]);
	rig_drop(&rig);
}

static void test_bad_start(void **state)
{
	struct worker_init good = {
		.header = { WORKER_INIT, 1 }, .version = WORKER_LINK_VERSION,
		.name = "bad\n", .limits = rig_limits,
	}, bad = good;
	int loose = memfd_create("loose", MFD_ALLOW_SEALING);
	int tiny = memfd_create("tiny", MFD_ALLOW_SEALING);

	(void)state;
	assert_int_equal(ftruncate(loose, 1ll << 31), 0);
	assert_int_equal(ftruncate(tiny, 4096), 0);
	assert_int_equal(fcntl(tiny, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW),
			 0);
	bad.version++;
	bad_start(&bad, -1);
	bad = good;
	bad.limits.heads = 17;
	bad_start(&bad, -1);
	bad = good;
	bad.limits.default_width = 4000;
	bad_start(&bad, -1);
	bad_start(&good, loose);		/* could be cut under us */
	bad_start(&good, tiny);
	close(loose);
	close(tiny);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_works_in_its_sandbox),
		cmocka_unit_test(test_sleeps),
		cmocka_unit_test(test_shut),
		cmocka_unit_test(test_dies_with_its_parent),
		cmocka_unit_test(test_bad_start),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	log_set_level(LEVEL_ERROR);
	return cmocka_run_group_tests_name("worker process", tests, NULL,
					   NULL);
}
