/*
 * The state as keyed records: what each looks like (a JSON object, so that a later version can add
 * to it), and what it does to the state when it is read again. The numbers in keys are big-endian.
 *
 *   users    number                      rooms    number of the conversation
 *   members  room, user                  pairs    number of the conversation
 *   bans     room, name                  invites  room, user
 *   blocks   user, name                  nonces   user, conversation, nonce
 *   tokens   hash                        codes    code
 *   pins     room, seq                   numbers  "next"
 *
 * Members, rooms and the rest of what only lives in memory have records, too, that never reach the
 * store: for the way back (undo.c). There a record is "whole", with what only this process knows.
 */
#include "chat/chat_private.h"

#include <stdlib.h>

/* --- Parts ---------------------------------------------------------------------------------- */

static struct slice key_part(struct slice key, size_t at)
{
	return key.len >= at + 8 ? slice_make(key.ptr + at, 8) : slice_make("", 0);
}

static struct slice key_rest(struct slice key, size_t at)
{
	return key.len >= at ? slice_make(key.ptr + at, key.len - at) : slice_make("", 0);
}

static struct chat_room *room_of(struct chat *chat, struct slice key)
{
	struct chat_conv *conv = chat_conv_find(chat, chat_id_of_key(key_part(key, 0)));

	return conv != NULL ? conv->room : NULL;
}

static struct chat_user *user_of(struct chat *chat, struct slice key, size_t at)
{
	return chat_user_by_id(chat, chat_id_of_key(key_part(key, at)));
}

/* As text: a number in JSON has 53 bits. */
static void put_id(struct json_writer *w, const char *name, uint64_t id)
{
	char text[24];

	snprintf(text, sizeof text, "%llu", (unsigned long long)id);
	json_put_str(w, name, text);
}

static uint64_t get_id(const struct json *value)
{
	int64_t id = 0;

	str_to_int(json_text(value), 0, INT64_MAX, &id);
	return (uint64_t)id;
}

static void put_optional(struct json_writer *w, const char *name, const char *text)
{
	if (text != NULL && text[0] != '\0')
		json_put_str(w, name, text);
}

static void put_flag(struct json_writer *w, const char *name, bool flag)
{
	if (flag)
		json_put_bool(w, name, true);
}

static int64_t get_int(const struct json *object, const char *name, int64_t absent)
{
	int64_t number;

	return json_int(json_get(object, name), &number) ? number : absent;
}

static bool get_flag(const struct json *object, const char *name)
{
	return json_is_true(json_get(object, name));
}

/* Replaces *text, which is NULL when the record has none; false without memory. */
static bool get_text(const struct json *object, const char *name, char **text)
{
	struct slice value = json_text(json_get(object, name));
	char *copy = value.len > 0 ? str_dup(value) : NULL;

	if (value.len > 0 && copy == NULL)
		return false;
	free(*text);
	*text = copy;
	return true;
}

/* --- Users ---------------------------------------------------------------------------------- */

static bool put_user(struct chat *chat, struct slice key, struct json_writer *w)
{
	const struct chat_user *user = user_of(chat, key, 0);

	if (user == NULL)
		return false;
	json_put_str(w, "name", user->name);
	json_put_int(w, "created", user->created_ms);
	put_flag(w, "guest", user->guest);
	put_flag(w, "admin", user->admin);
	put_flag(w, "suspended", user->suspended);
	put_flag(w, "deleted", user->deleted);
	put_optional(w, "password", user->password);
	put_optional(w, "reason", user->reason);
	return true;
}

static bool apply_user(struct chat *chat, struct slice key, const struct json *value)
{
	uint64_t id = chat_id_of_key(key_part(key, 0));
	struct chat_user *user = chat_user_by_id(chat, id);
	struct slice name = json_text(json_get(value, "name"));

	if (value == NULL) {
		if (user != NULL)
			chat_user_free(chat, user);
		return true;
	}
	if (!proto_is_user_name(name) || id == 0)
		return false;
	if (user == NULL)
		user = chat_user_make(chat, name, get_flag(value, "guest"), id);
	if (user == NULL)
		return false;
	user->created_ms = get_int(value, "created", 0);
	user->admin = get_flag(value, "admin");
	user->suspended = get_flag(value, "suspended");
	user->deleted = get_flag(value, "deleted");
	return get_text(value, "password", &user->password) &&
	       get_text(value, "reason", &user->reason);
}

/* --- Conversations -------------------------------------------------------------------------- */

