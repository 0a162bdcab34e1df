/*
 * Arithmetic modulo P-256's prime and modulo its order: numbers of four limbs, the lowest first, in
 * Montgomery's form (a stands for a / 2^256), below the modulus. As many steps, and the same
 * addresses, for every number. In a header, so that the numbers of a modulus become a part of the
 * code. Pure; any thread.
 */
#ifndef CONFAB_CRYPTO_P256_LIMBS_H
#define CONFAB_CRYPTO_P256_LIMBS_H

#include <stdint.h>

#define P256_LIMBS 4

__extension__ typedef unsigned __int128 uint128;

enum p256_modulus { P256_FIELD, P256_ORDER };

struct p256_numbers {
	uint64_t n[P256_LIMBS];      /* prime */
	uint64_t inverse;            /* -1/n modulo 2^64 */
	uint64_t one[P256_LIMBS];    /* 2^256 mod n: 1 in Montgomery's form */
	uint64_t square[P256_LIMBS]; /* 2^512 mod n: brings into that form */
};

/* FIPS 186-4, D.1.2.3; the other numbers follow from them. */
static const struct p256_numbers p256_numbers[] = {
    [P256_FIELD] =
        {
            .n = {0xffffffffffffffff, 0x00000000ffffffff, 0, 0xffffffff00000001},
            .inverse = 1,
            .one = {1, 0xffffffff00000000, 0xffffffffffffffff, 0x00000000fffffffe},
            .square = {3, 0xfffffffbffffffff, 0xfffffffffffffffe, 0x00000004fffffffd},
        },
    [P256_ORDER] =
        {
            .n = {0xf3b9cac2fc632551, 0xbce6faada7179e84, 0xffffffffffffffff, 0xffffffff00000000},
            .inverse = 0xccd1c8aaee00bc4f,
            .one = {0x0c46353d039cdaaf, 0x4319055258e8617b, 0, 0x00000000ffffffff},
            .square = {0x83244c95be79eea2, 0x4699799c49bd6fa6, 0x2845b2392b6bec59,
                0x66e12d94f3d95620},
        },
};

/* t - n where t, of five limbs, is n or more, else t: below n, since t is below 2n. The choice is a
 * mask, whose making the compiler is not to look through. */
static inline void p256_num_reduce(
    uint64_t ret[P256_LIMBS], const uint64_t t[P256_LIMBS + 1], const struct p256_numbers *m)
{
	uint64_t less[P256_LIMBS], borrow = 0, keep;

	for (int i = 0; i < P256_LIMBS; i++) {
		uint128 difference = (uint128)t[i] - m->n[i] - borrow;

		less[i] = (uint64_t)difference;
		borrow = (uint64_t)(difference >> 64) & 1;
	}
	keep = 0 - (borrow & (t[P256_LIMBS] ^ 1)); /* the fifth limb is 0 or 1 */
	__asm__("" : "+r"(keep));
	for (int i = 0; i < P256_LIMBS; i++)
		ret[i] = (t[i] & keep) | (less[i] & ~keep);
}

static inline void p256_num_add(uint64_t ret[P256_LIMBS], const uint64_t a[P256_LIMBS],
    const uint64_t b[P256_LIMBS], const struct p256_numbers *m)
{
	uint64_t sum[P256_LIMBS + 1], carry = 0;

	for (int i = 0; i < P256_LIMBS; i++) {
		uint128 limb = (uint128)a[i] + b[i] + carry;

		sum[i] = (uint64_t)limb;
		carry = (uint64_t)(limb >> 64);
	}
	sum[P256_LIMBS] = carry;
	p256_num_reduce(ret, sum, m);
}

static inline void p256_num_sub(uint64_t ret[P256_LIMBS], const uint64_t a[P256_LIMBS],
    const uint64_t b[P256_LIMBS], const struct p256_numbers *m)
{
	uint64_t difference[P256_LIMBS], borrow = 0, carry = 0, mask;

	for (int i = 0; i < P256_LIMBS; i++) {
		uint128 limb = (uint128)a[i] - b[i] - borrow;

		difference[i] = (uint64_t)limb;
		borrow = (uint64_t)(limb >> 64) & 1;
	}
	/* Below zero the modulus is added. */
	mask = 0 - borrow;
	__asm__("" : "+r"(mask));
	for (int i = 0; i < P256_LIMBS; i++) {
		uint128 limb = (uint128)difference[i] + (m->n[i] & mask) + carry;

		ret[i] = (uint64_t)limb;
		carry = (uint64_t)(limb >> 64);
	}
}

/* a * b / 2^256 modulo n, limb by limb (Montgomery); `a` below 2^256, `b` below n. */
static inline void p256_num_mul(uint64_t ret[P256_LIMBS], const uint64_t a[P256_LIMBS],
    const uint64_t b[P256_LIMBS], const struct p256_numbers *m)
{
	uint64_t t[P256_LIMBS + 1] = {0};

	for (int i = 0; i < P256_LIMBS; i++) {
		uint128 sum = 0;
		uint64_t top, factor;

		for (int j = 0; j < P256_LIMBS; j++) {
			sum = (uint128)a[j] * b[i] + t[j] + (uint64_t)(sum >> 64);
			t[j] = (uint64_t)sum;
		}
		sum = (sum >> 64) + t[P256_LIMBS];
		t[P256_LIMBS] = (uint64_t)sum;
		top = (uint64_t)(sum >> 64);

		/* Adding this many times n makes the lowest limb 0, which is shifted out. */
		factor = t[0] * m->inverse;
		sum = (uint128)factor * m->n[0] + t[0];
		for (int j = 1; j < P256_LIMBS; j++) {
			sum = (uint128)factor * m->n[j] + t[j] + (uint64_t)(sum >> 64);
			t[j - 1] = (uint64_t)sum;
		}
		sum = (sum >> 64) + t[P256_LIMBS];
		t[P256_LIMBS - 1] = (uint64_t)sum;
		t[P256_LIMBS] = top + (uint64_t)(sum >> 64);
	}
	p256_num_reduce(ret, t, m);
}

#endif
