// SPDX-License-Identifier: MIT
/*
 * The walk over a stream and the books of what it makes; see stream.h.
 *
 * Objects live in the sub-context that is current when they are made, one
 * space of handles for all types, as the renderer has them. Handles are the
 * guest's and may be anything: they are found by open addressing under a key
 * that no guest knows, in tables that grow and shrink with what is charged.
 */
#include "stream.h"

#include <string.h>
#include <sys/random.h>

#include "common/util.h"
#include "virgl_wire.h"

#define TABLE_MIN_BITS	4u
#define TABLE_MAX_BITS	28u
#define TARGETS_MAX	1024u		/* combinations, of a sub-context */

struct object {
	uint32_t handle;		/* 0: a free place */
	uint32_t type;			/* VIRGL_OBJECT_* */
	uint32_t text;			/* of a shader, bytes, whole words */
	uint32_t got;			/* so far */
};

/* Buffers that shaders stream out to, bound together: the renderer keeps an
 * object for each combination that it has seen, until one of them goes. */
struct targets {
	uint32_t count;
	uint32_t handles[VIRGL_MAX_TARGETS];
};

struct sub_context {
	struct sub_context *next;
	uint32_t id;
	uint32_t bits;			/* log2 of the places */
	uint32_t count;
	struct object *objects;		/* NULL: none yet */
	struct targets *targets;
	uint32_t targets_count, targets_room;
	uint64_t made[LEDGER_KINDS];	/* bytes, with what it costs itself */
};

struct stream {
	struct ledger *ledger;
	uint64_t key;			/* odd, random */
	struct sub_context first;	/* number 0, never destroyed */
	struct sub_context *current;
	uint64_t made[LEDGER_KINDS];	/* all sub-contexts' */
	uint64_t noted[LEDGER_KINDS];	/* as the ledger has it */
	uint64_t charged;		/* at least the sum of made[] */
	const char *complaint;
	bool lost;
};

/* ------------------------------------------------------- what it has made */

static uint64_t sum(const uint64_t made[LEDGER_KINDS])
{
	uint64_t all = 0;

	for (int k = 0; k < LEDGER_KINDS; k++)
		all += made[k];
	return all;
}

static enum ledger_kind kind_of(const struct object *o)
{
	return o->type == VIRGL_OBJECT_SHADER ? LEDGER_SHADERS :
						LEDGER_OBJECTS;
}

static uint64_t cost_of(const struct object *o)
{
	return o->type == VIRGL_OBJECT_SHADER ?
	       PVGPU_CHARGE_SHADER + (uint64_t)PVGPU_CHARGE_TEXT * o->text :
	       PVGPU_CHARGE_OBJECT;
}

/* Counts what is about to be made; what the batch has destroyed before it
 * makes room, as it will have when the renderer comes here. */
static bool add(struct stream *s, struct sub_context *sub,
		enum ledger_kind kind, uint64_t bytes)
{
	uint64_t needed = sum(s->made) + bytes;

	if (needed > s->charged) {
		if (!budget_charge(&s->ledger->device, needed - s->charged))
			return false;
		s->charged = needed;
	}
	s->made[kind] += bytes;
	sub->made[kind] += bytes;
	return true;
}

static void subtract(struct stream *s, struct sub_context *sub,
		     enum ledger_kind kind, uint64_t bytes)
{
	s->made[kind] -= bytes;
	sub->made[kind] -= bytes;
}

void stream_settle(struct stream *s)
{
	uint64_t made = sum(s->made);

	for (int k = 0; k < LEDGER_KINDS; k++) {
		if (s->made[k] == s->noted[k])
			continue;
		ledger_note(s->ledger, (enum ledger_kind)k, s->made[k],
			    s->noted[k]);
		s->noted[k] = s->made[k];
	}
	if (made == s->charged)
		return;
	budget_release(&s->ledger->device, s->charged - made);
	s->charged = made;
}

/* ----------------------------------------------------- objects by handle */

static uint32_t place_of(const struct stream *s, const struct sub_context *sub,
			 uint32_t handle)
{
	return (uint32_t)((handle * s->key) >> (64 - sub->bits));
}

/* The object's place, or the free one where it would be. */
static struct object *locate(const struct stream *s,
			     const struct sub_context *sub, uint32_t handle)
{
	uint32_t mask = (1u << sub->bits) - 1;
	uint32_t at = place_of(s, sub, handle);

	while (sub->objects[at].handle && sub->objects[at].handle != handle)
		at = (at + 1) & mask;
	return &sub->objects[at];
}

