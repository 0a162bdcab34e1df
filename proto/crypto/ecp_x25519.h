/*
 * Multiplication on Curve25519 by Everest's verified code where mbedTLS would use its generic one:
 * TLS 1.3 makes its keys through PSA, which does not know Everest. Called from ecp_mul_mxz in a
 * copy of mbedTLS's ecp.c that the build patches (cmake/Dependencies.cmake); both operands have
 * been checked there, so the scalar has the bits that X25519 sets and clears.
 */
#ifndef CONFAB_CRYPTO_ECP_X25519_H
#define CONFAB_CRYPTO_ECP_X25519_H

#include <stdbool.h>

#include <mbedtls/ecp.h>

/* Whether ecp_x25519_mul gives what the generic code would. Thread: any. */
bool ecp_x25519_can(const mbedtls_ecp_group *grp, const mbedtls_ecp_point *p);

/*
 * R = m·P in affine coordinates; R may be P. 0, or an error of mbedTLS's, R then being of no use.
 * The generator is asked for nothing: the code needs no blinding.
 */
int ecp_x25519_mul(mbedtls_ecp_point *r, const mbedtls_mpi *m, const mbedtls_ecp_point *p,
    int (*f_rng)(void *, unsigned char *, size_t), void *p_rng);

/* For tests and measurements: false, and the generic code does it all. Thread: any. */
void ecp_x25519_allow(bool allowed);

#endif
