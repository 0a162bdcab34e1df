/*
 * Requests about one's own account: passwd, sessions, logout.
 */
#include "chat/chat_private.h"

/* --- passwd ---------------------------------------------------------------------------------- */

static bool ask_passwd(struct chat_call *call);

static bool passwd_done(struct chat_call *call, struct chat_job *job)
{
	struct chat_secret *secret = (struct chat_secret *)job;
	struct chat *chat = call->chat;
	struct chat_user *user = call->user;

	if (!secret->right)
		return chat_refuse(call, PROTO_ERR_auth_failed, "the old password is wrong");
	chat_secret_forgive(secret, call->now);
	/* Hashed anew, or another device was faster: look again. */
	if (!chat_secret_is_of(secret, user))
		return ask_passwd(call);
	if (secret->made[0] == '\0' ||
	    !chat_account_set_password(chat, user, secret->made) ||
	    !chat_account_end_tokens(chat, user))
		return chat_refuse_memory(call);
	chat_account_end_sessions(chat, user, call->session, PROTO_REASON_killed,
	    "the password was changed");
	return true;
}

static bool ask_passwd(struct chat_call *call)
{
	const struct chat_secret_want want = {
	    .name = call->user->node.key,
	    .check = true,
	    .user = call->user,
	    .old = chat_field_text(call, PROTO_FIELD_passwd_old),
	    .fresh = chat_field_text(call, PROTO_FIELD_passwd_new),
	    .throttled = true,
	};

	if (call->user->password == NULL)
		return chat_refuse(call, PROTO_ERR_not_allowed,
		    call->user->guest ? "a guest has no password"
				      : "this account has no password: it logs in by "
					"certificate; an administrator can give it one");
	return chat_secret_ask(call, &want, passwd_done);
}

bool cmd_passwd(struct chat_call *call)
{
	return ask_passwd(call);
}

/* --- sessions -------------------------------------------------------------------------------- */

static void put_session(struct json_writer *w, const struct chat_session *session, bool current)
{
	json_open_object(w, NULL);
	json_put_str(w, "session", session->id);
	if (session->device != NULL)
		json_put_str(w, "device", session->device);
	json_put_str(w, "address", session->address);
	json_put_time(w, "since", session->since_ms);
	json_put_bool(w, "current", current);
	json_put_bool(w, "online", true);
	if (session->token[0] != '\0')
		json_put_str(w, "token", session->token);
	json_close_object(w);
}

static bool is_connected(const struct chat_user *user, const struct chat_token *token)
{
	for (struct list *at = user->sessions.next; at != &user->sessions; at = at->next)
		if (strcmp(list_entry(at, struct chat_session, in_user)->token, token->id) == 0)
			return true;
	return false;
}

static void put_token(struct json_writer *w, const struct chat_token *token)
{
	json_open_object(w, NULL);
	json_put_str(w, "session", token->id);
	if (token->device != NULL)
		json_put_str(w, "device", token->device);
	json_put_time(w, "since", token->created_ms);
	json_put_bool(w, "current", false);
	json_put_bool(w, "online", false);
	json_put_str(w, "token", token->id);
	json_close_object(w);
}

bool cmd_sessions(struct chat_call *call)
{
	const struct chat_user *user = call->user;
	struct json_writer w;

	if (!chat_reply_begin(call, &w))
		return true;
	json_open_array(&w, "sessions");
	for (struct list *at = user->sessions.next; at != &user->sessions; at = at->next) {
		const struct chat_session *session = list_entry(at, struct chat_session, in_user);

		put_session(&w, session, session == call->session);
	}
	for (struct list *at = user->tokens.next; at != &user->tokens; at = at->next) {
		const struct chat_token *token = list_entry(at, struct chat_token, in_user);

		if (!chat_token_is_over(token, call->now) && !is_connected(user, token))
			put_token(&w, token);
	}
	json_close_array(&w);
	chat_reply_end(call, &w);
	return true;
}

/* --- logout ---------------------------------------------------------------------------------- */

/* The token goes, and with it the other sessions that it let in. */
static bool end_token(struct chat_call *call, const char *id)
{
	struct chat_user *user = call->user;
	char token_id[CHAT_EPOCH_SIZE];
	struct chat_token *token;

	str_copy(token_id, sizeof token_id, slice_of(id));
	if (token_id[0] == '\0')
		return true;
	for (struct list *at = user->sessions.next; at != &user->sessions; at = at->next) {
		struct chat_session *session = list_entry(at, struct chat_session, in_user);

		if (session != call->session && strcmp(session->token, token_id) == 0)
			chat_tell_goodbye(call->chat, session, PROTO_REASON_killed, NULL);
	}
	token = chat_token_of(user, slice_of(token_id));
	return token == NULL || chat_token_end(call->chat, token) || chat_refuse_memory(call);
}

bool cmd_logout(struct chat_call *call)
{
	struct slice id = chat_field_text(call, PROTO_FIELD_logout_session);
	struct list *all = &call->user->sessions;
	struct chat_token *token;

	if (id.len == 0 || slice_is(id, call->session->id))
		return end_token(call, call->session->token) && cmd_quit(call);
	for (struct list *at = all->next; at != all; at = at->next) {
		struct chat_session *session = list_entry(at, struct chat_session, in_user);

		if (slice_is(id, session->id)) {
			chat_tell_goodbye(call->chat, session, PROTO_REASON_killed, NULL);
			return end_token(call, session->token);
		}
	}
	/* One that is not there has ended already. */
	token = chat_token_of(call->user, id);
	if (token == NULL)
		return true;
	if (slice_is(id, call->session->token))
		return end_token(call, token->id) && cmd_quit(call);
	return end_token(call, token->id);
}
