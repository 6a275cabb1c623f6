// SPDX-License-Identifier: MIT
/*
 * What is plugged into a head changes while the guest runs: spec.md 9.1, 9.2
 * and 9.4. Only with a command that changes it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "conform.h"

/* Runs the command with these words behind it. */
static bool set(uint32_t head, const char *what)
{
	char line[4096];
	int status;

	snprintf(line, sizeof(line), "%s %u %s >&2", head_command, head, what);
	status = system(line);
	return status != -1 && WIFEXITED(status) && !WEXITSTATUS(status);
}

static int query(struct guest *g, uint32_t head,
		 struct pvgpu_head_query_done *ret)
{
	struct pvgpu_head_query q = { .head = pvgpu_cpu_to_le32(head) };
	int status = guest_call(g, PVGPU_OP_HEAD_QUERY, &q, sizeof(q));

	if (!status)
		memcpy(ret, g->reply, sizeof(*ret));
	return status;
}

static int edid(struct guest *g, uint32_t head, uint32_t serial,
		uint8_t bytes[PVGPU_EDID_CHUNK_MAX], uint32_t *ret_size)
{
	struct pvgpu_head_edid q = {
		.head = pvgpu_cpu_to_le32(head),
		.serial = pvgpu_cpu_to_le32(serial),
		.size = pvgpu_cpu_to_le32(PVGPU_EDID_CHUNK_MAX),
	};
	const struct pvgpu_head_edid_done *done = (const void *)g->reply;
	int status = guest_call(g, PVGPU_OP_HEAD_EDID, &q, sizeof(q));

	if (!status) {
		*ret_size = pvgpu_le32_to_cpu(done->size);
		if (*ret_size > PVGPU_EDID_CHUNK_MAX)
			*ret_size = PVGPU_EDID_CHUNK_MAX;
		memcpy(bytes, done + 1, *ret_size);
	}
	return status;
}

/* Waits until an event names the head. */
static bool told(struct guest *g, uint32_t head)
{
	uint32_t queue = pvgpu_device_event_queue(g->d);
	uint32_t vector = pvgpu_device_vector(g->d, queue);
	_Alignas(8) uint8_t bytes[PVGPU_MESSAGE_MAX];
	const struct pvgpu_event_head *event = (const void *)bytes;
	uint64_t until = peer_now_ms() + ANSWER_MS;
	int length;

	while (peer_now_ms() < until) {
		length = pvgpu_client_take(&g->client, queue, bytes);
		if (length < 0)
			return false;
		if (length >= (int)sizeof(*event) &&
		    pvgpu_le16_to_cpu(event->msg.opcode) == PVGPU_EVENT_HEAD &&
		    pvgpu_le32_to_cpu(event->heads) & 1u << head)
			return true;
		if (!length && pvgpu_client_sleep(&g->client, queue))
			peer_interrupted(&g->peer, vector, 100);
	}
	return false;
}

/* The size in the first detailed timing, and every block's checksum. */
static bool edid_says(const uint8_t *b, uint32_t size, uint32_t width,
		      uint32_t height)
{
	uint8_t sum;

	if (!size || size % 128)
		return false;
	for (uint32_t block = 0; block < size; block += 128) {
		sum = 0;
		for (uint32_t i = 0; i < 128; i++)
			sum += b[block + i];
		if (sum)
			return false;
	}
	return (b[56] | (b[58] & 0xf0u) << 4) == width &&
	       (b[59] | (b[61] & 0xf0u) << 4) == height;
}

static void expect_head(struct guest *g, uint32_t head, uint32_t width,
			uint32_t height, uint32_t refresh,
			uint32_t *ret_serial)
{
	struct pvgpu_head_query_done now;
	uint8_t bytes[PVGPU_EDID_CHUNK_MAX] = { 0 };
	uint32_t size = 0;

	EXPECT_OK(g, "query", query(g, head, &now));
	*ret_serial = pvgpu_le32_to_cpu(now.serial);
	EXPECT(pvgpu_le32_to_cpu(now.flags) ==
	       (width ? PVGPU_HEAD_CONNECTED : 0), "head %u: flags %u", head,
	       pvgpu_le32_to_cpu(now.flags));
	EXPECT(pvgpu_le32_to_cpu(now.width) == width &&
	       pvgpu_le32_to_cpu(now.height) == height &&
	       pvgpu_le32_to_cpu(now.refresh) == refresh,
	       "head %u prefers %ux%u at %u mHz, not %ux%u at %u", head,
	       pvgpu_le32_to_cpu(now.width), pvgpu_le32_to_cpu(now.height),
	       pvgpu_le32_to_cpu(now.refresh), width, height, refresh);
	EXPECT_OK(g, "EDID", edid(g, head, *ret_serial, bytes, &size));
	EXPECT(size == pvgpu_le32_to_cpu(now.edid_size), "%u bytes of %u",
	       size, pvgpu_le32_to_cpu(now.edid_size));
	EXPECT(width ? edid_says(bytes, size, width, height) : !size,
	       "head %u: its EDID of %u bytes does not say %ux%u", head, size,
	       width, height);
}

