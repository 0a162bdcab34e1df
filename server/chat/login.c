/*
 * Logging in: by password, by token, by certificate, or as a guest; and opening an account.
 */
#include "chat/chat_private.h"

#include <stdlib.h>

#define DAY_MS INT64_C(86400000)

/* Always the same sentence, whatever was wrong with name and secret. */
static bool refuse_secret(struct chat_call *call)
{
	return chat_refuse(call, PROTO_ERR_auth_failed, "wrong user or secret");
}

/* A try that failed is counted, unless it was never looked at or is no try at all. */
static bool end_try(struct chat_call *call, bool ok)
{
	switch (call->error.code) {
	case PROTO_ERR_rate_limited:
	case PROTO_ERR_auth_unavailable:
	case PROTO_ERR_unavailable:
	case PROTO_ERR_bad_field:
		break;
	default:
		call->session->failed_logins += !ok;
	}
	return ok;
}

/* --- The end of every way in ----------------------------------------------------------------- */

static void put_reply(struct chat_call *call, const char *token)
{
	struct chat_user *user = call->session->user;
	struct json_writer w;

	if (!chat_reply_begin(call, &w))
		return;
	json_put_str(&w, "user", user->name);
	json_put_str(&w, "role", chat_user_role(user));
	json_put_str(&w, "session", call->session->id);
	json_open_array(&w, "rooms");
	for (struct tree_node *node = tree_first(&user->memberships); node != NULL;
	     node = tree_next(node))
		json_put_text(&w, NULL, node->key);
	json_close_array(&w);
	if (user->guest)
		json_put_bool(&w, "guest", true);
	if (token[0] != '\0') {
		call->chat->secret = true;
		json_put_str(&w, "token", token);
	}
	chat_reply_end(call, &w);
}

/* The same fields in both requests. */
static struct slice device_of(const struct chat_call *call)
{
	return chat_field_text(call, call->request->cmd == PROTO_CMD_login
					 ? PROTO_FIELD_login_device
					 : PROTO_FIELD_register_device);
}

static bool wants_token(const struct chat_call *call)
{
	return request_field(call->request, call->request->cmd == PROTO_CMD_login
						? PROTO_FIELD_login_remember
						: PROTO_FIELD_register_remember)
	    ->flag;
}

/* Who the secret was right for comes in, unless something else is in the way. `token`: the one
 * shown, or NULL. */
static bool enter(struct chat_call *call, struct chat_user *user, struct chat_token *token)
{
	struct chat_session *session = call->session;
	char text[CHAT_TOKEN_SIZE] = "";
	struct slice device = device_of(call);

	if (user->suspended) {
		struct slice why = slice_of(user->reason != NULL ? user->reason : "");

		why = utf8_cut(why, 150);
		return chat_refuse(call, PROTO_ERR_not_allowed, "this account is suspended%s%.*s",
		    why.len > 0 ? ": " : "", (int)why.len, why.ptr);
	}
	if (user->session_count >= PROTO_LIMIT_sessions)
		return chat_refuse_limit(call, PROTO_ERR_too_many, PROTO_LIMIT_sessions,
		    "the user has %d sessions already; end one of them", PROTO_LIMIT_sessions);
	if (!chat_replay_check(call, user))
		return false;
	/* Without memory for it the device is nameless to the others. */
	free(session->device);
	session->device = device.len > 0 ? str_dup(device) : NULL;
	if (token == NULL && wants_token(call) && !user->guest) {
		token = chat_account_remember(call, user, text);
		if (token == NULL)
			return false;
	}
	if (!chat_session_enter(call, user))
		return false;
	str_copy(session->token, sizeof session->token, slice_of(token != NULL ? token->id : ""));
	put_reply(call, text);
	secret_wipe(text, sizeof text);
	return true;
}

/* --- By password ----------------------------------------------------------------------------- */

static bool password_done(struct chat_call *call, struct chat_job *job);

static bool ask_password(struct chat_call *call, struct slice name, bool throttled)
{
	struct slice password = chat_field_text(call, PROTO_FIELD_login_password);
	const struct chat_secret_want want = {
	    .name = name,
	    .check = true,
	    .user = chat_account_find(call->chat, name),
	    .old = password,
	    .throttled = throttled,
	};

	return chat_secret_ask(call, &want, password_done);
}

static bool verified(struct chat_call *call, struct chat_secret *secret)
{
	struct chat_user *user = chat_account_find(call->chat, slice_of(secret->name));

	if (!secret->right)
		return refuse_secret(call);
	chat_secret_forgive(secret, call->now);
	/* Another one was set meanwhile, perhaps of the same password: look again. */
	if (user != NULL && user->password != NULL && !chat_secret_is_of(secret, user))
		return ask_password(call, user->node.key, true);
	if (!chat_secret_is_of(secret, user))
		return refuse_secret(call);
	if (secret->made[0] != '\0' && !chat_account_set_password(call->chat, user, secret->made))
		return chat_refuse_memory(call);
	return enter(call, user, NULL);
}

static bool password_done(struct chat_call *call, struct chat_job *job)
{
	return end_try(call, verified(call, (struct chat_secret *)job));
}

/* --- By token, by certificate, as a guest ----------------------------------------------------- */

