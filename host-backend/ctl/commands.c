// SPDX-License-Identifier: MIT
/* The table of subcommands: the one place that names them, for the parser and
 * for every --help. */
#include "ctl.h"

const struct ctl_command ctl_commands[] = {
	{ "types", "", 0, "", "list the types and how many more of each fit",
	  "FITS says how many vGPUs of the type can still be created.\n",
	  ctl_types },
	{ "create", "NAME TYPE", 2, "", "create a vGPU",
	  "NAME is 1 to 32 of a-z 0-9 _ -. Its socket, for QEMU, is there\n"
	  "until the vGPU is destroyed; 'qemu-args NAME' says how to use it.\n",
	  ctl_create },
	{ "destroy", "[--force] NAME", 1, "f", "destroy a vGPU",
	  "  -f, --force   also if a QEMU has it; its device is dead then\n",
	  ctl_destroy },
	{ "list", "", 0, "", "list the vGPUs", "", ctl_list },
	{ "show", "NAME", 1, "", "tell everything about a vGPU",
	  "Type, limits, who uses it, its heads, what it uses of its budgets.\n",
	  ctl_show },
	{ "screenshot", "[-o FILE] NAME HEAD", 2, "o",
	  "save what a head shows as PNG",
	  "  -o, --output FILE   [NAME-HEAD.png]; - is standard output\n",
	  ctl_screenshot },
	{ "qemu-args", "NAME", 1, "", "print the QEMU arguments for a vGPU",
	  "One line, quoted for a shell:\n"
	  "  eval \"qemu-system-x86_64 ... $(pvgpuctl qemu-args NAME)\"\n",
	  ctl_qemu_args },
	{ 0 }
};
