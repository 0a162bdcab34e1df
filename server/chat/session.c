/*
 * Sessions: from a connection that is ready, through its login, to its end.
 */
#include "chat/chat_private.h"

#include <stdlib.h>

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

void chat_session_forget(struct chat_session *session)
{
	list_remove(&session->all);
	free(session->finish_item);
	free(session->gone_item);
	free(session->close_unit);
	free(session->device);
	free(session->replay);
	free(session);
}

void chat_session_unref(struct chat *chat, struct chat_session *session)
{
	if (--session->refs > 0)
		return;
	chat->counts.sessions--;
	chat_session_forget(session);
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
	session->refs = 1;
	session->since_ms = now.unix_ms;
	list_init(&session->in_user);
	list_init(&session->all);
	session->worker = worker;
	session->conn = conn;
	session->finish_item = session_item(session, CHAT_ITEM_FINISH);
	session->gone_item = session_item(session, CHAT_ITEM_GONE);
	session->close_unit = malloc(sizeof *session->close_unit);
	if (session->finish_item == NULL || session->gone_item == NULL ||
	    session->close_unit == NULL) {
		chat_session_forget(session);
		return NULL;
	}
	chat_id_new(chat, session->id);
	strings = session->strings;
	session->address = pack(&strings, address);
	session->fingerprint = pack(&strings, fingerprint);
	session->cert_user = pack(&strings, user);
	session->tls_version = peer->tls_version;
	session->tls_cipher = peer->tls_cipher;
	if (peer->console) {
		session->console = true;
		session->user = chat->console;
	}
	list_put(&chat->sessions, &session->all);
	chat->counts.sessions++;
	return session;
}

/* --- The user's devices --------------------------------------------------------------------- */

/* The user's other devices hear that one came or went. */
static void tell_devices(struct chat *chat, struct chat_session *session, struct chat_user *user,
    bool on)
{
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

/* What the session is to the user's rooms. */
static void count_in_rooms(struct chat_session *session, bool in)
{
	struct chat_user *user = session->user;

	for (struct tree_node *node = tree_first(&user->memberships); node != NULL;
	     node = tree_next(node)) {
		struct chat_room *room = tree_entry(node, struct chat_member, in_user)->room;

		room->attached[session->worker] += in ? 1 : -1;
		if (user->session_count == 1)
			room->online_count += in ? 1 : -1;
	}
}

void chat_session_unlink(struct chat *chat, struct chat_session *session)
{
	chat_replay_free(chat, session);
	session->entered = false;
	/* CHAT_ITEM_GONE ends the attachments at the worker. */
	count_in_rooms(session, false);
	list_remove(&session->in_user);
	session->user->session_count--;
	session->user = NULL;
	session->token[0] = '\0';
	chat->logged_in--;
}

bool chat_session_enter(struct chat_call *call, struct chat_user *user)
{
	struct chat *chat = call->chat;
	struct chat_session *session = call->session;
	struct chat_undo *step;

	call->user = user;
	if (!chat_replay_make(call)) {
		chat->unit->broken = true;
		return false;
	}
	step = chat_undo_step(chat, CHAT_UNDO_LOGIN);
	if (step == NULL) {
		chat_replay_free(chat, session);
		chat->unit->broken = true;
		return chat_refuse_memory(call);
	}
	step->session = session;
	session->user = user;
	list_put(&user->sessions, &session->in_user);
	user->session_count++;
	chat->logged_in++;
	user->active_mono_ms = call->now.mono_ms;
	count_in_rooms(session, true);
	chat_tell_login(chat, session);
	for (struct tree_node *node = tree_first(&user->memberships); node != NULL;
	     node = tree_next(node)) {
		struct chat_room *room = tree_entry(node, struct chat_member, in_user)->room;

		if (chat_session_attached(session, room->conv.id))
			chat_tell_attach(chat, session, room);
	}
	tell_devices(chat, session, user, true);
	if (user->session_count == 1)
		chat_presence_changed(chat, user, call->now);
	chat_replay_begin(call);
	return true;
}

/* --- The end -------------------------------------------------------------------------------- */

void chat_guest_end(struct chat *chat, struct chat_user *user, bool quiet, struct chat_time now)
{
	struct tree_node *node;

	chat->unit->ended_guest = user->id;
	while ((node = tree_first(&user->memberships)) != NULL) {
		struct chat_member *member = tree_entry(node, struct chat_member, in_user);
		bool done = quiet && member->room->conv.kept
				? chat_room_remove(chat, member, now)
				: chat_room_leave(chat, member, now);

		if (!done)
			return; /* the unit is broken, and taken back */
	}
	if (chat_touch_user(chat, user))
		chat_user_free(chat, user);
}

void chat_session_close(struct chat *chat, struct chat_session *session, struct chat_time now)
{
	struct chat_user *user = session->user;

	session->finishing = session->closed = true;
	chat_unit_begin(chat, session->close_unit);
	session->close_unit = NULL;
	if (user != NULL && !session->console) {
		chat_session_unlink(chat, session);
		if (user->guest) {
			chat_guest_end(chat, user, false, now);
		} else {
			tell_devices(chat, session, user, false);
			if (user->session_count == 0)
				chat_presence_changed(chat, user, now);
		}
	}
	chat_tell_gone(chat, session);
	chat->unit->gone = session;
	chat_unit_end(chat, false, now);
}
