// SPDX-License-Identifier: MIT
/*
 * The guest's first process after the initrd: runs the harness's commands,
 * several at a time, and sends back what they print and how they end. It
 * reaps whatever else ends, and stays until it is told to reset the machine.
 * With PVGPU_SHELL=TTY in its environment (the kernel's command line) it also
 * gives a shell on that terminal, and powers off when the shell ends.
 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "agent.h"

#define MAX_COMMANDS	16
#define DRAIN_MS	500	/* for output held open by a dead command's children */

struct command {
	bool used;
	uint32_t id;
	pid_t pid;
	bool exited, timed_out;
	int status;
	int64_t deadline;	/* ms; 0: none */
	int in, out[2];		/* our ends; -1 when closed */
};

static struct command commands[MAX_COMMANDS];
static int port = -1;
static pid_t shell_pid = -1;

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000ll + t.tv_nsec / 1000000;
}

static void die(const char *what)
{
	fprintf(stderr, "pvgpu-agent: %s: %s\n", what, strerror(errno));
	sync();
	reboot(RB_POWER_OFF);
	_exit(1);
}

static void write_all(const void *data, size_t size)
{
	const char *p = data;

	while (size) {
		ssize_t n = write(port, p, size);

		if (n < 0 && errno == EAGAIN) {
			struct pollfd pfd = { .fd = port, .events = POLLOUT };

			poll(&pfd, 1, 1000);
			continue;
		}
		if (n < 0 && errno != EINTR)
			die("write to the harness");
		if (n > 0) {
			p += n;
			size -= n;
		}
	}
}

static void send_frame(uint32_t type, uint32_t id, uint32_t arg,
		       const void *payload, uint32_t length)
{
	struct agent_frame f = { AGENT_MAGIC, type, id, arg, length };
	char buf[sizeof(f) + AGENT_PAYLOAD];

	memcpy(buf, &f, sizeof(f));
	if (length)
		memcpy(buf + sizeof(f), payload, length);
	write_all(buf, sizeof(f) + length);
}

/* ------------------------------------------------------------- commands */
static struct command *find(uint32_t id)
{
	for (int i = 0; i < MAX_COMMANDS; i++)
		if (commands[i].used && commands[i].id == id)
			return &commands[i];
	return NULL;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void start(uint32_t id, uint32_t seconds, const char *text)
{
	struct command *c = NULL;
	int in[2], out[2], err[2];

	for (int i = 0; i < MAX_COMMANDS && !c; i++)
		if (!commands[i].used)
			c = &commands[i];
	if (!c) {
		const char *full = "pvgpu-agent: too many commands at once\n";

		send_frame(AGENT_ERR, id, 0, full, strlen(full));
		send_frame(AGENT_EXIT, id, 126 << 8, NULL, 0);
		return;
	}
	if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC) || pipe2(err, O_CLOEXEC))
		die("pipe");
	pid_t pid = fork();
	if (pid < 0)
		die("fork");
	if (!pid) {
		setsid();
		dup2(in[0], 0);
		dup2(out[1], 1);
		dup2(err[1], 2);
		signal(SIGPIPE, SIG_DFL);
		execl("/bin/bash", "bash", "-c", text, NULL);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	close(err[1]);
	fcntl(in[1], F_SETFL, O_NONBLOCK);
	*c = (struct command){
		.used = true, .id = id, .pid = pid, .in = in[1],
		.out = { out[0], err[0] },
		.deadline = seconds ? now_ms() + seconds * 1000ll : 0,
	};
}

static void feed(struct command *c, const char *data, uint32_t length)
{
	if (!length) {
		close_fd(&c->in);
	} else if (c->in >= 0 && write(c->in, data, length) != (ssize_t)length) {
		/* A command that does not read its input loses it. */
		close_fd(&c->in);
	}
}

/* Sends what a command printed; closes the pipe at its end. */
static void forward(struct command *c, int which)
{
	char buf[AGENT_PAYLOAD];
	ssize_t n = read(c->out[which], buf, sizeof(buf));

	if (n > 0)
		send_frame(which ? AGENT_ERR : AGENT_OUT, c->id, 0, buf, n);
	else if (n == 0 || errno != EINTR)
		close_fd(&c->out[which]);
}

static void finish_if_done(struct command *c, int64_t now)
{
	if (!c->exited)
		return;
	if ((c->out[0] >= 0 || c->out[1] >= 0) && now < c->deadline)
		return;
	close_fd(&c->in);
	close_fd(&c->out[0]);
	close_fd(&c->out[1]);
	c->used = false;
	send_frame(AGENT_EXIT, c->id,
		   (c->timed_out ? AGENT_TIMED_OUT : 0) | c->status, NULL, 0);
}

static void reap(void)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == shell_pid) {
			sync();
			reboot(RB_POWER_OFF);
		}
		for (int i = 0; i < MAX_COMMANDS; i++) {
			struct command *c = &commands[i];

			if (!c->used || c->pid != pid)
				continue;
			c->exited = true;
			c->status = status;
			c->deadline = now_ms() + DRAIN_MS;
		}
	}
}

