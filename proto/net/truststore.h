/*
 * The certificate authorities that this system trusts: the CA bundle file on Unix systems, the
 * ROOT store of the current user on Windows. Used by a client that was given no CA of its own.
 */
#ifndef CONFAB_NET_TRUSTSTORE_H
#define CONFAB_NET_TRUSTSTORE_H

#include "base/status.h"
#include "base/str.h"

/* Calls `fn` with one certificate in DER, or a bundle of them in PEM, at a time. NOT_FOUND with a
 * sentence that says where was looked. Blocking; any thread. */
enum status truststore_each(void (*fn)(void *arg, struct slice der_or_pem), void *arg,
    struct error *err);

#endif
