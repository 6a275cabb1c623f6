// SPDX-License-Identifier: MIT
/*
 * Hostile guests, of fixed seeds: plausible messages with wild fields, noise
 * in rings and blocks, bytes that change while they are read. Whatever comes,
 * the worker (ASan, UBSan) lives, keeps its books, and serves the next guest.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "support_worker.h"

static const uint32_t wild[] = {
	0, 1, 2, 3, 4, 5, 7, 8, 16, 31, 32, 63, 64, 65, 100, 255, 256, 640,
	1023, 1024, 1280, 1920, 1921, 2048, 4095, 4096, 4097, 8192, 65535,
	65536, 1 << 20, 1 << 24, (1 << 26) - 4096, 1 << 26, 0x7fffffff,
	0x80000000, 0xfffff000, 0xffffffff, PVGPU_FORMAT_XRGB8888,
	PVGPU_FORMAT_ARGB8888, PVGPU_FORMAT_RGB565,
};

static uint32_t any(uint64_t *seed)
{
	return noise(seed) % 16 ? wild[noise(seed) % ARRAY_SIZE(wild)] :
	       (uint32_t)noise(seed);
}

static uint32_t small(uint64_t *seed, uint32_t below)
{
	return noise(seed) % 20 ? (uint32_t)(noise(seed) % below) : any(seed);
}

/* ------------------------------------------------- messages that may be */

struct message {
	union {
		struct pvgpu_msg msg;
		uint64_t words[PVGPU_MESSAGE_MAX / 8];
		struct pvgpu_resource_create create;
		struct pvgpu_resource_back back;
		struct pvgpu_resource_destroy destroy;
		struct pvgpu_channel_open open;
		struct pvgpu_channel_close close;
		struct pvgpu_commit commit;
		struct pvgpu_submit submit;
		struct pvgpu_copy_rect rect;
		struct pvgpu_copy_fill fill;
	};
	uint32_t length;
};

static const uint32_t formats[] = {
	PVGPU_FORMAT_XRGB8888, PVGPU_FORMAT_XRGB8888, PVGPU_FORMAT_ARGB8888,
	PVGPU_FORMAT_RGB565, PVGPU_FORMAT_ARGB2101010, PVGPU_FORMAT_NV12,
};

static void make_commit(struct message *m, uint64_t *seed)
{
	uint32_t heads = (uint32_t)(noise(seed) % 3);
	uint32_t planes = (uint32_t)(noise(seed) % 4);
	uint32_t clips = (uint32_t)(noise(seed) % 3);
	struct rig_commit c = { 0 };
	uint8_t *at = (uint8_t *)m->words;

	for (uint32_t i = 0; i < heads; i++)
		commit_head(&c, noise(seed) % 9 ? i : small(seed, 2),
			    small(seed, 2) ? 400 + small(seed, 1500) % 2000 : 0,
			    1 + small(seed, 1200) % 1300);
	for (uint32_t i = 0; i < planes; i++) {
		struct pvgpu_commit_plane *p = commit_plane(&c,
			noise(seed) % 9 ? i / 2 : small(seed, 2),
			noise(seed) % 9 ? i % WINDOW_PLANES : small(seed, 4),
			small(seed, 10),
			noise(seed) % 9 ? formats[noise(seed) %
						  ARRAY_SIZE(formats)] :
					  any(seed),
			1 + small(seed, 64), 1 + small(seed, 64),
			(int32_t)small(seed, 2000), (int32_t)small(seed, 900));

		if (!(noise(seed) % 4))
			p->offset = pvgpu_cpu_to_le64(small(seed, 100000));
		if (!(noise(seed) % 4))
			p->stride = pvgpu_cpu_to_le32(small(seed, 8192));
		if (!(noise(seed) % 3))
			p->transform = pvgpu_cpu_to_le32(small(seed, 15));
		if (!(noise(seed) % 3)) {
			p->dst_w = pvgpu_cpu_to_le32(1 + small(seed, 128));
			p->dst_h = pvgpu_cpu_to_le32(1 + small(seed, 128));
		}
		if (!(noise(seed) % 3))
			p->z = pvgpu_cpu_to_le32(small(seed, 3));
		p->blend = pvgpu_cpu_to_le16((uint16_t)(noise(seed) % 3));
		if (p->format == pvgpu_cpu_to_le32(PVGPU_FORMAT_NV12)) {
			p->chroma_stride = pvgpu_cpu_to_le32(
				66 + small(seed, 100));
			p->chroma_offset = pvgpu_cpu_to_le64(
				small(seed, 8192));
			p->ycbcr = pvgpu_cpu_to_le32(small(seed, 3));
		}
		p->clips = pvgpu_cpu_to_le32(noise(seed) % 9 ? 0 :
					     small(seed, 3));
	}
	for (uint32_t i = 0; i < clips; i++)
		c.clips[i] = (struct pvgpu_rect){ any(seed), any(seed),
						  any(seed), any(seed) };
	c.commit.head_count = pvgpu_cpu_to_le32(heads);
	c.commit.plane_count = pvgpu_cpu_to_le32(planes);
	c.commit.clip_count = pvgpu_cpu_to_le32(clips);
	memcpy(at, &c.commit, sizeof(c.commit));
	at += sizeof(c.commit);
	memcpy(at, c.heads, heads * sizeof(c.heads[0]));
	at += heads * sizeof(c.heads[0]);
	memcpy(at, c.planes, planes * sizeof(c.planes[0]));
	at += planes * sizeof(c.planes[0]);
	memcpy(at, c.clips, clips * sizeof(c.clips[0]));
	at += clips * sizeof(c.clips[0]);
	m->length = (uint32_t)(at - (uint8_t *)m->words);
	m->msg.opcode = pvgpu_cpu_to_le16(PVGPU_OP_COMMIT);
}

