// SPDX-License-Identifier: MIT
/*
 * EDIDs that are given and settings that were saved, mutated at random with
 * fixed seeds: each is refused, with a reason and nothing changed, or is within
 * the type's limits, and comes back from a file as it was.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "common/util.h"
#include "manager/head_setting.h"

static uint64_t noise(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* Changes a text in a few places: bytes, runs, pieces of a dictionary. */
static size_t mutate(char *text, size_t size, size_t max, uint64_t *seed,
		     const char *const *words, size_t count)
{
	for (uint64_t n = 1 + noise(seed) % 6; n && size; n--) {
		size_t at = noise(seed) % size, length;
		const char *word;

		switch (noise(seed) % 5) {
		case 0:
			text[at] = (char)noise(seed);
			break;
		case 1:			/* a run goes */
			length = noise(seed) % 40;
			if (length > size - at)
				length = size - at;
			memmove(text + at, text + at + length,
				size - at - length);
			size -= length;
			break;
		case 2:			/* a run comes twice */
			length = noise(seed) % 200;
			if (length > size - at)
				length = size - at;
			if (size + length > max)
				break;
			memmove(text + at + length, text + at, size - at);
			size += length;
			break;
		default:		/* a word comes */
			word = words[noise(seed) % count];
			length = strlen(word);
			if (size + length > max)
				break;
			memmove(text + at + length, text + at, size - at);
			memcpy(text + at, word, length);
			size += length;
		}
	}
	return size;
}

static const struct vgpu_limits limits = {
	.heads = 4, .max_width = 2560, .max_height = 1600,
	.max_pixels = 4096000, .max_refresh = 120000,
	.default_width = 1920, .default_height = 1080,
	.default_refresh = 60000,
};

/* What a setting may be, whatever it was made of. */
static void check_setting(const struct head_setting *s)
{
	char why[HEAD_WHY_MAX];

	assert_int_equal(head_mode_check(s->width, s->height, s->refresh,
					 &limits, why), 0);
	assert_true(s->edid_size <= WORKER_EDID_MAX &&
		    s->edid_size % 128 == 0);
}

static void sign(uint8_t *edid, size_t size)
{
	for (size_t at = 0; at + 128 <= size; at += 128) {
		edid[at + 127] = 0;
		for (size_t i = 0; i < 127; i++)
			edid[at + 127] -= edid[at + i];
	}
}

static void edids(void **state)
{
	static const uint8_t timing[] = {
		0x02, 0x3a, 0x80, 0x18, 0x71, 0x38, 0x2d, 0x40, 0x58, 0x2c,
		0x45, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x1e,
	};	/* CTA-861's 1920x1080 at 60 Hz */
	uint8_t original[256] = { 0 }, edid[2048] = { 0 };
	uint64_t seed = 0x65646964;
	unsigned int good = 0, bad = 0;

	(void)state;
	memset(original + 1, 0xff, 6);
	original[18] = 1;
	original[19] = 3;
	original[126] = 1;
	memcpy(original + 54, timing, sizeof(timing));
	original[128] = 2;
	for (int round = 0; round < 20000; round++) {
		struct head_setting s, before;
		char why[HEAD_WHY_MAX] = "", text[2 * sizeof(edid) + 2];
		size_t size = noise(&seed) % 8 ? 256 : noise(&seed) % 1200;
		int r;

		memset(&s, 0, sizeof(s));
		head_setting_default(&s, &limits);
		before = s;
		memcpy(edid, original, sizeof(original));
		for (uint64_t n = noise(&seed) % 4; n; n--)
			edid[noise(&seed) % 4 ? 54 + noise(&seed) % 18 :
			     noise(&seed) % 256] = (uint8_t)noise(&seed);
		if (noise(&seed) % 8)
			sign(edid, size);
		if (round % 2) {
			for (size_t i = 0; i < size; i++)
				sprintf(text + 2 * i, "%02x", edid[i]);
			text[2 * size] = '\0';
			if (noise(&seed) % 32 == 0)
				text[noise(&seed) % (2 * size + 1)] =
					(char)noise(&seed);
			r = head_edid_take_text(&s, text, &limits, why);
		} else {
			r = head_edid_take(&s, edid, size, &limits, why);
		}
		check_setting(&s);
		*(r ? &bad : &good) += 1;
		if (r) {
			assert_int_equal(r, -EINVAL);
			assert_true(why[0]);
			assert_memory_equal(&s, &before, sizeof(s));
		} else {
			struct head_setting again;
			json_object *o;

			/* What is saved is what comes back. */
			memset(&again, 0, sizeof(again));
			o = head_setting_json(3, &s);
			assert_int_equal(head_setting_from_json(&again, o,
						&limits, why), 0);
			assert_int_equal(again.edid_size, s.edid_size);
			assert_memory_equal(again.edid, s.edid, s.edid_size);
			assert_int_equal(again.width, s.width);
			assert_int_equal(again.refresh, s.refresh);
			json_object_put(o);
		}
	}
	assert_true(good > 1000 && bad > 1000);
}

static void saved_heads(void **state)
{
	static const char original[] =
		"{\"head\":0,\"serial\":3,\"connected\":true,\"width\":1280,"
		"\"height\":1024,\"refresh\":60000,\"edidSize\":0}";
	static const char *const words[] = {
		"{", "}", "[", "]", "\"", ":", ",", "null", "true", "-1",
		"\"edid\":\"00\",", "\"edid\":7,", "4294967296", "1e9",
		"\"width\":", "\"connected\":0,", "99999999999999999999999",
	};
	char text[2048];
	uint64_t seed = 0x68656164;
	unsigned int good = 0, bad = 0;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		struct head_setting s, before;
		char why[HEAD_WHY_MAX] = "";
		json_object *o;
		size_t length;
		int r;

		memset(&s, 0, sizeof(s));
		head_setting_default(&s, &limits);
		before = s;
		memcpy(text, original, sizeof(original) - 1);
		length = mutate(text, sizeof(original) - 1, sizeof(text) - 1,
				&seed, words, ARRAY_SIZE(words));
		text[length] = '\0';
		o = json_tokener_parse(text);
		r = head_setting_from_json(&s, o, &limits, why);
		json_object_put(o);
		check_setting(&s);
		*(r ? &bad : &good) += 1;
		if (r)
			assert_memory_equal(&s, &before, sizeof(s));
		assert_true(!r || why[0]);
	}
	assert_true(good > 100 && bad > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(edids),
		cmocka_unit_test(saved_heads),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("head setting", tests, NULL, NULL);
}
