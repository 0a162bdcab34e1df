/*
 * Accounts: which names they may have, what hangs on them, and what it takes to end their sessions,
 * their tokens, or themselves.
 */
#include "chat/chat_private.h"

#include <stdlib.h>

struct chat_user *chat_account_find(struct chat *chat, struct slice name)
{
	struct chat_user *user = chat_user_find(chat, name);

	return user != NULL && !user->guest && !user->deleted ? user : NULL;
}

bool chat_name_refused(struct chat_call *call, struct slice name)
{
	static const char *const reserved[] = {"server", "admin", "administrator", "root", "system",
	    "console", "all", "here", "everyone", "room", "channel", "owner", "operator",
	    "nobody", "support", "security"};

	for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++)
		if (slice_is(name, reserved[i]))
			return !chat_refuse(call, PROTO_ERR_name_reserved,
			    "the name %s is not for users", reserved[i]);
	return false;
}

bool chat_name_taken(struct chat_call *call, struct slice name)
{
	struct chat_user *user = chat_user_find(call->chat, name);

	return user != NULL && !chat_refuse(call, PROTO_ERR_name_taken, "the name %s is in use",
				   user->name);
}

const char *chat_user_role(const struct chat_user *user)
{
	return user->admin ? "admin" : "user";
}

bool chat_account_set_password(struct chat *chat, struct chat_user *user, const char *hash)
{
	char *copy = str_dup(slice_of(hash));

	if (copy == NULL || !chat_touch_user(chat, user)) {
		free(copy);
		chat->unit->broken = true;
		return false;
	}
	if (user->password != NULL)
		secret_wipe(user->password, strlen(user->password));
	free(user->password);
	user->password = copy;
	return true;
}

/* --- Tokens ---------------------------------------------------------------------------------- */

struct chat_token *chat_token_of(const struct chat_user *user, struct slice id)
{
	const struct list *all = &user->tokens;

	for (struct list *at = all->next; at != all; at = at->next) {
		struct chat_token *token = list_entry(at, struct chat_token, in_user);

		if (slice_is(id, token->id))
			return token;
	}
	return NULL;
}

bool chat_token_is_over(const struct chat_token *token, struct chat_time now)
{
	return now.unix_ms - token->used_ms >= INT64_C(86400000) * PROTO_LIMIT_token_days;
}

bool chat_token_end(struct chat *chat, struct chat_token *token)
{
	if (!chat_touch_token(chat, token->hash))
		return false;
	chat_token_free(chat, token);
	return true;
}

bool chat_account_end_tokens(struct chat *chat, struct chat_user *user)
{
	while (!list_is_empty(&user->tokens))
		if (!chat_token_end(chat,
			list_entry(user->tokens.next, struct chat_token, in_user)))
			return false;
	return true;
}

/* Makes room for one more: the one unused the longest goes. */
static bool make_room(struct chat *chat, struct chat_user *user)
{
	while (user->token_count >= PROTO_LIMIT_tokens) {
		struct chat_token *oldest = NULL;

		for (struct list *at = user->tokens.next; at != &user->tokens; at = at->next) {
			struct chat_token *token = list_entry(at, struct chat_token, in_user);

			if (oldest == NULL || token->used_ms < oldest->used_ms)
				oldest = token;
		}
		if (!chat_token_end(chat, oldest))
			return false;
	}
	return true;
}

struct chat_token *chat_account_remember(struct chat_call *call, struct chat_user *user,
    char text[CHAT_TOKEN_SIZE])
{
	struct chat *chat = call->chat;
	const struct chat_secrets *secrets = chat->options.secrets;
	unsigned char hash[CHAT_TOKEN_HASH_SIZE];
	struct chat_token *token = NULL;

	secrets->token_new(text);
	secrets->token_hash(slice_of(text), hash);
	if (make_room(chat, user) && chat_touch_token(chat, hash))
		token = chat_token_make(chat, user, hash);
	if (token == NULL) {
		chat->unit->broken = true;
		chat_refuse_memory(call);
		return NULL;
	}
	chat_id_new(chat, token->id);
	token->created_ms = token->used_ms = call->now.unix_ms;
	if (call->session->device != NULL)
		token->device = str_dup(slice_of(call->session->device));
	return token;
}

/* --- Ends ------------------------------------------------------------------------------------ */

unsigned chat_account_end_sessions(struct chat *chat, struct chat_user *user,
    const struct chat_session *except, enum proto_reason reason, const char *text)
{
	unsigned count = 0;

	for (struct list *at = user->sessions.next; at != &user->sessions; at = at->next) {
		struct chat_session *session = list_entry(at, struct chat_session, in_user);

		if (session == except || session->finishing)
			continue;
		chat_tell_goodbye(chat, session, reason, text);
		count++;
	}
	return count;
}

static bool leave_rooms(struct chat *chat, struct chat_user *user, struct chat_time now)
{
	struct tree_node *node;

	while ((node = tree_first(&user->memberships)) != NULL)
		if (!chat_room_leave(chat, tree_entry(node, struct chat_member, in_user), now))
			return false;
	return true;
}

/* What belongs to nobody else: messages and conversations stay. */
static bool drop_belongings(struct chat *chat, struct chat_user *user)
{
	struct tree_node *node;

	while ((node = tree_first(&user->invites)) != NULL) {
		struct chat_invite *invite = tree_entry(node, struct chat_invite, in_user);

		if (!chat_touch_invite(chat, invite->room, user))
			return false;
		chat_invite_free(invite);
	}
	while ((node = tree_first(&user->blocks)) != NULL) {
		if (!chat_touch_block(chat, user, node->key))
			return false;
		chat_block_free(user, tree_entry(node, struct chat_block, node));
	}
	while (!list_is_empty(&user->nonces_by_age))
		if (!chat_nonce_drop(chat, user,
			list_entry(user->nonces_by_age.next, struct chat_nonce, age)))
			return false;
	return chat_account_end_tokens(chat, user);
}

bool chat_account_delete(struct chat *chat, struct chat_user *user, struct chat_time now)
{
	if (!chat_touch_user(chat, user))
		return false;
	chat_account_end_sessions(chat, user, NULL, PROTO_REASON_killed,
	    "the account was deleted");
	if (!leave_rooms(chat, user, now) || !drop_belongings(chat, user)) {
		chat->unit->broken = true;
		return false;
	}
	if (user->password != NULL)
		secret_wipe(user->password, strlen(user->password));
	free(user->password);
	free(user->reason);
	user->password = user->reason = NULL;
	user->admin = user->suspended = false;
	user->deleted = true;
	return true;
}
