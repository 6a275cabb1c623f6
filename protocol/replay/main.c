// SPDX-License-Identifier: MIT
/*
 * pvgpu-replay: plays recordings against vGPUs as their guest, without a VM;
 * pvgpu-replay(1). This file owns the process: the command line, a thread for
 * each player, and what is told of them.
 */
#include <errno.h>
#include <getopt.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/replay/report.h"

#define PLAYERS_MAX 256u
#define VTEST "vtest:"			/* before a socket that is no vGPU's */

struct options {
	bool list, json, check_only;
	double seconds, warm_up;
};

/* Threads meet here between one part and the next. */
static pthread_barrier_t meeting;
static struct client clients[PLAYERS_MAX];
static uint32_t count;
static struct options options = { .seconds = 5, .warm_up = 1 };
static uint64_t begin, end;

static const char usage[] =
"usage: pvgpu-replay [OPTION...] {[OPTION...] RECORDING SOCKET}...\n"
"       pvgpu-replay --list RECORDING...\n"
"Plays recorded virgl programs on vGPUs, as their guest and without a VM; or,\n"
"where SOCKET is vtest:PATH, at a server that speaks vtest.\n"
"\n"
"For all:\n"
"  -s, --seconds=N     how long is measured (5)\n"
"  -w, --warm-up=N     how long is played before that, seconds (1)\n"
"  -c, --check         only compare the frames' pictures\n"
"  -l, --list          tell what is in recordings\n"
"  -j, --json          JSON on standard output\n"
"  -h, --help\n"
"For the sockets behind them:\n"
"  -d, --depth=N       batches under way, 1 to 64 (2)\n"
"  -r, --repeat=N      a batch is a whole frame, N times; 0: as recorded (0)\n"
"  -b, --batch-us=N    so often that it takes N µs, found by playing alone\n"
"  -t, --think-us=N    pause between a frame's end and the next one (0)\n"
"  -f, --fps=N         frames a second, at most; 0: as many as it gets (0)\n";

__attribute__((noreturn))
static void misused(const char *what, const char *value)
{
	fprintf(stderr, "pvgpu-replay: %s: %s; see --help\n", value, what);
	exit(2);
}

static double number(const char *text, double least, double most)
{
	static char range[80];
	char *rest;
	double value;

	errno = 0;
	value = strtod(text, &rest);
	snprintf(range, sizeof(range), "not a number from %g to %g", least,
		 most);
	if (errno || rest == text || *rest || !(value >= least) ||
	    value > most)
		misused(range, text);
	return value;
}

static uint64_t whole(const char *text, double least, double most)
{
	double value = number(text, least, most);

	if (value != (double)(uint64_t)value)
		misused("not a whole number", text);
	return (uint64_t)value;
}

/* ns; 0: none. */
static uint64_t period(double per_second)
{
	return per_second < 0.01 ? 0 : (uint64_t)(1e9 / per_second);
}

static void read_recording(struct recording *ret_recording, const char *path)
{
	struct recording_fault fault;
	int ret = recording_read(ret_recording, path, &fault);

	if (ret == -EBADMSG)
		fprintf(stderr, "pvgpu-replay: %s: at byte %zu: %s\n", path,
			fault.offset, fault.why);
	else if (ret)
		fprintf(stderr, "pvgpu-replay: %s: %s\n", path,
			strerror(-ret));
	if (ret)
		exit(1);
}

static void list(const char *path)
{
	struct recording r;

	read_recording(&r, path);
	report_recording(path, &r);
	recording_free(&r);
}

/* -------------------------------------------------------------- playing */

static void stop(struct client *c, const char *why)
{
	snprintf(c->why, sizeof(c->why), "%s", why);
	c->failed = true;
}

static void set_up(struct client *c)
{
	struct target *target;
	int ret = strncmp(c->socket, VTEST, strlen(VTEST)) ?
		target_vgpu(&target, c->socket, c->recording) :
		target_vtest(&target, c->socket + strlen(VTEST),
			     c->recording);

	if (ret) {
		stop(c, target ? target->why : "no memory");
		if (target)
			target->ops->close(target);
		return;
	}
	if (player_open(&c->player, target, c->recording) ||
	    player_check(&c->player, &c->worst))
		stop(c, c->player.why);
}

static void calibrate(struct client *c)
{
	uint32_t repeat;

	if (c->failed || !c->wanted_batch)
		return;
	if (player_calibrate(&c->player, c->wanted_batch, &repeat, &c->batch))
		stop(c, c->player.why);
	else
		c->load.repeat = repeat;
}

static void play(struct client *c)
{
	c->load.begin = begin;
	c->load.end = end;
	if (player_run(&c->player, &c->load, &c->figures) ||
	    player_check(&c->player, &c->worst))
		stop(c, c->player.why);
}

