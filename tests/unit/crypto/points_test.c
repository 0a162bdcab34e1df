/*
 * Points of P-256: multiples by our doubling and adding beside mbedTLS's own, at the edges and at
 * random; the sums that are no sums; a known signature; and no branch and no address that depends
 * on a coordinate (under valgrind).
 */
#define MBEDTLS_ALLOW_PRIVATE_ACCESS
#include <mbedtls/ecdsa.h>
#include <mbedtls/ecp.h>
#include <mbedtls/sha256.h>

#include "crypto/ecp_points.h"
#include "tests/unit/crypto/secrets.h"
#include "tests/unit/unit.h"

static mbedtls_ecp_group group;

static void begin(void)
{
	mbedtls_ecp_group_init(&group);
	CHECK(mbedtls_ecp_group_load(&group, MBEDTLS_ECP_DP_SECP256R1) == 0);
}

static void random_scalar(mbedtls_mpi *ret, struct rng *rng)
{
	CHECK(mbedtls_ecp_gen_privkey(&group, ret, random_bytes, rng) == 0);
}

/* Both ways have to give the same multiple, which is a point of the curve. */
static void compare(const mbedtls_mpi *m, const mbedtls_ecp_point *p, struct rng *rng)
{
	mbedtls_ecp_point ours, stock;

	mbedtls_ecp_point_init(&ours);
	mbedtls_ecp_point_init(&stock);
	ecp_points_allow(true);
	CHECK(mbedtls_ecp_mul(&group, &ours, m, p, random_bytes, rng) == 0);
	ecp_points_allow(false);
	CHECK(mbedtls_ecp_mul(&group, &stock, m, p, random_bytes, rng) == 0);
	ecp_points_allow(true);
	CHECK(mbedtls_ecp_point_cmp(&ours, &stock) == 0);
	CHECK(mbedtls_ecp_check_pubkey(&group, &ours) == 0);
	mbedtls_ecp_point_free(&ours);
	mbedtls_ecp_point_free(&stock);
}

TEST(unit__compare__multiples_at_the_edges)
{
	struct rng rng = {1};
	mbedtls_mpi m;

	begin();
	mbedtls_mpi_init(&m);
	for (int i = 1; i <= 40; i++) {
		CHECK(mbedtls_mpi_lset(&m, i) == 0);
		compare(&m, &group.G, &rng);
		CHECK(mbedtls_mpi_sub_int(&m, &group.N, i) == 0);
		compare(&m, &group.G, &rng);
	}
	for (unsigned bit = 0; bit < 256; bit += 5) {
		CHECK(mbedtls_mpi_lset(&m, 1) == 0);
		CHECK(mbedtls_mpi_shift_l(&m, bit) == 0);
		compare(&m, &group.G, &rng);
	}
	mbedtls_mpi_free(&m);
	mbedtls_ecp_group_free(&group);
}

TEST(unit__compare__multiples_at_random)
{
	struct rng rng = {2};
	mbedtls_ecp_point p;
	mbedtls_mpi m;

	begin();
	mbedtls_ecp_point_init(&p);
	mbedtls_mpi_init(&m);
	for (int i = 0; i < 60; i++) {
		random_scalar(&m, &rng);
		compare(&m, &group.G, &rng);
		CHECK(mbedtls_ecp_mul(&group, &p, &m, &group.G, random_bytes, &rng) == 0);
		random_scalar(&m, &rng);
		compare(&m, &p, &rng);
	}
	mbedtls_ecp_point_free(&p);
	mbedtls_mpi_free(&m);
	mbedtls_ecp_group_free(&group);
}

/* mG + nG, with and without ours. */
static void compare_sum(const mbedtls_mpi *m, const mbedtls_mpi *n)
{
	mbedtls_ecp_point ours, stock;

	mbedtls_ecp_point_init(&ours);
	mbedtls_ecp_point_init(&stock);
	ecp_points_allow(true);
	CHECK(mbedtls_ecp_muladd(&group, &ours, m, &group.G, n, &group.G) == 0);
	ecp_points_allow(false);
	CHECK(mbedtls_ecp_muladd(&group, &stock, m, &group.G, n, &group.G) == 0);
	ecp_points_allow(true);
	CHECK(mbedtls_ecp_point_cmp(&ours, &stock) == 0);
	mbedtls_ecp_point_free(&ours);
	mbedtls_ecp_point_free(&stock);
}

TEST(unit__compare__sums_that_are_special)
{
	struct rng rng = {3};
	mbedtls_mpi m, n;

	begin();
	mbedtls_mpi_init(&m);
	mbedtls_mpi_init(&n);
	for (int i = 0; i < 20; i++) {
		random_scalar(&m, &rng);
		random_scalar(&n, &rng);
		compare_sum(&m, &n);
		compare_sum(&m, &m); /* a double */
		CHECK(mbedtls_mpi_sub_mpi(&n, &group.N, &m) == 0);
		compare_sum(&m, &n); /* nothing: the point at infinity */
		CHECK(mbedtls_mpi_lset(&n, 1) == 0);
		compare_sum(&n, &m);
		compare_sum(&n, &n);
	}
	mbedtls_mpi_free(&m);
	mbedtls_mpi_free(&n);
	mbedtls_ecp_group_free(&group);
}

