/*
 * How long to wait before the next try to connect: a random part of a bound that doubles from
 * 500 ms to 60 s ("full jitter"), so that the clients of a server that was restarted do not come
 * back all at once. Pure; the random numbers are the caller's.
 */
#ifndef CONFAB_LIB_BACKOFF_H
#define CONFAB_LIB_BACKOFF_H

#include <stdint.h>

#include "base/rng.h"

#define BACKOFF_FIRST_MS 500
#define BACKOFF_MAX_MS 60000

/* The bound for the wait after `failures` failed tries in a row (0: the first try again). */
uint64_t backoff_bound_ms(unsigned failures);

/* From 0 to that bound, both included. */
uint64_t backoff_delay_ms(unsigned failures, struct rng *rng);

#endif
