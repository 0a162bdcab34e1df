/*
 * For tests of code that has secrets: memory that valgrind takes for undefined, so that it tells of
 * every branch and address that depends on it, and random numbers as mbedTLS asks for them.
 */
#ifndef CONFAB_TESTS_CRYPTO_SECRETS_H
#define CONFAB_TESTS_CRYPTO_SECRETS_H

#ifdef HAVE_VALGRIND_H
#include <valgrind/memcheck.h>
#else
#define VALGRIND_MAKE_MEM_UNDEFINED(at, len) ((void)(at), (void)(len))
#define VALGRIND_MAKE_MEM_DEFINED(at, len) ((void)(at), (void)(len))
#endif

#include "base/rng.h"

/* Its first argument is a struct rng. */
static inline int random_bytes(void *arg, unsigned char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		bytes[i] = (unsigned char)rng_next(arg);
	return 0;
}

#endif
