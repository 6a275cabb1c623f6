// SPDX-License-Identifier: MIT
/*
 * Type files: what good ones become, what every kind of wrong line is told,
 * which file of several directories counts, the shipped catalogue, and files
 * mutated at random (with a fixed seed) that must neither crash the parser nor
 * get anything past its bounds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>
#include <sys/stat.h>

#include <pvgpu/wire.h>

#include "common/size.h"
#include "common/util.h"
#include "common/window.h"
#include "types/types.h"

#define GOOD_BODY \
	"series = Q\nframebuffer = 2GiB\nheads = 4\n" \
	"max_resolution = 7680x4320\nmax_pixels = 36864000\n" \
	"default_mode = 1920x1080@60\n"
#define GOOD "[PV24-2Q]\n" GOOD_BODY

struct reports {
	unsigned int count;
	char first[700];
	char last[700];
};

static void collect(void *userdata, const char *line)
{
	struct reports *r = userdata;

	assert_null(strchr(line, '\n'));
	if (!r->count++)
		snprintf(r->first, sizeof(r->first), "%s", line);
	snprintf(r->last, sizeof(r->last), "%s", line);
}

static int parse(struct vgpu_types *types, const void *text, size_t size,
		 struct reports *reports)
{
	FILE *stream = size ? fmemopen((void *)text, size, "r") :
			      fopen("/dev/null", "r");
	int r;

	assert_non_null(stream);
	*reports = (struct reports){ 0 };
	r = vgpu_types_parse(types, stream, "t.conf", collect, reports);
	fclose(stream);
	return r;
}

static void good_file(void **state)
{
	static const char text[] =
		"# comment\n; another\n\n" GOOD
		"max_refresh = 119.88 ; not whole\nguests = linux firmware\n"
		"classes = copy\n"
		"cursor_max = 64\nchannels = 3\ndevice_budget = 512MiB\n"
		"max_resources = 100\nmax_extents = 7\r\n"
		"max_instances = 5\n"
		"[X-1A]\nseries=A\nframebuffer=1 GiB\nheads=1\n"
		"max_resolution=1280x1024\nmax_pixels=1310720\n"
		"default_mode=1280x1024@60";
	struct vgpu_types types = { 0 };
	struct reports reports;
	const struct vgpu_type *t;

	(void)state;
	assert_int_equal(parse(&types, text, strlen(text), &reports), 0);
	assert_int_equal(reports.count, 0);
	assert_int_equal(types.count, 2);
	t = vgpu_types_find(&types, "PV24-2Q");
	assert_non_null(t);
	assert_string_equal(t->board, "PV24");
	assert_int_equal(t->series, 'Q');
	assert_string_equal(t->limits.type_name, "PV24-2Q");
	assert_int_equal(t->line, 4);
	assert_true(t->limits.framebuffer == 2ull << 30);
	assert_true(t->limits.device_budget == 512ull << 20);
	assert_int_equal(t->limits.heads, 4);
	assert_int_equal(t->limits.max_width, 7680);
	assert_int_equal(t->limits.max_height, 4320);
	assert_int_equal(t->limits.max_pixels, 36864000);
	assert_int_equal(t->limits.max_refresh, 119880);
	assert_int_equal(t->limits.guests, 1u << PVGPU_GUEST_LINUX |
					   1u << PVGPU_GUEST_FIRMWARE);
	assert_int_equal(t->limits.classes, 1u << PVGPU_CHANNEL_COPY);
	assert_int_equal(t->limits.cursor_max, 64);
	assert_int_equal(t->limits.channels, 3);
	assert_int_equal(t->limits.max_resources, 100);
	assert_int_equal(t->limits.max_extents, 7);
	assert_int_equal(t->max_instances, 5);
	assert_int_equal(t->limits.default_width, 1920);
	assert_int_equal(t->limits.default_height, 1080);
	assert_int_equal(t->limits.default_refresh, 60000);
	t = vgpu_types_find(&types, "X-1A");
	assert_non_null(t);
	assert_true(t->limits.device_budget == 1ull << 30);
	assert_true(t->limits.guests & 1u << PVGPU_GUEST_BSD);
	assert_int_equal(t->limits.classes, 1u << PVGPU_CHANNEL_COPY |
					    1u << PVGPU_CHANNEL_VIRGL);
	assert_null(vgpu_types_find(&types, "PV24"));
	vgpu_types_clear(&types);
}

static void time_slices(void **state)
{
	static const char text[] = GOOD "weight = 250\nshare = 12.5%\n"
		"borrow = 200%\nwatchdog = 500ms\nframe_limit = off\n"
		"[PV24-2B]\nseries = B\nframebuffer = 2GiB\nheads = 4\n"
		"max_resolution = 7680x4320\nmax_pixels = 36864000\n"
		"default_mode = 1920x1080@60\n";
	struct vgpu_types types = { 0 };
	struct reports reports;
	const uint64_t *v;

	(void)state;
	assert_int_equal(parse(&types, text, strlen(text), &reports), 0);
	v = vgpu_types_find(&types, "PV24-2Q")->schedule.value;
	assert_int_equal(v[SETTING_WEIGHT], 250);
	assert_int_equal(v[SETTING_SHARE], 125000000);
	assert_int_equal(v[SETTING_BORROW], 200);
	assert_int_equal(v[SETTING_WATCHDOG], 500000000);
	assert_int_equal(v[SETTING_FRAME_LIMIT], 0);
	v = vgpu_types_find(&types, "PV24-2B")->schedule.value;
	assert_int_equal(v[SETTING_WEIGHT], 100);
	assert_int_equal(v[SETTING_SHARE], 0);	/* by its size */
	assert_int_equal(v[SETTING_BORROW], 100);
	assert_int_equal(v[SETTING_WATCHDOG], 2000000000);
	assert_int_equal(v[SETTING_FRAME_LIMIT], 45000);
	vgpu_types_clear(&types);
}

