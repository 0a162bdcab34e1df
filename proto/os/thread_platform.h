/*
 * What thread.c needs from the system and libuv does not give: only for thread*.c.
 */
#ifndef CONFAB_OS_THREAD_PLATFORM_H
#define CONFAB_OS_THREAD_PLATFORM_H

#include <uv.h>

/* Leaves a thread to itself. */
void thread_platform_detach(uv_thread_t thread);

/* Gives the calling thread its name; nothing happens if the system has none. */
void thread_platform_set_name(const char *name);

/* Behind those that are ready to run. */
void thread_platform_yield(void);

/* The processors that a quota on processor time is worth, rounded up; 0 without a quota. */
unsigned thread_platform_cpu_quota(void);

#endif
