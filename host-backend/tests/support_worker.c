// SPDX-License-Identifier: MIT
/* The worker's rig; see support_worker.h. */
#include "support_worker.h"

#include <assert.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#include "common/sealed.h"

/* A rig that cannot be built is a test that failed, in every build. */
#define must(condition) do { \
	if (!(condition)) { \
		fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, \
			#condition, strerror(errno)); \
		abort(); \
	} \
} while (0)

const struct vgpu_limits rig_limits = {
	.type_name = "TEST-1",
	.uuid = { 1, 2, 3, 4 },
	.framebuffer = 64 << 20,
	.device_budget = 16 << 20,
	.max_pixels = 1920 * 1080 + 1280 * 1024,
	.heads = 2,
	.max_width = 1920, .max_height = 1200,
	.max_refresh = 61000,
	.cursor_max = 64,
	.channels = 3,
	.max_resources = 32,
	.max_extents = 700,
	.guests = ~0u,
	.classes = 1u << PVGPU_CHANNEL_COPY,
	.default_width = 1280, .default_height = 800,
	.default_refresh = 60000,
};

uint64_t noise(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* What Mesa leaves behind is Mesa's; ours must be none. Its libraries stay
 * loaded, or the report would not know whose it is. */
const char *__lsan_default_suppressions(void)
{
	return "leak:_dri.so\nleak:libgallium\nleak:libEGL\nleak:libLLVM\n";
}

void rig_keep_mesa(void)
{
	static const char *const names[] = {
		"libEGL_mesa.so.0", "dri/swrast_dri.so",
		"/usr/lib/x86_64-linux-gnu/dri/swrast_dri.so",
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		dlopen(names[i], RTLD_LAZY | RTLD_NODELETE);
}

/* ----------------------------------------------------------- guest's hooks */

static void hook_doorbell(void *context, uint32_t vector)
{
	struct rig *rig = context;
	uint64_t one = 1;

	must(write(rig->doorbells[vector], &one, sizeof(one)) == sizeof(one));
}

static void hook_wait(void *context, uint32_t vector, uint32_t timeout_ms)
{
	struct rig *rig = context;
	struct pollfd p = { .fd = rig->vectors[vector], .events = POLLIN };
	uint64_t count;

	if (rig->worker)
		rig_pump(rig);
	if (poll(&p, 1, rig->worker ? 0 : (int)timeout_ms) > 0)
		must(read(p.fd, &count, sizeof(count)) == sizeof(count));
}

static uint64_t hook_now(void *context)
{
	struct timespec now;

	(void)context;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static uint64_t hook_random(void *context)
{
	static uint64_t state = 0x1234567;

	(void)context;
	return noise(&state);
}

static const struct pvgpu_client_hooks hooks = {
	hook_doorbell, hook_wait, hook_now, hook_random,
};

/* -------------------------------------------------------------- the rig */

static int sealed(const char *name, uint64_t size, void **ret_at)
{
	int fd = sealed_memfd("rig", name, size);

	must(fd >= 0);
	must(!sealed_map(fd, size, ret_at));
	return fd;
}

/* The GPU is this worker's alone. */
static void make_grants(struct rig *rig)
{
	const struct grant_told told = {
		.grant = { .epoch = 1, .kind = SCHED_GRANT_OPEN,
			   .window = 2 * SCHED_MS, .successor = SCHED_NOBODY },
	};
	struct grant_board *board;
	uint64_t number = 0;

	rig->grants[WORKER_GRANT_PAGE] = sealed("test-page", GRANT_PAGE_SIZE,
						(void **)&rig->page);
	rig->grants[WORKER_GRANT_BOARD] = sealed("test-board", sizeof(*board),
						 (void **)&board);
	munmap(board, sizeof(*board));
	for (int i = WORKER_GRANT_BELL; i < WORKER_GRANT_FDS; i++) {
		rig->grants[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		must(rig->grants[i] >= 0);
	}
	grant_tell(rig->page, &number, &told);
}

void rig_make(struct rig *rig, const struct vgpu_limits *limits)
{
	memset(rig, 0, sizeof(*rig));
	rig->limits = *limits;
	rig->link = -1;
	must(!window_layout(&rig->layout, limits));
	rig->window_fd = sealed("test-window", rig->layout.size,
				      (void **)&rig->window);
	rig->vram = rig->window + rig->layout.vram_offset;
	rig->state_fd = sealed("test-state", 4096,
				     (void **)&rig->state);
	for (uint32_t v = 0; v < WINDOW_VECTORS; v++) {
		rig->doorbells[v] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		rig->vectors[v] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		must(rig->doorbells[v] >= 0 && rig->vectors[v] >= 0);
	}
	make_grants(rig);
	window_write_info(rig->window, &rig->layout, limits);
	rig->hello = (struct pvgpu_hello){
		.guest_os = PVGPU_GUEST_TEST,
		.driver_version = 3 << 16 | 7,
		.features = ~0ull,
		.driver_name = "test driver",
		.os_name = "no os\n",
	};
	must(!pvgpu_client_init(&rig->client, rig->window, rig->layout.size,
				&hooks, rig));
}

void rig_gather_fds(const struct rig *rig, int fds[WORKER_INIT_FDS])
{
	fds[0] = rig->window_fd;
	fds[1] = rig->state_fd;
	memcpy(fds + 2, rig->doorbells, sizeof(rig->doorbells));
	memcpy(fds + 2 + WINDOW_VECTORS, rig->vectors, sizeof(rig->vectors));
	memcpy(fds + WORKER_INIT_GRANTS, rig->grants, sizeof(rig->grants));
}

static struct worker_init init_message(const struct rig *rig)
{
	return (struct worker_init){
		.header = { WORKER_INIT, 77 },
		.version = WORKER_LINK_VERSION,
		.name = "test",
		.limits = rig->limits,
	};
}

void rig_start_inside(struct rig *rig)
{
	struct worker_init init = init_message(rig);
	int fds[WORKER_INIT_FDS], ends[2];

	rig_gather_fds(rig, fds);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 0);
		must(fds[i] >= 0);
	}
	must(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends));
	rig->link = ends[0];
	rig->worker = calloc(1, sizeof(*rig->worker));
	must(rig->worker);
	errno = -worker_init(rig->worker, &init, fds);
	must(!errno);
	must(!worker_watch_link(rig->worker, ends[1]));
	attach_start(rig->worker);
}

void rig_stop_inside(struct rig *rig)
{
	worker_finish(rig->worker);
	free(rig->worker);
	rig->worker = NULL;
	rig->link = close_fd(rig->link);
}

void rig_start_child(struct rig *rig, const char *program)
{
	struct worker_init init = init_message(rig);
	union worker_message message;
	int fds[WORKER_INIT_FDS], ends[2], none[FDPASS_MAX];
	size_t count;

	must(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends));
	rig->child = fork();
	must(rig->child >= 0);
	if (!rig->child) {
		if (ends[1] == WORKER_LINK_FD)
			fcntl(ends[1], F_SETFD, 0);
		else
			dup2(ends[1], WORKER_LINK_FD);
		execl(program, program, "--debug", NULL);
		fprintf(stderr, "%s: %s\n", program, strerror(errno));
		_exit(127);
	}
	close(ends[1]);
	rig->link = ends[0];
	rig_gather_fds(rig, fds);
	must(!worker_link_send(rig->link, &init, fds, ARRAY_SIZE(fds)));
	must(worker_link_receive(rig->link, &message, none, &count) > 0);
	must(message.header.op == WORKER_READY && message.header.cookie == 77);
}

