/*
 * Administrators' requests about accounts and their sessions. Whatever changes something is in the
 * audit (audit.c), in the same unit.
 */
#include "chat/chat_private.h"
#include "chat/page.h"

#include <stdlib.h>

/* The account that the request names; NULL with the error filled. */
static struct chat_user *account(struct chat_call *call, enum proto_field field)
{
	struct slice name = chat_field_text(call, field);
	struct chat_user *user = chat_account_find(call->chat, name);

	if (user == NULL)
		chat_refuse(call, PROTO_ERR_no_such_user, "there is no account %.*s",
		    (int)name.len, name.ptr);
	return user;
}

/* Nobody locks themselves out; the console can do everything. */
static struct chat_user *other_account(struct chat_call *call, enum proto_field field)
{
	struct chat_user *user = account(call, field);

	if (user != call->user)
		return user;
	chat_refuse(call, PROTO_ERR_not_allowed,
	    "not of yourself: another administrator, or the server's console, can");
	return NULL;
}

/* --- users ----------------------------------------------------------------------------------- */

static void put_account(struct json_writer *w, const struct chat_user *user)
{
	json_open_object(w, NULL);
	json_put_str(w, "user", user->name);
	json_put_bool(w, "admin", user->admin);
	json_put_bool(w, "suspended", user->suspended);
	json_put_bool(w, "deleted", user->deleted);
	json_put_bool(w, "online", user->session_count > 0);
	json_put_time(w, "created", user->created_ms);
	json_put_bool(w, "password", user->password != NULL);
	if (user->reason != NULL)
		json_put_str(w, "reason", user->reason);
	json_close_object(w);
}

bool cmd_users(struct chat_call *call)
{
	const struct tree *users = &call->chat->users;
	struct slice like = chat_field_text(call, PROTO_FIELD_users_like);
	struct chat_page page;
	struct tree_node *node;

	if (!chat_page_begin(&page, call, "users", PROTO_FIELD_users_after,
		PROTO_FIELD_users_limit))
		return true;
	node = tree_after(users, page.after);
	for (; node != NULL && chat_page_wants(&page); node = tree_next(node)) {
		const struct chat_user *user = tree_entry(node, struct chat_user, node);

		chat_page_seen(&page, node->key);
		if (user->guest || user == call->chat->console ||
		    !slice_contains(node->key, like))
			continue;
		put_account(&page.w, user);
		page.count++;
	}
	chat_page_end(&page, node != NULL);
	return true;
}

/* --- useradd, userpasswd, userdel, grant ------------------------------------------------------ */

static bool make_account(struct chat_call *call, const char *hash)
{
	struct chat *chat = call->chat;
	bool admin = request_field(call->request, PROTO_FIELD_useradd_admin)->flag;
	struct slice name = chat_field_text(call, PROTO_FIELD_useradd_user);
	struct chat_user *user;
	struct json_writer w;

	if (chat_name_taken(call, name))
		return false;
	user = chat_user_new(call, name, false);
	if (user == NULL)
		return false;
	user->admin = admin;
	if (hash != NULL && !chat_account_set_password(chat, user, hash))
		return chat_refuse_memory(call);
	if (!chat_audit(call, user, slice_of(admin ? "administrator" : "")))
		return false;
	if (chat_reply_begin(call, &w)) {
		json_put_str(&w, "user", user->name);
		chat_reply_end(call, &w);
	}
	return true;
}

static bool useradd_done(struct chat_call *call, struct chat_job *job)
{
	struct chat_secret *secret = (struct chat_secret *)job;

	return secret->made[0] != '\0' ? make_account(call, secret->made)
				       : chat_refuse_memory(call);
}

bool cmd_useradd(struct chat_call *call)
{
	const struct chat_secret_want want = {
	    .name = chat_field_text(call, PROTO_FIELD_useradd_user),
	    .fresh = chat_field_text(call, PROTO_FIELD_useradd_password),
	};

	if (want.fresh.len == 0)
		return make_account(call, NULL);
	return !chat_name_taken(call, want.name) && chat_secret_ask(call, &want, useradd_done);
}

static bool userpasswd_done(struct chat_call *call, struct chat_job *job)
{
	struct chat_secret *secret = (struct chat_secret *)job;
	struct chat *chat = call->chat;
	struct chat_user *user = account(call, PROTO_FIELD_userpasswd_user);

	if (user == NULL)
		return false;
	if (secret->made[0] == '\0' || !chat_account_set_password(chat, user, secret->made) ||
	    !chat_account_end_tokens(chat, user))
		return chat_refuse_memory(call);
	chat_account_end_sessions(chat, user, call->session, PROTO_REASON_killed,
	    "the password was changed");
	return chat_audit(call, user, slice_of(""));
}

