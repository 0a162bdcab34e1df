#include "net/tls_private.h"

/* mbedTLS is built with MBEDTLS_THREADING_PTHREAD here and needs no help. */
void tls_threads_startup(void)
{
}

void tls_threads_cleanup(void)
{
}
