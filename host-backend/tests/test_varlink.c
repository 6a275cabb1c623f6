// SPDX-License-Identifier: MIT
/*
 * Varlink messages against the manager's methods, without sockets: the errors
 * that malformed ones get, admission, and messages mutated at random (with a
 * fixed seed), each of which must get exactly one reply that is JSON.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "common/log.h"
#include "manager/manager.h"
#include "manager/varlink.h"

struct test {
	struct manager manager;
	struct varlink_call call;
	char directory[64];
	unsigned int replies;
	char *reply;
};

static void take_reply(void *userdata, char *text, size_t size,
		       const int *fds, size_t count)
{
	struct test *t = userdata;

	(void)fds;
	assert_int_equal(count, 0);
	assert_true(size > 2);
	assert_int_equal(strlen(text), size - 1);
	free(t->reply);
	t->reply = text;
	t->replies++;
}

static void print_report(void *userdata, const char *line)
{
	(void)userdata;
	print_error("%s\n", line);
}

static int setup(void **state)
{
	const char *const types[] = { "host-backend/types" };
	struct test *t = calloc(1, sizeof(*t));

	*state = t;
	log_set_level(LEVEL_ERROR);
	strcpy(t->directory, "/tmp/pvgpu-varlink-XXXXXX");
	if (!mkdtemp(t->directory))
		return -1;
	t->manager.runtime_dir = t->directory;
	t->manager.worker_program = "/bin/false";
	config_defaults(&t->manager.config);
	t->manager.config.gpu_memory = 6ull << 30;
	t->manager.config.host_memory = 1ull << 40;
	t->call.manager = &t->manager;
	t->call.send = take_reply;
	t->call.userdata = t;
	return sd_event_new(&t->manager.event) < 0 ||
	       store_open(&t->manager.store) || schedule_new(&t->manager) ||
	       placement_init(&t->manager.map, 6, PLACEMENT_MIXED) ||
	       vgpu_types_load(&t->manager.types, types, 1, print_report,
			       NULL);
}

static int teardown(void **state)
{
	struct test *t = *state;

	while (t->manager.vgpus)
		manager_destroy(&t->manager, t->manager.vgpus);
	schedule_free(&t->manager);
	placement_clear(&t->manager.map);
	store_free(t->manager.store);
	vgpu_types_clear(&t->manager.types);
	sd_event_unref(t->manager.event);
	free(t->reply);
	/* Fails if a socket is left. */
	assert_int_equal(rmdir(t->directory), 0);
	free(t);
	return 0;
}

static bool send_bytes(struct test *t, const char *message, size_t size)
{
	t->replies = 0;
	return varlink_begin(&t->call, message, size);
}

/* The reply to a message must contain `part`. */
static void expect(struct test *t, bool goes_on, const char *message,
		   const char *part)
{
	bool r = send_bytes(t, message, strlen(message));

	if (r != goes_on || t->replies != 1 || t->call.busy ||
	    !strstr(t->reply, part))
		fail_msg("%s: %u replies, %s in place of %s", message,
			 t->replies, t->reply ? t->reply : "nothing", part);
}

#define BAD "\"error\":\"io.pvgpu.Manager.BadMessage\""
#define METHOD(name, parameters) \
	"{\"method\":\"io.pvgpu.Manager." name "\",\"parameters\":" \
	parameters "}"

static void malformed(void **state)
{
	struct test *t = *state;

	expect(t, false, "", BAD);
	expect(t, false, "{", "it ends too early");
	expect(t, false, "[]", "not an object");
	expect(t, false, "null", BAD);
	expect(t, false, "{}", "\"field\":\"method\"");
	expect(t, false, "{\"method\":5}", "\"field\":\"method\"");
	expect(t, false, "{\"method\":\"a\\u0000b\"}", "\"field\":\"method\"");
	expect(t, false, "{\"method\":\"a.b\"} x", BAD);
	expect(t, false, "{'method':'a.b'}", BAD);
	expect(t, false, "{\"method\":\"a.b\",\"parameters\":[]}",
	       "\"field\":\"parameters\"");
	expect(t, false, "{\"method\":\"a.b\",\"oneway\":1}", "oneway");
	expect(t, false, "{\"a\":[[[[[[[[[[[[[[]]]]]]]]]]]]]]}", BAD);
	expect(t, false, "{\"method\":\"\xff\xfe\"}", BAD);
}

