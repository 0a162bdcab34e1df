/*
 * The core's birth and end, its sessions, and the way of a request to its handler and back.
 */
#include "chat/chat_private.h"
#include "chat/rights.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "confab_version.h"

void chat_id_new(struct chat *chat, char to[CHAT_EPOCH_SIZE])
{
	snprintf(to, CHAT_EPOCH_SIZE, "%016llx", (unsigned long long)rng_next(&chat->ids));
}

/* A limit as the greeting tells it: as configured, where it can be. */
static int64_t limit_told(const struct chat_options *options, const struct proto_limit_row *row)
{
	const struct {
		const char *name;
		int64_t value;
	} configured[] = {
	    {"line", options->line_max},
	    {"first_line", options->first_line_max},
	    {"login_s", options->login_s},
	    {"idle_s", options->idle_s},
	    {"ping_s", options->ping_s},
	};

	for (size_t i = 0; i < sizeof configured / sizeof *configured; i++)
		if (strcmp(row->name, configured[i].name) == 0)
			return configured[i].value;
	return row->value;
}

static struct blob *make_welcome(struct chat *chat)
{
	struct json_writer w;
	const struct proto_limit_row *row;

	message_begin_event(&w, &chat->scratch, PROTO_EVENT_welcome);
	json_put_str(&w, "server", "confab/" CONFAB_VERSION);
	json_put_int(&w, "protocol", PROTO_VERSION);
	json_put_str(&w, "name", chat->name);
	json_put_str(&w, "epoch", chat->epoch);
	json_open_array(&w, "auth");
	if (chat->options.certificates)
		json_put_str(&w, NULL, "certificate");
	if (chat->options.guests)
		json_put_str(&w, NULL, "guest");
	json_close_array(&w);
	json_open_object(&w, "limits");
	for (size_t i = 0; (row = proto_limit_row(i)) != NULL; i++) {
		json_put_int(&w, row->name, limit_told(&chat->options, row));
	}
	json_close_object(&w);
	if (chat->motd != NULL)
		json_put_str(&w, "motd", chat->motd);
	message_end(&w);
	return chat_take_line(chat);
}

struct chat *chat_new(const struct chat_options *options)
{
	struct chat *chat = calloc(1, sizeof *chat);

	if (chat == NULL)
		return NULL;
	chat->options = *options;
	chat->options.name = chat->options.motd = NULL;
	chat->rng.state = options->seed;
	chat->ids.state = options->id_seed;
	list_init(&chat->damped);
	list_init(&chat->offline);
	list_init(&chat->pending);
	buf_init(&chat->scratch, PROTO_LIMIT_reply);
	chat->next_id = 1;
	chat_id_new(chat, chat->epoch);
	chat->name = str_dup(slice_of(options->name));
	if (options->motd != NULL)
		chat->motd = str_dup(slice_of(options->motd));
	chat->entries = calloc(CHAT_ENTRIES_MAX, sizeof *chat->entries);
	if (chat->name != NULL && (options->motd == NULL || chat->motd != NULL) &&
	    chat->entries != NULL)
		chat->welcome = make_welcome(chat);
	if (chat->welcome == NULL) {
		chat_free(chat);
		return NULL;
	}
	return chat;
}

/* Sessions must have been closed; users and rooms that stay behind go with the core. */
void chat_free(struct chat *chat)
{
	struct tree_node *node;

	if (chat == NULL)
		return;
	while ((node = tree_first(&chat->rooms)) != NULL)
		chat_room_free(chat, tree_entry(node, struct chat_room, node));
	while ((node = tree_first(&chat->users)) != NULL)
		chat_user_free(chat, tree_entry(node, struct chat_user, node));
	while (!list_is_empty(&chat->pending)) {
		struct chat_unit *unit =
		    list_entry(list_take(&chat->pending), struct chat_unit, link);

		while (unit->first != NULL) {
			struct chat_item *item = unit->first;

			unit->first = item->next;
			chat_item_free(item);
		}
		free(unit);
	}
	free(chat->spare_unit);
	free(chat->entries);
	free(chat->free_slots);
	blob_unref(chat->welcome);
	buf_release(&chat->scratch);
	free(chat->name);
	free(chat->motd);
	free(chat);
}