static void put_conv(const struct chat_conv *conv, struct json_writer *w)
{
	json_put_int(w, "seq", conv->seq);
	json_put_int(w, "released", conv->released);
	json_put_int(w, "first", conv->first);
	json_put_int(w, "time", conv->time_ms);
}

static void get_conv(const struct json *value, struct chat_conv *conv)
{
	conv->seq = get_int(value, "seq", conv->seq);
	conv->released = get_int(value, "released", conv->released);
	conv->first = get_int(value, "first", conv->first);
	conv->time_ms = get_int(value, "time", conv->time_ms);
}

static bool put_room(struct chat *chat, struct slice key, bool whole, struct json_writer *w)
{
	const struct chat_room *room = room_of(chat, key);

	if (room == NULL)
		return false;
	json_put_str(w, "name", room->name);
	json_put_int(w, "created", room->created_ms);
	put_optional(w, "topic", room->topic);
	put_optional(w, "title", room->title);
	put_flag(w, "private", room->is_private);
	put_flag(w, "guests", room->guests);
	put_flag(w, "joined", room->visible_joined);
	put_flag(w, "none", !room->conv.kept);
	if (room->slow_s > 0)
		json_put_int(w, "slow", room->slow_s);
	if (room->days > 0)
		json_put_int(w, "days", room->days);
	if (whole) {
		put_flag(w, "by_guest", room->by_guest);
		json_put_str(w, "epoch", room->epoch);
		put_conv(&room->conv, w);
	}
	return true;
}

static bool apply_room(struct chat *chat, struct slice key, const struct json *value)
{
	uint64_t id = chat_id_of_key(key_part(key, 0));
	struct chat_room *room = room_of(chat, key);
	struct slice epoch = json_text(json_get(value, "epoch"));
	struct slice name = json_text(json_get(value, "name"));

	if (value == NULL) {
		if (room != NULL)
			chat_room_free(chat, room);
		return true;
	}
	if (!proto_is_room_name(name) || id == 0)
		return false;
	if (room == NULL) {
		room = chat_room_make(chat, name, id, !get_flag(value, "none"));
		if (room == NULL)
			return false;
		get_conv(value, &room->conv);
	}
	if (epoch.len > 0)
		str_copy(room->epoch, sizeof room->epoch, epoch);
	room->created_ms = get_int(value, "created", 0);
	chat_room_set_private(chat, room, get_flag(value, "private"));
	room->guests = get_flag(value, "guests");
	room->visible_joined = get_flag(value, "joined");
	room->by_guest = get_flag(value, "by_guest");
	room->slow_s = (uint32_t)get_int(value, "slow", 0);
	room->days = (uint32_t)get_int(value, "days", 0);
	return get_text(value, "topic", &room->topic) && get_text(value, "title", &room->title);
}

static bool put_pair(struct chat *chat, struct slice key, bool whole, struct json_writer *w)
{
	const struct chat_conv *conv = chat_conv_find(chat, chat_id_of_key(key_part(key, 0)));

	if (conv == NULL || conv->pair == NULL)
		return false;
	put_id(w, "a", conv->pair->user[0]->id);
	put_id(w, "b", conv->pair->user[1]->id);
	json_put_int(w, "read_a", conv->pair->read[0]);
	json_put_int(w, "read_b", conv->pair->read[1]);
	if (whole) {
		put_flag(w, "none", !conv->kept);
		put_conv(conv, w);
	}
	return true;
}

static bool apply_pair(struct chat *chat, struct slice key, const struct json *value)
{
	uint64_t id = chat_id_of_key(key_part(key, 0));
	struct chat_conv *conv = chat_conv_find(chat, id);
	struct chat_pair *pair = conv != NULL ? conv->pair : NULL;
	struct chat_user *a = chat_user_by_id(chat, get_id(json_get(value, "a")));
	struct chat_user *b = chat_user_by_id(chat, get_id(json_get(value, "b")));

	if (value == NULL) {
		if (pair != NULL)
			chat_pair_free(chat, pair);
		return true;
	}
	if (pair == NULL) {
		/* A guest who has gone takes the pair along. */
		if (a == NULL || b == NULL || id == 0)
			return get_flag(value, "none");
		pair = chat_pair_make(chat, a, b, id, !get_flag(value, "none"));
		if (pair == NULL)
			return false;
		get_conv(value, &pair->conv);
	}
	pair->read[0] = get_int(value, "read_a", 0);
	pair->read[1] = get_int(value, "read_b", 0);
	return true;
}

/* --- Members -------------------------------------------------------------------------------- */

