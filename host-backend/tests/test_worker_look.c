// SPDX-License-Identifier: MIT
/*
 * Looking at heads that show surfaces: what is read back, and what the guest
 * does in the meantime. The renderer is a real one; that it is not done yet is
 * made sure of by not listening to it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include <sys/mman.h>

#include "support_worker.h"
#include "worker/link.h"

#define CONTEXT		1u
#define CHANNEL		1u
#define WIDTH		640u
#define HEIGHT		480u
#define BYTES		(WIDTH * HEIGHT * 4)
#define RED		0xffff0000u
#define BLUE		0xff0000ffu

static uint64_t fence;
static uint32_t cookie;			/* of the last picture that came */

static int call(struct rig *rig, uint16_t opcode, void *message,
		uint32_t length)
{
	struct pvgpu_msg *msg = message;

	msg->opcode = pvgpu_cpu_to_le16(opcode);
	return rig_call(rig, message, length);
}

static void up(struct rig *rig)
{
	struct vgpu_limits limits = rig_limits;
	struct pvgpu_context_create context = {
		.context = pvgpu_cpu_to_le32(CONTEXT),
		.capset = pvgpu_cpu_to_le32(PVGPU_CAPSET_VIRGL2),
	};
	struct pvgpu_channel_open open = {
		.channel = pvgpu_cpu_to_le32(CHANNEL),
		.channel_class = pvgpu_cpu_to_le32(PVGPU_CHANNEL_VIRGL),
	};

	limits.classes |= 1u << PVGPU_CHANNEL_VIRGL;
	limits.device_budget = 64 << 20;
	fence = 0;
	cookie = 0;
	rig_make(rig, &limits);
	rig_start_inside(rig);
	rig->hello.features |= PVGPU_FEATURE_VIRGL;
	assert_false(pvgpu_client_attach(&rig->client, &rig->hello, 1000));
	assert_false(call(rig, PVGPU_OP_CONTEXT_CREATE, &context,
			  sizeof(context)));
	assert_false(call(rig, PVGPU_OP_CHANNEL_OPEN, &open, sizeof(open)));
}

/* A surface of one colour; VRAM at its name's place carries it there. */
static void surface(struct rig *rig, uint32_t name, uint32_t colour)
{
	struct pvgpu_resource_create q = {
		.resource = pvgpu_cpu_to_le32(name),
		.kind = pvgpu_cpu_to_le32(PVGPU_RESOURCE_SURFACE),
		.size = pvgpu_cpu_to_le64(BYTES),
		.format = pvgpu_cpu_to_le32(1),
		.width = pvgpu_cpu_to_le32(WIDTH),
		.height = pvgpu_cpu_to_le32(HEIGHT),
		.depth = pvgpu_cpu_to_le32(1),
		.layers = pvgpu_cpu_to_le32(1),
		.levels = pvgpu_cpu_to_le32(1),
		.samples = pvgpu_cpu_to_le32(1),
		.bind = pvgpu_cpu_to_le32(1 << 1 | 1 << 3),
		.target = pvgpu_cpu_to_le32(PVGPU_TARGET_2D),
		.context = pvgpu_cpu_to_le32(CONTEXT),
	};
	struct pvgpu_virgl_transfer t = {
		.submit.msg.opcode =
			pvgpu_cpu_to_le16(PVGPU_OP_VIRGL_TRANSFER_TO),
		.submit.fence = pvgpu_cpu_to_le64(++fence),
		.context = pvgpu_cpu_to_le32(CONTEXT),
		.resource = pvgpu_cpu_to_le32(name),
		.width = pvgpu_cpu_to_le32(WIDTH),
		.height = pvgpu_cpu_to_le32(HEIGHT),
		.depth = pvgpu_cpu_to_le32(1),
	};
	uint64_t extent[] = { (uint64_t)name << 21, BYTES };
	uint32_t *pixels = (void *)(rig->vram + extent[0]), flags;

	for (uint32_t i = 0; i < WIDTH * HEIGHT; i++)
		pixels[i] = colour;
	assert_false(call(rig, PVGPU_OP_RESOURCE_CREATE, &q, sizeof(q)));
	assert_false(rig_back(rig, name, extent, 1));
	assert_false(pvgpu_client_send(&rig->client, CHANNEL, &t, sizeof(t)));
	pvgpu_client_flush(&rig->client, CHANNEL);
	assert_false(pvgpu_client_fence_wait(&rig->client, CHANNEL, fence,
					     20000));
	pvgpu_client_fence(&rig->client, CHANNEL, &flags);
	assert_false(flags);
}

