// SPDX-License-Identifier: MIT
/*
 * The walk over virgl streams: what it lets through and refuses, what it
 * charges, held against a naive model by random streams, and noise. Every
 * stream lies at the end of a piece of memory of its own, so that a word read
 * beyond it is found.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <string.h>

#include "common/util.h"
#include "support_worker.h"
#include "worker/stream.h"
#include "worker/virgl_wire.h"

#define BUDGET (1ull << 30)
#define SHADER(bytes) (PVGPU_CHARGE_SHADER + \
		       (uint64_t)PVGPU_CHARGE_TEXT * (bytes))

struct text {
	uint32_t words[70000];
	uint32_t count;
};

static void word(struct text *t, uint32_t value)
{
	assert_true(t->count < ARRAY_SIZE(t->words));
	t->words[t->count++] = value;
}

/* A command of `length` words, of which the first is `first` and the others
 * are zero. */
static uint32_t *command(struct text *t, uint32_t number, uint32_t type,
			 uint32_t length, uint32_t first)
{
	uint32_t *at = t->words + t->count;

	word(t, virgl_command(number, type, length));
	for (uint32_t i = 0; i < length; i++)
		word(t, i ? 0 : first);
	return at;
}

static void create(struct text *t, uint32_t type, uint32_t handle)
{
	static const uint8_t least[] = {
#define X(name, number, words) [number] = words,
		VIRGL_OBJECTS(X)
#undef X
	};

	command(t, VIRGL_CREATE_OBJECT, type, least[type], handle);
}

/* A piece of a shader's text: `words` of it, `said` in its length word. */
static uint32_t *shader(struct text *t, uint32_t handle, uint32_t said,
			uint32_t words)
{
	uint32_t *at = command(t, VIRGL_CREATE_OBJECT, VIRGL_OBJECT_SHADER,
			       5 + words, handle);

	at[VIRGL_SHADER_LENGTH] = said;
	return at;
}

/* Walks a copy that ends where its memory ends. */
static struct verdict walk(struct stream *s, const struct text *t)
{
	uint32_t *copy = malloc(t->count * 4 + !t->count);
	struct verdict v;

	assert_non_null(copy);
	memcpy(copy, t->words, t->count * 4);
	v = stream_walk(s, copy, t->count);
	free(copy);
	return v;
}

static struct ledger books;

static struct stream *fresh(void)
{
	struct stream *s;

	ledger_init(&books, 0, BUDGET);
	s = stream_new(&books);
	assert_non_null(s);
	return s;
}

static void passes(struct stream *s, struct text *t, uint64_t charge)
{
	struct verdict v = walk(s, t);

	if (refused(v))
		fail_msg("at byte %u: %s", v.detail, stream_complaint(s));
	assert_string_equal(stream_complaint(s), "");
	stream_settle(s);
	assert_int_equal(stream_charged(s), charge);
	assert_int_equal(books.device.used, charge);
	t->count = 0;
}

/* Ends the stream, and the books must be as they were before it. */
static void end(struct stream *s)
{
	stream_free(s);
	assert_int_equal(books.device.used, 0);
	for (int k = 0; k < LEDGER_KINDS; k++)
		assert_int_equal(books.kinds[k], 0);
}

/* A new context loses itself by this stream, at the byte `offset`. */
static void refuses(struct text *t, uint32_t offset, const char *complaint)
{
	struct stream *s = fresh();
	struct verdict v = walk(s, t);
	struct text empty = { .count = 0 };

	assert_int_equal(v.status, PVGPU_STATUS_CONTEXT_LOST);
	assert_int_equal(v.detail, offset);
	assert_string_equal(stream_complaint(s), complaint);
	assert_int_equal(walk(s, &empty).status, PVGPU_STATUS_CONTEXT_LOST);
	end(s);
	t->count = 0;
}

static struct text t;

