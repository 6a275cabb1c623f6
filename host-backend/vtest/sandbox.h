/* SPDX-License-Identifier: MIT */
/* What the door gives up before it listens to a client. */
#ifndef PVGPU_VTEST_SANDBOX_H
#define PVGPU_VTEST_SANDBOX_H

/* No new privileges, no dumps, and an allow-list of system calls: from then on
 * it opens no file, connects to nobody and starts nothing. -errno. */
int sandbox_shut(void);

#endif