/* A message of its whole length; a commit that shows `name` on head 0. */
static uint32_t show_message(uint64_t *message, uint32_t name)
{
	struct rig_commit c = { 0 };
	struct pvgpu_commit *q = (void *)message;
	struct pvgpu_commit_plane *p;

	commit_head(&c, 0, WIDTH, HEIGHT);
	p = commit_plane(&c, 0, 0, name, PVGPU_FORMAT_XRGB8888, WIDTH, HEIGHT,
			 0, 0);
	p->stride = 0;
	*q = c.commit;
	q->msg.opcode = pvgpu_cpu_to_le16(PVGPU_OP_COMMIT);
	q->head_count = q->plane_count = pvgpu_cpu_to_le32(1);
	memcpy(q + 1, c.heads, sizeof(c.heads[0]));
	memcpy((uint8_t *)(q + 1) + sizeof(c.heads[0]), p, sizeof(*p));
	return sizeof(*q) + sizeof(c.heads[0]) + sizeof(*p);
}

static void show(struct rig *rig, uint32_t name)
{
	uint64_t message[64];

	assert_false(rig_call(rig, message, show_message(message, name)));
}

/* Sends a request and has the worker look at it, and at nothing else. */
static void send(struct rig *rig, void *message, uint32_t length)
{
	assert_false(pvgpu_client_send(&rig->client, 0, message, length));
	pvgpu_client_flush(&rig->client, 0);
	control_slice(rig->worker);
}

/* The next completion's opcode and status; 0: there is none. */
static uint32_t answer(struct rig *rig, uint32_t *ret_status)
{
	struct pvgpu_completion *done = (void *)rig->reply;

	if (pvgpu_client_take(&rig->client, 0, rig->reply) <= 0)
		return 0;
	*ret_status = pvgpu_le32_to_cpu(done->status);
	return pvgpu_le16_to_cpu(done->msg.opcode);
}

/* What the worker says of the picture in the end; every pixel is this. */
static void expect_picture(struct rig *rig, int error, uint32_t colour)
{
	union worker_message message = { 0 };
	int fds[FDPASS_MAX];
	size_t count = 0;
	uint32_t *pixels;

	assert_true(worker_link_receive(rig->link, &message, fds, &count) > 0);
	assert_int_equal(message.header.op, WORKER_SCREENSHOT_DONE);
	assert_int_equal(message.screenshot_done.error, error);
	assert_int_equal(message.header.cookie, ++cookie);
	assert_int_equal(count, !error);
	if (error)
		return;
	pixels = mmap(NULL, BYTES, PROT_READ, MAP_SHARED, fds[0], 0);
	assert_ptr_not_equal(pixels, MAP_FAILED);
	for (uint32_t i = 0; i < WIDTH * HEIGHT; i++)
		assert_int_equal(pixels[i], colour);
	munmap(pixels, BYTES);
	close(fds[0]);
}

static void test_picture(void **state)
{
	uint32_t *pixels;
	struct rig rig;

	(void)state;
	up(&rig);
	surface(&rig, 1, RED);
	surface(&rig, 2, BLUE);
	for (uint32_t i = 0; i < 4; i++) {
		show(&rig, 1 + i % 2);
		rig_screenshot(&rig, 0, &pixels);
		assert_int_equal(pixels[0], i % 2 ? BLUE : RED);
		assert_int_equal(pixels[WIDTH * HEIGHT - 1],
				 i % 2 ? BLUE : RED);
		munmap(pixels, BYTES);
	}
	rig_down(&rig);
}