/* Each is alone while it is set up and calibrated. */
static void *run(void *argument)
{
	struct client *c = argument;

	for (uint32_t i = 0; i < count; i++) {
		pthread_barrier_wait(&meeting);
		if (&clients[i] == c) {
			set_up(c);
			calibrate(c);
		}
	}
	pthread_barrier_wait(&meeting);
	pthread_barrier_wait(&meeting);	/* the time is set */
	if (!c->failed && !options.check_only)
		play(c);
	if (c->player.target)
		player_close(&c->player);
	return NULL;
}

static bool any_failed(void)
{
	bool failed = false;

	for (uint32_t i = 0; i < count; i++) {
		if (!clients[i].failed)
			continue;
		fprintf(stderr, "pvgpu-replay: %s: %s\n", clients[i].socket,
			clients[i].why);
		failed = true;
	}
	return failed;
}

/* All of it; false: a client failed, and what it was is told. */
static bool run_all(void)
{
	pthread_barrier_init(&meeting, NULL, count + 1);
	for (uint32_t i = 0; i < count; i++)
		if (pthread_create(&clients[i].thread, NULL, run,
				   &clients[i])) {
			fprintf(stderr, "pvgpu-replay: no thread\n");
			exit(1);
		}
	for (uint32_t i = 0; i <= count; i++)
		pthread_barrier_wait(&meeting);
	/* Where one cannot play, the others' figures would mean nothing. */
	for (uint32_t i = 0; i < count; i++)
		options.check_only |= clients[i].failed;
	begin = player_now() + (uint64_t)(options.warm_up * 1e9);
	end = begin + (uint64_t)(options.seconds * 1e9);
	pthread_barrier_wait(&meeting);
	for (uint32_t i = 0; i < count; i++)
		pthread_join(clients[i].thread, NULL);
	return !any_failed();
}

/* --------------------------------------------------------- command line */

static void add_client(const struct client *pattern, const char *path,
		       const char *socket)
{
	struct client *c = &clients[count];

	if (count == PLAYERS_MAX)
		misused("too many", socket);
	*c = *pattern;
	c->path = path;
	c->socket = socket;
	for (uint32_t i = 0; i < count && !c->recording; i++)
		if (!strcmp(clients[i].path, path))
			c->recording = clients[i].recording;
	if (!c->recording) {
		read_recording(&c->own, path);
		c->recording = &c->own;
	}
	count++;
}

/* Options and what is none, in their order. */
static void parse(int argc, char **argv)
{
	static const struct option known[] = {
		{ "seconds", required_argument, NULL, 's' },
		{ "warm-up", required_argument, NULL, 'w' },
		{ "check", no_argument, NULL, 'c' },
		{ "list", no_argument, NULL, 'l' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ "depth", required_argument, NULL, 'd' },
		{ "repeat", required_argument, NULL, 'r' },
		{ "batch-us", required_argument, NULL, 'b' },
		{ "think-us", required_argument, NULL, 't' },
		{ "fps", required_argument, NULL, 'f' },
		{ 0 },
	};
	struct client next = { .load = { .depth = 2 } };
	const char *path = NULL;
	int c;

	while ((c = getopt_long(argc, argv, "-s:w:cljhd:r:b:t:f:", known,
				NULL)) >= 0) {
		switch (c) {
		case 's':
			options.seconds = number(optarg, 0.1, 86400);
			break;
		case 'w':
			options.warm_up = number(optarg, 0, 3600);
			break;
		case 'c':
			options.check_only = true;
			break;
		case 'l':
			options.list = true;
			break;
		case 'j':
			options.json = true;
			break;
		case 'h':
			fputs(usage, stdout);
			exit(0);
		case 'd':
			next.load.depth = (uint32_t)whole(optarg, 1,
							  TARGET_DEPTH_MAX);
			break;
		case 'r':
			next.load.repeat = (uint32_t)whole(optarg, 0, 100000);
			next.wanted_batch = 0;
			break;
		case 'b':
			next.wanted_batch = whole(optarg, 1, 1e7) * 1000;
			break;
		case 't':
			next.load.think = whole(optarg, 0, 1e7) * 1000;
			break;
		case 'f':
			next.load.period = period(number(optarg, 0, 1000));
			break;
		case 1:
			if (options.list)
				list(optarg);
			else if (path)
				add_client(&next, path, optarg);
			path = path ? NULL : optarg;
			break;
		default:
			fputs(usage, stderr);
			exit(2);
		}
	}
	if (options.list)
		exit(0);
	if (path)
		misused("a recording without a socket", path);
	if (!count) {
		fputs(usage, stderr);
		exit(2);
	}
}

int main(int argc, char **argv)
{
	bool good;

	parse(argc, argv);
	good = run_all();
	if (good && options.json)
		report_json(clients, count, options.check_only);
	else if (good)
		report_text(clients, count, options.check_only);
	return good ? 0 : 1;
}