static struct chat_member *member_of(struct chat *chat, struct slice key)
{
	struct chat_room *room = room_of(chat, key);
	struct chat_user *user = user_of(chat, key, 8);

	return room != NULL && user != NULL ? chat_member_find(user, room->node.key) : NULL;
}

static bool put_member(struct chat *chat, struct slice key, struct json_writer *w)
{
	const struct chat_member *member = member_of(chat, key);

	if (member == NULL)
		return false;
	json_put_int(w, "role", member->role);
	json_put_int(w, "joined", member->joined);
	json_put_int(w, "read", member->read);
	return true;
}

static bool apply_member(struct chat *chat, struct slice key, const struct json *value)
{
	struct chat_member *member = member_of(chat, key);
	struct chat_room *room = room_of(chat, key);
	struct chat_user *user = user_of(chat, key, 8);
	int64_t role = get_int(value, "role", -1);

	if (value == NULL) {
		if (member != NULL)
			chat_member_free(member);
		return true;
	}
	if (room == NULL || user == NULL || role < CHAT_ROLE_MEMBER || role > CHAT_ROLE_OWNER)
		return false;
	if (member == NULL)
		member = chat_member_make(chat, room, user, (enum chat_role)role);
	if (member == NULL)
		return false;
	chat_member_set_role(member, (enum chat_role)role);
	member->joined = get_int(value, "joined", 0);
	member->read = get_int(value, "read", 0);
	return true;
}

/* --- Bans, invites, blocks, pins ------------------------------------------------------------ */

static void put_measure(struct json_writer *w, const char *name,
    const struct chat_measure *measure)
{
	if (measure->until_ms == 0)
		return;
	json_open_object(w, name);
	if (measure->until_ms < INT64_MAX)
		json_put_int(w, "until", measure->until_ms);
	json_put_int(w, "time", measure->time_ms);
	json_put_str(w, "by", measure->by);
	put_optional(w, "reason", measure->reason);
	json_close_object(w);
}

static bool get_measure(const struct json *value, struct chat_measure *measure)
{
	if (value == NULL) {
		measure->until_ms = 0;
		return true;
	}
	measure->until_ms = get_int(value, "until", INT64_MAX);
	measure->time_ms = get_int(value, "time", 0);
	str_copy(measure->by, sizeof measure->by, json_text(json_get(value, "by")));
	return get_text(value, "reason", &measure->reason);
}

static struct chat_sanction *sanction_of(struct chat *chat, struct slice key)
{
	struct chat_room *room = room_of(chat, key);

	return room != NULL ? tree_entry(tree_find(&room->sanctions, key_rest(key, 8)),
				  struct chat_sanction, node)
			    : NULL;
}

static bool put_ban(struct chat *chat, struct slice key, struct json_writer *w)
{
	const struct chat_sanction *sanction = sanction_of(chat, key);

	if (sanction == NULL)
		return false;
	put_measure(w, "ban", &sanction->ban);
	put_measure(w, "mute", &sanction->mute);
	return true;
}

static bool apply_ban(struct chat *chat, struct slice key, const struct json *value)
{
	struct chat_room *room = room_of(chat, key);
	struct chat_sanction *sanction = sanction_of(chat, key);

	if (value == NULL) {
		if (sanction != NULL)
			chat_sanction_free(room, sanction);
		return true;
	}
	if (sanction == NULL && room != NULL)
		sanction = chat_sanction_make(chat, room, key_rest(key, 8));
	return sanction != NULL && get_measure(json_get(value, "ban"), &sanction->ban) &&
	       get_measure(json_get(value, "mute"), &sanction->mute);
}

static struct chat_invite *invite_of(struct chat *chat, struct slice key)
{
	struct chat_room *room = room_of(chat, key);
	struct chat_user *user = user_of(chat, key, 8);

	return room != NULL && user != NULL ? chat_invite_find(room, user) : NULL;
}

static bool apply_invite(struct chat *chat, struct slice key, const struct json *value)
{
	struct chat_invite *invite = invite_of(chat, key);
	struct chat_room *room = room_of(chat, key);
	struct chat_user *user = user_of(chat, key, 8);

	if (value == NULL) {
		if (invite != NULL)
			chat_invite_free(invite);
		return true;
	}
	return invite != NULL ||
	       (room != NULL && user != NULL && chat_invite_put(chat, room, user));
}

static struct chat_block *block_of(struct chat *chat, struct slice key)
{
	struct chat_user *user = user_of(chat, key, 0);