static void make_back(struct message *m, uint64_t *seed)
{
	uint32_t count = 1 + (uint32_t)(noise(seed) % 30);
	struct pvgpu_extent *e = (void *)(&m->back + 1);

	m->back.resource = pvgpu_cpu_to_le32(small(seed, 10));
	m->back.count = pvgpu_cpu_to_le32(noise(seed) % 20 ? count :
					  any(seed));
	for (uint32_t i = 0; i < count; i++) {
		e[i].offset = pvgpu_cpu_to_le64((uint64_t)small(seed, 16384) *
						4096);
		e[i].length = pvgpu_cpu_to_le64((uint64_t)
			(1 + small(seed, 60)) * 4096);
	}
	m->length = (uint32_t)(sizeof(m->back) + count * sizeof(*e));
	m->msg.opcode = pvgpu_cpu_to_le16(PVGPU_OP_RESOURCE_BACK);
}

static void make_control(struct message *m, uint64_t *seed)
{
	static const uint16_t fixed[] = {
		PVGPU_OP_PING, PVGPU_OP_HEAD_QUERY, PVGPU_OP_HEAD_EDID,
		PVGPU_OP_RESOURCE_CREATE, PVGPU_OP_RESOURCE_DESTROY,
		PVGPU_OP_CHANNEL_OPEN, PVGPU_OP_CHANNEL_CLOSE, 0x7777,
	};
	static const uint8_t sizes[] = { 24, 24, 32, 80, 24, 32, 24, 64 };
	uint32_t kind = (uint32_t)(noise(seed) % 16);

	memset(m, 0, sizeof(*m));
	if (kind < 3) {
		make_commit(m, seed);
	} else if (kind < 6) {
		make_back(m, seed);
	} else {
		kind = kind < 9 ? 3 : kind % ARRAY_SIZE(fixed);
		m->length = sizes[kind];
		m->msg.opcode = pvgpu_cpu_to_le16(fixed[kind]);
		for (uint32_t i = 4; i < 8; i++)
			((uint32_t *)m->words)[i] = small(seed, 4);
		if (fixed[kind] == PVGPU_OP_RESOURCE_CREATE) {
			m->create.resource = pvgpu_cpu_to_le32(small(seed, 10));
			m->create.kind = pvgpu_cpu_to_le32(1);
			m->create.size = pvgpu_cpu_to_le64(1 +
							   small(seed, 600000));
		}
		if (fixed[kind] == PVGPU_OP_RESOURCE_DESTROY)
			m->destroy.resource =
				pvgpu_cpu_to_le32(small(seed, 10));
		if (fixed[kind] == PVGPU_OP_CHANNEL_OPEN) {
			m->open.channel_class = pvgpu_cpu_to_le32(1);
			m->open.priority = m->open.reserved = 0;
		}
		if (fixed[kind] == PVGPU_OP_RESOURCE_DESTROY ||
		    fixed[kind] == PVGPU_OP_CHANNEL_CLOSE)
			m->close.reserved = 0;
	}
}

