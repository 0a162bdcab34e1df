#include "lib/session.h"

#include <stdlib.h>

#include "base/rng.h"
#include "lib/backoff.h"
#include "lib/connector.h"
#include "net/conn.h"
#include "os/random.h"
#include "wire/json.h"

#define QUIT_MS 2000	      /* for the server to answer `quit` and end */
#define WATCH_MS 30000	      /* how often silence is looked at */
#define SILENCE_ASK_MS 150000 /* longer than the server's own interval of pings */
#define SILENCE_END_MS 210000
#define STABLE_MS 10000	      /* a connection that lasted so long starts the back-off anew */

/* Ids of the library's own requests; replies to the ping are not shown to anybody. */
#define ID_LOGIN "confab-login"
#define ID_QUIT "confab-quit"
#define ID_PING "confab-ping"

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
	struct error verdict;
};

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
		return STATUS_NOT_FOUND;
	default:
		return STATUS_REFUSED;
	}
}

static void set_state(struct session *session, enum confab_state state)
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
		set_state(session, CONFAB_ENDED);
		return;
	}
	loop_timer_start(session->timer, backoff_delay_ms(session->failures, &session->rng), 0);
	session->failures++;
	set_state(session, CONFAB_WAITING);
}

/* --- Sending ------------------------------------------------------------------------------- */

static enum status send_blob(struct session *session, struct slice line)
{
	struct buf buf;
	struct blob *blob = NULL;

	buf_init(&buf, CONFAB_LINE_MAX + 1);
	buf_put_slice(&buf, line);
	if (buf_put_char(&buf, '\n'))
		blob = blob_new(buf_slice(&buf));
	buf_release(&buf);
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
	return send_blob(session, line);
}

static void send_login(struct session *session)
{
	struct json_writer w;
	struct buf buf;

	buf_init(&buf, 4096);
	json_begin(&w, &buf);
	json_put_str(&w, "cmd", "login");
	json_put_str(&w, "id", ID_LOGIN);
	if (session->options.user != NULL)
		json_put_str(&w, "user", session->options.user);
	if (session->options.device != NULL)
		json_put_str(&w, "device", session->options.device);
	json_end(&w);
	session->phase = PHASE_LOGIN;
	if (buf.failed || send_blob(session, buf_slice(&buf)) != STATUS_OK) {
		struct error err;

		error_set(&err, STATUS_NOMEM, "%s", status_text(STATUS_NOMEM));
		conn_abort(session->conn, &err);
	}
	buf_release(&buf);
}

/* --- Reading ------------------------------------------------------------------------------- */

/* Ends the connection for a reason of ours, which stands whatever the end of it looks like. */
static void give_up(struct session *session, enum status status, bool transient, const char *text)
{
	if (session->verdict.status == STATUS_OK)
		error_set(&session->verdict, status, "%s: %s", session->options.label, text);
	session->transient = transient;
	conn_finish(session->conn);
}

static void become_ready(struct session *session)
{
	session->phase = PHASE_OPEN;
	session->was_ready = true;
	session->asked = false;
	session->ready_ms = loop_now_ms(session->loop);
	loop_timer_stop(session->timer);
	if (!session->options.no_login)
		conn_set_timer(session->conn, WATCH_MS);
	set_state(session, CONFAB_READY);
}

static void got_greeting(struct session *session, const struct message *message)
{
	int64_t version;

	if (message->kind != MESSAGE_EVENT || !slice_is(message->event, "welcome") ||
	    !json_int(json_get(message->root, "protocol"), &version)) {
		give_up(session, STATUS_INVALID, false, "the server does not greet as Confab does");
		return;
	}
	if (version != PROTO_VERSION) {
		give_up(session, STATUS_INVALID, false,
		    "the server speaks another version of the protocol");
		return;
	}
	if (session->options.no_login)
		become_ready(session);
	else
		send_login(session);
}

static bool is_reply_to(const struct message *message, const char *id)
{
	return message->kind == MESSAGE_REPLY && message->re.kind == REQUEST_ID_TEXT &&
	       slice_is(slice_make(message->re.text, message->re.len), id);
}

static void got_login_reply(struct session *session, const struct message *message)
{
	char text[300];
	struct slice code = message->error;

	if (message->ok) {
		str_copy(session->user, sizeof session->user,
		    json_text(json_get(message->root, "user")));
		become_ready(session);
		return;
	}
	snprintf(text, sizeof text, "login refused: %.*s (%.*s)", (int)code.len, code.ptr,
	    (int)(message->text.len < 200 ? message->text.len : 200), message->text.ptr);
	/* A server that has not noticed yet that our last connection is dead still holds the
	 * guest's name for it. */
	give_up(session, session_refusal(code),
	    slice_is(code, "name_taken") || slice_is(code, "unavailable") ||
		slice_is(code, "rate_limited") || slice_is(code, "too_many"),
	    text);
}

