/*
 * SHA-256's compression (FIPS 180-4, 6.2.2) with the SHA instructions of x86-64. Nothing here may
 * be called on a processor without them, SSSE3 and SSE4.1. Time depends on nothing; no part of the
 * block or the state is left in memory.
 */
#ifndef CONFAB_CRYPTO_SHA256_X86_H
#define CONFAB_CRYPTO_SHA256_X86_H

#include <stdint.h>

void sha256_x86_block(uint32_t state[8], const unsigned char block[64]);

#endif
