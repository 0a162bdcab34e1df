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

static bool take_slot(struct chat *chat, uint32_t *ret)
{
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

struct chat_room *chat_room_new(struct chat_call *call, struct slice name)
{
	struct chat *chat = call->chat;
	struct chat_room *room;

	if (chat->rooms.count >= PROTO_LIMIT_all_rooms) {
		chat_refuse_limit(call, PROTO_ERR_too_many, PROTO_LIMIT_all_rooms,
		    "the server has %d rooms already", PROTO_LIMIT_all_rooms);
		return NULL;
	}
	room = calloc(1, sizeof *room + chat->options.workers * sizeof room->attached[0]);
	if (room == NULL || !take_slot(chat, &room->slot)) {
		free(room);
		chat_refuse(call, PROTO_ERR_unavailable, "out of memory; try again later");
		return NULL;
	}
	room->conv.id = chat->next_id++;
	room->by_guest = call->user->guest;
	room->guests = true; /* unless its maker says otherwise: PROTOCOL.md, 6.1 */
	str_copy(room->name, sizeof room->name, name);
	chat_id_new(chat, room->epoch);
	list_init(&room->by_age);
	list_init(&room->invites);
	tree_put(&chat->rooms, &room->node, slice_of(room->name), chat_random(chat));
	tree_put(&chat->listed, &room->listed, slice_of(room->name), chat_random(chat));
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

static void member_free(struct chat_member *member)
{
	tree_remove(&member->room->members, &member->in_room);
	tree_remove(&member->user->memberships, &member->in_user);
	list_remove(&member->age);
	free(member);
}

void chat_room_free(struct chat *chat, struct chat_room *room)
{
	while (!list_is_empty(&room->by_age))
		member_free(list_entry(room->by_age.next, struct chat_member, age));
	tree_remove(&chat->rooms, &room->node);
	if (!room->is_private)
		tree_remove(&chat->listed, &room->listed);
	chat->free_slots[chat->free_slot_count++] = room->slot;
	while (!list_is_empty(&room->invites))
		chat_invite_free(list_entry(room->invites.next, struct chat_invite, link));
	while (room->sanctions.root != NULL)
		chat_sanction_free(room,
		    tree_entry(room->sanctions.root, struct chat_sanction, node));
	free(room->topic);
	free(room->title);
	free(room);
}

int64_t chat_room_tell(struct chat *chat, struct chat_room *room, const struct chat_note *note,
    struct chat_time now)
{
	struct json_writer w;
	struct blob *line;
	int64_t seq = chat_append(chat, &room->conv, note->kind, note->author, note->reason, now);

	message_begin_event(&w, &chat->scratch, note->event);
	json_put_str(&w, "room", room->name);
	json_put_int(&w, "seq", seq);
	if (note->user.len > 0)
		json_put_text(&w, "user", note->user);
	if (note->role != NULL)
		json_put_str(&w, "role", note->role);
	json_put_time(&w, "time", room->conv.time_ms);
	if (note->guest)
		json_put_bool(&w, "guest", true);
	if (note->by != NULL)
		json_put_str(&w, "by", note->by);
	if (note->reason.len > 0)
		json_put_text(&w, "reason", note->reason);
	if (note->until_ms > 0 && note->until_ms < INT64_MAX)
		json_put_time(&w, "until", note->until_ms);
	message_end(&w);
	line = chat_take_line(chat);
	chat_tell_room(chat, room, line, 0);
	blob_unref(line);
	return seq;
}

/* Joining and leaving are told in rooms that are small enough for that. */
static void announce(struct chat *chat, struct chat_room *room, struct chat_user *user,
    enum store_kind kind, struct chat_time now)
{
	const struct chat_note note = {
	    .kind = kind,
	    .event = kind == STORE_JOIN ? PROTO_EVENT_join : PROTO_EVENT_leave,
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
	room->online_count += user->session_count > 0;
	for (struct list *at = user->sessions.next; at != &user->sessions; at = at->next)
		chat_tell_attach(chat, list_entry(at, struct chat_session, in_user), room);
	announce(chat, room, user, STORE_JOIN, now);
	member->read = room->conv.seq;
	return member;
}

/* A guest's room always has an owner: the longest-standing member inherits it. */
static void inherit(struct chat *chat, struct chat_room *room, struct chat_time now)
{
	struct chat_member *heir = list_entry(room->by_age.next, struct chat_member, age);
	const struct chat_note note = {
	    .kind = STORE_ROLE,
	    .event = PROTO_EVENT_role,
	    .author = heir->user,
	    .user = heir->user->node.key,
	    .role = "owner",
	    .guest = heir->user->guest,
	};

	heir->role = CHAT_ROLE_OWNER;
	room->owner_count++;
	chat_room_tell(chat, room, &note, now);
}

void chat_room_leave(struct chat *chat, struct chat_member *member, struct chat_time now)
{
	announce(chat, member->room, member->user, STORE_LEAVE, now);
	chat_room_remove(chat, member, now);
}

void chat_room_remove(struct chat *chat, struct chat_member *member, struct chat_time now)
{
	struct chat_room *room = member->room;
	struct chat_user *user = member->user;

	for (struct list *at = user->sessions.next; at != &user->sessions; at = at->next)
		chat_tell_detach(chat, list_entry(at, struct chat_session, in_user), room);
	room->owner_count -= member->role == CHAT_ROLE_OWNER;
	room->online_count -= user->session_count > 0;
	member_free(member);
	if (room->members.count == 0)
		chat_room_free(chat, room);
	else if (room->owner_count == 0 && room->by_guest)
		inherit(chat, room, now);
}
