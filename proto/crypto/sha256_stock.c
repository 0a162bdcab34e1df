/*
 * mbedTLS's sha256.c, unmodified, with its functions renamed by the preprocessor. The configuration
 * comes first and is not read again, so that here, and here only, the library is without
 * MBEDTLS_SHA256_PROCESS_ALT. Compiled as a part of mbedTLS, not with our warnings.
 */
#include <mbedtls/build_info.h>

#undef MBEDTLS_SHA256_PROCESS_ALT

#define mbedtls_internal_sha256_process sha256_stock_process
#define mbedtls_sha256_init sha256_stock_init
#define mbedtls_sha256_free sha256_stock_free
#define mbedtls_sha256_clone sha256_stock_clone
#define mbedtls_sha256_starts sha256_stock_starts
#define mbedtls_sha256_update sha256_stock_update
#define mbedtls_sha256_finish sha256_stock_finish
#define mbedtls_sha256 sha256_stock

#include <sha256.c>

#include "crypto/sha256_stock.h"
