/*
 * AES-GCM with the instructions of x86-64 (AES-NI, PCLMULQDQ, SSSE3, SSE4.1), eight blocks at a
 * time: NIST SP 800-38D without its checks, which gcm_fast.c makes before it calls. Nothing here
 * may be called on a processor without them. Time depends on lengths only, never on keys or data;
 * what is secret stays in the context, which the caller wipes.
 */
#ifndef CONFAB_CRYPTO_GCM_X86_H
#define CONFAB_CRYPTO_GCM_X86_H

#include <stdbool.h>
#include <stddef.h>

struct gcm_x86; /* cmake/mbedtls/gcm_alt.h */

/* bits is 128, 192 or 256; is_wide: the processor has what gcm_vaes.h needs, too. */
void gcm_x86_setkey(struct gcm_x86 *g, const unsigned char *key, unsigned bits, bool is_wide);

/* A new message; iv_len is not 0. mode as in <mbedtls/gcm.h>. */
void gcm_x86_start(struct gcm_x86 *g, int mode, const unsigned char *iv, size_t iv_len);

/* Additional data, in pieces of any lengths, all before the text. */
void gcm_x86_add(struct gcm_x86 *g, const unsigned char *ad, size_t len);

/*
 * Text, in pieces of any lengths but 0: as many bytes out as in. out may be in, or anywhere before
 * it; behind it only where the two do not overlap.
 */
void gcm_x86_crypt(struct gcm_x86 *g, const unsigned char *in, unsigned char *out, size_t len);

/* The first len bytes, 1 to 16, of the tag of all that was given. Ends the message. */
void gcm_x86_tag(struct gcm_x86 *g, unsigned char *tag, size_t len);

#endif
