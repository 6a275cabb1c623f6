// SPDX-License-Identifier: MIT
/* The page and the board by which grants travel: what is read is what was
 * written, whole, whoever writes meanwhile or was killed at it. */
#include "common/grant_page.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "common/sealed.h"
#include "common/util.h"

#define ROUNDS 200000u

static struct grant_told told_of(uint32_t n)
{
	return (struct grant_told){
		.grant = {
			.epoch = n, .kind = n % (SCHED_GRANT_DRAIN + 1),
			.armed = n & 1, .lends = n & 2, .lent = n & 4,
			.slot = n & 8, .single = n & 16, .resumes = ~n,
			.budget = n * 3ull, .hold = n * 5ull,
			.window = n * 7ull, .successor = n * 11,
			.successor_epoch = n * 13,
		},
		.id = n % (SCHED_VGPUS_MAX + 1), .watchdog = n * 17ull,
	};
}

static void is_told(const struct grant_told *a, uint32_t n)
{
	const struct grant_told b = told_of(n);

	assert_int_equal(a->grant.epoch, b.grant.epoch);
	assert_int_equal(a->grant.kind, b.grant.kind);
	assert_int_equal(a->grant.armed, b.grant.armed);
	assert_int_equal(a->grant.lends, b.grant.lends);
	assert_int_equal(a->grant.lent, b.grant.lent);
	assert_int_equal(a->grant.slot, b.grant.slot);
	assert_int_equal(a->grant.single, b.grant.single);
	assert_int_equal(a->grant.resumes, b.grant.resumes);
	assert_int_equal(a->grant.budget, b.grant.budget);
	assert_int_equal(a->grant.hold, b.grant.hold);
	assert_int_equal(a->grant.window, b.grant.window);
	assert_int_equal(a->grant.successor, b.grant.successor);
	assert_int_equal(a->grant.successor_epoch, b.grant.successor_epoch);
	assert_int_equal(a->id, b.id);
	assert_int_equal(a->watchdog, b.watchdog);
}

static struct grant_page *new_page(void)
{
	int fd = sealed_memfd("test", "page", GRANT_PAGE_SIZE);
	void *at;

	assert_true(fd >= 0);
	assert_int_equal(sealed_map(fd, GRANT_PAGE_SIZE, &at), 0);
	close(fd);
	return at;
}

static void test_told(void **state)
{
	struct grant_page *page = new_page();
	uint64_t number = 0, seen = 0;
	struct grant_told told, got;

	(void)state;
	assert_int_equal(grant_hear(page, &seen, &got), 0);
	for (uint32_t n = 1; n < 5000; n++) {
		told = told_of(n);
		grant_tell(page, &number, &told);
		assert_int_equal(grant_hear(page, &seen, &got), 1);
		is_told(&got, n);
		assert_int_equal(grant_hear(page, &seen, &got), 0);
	}
	/* The next manager counts on, and a number is never that of nothing. */
	number = seen = UINT64_MAX;
	grant_tell(page, &number, &told);
	assert_int_not_equal(number, 0);
	assert_int_equal(grant_hear(page, &seen, &got), 1);
	munmap(page, GRANT_PAGE_SIZE);
}

static void test_report(void **state)
{
	struct grant_page *page = new_page();
	struct grant_report got, report = {
		.wants = true, .yields = true, .yield_epoch = 7,
		.yield_resumes = 8, .end = { 9, true, true, true, 10, 11, 12 },
		.running = { true, GATE_CHANNELS - 1, 13 }, .epoch = 14,
		.used = 15, .used_total = 16, .batches = 17,
	};
	uint64_t number = 0, seen = 0;

	(void)state;
	grant_report(page, &number, &report);
	memset(&got, 0, sizeof(got));
	assert_int_equal(grant_report_hear(page, &seen, &got), 1);
	assert_true(got.wants && got.yields && got.end.began && got.end.more &&
		    got.end.handed && got.running.in_flight);
	assert_int_equal(got.yield_epoch, 7);
	assert_int_equal(got.yield_resumes, 8);
	assert_int_equal(got.end.epoch, 9);
	assert_int_equal(got.end.used, 10);
	assert_int_equal(got.end.free, 11);
	assert_int_equal(got.end.waited, 12);
	assert_int_equal(got.running.channel, GATE_CHANNELS - 1);
	assert_int_equal(got.running.since, 13);
	assert_int_equal(got.epoch, 14);
	assert_int_equal(got.used, 15);
	assert_int_equal(got.used_total, 16);
	assert_int_equal(got.batches, 17);
	/* What no worker of ours writes. */
	for (uint32_t i = 0; i < 2 * GRANT_BOX_WORDS; i++)
		atomic_store(&page->report.values[i / GRANT_BOX_WORDS]
					 [i % GRANT_BOX_WORDS], UINT64_MAX);
	atomic_fetch_add(&page->report.number, 1);
	assert_int_equal(grant_report_hear(page, &seen, &got), 1);
	assert_int_equal(got.running.channel, SCHED_NO_CHANNEL);
	munmap(page, GRANT_PAGE_SIZE);
}

static void *tell_on(void *context)
{
	struct grant_page *page = context;
	uint64_t number = 0;

	for (uint32_t n = 1; n <= ROUNDS; n++) {
		struct grant_told told = told_of(n);

		grant_tell(page, &number, &told);
	}
	return NULL;
}

