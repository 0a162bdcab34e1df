/*
 * Curve25519 by way of mbedtls_ecp_mul, the function that TLS 1.3 ends in: the vectors of RFC 7748,
 * and Everest's code beside mbedTLS's generic one, which have to agree on results and refusals.
 */
#define MBEDTLS_ALLOW_PRIVATE_ACCESS
#include <stdbool.h>
#include <stdint.h>

#include <mbedtls/ecp.h>

#include "base/rng.h"
#include "crypto/ecp_x25519.h"
#include "tests/unit/unit.h"

#define LEN 32

static int random_bytes(void *arg, unsigned char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		bytes[i] = (unsigned char)rng_next(arg);
	return 0;
}

/*
 * scalar·u as mbedTLS has it, with 0 or its error. The scalar's bits are set as X25519 does if
 * `clamped`; bit 255 of u is taken as it is.
 */
static int multiply(const unsigned char scalar[LEN], const unsigned char u[LEN], bool clamped,
    unsigned char ret_product[LEN])
{
	unsigned char bits[LEN];
	struct rng rng = {1};
	mbedtls_ecp_group grp;
	mbedtls_ecp_point p;
	mbedtls_mpi m;
	int ret;

	memcpy(bits, scalar, LEN);
	if (clamped) {
		bits[0] &= 0xf8;
		bits[31] = (bits[31] & 0x7f) | 0x40;
	}
	mbedtls_ecp_group_init(&grp);
	mbedtls_ecp_point_init(&p);
	mbedtls_mpi_init(&m);
	CHECK_INT(mbedtls_ecp_group_load(&grp, MBEDTLS_ECP_DP_CURVE25519), 0);
	CHECK_INT(mbedtls_mpi_read_binary_le(&m, bits, LEN), 0);
	CHECK_INT(mbedtls_mpi_read_binary_le(&p.X, u, LEN), 0);
	CHECK_INT(mbedtls_mpi_lset(&p.Z, 1), 0);
	/* Into the operand itself, which has to be allowed. */
	ret = mbedtls_ecp_mul(&grp, &p, &m, &p, random_bytes, &rng);
	if (ret == 0) {
		CHECK_INT(mbedtls_mpi_cmp_int(&p.Z, 1), 0);
		CHECK_INT(mbedtls_mpi_write_binary_le(&p.X, ret_product, LEN), 0);
	}
	CHECK(mbedtls_ecp_mul(&grp, &p, &m, &p, NULL, NULL) != 0);
	mbedtls_mpi_free(&m);
	mbedtls_ecp_point_free(&p);
	mbedtls_ecp_group_free(&grp);
	return ret;
}

static void read_hex(const char *hex, unsigned char bytes[LEN])
{
	CHECK_INT(strlen(hex), 2 * LEN);
	for (size_t i = 0; i < LEN; i++) {
		char pair[3] = {hex[2 * i], hex[2 * i + 1], '\0'};
		bytes[i] = (unsigned char)strtoul(pair, NULL, 16);
	}
}

static void check_product(const char *scalar_hex, const char *u_hex, const char *want_hex)
{
	unsigned char scalar[LEN], u[LEN], want[LEN], product[LEN];

	read_hex(scalar_hex, scalar);
	read_hex(u_hex, u);
	read_hex(want_hex, want);
	u[31] &= 0x7f;
	for (int allowed = 1; allowed >= 0; allowed--) {
		ecp_x25519_allow(allowed);
		CHECK_INT(multiply(scalar, u, true, product), 0);
		CHECK(memcmp(product, want, LEN) == 0);
	}
}

/* RFC 7748, 5.2 and 6.1. */
TEST(unit__compute__rfc_7748_products)
{
	check_product("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
	    "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
	    "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552");
	check_product("4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
	    "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493",
	    "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957");
	check_product("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb",
	    "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a",
	    "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
	check_product("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb",
	    "0900000000000000000000000000000000000000000000000000000000000000",
	    "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f");
}

/* RFC 7748, 5.2: a thousand times, the product becoming the scalar, and the scalar the coordinate.
 */
TEST(unit__compute__rfc_7748_iterations)
{
	unsigned char scalar[LEN] = {9}, u[LEN] = {9}, product[LEN], want[LEN];

	for (int i = 1; i <= 1000; i++) {
		CHECK_INT(multiply(scalar, u, true, product), 0);
		memcpy(u, scalar, LEN);
		u[31] &= 0x7f;
		memcpy(scalar, product, LEN);
		if (i == 1) {
			read_hex("422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079",
			    want);
			CHECK(memcmp(product, want, LEN) == 0);
		}
	}
	read_hex("684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51", want);
	CHECK(memcmp(product, want, LEN) == 0);
}

static void check_agreement(
    const unsigned char scalar[LEN], const unsigned char u[LEN], bool clamped)
{
	unsigned char ours[LEN] = {0}, generic[LEN] = {0};

	ecp_x25519_allow(true);
	int ret = multiply(scalar, u, clamped, ours);
	ecp_x25519_allow(false);
	CHECK_INT(multiply(scalar, u, clamped, generic), ret);
	ecp_x25519_allow(true);
	CHECK(memcmp(ours, generic, LEN) == 0);
}

TEST(unit__compare__x25519_with_the_generic_code)
{
	struct rng rng = {7748};
	unsigned char scalar[LEN], u[LEN];

	for (int i = 0; i < 400; i++) {
		random_bytes(&rng, scalar, LEN);
		random_bytes(&rng, u, LEN);
		/* Half with bit 255, which is none of X25519's; some scalars that are refused. */
		check_agreement(scalar, u, i % 8 != 0);
	}
}

/* Coordinates about 0, p, 2^255 - 1 and 2p: small orders, and numbers that are not reduced. */
TEST(unit__compare__x25519_of_odd_coordinates)
{
	struct rng rng = {19};
	unsigned char scalar[LEN], u[LEN];

	random_bytes(&rng, scalar, LEN);
	for (int i = 0; i < 64; i++) {
		memset(u, 0, LEN);
		u[0] = (unsigned char)i;
		check_agreement(scalar, u, true);
		memset(u, 0xff, LEN);
		u[0] = (unsigned char)(0xc0 + i);
		check_agreement(scalar, u, true);
		u[31] = 0x7f;
		check_agreement(scalar, u, true);
	}
}

UNIT_MAIN(CASE(unit__compute__rfc_7748_products), CASE(unit__compute__rfc_7748_iterations),
    CASE(unit__compare__x25519_with_the_generic_code),
    CASE(unit__compare__x25519_of_odd_coordinates))
