// SPDX-License-Identifier: MIT
/*
 * pvgpu-many: well-behaved guests of many vGPUs at once, one thread each, for
 * tests and measurements that others make of the host meanwhile. It attaches
 * to every socket, says "ready N", and obeys lines on standard input:
 *
 *   draw ROUNDS fill	each head a new colour by COPY_FILL, the fence waited
 *			for, the bytes looked at, and a commit; ROUNDS times
 *   draw ROUNDS flip	only the commits
 *   shown		tells what each head shows: "shown VGPU HEAD COLOUR"
 *
 * answered by "drawn COMMITS SECONDS", or by "failed VGPU: why", which ends
 * it with status 1. The end of the input ends it with 0; 3: a vGPU is not
 * there.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "protocol/conformance/guest.h"

#define WIDTH	1920u
#define HEIGHT	1080u
#define BYTES	(WIDTH * HEIGHT * 4)

struct vgpu {
	struct guest guest;
	unsigned int index;
	uint32_t resource[PVGPU_MAX_HEADS];
	uint8_t *bytes[PVGPU_MAX_HEADS];
	uint32_t colour[PVGPU_MAX_HEADS];
	uint64_t frame;
	uint64_t commits;
	bool lit;

	/* Of the draw that is under way. */
	pthread_t thread;
	uint32_t rounds;
	bool fill;
	char why[160];			/* empty: all is well */
};

#define FAIL(v, ...) do { \
		snprintf((v)->why, sizeof((v)->why), __VA_ARGS__); \
		return false; \
	} while (0)

static bool set_up(struct vgpu *v)
{
	struct guest *g = &v->guest;
	int ret = guest_attach(g, ~0ull);

	if (ret)
		FAIL(v, "attach: %d", ret);
	ret = guest_open(g, 1);
	if (ret)
		FAIL(v, "channel: %d", ret);
	for (uint32_t h = 0; h < g->d->heads; h++) {
		v->resource[h] = guest_resource(g, BYTES, &v->bytes[h]);
		if (!v->resource[h])
			FAIL(v, "resource of head %u: status %u", h,
			     g->status);
	}
	return true;
}

/* By the channel, and seen in VRAM. */
static bool fill(struct vgpu *v, uint32_t head, uint32_t colour)
{
	struct guest *g = &v->guest;
	struct pvgpu_copy_fill q = {
		.dst.resource = pvgpu_cpu_to_le32(v->resource[head]),
		.dst.stride = pvgpu_cpu_to_le32(WIDTH * 4),
		.row_bytes = pvgpu_cpu_to_le32(WIDTH * 4),
		.height = pvgpu_cpu_to_le32(HEIGHT),
		.unit = pvgpu_cpu_to_le32(4),
		.value = pvgpu_cpu_to_le32(colour),
	};
	uint32_t flags = 0;
	int ret;

	if (!guest_submit(g, 1, PVGPU_OP_COPY_FILL, 0, &q, sizeof(q)))
		FAIL(v, "no room for a batch");
	ret = guest_finish(g, 1);
	pvgpu_client_fence(&g->client, 1, &flags);
	if (ret || flags)
		FAIL(v, "head %u: fence: %d, flags %u", head, ret, flags);
	for (uint32_t at = 0; at < BYTES; at += 65532) {
		uint32_t seen = pvgpu_load32((void *)(v->bytes[head] + at));

		if (seen != colour)
			FAIL(v, "head %u: byte %u is of 0x%08x, not 0x%08x",
			     head, at, seen, colour);
	}
	v->colour[head] = colour;
	return true;
}

static bool show(struct vgpu *v, uint32_t head)
{
	struct pvgpu_commit_head *h;
	struct commit c;
	int ret;

	commit_begin(&c);
	h = commit_head(&c, head, v->lit ? 0 : WIDTH, HEIGHT, 60000);
	h->flags |= pvgpu_cpu_to_le32(PVGPU_COMMIT_HEAD_ACTIVE);
	h->frame = pvgpu_cpu_to_le64(++v->frame);
	commit_plane(&c, head, 0, v->resource[head], PVGPU_FORMAT_XRGB8888,
		     WIDTH, HEIGHT, 0, 0);
	ret = guest_commit(&v->guest, &c);
	if (ret)
		FAIL(v, "head %u: commit: status %d, detail %u", head, ret,
		     v->guest.detail);
	v->commits++;
	return true;
}

static void *draw(void *argument)
{
	struct vgpu *v = argument;
	uint32_t heads = v->guest.d->heads;

	for (uint32_t round = 0; round < v->rounds; round++) {
		for (uint32_t h = 0; h < heads; h++) {
			/* Another one each time and everywhere. */
			uint32_t colour = (v->index * 0x050301 + h * 0x2d0000 +
					   (uint32_t)v->frame * 0x001b25) &
					  0xffffff;

			if (v->fill && !fill(v, h, colour))
				return NULL;
			if (!show(v, h))
				return NULL;
		}
		v->lit = true;
	}
	return NULL;
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static bool draw_all(struct vgpu *all, unsigned int count, uint32_t rounds,
		     bool by_fill)
{
	double start = seconds();
	uint64_t commits = 0;
	bool good = true;
	unsigned int i;

	for (i = 0; i < count; i++) {
		all[i].rounds = rounds;
		all[i].fill = by_fill;
		all[i].commits = 0;
		if (pthread_create(&all[i].thread, NULL, draw, &all[i])) {
			puts("failed: threads");
			exit(1);
		}
	}
	for (i = 0; i < count; i++) {
		pthread_join(all[i].thread, NULL);
		commits += all[i].commits;
		if (all[i].why[0])
			printf("failed %u: %s\n", i, all[i].why);
		good &= !all[i].why[0];
	}
	if (good)
		printf("drawn %llu %.6f\n", (unsigned long long)commits,
		       seconds() - start);
	return good;
}

static bool obey(struct vgpu *all, unsigned int count, const char *line)
{
	unsigned int rounds;
	char how[8];

	if (sscanf(line, "draw %u %7s", &rounds, how) == 2)
		return draw_all(all, count, rounds, !strcmp(how, "fill"));
	if (!strcmp(line, "shown\n")) {
		for (unsigned int i = 0; i < count; i++)
			for (uint32_t h = 0; h < all[i].guest.d->heads; h++)
				printf("shown %u %u %u\n", i, h,
				       all[i].colour[h]);
		puts("end");
		return true;
	}
	printf("failed: '%s' is no order\n", line);
	return false;
}

int main(int argc, char **argv)
{
	unsigned int count = (unsigned int)argc - 1;
	const char *missing;
	struct vgpu *all;
	char line[64];
	int ret;

	if (argc < 2 || argv[1][0] == '-') {
		fputs("usage: pvgpu-many SOCKET...\n", stderr);
		return 2;
	}
	all = calloc(count, sizeof(*all));
	if (!all)
		return 1;
	for (unsigned int i = 0; i < count; i++) {
		all[i].index = i;
		ret = guest_connect(&all[i].guest, argv[i + 1], &missing);
		if (ret) {
			printf("failed %u: %s: %s: %s\n", i, argv[i + 1],
			       missing, strerror(-ret));
			return 3;
		}
		if (!set_up(&all[i])) {
			printf("failed %u: %s\n", i, all[i].why);
			return 1;
		}
	}
	printf("ready %u\n", count);
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		if (!obey(all, count, line))
			return 1;
		fflush(stdout);
	}
	for (unsigned int i = 0; i < count; i++)
		guest_disconnect(&all[i].guest);
	free(all);
	return 0;
}
