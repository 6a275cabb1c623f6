/* SPDX-License-Identifier: MIT */
/*
 * The fence of a channel and the completions of batches that failed (spec.md
 * 8.3, 8.4). A renderer works at several batches at once and may be done with
 * them in any order; the host answers them in the channel's order. Checked:
 * a fence that has passed says that all before it are done (early_fence); who
 * reads a fence and then takes completions knows of every failure up to it
 * (untold_failure); and nobody who waits for a fence sleeps for ever
 * (lost_wake_up).
 *
 * Memory is as in ring.pml: each shared word has a store buffer of its own,
 * emptied at any time and in any order; a release store waits for what was
 * stored before it, a full barrier for all of its side's. Loads are made in
 * program order. What the renderer tells the host goes through a lock.
 *
 * Fences are 2, 4, …; the guest may wait for numbers between them. The
 * completions are a mask: the ring that carries them is ring.pml's.
 */
#define BATCHES	3
#define FENCE(i)	(2 * ((i) + 1))

/* What both sides see, and what is still in the writers' buffers. */
byte value, told, wake = 255;
byte late_value, late_told, late_wake;
bool is_late_value, is_late_told, is_late_wake;

bool interrupt;				/* an eventfd: stays until it is read */

/* Between renderer and host, under a lock. */
bool done[BATCHES], failed[BATCHES];

bool satisfied;				/* the guest has seen all its fences */
bool early_fence, untold_failure, lost_wake_up;

#define STORE(word, v)	d_step { late_##word = (v); is_late_##word = true }

active proctype memory()
{
end:	do
	:: d_step { is_late_value -> value = late_value;
		    is_late_value = false; late_value = 0 }
	:: d_step { is_late_told -> told = late_told;
		    is_late_told = false; late_told = 0 }
	:: d_step { is_late_wake -> wake = late_wake;
		    is_late_wake = false; late_wake = 0 }
	od
}

/* Done with any of them next, well or not. One that was refused when it was
 * taken is one that is done at once. */
active proctype renderer()
{
	byte left = BATCHES, i;

	do
	:: left == 0 -> break
	:: left != 0 -> atomic {
		if
		:: !done[0] -> i = 0
		:: !done[1] -> i = 1
		:: !done[2] -> i = 2
		fi;
		done[i] = true;
		if
		:: failed[i] = true
		:: skip
		fi;
		left--;
		i = 0 }
	od
}

inline tell()
{
	atomic {
		if
		:: failed[next] -> failures = failures | (1 << next);
			STORE(told, failures)
		:: else
		fi
	}
}

active proctype host()
{
	byte next, raised, before, failures;
	bool must;

	do
	:: next == BATCHES -> break
#ifdef ANY_ORDER
	:: next < BATCHES && (done[next] ||
			      (next + 1 < BATCHES && done[next + 1])) ->
#else
	:: next < BATCHES && done[next] ->
#endif
#ifndef FENCE_FIRST
		tell();
#endif
		atomic {
#ifndef NO_RELEASE
			!is_late_told;
#endif
			before = raised;
			raised = FENCE(next);
			STORE(value, raised)
		}
		atomic {
#ifndef NO_BARRIER_FENCE
			!is_late_value && !is_late_told;
#endif
#ifdef RULE_EXACT
			must = (wake == raised);
#else
			must = (before < wake && wake <= raised);
#endif
			before = 0
		}
		if
		:: must -> atomic { interrupt = true; must = false }
		:: else
		fi;
#ifdef FENCE_FIRST
		tell();
#endif
		next++
	od
}

active proctype guest()
{
	byte seen, mask, wanted, first, look;

again:
#ifdef COMPLETIONS_FIRST
	mask = told;
	seen = value;
#else
	seen = value;
	mask = told;
#endif
	atomic {
		do
		:: first < BATCHES && FENCE(first) <= seen ->
			early_fence = early_fence || !done[first];
			assert(!early_fence);
			untold_failure = failed[first] &&
					 !(mask & (1 << first));
			assert(!untold_failure);
			first++
		:: else -> break
		od;
		mask = 0
	}
	if
	:: first == BATCHES -> goto rest
	:: else
	fi;
	/* For the next one, or any after it. */
	atomic {
		wanted = seen + 1;
		do
		:: wanted < FENCE(BATCHES - 1) -> wanted++
		:: break
		od;
		skip
	}
	STORE(wake, wanted);
	atomic {
#ifndef NO_BARRIER_WAKE
		!is_late_wake;
#endif
#ifndef NO_LOOK
		look = value
#endif
	}
	if
	:: look < wanted -> atomic { interrupt -> interrupt = false }
	:: else
	fi;
	wanted = 0;
	look = 0;
	goto again;
rest:	satisfied = true
}

/* Nothing can move any more: then nothing may be left to do. */
active proctype watcher()
{
	timeout;
	lost_wake_up = !satisfied;
	assert(!lost_wake_up)
}