static struct object *find(const struct stream *s,
			   const struct sub_context *sub, uint32_t handle)
{
	struct object *o = sub->objects ? locate(s, sub, handle) : NULL;

	return o && o->handle ? o : NULL;
}

static bool resize(const struct stream *s, struct sub_context *sub,
		   uint32_t bits)
{
	struct sub_context bigger = { .bits = bits };

	bigger.objects = calloc((size_t)1 << bits, sizeof(*bigger.objects));
	if (!bigger.objects)
		return false;
	for (uint32_t i = 0; sub->objects && i < 1u << sub->bits; i++)
		if (sub->objects[i].handle)
			*locate(s, &bigger, sub->objects[i].handle) =
				sub->objects[i];
	free(sub->objects);
	sub->objects = bigger.objects;
	sub->bits = bits;
	return true;
}

/* Room for one more, with half of the places free. */
static bool make_room(const struct stream *s, struct sub_context *sub)
{
	if (!sub->objects)
		return resize(s, sub, TABLE_MIN_BITS);
	if (sub->count < 1u << (sub->bits - 1))
		return true;
	return sub->bits < TABLE_MAX_BITS && resize(s, sub, sub->bits + 1);
}

/* A target goes, and with it each combination that it was in. */
static void targets_forget(struct stream *s, struct sub_context *sub,
			   uint32_t handle)
{
	for (uint32_t i = 0; i < sub->targets_count; i++) {
		struct targets *t = &sub->targets[i];
		uint32_t at = 0;

		while (at < t->count && t->handles[at] != handle)
			at++;
		if (at == t->count)
			continue;
		*t = sub->targets[--sub->targets_count];
		i--;
		subtract(s, sub, LEDGER_OBJECTS, PVGPU_CHARGE_OBJECT);
	}
}

/* Takes an object out, and moves up those that were displaced by it. */
static void take_out(struct stream *s, struct sub_context *sub,
		     struct object *gone)
{
	uint32_t mask = (1u << sub->bits) - 1;
	uint32_t hole = (uint32_t)(gone - sub->objects), at = hole;

	subtract(s, sub, kind_of(gone), cost_of(gone));
	if (gone->type == VIRGL_OBJECT_STREAMOUT_TARGET)
		targets_forget(s, sub, gone->handle);
	for (;;) {
		uint32_t home;

		at = (at + 1) & mask;
		if (!sub->objects[at].handle)
			break;
		home = place_of(s, sub, sub->objects[at].handle);
		if (((at - home) & mask) < ((at - hole) & mask))
			continue;
		sub->objects[hole] = sub->objects[at];
		hole = at;
	}
	sub->objects[hole] = (struct object){ 0 };
	sub->count--;
	/* If there is no memory for a smaller one, the larger stays. */
	if (sub->bits > TABLE_MIN_BITS && sub->count < 1u << (sub->bits - 3))
		resize(s, sub, sub->bits - 1);
}

static const char *put_in(struct stream *s, const struct object *o)
{
	struct sub_context *sub = s->current;
	struct object *old = find(s, sub, o->handle);

	if (old)
		take_out(s, sub, old);
	if (!add(s, sub, kind_of(o), cost_of(o)))
		return o->type == VIRGL_OBJECT_SHADER ?
		       "its shader does not fit the device budget" :
		       "its object does not fit the device budget";
	if (!make_room(s, sub)) {
		subtract(s, sub, kind_of(o), cost_of(o));
		return "there is no memory for another object";
	}
	*locate(s, sub, o->handle) = *o;
	sub->count++;
	return NULL;
}

/* -------------------------------------------------------- sub-contexts */

static struct sub_context *sub_find(struct stream *s, uint32_t id)
{
	struct sub_context *sub = &s->first;

	while (sub && sub->id != id)
		sub = sub->next;
	return sub;
}

/* One that is there already stays as it is; a new one becomes current. */
static const char *sub_create(struct stream *s, uint32_t id)
{
	struct sub_context *sub;

	if (sub_find(s, id))
		return NULL;
	sub = calloc(1, sizeof(*sub));
	if (!sub)
		return "there is no memory for another sub-context";
	if (!add(s, sub, LEDGER_CONTEXTS, PVGPU_CHARGE_CONTEXT)) {
		free(sub);
		return "its sub-context does not fit the device budget";
	}
	sub->id = id;
	sub->next = s->first.next;
	s->first.next = sub;
	s->current = sub;
	return NULL;
}

