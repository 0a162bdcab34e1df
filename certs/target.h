/*
 * What a word on the command line means. A word with a path separator or the ending of a
 * certificate is a file, in the current folder or else in the CA's; "ca" and "crl" are the CA's
 * own; any other word is a host, a user, the name of a file without its ending ("client-alice")
 * or a serial number.
 */
#ifndef CONFAB_CERTS_TARGET_H
#define CONFAB_CERTS_TARGET_H

#include <stdbool.h>

#include "store.h"

bool target_is_file(const char *word);

/* Sets *to to the path of the file that `word` means. NOT_FOUND; USAGE where it is a host and a
 * user at once. */
enum status target_path(const char *dir, const char *word, struct buf *to, struct error *err);

/* Reads the certificates of the file that `word` means into an initialised list. */
enum status target_cert(
    const char *dir, const char *word, mbedtls_x509_crt *cert, struct error *err);

/* The record that a word which is no file means, lent until the record changes. *ret_is_serial
 * tells whether the word was a serial number. NOT_FOUND, USAGE. */
enum status target_record(struct store *store, const char *word, struct index_record **ret,
    bool *ret_is_serial, struct error *err);

#endif