struct blob *chat_welcome(struct chat *chat)
{
	return blob_ref(chat->welcome);
}

void chat_count(const struct chat *chat, struct chat_counts *ret)
{
	*ret = chat->counts;
	ret->users = chat->users.count;
	ret->rooms = chat->rooms.count;
}

bool chat_tick(struct chat *chat, struct chat_time now)
{
	return chat_presence_tick(chat, now);
}

/* --- Sessions ------------------------------------------------------------------------------- */

static struct chat_item *session_item(const struct chat_session *session,
    enum chat_item_kind kind)
{
	struct chat_item *item = calloc(1, sizeof *item);

	if (item != NULL) {
		item->kind = (unsigned char)kind;
		item->worker = session->worker;
		item->conn = session->conn;
	}
	return item;
}

static void session_free(struct chat_session *session)
{
	free(session->finish_item);
	free(session->gone_item);
	free(session->close_unit);
	free(session->device);
	free(session);
}

/* Puts a copy at *to, which moves behind it. */
static const char *pack(char **to, struct slice text)
{
	char *at = *to;

	memcpy(at, text.ptr, text.len);
	at[text.len] = '\0';
	*to += text.len + 1;
	return at;
}

struct chat_session *chat_session_open(struct chat *chat, const struct chat_peer *peer,
    unsigned worker, void *conn, struct chat_time now)
{
	struct slice address = slice_of(peer->address), user = slice_of(peer->user);
	struct slice fingerprint = slice_of(peer->fingerprint);
	struct chat_session *session =
	    calloc(1, sizeof *session + address.len + fingerprint.len + user.len + 3);
	char *strings;

	if (session == NULL)
		return NULL;
	session->since_ms = now.unix_ms;
	list_init(&session->in_user);
	session->worker = worker;
	session->conn = conn;
	session->finish_item = session_item(session, CHAT_ITEM_FINISH);
	session->gone_item = session_item(session, CHAT_ITEM_GONE);
	session->close_unit = malloc(sizeof *session->close_unit);
	if (session->finish_item == NULL || session->gone_item == NULL ||
	    session->close_unit == NULL) {
		session_free(session);
		return NULL;
	}
	chat_id_new(chat, session->id);
	strings = session->strings;
	session->address = pack(&strings, address);
	session->fingerprint = pack(&strings, fingerprint);
	session->cert_user = pack(&strings, user);
	session->tls_version = peer->tls_version;
	session->tls_cipher = peer->tls_cipher;
	chat->counts.sessions++;
	return session;
}

/* A guest is the connection: memberships and name end with it. */
static void end_guest(struct chat *chat, struct chat_user *user, struct chat_time now)
{
	struct tree_node *node;

	while ((node = tree_first(&user->memberships)) != NULL)
		chat_room_leave(chat, tree_entry(node, struct chat_member, in_user), now);
	chat_user_free(chat, user);
}

static void tell_devices(struct chat *chat, struct chat_session *session, bool on);

static void leave_user(struct chat *chat, struct chat_session *session, struct chat_time now)
{
	struct chat_user *user = session->user;

	for (struct tree_node *node = tree_first(&user->memberships); node != NULL;
	     node = tree_next(node)) {
		struct chat_room *room = tree_entry(node, struct chat_member, in_user)->room;

		/* CHAT_ITEM_GONE ends the attachments at the worker. */
		room->attached[session->worker]--;
		room->online_count -= user->session_count == 1;
	}
	list_remove(&session->in_user);
	user->session_count--;
	if (user->guest) {
		end_guest(chat, user, now);
		return;
	}
	tell_devices(chat, session, false);
	if (user->session_count == 0)
		chat_presence_changed(chat, user, now);
}

void chat_session_close(struct chat *chat, struct chat_session *session, struct chat_time now)
{
	session->finishing = true;
	chat_unit_begin(chat, session->close_unit);
	session->close_unit = NULL;
	if (session->user != NULL)
		leave_user(chat, session, now);
	chat_tell_gone(chat, session);
	chat_unit_end(chat, NULL);
	session_free(session);
	chat->counts.sessions--;
}