/* A commit in the middle of it: latched at once, answered when the picture of
 * what was there before is made, and overtaken by others. */
static void test_commit_meanwhile(void **state)
{
	struct pvgpu_resource_destroy destroy = {
		.msg.opcode = pvgpu_cpu_to_le16(PVGPU_OP_RESOURCE_DESTROY),
		.resource = pvgpu_cpu_to_le32(1),
	};
	struct pvgpu_ping ping = {
		.msg.opcode = pvgpu_cpu_to_le16(PVGPU_OP_PING),
	};
	uint32_t status = 0;
	uint64_t message[64];
	struct rig rig;

	(void)state;
	up(&rig);
	surface(&rig, 1, RED);
	surface(&rig, 2, BLUE);
	show(&rig, 1);
	present_begin(rig.worker, 0, 1);
	assert_int_equal(rig.worker->present.reading, 1);

	send(&rig, message, show_message(message, 2));
	assert_int_equal(rig.worker->heads.head[0].now.planes[0].resource->name,
			 2);
	assert_int_equal(answer(&rig, &status), 0);
	send(&rig, &destroy, sizeof(destroy));
	assert_int_equal(answer(&rig, &status), 0);
	send(&rig, &ping, sizeof(ping));
	assert_int_equal(answer(&rig, &status), PVGPU_OP_PING);

	rig_pump(&rig);
	expect_picture(&rig, 0, RED);
	assert_int_equal(answer(&rig, &status), PVGPU_OP_COMMIT);
	assert_int_equal(status, PVGPU_STATUS_OK);
	while (rig.worker->deferred_count)
		worker_turn(rig.worker, 1000);
	assert_int_equal(answer(&rig, &status), PVGPU_OP_RESOURCE_DESTROY);
	assert_int_equal(status, PVGPU_STATUS_OK);
	assert_int_equal(rig.worker->resources.count, 1);
	rig_down(&rig);
}

/* As many commits as may wait, and one more, which the queue then holds. */
static void test_many_commits(void **state)
{
	uint32_t status = 0, n;
	uint64_t message[64];
	struct rig rig;

	(void)state;
	up(&rig);
	surface(&rig, 1, RED);
	surface(&rig, 2, BLUE);
	show(&rig, 1);
	present_begin(rig.worker, 0, 1);
	for (n = 0; n <= DEFERRED_MAX; n++)
		send(&rig, message, show_message(message, 1 + n % 2));
	assert_int_equal(rig.worker->deferred_count, DEFERRED_MAX);
	assert_true(rig.worker->control_held);
	assert_int_equal(answer(&rig, &status), 0);
	rig_pump(&rig);
	expect_picture(&rig, 0, RED);
	for (n = 0; n <= DEFERRED_MAX; n++) {
		assert_int_equal(answer(&rig, &status), PVGPU_OP_COMMIT);
		assert_int_equal(status, PVGPU_STATUS_OK);
	}
	assert_int_equal(answer(&rig, &status), 0);
	rig_down(&rig);
}

/* Whoever else looks, waits; whoever asks, is answered meanwhile. */
static void test_many_viewers(void **state)
{
	struct worker_query query = { { WORKER_QUERY, 9 } };
	union worker_message message;
	int fds[FDPASS_MAX];
	size_t count = 0;
	struct rig rig;

	(void)state;
	up(&rig);
	surface(&rig, 1, RED);
	show(&rig, 1);
	for (uint32_t i = 1; i <= PRESENT_WAITING + 1; i++) {
		assert_true(present_has_room(&rig.worker->present));
		present_begin(rig.worker, i == 2, i);
	}
	assert_false(present_has_room(&rig.worker->present));
	assert_false(worker_link_send(rig.link, &query, NULL, 0));
	assert_false(link_serve(rig.worker));
	assert_true(worker_link_receive(rig.link, &message, fds, &count) > 0);
	assert_int_equal(message.header.op, WORKER_QUERY_DONE);
	rig_pump(&rig);
	for (uint32_t i = 1; i <= PRESENT_WAITING + 1; i++)
		expect_picture(&rig, i == 2 ? ENODATA : 0, RED);
	assert_true(present_has_room(&rig.worker->present));
	rig_down(&rig);
}