#define S10 "0123456789"
#define S100 S10 S10 S10 S10 S10 S10 S10 S10 S10 S10

static const struct {
	const char *text;
	const char *report;		/* how the one report begins */
} bad[] = {
	/* lines */
	{ GOOD "nonsense\n", "t.conf:8: line: allowed are" },
	{ GOOD " channels = 2\n", "t.conf:8: line: begins with a blank" },
	{ GOOD "# " S100 S100 "\n", "t.conf:8: line: 202 bytes long; allowed" },
	{ GOOD "channels = 2\a\n", "t.conf:8: line: a control character at "
				   "byte 13" },
	{ "heads = 1\n" GOOD, "t.conf:1: heads: stands before any section" },
	{ GOOD "frames = 3\n", "t.conf:8: frames: is not a key; allowed are "
			       "series framebuffer" },
	{ GOOD "weight = 0\n", "t.conf:8: weight: '0' given; allowed is 1 to "
			       "1000" },
	{ GOOD "share = 101%\n", "t.conf:8: share: '101%' given; allowed is a "
				 "part of the GPU's time" },
	{ GOOD "borrow = 50%\n", "t.conf:8: borrow: '50%' given" },
	{ GOOD "watchdog = 1ms\n", "t.conf:8: watchdog: '1ms' given; allowed "
				   "is 10ms to 60s" },
	{ GOOD "frame_limit = 0\n", "t.conf:8: frame_limit: '0' given; allowed "
				    "is 1 to 1000" },
	{ GOOD "Heads = 3\n", "t.conf:8: Heads: is not a key" },
	{ GOOD "= 3\n", "t.conf:8: key: is not a key" },
	{ GOOD "heads = 4\n", "t.conf:8: heads: stands at line 4 already" },
	/* sections */
	{ GOOD GOOD, "t.conf:8: section: [PV24-2Q] stands at t.conf:1" },
	{ "[PV24-2Q\n" GOOD_BODY, "t.conf:1: section: allowed is [BOARD" },
	{ "[PV24-2Q] x\n" GOOD_BODY, "t.conf:1: section: allowed is [BOARD" },
	{ "[PV24-2X]\n" GOOD_BODY, "t.conf:1: section: 'PV24-2X' given" },
	{ "[PV24]\n" GOOD_BODY, "t.conf:1: section: 'PV24' given" },
	{ "[-2Q]\n" GOOD_BODY, "t.conf:1: section: '-2Q' given" },
	{ "[PV24-Q]\n" GOOD_BODY, "t.conf:1: section: 'PV24-Q' given" },
	{ "[PV24-02Q]\n" GOOD_BODY, "t.conf:1: section: 'PV24-02Q' given" },
	{ "[PV24-2048Q]\n" GOOD_BODY, "t.conf:1: section: 'PV24-2048Q' given" },
	{ "[P V-2Q]\n" GOOD_BODY, "t.conf:1: section: 'P V-2Q' given" },
	{ "[ABCDEFGHIJKLMNOP-2Q]\n" GOOD_BODY, "t.conf:1: section: 'ABCDEFG" },
	{ "[]\n" GOOD_BODY, "t.conf:1: section: '' given" },
	{ "[PV24-1Q]\n" GOOD_BODY, "t.conf:3: framebuffer: allowed is 1GiB, "
				   "as the name PV24-1Q says" },
	{ "[PV24-2B]\n" GOOD_BODY, "t.conf:2: series: allowed is B, as" },
	/* keys that are missing */
	{ "[PV24-2Q]\nseries = Q\nframebuffer = 2GiB\nheads = 4\n"
	  "max_resolution = 7680x4320\nmax_pixels = 36864000\n",
	  "t.conf:1: default_mode: missing in [PV24-2Q]" },
	/* values */
	{ GOOD "channels = 0\n", "t.conf:8: channels: '0' given; allowed is 1 "
				 "to 32" },
	{ GOOD "channels = 33\n", "t.conf:8: channels: '33' given" },
	{ GOOD "channels = -1\n", "t.conf:8: channels: '-1' given" },
	{ GOOD "channels = 2 3\n", "t.conf:8: channels: '2 3' given" },
	{ GOOD "channels =\n", "t.conf:8: channels: '' given" },
	{ GOOD "channels = 99999999999999999999999\n", "t.conf:8: channels:" },
	{ GOOD "cursor_max = 31\n", "t.conf:8: cursor_max: '31' given" },
	{ GOOD "cursor_max = 513\n", "t.conf:8: cursor_max: '513' given" },
	{ GOOD "max_refresh = 0\n", "t.conf:8: max_refresh: '0' given" },
	{ GOOD "max_refresh = 1000.001\n", "t.conf:8: max_refresh:" },
	{ GOOD "max_refresh = 59.9401\n", "t.conf:8: max_refresh:" },
	{ GOOD "max_refresh = 59.\n", "t.conf:8: max_refresh:" },
	{ GOOD "max_refresh = 59\n", "t.conf:7: default_mode: allowed is up "
				     "to 59 Hz" },
	{ GOOD "guests = linux os2\n", "t.conf:8: guests: 'linux os2' given" },
	{ GOOD "guests = linux linux\n", "t.conf:8: guests:" },
	{ GOOD "guests =\n", "t.conf:8: guests: '' given" },
	{ GOOD "classes =\n", "t.conf:8: classes: '' given; allowed is copy, "
			      "or copy virgl" },
	{ GOOD "classes = virgl, copy\n", "t.conf:8: classes: 'virgl, copy'" },
	{ GOOD "classes = virgl\n", "t.conf:8: classes: 'virgl' given" },
	{ GOOD "classes = copy copy\n", "t.conf:8: classes: 'copy copy'" },
	{ GOOD "classes = copy venus\n", "t.conf:8: classes: 'copy venus'" },
	{ GOOD "device_budget = 1GB\n", "t.conf:8: device_budget: '1GB'" },
	{ GOOD "device_budget = 1KiB\n", "t.conf:8: device_budget: '1KiB'" },
	{ GOOD "device_budget = 1025GiB\n", "t.conf:8: device_budget:" },
	{ GOOD "device_budget = 9223372036854775807TiB\n", "t.conf:8: dev" },
	{ GOOD "max_resources = 15\n", "t.conf:8: max_resources:" },
	{ GOOD "max_instances = 0\n", "t.conf:8: max_instances:" },
	{ GOOD "max_extents = 65537\n", "t.conf:8: max_extents:" },
	{ GOOD "max_extents = 1\x1b[31m\n", "t.conf:8: line: a control" },
	{ GOOD "max_extents = \xc3\xbc\n", "t.conf:8: max_extents: '?\?' " },
};

