/*
 * What socket_posix.c and socket_winsock.c have in common, in socket.c: only for socket*.c. It
 * makes no call of sockets itself.
 */
#ifndef CONFAB_NET_SOCKET_PLATFORM_H
#define CONFAB_NET_SOCKET_PLATFORM_H

#include <stdbool.h>
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

/* Runs a call that cannot be interrupted (asking for a name's addresses) in a thread of its own
 * and waits for it: STATUS_OK when fn(arg) has ended; TIMEOUT at `end_ms`, INTERRUPTED when
 * *cancel, NOMEM. In the last three cases `release(arg)` is called as soon as `fn` has ended, or at
 * once if it never began; after STATUS_OK `arg` is the caller's again. */
enum status socket_platform_run(void (*fn)(void *arg), void (*release)(void *arg), void *arg,
    uint64_t end_ms, const atomic_bool *cancel);

/* The sentences for people; `code` is the system's, shown where no status says it. */
enum status socket_platform_resolve_error(
    struct error *err, enum status status, const char *host, const char *reason);
enum status socket_platform_listen_error(
    struct error *err, enum status status, const char *address, int code);
enum status socket_platform_connect_error(
    struct error *err, enum status status, const char *address, int code);

#endif
