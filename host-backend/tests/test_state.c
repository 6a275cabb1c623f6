// SPDX-License-Identifier: MIT
/*
 * Files of saved vGPUs mutated at random (with a fixed seed): what comes of one
 * is the vGPU as it could have been saved, within all limits, or nothing, and
 * the file stays as it was. What is written reads back the same.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <ftw.h>
#include <string.h>
#include <sys/stat.h>

#include "common/log.h"
#include "common/util.h"
#include "manager/admission.h"
#include "manager/sched_setting.h"
#include "manager/state.h"

#define FILE_ROOM 8192

struct test {
	struct manager manager;
	char directory[64];
	char file[128];
};

static void print_report(void *userdata, const char *line)
{
	(void)userdata;
	print_error("%s\n", line);
}

static int setup(void **state)
{
	const char *const types[] = { "host-backend/types" };
	struct test *t = calloc(1, sizeof(*t));
	struct manager *m = &t->manager;

	*state = t;
	strcpy(t->directory, "/tmp/pvgpu-state-XXXXXX");
	if (!mkdtemp(t->directory))
		return -1;
	snprintf(t->file, sizeof(t->file), "%s/vgpus/web.json", t->directory);
	m->runtime_dir = t->directory;
	m->worker_program = "/bin/false";
	config_defaults(&m->config);
	m->config.host_memory = 1ull << 40;
	return store_open(&m->store) || sd_event_new(&m->event) < 0 ||
	       schedule_new(m) ||
	       placement_init(&m->map, 24, PLACEMENT_MIXED) ||
	       vgpu_types_load(&m->types, types, 1, print_report, NULL) ||
	       state_open(&m->state, t->directory);
}

static int remove_one(const char *path, const struct stat *st, int type,
		      struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path);
}

static int teardown(void **state)
{
	struct test *t = *state;
	struct manager *m = &t->manager;

	log_set_level(LEVEL_INFO);
	while (m->vgpus)
		manager_destroy(m, m->vgpus);
	schedule_free(m);
	state_close(m->state);
	store_free(m->store);
	placement_clear(&m->map);
	vgpu_types_clear(&m->types);
	sd_event_unref(m->event);
	nftw(t->directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	free(t);
	return 0;
}

static size_t read_whole(const char *path, char text[FILE_ROOM])
{
	cleanup_file FILE *file = fopen(path, "r");
	size_t size;

	assert_non_null(file);
	size = fread(text, 1, FILE_ROOM, file);
	assert_true(size < FILE_ROOM);
	return size;
}

static void write_whole(const char *path, const char *text, size_t size)
{
	cleanup_file FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(text, 1, size, file), size);
}

/* A saved vGPU with two heads set, as its file says it. */
static size_t save_one(struct test *t, char text[FILE_ROOM],
		       struct vgpu *ret_copy)
{
	struct manager *m = &t->manager;
	struct vgpu_spec spec = {
		.name = "web", .placement = 5,
		.type = vgpu_types_find(&m->types, "PV24-2Q"),
	};
	struct vgpu *v;

	assert_int_equal(manager_create(m, &spec, &v), 0);
	v->heads[1].connected = false;
	v->heads[1].serial = 3;
	v->heads[2].width = 1280;
	v->heads[2].height = 800;
	v->heads[2].serial = 1;
	settings_put(&v->scheduling, SETTING_WEIGHT, 300);
	settings_put(&v->scheduling, SETTING_FRAME_LIMIT, 0);
	assert_int_equal(manager_save(v), 0);
	*ret_copy = *v;
	manager_destroy(m, v);
	return read_whole(t->file, text);
}

