/* SPDX-License-Identifier: MIT */
/* What is used here of the vtest protocol, version 2. A message is two words,
 * the number of words that follow and the command, and those words. */
#ifndef PVGPU_REPLAY_VTEST_H
#define PVGPU_REPLAY_VTEST_H

enum vtest_command {
	VTEST_CREATE = 2,
	VTEST_UNREF = 3,		/* name */
	VTEST_PUT = 5,
	VTEST_SUBMIT = 6,		/* the stream */
	VTEST_BUSY_WAIT = 7,		/* name, 1 to wait */
	VTEST_CREATE_RENDERER = 8,	/* a name; its length is in bytes */
	VTEST_PING = 10,
	VTEST_PROTOCOL_VERSION = 11,
	VTEST_CREATE2 = 12,		/* name, ten fields, bytes of memory */
	VTEST_GET2 = 13,		/* name, level, box, bytes, offset */
	VTEST_PUT2 = 14,
};

#endif