static void test_known(void **state)
{
	static const struct {
		uint32_t number, least;
	} commands[] = {
#define X(name, number, words) { number, words },
		VIRGL_COMMANDS(X)
#undef X
	};
	struct stream *s = fresh();

	(void)state;
	t.count = 0;
	passes(s, &t, 0);		/* nothing at all */
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		uint32_t number = commands[i].number, n = commands[i].least;

		if (number == VIRGL_CREATE_OBJECT)
			continue;
		/* More words of it are handles. */
		if (number == VIRGL_SET_STREAMOUT_TARGETS) {
			command(&t, number, 0, 1, 77);
			passes(s, &t, 0);
			continue;
		}
		command(&t, number, 0, n, 0);
		passes(s, &t, 0);
		command(&t, number, 0xff, n + 7, 0);
		passes(s, &t, 0);
		if (!n)
			continue;
		command(&t, VIRGL_NOP, 0, 3, 0);
		command(&t, number, 0, n - 1, 0);
		refuses(&t, 16, "it is too short");
	}
	end(s);
	for (uint32_t number = 0; number < 256; number++) {
		bool known = false;

		for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
			known |= commands[i].number == number;
		if (known)
			continue;
		command(&t, number, 0, 16, 1);
		refuses(&t, 0, number == 48 || number == 49 ?
			"it makes a resource" :
			number >= 53 && number <= 61 ?
			"it is a video command, and none is offered" :
			"there is no such command");
	}
}

static void test_bounds(void **state)
{
	uint32_t *at;

	(void)state;
	t.count = 0;
	command(&t, VIRGL_NOP, 0, 0, 0);
	word(&t, virgl_command(VIRGL_END_TRANSFERS, 0, 1));
	refuses(&t, 4, "it ends beyond the stream");
	word(&t, virgl_command(VIRGL_END_TRANSFERS, 0, 65535));
	word(&t, 0);
	refuses(&t, 0, "it ends beyond the stream");
	word(&t, virgl_command(VIRGL_CREATE_OBJECT, VIRGL_OBJECT_DSA, 5));
	refuses(&t, 0, "it ends beyond the stream");

	at = command(&t, VIRGL_SEND_STRING_MARKER, 0, 3, 8);
	at[1] = 9;
	refuses(&t, 0, "its text ends beyond it");
	at = command(&t, VIRGL_SEND_STRING_MARKER, 0, 3, 8);
	at[1] = 0xffffffff;
	refuses(&t, 0, "its text ends beyond it");
}

static void test_objects(void **state)
{
	struct stream *s = fresh();
	uint64_t n = 0;

	(void)state;
	t.count = 0;
	for (uint32_t type = 1; type <= 11; type++) {
		if (type == VIRGL_OBJECT_SHADER)
			continue;
		create(&t, type, 1000 * type);
		passes(s, &t, ++n * PVGPU_CHARGE_OBJECT);
	}
	/* Another type under the same handle replaces it. */
	create(&t, VIRGL_OBJECT_QUERY, 1000);
	passes(s, &t, n * PVGPU_CHARGE_OBJECT);
	shader(&t, 1000, 400, 100);
	passes(s, &t, (n - 1) * PVGPU_CHARGE_OBJECT + SHADER(400));
	assert_int_equal(books.kinds[LEDGER_SHADERS], SHADER(400));
	assert_int_equal(books.kinds[LEDGER_OBJECTS],
			 (n - 1) * PVGPU_CHARGE_OBJECT);
	/* The type that a destruction names is not heeded, as in virgl. */
	command(&t, VIRGL_DESTROY_OBJECT, VIRGL_OBJECT_BLEND, 1, 1000);
	command(&t, VIRGL_DESTROY_OBJECT, 0, 1, 1000);
	command(&t, VIRGL_DESTROY_OBJECT, 0, 1, 77);
	passes(s, &t, (n - 1) * PVGPU_CHARGE_OBJECT);
	assert_int_equal(books.kinds[LEDGER_SHADERS], 0);
	end(s);

	command(&t, VIRGL_CREATE_OBJECT, 0, 9, 1);
	refuses(&t, 0, "it makes an object of no type");
	command(&t, VIRGL_CREATE_OBJECT, 12, 9, 1);
	refuses(&t, 0, "it makes an object of no type");
	command(&t, VIRGL_CREATE_OBJECT, VIRGL_OBJECT_BLEND, 11, 0);
	refuses(&t, 0, "its object has no handle");
	command(&t, VIRGL_CREATE_OBJECT, VIRGL_OBJECT_BLEND, 10, 1);
	refuses(&t, 0, "it is too short for its object");
}

