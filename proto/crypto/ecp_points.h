/*
 * Doubling and adding points of P-256, which is what a signature consists of, for mbedTLS's ecp.c:
 * the functions of its ecp_internal_alt.h, asked for by MBEDTLS_ECP_INTERNAL_ALT. The library's own
 * go through its numbers of any length, which costs ten times as much; they run for all other
 * curves, and where this is told not to be used. Threads: any.
 */
#ifndef CONFAB_CRYPTO_ECP_POINTS_H
#define CONFAB_CRYPTO_ECP_POINTS_H

#include <stdbool.h>

#include "crypto/p256_limbs.h"

/* Jacobian coordinates, (x / z^2, y / z^3), as p256_limbs.h has numbers. */
struct p256_point {
	uint64_t x[P256_LIMBS], y[P256_LIMBS], z[P256_LIMBS];
};

/* 2p; p may be ret. Guide to Elliptic Curve Cryptography, algorithm 3.21's formulas. */
void p256_double(struct p256_point *ret, const struct p256_point *p);

/* p + q, where q's z is 1 and is not looked at; p or q may be ret. Algorithm 3.22's formulas.
 * False if p and q have the same x: then *ret is no sum. */
bool p256_add(struct p256_point *ret, const struct p256_point *p, const struct p256_point *q);

/* For tests: lets the fast way be used from now on (the state at the start) or not. */
void ecp_points_allow(bool allowed);

#endif
