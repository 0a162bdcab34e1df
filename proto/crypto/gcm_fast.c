#include "crypto/gcm_fast.h"

#ifdef CONFAB_WIDE_GCM
#include <cpuid.h>
#endif
#include <stdatomic.h>
#include <string.h>

#include <mbedtls/constant_time.h>
#include <mbedtls/gcm.h>
#include <mbedtls/platform_util.h>

#include "crypto/gcm_stock.h"
#include "crypto/gcm_x86.h"

/* SP 800-38D, 5.2.1.1: additional data and IV below 2^64 bits, text up to 2^39 - 256 bits. */
#define LEN_BITS_MAX 61
#define TEXT_LEN_MAX 0xfffffffe0ull

static atomic_bool is_allowed = true, is_wide_allowed = true;

static struct gcm_stock_context *stock_of(mbedtls_gcm_context *ctx)
{
	return (struct gcm_stock_context *)(void *)ctx->u.stock;
}

bool gcm_fast_is_supported(void)
{
	return __builtin_cpu_supports("aes") && __builtin_cpu_supports("pclmul") &&
	       __builtin_cpu_supports("ssse3") && __builtin_cpu_supports("sse4.1");
}

#ifdef CONFAB_WIDE_GCM
/* CPUID, leaf 7: VAES and VPCLMULQDQ, which not every compiler here has a name for. */
static bool has_wide_instructions(void)
{
	unsigned a, b, c, d;

	return __builtin_cpu_supports("avx2") && __get_cpuid_count(7, 0, &a, &b, &c, &d) &&
	       (c & 1u << 9) != 0 && (c & 1u << 10) != 0;
}

bool gcm_fast_is_wide(void)
{
	/* Asked once: a virtual machine's host answers it, which takes a while. */
	static atomic_int known; /* 0: not yet, 1: no, 2: yes */
	int answer = atomic_load_explicit(&known, memory_order_relaxed);

	if (answer == 0) {
		answer = gcm_fast_is_supported() && has_wide_instructions() ? 2 : 1;
		atomic_store_explicit(&known, answer, memory_order_relaxed);
	}
	return answer == 2;
}
#else
bool gcm_fast_is_wide(void)
{
	return false;
}
#endif

void gcm_fast_allow(bool allowed)
{
	atomic_store_explicit(&is_allowed, allowed, memory_order_relaxed);
}

void gcm_fast_allow_wide(bool allowed)
{
	atomic_store_explicit(&is_wide_allowed, allowed, memory_order_relaxed);
}

void mbedtls_gcm_init(mbedtls_gcm_context *ctx)
{
	memset(ctx, 0, sizeof *ctx);
	gcm_stock_init(stock_of(ctx));
}

/* Forgets the key; what remains is as after init. */
static void forget(mbedtls_gcm_context *ctx)
{
	if (!ctx->is_x86)
		gcm_stock_free(stock_of(ctx));
	mbedtls_platform_zeroize(ctx, sizeof *ctx);
	gcm_stock_init(stock_of(ctx));
}

int mbedtls_gcm_setkey(mbedtls_gcm_context *ctx, mbedtls_cipher_id_t cipher,
    const unsigned char *key, unsigned keybits)
{
	if (keybits != 128 && keybits != 192 && keybits != 256)
		return MBEDTLS_ERR_GCM_BAD_INPUT;
	if (cipher == MBEDTLS_CIPHER_ID_AES && gcm_fast_is_supported() &&
	    atomic_load_explicit(&is_allowed, memory_order_relaxed)) {
		forget(ctx);
		ctx->is_x86 = 1;
		gcm_x86_setkey(&ctx->u.x86, key, keybits,
		    gcm_fast_is_wide() &&
			atomic_load_explicit(&is_wide_allowed, memory_order_relaxed));
		return 0;
	}
	if (ctx->is_x86)
		forget(ctx);
	return gcm_stock_setkey(stock_of(ctx), cipher, key, keybits);
}

int mbedtls_gcm_starts(mbedtls_gcm_context *ctx, int mode, const unsigned char *iv, size_t iv_len)
{
	if (!ctx->is_x86)
		return gcm_stock_starts(stock_of(ctx), mode, iv, iv_len);
	if (iv_len == 0 || (uint64_t)iv_len >> LEN_BITS_MAX != 0)
		return MBEDTLS_ERR_GCM_BAD_INPUT;
	gcm_x86_start(&ctx->u.x86, mode, iv, iv_len);
	return 0;
}

