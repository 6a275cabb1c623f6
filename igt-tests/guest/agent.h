/* SPDX-License-Identifier: MIT */
/*
 * What the harness and the guest's agent say to each other over a virtio
 * serial port (little-endian, both ways the same frame). A stream may break
 * off anywhere when the guest resets: the agent opens with more zeros than a
 * frame can hold, then AGENT_HELLO; a reader that finds no magic where a frame
 * should begin skips to the next one.
 */
#ifndef PVGPU_AGENT_H
#define PVGPU_AGENT_H

#include <stdint.h>

#define AGENT_PORT	"pvgpu.agent"
#define AGENT_MAGIC	0x41475650u	/* "PVGA" */
#define AGENT_PAYLOAD	4096u		/* most bytes after a header */

enum {
	/* from the harness */
	AGENT_EXEC = 1,		/* payload: a shell command; arg: seconds it may take, 0: any */
	AGENT_STDIN,		/* payload: input for the command; none: end of input */
	AGENT_KILL,		/* arg: signal, to the command's process group */
	AGENT_RESET,		/* arg: 0 power off, 1 reboot */
	/* from the guest */
	AGENT_HELLO = 16,	/* first after each boot */
	AGENT_OUT,		/* standard output */
	AGENT_ERR,		/* standard error */
	AGENT_EXIT,		/* arg: wait status; AGENT_TIMED_OUT if it was killed for its time */
};

#define AGENT_TIMED_OUT	0x80000000u

struct agent_frame {
	uint32_t magic;
	uint32_t type;
	uint32_t id;		/* the command, as the harness numbered it */
	uint32_t arg;
	uint32_t length;	/* of the payload that follows */
};

#endif
