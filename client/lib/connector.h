/*
 * Resolving a name and connecting to it blocks, so it is done in a thread that ends with the
 * connection made. One connector is one attempt; start, poll and cancel are for one thread.
 */
#ifndef CONFAB_LIB_CONNECTOR_H
#define CONFAB_LIB_CONNECTOR_H

#include <stdint.h>

#include "base/status.h"
#include "net/loop.h"
#include "net/socket.h"

struct connector;

/* Starts the attempt; wakes `loop` when it is done. NOMEM. */
enum status connector_start(struct loop *loop, const char *host, uint16_t port, unsigned timeout_ms,
    struct connector **ret);

/* AGAIN while it is on its way. Else the outcome of socket_connect, and the connector is freed. */
enum status connector_poll(
    struct connector *connector, socket_handle *ret_socket, struct error *err);

/* Makes it end soon (INTERRUPTED, unless it is done already); poll still has to be called. */
void connector_cancel(struct connector *connector);

/* Cancels, waits for the thread (as long as a name look-up takes that is on its way), closes a
 * socket it may have made, and frees. NULL is harmless. */
void connector_free(struct connector *connector);

#endif
