/*
 * The two sides of stopping, between program.c and the file for the system: only for program*.c.
 */
#ifndef CONFAB_OS_PROGRAM_PLATFORM_H
#define CONFAB_OS_PROGRAM_PLATFORM_H

#include <stdbool.h>
#include <stdint.h>

/* Begins to turn the system's ways of ending a process into stop_request, and ends that. */
void stop_platform_install(void);
void stop_platform_release(void);

/* Of program.c: waits for stop_done, false when `timeout_ms` passed first. */
bool stop_wait_done(uint64_t timeout_ms);

#endif
