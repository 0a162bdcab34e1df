/*
 * mbedTLS's own SHA-256 under other names: what runs where the processor lacks the instructions of
 * sha256_x86.c, and what the tests compare it with. sha256_stock.c compiles mbedTLS's source as it
 * is.
 */
#ifndef CONFAB_CRYPTO_SHA256_STOCK_H
#define CONFAB_CRYPTO_SHA256_STOCK_H

#include <mbedtls/sha256.h>

/* One block; 0. */
int sha256_stock_process(mbedtls_sha256_context *ctx, const unsigned char data[64]);

#endif