bool cmd_userpasswd(struct chat_call *call)
{
	const struct chat_secret_want want = {
	    .name = chat_field_text(call, PROTO_FIELD_userpasswd_user),
	    .fresh = chat_field_text(call, PROTO_FIELD_userpasswd_password),
	};

	return account(call, PROTO_FIELD_userpasswd_user) != NULL &&
	       chat_secret_ask(call, &want, userpasswd_done);
}

bool cmd_userdel(struct chat_call *call)
{
	struct chat_user *user = other_account(call, PROTO_FIELD_userdel_user);

	if (user == NULL)
		return false;
	if (!chat_account_delete(call->chat, user, call->now))
		return chat_refuse_memory(call);
	return chat_audit(call, user, slice_of(""));
}

bool cmd_grant(struct chat_call *call)
{
	bool admin = request_field(call->request, PROTO_FIELD_grant_admin)->flag;
	struct chat_user *user = admin ? account(call, PROTO_FIELD_grant_user)
				       : other_account(call, PROTO_FIELD_grant_user);

	if (user == NULL)
		return false;
	if (!chat_touch_user(call->chat, user))
		return chat_refuse_memory(call);
	user->admin = admin;
	return chat_audit(call, user, slice_of(admin ? "administrator" : "no administrator"));
}

/* --- suspend, restore, kill ------------------------------------------------------------------- */

bool cmd_suspend(struct chat_call *call)
{
	struct slice reason = chat_field_text(call, PROTO_FIELD_suspend_reason);
	struct chat_user *user = other_account(call, PROTO_FIELD_suspend_user);
	struct chat *chat = call->chat;
	char *copy = NULL;

	if (user == NULL)
		return false;
	if (reason.len > 0 && (copy = str_dup(reason)) == NULL)
		return chat_refuse_memory(call);
	if (!chat_touch_user(chat, user) || !chat_account_end_tokens(chat, user)) {
		free(copy);
		chat->unit->broken = true;
		return chat_refuse_memory(call);
	}
	free(user->reason);
	user->reason = copy;
	user->suspended = true;
	chat_account_end_sessions(chat, user, NULL, PROTO_REASON_suspended, copy);
	return chat_audit(call, user, reason);
}

bool cmd_restore(struct chat_call *call)
{
	struct chat_user *user = account(call, PROTO_FIELD_restore_user);

	if (user == NULL)
		return false;
	if (!chat_touch_user(call->chat, user))
		return chat_refuse_memory(call);
	user->suspended = false;
	free(user->reason);
	user->reason = NULL;
	return chat_audit(call, user, slice_of(""));
}

static unsigned kill_one(struct chat *chat, struct chat_user *user, struct slice id,
    const char *reason)
{
	for (struct list *at = user->sessions.next; at != &user->sessions; at = at->next) {
		struct chat_session *session = list_entry(at, struct chat_session, in_user);

		if (!slice_is(id, session->id) || session->finishing)
			continue;
		chat_tell_goodbye(chat, session, PROTO_REASON_killed, reason);
		return 1;
	}
	return 0;
}

/* Guests, too. */
bool cmd_kill(struct chat_call *call)
{
	struct slice name = chat_field_text(call, PROTO_FIELD_kill_user);
	struct slice id = chat_field_text(call, PROTO_FIELD_kill_session);
	struct slice reason = chat_field_text(call, PROTO_FIELD_kill_reason);
	struct chat_user *user = chat_user_find(call->chat, name);
	char text[PROTO_LIMIT_topic + 1];
	struct json_writer w;
	unsigned count;

	if (user == NULL || user->deleted)
		return chat_refuse(call, PROTO_ERR_no_such_user, "there is no user %.*s",
		    (int)name.len, name.ptr);
	str_copy(text, sizeof text, reason);
	count = id.len > 0
		    ? kill_one(call->chat, user, id, reason.len > 0 ? text : NULL)
		    : chat_account_end_sessions(call->chat, user, NULL, PROTO_REASON_killed,
			  reason.len > 0 ? text : NULL);
	if (!chat_audit(call, user, reason))
		return false;
	if (chat_reply_begin(call, &w)) {
		json_put_int(&w, "count", count);
		chat_reply_end(call, &w);
	}
	return true;
}