static uint64_t next_fence;

static void make_batch(struct message *m, uint64_t *seed)
{
	memset(m, 0, sizeof(*m));
	m->submit.fence = pvgpu_cpu_to_le64(noise(seed) % 50 ? ++next_fence :
					    any(seed));
	m->msg.flags = pvgpu_cpu_to_le16(noise(seed) % 4 == 0);
	switch (noise(seed) % 4) {
	case 0:
		m->msg.opcode = pvgpu_cpu_to_le16(PVGPU_OP_COPY_NOP);
		m->length = sizeof(m->submit);
		break;
	case 1:
		m->msg.opcode = pvgpu_cpu_to_le16(PVGPU_OP_COPY_FILL);
		m->length = sizeof(m->fill);
		m->fill.dst.resource = pvgpu_cpu_to_le32(small(seed, 10));
		m->fill.dst.stride = pvgpu_cpu_to_le32(small(seed, 5000));
		m->fill.dst.offset = pvgpu_cpu_to_le64(small(seed, 90000));
		m->fill.row_bytes = pvgpu_cpu_to_le32(4 * small(seed, 500));
		m->fill.height = pvgpu_cpu_to_le32(small(seed, 100));
		m->fill.unit = pvgpu_cpu_to_le32(noise(seed) % 9 ? 4 :
						 any(seed));
		break;
	default:
		m->msg.opcode = pvgpu_cpu_to_le16(PVGPU_OP_COPY_RECT);
		m->length = sizeof(m->rect);
		m->rect.src.resource = pvgpu_cpu_to_le32(small(seed, 10));
		m->rect.src.stride = pvgpu_cpu_to_le32(small(seed, 5000));
		m->rect.src.offset = pvgpu_cpu_to_le64(small(seed, 90000));
		m->rect.dst = m->rect.src;
		if (noise(seed) % 2)
			m->rect.dst.resource =
				pvgpu_cpu_to_le32(small(seed, 10));
		m->rect.dst.offset = pvgpu_cpu_to_le64(small(seed, 90000));
		m->rect.row_bytes = pvgpu_cpu_to_le32(small(seed, 3000));
		m->rect.height = pvgpu_cpu_to_le32(small(seed, 100));
	}
}

static void send(struct rig *rig, uint32_t queue, struct message *m,
		 uint64_t *seed)
{
	uint32_t length = m->length;

	if (!(noise(seed) % 30))	/* a byte of it is something else */
		((uint8_t *)m->words)[16 + noise(seed) % (length - 15)] =
			(uint8_t)noise(seed);
	if (!(noise(seed) % 60))
		length = 16 + (uint32_t)(noise(seed) % 30) * 8;
	if (pvgpu_client_send(&rig->client, queue, m->words, length))
		return;		/* full, or lost: the next attach helps */
	pvgpu_client_flush(&rig->client, queue);
}

static void drain(struct rig *rig)
{
	for (uint32_t q = 0; q < rig->limits.channels + 2; q++)
		while (pvgpu_client_take(&rig->client, q, rig->reply) > 0)
			;
}

static void attach(struct rig *rig)
{
	assert_int_equal(pvgpu_client_attach(&rig->client, &rig->hello, 20000),
			 0);
}

/* What an orderly guest needs, after everything. */
static void serves(struct rig *rig)
{
	struct worker_screenshot_done done;
	struct rig_commit c = { 0 };
	uint32_t *pixels;
	struct worker_query_done q;

	attach(rig);
	q = rig_query(rig);
	assert_int_equal(q.state, PVGPU_STATE_ATTACHED);
	assert_int_equal(q.resources, 0);
	assert_int_equal(q.channels, 0);
	assert_true(q.window_used == 0 && q.device_used == 0);
	assert_true(q.window_peak <= rig->limits.framebuffer);
	rig_resource(rig, 3, 4096, 640 * 480 * 4);
	commit_head(&c, 1, 640, 480);
	commit_plane(&c, 1, 0, 3, PVGPU_FORMAT_XRGB8888, 640, 480, 0, 0);
	assert_int_equal(rig_commit(rig, &c), 0);
	memset(rig->vram + 4096, 0x42, 640 * 480 * 4);
	done = rig_screenshot(rig, 1, &pixels);
	assert_int_equal(done.error, 0);
	for (uint32_t i = 0; i < 640 * 480; i++)
		assert_int_equal(pixels[i], 0xff424242);
	munmap(pixels, 640 * 480 * 4);
}