static void changes(struct guest *g)
{
	static const struct {
		const char *what;
		uint32_t width, height, refresh;
	} steps[] = {
		{ "--mode 1024x768@60", 1024, 768, 60000 },
		{ "--mode 800x600@59.94", 800, 600, 59940 },
		{ "--unplug", 0, 0, 0 },
		{ "--mode 1152x864@50", 0, 0, 0 },
		{ "--plug", 1152, 864, 50000 },
	};
	uint32_t head = g->d->heads - 1, old, serial, size;
	struct pvgpu_head_query_done before;
	uint8_t bytes[PVGPU_EDID_CHUNK_MAX];

	EXPECT_OK(g, "query", query(g, head, &before));
	serial = pvgpu_le32_to_cpu(before.serial);
	for (uint32_t i = 0; i < 5 && !conform_failed(); i++) {
		old = serial;
		EXPECT(set(head, steps[i].what), "%s", steps[i].what);
		EXPECT(told(g, head), "%s: no event", steps[i].what);
		expect_head(g, head, steps[i].width, steps[i].height,
			    steps[i].refresh, &serial);
		if (conform_failed())
			return;
		EXPECT(serial != old, "%s: the serial stays", steps[i].what);
		EXPECT_ANSWER(g, "EDID of what was there",
			      edid(g, head, old, bytes, &size),
			      PVGPU_STATUS_STALE, 20);
	}
	/* Who attaches later finds it so, and is not told twice. */
	EXPECT(guest_attach(g, ~0ull) == 0, "attach");
	expect_head(g, head, 1152, 864, 50000, &old);
	if (conform_failed())
		return;
	EXPECT(serial == old, "another serial");
	EXPECT(!pvgpu_client_take(&g->client, pvgpu_device_event_queue(g->d),
				  bytes), "an event after an attach");
	EXPECT(set(head, "--edid default"), "--edid default");
	EXPECT(told(g, head), "default: no event");
	EXPECT_OK(g, "query", query(g, head, &before));
	expect_head(g, head, pvgpu_le32_to_cpu(before.width),
		    pvgpu_le32_to_cpu(before.height),
		    pvgpu_le32_to_cpu(before.refresh), &serial);
}

/* A change does not darken a head, and an unplugged one may be lit. */
static void stays_lit(struct guest *g)
{
	struct commit c;
	uint32_t r = guest_resource(g, 640 * 480 * 4, NULL);

	EXPECT(r, "resource");
	commit_begin(&c);
	commit_head(&c, 0, 640, 480, 60000);
	commit_plane(&c, 0, 0, r, PVGPU_FORMAT_XRGB8888, 640, 480, 0, 0);
	EXPECT_OK(g, "show", guest_commit(g, &c));
	EXPECT(set(0, "--unplug"), "--unplug");
	EXPECT(told(g, 0), "no event");
	EXPECT(guest_head_active(g, 0), "the head is dark");
	EXPECT_OK(g, "show again", guest_commit(g, &c));
	EXPECT(set(0, "--plug"), "--plug");
	EXPECT(told(g, 0), "no event");
	EXPECT(guest_head_active(g, 0), "the head is dark");
}

/* Nobody reads the events: they run together, and none is lost. */
static void unread(struct guest *g)
{
	uint32_t serial, i;

	for (i = 0; i < 20; i++)
		EXPECT(set(0, i % 2 ? "--plug" : "--unplug"), "round %u", i);
	EXPECT(set(0, "--mode 1024x600@60"), "--mode");
	EXPECT(told(g, 0), "no event");
	expect_head(g, 0, 1024, 600, 60000, &serial);
	EXPECT(set(0, "--edid default"), "--edid default");
}

static void survives(struct guest *g)
{
	uint64_t until = peer_now_ms() + 3 * ANSWER_MS;
	uint32_t head = g->d->heads - 1, serial;
	int status;

	EXPECT(set(head, "--mode 1280x720@60"), "--mode");
	EXPECT(told(g, head), "no event");
	status = system(replace_command);
	EXPECT(status != -1 && WIFEXITED(status) && !WEXITSTATUS(status),
	       "%s", replace_command);
	while (pvgpu_client_attached(&g->client)) {
		EXPECT(peer_now_ms() < until, "nothing replaced it");
		peer_interrupted(&g->peer, 0, 50);
	}
	EXPECT(guest_attach(g, ~0ull) == 0, "attach");
	expect_head(g, head, 1280, 720, 60000, &serial);
	EXPECT(set(head, "--edid default"), "--edid default");
}

const struct test head_tests[] = {
	{ "head-changes", changes, false },
	{ "head-changes-while-lit", stays_lit, false },
	{ "head-changes-that-nobody-reads", unread, false },
	{ NULL, NULL, false },
};

const struct test head_replace_tests[] = {
	{ "host-replaced-keeps-heads", survives, false },
	{ NULL, NULL, false },
};
