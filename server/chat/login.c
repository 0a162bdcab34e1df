/*
 * Logging in: by certificate, or as a guest.
 */
#include "chat/chat_private.h"

#include <stdlib.h>

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
		user = chat_user_new(call, name, !by_cert);
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
	if (!chat_session_enter(call, user))
		return false;
	login_reply(call);
	return true;
}

