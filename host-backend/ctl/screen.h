/* SPDX-License-Identifier: MIT */
/*
 * A terminal's second screen, for something that is drawn again and again, and
 * the keys that are hit meanwhile. Whatever ends the program, the terminal is
 * what it was.
 */
#ifndef PVGPU_CTL_SCREEN_H
#define PVGPU_CTL_SCREEN_H

#include <stdbool.h>
#include <stddef.h>

/* Whether there is a terminal to read from and to write to. */
bool screen_possible(void);
/* 0 or -errno. */
int screen_enter(void);
/* Harmless if it was not entered. */
void screen_leave(void);

/* Draws lines from the top on; what does not fit is left out. */
void screen_begin(void);
/* Of at most `width` bytes, printable; emphasised: as a heading. */
void screen_line(const char *text, bool emphasised);
void screen_end(void);
/* As it is now. */
size_t screen_width(void);
size_t screen_height(void);

#define SCREEN_TIMEOUT	0
#define SCREEN_RESIZED	(-1)
#define SCREEN_GONE	(-2)		/* the terminal */
/* Waits for a key for at most `ms` milliseconds; returns it, or as above. */
int screen_wait(int ms);

#endif
