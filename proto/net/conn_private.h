/*
 * The connection's insides, shared by conn.c (life and input) and conn_out.c (output).
 */
#ifndef CONFAB_NET_CONN_PRIVATE_H
#define CONFAB_NET_CONN_PRIVATE_H

#include "net/conn.h"
#include "net/loop_private.h"
#include "wire/line.h"

enum conn_state {
	CONN_HANDSHAKE,
	CONN_OPEN,
	CONN_FINISHING, /* conn_finish was called; input is thrown away */
	CONN_FAILING,	/* an alert is on its way; `why` tells the end already */
	CONN_ENDED,	/* handles are closing; nothing but on_end comes */
};

/* Input that could not be used up at once. `rest` lies in a buffer of the loop while a callback
 * works on it, and in `memory` between two turns. */
struct conn_held {
	struct slice rest;
	char *memory;
};

struct conn {
	struct loop *loop;
	struct list all;  /* in loop->conns */
	struct list turn; /* in loop->handshakes or loop->readable, or in none */
	struct list out;  /* in one of the loop's lists of output, or in none */
	uv_tcp_t tcp;
	uv_timer_t timer;
	uv_shutdown_t shutdown;
	struct tls *tls;
	const struct conn_handlers *handlers; /* NULL: nobody is to be called any more */
	void *arg;

	enum conn_state state;
	unsigned char handles; /* not yet closed */
	bool was_open;
	bool is_reading;
	bool is_paused;
	bool too_long;	   /* a line was; nothing more is read before conn_finish */
	bool peer_done;	   /* the peer's close_notify came */
	bool peer_ended;   /* end of the TCP stream */
	bool said_goodbye; /* our close_notify is encrypted */
	bool has_shut;	   /* our half of the socket is shut */
	bool is_broken;	   /* writing fails; reading may still tell why */

	uint64_t owner_due;    /* of conn_set_timer, in loop time; 0: none */
	uint64_t deadline_due; /* of the handshake or of an ending; 0: none */
	uint64_t armed_for;    /* when the timer will fire; 0: it is not running */

	struct conn_held cipher; /* bytes of the socket that TLS has not taken */
	struct conn_held plain;	 /* plaintext that was not cut into lines */
	struct line_reader lines;

	struct blob **queue; /* a ring */
	unsigned queue_cap;  /* a power of two, or 0 */
	unsigned queue_first;
	unsigned queue_count;
	size_t queue_bytes; /* not yet encrypted */
	size_t first_sent;  /* bytes of the first blob that are encrypted */
	bool tell_drained;  /* on_drained is due when no more than `drained` bytes wait */
	size_t drained;

	unsigned heard_in;   /* the turn of the loop in which a line came last */
	unsigned hurried_in; /* the one that conn_hurry was called in */
	uint64_t bytes_in, bytes_out;
	const struct tls_info *info; /* while on_open runs */
	struct error *why;	     /* once it has ended or fails; NULL: not even memory for it */
};

#define CONN_END_MS 2000 /* for the peer to take our last bytes, and then to end its stream */

/* The one way to end, from any state. Harmless on an ended one. `format` is printed with its
 * arguments into `why`. */
void conn_end(struct conn *conn, enum status status, const char *format, ...) PRINTF_LIKE(3, 4);

/* Ends with `why` as it stands already. */
void conn_end_as_said(struct conn *conn);

/* Restarts the deadline of an ending. */
void conn_set_deadline(struct conn *conn, unsigned after_ms);

/* Starts or stops reading the socket, as the state wants it. */
void conn_watch(struct conn *conn);

/* --- conn_out.c --- */

/* TLS's `send`: collects records in the loop's scratch. */
bool conn_collect(void *arg, const void *bytes, size_t len);

/* Writes what was collected. To be called after every step of TLS, before anything else of another
 * connection can happen. */
void conn_push(struct conn *conn);

/* Puts the connection on the list of those that have something to write at the end of the turn. */
void conn_want_flush(struct conn *conn);

/* Shuts our half when all is written. */
void conn_shut(struct conn *conn);

void conn_drop_queue(struct conn *conn);

#endif
