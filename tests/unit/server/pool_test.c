/*
 * The pool of threads. A gate that is shut holds work where a case wants it, so that nothing
 * depends on how fast threads are.
 */
#include "tests/unit/unit.h"

#include "os/thread.h"
#include "pool.h"

enum { NOTES_MAX = 256 };

/* What happened, in order, and a gate. Used by one case at a time. */
static struct scene {
	struct mutex *mutex;
	struct cond *changed;
	bool is_open;
	unsigned at_gate, most_at_gate, run_count, cancel_count;
	int run[NOTES_MAX], cancelled[NOTES_MAX];
	struct pool *pool;
	enum status put_status;
} scene;

static int numbers[NOTES_MAX];

static void *number(int i)
{
	return &numbers[i];
}

static void scene_begin(unsigned threads)
{
	for (int i = 0; i < NOTES_MAX; i++)
		numbers[i] = i;
	scene = (struct scene){.mutex = mutex_new(), .changed = cond_new()};
	scene.pool = pool_new(threads);
	CHECK(scene.pool != NULL);
}

static void scene_end(void)
{
	pool_stop(scene.pool);
	cond_free(scene.changed);
	mutex_free(scene.mutex);
}

static void note_run(void *arg)
{
	mutex_lock(scene.mutex);
	if (scene.run_count < NOTES_MAX)
		scene.run[scene.run_count] = *(int *)arg;
	scene.run_count++;
	cond_wake_all(scene.changed);
	mutex_unlock(scene.mutex);
}

static void note_cancel(void *arg)
{
	mutex_lock(scene.mutex);
	if (scene.cancel_count < NOTES_MAX)
		scene.cancelled[scene.cancel_count] = *(int *)arg;
	scene.cancel_count++;
	mutex_unlock(scene.mutex);
}

static void wait_at_gate(void *arg)
{
	mutex_lock(scene.mutex);
	scene.at_gate++;
	if (scene.most_at_gate < scene.at_gate)
		scene.most_at_gate = scene.at_gate;
	cond_wake_all(scene.changed);
	while (!scene.is_open)
		cond_wait(scene.changed, scene.mutex);
	scene.at_gate--;
	mutex_unlock(scene.mutex);
	note_run(arg);
}

static void open_gate(void)
{
	mutex_lock(scene.mutex);
	scene.is_open = true;
	cond_wake_all(scene.changed);
	mutex_unlock(scene.mutex);
}

/* Returns when `count` is reached, which `count` points at; a pool that never gets there is ended by
 * ctest's time-out. */
static void wait_until(const unsigned *count, unsigned wanted)
{
	mutex_lock(scene.mutex);
	while (*count < wanted)
		cond_wait(scene.changed, scene.mutex);
	mutex_unlock(scene.mutex);
}

static enum status put(enum pool_class class, void (*run)(void *arg), int i)
{
	return pool_put(scene.pool, class, run, note_cancel, number(i));
}

TEST(pool__put__runs_a_class_in_order)
{
	for (int class = POOL_READ; class <= POOL_HASH; class++) {
		scene_begin(1);
		for (int i = 0; i < 60; i++)
			CHECK(put((enum pool_class)class, note_run, i) == STATUS_OK);
		wait_until(&scene.run_count, 60);
		for (int i = 0; i < 60; i++)
			CHECK_INT(scene.run[i], i);
		scene_end();
		CHECK_INT(scene.cancel_count, 0);
	}
}

TEST(pool__put__classes_take_turns_by_age)
{
	scene_begin(1);
	CHECK(put(POOL_READ, wait_at_gate, 0) == STATUS_OK);
	wait_until(&scene.at_gate, 1);
	for (int i = 1; i < 9; i++)
		CHECK(put(i % 3 == 0 ? POOL_HASH : POOL_READ, note_run, i) == STATUS_OK);
	open_gate();
	wait_until(&scene.run_count, 9);
	for (int i = 0; i < 9; i++)
		CHECK_INT(scene.run[i], i);
	scene_end();
}

static void check_bound(enum pool_class class, unsigned bound)
{
	scene_begin(1);
	CHECK(put(class, wait_at_gate, 0) == STATUS_OK);
	wait_until(&scene.at_gate, 1);
	for (unsigned i = 0; i < bound; i++)
		CHECK(put(class, note_run, 1) == STATUS_OK);
	CHECK(put(class, note_run, 2) == STATUS_FULL);
	/* The other class has a bound of its own. */
	CHECK(put(class == POOL_READ ? POOL_HASH : POOL_READ, note_run, 3) == STATUS_OK);
	open_gate();
	wait_until(&scene.run_count, bound + 2);
	CHECK(put(class, note_run, 4) == STATUS_OK);
	scene_end();
	CHECK_INT(scene.run_count + scene.cancel_count, bound + 3);
}

TEST(pool__put__bounds_what_waits)
{
	check_bound(POOL_HASH, POOL_HASH_MAX);
	check_bound(POOL_READ, POOL_READ_MAX);
}

