/*
 * Certificates for tests, made in memory on the spot with mbedTLS's writer: authorities, servers,
 * clients, and the broken ones. All in PEM. One thread.
 */
#ifndef CONFAB_TESTS_TEST_CERTS_H
#define CONFAB_TESTS_TEST_CERTS_H

#include <stdbool.h>

#include "base/str.h"
#include "net/tls.h"

enum test_key { TEST_KEY_P256, TEST_KEY_P384, TEST_KEY_RSA2048 };

struct test_cert {
	char key[4096]; /* PEM */
	char pem[8192];
	char subject[64]; /* "CN=…" */
	bool sha384;	  /* signs what it issues with SHA-384 */
};

struct test_cert_options {
	const char *name;		/* common name */
	const struct test_cert *issuer; /* NULL: signed by itself */
	enum test_key key;
	bool is_ca;
	bool sha384;
	bool for_client;	   /* clientAuth, else serverAuth */
	const char *dns;	   /* NULL: none */
	const unsigned char *ipv4; /* NULL: none */
	const char *uri[2];	   /* NULL: none */
	const char *not_before, *not_after; /* "20200101000000"; NULL: valid now */
};

/* Ends the program when it fails. */
void test_cert_make(struct test_cert *cert, const struct test_cert_options *options);

/* A context of ours from PEM texts; NULL for what there is none of. Ends the program when it
 * fails. */
struct tls_context *test_context(enum tls_role role, const struct test_cert *own, const char *ca,
    enum tls_peer_cert peer_cert);

/* tls_startup, and one set of certificates for all cases that want nothing special: "localhost"
 * and 127.0.0.1, and the client "alice". */
struct test_certs {
	struct test_cert ca, server, client;
};
const struct test_certs *test_certs_usual(void);

#endif