	return user != NULL ? tree_entry(tree_find(&user->blocks, key_rest(key, 8)),
				  struct chat_block, node)
			    : NULL;
}

static bool apply_block(struct chat *chat, struct slice key, const struct json *value)
{
	struct chat_user *user = user_of(chat, key, 0);
	struct chat_block *block = block_of(chat, key);

	if (value == NULL) {
		if (block != NULL)
			chat_block_free(user, block);
		return true;
	}
	return block != NULL ||
	       (user != NULL && chat_block_make(chat, user, key_rest(key, 8)) != NULL);
}

static struct chat_pin *pin_of(struct chat *chat, struct slice key)
{
	struct chat_room *room = room_of(chat, key);

	return room != NULL
		   ? tree_entry(tree_find(&room->pins, key_part(key, 8)), struct chat_pin, node)
		   : NULL;
}

static bool put_pin(struct chat *chat, struct slice key, struct json_writer *w)
{
	const struct chat_pin *pin = pin_of(chat, key);

	if (pin == NULL)
		return false;
	json_put_int(w, "time", pin->time_ms);
	json_put_int(w, "seq", pin->seq);
	json_put_str(w, "by", pin->by);
	return true;
}

static bool apply_pin(struct chat *chat, struct slice key, const struct json *value)
{
	struct chat_room *room = room_of(chat, key);
	struct chat_pin *pin = pin_of(chat, key);

	if (value == NULL) {
		if (pin != NULL)
			chat_pin_free(room, pin);
		return true;
	}
	if (pin == NULL && room != NULL)
		pin = chat_pin_make(chat, room, (int64_t)chat_id_of_key(key_part(key, 8)));
	if (pin == NULL)
		return false;
	pin->time_ms = get_int(value, "time", 0);
	pin->seq = get_int(value, "seq", 0);
	str_copy(pin->by, sizeof pin->by, json_text(json_get(value, "by")));
	return true;
}

/* --- Nonces, tokens, codes, numbers ---------------------------------------------------------- */

static struct chat_nonce *nonce_of(struct chat *chat, struct slice key)
{
	struct chat_user *user = user_of(chat, key, 0);

	return user != NULL && key.len > 8
		   ? tree_entry(tree_find(&user->nonces, key_rest(key, 8)), struct chat_nonce, node)
		   : NULL;
}

static bool put_nonce(struct chat *chat, struct slice key, struct json_writer *w)
{
	const struct chat_nonce *nonce = nonce_of(chat, key);

	if (nonce == NULL)
		return false;
	json_put_int(w, "seq", nonce->seq);
	json_put_int(w, "time", nonce->time_ms);
	json_put_int(w, "expires", nonce->expires_ms);
	put_id(w, "digest", nonce->digest >> 1);
	return true;
}

static bool apply_nonce(struct chat *chat, struct slice key, const struct json *value)
{
	struct chat_user *user = user_of(chat, key, 0);
	struct chat_nonce *nonce = nonce_of(chat, key);

	if (value == NULL) {
		if (nonce != NULL)
			chat_nonce_free(user, nonce);
		return true;
	}
	if (nonce == NULL && user != NULL)
		nonce = chat_nonce_make(chat, user, key_rest(key, 8));
	if (nonce == NULL)
		return false;
	nonce->seq = get_int(value, "seq", 0);
	nonce->time_ms = get_int(value, "time", 0);
	nonce->expires_ms = get_int(value, "expires", 0);
	nonce->digest = get_id(json_get(value, "digest")) << 1;
	return true;
}

static struct chat_token *token_of(struct chat *chat, struct slice key)
{
	return tree_entry(tree_find(&chat->tokens, key), struct chat_token, node);
}

static bool put_token(struct chat *chat, struct slice key, struct json_writer *w)
{
	const struct chat_token *token = token_of(chat, key);

	if (token == NULL)
		return false;
	put_id(w, "user", token->user->id);
	json_put_str(w, "id", token->id);
	put_optional(w, "device", token->device);
	json_put_int(w, "created", token->created_ms);
	json_put_int(w, "used", token->used_ms);
	return true;
}

static bool apply_token(struct chat *chat, struct slice key, const struct json *value)
{
	struct chat_token *token = token_of(chat, key);
	struct chat_user *user = chat_user_by_id(chat, get_id(json_get(value, "user")));

	if (value == NULL) {
		if (token != NULL)
			chat_token_free(chat, token);
		return true;
	}
	if (token == NULL && user != NULL && key.len == CHAT_TOKEN_HASH_SIZE)
		token = chat_token_make(chat, user, (const unsigned char *)key.ptr);
	if (token == NULL)
		return false;
	str_copy(token->id, sizeof token->id, json_text(json_get(value, "id")));
	token->created_ms = get_int(value, "created", 0);
	token->used_ms = get_int(value, "used", 0);
	return get_text(value, "device", &token->device);
}