static void check_deadlines(void)
{
	int64_t now = now_ms();

	for (int i = 0; i < MAX_COMMANDS; i++) {
		struct command *c = &commands[i];

		if (!c->used)
			continue;
		if (!c->exited && c->deadline && now >= c->deadline) {
			kill(-c->pid, SIGKILL);
			c->timed_out = true;
			c->deadline = 0;
		}
		finish_if_done(c, now);
	}
}

/* ------------------------------------------------------------- the port */
static void open_port(void)
{
	for (int tries = 0; tries < 200; tries++) {
		glob_t g;

		if (!glob("/sys/class/virtio-ports/*/name", 0, NULL, &g)) {
			for (size_t i = 0; i < g.gl_pathc; i++) {
				char name[64] = "", dev[64], *p = g.gl_pathv[i];
				FILE *f = fopen(p, "re");

				if (!f)
					continue;
				if (!fgets(name, sizeof(name), f))
					name[0] = '\0';
				fclose(f);
				name[strcspn(name, "\n")] = '\0';
				if (strcmp(name, AGENT_PORT))
					continue;
				p += strlen("/sys/class/virtio-ports/");
				snprintf(dev, sizeof(dev), "/dev/%.*s",
					 (int)strcspn(p, "/"), p);
				port = open(dev, O_RDWR | O_CLOEXEC | O_NONBLOCK);
			}
			globfree(&g);
		}
		if (port >= 0)
			return;
		usleep(50000);
	}
	die("no virtio serial port " AGENT_PORT);
}

static void handle(const struct agent_frame *f, char *payload)
{
	struct command *c = find(f->id);

	switch (f->type) {
	case AGENT_EXEC:
		payload[f->length] = '\0';
		start(f->id, f->arg, payload);
		break;
	case AGENT_STDIN:
		if (c)
			feed(c, payload, f->length);
		break;
	case AGENT_KILL:
		if (c && !c->exited)
			kill(-c->pid, f->arg);
		break;
	case AGENT_RESET:
		sync();
		reboot(f->arg ? RB_AUTOBOOT : RB_POWER_OFF);
		break;
	}
}

static void receive(void)
{
	static char buf[sizeof(struct agent_frame) + AGENT_PAYLOAD + 1];
	static size_t have;
	struct agent_frame f;
	ssize_t n = read(port, buf + have, sizeof(buf) - 1 - have);

	if (n <= 0) {
		/* Nobody at the other end: wait for somebody, without spinning. */
		if (n == 0)
			usleep(20000);
		return;
	}
	have += n;
	while (have >= sizeof(f)) {
		memcpy(&f, buf, sizeof(f));
		if (f.magic != AGENT_MAGIC || f.length > AGENT_PAYLOAD) {
			memmove(buf, buf + 1, --have);
			continue;
		}
		size_t size = sizeof(f) + f.length;
		if (have < size)
			return;
		char next = buf[size];
		handle(&f, buf + sizeof(f));
		buf[size] = next;
		have -= size;
		memmove(buf, buf + size, have);
	}
}

static void start_shell(const char *tty)
{
	char path[64];

	snprintf(path, sizeof(path), "/dev/%.48s", tty);
	shell_pid = fork();
	if (shell_pid)
		return;
	setsid();
	int fd = open(path, O_RDWR);
	if (fd < 0)
		_exit(1);
	ioctl(fd, TIOCSCTTY, 1);
	dup2(fd, 0);
	dup2(fd, 1);
	dup2(fd, 2);
	signal(SIGPIPE, SIG_DFL);
	chdir("/root");
	execl("/bin/bash", "bash", "--rcfile", "/host/shellrc", "-i", NULL);
	_exit(127);
}

static void on_child(int sig)
{
	(void)sig;	/* interrupts poll() */
}

int main(void)
{
	static const char zeros[sizeof(struct agent_frame) + AGENT_PAYLOAD];
	struct sigaction child = { .sa_handler = on_child };
	const char *tty = getenv("PVGPU_SHELL");

	sigaction(SIGCHLD, &child, NULL);
	signal(SIGPIPE, SIG_IGN);
	open_port();
	write_all(zeros, sizeof(zeros));
	send_frame(AGENT_HELLO, 0, 0, NULL, 0);
	if (tty)
		start_shell(tty);

	for (;;) {
		struct pollfd fds[1 + 2 * MAX_COMMANDS];
		struct command *of[1 + 2 * MAX_COMMANDS];
		int which[1 + 2 * MAX_COMMANDS], n = 1;

		fds[0] = (struct pollfd){ .fd = port, .events = POLLIN };
		for (int i = 0; i < MAX_COMMANDS; i++) {
			struct command *c = &commands[i];

			for (int w = 0; c->used && w < 2; w++) {
				if (c->out[w] < 0)
					continue;
				fds[n] = (struct pollfd){ .fd = c->out[w], .events = POLLIN };
				of[n] = c;
				which[n++] = w;
			}
		}
		/* Short, for a child that ended just before the call. */
		poll(fds, n, 100);
		reap();
		for (int i = 1; i < n; i++)
			if (fds[i].revents)
				forward(of[i], which[i]);
		if (fds[0].revents & POLLIN)
			receive();
		else if (fds[0].revents & POLLHUP)
			usleep(20000);
		check_deadlines();
	}
}
