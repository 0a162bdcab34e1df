/*
 * A connection: an established socket, wrapped in TLS, that carries lines. The same at both ends.
 * Belongs to one loop for good; every function is for that loop's thread.
 *
 * Life: handshake (deadline 10 s) > open > finishing (flush, close_notify, shutdown(SD_SEND), read
 * to the peer's end or 2 s) > ended. Exactly one on_end comes for every connection, as its last
 * callback; afterwards the pointer is dead. conn_finish and conn_abort never call back before
 * they return: on_end comes later in the loop.
 *
 * Output: lines (blobs, by reference) wait in the out-queue; at the end of the turn they are
 * gathered into as few TLS records as fit and one write. While the socket is full they stay
 * in the queue; the owner bounds it by conn_backlog. Input: at most a bounded amount per turn, so
 * that one peer cannot starve the others; handshakes take turns in the same way.
 */
#ifndef CONFAB_NET_CONN_H
#define CONFAB_NET_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/blob.h"
#include "base/status.h"
#include "base/str.h"
#include "net/loop.h"
#include "net/socket.h"
#include "net/tls.h"

struct conn;

struct conn_handlers {
	/* The handshake is done; conn_info is valid, lines may be sent. */
	void (*on_open)(void *arg, struct conn *conn);
	/* A line without its LF and CR, lent for the call; never empty. */
	void (*on_line)(void *arg, struct conn *conn, struct slice line);
	/* A line longer than conn_set_line_max allows; nothing more will be read from this peer.
	 * The owner answers and calls conn_finish. */
	void (*on_line_too_long)(void *arg, struct conn *conn);
	/* The peer sent close_notify: no more lines will come, what is due is still sent. The owner
	 * calls conn_finish when it has answered everything. */
	void (*on_peer_done)(void *arg, struct conn *conn);
	/* The timer of conn_set_timer. */
	void (*on_timer)(void *arg, struct conn *conn);
	/* The end. `why->status`: OK (both sides said close_notify, or we did and the peer's end
	 * came in time), TRUNCATED (the peer's stream ended before its close_notify and before
	 * ours), RESET, TIMEOUT (handshake, or no end from the peer in 2 s, or it did not take our
	 * output), TLS, TLS_VERIFY, NOT_TLS, NOMEM, CLOSED (conn_abort); the text is one
	 * sentence. `opened` tells whether on_open came before. */
	void (*on_end)(void *arg, struct conn *conn, const struct error *why, bool opened);
	/* As conn_tell_drained asked; may be NULL where that is not called. Nothing of this
	 * connection may be called from within but conn_backlog and conn_send. */
	void (*on_drained)(void *arg, struct conn *conn);
};

struct conn_options {
	const struct conn_handlers *handlers;
	void *arg;
	struct tls_context *context;
	const char *host; /* client: the name to verify; NULL: a server's connection */
	size_t line_max;  /* bytes of a line with its LF */
	unsigned handshake_ms; /* 0: 10,000 */
};

/* Takes the socket over, also when it fails (then it is closed): NOMEM, IO. */
enum status conn_new(struct loop *loop, socket_handle socket, const struct conn_options *options,
    struct conn **ret);

/* Queues a line, which must end in LF; takes a reference of its own. Ignored once the connection
 * is finishing or ended. */
void conn_send(struct conn *conn, struct blob *line);

/* What is queued, and what still will be in this turn, is sent before other connections' output:
 * somebody waits for it. */
void conn_hurry(struct conn *conn);

/* Sends what is queued now, as far as the socket takes it, instead of at the end of the turn; from
 * on_line or from outside of callbacks. */
void conn_send_now(struct conn *conn);

/* Bytes that wait: queued lines and ciphertext that the socket has not taken. */
size_t conn_backlog(const struct conn *conn);

/* on_drained comes, once, when no more than `bytes` wait: at the end of this turn or of a later one,
 * and never once the connection is finishing or ended. */
void conn_tell_drained(struct conn *conn, size_t bytes);

/* Throws away queued lines of which nothing has been sent yet: for a peer that does not keep up. */
void conn_drop_lines(struct conn *conn);

/* Graceful end: what is queued is sent (2 s at most while the peer does not take it), then
 * close_notify, half-close, read to the peer's end or 2 s. Input is thrown away from now on.
 * Harmless when called again. */
void conn_finish(struct conn *conn);

/* The end at once, without a word to the peer. `why` may be NULL; its status and text reach
 * on_end. */
void conn_abort(struct conn *conn, const struct error *why);

/* Stops and goes on reading lines: unread bytes stay in the kernel. on_peer_done waits as well. */
void conn_pause(struct conn *conn);
void conn_resume(struct conn *conn);

void conn_set_line_max(struct conn *conn, size_t line_max);

/* One timer for the owner's use while the connection is open; 0 stops it. Cheap to set again and
 * again. */
void conn_set_timer(struct conn *conn, unsigned after_ms);

/* During on_open only, and lent for it: an idle connection does not keep what its owner has read. */
const struct tls_info *conn_info(const struct conn *conn);

/* Bytes read from the socket and written to it so far. */
void conn_traffic(const struct conn *conn, uint64_t *ret_in, uint64_t *ret_out);

#endif
