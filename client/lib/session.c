#include "lib/session.h"

#include <stdlib.h>

#include "lib/backoff.h"
#include "lib/session_private.h"
#include "os/random.h"

#define QUIT_MS 2000          /* for the server to answer `quit` and end */
#define SILENCE_ASK_MS 150000 /* longer than the server's own interval of pings */
#define SILENCE_END_MS 210000
#define STABLE_MS 10000 /* a connection that lasted so long starts the back-off anew */

enum status session_refusal(struct slice code)
{
	enum proto_error error;

	if (!proto_error_find(code, &error))
		return STATUS_REFUSED;
	switch (error) {
	case PROTO_ERR_auth_failed:
	case PROTO_ERR_not_logged_in:
	case PROTO_ERR_name_taken:
		return STATUS_AUTH;
	case PROTO_ERR_no_such_room:
	case PROTO_ERR_no_such_user:
	case PROTO_ERR_no_such_message:
		return STATUS_NOT_FOUND;
	default:
		return STATUS_REFUSED;
	}
}

void session_set_state(struct session *session, enum confab_state state)
{
	session->state = state;
	session->options.on_state(session->options.arg, state);
}

static void begin(struct session *session);

/* What ended a connection that had been good may pass; a refusal or a wrong certificate does not,
 * and is for a person to look at. */
static bool may_retry(const struct session *session)
{
	return session->options.reconnect && session->was_ready && session->transient &&
	       session->state != CONFAB_CLOSING;
}

/* The one end of every attempt and connection: nothing is open any more, the verdict is set. */
static void settle(struct session *session)
{
	if (session->ready_ms != 0 && loop_now_ms(session->loop) - session->ready_ms >= STABLE_MS)
		session->failures = 0;
	session->ready_ms = 0;
	loop_timer_stop(session->timer);
	if (!may_retry(session)) {
		session_set_state(session, CONFAB_ENDED);
		return;
	}
	loop_timer_start(session->timer, backoff_delay_ms(session->failures, &session->rng), 0);
	session->failures++;
	session_set_state(session, CONFAB_WAITING);
}

/* --- Sending ------------------------------------------------------------------------------- */

enum status session_put_line(struct session *session, struct slice line)
{
	struct buf buf;
	struct blob *blob = NULL;

	buf_init(&buf, CONFAB_LINE_MAX + 1);
	/* All at once, so that growing leaves no copy behind. */
	buf_reserve(&buf, line.len + 1);
	buf_put_slice(&buf, line);
	/* It may be a login, or another request with a password. */
	if (buf_put_char(&buf, '\n'))
		blob = blob_new_secret(buf_slice(&buf));
	buf_release_secret(&buf);
	if (blob == NULL)
		return STATUS_NOMEM;
	conn_send(session->conn, blob);
	blob_unref(blob);
	return STATUS_OK;
}

enum status session_send(struct session *session, struct slice line)
{
	if (session->state != CONFAB_READY || session->conn == NULL)
		return STATUS_CLOSED;
	if (line.len > CONFAB_LINE_MAX)
		return STATUS_FULL;
	if (conn_backlog(session->conn) > CONFAB_BACKLOG_MAX)
		return STATUS_AGAIN;
	return session_put_line(session, line);
}

static void on_open(void *arg, struct conn *conn)
{
	struct session *session = arg;

	(void)conn;
	session->phase = PHASE_GREETING;
}

static void on_peer_done(void *arg, struct conn *conn)
{
	(void)arg;
	conn_finish(conn);
}

/* Keep-alive of the system takes hours by default, and a server without limits sends no pings:
 * the only way to notice a peer that vanished is to ask it. */
static void on_watch(void *arg, struct conn *conn)
{
	struct session *session = arg;
	uint64_t silence = loop_now_ms(session->loop) - session->heard_ms;
	struct error why;

	if (silence >= SILENCE_END_MS && session->asked) {
		error_set(&why, STATUS_TIMEOUT, "no sign of life from the server for %u s",
		    (unsigned)(silence / 1000));
		conn_abort(conn, &why);
		return;
	}
	if (silence >= SILENCE_ASK_MS && !session->asked) {
		session->asked = true;
		session_put_line(
		    session, slice_of("{\"cmd\":\"ping\",\"id\":\"" SESSION_ID_PING "\"}"));
	}
	conn_set_timer(conn, SESSION_WATCH_MS);
}

