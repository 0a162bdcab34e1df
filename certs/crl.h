/*
 * The list of certificates withdrawn (CRL, RFC 5280 5), which mbedTLS reads but cannot write:
 * version 2, signed with the CA's key, with the CA's key identifier and a number that grows.
 */
#ifndef CONFAB_CERTS_CRL_H
#define CONFAB_CERTS_CRL_H

#include "index.h"
#include "issue.h"

#define CRL_PEM_MAX (16 << 20) /* bytes of the file */

struct crl_request {
	const mbedtls_x509_crt *ca;
	mbedtls_pk_context *ca_key;
	int64_t number;
	int64_t this_ms, next_ms; /* when it was made, and until when it is good */
};

/* Appends as PEM the list of all records of `index` that are revoked. NOMEM, INVALID. */
enum status crl_put(const struct crl_request *request, const struct index *index, struct buf *to,
    struct error *err);

#endif
