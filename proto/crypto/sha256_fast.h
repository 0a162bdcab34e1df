/*
 * Which SHA-256 runs behind mbedTLS's functions: sha256_x86.c where the processor has the
 * instructions for it, mbedTLS's own (sha256_stock.c) elsewhere. Chosen block by block; both work
 * on the same state. For tests and measurements; the programs need nothing of it.
 */
#ifndef CONFAB_CRYPTO_SHA256_FAST_H
#define CONFAB_CRYPTO_SHA256_FAST_H

#include <stdbool.h>

/* Whether this processor has what sha256_x86.c needs. Thread: any. */
bool sha256_fast_is_supported(void);

/* Lets it be used from now on (the state at the start) or not. Where the processor cannot, it never
 * is. Thread: any. */
void sha256_fast_allow(bool allowed);

#endif
