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

/* --- Numbers modulo the prime ----------------------------------------------------------------- */

typedef uint64_t number[P256_LIMBS];

static inline void mul(number ret, const number a, const number b)
{
	p256_num_mul(ret, a, b, field);
}

static inline void add(number ret, const number a, const number b)
{
	p256_num_add(ret, a, b, field);
}

static inline void sub(number ret, const number a, const number b)
{
	p256_num_sub(ret, a, b, field);
}

static bool is_zero(const number a)
{
	uint64_t all = 0;

	for (int i = 0; i < P256_LIMBS; i++)
		all |= a[i];
	return all == 0;
}

/* --- Points ----------------------------------------------------------------------------------- */

void p256_double(struct p256_point *ret, const struct p256_point *p)
{
	struct {
		number m, s, t, u;
	} w;

	/* m = 3 (x + z^2) (x - z^2) */
	mul(w.t, p->z, p->z);
	add(w.u, p->x, w.t);
	sub(w.t, p->x, w.t);
	mul(w.t, w.u, w.t);
	add(w.m, w.t, w.t);
	add(w.m, w.m, w.t);
	/* z' = 2yz; x and y are still needed */
	mul(ret->z, p->y, p->z);
	add(ret->z, ret->z, ret->z);
	/* s = 4xy^2, u = 8y^4 */
	mul(w.t, p->y, p->y);
	add(w.t, w.t, w.t);
	mul(w.s, p->x, w.t);
	add(w.s, w.s, w.s);
	mul(w.u, w.t, w.t);
	add(w.u, w.u, w.u);
	/* x' = m^2 - 2s, y' = m (s - x') - u */
	mul(w.t, w.m, w.m);
	sub(w.t, w.t, w.s);
	sub(ret->x, w.t, w.s);
	sub(w.s, w.s, ret->x);
	mul(w.s, w.s, w.m);
	sub(ret->y, w.s, w.u);
	mbedtls_platform_zeroize(&w, sizeof w);
}

bool p256_add(struct p256_point *ret, const struct p256_point *p, const struct p256_point *q)
{
	struct {
		number h, s, h2, h3, v, t;
	} w;
	bool same_x;

	/* h = q.x z^2 - x, s = q.y z^3 - y */
	mul(w.t, p->z, p->z);
	mul(w.h, w.t, q->x);
	mul(w.t, w.t, p->z);
	mul(w.s, w.t, q->y);
	sub(w.h, w.h, p->x);
	sub(w.s, w.s, p->y);
	same_x = is_zero(w.h);
	/* z' = zh */
	mul(ret->z, p->z, w.h);
	mul(w.h2, w.h, w.h);
	mul(w.h3, w.h2, w.h);
	mul(w.v, w.h2, p->x);
	/* y h^3 before y' may take the place of y */
	mul(w.t, w.h3, p->y);
	/* x' = s^2 - 2v - h^3 */
	mul(w.h2, w.s, w.s);
	sub(w.h2, w.h2, w.v);
	sub(w.h2, w.h2, w.v);
	sub(ret->x, w.h2, w.h3);
	/* y' = s (v - x') - y h^3 */
	sub(w.v, w.v, ret->x);
	mul(w.v, w.v, w.s);
	sub(ret->y, w.v, w.t);
	mbedtls_platform_zeroize(&w, sizeof w);
	return !same_x;
}

/* --- What mbedTLS asks for -------------------------------------------------------------------- */

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
	mbedtls_platform_zeroize(plain, sizeof plain);
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
	mbedtls_platform_zeroize(plain, sizeof plain);
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
