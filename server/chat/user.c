/*
 * Users: who there is, what they sent lately (nonces), whom they talk to (pairs), and what others
 * hear of their presence.
 */
#include "chat/chat_private.h"

#include <stdlib.h>

struct chat_user *chat_user_find(struct chat *chat, struct slice name)
{
	return tree_entry(tree_find(&chat->users, name), struct chat_user, node);
}

struct chat_user *chat_user_by_id(struct chat *chat, uint64_t id)
{
	struct chat_id_key key;

	chat_id_key(&key, id);
	return tree_entry(tree_find(&chat->users_by_id, slice_make((char *)key.bytes, 8)),
	    struct chat_user, by_id);
}

struct chat_user *chat_user_make(struct chat *chat, struct slice name, bool guest, uint64_t id)
{
	struct chat_user *user = calloc(1, sizeof *user);

	if (user == NULL)
		return NULL;
	user->id = id;
	chat_id_key(&user->key, id);
	user->guest = guest;
	str_copy(user->name, sizeof user->name, name);
	list_init(&user->sessions);
	list_init(&user->tokens);
	list_init(&user->nonces_by_age);
	list_init(&user->damped);
	list_init(&user->offline);
	/* Nobody was told of an account yet; a guest is seen when it joins. */
	user->told = guest ? CHAT_ONLINE : CHAT_OFFLINE;
	tree_put(&chat->users, &user->node, slice_of(user->name), chat_random(chat));
	tree_put(&chat->users_by_id, &user->by_id, slice_make((char *)user->key.bytes, 8),
	    chat_random(chat));
	return user;
}

struct chat_user *chat_user_new(struct chat_call *call, struct slice name, bool guest)
{
	struct chat *chat = call->chat;
	uint64_t id = guest ? chat_memory_id(chat) : chat_next_id(chat);
	struct chat_user *user = NULL;

	if (id != 0 && chat_touch_new(chat, STORE_USERS, id, !guest))
		user = chat_user_make(chat, name, guest, id);
	if (user != NULL)
		user->created_ms = call->now.unix_ms;
	else
		chat_refuse_memory(call);
	return user;
}

/* All memberships and sessions have gone already, save when the whole core goes. */
void chat_user_free(struct chat *chat, struct chat_user *user)
{
	struct tree_node *node;

	while ((node = tree_first(&user->memberships)) != NULL)
		chat_member_free(tree_entry(node, struct chat_member, in_user));
	while ((node = tree_first(&user->pairs)) != NULL)
		chat_pair_free(chat, tree_entry(node, struct chat_pair_end, node)->pair);
	while (!list_is_empty(&user->nonces_by_age))
		chat_nonce_free(user,
		    list_entry(user->nonces_by_age.next, struct chat_nonce, age));
	while ((node = user->invites.root) != NULL)
		chat_invite_free(tree_entry(node, struct chat_invite, in_user));
	while ((node = user->blocks.root) != NULL)
		chat_block_free(user, tree_entry(node, struct chat_block, node));
	while (!list_is_empty(&user->tokens))
		chat_token_free(chat, list_entry(user->tokens.next, struct chat_token, in_user));
	list_remove(&user->damped);
	list_remove(&user->offline);
	tree_remove(&chat->users, &user->node);
	tree_remove(&chat->users_by_id, &user->by_id);
	if (user->password != NULL)
		secret_wipe(user->password, strlen(user->password));
	free(user->password);
	free(user->reason);
	free(user->text);
	free(user);
}

struct chat_block *chat_block_make(struct chat *chat, struct chat_user *user, struct slice name)
{
	struct chat_block *block = calloc(1, sizeof *block);

	if (block == NULL)
		return NULL;
	str_copy(block->name, sizeof block->name, name);
	tree_put(&user->blocks, &block->node, slice_of(block->name), chat_random(chat));
	return block;
}

void chat_block_free(struct chat_user *user, struct chat_block *block)
{
	tree_remove(&user->blocks, &block->node);
	free(block);
}

/* --- Pairs ---------------------------------------------------------------------------------- */

struct chat_pair *chat_pair_make(struct chat *chat, struct chat_user *a, struct chat_user *b,
    uint64_t id, bool kept)
{
	struct chat_pair *pair = calloc(1, sizeof *pair);

	if (pair == NULL)
		return NULL;
	pair->conv.pair = pair;
	pair->user[0] = a;
	pair->user[1] = b;
	pair->end[0].pair = pair->end[1].pair = pair;
	chat_conv_put(chat, &pair->conv, id, kept);
	tree_put(&a->pairs, &pair->end[0].node, b->node.key, chat_random(chat));
	if (a != b)
		tree_put(&b->pairs, &pair->end[1].node, a->node.key, chat_random(chat));
	return pair;
}

