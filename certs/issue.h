/*
 * Keys and certificates, made and read with mbedTLS: P-256 keys, ECDSA with SHA-256. Everything
 * is PEM in memory; files are the store's affair.
 */
#ifndef CONFAB_CERTS_ISSUE_H
#define CONFAB_CERTS_ISSUE_H

#include <mbedtls/pk.h>
#include <mbedtls/x509_crt.h>

#include "index.h"
#include "names.h"
#include "base/buf.h"
#include "base/status.h"

#define ISSUE_SERIAL_LEN 16       /* bytes of a serial number of ours */
#define ISSUE_PEM_MAX (256 << 10) /* bytes of a file with a key or certificates */

/* mbedTLS's random numbers: the system's. */
int issue_random(void *unused, unsigned char *to, size_t len);

/* Fills `err` with `what` and mbedTLS's own words for `code`. */
enum status issue_error(struct error *err, enum status status, const char *what, int code);

/* A new P-256 key in an initialised context, which the caller frees. */
enum status issue_key_new(mbedtls_pk_context *key, struct error *err);

/* Reads a private key from PEM (or DER) without a password. INVALID. */
enum status issue_key_get(struct slice file, mbedtls_pk_context *key, struct error *err);

/* Appends the private key as PEM; the buffer is the caller's to release as a secret. */
enum status issue_key_put(const mbedtls_pk_context *key, struct buf *to, struct error *err);

/* Reads all certificates of a PEM file (or one as DER). INVALID. */
enum status issue_cert_get(struct slice file, mbedtls_x509_crt *cert, struct error *err);

/* What a certificate shall say. A CA has no names but a common name, the others the reverse. */
struct issue_request {
	enum cert_kind kind; /* not CERT_OTHER */
	const char *common_name;
	const struct name *names;
	size_t count;
	int64_t begin_ms, end_ms;
	unsigned char serial[ISSUE_SERIAL_LEN];
};

/* 128 random bits, made positive and with a first byte that is not zero. */
void issue_serial(unsigned char serial[ISSUE_SERIAL_LEN]);
void issue_serial_text(const unsigned char *serial, size_t len, char to[SERIAL_TEXT_SIZE]);

/* Appends the certificate for `key` as PEM, signed with `ca_key`; `ca` is the issuer's
 * certificate, NULL for one that signs itself. What comes out has been read back and verified
 * against the issuer. INVALID (a CA that cannot issue), NOMEM. */
enum status issue_cert_put(const struct issue_request *request, mbedtls_pk_context *key,
    const mbedtls_x509_crt *ca, mbedtls_pk_context *ca_key, struct buf *to, struct error *err);

/* Does it say that it is a CA's? */
bool issue_is_ca(const mbedtls_x509_crt *cert);

/* Times of a certificate or list. */
int64_t issue_time_ms(const mbedtls_x509_time *time);

#endif
