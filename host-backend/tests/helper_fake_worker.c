// SPDX-License-Identifier: MIT
/*
 * A worker for tests of the manager: it keeps the state page's generation as
 * a real one does, answers questions with known figures, and misbehaves when
 * it is told to: the u64 at the start of the guest's region, which the test
 * writes, is an order of helper_fake_worker.h.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "common/fdpass.h"
#include "common/trace.h"
#include "common/util.h"
#include "common/worker_link.h"
#include "helper_fake_worker.h"

static union worker_message message;
static struct vgpu_limits limits;
static struct worker_state *state;
static volatile uint64_t *order;
static int fds[FDPASS_MAX];
static uint64_t frames;

static void say(const void *answer, const int *passed, size_t count)
{
	if (worker_link_send(WORKER_LINK_FD, answer, passed, count) < 0)
		_exit(10);
}

static int picture(size_t size, uint32_t head, bool sealed)
{
	int fd = memfd_create("fake-picture", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	uint32_t *pixels;

	if (fd < 0 || ftruncate(fd, (off_t)size) < 0)
		_exit(11);
	pixels = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (pixels == MAP_FAILED)
		_exit(12);
	for (size_t i = 0; i < size / 4; i++)
		pixels[i] = FAKE_PIXEL(head, i);
	munmap(pixels, size);
	if (sealed && fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW |
					     F_SEAL_WRITE | F_SEAL_SEAL) < 0)
		_exit(13);
	return fd;
}

static void screenshot(void)
{
	struct worker_screenshot_done done = {
		.header = { WORKER_SCREENSHOT_DONE, message.header.cookie },
		.width = FAKE_WIDTH, .height = FAKE_HEIGHT,
		.stride = FAKE_WIDTH * 4, .frame = 7,
	};
	uint32_t head = message.screenshot.head;
	int fd;

	if (head == FAKE_DARK_HEAD) {
		done = (struct worker_screenshot_done){
			.header = done.header, .error = ENODATA };
		say(&done, NULL, 0);
		return;
	}
	fd = picture((size_t)done.stride * done.height /
		     (*order == FAKE_SHORT_PICTURE ? 2 : 1), head,
		     *order != FAKE_UNSEALED_PICTURE);
	say(&done, &fd, 1);
	close(fd);
}

static void query(void)
{
	struct worker_query_done done = {
		.header = { WORKER_QUERY_DONE, message.header.cookie },
		.state = PVGPU_STATE_ATTACHED,
		.generation = state->generation,
		.guest_os = PVGPU_GUEST_LINUX,
		.driver_version = 0x00000001,
		.resources = 3, .messages = 40, .refused = 2,
		.window_used = 8u << 20, .window_peak = 9u << 20,
		.device_used = (6u << 20) + (140u << 10),
		.device_peak = 7u << 20,
		.device_surfaces = 2u << 20, .device_contexts = 4u << 20,
		.device_objects = 12u << 10, .device_shaders = 128u << 10,
	};

	strcpy(done.driver_name, "pvgpu\x1b[31m");
	strcpy(done.os_name, "Linux");
	strcpy(done.renderer, "softpipe\x1b[31m");
	done.heads[0] = (struct worker_head_state){
		.active = 1, .width = FAKE_WIDTH, .height = FAKE_HEIGHT,
		.refresh = 60000, .frames = ++frames,
	};
	done.batches = frames * FAKE_BATCHES;
	done.gpu_time = frames * FAKE_GPU_TIME;
	if (*order == FAKE_WRONG_COOKIE)
		done.header.cookie += 1000;
	if (*order == FAKE_SILENT)
		return;
	say(&done, NULL, 0);
}

static struct trace_file *file;

/* A batch, a flip, and, where it is told so, nonsense behind them. */
static void trace(int fd)
{
	const uint64_t now = clock_ns();
	struct trace_record records[] = {
		{ now, now + 1000, FAKE_FENCE, 0, TRACE_BATCH, 1 },
		{ now, now + 400, FAKE_FENCE, 5, TRACE_DECODE, 1 },
		{ now + 500, now + 900, FAKE_FENCE, 5, TRACE_GPU, 1 },
		{ now, now, 7, 0, TRACE_FLIP, 2 },
		{ now, now, 0, 1, TRACE_STATE, 0 },	/* not a worker's */
		{ now + 1, now, 0, 0, TRACE_GPU, 1 },
		{ now, now, 0, 0, TRACE_BATCH, 0 },
		{ now, now, 0, 0, TRACE_BATCH, 99 },
		{ now, now, 0, 0, TRACE_FLIP, 16 },
		{ now, now, 0, 0, TRACE_KINDS, 0 },
		{ now, now, 0, 0, 0xffff, 0xffff },
		{ 0, 0, 0, 0, TRACE_NONE, 0 },
		{ 0, 1, 0, 0, TRACE_DOORBELL, 0 },	/* out of its time: */
		{ UINT64_MAX, UINT64_MAX, 0, 0, TRACE_DOORBELL, 0 },
		{ 0, UINT64_MAX, 0, 0, TRACE_COMMIT, 0 },	/* cut to it */
	};
	size_t count = *order == FAKE_WILD_TRACE ? ARRAY_SIZE(records) : 4;

	if (file)
		munmap(file, sizeof(*file));
	file = mmap(NULL, sizeof(*file), PROT_READ | PROT_WRITE, MAP_SHARED,
		    fd, 0);
	if (file == MAP_FAILED)
		_exit(27);
	close(fd);
	for (size_t i = 0; i < count; i++)
		trace_put(file, &records[i]);
	if (*order == FAKE_WILD_TRACE)
		file->taken = UINT64_MAX;
}