int mbedtls_gcm_update_ad(mbedtls_gcm_context *ctx, const unsigned char *add, size_t add_len)
{
	struct gcm_x86 *g = &ctx->u.x86;

	if (!ctx->is_x86)
		return gcm_stock_update_ad(stock_of(ctx), add, add_len);
	if (g->ad_len + add_len < add_len || (g->ad_len + add_len) >> LEN_BITS_MAX != 0)
		return MBEDTLS_ERR_GCM_BAD_INPUT;
	if (add_len != 0)
		gcm_x86_add(g, add, add_len);
	return 0;
}

int mbedtls_gcm_update(mbedtls_gcm_context *ctx, const unsigned char *input, size_t input_length,
    unsigned char *output, size_t output_size, size_t *output_length)
{
	struct gcm_x86 *g = &ctx->u.x86;

	if (!ctx->is_x86)
		return gcm_stock_update(
		    stock_of(ctx), input, input_length, output, output_size, output_length);
	if (output_size < input_length)
		return MBEDTLS_ERR_GCM_BUFFER_TOO_SMALL;
	*output_length = input_length;
	if (input_length == 0)
		return 0;
	if (output > input && (size_t)(output - input) < input_length)
		return MBEDTLS_ERR_GCM_BAD_INPUT;
	if (g->len + input_length < g->len || g->len + input_length > TEXT_LEN_MAX)
		return MBEDTLS_ERR_GCM_BAD_INPUT;
	gcm_x86_crypt(g, input, output, input_length);
	return 0;
}

int mbedtls_gcm_finish(mbedtls_gcm_context *ctx, unsigned char *output, size_t output_size,
    size_t *output_length, unsigned char *tag, size_t tag_len)
{
	if (!ctx->is_x86)
		return gcm_stock_finish(
		    stock_of(ctx), output, output_size, output_length, tag, tag_len);
	/* All output left with the update that it belongs to. */
	*output_length = 0;
	if (tag_len < 4 || tag_len > 16)
		return MBEDTLS_ERR_GCM_BAD_INPUT;
	gcm_x86_tag(&ctx->u.x86, tag, tag_len);
	return 0;
}

int mbedtls_gcm_crypt_and_tag(mbedtls_gcm_context *ctx, int mode, size_t length,
    const unsigned char *iv, size_t iv_len, const unsigned char *add, size_t add_len,
    const unsigned char *input, unsigned char *output, size_t tag_len, unsigned char *tag)
{
	size_t out_len;
	int ret = mbedtls_gcm_starts(ctx, mode, iv, iv_len);

	if (ret == 0)
		ret = mbedtls_gcm_update_ad(ctx, add, add_len);
	if (ret == 0)
		ret = mbedtls_gcm_update(ctx, input, length, output, length, &out_len);
	if (ret == 0)
		ret = mbedtls_gcm_finish(ctx, NULL, 0, &out_len, tag, tag_len);
	return ret;
}

int mbedtls_gcm_auth_decrypt(mbedtls_gcm_context *ctx, size_t length, const unsigned char *iv,
    size_t iv_len, const unsigned char *add, size_t add_len, const unsigned char *tag,
    size_t tag_len, const unsigned char *input, unsigned char *output)
{
	unsigned char wanted[16];
	int ret = mbedtls_gcm_crypt_and_tag(ctx, MBEDTLS_GCM_DECRYPT, length, iv, iv_len, add,
	    add_len, input, output, tag_len, wanted);

	if (ret == 0 && mbedtls_ct_memcmp(tag, wanted, tag_len) != 0) {
		/* The right tag of a forged text is nothing to leave on the stack. */
		mbedtls_platform_zeroize(wanted, sizeof wanted);
		mbedtls_platform_zeroize(output, length);
		ret = MBEDTLS_ERR_GCM_AUTH_FAILED;
	}
	return ret;
}

void mbedtls_gcm_free(mbedtls_gcm_context *ctx)
{
	if (ctx == NULL)
		return;
	if (!ctx->is_x86)
		gcm_stock_free(stock_of(ctx));
	mbedtls_platform_zeroize(ctx, sizeof *ctx);
}