/* The next guest comes in the middle of it, or the ring breaks. */
static void test_ends_meanwhile(void **state)
{
	uint64_t message[64];
	struct rig rig;

	(void)state;
	up(&rig);
	surface(&rig, 1, RED);
	surface(&rig, 2, BLUE);
	show(&rig, 1);
	present_begin(rig.worker, 0, 1);
	send(&rig, message, show_message(message, 2));
	attach_broken(rig.worker, 1);
	rig_pump(&rig);
	expect_picture(&rig, 0, RED);
	present_begin(rig.worker, 0, 2);
	assert_false(pvgpu_client_attach(&rig.client, &rig.hello, 1000));
	expect_picture(&rig, ENODATA, 0);
	rig_pump(&rig);
	assert_int_equal(rig.worker->deferred_count, 0);
	assert_int_equal(rig.worker->ledger.device.used, 0);
	rig_down(&rig);
}

/* What the renderer cannot make is black, and so is what lies beside it. */
static void test_hollow(void **state)
{
	struct pvgpu_resource_create q = {
		.resource = pvgpu_cpu_to_le32(9),
		.kind = pvgpu_cpu_to_le32(PVGPU_RESOURCE_SURFACE),
		.format = pvgpu_cpu_to_le32(1),
		.width = pvgpu_cpu_to_le32(WIDTH),
		.height = pvgpu_cpu_to_le32(HEIGHT),
		.depth = pvgpu_cpu_to_le32(1),
		.layers = pvgpu_cpu_to_le32(1),
		.levels = pvgpu_cpu_to_le32(1),
		.samples = pvgpu_cpu_to_le32(1),
		.bind = pvgpu_cpu_to_le32(1u << 31),
		.target = pvgpu_cpu_to_le32(PVGPU_TARGET_2D),
	};
	struct rig_commit c = { 0 };
	uint32_t *pixels;
	struct rig rig;

	(void)state;
	up(&rig);
	assert_false(call(&rig, PVGPU_OP_RESOURCE_CREATE, &q, sizeof(q)));
	show(&rig, 9);
	rig_screenshot(&rig, 0, &pixels);
	assert_int_equal(pixels[4711], 0xff000000);
	munmap(pixels, BYTES);
	/* A plane that lies mostly outside: only what is seen is read. */
	surface(&rig, 1, RED);
	commit_head(&c, 0, WIDTH, HEIGHT);
	commit_plane(&c, 0, 0, 1, PVGPU_FORMAT_XRGB8888, WIDTH, HEIGHT,
		     -600, 470)->stride = 0;
	assert_false(rig_commit(&rig, &c));
	rig_screenshot(&rig, 0, &pixels);
	assert_int_equal(pixels[470 * WIDTH], RED);
	assert_int_equal(pixels[479 * WIDTH + 39], RED);
	assert_int_equal(pixels[470 * WIDTH + 40], 0xff000000);
	assert_int_equal(pixels[469 * WIDTH], 0xff000000);
	munmap(pixels, BYTES);
	rig_down(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_picture),
		cmocka_unit_test(test_commit_meanwhile),
		cmocka_unit_test(test_many_commits),
		cmocka_unit_test(test_many_viewers),
		cmocka_unit_test(test_ends_meanwhile),
		cmocka_unit_test(test_hollow),
	};

	rig_keep_mesa();
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("worker look", tests, NULL, NULL);
}
