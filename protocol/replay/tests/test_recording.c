// SPDX-License-Identifier: MIT
/* Recordings that are good, and each way in which one is not; noise; the
 * pictures and times that players compare. */
#include <errno.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>
#include <cmocka.h>

#include "protocol/replay/histogram.h"
#include "protocol/replay/recording_format.h"

static const uint32_t words[] = { 1, 2, 3 };
static const struct recording_resource shown = {
	.target = 2, .format = 1, .bind = 2, .width = 32, .height = 16,
	.depth = 1, .layers = 1, .levels = 1, .samples = 1, .size = 2048,
};

/* Steps 0 to 9: two resources and data, a frame, the loop, two frames. */
static void good(struct recording_writer *w)
{
	struct picture picture;
	const struct recording_transfer t = {
		.stride = 128, .width = 32, .height = 16, .depth = 1,
	};

	memset(w, 0, sizeof(*w));
	memset(&picture, 7, sizeof(picture));
	recording_begin(w, "a test");
	recording_put_resource(w, 1, &shown);
	recording_put_data(w, 1, 4, words, 12);
	recording_put_transfer(w, 1, &t);
	recording_put_frame(w, 1, &picture);
	recording_put_loop(w);
	recording_put_batch(w, words, 3);
	recording_put_frame(w, 1, &picture);
	recording_put_resource(w, 9, &shown);
	recording_put_batch(w, words, 2);
	recording_put_frame(w, 9, &picture);
	recording_put_destroy(w, 9);
}

static int parse(struct recording_writer *w, struct recording *r,
		 struct recording_fault *fault)
{
	int ret;

	recording_finish(w);
	assert_false(w->failed);
	ret = recording_parse(r, w->bytes, w->length, fault);
	recording_writer_free(w);
	return ret;
}

static void test_good(void **state)
{
	struct recording_writer w;
	struct recording_fault fault;
	struct recording r;

	(void)state;
	good(&w);
	assert_int_equal(parse(&w, &r, &fault), 0);
	assert_string_equal(r.label, "a test");
	assert_int_equal(r.count, 11);
	assert_int_equal(r.loop, 5);
	assert_int_equal(r.frames, 2);
	assert_int_equal(r.batches, 2);
	assert_int_equal(r.highest, 9);
	assert_int_equal(r.steps[0].made.height, 16);
	assert_int_equal(r.steps[1].offset, 4);
	assert_int_equal(r.steps[1].length, 12);
	assert_memory_equal(r.steps[1].bytes, words, 12);
	assert_int_equal(r.steps[2].transfer.stride, 128);
	assert_int_equal(r.steps[5].kind, RECORDING_BATCH);
	assert_int_equal(r.steps[5].length, 12);
	assert_int_equal(r.steps[9].width, 32);
	assert_int_equal(r.steps[9].picture->mean[5], 7);
	recording_free(&r);
}

/* What is appended to a good one, and why it is refused then. */
static void refused(void (*more)(struct recording_writer *w), const char *why)
{
	struct recording_writer w;
	struct recording_fault fault = { 0 };
	struct recording r;

	good(&w);
	more(&w);
	assert_int_equal(parse(&w, &r, &fault), -EBADMSG);
	if (!strstr(fault.why, why))
		fail_msg("\"%s\", not \"%s\"", fault.why, why);
	assert_true(fault.offset >= RECORDING_HEADER_BYTES);
}

static void bad_name(struct recording_writer *w)
{
	recording_put_resource(w, 0, &shown);
}

static void bad_twice(struct recording_writer *w)
{
	recording_put_resource(w, 1, &shown);
}

static void bad_size(struct recording_writer *w)
{
	struct recording_resource huge = shown;

	huge.size = RECORDING_SIZE_MAX + 4;
	recording_put_resource(w, 2, &huge);
}

static void bad_number(struct recording_writer *w)
{
	for (uint32_t i = 10; i < RECORDING_RESOURCES_MAX + 10; i++)
		recording_put_resource(w, i, &shown);
}

static void bad_absent(struct recording_writer *w)
{
	recording_put_destroy(w, 9);
}

static void bad_destroy(struct recording_writer *w)
{
	recording_put_destroy(w, 1);
}

static void bad_data(struct recording_writer *w)
{
	recording_put_data(w, 1, 2040, words, 12);
}

static void bad_offset(struct recording_writer *w)
{
	recording_put_data(w, 1, 0xfffffffc, words, 12);
}

static void bad_transfer(struct recording_writer *w)
{
	const struct recording_transfer t = { .width = 1 };
	struct recording_resource bare = shown;

	bare.size = 0;
	recording_put_resource(w, 3, &bare);
	recording_put_transfer(w, 3, &t);
}

static void bad_batch(struct recording_writer *w)
{
	recording_put_batch(w, words, 0);
}

static void bad_long_batch(struct recording_writer *w)
{
	static const uint32_t much[RECORDING_BATCH_MAX / 4 + 1];

	recording_put_batch(w, much, RECORDING_BATCH_MAX / 4 + 1);
}

