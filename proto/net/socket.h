/*
 * The steps of the Winsock guide, once for both ends: initialise, create, bind, listen, accept,
 * connect, send, receive, disconnect. Plain Winsock 2.2 on Windows (socket_winsock.c), plain BSD
 * sockets elsewhere (socket_posix.c); nothing above sees errno or WSAGetLastError.
 *
 * A socket here is established or listening, never in between; an established one is handed to
 * a loop (conn.h), which owns it from then on. Thread: as said at each function.
 */
#ifndef CONFAB_NET_SOCKET_H
#define CONFAB_NET_SOCKET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* As wide as a pointer: a SOCKET of Winsock, a file descriptor elsewhere. */
typedef uintptr_t socket_handle;
#define SOCKET_NONE ((socket_handle)-1)

#define SOCKET_ADDRESS_MAX 64 /* bytes of "[2001:db8::1%12]:65535" and its NUL */

/* An address and port, in numbers. */
struct socket_address {
	char text[SOCKET_ADDRESS_MAX];	/* "192.0.2.1:8572" or "[2001:db8::1]:8572" */
	char host[SOCKET_ADDRESS_MAX];	/* the same without port and brackets */
	uint16_t port;
	bool is_ipv6;
	unsigned char bytes[16];	/* network order; IPv4 in the first four */
};

/* Winsock's WSAStartup (version 2.2) and WSACleanup; nothing elsewhere. Main thread, before and
 * after everything else. */
enum status socket_startup(struct error *err);
void socket_cleanup(void);

/* Splits "host:port", "[v6]:port", "host" or a bare IPv6 address; without a port *ret_port stays
 * as it was. `ret_host` has `size` bytes. USAGE with a sentence for people. Pure. */
enum status socket_split(const char *text, char *ret_host, size_t size, uint16_t *ret_port,
    struct error *err);

/* Create, bind, listen. `host` is a numeric address (an IPv6 one is bound V6ONLY) or a name, of
 * which the first address is taken; port 0 takes a free one, told by *ret_address. Uses
 * SO_EXCLUSIVEADDRUSE on Windows and SO_REUSEADDR elsewhere, and a backlog of SOMAXCONN. Not
 * inherited by child processes. ADDR_IN_USE, ADDR_NOT_AVAILABLE (also: this system has no IPv6),
 * ACCESS, RESOLVE, IO. Any thread. */
enum status socket_listen(const char *host, uint16_t port, socket_handle *ret_socket,
    struct socket_address *ret_address, struct error *err);

/* Blocks for the next connection, ready for a loop: non-blocking, TCP_NODELAY, keep-alive, not
 * inherited. STATUS_CLOSED after socket_listen_stop; NO_FILES, NOMEM when the process or system
 * has none left (the caller waits and tries again); AGAIN for a connection that went while it
 * waited. One thread per listening socket. */
enum status socket_accept(socket_handle listener, socket_handle *ret_socket,
    struct socket_address *ret_peer);

/* Makes a socket_accept that blocks, or is called later, answer STATUS_CLOSED. The socket itself
 * is closed with socket_close when that thread has ended. Any thread. */
void socket_listen_stop(socket_handle listener);

/* Resolves `host` and tries its addresses in turn until one answers or `timeout_ms` in all is
 * over; the socket is ready for a loop, as from socket_accept. RESOLVE, CONN_REFUSED, UNREACHABLE,
 * TIMEOUT, INTERRUPTED (*cancel became true while it waited; cancel may be NULL; it is looked at
 * at least four times a second). Blocks; any thread. */
enum status socket_connect(const char *host, uint16_t port, unsigned timeout_ms,
    const atomic_bool *cancel, socket_handle *ret_socket, struct socket_address *ret_peer,
    struct error *err);

/* Send and receive of the guide, for an established socket: never block, never raise a signal.
 * STATUS_AGAIN when the system's buffer is full or empty, EOF (receive) when the peer has ended,
 * RESET. libuv does the same for sockets that a loop owns. */
enum status socket_send(socket_handle socket, const void *bytes, size_t len, size_t *ret_sent);
enum status socket_receive(socket_handle socket, void *to, size_t max, size_t *ret_received);

/* shutdown(SD_SEND): the peer reads our end of stream; receiving goes on. */
void socket_shutdown_send(socket_handle socket);

/* closesocket. SOCKET_NONE is harmless. */
void socket_close(socket_handle socket);

#endif
