#include "lib/session_private.h"

#include "wire/json.h"

/* Who we are, by what is at hand: the token of this run's first login saves another one. */
static void put_secret(struct session *session, struct json_writer *w)
{
	const struct session_options *options = &session->options;

	if (session->token[0] != '\0' || options->token != NULL) {
		json_put_str(
		    w, "token", session->token[0] != '\0' ? session->token : options->token);
		return;
	}
	if (options->user != NULL)
		json_put_str(w, "user", options->user);
	if (options->password != NULL)
		json_put_str(w, "password", options->password);
	if (options->remember)
		json_put_bool(w, "remember", true);
}

static void send_login(struct session *session, bool ask_replay)
{
	struct json_writer w;
	struct buf buf;

	buf_init(&buf, PROTO_LIMIT_first_line);
	buf_reserve(&buf, PROTO_LIMIT_first_line);
	json_begin(&w, &buf);
	json_put_str(&w, "cmd", "login");
	json_put_str(&w, "id", SESSION_ID_LOGIN);
	put_secret(session, &w);
	if (session->options.device != NULL)
		json_put_str(&w, "device", session->options.device);
	session->asked_replay = ask_replay && session->seen != NULL && session->was_ready &&
	                        !session->is_guest &&
	                        seen_put_since(session->seen, &w, PROTO_LIMIT_first_line - 2);
	json_end(&w);
	session->phase = PHASE_LOGIN;
	if (buf.failed || session_put_line(session, buf_slice(&buf)) != STATUS_OK) {
		struct error err;

		error_set(&err, STATUS_NOMEM, "%s", status_text(STATUS_NOMEM));
		conn_abort(session->conn, &err);
	}
	buf_release_secret(&buf);
}

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
		conn_set_timer(session->conn, SESSION_WATCH_MS);
	session_set_state(session, CONFAB_READY);
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
	if (session->seen != NULL)
		seen_set_epoch(session->seen, json_text(json_get(message->root, "epoch")));
	if (session->options.no_login)
		become_ready(session);
	else
		send_login(session, true);
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
		struct slice token = json_text(json_get(message->root, "token"));

		str_copy(session->user, sizeof session->user,
		    json_text(json_get(message->root, "user")));
		session->is_guest = json_is_true(json_get(message->root, "guest"));
		session->catching_up = session->asked_replay;
		if (session->options.remember && token.len > 0 && token.len <= SESSION_TOKEN_MAX)
			str_copy(session->token, sizeof session->token, token);
		become_ready(session);
		return;
	}
	/* A seq that is ahead of its conversation, as of a room made anew: then nothing is known.
	 */
	if (session->asked_replay && slice_is(code, "bad_field")) {
		seen_clear(session->seen);
		send_login(session, false);
		return;
	}
	snprintf(text, sizeof text, "login refused: %.*s (%.*s)", (int)code.len, code.ptr,
	    (int)(message->text.len < 200 ? message->text.len : 200), message->text.ptr);
	/* A server that has not noticed yet that our last connection is dead still holds the
	 * guest's name for it. */
	give_up(session, session_refusal(code),
	    slice_is(code, "name_taken") || slice_is(code, "unavailable") ||
	        slice_is(code, "auth_unavailable") || slice_is(code, "rate_limited") || slice_is(code, "too_many"),
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

	if (is_reply_to(message, SESSION_ID_PING))
		return;
	if (message->kind == MESSAGE_EVENT && slice_is(message->event, "goodbye"))
		got_goodbye(session, message);
	if (session->seen != NULL && session->phase == PHASE_OPEN) {
		if (!seen_note(session->seen, message, session->user, session->catching_up))
			return;
		if (message->kind == MESSAGE_EVENT && slice_is(message->event, "synced"))
			session->catching_up = false;
	}
	session->options.on_line(session->options.arg, message, line);
	/* The callback may have begun the end. */
	if (session->conn != conn || session->state == CONFAB_CLOSING)
		return;
	if (session->phase == PHASE_GREETING)
		got_greeting(session, message);
	else if (session->phase == PHASE_LOGIN && is_reply_to(message, SESSION_ID_LOGIN))
		got_login_reply(session, message);
	else if (message->kind == MESSAGE_EVENT && slice_is(message->event, "ping"))
		session_put_line(
		    session, slice_of("{\"cmd\":\"ping\",\"id\":\"" SESSION_ID_PING "\"}"));
}

void session_read_line(void *arg, struct conn *conn, struct slice line)
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
	/* The reply to a login may hold a token. */
	if (message.kind == MESSAGE_REPLY)
		json_free_secret(message.root);
	else
		message_release(&message);
}

void session_read_too_long(void *arg, struct conn *conn)
{
	struct error why;

	(void)arg;
	error_set(
	    &why, STATUS_INVALID, "the server sent a line of more than %d bytes", CONFAB_LINE_MAX);
	conn_abort(conn, &why);
}
