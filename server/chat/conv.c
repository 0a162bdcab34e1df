/*
 * Conversations and their entries: the only way in which one moves on. Each entry takes the next
 * seq, a time that never decreases, and goes to the store with the unit it belongs to, if its
 * conversation is kept. An entry's line is made by the same function when it happens and when it
 * is replayed years later.
 */
#include "chat/chat_private.h"

#include <assert.h>

void chat_id_key(struct chat_id_key *key, uint64_t id)
{
	for (int i = 0; i < 8; i++)
		key->bytes[i] = (unsigned char)(id >> (56 - 8 * i));
}

uint64_t chat_id_of_key(struct slice key)
{
	uint64_t id = 0;

	for (size_t i = 0; i < key.len && i < 8; i++)
		id = id << 8 | (unsigned char)key.ptr[i];
	return id;
}

uint64_t chat_next_id(struct chat *chat)
{
	return chat_touch_numbers(chat) ? chat->next_id++ : 0;
}

/* At random, so that it is nobody else's after the next start either: entries of rooms that are
 * kept may name it. */
uint64_t chat_memory_id(struct chat *chat)
{
	struct chat_id_key key;
	uint64_t id;

	do {
		id = CHAT_MEMORY_ID | (rng_next(&chat->ids) >> 2);
		chat_id_key(&key, id);
	} while (tree_find(&chat->users_by_id, slice_make((char *)key.bytes, 8)) != NULL ||
		 tree_find(&chat->convs, slice_make((char *)key.bytes, 8)) != NULL);
	return id;
}

void chat_conv_put(struct chat *chat, struct chat_conv *conv, uint64_t id, bool kept)
{
	conv->id = id;
	conv->kept = kept;
	conv->first = 1;
	chat_id_key(&conv->key, id);
	tree_put(&chat->convs, &conv->node, slice_make((char *)conv->key.bytes, 8),
	    chat_random(chat));
}

struct chat_conv *chat_conv_find(struct chat *chat, uint64_t id)
{
	struct chat_id_key key;

	chat_id_key(&key, id);
	return tree_entry(tree_find(&chat->convs, slice_make((char *)key.bytes, 8)),
	    struct chat_conv, node);
}

void chat_conv_name(const struct chat_conv *conv, const struct chat_user *user,
    char to[CHAT_CONV_NAME])
{
	const struct chat_pair *pair = conv->pair;

	if (conv->room != NULL) {
		str_copy(to, CHAT_CONV_NAME, slice_of(conv->room->name));
		return;
	}
	to[0] = '@';
	str_copy(to + 1, CHAT_CONV_NAME - 1, slice_of(pair->user[pair->user[0] == user]->name));
}

void chat_place_of(const struct chat_conv *conv, struct chat_place *ret)
{
	*ret = (struct chat_place){.room = ""};
	if (conv->room != NULL) {
		str_copy(ret->room, sizeof ret->room, slice_of(conv->room->name));
		return;
	}
	for (int i = 0; i < 2; i++) {
		str_copy(ret->user[i], sizeof ret->user[i], slice_of(conv->pair->user[i]->name));
		ret->id[i] = conv->pair->user[i]->id;
	}
}

/* --- Lines ---------------------------------------------------------------------------------- */

static enum proto_event event_of(enum store_kind kind)
{
	switch (kind) {
	case STORE_MESSAGE:
		break;
	case STORE_EDIT:
		return PROTO_EVENT_edit;
	case STORE_DELETE:
		return PROTO_EVENT_delete;
	case STORE_REACT:
		return PROTO_EVENT_react;
	case STORE_UNREACT:
		return PROTO_EVENT_unreact;
	case STORE_PIN:
		return PROTO_EVENT_pin;
	case STORE_UNPIN:
		return PROTO_EVENT_unpin;
	case STORE_JOIN:
		return PROTO_EVENT_join;
	case STORE_LEAVE:
	case STORE_KICK:
		return PROTO_EVENT_leave;
	case STORE_ROLE:
		return PROTO_EVENT_role;
	case STORE_SETTINGS:
		return PROTO_EVENT_room;
	case STORE_BAN:
		return PROTO_EVENT_ban;
	case STORE_UNBAN:
		return PROTO_EVENT_unban;
	case STORE_MUTE:
		return PROTO_EVENT_mute;
	case STORE_UNMUTE:
		return PROTO_EVENT_unmute;
	case STORE_DESTROYED:
		return PROTO_EVENT_destroyed;
	}
	return PROTO_EVENT_message;
}

static void put_text(struct json_writer *w, const struct store_entry *entry)
{
	if (entry->kind == STORE_REACT || entry->kind == STORE_UNREACT)
		json_put_text(w, "emoji", entry->text);
	else if (entry->text.len > 0)
		json_put_text(w, "text", entry->text);
}

struct json *chat_extra_parse(struct slice extra)
{
	struct json *root = NULL;
	struct error err;
	struct buf text;

