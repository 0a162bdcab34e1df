/* Threads, clocks and random bytes. */
#include "tests/unit/unit.h"

#include "os/clock.h"
#include "os/random.h"
#include "os/thread.h"

struct counter {
	struct mutex *mutex;
	struct cond *changed;
	int count;
};

static void add_many(void *arg)
{
	struct counter *counter = arg;

	for (int i = 0; i < 10000; i++) {
		mutex_lock(counter->mutex);
		counter->count++;
		cond_wake_all(counter->changed);
		mutex_unlock(counter->mutex);
	}
}

TEST(unit__thread__counts_together)
{
	struct counter counter = {mutex_new(), cond_new(), 0};
	struct thread *threads[4];

	for (int i = 0; i < 4; i++)
		CHECK_INT(thread_start("adds", add_many, &counter, &threads[i]), STATUS_OK);
	mutex_lock(counter.mutex);
	while (counter.count < 40000)
		cond_wait(counter.changed, counter.mutex);
	mutex_unlock(counter.mutex);
	for (int i = 0; i < 4; i++)
		thread_join(threads[i]);
	thread_join(NULL);
	cond_free(counter.changed);
	mutex_free(counter.mutex);
	cond_free(NULL);
	mutex_free(NULL);
}

TEST(unit__cond__wait_ends_after_its_time)
{
	struct mutex *mutex = mutex_new();
	struct cond *cond = cond_new();
	bool woken = true;

	mutex_lock(mutex);
	/* It may wake without reason, but not for ever. */
	for (int i = 0; i < 1000 && woken; i++)
		woken = cond_wait_ms(cond, mutex, 1);
	mutex_unlock(mutex);
	CHECK(!woken);
	cond_free(cond);
	mutex_free(mutex);
}

TEST(unit__thread__knows_a_number_of_processors)
{
	CHECK(thread_cpu_count() >= 1 && thread_cpu_count() < 100000);
}

TEST(unit__clock__goes_forward)
{
	uint64_t last = clock_mono_ns();

	CHECK(clock_unix_ms() > INT64_C(1600000000000));
	for (int i = 0; i < 10000; i++) {
		uint64_t now = clock_mono_ns();

		CHECK(now >= last);
		last = now;
	}
	clock_sleep_ms(2);
	CHECK(clock_mono_ns() > last);
}

TEST(unit__random__does_not_repeat)
{
	unsigned char bytes[1000] = {0};
	int zeros = 0;

	CHECK(random_u64() != random_u64());
	random_bytes(bytes, 0);
	random_bytes(bytes, sizeof bytes);
	for (size_t i = 0; i < sizeof bytes; i++)
		zeros += bytes[i] == 0;
	CHECK(zeros < 100);
}

UNIT_MAIN(CASE(unit__thread__counts_together), CASE(unit__cond__wait_ends_after_its_time),
    CASE(unit__thread__knows_a_number_of_processors), CASE(unit__clock__goes_forward),
    CASE(unit__random__does_not_repeat))
