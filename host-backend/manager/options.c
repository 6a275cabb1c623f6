// SPDX-License-Identifier: MIT
/* The command line of pvgpud; see options.h. */
#include "options.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "manager.h"

#define STATUS_USAGE 2
#define TABLE_KEYS 8		/* where those of config_keys begin */

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
"  --state-dir DIR     where vGPUs are written down, so that they outlive this\n"
"                      process [/var/lib/pvgpu; with --runtime-dir: nowhere]\n"
"  --config FILE       the configuration [/etc/pvgpu/pvgpud.conf, if there]\n"
"  --worker PATH       the worker program [pvgpu-worker beside pvgpud, else\n"
"                      /usr/libexec/pvgpu-worker]\n"
"  --worker-unit UNIT  start workers as instances of this systemd unit, such as\n"
"                      pvgpu-worker@.service, and not as children\n"
"  --debug             log more\n"
"  --help, --version\n"
"\n"
"In place of what the configuration says:\n"
"  --gpu-name NAME     [gpu0]\n"
"  --gpu-device DEVICE what is rendered on: llvmpipe, auto, a render node, a PCI\n"
"                      address [llvmpipe]\n"
"  --gpu-memory SIZE   what the framebuffers of all vGPUs add up to at most\n"
"                      [24GiB]\n"
"  --gpu-mode MODE     mixed or equal sizes, until it is set by pvgpuctl [mixed]\n"
"  --policy POLICY     whose turn it is on the GPU: best-effort, equal-share or\n"
"                      fixed-share [best-effort]; this and the next four until\n"
"                      they are set by pvgpuctl\n"
"  --order ORDER       strict or least-served [strict]\n"
"  --slice TIME        of a turn, least served, 1ms to 30ms, and\n"
"  --frequency HZ      of turns, strict, 63 to 960 [2ms and 480 for up to 8 vGPUs\n"
"                      on the GPU, 1ms and 960 for more]\n"
"  --factor NUMBER     over how many turns overshoot is paid back, 1 to 60 [33]\n"
"  --host-memory SHARE what all vGPUs may take of the host's RAM, as a size or\n"
"                      in percent [80%]\n"
"  --socket-group GROUP, --vgpu-socket-group GROUP\n"
"                      who else may connect to the control socket, and to the\n"
"                      vGPUs' [nobody]\n"
"  --metrics ADDRESS   where Prometheus reads /metrics: a socket's path, or a\n"
"                      port such as 127.0.0.1:9437 [nowhere]\n"
"\n"
"It stays in the foreground and prints one line when it is ready. SIGTERM and\n"
"SIGINT end it, and with it the vGPUs' devices, except under systemd with a\n"
"FileDescriptorStoreMax=: there they wait for the next pvgpud. SIGHUP makes it\n"
"read the configuration and the types again.\n";

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
	enum { RUNTIME_DIR = 256, TYPES_DIR, STATE_DIR, CONFIG, WORKER,
	       WORKER_UNIT, DEBUG, HELP, VERSION, KEYS };
	struct option table[] = {
		{ "runtime-dir", required_argument, NULL, RUNTIME_DIR },
		{ "types-dir", required_argument, NULL, TYPES_DIR },
		{ "state-dir", required_argument, NULL, STATE_DIR },
		{ "config", required_argument, NULL, CONFIG },
		{ "worker", required_argument, NULL, WORKER },
		{ "worker-unit", required_argument, NULL, WORKER_UNIT },
		{ "debug", no_argument, NULL, DEBUG },
		{ "help", no_argument, NULL, HELP },
		{ "version", no_argument, NULL, VERSION },
		[TABLE_KEYS + CONFIG_KEYS] = { 0 }
	};
	const struct config_key *key;
	struct config scratch;
	bool state_given = false;
	char name[32];
	int option;

	for (int i = 0; i < CONFIG_KEYS; i++)
		table[TABLE_KEYS + i] = (struct option){
			config_keys[i].option, required_argument, NULL,
			KEYS + i };
	config_defaults(&scratch);
	*o = (struct options){ .state_dir = "/var/lib/pvgpu" };
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
		case STATE_DIR:
			o->state_dir = optarg;
			state_given = true;
			if (!*optarg)
				return wrong(ret_status, "--state-dir", optarg,
					     "a directory");
			break;
		case CONFIG:
			o->config = optarg;
			break;
		case WORKER:
			o->worker = optarg;
			break;
		case WORKER_UNIT:
			o->worker_unit = optarg;
			if (strchr(optarg, '@') == optarg ||
			    !strstr(optarg, "@.service"))
				return wrong(ret_status, "--worker-unit",
					     optarg, "a template such as "
					     "pvgpu-worker@.service");
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
		case KEYS ... KEYS + CONFIG_KEYS - 1:
			key = &config_keys[option - KEYS];
			if (key->set(&scratch, optarg)) {
				snprintf(name, sizeof(name), "--%s",
					 key->option);
				return wrong(ret_status, name, optarg,
					     key->allowed);
			}
			o->keys[option - KEYS] = optarg;
			break;
		default:
			return wrong(ret_status, "option", argv[optind - 1],
				     "what --help shows");
		}
	}
	if (optind < argc)
		return wrong(ret_status, "argument", argv[optind],
			     "none but options; see --help");
	if (!o->runtime_dir)
		o->runtime_dir = "/run/pvgpu";
	else if (!state_given)
		o->state_dir = NULL;	/* the default one is another's */
	return true;
}