/* Everything that it has charged belongs to a resource that is there. */
static void books_balance(const struct worker *w)
{
	uint64_t sum = 0;
	uint32_t count = 0;

	for (uint32_t i = 0; i < 1u << w->resources.bits; i++)
		for (const struct resource *r = w->resources.buckets[i]; r;
		     r = r->next) {
			uint32_t shown = 0;

			sum += r->backed;
			count++;
			for (uint32_t h = 0; h < w->heads.count; h++)
				for (uint32_t p = 0; p < WINDOW_PLANES; p++)
					shown += w->heads.head[h].now.planes[p]
							 .resource == r;
			assert_int_equal(r->shown, shown);
		}
	assert_int_equal(count, w->resources.count);
	assert_true(sum == w->ledger.window.used);
	assert_true(sum <= w->layout.vram_size);
}

/* ----------------------------------------------------------------- tests */

static void test_plausible(void **state)
{
	uint64_t seed = 0xfeedface12345;
	struct message *m = malloc(sizeof(*m));
	struct worker_query_done q;
	uint32_t attaches = 0;
	struct rig rig;

	(void)state;
	rig_up(&rig);
	next_fence = 0;
	for (uint32_t n = 0; n < 300000; n++) {
		if (!pvgpu_client_attached(&rig.client) ||
		    !(noise(&seed) % 2000)) {
			attach(&rig);
			attaches++;
		}
		if (noise(&seed) % 2) {
			make_control(m, &seed);
			send(&rig, 0, m, &seed);
		} else {
			make_batch(m, &seed);
			send(&rig, 1 + (uint32_t)(noise(&seed) % 3), m, &seed);
		}
		if (!(noise(&seed) % 4))
			assert_int_equal(worker_turn(rig.worker, 0), 0);
		if (!(noise(&seed) % 32)) {
			rig_pump(&rig);
			drain(&rig);
			books_balance(rig.worker);
		}
		if (!(noise(&seed) % 3000)) {
			uint32_t *pixels;
			struct worker_screenshot_done done =
				rig_screenshot(&rig, n % 3, &pixels);

			if (pixels)
				munmap(pixels, (size_t)done.stride *
					       done.height);
		}
	}
	q = rig_query(&rig);
	/* It was no walk through refusals only. */
	assert_true(q.messages > 50000);
	assert_in_range(q.refused, q.messages / 10, q.messages * 9 / 10);
	assert_true(q.batches > 50000);
	assert_true(q.heads[0].frames > 50);
	assert_true(attaches < 30000);
	serves(&rig);
	rig_down(&rig);
	free(m);
}

/* Noise in the guest's blocks, ring words, slots and fence wakes. */
static void test_noise(void **state)
{
	uint64_t seed = 0xc0ffee0ddba11;
	struct message *m = malloc(sizeof(*m));
	struct rig rig;

	(void)state;
	rig_up(&rig);
	for (uint32_t n = 0; n < 20000; n++) {
		uint8_t *guest = rig.window + rig.layout.guest_offset;
		uint32_t queue = (uint32_t)(noise(&seed) % 5);
		uint8_t *part = guest + PVGPU_QUEUES_OFFSET +
				queue * rig.layout.queue_stride;
		uint64_t one = 1;

		if (!pvgpu_client_attached(&rig.client))
			attach(&rig);
		make_control(m, &seed);
		send(&rig, 0, m, &seed);
		switch (noise(&seed) % 5) {
		case 0:		/* a ring word */
			*(uint32_t *)(void *)(part + noise(&seed) % 4 * 64) =
				noise(&seed) % 2 ? any(&seed) :
				(uint32_t)(noise(&seed) % 600);
			break;
		case 1:		/* slots */
			for (uint32_t i = 0; i < 200; i++)
				part[PVGPU_RING_SLOTS_OFFSET + noise(&seed) %
				     (WINDOW_QUEUE_SLOTS * 64)] =
					(uint8_t)noise(&seed);
			break;
		case 2:		/* the block, the nonce with it now and then */
			guest[(noise(&seed) % 8 ? 8 : 0) +
			      noise(&seed) % 248] = (uint8_t)noise(&seed);
			break;
		case 3:		/* the host's own part, which it never reads */
			memset(rig.window + rig.layout.host_offset +
			       noise(&seed) % rig.layout.host_size / 2,
			       (int)noise(&seed), 4096);
			memset(rig.window + rig.layout.fence_offset,
			       (int)noise(&seed), 4096);
			memset(rig.window, (int)noise(&seed), 4096);
			break;
		default:	/* a fence wake */
			*(uint64_t *)(void *)(part + PVGPU_FENCE_WAKE_OFFSET(
				WINDOW_QUEUE_SLOTS)) = noise(&seed);
		}
		assert_int_equal(write(rig.doorbells[noise(&seed) % 4], &one,
				       8), 8);
		rig_pump(&rig);
		drain(&rig);
		books_balance(rig.worker);
	}
	serves(&rig);
	rig_down(&rig);
	free(m);
}

