// SPDX-License-Identifier: MIT
/* Starting a worker as a child; see spawn.h. */
#include "spawn.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>

#include "common/util.h"
#include "common/worker_link.h"

/* What a worker's environment may hold: how our lines are read and, for
 * sanitizers, where their findings go. */
static char **clean_environment(void)
{
	static const char *const kept[] = {
		"JOURNAL_STREAM", "ASAN_OPTIONS", "UBSAN_OPTIONS",
		"LSAN_OPTIONS",
	};
	char **environment;
	size_t used = 0;

	environment = calloc(ARRAY_SIZE(kept) + 1, sizeof(*environment));
	if (!environment)
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++) {
		const char *value = getenv(kept[i]);

		if (value && asprintf(&environment[used++], "%s=%s", kept[i],
				      value) < 0)
			environment[--used] = NULL;
	}
	return environment;
}

static void free_strings(char ***strings)
{
	for (char **s = *strings; s && *s; s++)
		free(*s);
	free(*strings);
}

int spawn_worker(pid_t *ret, const char *program, bool debug, int socket)
{
	cleanup(free_strings) char **environment = clean_environment();
	char *const arguments[] = {
		(char *)"pvgpu-worker", debug ? (char *)"--debug" : NULL, NULL,
	};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none, all;
	int r;

	if (!environment)
		return -ENOMEM;
	sigemptyset(&none);
	sigfillset(&all);
	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attributes);
	r = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO,
					     "/dev/null", O_RDONLY, 0);
	if (!r)
		r = posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO,
						     STDOUT_FILENO);
	if (!r)
		r = posix_spawn_file_actions_adddup2(&actions, socket,
						     WORKER_LINK_FD);
	if (!r)
		r = posix_spawn_file_actions_addclosefrom_np(&actions,
			WORKER_LINK_FD + 1);
	if (!r)
		r = posix_spawnattr_setflags(&attributes,
			POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
			POSIX_SPAWN_SETPGROUP);
	if (!r)
		r = posix_spawnattr_setsigmask(&attributes, &none);
	if (!r)
		r = posix_spawnattr_setsigdefault(&attributes, &all);
	if (!r)
		r = posix_spawn(ret, program, &actions, &attributes, arguments,
				environment);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	return -r;
}
