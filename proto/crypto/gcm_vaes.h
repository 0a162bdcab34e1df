/*
 * The long middle of gcm_x86.c's work on processors that have AVX2, VAES and VPCLMULQDQ as well: two
 * blocks in each register, so that every instruction does twice as much. Nothing here may be called
 * on a processor without them. Time depends on lengths only, never on keys or data.
 */
#ifndef CONFAB_CRYPTO_GCM_VAES_H
#define CONFAB_CRYPTO_GCM_VAES_H

#include <stddef.h>

struct gcm_x86;

#define GCM_VAES_LEAST 256 /* bytes from which on it is faster */

/* Encrypts or decrypts so many groups of eight blocks, 1 or more, and takes counter and hash along;
 * the text so far ends with a block. out as for gcm_x86_crypt. */
void gcm_vaes_crypt(
    struct gcm_x86 *g, const unsigned char *in, unsigned char *out, size_t groups);

#endif
