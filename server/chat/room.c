/*
 * Rooms and their members: what joining and leaving do to the state, to the log, and to the
 * connections that are attached.
 */
#include "chat/chat_private.h"

#include <stdlib.h>

const char *chat_role_name(enum chat_role role)
{
	static const char *const names[] = {"member", "operator", "owner"};
	return names[role];
}

struct chat_room *chat_room_find(struct chat *chat, struct slice name)
{
	return tree_entry(tree_find(&chat->rooms, name), struct chat_room, node);
}

struct chat_member *chat_member_find(struct chat_user *user, struct slice room)
{
	return tree_entry(tree_find(&user->memberships, room), struct chat_member, in_user);
}

struct chat_room *chat_room_visible(struct chat_call *call, struct slice name)
{
	struct chat_room *room = chat_room_find(call->chat, name);

	if (room != NULL && (!room->is_private || chat_member_find(call->user, name) != NULL ||
				chat_invite_find(room, call->user) != NULL))
		return room;
	chat_refuse(call, PROTO_ERR_no_such_room, "there is no room %.*s", (int)name.len,
	    name.ptr);
	return NULL;
}

struct chat_member *chat_membership(struct chat_call *call, struct slice name)
{
	struct chat_member *member = chat_member_find(call->user, name);

	if (member == NULL && chat_room_visible(call, name) != NULL)
		chat_refuse(call, PROTO_ERR_not_member, "join the room %.*s first", (int)name.len,
		    name.ptr);
	return member;
}

/* A room that comes back gets the slot that the workers still know it by. */
static bool take_slot(struct chat *chat, uint64_t room, uint32_t *ret)
{
	if (chat->undone_room == room) {
		chat->undone_room = 0;
		*ret = chat->undone_slot;
		return true;
	}
	/* Every slot must be able to come back, so the list of free ones grows with the count. */
	if (chat->free_slot_count > 0) {
		*ret = chat->free_slots[--chat->free_slot_count];
		return true;
	}
	if (chat->slot_count == chat->free_slot_cap) {
		uint32_t cap = chat->free_slot_cap > 0 ? chat->free_slot_cap * 2 : 64;
		uint32_t *slots = realloc(chat->free_slots, cap * sizeof *slots);

		if (slots == NULL)
			return false;
		chat->free_slots = slots;
		chat->free_slot_cap = cap;
	}
	*ret = chat->slot_count++;
	return true;
}

/* The slot is free when the workers have been told so; without a unit nobody knows of it. */
static void give_slot(struct chat *chat, const struct chat_room *room)
{
	struct chat_undo *step =
	    chat->unit != NULL ? chat_undo_step(chat, CHAT_UNDO_SLOT) : NULL;

	if (step == NULL) {
		chat->free_slots[chat->free_slot_count++] = room->slot;
		return;
	}
	step->id = room->conv.id;
	step->seq = room->slot;
}

struct chat_room *chat_room_make(struct chat *chat, struct slice name, uint64_t id, bool kept)
{
	struct chat_room *room =
	    calloc(1, sizeof *room + chat->options.workers * sizeof room->attached[0]);

	if (room == NULL || !take_slot(chat, id, &room->slot)) {
		free(room);
		return NULL;
	}
	str_copy(room->name, sizeof room->name, name);
	chat_id_new(chat, room->epoch);
	list_init(&room->by_age);
	list_init(&room->invites);
	room->conv.room = room;
	chat_conv_put(chat, &room->conv, id, kept);
	tree_put(&chat->rooms, &room->node, slice_of(room->name), chat_random(chat));
	tree_put(&chat->listed, &room->listed, slice_of(room->name), chat_random(chat));
	return room;
}

struct chat_room *chat_room_new(struct chat_call *call, struct slice name, bool kept)
{
	struct chat *chat = call->chat;
	bool by_guest = call->user->guest;
	struct chat_room *room = NULL;
	uint64_t id;

