/*
 * Random bytes from the operating system. Any thread.
 */
#ifndef CONFAB_OS_RANDOM_H
#define CONFAB_OS_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/* Never fails: a system without random numbers ends the process with a message. */
void random_bytes(void *to, size_t len);

static inline uint64_t random_u64(void)
{
	uint64_t value;

	random_bytes(&value, sizeof value);
	return value;
}

#endif
