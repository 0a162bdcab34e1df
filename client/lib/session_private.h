/*
 * The session's inside, for the files that implement it: session.c (connecting, ending, trying
 * again) and session_read.c (greeting, login, and every line after). The loop's thread.
 */
#ifndef CONFAB_LIB_SESSION_PRIVATE_H
#define CONFAB_LIB_SESSION_PRIVATE_H

#include "base/rng.h"
#include "lib/connector.h"
#include "lib/seen.h"
#include "lib/session.h"
#include "net/conn.h"

#define SESSION_WATCH_MS 30000 /* how often silence is looked at */

/* Ids of the library's own requests; replies to the ping are not shown to anybody. */
#define SESSION_ID_LOGIN "confab-login"
#define SESSION_ID_QUIT "confab-quit"
#define SESSION_ID_PING "confab-ping"

enum phase { PHASE_SOCKET, PHASE_TLS, PHASE_GREETING, PHASE_LOGIN, PHASE_OPEN };

struct session {
	struct loop *loop;
	struct session_options options;
	enum confab_state state;
	enum phase phase;
	struct connector *connector;
	struct conn *conn;
	struct loop_timer *timer; /* by state: the way to ready, the wait, the quit */
	uint64_t begun_ms, ready_ms, heard_ms;
	bool asked; /* for a sign of life */
	bool was_ready;
	bool transient; /* the verdict is one that may pass by itself */
	unsigned failures;
	struct rng rng;
	char user[PROTO_USER_MAX + 1];
	char token[SESSION_TOKEN_MAX + 1]; /* of this run, by `remember` */
	bool is_guest;
	struct seen *seen;  /* NULL without catch_up */
	bool asked_replay;  /* this connection's login names what was seen */
	bool catching_up;   /* and the server is replaying what came after it */
	struct error verdict;
};

/* Changes the state and tells. */
void session_set_state(struct session *session, enum confab_state state);

/* Queues a line whatever the state: there must be a connection. NOMEM. */
enum status session_put_line(struct session *session, struct slice line);

/* Handlers of the connection. */
void session_read_line(void *arg, struct conn *conn, struct slice line);
void session_read_too_long(void *arg, struct conn *conn);

#endif
