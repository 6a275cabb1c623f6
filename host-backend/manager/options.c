// SPDX-License-Identifier: MIT
/* The command line of pvgpud; see options.h. */
#include "options.h"

#include <getopt.h>
#include <stdio.h>

#include "common/size.h"
#include "manager.h"

#define STATUS_USAGE 2

static const char help[] =
"pvgpud - shares a GPU among virtual machines\n"
"\n"
"  pvgpud [OPTION]...\n"
"\n"
"  --runtime-dir DIR   sockets: DIR/control, and DIR/NAME.sock for each vGPU\n"
"                      [/run/pvgpu]\n"
"  --types-dir DIR     vGPU types, DIR/*.conf; may be given several times, a\n"
"                      later one's file replaces an earlier one's of its name\n"
"                      [/usr/share/pvgpu/types.d, then /etc/pvgpu/types.d]\n"
"  --gpu-memory SIZE   what the framebuffers of all vGPUs add up to at most\n"
"                      [24GiB]\n"
"  --worker PATH       the worker program [pvgpu-worker beside pvgpud, else\n"
"                      /usr/libexec/pvgpu-worker]\n"
"  --debug             log more\n"
"  --help, --version\n"
"\n"
"It stays in the foreground and prints one line when it is ready. SIGTERM and\n"
"SIGINT end it, and with it the vGPUs.\n";

static bool wrong(int *ret_status, const char *option, const char *given,
		  const char *allowed)
{
	fprintf(stderr, "pvgpud: %s: '%s' given; allowed is %s\n", option,
		given, allowed);
	*ret_status = STATUS_USAGE;
	return false;
}

bool options_read(struct options *o, int argc, char **argv, int *ret_status)
{
	enum { RUNTIME_DIR = 256, TYPES_DIR, GPU_MEMORY, WORKER, DEBUG, HELP,
	       VERSION };
	static const struct option table[] = {
		{ "runtime-dir", required_argument, NULL, RUNTIME_DIR },
		{ "types-dir", required_argument, NULL, TYPES_DIR },
		{ "gpu-memory", required_argument, NULL, GPU_MEMORY },
		{ "worker", required_argument, NULL, WORKER },
		{ "debug", no_argument, NULL, DEBUG },
		{ "help", no_argument, NULL, HELP },
		{ "version", no_argument, NULL, VERSION },
		{ 0 }
	};
	int option;

	*o = (struct options){
		.runtime_dir = "/run/pvgpu",
		.gpu_memory = 24ull << 30,
	};
	opterr = 0;
	while ((option = getopt_long(argc, argv, ":", table, NULL)) != -1) {
		switch (option) {
		case RUNTIME_DIR:
			o->runtime_dir = optarg;
			if (!*optarg)
				return wrong(ret_status, "--runtime-dir",
					     optarg, "a directory");
			break;
		case TYPES_DIR:
			if (o->types_count == TYPES_DIRS_MAX)
				return wrong(ret_status, "--types-dir", optarg,
					     "up to 8 times");
			o->types_dirs[o->types_count++] = optarg;
			break;
		case GPU_MEMORY:
			if (parse_size(&o->gpu_memory, optarg) ||
			    o->gpu_memory < 1ull << 30)
				return wrong(ret_status, "--gpu-memory", optarg,
					     "a size of 1GiB or more, such as "
					     "24GiB");
			break;
		case WORKER:
			o->worker = optarg;
			break;
		case DEBUG:
			o->debug = true;
			break;
		case HELP:
			fputs(help, stdout);
			*ret_status = 0;
			return false;
		case VERSION:
			puts("pvgpud " PVGPU_RELEASE);
			*ret_status = 0;
			return false;
		case ':':
			return wrong(ret_status, argv[optind - 1], "nothing",
				     "a value; see --help");
		default:
			return wrong(ret_status, "option", argv[optind - 1],
				     "what --help shows");
		}
	}
	if (optind < argc)
		return wrong(ret_status, "argument", argv[optind],
			     "none but options; see --help");
	return true;
}
