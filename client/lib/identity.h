/*
 * Who the client is and whom it trusts: reads the files of the options and makes the TLS context
 * of all its connections. Without a CA file the system's store is trusted; verification is never
 * off. Key material is wiped when the context is made. Blocking; any thread.
 */
#ifndef CONFAB_LIB_IDENTITY_H
#define CONFAB_LIB_IDENTITY_H

#include "base/status.h"
#include "net/tls.h"

/* Each path may be NULL; certificate and key only together (USAGE). Else NOT_FOUND, ACCESS, FULL,
 * INVALID, IO, NOMEM, with a sentence that names the file. */
enum status identity_load(const char *ca_file, const char *cert_file, const char *key_file,
    struct tls_context **ret, struct error *err);

#endif