static void test_shaders(void **state)
{
	struct stream *s = fresh();
	uint32_t *at;

	(void)state;
	t.count = 0;
	/* Three pieces over two batches: charged whole with the first. */
	shader(&t, 5, 1999, 200);
	shader(&t, 5, VIRGL_SHADER_CONTINUED | 800, 200);
	passes(s, &t, SHADER(2000));
	shader(&t, 5, VIRGL_SHADER_CONTINUED | 1600, 100);
	passes(s, &t, SHADER(2000));
	/* What is streamed out comes before the text. */
	at = shader(&t, 6, 16, 4 + 2 * 3 + 4);
	at[VIRGL_SHADER_OUTPUTS] = 3;
	at[VIRGL_SHADER_TOKENS] = 16;
	passes(s, &t, SHADER(2000) + SHADER(16));
	/* And of a compute shader it is something else. */
	at = shader(&t, 7, 16, 4);
	at[VIRGL_SHADER_KIND] = VIRGL_SHADER_COMPUTE;
	at[VIRGL_SHADER_OUTPUTS] = 0xffffffff;
	passes(s, &t, SHADER(2000) + 2 * SHADER(16));
	end(s);

	shader(&t, 5, 16, 5);
	refuses(&t, 0, "its shader is longer than it says");
	at = shader(&t, 5, 16, 4);
	at[VIRGL_SHADER_TOKENS] = 17;
	refuses(&t, 0, "its shader has more tokens than text");
	at = shader(&t, 5, 16, 4);
	at[VIRGL_SHADER_KIND] = 6;
	refuses(&t, 0, "its shader is of no kind");
	at = shader(&t, 5, 16, 4);
	at[VIRGL_SHADER_OUTPUTS] = 1;
	refuses(&t, 0, "its shader's outputs end beyond it");
	at = shader(&t, 5, 16, 4);
	at[VIRGL_SHADER_OUTPUTS] = 0x7ffffffe;	/* twice it and 4 are 0 */
	refuses(&t, 0, "its shader's outputs end beyond it");
	shader(&t, 5, VIRGL_SHADER_CONTINUED, 4);
	refuses(&t, 0, "it goes on with no shader");
	create(&t, VIRGL_OBJECT_DSA, 5);
	shader(&t, 5, VIRGL_SHADER_CONTINUED, 4);
	refuses(&t, 24, "it goes on with no shader");
	/* One that is whole, though its text is gone by then. */
	shader(&t, 5, 16, 4);
	shader(&t, 5, VIRGL_SHADER_CONTINUED | 16, 0);
	refuses(&t, 40, "it goes on with no shader");
	shader(&t, 5, 32, 4);
	shader(&t, 5, VIRGL_SHADER_CONTINUED | 12, 4);
	refuses(&t, 40, "it goes on elsewhere than the shader ended");
	shader(&t, 5, 32, 4);
	shader(&t, 5, VIRGL_SHADER_CONTINUED | 16, 5);
	refuses(&t, 40, "it goes on elsewhere than the shader ended");
	shader(&t, 5, 32, 4);
	shader(&t, 5, VIRGL_SHADER_CONTINUED | 16, 0);
	refuses(&t, 40, "it goes on elsewhere than the shader ended");
	shader(&t, 5, 0x7fffffff, 0);	/* 512 GiB of charge */
	refuses(&t, 0, "its shader does not fit the device budget");
}

static uint32_t *set_targets(struct text *text, uint32_t count, uint32_t a,
			     uint32_t b)
{
	uint32_t *at = command(text, VIRGL_SET_STREAMOUT_TARGETS, 0,
			       1 + count, 0);

	if (count > 0)
		at[2] = a;
	if (count > 1)
		at[3] = b;
	return at;
}