static void sub_destroy(struct stream *s, uint32_t id)
{
	struct sub_context **at = &s->first.next, *sub;

	while (*at && (*at)->id != id)
		at = &(*at)->next;
	sub = *at;
	if (!sub)			/* none such, or the first */
		return;
	*at = sub->next;
	if (s->current == sub)
		s->current = &s->first;
	for (int k = 0; k < LEDGER_KINDS; k++)
		s->made[k] -= sub->made[k];
	free(sub->objects);
	free(sub->targets);
	free(sub);
}

/* ------------------------------------------------------------ commands */

/* A shader's text comes in one command, or its beginning in one and the rest
 * in others that each say how much came before. */
static const char *shader(struct stream *s, const uint32_t *command)
{
	uint32_t length = virgl_length(command[0]);
	uint32_t said = command[VIRGL_SHADER_LENGTH];
	uint32_t outputs = command[VIRGL_SHADER_OUTPUTS];
	uint32_t words = length - VIRGL_SHADER_OUTPUTS;	/* of text, here */
	struct object o = { .handle = command[1], .type = VIRGL_OBJECT_SHADER };
	struct object *old;

	if (command[VIRGL_SHADER_KIND] > VIRGL_SHADER_COMPUTE)
		return "its shader is of no kind";
	if (command[VIRGL_SHADER_KIND] != VIRGL_SHADER_COMPUTE && outputs) {
		if (outputs > VIRGL_MAX_OUTPUTS || words < 4 + 2 * outputs)
			return "its shader's outputs end beyond it";
		words -= 4 + 2 * outputs;
	}
	if (said & VIRGL_SHADER_CONTINUED) {
		old = find(s, s->current, o.handle);
		if (!old || old->type != VIRGL_OBJECT_SHADER ||
		    old->got == old->text)
			return "it goes on with no shader";
		if ((said & ~VIRGL_SHADER_CONTINUED) != old->got || !words ||
		    words > (old->text - old->got) / 4)
			return "it goes on elsewhere than the shader ended";
		if (command[VIRGL_SHADER_TOKENS] > old->text)
			return "its shader has more tokens than text";
		old->got += words * 4;
		return NULL;
	}
	o.text = (said + 3) & ~3u;
	o.got = words * 4;
	if (o.got > o.text)
		return "its shader is longer than it says";
	if (command[VIRGL_SHADER_TOKENS] > o.text)
		return "its shader has more tokens than text";
	return put_in(s, &o);
}

static const char *create(struct stream *s, const uint32_t *command)
{
	static const uint8_t least[] = {
#define X(name, number, words) [number] = words,
		VIRGL_OBJECTS(X)
#undef X
	};
	uint32_t type = virgl_object_type(command[0]);

	if (type >= ARRAY_SIZE(least) || !least[type])
		return "it makes an object of no type";
	if (virgl_length(command[0]) < least[type])
		return "it is too short for its object";
	if (!command[1])
		return "its object has no handle";
	if (type == VIRGL_OBJECT_SHADER)
		return shader(s, command);
	return put_in(s, &(struct object){
		.handle = command[1], .type = type,
	});
}

static const char *destroy(struct stream *s, uint32_t handle)
{
	struct object *o = find(s, s->current, handle);

	if (o)
		take_out(s, s->current, o);
	return NULL;
}

/* The renderer goes wrong where one of them is none, and keeps what it had
 * done until then. */
