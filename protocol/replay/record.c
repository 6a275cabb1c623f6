// SPDX-License-Identifier: MIT
/*
 * pvgpu-record: records what Mesa's virgl driver sends, from a real program
 * and without a VM. It stands between the program (GALLIUM_DRIVER=virpipe) and
 * a server that speaks vtest (virgl_test_server, or pvgpu-vtest), hands on all
 * that both say, and writes a recording of so many frames: format.md. What
 * goes through here is of the user's own programs, and trusted as far as they
 * are; the recording is checked before it is written.
 */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "protocol/replay/recording.h"
#include "protocol/replay/vtest.h"

#define SURFACES	4096u
#define MESSAGE_WORDS	(1u << 22)
#define BIND_CUSTOM	(1u << 17)
#define BIND_SHOWN	(1u << 7 | 1u << 18)	/* display target, scan-out */

struct surface {
	uint32_t name;
	struct recording_resource made;
	uint8_t *memory;		/* shared with the program */
	uint8_t *seen;			/* what of it is recorded */
	bool of_loop;
	bool read;			/* the server writes into it */
	bool fence;			/* not recorded */
};

struct session {
	int program, server;		/* sockets */
	struct recording_writer out;
	struct surface surfaces[SURFACES];
	uint32_t count;
	struct surface *waits;		/* for its memory */
	uint32_t *message;		/* of the program: its words */
	uint32_t shown;			/* read back: a frame; 0: none */
	uint32_t frames;
	uint32_t batches;		/* since the last frame */
	uint32_t from, wanted;		/* the loop's first frame, and number */
	const char *path;
};

__attribute__((noreturn))
static void fail(const char *what, const char *why)
{
	fprintf(stderr, "pvgpu-record: %s: %s\n", what, why);
	exit(1);
}

static bool looping(const struct session *s)
{
	return s->frames >= s->from;
}

static struct surface *find(struct session *s, uint32_t name)
{
	for (uint32_t i = 0; i < s->count; i++)
		if (s->surfaces[i].name == name)
			return &s->surfaces[i];
	return NULL;
}

/* What the program has written behind its resources since the last look. The
 * records are of whole lines of 64 bytes; near ones are one record. */
static void note_writes(struct session *s, struct surface *r)
{
	uint32_t size = r->made.size, start = 0, end = 0;

	for (uint32_t at = 0; at < size; at += 64) {
		uint32_t n = size - at < 64 ? size - at : 64;

		if (!memcmp(r->memory + at, r->seen + at, n))
			continue;
		memcpy(r->seen + at, r->memory + at, n);
		if (end && at - end > 256) {
			recording_put_data(&s->out, r->name, start,
					   r->seen + start, end - start);
			end = 0;
		}
		if (!end)
			start = at;
		end = at + n;
	}
	if (end)
		recording_put_data(&s->out, r->name, start, r->seen + start,
				   end - start);
}

static void note_all_writes(struct session *s)
{
	for (uint32_t i = 0; i < s->count; i++) {
		struct surface *r = &s->surfaces[i];

		if (!r->memory || r->fence)
			continue;
		if (r->read)
			memcpy(r->seen, r->memory, r->made.size);
		else
			note_writes(s, r);
		r->read = false;
	}
}

/* ------------------------------------------------------ what it asks for */

/* Mesa's fences on vtest are buffers that no stream names. */
static bool is_fence(const uint32_t *words)
{
	return words[1] == 0 && words[3] == BIND_CUSTOM && words[4] == 8;
}

static void note_create(struct session *s, const uint32_t *words)
{
	struct surface *r;

	if (s->count == SURFACES)
		fail("the program", "too many resources");
	r = &s->surfaces[s->count++];
	*r = (struct surface){
		.name = words[0],
		.made = {
			.target = words[1], .format = words[2],
			.bind = words[3], .width = words[4],
			.height = words[5], .depth = words[6],
			.layers = words[7] ? words[7] : 1,
			.levels = words[8] + 1,
			.samples = words[9] ? words[9] : 1,
			.size = (words[10] + 3) / 4 * 4,
		},
		.of_loop = looping(s),
		.fence = is_fence(words),
	};
	if (!r->fence)
		recording_put_resource(&s->out, r->name, &r->made);
	s->waits = words[10] ? r : NULL;
}

/* What was there before the loop stays: another lap needs it. */
static void note_unref(struct session *s, uint32_t name)
{
	struct surface *r = find(s, name);

	if (!r)
		fail("the program", "gives back what it has not made");
	if (looping(s) && !r->of_loop && !r->fence)
		return;
	if (!r->fence)
		recording_put_destroy(&s->out, name);
	if (r->memory)
		munmap(r->memory, r->made.size);
	free(r->seen);
	*r = s->surfaces[--s->count];
}

