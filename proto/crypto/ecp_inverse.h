/*
 * 1/a for P-256, modulo the field's prime and modulo the group's order, as mbedTLS's ecp.c and
 * ecdsa.c need it: by Fermat's little theorem, a^(N-2), which takes a quarter of the
 * instructions of the library's own way, and like that as many for every a. The build makes those two files
 * call ecp_inverse where they would call mbedtls_mpi_gcd_modinv_odd. Every result is multiplied
 * with a before it is used; were it not 1, and for every other modulus, the library's own function
 * runs. Threads: any.
 */
#ifndef CONFAB_CRYPTO_ECP_INVERSE_H
#define CONFAB_CRYPTO_ECP_INVERSE_H

#include <stdbool.h>
#include <stdint.h>

#include <mbedtls/bignum.h>

#include "crypto/p256_limbs.h"

/* The contract of mbedtls_mpi_gcd_modinv_odd (library/bignum_internal.h of mbedTLS). */
int ecp_inverse(mbedtls_mpi *g, mbedtls_mpi *i, const mbedtls_mpi *a, const mbedtls_mpi *n);

/* For tests: lets the fast way be used from now on (the state at the start) or not; and that way by
 * itself, on numbers of four limbs, the lowest first, `a` below 2^256. */
void ecp_inverse_allow(bool allowed);
void ecp_inverse_p256(enum p256_modulus modulus, const uint64_t a[4], uint64_t ret[4]);

#endif