/* --- The end of a connection --------------------------------------------------------------- */

static void judge(struct session *session, const struct error *why)
{
	const char *label = session->options.label;

	if (why->status == STATUS_OK) {
		/* Said goodbye because we asked for it, by session_quit or a `quit` of the
		 * caller's. */
		if (session->state == CONFAB_CLOSING || !session->transient)
			return;
		error_set(
		    &session->verdict, STATUS_CLOSED, "%s: the server ended the connection", label);
		return;
	}
	if (why->status == STATUS_TLS_VERIFY || why->status == STATUS_INVALID)
		session->transient = false;
	error_set(&session->verdict, why->status, "%s: %s", label, why->text);
}

static void on_end(void *arg, struct conn *conn, const struct error *why, bool opened)
{
	struct session *session = arg;

	(void)conn;
	(void)opened;
	session->conn = NULL;
	/* A verdict of ours came before, and says more than how the connection ended. */
	if (session->verdict.status == STATUS_OK)
		judge(session, why);
	settle(session);
}

static const struct conn_handlers handlers = {
    .on_open = on_open,
    .on_line = session_read_line,
    .on_line_too_long = session_read_too_long,
    .on_peer_done = on_peer_done,
    .on_timer = on_watch,
    .on_end = on_end,
};

/* --- Connecting ---------------------------------------------------------------------------- */

static void cannot_connect(struct session *session, const struct error *why)
{
	const char *label = session->options.label;

	if (why->status == STATUS_CONN_REFUSED)
		error_set(&session->verdict, why->status,
		    "cannot connect to %s: connection refused; is confab-server running there?",
		    label);
	else if (why->status == STATUS_RESOLVE)
		error_set(&session->verdict, why->status,
		    "cannot connect to %s: %s; is the name of the server right?", label,
		    status_text(STATUS_RESOLVE));
	else if (why->status == STATUS_TIMEOUT)
		error_set(&session->verdict, why->status,
		    "cannot connect to %s: no answer in time; is the address right, and does a "
		    "firewall let port %u pass?",
		    label, session->options.port);
	else
		error_set(
		    &session->verdict, why->status, "cannot connect to %s: %s", label, why->text);
	settle(session);
}

/* What is left of connect_ms, at least a moment. */
static unsigned time_left(const struct session *session)
{
	uint64_t spent = loop_now_ms(session->loop) - session->begun_ms;

	return spent + 10 < session->options.connect_ms
	           ? (unsigned)(session->options.connect_ms - spent)
	           : 10;
}

static void connected(struct session *session, socket_handle socket)
{
	struct conn_options options = {
	    .handlers = &handlers,
	    .arg = session,
	    .context = session->options.context,
	    .host = session->options.host,
	    .line_max = CONFAB_LINE_MAX,
	    .handshake_ms = time_left(session),
	};
	struct error err;
	enum status status;

	if (session->state == CONFAB_CLOSING) {
		socket_close(socket);
		settle(session);
		return;
	}
	session->phase = PHASE_TLS;
	status = conn_new(session->loop, socket, &options, &session->conn);
	if (status != STATUS_OK) {
		error_set(&err, status, "%s", status_text(status));
		cannot_connect(session, &err);
	}
}

void session_wake(struct session *session)
{
	socket_handle socket = SOCKET_NONE;
	struct error err = {.status = STATUS_OK};
	enum status status;

	if (session->connector == NULL)
		return;
	status = connector_poll(session->connector, &socket, &err);
	if (status == STATUS_AGAIN)
		return;
	session->connector = NULL;
	if (status == STATUS_OK) {
		connected(session, socket);
	} else if (session->state == CONFAB_CLOSING) {
		settle(session);
	} else {
		/* connector_poll filled it, but the status is what counts. */
		err.status = status;
		cannot_connect(session, &err);
	}
}

static void begin(struct session *session)
{
	struct error err;
	enum status status;

	session->verdict = (struct error){.status = STATUS_OK};
	session->transient = true;
	session->phase = PHASE_SOCKET;
	session->user[0] = '\0';
	session->catching_up = session->asked_replay = false;
	if (session->seen != NULL)
		seen_pause(session->seen);
	session->begun_ms = session->heard_ms = loop_now_ms(session->loop);
	status = connector_start(session->loop, session->options.host, session->options.port,
	    session->options.connect_ms, &session->connector);
	if (status != STATUS_OK) {
		error_set(&err, status, "%s", status_text(status));
		cannot_connect(session, &err);
		return;
	}
	loop_timer_start(session->timer, session->options.connect_ms, 0);
	session_set_state(session, CONFAB_CONNECTING);
}

