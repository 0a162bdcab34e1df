#define MBEDTLS_ALLOW_PRIVATE_ACCESS
#include "crypto/ecp_points.h"

#include <stdatomic.h>
#include <string.h>

#include <mbedtls/ecp.h>
#include <mbedtls/platform_util.h>

_Static_assert(sizeof(mbedtls_mpi_uint) == sizeof(uint64_t), "limbs of 64 bits");

/* ecp_internal_alt.h, which only the library itself sees. */
unsigned char mbedtls_internal_ecp_grp_capable(const mbedtls_ecp_group *grp);
int mbedtls_internal_ecp_init(const mbedtls_ecp_group *grp);
void mbedtls_internal_ecp_free(const mbedtls_ecp_group *grp);
int mbedtls_internal_ecp_add_mixed(const mbedtls_ecp_group *grp, mbedtls_ecp_point *R,
    const mbedtls_ecp_point *P, const mbedtls_ecp_point *Q);
int mbedtls_internal_ecp_double_jac(
    const mbedtls_ecp_group *grp, mbedtls_ecp_point *R, const mbedtls_ecp_point *P);

static const struct p256_numbers *const field = &p256_numbers[P256_FIELD];

static atomic_bool is_allowed = true;

void ecp_points_allow(bool allowed)
{
	atomic_store_explicit(&is_allowed, allowed, memory_order_relaxed);
}

/* --- Numbers modulo the prime ------------------------------------------------------------------
 */

typedef uint64_t number[P256_LIMBS];

static inline void mul(number ret, const number a, const number b)
{
	p256_num_mul(ret, a, b, &p256_numbers[P256_FIELD]);
}

static inline void add(number ret, const number a, const number b)
{
	p256_num_add(ret, a, b, &p256_numbers[P256_FIELD]);
}

static inline void sub(number ret, const number a, const number b)
{
	p256_num_sub(ret, a, b, &p256_numbers[P256_FIELD]);
}

static bool is_zero(const number a)
{
	uint64_t all = 0;

	for (int i = 0; i < P256_LIMBS; i++)
		all |= a[i];
	return all == 0;
}

/* --- Points ------------------------------------------------------------------------------------
 */

void p256_double(struct p256_point *ret, const struct p256_point *p)
{
	number m, s, t, u;

	/* m = 3 (x + z^2) (x - z^2) */
	mul(t, p->z, p->z);
	add(u, p->x, t);
	sub(t, p->x, t);
	mul(t, u, t);
	add(m, t, t);
	add(m, m, t);
	/* z' = 2yz; x and y are still needed */
	mul(ret->z, p->y, p->z);
	add(ret->z, ret->z, ret->z);
	/* s = 4xy^2, u = 8y^4 */
	mul(t, p->y, p->y);
	add(t, t, t);
	mul(s, p->x, t);
	add(s, s, s);
	mul(u, t, t);
	add(u, u, u);
	/* x' = m^2 - 2s, y' = m (s - x') - u */
	mul(t, m, m);
	sub(t, t, s);
	sub(ret->x, t, s);
	sub(s, s, ret->x);
	mul(s, s, m);
	sub(ret->y, s, u);
}

bool p256_add(struct p256_point *ret, const struct p256_point *p, const struct p256_point *q)
{
	number h, s, h2, h3, v, t;
	bool same_x;

	/* h = q.x z^2 - x, s = q.y z^3 - y */
	mul(t, p->z, p->z);
	mul(h, t, q->x);
	mul(t, t, p->z);
	mul(s, t, q->y);
	sub(h, h, p->x);
	sub(s, s, p->y);
	same_x = is_zero(h);
	/* z' = zh */
	mul(ret->z, p->z, h);
	mul(h2, h, h);
	mul(h3, h2, h);
	mul(v, h2, p->x);
	/* y h^3 before y' may take the place of y */
	mul(t, h3, p->y);
	/* x' = s^2 - 2v - h^3 */
	mul(h2, s, s);
	sub(h2, h2, v);
	sub(h2, h2, v);
	sub(ret->x, h2, h3);
	/* y' = s (v - x') - y h^3 */
	sub(v, v, ret->x);
	mul(v, v, s);
	sub(ret->y, v, t);
	return !same_x;
}

/* --- What mbedTLS asks for ----------------------------------------------------------------------
 */

