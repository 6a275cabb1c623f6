/* SPDX-License-Identifier: MIT */
/*
 * Attach, reset and the replacement of a worker, as spec.md has them: the
 * guest's nonce, the host's generation, the state page that outlives workers.
 * A guest attaches, makes requests, and forgets everything at any moment to
 * attach again (a reboot, a kexec); a worker dies at any moment and is
 * replaced once it is reaped.
 *
 * Checked: a completion that the guest takes for its own was made for this
 * very attachment (stale_accepted); no request of one attachment is done in
 * another (stale_done); an attach is always answered, and a request answered
 * or the loss seen (never_answered).
 *
 * Nonces are written and read in halves; nonce n is (n, n), so that a torn
 * reading is no nonce of anybody. Stores are seen in program order, which is
 * what the release stores of the nonce ask for. `life` is what the checks
 * compare, and no side can see it: the number of this filling of the host's
 * state. The guest's last attach is not reset, so that it must be answered.
 * The variants that must fail are named by the #ifdefs.
 */
#ifndef ATTACHES
#define ATTACHES 3
#endif
#ifndef DEATHS
#define DEATHS	2
#endif
#ifndef REQUESTS
#define REQUESTS 2
#endif
#define COUNT	2
#define AT(p)	((p) & 3)

#define DETACHED 0
#define ATTACHED 1
#define LOST	2
#define BROKEN	3

/* What the guest writes. */
byte guest_low, guest_high;
byte asked;				/* its position, control queue */
byte ask_generation[COUNT], ask_life[COUNT];

/* What the host writes. */
byte host_low, host_high, generation, state, host_life;
byte done;				/* its position */
byte done_generation[COUNT], done_life[COUNT];

/* The state page: the host's own, and outlives a worker. */
byte page_low, page_high, page_generation;

bool bell, interrupt;			/* eventfds */
byte lives;
bool kill;
byte deaths;

bool finished;				/* the guest */
bool stale_accepted, stale_done, never_answered;

#define IS_ATTACHED (state == ATTACHED && generation == mine)

active proctype guest()
{
	byte nonce, mine, my_life, my_state, requests, my_asked, my_taken;

attach:
	if
	:: nonce == ATTACHES -> goto finish
	:: else -> nonce++
	fi;
	mine = 0; my_life = 0; my_state = 0; requests = 0;
	my_asked = 0; my_taken = 0;
	asked = 0;
	guest_low = nonce;
	guest_high = nonce;
	bell = true;
	do
	:: host_high == nonce ->
		if
		:: host_low == nonce -> break
		:: else
		fi
	:: else ->
		if
		:: atomic { interrupt -> interrupt = false }
		:: nonce < ATTACHES -> goto attach	/* reset while it waits */
		fi
	od;
	my_state = state;
	atomic { mine = generation; my_life = host_life }
	if
	:: my_state != ATTACHED -> goto attach
	:: else
	fi;

	do
	:: requests == REQUESTS -> goto finish
	:: nonce < ATTACHES -> goto attach	/* reset at any moment */
	:: requests < REQUESTS ->
		requests++;
		atomic { ask_generation[my_asked & 1] = mine;
			 ask_life[my_asked & 1] = my_life }
		my_asked = AT(my_asked + 1);
		asked = my_asked;
		bell = true;
		do
		:: done != my_taken ->
			if
			:: AT(done - my_taken) > COUNT -> goto attach
			:: else
			fi;
			atomic {
				if
				:: done_generation[my_taken & 1] == mine ->
					stale_accepted =
						(done_life[my_taken & 1] !=
						 my_life);
					assert(!stale_accepted);
					my_taken = AT(my_taken + 1);
					break
				:: else ->
					my_taken = AT(my_taken + 1)
				fi }
		:: else ->
			if
			:: !IS_ATTACHED -> goto attach
			:: else ->
				if
				:: atomic { interrupt -> interrupt = false }
				:: nonce < ATTACHES -> goto attach
				fi
			fi
		od
	od;
finish:
	finished = true
}

/* The nonce as the host reads it: high, low, high. */
inline read_nonce()
{
	high = guest_high;
	do
	:: true ->
		low = guest_low;
		again = guest_high;
		if
		:: again == high -> break
		:: else -> high = again
		fi
	od;
	again = 0
}

inline empty_queues()
{
	my_answered = 0; my_done = 0;
	done = 0
}

inline answer_attach()
{
	/* The generation is spent before anything of it is seen. */
#ifdef NO_BUMP
	if
	:: !replacement -> page_generation++
	:: else -> replacement = false
	fi;
#else
	page_generation++;
#endif
	mine = page_generation;
	atomic { lives++; life = lives }
#ifndef ANSWER_EARLY
	empty_queues();
#endif
	atomic { generation = mine; host_life = life }
	state = ATTACHED;
	my_state = ATTACHED;
	host_low = low;
	host_high = high;
#ifdef ANSWER_EARLY
	empty_queues();
#endif
	atomic { page_low = low; page_high = high }
	interrupt = true
}

active proctype worker()
{
	byte low, high, again, mine, life, my_state, my_answered, my_done, p;
	bool replacement;

born:
	{
		if
		:: page_generation != 0 ->
			my_state = LOST; replacement = true
		:: else -> my_state = DETACHED
		fi;
#ifndef NO_BUMP
		page_generation++;
#endif
		mine = page_generation;
		atomic { lives++; life = lives }
		state = my_state;
		atomic { generation = mine; host_life = life }
		empty_queues();
		host_low = page_low;
		host_high = page_high;
		interrupt = true;
#ifndef NO_LOOK_AT_START
		goto look;
#endif
		do
		:: atomic { bell -> bell = false };
look:			read_nonce();
			if
			:: high == page_high && low == page_low
			:: else -> answer_attach()
			fi;
			low = 0; high = 0;
			do
			:: my_state != ATTACHED -> break
			:: my_state == ATTACHED ->
				p = asked;
				if
				:: p == my_answered -> p = 0; break
				:: AT(p - my_answered) > COUNT ->
					my_state = BROKEN;
					state = BROKEN;
					interrupt = true;
					p = 0;
					break
				:: else -> p = 0
				fi;
				atomic {
					stale_done =
						(ask_generation[my_answered & 1]
						 == mine &&
						 ask_life[my_answered & 1] !=
						 life);
					assert(!stale_done);
					/* Done, or STALE: of this life. */
					done_generation[my_done & 1] = mine;
					done_life[my_done & 1] = life;
					my_answered = AT(my_answered + 1);
					my_done = AT(my_done + 1)
				}
				done = my_done;
				interrupt = true
			od
		od
	} unless {
		atomic { kill -> kill = false }
	};
	/* Reaped: only now the next one. */
	atomic { low = 0; high = 0; again = 0; mine = 0; life = 0; p = 0;
		 my_answered = 0; my_done = 0; replacement = false }
	goto born
}

active proctype death()
{
end:	do
	:: atomic { deaths < DEATHS && !kill -> kill = true; deaths++ }
	od
}

active proctype watcher()
{
	timeout;
	never_answered = !finished;
	assert(!never_answered)
}
