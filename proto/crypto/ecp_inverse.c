#define MBEDTLS_ALLOW_PRIVATE_ACCESS
#include "crypto/ecp_inverse.h"

#include <stdatomic.h>
#include <string.h>

#include <mbedtls/platform_util.h>

#define LIMBS P256_LIMBS
#define WINDOW 4 /* bits of the exponent that are taken at once */

_Static_assert(sizeof(mbedtls_mpi_uint) == sizeof(uint64_t), "limbs of 64 bits");

/* Declared in a header that only the library itself sees. */
int mbedtls_mpi_gcd_modinv_odd(
    mbedtls_mpi *g, mbedtls_mpi *i, const mbedtls_mpi *a, const mbedtls_mpi *n);

static atomic_bool is_allowed = true;

void ecp_inverse_allow(bool allowed)
{
	atomic_store_explicit(&is_allowed, allowed, memory_order_relaxed);
}

/* Bits 4i to 4i + 3 of n - 2. Both moduli end in a limb that is larger than 1. */
static unsigned exponent_digit(const struct p256_numbers *m, int i)
{
	uint64_t limb = m->n[i * WINDOW / 64] - (i * WINDOW < 64 ? 2 : 0);

	return (unsigned)(limb >> (i * WINDOW % 64)) & ((1 << WINDOW) - 1);
}

/* The exponent is public, so which power is taken tells nothing. */
void ecp_inverse_p256(enum p256_modulus modulus, const uint64_t a[4], uint64_t ret[4])
{
	static const uint64_t plain_one[LIMBS] = {1, 0, 0, 0};
	const struct p256_numbers *m = &p256_numbers[modulus];
	uint64_t power[1 << WINDOW][LIMBS], x[LIMBS];

	memcpy(power[0], m->one, sizeof power[0]);
	p256_num_mul(power[1], a, m->square, m);
	for (int i = 2; i < 1 << WINDOW; i++)
		p256_num_mul(power[i], power[i - 1], power[1], m);
	memcpy(x, m->one, sizeof x);
	for (int i = 256 / WINDOW - 1; i >= 0; i--) {
		for (int j = 0; j < WINDOW; j++)
			p256_num_mul(x, x, x, m);
		p256_num_mul(x, x, power[exponent_digit(m, i)], m);
	}
	p256_num_mul(ret, x, plain_one, m);
	mbedtls_platform_zeroize(power, sizeof power);
	mbedtls_platform_zeroize(x, sizeof x);
}

/* Is a * b = 1? In Montgomery's form: a * (b * 2^256) / 2^256. */
static bool is_inverse(
    const uint64_t a[LIMBS], const uint64_t b[LIMBS], const struct p256_numbers *m)
{
	uint64_t x[LIMBS], wrong;

	p256_num_mul(x, b, m->square, m);
	p256_num_mul(x, a, x, m);
	wrong = x[0] ^ 1;
	for (int i = 1; i < LIMBS; i++)
		wrong |= x[i];
	mbedtls_platform_zeroize(x, sizeof x);
	return wrong == 0;
}

static bool find_modulus(const mbedtls_mpi *n, enum p256_modulus *ret)
{
	if (n->n != LIMBS)
		return false;
	for (unsigned i = 0; i < sizeof p256_numbers / sizeof *p256_numbers; i++) {
		if (memcmp(n->p, p256_numbers[i].n, sizeof p256_numbers[i].n) == 0) {
			*ret = (enum p256_modulus)i;
			return true;
		}
	}
	return false;
}

int ecp_inverse(mbedtls_mpi *g, mbedtls_mpi *i, const mbedtls_mpi *a, const mbedtls_mpi *n)
{
	uint64_t from[LIMBS] = {0}, to[LIMBS];
	enum p256_modulus modulus;
	int ret;

	if (g != NULL || i == NULL || i == n || a == n || a->s < 0 || !find_modulus(n, &modulus) ||
	    mbedtls_mpi_cmp_mpi(a, n) > 0 ||
	    !atomic_load_explicit(&is_allowed, memory_order_relaxed))
		return mbedtls_mpi_gcd_modinv_odd(g, i, a, n);
	/* Above n's length there can be only zeros. */
	if (a->p != NULL)
		memcpy(from, a->p, (a->n < LIMBS ? a->n : LIMBS) * sizeof from[0]);
	ecp_inverse_p256(modulus, from, to);
	if (!is_inverse(from, to, &p256_numbers[modulus])) {
		ret = mbedtls_mpi_gcd_modinv_odd(g, i, a, n);
	} else if ((ret = mbedtls_mpi_grow(i, LIMBS)) == 0) {
		memset(i->p, 0, i->n * sizeof i->p[0]);
		memcpy(i->p, to, sizeof to);
		i->s = 1;
	}
	mbedtls_platform_zeroize(from, sizeof from);
	mbedtls_platform_zeroize(to, sizeof to);
	return ret;
}