static void what_is_saved_comes_back(void **state)
{
	struct test *t = *state;
	struct vgpu before, *v;
	char text[FILE_ROOM];
	size_t size = save_one(t, text, &before);
	struct stat st;

	assert_true(size > 100);
	assert_int_equal(stat(t->file, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	state_restore_vgpus(&t->manager);
	v = manager_find(&t->manager, "web");
	assert_non_null(v);
	assert_memory_equal(v->limits.uuid, before.limits.uuid, 16);
	assert_int_equal(v->placement, 5);
	assert_memory_equal(v->heads, before.heads, sizeof(v->heads));
	assert_memory_equal(&v->scheduling, &before.scheduling,
			    sizeof(v->scheduling));
	assert_int_equal(schedule_params(v)->weight, 300);
	assert_int_equal(v->frame_limit, 0);
	/* A second time, beside what is there: nothing. */
	state_restore_vgpus(&t->manager);
	assert_null(t->manager.vgpus->next);
	assert_int_equal(state_remove_vgpu(t->manager.state, "web"), 0);
	assert_false(state_has_vgpu(t->manager.state, "web"));
	assert_int_equal(state_remove_vgpu(t->manager.state, "web"), 0);
	manager_destroy(&t->manager, v);
}

/* Of the GPU: what was set is, what is wrong is not, and the mode beside it. */
static void the_gpu_comes_back(void **state)
{
	struct test *t = *state;
	struct manager *m = &t->manager;
	struct settings set = { 0 };
	char path[128], text[FILE_ROOM], *at;
	size_t size;

	settings_put(&set, SETTING_POLICY, SCHED_EQUAL_SHARE);
	settings_put(&set, SETTING_SLICE, 7 * SCHED_MS);
	assert_int_equal(sched_setting_set_gpu(m, &set), 0);
	assert_int_equal(schedule_config(m)->slice, 7 * SCHED_MS);
	m->scheduling = (struct settings){ 0 };
	m->mode_was_set = false;
	state_restore_gpu(m);
	assert_memory_equal(&m->scheduling, &set, sizeof(set));
	assert_false(m->mode_was_set);
	assert_int_equal(manager_set_mode(m, PLACEMENT_EQUAL), 0);
	m->scheduling = (struct settings){ 0 };
	assert_int_equal(placement_set_mode(&m->map, PLACEMENT_MIXED), 0);
	state_restore_gpu(m);
	assert_memory_equal(&m->scheduling, &set, sizeof(set));
	assert_int_equal(m->map.mode, PLACEMENT_EQUAL);

	snprintf(path, sizeof(path), "%s/gpu.json", t->directory);
	size = read_whole(path, text);
	text[size] = '\0';
	at = strstr(text, "7000000");
	assert_non_null(at);
	*at = '9';		/* 9000000 is 9 ms; then 90 of them */
	write_whole(path, text, size);
	state_restore_gpu(m);
	assert_int_equal(m->scheduling.value[SETTING_SLICE], 9 * SCHED_MS);
	at[1] = 'x';
	write_whole(path, text, size);
	state_restore_gpu(m);
	memcpy(at, "9999999999", 7);
	memcpy(strstr(text, "equal-share"), "equal-spare", 11);
	write_whole(path, text, size);
	m->scheduling = (struct settings){ 0 };
	state_restore_gpu(m);
	assert_int_equal(m->scheduling.given, 0);
}

/* What a vGPU has follows what there is beside it. */
static void settings_in_effect(void **state)
{
	struct test *t = *state;
	struct manager *m = &t->manager;
	struct vgpu_spec spec = {
		.name = "a", .type = vgpu_types_find(&m->types, "PV24-2Q"),
	};
	struct settings set = { 0 };
	struct vgpu *v, *w;

	/* By framebuffer where sizes are mixed. */
	assert_int_equal(manager_create(m, &spec, &v), 0);
	assert_int_equal(schedule_params(v)->share, SCHED_WHOLE / 12);
	/* Stated; then more than the other leaves. */
	settings_put(&set, SETTING_SHARE, SCHED_WHOLE);
	settings_put(&set, SETTING_FRAME_LIMIT, 30000);
	assert_int_equal(sched_setting_set_vgpu(v, &set), 0);
	assert_int_equal(v->frame_limit, 30000);
	spec.name = "b";
	spec.placement = 2;
	assert_int_equal(manager_create(m, &spec, &w), 0);
	settings_put(&m->config.schedule, SETTING_POLICY, SCHED_FIXED_SHARE);
	settings_put(&set, SETTING_FACTOR, 20);
	assert_int_equal(sched_setting_set_gpu(m, &set), -ENOSPC);
	assert_int_equal(m->scheduling.given, 0);
	assert_int_equal(schedule_config(m)->policy, SCHED_BEST_EFFORT);
	settings_drop(&set, SETTING_FACTOR);
	settings_put(&set, SETTING_SHARE, SCHED_WHOLE / 2);
	assert_int_equal(sched_setting_set_vgpu(v, &set), 0);
	sched_setting_apply(m);
	assert_int_equal(schedule_config(m)->policy, SCHED_FIXED_SHARE);
	settings_put(&set, SETTING_SHARE, SCHED_WHOLE);
	assert_int_equal(sched_setting_set_vgpu(v, &set), -ENOSPC);
	assert_int_equal(schedule_params(v)->share, SCHED_WHOLE / 2);
	assert_int_equal(v->scheduling.value[SETTING_SHARE], SCHED_WHOLE / 2);
	/* More than eight have shorter turns. */
	settings_drop(&set, SETTING_SHARE);
	assert_int_equal(sched_setting_set_vgpu(v, &set), 0);
	assert_int_equal(schedule_params(v)->share, SCHED_WHOLE / 12);
	assert_int_equal(schedule_config(m)->frequency, 480);
	for (char name[] = "c"; *name < 'j'; ++*name) {
		spec.name = name;
		spec.placement += 2;
		assert_int_equal(manager_create(m, &spec, &w), 0);
	}
	assert_int_equal(m->map.count, 9);
	assert_int_equal(schedule_config(m)->frequency, 960);
	manager_destroy(m, w);
	assert_int_equal(schedule_config(m)->frequency, 480);
	/* Where sizes are equal, one of as many as there could be. */
	while (m->vgpus)
		manager_destroy(m, m->vgpus);
	assert_int_equal(placement_set_mode(&m->map, PLACEMENT_EQUAL), 0);
	m->config.gpu_memory = 25ull << 30;
	spec.name = "a";
	spec.placement = 0;
	assert_int_equal(manager_create(m, &spec, &v), 0);
	assert_int_equal(schedule_params(v)->share, SCHED_WHOLE / 12);
}

static uint32_t random_state = 99;

static uint32_t random_below(uint32_t bound)
{
	random_state = random_state * 1664525u + 1013904223u;
	return (uint32_t)((uint64_t)(random_state >> 8) * bound >> 24);
}

static size_t mutate(char *text, size_t size)
{
	static const char *const pieces[] = {
		"\"", "{", "}", "[", "]", ",", ":", "-1", "0", "99999999999",
		"1e300", "null", "true", "\\u0000", "\"web\"", "\"PV24-1A\"",
		"\"heads\"", "\xff", "\n", "23", "4",
	};

	for (uint32_t n = 1 + random_below(3); n; n--) {
		uint32_t at = random_below((uint32_t)size);
		const char *piece = pieces[random_below(ARRAY_SIZE(pieces))];
		size_t length = strlen(piece), cut;

		switch (random_below(5)) {
		case 0:
			text[at] = (char)random_below(256);
			break;
		case 1:		/* one digit or letter for another */
			text[at] = "0123456789abcdefQ"[random_below(17)];
			break;
		case 2:
			if (size + length >= FILE_ROOM)
				break;
			memmove(text + at + length, text + at, size - at);
			memcpy(text + at, piece, length);
			size += length;
			break;
		case 3:
			cut = 1 + random_below(20);
			if (cut > size - at)
				cut = size - at;
			memmove(text + at, text + at + cut, size - at - cut);
			size -= cut;
			break;
		default:
			size = size > 10 && !random_below(4) ? at + 1 : size;
		}
	}
	return size;
}

static void check_restored(struct manager *m)
{
	const struct vgpu *v = m->vgpus;

	assert_string_equal(v->name, "web");
	assert_null(v->next);
	assert_non_null(vgpu_types_find(&m->types, v->type->name));
	assert_true(v->placement + admission_units(v->type) <= m->map.units);
	assert_int_equal(m->map.count, 1);
	assert_int_equal(m->map.items[0].at, v->placement);
	for (enum setting i = 0; i < SETTINGS; i++)
		if (settings_has(&v->scheduling, i))
			assert_true(i >= SETTING_WEIGHT && setting_is_allowed(
				i, v->scheduling.value[i]));
	for (uint32_t i = 0; i < v->limits.heads; i++) {
		char why[HEAD_WHY_MAX];

		assert_int_equal(head_mode_check(v->heads[i].width,
						 v->heads[i].height,
						 v->heads[i].refresh,
						 &v->limits, why), 0);
	}
}

static void mutations(void **state)
{
	struct test *t = *state;
	struct manager *m = &t->manager;
	char base[FILE_ROOM], text[FILE_ROOM], after[FILE_ROOM];
	unsigned int good = 0, aside = 0;
	struct vgpu before;
	size_t base_size = save_one(t, base, &before);

	/* Thousands of lines about what is left aside. */
	assert_non_null(freopen("/dev/null", "w", stderr));
	for (int round = 0; round < 4000; round++) {
		size_t size;

		memcpy(text, base, base_size);
		size = mutate(text, base_size);
		write_whole(t->file, text, size);
		state_restore_vgpus(m);
		if (m->vgpus) {
			check_restored(m);
			manager_destroy(m, m->vgpus);
			good++;
		} else {
			aside++;
		}
		assert_int_equal(m->map.count, 0);
		assert_int_equal(read_whole(t->file, after), size);
		assert_memory_equal(after, text, size);
	}
	print_message("# %u came back, %u were left aside\n", good, aside);
	assert_true(good > 100 && aside > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_is_saved_comes_back,
						setup, teardown),
		cmocka_unit_test_setup_teardown(the_gpu_comes_back, setup,
						teardown),
		cmocka_unit_test_setup_teardown(settings_in_effect, setup,
						teardown),
		cmocka_unit_test_setup_teardown(mutations, setup, teardown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("state", tests, NULL, NULL);
}
