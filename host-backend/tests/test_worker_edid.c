// SPDX-License-Identifier: MIT
/*
 * The EDID of every type of the catalogue and of other preferred modes,
 * judged by edid-decode --check, and read back byte by byte where it matters.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support_worker.h"
#include "types/types.h"
#include "worker/edid.h"

static uint32_t checked;

/* Fails the test with what edid-decode says, unless it finds nothing. */
static void decode(const uint8_t *edid, uint32_t size, const char *what)
{
	char path[] = "/tmp/pvgpu-edid-XXXXXX", command[128], line[256];
	char said[4096] = "";
	bool listing = false, found = false;
	int fd = mkstemp(path), status;
	FILE *f;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, edid, size), size);
	close(fd);
	snprintf(command, sizeof(command), "edid-decode --check %s 2>&1", path);
	f = popen(command, "r");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		/* The last section. Older versions know few makers' names. */
		if (!strcmp(line, "Warnings:\n") ||
		    !strcmp(line, "Failures:\n"))
			listing = true;
		else if (listing && strstr(line, "Unknown OUI") == NULL &&
			 line[0] == ' ')
			found = true;
		if (listing && strlen(said) + strlen(line) < sizeof(said))
			strcat(said, line);
	}
	status = pclose(f);
	unlink(path);
	if (status && WIFEXITED(status) && WEXITSTATUS(status) == 127)
		fail_msg("edid-decode is missing: install edid-decode");
	if (status || found)
		fail_msg("%s: status 0x%x\n%s", what, (unsigned int)status,
			 said);
	checked++;
}

static uint32_t preferred(const uint8_t *edid, uint32_t size, uint32_t *height)
{
	const uint8_t *d = edid + 54;

	if (size > EDID_BLOCK) {
		d = edid + EDID_BLOCK + 1 + 4 + 15 + 15 + 13 + 3;
		*height = (uint32_t)(d[12] | d[13] << 8) + 1;
		return (uint32_t)(d[4] | d[5] << 8) + 1;
	}
	*height = (uint32_t)(d[5] | (d[7] >> 4) << 8);
	return (uint32_t)(d[2] | (d[4] >> 4) << 8);
}

static void check(const struct vgpu_limits *l, uint32_t head, uint32_t width,
		  uint32_t height, uint32_t refresh)
{
	uint8_t edid[EDID_MAX];
	uint32_t size = edid_make(edid, l, head, width, height, refresh), h = 0;
	char what[100];

	snprintf(what, sizeof(what), "%s head %u, %ux%u at %u mHz",
		 l->type_name, head, width, height, refresh);
	assert_int_equal(preferred(edid, size, &h), width);
	assert_int_equal(h, height);
	decode(edid, size, what);
}

static void report(void *userdata, const char *line)
{
	(void)userdata;
	print_error("%s\n", line);
}

static void test_catalogue(void **state)
{
	static const char *const directories[] = { "host-backend/types" };
	struct vgpu_types types = { 0 };

	(void)state;
	assert_int_equal(vgpu_types_load(&types, directories, 1, report, NULL),
			 0);
	assert_true(types.count >= 6);
	for (size_t i = 0; i < types.count; i++) {
		const struct vgpu_limits *l = &types.items[i].limits;

		check(l, 0, l->default_width, l->default_height,
		      l->default_refresh);
		check(l, l->heads - 1, l->max_width, l->max_height, 60000);
		check(l, 0, 640, 480, 60000);
	}
	vgpu_types_clear(&types);
}

static void test_modes(void **state)
{
	static const struct {
		uint32_t width, height, refresh;
	} modes[] = {
		{ 1024, 768, 60000 }, { 1366, 768, 60000 },
		{ 1280, 1024, 75000 }, { 2560, 1440, 144000 },
		{ 3840, 2160, 60000 }, { 4096, 2160, 60000 },
		{ 5120, 2880, 60000 }, { 7680, 4320, 60000 },
		{ 3840, 2160, 240000 }, { 1080, 1920, 60000 },
		{ 801, 601, 59940 }, { 2160, 3840, 30000 },
		{ 640, 400, 70000 }, { 640, 350, 60000 }, { 7680, 100, 60000 },
	};
	struct vgpu_limits l = rig_limits;

	(void)state;
	l.max_width = 7680;
	l.max_height = 4320;
	l.max_refresh = 240000;
	l.max_pixels = 7680 * 4320;
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++)
		check(&l, (uint32_t)i, modes[i].width, modes[i].height,
		      modes[i].refresh);
}

static void test_limits_kept(void **state)
{
	struct vgpu_limits l = rig_limits;
	uint8_t edid[EDID_MAX];

	(void)state;
	/* Nothing larger than the type allows is offered. */
	l.max_width = 800;
	l.max_height = 600;
	edid_make(edid, &l, 15, 800, 600, 60000);
	decode(edid, EDID_BLOCK, "800x600");
	assert_int_equal(edid[35], 0x21);	/* 640x480, 800x600 */
	assert_int_equal(edid[36], 0);
	for (int i = 38; i < 54; i++)
		assert_int_equal(edid[i], 0x01);
	assert_memory_equal(edid + 95, "pvgpu head 15", 13);
	/* Heads are told apart. */
	assert_int_equal(edid[15], 16);
}

/* A refresh that the type does not allow is not what the mode comes to. */
static void test_refresh(void **state)
{
	struct vgpu_limits l = rig_limits;
	uint8_t edid[EDID_MAX];

	(void)state;
	l.max_width = l.max_height = 4000;
	for (uint32_t w = 320; w < 4000; w += 321) {
		const uint8_t *d = edid + 54;
		uint32_t clock, htotal, vtotal, refresh;

		assert_int_equal(edid_make(edid, &l, 0, w, w / 2, 60000), 128);
		clock = (uint32_t)(d[0] | d[1] << 8) * 10;
		htotal = w + (uint32_t)(d[3] | (d[4] & 15) << 8);
		vtotal = w / 2 + (uint32_t)(d[6] | (d[7] & 15) << 8);
		refresh = (uint32_t)mode_refresh(clock, htotal, vtotal);
		assert_in_range(refresh, 58000, 60000);
	}
}

static void test_checked(void **state)
{
	(void)state;
	assert_true(checked > 30);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_catalogue),
		cmocka_unit_test(test_modes),
		cmocka_unit_test(test_limits_kept),
		cmocka_unit_test(test_refresh),
		cmocka_unit_test(test_checked),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("worker edid", tests, NULL, NULL);
}
