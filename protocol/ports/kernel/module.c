// SPDX-License-Identifier: MIT
/* Lets the protocol's files be linked as a kernel module. */
#include <linux/module.h>

MODULE_DESCRIPTION("pvgpu protocol, compile check");
MODULE_LICENSE("Dual MIT/GPL");
