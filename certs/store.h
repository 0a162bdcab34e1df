/*
 * The folder of a CA:
 *
 *     ca.pem ca.key     the authority; its key stays on this machine
 *     crl.pem           certificates withdrawn, made by init, empty at first
 *     NAME.pem NAME.key a server's certificate and key
 *     client-USER.pem … a user's
 *     issued.txt        the record (index.h)
 *     lock              there while a confab-certs changes the folder
 *
 * What can be read is read at the opening; every file is written whole or not at all. The record
 * is always written first: a certificate that it does not know could not be withdrawn by name.
 */
#ifndef CONFAB_CERTS_STORE_H
#define CONFAB_CERTS_STORE_H

#include <stdbool.h>

#include "index.h"
#include "issue.h"

#define STORE_PATH_MAX 8192 /* bytes */

struct store {
	const char *dir; /* lent */
	struct index index;
	mbedtls_x509_crt ca;
	mbedtls_pk_context key; /* only after STORE_SIGN */
	bool is_locked;
};

enum store_use {
	STORE_READ, /* certificate of the CA and record */
	STORE_SIGN, /* those and the CA's key; others are locked out until store_close */
};

/* NOT_FOUND (with what makes a CA), INVALID (damaged, or the key is another's), AGAIN (another
 * process has locked the folder for 5 s), ACCESS, IO, NOMEM. On failure nothing is to be closed. */
enum status store_open(struct store *store, const char *dir, enum store_use use, struct error *err);
void store_close(struct store *store);

/* For init: makes and locks the folder, with an empty record and no CA. */
enum status store_create(struct store *store, const char *dir, struct error *err);

/* Sets *to, a buffer of STORE_PATH_MAX, to the path of "stem + ending", lent as a C string. */
const char *store_path(
    const struct store *store, const char *stem, const char *ending, struct buf *to);

/* EXISTS with the advice to use --force if one of "stem.pem" and "stem.key" is there. */
enum status store_check_free(const struct store *store, const char *stem, struct error *err);

/* Writes "stem.pem" or "stem.key" and says so on standard output. */
enum status store_put_cert(
    const struct store *store, const char *stem, struct slice pem, bool replace, struct error *err);
enum status store_put_key(const struct store *store, const char *stem,
    const mbedtls_pk_context *key, bool replace, struct error *err);

/* Writes the record. */
enum status store_put_index(const struct store *store, struct error *err);

/* Counts the revocation list's number up, writes the record, then signs and writes crl.pem, good
 * until `next_ms`. */
enum status store_put_crl(struct store *store, int64_t now_ms, int64_t next_ms, struct error *err);

#endif
