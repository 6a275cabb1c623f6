// SPDX-License-Identifier: MIT
/* Settings of heads, checked; see head_setting.h. EDIDs by VESA E-EDID 1.4. */
#include "head_setting.h"

#include <inttypes.h>
#include <string.h>

#include "varlink.h"

#define EDID_BLOCK	128u
#define EDID_DTD	54		/* the preferred timing */
/* What an EDID can say of a mode: a clock of 10 MHz or more. */
#define MODE_MIN_WIDTH	320u
#define MODE_MIN_HEIGHT	200u
#define MODE_MIN_CLOCK	10000000u

void head_setting_default(struct head_setting *s, const struct vgpu_limits *l)
{
	memset(s, 0, sizeof(*s));
	s->serial = 1;
	s->connected = true;
	s->width = l->default_width;
	s->height = l->default_height;
	s->refresh = l->default_refresh;
}

bool head_setting_is_default(const struct head_setting *s,
			     const struct vgpu_limits *l)
{
	return s->serial == 1 && s->connected && !s->edid_size &&
	       s->width == l->default_width && s->height == l->default_height &&
	       s->refresh == l->default_refresh;
}

#define wrong(why, ...) (snprintf(why, HEAD_WHY_MAX, __VA_ARGS__), -EINVAL)

int head_mode_check(uint32_t width, uint32_t height, uint32_t refresh,
		    const struct vgpu_limits *l, char why[HEAD_WHY_MAX])
{
	uint64_t pixels = (uint64_t)width * height;

	if (width > l->max_width || height > l->max_height)
		return wrong(why, "%ux%u is beyond the type's limit; allowed "
			     "is up to %ux%u", width, height, l->max_width,
			     l->max_height);
	if (pixels > l->max_pixels)
		return wrong(why, "%ux%u is %" PRIu64 " pixels; allowed are "
			     "up to %" PRIu64 ", the type's limit", width,
			     height, pixels, l->max_pixels);
	if (refresh > l->max_refresh)
		return wrong(why, "%g Hz is beyond the type's limit; allowed "
			     "is up to %g", refresh / 1000.0,
			     l->max_refresh / 1000.0);
	if (width < MODE_MIN_WIDTH || height < MODE_MIN_HEIGHT)
		return wrong(why, "%ux%u is too small; allowed is %ux%u and "
			     "more", width, height, MODE_MIN_WIDTH,
			     MODE_MIN_HEIGHT);
	/* Refresh rates below 1 Hz would not fit the arithmetic of timings. */
	if (refresh < 1000 ||
	    (uint64_t)(width + 160) * height / 1000 * refresh < MODE_MIN_CLOCK)
		return wrong(why, "%ux%u at %g Hz is too slow for an EDID; "
			     "allowed is a pixel clock of 10 MHz and more",
			     width, height, refresh / 1000.0);
	return 0;
}

/* The first detailed timing of a base block. */
static int preferred_mode(struct head_setting *s, const uint8_t *edid,
			  const struct vgpu_limits *l, char why[HEAD_WHY_MAX])
{
	const uint8_t *d = edid + EDID_DTD;
	uint64_t clock = (uint64_t)(d[0] | d[1] << 8) * 10000;	/* Hz */
	uint32_t width = d[2] | (d[4] & 0xf0u) << 4;
	uint32_t hblank = d[3] | (d[4] & 0x0fu) << 8;
	uint32_t height = d[5] | (d[7] & 0xf0u) << 4;
	uint32_t vblank = d[6] | (d[7] & 0x0fu) << 8;
	uint32_t refresh;
	int r;

	if (!clock || !width || !height)
		return wrong(why, "byte %d is no detailed timing; allowed is "
			     "an EDID that begins with its preferred mode",
			     EDID_DTD);
	if (d[17] & 0x80)
		return wrong(why, "the preferred mode is interlaced; allowed "
			     "is a progressive one");
	refresh = (uint32_t)(clock * 1000 / ((uint64_t)(width + hblank) *
					     (height + vblank)));
	r = head_mode_check(width, height, refresh, l, why);
	if (r)
		return r;
	s->width = width;
	s->height = height;
	s->refresh = refresh;
	return 0;
}

