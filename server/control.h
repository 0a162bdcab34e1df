/*
 * The control channel of a running server: a thread with a loop that listens on the data
 * directory's pipe (net/pipe.h) and carries lines of the protocol, as the TLS port does. Whoever
 * can open the pipe is the console administrator; what lines mean is the owner's business, who is
 * asked through struct control_ops.
 *
 * A control_conn lives until its `close` returned and the owner called control_release, in any
 * order; until then control_send and control_finish are allowed from any thread, and do nothing
 * once the connection is over. What waits is bounded: a connection that does not read is ended at
 * PIPE_BACKLOG_MAX bytes, and reading pauses at CONTROL_OWED_MAX requests without a reply.
 */
#ifndef CONFAB_SERVER_CONTROL_H
#define CONFAB_SERVER_CONTROL_H

#include <stdbool.h>

#include "base/blob.h"
#include "base/status.h"
#include "base/str.h"

#define CONTROL_OWED_MAX 64 /* requests */

struct control;
struct control_conn;

/* Called in the control channel's thread, one at a time. */
struct control_ops {
	/* A session for a new connection, logged in as the console's administrator. It may send
	 * already (a welcome). NULL: refused; the connection is ended, and there is nothing to
	 * release. */
	void *(*open)(void *arg, struct control_conn *conn);
	/* A request's line, lent for the call. It has to be answered with exactly one reply, now or
	 * later. False: end the connection once what was sent has left. */
	bool (*line)(void *arg, void *session, struct slice line);
	/* The connection is over; the last call for this session. */
	void (*close)(void *arg, void *session);
	void *arg;
};

/* Makes the pipe of `data_dir`, whose lock the caller holds, and starts the thread. `idle_ms` 0:
 * PIPE_IDLE_MS. The statuses of pipe_server_new. */
enum status control_start(const char *data_dir, const struct control_ops *ops, unsigned idle_ms,
    struct control **ret, struct error *err);

/* Takes no more connections and no more lines, lets what was sent before leave (2 s at most), calls
 * `close` for every session, and ends the thread. NULL is harmless. Not the control thread. */
void control_stop(struct control *control);

/* Sends a line of the protocol, LF included; takes the reference over. Without memory the
 * connection ends. Any thread. */
void control_send(struct control_conn *conn, struct blob *line);

/* Ends the connection when what was sent has left. Any thread. */
void control_finish(struct control_conn *conn);

/* The owner needs it no more. Any thread. */
void control_release(struct control_conn *conn);

#endif
