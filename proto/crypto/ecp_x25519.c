#define MBEDTLS_ALLOW_PRIVATE_ACCESS
#include "crypto/ecp_x25519.h"

#include <stdatomic.h>

#include <everest/x25519.h>
#include <mbedtls/platform_util.h>

#define LEN MBEDTLS_X25519_KEY_SIZE_BYTES

static atomic_bool is_allowed = true;

void ecp_x25519_allow(bool allowed)
{
	atomic_store_explicit(&is_allowed, allowed, memory_order_relaxed);
}

/* X25519 ignores bit 255 of a coordinate, which the generic code takes for a part of the number. */
bool ecp_x25519_can(const mbedtls_ecp_group *grp, const mbedtls_ecp_point *p)
{
	return grp->id == MBEDTLS_ECP_DP_CURVE25519 && mbedtls_mpi_bitlen(&p->X) <= 255 &&
	       atomic_load_explicit(&is_allowed, memory_order_relaxed);
}

int ecp_x25519_mul(mbedtls_ecp_point *r, const mbedtls_mpi *m, const mbedtls_ecp_point *p,
    int (*f_rng)(void *, unsigned char *, size_t), void *p_rng)
{
	mbedtls_x25519_context ctx;
	unsigned char product[LEN];
	size_t len;
	int ret;

	mbedtls_x25519_init(&ctx);
	if ((ret = mbedtls_mpi_write_binary_le(m, ctx.our_secret, LEN)) != 0 ||
	    (ret = mbedtls_mpi_write_binary_le(&p->X, ctx.peer_point, LEN)) != 0 ||
	    (ret = mbedtls_x25519_calc_secret(&ctx, &len, product, LEN, f_rng, p_rng)) != 0 ||
	    (ret = mbedtls_mpi_read_binary_le(&r->X, product, LEN)) != 0 ||
	    (ret = mbedtls_mpi_lset(&r->Z, 1)) != 0)
		goto out;
	/* How a point on a curve of this form is told. */
	mbedtls_mpi_free(&r->Y);
out:
	mbedtls_x25519_free(&ctx);
	mbedtls_platform_zeroize(product, sizeof product);
	return ret;
}
