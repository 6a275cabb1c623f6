// SPDX-License-Identifier: MIT
/* pvgpuctl, what an administrator types: reads the command line by the table
 * in commands.c and runs one subcommand. */
#include <stdarg.h>
#include <string.h>

#include "ctl.h"
#include "screen.h"

#define RELEASE "0.1"
#define DEFAULT_SOCKET "/run/pvgpu/control"

void ctl_complain(const struct ctl *ctl, const char *format, ...)
{
	char line[2048];
	va_list ap;

	va_start(ap, format);
	vsnprintf(line, sizeof(line), format, ap);
	va_end(ap);
	screen_leave();		/* with it, the line would be gone */
	fprintf(stderr, "pvgpuctl: %s%s%s\n", ctl->command ? ctl->command : "",
		ctl->command ? ": " : "", line);
}

static void print_help(void)
{
	printf("pvgpuctl - controls the vGPUs of pvgpud\n\n"
	       "  pvgpuctl [--socket PATH] [--json] COMMAND ...\n\n");
	for (const struct ctl_command *c = ctl_commands; c->name; c++) {
		char head[64];

		snprintf(head, sizeof(head), "%s %s", c->name, c->usage);
		printf("  %-36s %s\n", head, c->summary);
	}
	printf("\n"
	       "  --socket PATH   pvgpud's control socket [$PVGPU_SOCKET, else\n"
	       "                  " DEFAULT_SOCKET "]\n"
	       "  --json          print the daemon's reply as JSON\n"
	       "  --help          this, or with a COMMAND more about it\n"
	       "  --version\n\n"
	       "Exit status: 0 done, 1 refused or failed, 2 wrong usage, 3 no\n"
	       "connection to pvgpud.\n");
}

static void print_command_help(const struct ctl_command *c)
{
	printf("pvgpuctl %s%s%s - %s\n", c->name, *c->usage ? " " : "",
	       c->usage, c->summary);
	if (*c->help)
		printf("\n%s", c->help);
}

static const struct ctl_command *find_command(const char *name)
{
	for (const struct ctl_command *c = ctl_commands; c->name; c++)
		if (!strcmp(c->name, name))
			return c;
	return NULL;
}

/* The value of an option that is argv[*at], as "--name VALUE", "--name=VALUE",
 * or "-n VALUE"; NULL if it is another option. "" if the value is missing. */
static const char *option_value(char **argv, int *at, const char *name,
				char letter)
{
	const char *given = argv[*at];
	size_t length = strlen(name);

	if (!strncmp(given, name, length) && given[length] == '=')
		return given + length + 1;
	if (strcmp(given, name) &&
	    !(letter && given[0] == '-' && given[1] == letter && !given[2]))
		return NULL;
	return argv[*at + 1] ? argv[++*at] : "";
}

static enum ctl_status usage_error(const struct ctl *ctl, const char *what,
				   const char *given, const char *allowed)
{
	ctl_complain(ctl, "%s: '%s' given; allowed is %s", what,
		     ctl_safe(given), allowed);
	return CTL_USAGE;
}

/* The command's option that argv[*at] is, with its value; false if it is none
 * of them. A value that is missing is NULL. */
static bool command_option(const struct ctl_command *command, char **argv,
			   int *at, const struct ctl_option **ret,
			   const char **ret_value)
{
	const char *value;

	for (const struct ctl_option *o = ctl_options; o->letter; o++) {
		if (!command || !strchr(command->options, o->letter))
			continue;
		if (o->value) {
			value = option_value(argv, at, o->name,
					     o->brief ? o->letter : 0);
			if (!value)
				continue;
			*ret_value = *value ? value : NULL;
		} else {
			if (strcmp(argv[*at], o->name) &&
			    !(o->brief && argv[*at][1] == o->letter &&
			      !argv[*at][2]))
				continue;
			*ret_value = "";
		}
		*ret = o;
		return true;
	}
	return false;
}

int main(int argc, char **argv)
{
	const struct ctl_command *command = NULL;
	const struct ctl_option *option;
	struct ctl ctl = { .socket = getenv("PVGPU_SOCKET") };
	bool options_end = false, help = false;
	enum ctl_status status;
	const char *value;
	int count = 0;

	(void)argc;
	if (!ctl.socket || !*ctl.socket)
		ctl.socket = DEFAULT_SOCKET;
	for (int i = 1; argv[i]; i++) {
		if (!options_end && argv[i][0] == '-' && argv[i][1]) {
			if (!strcmp(argv[i], "--")) {
				options_end = true;
			} else if (!strcmp(argv[i], "--help") ||
				   !strcmp(argv[i], "-h")) {
				help = true;
			} else if (!strcmp(argv[i], "--version")) {
				puts("pvgpuctl " RELEASE);
				return CTL_OK;
			} else if (!strcmp(argv[i], "--json")) {
				ctl.json = true;
			} else if ((value = option_value(argv, &i, "--socket",
							 0))) {
				if (!*value)
					return usage_error(&ctl, "--socket",
							   "", "a path");
				ctl.socket = value;
			} else if (command_option(command, argv, &i, &option,
						  &value)) {
				if (!value)
					return usage_error(&ctl, option->name,
							   "", option->value);
				ctl.options[option->letter - 'a'] = value;
			} else {
				return usage_error(&ctl, "option", argv[i],
						   "what --help shows");
			}
			continue;
		}
		if (!command) {
			command = find_command(argv[i]);
			if (!command) {
				char names[256] = "one of";

				for (command = ctl_commands; command->name;
				     command++) {
					strcat(names, " ");
					strcat(names, command->name);
				}
				return usage_error(&ctl, "command", argv[i],
						   names);
			}
			ctl.command = command->name;
			continue;
		}
		if (count == command->most) {
			if (help)
				continue;
			return usage_error(&ctl, "argument", argv[i],
				*command->usage ? command->usage : "none");
		}
		ctl.arguments[count++] = argv[i];
	}
	if (help) {
		if (command)
			print_command_help(command);
		else
			print_help();
		return CTL_OK;
	}
	if (!command) {
		ctl_complain(&ctl, "no command given; see pvgpuctl --help");
		return CTL_USAGE;
	}
	if (count < command->least) {
		ctl_complain(&ctl, "needs %s", command->usage);
		return CTL_USAGE;
	}
	status = command->run(&ctl);
	if (fflush(stdout) == EOF || ferror(stdout)) {
		ctl_complain(&ctl, "standard output: %s", strerror(errno));
		return CTL_FAILED;
	}
	return status;
}