static void note_put(struct session *s, const uint32_t *words)
{
	const struct recording_transfer t = {
		.level = words[1], .x = words[2], .y = words[3],
		.z = words[4], .width = words[5], .height = words[6],
		.depth = words[7], .offset = words[9],
	};
	const struct surface *r = find(s, words[0]);

	/* Rows are as far apart as the resource's, and the program did not
	 * say how far. */
	if (!r || t.level || t.width != r->made.width)
		fail("the program", "it writes a part of a resource, and not "
		     "by its streams");
	recording_put_transfer(&s->out, words[0], &t);
}

static void note_get(struct session *s, const uint32_t *words)
{
	struct surface *r = find(s, words[0]);

	if (!r || !r->memory)
		return;
	r->read = true;
	if (r->made.bind & BIND_SHOWN && !words[1] && s->batches)
		s->shown = r->name;
}

/* The program goes on: what it read for showing is a frame. */
static void note_frame(struct session *s)
{
	struct surface *r = find(s, s->shown);
	struct picture picture;

	s->shown = 0;
	s->batches = 0;
	if (!r || r->made.width < PICTURE_SIDE || r->made.height < PICTURE_SIDE)
		return;
	picture_take(&picture, r->memory, r->made.width, r->made.height);
	recording_put_frame(&s->out, r->name, &picture);
	if (s->frames >= s->from && picture_plain(&picture))
		fail("the program", "a frame is of one colour, and would "
		     "prove nothing");
	s->frames++;
	if (s->frames == s->from)
		recording_put_loop(&s->out);
}

__attribute__((noreturn))
static void finish(struct session *s)
{
	struct recording_fault fault;
	int ret;

	for (uint32_t i = 0; i < s->count; i++)
		if (s->surfaces[i].of_loop && !s->surfaces[i].fence)
			recording_put_destroy(&s->out, s->surfaces[i].name);
	ret = recording_write(&s->out, s->path, &fault);
	if (ret)
		fail(s->path, ret == -EBADMSG ? fault.why : strerror(-ret));
	exit(0);
}

/* One message of the program, before the server sees it. */
static void note(struct session *s, uint32_t command, uint32_t length)
{
	static const uint32_t least[] = {
		[VTEST_UNREF] = 1, [VTEST_PROTOCOL_VERSION] = 1,
		[VTEST_CREATE2] = 11, [VTEST_GET2] = 10, [VTEST_PUT2] = 10,
	};
	const uint32_t *words = s->message;

	if (command < sizeof(least) / sizeof(*least) &&
	    length < least[command])
		fail("the program", "a message is too short");
	if (s->shown && command != VTEST_BUSY_WAIT) {
		note_frame(s);
		if (s->frames == s->from + s->wanted)
			finish(s);
	}
	switch (command) {
	case VTEST_PROTOCOL_VERSION:
		s->message[0] = 2;
		break;
	case VTEST_CREATE:
	case VTEST_PUT:
		fail("the program", "it does not speak vtest 2");
	case VTEST_CREATE2:
		note_create(s, words);
		break;
	case VTEST_UNREF:
		note_unref(s, words[0]);
		break;
	case VTEST_PUT2:
		note_all_writes(s);
		note_put(s, words);
		break;
	case VTEST_GET2:
		note_get(s, words);
		break;
	case VTEST_SUBMIT:
		note_all_writes(s);
		recording_put_batch(&s->out, words, length);
		s->batches++;
		break;
	}
}

/* ------------------------------------------------------------ in between */

static void read_whole(int socket, void *bytes, size_t length)
{
	for (size_t have = 0; have < length;) {
		ssize_t n = read(socket, (char *)bytes + have, length - have);

		if (n <= 0)
			exit(n ? 1 : 2);	/* it has gone */
		have += (size_t)n;
	}
}

static void write_whole(int socket, const void *bytes, size_t length)
{
	for (size_t done = 0; done < length;) {
		ssize_t n = send(socket, (const char *)bytes + done,
				 length - done, MSG_NOSIGNAL);

		if (n <= 0)
			fail("handing on", strerror(errno));
		done += (size_t)n;
	}
}

static void from_program(struct session *s)
{
	uint32_t head[2];
	size_t bytes;

	read_whole(s->program, head, sizeof(head));
	/* The one message whose length is in bytes: a name. */
	bytes = head[1] == VTEST_CREATE_RENDERER ? head[0] :
		(size_t)head[0] * 4;
	if (bytes > MESSAGE_WORDS * 4)
		fail("the program", "a message is too long");
	read_whole(s->program, s->message, bytes);
	if (head[1] != VTEST_CREATE_RENDERER)
		note(s, head[1], head[0]);
	write_whole(s->server, head, sizeof(head));
	write_whole(s->server, s->message, bytes);
}

