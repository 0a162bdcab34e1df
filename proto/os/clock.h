/*
 * The two clocks. Any thread.
 */
#ifndef CONFAB_OS_CLOCK_H
#define CONFAB_OS_CLOCK_H

#include <stdint.h>

/* Milliseconds since 1970-01-01T00:00:00Z; may jump when somebody sets the clock. */
int64_t clock_unix_ms(void);

/* Nanoseconds since some point; never goes back. */
uint64_t clock_mono_ns(void);

static inline uint64_t clock_mono_ms(void)
{
	return clock_mono_ns() / 1000000;
}

void clock_sleep_ms(unsigned ms);

#endif
