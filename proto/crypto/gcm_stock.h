/*
 * mbedTLS's own GCM under other names: what runs where the processor lacks the instructions of
 * gcm_x86.c, and what the tests compare it with. gcm_stock.c compiles mbedTLS's source as it is;
 * the functions are those of <mbedtls/gcm.h>, with its contracts and its error codes.
 */
#ifndef CONFAB_CRYPTO_GCM_STOCK_H
#define CONFAB_CRYPTO_GCM_STOCK_H

#include <stddef.h>

#include <mbedtls/cipher.h>

struct gcm_stock_context;

void gcm_stock_init(struct gcm_stock_context *ctx);
int gcm_stock_setkey(struct gcm_stock_context *ctx, mbedtls_cipher_id_t cipher,
    const unsigned char *key, unsigned keybits);
int gcm_stock_starts(
    struct gcm_stock_context *ctx, int mode, const unsigned char *iv, size_t iv_len);
int gcm_stock_update_ad(struct gcm_stock_context *ctx, const unsigned char *ad, size_t ad_len);
int gcm_stock_update(struct gcm_stock_context *ctx, const unsigned char *in, size_t in_len,
    unsigned char *out, size_t out_size, size_t *ret_out_len);
int gcm_stock_finish(struct gcm_stock_context *ctx, unsigned char *out, size_t out_size,
    size_t *ret_out_len, unsigned char *tag, size_t tag_len);
int gcm_stock_crypt_and_tag(struct gcm_stock_context *ctx, int mode, size_t len,
    const unsigned char *iv, size_t iv_len, const unsigned char *ad, size_t ad_len,
    const unsigned char *in, unsigned char *out, size_t tag_len, unsigned char *tag);
int gcm_stock_auth_decrypt(struct gcm_stock_context *ctx, size_t len, const unsigned char *iv,
    size_t iv_len, const unsigned char *ad, size_t ad_len, const unsigned char *tag, size_t tag_len,
    const unsigned char *in, unsigned char *out);
void gcm_stock_free(struct gcm_stock_context *ctx);

#endif