void chat_pair_free(struct chat *chat, struct chat_pair *pair)
{
	chat_tail_free(&pair->conv);
	tree_remove(&chat->convs, &pair->conv.node);
	tree_remove(&pair->user[0]->pairs, &pair->end[0].node);
	if (pair->user[0] != pair->user[1])
		tree_remove(&pair->user[1]->pairs, &pair->end[1].node);
	free(pair);
}

struct chat_pair *chat_pair_find(struct chat_user *user, struct chat_user *other)
{
	struct chat_pair_end *end =
	    tree_entry(tree_find(&user->pairs, other->node.key), struct chat_pair_end, node);

	return end != NULL ? end->pair : NULL;
}

struct chat_pair *chat_pair_get(struct chat_call *call, struct chat_user *other)
{
	struct chat *chat = call->chat;
	struct chat_user *user = call->user;
	struct chat_pair *pair = chat_pair_find(user, other);
	bool kept = !user->guest && !other->guest;
	uint64_t id;

	if (pair != NULL)
		return pair;
	if (user->pairs.count >= PROTO_LIMIT_pairs || other->pairs.count >= PROTO_LIMIT_pairs) {
		chat_refuse_limit(call, PROTO_ERR_too_many, PROTO_LIMIT_pairs,
		    "%s has %d direct conversations already",
		    user->pairs.count >= PROTO_LIMIT_pairs ? user->name : other->name,
		    PROTO_LIMIT_pairs);
		return NULL;
	}
	id = kept ? chat_next_id(chat) : chat_memory_id(chat);
	if (id != 0 && chat_touch_new(chat, STORE_PAIRS, id, kept))
		pair = chat_pair_make(chat, user, other, id, kept);
	if (pair == NULL)
		chat_refuse_memory(call);
	return pair;
}

/* --- Nonces --------------------------------------------------------------------------------- */

static struct slice nonce_key(char to[8 + PROTO_LIMIT_nonce], const struct chat_conv *conv,
    struct slice nonce)
{
	memcpy(to, conv->key.bytes, 8);
	memcpy(to + 8, nonce.ptr, nonce.len);
	return slice_make(to, 8 + nonce.len);
}

struct chat_nonce *chat_nonce_make(struct chat *chat, struct chat_user *user, struct slice key)
{
	struct chat_nonce *nonce = calloc(1, sizeof *nonce);

	if (nonce == NULL || key.len > sizeof nonce->key) {
		free(nonce);
		return NULL;
	}
	memcpy(nonce->key, key.ptr, key.len);
	list_put(&user->nonces_by_age, &nonce->age);
	tree_put(&user->nonces, &nonce->node, slice_make(nonce->key, key.len), chat_random(chat));
	return nonce;
}

void chat_nonce_free(struct chat_user *user, struct chat_nonce *nonce)
{
	tree_remove(&user->nonces, &nonce->node);
	list_remove(&nonce->age);
	free(nonce);
}

struct chat_nonce *chat_nonce_find(struct chat_user *user, const struct chat_conv *conv,
    struct slice nonce, struct chat_time now)
{
	char key[8 + PROTO_LIMIT_nonce];
	struct chat_nonce *found = tree_entry(tree_find(&user->nonces, nonce_key(key, conv, nonce)),
	    struct chat_nonce, node);

	return found != NULL && found->expires_ms > now.unix_ms ? found : NULL;
}

/* The conversation's number and the nonce itself, from its key. What belongs to a conversation that
 * has gone may be in the store. */
static bool is_kept(struct chat *chat, const struct chat_nonce *nonce)
{
	const struct chat_conv *conv =
	    chat_conv_find(chat, chat_id_of_key(slice_make(nonce->node.key.ptr, 8)));

	return conv == NULL || conv->kept;
}

bool chat_nonce_drop(struct chat *chat, struct chat_user *user, struct chat_nonce *nonce)
{
	struct slice key = nonce->node.key;
	const struct chat_conv conv = {
	    .id = chat_id_of_key(slice_make(key.ptr, 8)),
	    .kept = is_kept(chat, nonce),
	};

	if (!chat_touch_nonce(chat, user, &conv, slice_make(key.ptr + 8, key.len - 8)))
		return false;
	chat_nonce_free(user, nonce);
	return true;
}

bool chat_nonce_put(struct chat *chat, struct chat_user *user, const struct chat_conv *conv,
    struct slice nonce, uint64_t digest, struct chat_time now)
{
	char key[8 + PROTO_LIMIT_nonce];
	struct tree_node *old;
	struct chat_nonce *entry;

