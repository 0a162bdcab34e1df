/*
 * The server's TLS context for connections to come: `reload` puts another one in its place while
 * workers take it for new connections. Those that are there keep theirs. Any thread.
 */
#ifndef CONFAB_SERVER_TLS_SLOT_H
#define CONFAB_SERVER_TLS_SLOT_H

#include "net/tls.h"

struct tls_slot;

/* Takes the reference over. NULL without memory, and then it stays the caller's. */
struct tls_slot *tls_slot_new(struct tls_context *context);
void tls_slot_free(struct tls_slot *slot);

/* A reference of the caller's own. */
struct tls_context *tls_slot_take(struct tls_slot *slot);
/* Takes the reference over, and gives up the one before. */
void tls_slot_put(struct tls_slot *slot, struct tls_context *context);

#endif
