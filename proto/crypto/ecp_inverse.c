#define MBEDTLS_ALLOW_PRIVATE_ACCESS
#include "crypto/ecp_inverse.h"

#include <stdatomic.h>
#include <string.h>

#include <mbedtls/platform_util.h>

#define LIMBS 4
#define WINDOW 4 /* bits of the exponent that are taken at once */

_Static_assert(sizeof(mbedtls_mpi_uint) == sizeof(uint64_t), "limbs of 64 bits");

__extension__ typedef unsigned __int128 uint128;

/* Declared in a header that only the library itself sees. */
int mbedtls_mpi_gcd_modinv_odd(
    mbedtls_mpi *g, mbedtls_mpi *i, const mbedtls_mpi *a, const mbedtls_mpi *n);

struct modulus {
	uint64_t n[LIMBS];     /* prime */
	uint64_t inverse;      /* -1/n modulo 2^64 */
	uint64_t one[LIMBS];   /* 2^256 mod n: 1 in Montgomery's form */
	uint64_t square[LIMBS]; /* 2^512 mod n: brings into that form */
};

/* FIPS 186-4, D.1.2.3; the other numbers follow from them. */
static const struct modulus moduli[] = {
    [ECP_INVERSE_FIELD] = {
	.n = {0xffffffffffffffff, 0x00000000ffffffff, 0, 0xffffffff00000001},
	.inverse = 1,
	.one = {1, 0xffffffff00000000, 0xffffffffffffffff, 0x00000000fffffffe},
	.square = {3, 0xfffffffbffffffff, 0xfffffffffffffffe, 0x00000004fffffffd},
    },
    [ECP_INVERSE_ORDER] = {
	.n = {0xf3b9cac2fc632551, 0xbce6faada7179e84, 0xffffffffffffffff, 0xffffffff00000000},
	.inverse = 0xccd1c8aaee00bc4f,
	.one = {0x0c46353d039cdaaf, 0x4319055258e8617b, 0, 0x00000000ffffffff},
	.square = {0x83244c95be79eea2, 0x4699799c49bd6fa6, 0x2845b2392b6bec59, 0x66e12d94f3d95620},
    },
};

static atomic_bool is_allowed = true;

void ecp_inverse_allow(bool allowed)
{
	atomic_store_explicit(&is_allowed, allowed, memory_order_relaxed);
}

/* t - n where t, of five limbs, is n or more, else t: below n, since t is below 2n. The choice is a
 * mask, whose making the compiler is not to look through. */
static void reduce(uint64_t ret[LIMBS], const uint64_t t[LIMBS + 1], const uint64_t n[LIMBS])
{
	uint64_t less[LIMBS], borrow = 0, keep;

	for (int i = 0; i < LIMBS; i++) {
		uint128 difference = (uint128)t[i] - n[i] - borrow;

		less[i] = (uint64_t)difference;
		borrow = (uint64_t)(difference >> 64) & 1;
	}
	keep = 0 - (borrow & (t[LIMBS] ^ 1)); /* the fifth limb is 0 or 1 */
	__asm__("" : "+r"(keep));
	for (int i = 0; i < LIMBS; i++)
		ret[i] = (t[i] & keep) | (less[i] & ~keep);
}

/* a * b / 2^256 modulo n, limb by limb (Montgomery); `a` below 2^256, `b` below n. */
static void multiply(uint64_t ret[LIMBS], const uint64_t a[LIMBS], const uint64_t b[LIMBS],
    const struct modulus *m)
{
	uint64_t t[LIMBS + 1] = {0};

	for (int i = 0; i < LIMBS; i++) {
		uint128 sum = 0;
		uint64_t top, factor;

		for (int j = 0; j < LIMBS; j++) {
			sum = (uint128)a[j] * b[i] + t[j] + (uint64_t)(sum >> 64);
			t[j] = (uint64_t)sum;
		}
		sum = (sum >> 64) + t[LIMBS];
		t[LIMBS] = (uint64_t)sum;
		top = (uint64_t)(sum >> 64);

		/* Adding this many times n makes the lowest limb 0, which is shifted out. */
		factor = t[0] * m->inverse;
		sum = (uint128)factor * m->n[0] + t[0];
		for (int j = 1; j < LIMBS; j++) {
			sum = (uint128)factor * m->n[j] + t[j] + (uint64_t)(sum >> 64);
			t[j - 1] = (uint64_t)sum;
		}
		sum = (sum >> 64) + t[LIMBS];
		t[LIMBS - 1] = (uint64_t)sum;
		t[LIMBS] = top + (uint64_t)(sum >> 64);
	}
	reduce(ret, t, m->n);
}