static void methods_and_parameters(void **state)
{
	static const char oneway[] =
		"{\"method\":\"io.pvgpu.Manager.List\",\"oneway\":true}";
	struct test *t = *state;

	expect(t, true, "{\"method\":\"a.b.C\"}",
	       "org.varlink.service.InterfaceNotFound\",\"parameters\":"
	       "{\"interface\":\"a.b\"}");
	expect(t, true, "{\"method\":\"\"}", "InterfaceNotFound");
	expect(t, true, "{\"method\":\"List\"}", "InterfaceNotFound");
	expect(t, true, METHOD("Frob", "{}"), "MethodNotFound");
	expect(t, true, METHOD("Create", "{}"),
	       "InvalidParameter\",\"parameters\":{\"parameter\":\"name\"");
	expect(t, true, METHOD("Create", "{\"name\":\"a\"}"),
	       "\"parameter\":\"type\",\"message\":\"a string");
	expect(t, true, METHOD("Create", "{\"name\":1,\"type\":\"a\"}"),
	       "\"parameter\":\"name\",\"message\":\"a string");
	expect(t, true, METHOD("Create", "{\"name\":\"a\\u0000\",\"type\":"
			       "\"PV24-1Q\"}"), "a string without NUL");
	expect(t, true, METHOD("List", "{\"x\":1}"),
	       "\"parameter\":\"x\",\"message\":\"is not a parameter of this "
	       "method; allowed are: none");
	expect(t, true, METHOD("Screenshot", "{\"name\":\"a\",\"head\":0.5}"),
	       "\"parameter\":\"head\",\"message\":\"a whole number");
	expect(t, true, METHOD("Destroy", "{\"name\":\"a\",\"force\":\"y\"}"),
	       "\"parameter\":\"force\",\"message\":\"true or false");
	expect(t, true, METHOD("Destroy", "{\"name\":\"a\",\"force\":null}"),
	       "NoSuchVgpu");
	expect(t, true, "{\"method\":\"org.varlink.service."
	       "GetInterfaceDescription\",\"parameters\":{\"interface\":"
	       "\"io.pvgpu.Manager\"}}", "\\nmethod Create(name: string, ");
	expect(t, true, "{\"method\":\"org.varlink.service."
	       "GetInterfaceDescription\",\"parameters\":{\"interface\":"
	       "\"org.varlink.service\"}}", "method GetInfo()");
	expect(t, true, "{\"method\":\"org.varlink.service."
	       "GetInterfaceDescription\",\"parameters\":{\"interface\":"
	       "\"a.b\"}}", "InterfaceNotFound");
	/* A call without a reply. */
	assert_true(send_bytes(t, oneway, strlen(oneway)));
	assert_int_equal(t->replies, 0);
	assert_false(t->call.busy);
}

static void names(void **state)
{
	static const char *const wrong[] = {
		"", "A", "-a", "_a", "a b", "a/b", "..", "a.sock", "\\u00fc",
		"abcdefghijklmnopqrstuvwxyz0123456",
	};
	struct test *t = *state;
	char message[256];

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		snprintf(message, sizeof(message),
			 METHOD("Create", "{\"name\":\"%s\",\"type\":"
				"\"PV24-1Q\"}"), wrong[i]);
		expect(t, true, message, "Manager.InvalidName");
	}
	expect(t, true, METHOD("Create",
		"{\"name\":\"abcdefghijklmnopqrstuvwxyz_-0123\",\"type\":"
		"\"PV24-1Q\"}"), "\"state\":\"waiting\"");
	assert_null(t->manager.vgpus->next);
}

static void admission(void **state)
{
	struct test *t = *state;

	expect(t, true, METHOD("Create", "{\"name\":\"a\",\"type\":\"PV24-4Q"
			       "\"}"), "\"framebuffer\":4294967296");
	expect(t, true, METHOD("Create", "{\"name\":\"a\",\"type\":\"PV24-1Q"
			       "\"}"), "there is a vGPU 'a' already");
	expect(t, true, METHOD("Create", "{\"name\":\"b\",\"type\":\"PV24-3Q"
			       "\"}"),
	       "PV24-3Q takes 3 GiB, and 2 GiB of the GPU's 6 GiB are free; "
	       "types that fit: PV24-2Q PV24-1Q PV24-2B PV24-1B PV24-2A "
	       "PV24-1A\"");
	expect(t, true, METHOD("Create", "{\"name\":\"b\",\"type\":\"PV24-2B"
			       "\"}"), "\"name\":\"b\"");
	expect(t, true, METHOD("Create", "{\"name\":\"c\",\"type\":\"PV24-1A"
			       "\"}"), "types that fit: none");
	expect(t, true, METHOD("ListTypes", "{}"),
	       "\"memory\":{\"limit\":6442450944,\"used\":6442450944");
	expect(t, true, METHOD("Create", "{\"name\":\"c\",\"type\":\"PV\"}"),
	       "'PV' is not a type; types: PV24-");
	expect(t, true, METHOD("Destroy", "{\"name\":\"x\"}"),
	       "'x' is not a vGPU; there are: a b");
	expect(t, true, METHOD("Destroy", "{\"name\":\"a\"}"),
	       "{\"parameters\":{}}");
	expect(t, true, METHOD("Create", "{\"name\":\"c\",\"type\":\"PV24-4C"
			       "\"}"), "\"name\":\"c\"");
	expect(t, true, METHOD("Screenshot", "{\"name\":\"b\",\"head\":4}"),
	       "4 is not a head of 'b'; allowed are 0 to 3");
	expect(t, true, METHOD("Screenshot", "{\"name\":\"b\",\"head\":-1}"),
	       "NoSuchHead");
	expect(t, true, METHOD("Screenshot", "{\"name\":\"b\",\"head\":0}"),
	       "'b' is waiting; a picture needs it running");
	expect(t, true, METHOD("Show", "{\"name\":\"b\"}"),
	       "\"heads\":[],\"window\":{\"limit\":2147483648}");
}