static struct chat_code *code_of(struct chat *chat, struct slice key)
{
	return tree_entry(tree_find(&chat->codes, key), struct chat_code, node);
}

static bool put_code(struct chat *chat, struct slice key, struct json_writer *w)
{
	const struct chat_code *code = code_of(chat, key);

	if (code == NULL)
		return false;
	json_put_int(w, "uses", code->uses);
	if (code->expires_ms < INT64_MAX)
		json_put_int(w, "expires", code->expires_ms);
	json_put_str(w, "by", code->by);
	return true;
}

static bool apply_code(struct chat *chat, struct slice key, const struct json *value)
{
	struct chat_code *code = code_of(chat, key);

	if (value == NULL) {
		if (code != NULL)
			chat_code_free(chat, code);
		return true;
	}
	if (code == NULL)
		code = chat_code_make(chat, key);
	if (code == NULL)
		return false;
	code->uses = (unsigned)get_int(value, "uses", 0);
	code->expires_ms = get_int(value, "expires", INT64_MAX);
	str_copy(code->by, sizeof code->by, json_text(json_get(value, "by")));
	return true;
}

static void put_numbers(struct chat *chat, struct json_writer *w)
{
	put_id(w, "next", chat->next_id);
}

/* --- All ------------------------------------------------------------------------------------ */

static bool put_value(struct chat *chat, enum store_table table, struct slice key, bool whole,
    struct json_writer *w)
{
	switch (table) {
	case STORE_USERS:
		return put_user(chat, key, w);
	case STORE_ROOMS:
		return put_room(chat, key, whole, w);
	case STORE_MEMBERS:
		return put_member(chat, key, w);
	case STORE_PAIRS:
		return put_pair(chat, key, whole, w);
	case STORE_TOKENS:
		return put_token(chat, key, w);
	case STORE_BANS:
		return put_ban(chat, key, w);
	case STORE_INVITES:
		return invite_of(chat, key) != NULL;
	case STORE_BLOCKS:
		return block_of(chat, key) != NULL;
	case STORE_NONCES:
		return put_nonce(chat, key, w);
	case STORE_CODES:
		return put_code(chat, key, w);
	case STORE_PINS:
		return put_pin(chat, key, w);
	case STORE_NUMBERS:
		put_numbers(chat, w);
		return true;
	case STORE_AUDIT:
		break;
	}
	return false;
}

bool chat_record_put(struct chat *chat, enum store_table table, struct slice key, bool whole,
    struct buf *to)
{
	size_t before = to->len;
	struct json_writer w;

	json_begin(&w, to);
	if (!put_value(chat, table, key, whole, &w)) {
		to->len = before;
		return false;
	}
	json_end(&w);
	return true;
}

static bool apply(struct chat *chat, enum store_table table, struct slice key,
    const struct json *value)
{
	switch (table) {
	case STORE_USERS:
		return apply_user(chat, key, value);
	case STORE_ROOMS:
		return apply_room(chat, key, value);
	case STORE_MEMBERS:
		return apply_member(chat, key, value);
	case STORE_PAIRS:
		return apply_pair(chat, key, value);
	case STORE_TOKENS:
		return apply_token(chat, key, value);
	case STORE_BANS:
		return apply_ban(chat, key, value);
	case STORE_INVITES:
		return apply_invite(chat, key, value);
	case STORE_BLOCKS:
		return apply_block(chat, key, value);
	case STORE_NONCES:
		return apply_nonce(chat, key, value);
	case STORE_CODES:
		return apply_code(chat, key, value);
	case STORE_PINS:
		return apply_pin(chat, key, value);
	case STORE_NUMBERS:
		if (get_id(json_get(value, "next")) > 0)
			chat->next_id = get_id(json_get(value, "next"));
		return true;
	case STORE_AUDIT:
		break;
	}
	return true;
}

bool chat_record_apply(struct chat *chat, enum store_table table, struct slice key,
    const struct slice *value)
{
	struct json *root = NULL;
	struct error err;
	bool ok;

	if (value != NULL && json_parse(*value, &root, &err) != STATUS_OK)
		return false;
	ok = apply(chat, table, key, root);
	json_free_secret(root);
	return ok;
}