/* Bits 4i to 4i + 3 of n - 2. Both moduli end in a limb that is larger than 1. */
static unsigned exponent_digit(const struct modulus *m, int i)
{
	uint64_t limb = m->n[i * WINDOW / 64] - (i * WINDOW < 64 ? 2 : 0);

	return (unsigned)(limb >> (i * WINDOW % 64)) & ((1 << WINDOW) - 1);
}

/* The exponent is public, so which power is taken tells nothing. */
void ecp_inverse_p256(enum ecp_inverse_modulus modulus, const uint64_t a[4], uint64_t ret[4])
{
	static const uint64_t plain_one[LIMBS] = {1, 0, 0, 0};
	const struct modulus *m = &moduli[modulus];
	uint64_t power[1 << WINDOW][LIMBS], x[LIMBS];

	memcpy(power[0], m->one, sizeof power[0]);
	multiply(power[1], a, m->square, m);
	for (int i = 2; i < 1 << WINDOW; i++)
		multiply(power[i], power[i - 1], power[1], m);
	memcpy(x, m->one, sizeof x);
	for (int i = 256 / WINDOW - 1; i >= 0; i--) {
		for (int j = 0; j < WINDOW; j++)
			multiply(x, x, x, m);
		multiply(x, x, power[exponent_digit(m, i)], m);
	}
	multiply(ret, x, plain_one, m);
	mbedtls_platform_zeroize(power, sizeof power);
	mbedtls_platform_zeroize(x, sizeof x);
}

/* Is a * b = 1? In Montgomery's form: a * (b * 2^256) / 2^256. */
static bool is_inverse(const uint64_t a[LIMBS], const uint64_t b[LIMBS], const struct modulus *m)
{
	uint64_t x[LIMBS], wrong;

	multiply(x, b, m->square, m);
	multiply(x, a, x, m);
	wrong = x[0] ^ 1;
	for (int i = 1; i < LIMBS; i++)
		wrong |= x[i];
	mbedtls_platform_zeroize(x, sizeof x);
	return wrong == 0;
}

static bool find_modulus(const mbedtls_mpi *n, enum ecp_inverse_modulus *ret)
{
	if (n->n != LIMBS)
		return false;
	for (unsigned i = 0; i < sizeof moduli / sizeof *moduli; i++) {
		if (memcmp(n->p, moduli[i].n, sizeof moduli[i].n) == 0) {
			*ret = (enum ecp_inverse_modulus)i;
			return true;
		}
	}
	return false;
}

int ecp_inverse(mbedtls_mpi *g, mbedtls_mpi *i, const mbedtls_mpi *a, const mbedtls_mpi *n)
{
	uint64_t from[LIMBS] = {0}, to[LIMBS];
	enum ecp_inverse_modulus modulus;
	int ret;

	if (g != NULL || i == NULL || i == n || a == n || a->s < 0 || !find_modulus(n, &modulus) ||
	    mbedtls_mpi_cmp_mpi(a, n) > 0 ||
	    !atomic_load_explicit(&is_allowed, memory_order_relaxed))
		return mbedtls_mpi_gcd_modinv_odd(g, i, a, n);
	/* Above n's length there can be only zeros. */
	if (a->p != NULL)
		memcpy(from, a->p, (a->n < LIMBS ? a->n : LIMBS) * sizeof from[0]);
	ecp_inverse_p256(modulus, from, to);
	if (!is_inverse(from, to, &moduli[modulus])) {
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