static void long_socket_path(void **state)
{
	struct test *t = *state;
	char directory[104];

	memset(directory, 'd', sizeof(directory) - 1);
	directory[sizeof(directory) - 1] = '\0';
	t->manager.runtime_dir = directory;
	expect(t, true, METHOD("Create", "{\"name\":\"a\",\"type\":\"PV24-1Q"
			       "\"}"), "is too long; allowed are 107 bytes");
	t->manager.runtime_dir = "/nonexistent";
	expect(t, true, METHOD("Create", "{\"name\":\"a\",\"type\":\"PV24-1Q"
			       "\"}"), "a.sock: No such file or directory");
	assert_null(t->manager.vgpus);
}

static void qemu_arguments_double_commas(void **state)
{
	struct test *t = *state;
	struct vgpu *v;

	expect(t, true, METHOD("Create", "{\"name\":\"a\",\"type\":\"PV24-1Q"
			       "\"}"), "\"name\":\"a\"");
	v = t->manager.vgpus;
	free(v->socket);
	v->socket = strdup("/run/p,v/a.sock");
	expect(t, true, METHOD("QemuArguments", "{\"name\":\"a\"}"),
	       "[\"-chardev\",\"socket,id=pvgpu-a,path=/run/p,,v/a.sock\","
	       "\"-device\",\"ivshmem-doorbell,chardev=pvgpu-a,vectors=4\"]");
}

static uint32_t random_state = 777;

static uint32_t random_number(uint32_t below)
{
	random_state = random_state * 1664525u + 1013904223u;
	return (uint32_t)(((uint64_t)random_state * below) >> 32);
}

static void mutated_messages(void **state)
{
	static const char *const seeds[] = {
		METHOD("Create", "{\"name\":\"a\",\"type\":\"PV24-1Q\"}"),
		METHOD("Destroy", "{\"name\":\"a\",\"force\":true}"),
		METHOD("List", "{}"),
		METHOD("Show", "{\"name\":\"a\"}"),
		METHOD("Screenshot", "{\"name\":\"a\",\"head\":0}"),
		"{\"method\":\"org.varlink.service.GetInfo\","
		"\"oneway\":false,\"more\":false}",
	};
	static const char *const pieces[] = {
		"{", "}", "[", "]", ",", ":", "\"", "null", "true", "1e999",
		"-9223372036854775809", "\\u0000", "\\ud800", "\xc3", "method",
		"parameters", "oneway", " ",
	};
	struct test *t = *state;
	unsigned int good = 0, wrong = 0;

	for (unsigned int round = 0; round < 6000; round++) {
		const char *seed = seeds[random_number(ARRAY_SIZE(seeds))];
		size_t size = strlen(seed);
		char message[512], *exact;
		json_object *reply;

		memcpy(message, seed, size);
		for (uint32_t n = random_number(4); n; n--) {
			size_t at = random_number((uint32_t)size);
			const char *piece = pieces[random_number(
				ARRAY_SIZE(pieces))];
			size_t length = strlen(piece);

			switch (random_number(3)) {
			case 0:
				message[at] = (char)(1 + random_number(255));
				break;
			case 1:
				size = at + 1;
				break;
			default:
				memmove(message + at + length, message + at,
					size - at);
				memcpy(message + at, piece, length);
				size += length;
			}
		}
		/* So that a read beyond the end is seen. */
		exact = malloc(size);
		memcpy(exact, message, size);
		send_bytes(t, exact, size);
		free(exact);
		assert_false(t->call.busy);
		assert_null(t->call.message);
		if (!t->replies)
			continue;	/* oneway */
		assert_int_equal(t->replies, 1);
		reply = json_tokener_parse(t->reply);
		assert_int_equal(json_object_get_type(reply),
				 json_type_object);
		json_object_object_get_ex(reply, "error", NULL) ? wrong++ :
								  good++;
		json_object_put(reply);
	}
	assert_true(good > 500 && wrong > 2000);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(malformed),
		TEST(methods_and_parameters),
		TEST(names),
		TEST(admission),
		TEST(long_socket_path),
		TEST(qemu_arguments_double_commas),
		TEST(mutated_messages),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("varlink", tests, NULL, NULL);
}