int rig_stop_child(struct rig *rig)
{
	int status = -1;

	rig->link = close_fd(rig->link);
	must(waitpid(rig->child, &status, 0) == rig->child);
	rig->child = 0;
	return status;
}

void rig_drop(struct rig *rig)
{
	munmap(rig->window, rig->layout.size);
	munmap(rig->state, 4096);
	close(rig->window_fd);
	close(rig->state_fd);
	munmap(rig->page, GRANT_PAGE_SIZE);
	for (int i = 0; i < WORKER_GRANT_FDS; i++)
		close(rig->grants[i]);
	for (uint32_t v = 0; v < WINDOW_VECTORS; v++) {
		close(rig->doorbells[v]);
		close(rig->vectors[v]);
	}
}

static bool busy(const struct worker *w)
{
	struct pollfd p[] = {
		{ .fd = w->epoll, .events = POLLIN },
	};

	if (w->present.head || w->present.waiting_count || poll(p, 1, 0) > 0)
		return true;
	if (w->attachment.state == PVGPU_STATE_DETACHED &&
	    w->resources.sweep < w->resources.vram_size)
		return true;
	for (uint32_t i = 0; i < DEFERRED_MAX; i++)
		if (w->deferred[i].used && w->deferred[i].giving)
			return true;
	for (uint32_t i = 0; i < w->limits.channels + 2; i++)
		if (w->queues[i].pending)
			return true;
	return false;
}

void rig_pump(struct rig *rig)
{
	do
		must(!worker_turn(rig->worker, 0));
	while (busy(rig->worker));
}

void rig_up(struct rig *rig)
{
	rig_make(rig, &rig_limits);
	rig_start_inside(rig);
	must(!pvgpu_client_attach(&rig->client, &rig->hello, 1000));
}

void rig_down(struct rig *rig)
{
	rig_stop_inside(rig);
	rig_drop(rig);
}

/* ----------------------------------------------------------- the protocol */

