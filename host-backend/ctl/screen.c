// SPDX-License-Identifier: MIT
/* The second screen; see screen.h. The few sequences that it takes are those
 * of every terminal since the VT220 and xterm, so no terminfo is asked. */
#include "screen.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>

#include "common/util.h"

#define ENTER	"\033[?1049h\033[?25l"	/* second screen, no cursor */
#define LEAVE	"\033[?25h\033[?1049l"
#define HOME	"\033[H"
#define BOLD	"\033[7m"
#define PLAIN	"\033[m"
#define TO_END	"\033[K"		/* clears to the end of the line, */
#define BELOW	"\033[J"		/* and of the screen */

static struct {
	bool entered;
	struct termios before;
	volatile sig_atomic_t resized;
	size_t line, height, width;	/* of the drawing */
} screen;

static void put(const char *text)
{
	ssize_t n = write(STDOUT_FILENO, text, strlen(text));

	(void)n;	/* a terminal that is gone is seen by screen_wait() */
}

bool screen_possible(void)
{
	return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
}

void screen_leave(void)
{
	if (!screen.entered)
		return;
	screen.entered = false;
	put(LEAVE);
	tcsetattr(STDIN_FILENO, TCSANOW, &screen.before);
}

/* Only what a handler may call. */
static void end(int number)
{
	screen_leave();
	signal(number, SIG_DFL);
	raise(number);
}

static void resized(int number)
{
	(void)number;
	screen.resized = 1;
}

int screen_enter(void)
{
	struct sigaction ends = { .sa_handler = end };
	struct sigaction winch = { .sa_handler = resized };
	struct termios now;

	if (tcgetattr(STDIN_FILENO, &screen.before) < 0)
		return -errno;
	now = screen.before;
	now.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	now.c_oflag &= ~(tcflag_t)OPOST;
	now.c_cc[VMIN] = 1;
	now.c_cc[VTIME] = 0;
	/* Stopped, it would leave the shell with this screen. */
	now.c_cc[VSUSP] = _POSIX_VDISABLE;
	if (tcsetattr(STDIN_FILENO, TCSANOW, &now) < 0)
		return -errno;
	screen.entered = true;
	sigaction(SIGINT, &ends, NULL);
	sigaction(SIGTERM, &ends, NULL);
	sigaction(SIGHUP, &ends, NULL);
	sigaction(SIGQUIT, &ends, NULL);
	sigaction(SIGWINCH, &winch, NULL);
	put(ENTER);
	return 0;
}

static struct winsize size_now(void)
{
	struct winsize size = { 0 };

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || !size.ws_col ||
	    !size.ws_row)
		size = (struct winsize){ .ws_row = 24, .ws_col = 80 };
	return size;
}

size_t screen_width(void)
{
	return size_now().ws_col;
}

size_t screen_height(void)
{
	return size_now().ws_row;
}

void screen_begin(void)
{
	screen.line = 0;
	screen.height = screen_height();
	screen.width = screen_width();
	fputs(HOME, stdout);
}

void screen_line(const char *text, bool emphasised)
{
	if (screen.line == screen.height)
		return;
	/* None at the end of the last line: it would scroll. */
	if (screen.line++)
		fputs("\r\n", stdout);
	printf("%s%.*s%s%s", emphasised ? BOLD : "", (int)screen.width, text,
	       emphasised ? PLAIN : "",
	       strlen(text) < screen.width ? TO_END : "");
}

void screen_end(void)
{
	fputs(screen.line < screen.height ? "\r\n" BELOW : "", stdout);
	fflush(stdout);
}

int screen_wait(int ms)
{
	struct pollfd in = { .fd = STDIN_FILENO, .events = POLLIN };
	const struct timespec timeout = {
		.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L,
	};
	sigset_t winch, before;
	unsigned char key;
	int n;

	/* Between the look and the wait it must not come unseen. */
	sigemptyset(&winch);
	sigaddset(&winch, SIGWINCH);
	sigprocmask(SIG_BLOCK, &winch, &before);
	n = screen.resized ? 0 : ppoll(&in, 1, &timeout, &before);
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (screen.resized) {
		screen.resized = 0;
		return SCREEN_RESIZED;
	}
	if (n <= 0)
		return n < 0 && errno != EINTR ? SCREEN_GONE : SCREEN_TIMEOUT;
	if (read(STDIN_FILENO, &key, 1) != 1)
		return SCREEN_GONE;
	return key ? key : SCREEN_TIMEOUT;
}