static const char *set_targets(struct stream *s, const uint32_t *command)
{
	struct sub_context *sub = s->current;
	struct targets new = { .count = virgl_length(command[0]) - 1 };

	if (!new.count)
		return NULL;
	if (new.count > VIRGL_MAX_TARGETS)
		return "it has more targets than there can be";
	memcpy(new.handles, command + VIRGL_TARGETS_HANDLES, new.count * 4);
	for (uint32_t i = 0; i < new.count; i++) {
		struct object *o = find(s, sub, new.handles[i]);

		if (new.handles[i] &&
		    (!o || o->type != VIRGL_OBJECT_STREAMOUT_TARGET))
			return "it streams out to what is no target";
	}
	for (uint32_t i = 0; i < sub->targets_count; i++)
		if (!memcmp(&sub->targets[i], &new, sizeof(new)))
			return NULL;
	if (sub->targets_count == TARGETS_MAX)
		return "it combines targets in too many ways";
	if (sub->targets_count == sub->targets_room) {
		uint32_t room = sub->targets_room * 2 + 4;
		struct targets *more = realloc(sub->targets,
					       room * sizeof(*more));

		if (!more)
			return "there is no memory for another object";
		sub->targets = more;
		sub->targets_room = room;
	}
	if (!add(s, sub, LEDGER_OBJECTS, PVGPU_CHARGE_OBJECT))
		return "its targets do not fit the device budget";
	sub->targets[sub->targets_count++] = new;
	return NULL;
}

/* One command that lies wholly in the stream: what is wrong with it, or NULL;
 * and what it makes is counted. */
static const char *heed(struct stream *s, const uint32_t *command)
{
	enum { UNKNOWN, KNOWN };
	static const struct {
		uint8_t known, least;
	} table[256] = {
#define X(name, number, words) [number] = { KNOWN, words },
		VIRGL_COMMANDS(X)
#undef X
	};
	uint32_t number = virgl_number(command[0]);
	uint32_t length = virgl_length(command[0]);
	struct sub_context *sub;

	if (!table[number].known)
		return number == VIRGL_PIPE_RESOURCE_CREATE ||
		       number == VIRGL_PIPE_RESOURCE_SET_TYPE ?
		       "it makes a resource" :
		       number >= VIRGL_VIDEO_FIRST &&
		       number <= VIRGL_VIDEO_LAST ?
		       "it is a video command, and none is offered" :
		       "there is no such command";
	if (length < table[number].least)
		return "it is too short";
	switch (number) {
	case VIRGL_CREATE_OBJECT:
		return create(s, command);
	case VIRGL_DESTROY_OBJECT:
		return destroy(s, command[1]);
	case VIRGL_CREATE_SUB_CTX:
		return sub_create(s, command[1]);
	case VIRGL_DESTROY_SUB_CTX:
		sub_destroy(s, command[1]);
		return NULL;
	case VIRGL_SET_SUB_CTX:
		sub = sub_find(s, command[1]);
		if (sub)
			s->current = sub;
		return NULL;
	case VIRGL_SET_STREAMOUT_TARGETS:
		return set_targets(s, command);
	case VIRGL_SEND_STRING_MARKER:
		if (command[VIRGL_MARKER_LENGTH] > (length - 1) * 4)
			return "its text ends beyond it";
		return NULL;
	default:
		return NULL;
	}
}

struct verdict stream_walk(struct stream *s, const uint32_t *words,
			   uint32_t count)
{
	uint32_t at = 0;

	if (s->lost)
		return verdict(PVGPU_STATUS_CONTEXT_LOST, 0);
	stream_settle(s);
	while (at < count) {
		s->complaint = virgl_length(words[at]) < count - at ?
			       heed(s, words + at) :
			       "it ends beyond the stream";
		if (s->complaint) {
			s->lost = true;
			return verdict(PVGPU_STATUS_CONTEXT_LOST, at * 4);
		}
		at += 1 + virgl_length(words[at]);
	}
	return accepted();
}

const char *stream_complaint(const struct stream *s)
{
	return s->complaint ? s->complaint : "";
}

uint64_t stream_charged(const struct stream *s)
{
	return s->charged;
}

/* -------------------------------------------------------- from and to */

struct stream *stream_new(struct ledger *ledger)
{
	cleanup_free struct stream *s = calloc(1, sizeof(*s));
	uint64_t key;

	if (!s || getrandom(&key, sizeof(key), 0) != sizeof(key))
		return NULL;
	s->ledger = ledger;
	s->key = key | 1;
	s->current = &s->first;
	return take_ptr(s);
}

void stream_free(struct stream *s)
{
	if (!s)
		return;
	while (s->first.next)
		sub_destroy(s, s->first.next->id);
	free(s->first.objects);
	free(s->first.targets);
	for (int k = 0; k < LEDGER_KINDS; k++)
		ledger_note(s->ledger, (enum ledger_kind)k, 0, s->noted[k]);
	budget_release(&s->ledger->device, s->charged);
	free(s);
}