	if (chat->rooms.count >= PROTO_LIMIT_all_rooms) {
		chat_refuse_limit(call, PROTO_ERR_too_many, PROTO_LIMIT_all_rooms,
		    "the server has %d rooms already", PROTO_LIMIT_all_rooms);
		return NULL;
	}
	id = by_guest ? chat_memory_id(chat) : chat_next_id(chat);
	if (id != 0 && chat_touch_new(chat, STORE_ROOMS, id, !by_guest))
		room = chat_room_make(chat, name, id, kept && !by_guest);
	if (room == NULL) {
		chat_refuse_memory(call);
		return NULL;
	}
	room->created_ms = call->now.unix_ms;
	room->by_guest = by_guest;
	room->guests = !room->conv.kept; /* unless its maker says otherwise: PROTOCOL.md, 6.1 */
	return room;
}

void chat_room_set_private(struct chat *chat, struct chat_room *room, bool is_private)
{
	if (is_private && !room->is_private)
		tree_remove(&chat->listed, &room->listed);
	else if (!is_private && room->is_private)
		tree_put(&chat->listed, &room->listed, slice_of(room->name), chat_random(chat));
	room->is_private = is_private;
}

/* --- Members -------------------------------------------------------------------------------- */

/* What the user's sessions in the room are to the workers that have them. */
static void count_sessions(struct chat_member *member, bool in)
{
	struct chat_room *room = member->room;
	struct chat_user *user = member->user;

	for (struct list *at = user->sessions.next; at != &user->sessions; at = at->next) {
		struct chat_session *session = list_entry(at, struct chat_session, in_user);

		room->attached[session->worker] += in ? 1 : -1;
	}
	if (user->session_count > 0)
		room->online_count += in ? 1 : -1;
}

struct chat_member *chat_member_make(struct chat *chat, struct chat_room *room,
    struct chat_user *user, enum chat_role role)
{
	struct chat_member *member = calloc(1, sizeof *member);

	if (member == NULL)
		return NULL;
	member->room = room;
	member->user = user;
	member->role = role;
	tree_put(&room->members, &member->in_room, slice_of(user->name), chat_random(chat));
	tree_put(&user->memberships, &member->in_user, slice_of(room->name), chat_random(chat));
	list_put(&room->by_age, &member->age);
	room->owner_count += role == CHAT_ROLE_OWNER;
	count_sessions(member, true);
	return member;
}

void chat_member_free(struct chat_member *member)
{
	count_sessions(member, false);
	member->room->owner_count -= member->role == CHAT_ROLE_OWNER;
	tree_remove(&member->room->members, &member->in_room);
	tree_remove(&member->user->memberships, &member->in_user);
	list_remove(&member->age);
	free(member);
}

void chat_member_set_role(struct chat_member *member, enum chat_role role)
{
	member->room->owner_count +=
	    (role == CHAT_ROLE_OWNER) - (member->role == CHAT_ROLE_OWNER);
	member->role = role;
}

static int64_t first_if(const struct chat_member *member, bool joined)
{
	int64_t first = member->room->conv.first;

	return joined && member->joined > first ? member->joined : first;
}

int64_t chat_member_first(const struct chat_member *member)
{
	return first_if(member, member->room->visible_joined);
}

int64_t chat_member_first_told(const struct chat_member *member)
{
	const struct chat_room *room = member->room;

	return first_if(member, room->visible_seq > room->conv.released ? room->was_joined
									: room->visible_joined);
}

struct chat_pin *chat_pin_make(struct chat *chat, struct chat_room *room, int64_t target)
{
	struct chat_pin *pin = calloc(1, sizeof *pin);

	if (pin == NULL)
		return NULL;
	pin->target = target;
	chat_id_key(&pin->key, (uint64_t)target);
	tree_put(&room->pins, &pin->node, slice_make((char *)pin->key.bytes, 8),
	    chat_random(chat));
	return pin;
}

