// SPDX-License-Identifier: MIT
/* The keys of a type and what must agree between them; see keys.h. */
#include "keys.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#include <pvgpu/wire.h>

#include "common/size.h"
#include "common/util.h"
#include "scheduler/scheduler.h"

#define SIDE_MIN	320u
#define SIDE_MAX	16384u
#define REFRESH_MAX	1000000u	/* mHz */
#define GIB_MAX		1024u
#define INSTANCES_MAX	4096u

/* Words for the bits of a mask. */
struct word {
	const char *text;
	uint32_t bit;			/* its number */
};

static const struct word guest_words[] = {
	{ "linux", PVGPU_GUEST_LINUX },
	{ "windows", PVGPU_GUEST_WINDOWS },
	{ "firmware", PVGPU_GUEST_FIRMWARE },
	{ "bsd", PVGPU_GUEST_BSD },
	{ "unknown", PVGPU_GUEST_UNKNOWN },
	{ "test", PVGPU_GUEST_TEST },
};

static const struct word class_words[] = {
	{ "copy", PVGPU_CHANNEL_COPY },
	{ "virgl", PVGPU_CHANNEL_VIRGL },
};

static const char *write_words(char *out, size_t size, uint32_t mask,
			       const struct word *words, size_t count)
{
	size_t used = 0;

	out[0] = '\0';
	for (size_t i = 0; i < count; i++)
		if (mask & 1u << words[i].bit)
			used += (size_t)snprintf(out + used, size - used,
				"%s%s", used ? " " : "", words[i].text);
	return out;
}

/* Each once, with blanks between. */
static int parse_words(uint32_t *ret_mask, const char *text,
		       const struct word *words, size_t count)
{
	uint32_t mask = 0;

	while (*text) {
		size_t length = strcspn(text, " \t"), i;

		for (i = 0; i < count; i++)
			if (strlen(words[i].text) == length &&
			    !memcmp(words[i].text, text, length))
				break;
		if (i == count || mask & 1u << words[i].bit)
			return -EINVAL;
		mask |= 1u << words[i].bit;
		text += length;
		text += strspn(text, " \t");
	}
	*ret_mask = mask;
	return 0;
}

const char *vgpu_guests_text(char out[VGPU_GUESTS_TEXT_MAX], uint32_t guests)
{
	return write_words(out, VGPU_GUESTS_TEXT_MAX, guests, guest_words,
			   ARRAY_SIZE(guest_words));
}

const char *vgpu_classes_text(char out[VGPU_CLASSES_TEXT_MAX],
			      uint32_t classes)
{
	return write_words(out, VGPU_CLASSES_TEXT_MAX, classes, class_words,
			   ARRAY_SIZE(class_words));
}

const char *vgpu_series_text(char series)
{
	switch (series) {
	case 'Q':	return "workstation";
	case 'B':	return "desktop";
	case 'A':	return "application";
	case 'C':	return "compute";
	default:	return "unknown";
	}
}

static int in_range(uint32_t *ret, const char *text, uint32_t min,
		    uint32_t max)
{
	uint64_t v;

	if (parse_number(&v, text, max) || v < min)
		return -EINVAL;
	*ret = (uint32_t)v;
	return 0;
}

/* "1920x1080" */
static int parse_pair(uint32_t *ret_width, uint32_t *ret_height,
		      const char *text)
{
	char copy[32], *x;
	uint32_t width, height;

	if (strlen(text) >= sizeof(copy))
		return -EINVAL;
	strcpy(copy, text);
	x = strchr(copy, 'x');
	if (!x)
		return -EINVAL;
	*x = '\0';
	if (in_range(&width, copy, SIDE_MIN, SIDE_MAX) ||
	    in_range(&height, x + 1, SIDE_MIN / 2, SIDE_MAX))
		return -EINVAL;
	*ret_width = width;
	*ret_height = height;
	return 0;
}

/* "60" or "59.94", to mHz */
static int parse_refresh(uint32_t *ret, const char *text)
{
	uint64_t v;

	if (parse_decimal(&v, text, 3, REFRESH_MAX) || v < 1000)
		return -EINVAL;
	*ret = (uint32_t)v;
	return 0;
}

static int set_series(struct vgpu_type *type, const char *value)
{
	/* The name has said it; here it is said again, to be read. */
	if (strlen(value) != 1 || !strchr("QBAC", *value))
		return -EINVAL;
	type->series = *value;
	return 0;
}

static int set_framebuffer(struct vgpu_type *type, const char *value)
{
	uint64_t v;

	if (parse_size(&v, value) || !v || v % (1ull << 30) ||
	    v > (uint64_t)GIB_MAX << 30)
		return -EINVAL;
	type->limits.framebuffer = v;
	return 0;
}

static int set_heads(struct vgpu_type *type, const char *value)
{
	return in_range(&type->limits.heads, value, 1, PVGPU_MAX_HEADS);
}

static int set_max_resolution(struct vgpu_type *type, const char *value)
{
	return parse_pair(&type->limits.max_width, &type->limits.max_height,
			  value);
}