static void bad_frame(struct recording_writer *w)
{
	struct recording_resource depth = shown;
	struct picture none = { 0 };

	depth.format = 17;
	recording_put_resource(w, 3, &depth);
	recording_put_frame(w, 3, &none);
}

static void bad_loop(struct recording_writer *w)
{
	recording_put_loop(w);
}

static void bad_leak(struct recording_writer *w)
{
	struct picture none = { 0 };

	recording_put_resource(w, 3, &shown);
	recording_put_frame(w, 3, &none);
}

static void bad_end(struct recording_writer *w)
{
	recording_put_batch(w, words, 1);
}

static void test_refused(void **state)
{
	(void)state;
	refused(bad_name, "resource 0: names are 1 to 65535");
	refused(bad_twice, "resource 1 exists already");
	refused(bad_size, "resource 2: 67108868 bytes, of at most");
	refused(bad_number, "more than 4096 resources");
	refused(bad_absent, "there is no resource 9");
	refused(bad_destroy, "which it has not made");
	refused(bad_data, "12 bytes at 2040 of resource 1, which has 2048");
	refused(bad_offset, "12 bytes at 4294967292");
	refused(bad_transfer, "resource 3, which has no memory");
	refused(bad_batch, "a batch of 0 bytes");
	refused(bad_long_batch, "a batch of 1048580 bytes");
	refused(bad_frame, "resource 3 shows no frame: format 17");
	refused(bad_loop, "a second loop");
	refused(bad_leak, "makes resource 3, and leaves it");
	refused(bad_end, "does not end with its last frame");
}

static void put_word(uint8_t *bytes, size_t at, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		bytes[at + i] = (uint8_t)(value >> 8 * i);
}

/* One word of a good one is another. */
static void changed(size_t at, uint32_t value, const char *why)
{
	struct recording_writer w;
	struct recording_fault fault = { 0 };
	struct recording r;

	good(&w);
	recording_finish(&w);
	put_word(w.bytes, at, value);
	assert_int_equal(recording_parse(&r, w.bytes, w.length, &fault),
			 -EBADMSG);
	if (!strstr(fault.why, why))
		fail_msg("\"%s\", not \"%s\"", fault.why, why);
	recording_writer_free(&w);
}

static void test_headers(void **state)
{
	(void)state;
	changed(0, 0, "this is no recording");
	changed(8, 2, "version 2, and only 1 is known");
	changed(12, 1000, "1000 records do not fit");
	changed(12, 0x7fffffff, "2147483647 records, of at most");
	changed(12, 3, "bytes behind the last record");
	changed(12, 12, "ends in the middle of a record");
	changed(16, 0x01010101, "the label is no plain text");
	changed(76, 0x41414141, "the label does not end");
	changed(80, 8, "a record of kind 8");
	changed(84, 52, "a record of kind 1 with 52 bytes, not 48");
	changed(84, 1 << 30, "a record of 1073741824 bytes, and 2580 are");
}

static uint32_t xorshift(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

/* Whatever it is, it is taken or refused; ASan looks on. */
static void test_noise(void **state)
{
	uint32_t seed = 1, taken = 0, rounds = 20000;
	struct recording_writer w;

	(void)state;
	good(&w);
	recording_finish(&w);
	for (uint32_t i = 0; i < rounds; i++) {
		uint8_t *copy = malloc(w.length);
		size_t length = w.length;
		struct recording_fault fault = { 0 };
		struct recording r;
		int ret;

		memcpy(copy, w.bytes, length);
		for (uint32_t n = xorshift(&seed) % 4; n; n--) {
			uint32_t value = xorshift(&seed);

			/* Mostly small numbers, which go further. */
			put_word(copy, xorshift(&seed) % (length / 4) * 4,
				 value & 1 ? value >> 28 : value);
		}
		if (xorshift(&seed) % 8 == 0)
			length = xorshift(&seed) % length;
		ret = recording_parse(&r, copy, length, &fault);
		if (ret) {
			assert_int_equal(ret, -EBADMSG);
			assert_true(fault.why[0]);
		} else {
			taken++;
			recording_free(&r);
		}
		free(copy);
	}
	assert_in_range(taken, rounds / 100, rounds - rounds / 100);
	recording_writer_free(&w);
}

/* ---------------------------------------------------------------- files */

static void write_file(const char *path, const void *bytes, size_t length)
{
	FILE *file = fopen(path, "wb");

	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, length, file), length);
	assert_int_equal(fclose(file), 0);
}

static size_t read_file(const char *path, uint8_t *bytes, size_t room)
{
	FILE *file = fopen(path, "rb");
	size_t length;

	assert_non_null(file);
	length = fread(bytes, 1, room, file);
	fclose(file);
	return length;
}

