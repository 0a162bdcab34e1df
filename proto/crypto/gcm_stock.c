/*
 * mbedTLS's gcm.c, unmodified, with its context and its functions renamed by the preprocessor.
 * The configuration comes first and is not read again, so that here, and here only, the library
 * is without MBEDTLS_GCM_ALT. Compiled as a part of mbedTLS, not with our warnings.
 */
#include <mbedtls/build_info.h>

#undef MBEDTLS_GCM_ALT

#define mbedtls_gcm_context gcm_stock_context
#define mbedtls_gcm_init gcm_stock_init
#define mbedtls_gcm_setkey gcm_stock_setkey
#define mbedtls_gcm_starts gcm_stock_starts
#define mbedtls_gcm_update_ad gcm_stock_update_ad
#define mbedtls_gcm_update gcm_stock_update
#define mbedtls_gcm_finish gcm_stock_finish
#define mbedtls_gcm_crypt_and_tag gcm_stock_crypt_and_tag
#define mbedtls_gcm_auth_decrypt gcm_stock_auth_decrypt
#define mbedtls_gcm_free gcm_stock_free

#include <gcm.c>

#include "crypto/gcm_stock.h"
/* For the room that our context gives to this one. */
#undef mbedtls_gcm_context
#define mbedtls_gcm_context gcm_room
#include "gcm_alt.h"

_Static_assert(sizeof(gcm_stock_context) <= sizeof(((struct gcm_room *)0)->u.stock),
    "gcm_alt.h leaves too little room for the context of mbedTLS's own GCM");
_Static_assert(_Alignof(gcm_stock_context) <= _Alignof(uint64_t),
    "the context of mbedTLS's own GCM needs more than the alignment it gets");
