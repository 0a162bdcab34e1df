/*
 * Inversions modulo P-256's prime and order: ours beside mbedTLS's own, at the edges and at random;
 * refusals alike; no branch and no address that depends on the number (under valgrind); and
 * signatures made with it, which the library verifies without.
 */
#define MBEDTLS_ALLOW_PRIVATE_ACCESS
#include <stdbool.h>
#include <stdint.h>

#include <mbedtls/ecdsa.h>
#include <mbedtls/ecp.h>

#include "crypto/ecp_inverse.h"
#include "tests/unit/crypto/secrets.h"
#include "tests/unit/unit.h"

static mbedtls_ecp_group group;

static const mbedtls_mpi *modulus_of(int which)
{
	if (group.id == MBEDTLS_ECP_DP_NONE) {
		mbedtls_ecp_group_init(&group);
		CHECK(mbedtls_ecp_group_load(&group, MBEDTLS_ECP_DP_SECP256R1) == 0);
	}
	return which == P256_FIELD ? &group.P : &group.N;
}

/* Both ways have to give the same, code and number. */
static void compare(const mbedtls_mpi *a, const mbedtls_mpi *n)
{
	mbedtls_mpi ours, stock;
	int ours_code, stock_code;

	mbedtls_mpi_init(&ours);
	mbedtls_mpi_init(&stock);
	ecp_inverse_allow(true);
	ours_code = ecp_inverse(NULL, &ours, a, n);
	ecp_inverse_allow(false);
	stock_code = ecp_inverse(NULL, &stock, a, n);
	ecp_inverse_allow(true);
	CHECK_INT(ours_code, stock_code);
	CHECK(ours_code != 0 || mbedtls_mpi_cmp_mpi(&ours, &stock) == 0);
	mbedtls_mpi_free(&ours);
	mbedtls_mpi_free(&stock);
}

TEST(unit__compare__inverse_at_the_edges)
{
	for (int which = 0; which < 2; which++) {
		const mbedtls_mpi *n = modulus_of(which);
		mbedtls_mpi a;

		mbedtls_mpi_init(&a);
		compare(&a, n); /* 0, without a limb */
		for (int i = -2; i <= 300; i++) {
			CHECK(mbedtls_mpi_lset(&a, i) == 0);
			compare(&a, n);
			CHECK(mbedtls_mpi_add_int(&a, n, -i) == 0);
			compare(&a, n);
		}
		for (unsigned bit = 0; bit < 256; bit++) {
			CHECK(mbedtls_mpi_lset(&a, 1) == 0);
			CHECK(mbedtls_mpi_shift_l(&a, bit) == 0);
			compare(&a, n);
			CHECK(mbedtls_mpi_sub_mpi(&a, n, &a) == 0);
			compare(&a, n);
		}
		mbedtls_mpi_free(&a);
	}
}

TEST(unit__compare__inverse_at_random)
{
	struct rng rng = {1};

	for (int i = 0; i < 4000; i++) {
		const mbedtls_mpi *n = modulus_of(i % 2);
		mbedtls_mpi a;

		mbedtls_mpi_init(&a);
		CHECK(mbedtls_mpi_fill_random(&a, 1 + rng_next(&rng) % 32, random_bytes, &rng) == 0);
		/* Numbers may have more limbs than they need, and be their own result. */
		CHECK(mbedtls_mpi_grow(&a, 4 + i % 3) == 0);
		compare(&a, n);
		if (mbedtls_mpi_cmp_int(&a, 0) > 0 && mbedtls_mpi_cmp_mpi(&a, n) < 0) {
			mbedtls_mpi twice;

			mbedtls_mpi_init(&twice);
			CHECK(mbedtls_mpi_copy(&twice, &a) == 0);
			CHECK(ecp_inverse(NULL, &twice, &twice, n) == 0);
			CHECK(ecp_inverse(NULL, &twice, &twice, n) == 0);
			CHECK(mbedtls_mpi_cmp_mpi(&twice, &a) == 0);
			mbedtls_mpi_free(&twice);
		}
		mbedtls_mpi_free(&a);
	}
}