struct scribbler {
	struct rig *rig;
	atomic_bool stop;
	uint64_t writes;
};

/* Changes what is being read, as another processor of the guest would. */
static void *scribble(void *argument)
{
	struct scribbler *s = argument;
	uint8_t *guest = s->rig->window + s->rig->layout.guest_offset;
	uint64_t seed = 0xabad1dea;

	while (!atomic_load(&s->stop)) {
		uint64_t at = noise(&seed) % 8;
		volatile uint32_t *word;

		if (at < 5)		/* slots and words of a queue */
			at = PVGPU_QUEUES_OFFSET + noise(&seed) % 5 *
			     s->rig->layout.queue_stride + noise(&seed) %
			     (at ? 4096 : 256);
		else if (at == 5)
			at = 8 + noise(&seed) % 240;
		else			/* VRAM: shown, copied, filled */
			at = s->rig->layout.vram_offset -
			     s->rig->layout.guest_offset +
			     noise(&seed) % (8 << 20);
		word = (volatile uint32_t *)(void *)(guest + at / 4 * 4);
		if (noise(&seed) % 16)
			*word ^= 1u << noise(&seed) % 32;
		else
			*word = any(&seed);
		s->writes++;
		if (!(s->writes % 64))	/* leave something whole in between */
			usleep(1);
	}
	return NULL;
}

/* The real thing: a sandboxed child, and a guest with two processors. */
static void test_concurrent(void **state)
{
	uint64_t seed = 0x5eed5eed5eed;
	struct message *m = malloc(sizeof(*m));
	struct scribbler scribbler;
	struct worker_query_done q;
	pthread_t thread;
	struct rig rig;
	int status;

	(void)state;
	rig_make(&rig, &rig_limits);
	rig_start_child(&rig, "build/asan/bin/pvgpu-worker");
	scribbler = (struct scribbler){ .rig = &rig };
	next_fence = 0;
	assert_int_equal(pthread_create(&thread, NULL, scribble, &scribbler),
			 0);
	for (uint32_t n = 0; n < 150000; n++) {
		if (!pvgpu_client_attached(&rig.client))
			/* It may be refused, or broken at once, by the other
			 * processor; never left without an answer. */
			assert_int_not_equal(pvgpu_client_attach(&rig.client,
				&rig.hello, 20000), PVGPU_CLIENT_TIMEOUT);
		if (noise(&seed) % 2) {
			make_control(m, &seed);
			send(&rig, 0, m, &seed);
		} else {
			make_batch(m, &seed);
			send(&rig, 1 + (uint32_t)(noise(&seed) % 3), m, &seed);
		}
		if (!(noise(&seed) % 16))
			drain(&rig);
		if (!(noise(&seed) % 1000)) {
			uint32_t *pixels;
			struct worker_screenshot_done done =
				rig_screenshot(&rig, n % 3, &pixels);

			if (pixels)
				munmap(pixels, (size_t)done.stride *
					       done.height);
		}
	}
	atomic_store(&scribbler.stop, true);
	pthread_join(thread, NULL);
	assert_true(scribbler.writes > 1000);
	serves(&rig);
	q = rig_query(&rig);
	assert_true(q.messages > 100);
	assert_true(q.generation > 3);
	status = rig_stop_child(&rig);
	assert_true(WIFEXITED(status) && !WEXITSTATUS(status));
	rig_drop(&rig);
	free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plausible),
		cmocka_unit_test(test_noise),
		cmocka_unit_test(test_concurrent),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	log_set_level(LEVEL_ERROR);
	return cmocka_run_group_tests_name("worker fuzz", tests, NULL, NULL);
}
