/*
 * Lines between processes of one machine, for people who may administer the server: a local socket
 * (Unix, mode 0600, in a folder of its owner's) or a named pipe (Windows, for its owner, SYSTEM and
 * administrators; not over the network). No TLS: who can open it is who may use it.
 *
 * The server's side belongs to a loop; every function of it is for that loop's thread. At most
 * PIPE_CONNS_MAX connections; lines in are at most PIPE_LINE_MAX bytes; output that waits for one
 * connection at most PIPE_BACKLOG_MAX. A connection that is silent for PIPE_IDLE_MS while the owner
 * owes it nothing is ended.
 *
 * The client's side blocks, for tools.
 *
 * On Windows libuv's own way of making a pipe gives everybody the right to open it for reading
 * and leaves it open to the network, and changing that afterwards comes late; so the pipe is made
 * here, with its access list from the start, and handed to libuv when it is connected. The tool
 * does not talk to a pipe that belongs to somebody else: anybody may make one of that name while
 * no server runs. Under Wine 8 connections, their number, their ends and the owner of a pipe were seen
 * to work; access lists against other users, and that a second server is refused, were not: Wine
 * holds neither.
 */
#ifndef CONFAB_NET_PIPE_H
#define CONFAB_NET_PIPE_H

#include <stdbool.h>

#include "base/blob.h"
#include "base/buf.h"
#include "base/status.h"
#include "net/loop.h"

#define PIPE_CONNS_MAX 16
#define PIPE_LINE_MAX 65536	    /* bytes with the LF, to the server */
#define PIPE_REPLY_MAX 1048576	    /* bytes with the LF, to the client */
#define PIPE_BACKLOG_MAX (4u << 20) /* bytes */
#define PIPE_IDLE_MS 60000

/* Appends the address that belongs to a data directory, which must be there: a file in it, or on
 * Windows a name made from its full path. NOT_FOUND, ACCESS, NOMEM. */
enum status pipe_path(const char *data_dir, struct buf *to, struct error *err);

/* --- The server's side ---------------------------------------------------------------------- */

struct pipe_server;
struct pipe_conn;

struct pipe_handlers {
	/* A connection; what it returns is given to the others. NULL: end it. */
	void *(*on_open)(void *arg, struct pipe_conn *conn);
	/* A line without LF and CR, never empty, lent for the call. */
	void (*on_line)(void *user, struct slice line);
	/* A longer line than may be; nothing more is read. The owner ends the connection. */
	void (*on_too_long)(void *user);
	/* The last callback; the connection is dead. Comes once for each on_open that was not
	 * NULL, and never from within a function below but pipe_server_free. */
	void (*on_close)(void *user);
	void *arg;
};

/* Listens. A file that a dead server left there is replaced, so the caller must hold the data
 * directory's lock. ACCESS: the folder is not ours alone to write to; INVALID: the path is too long
 * for an address; EXISTS: there is something else, or on Windows somebody else's pipe; NOMEM, IO.
 * `idle_ms` 0: PIPE_IDLE_MS. */
enum status pipe_server_new(struct loop *loop, const char *path,
    const struct pipe_handlers *handlers, unsigned idle_ms, struct pipe_server **ret,
    struct error *err);

/* Takes no more connections; those that are there stay. */
void pipe_server_stop(struct pipe_server *server);

/* pipe_conn_close for all of them. */
void pipe_server_finish(struct pipe_server *server);

/* Ends all connections now. The loop must still be there, and is freed next. NULL is harmless. */
void pipe_server_free(struct pipe_server *server);

unsigned pipe_server_count(const struct pipe_server *server);

/* Takes the reference over. The bytes end with LF. Past the backlog the connection is ended. */
void pipe_conn_send(struct pipe_conn *conn, struct blob *line);

/* While the owner owes it something, it is not ended for being idle, nor, until that is sent, for
 * having closed its own side. */
void pipe_conn_set_owed(struct pipe_conn *conn, bool owed);

/* Stops and starts reading; what was read already is still given. */
void pipe_conn_set_paused(struct pipe_conn *conn, bool paused);

/* Ends it when what was sent has left, or after 2 s. Harmless when it is ending already. */
void pipe_conn_close(struct pipe_conn *conn);

/* --- The client's side ---------------------------------------------------------------------- */

struct pipe_client;

/* NOT_FOUND: no server runs there; ACCESS: it is not ours to use; INVALID: the path is too long;
 * TIMEOUT, NOMEM, IO. */
enum status pipe_client_open(const char *path, unsigned timeout_ms, struct pipe_client **ret,
    struct error *err);

/* Sends a line, given without LF. TIMEOUT, CLOSED, NOMEM. */
enum status pipe_client_send(struct pipe_client *client, struct slice line, unsigned timeout_ms,
    struct error *err);

/* The next line, without LF, lent until the next call. TIMEOUT (asking again is allowed), CLOSED:
 * the server ended the connection; FULL: the line is longer than PIPE_REPLY_MAX; INTERRUPTED: a
 * signal to stop. */
enum status pipe_client_read(struct pipe_client *client, unsigned timeout_ms,
    struct slice *ret_line, struct error *err);

void pipe_client_close(struct pipe_client *client); /* NULL is harmless */

#endif
