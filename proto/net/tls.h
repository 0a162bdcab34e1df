/*
 * TLS over mbedTLS: contexts (what a program is and whom it trusts) and sessions (one connection).
 * Together with tls_*.c the only place that includes mbedTLS's headers, save the certificate tool.
 *
 * TLS 1.3 and 1.2, AEAD suites with ECDHE only, groups x25519, P-256 and P-384, ALPN "confab/1".
 * There is no way to switch verification off. A context is immutable after birth and shared by
 * threads; a session belongs to one thread at a time. No sockets here: the session moves bytes
 * through two callbacks of its owner.
 */
#ifndef CONFAB_NET_TLS_H
#define CONFAB_NET_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "base/str.h"

struct tls_context;
struct tls;

enum tls_role { TLS_SERVER, TLS_CLIENT };

enum tls_peer_cert { /* a server's wish for certificates of its clients */
	TLS_PEER_CERT_NONE,
	TLS_PEER_CERT_OPTIONAL, /* one that is shown must be good */
	TLS_PEER_CERT_REQUIRED,
};

struct tls_options {
	enum tls_role role;
	/* Whole files as PEM (or one certificate or key as DER), lent for the call; empty: none.
	 * A server must have both of the first two, a client both or neither. */
	struct slice cert;	 /* own certificate, with its chain behind it */
	struct slice key;	 /* its private key, without a password */
	struct slice ca;	 /* authorities trusted for the peer */
	struct slice crl;	 /* certificates withdrawn; one list for each authority or none */
	bool ca_from_system;	 /* client: trust the system's store, too */
	enum tls_peer_cert peer_cert;
	/* Names of the files for messages, or NULL. */
	const char *cert_name, *key_name, *ca_name, *crl_name;
};

/* Once in main, before threads and before anything else here; tls_cleanup at the very end. */
enum status tls_startup(struct error *err);
void tls_cleanup(void);

/* INVALID (a file that cannot be parsed, a key that does not belong to the certificate, a chain
 * that is out of order), NOT_FOUND (no authorities at all), NOMEM. Expired or not yet valid own
 * certificates are not an error here: see tls_context_own_days. Any thread. */
enum status tls_context_new(const struct tls_options *options, struct tls_context **ret,
    struct error *err);

/* Contexts are counted; sessions hold a reference. NULL is harmless. Any thread. */
struct tls_context *tls_context_ref(struct tls_context *context);
void tls_context_unref(struct tls_context *context);

/* Days until the own certificate ends, negative when it has, and INT64_MAX without one; *ret_begun
 * tells whether it is valid already. For warnings at the start. */
int64_t tls_context_own_days(const struct tls_context *context, bool *ret_begun);

/* The owner's side of the byte stream, called from within the functions below. `receive` gives up
 * to `max` bytes of ciphertext and returns their number, or 0 for none now, or TLS_END when the
 * peer's stream has ended. `send` takes all the bytes or, without memory, returns false. */
#define TLS_END SIZE_MAX
struct tls_io {
	size_t (*receive)(void *arg, void *to, size_t max);
	bool (*send)(void *arg, const void *bytes, size_t len);
	void *arg;
};

/* Memory for records (33 KB), which the sessions of one thread use in turn, so that one between
 * two records holds none. To be freed after the sessions. NULL without memory; NULL may be freed. */
struct tls_buffers;
struct tls_buffers *tls_buffers_new(void);
void tls_buffers_free(struct tls_buffers *buffers);

/* A session in its starting state. `host` is what a client verifies and sends as SNI (an IP
 * address is verified but not sent); NULL for a server. Holds a reference to the context. With
 * `buffers` NULL it keeps memory for records of its own. */
enum status tls_new(struct tls_context *context, const char *host, const struct tls_io *io,
    struct tls_buffers *buffers, struct tls **ret);
void tls_free(struct tls *tls);

/* One step further with the bytes there are. OK: done. AGAIN: needs more from the peer. Else the
 * connection is over, an alert may have been handed to `send`, and `err` says why in words for the
 * person at this end: TLS_VERIFY, TLS, TRUNCATED, RESET, NOT_TLS (the first bytes are no TLS:
 * says if they look like HTTP or plain text), NOMEM. */
enum status tls_handshake(struct tls *tls, struct error *err);

/* Up to `max` bytes of plaintext, at least one with STATUS_OK. AGAIN: none now. EOF: the peer has
 * sent close_notify (and every time after). TRUNCATED: its stream ended without. TLS, NOMEM. */
enum status tls_read(struct tls *tls, void *to, size_t max, size_t *ret_len, struct error *err);

/* Are there decrypted bytes that tls_read would give without receiving? */
bool tls_has_plaintext(const struct tls *tls);

#define TLS_RECORD_MAX 16000 /* bytes of plaintext that surely fit in one record */

/* Encrypts 1 to TLS_RECORD_MAX bytes as one record, or as several where the peer wants smaller ones
 * (RFC 6066, 4). All or nothing: the session is over after TLS and NOMEM. */
enum status tls_write(struct tls *tls, const void *bytes, size_t len);

/* Says that nothing more will be written. Reading goes on. */
enum status tls_close_notify(struct tls *tls);

#define TLS_FINGERPRINT_SIZE 65 /* 64 lower-case hex digits and NUL */
#define TLS_USER_SIZE 33	/* a user's name and NUL */

struct tls_info {
	const char *version; /* "TLSv1.3" */
	const char *cipher;  /* the IANA name, "TLS_AES_128_GCM_SHA256" */
	bool resumed_or_uncertified; /* no client certificate was verified in this handshake */
	char peer_fingerprint[TLS_FINGERPRINT_SIZE]; /* SHA-256 of the certificate; "" without */
	/* The user that a verified client certificate names (URI name confab:user/NAME), "" when
	 * there was no certificate in this very handshake, or it names no valid user. A resumed
	 * session never names one: see docs/DESIGN.md, "Tickets". */
	char peer_user[TLS_USER_SIZE];
	/* Why peer_user is empty although a certificate was shown, for the log; else "". */
	char peer_user_problem[96];
};

/* After the handshake. Version and cipher are static strings. */
void tls_get_info(const struct tls *tls, struct tls_info *ret);

/* Gives the memory of the peer's certificate back (2 KB): from now on tls_get_info knows none. */
void tls_forget_peer(struct tls *tls);

/* SHA-256, for fingerprints and tests, so that nothing else needs mbedTLS. */
void tls_sha256(struct slice bytes, unsigned char ret[32]);

#endif