static void trace_stop(void)
{
	const struct worker_trace_done done = {
		{ WORKER_TRACE_DONE, message.header.cookie } };

	if (file)
		munmap(file, sizeof(*file));
	file = NULL;
	if (*order != FAKE_SILENT)
		say(&done, NULL, 0);
}

static void obey(void)
{
	static const char junk[] = "this is no message of a worker";

	switch (*order) {
	case FAKE_CRASH:
		signal(SIGSEGV, SIG_DFL);
		raise(SIGSEGV);
		break;
	case FAKE_EXIT:
		_exit(7);
	case FAKE_JUNK:
		if (write(WORKER_LINK_FD, junk, sizeof(junk)) < 0)
			_exit(14);
		pause();
		break;
	case FAKE_DEAF:
		close(WORKER_LINK_FD);
		pause();
		break;
	}
}

/* Leaves what it was told of a head in the guest's region, 32 bytes a head
 * from FAKE_HEADS on, the number of messages first. */
static void head_set(void)
{
	const struct worker_head_set *set = &message.head_set;
	volatile uint32_t *at = (volatile uint32_t *)order + FAKE_HEADS / 4 +
				set->head * 8;

	at[1] = set->serial;
	at[2] = set->connected;
	at[3] = set->width;
	at[4] = set->height;
	at[5] = set->refresh;
	at[6] = set->edid_size;
	at[7] = set->edid_size ? set->edid[set->edid_size - 1] : 0;
	at[0]++;
}

static void frame_limit(uint32_t limit)
{
	((volatile uint32_t *)order)[FAKE_FRAME_LIMIT / 4] = limit;
}

/* Only what it was given may be open: 0 to 3 and what INIT brings. */
static void check_descriptors(void)
{
	for (int fd = WORKER_LINK_FD + 1; fd < 64; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			_exit(20);
}

int main(void)
{
	struct worker_ready ready = { .header.op = WORKER_READY };
	struct pollfd polls[2];
	struct window_layout layout;
	size_t count = 0;
	uint32_t first_limit;
	uint64_t value;

	check_descriptors();
	if (worker_link_receive(WORKER_LINK_FD, &message, fds, &count) <= 0 ||
	    message.header.op != WORKER_INIT ||
	    message.init.version != WORKER_LINK_VERSION)
		_exit(21);
	limits = message.init.limits;
	first_limit = message.init.frame_limit;
	if (window_layout(&layout, &limits))
		_exit(22);
	state = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fds[1], 0);
	order = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fds[0],
		     (off_t)layout.guest_offset);
	if (state == MAP_FAILED || order == MAP_FAILED)
		_exit(23);
	state->generation++;
	frame_limit(first_limit);
	obey();
	for (uint32_t n = message.init.head_sets; n; n--) {
		if (worker_link_receive(WORKER_LINK_FD, &message, &fds[16],
					&count) <= 0 ||
		    message.header.op != WORKER_HEAD_SET)
			_exit(26);
		head_set();
	}
	say(&ready, NULL, 0);
	/* Tells the guest's side that a worker is there. */
	value = 1;
	if (write(fds[2 + WINDOW_VECTORS], &value, sizeof(value)) < 0)
		_exit(24);
	for (;;) {
		polls[0] = (struct pollfd){ WORKER_LINK_FD, POLLIN, 0 };
		polls[1] = (struct pollfd){ fds[2], POLLIN, 0 };
		if (poll(polls, 2, -1) < 0)
			_exit(25);
		if (polls[1].revents &&
		    read(fds[2], &value, sizeof(value)) > 0)
			obey();
		if (!polls[0].revents)
			continue;
		if (worker_link_receive(WORKER_LINK_FD, &message, &fds[16],
					&count) <= 0)
			_exit(0);
		if (message.header.op == WORKER_QUERY)
			query();
		else if (message.header.op == WORKER_SCREENSHOT)
			screenshot();
		else if (message.header.op == WORKER_TRACE)
			trace(fds[16]);
		else if (message.header.op == WORKER_TRACE_STOP)
			trace_stop();
		else if (message.header.op == WORKER_HEAD_SET)
			head_set();
		else if (message.header.op == WORKER_FRAME_LIMIT)
			frame_limit(message.frame_limit.limit);
	}
}
