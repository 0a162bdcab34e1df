/*
 * The way back. A unit remembers, step by step, what it changed: what a record was before, where a
 * conversation was, who logged in. When its entries cannot be stored, the steps are taken back in
 * the reverse order, by the same function that loads records at the start, so that the state is
 * again what the store has. The steps are also the list of the records to write.
 */
#include "chat/chat_private.h"

#include <stdlib.h>

struct chat_undo *chat_undo_step(struct chat *chat, enum chat_undo_kind kind)
{
	struct chat_unit *unit = chat->unit;

	if (unit->undo == NULL)
		unit->undo = unit->few;
	if (unit->undo_count == (unit->undo == unit->few ? CHAT_UNDO_FEW : unit->undo_cap)) {
		unsigned cap = unit->undo_count * 2 + 6;
		struct chat_undo *more = malloc(cap * sizeof *more);

		if (more == NULL)
			return NULL;
		memcpy(more, unit->undo, unit->undo_count * sizeof *more);
		if (unit->undo != unit->few)
			free(unit->undo);
		unit->undo = more;
		unit->undo_cap = cap;
	}
	unit->undo[unit->undo_count] = (struct chat_undo){.kind = (unsigned char)kind};
	return &unit->undo[unit->undo_count++];
}

static bool is_touched(const struct chat_unit *unit, enum store_table table, struct slice key)
{
	for (unsigned i = 0; i < unit->undo_count; i++) {
		const struct chat_undo *step = &unit->undo[i];

		if (step->kind == CHAT_UNDO_RECORD && step->table == table &&
		    slice_equal(slice_make(step->bytes, step->key_len), key))
			return true;
	}
	return false;
}

/* The bytes of a step: key and value behind each other. */
static char *join(struct slice key, struct slice value)
{
	char *bytes = malloc(key.len + value.len + 1);

	if (bytes == NULL)
		return NULL;
	memcpy(bytes, key.ptr, key.len);
	if (value.len > 0)
		memcpy(bytes + key.len, value.ptr, value.len);
	return bytes;
}

static bool add_step(struct chat *chat, enum chat_undo_kind kind, enum store_table table,
    struct slice key, struct slice value, bool stored, bool had)
{
	char *bytes = join(key, value);
	struct chat_undo *step = bytes != NULL ? chat_undo_step(chat, kind) : NULL;

	if (step == NULL) {
		free(bytes);
		chat->unit->broken = true;
		return false;
	}
	step->table = (unsigned char)table;
	step->key_len = (unsigned char)key.len;
	step->bytes = bytes;
	step->old_len = (uint32_t)value.len;
	step->stored = stored;
	step->had = had;
	return true;
}

/* A unit of thousands of records (the end of a large room) touches each of them once: there it is
 * not looked for. */
#define LOOK_MAX 64

static bool touch(struct chat *chat, enum store_table table, struct slice key, bool stored)
{
	bool had, ok;

	if (chat->unit->undo_count <= LOOK_MAX && is_touched(chat->unit, table, key))
		return true;
	buf_clear(&chat->records);
	had = chat_record_put(chat, table, key, true, &chat->records);
	ok = !chat->records.failed;
	if (!ok)
		chat->unit->broken = true;
	else
		ok = add_step(chat, CHAT_UNDO_RECORD, table, key, buf_slice(&chat->records),
		    stored, had);
	buf_clear(&chat->records);
	return ok;
}

/* Keys of two parts: a number, and a number or a name. */
struct key {
	char bytes[16 + PROTO_LIMIT_nonce];
	size_t len;
};

static struct slice key_add_id(struct key *key, uint64_t id)
{
	struct chat_id_key part;

	chat_id_key(&part, id);
	memcpy(key->bytes + key->len, part.bytes, 8);
	key->len += 8;
	return slice_make(key->bytes, key->len);
}

static struct slice key_add(struct key *key, struct slice name)
{
	memcpy(key->bytes + key->len, name.ptr, name.len);
	key->len += name.len;
	return slice_make(key->bytes, key->len);
}

static bool is_stored(const struct chat_room *room)
{
	return !room->by_guest;
}

bool chat_touch_new(struct chat *chat, enum store_table table, uint64_t id, bool stored)
{
	struct key key = {.len = 0};

	return touch(chat, table, key_add_id(&key, id), stored);
}

bool chat_touch_user(struct chat *chat, const struct chat_user *user)
{
	struct key key = {.len = 0};

	return touch(chat, STORE_USERS, key_add_id(&key, user->id), !user->guest);
}

bool chat_touch_room(struct chat *chat, const struct chat_room *room)
{
	struct key key = {.len = 0};

	return touch(chat, STORE_ROOMS, key_add_id(&key, room->conv.id), is_stored(room));
}

bool chat_touch_member(struct chat *chat, const struct chat_room *room,
    const struct chat_user *user)
{
	struct key key = {.len = 0};

	key_add_id(&key, room->conv.id);
	return touch(chat, STORE_MEMBERS, key_add_id(&key, user->id),
	    is_stored(room) && !user->guest);
}

bool chat_touch_pair(struct chat *chat, const struct chat_pair *pair)
{
	struct key key = {.len = 0};

	return touch(chat, STORE_PAIRS, key_add_id(&key, pair->conv.id), pair->conv.kept);
}

bool chat_touch_ban(struct chat *chat, const struct chat_room *room, struct slice user)
{
	struct key key = {.len = 0};

	key_add_id(&key, room->conv.id);
	return touch(chat, STORE_BANS, key_add(&key, user), is_stored(room));
}