#define REQUIRED(series, framebuffer, heads, resolution, pixels, mode) \
	"[PV24-2Q]\nseries = " series "\nframebuffer = " framebuffer \
	"\nheads = " heads "\nmax_resolution = " resolution \
	"\nmax_pixels = " pixels "\ndefault_mode = " mode "\n"

static const struct {
	const char *text;
	const char *report;
} bad_required[] = {
	{ REQUIRED("X", "2GiB", "4", "1920x1080", "4147200", "1280x720@60"),
	  "t.conf:2: series: 'X' given; allowed is Q, B, A or C" },
	{ REQUIRED("QQ", "2GiB", "4", "1920x1080", "4147200", "1280x720@60"),
	  "t.conf:2: series: 'QQ' given" },
	{ REQUIRED("Q", "2047MiB", "4", "1920x1080", "4147200", "1280x720@60"),
	  "t.conf:3: framebuffer: '2047MiB' given; allowed is 1GiB" },
	{ REQUIRED("Q", "0GiB", "4", "1920x1080", "4147200", "1280x720@60"),
	  "t.conf:3: framebuffer: '0GiB' given" },
	{ REQUIRED("Q", "2", "4", "1920x1080", "4147200", "1280x720@60"),
	  "t.conf:3: framebuffer: '2' given" },
	{ REQUIRED("Q", "2GiB", "17", "1920x1080", "4147200", "1280x720@60"),
	  "t.conf:4: heads: '17' given; allowed is 1 to 16" },
	{ REQUIRED("Q", "2GiB", "0", "1920x1080", "4147200", "1280x720@60"),
	  "t.conf:4: heads: '0' given" },
	{ REQUIRED("Q", "2GiB", "4", "1920", "4147200", "1280x720@60"),
	  "t.conf:5: max_resolution: '1920' given" },
	{ REQUIRED("Q", "2GiB", "4", "1920x", "4147200", "1280x720@60"),
	  "t.conf:5: max_resolution: '1920x' given" },
	{ REQUIRED("Q", "2GiB", "4", "16385x1080", "4147200", "1280x720@60"),
	  "t.conf:5: max_resolution: '16385x1080' given" },
	{ REQUIRED("Q", "2GiB", "4", "1920x1080", "0", "1280x720@60"),
	  "t.conf:6: max_pixels: '0' given" },
	{ REQUIRED("Q", "2GiB", "4", "1920x1080", "2000000", "1920x1080@60"),
	  "t.conf:6: max_pixels: allowed is 2073600 and more" },
	{ REQUIRED("Q", "2GiB", "4", "1920x1080", "8294401", "1280x720@60"),
	  "t.conf:6: max_pixels: allowed is up to 8294400" },
	{ REQUIRED("Q", "2GiB", "4", "1920x1080", "4147200", "1280x720"),
	  "t.conf:7: default_mode: '1280x720' given" },
	{ REQUIRED("Q", "2GiB", "4", "1920x1080", "4147200", "1280x720@"),
	  "t.conf:7: default_mode: '1280x720@' given" },
	{ REQUIRED("Q", "2GiB", "4", "1920x1080", "8294400", "1921x1080@60"),
	  "t.conf:7: default_mode: allowed is up to 1920x1080" },
	{ REQUIRED("Q", "2GiB", "4", "1920x1080", "8294400", "1280x720@241"),
	  "t.conf:7: default_mode: allowed is up to 240 Hz" },
};