	buf_init(&text, CHAT_EXTRA_MAX);
	buf_put_char(&text, '{');
	buf_put_slice(&text, extra);
	buf_put_char(&text, '}');
	if (!text.failed && json_parse(buf_slice(&text), &root, &err) != STATUS_OK)
		root = NULL;
	buf_release(&text);
	return root;
}

void chat_put_member(struct json_writer *w, const struct json *root, const char *name)
{
	const struct json *value = json_get(root, name);
	struct buf text;

	if (value == NULL)
		return;
	buf_init(&text, CHAT_EXTRA_MAX);
	if (json_print(value, &text) == STATUS_OK)
		json_put_raw(w, name, buf_slice(&text));
	else
		w->to->failed = true;
	buf_release(&text);
}

/* What was said goes with the text; who it was stays. */
static void put_author(struct json_writer *w, struct slice extra)
{
	struct json *root = chat_extra_parse(extra);

	if (root == NULL)
		w->to->failed = true;
	chat_put_member(w, root, "from");
	chat_put_member(w, root, "guest");
	json_free(root);
}

void chat_put_left(struct buf *to, struct slice extra)
{
	struct json_writer w = {.to = to};

	put_author(&w, extra);
}

/* A message or edit always has a text, until it is deleted. */
static bool is_erased(const struct store_entry *entry)
{
	return (entry->kind == STORE_MESSAGE || entry->kind == STORE_EDIT) && entry->text.len == 0;
}

void chat_put_entry(struct json_writer *w, const struct chat_place *place,
    const struct store_entry *entry)
{
	if (place->room[0] != '\0')
		json_put_str(w, "room", place->room);
	else
		json_put_str(w, "to", place->user[entry->author == place->id[0]]);
	json_put_int(w, "seq", entry->seq);
	if (entry->target > 0)
		json_put_int(w, "target", entry->target);
	json_put_time(w, "time", entry->time_ms);
	put_text(w, entry);
	if (is_erased(entry)) {
		put_author(w, entry->extra);
		json_put_bool(w, "deleted", true);
	} else if (entry->extra.len > 0) {
		buf_put_char(w->to, ',');
		buf_put_slice(w->to, entry->extra);
	}
}

void chat_put_event(struct buf *to, const struct chat_place *place,
    const struct store_entry *entry, bool replay)
{
	struct json_writer w;

	message_begin_event(&w, to, event_of(entry->kind));
	chat_put_entry(&w, place, entry);
	if (replay)
		json_put_bool(&w, "replay", true);
	message_end(&w);
}

/* --- Entries -------------------------------------------------------------------------------- */

void chat_extra_begin(struct chat *chat, struct json_writer *w)
{
	chat->extra_from = chat->extra.len;
	*w = (struct json_writer){.to = &chat->extra};
}

/* Remembers where the conversation was; only the first step back of a unit is needed, but looking
 * for it would cost more than another one. False without memory. */
static bool keep_step(struct chat *chat, const struct chat_conv *conv)
{
	struct chat_undo *step = chat_undo_step(chat, CHAT_UNDO_CONV);

	if (step == NULL)
		return false;
	step->id = conv->id;
	step->seq = conv->seq;
	step->time_ms = conv->time_ms;
	step->new_seq = conv->seq + 1;
	return true;
}

struct blob *chat_append(struct chat *chat, struct chat_conv *conv, const struct chat_entry *entry,
    struct chat_time now)
{
	struct chat_place place;
	struct blob *line;
	struct store_entry made = {
	    .conversation = conv->id,
	    .kind = entry->kind,
	    .author = entry->author,
	    .target = entry->target,
	    .text = entry->text,
	    .left = entry->left,
	    .extra = slice_make(chat->extra.ptr + chat->extra_from,
		chat->extra.len - chat->extra_from),
	};

	if (!keep_step(chat, conv)) {
		chat->unit->broken = true;
		chat->extra.len = chat->extra_from;
		return NULL;
	}
	conv->seq++;
	if (now.unix_ms > conv->time_ms)
		conv->time_ms = now.unix_ms;
	if (!conv->kept)
		conv->first = conv->seq + 1;
	made.seq = conv->seq;
	made.time_ms = conv->time_ms;
	chat_place_of(conv, &place);
	chat_put_event(&chat->scratch, &place, &made, false);
	if (conv->kept) {
		assert(chat->entry_count < CHAT_ENTRIES_MAX);
		/* The buffer may move until the unit ends: only then the place is known. */
		made.extra.ptr = NULL;
		chat->extra_at[chat->entry_count] = chat->extra_from;
		chat->entries[chat->entry_count++] = made;
	} else {
		chat->extra.len = chat->extra_from;
	}
	chat->extra_from = chat->extra.len;
	line = chat_take_line(chat);
	if (conv->tail != NULL)
		chat_tell_tail(chat, conv, made.seq, line);
	return line;
}