static void got_goodbye(struct session *session, const struct message *message)
{
	struct slice reason = json_text(json_get(message->root, "reason"));
	struct slice text = json_text(json_get(message->root, "message"));

	if (session->verdict.status != STATUS_OK)
		return;
	if (slice_is(reason, "quit")) {
		session->transient = false;
		return;
	}
	session->transient = slice_is(reason, "shutdown") || slice_is(reason, "slow_consumer") ||
			     slice_is(reason, "idle");
	error_set(&session->verdict,
	    slice_is(reason, "login_timeout") ? STATUS_TIMEOUT : STATUS_CLOSED,
	    "%s: the server ended the connection: %.*s (%.*s)", session->options.label,
	    (int)(reason.len < 64 ? reason.len : 64), reason.ptr,
	    (int)(text.len < 200 ? text.len : 200), text.ptr);
}

static void handle_line(struct session *session, const struct message *message, struct slice line)
{
	struct conn *conn = session->conn;

	if (is_reply_to(message, ID_PING))
		return;
	if (message->kind == MESSAGE_EVENT && slice_is(message->event, "goodbye"))
		got_goodbye(session, message);
	session->options.on_line(session->options.arg, message, line);
	/* The callback may have begun the end. */
	if (session->conn != conn || session->state == CONFAB_CLOSING)
		return;
	if (session->phase == PHASE_GREETING)
		got_greeting(session, message);
	else if (session->phase == PHASE_LOGIN && is_reply_to(message, ID_LOGIN))
		got_login_reply(session, message);
	else if (message->kind == MESSAGE_EVENT && slice_is(message->event, "ping"))
		send_blob(session, slice_of("{\"cmd\":\"ping\",\"id\":\"" ID_PING "\"}"));
}

static void on_line(void *arg, struct conn *conn, struct slice line)
{
	struct session *session = arg;
	struct message message;
	struct error err;
	enum status status = message_parse(line, &message, &err);

	session->heard_ms = loop_now_ms(session->loop);
	session->asked = false;
	if (status != STATUS_OK) {
		struct error why;

		error_set(&why, STATUS_INVALID, "the server sent a line that is no message: %s",
		    status == STATUS_INVALID ? err.text : status_text(status));
		conn_abort(conn, &why);
		return;
	}
	handle_line(session, &message, line);
	message_release(&message);
}

static void on_line_too_long(void *arg, struct conn *conn)
{
	struct error why;

	(void)arg;
	error_set(&why, STATUS_INVALID, "the server sent a line of more than %d bytes",
	    CONFAB_LINE_MAX);
	conn_abort(conn, &why);
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
		send_blob(session, slice_of("{\"cmd\":\"ping\",\"id\":\"" ID_PING "\"}"));
	}
	conn_set_timer(conn, WATCH_MS);
}

/* --- The end of a connection --------------------------------------------------------------- */

static void judge(struct session *session, const struct error *why)
{
	const char *label = session->options.label;

	if (why->status == STATUS_OK) {
		/* Said goodbye because we asked for it, by session_quit or a `quit` of the caller's. */
		if (session->state == CONFAB_CLOSING || !session->transient)
			return;
		error_set(&session->verdict, STATUS_CLOSED, "%s: the server ended the connection",
		    label);
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
    .on_line = on_line,
    .on_line_too_long = on_line_too_long,
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
		error_set(&session->verdict, why->status, "cannot connect to %s: %s", label,
		    why->text);
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
	session->begun_ms = session->heard_ms = loop_now_ms(session->loop);
	status = connector_start(session->loop, session->options.host, session->options.port,
	    session->options.connect_ms, &session->connector);
	if (status != STATUS_OK) {
		error_set(&err, status, "%s", status_text(status));
		cannot_connect(session, &err);
		return;
	}
	loop_timer_start(session->timer, session->options.connect_ms, 0);
	set_state(session, CONFAB_CONNECTING);
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

enum status session_new(struct loop *loop, const struct session_options *options,
    struct session **ret)
{
	struct session *session = calloc(1, sizeof *session);

	if (session == NULL)
		return STATUS_NOMEM;
	session->loop = loop;
	session->options = *options;
	session->rng.state = random_u64();
	if (loop_timer_new(loop, on_timer, session, &session->timer) != STATUS_OK) {
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
	free(session);
}

enum status session_start(struct session *session)
{
	if (session->state != CONFAB_IDLE && session->state != CONFAB_ENDED)
		return STATUS_USAGE;
	session->state = CONFAB_IDLE;
	session->was_ready = false;
	session->failures = 0;
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
	    send_blob(session, slice_of("{\"cmd\":\"quit\",\"id\":\"" ID_QUIT "\"}")) == STATUS_OK)
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

size_t session_backlog(const struct session *session)
{
	return session->conn != NULL ? conn_backlog(session->conn) : 0;
}