/* Other moduli, and the questions that only the library's own function answers. */
TEST(unit__compare__inverse_of_what_is_not_p256)
{
	struct rng rng = {2};
	mbedtls_ecp_group other;
	mbedtls_mpi a, g, i;

	mbedtls_ecp_group_init(&other);
	mbedtls_mpi_init(&a);
	mbedtls_mpi_init(&g);
	mbedtls_mpi_init(&i);
	CHECK(mbedtls_ecp_group_load(&other, MBEDTLS_ECP_DP_SECP384R1) == 0);
	for (int round = 0; round < 20; round++) {
		CHECK(mbedtls_mpi_fill_random(&a, 32, random_bytes, &rng) == 0);
		compare(&a, &other.P);
		compare(&a, &other.N);
	}
	CHECK(mbedtls_mpi_lset(&a, 12345) == 0);
	CHECK(ecp_inverse(&g, &i, &a, modulus_of(0)) == 0);
	CHECK(mbedtls_mpi_cmp_int(&g, 1) == 0);
	CHECK(ecp_inverse(&g, NULL, &a, modulus_of(0)) == 0);
	CHECK(mbedtls_mpi_cmp_int(&g, 1) == 0);
	mbedtls_mpi_free(&a);
	mbedtls_mpi_free(&g);
	mbedtls_mpi_free(&i);
	mbedtls_ecp_group_free(&other);
}

TEST(unit__hide__number_from_inverse_timing)
{
	struct rng rng = {3};

	for (int i = 0; i < 6; i++) {
		uint64_t a[4], inverse[4], again[4];

		for (int j = 0; j < 4; j++)
			a[j] = rng_next(&rng) >> (j == 3);
		VALGRIND_MAKE_MEM_UNDEFINED(a, sizeof a);
		ecp_inverse_p256((enum p256_modulus)(i % 2), a, inverse);
		ecp_inverse_p256((enum p256_modulus)(i % 2), inverse, again);
		VALGRIND_MAKE_MEM_DEFINED(a, sizeof a);
		VALGRIND_MAKE_MEM_DEFINED(again, sizeof again);
		CHECK(memcmp(a, again, sizeof a) == 0);
	}
}

TEST(unit__sign__with_the_fast_inverse)
{
	struct rng rng = {4};
	unsigned char hash[32];
	mbedtls_ecp_point public;
	mbedtls_mpi secret, r, s;

	modulus_of(0);
	mbedtls_ecp_point_init(&public);
	mbedtls_mpi_init(&secret);
	mbedtls_mpi_init(&r);
	mbedtls_mpi_init(&s);
	for (int i = 0; i < 20; i++) {
		random_bytes(&rng, hash, sizeof hash);
		ecp_inverse_allow(i % 3 != 0);
		CHECK(mbedtls_ecp_gen_keypair(&group, &secret, &public, random_bytes, &rng) == 0);
		CHECK(mbedtls_ecdsa_sign(&group, &r, &s, &secret, hash, sizeof hash, random_bytes,
			  &rng) == 0);
		ecp_inverse_allow(i % 2 == 0);
		CHECK(mbedtls_ecdsa_verify(&group, hash, sizeof hash, &public, &r, &s) == 0);
		hash[i] ^= 1;
		CHECK(mbedtls_ecdsa_verify(&group, hash, sizeof hash, &public, &r, &s) != 0);
	}
	mbedtls_ecp_point_free(&public);
	mbedtls_mpi_free(&secret);
	mbedtls_mpi_free(&r);
	mbedtls_mpi_free(&s);
}

UNIT_MAIN(CASE(unit__compare__inverse_at_the_edges), CASE(unit__compare__inverse_at_random),
    CASE(unit__compare__inverse_of_what_is_not_p256), CASE(unit__hide__number_from_inverse_timing),
    CASE(unit__sign__with_the_fast_inverse))