static void test_files(void **state)
{
	char path[] = "/tmp/pvgpu-recording-XXXXXX";
	int fd = mkstemp(path);
	struct recording_writer w;
	struct recording_fault fault;
	struct recording r;
	static uint8_t bytes[16384];
	size_t length;

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	good(&w);
	assert_int_equal(recording_write(&w, path, &fault), 0);
	length = read_file(path, bytes, sizeof(bytes));
	assert_true(length < w.length);
	assert_int_equal(recording_read(&r, path, &fault), 0);
	assert_int_equal(r.count, 11);
	recording_free(&r);
	/* Not packed, it is one too. */
	write_file(path, w.bytes, w.length);
	assert_int_equal(recording_read(&r, path, &fault), 0);
	recording_free(&r);
	/* Cut short, or with a bit that is another. */
	write_file(path, bytes, length - 5);
	assert_int_equal(recording_read(&r, path, &fault), -EBADMSG);
	bytes[length - 6] ^= 1;
	write_file(path, bytes, length);
	assert_int_equal(recording_read(&r, path, &fault), -EBADMSG);
	assert_non_null(strstr(fault.why, "gzip"));
	write_file(path, "", 0);
	assert_int_equal(recording_read(&r, path, &fault), -EBADMSG);
	recording_writer_free(&w);
	/* What a reader would refuse is not written. */
	good(&w);
	recording_put_loop(&w);
	unlink(path);
	assert_int_equal(recording_write(&w, path, &fault), -EBADMSG);
	assert_int_equal(access(path, F_OK), -1);
	recording_writer_free(&w);
	assert_int_equal(recording_read(&r, path, &fault), -ENOENT);
}

/* Little that unpacks to more than the limit. */
static void test_bomb(void **state)
{
	char path[] = "/tmp/pvgpu-recording-XXXXXX";
	int fd = mkstemp(path);
	static const uint8_t zeroes[1 << 20];
	struct recording_fault fault;
	struct recording r;
	gzFile file;

	(void)state;
	assert_true(fd >= 0);
	file = gzdopen(fd, "wb1");
	for (uint32_t i = 0; i < RECORDING_BYTES_MAX / sizeof(zeroes) + 2; i++)
		assert_int_equal(gzwrite(file, zeroes, sizeof(zeroes)),
				 sizeof(zeroes));
	gzclose(file);
	assert_int_equal(recording_read(&r, path, &fault), -EBADMSG);
	assert_non_null(strstr(fault.why, "more than 67108864 bytes"));
	unlink(path);
}

/* ---------------------------------------------------- pictures and times */

static void test_pictures(void **state)
{
	enum { WIDTH = 50, HEIGHT = 33 };
	static uint8_t pixels[WIDTH * HEIGHT * 4];
	struct picture plain, some, other;

	(void)state;
	memset(pixels, 200, sizeof(pixels));
	picture_take(&plain, pixels, WIDTH, HEIGHT);
	assert_true(picture_plain(&plain));
	assert_int_equal(plain.mean[PICTURE_BYTES - 1], 200);
	for (uint32_t i = 0; i < sizeof(pixels) / 2; i++)
		pixels[i] = 0;
	picture_take(&some, pixels, WIDTH, HEIGHT);
	assert_false(picture_plain(&some));
	assert_int_equal(some.mean[0], 0);
	assert_int_equal(some.mean[PICTURE_BYTES - 1], 200);
	assert_false(picture_same(&plain, &some));
	assert_int_equal(picture_distance(&plain, &some).worst, 200);
	/* The fourth byte does not count, and a little is nothing. */
	for (uint32_t i = 3; i < sizeof(pixels); i += 4)
		pixels[i] = 99;
	pixels[0] = 40;
	picture_take(&other, pixels, WIDTH, HEIGHT);
	assert_true(picture_same(&some, &other));
	/* One field of another colour is not. */
	other.mean[PICTURE_BYTES / 2] ^= 0x80;
	assert_false(picture_same(&some, &other));
	/* Nor a little of all. */
	for (uint32_t i = 0; i < PICTURE_BYTES; i++)
		other.mean[i] = (uint8_t)(some.mean[i] ? some.mean[i] - 3 : 3);
	assert_false(picture_same(&some, &other));
}

static void test_times(void **state)
{
	static struct histogram h;

	(void)state;
	assert_int_equal(histogram_at(&h, 0.5), 0);
	for (uint64_t i = 1; i <= 10000; i++)
		histogram_add(&h, i * 1000);
	assert_int_equal(h.count, 10000);
	assert_int_equal(h.worst, 10000000);
	assert_in_range(histogram_at(&h, 0.5), 5000000, 5200000);
	assert_in_range(histogram_at(&h, 0.99), 9900000, 10000000);
	assert_int_equal(histogram_at(&h, 1), 10000000);
	histogram_add(&h, 0);
	histogram_add(&h, ~0ull);
	assert_int_equal(histogram_at(&h, 0), 0);
	assert_true(histogram_at(&h, 1) == ~0ull);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_headers),
		cmocka_unit_test(test_noise),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_bomb),
		cmocka_unit_test(test_pictures),
		cmocka_unit_test(test_times),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