/* Every value that is read was written so, and none after a later one. */
static void test_while_written(void **state)
{
	struct grant_page *page = new_page();
	uint64_t seen = 0;
	uint32_t last = 0;
	struct grant_told got;
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, tell_on, page), 0);
	while (last < ROUNDS) {
		if (grant_hear(page, &seen, &got) <= 0)
			continue;
		is_told(&got, got.grant.epoch);
		assert_true(got.grant.epoch > last);
		last = got.grant.epoch;
	}
	pthread_join(thread, NULL);
	munmap(page, GRANT_PAGE_SIZE);
}

/* A writer that is killed anywhere leaves a value that can be read. */
static void test_killed_writer(void **state)
{
	struct grant_page *page = new_page();

	(void)state;
	for (unsigned int round = 0; round < 40; round++) {
		uint64_t seen = 0, before;
		struct grant_told got;
		pid_t pid = fork();
		int status;

		assert_true(pid >= 0);
		while (!pid)
			tell_on(page);
		before = atomic_load(&page->told.number);
		while (atomic_load(&page->told.number) == before)
			;
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(grant_hear(page, &seen, &got), 1);
		is_told(&got, got.grant.epoch);
	}
	munmap(page, GRANT_PAGE_SIZE);
}

static atomic_bool enough;

static void *flip_on(void *context)
{
	struct grant_box *box = context;

	while (!atomic_load(&enough))
		atomic_fetch_add(&box->number, 2);
	return NULL;
}

/* One that writes all the time keeps a reader for a bounded time. */
static void test_hostile_writer(void **state)
{
	struct grant_page *page = new_page();
	struct grant_report got;
	uint64_t seen = 0;
	pthread_t thread;

	(void)state;
	atomic_store(&page->report.number, 1);
	assert_int_equal(pthread_create(&thread, NULL, flip_on,
					&page->report), 0);
	for (unsigned int i = 0; i < 10000; i++) {
		int r = grant_report_hear(page, &seen, &got);

		assert_true(r == 1 || r == 0 || r == -EAGAIN);
	}
	atomic_store(&enough, true);
	pthread_join(thread, NULL);
	munmap(page, GRANT_PAGE_SIZE);
}

struct race {
	struct grant_board *board;
	_Atomic uint32_t epoch, won;
	atomic_bool stop;
};

static void *begin_on(void *context)
{
	struct race *race = context;
	uint32_t last = 0;

	while (!atomic_load(&race->stop)) {
		uint32_t epoch = atomic_load(&race->epoch);

		if (epoch != last && grant_board_begin(race->board, 5, epoch))
			atomic_fetch_add(&race->won, 1);
		last = epoch;
	}
	return NULL;
}

/* An armed grant begins once, and never after it was taken back. */
static void test_board(void **state)
{
	int fd = sealed_memfd("test", "board", sizeof(struct grant_board));
	struct race race = { 0 };
	uint32_t begun = 0;
	pthread_t thread;

	(void)state;
	assert_int_equal(sealed_map(fd, sizeof(*race.board),
				    (void **)&race.board), 0);
	close(fd);
	assert_false(grant_board_begin(race.board, 5, 0));
	assert_false(grant_board_begin(race.board, 5, 1));
	assert_false(grant_board_begin(race.board, SCHED_NOBODY, 1));
	assert_false(grant_board_begun(race.board, SCHED_NOBODY, 1));
	grant_board_arm(race.board, 5, 1);
	assert_false(grant_board_begin(race.board, 5, 2));
	assert_false(grant_board_begin(race.board, 6, 1));
	assert_false(grant_board_begun(race.board, 5, 1));
	assert_true(grant_board_begin(race.board, 5, 1));
	assert_true(grant_board_begun(race.board, 5, 1));
	assert_false(grant_board_begin(race.board, 5, 1));

	assert_int_equal(pthread_create(&thread, NULL, begin_on, &race), 0);
	for (uint32_t n = 2; n < 20000; n++) {
		bool mine;

		grant_board_arm(race.board, 5, n);
		atomic_store(&race.epoch, n);
		mine = grant_board_begin(race.board, 5, n);
		begun += mine;
		assert_true(grant_board_begun(race.board, 5, n));
	}
	atomic_store(&race.stop, true);
	pthread_join(thread, NULL);
	assert_int_equal(begun + atomic_load(&race.won), 19998);
	munmap(race.board, sizeof(*race.board));
}

static void test_descriptors(void **state)
{
	int fd = memfd_create("loose", MFD_ALLOW_SEALING);
	int bell = eventfd(UINT32_MAX - 1, EFD_NONBLOCK);
	uint64_t most = UINT64_MAX - 1;
	void *at;

	(void)state;
	assert_int_equal(ftruncate(fd, GRANT_PAGE_SIZE), 0);
	assert_int_equal(sealed_map(fd, GRANT_PAGE_SIZE, &at), -EINVAL);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW),
			 0);
	assert_int_equal(sealed_map(fd, GRANT_PAGE_SIZE + 1, &at), -EINVAL);
	assert_int_equal(sealed_map(fd, GRANT_PAGE_SIZE, &at), 0);
	munmap(at, GRANT_PAGE_SIZE);
	close(fd);
	/* One that somebody has filled still wakes, and nobody waits. */
	grant_quiet(bell);
	assert_int_equal(write(bell, &most, sizeof(most)), sizeof(most));
	grant_ring(bell);
	grant_quiet(bell);
	grant_quiet(bell);
	close(bell);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_told),
		cmocka_unit_test(test_report),
		cmocka_unit_test(test_while_written),
		cmocka_unit_test(test_killed_writer),
		cmocka_unit_test(test_hostile_writer),
		cmocka_unit_test(test_board),
		cmocka_unit_test(test_descriptors),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("grant page", tests, NULL, NULL);
}
