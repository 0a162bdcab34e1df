#include "net/tls_private.h"

#include <mbedtls/threading.h>
#include <windows.h>

/* The struct of cmake/mbedtls/threading_alt.h holds a void *, so that no header of ours drags
 * windows.h in; an SRWLOCK is documented to be exactly one pointer. */
_Static_assert(sizeof(SRWLOCK) == sizeof(void *), "an SRWLOCK is a pointer");

static SRWLOCK *lock_of(mbedtls_threading_mutex_t *mutex)
{
	return (SRWLOCK *)&mutex->srwlock;
}

static void mutex_init(mbedtls_threading_mutex_t *mutex)
{
	InitializeSRWLock(lock_of(mutex));
}

/* A slim lock holds nothing to give back. */
static void mutex_free(mbedtls_threading_mutex_t *mutex)
{
	(void)mutex;
}

static int mutex_lock(mbedtls_threading_mutex_t *mutex)
{
	AcquireSRWLockExclusive(lock_of(mutex));
	return 0;
}

static int mutex_unlock(mbedtls_threading_mutex_t *mutex)
{
	ReleaseSRWLockExclusive(lock_of(mutex));
	return 0;
}

void tls_threads_startup(void)
{
	mbedtls_threading_set_alt(mutex_init, mutex_free, mutex_lock, mutex_unlock);
}

void tls_threads_cleanup(void)
{
	mbedtls_threading_free_alt();
}
