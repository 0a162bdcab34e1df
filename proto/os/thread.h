/*
 * Threads, mutexes and condition variables, thin over libuv's, so that nothing above sees its
 * headers. A mutex is not recursive. Failing to create one is a lack of memory and ends the
 * process, as nothing could go on.
 */
#ifndef CONFAB_OS_THREAD_H
#define CONFAB_OS_THREAD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

struct mutex;
struct cond;
struct thread;

struct mutex *mutex_new(void);
void mutex_free(struct mutex *mutex);
void mutex_lock(struct mutex *mutex);
void mutex_unlock(struct mutex *mutex);

struct cond *cond_new(void);
void cond_free(struct cond *cond);
/* Waits with `mutex` held; may wake without reason, so callers check their condition in a loop. */
void cond_wait(struct cond *cond, struct mutex *mutex);
/* False when `timeout_ms` passed first. */
bool cond_wait_ms(struct cond *cond, struct mutex *mutex, uint64_t timeout_ms);
void cond_wake_all(struct cond *cond);

/* Starts `fn(arg)`; `name` is at most 15 bytes and shows in debuggers. NOMEM if it cannot. */
enum status thread_start(const char *name, void (*fn)(void *arg), void *arg, struct thread **ret);
/* Waits for its end and frees it; NULL is harmless. */
void thread_join(struct thread *thread);
/* Instead of joining it: the thread ends by itself, whenever that is. */
void thread_detach(struct thread *thread);

/* Lets others run that wait for this processor; returns at once if there are none. */
void thread_yield(void);

/* How many processors this process may use, at least 1 (affinity and cgroup limits counted). */
unsigned thread_cpu_count(void);

#endif