/* The way to ready took too long: the part it hung in says what to look at. */
static void too_late(struct session *session)
{
	static const char *const texts[] = {
	    [PHASE_TLS] = "the server did not answer the TLS handshake in time",
	    [PHASE_GREETING] = "the server did not greet in time",
	    [PHASE_LOGIN] = "the server did not answer the login in time",
	};
	struct error err;

	/* The connecting thread has the same deadline and will tell by itself. */
	if (session->conn == NULL || session->phase == PHASE_OPEN)
		return;
	error_set(&err, STATUS_TIMEOUT, "%s", texts[session->phase]);
	conn_abort(session->conn, &err);
}

static void on_timer(void *arg)
{
	struct session *session = arg;

	switch (session->state) {
	case CONFAB_IDLE: /* session_start */
	case CONFAB_WAITING:
		begin(session);
		break;
	case CONFAB_CONNECTING:
		too_late(session);
		break;
	case CONFAB_CLOSING:
		if (session->conn != NULL && session->phase == PHASE_TLS)
			conn_abort(session->conn, NULL);
		else if (session->conn != NULL)
			conn_finish(session->conn);
		else if (session->connector == NULL)
			settle(session);
		break;
	default:
		break;
	}
}

/* --- For the public functions -------------------------------------------------------------- */

enum status session_new(
    struct loop *loop, const struct session_options *options, struct session **ret)
{
	struct session *session = calloc(1, sizeof *session);

	if (session == NULL)
		return STATUS_NOMEM;
	session->loop = loop;
	session->options = *options;
	session->rng.state = random_u64();
	if ((options->catch_up && seen_new(&session->seen) != STATUS_OK) ||
	    loop_timer_new(loop, on_timer, session, &session->timer) != STATUS_OK) {
		seen_free(session->seen);
		free(session);
		return STATUS_NOMEM;
	}
	*ret = session;
	return STATUS_OK;
}

void session_stop(struct session *session)
{
	if (session == NULL)
		return;
	connector_free(session->connector);
	session->connector = NULL;
	loop_timer_free(session->timer);
	session->timer = NULL;
}

void session_free(struct session *session)
{
	if (session == NULL)
		return;
	seen_free(session->seen);
	secret_wipe(session->token, sizeof session->token);
	free(session);
}

enum status session_start(struct session *session)
{
	if (session->state != CONFAB_IDLE && session->state != CONFAB_ENDED)
		return STATUS_USAGE;
	session->state = CONFAB_IDLE;
	session->was_ready = false;
	session->failures = 0;
	secret_wipe(session->token, sizeof session->token);
	if (session->seen != NULL)
		seen_clear(session->seen);
	session->verdict = (struct error){.status = STATUS_OK};
	/* Begins in the loop, so that no callback comes before this has returned. */
	loop_timer_start(session->timer, 0, 0);
	return STATUS_OK;
}

void session_quit(struct session *session)
{
	enum confab_state before = session->state;

	if (before == CONFAB_IDLE)
		loop_timer_stop(session->timer);
	if (before == CONFAB_IDLE || before == CONFAB_CLOSING || before == CONFAB_ENDED)
		return;
	session->state = CONFAB_CLOSING;
	if (session->connector != NULL) {
		connector_cancel(session->connector);
		loop_timer_stop(session->timer);
		return;
	}
	if (before == CONFAB_READY &&
	    session_put_line(session,
	        slice_of("{\"cmd\":\"quit\",\"id\":\"" SESSION_ID_QUIT "\"}")) == STATUS_OK)
		loop_timer_start(session->timer, QUIT_MS, 0);
	else
		loop_timer_start(session->timer, 0, 0);
}

enum confab_state session_state(const struct session *session)
{
	return session->state;
}

const struct error *session_verdict(const struct session *session)
{
	return &session->verdict;
}

const char *session_user(const struct session *session)
{
	return session->user;
}

const char *session_token(const struct session *session)
{
	return session->token;
}

size_t session_backlog(const struct session *session)
{
	return session->conn != NULL ? conn_backlog(session->conn) : 0;
}