static void keep_memory(struct session *s, int fd)
{
	struct surface *r = s->waits;

	if (!r)
		fail("the server", "it sends memory that nobody asked for");
	s->waits = NULL;
	r->memory = mmap(NULL, r->made.size, PROT_READ, MAP_SHARED, fd, 0);
	r->seen = calloc(1, r->made.size);
	if (r->memory == MAP_FAILED || !r->seen)
		fail("memory", strerror(errno));
}

static void from_server(struct session *s)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	char bytes[4096];
	struct iovec part = { bytes, sizeof(bytes) };
	struct msghdr message = {
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t n = recvmsg(s->server, &message, MSG_CMSG_CLOEXEC);
	struct cmsghdr *c;
	int fd = -1;

	if (n <= 0)
		fail("the server", "it has gone");
	c = CMSG_FIRSTHDR(&message);
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
		memcpy(&fd, CMSG_DATA(c), sizeof(fd));
		keep_memory(s, fd);
	}
	part.iov_len = (size_t)n;
	if (sendmsg(s->program, &message, MSG_NOSIGNAL) != n)
		fail("handing on", strerror(errno));
	if (fd >= 0)
		close(fd);
}

static int local_socket(const char *path, struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	*address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (strlen(path) >= sizeof(address->sun_path))
		fail(path, "too long for a socket");
	strcpy(address->sun_path, path);
	if (fd < 0)
		fail("socket", strerror(errno));
	return fd;
}

__attribute__((noreturn))
static void serve(struct session *s, const char *server)
{
	struct sockaddr_un address;

	s->server = local_socket(server, &address);
	if (connect(s->server, (void *)&address, sizeof(address)) < 0)
		fail(server, strerror(errno));
	s->message = malloc(MESSAGE_WORDS * 4);
	if (!s->message)
		fail("memory", strerror(errno));
	for (;;) {
		struct pollfd wait[] = {
			{ .fd = s->server, .events = POLLIN },
			{ .fd = s->program, .events = POLLIN },
		};

		if (poll(wait, 2, -1) < 0)
			fail("poll", strerror(errno));
		if (wait[0].revents)
			from_server(s);
		else if (wait[1].revents)
			from_program(s);
	}
}

static const char usage[] =
"usage: pvgpu-record -o FILE [OPTION...]\n"
"Records frames of a program that draws with Mesa's virpipe driver.\n"
"  -o, --output=FILE   the recording, packed\n"
"  -l, --listen=PATH   the program's socket (/tmp/.virgl_test)\n"
"  -s, --server=PATH   the vtest server's socket\n"
"  -f, --from=N        frames before the loop (4)\n"
"  -n, --frames=N      frames of the loop (4)\n"
"  -t, --label=TEXT    what it is\n";

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "output", required_argument, NULL, 'o' },
		{ "listen", required_argument, NULL, 'l' },
		{ "server", required_argument, NULL, 's' },
		{ "from", required_argument, NULL, 'f' },
		{ "frames", required_argument, NULL, 'n' },
		{ "label", required_argument, NULL, 't' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	static struct session s = { .from = 4, .wanted = 4 };
	const char *listen_at = "/tmp/.virgl_test", *server = NULL;
	const char *label = "";
	struct sockaddr_un address;
	int c, door;

	while ((c = getopt_long(argc, argv, "o:l:s:f:n:t:h", options,
				NULL)) >= 0) {
		switch (c) {
		case 'o': s.path = optarg; break;
		case 'l': listen_at = optarg; break;
		case 's': server = optarg; break;
		case 'f': s.from = (uint32_t)atoi(optarg); break;
		case 'n': s.wanted = (uint32_t)atoi(optarg); break;
		case 't': label = optarg; break;
		case 'h': fputs(usage, stdout); return 0;
		default: fputs(usage, stderr); return 2;
		}
	}
	if (optind != argc || !s.path || !server || s.from < 1 ||
	    s.from > 10000 || s.wanted < 1 || s.wanted > 1000) {
		fputs(usage, stderr);
		return 2;
	}
	recording_begin(&s.out, label);
	door = local_socket(listen_at, &address);
	unlink(listen_at);
	if (bind(door, (void *)&address, sizeof(address)) < 0 ||
	    listen(door, 8) < 0)
		fail(listen_at, strerror(errno));
	/* A program may open several connections; one of them draws. */
	for (;;) {
		struct pollfd wait = { .fd = door, .events = POLLIN };
		int status;

		if (poll(&wait, 1, 100) > 0) {
			s.program = accept(door, NULL, NULL);
			if (s.program >= 0 && fork() == 0)
				serve(&s, server);
			close(s.program);
		}
		if (waitpid(-1, &status, WNOHANG) <= 0)
			continue;
		if (WIFEXITED(status) && WEXITSTATUS(status) == 2)
			continue;
		unlink(listen_at);
		return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
	}
}
