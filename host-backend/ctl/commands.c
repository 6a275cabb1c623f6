// SPDX-License-Identifier: MIT
/* The tables of subcommands and their options: the one place that names them,
 * for the parser and for every --help. */
#include "ctl.h"
#include "types/setting.h"

const struct ctl_option ctl_options[] = {
	{ 'o', true, "--output", "a file name" },
	{ 'f', true, "--force", NULL },
	{ 'p', false, "--plug", NULL },
	{ 'u', false, "--unplug", NULL },
	{ 'm', false, "--mode", "a mode, WxH or WxH@HZ" },
	{ 'e', false, "--edid", "a file name or default" },
	{ 'd', true, "--delay", "seconds, 0.1 to 3600" },
	{ 'n', true, "--count", "a number" },
	{ 'b', true, "--batch", NULL },
	{ 's', true, "--seconds", "0.1 to 600" },
	{ 'l', false, "--placement", "an id, see gpu placements" },
	{ 'y', false, "--policy", POLICY_ALLOWED },
	{ 'r', false, "--order", ORDER_ALLOWED },
	{ 'c', false, "--slice", SLICE_ALLOWED },
	{ 'q', false, "--frequency", FREQUENCY_ALLOWED },
	{ 'a', false, "--factor", FACTOR_ALLOWED },
	{ 'w', false, "--weight", WEIGHT_ALLOWED },
	{ 'h', false, "--share", SHARE_ALLOWED },
	{ 'x', false, "--borrow", BORROW_ALLOWED },
	{ 'g', false, "--watchdog", WATCHDOG_ALLOWED },
	{ 't', false, "--frame-limit", FRAME_LIMIT_ALLOWED },
	{ 0 }
};

const struct ctl_command ctl_commands[] = {
	{ "types", "", 0, 0, "", "list types and how many more fit",
	  "FITS says how many more vGPUs of the type can be created now, if no\n"
	  "others are; MOST, how many with nothing else on the GPU.\n",
	  ctl_types },
	{ "gpu", "[set-mode MODE|placements TYPE]", 0, 2, "",
	  "show the GPU and what lies where on it",
	  "  set-mode mixed       take vGPUs of any sizes\n"
	  "  set-mode equal       take only vGPUs of one size at a time\n"
	  "  placements TYPE      show where vGPUs of the type may lie\n"
	  "The mode is switched only while there is no vGPU.\n",
	  ctl_gpu },
	{ "create", "[--placement ID] NAME TYPE", 2, 2, "l", "create a vGPU",
	  "  --placement ID   where on the GPU, see 'gpu placements'\n"
	  "NAME is 1 to 32 of a-z 0-9 _ -. Its socket, for QEMU, is there\n"
	  "until the vGPU is destroyed; 'qemu-args NAME' says how to use it.\n",
	  ctl_create },
	{ "destroy", "[--force] NAME", 1, 1, "f", "destroy a vGPU",
	  "  -f, --force   also if a QEMU has it; its device is dead then\n",
	  ctl_destroy },
	{ "list", "", 0, 0, "", "list the vGPUs", "", ctl_list },
	{ "show", "NAME", 1, 1, "", "tell everything about a vGPU",
	  "Type, limits, who uses it, its heads, what it uses of its budgets.\n",
	  ctl_show },
	{ "stat", "[-d S] [-n N] [NAME]", 0, 1, "dn",
	  "tell what vGPUs use, for people or scripts",
	  "  -d, --delay S   rates over S seconds [1; --json: none]\n"
	  "  -n, --count N   N times, S seconds apart; --json: a line each\n"
	  "pvgpuctl(1) says what each figure is.\n",
	  ctl_stat },
	{ "top", "[-b] [-d S] [-n N]", 0, 0, "bdn",
	  "watch what vGPUs use",
	  "  -b, --batch     lines in place of a screen, as without a terminal\n"
	  "  -d, --delay S   every S seconds [1]\n"
	  "  -n, --count N   N times, and then end\n"
	  "Keys: q quit, g by use of the GPU, n by name, space: at once.\n"
	  "With --json a line each time, as 'stat' has it.\n",
	  ctl_top },
	{ "trace", "[-o FILE] [-s S] [NAME]", 0, 1, "os",
	  "write down what happens, for Perfetto",
	  "  -o, --output FILE   [trace.json]; - is standard output\n"
	  "  -s, --seconds S     for so long [5]\n"
	  "The file opens at https://ui.perfetto.dev and in chrome://tracing:\n"
	  "slices, batches, flips and more, a group of tracks for each vGPU.\n",
	  ctl_trace },
	{ "head", "NAME [HEAD] [OPTION...]", 1, 2, "pume",
	  "show or set what is plugged into heads",
	  "Without an option it shows all heads, or one. With options it sets\n"
	  "one; a guest is told at once, and every later guest sees it so.\n"
	  "  --plug             a monitor is there\n"
	  "  --unplug           none is\n"
	  "  --mode WxH[@HZ]    the mode that the monitor prefers\n"
	  "  --edid FILE        the monitor's EDID, up to 1024 bytes; 'default'\n"
	  "                     for one that pvgpu makes, with the type's mode\n"
	  "                     (a file of that name is ./default)\n",
	  ctl_head },
	{ "sched", "show|set [NAME] [OPTION...]", 1, 2, CTL_SETTING_OPTIONS,
	  "show or set how the GPU's time is shared out",
	  "'show' tells it of the GPU and all vGPUs, or of one. 'set' changes it\n"
	  "while VMs run, and for good; 'default' as a value takes that back.\n"
	  "Of the GPU:\n"
	  "  --policy POLICY    best-effort: work in flight is bounded, no more;\n"
	  "                     equal-share: by weight among those that draw;\n"
	  "                     fixed-share: each its share of all time\n"
	  "  --order ORDER      strict or least-served\n"
	  "  --slice TIME       of a turn, least-served, 1ms to 30ms\n"
	  "  --frequency HZ     of turns, strict, 63 to 960\n"
	  "  --factor NUMBER    turns to pay overshoot back in, strict, 1 to 60\n"
	  "Of a vGPU, NAME:\n"
	  "  --weight NUMBER    1 to 1000; equal-share\n"
	  "  --share PERCENT    of the GPU, such as 12.5%; fixed-share. Default:\n"
	  "                     by size\n"
	  "  --borrow PERCENT   of its share, 100% to 3200%, that it may have\n"
	  "                     in all while others are idle; fixed-share\n"
	  "  --watchdog TIME    the longest batch, 10ms to 60s\n"
	  "  --frame-limit HZ   frames a second of each head, 1 to 1000, or off\n",
	  ctl_sched },
	{ "screenshot", "[-o FILE] NAME HEAD", 2, 2, "o",
	  "save what a head shows as PNG",
	  "  -o, --output FILE   [NAME-HEAD.png]; - is standard output\n",
	  ctl_screenshot },
	{ "qemu-args", "NAME", 1, 1, "", "print the QEMU arguments for a vGPU",
	  "One line, quoted for a shell:\n"
	  "  eval \"qemu-system-x86_64 ... $(pvgpuctl qemu-args NAME)\"\n",
	  ctl_qemu_args },
	{ "libvirt-xml", "NAME", 1, 1, "",
	  "print the libvirt device for a vGPU",
	  "One element for <devices> of a domain: paste it there with\n"
	  "'virsh edit', or\n"
	  "  pvgpuctl libvirt-xml NAME >pvgpu.xml\n"
	  "  virsh attach-device DOMAIN pvgpu.xml --config\n",
	  ctl_libvirt_xml },
	{ 0 }
};