static void expect_report(const char *text, const char *report)
{
	struct vgpu_types types = { 0 };
	struct reports reports;
	int r = parse(&types, text, strlen(text), &reports);

	if (r != -EINVAL || reports.count != 1 ||
	    strncmp(reports.first, report, strlen(report)))
		fail_msg("%d, %u reports: '%s' in place of '%s'", r,
			 reports.count, reports.first, report);
	vgpu_types_clear(&types);
}

static void bad_lines(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		expect_report(bad[i].text, bad[i].report);
}

static void bad_values(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad_required); i++)
		expect_report(bad_required[i].text, bad_required[i].report);
}

static void every_wrong_line_is_told(void **state)
{
	static const char text[] = GOOD "x = 1\nheads = 2\n"
		"[PV24-1Q]\nheads = 0\nseries = 7\n";
	struct vgpu_types types = { 0 };
	struct reports reports;

	(void)state;
	assert_int_equal(parse(&types, text, strlen(text), &reports), -EINVAL);
	/* x, heads twice, heads 0, series 7, four that are missing */
	assert_int_equal(reports.count, 8);
	vgpu_types_clear(&types);
}

static void nul_bytes(void **state)
{
	static const char text[] = GOOD "channels = 2\0000\n";
	struct vgpu_types types = { 0 };
	struct reports reports;

	(void)state;
	assert_int_equal(parse(&types, text, sizeof(text) - 1, &reports),
			 -EINVAL);
	assert_non_null(strstr(reports.first, "t.conf:8: line: a control"));
	vgpu_types_clear(&types);
}