int rig_call(struct rig *rig, void *message, uint32_t length)
{
	struct pvgpu_completion *done = (void *)rig->reply;
	int status;

	memset(rig->reply, 0, sizeof(*done));
	((struct pvgpu_msg *)message)->flags = 0;
	status = pvgpu_client_call(&rig->client, message, length, rig->reply,
				   5000);
	rig->detail = pvgpu_le32_to_cpu(done->detail);
	return status;
}

int rig_create(struct rig *rig, uint32_t name, uint64_t size)
{
	struct pvgpu_resource_create q = {
		.msg.opcode = pvgpu_cpu_to_le16(PVGPU_OP_RESOURCE_CREATE),
		.resource = pvgpu_cpu_to_le32(name),
		.kind = pvgpu_cpu_to_le32(PVGPU_RESOURCE_LINEAR),
		.size = pvgpu_cpu_to_le64(size),
	};

	return rig_call(rig, &q, sizeof(q));
}

int rig_back(struct rig *rig, uint32_t name, const uint64_t *extents,
	     uint32_t count)
{
	struct {
		struct pvgpu_resource_back back;
		struct pvgpu_extent extents[500];
	} q = {
		.back.msg.opcode = pvgpu_cpu_to_le16(PVGPU_OP_RESOURCE_BACK),
		.back.resource = pvgpu_cpu_to_le32(name),
		.back.count = pvgpu_cpu_to_le32(count),
	};

	must(count <= ARRAY_SIZE(q.extents));
	for (uint32_t i = 0; i < count; i++) {
		q.extents[i].offset = pvgpu_cpu_to_le64(extents[2 * i]);
		q.extents[i].length = pvgpu_cpu_to_le64(extents[2 * i + 1]);
	}
	return rig_call(rig, &q, (uint32_t)(sizeof(q.back) +
					    count * sizeof(q.extents[0])));
}

int rig_destroy(struct rig *rig, uint32_t name)
{
	struct pvgpu_resource_destroy q = {
		.msg.opcode = pvgpu_cpu_to_le16(PVGPU_OP_RESOURCE_DESTROY),
		.resource = pvgpu_cpu_to_le32(name),
	};

	return rig_call(rig, &q, sizeof(q));
}

void rig_resource(struct rig *rig, uint32_t name, uint64_t offset,
		  uint64_t size)
{
	uint64_t extent[2] = { offset, pvgpu_linear_extent(size) };

	must(!rig_create(rig, name, size));
	must(!rig_back(rig, name, extent, 1));
}

int rig_open(struct rig *rig, uint32_t channel)
{
	struct pvgpu_channel_open q = {
		.msg.opcode = pvgpu_cpu_to_le16(PVGPU_OP_CHANNEL_OPEN),
		.channel = pvgpu_cpu_to_le32(channel),
		.channel_class = pvgpu_cpu_to_le32(PVGPU_CHANNEL_COPY),
	};

	return rig_call(rig, &q, sizeof(q));
}

int rig_close(struct rig *rig, uint32_t channel)
{
	struct pvgpu_channel_close q = {
		.msg.opcode = pvgpu_cpu_to_le16(PVGPU_OP_CHANNEL_CLOSE),
		.channel = pvgpu_cpu_to_le32(channel),
	};

	return rig_call(rig, &q, sizeof(q));
}

/* One answer of the worker on the link, and the fd beside it or -1. */
static void ask(struct rig *rig, const void *request,
		union worker_message *answer, int *ret_fd)
{
	int fds[FDPASS_MAX];
	size_t count = 0;

	must(!worker_link_send(rig->link, request, NULL, 0));
	if (rig->worker)
		rig_pump(rig);
	must(worker_link_receive(rig->link, answer, fds, &count) > 0);
	*ret_fd = count ? fds[0] : -1;
}

struct worker_screenshot_done rig_screenshot(struct rig *rig, uint32_t head,
					     uint32_t **ret_pixels)
{
	struct worker_screenshot request = {
		.header = { WORKER_SCREENSHOT, 4711 }, .head = head,
	};
	struct worker_screenshot_done *done;
	union worker_message answer;
	int fd;

	ask(rig, &request, &answer, &fd);
	done = &answer.screenshot_done;
	must(done->header.op == WORKER_SCREENSHOT_DONE);
	must(done->header.cookie == 4711);
	must(!done->error == (fd >= 0));
	*ret_pixels = NULL;
	if (fd >= 0) {
		must(fcntl(fd, F_GET_SEALS) == (F_SEAL_SHRINK | F_SEAL_GROW |
						F_SEAL_WRITE | F_SEAL_SEAL));
		*ret_pixels = mmap(NULL, (size_t)done->stride * done->height,
				   PROT_READ, MAP_SHARED, fd, 0);
		must(*ret_pixels != MAP_FAILED);
		close(fd);
	}
	return *done;
}

