/*
 * What socket_posix.c and socket_winsock.c have in common, in socket.c: only for socket*.c. No
 * system call is behind any of it.
 */
#ifndef CONFAB_NET_SOCKET_PLATFORM_H
#define CONFAB_NET_SOCKET_PLATFORM_H

#include <stdint.h>

#include "base/status.h"
#include "net/socket.h"

/* Keep-alive of every connection: after a minute without a word from the peer the system asks
 * whether it is still there, and gives it up after four questions without an answer. */
#define KEEPALIVE_IDLE_S 60
#define KEEPALIVE_INTERVAL_S 15
#define KEEPALIVE_PROBES 4

/* The longest a wait goes on without a look at *cancel. */
#define CANCEL_SLICE_MS 200

/* Makes address->text from its host and port. */
void socket_platform_set_text(struct socket_address *address);

/* When the attempt at one of the addresses of a host has to end, so that a dead one leaves time
 * for the others: its part of what is left, but a second where there is that much. */
uint64_t socket_platform_share(uint64_t now_ms, uint64_t end_ms, unsigned addresses_left);

/* The sentences for people; `code` is the system's, shown where no status says it. */
enum status socket_platform_listen_error(
    struct error *err, enum status status, const char *address, int code);
enum status socket_platform_connect_error(
    struct error *err, enum status status, const char *address, int code);

#endif