bool chat_touch_invite(struct chat *chat, const struct chat_room *room,
    const struct chat_user *user)
{
	struct key key = {.len = 0};

	key_add_id(&key, room->conv.id);
	return touch(chat, STORE_INVITES, key_add_id(&key, user->id),
	    is_stored(room) && !user->guest);
}

bool chat_touch_block(struct chat *chat, const struct chat_user *user, struct slice name)
{
	struct key key = {.len = 0};

	key_add_id(&key, user->id);
	return touch(chat, STORE_BLOCKS, key_add(&key, name), !user->guest);
}

bool chat_touch_nonce(struct chat *chat, const struct chat_user *user,
    const struct chat_conv *conv, struct slice nonce)
{
	struct key key = {.len = 0};

	key_add_id(&key, user->id);
	key_add_id(&key, conv->id);
	return touch(chat, STORE_NONCES, key_add(&key, nonce), conv->kept && !user->guest);
}

bool chat_touch_token(struct chat *chat, const unsigned char hash[CHAT_TOKEN_HASH_SIZE])
{
	return touch(chat, STORE_TOKENS, slice_make((const char *)hash, CHAT_TOKEN_HASH_SIZE),
	    true);
}

bool chat_touch_code(struct chat *chat, struct slice code)
{
	return touch(chat, STORE_CODES, code, true);
}

bool chat_touch_pin(struct chat *chat, const struct chat_room *room, int64_t target)
{
	struct key key = {.len = 0};

	key_add_id(&key, room->conv.id);
	return touch(chat, STORE_PINS, key_add_id(&key, (uint64_t)target), is_stored(room));
}

bool chat_touch_numbers(struct chat *chat)
{
	return touch(chat, STORE_NUMBERS, slice_of("next"), true);
}

bool chat_put_record(struct chat *chat, enum store_table table, struct slice key,
    struct slice value)
{
	return add_step(chat, CHAT_UNDO_PUT, table, key, value, true, false);
}

bool chat_drop_record(struct chat *chat, enum store_table table, struct slice key)
{
	return add_step(chat, CHAT_UNDO_PUT, table, key, slice_of(""), true, true);
}

bool chat_trim(struct chat *chat, uint64_t conversation, int64_t seq)
{
	struct chat_unit *unit = chat->unit;
	struct store_trim *trims = realloc(unit->trims, (unit->trim_count + 1) * sizeof *trims);

	if (trims == NULL) {
		unit->broken = true;
		return false;
	}
	unit->trims = trims;
	trims[unit->trim_count++] = (struct store_trim){conversation, seq};
	return true;
}

/* --- Back ----------------------------------------------------------------------------------- */

static void take_back_conv(struct chat *chat, const struct chat_undo *step, bool all)
{
	struct chat_conv *conv = chat_conv_find(chat, step->id);

	if (conv == NULL)
		return;
	conv->seq = step->seq;
	conv->time_ms = step->time_ms;
	/* What came before has left; where the conversation was gone meanwhile nobody noted that. */
	if (all)
		conv->released = conv->seq;
	if (!conv->kept)
		conv->first = conv->seq + 1;
}

static void take_back(struct chat *chat, const struct chat_undo *step, bool all)
{
	struct slice key = slice_make(step->bytes, step->key_len);
	struct slice old = slice_make(step->bytes + step->key_len, step->old_len);
	struct chat_user *user;
	struct chat_conv *conv;

	switch ((enum chat_undo_kind)step->kind) {
	case CHAT_UNDO_RECORD:
		chat_record_apply(chat, (enum store_table)step->table, key,
		    step->had ? &old : NULL);
		break;
	case CHAT_UNDO_PUT:
		break;
	case CHAT_UNDO_CONV:
		take_back_conv(chat, step, all);
		break;
	case CHAT_UNDO_LOGIN:
		if (step->session->user != NULL)
			chat_session_unlink(chat, step->session);
		break;
	case CHAT_UNDO_PRESENCE:
		user = chat_user_by_id(chat, step->id);
		if (user != NULL)
			user->told = (enum chat_status)step->seq;
		break;
	case CHAT_UNDO_CHANGE:
		chat_change_undone(chat, step);
		break;
	case CHAT_UNDO_FIRST:
		conv = chat_conv_find(chat, step->id);
		if (conv != NULL)
			conv->first = step->seq;
		break;
	case CHAT_UNDO_SYNC:
		chat_replay_free(chat, step->session);
		break;
	case CHAT_UNDO_GONE:
		/* It is in it again, but no longer in its replay: its client comes back. */
		chat_cut_off_now(chat, step->session);
		break;
	case CHAT_UNDO_SLOT:
		chat->undone_room = step->id;
		chat->undone_slot = (uint32_t)step->seq;
		break;
	}
}

void chat_undo_unit(struct chat *chat, struct chat_unit *unit, bool all)
{
	for (unsigned i = unit->undo_count; i-- > 0;)
		take_back(chat, &unit->undo[i], all);
	chat_undo_release(unit);
}

void chat_undo_release(struct chat_unit *unit)
{
	for (unsigned i = 0; i < unit->undo_count; i++)
		free(unit->undo[i].bytes);
	if (unit->undo != unit->few)
		free(unit->undo);
	unit->undo = NULL;
	unit->undo_count = 0;
	free(unit->trims);
	unit->trims = NULL;
	unit->trim_count = 0;
}
