/* SPDX-License-Identifier: MIT */
/*
 * One ring of pvgpu/ring.h with the suppression of notifications in both
 * directions: the consumer sleeps for data, the producer for room. Checked:
 * nobody sleeps for ever while there is something for it to do (lost_wake_up),
 * and every message arrives whole and in order (wrong_message).
 *
 * Memory: each shared word and each slot has a store buffer of its own, which
 * `memory` empties at any time and in any order. That is x86-TSO's delayed
 * store and more (stores to different words overtake each other). A release
 * store waits for the slots' buffers, a full barrier for all of its side's.
 * Loads are made in program order.
 *
 * Positions are modulo MOD, slots per ring COUNT, messages of 1..LONGEST
 * slots, each slot marked with the position of its message, its place in it
 * and its length. The variants that must fail are named by the #ifdefs.
 */
#ifndef COUNT
#define COUNT	2
#endif
#ifndef LONGEST
#define LONGEST	2
#endif
#ifndef MESSAGES
#define MESSAGES 5		/* ENDLESS: no end, and 20 times the states */
#endif
#define MOD	(4 * COUNT)
#define AT(p)	((p) & (MOD - 1))
#define SLOT(p)	((p) & (COUNT - 1))

/* The event-index rule. */
#ifdef RULE_OPEN
#define PASSES(w, from, to) (AT(w - from) != 0 && AT(w - from) < AT(to - from))
#else
#define PASSES(w, from, to) (AT(w - from) < AT(to - from))
#endif

/* What both sides see, and what is still in the writers' buffers. */
byte produced, room_wake = MOD - 1, consumed, data_wake;
byte late_produced, late_room_wake, late_consumed, late_data_wake;
bool is_late_produced, is_late_room_wake, is_late_consumed, is_late_data_wake;
byte slot[COUNT], late_slot[COUNT];	/* position << 4 | part << 2 | slots */
byte late_slots;

/* The notifications: eventfds, so they stay until they are read. */
bool bell, interrupt;

bool resting;			/* the producer has nothing more to say */
bool lost_wake_up, wrong_message;

#define STORE(word, v)	d_step { late_##word = (v); is_late_##word = true }
#define PRODUCER_BARRIER (!is_late_produced && !is_late_room_wake && \
			  late_slots == 0)
#define CONSUMER_BARRIER (!is_late_consumed && !is_late_data_wake)

#define FLUSH_SLOT(i) d_step { late_slot[i] != 0 -> slot[i] = late_slot[i]; \
			       late_slot[i] = 0; late_slots-- }

active proctype memory()
{
end:	do
	:: d_step { is_late_produced -> produced = late_produced;
		    is_late_produced = false; late_produced = 0 }
	:: d_step { is_late_room_wake -> room_wake = late_room_wake;
		    is_late_room_wake = false; late_room_wake = 0 }
	:: d_step { is_late_consumed -> consumed = late_consumed;
		    is_late_consumed = false; late_consumed = 0 }
	:: d_step { is_late_data_wake -> data_wake = late_data_wake;
		    is_late_data_wake = false; late_data_wake = 0 }
	:: FLUSH_SLOT(0)
#if COUNT > 1
	:: FLUSH_SLOT(1)
#endif
#if COUNT > 2
	:: FLUSH_SLOT(2)
	:: FLUSH_SLOT(3)
#endif
	od
}

/*
 * Each step below makes one access that the other side can see or disturb; a
 * barrier is one with the load behind it, since nobody else fills this side's
 * buffers.
 */
inline publish()
{
	atomic {
#ifndef NO_RELEASE
		late_slots == 0;	/* slots before the position */
#endif
		from = published;
		published = put;
		STORE(produced, published)
	}
	atomic {
#ifndef NO_BARRIER_PUBLISH
		PRODUCER_BARRIER;
#endif
		must = PASSES(data_wake, from, published);
		from = 0
	}
	if
	:: must -> atomic { interrupt = true; must = false }
	:: else
	fi
}

active proctype producer()
{
	byte put, published, seen, from, need, i, sent;
	bool must;

again:	do
	:: need == 0 -> atomic {
		if
		:: sent < MESSAGES -> need = 1
		:: sent < MESSAGES && LONGEST > 1 -> need = 2
		:: sent < MESSAGES && LONGEST > 2 -> need = 3
		:: break
		fi;
#ifndef ENDLESS
		sent++
#endif
		}
	:: need != 0 -> atomic {
		if
		:: COUNT - AT(put - seen) < need ->
			seen = consumed;
			assert(AT(published - seen) <= COUNT)
		:: else
		fi;
		if
		:: COUNT - AT(put - seen) >= need ->
			do
			:: i < need ->
				late_slot[SLOT(put + i)] =
					put << 4 | i << 2 | need;
				late_slots++;
				i++
			:: else -> break
			od;
			i = 0;
			put = AT(put + need);
			need = 0
		:: else -> goto sleep
		fi }
	:: put != published -> publish()
	od;
	if
	:: put != published -> publish()
	:: else
	fi;
	resting = true;
	goto rest;

sleep:	if
	:: put != published -> publish()
	:: else
	fi;
#ifdef ROOM_WAKE_LATE
	STORE(room_wake, AT(put + need - COUNT));
#else
	STORE(room_wake, AT(put + need - COUNT - 1));
#endif
	atomic {
#ifndef NO_BARRIER_ROOM
		PRODUCER_BARRIER;
#endif
#ifndef NO_LOOK_ROOM
		seen = consumed
#endif
	}
	if
	:: COUNT - AT(put - seen) < need -> atomic { bell -> bell = false }
	:: else
	fi;
	goto again;
rest:	skip
}

inline release()
{
	atomic {
		before = freed;
		freed = taken;
		STORE(consumed, freed)
	}
	atomic {
#ifndef NO_BARRIER_RELEASE
		CONSUMER_BARRIER;
#endif
		must = PASSES(room_wake, before, freed);
		before = 0
	}
	if
	:: must -> atomic { bell = true; must = false }
	:: else
	fi
}

active proctype consumer()
{
	byte taken, freed, known, before, length, i;
	bool dry, must;

	do
	:: !dry -> atomic {
		if
		:: taken == known ->
			known = produced;
			assert(AT(known - freed) <= COUNT)
		:: else
		fi;
		dry = (taken == known) }
		if
		:: !dry -> atomic {
			length = slot[SLOT(taken)] & 3;
			wrong_message = (length == 0 ||
					 length > AT(known - taken));
			do
			:: i < length && !wrong_message ->
				wrong_message = (slot[SLOT(taken + i)] !=
					(taken << 4 | i << 2 | length));
				i++
			:: else -> break
			od;
			assert(!wrong_message);
			taken = AT(taken + length);
			i = 0;
			length = 0 }
		:: else
		fi
	:: taken != freed -> release()
	:: dry && taken == freed ->
		STORE(data_wake, taken);
		atomic {
#ifndef NO_BARRIER_SLEEP
			CONSUMER_BARRIER;
#endif
#ifndef NO_LOOK
			dry = (produced == taken)
#endif
		}
		if
		:: dry -> atomic { interrupt -> interrupt = false; dry = false }
		:: else
		fi
	od
}

/* Nothing can move any more: then nothing may be left to do. */
active proctype watcher()
{
	timeout;
	lost_wake_up = !(resting && produced == consumed);
	assert(!lost_wake_up)
}
