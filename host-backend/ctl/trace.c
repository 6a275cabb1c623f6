// SPDX-License-Identifier: MIT
/* pvgpuctl trace: the daemon's files as one that Perfetto opens. Those of vGPUs
 * are strangers' bytes: mapped only if nobody can shorten them, each record
 * copied once and checked. */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "common/trace.h"
#include "figures.h"
#include "trace_json.h"

#define SECONDS_MAX	600u

static void unmap(const struct trace_file **file)
{
	if (*file)
		munmap((void *)*file, sizeof(**file));
}

/* The file that a member's fileDescriptor says, or NULL. */
static const struct trace_file *map(json_object *member,
				    const struct ctl_fds *fds)
{
	long long n = json_member(member, "fileDescriptor") ?
		      json_number(member, "fileDescriptor") : -1;
	int seals, fd;
	struct stat st;
	void *at;

	if (n < 0 || n >= (long long)fds->count)
		return NULL;
	fd = fds->fds[n];
	seals = fcntl(fd, F_GET_SEALS);
	if (seals < 0 || !(seals & F_SEAL_SHRINK) || fstat(fd, &st) < 0 ||
	    st.st_size < (off_t)sizeof(struct trace_file))
		return NULL;
	at = mmap(NULL, sizeof(struct trace_file), PROT_READ, MAP_SHARED, fd,
		  0);
	return at == MAP_FAILED ? NULL : at;
}

static bool put_file(struct trace_json *t, unsigned int vgpu,
		     json_object *member, const struct ctl_fds *fds,
		     unsigned int vgpus)
{
	cleanup(unmap) const struct trace_file *file = map(member, fds);

	if (file)
		trace_json_file(t, vgpu, file, vgpus);
	return file;
}

/* False: the reply is not what it should be. */
static bool put_all(struct trace_json *t, json_object *reply,
		    const struct ctl_fds *fds)
{
	json_object *vgpus = json_member(reply, "vgpus");
	unsigned int count = 0;

	if (json_object_get_type(vgpus) == json_type_array)
		count = (unsigned int)json_object_array_length(vgpus);
	if (!count || count >= FDPASS_MAX || t->began > t->ended)
		return false;
	trace_json_begin(t);
	for (unsigned int i = 0; i < count; i++) {
		json_object *v = json_object_array_get_idx(vgpus, i);
		const char *name = json_string(v, "name");

		/* Nothing that would need escaping. */
		if (strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") !=
		    strlen(name))
			return false;
		trace_json_vgpu(t, i + 1, name);
		if (!put_file(t, i + 1, v, fds, count))
			return false;
	}
	if (!put_file(t, 0, json_member(reply, "schedule"), fds, count))
		return false;
	trace_json_end(t);
	return true;
}

static enum ctl_status save(const struct ctl *ctl, const char *path,
			    struct trace_json *t, json_object *reply,
			    const struct ctl_fds *fds)
{
	bool to_stdout = !strcmp(path, "-");
	enum ctl_status status = CTL_OK;
	struct stat st;

	t->out = to_stdout ? stdout : fopen(path, "we");
	if (!t->out) {
		ctl_complain(ctl, "%s: %s", path, strerror(errno));
		return CTL_FAILED;
	}
	if (!put_all(t, reply, fds)) {
		ctl_complain(ctl, "the reply is no trace");
		status = CTL_FAILED;
	} else if (fflush(t->out) == EOF || ferror(t->out)) {
		ctl_complain(ctl, "%s: %s", path, strerror(errno));
		status = CTL_FAILED;
	}
	if (to_stdout)
		return status;
	if (fclose(t->out) == EOF && !status) {
		ctl_complain(ctl, "%s: %s", path, strerror(errno));
		status = CTL_FAILED;
	}
	/* Half a trace is no use; a device or a pipe is not ours. */
	if (status && stat(path, &st) == 0 && S_ISREG(st.st_mode))
		unlink(path);
	return status;
}

/* What is in the file, as --json or for people. */
static void tell(const struct ctl *ctl, const char *path,
		 const struct trace_json *t)
{
	cleanup_json json_object *o = json_object_new_object();

	json_object_object_add(o, "file", json_object_new_string(path));
	json_object_object_add(o, "records",
			       json_object_new_int64((int64_t)t->written));
	json_object_object_add(o, "lost",
			       json_object_new_int64((int64_t)t->lost));
	json_object_object_add(o, "bad",
			       json_object_new_int64((int64_t)t->bad));
	if (ctl_print_json(ctl, o))
		return;
	printf("%s: %llu records of %.1f s\n", path,
	       (unsigned long long)t->written,
	       (double)(t->ended - t->began) / 1e9);
	if (t->lost)
		printf("%llu later ones had no room: trace for less long\n",
		       (unsigned long long)t->lost);
	if (t->bad)
		printf("%llu made no sense: a worker's word\n",
		       (unsigned long long)t->bad);
}

enum ctl_status ctl_trace(struct ctl *ctl)
{
	const char *path = ctl_option(ctl, 'o') ? ctl_option(ctl, 'o') :
						  "trace.json";
	const char *seconds = ctl_option(ctl, 's');
	cleanup_fds struct ctl_fds fds = { .count = 0 };
	cleanup_json json_object *reply = NULL;
	struct trace_json t = { 0 };
	json_object *parameters;
	enum ctl_status status;
	unsigned int ms = 5000;

	if (seconds && !figures_seconds(&ms, seconds, SECONDS_MAX * 1000)) {
		ctl_complain(ctl, "--seconds: '%s' given; allowed are 0.1 to "
			     "%u", ctl_safe(seconds), SECONDS_MAX);
		return CTL_USAGE;
	}
	parameters = ctl->arguments[0] ? ctl_named(ctl->arguments[0]) :
					 json_object_new_object();
	json_object_object_add(parameters, "milliseconds",
			       json_object_new_int64(ms));
	ctl->lasts = ms / 1000 + 1;
	status = ctl_call_fds(ctl, "Trace", parameters, &reply, &fds);
	if (status)
		return status;
	t.began = (uint64_t)json_number(reply, "began");
	t.ended = (uint64_t)json_number(reply, "ended");
	status = save(ctl, path, &t, reply, &fds);
	if (!status && strcmp(path, "-"))
		tell(ctl, path, &t);
	return status;
}
