// SPDX-License-Identifier: MIT
/* Files of vGPUs and of the GPU that outlive pvgpud; see state.h. */
#include "state.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "admission.h"
#include "common/log.h"
#include "common/util.h"
#include "json_file.h"
#include "sched_setting.h"
#include "varlink.h"

#define STATE_VERSION	1
#define SUFFIX		".json"

struct state {
	int directory;			/* and its lock */
	int vgpus;
	char *path;
};

const char *state_path(const struct state *state)
{
	return state->path;
}

/* ----------------------------------------------------------------- files */

static int open_directory(int at, const char *path)
{
	int fd;

	if (mkdirat(at, path, 0700) < 0 && errno != EEXIST)
		return -errno;
	fd = openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int state_open(struct state **ret, const char *path)
{
	struct state *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	s->vgpus = -1;
	s->directory = r = open_directory(AT_FDCWD, path);
	if (r >= 0 && flock(s->directory, LOCK_EX | LOCK_NB) < 0)
		r = -errno;
	if (r >= 0)
		s->vgpus = r = open_directory(s->directory, "vgpus");
	if (r >= 0) {
		s->path = realpath(path, NULL);
		r = s->path ? 0 : -errno;
	}
	if (r < 0) {
		state_close(s);
		return r;
	}
	*ret = s;
	return 0;
}

void state_close(struct state *s)
{
	if (!s)
		return;
	if (s->vgpus >= 0)
		close_fd(s->vgpus);
	if (s->directory >= 0)
		close_fd(s->directory);
	free(s->path);
	free(s);
}

/* ------------------------------------------------------------------ save */

static void file_name(char out[VGPU_NAME_MAX + sizeof(SUFFIX)],
		      const char *name)
{
	snprintf(out, VGPU_NAME_MAX + sizeof(SUFFIX), "%s" SUFFIX, name);
}

/* What was set of a vGPU since it was made. */
static json_object *vgpu_settings_json(const struct vgpu *v)
{
	json_object *o = json_object_new_object();
	json_object *heads = json_object_new_array();

	for (uint32_t i = 0; i < v->limits.heads; i++)
		if (!head_setting_is_default(&v->heads[i], &v->limits))
			json_object_array_add(heads,
				head_setting_json(i, &v->heads[i]));
	json_put(o, "heads", heads);
	if (v->scheduling.given)
		json_put(o, "scheduling",
			 settings_json(&v->scheduling, SETTINGS_VGPU));
	return o;
}

int state_save_vgpu(struct state *s, const struct vgpu *v)
{
	char file[VGPU_NAME_MAX + sizeof(SUFFIX)];
	json_object *o;

	if (!s)
		return 0;
	o = json_object_new_object();
	json_put_int(o, "version", STATE_VERSION);
	json_put_string(o, "name", v->name);
	json_put_string(o, "uuid", v->uuid);
	json_put_string(o, "type", v->type->name);
	json_put_int(o, "placement", v->placement);
	json_put(o, "settings", vgpu_settings_json(v));
	file_name(file, v->name);
	return json_file_replace(s->vgpus, file, o);
}

int state_remove_vgpu(struct state *s, const char *name)
{
	char file[VGPU_NAME_MAX + sizeof(SUFFIX)];

	if (!s)
		return 0;
	file_name(file, name);
	if (unlinkat(s->vgpus, file, 0) < 0 && errno != ENOENT)
		return -errno;
	return fsync(s->vgpus) < 0 ? -errno : 0;
}

bool state_has_vgpu(struct state *s, const char *name)
{
	char file[VGPU_NAME_MAX + sizeof(SUFFIX)];

	if (!s)
		return false;
	file_name(file, name);
	return faccessat(s->vgpus, file, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

int state_save_gpu(const struct manager *m)
{
	json_object *o;

	if (!m->state)
		return 0;
	o = json_object_new_object();
	json_put_int(o, "version", STATE_VERSION);
	if (m->mode_was_set)
		json_put_string(o, "mode", placement_mode_name(m->map.mode));
	if (m->scheduling.given)
		json_put(o, "scheduling",
			 settings_json(&m->scheduling, SETTINGS_GPU));
	return json_file_replace(m->state->directory, "gpu" SUFFIX, o);
}

/* --------------------------------------------------------------- restore */

/* A string without NULs; NULL if there is none. */
static const char *get_string(json_object *object, const char *name)
{
	json_object *value = NULL;

	if (!json_object_object_get_ex(object, name, &value) ||
	    json_object_get_type(value) != json_type_string ||
	    strlen(json_object_get_string(value)) !=
		    (size_t)json_object_get_string_len(value))
		return NULL;
	return json_object_get_string(value);
}

static int64_t get_int(json_object *object, const char *name)
{
	json_object *value = NULL;

	if (json_object_get_type(object) != json_type_object ||
	    !json_object_object_get_ex(object, name, &value) ||
	    json_object_get_type(value) != json_type_int)
		return -1;
	return json_object_get_int64(value);
}

static void restore_mode(struct manager *m, const char *text)
{
	enum placement_mode mode;

	if (placement_mode_parse(&mode, text)) {
		log_error("%s/gpu" SUFFIX ": mode: allowed is %s; the GPU's "
			  "mode is %s", m->state->path,
			  PLACEMENT_MODES_ALLOWED,
			  placement_mode_name(m->map.mode));
	} else if (!placement_set_mode(&m->map, mode)) {
		m->mode_was_set = true;
		if (mode != m->config.gpu_mode)
			log_info("the GPU is in %s mode, as was set at run "
				 "time, not in %s mode as is configured",
				 placement_mode_name(mode),
				 placement_mode_name(m->config.gpu_mode));
	}
}

void state_restore_gpu(struct manager *m)
{
	char wrong[SETTING_WHY_MAX];
	json_object *o, *scheduling;
	const char *why = "";

	if (!m->state || faccessat(m->state->directory, "gpu" SUFFIX, F_OK,
				   AT_SYMLINK_NOFOLLOW) < 0)
		return;
	o = json_file_read(m->state->directory, "gpu" SUFFIX, &why);
	if (!o) {
		log_error("%s/gpu" SUFFIX ": %s; the GPU's mode is %s",
			  m->state->path, why,
			  placement_mode_name(m->map.mode));
		return;
	}
	if (get_int(o, "version") != STATE_VERSION) {
		log_error("%s/gpu" SUFFIX ": version: allowed is %d; nothing "
			  "of it counts", m->state->path, STATE_VERSION);
		json_object_put(o);
		return;
	}
	if (json_object_object_get_ex(o, "mode", NULL)) {
		const char *text = get_string(o, "mode");

		restore_mode(m, text ? text : "");
	}
	if (json_object_object_get_ex(o, "scheduling", &scheduling) &&
	    settings_from_json(&m->scheduling, scheduling, SETTINGS_GPU,
			       wrong))
		log_error("%s/gpu" SUFFIX ": scheduling: %s; what is "
			  "configured counts", m->state->path, wrong);
	json_object_put(o);
}

static void printf_like(3, 4)
set_aside(const struct manager *m, const char *file, const char *format, ...)
{
	char text[1000], printable[1000];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	log_printable(printable, sizeof(printable), text, sizeof(text));
	log_error("%s/vgpus/%s: %s; this vGPU is left aside, its file stays",
		  m->state->path, file, printable);
}

static int parse_uuid(uint8_t out[16], const char *text)
{
	static const char pattern[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
	size_t used = 0;

	if (strlen(text) != strlen(pattern))
		return -EINVAL;
	for (size_t i = 0; pattern[i]; i++) {
		static const char digits[] = "0123456789abcdef";
		const char *digit = strchr(digits, text[i]);

		if (pattern[i] == '-') {
			if (text[i] != '-')
				return -EINVAL;
			continue;
		}
		if (!digit)
			return -EINVAL;
		out[used / 2] = (uint8_t)(out[used / 2] << 4 |
					  (digit - digits));
		used++;
	}
	return 0;
}

static bool uuid_is_there(const struct manager *m, const uint8_t uuid[16])
{
	for (const struct vgpu *v = m->vgpus; v; v = v->next)
		if (!memcmp(v->limits.uuid, uuid, sizeof(v->limits.uuid)))
			return true;
	return false;
}

/* `known` ends in NULL. */
static bool only_known_members(json_object *o, const char *const *known,
			       const char **ret_unknown)
{
	json_object_object_foreach(o, name, unused) {
		bool found = false;

		(void)unused;
		for (size_t i = 0; known[i]; i++)
			found |= !strcmp(known[i], name);
		if (!found) {
			*ret_unknown = name;
			return false;
		}
	}
	return true;
}

/* vgpu_settings_json() back; false with the reason told. */
static bool read_settings(const struct manager *m, const char *file,
			  json_object *settings, const struct vgpu_limits *l,
			  struct head_setting heads[PVGPU_MAX_HEADS],
			  struct settings *scheduling)
{
	static const char *const known[] = { "heads", "scheduling", NULL };
	json_object *array = NULL, *slices;
	const char *unknown;
	char why[HEAD_WHY_MAX];

	_Static_assert(HEAD_WHY_MAX >= SETTING_WHY_MAX, "room for either");

	for (uint32_t i = 0; i < l->heads; i++)
		head_setting_default(&heads[i], l);
	if (json_object_get_type(settings) != json_type_object) {
		set_aside(m, file, "settings: allowed is an object");
		return false;
	}
	if (!only_known_members(settings, known, &unknown)) {
		set_aside(m, file, "settings: %.64s is not one of version %d",
			  unknown, STATE_VERSION);
		return false;
	}
	if (json_object_object_get_ex(settings, "scheduling", &slices) &&
	    settings_from_json(scheduling, slices, SETTINGS_VGPU, why)) {
		set_aside(m, file, "settings: scheduling: %s", why);
		return false;
	}
	if (!json_object_object_get_ex(settings, "heads", &array))
		return true;
	if (json_object_get_type(array) != json_type_array) {
		set_aside(m, file, "settings: heads: allowed is an array");
		return false;
	}
	for (size_t i = 0; i < json_object_array_length(array); i++) {
		json_object *o = json_object_array_get_idx(array, i);
		int64_t head = get_int(o, "head");

		if (head < 0 || head >= l->heads) {
			set_aside(m, file, "settings: heads: head: allowed "
				  "are 0 to %d", (int)l->heads - 1);
			return false;
		}
		if (head_setting_from_json(&heads[head], o, l, why)) {
			set_aside(m, file, "settings: head %d: %s", (int)head,
				  why);
			return false;
		}
	}
	return true;
}

static void restore_from(struct manager *m, const char *file,
			 const char *file_vgpu, json_object *o)
{
	const char *name = get_string(o, "name");
	const char *uuid_text = get_string(o, "uuid");
	const char *type_name = get_string(o, "type");
	const char *unknown;
	int64_t placement = get_int(o, "placement");
	uint8_t uuid[16] = { 0 };
	struct head_setting heads[PVGPU_MAX_HEADS];
	struct settings scheduling = { 0 };
	struct vgpu_spec spec = { .name = name, .uuid = uuid, .heads = heads,
				  .scheduling = &scheduling };
	static const char *const known[] = { "version", "name", "uuid", "type",
		"placement", "settings", NULL };
	json_object *settings = NULL;
	struct refusal refusal;
	struct vgpu *v;
	int r;

	if (get_int(o, "version") != STATE_VERSION) {
		set_aside(m, file, "version: allowed is %d", STATE_VERSION);
		return;
	}
	if (!only_known_members(o, known, &unknown)) {
		set_aside(m, file, "%.64s: not a member of version %d",
			  unknown, STATE_VERSION);
		return;
	}
	if (!name || strcmp(name, file_vgpu)) {
		set_aside(m, file, "name: allowed is '%s', as the file's",
			  file_vgpu);
		return;
	}
	if (!uuid_text || parse_uuid(uuid, uuid_text) ||
	    uuid_is_there(m, uuid)) {
		set_aside(m, file, "uuid: allowed is a UUID in small letters "
			  "that no other vGPU has");
		return;
	}
	spec.type = type_name ? vgpu_types_find(&m->types, type_name) : NULL;
	if (!spec.type) {
		set_aside(m, file, "type: '%.64s' is not a type",
			  type_name ? type_name : "");
		return;
	}
	json_object_object_get_ex(o, "settings", &settings);
	if (!read_settings(m, file, settings, &spec.type->limits, heads,
			   &scheduling))
		return;
	if (!admission_check(m, spec.type, &scheduling, placement,
			     &spec.placement, &refusal)) {
		set_aside(m, file, "%s: %s", refusal.field, refusal.message);
		return;
	}
	r = manager_create(m, &spec, &v);
	if (r < 0)
		set_aside(m, file, "%s", strerror(-r));
}

static void restore_file(struct manager *m, const char *file)
{
	size_t length = strlen(file) - strlen(SUFFIX);
	char name[VGPU_NAME_MAX + 1];
	const char *why = "";
	json_object *o;

	if (length < sizeof(name)) {
		memcpy(name, file, length);
		name[length] = '\0';
	}
	if (length >= sizeof(name) || !vgpu_name_is_valid(name)) {
		set_aside(m, file, "name: allowed are " VGPU_NAME_ALLOWED);
		return;
	}
	if (manager_find(m, name))
		return;
	o = json_file_read(m->state->vgpus, file, &why);
	if (!o) {
		set_aside(m, file, "%s", why);
		return;
	}
	restore_from(m, file, name, o);
	json_object_put(o);
}

/* Not ours to read: hidden ones (a write that was cut short) and others. */
static int is_saved(const struct dirent *entry)
{
	const char *end = strrchr(entry->d_name, '.');

	return entry->d_name[0] != '.' && end && end != entry->d_name &&
	       !strcmp(end, SUFFIX);
}

void state_restore_vgpus(struct manager *m)
{
	struct dirent **entries = NULL;
	int count;

	if (!m->state)
		return;
	count = scandirat(m->state->vgpus, ".", &entries, is_saved, alphasort);
	if (count < 0)
		log_error("%s/vgpus: %s", m->state->path, strerror(errno));
	for (int i = 0; i < count; i++) {
		restore_file(m, entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
}

void state_save_missing(struct manager *m)
{
	for (const struct vgpu *v = m->vgpus; v; v = v->next) {
		int r;

		if (!m->state || state_has_vgpu(m->state, v->name))
			continue;
		r = state_save_vgpu(m->state, v);
		if (r < 0)
			log_error("%s: not saved below %s: %s", v->name,
				  m->state->path, strerror(-r));
	}
}
