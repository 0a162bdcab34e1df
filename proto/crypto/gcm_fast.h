/*
 * Which AES-GCM runs behind mbedTLS's functions: gcm_x86.c where the processor can, mbedTLS's own
 * (gcm_stock.c) elsewhere. Chosen when a context gets its key. For tests and measurements; the
 * programs need nothing of it.
 */
#ifndef CONFAB_CRYPTO_GCM_FAST_H
#define CONFAB_CRYPTO_GCM_FAST_H

#include <stdbool.h>

/* Whether this processor has what gcm_x86.c needs. Thread: any. */
bool gcm_fast_is_supported(void);

/* Whether it has what gcm_vaes.c needs, too. Thread: any. */
bool gcm_fast_is_wide(void);

/*
 * Lets contexts that get their key from now on use it (the state at the start) or not. Where the
 * processor cannot, none ever does. Thread: any.
 */
void gcm_fast_allow(bool allowed);
void gcm_fast_allow_wide(bool allowed); /* likewise gcm_vaes.c */

#endif
