/*
 * How long locks are held and waited for: a library to be loaded in front of a program
 * (LD_PRELOAD), so that the program itself carries nothing of it. It takes the place of the C
 * library's mutex functions, and at the end of the program writes a line a mutex into the file
 * named by LOCK_WATCH, those held longest in all first:
 *
 *   locks contended hold_ns_all hold_p50 hold_p99 hold_max wait_p99 wait_max     (ns)
 *
 * The two looks at the clock, some 25 ns each, are part of what it shows. Linux with glibc.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <dlfcn.h>

#define MUTEXES 4096 /* a power of two */
#define CELLS 256    /* of a histogram: four to each power of two */

struct watched {
	_Atomic(pthread_mutex_t *) mutex;
	/* Written by whoever holds the mutex. */
	uint64_t since, locks, contended, held;
	uint64_t hold_max, wait_max;
	uint32_t hold[CELLS], wait[CELLS];
};

static struct watched watched[MUTEXES];

static int (*real_lock)(pthread_mutex_t *), (*real_try)(pthread_mutex_t *);
static int (*real_unlock)(pthread_mutex_t *);
static int (*real_wait)(pthread_cond_t *, pthread_mutex_t *);
static int (*real_timedwait)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
static _Atomic bool is_ready;

static void *find_real(const char *name)
{
	void *found = dlsym(RTLD_NEXT, name);

	if (found == NULL)
		abort();
	return found;
}

__attribute__((constructor)) static void start(void)
{
	*(void **)&real_lock = find_real("pthread_mutex_lock");
	*(void **)&real_try = find_real("pthread_mutex_trylock");
	*(void **)&real_unlock = find_real("pthread_mutex_unlock");
	*(void **)&real_wait = find_real("pthread_cond_wait");
	*(void **)&real_timedwait = find_real("pthread_cond_timedwait");
	atomic_store(&is_ready, true);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* NULL: too many mutexes. Memory that is freed and used for another mutex counts as the same. */
static struct watched *find(pthread_mutex_t *mutex)
{
	size_t at = ((uintptr_t)mutex >> 3) * 0x9E3779B97F4A7C15u >> 52;

	for (size_t i = 0; i < MUTEXES; i++) {
		struct watched *w = &watched[(at + i) & (MUTEXES - 1)];
		pthread_mutex_t *there = NULL;

		if (atomic_load(&w->mutex) == mutex ||
		    atomic_compare_exchange_strong(&w->mutex, &there, mutex) || there == mutex)
			return w;
	}
	return NULL;
}

static unsigned cell_of(uint64_t ns)
{
	unsigned power;

	if (ns < 4)
		return (unsigned)ns;
	power = 63 - (unsigned)__builtin_clzll(ns);
	return power * 4 + (unsigned)(ns >> (power - 2) & 3);
}

static uint64_t value_of(unsigned cell)
{
	return cell < 8 ? cell : (uint64_t)(4 + (cell & 3)) << (cell / 4 - 2);
}

static void count(uint32_t *cells, uint64_t *max, uint64_t ns)
{
	cells[cell_of(ns)]++;
	if (ns > *max)
		*max = ns;
}

static void taken(pthread_mutex_t *mutex, uint64_t waited)
{
	struct watched *w = find(mutex);

	if (w == NULL)
		return;
	w->locks++;
	w->contended += waited > 0;
	count(w->wait, &w->wait_max, waited);
	w->since = now_ns();
}

static void given_back(pthread_mutex_t *mutex)
{
	struct watched *w = find(mutex);
	uint64_t held;

	if (w == NULL || w->since == 0)
		return;
	held = now_ns() - w->since;
	w->since = 0;
	w->held += held;
	count(w->hold, &w->hold_max, held);
}

int pthread_mutex_lock(pthread_mutex_t *mutex)
{
	uint64_t began;
	int code;

	if (!atomic_load(&is_ready))
		start();
	code = real_try(mutex);
	if (code == 0) {
		taken(mutex, 0);
		return 0;
	}
	if (code != EBUSY)
		return real_lock(mutex);
	began = now_ns();
	code = real_lock(mutex);
	if (code == 0)
		taken(mutex, now_ns() - began);
	return code;
}

int pthread_mutex_unlock(pthread_mutex_t *mutex)
{
	if (!atomic_load(&is_ready))
		start();
	given_back(mutex);
	return real_unlock(mutex);
}

/* Whoever waits for a condition does not hold the mutex. */
int pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex)
{
	int code;

	given_back(mutex);
	code = real_wait(cond, mutex);
	taken(mutex, 0);
	return code;
}

int pthread_cond_timedwait(
    pthread_cond_t *cond, pthread_mutex_t *mutex, const struct timespec *until)
{
	int code;

	given_back(mutex);
	code = real_timedwait(cond, mutex, until);
	taken(mutex, 0);
	return code;
}

static uint64_t at_share(const uint32_t *cells, double share)
{
	uint64_t sum = 0, seen = 0;

	for (unsigned i = 0; i < CELLS; i++)
		sum += cells[i];
	for (unsigned i = 0; i < CELLS; i++) {
		seen += cells[i];
		if (seen > 0 && (double)seen >= share * (double)sum)
			return value_of(i);
	}
	return 0;
}

static int by_held(const void *a, const void *b)
{
	const struct watched *x = a, *y = b;

	return (x->held < y->held) - (x->held > y->held);
}

__attribute__((destructor)) static void report(void)
{
	const char *path = getenv("LOCK_WATCH");
	FILE *file = path != NULL ? fopen(path, "w") : NULL;

	if (file == NULL)
		return;
	qsort(watched, MUTEXES, sizeof *watched, by_held);
	for (int i = 0; i < 8 && watched[i].locks > 0; i++) {
		const struct watched *w = &watched[i];

		fprintf(file, "%llu %llu %llu %llu %llu %llu %llu %llu\n",
		    (unsigned long long)w->locks, (unsigned long long)w->contended,
		    (unsigned long long)w->held, (unsigned long long)at_share(w->hold, 0.5),
		    (unsigned long long)at_share(w->hold, 0.99), (unsigned long long)w->hold_max,
		    (unsigned long long)at_share(w->wait, 0.99), (unsigned long long)w->wait_max);
	}
	fclose(file);
}