void chat_pin_free(struct chat_room *room, struct chat_pin *pin)
{
	tree_remove(&room->pins, &pin->node);
	free(pin);
}

void chat_room_free(struct chat *chat, struct chat_room *room)
{
	while (!list_is_empty(&room->by_age))
		chat_member_free(list_entry(room->by_age.next, struct chat_member, age));
	while (!list_is_empty(&room->invites))
		chat_invite_free(list_entry(room->invites.next, struct chat_invite, link));
	while (room->sanctions.root != NULL)
		chat_sanction_free(room,
		    tree_entry(room->sanctions.root, struct chat_sanction, node));
	while (room->pins.root != NULL)
		chat_pin_free(room, tree_entry(room->pins.root, struct chat_pin, node));
	tree_remove(&chat->rooms, &room->node);
	if (!room->is_private)
		tree_remove(&chat->listed, &room->listed);
	chat_tail_free(&room->conv);
	tree_remove(&chat->convs, &room->conv.node);
	give_slot(chat, room);
	free(room->topic);
	free(room->title);
	free(room);
}

/* --- What happens in a room ----------------------------------------------------------------- */

int64_t chat_room_tell(struct chat *chat, struct chat_room *room, const struct chat_note *note,
    struct chat_time now)
{
	const struct chat_entry entry = {.kind = note->kind, .author = note->author->id};
	struct json_writer w;
	struct blob *line;

	chat_extra_begin(chat, &w);
	if (note->user.len > 0)
		json_put_text(&w, "user", note->user);
	if (note->role != NULL)
		json_put_str(&w, "role", note->role);
	if (note->guest)
		json_put_bool(&w, "guest", true);
	if (note->by != NULL)
		json_put_str(&w, "by", note->by);
	if (note->reason.len > 0)
		json_put_text(&w, "reason", note->reason);
	if (note->until_ms > 0 && note->until_ms < INT64_MAX)
		json_put_time(&w, "until", note->until_ms);
	line = chat_append(chat, &room->conv, &entry, now);
	chat_tell_room(chat, room, line, 0);
	blob_unref(line);
	return room->conv.seq;
}

/* Joining and leaving are told in rooms that are small enough for that. */
static void announce(struct chat *chat, struct chat_room *room, struct chat_user *user,
    enum store_kind kind, struct chat_time now)
{
	const struct chat_note note = {
	    .kind = kind,
	    .author = user,
	    .user = user->node.key,
	    .guest = user->guest,
	};

	if (room->members.count <= PROTO_LIMIT_announce)
		chat_room_tell(chat, room, &note, now);
}

struct chat_member *chat_room_join(struct chat *chat, struct chat_room *room,
    struct chat_user *user, enum chat_role role, struct chat_time now)
{
	struct chat_member *member;

	if (!chat_touch_member(chat, room, user))
		return NULL;
	member = chat_member_make(chat, room, user, role);
	if (member == NULL)
		return NULL;
	for (struct list *at = user->sessions.next; at != &user->sessions; at = at->next)
		chat_tell_attach(chat, list_entry(at, struct chat_session, in_user), room);
	announce(chat, room, user, STORE_JOIN, now);
	member->joined = member->read = room->conv.seq;
	return member;
}

#define HEIRS_LOOKED_AT 1000

/* The longest-standing member; in a room that an account made the longest-standing operator before
 * that, looked for among so many, and never a guest, who goes with the connection. */
static struct chat_member *heir_of(struct chat_room *room)
{
	struct chat_member *heir = NULL;
	unsigned looked = 0;

	for (struct list *at = room->by_age.next; at != &room->by_age; at = at->next) {
		struct chat_member *member = list_entry(at, struct chat_member, age);

		if (room->by_guest)
			return member;
		if (member->user->guest)
			continue;
		if (member->role == CHAT_ROLE_OPERATOR)
			return member;
		if (heir == NULL)
			heir = member;
		if (++looked >= HEIRS_LOOKED_AT)
			break;
	}
	return heir;
}