static void test_targets(void **state)
{
	const uint32_t type = VIRGL_OBJECT_STREAMOUT_TARGET;
	const uint64_t object = PVGPU_CHARGE_OBJECT;
	struct stream *s = fresh();

	(void)state;
	t.count = 0;
	create(&t, type, 1);
	create(&t, type, 2);
	set_targets(&t, 0, 0, 0);
	passes(s, &t, 2 * object);
	/* Each combination is kept, once. */
	set_targets(&t, 1, 1, 0);
	set_targets(&t, 2, 1, 2);
	set_targets(&t, 2, 2, 1);
	set_targets(&t, 1, 1, 0);
	set_targets(&t, 2, 1, 0);
	set_targets(&t, 2, 0, 0);
	passes(s, &t, 7 * object);
	/* And goes with any of those in it. */
	command(&t, VIRGL_DESTROY_OBJECT, 0, 1, 2);
	passes(s, &t, 4 * object);
	create(&t, VIRGL_OBJECT_DSA, 1);
	passes(s, &t, 2 * object);
	/* Those of another sub-context are others. */
	command(&t, VIRGL_CREATE_SUB_CTX, 0, 1, 1);
	create(&t, type, 1);
	set_targets(&t, 1, 1, 0);
	passes(s, &t, PVGPU_CHARGE_CONTEXT + 4 * object);
	command(&t, VIRGL_DESTROY_SUB_CTX, 0, 1, 1);
	passes(s, &t, 2 * object);
	end(s);

	set_targets(&t, 2, 0, 1);
	refuses(&t, 0, "it streams out to what is no target");
	create(&t, VIRGL_OBJECT_DSA, 1);
	set_targets(&t, 1, 1, 0);
	refuses(&t, 24, "it streams out to what is no target");
	set_targets(&t, 17, 0, 0);
	refuses(&t, 0, "it has more targets than there can be");
	for (uint32_t i = 1; i <= 33; i++)
		create(&t, type, i);
	for (uint32_t i = 0; i < 1025; i++)
		set_targets(&t, 2, 1 + i / 32, 1 + i % 32);
	refuses(&t, 33 * 20 + 1024 * 16,
		"it combines targets in too many ways");
}

static void test_sub_contexts(void **state)
{
	struct stream *s = fresh();
	const uint64_t context = PVGPU_CHARGE_CONTEXT;
	const uint64_t object = PVGPU_CHARGE_OBJECT;

	(void)state;
	t.count = 0;
	command(&t, VIRGL_CREATE_SUB_CTX, 0, 1, 0);	/* is there */
	create(&t, VIRGL_OBJECT_DSA, 1);
	command(&t, VIRGL_CREATE_SUB_CTX, 0, 1, 9);	/* current now */
	create(&t, VIRGL_OBJECT_DSA, 1);
	create(&t, VIRGL_OBJECT_DSA, 2);
	passes(s, &t, context + 3 * object);
	assert_int_equal(books.kinds[LEDGER_CONTEXTS], context);
	command(&t, VIRGL_SET_SUB_CTX, 0, 1, 0);
	command(&t, VIRGL_DESTROY_OBJECT, 0, 1, 2);	/* is not in this one */
	command(&t, VIRGL_SET_SUB_CTX, 0, 1, 4711);	/* is not there */
	command(&t, VIRGL_CREATE_SUB_CTX, 0, 1, 9);	/* is, and not current */
	create(&t, VIRGL_OBJECT_DSA, 1);
	passes(s, &t, context + 3 * object);
	command(&t, VIRGL_SET_SUB_CTX, 0, 1, 9);
	create(&t, VIRGL_OBJECT_DSA, 3);
	passes(s, &t, context + 4 * object);
	/* The current one goes: the first is current again. */
	command(&t, VIRGL_DESTROY_SUB_CTX, 0, 1, 9);
	command(&t, VIRGL_DESTROY_SUB_CTX, 0, 1, 0);	/* never */
	create(&t, VIRGL_OBJECT_DSA, 2);
	passes(s, &t, 2 * object);
	end(s);
}

static void test_budget(void **state)
{
	const uint64_t object = PVGPU_CHARGE_OBJECT;
	struct stream *s = fresh(), *other;
	uint64_t most = BUDGET / object;

	(void)state;
	t.count = 0;
	/* Another has all but room for two. */
	assert_true(ledger_charge(&books, LEDGER_SURFACES,
				  (most - 2) * object));
	create(&t, VIRGL_OBJECT_DSA, 1);
	create(&t, VIRGL_OBJECT_DSA, 2);
	assert_false(refused(walk(s, &t)));
	assert_int_equal(stream_charged(s), 2 * object);
	/* What the batch destroys first makes room in the same batch. */
	t.count = 0;
	command(&t, VIRGL_DESTROY_OBJECT, 0, 1, 1);
	create(&t, VIRGL_OBJECT_DSA, 3);
	create(&t, VIRGL_OBJECT_DSA, 3);
	assert_false(refused(walk(s, &t)));
	/* But it is not given back while the renderer still has it... */
	t.count = 0;
	command(&t, VIRGL_DESTROY_OBJECT, 0, 1, 2);
	assert_false(refused(walk(s, &t)));
	assert_int_equal(stream_charged(s), 2 * object);
	other = stream_new(&books);
	assert_non_null(other);
	t.count = 0;
	create(&t, VIRGL_OBJECT_DSA, 1);
	assert_int_equal(walk(other, &t).status, PVGPU_STATUS_CONTEXT_LOST);
	assert_string_equal(stream_complaint(other),
			    "its object does not fit the device budget");
	stream_free(other);
	/* ...but then, to whoever asks. */
	stream_settle(s);
	other = stream_new(&books);
	assert_non_null(other);
	assert_false(refused(walk(other, &t)));
	/* A batch that is refused destroys nothing. */
	t.count = 0;
	command(&t, VIRGL_DESTROY_OBJECT, 0, 1, 3);
	word(&t, 0xff);
	assert_int_equal(walk(s, &t).status, PVGPU_STATUS_CONTEXT_LOST);
	assert_int_equal(stream_charged(s), object);
	assert_int_equal(books.device.used, BUDGET);
	stream_free(other);
	ledger_release(&books, LEDGER_SURFACES, (most - 2) * object);
	end(s);
	assert_int_equal(books.device.peak, BUDGET);
}

