// SPDX-License-Identifier: MIT
/*
 * pvgpu-hostile SOCKET SECONDS SEED: a guest that abuses its vGPU as fast as
 * it can, all at once: one thread writes noise over every word that it can
 * reach, its own and the host's, one rings every doorbell, one sends messages
 * and batches in good form with wild contents, by turns with one that renders
 * without manners, and attaches again whenever the host has had enough. Nothing of it is checked here: what it is for is seen
 * beside it. Says what it did; status 0, 3 where there is no vGPU.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "protocol/conformance/guest.h"
#include "protocol/conformance/virgl_noise.h"

static struct guest guest;
static struct virgl_noise rendering;
static atomic_bool stop;
static uint32_t seed;
static uint64_t words, rings, messages;

static uint32_t xorshift(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

/* A word that goes further than noise does. */
static uint32_t wild(uint32_t *state)
{
	uint32_t word = xorshift(state);

	switch (word >> 29) {
	case 0:
		return 0;
	case 1:
	case 2:
		return word & 15;
	case 3:
		return (word & 0xffff) * 4096;
	case 4:
		return word & 8191;
	default:
		return word;
	}
}

static void *scribble(void *argument)
{
	const struct pvgpu_device *d = guest.d;
	uint64_t queues = PVGPU_QUEUES_OFFSET +
			  (uint64_t)(d->channels + 2) * d->queue_stride;
	uint64_t parts[][2] = {
		{ 0, 65536 }, { d->host_offset, queues },
		{ d->guest_offset, queues }, { d->fence_offset, 65536 },
	};
	uint32_t random = seed ^ 0x9e3779b9;

	(void)argument;
	while (!atomic_load(&stop)) {
		uint64_t *part = parts[xorshift(&random) % 4];
		uint64_t at = xorshift(&random) % part[1] & ~3ull;
		uint32_t run = 1 + xorshift(&random) % 64;

		/* Mostly the queues' words, where a little does most. */
		if (xorshift(&random) % 4)
			at = PVGPU_QUEUES_OFFSET + at % (d->channels + 2) *
			     d->queue_stride + xorshift(&random) % 256 / 4 * 4;
		for (; run && at + 4 <= part[1]; run--, at += 4, words++)
			pvgpu_store32((void *)(guest.peer.window + part[0] +
					       at), wild(&random));
		/* The others are to get something done in between. */
		if (xorshift(&random) % 64 == 0)
			peer_interrupted(&guest.peer, guest.d->vectors - 1, 1);
	}
	return NULL;
}

static void *ring(void *argument)
{
	(void)argument;
	while (!atomic_load(&stop)) {
		peer_ring(&guest.peer, (uint32_t)(rings % guest.d->vectors));
		rings++;
	}
	return NULL;
}

static void *send_wildly(void *argument)
{
	static const uint16_t opcodes[] = {
		PVGPU_OP_PING, PVGPU_OP_HEAD_QUERY, PVGPU_OP_HEAD_EDID,
		PVGPU_OP_RESOURCE_CREATE, PVGPU_OP_RESOURCE_BACK,
		PVGPU_OP_RESOURCE_DESTROY, PVGPU_OP_CHANNEL_OPEN,
		PVGPU_OP_CHANNEL_CLOSE, PVGPU_OP_COMMIT, PVGPU_OP_COPY_NOP,
		PVGPU_OP_COPY_RECT, PVGPU_OP_COPY_FILL, 0xffff,
	};
	_Alignas(8) uint8_t message[PVGPU_MESSAGE_MAX];
	uint32_t random = seed ^ (uint32_t)messages;

	(void)argument;
	random |= 1;
	while (!atomic_load(&stop)) {
		uint32_t queue = xorshift(&random) % 3;
		uint32_t length = 24 + 8 * (xorshift(&random) % 40);
		struct pvgpu_msg msg = guest_header(&guest, opcodes[
			xorshift(&random) % 13], length);

		for (uint32_t i = 0; i < length; i += 4) {
			uint32_t word = wild(&random);

			memcpy(message + i, &word, 4);
		}
		memcpy(message, &msg, sizeof(msg));
		if (guest_put(&guest, queue, message, length))
			messages++;
		else
			while (pvgpu_client_take(&guest.client, queue,
						 guest.reply) > 0)
				;
	}
	return NULL;
}

static void *render_wildly(void *argument)
{
	(void)argument;
	while (!atomic_load(&stop))
		if (!noise_step(&rendering))
			peer_interrupted(&guest.peer, pvgpu_device_vector(
				guest.d, NOISE_CHANNEL), 1);
	return NULL;
}

/* Attaches, as well as it goes among all this, and opens channels. */
static bool attach(void)
{
	const struct pvgpu_hello hello = {
		.guest_os = PVGPU_GUEST_TEST, .features = ~0ull,
		.driver_name = "hostile", .os_name = "none",
	};

	guest.vram_used = 0;
	guest.next_name = 1;
	return !pvgpu_client_attach(&guest.client, &hello, 100);
}

int main(int argc, char **argv)
{
	static void *(*const doings[])(void *) = {
		ring, send_wildly, scribble,
	}, *(*const renderings[])(void *) = {
		ring, render_wildly, scribble,
	};
	const struct timespec while_ = { .tv_nsec = 30000000 };
	const struct timespec longer = { .tv_nsec = 200000000 };
	uint64_t until, attached = 0, tried = 0;
	const char *missing;
	pthread_t threads[3];
	int ret;

	if (argc != 4 || atof(argv[2]) <= 0) {
		fputs("usage: pvgpu-hostile SOCKET SECONDS SEED\n", stderr);
		return 2;
	}
	seed = (uint32_t)strtoul(argv[3], NULL, 0) | 1;
	ret = guest_connect(&guest, argv[1], &missing);
	if (ret) {
		fprintf(stderr, "pvgpu-hostile: %s: %s: %s\n", argv[1],
			missing, strerror(-ret));
		return 3;
	}
	until = peer_now_ms() + (uint64_t)(atof(argv[2]) * 1000);
	for (; peer_now_ms() < until; tried++) {
		/* Noise ends what messages began: every other time without. */
		unsigned int count = 2 + tried % 2;
		void *(*const *now)(void *) = doings;

		/* A calm start, so that the rest gets somewhere. */
		if (attach()) {
			attached++;
			guest_open(&guest, 1);
			guest_open(&guest, 2);
			for (int i = 0; i < 4; i++)
				guest_resource(&guest, 4u << 20, NULL);
			if (tried % 4 > 1 &&
			    noise_begin(&rendering, &guest,
					seed + (uint32_t)tried))
				now = renderings;
		}
		atomic_store(&stop, false);
		for (unsigned int i = 0; i < count; i++)
			if (pthread_create(&threads[i], NULL, now[i], NULL))
				return 1;
		nanosleep(now == doings ? &while_ : &longer, NULL);
		atomic_store(&stop, true);
		for (unsigned int i = 0; i < count; i++)
			pthread_join(threads[i], NULL);
	}
	printf("attached %llu of %llu times, %llu messages, %llu words of "
	       "noise, %llu rings, %llu batches and %llu requests of "
	       "rendering\n", (unsigned long long)attached,
	       (unsigned long long)tried, (unsigned long long)messages,
	       (unsigned long long)words, (unsigned long long)rings,
	       (unsigned long long)rendering.batches,
	       (unsigned long long)rendering.requests);
	guest_disconnect(&guest);
	return 0;
}
