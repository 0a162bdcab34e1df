#include "os/program.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <uv.h>

#include "os/clock.h"
#include "os/log.h"
#include "os/program_platform.h"
#include "os/thread.h"

enum program_exit program_exit_of(enum status status)
{
	switch (status) {
	case STATUS_OK:
		return EXIT_DONE;
	case STATUS_USAGE:
		return EXIT_USAGE;
	case STATUS_AUTH:
		return EXIT_AUTH;
	case STATUS_TLS:
	case STATUS_TLS_VERIFY:
	case STATUS_NOT_TLS:
		return EXIT_TLS;
	case STATUS_REFUSED:
		return EXIT_REFUSED;
	case STATUS_NOT_FOUND:
		return EXIT_NOT_FOUND;
	case STATUS_TIMEOUT:
		return EXIT_TIMEOUT;
	case STATUS_RESOLVE:
	case STATUS_CONN_REFUSED:
	case STATUS_UNREACHABLE:
	case STATUS_RESET:
	case STATUS_TRUNCATED:
	case STATUS_CLOSED:
	case STATUS_EOF:
		return EXIT_LOST;
	default:
		return EXIT_OTHER;
	}
}

char *program_env(const char *name)
{
	size_t size = 256;
	char *value = NULL;
	int code = UV_ENOBUFS;

	/* Somebody may set a longer one between two looks. */
	while (code == UV_ENOBUFS) {
		char *larger = realloc(value, size);

		if (larger == NULL)
			break;
		value = larger;
		code = uv_os_getenv(name, value, &size);
	}
	if (code == 0)
		return value;
	free(value);
	return NULL;
}

/* `requested` may be asked from anywhere at any time; the rest is guarded by the mutex, which
 * stop_install makes before there are other threads. */
static atomic_bool requested;
static struct {
	struct mutex *mutex;
	struct cond *changed;
	bool done;
	struct thread *watcher;
	enum { WATCH_NONE, WATCH_WAITS, WATCH_CALLS, WATCH_ENDED } watch;
	void (*fn)(void *arg);
	void *arg;
} stop;

void stop_install(void)
{
	stop.mutex = mutex_new();
	stop.changed = cond_new();
	stop_platform_install();
}

bool stop_requested(void)
{
	return atomic_load(&requested);
}

void stop_request(void)
{
	atomic_store(&requested, true);
	if (stop.mutex == NULL)
		return;
	mutex_lock(stop.mutex);
	cond_wake_all(stop.changed);
	mutex_unlock(stop.mutex);
}

static _Thread_local bool is_watcher;

/* A thread of its own, so that `fn` may block while further signals are still heard. */
static void watch(void *arg)
{
	bool call;

	(void)arg;
	mutex_lock(stop.mutex);
	while (!stop_requested() && !stop.done)
		cond_wait(stop.changed, stop.mutex);
	call = stop_requested() && !stop.done;
	stop.watch = call ? WATCH_CALLS : WATCH_ENDED;
	cond_wake_all(stop.changed);
	mutex_unlock(stop.mutex);
	if (call) {
		is_watcher = true;
		stop.fn(stop.arg);
		mutex_lock(stop.mutex);
		stop.watch = WATCH_ENDED;
		cond_wake_all(stop.changed);
		mutex_unlock(stop.mutex);
	}
}

void stop_watch(void (*fn)(void *arg), void *arg)
{
	assert(stop.mutex != NULL && stop.watch == WATCH_NONE);
	stop.fn = fn;
	stop.arg = arg;
	stop.watch = WATCH_WAITS;
	if (thread_start("stop", watch, NULL, &stop.watcher) != STATUS_OK) {
		log_error("program", "out of memory for a thread");
		abort();
	}
}

/* So that nothing is left running when main returns. An `fn` that still blocks after a second is
 * left alone: it may wait for something that its caller does later, and it may be the caller. */
static bool wait_watch_ended(void)
{
	uint64_t now = clock_mono_ms(), end = now + 1000;

	while (stop.watch == WATCH_WAITS)
		cond_wait(stop.changed, stop.mutex);
	while (stop.watch == WATCH_CALLS && !is_watcher && now < end) {
		cond_wait_ms(stop.changed, stop.mutex, end - now);
		now = clock_mono_ms();
	}
	return stop.watch == WATCH_ENDED;
}

void stop_done(void)
{
	bool ended;

	if (stop.mutex == NULL)
		return;
	mutex_lock(stop.mutex);
	stop.done = true;
	cond_wake_all(stop.changed);
	ended = wait_watch_ended();
	mutex_unlock(stop.mutex);
	if (ended) {
		thread_join(stop.watcher);
		stop.watcher = NULL;
	}
	stop_platform_release();
}

bool stop_wait_done(uint64_t timeout_ms)
{
	uint64_t now = clock_mono_ms(), end = now + timeout_ms;
	bool done;

	mutex_lock(stop.mutex);
	while (!stop.done && now < end) {
		cond_wait_ms(stop.changed, stop.mutex, end - now);
		now = clock_mono_ms();
	}
	done = stop.done;
	mutex_unlock(stop.mutex);
	return done;
}