/* ------------------------------------------------- against a naive model */

#define MODEL_SUBS	6
#define MODEL_HANDLES	300

struct model {
	bool there[MODEL_SUBS];
	uint64_t cost[MODEL_SUBS][MODEL_HANDLES];
	uint32_t current;
};

static uint64_t model_sum(const struct model *m)
{
	uint64_t all = 0;

	for (uint32_t i = 0; i < MODEL_SUBS; i++) {
		if (i && m->there[i])
			all += PVGPU_CHARGE_CONTEXT;
		for (uint32_t h = 0; h < MODEL_HANDLES; h++)
			all += m->cost[i][h];
	}
	return all;
}

/* Handles far apart, near, and of equal low bits. */
static uint32_t handle_of(uint32_t h)
{
	return h % 3 ? h % 3 == 1 ? h + 1 : (h + 1) << 20 : ~h;
}

static void model_step(struct model *m, uint64_t *seed)
{
	uint32_t h = (uint32_t)(noise(seed) % MODEL_HANDLES);
	uint32_t id = (uint32_t)(noise(seed) % MODEL_SUBS), type, bytes;
	uint64_t *cost = &m->cost[m->current][h];

	switch (noise(seed) % 16) {
	case 0:
		command(&t, VIRGL_SET_SUB_CTX, 0, 1, id);
		if (m->there[id])
			m->current = id;
		break;
	case 1:
		command(&t, VIRGL_CREATE_SUB_CTX, 0, 1, id);
		if (!m->there[id])
			m->current = id;
		m->there[id] = true;
		break;
	case 2:
		if (noise(seed) % 4)
			break;
		command(&t, VIRGL_DESTROY_SUB_CTX, 0, 1, id);
		if (!id)
			break;
		m->there[id] = false;
		memset(m->cost[id], 0, sizeof(m->cost[id]));
		if (m->current == id)
			m->current = 0;
		break;
	case 3: case 4:
		bytes = 4 + (uint32_t)(noise(seed) % 100);
		shader(&t, handle_of(h), bytes, (bytes + 3) / 4);
		*cost = SHADER((bytes + 3) / 4 * 4);
		break;
	case 5: case 6: case 7: case 8: case 9:
		command(&t, VIRGL_DESTROY_OBJECT, 0, 1, handle_of(h));
		*cost = 0;
		break;
	case 10:
		command(&t, VIRGL_DRAW_VBO, 0, 12, 3);
		break;
	default:
		type = 5 + (uint32_t)(noise(seed) % 7);
		create(&t, type, handle_of(h));
		*cost = PVGPU_CHARGE_OBJECT;
		break;
	}
}

static void test_model(void **state)
{
	uint64_t seed = 4;

	(void)state;
	for (uint32_t run = 0; run < 8; run++) {
		struct model m = { .there = { true } };
		struct stream *s = fresh();

		for (uint32_t batch = 0; batch < 400; batch++) {
			t.count = 0;
			for (uint64_t n = noise(&seed) % 40; n; n--)
				model_step(&m, &seed);
			passes(s, &t, model_sum(&m));
		}
		end(s);
	}
}