TEST(unit__add__tells_what_is_no_sum)
{
	/* x and y are anything here: the formulas do not look at the curve. */
	struct p256_point p = {{1, 2, 3, 4}, {5, 6, 7, 8}, {0}}, q, sum, other;

	memcpy(p.z, p256_numbers[P256_FIELD].one, sizeof p.z);
	q = p;
	CHECK(!p256_add(&sum, &p, &q));
	q.y[0]++;
	CHECK(!p256_add(&sum, &p, &q));
	q.x[0]++;
	CHECK(p256_add(&sum, &p, &q));
	/* Any of the two may be the result. */
	other = p;
	CHECK(p256_add(&other, &other, &q) && memcmp(&other, &sum, sizeof sum) == 0);
	other = q;
	CHECK(p256_add(&other, &p, &other) && memcmp(&other, &sum, sizeof sum) == 0);
	p256_double(&sum, &p);
	p256_double(&p, &p);
	CHECK(memcmp(&p, &sum, sizeof sum) == 0);
}

static int same_bytes(void *arg, unsigned char *bytes, size_t len)
{
	CHECK_INT(len, 32);
	memcpy(bytes, arg, len);
	return 0;
}

/* RFC 6979, A.2.5: P-256, SHA-256, "sample", with the k given there: what makes a k of a message
 * takes a lock, which on Windows is the programs' to set up. */
TEST(unit__sign__as_rfc_6979)
{
	static const char key[] = "C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721";
	static const char k[] = "A6E3C57DD01ABE90086538398355DD4C3B17AA873382B0F24D6129493D8AAD60";
	static const char r_wanted[] =
	    "EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716";
	static const char s_wanted[] =
	    "F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8";
	unsigned char hash[32], k_bytes[32];
	mbedtls_mpi d, r, s, wanted;

	begin();
	mbedtls_mpi_init(&d);
	mbedtls_mpi_init(&r);
	mbedtls_mpi_init(&s);
	mbedtls_mpi_init(&wanted);
	CHECK(mbedtls_sha256((const unsigned char *)"sample", 6, hash, 0) == 0);
	CHECK(mbedtls_mpi_read_string(&d, 16, k) == 0);
	CHECK(mbedtls_mpi_write_binary(&d, k_bytes, sizeof k_bytes) == 0);
	CHECK(mbedtls_mpi_read_string(&d, 16, key) == 0);
	CHECK(mbedtls_ecdsa_sign(&group, &r, &s, &d, hash, sizeof hash, same_bytes, k_bytes) == 0);
	CHECK(mbedtls_mpi_read_string(&wanted, 16, r_wanted) == 0);
	CHECK(mbedtls_mpi_cmp_mpi(&r, &wanted) == 0);
	CHECK(mbedtls_mpi_read_string(&wanted, 16, s_wanted) == 0);
	CHECK(mbedtls_mpi_cmp_mpi(&s, &wanted) == 0);
	mbedtls_mpi_free(&d);
	mbedtls_mpi_free(&r);
	mbedtls_mpi_free(&s);
	mbedtls_mpi_free(&wanted);
	mbedtls_ecp_group_free(&group);
}

TEST(unit__hide__coordinates_from_timing)
{
	struct rng rng = {5};

	for (int i = 0; i < 6; i++) {
		struct p256_point p, q, sum;
		bool is_sum;

		for (int j = 0; j < P256_LIMBS; j++) {
			p.x[j] = rng_next(&rng) >> 1;
			p.y[j] = rng_next(&rng) >> 1;
			p.z[j] = rng_next(&rng) >> 1;
			q.x[j] = rng_next(&rng) >> 1;
			q.y[j] = rng_next(&rng) >> 1;
			q.z[j] = 0;
		}
		VALGRIND_MAKE_MEM_UNDEFINED(&p, sizeof p);
		VALGRIND_MAKE_MEM_UNDEFINED(&q, sizeof q);
		p256_double(&sum, &p);
		is_sum = p256_add(&sum, &sum, &q);
		/* Whether it is one may be known: on the way of a multiplication it always is. */
		VALGRIND_MAKE_MEM_DEFINED(&is_sum, sizeof is_sum);
		CHECK(is_sum);
	}
}

UNIT_MAIN(CASE(unit__compare__multiples_at_the_edges), CASE(unit__compare__multiples_at_random),
    CASE(unit__compare__sums_that_are_special), CASE(unit__add__tells_what_is_no_sum),
    CASE(unit__sign__as_rfc_6979), CASE(unit__hide__coordinates_from_timing))
