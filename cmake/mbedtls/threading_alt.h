/*
 * The mutex of mbedTLS on Windows: a slim reader/writer lock (used exclusively), which needs no
 * clean-up and is several times faster than winpthreads. The four functions are installed by
 * proto/net/tls_threads_win.c before anything else of mbedTLS is called.
 */
#ifndef CONFAB_THREADING_ALT_H
#define CONFAB_THREADING_ALT_H

typedef struct mbedtls_threading_mutex_t {
	void *srwlock; /* an SRWLOCK is one pointer, and all zero when free */
} mbedtls_threading_mutex_t;

#endif