/* Very many, and away again: the table grows and shrinks. */
static void test_many(void **state)
{
	const uint32_t many = 200000;
	struct stream *s = fresh();

	(void)state;
	t.count = 0;
	for (uint32_t i = 1; i <= many; i++) {
		create(&t, VIRGL_OBJECT_VERTEX_ELEMENTS, i << 5 | i >> 27);
		if (t.count > 60000 || i == many)
			passes(s, &t, (uint64_t)i * PVGPU_CHARGE_OBJECT);
	}
	for (uint32_t i = 1; i <= many; i++) {
		command(&t, VIRGL_DESTROY_OBJECT, 0, 1, i << 5 | i >> 27);
		if (t.count > 60000 || i == many)
			passes(s, &t, (uint64_t)(many - i) *
			       PVGPU_CHARGE_OBJECT);
	}
	end(s);
}

/* ---------------------------------------------------------------- noise */

/* Words at random, or a row of sound commands with some words changed; with
 * a small budget, so that it fills. */
static void test_noise(void **state)
{
	uint64_t seed = 1, lost = 0, passed = 0;

	(void)state;
	for (uint32_t run = 0; run < 3000; run++) {
		struct model m = { .there = { true } };
		struct stream *s;

		ledger_init(&books, 0, 24ull << 20);
		s = stream_new(&books);
		assert_non_null(s);
		for (uint32_t batch = 0; batch < 6; batch++) {
			uint32_t wild = (uint32_t)(noise(&seed) % 4);
			struct verdict v;

			t.count = 0;
			for (uint64_t n = noise(&seed) % 60; n; n--)
				if (run % 4 && noise(&seed) % 500 == 0)
					set_targets(&t,
						(uint32_t)(noise(&seed) % 4),
						handle_of(1), handle_of(2));
				else if (run % 4)
					model_step(&m, &seed);
				else
					word(&t, (uint32_t)noise(&seed) &
					     (n % 2 ? ~0u : 0x7033f));
			while (t.count && wild--)
				t.words[noise(&seed) % t.count] ^=
					1u << noise(&seed) % 32;
			v = walk(s, &t);
			assert_true(stream_charged(s) == books.device.used);
			assert_true(books.device.used <= books.device.limit);
			if (refused(v))
				assert_true(!v.detail || v.detail < t.count * 4);
			lost += refused(v);
			passed += !refused(v);
		}
		end(s);
	}
	/* Neither kind is too rare to mean anything. */
	assert_true(lost > 1000 && passed > 1000);
}

/* ------------------------------------------------- two threads, one book */

static void *renders(void *seed_at)
{
	uint64_t seed = *(uint64_t *)seed_at;
	static _Thread_local struct text mine;

	for (uint32_t run = 0; run < 300; run++) {
		struct stream *s = stream_new(&books);

		assert_non_null(s);
		for (uint32_t batch = 0; batch < 10; batch++) {
			mine.count = 0;
			for (uint64_t n = noise(&seed) % 60; n; n--)
				create(&mine, VIRGL_OBJECT_DSA,
				       1 + (uint32_t)(noise(&seed) % 50));
			if (refused(stream_walk(s, mine.words, mine.count)))
				break;
		}
		stream_free(s);
	}
	return NULL;
}

static void test_threads(void **state)
{
	uint64_t seeds[2] = { 11, 12 }, seed = 13;
	pthread_t threads[2];

	(void)state;
	ledger_init(&books, 0, 100 * PVGPU_CHARGE_OBJECT);
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, renders,
						&seeds[i]), 0);
	for (uint32_t i = 0; i < 20000; i++) {
		uint64_t bytes = noise(&seed) % 30 * PVGPU_CHARGE_OBJECT;

		if (ledger_charge(&books, LEDGER_SURFACES, bytes))
			ledger_release(&books, LEDGER_SURFACES, bytes);
		assert_true(books.device.used <= books.device.limit);
	}
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(books.device.used, 0);
	assert_true(books.device.peak <= books.device.limit);
	for (int k = 0; k < LEDGER_KINDS; k++)
		assert_int_equal(books.kinds[k], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_objects),
		cmocka_unit_test(test_shaders),
		cmocka_unit_test(test_targets),
		cmocka_unit_test(test_sub_contexts),
		cmocka_unit_test(test_budget),
		cmocka_unit_test(test_model),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_noise),
		cmocka_unit_test(test_threads),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("worker stream", tests, NULL, NULL);
}