int head_edid_take(struct head_setting *s, const uint8_t *edid, size_t size,
		   const struct vgpu_limits *l, char why[HEAD_WHY_MAX])
{
	static const uint8_t header[8] = {
		0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00
	};
	int r;

	if (!size || size % EDID_BLOCK || size > sizeof(s->edid))
		return wrong(why, "%zu bytes; allowed are 1 to %zu blocks of "
			     "%u", size, sizeof(s->edid) / EDID_BLOCK,
			     EDID_BLOCK);
	if (memcmp(edid, header, sizeof(header)))
		return wrong(why, "the header is not 00 ff ff ff ff ff ff 00");
	if (edid[18] != 1)
		return wrong(why, "version %u.%u; allowed is 1.x", edid[18],
			     edid[19]);
	if (edid[126] != size / EDID_BLOCK - 1)
		return wrong(why, "byte 126 says %u extensions, and there are "
			     "%zu", edid[126], size / EDID_BLOCK - 1);
	for (size_t block = 0; block < size / EDID_BLOCK; block++) {
		uint8_t sum = 0;

		for (size_t i = 0; i < EDID_BLOCK; i++)
			sum += edid[block * EDID_BLOCK + i];
		if (sum)
			return wrong(why, "block %zu has a wrong checksum: "
				     "0x%02x over all its bytes, not 0", block,
				     sum);
	}
	r = preferred_mode(s, edid, l, why);
	if (r)
		return r;
	memcpy(s->edid, edid, size);
	s->edid_size = (uint32_t)size;
	return 0;
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

int head_edid_take_text(struct head_setting *s, const char *text,
			const struct vgpu_limits *l, char why[HEAD_WHY_MAX])
{
	size_t length = strlen(text);
	uint8_t edid[WORKER_EDID_MAX];

	if (length > 2 * sizeof(edid))
		return wrong(why, "%zu bytes; allowed are 1 to %zu blocks of "
			     "%u", length / 2, sizeof(edid) / EDID_BLOCK,
			     EDID_BLOCK);
	for (size_t i = 0; i < length; i++)
		if (digit(text[i]) < 0 || length % 2)
			return wrong(why, "allowed are hexadecimal digits, "
				     "two for each byte");
	for (size_t i = 0; i < length / 2; i++)
		edid[i] = (uint8_t)(digit(text[2 * i]) << 4 |
				    digit(text[2 * i + 1]));
	return head_edid_take(s, edid, length / 2, l, why);
}

json_object *head_setting_json(uint32_t head, const struct head_setting *s)
{
	json_object *o = json_object_new_object();
	char text[2 * WORKER_EDID_MAX + 1];

	json_put_int(o, "head", head);
	json_put_int(o, "serial", s->serial);
	json_put(o, "connected", json_object_new_boolean(s->connected));
	json_put_int(o, "width", s->width);
	json_put_int(o, "height", s->height);
	json_put_int(o, "refresh", s->refresh);
	json_put_int(o, "edidSize", s->edid_size);
	if (s->edid_size) {
		for (uint32_t i = 0; i < s->edid_size; i++)
			sprintf(text + 2 * i, "%02x", s->edid[i]);
		json_put_string(o, "edid", text);
	}
	return o;
}

/* A number of the object that fits 32 bits. */
static int number(uint32_t *ret, json_object *object, const char *name)
{
	json_object *value;
	int64_t v;

	if (!json_object_object_get_ex(object, name, &value) ||
	    json_object_get_type(value) != json_type_int)
		return -EINVAL;
	v = json_object_get_int64(value);
	if (v < 0 || v > UINT32_MAX)
		return -EINVAL;
	*ret = (uint32_t)v;
	return 0;
}

int head_setting_from_json(struct head_setting *setting, json_object *object,
			   const struct vgpu_limits *l, char why[HEAD_WHY_MAX])
{
	struct head_setting s = { 0 };
	json_object *value;
	int r;

	if (json_object_get_type(object) != json_type_object)
		return wrong(why, "is not an object");
	if (number(&s.serial, object, "serial") ||
	    number(&s.width, object, "width") ||
	    number(&s.height, object, "height") ||
	    number(&s.refresh, object, "refresh"))
		return wrong(why, "serial, width, height and refresh are to "
			     "be numbers");
	if (!json_object_object_get_ex(object, "connected", &value) ||
	    json_object_get_type(value) != json_type_boolean)
		return wrong(why, "connected is to be true or false");
	s.connected = json_object_get_boolean(value);
	r = head_mode_check(s.width, s.height, s.refresh, l, why);
	if (r)
		return r;
	if (json_object_object_get_ex(object, "edid", &value)) {
		if (json_object_get_type(value) != json_type_string)
			return wrong(why, "edid is to be a string");
		r = head_edid_take_text(&s, json_object_get_string(value), l,
					why);
		if (r)
			return r;
	}
	*setting = s;
	return 0;
}

void head_setting_message(struct worker_head_set *m, uint32_t head,
			  const struct head_setting *s)
{
	*m = (struct worker_head_set){
		.header.op = WORKER_HEAD_SET,
		.head = head,
		.serial = s->serial,
		.connected = s->connected,
		.width = s->width,
		.height = s->height,
		.refresh = s->refresh,
		.edid_size = s->edid_size,
	};
	memcpy(m->edid, s->edid, s->edid_size);
}