static int set_max_pixels(struct vgpu_type *type, const char *value)
{
	uint64_t v;

	if (parse_number(&v, value, (uint64_t)PVGPU_MAX_HEADS * SIDE_MAX *
				    SIDE_MAX) ||
	    v < SIDE_MIN * SIDE_MIN / 2)
		return -EINVAL;
	type->limits.max_pixels = v;
	return 0;
}

static int set_default_mode(struct vgpu_type *type, const char *value)
{
	struct vgpu_limits *l = &type->limits;
	uint32_t width, height, refresh;
	char copy[48], *at;

	if (strlen(value) >= sizeof(copy))
		return -EINVAL;
	strcpy(copy, value);
	at = strchr(copy, '@');
	if (!at)
		return -EINVAL;
	*at = '\0';
	if (parse_pair(&width, &height, copy) ||
	    parse_refresh(&refresh, at + 1))
		return -EINVAL;
	l->default_width = width;
	l->default_height = height;
	l->default_refresh = refresh;
	return 0;
}

static int set_max_refresh(struct vgpu_type *type, const char *value)
{
	return parse_refresh(&type->limits.max_refresh, value);
}

static int set_guests(struct vgpu_type *type, const char *value)
{
	uint32_t guests;

	if (parse_words(&guests, value, guest_words,
			ARRAY_SIZE(guest_words)) || !guests)
		return -EINVAL;
	type->limits.guests = guests;
	return 0;
}

/* Every guest copies; what renders comes on top. */
static int set_classes(struct vgpu_type *type, const char *value)
{
	uint32_t classes;

	if (parse_words(&classes, value, class_words,
			ARRAY_SIZE(class_words)) ||
	    !(classes & 1u << PVGPU_CHANNEL_COPY))
		return -EINVAL;
	type->limits.classes = classes;
	return 0;
}

static int set_cursor_max(struct vgpu_type *type, const char *value)
{
	return in_range(&type->limits.cursor_max, value, 32, 512);
}

static int set_channels(struct vgpu_type *type, const char *value)
{
	return in_range(&type->limits.channels, value, 1, PVGPU_MAX_CHANNELS);
}

static int set_device_budget(struct vgpu_type *type, const char *value)
{
	uint64_t v;

	if (parse_size(&v, value) || v < 1u << 20 ||
	    v > (uint64_t)GIB_MAX << 30)
		return -EINVAL;
	type->limits.device_budget = v;
	return 0;
}

static int set_max_resources(struct vgpu_type *type, const char *value)
{
	return in_range(&type->limits.max_resources, value, 16, 1u << 20);
}

static int set_max_extents(struct vgpu_type *type, const char *value)
{
	return in_range(&type->limits.max_extents, value, 1, 1u << 16);
}

static int set_max_instances(struct vgpu_type *type, const char *value)
{
	return in_range(&type->max_instances, value, 1, INSTANCES_MAX);
}

#define SET_SETTING(key, which) \
	static int set_##key(struct vgpu_type *type, const char *value) \
	{ \
		return settings_read(&type->schedule, which, value); \
	}
SET_SETTING(weight, SETTING_WEIGHT)
SET_SETTING(share, SETTING_SHARE)
SET_SETTING(borrow, SETTING_BORROW)
SET_SETTING(watchdog, SETTING_WATCHDOG)
SET_SETTING(frame_limit, SETTING_FRAME_LIMIT)
#undef SET_SETTING

const struct type_key type_keys[KEY_COUNT] = {
	[KEY_SERIES] = { "series", true, set_series, "Q, B, A or C" },
	[KEY_FRAMEBUFFER] = { "framebuffer", true, set_framebuffer,
		"1GiB to 1024GiB, in whole GiB" },
	[KEY_HEADS] = { "heads", true, set_heads, "1 to 16" },
	[KEY_MAX_RESOLUTION] = { "max_resolution", true, set_max_resolution,
		"WIDTHxHEIGHT, 320x160 to 16384x16384" },
	[KEY_MAX_PIXELS] = { "max_pixels", true, set_max_pixels,
		"a number of pixels, 51200 to 4294967296" },
	[KEY_DEFAULT_MODE] = { "default_mode", true, set_default_mode,
		"WIDTHxHEIGHT@HZ, such as 1920x1080@60" },
	[KEY_MAX_REFRESH] = { "max_refresh", false, set_max_refresh,
		"1 to 1000 Hz, with up to three decimals" },
	[KEY_GUESTS] = { "guests", false, set_guests,
		"some of linux windows firmware bsd unknown test, each once, "
		"with blanks between" },
	[KEY_CLASSES] = { "classes", false, set_classes,
		"copy, or copy virgl" },
	[KEY_CURSOR_MAX] = { "cursor_max", false, set_cursor_max,
		"32 to 512 pixels" },
	[KEY_CHANNELS] = { "channels", false, set_channels, "1 to 32" },
	[KEY_DEVICE_BUDGET] = { "device_budget", false, set_device_budget,
		"1MiB to 1024GiB" },
	[KEY_MAX_RESOURCES] = { "max_resources", false, set_max_resources,
		"16 to 1048576" },
	[KEY_MAX_EXTENTS] = { "max_extents", false, set_max_extents,
		"1 to 65536" },
	[KEY_MAX_INSTANCES] = { "max_instances", false, set_max_instances,
		"1 to 4096" },
	[KEY_WEIGHT] = { "weight", false, set_weight,
		WEIGHT_ALLOWED },
	[KEY_SHARE] = { "share", false, set_share,
		SHARE_ALLOWED },
	[KEY_BORROW] = { "borrow", false, set_borrow,
		BORROW_ALLOWED },
	[KEY_WATCHDOG] = { "watchdog", false, set_watchdog,
		WATCHDOG_ALLOWED },
	[KEY_FRAME_LIMIT] = { "frame_limit", false, set_frame_limit,
		FRAME_LIMIT_ALLOWED },
};