/* The last owner, `user`, has gone: somebody inherits the room, or it ends. */
static bool inherit(struct chat *chat, struct chat_room *room, struct chat_user *user,
    struct chat_time now)
{
	struct chat_member *heir = heir_of(room);
	struct chat_note note = {.kind = STORE_DESTROYED, .author = user, .by = user->name};

	if (heir == NULL) {
		chat_room_tell(chat, room, &note, now);
		return chat_room_end(chat, room);
	}
	note = (struct chat_note){
	    .kind = STORE_ROLE,
	    .author = heir->user,
	    .user = heir->user->node.key,
	    .role = "owner",
	    .guest = heir->user->guest,
	};
	if (!chat_touch_member(chat, room, heir->user))
		return false;
	chat_member_set_role(heir, CHAT_ROLE_OWNER);
	chat_room_tell(chat, room, &note, now);
	return true;
}

bool chat_room_leave(struct chat *chat, struct chat_member *member, struct chat_time now)
{
	struct chat_room *room = member->room;

	announce(chat, room, member->user, STORE_LEAVE, now);
	return chat_room_remove(chat, member, now);
}

/* What hangs on the room goes with it, in the store, too. */
static bool touch_all(struct chat *chat, struct chat_room *room)
{
	struct tree_node *node;

	for (node = tree_first(&room->pins); node != NULL; node = tree_next(node))
		if (!chat_touch_pin(chat, room, tree_entry(node, struct chat_pin, node)->target))
			return false;
	for (node = tree_first(&room->sanctions); node != NULL; node = tree_next(node))
		if (!chat_touch_ban(chat, room, node->key))
			return false;
	for (struct list *at = room->invites.next; at != &room->invites; at = at->next)
		if (!chat_touch_invite(chat, room,
			list_entry(at, struct chat_invite, link)->user))
			return false;
	return chat_touch_room(chat, room) &&
	       (!room->conv.kept || chat_trim(chat, room->conv.id, INT64_MAX));
}

/* Takes the member out, whose record has been touched. */
static void take_out(struct chat *chat, struct chat_member *member)
{
	struct chat_room *room = member->room;
	struct chat_user *user = member->user;

	for (struct list *at = user->sessions.next; at != &user->sessions; at = at->next) {
		struct chat_session *session = list_entry(at, struct chat_session, in_user);

		if (chat_session_attached(session, room->conv.id))
			chat_tell_detach(chat, session, room);
		chat_replay_tell_gone(chat, session, &room->conv);
	}
	chat_member_free(member);
	chat_replay_let_go(chat, user, room->conv.id);
}

bool chat_room_end(struct chat *chat, struct chat_room *room)
{
	/* The room is touched behind its members: on the way back it has to be there first. */
	for (struct list *at = room->by_age.next; at != &room->by_age; at = at->next)
		if (!chat_touch_member(chat, room, list_entry(at, struct chat_member, age)->user))
			return false;
	if (!touch_all(chat, room))
		return false;
	while (!list_is_empty(&room->by_age))
		take_out(chat, list_entry(room->by_age.next, struct chat_member, age));
	chat_room_free(chat, room);
	return true;
}

bool chat_room_remove(struct chat *chat, struct chat_member *member, struct chat_time now)
{
	struct chat_room *room = member->room;
	struct chat_user *user = member->user;
	/* A guest's room goes with its last member; of others a guest is no keeper. */
	bool last = room->members.count == 1 && (room->by_guest || !user->guest);

	if (!chat_touch_member(chat, room, user) || (last && !touch_all(chat, room)))
		return false;
	take_out(chat, member);
	if (last)
		chat_room_free(chat, room);
	else if (room->owner_count == 0)
		return inherit(chat, room, user, now);
	return true;
}
