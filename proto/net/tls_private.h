/*
 * What the tls*.c files share and nobody else sees: mbedTLS's types stop here. tls_context.c makes
 * contexts, tls.c runs sessions, tls_verify.c judges certificates and finds words for what is
 * wrong with them, tls_ticket.c resumes sessions, tls_buffers.c lends memory for records,
 * tls_threads_*.c gives mbedTLS its mutex.
 */
#ifndef CONFAB_NET_TLS_PRIVATE_H
#define CONFAB_NET_TLS_PRIVATE_H

#include <mbedtls/ssl.h>
#include <mbedtls/ssl_ticket.h>
#include <mbedtls/x509_crl.h>
#include <mbedtls/x509_crt.h>
#include <stdatomic.h>

#include "net/tls.h"

/* Of mbedTLS's own use (library/ssl_misc.h), for memory that it would keep: tls_buffers.c and the
 * end of the handshake. They, and the private fields that go with them, are those of 3.6. */
_Static_assert(MBEDTLS_VERSION_MAJOR == 3 && MBEDTLS_VERSION_MINOR == 6,
    "another mbedTLS: look at every use of these functions and of MBEDTLS_PRIVATE again");
void mbedtls_ssl_handshake_free(mbedtls_ssl_context *ssl);
void mbedtls_ssl_transform_free(mbedtls_ssl_transform *transform);
void mbedtls_ssl_reset_in_pointers(mbedtls_ssl_context *ssl);
void mbedtls_ssl_reset_out_pointers(mbedtls_ssl_context *ssl);
void mbedtls_ssl_update_out_pointers(mbedtls_ssl_context *ssl, mbedtls_ssl_transform *transform);

/* --- tls_threads_win.c, tls_threads_posix.c --- */

/* Before and after everything else of mbedTLS. */
void tls_threads_startup(void);
void tls_threads_cleanup(void);

/* --- tls_buffers.c --- */

/* A session's account with the buffers it borrows from. */
struct tls_loan {
	struct tls_buffers *from; /* NULL: the session has buffers of its own */
	unsigned char in_ctr[8];  /* the receive counter, while the buffer is away */
};

/* After the handshake: from now on the session has no buffers but borrowed ones. NULL changes
 * nothing; and before this, the functions below do nothing. */
void tls_buffers_take_over(struct tls_buffers *from, struct tls_loan *loan,
    mbedtls_ssl_context *ssl);

/* Before a call of mbedTLS that may read, and after it, when its error has been looked into; the
 * buffer stays if the session still needs what is in it. False without memory. */
bool tls_buffers_borrow_in(struct tls_loan *loan, mbedtls_ssl_context *ssl);
void tls_buffers_return_in(struct tls_loan *loan, mbedtls_ssl_context *ssl);

/* Likewise for one that may write, be it an alert. This never fails. */
void tls_buffers_borrow_out(struct tls_loan *loan, mbedtls_ssl_context *ssl);
void tls_buffers_return_out(struct tls_loan *loan, mbedtls_ssl_context *ssl);

/* --- tls_ticket.c --- */

struct tls_tickets {
	mbedtls_ssl_ticket_context open;  /* sessions without a client certificate */
	mbedtls_ssl_ticket_context shown; /* sessions with one: written, never accepted */
};

void tls_ticket_init(struct tls_tickets *tickets);
void tls_ticket_release(struct tls_tickets *tickets);

/* Makes the server's configuration give and take tickets. `tickets` must outlive it. An mbedTLS
 * code, 0 for success. */
int tls_ticket_configure(struct tls_tickets *tickets, mbedtls_ssl_config *config);

/* --- tls_verify.c --- */

#define TLS_DATE_SIZE 11 /* "2026-11-22" and NUL */

/* What the verification of the peer's chain met, kept until the handshake is over. */
struct tls_verify {
	enum tls_role role; /* ours: a client judges a server's certificate */
	char host[256];	    /* the name to verify; "" for a server */
	unsigned char ip[16];
	size_t ip_len; /* 4 or 16 when `host` is an address, else 0 */
	bool was_run;  /* a certificate was shown and judged in this very handshake */
	uint32_t flags;
	char expired[TLS_DATE_SIZE], begins[TLS_DATE_SIZE];
	char names[200];
	char issuer[160];
};

/* Sets up for a session. False when `host` is too long to be a name. */
bool tls_verify_init(struct tls_verify *verify, enum tls_role role, const char *host);

/* mbedTLS's verify callback; `arg` is the struct tls_verify. */
int tls_verify_callback(void *arg, mbedtls_x509_crt *cert, int depth, uint32_t *flags);

/* The alert that tells the peer what is wrong. */
unsigned char tls_verify_alert(uint32_t flags);

/* Fills `err` with TLS_VERIFY and a sentence, and returns its status. */
enum status tls_verify_error(const struct tls_verify *verify, uint32_t flags, struct error *err);

/* The user a verified certificate names; "" and a problem when it names none or several. */
void tls_verify_user(const mbedtls_x509_crt *cert, char user[TLS_USER_SIZE], char *problem,
    size_t problem_size);

/* --- tls_context.c --- */

struct tls_context {
	atomic_uint refs;
	enum tls_role role;
	enum tls_peer_cert peer_cert;
	bool has_cert;
	mbedtls_ssl_config config;
	mbedtls_x509_crt cert;
	mbedtls_pk_context key;
	mbedtls_x509_crt ca;
	mbedtls_x509_crl crl;
	struct tls_tickets tickets;
};

/* SHA-256 of a certificate as 64 hex digits. */
void tls_context_fingerprint(const mbedtls_x509_crt *cert, char to[TLS_FINGERPRINT_SIZE]);

#endif
