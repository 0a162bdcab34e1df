#include "os/thread.h"

#include <stdlib.h>
#include <uv.h>

#include "base/str.h"
#include "os/log.h"
#include "os/thread_platform.h"

struct mutex {
	uv_mutex_t uv;
};

struct cond {
	uv_cond_t uv;
};

struct thread {
	uv_thread_t uv;
};

struct start {
	void (*fn)(void *arg);
	void *arg;
	char name[16];
};

static void *need(void *ptr, int code)
{
	if (ptr == NULL || code != 0) {
		log_error("thread", "out of memory for a lock");
		abort();
	}
	return ptr;
}

struct mutex *mutex_new(void)
{
	struct mutex *mutex = need(malloc(sizeof *mutex), 0);

	return need(mutex, uv_mutex_init(&mutex->uv));
}

void mutex_free(struct mutex *mutex)
{
	if (mutex != NULL)
		uv_mutex_destroy(&mutex->uv);
	free(mutex);
}

void mutex_lock(struct mutex *mutex)
{
	uv_mutex_lock(&mutex->uv);
}

void mutex_unlock(struct mutex *mutex)
{
	uv_mutex_unlock(&mutex->uv);
}

struct cond *cond_new(void)
{
	struct cond *cond = need(malloc(sizeof *cond), 0);

	return need(cond, uv_cond_init(&cond->uv));
}

void cond_free(struct cond *cond)
{
	if (cond != NULL)
		uv_cond_destroy(&cond->uv);
	free(cond);
}

void cond_wait(struct cond *cond, struct mutex *mutex)
{
	uv_cond_wait(&cond->uv, &mutex->uv);
}

bool cond_wait_ms(struct cond *cond, struct mutex *mutex, uint64_t timeout_ms)
{
	/* The systems keep the time in fewer bits than we do (Windows: milliseconds in 32), so a
	 * long wait ends after a day as a waking without reason, which callers expect anyway. */
	const uint64_t day_ms = UINT64_C(86400000);
	bool cut = timeout_ms > day_ms;
	int code = uv_cond_timedwait(
	    &cond->uv, &mutex->uv, (cut ? day_ms : timeout_ms) * UINT64_C(1000000));

	return code == 0 || cut;
}

void cond_wake_all(struct cond *cond)
{
	uv_cond_broadcast(&cond->uv);
}

/* A copy of what the thread needs, because a detached one has nobody to free it but itself. */
static void run(void *arg)
{
	struct start *start = arg, own = *start;

	free(start);
	thread_platform_set_name(own.name);
	own.fn(own.arg);
}

enum status thread_start(const char *name, void (*fn)(void *arg), void *arg, struct thread **ret)
{
	struct thread *thread = malloc(sizeof *thread);
	struct start *start = malloc(sizeof *start);

	if (thread == NULL || start == NULL)
		goto fail;
	start->fn = fn;
	start->arg = arg;
	str_copy(start->name, sizeof start->name, slice_of(name));
	if (uv_thread_create(&thread->uv, run, start) != 0)
		goto fail;
	*ret = thread;
	return STATUS_OK;
fail:
	free(start);
	free(thread);
	return STATUS_NOMEM;
}

void thread_join(struct thread *thread)
{
	if (thread != NULL)
		uv_thread_join(&thread->uv);
	free(thread);
}

void thread_detach(struct thread *thread)
{
	if (thread != NULL)
		thread_platform_detach(thread->uv);
	free(thread);
}

void thread_yield(void)
{
	thread_platform_yield();
}

unsigned thread_cpu_count(void)
{
	unsigned count = uv_available_parallelism();
	unsigned quota = thread_platform_cpu_quota();

	if (quota > 0 && quota < count)
		count = quota;
	return count > 0 ? count : 1;
}