/* With the gate shut, hashes stand on as many threads as they may have; all reads pass them. */
static void check_reads_pass(unsigned threads, unsigned hashes_at_once)
{
	scene_begin(threads);
	for (int i = 0; i < 20; i++)
		CHECK(put(POOL_HASH, wait_at_gate, 100 + i) == STATUS_OK);
	wait_until(&scene.at_gate, hashes_at_once);
	for (int i = 0; i < 50; i++)
		CHECK(put(POOL_READ, note_run, i) == STATUS_OK);
	wait_until(&scene.run_count, 50);
	CHECK_INT(scene.at_gate, hashes_at_once);
	open_gate();
	wait_until(&scene.run_count, 70);
	CHECK_INT(scene.most_at_gate, hashes_at_once);
	scene_end();
	CHECK_INT(scene.cancel_count, 0);
}

TEST(pool__hash__never_starves_reads)
{
	check_reads_pass(2, 1);
	check_reads_pass(3, 1);
	check_reads_pass(4, 2);
	check_reads_pass(7, 3);
}

TEST(pool__read__uses_all_threads)
{
	scene_begin(4);
	for (int i = 0; i < 4; i++)
		CHECK(put(POOL_READ, wait_at_gate, i) == STATUS_OK);
	wait_until(&scene.at_gate, 4);
	open_gate();
	wait_until(&scene.run_count, 4);
	scene_end();
}

/* Opens the gate when the pool is stopping, which it finds out by asking. */
static void open_when_stopping(void *arg)
{
	enum status status;

	do {
		status = pool_put(scene.pool, POOL_READ, note_run, note_cancel, arg);
	} while (status == STATUS_OK || status == STATUS_FULL);
	scene.put_status = status;
	open_gate();
}

TEST(pool__stop__finishes_what_runs_and_cancels_the_rest)
{
	struct thread *opener;

	scene_begin(2);
	CHECK(put(POOL_READ, wait_at_gate, 0) == STATUS_OK);
	CHECK(put(POOL_HASH, wait_at_gate, 1) == STATUS_OK);
	wait_until(&scene.at_gate, 2);
	for (int i = 2; i < 12; i++)
		CHECK(put(i % 2 ? POOL_HASH : POOL_READ, note_run, i) == STATUS_OK);
	CHECK(pool_put(scene.pool, POOL_READ, note_run, NULL, number(12)) == STATUS_OK);
	CHECK(thread_start("opener", open_when_stopping, number(99), &opener) == STATUS_OK);
	pool_stop(scene.pool);
	scene.pool = NULL;
	thread_join(opener);

	CHECK(scene.put_status == STATUS_CLOSED);
	CHECK_INT(scene.run_count, 2);
	CHECK(scene.cancel_count >= 10);
	for (int i = 0; i < 10; i++)
		CHECK_INT(scene.cancelled[i], i + 2);
	for (unsigned i = 10; i < scene.cancel_count && i < NOTES_MAX; i++)
		CHECK_INT(scene.cancelled[i], 99);
	scene_end();
}

static void put_the_next(void *arg)
{
	int i = *(int *)arg;

	if (i < 100) {
		enum status status =
		    put(i % 2 ? POOL_HASH : POOL_READ, put_the_next, i + 1);

		if (status != STATUS_OK)
			exit(1);
	}
	note_run(arg);
}

TEST(pool__put__from_within_run)
{
	for (unsigned threads = 1; threads <= 3; threads++) {
		scene_begin(threads);
		CHECK(put(POOL_READ, put_the_next, 1) == STATUS_OK);
		wait_until(&scene.run_count, 100);
		scene_end();
		CHECK_INT(scene.run_count, 100);
	}
}

static void put_many(void *arg)
{
	for (int i = 0; i < 500; i++) {
		enum pool_class class = (i + *(int *)arg) % 3 == 0 ? POOL_HASH : POOL_READ;

		while (put(class, note_run, *(int *)arg) == STATUS_FULL)
			continue;
	}
}

TEST(pool__put__many_threads_lose_nothing)
{
	struct thread *threads[4];

	scene_begin(3);
	for (int i = 0; i < 4; i++)
		CHECK(thread_start("putter", put_many, number(i), &threads[i]) == STATUS_OK);
	for (int i = 0; i < 4; i++)
		thread_join(threads[i]);
	scene_end();
	CHECK_INT(scene.run_count + scene.cancel_count, 2000);
}

TEST(pool__stop__without_work)
{
	pool_stop(NULL);
	for (unsigned threads = 1; threads <= 5; threads++) {
		scene_begin(threads);
		scene_end();
	}
}

UNIT_MAIN(CASE(pool__put__runs_a_class_in_order), CASE(pool__put__classes_take_turns_by_age),
    CASE(pool__put__bounds_what_waits), CASE(pool__hash__never_starves_reads),
    CASE(pool__read__uses_all_threads), CASE(pool__stop__finishes_what_runs_and_cancels_the_rest),
    CASE(pool__put__from_within_run), CASE(pool__put__many_threads_lose_nothing),
    CASE(pool__stop__without_work))