static bool by_token(struct chat_call *call, struct slice name, struct slice text)
{
	struct chat *chat = call->chat;
	unsigned char hash[CHAT_TOKEN_HASH_SIZE];
	struct chat_token *token;

	chat->options.secrets->token_hash(text, hash);
	token = chat_token_find(chat, hash);
	if (token == NULL || chat_token_is_over(token, call->now) ||
	    (name.len > 0 && !slice_equal(name, token->user->node.key)))
		return refuse_secret(call);
	if (call->now.unix_ms - token->used_ms >= DAY_MS) {
		if (!chat_touch_token(chat, token->hash))
			return chat_refuse_memory(call);
		token->used_ms = call->now.unix_ms;
	}
	return enter(call, token->user, token);
}

static bool by_certificate(struct chat_call *call, struct slice name)
{
	struct chat_user *user = chat_user_find(call->chat, name);

	if (user != NULL && user->guest)
		return !chat_name_taken(call, name);
	if (user != NULL && user->deleted)
		return refuse_secret(call);
	if (user == NULL)
		user = chat_user_new(call, name, false);
	return user != NULL && enter(call, user, NULL);
}

static bool as_guest(struct chat_call *call, struct slice name)
{
	struct chat_user *user;

	if (chat_name_refused(call, name))
		return false;
	/* Whoever looks for names by trying them is slowed down. */
	if (chat_user_find(call->chat, name) != NULL)
		return chat_throttle_refuses(call, name) ? false : !chat_name_taken(call, name);
	user = chat_user_new(call, name, true);
	return user != NULL && enter(call, user, NULL);
}

static bool log_in(struct chat_call *call)
{
	struct slice name = chat_field_text(call, PROTO_FIELD_login_user);
	const struct request_field *password =
	    request_field(call->request, PROTO_FIELD_login_password);
	const struct request_field *token = request_field(call->request, PROTO_FIELD_login_token);
	struct slice cert = slice_of(call->session->cert_user);

	if (password->present && token->present)
		return chat_refuse(call, PROTO_ERR_auth_failed,
		    "a password or a token, not both");
	if (password->present && name.len == 0)
		return chat_refuse(call, PROTO_ERR_auth_failed, "a password needs a user");
	if (token->present)
		return by_token(call, name, token->text);
	if (password->present)
		return ask_password(call, name, true);
	if (cert.len > 0 && (name.len == 0 || slice_equal(name, cert)))
		return by_certificate(call, cert);
	if (cert.len > 0)
		return chat_refuse(call, PROTO_ERR_auth_failed,
		    "the client certificate names another user");
	if (name.len == 0)
		return chat_refuse(call, PROTO_ERR_auth_failed,
		    "no client certificate names a user, and no user was given");
	if (!call->chat->options.guests)
		return chat_refuse(call, PROTO_ERR_auth_failed,
		    "this server takes no guests: a secret is needed");
	return as_guest(call, name);
}

bool cmd_login(struct chat_call *call)
{
	/* What cannot be replayed for anybody is no try. */
	return chat_replay_check(call, NULL) && end_try(call, log_in(call));
}

/* --- register -------------------------------------------------------------------------------- */

/* Is registration open to this request? *ret_code: the invite code that opens it. */
static bool check_open(struct chat_call *call, struct chat_code **ret_code)
{
	struct slice text = chat_field_text(call, PROTO_FIELD_register_invite);

	*ret_code = NULL;
	switch (call->chat->options.registration) {
	case CHAT_REGISTRATION_OPEN:
		return true;
	case CHAT_REGISTRATION_INVITE:
		*ret_code = chat_code_find(call->chat, text, call->now);
		return *ret_code != NULL ||
		       chat_refuse(call, PROTO_ERR_registration_closed,
			   text.len == 0 ? "an invite code is needed to open an account"
					 : "that invite code is wrong, used up or expired");
	case CHAT_REGISTRATION_CLOSED:
		break;
	}
	return chat_refuse(call, PROTO_ERR_registration_closed,
	    "only the administrator opens accounts on this server");
}

static bool open_account(struct chat_call *call, struct chat_secret *secret)
{
	struct slice name = slice_of(secret->name);
	struct chat_code *code;
	struct chat_user *user;

	if (secret->made[0] == '\0')
		return chat_refuse_memory(call);
	if (!check_open(call, &code) || chat_name_taken(call, name))
		return false;
	if (code != NULL && !chat_code_use(call->chat, code))
		return chat_refuse_memory(call);
	user = chat_user_new(call, name, false);
	if (user == NULL)
		return false;
	if (!chat_account_set_password(call->chat, user, secret->made))
		return chat_refuse_memory(call);
	return enter(call, user, NULL);
}

static bool register_done(struct chat_call *call, struct chat_job *job)
{
	return end_try(call, open_account(call, (struct chat_secret *)job));
}

/* A new account is charged as a wrong password is, so that nobody makes many of them at once; not of
 * the account itself: its owner may still mistype. */
static bool too_many_accounts(struct chat_call *call, struct slice name)
{
	char key[PROTO_USER_MAX + 2];

	if (call->chat->options.registration == CHAT_REGISTRATION_CLOSED)
		return false;
	snprintf(key, sizeof key, "+%.*s", (int)name.len, name.ptr);
	return chat_throttle_refuses(call, slice_of(key));
}

static bool sign_up(struct chat_call *call)
{
	struct slice name = chat_field_text(call, PROTO_FIELD_register_user);
	struct chat_secret_want want = {
	    .name = name,
	    .fresh = chat_field_text(call, PROTO_FIELD_register_password),
	};
	struct chat_code *code;

	return !too_many_accounts(call, name) && check_open(call, &code) &&
	       !chat_name_refused(call, name) && !chat_name_taken(call, name) &&
	       chat_secret_ask(call, &want, register_done);
}

bool cmd_register(struct chat_call *call)
{
	return end_try(call, sign_up(call));
}