/* The user's other devices hear that one came or went. */
static void tell_devices(struct chat *chat, struct chat_session *session, bool on)
{
	struct chat_user *user = session->user;
	struct json_writer w;
	struct blob *line;

	if (user->session_count < (on ? 2u : 1u))
		return;
	message_begin_event(&w, &chat->scratch, PROTO_EVENT_session);
	json_put_str(&w, "session", session->id);
	json_put_bool(&w, "on", on);
	if (session->device != NULL)
		json_put_str(&w, "device", session->device);
	if (on)
		json_put_str(&w, "address", session->address);
	message_end(&w);
	line = chat_take_line(chat);
	for (struct list *at = user->sessions.next; at != &user->sessions; at = at->next) {
		struct chat_session *other = list_entry(at, struct chat_session, in_user);

		if (other != session)
			chat_tell_session(chat, other, line);
	}
	blob_unref(line);
}

/* --- login ---------------------------------------------------------------------------------- */

/* Who this connection may be; NULL with the error filled. */
static struct chat_user *login_user(struct chat_call *call)
{
	struct chat *chat = call->chat;
	struct slice name = chat_field_text(call, PROTO_FIELD_login_user);
	struct slice cert = slice_of(call->session->cert_user);
	bool by_cert = cert.len > 0 && (name.len == 0 || slice_equal(name, cert));
	struct chat_user *user;

	if (request_field(call->request, PROTO_FIELD_login_password)->present ||
	    request_field(call->request, PROTO_FIELD_login_token)->present) {
		chat_refuse(call, PROTO_ERR_auth_failed,
		    "this server takes no passwords or tokens");
		return NULL;
	}
	if (!by_cert && (name.len == 0 || cert.len > 0 || !chat->options.guests)) {
		chat_refuse(call, PROTO_ERR_auth_failed,
		    name.len == 0 ? "no client certificate names a user, and no user was given"
		    : cert.len > 0 ? "the client certificate names another user"
				   : "this server takes no guests: a client certificate is needed");
		return NULL;
	}
	if (by_cert)
		name = cert;
	user = chat_user_find(chat, name);
	if (user != NULL && (user->guest || !by_cert)) {
		chat_refuse(call, PROTO_ERR_name_taken, "the name %s is in use",
		    user->name);
		return NULL;
	}
	if (user != NULL && user->session_count >= PROTO_LIMIT_sessions) {
		chat_refuse_limit(call, PROTO_ERR_too_many, PROTO_LIMIT_sessions,
		    "the user has %d sessions already; end one of them", PROTO_LIMIT_sessions);
		return NULL;
	}
	if (user == NULL)
		user = chat_user_new(chat, name, !by_cert);
	if (user == NULL)
		chat_refuse(call, PROTO_ERR_unavailable, "out of memory; try again later");
	return user;
}

static void login_reply(struct chat_call *call)
{
	struct chat_user *user = call->session->user;
	struct json_writer w;

	if (!chat_reply_begin(call, &w))
		return;
	json_put_str(&w, "user", user->name);
	json_put_str(&w, "role", "user");
	json_put_str(&w, "session", call->session->id);
	json_open_array(&w, "rooms");
	for (struct tree_node *node = tree_first(&user->memberships); node != NULL;
	     node = tree_next(node))
		json_put_text(&w, NULL, node->key);
	json_close_array(&w);
	if (user->guest)
		json_put_bool(&w, "guest", true);
	chat_reply_end(call, &w);
}

bool cmd_login(struct chat_call *call)
{
	struct chat *chat = call->chat;
	struct chat_session *session = call->session;
	struct slice device = chat_field_text(call, PROTO_FIELD_login_device);
	struct chat_user *user = login_user(call);

	if (user == NULL) {
		session->failed_logins++;
		return false;
	}
	/* Without memory for it the device is nameless to the others. */
	if (device.len > 0)
		session->device = str_dup(device);
	session->user = user;
	list_put(&user->sessions, &session->in_user);
	user->session_count++;
	user->active_mono_ms = call->now.mono_ms;
	login_reply(call);
	chat_tell_login(chat, session);
	for (struct tree_node *node = tree_first(&user->memberships); node != NULL;
	     node = tree_next(node)) {
		struct chat_room *room = tree_entry(node, struct chat_member, in_user)->room;

		room->online_count += user->session_count == 1;
		chat_tell_attach(chat, session, room);
	}
	tell_devices(chat, session, true);
	if (user->session_count == 1)
		chat_presence_changed(chat, user, call->now);
	return true;
}