/* ----------------------------------------------------------- directories */

struct directories {
	char base[64], first[80], second[80];
};

static void put_file(const char *directory, const char *name,
		     const char *text)
{
	char path[200];
	FILE *stream;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	stream = fopen(path, "w");
	assert_non_null(stream);
	fputs(text, stream);
	fclose(stream);
}

static int make_directories(void **state)
{
	struct directories *d = calloc(1, sizeof(*d));

	strcpy(d->base, "/tmp/pvgpu-types-XXXXXX");
	if (!mkdtemp(d->base))
		return -1;
	snprintf(d->first, sizeof(d->first), "%s/first", d->base);
	snprintf(d->second, sizeof(d->second), "%s/second", d->base);
	*state = d;
	return mkdir(d->first, 0700) || mkdir(d->second, 0700);
}

static int remove_directories(void **state)
{
	struct directories *d = *state;
	char command[100];
	int r;

	snprintf(command, sizeof(command), "rm -r %s", d->base);
	r = system(command);
	free(d);
	return r;
}

static void later_directory_replaces(void **state)
{
	struct directories *d = *state;
	const char *const both[] = { d->first, d->second };
	struct vgpu_types types = { 0 };
	struct reports reports = { 0 };

	put_file(d->first, "a.conf", "this would be wrong\n");
	put_file(d->first, "b.conf", REQUIRED("Q", "2GiB", "1", "1920x1080",
					      "2073600", "1280x720@60"));
	put_file(d->first, "ignored.conf~", "this too\n");
	put_file(d->first, ".hidden.conf", "and this\n");
	put_file(d->second, "a.conf", "# nothing in it\n");
	assert_int_equal(vgpu_types_load(&types, both, 2, collect, &reports),
			 0);
	assert_int_equal(types.count, 1);
	assert_int_equal(reports.count, 0);
	vgpu_types_clear(&types);
	/* Without the second, the first's file counts, and its name is told. */
	assert_int_equal(vgpu_types_load(&types, both, 1, collect, &reports),
			 -EINVAL);
	assert_int_equal(reports.count, 1);
	assert_non_null(strstr(reports.first, "/first/a.conf:1: line:"));
	assert_int_equal(types.count, 0);
}

static void odd_files(void **state)
{
	struct directories *d = *state;
	const char *const both[] = { d->first, d->second };
	struct vgpu_types types = { 0 };
	struct reports reports = { 0 };
	char path[200];

	assert_int_equal(vgpu_types_load(&types, (const char *const[]){
		"/nonexistent/types.d" }, 1, collect, &reports), -ENOENT);
	assert_string_equal(reports.first,
		"/nonexistent/types.d: No such file or directory");
	snprintf(path, sizeof(path), "%s/fifo.conf", d->first);
	assert_int_equal(mkfifo(path, 0600), 0);
	reports = (struct reports){ 0 };
	assert_true(vgpu_types_load(&types, both, 2, collect, &reports) < 0);
	assert_non_null(strstr(reports.first, "fifo.conf: not a regular"));
	unlink(path);
	snprintf(path, sizeof(path), "%s/big.conf", d->first);
	put_file(d->first, "big.conf", "");
	assert_int_equal(truncate(path, VGPU_TYPE_FILE_MAX + 1), 0);
	reports = (struct reports){ 0 };
	assert_true(vgpu_types_load(&types, both, 2, collect, &reports) < 0);
	assert_non_null(strstr(reports.first, "big.conf: larger than"));
	unlink(path);
	/* One name in two files. */
	put_file(d->first, "a.conf", GOOD);
	put_file(d->second, "b.conf", GOOD);
	reports = (struct reports){ 0 };
	assert_true(vgpu_types_load(&types, both, 2, collect, &reports) < 0);
	assert_int_equal(reports.count, 1);
	assert_non_null(strstr(reports.first, "/b.conf:1: section: [PV24-2Q] "
			       "stands at"));
}