struct worker_query_done rig_query(struct rig *rig)
{
	struct worker_query request = { { WORKER_QUERY, 9 } };
	union worker_message answer;
	int fd;

	ask(rig, &request, &answer, &fd);
	must(answer.header.op == WORKER_QUERY_DONE);
	return answer.query_done;
}

/* ---------------------------------------------------------------- commits */

struct pvgpu_commit_head *commit_head(struct rig_commit *c, uint32_t head,
				      uint32_t width, uint32_t height)
{
	struct pvgpu_commit_head *h = &c->heads[c->head_count++];
	uint32_t htotal = width + 160, vtotal = height + 40;

	memset(h, 0, sizeof(*h));
	h->head = pvgpu_cpu_to_le32(head);
	c->commit.heads |= pvgpu_cpu_to_le32(1u << head % 32);
	if (!width)
		return h;
	h->flags = pvgpu_cpu_to_le32(PVGPU_COMMIT_HEAD_ACTIVE |
				     PVGPU_COMMIT_HEAD_MODE);
	h->frame = pvgpu_cpu_to_le64(1000 + c->head_count);
	h->mode = (struct pvgpu_mode){
		.clock = pvgpu_cpu_to_le32(htotal * vtotal * 60 / 1000),
		.hdisplay = pvgpu_cpu_to_le16((uint16_t)width),
		.hsync_start = pvgpu_cpu_to_le16((uint16_t)(width + 48)),
		.hsync_end = pvgpu_cpu_to_le16((uint16_t)(width + 80)),
		.htotal = pvgpu_cpu_to_le16((uint16_t)htotal),
		.vdisplay = pvgpu_cpu_to_le16((uint16_t)height),
		.vsync_start = pvgpu_cpu_to_le16((uint16_t)(height + 3)),
		.vsync_end = pvgpu_cpu_to_le16((uint16_t)(height + 9)),
		.vtotal = pvgpu_cpu_to_le16((uint16_t)vtotal),
	};
	return h;
}

struct pvgpu_commit_plane *commit_plane(struct rig_commit *c, uint32_t head,
					uint32_t plane, uint32_t resource,
					uint32_t format, uint32_t width,
					uint32_t height, int32_t x, int32_t y)
{
	struct pvgpu_commit_plane *p = &c->planes[c->plane_count++];

	*p = (struct pvgpu_commit_plane){
		.head = pvgpu_cpu_to_le32(head),
		.plane = pvgpu_cpu_to_le32(plane),
		.resource = pvgpu_cpu_to_le32(resource),
		.format = pvgpu_cpu_to_le32(format),
		.stride = pvgpu_cpu_to_le32(width *
					    pvgpu_format_bytes(format)),
		.width = pvgpu_cpu_to_le32(width),
		.height = pvgpu_cpu_to_le32(height),
		.src_w = pvgpu_cpu_to_le32(width << 16),
		.src_h = pvgpu_cpu_to_le32(height << 16),
		.dst_x = pvgpu_cpu_to_le32((uint32_t)x),
		.dst_y = pvgpu_cpu_to_le32((uint32_t)y),
		.dst_w = pvgpu_cpu_to_le32(width),
		.dst_h = pvgpu_cpu_to_le32(height),
		.alpha = pvgpu_cpu_to_le16(0xffff),
		.blend = pvgpu_cpu_to_le16(plane ? PVGPU_BLEND_PREMULTIPLIED :
						   PVGPU_BLEND_NONE),
	};
	return p;
}

static uint8_t *append(uint8_t *to, const void *from, size_t size)
{
	memcpy(to, from, size);
	return to + size;
}

int rig_commit(struct rig *rig, const struct rig_commit *c)
{
	uint64_t message[PVGPU_MESSAGE_MAX / 8] = { 0 };
	struct pvgpu_commit *q = (void *)message;
	uint8_t *at = (uint8_t *)message;

	must(sizeof(*q) + c->head_count * sizeof(c->heads[0]) +
	     c->plane_count * sizeof(c->planes[0]) +
	     c->clip_count * sizeof(c->clips[0]) + 64 <= sizeof(message));
	at = append(at, &c->commit, sizeof(c->commit));
	at = append(at, c->heads, c->head_count * sizeof(c->heads[0]));
	at = append(at, c->planes, c->plane_count * sizeof(c->planes[0]));
	at = append(at, c->clips, c->clip_count * sizeof(c->clips[0]));
	q->msg.opcode = pvgpu_cpu_to_le16(PVGPU_OP_COMMIT);
	q->head_count = pvgpu_cpu_to_le32(c->head_count);
	q->plane_count = pvgpu_cpu_to_le32(c->plane_count);
	q->clip_count = pvgpu_cpu_to_le32(c->clip_count);
	return rig_call(rig, message, (uint32_t)(at - (uint8_t *)message +
						 c->extra));
}
