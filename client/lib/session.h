/*
 * The life of a client's connection, behind the public functions: socket, TLS, greeting, login,
 * ready, lost, waiting, again, ended. Answers pings, asks for a sign of life itself when the
 * server is silent, and knows after which ends another try makes sense. Belongs to one loop.
 *
 * Callbacks come from the loop only, never from within the functions here.
 */
#ifndef CONFAB_LIB_SESSION_H
#define CONFAB_LIB_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "base/str.h"
#include "lib/confab.h"
#include "net/loop.h"
#include "net/tls.h"
#include "wire/message.h"

struct session;

#define SESSION_TOKEN_MAX 256 /* bytes of a token */

struct session_options {
	const char *host; /* lent for the session's life, as all here */
	uint16_t port;
	const char *label; /* "host:port", for messages */
	struct tls_context *context;
	const char *user, *device;     /* or NULL */
	const char *password, *token; /* or NULL */
	unsigned connect_ms;
	bool remember, no_login, reconnect, catch_up;
	/* Each line but the library's own pings; both lent for the call. */
	void (*on_line)(void *arg, const struct message *message, struct slice line);
	/* For WAITING and ENDED session_verdict says why. */
	void (*on_state)(void *arg, enum confab_state state);
	void *arg;
};

/* NOMEM. */
enum status session_new(
    struct loop *loop, const struct session_options *options, struct session **ret);

/* Stops timers and the connecting thread. Comes before loop_free, which cuts the connection off;
 * session_free comes after it. Both are harmless with NULL. */
void session_stop(struct session *session);
void session_free(struct session *session);

/* USAGE unless idle or ended; NOMEM. */
enum status session_start(struct session *session);

/* To be called when the loop was woken: the connecting thread may have ended. */
void session_wake(struct session *session);

/* Begins the graceful end. */
void session_quit(struct session *session);

/* Queues a line (without LF): CLOSED when not ready, AGAIN when too much waits, FULL when it is
 * too long, NOMEM. */
enum status session_send(struct session *session, struct slice line);

enum confab_state session_state(const struct session *session);
const struct error *session_verdict(const struct session *session);
const char *session_user(const struct session *session);
/* What a login with `remember` brought, or "". */
const char *session_token(const struct session *session);
size_t session_backlog(const struct session *session);

/* What an error code of the server means for a caller: AUTH, NOT_FOUND or REFUSED. */
enum status session_refusal(struct slice code);

#endif
