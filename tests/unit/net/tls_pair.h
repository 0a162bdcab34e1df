/*
 * TLS in memory, for tests: a client's and a server's session joined by two pipes of bytes, and
 * mbedTLS by itself as a foreign client that may do what ours never does. The sessions of a pair
 * share record buffers, like those of a loop.
 */
#ifndef CONFAB_TESTS_TLS_PAIR_H
#define CONFAB_TESTS_TLS_PAIR_H

#include <mbedtls/ssl.h>

#include "base/buf.h"
#include "net/tls.h"
#include "test_certs.h"
#include "tests/unit/unit.h"

struct end {
	struct tls *tls;
	struct buf out; /* bytes for the other end */
	bool closed;	/* ours: nothing more will come after `out` */
	bool is_full;	/* `send` has no memory */
	struct end *peer;
	size_t sent; /* bytes so far */
	size_t step; /* at most so many bytes a read; 0: any */
	size_t most; /* bytes that may still be read; SIZE_MAX: any */
	enum status status;
	struct error err;
};

struct pair {
	struct end client, server;
	struct tls_buffers *buffers;
};

/* Takes the contexts over; NULL leaves that end without a session. */
void pair_init(struct pair *pair, struct tls_context *client, struct tls_context *server,
    const char *host);
/* Likewise with buffers that are lent, or NULL: then each session has its own. */
void pair_init_with(struct pair *pair, struct tls_context *client, struct tls_context *server,
    const char *host, struct tls_buffers *buffers);
void pair_release(struct pair *pair);

/* Goes on with the handshake of one end, if it is not over. */
void pair_step(struct end *end);

/* Until both are done or nothing moves any more. */
void pair_shake_hands(struct pair *pair);

struct tls_context *pair_usual_client(void);
struct tls_context *pair_usual_server(void);

struct foreign {
	mbedtls_ssl_context ssl;
	mbedtls_ssl_config config;
	mbedtls_x509_crt ca, cert;
	mbedtls_pk_context key;
};

/* In place of the pair's client; `cert` and `protocols` may be NULL. */
void foreign_init(struct foreign *foreign, struct pair *pair, bool tls12,
    const struct test_cert *cert, const char **protocols);
void foreign_release(struct foreign *foreign);
void foreign_parse_pem(mbedtls_x509_crt *to, const char *pem);

/* The foreign side's code. */
int foreign_shake_hands(struct foreign *foreign, struct pair *pair);

#endif