/* The catalogue that we ship, against the published table of its model. */
static void shipped_catalogue(void **state)
{
	static const struct {
		const char *name;
		uint64_t gib;
		uint32_t heads, width, height;
		uint64_t pixels;
	} expected[] = {
		{ "PV24-1Q", 1, 4, 5120, 2880, 18432000 },
		{ "PV24-2Q", 2, 4, 7680, 4320, 36864000 },
		{ "PV24-3Q", 3, 4, 7680, 4320, 36864000 },
		{ "PV24-4Q", 4, 4, 7680, 4320, 58982400 },
		{ "PV24-6Q", 6, 4, 7680, 4320, 58982400 },
		{ "PV24-8Q", 8, 4, 7680, 4320, 66355200 },
		{ "PV24-12Q", 12, 4, 7680, 4320, 66355200 },
		{ "PV24-24Q", 24, 4, 7680, 4320, 66355200 },
		{ "PV24-1B", 1, 4, 5120, 2880, 16384000 },
		{ "PV24-2B", 2, 4, 5120, 2880, 18432000 },
		{ "PV24-1A", 1, 1, 1280, 1024, 1310720 },
		{ "PV24-2A", 2, 1, 1280, 1024, 1310720 },
		{ "PV24-3A", 3, 1, 1280, 1024, 1310720 },
		{ "PV24-4A", 4, 1, 1280, 1024, 1310720 },
		{ "PV24-6A", 6, 1, 1280, 1024, 1310720 },
		{ "PV24-8A", 8, 1, 1280, 1024, 1310720 },
		{ "PV24-12A", 12, 1, 1280, 1024, 1310720 },
		{ "PV24-24A", 24, 1, 1280, 1024, 1310720 },
		{ "PV24-4C", 4, 1, 3840, 2400, 9216000 },
		{ "PV24-6C", 6, 1, 3840, 2400, 9216000 },
		{ "PV24-8C", 8, 1, 3840, 2400, 9216000 },
		{ "PV24-12C", 12, 1, 3840, 2400, 9216000 },
		{ "PV24-24C", 24, 1, 3840, 2400, 9216000 },
	};
	const char *const directory[] = { "host-backend/types" };
	struct vgpu_types types = { 0 };
	struct reports reports = { 0 };
	struct window_layout layout;

	(void)state;
	vgpu_types_load(&types, directory, 1, collect, &reports);
	assert_string_equal(reports.first, "");
	assert_int_equal(types.count, ARRAY_SIZE(expected));
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
		const struct vgpu_type *t =
			vgpu_types_find(&types, expected[i].name);

		assert_non_null(t);
		assert_true(t->limits.framebuffer == expected[i].gib << 30);
		assert_true(t->limits.device_budget == t->limits.framebuffer);
		assert_int_equal(t->limits.heads, expected[i].heads);
		assert_int_equal(t->limits.max_width, expected[i].width);
		assert_int_equal(t->limits.max_height, expected[i].height);
		assert_int_equal(t->limits.max_pixels, expected[i].pixels);
		assert_int_equal(window_layout(&layout, &t->limits), 0);
		assert_true(layout.vram_size == t->limits.framebuffer);
	}
	vgpu_types_clear(&types);
}

/* ------------------------------------------------------------- mutations */

static uint32_t random_state = 12345;

static uint32_t random_number(uint32_t below)
{
	random_state = random_state * 1664525u + 1013904223u;
	return (uint32_t)(((uint64_t)random_state * below) >> 32);
}