void type_keys_defaults(struct vgpu_type *type)
{
	struct vgpu_limits *l = &type->limits;

	l->max_refresh = 240000;
	l->guests = 1u << PVGPU_GUEST_LINUX | 1u << PVGPU_GUEST_WINDOWS |
		    1u << PVGPU_GUEST_FIRMWARE | 1u << PVGPU_GUEST_BSD |
		    1u << PVGPU_GUEST_TEST;
	l->cursor_max = 256;
	l->channels = 8;
	l->classes = 1u << PVGPU_CHANNEL_COPY | 1u << PVGPU_CHANNEL_VIRGL;
	l->max_resources = 16384;
	l->max_extents = 16384;
	type_schedule_defaults(&type->schedule, type->series);
}

void type_schedule_defaults(struct settings *s, char series)
{
	struct sched_params p = sched_params_default();

	settings_put(s, SETTING_WEIGHT, p.weight);
	settings_put(s, SETTING_BORROW, p.borrow);
	settings_put(s, SETTING_WATCHDOG, p.watchdog);
	settings_put(s, SETTING_FRAME_LIMIT, series == 'B' ? 45000 : 60000);
}

int type_name_parse(struct vgpu_type *type, uint64_t *ret_gib,
		    const char *name)
{
	size_t length = strlen(name), board, digits;
	char number[8];
	uint64_t gib;

	if (length >= sizeof(type->name))
		return -EINVAL;
	board = strcspn(name, "-");
	if (!board || board >= sizeof(type->board) || !name[board] ||
	    length < board + 3)
		return -EINVAL;
	for (size_t i = 0; i < board; i++)
		if (!isalnum((unsigned char)name[i]))
			return -EINVAL;
	digits = length - board - 2;
	if (digits >= sizeof(number) || name[board + 1] == '0' ||
	    !strchr("QBAC", name[length - 1]))
		return -EINVAL;
	memcpy(number, name + board + 1, digits);
	number[digits] = '\0';
	if (parse_number(&gib, number, GIB_MAX))
		return -EINVAL;
	memset(type->board, 0, sizeof(type->board));
	memset(type->name, 0, sizeof(type->name));
	memcpy(type->board, name, board);
	memcpy(type->name, name, length);
	memcpy(type->limits.type_name, type->name, sizeof(type->name));
	type->series = name[length - 1];
	*ret_gib = gib;
	return 0;
}

void type_keys_check(struct vgpu_type *type, uint64_t name_gib,
		     bool device_budget_given, type_key_wrong *wrong,
		     void *userdata)
{
	struct vgpu_limits *l = &type->limits;
	char text[160];
	uint64_t pixels = (uint64_t)l->default_width * l->default_height;

	if (type->series != type->name[strlen(type->name) - 1]) {
		snprintf(text, sizeof(text), "%c, as the name %s says",
			 type->name[strlen(type->name) - 1], type->name);
		wrong(userdata, KEY_SERIES, text);
	}
	if (l->framebuffer != name_gib << 30) {
		snprintf(text, sizeof(text), "%" PRIu64
			 "GiB, as the name %s says", name_gib, type->name);
		wrong(userdata, KEY_FRAMEBUFFER, text);
	}
	if (!device_budget_given)
		l->device_budget = l->framebuffer;
	if (l->default_width > l->max_width ||
	    l->default_height > l->max_height) {
		snprintf(text, sizeof(text), "up to %ux%u, the max_resolution",
			 l->max_width, l->max_height);
		wrong(userdata, KEY_DEFAULT_MODE, text);
	}
	if (l->default_refresh > l->max_refresh) {
		snprintf(text, sizeof(text), "up to %g Hz, the max_refresh",
			 l->max_refresh / 1000.0);
		wrong(userdata, KEY_DEFAULT_MODE, text);
	}
	if (l->max_pixels < pixels) {
		snprintf(text, sizeof(text), "%" PRIu64 " and more, so that "
			 "one head can show the default_mode", pixels);
		wrong(userdata, KEY_MAX_PIXELS, text);
	}
	if (l->max_pixels > (uint64_t)l->heads * l->max_width *
			    l->max_height) {
		snprintf(text, sizeof(text), "up to %" PRIu64
			 ", all heads at the max_resolution",
			 (uint64_t)l->heads * l->max_width * l->max_height);
		wrong(userdata, KEY_MAX_PIXELS, text);
	}
}