/* --- Requests ------------------------------------------------------------------------------- */

PRINTF_LIKE(4, 0)
static bool refuse(struct chat_call *call, enum proto_error code, int64_t limit,
    const char *format, va_list args)
{
	call->error = (struct request_error){.code = code, .limit = limit};
	vsnprintf(call->error.message, sizeof call->error.message, format, args);
	return false;
}

bool chat_refuse(struct chat_call *call, enum proto_error code, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	refuse(call, code, 0, format, args);
	va_end(args);
	return false;
}

bool chat_refuse_limit(struct chat_call *call, enum proto_error code, int64_t limit,
    const char *format, ...)
{
	va_list args;

	va_start(args, format);
	refuse(call, code, limit, format, args);
	va_end(args);
	return false;
}

bool chat_refuse_later(struct chat_call *call, int64_t wait_s, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	refuse(call, PROTO_ERR_rate_limited, 0, format, args);
	va_end(args);
	call->error.retry_after = wait_s;
	return false;
}

bool chat_reply_begin(struct chat_call *call, struct json_writer *w)
{
	if (call->request->id.kind == REQUEST_ID_NONE)
		return false;
	message_begin_reply(w, &call->chat->scratch, &call->request->id);
	return true;
}

static void send_reply(struct chat_call *call)
{
	struct blob *line = chat_take_line(call->chat);

	chat_tell_reply(call->chat, call->session, line);
	blob_unref(line);
	call->replied = true;
}

void chat_reply_end(struct chat_call *call, struct json_writer *w)
{
	message_end(w);
	send_reply(call);
}

/* May this connection ask that now? The row says who may; PROTOCOL.md, "Greeting". */
static bool check_state(struct chat_call *call)
{
	switch (proto_cmd_row(call->request->cmd)->who) {
	case PROTO_ANYONE:
		return true;
	case PROTO_NEW:
		return call->user == NULL || chat_refuse(call, PROTO_ERR_already_logged_in,
						 "this connection is %s already",
						 call->user->name);
	case PROTO_USER:
	case PROTO_ADMIN:
		break;
	}
	return call->user != NULL ||
	       chat_refuse(call, PROTO_ERR_not_logged_in, "log in first, with \"cmd\":\"login\"");
}

static bool dispatch(struct chat_call *call)
{
	static bool (*const handlers[])(struct chat_call *) = {
#define CMD(name, who, summary, reply) [PROTO_CMD_##name] = cmd_##name,
#include "tables.def"
	};
	return handlers[call->request->cmd](call);
}

enum chat_answer chat_request(struct chat *chat, struct chat_session *session,
    const struct request *request, struct chat_time now)
{
	struct chat_call call = {
	    .chat = chat,
	    .session = session,
	    .user = session->user,
	    .request = request,
	    .now = now,
	};
	struct json_writer w;

	if (session->finishing)
		return CHAT_ANSWERED;
	if (!chat_unit_begin(chat, NULL)) {
		chat_cut_off_now(chat, session);
		return CHAT_ANSWERED;
	}
	if (call.user != NULL)
		call.user->active_mono_ms = now.mono_ms;
	if (!check_state(&call) || !chat_check_rights(&call) || !dispatch(&call)) {
		message_put_error(&chat->scratch, &request->id, &call.error);
		send_reply(&call);
		if (session->failed_logins >= PROTO_LIMIT_login_tries)
			chat_tell_goodbye(chat, session, PROTO_REASON_flood);
	} else if (!call.replied && chat_reply_begin(&call, &w)) {
		chat_reply_end(&call, &w);
	}
	if (chat_unit_end(chat, call.replied ? NULL : session) && !call.replied)
		return CHAT_ANSWERED;
	return CHAT_PENDING;
}