static void mutated_files(void **state)
{
	static const char *const pieces[] = {
		"[", "]", "=", "\n", ";", " ", "@", "x", "GiB", "999999999999",
		"-", "PV24-2Q", "\t", "\r", ":", "\xef\xbb\xbf", "heads", "#",
	};
	static const char text[] = GOOD "guests = linux bsd\n[PV24-1A]\n"
		"series = A\nframebuffer = 1GiB\nheads = 1\n"
		"max_resolution = 1280x1024\nmax_pixels = 1310720\n"
		"default_mode = 1280x1024@60\n";
	unsigned int good = 0, wrong = 0;

	(void)state;
	for (unsigned int round = 0; round < 3000; round++) {
		struct vgpu_types types = { 0 };
		struct reports reports;
		char copy[1024];
		size_t size = sizeof(text) - 1;
		struct window_layout layout;
		int r;

		memcpy(copy, text, size);
		for (uint32_t n = 1 + random_number(4); n; n--) {
			size_t at = random_number((uint32_t)size);
			const char *piece;
			size_t length;

			switch (random_number(3)) {
			case 0:
				copy[at] = (char)random_number(256);
				break;
			case 1:
				length = random_number(
					(uint32_t)(size - at)) % 40;
				memmove(copy + at, copy + at + length,
					size - at - length);
				size -= length;
				break;
			default:
				piece = pieces[random_number(
					ARRAY_SIZE(pieces))];
				length = strlen(piece);
				memmove(copy + at + length, copy + at,
					size - at);
				memcpy(copy + at, piece, length);
				size += length;
			}
		}
		r = parse(&types, copy, size, &reports);
		assert_true(r == 0 || r == -EINVAL);
		assert_int_equal(r == 0, reports.count == 0);
		r ? wrong++ : good++;
		/* Whatever got through can be made into a window. */
		for (size_t i = 0; i < types.count; i++) {
			const struct vgpu_limits *l = &types.items[i].limits;

			assert_int_equal(window_layout(&layout, l), 0);
			assert_in_range(l->heads, 1, PVGPU_MAX_HEADS);
			assert_in_range(l->max_width, 320, 16384);
			assert_true(l->max_pixels >=
				    (uint64_t)l->default_width *
				    l->default_height);
			assert_true(l->guests != 0);
			assert_true(l->classes & 1u << PVGPU_CHANNEL_COPY);
		}
		vgpu_types_clear(&types);
	}
	/* Or the mutations would not have tried anything. */
	assert_true(good > 20 && wrong > 1000);
}

static void sizes(void **state)
{
	char text[SIZE_TEXT_MAX];
	uint64_t v = 77;

	(void)state;
	assert_int_equal(parse_size(&v, "24GiB"), 0);
	assert_true(v == 24ull << 30);
	assert_int_equal(parse_size(&v, "4194304TiB"), 0);
	assert_int_equal(parse_size(&v, "4194305TiB"), -EINVAL);
	assert_int_equal(parse_size(&v, "18446744073709551616B"), -EINVAL);
	assert_int_equal(parse_size(&v, "GiB"), -EINVAL);
	assert_int_equal(parse_size(&v, "1gib"), -EINVAL);
	assert_int_equal(parse_size(&v, " 1GiB"), -EINVAL);
	assert_int_equal(parse_number(&v, "18446744073709551615", UINT64_MAX),
			 0);
	assert_int_equal(parse_number(&v, "18446744073709551616", UINT64_MAX),
			 -EINVAL);
	assert_int_equal(parse_number(&v, "11", 10), -EINVAL);
	assert_int_equal(parse_number(&v, "5", 3), -EINVAL);
	assert_int_equal(parse_number(&v, "", 10), -EINVAL);
	assert_string_equal(format_size(text, 0), "0 B");
	assert_string_equal(format_size(text, 3 << 20), "3 MiB");
	assert_string_equal(format_size(text, 3 << 19), "1.5 MiB");
	assert_string_equal(format_size(text, 1025), "1.0 KiB");
	assert_string_equal(format_size(text, UINT64_MAX), "16777215.9 TiB");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes),
		cmocka_unit_test(good_file),
		cmocka_unit_test(time_slices),
		cmocka_unit_test(bad_lines),
		cmocka_unit_test(bad_values),
		cmocka_unit_test(every_wrong_line_is_told),
		cmocka_unit_test(nul_bytes),
		cmocka_unit_test_setup_teardown(later_directory_replaces,
						make_directories,
						remove_directories),
		cmocka_unit_test_setup_teardown(odd_files, make_directories,
						remove_directories),
		cmocka_unit_test(shipped_catalogue),
		cmocka_unit_test(mutated_files),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("types", tests, NULL, NULL);
}