	/* Two at most: a thousand that expire together are not this one's work alone. What is sent
	 * where nothing is kept does not need the disk for that either, as long as there is room. */
	for (int i = 0; i < 2 && !list_is_empty(&user->nonces_by_age); i++) {
		bool full = user->nonces.count >= PROTO_LIMIT_nonces;

		entry = list_entry(user->nonces_by_age.next, struct chat_nonce, age);
		if (!full && (entry->expires_ms > now.unix_ms ||
				 (!conv->kept && is_kept(chat, entry))))
			break;
		if (!chat_nonce_drop(chat, user, entry))
			return false;
	}
	if (!chat_touch_nonce(chat, user, conv, nonce))
		return false;
	old = tree_find(&user->nonces, nonce_key(key, conv, nonce));
	if (old != NULL) /* expired, or it would have been found */
		chat_nonce_free(user, tree_entry(old, struct chat_nonce, node));
	entry = chat_nonce_make(chat, user, nonce_key(key, conv, nonce));
	if (entry == NULL) {
		chat->unit->broken = true;
		return false;
	}
	entry->expires_ms = now.unix_ms + CHAT_NONCE_MS;
	entry->seq = conv->seq;
	entry->time_ms = conv->time_ms;
	entry->digest = digest & ~UINT64_C(1); /* the record has 63 bits of it */
	return true;
}

/* --- Presence ------------------------------------------------------------------------------- */

const char *chat_status_name(enum chat_status status)
{
	static const char *const names[] = {"online", "away", "busy", "offline"};
	return names[status];
}

static enum chat_status status_now(const struct chat_user *user)
{
	if (user->session_count == 0 && list_is_empty(&user->offline))
		return CHAT_OFFLINE;
	return user->wanted;
}

/* One event for each who shares an announced room with the user, however many rooms that are. The
 * number of members looked at. */
static unsigned announce(struct chat *chat, struct chat_user *user, struct blob *line)
{
	uint64_t mark = ++chat->mark;
	unsigned work = 0;

	user->mark = mark; /* the user's own devices know */
	for (struct tree_node *node = tree_first(&user->memberships); node != NULL;
	     node = tree_next(node)) {
		struct chat_room *room = tree_entry(node, struct chat_member, in_user)->room;

		if (room->members.count > PROTO_LIMIT_announce)
			continue;
		for (struct list *at = room->by_age.next; at != &room->by_age; at = at->next) {
			struct chat_user *other = list_entry(at, struct chat_member, age)->user;

			if (other->mark != mark)
				chat_tell_user(chat, other, line);
			other->mark = mark;
			work++;
		}
	}
	return work;
}

/* Tells what has changed, unless something was told in the last 5 s: then the tick does. The number
 * of members looked at. */
static unsigned tell_presence(struct chat *chat, struct chat_user *user, struct chat_time now)
{
	struct json_writer w;
	struct chat_undo *step;
	struct blob *line;
	unsigned work;

	if ((status_now(user) == user->told && !user->text_changed) ||
	    !list_is_empty(&user->damped))
		return 0;
	step = chat_undo_step(chat, CHAT_UNDO_PRESENCE);
	if (step != NULL) {
		step->id = user->id;
		step->seq = user->told;
	}
	user->told = status_now(user);
	user->text_changed = false;
	user->damped_until = now.mono_ms + CHAT_PRESENCE_MS;
	list_put(&chat->damped, &user->damped);
	message_begin_event(&w, &chat->scratch, PROTO_EVENT_presence);
	json_put_str(&w, "user", user->name);
	json_put_str(&w, "status", chat_status_name(user->told));
	if (user->text != NULL)
		json_put_str(&w, "text", user->text);
	if (user->guest)
		json_put_bool(&w, "guest", true);
	message_end(&w);
	line = chat_take_line(chat);
	work = announce(chat, user, line);
	blob_unref(line);
	return work;
}

void chat_presence_changed(struct chat *chat, struct chat_user *user, struct chat_time now)
{
	if (user->session_count > 0) {
		list_remove(&user->offline);
	} else if (list_is_empty(&user->offline)) {
		user->offline_at = now.mono_ms + CHAT_OFFLINE_MS;
		list_put(&chat->offline, &user->offline);
	}
	tell_presence(chat, user, now);
}

/* Both lists are in the order in which they are due, since each waits the same time for all. */
bool chat_presence_tick(struct chat *chat, struct chat_time now)
{
	unsigned work = 0;

	while (work < CHAT_TICK_WORK) {
		struct list *offline = chat->offline.next, *damped = chat->damped.next;
		struct chat_user *user;

		if (offline != &chat->offline &&
		    list_entry(offline, struct chat_user, offline)->offline_at <= now.mono_ms) {
			user = list_entry(offline, struct chat_user, offline);
			list_remove(&user->offline);
			user->wanted = CHAT_ONLINE; /* a status ends with the last session */
			user->text_changed = user->text != NULL;
			free(user->text);
			user->text = NULL;
		} else if (damped != &chat->damped &&
			   list_entry(damped, struct chat_user, damped)->damped_until <=
			       now.mono_ms) {
			user = list_entry(damped, struct chat_user, damped);
			list_remove(&user->damped);
		} else {
			return false;
		}
		if (!chat_unit_begin(chat, NULL))
			return false;
		work += 1 + tell_presence(chat, user, now);
		chat_unit_end(chat, false, now);
	}
	return true;
}