unsigned char mbedtls_internal_ecp_grp_capable(const mbedtls_ecp_group *grp)
{
	return grp->id == MBEDTLS_ECP_DP_SECP256R1 &&
	       atomic_load_explicit(&is_allowed, memory_order_relaxed);
}

int mbedtls_internal_ecp_init(const mbedtls_ecp_group *grp)
{
	(void)grp;
	return 0;
}

void mbedtls_internal_ecp_free(const mbedtls_ecp_group *grp)
{
	(void)grp;
}

/* The library's numbers are not below zero, and less than 2^256. */
static void load(number to, const mbedtls_mpi *from)
{
	number plain = {0};

	if (from->p != NULL)
		memcpy(plain, from->p,
		    (from->n < P256_LIMBS ? from->n : P256_LIMBS) * sizeof plain[0]);
	mul(to, plain, field->square);
}

static int store(mbedtls_mpi *to, const number from)
{
	static const number plain_one = {1, 0, 0, 0};
	number plain;
	int ret = mbedtls_mpi_grow(to, P256_LIMBS);

	if (ret != 0)
		return ret;
	mul(plain, from, plain_one);
	memset(to->p, 0, to->n * sizeof to->p[0]);
	memcpy(to->p, plain, sizeof plain);
	to->s = 1;
	return 0;
}

static void load_point(struct p256_point *to, const mbedtls_ecp_point *from)
{
	load(to->x, &from->X);
	load(to->y, &from->Y);
	load(to->z, &from->Z);
}

static int store_point(mbedtls_ecp_point *to, struct p256_point *from)
{
	int ret = store(&to->X, from->x);

	if (ret == 0)
		ret = store(&to->Y, from->y);
	if (ret == 0)
		ret = store(&to->Z, from->z);
	mbedtls_platform_zeroize(from, sizeof *from);
	return ret;
}

int mbedtls_internal_ecp_double_jac(
    const mbedtls_ecp_group *grp, mbedtls_ecp_point *R, const mbedtls_ecp_point *P)
{
	struct p256_point p;

	(void)grp;
	load_point(&p, P);
	p256_double(&p, &p);
	return store_point(R, &p);
}

/* The cases that no multiplication meets on its way are left to whom they may come from: a caller
 * of mbedtls_ecp_muladd with points of his choice. They are treated as the library's own code does.
 */
static int add_special(mbedtls_ecp_point *R, const mbedtls_ecp_point *P, const mbedtls_ecp_point *Q,
    const mbedtls_ecp_group *grp, const struct p256_point *p, const struct p256_point *q)
{
	number z2, y;

	if (mbedtls_mpi_cmp_int(&P->Z, 0) == 0)
		return mbedtls_ecp_copy(R, Q);
	mul(z2, p->z, p->z);
	mul(y, z2, p->z);
	mul(y, y, q->y);
	return memcmp(y, p->y, sizeof y) == 0 ? mbedtls_internal_ecp_double_jac(grp, R, P)
	                                      : mbedtls_ecp_set_zero(R);
}

int mbedtls_internal_ecp_add_mixed(const mbedtls_ecp_group *grp, mbedtls_ecp_point *R,
    const mbedtls_ecp_point *P, const mbedtls_ecp_point *Q)
{
	struct p256_point p, q, sum;
	bool is_sum;
	int ret;

	if (Q->Z.p == NULL)
		return MBEDTLS_ERR_ECP_BAD_INPUT_DATA;
	if (mbedtls_mpi_cmp_int(&Q->Z, 0) == 0)
		return mbedtls_ecp_copy(R, P);
	if (mbedtls_mpi_cmp_int(&Q->Z, 1) != 0)
		return MBEDTLS_ERR_ECP_BAD_INPUT_DATA;
	load_point(&p, P);
	load(q.x, &Q->X);
	load(q.y, &Q->Y);
	is_sum = p256_add(&sum, &p, &q);
	if (is_sum && !is_zero(p.z))
		ret = store_point(R, &sum);
	else
		ret = add_special(R, P, Q, grp, &p, &q);
	mbedtls_platform_zeroize(&p, sizeof p);
	mbedtls_platform_zeroize(&q, sizeof q);
	mbedtls_platform_zeroize(&sum, sizeof sum);
	return ret;
}
