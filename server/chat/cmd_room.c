/*
 * Requests about rooms: rooms, create, join, leave, room, members.
 */
#include "chat/chat_private.h"
#include "chat/page.h"

#include <stdlib.h>

/* --- rooms ---------------------------------------------------------------------------------- */

static void put_listed_room(struct json_writer *w, const struct chat_room *room, bool joined,
    bool invited)
{
	json_open_object(w, NULL);
	json_put_str(w, "room", room->name);
	json_put_str(w, "topic", room->topic != NULL ? room->topic : "");
	json_put_int(w, "member_count", (int64_t)room->members.count);
	json_put_bool(w, "joined", joined);
	if (invited)
		json_put_bool(w, "invited", true);
	json_close_object(w);
}

bool cmd_rooms(struct chat_call *call)
{
	struct slice like = chat_field_text(call, PROTO_FIELD_rooms_like);
	const struct tree *rooms = &call->chat->rooms;
	struct chat_page page;
	struct chat_room *room;

	if (!chat_page_begin(&page, call, "rooms", PROTO_FIELD_rooms_after,
		PROTO_FIELD_rooms_limit))
		return true;
	while (chat_page_wants(&page) &&
	       (room = tree_entry(tree_after(rooms, page.after), struct chat_room, node)) != NULL) {
		bool joined = chat_member_find(call->user, room->node.key) != NULL;
		bool invited = !joined && chat_is_invited(room, call->user);

		chat_page_seen(&page, room->node.key);
		if ((room->is_private && !joined && !invited) ||
		    !slice_contains(room->node.key, like))
			continue;
		put_listed_room(&page.w, room, joined, invited);
		page.count++;
	}
	chat_page_end(&page, tree_after(rooms, page.after) != NULL);
	return true;
}

/* --- create, join, leave -------------------------------------------------------------------- */

static bool may_join_one_more(struct chat_call *call)
{
	return call->user->memberships.count < PROTO_LIMIT_rooms ||
	       chat_refuse_limit(call, PROTO_ERR_too_many, PROTO_LIMIT_rooms,
		   "you are in %d rooms already; leave one first", PROTO_LIMIT_rooms);
}

/* A copy of an optional text; false without memory. */
static bool copy_text(struct chat_call *call, enum proto_field field, char **ret)
{
	struct slice text = chat_field_text(call, field);

	*ret = text.len > 0 ? str_dup(text) : NULL;
	return text.len == 0 || *ret != NULL ||
	       chat_refuse(call, PROTO_ERR_unavailable, "out of memory; try again later");
}

static bool become_member(struct chat_call *call, struct chat_room *room, enum chat_role role)
{
	if (chat_room_join(call->chat, room, call->user, role, call->now) != NULL)
		return true;
	if (room->members.count == 0)
		chat_room_free(call->chat, room);
	return chat_refuse(call, PROTO_ERR_unavailable, "out of memory; try again later");
}

bool cmd_create(struct chat_call *call)
{
	const struct request *request = call->request;
	struct slice name = chat_field_text(call, PROTO_FIELD_create_room);
	struct chat_room *room;
	struct json_writer w;
	char *topic = NULL, *title = NULL;

	if (chat_room_find(call->chat, name) != NULL)
		return chat_refuse(call, PROTO_ERR_room_exists, "there is a room %.*s already",
		    (int)name.len, name.ptr);
	if (!may_join_one_more(call))
		return false;
	if (!copy_text(call, PROTO_FIELD_create_topic, &topic) ||
	    !copy_text(call, PROTO_FIELD_create_title, &title) ||
	    (room = chat_room_new(call, name)) == NULL) {
		free(topic);
		free(title);
		return false;
	}
	room->topic = topic;
	room->title = title;
	room->is_private = request_field(request, PROTO_FIELD_create_private)->flag;
	if (request_field(request, PROTO_FIELD_create_guests)->present)
		room->guests = request_field(request, PROTO_FIELD_create_guests)->flag;
	if (!become_member(call, room, CHAT_ROLE_OWNER))
		return false;
	if (chat_reply_begin(call, &w)) {
		json_put_str(&w, "room", room->name);
		chat_reply_end(call, &w);
	}
	return true;
}

static void join_reply(struct chat_call *call, const struct chat_member *member, bool already)
{
	const struct chat_room *room = member->room;
	struct json_writer w;

	if (!chat_reply_begin(call, &w))
		return;
	json_put_str(&w, "room", room->name);
	json_put_str(&w, "topic", room->topic != NULL ? room->topic : "");
	json_put_int(&w, "member_count", (int64_t)room->members.count);
	json_put_int(&w, "seq", room->conv.seq);
	/* Nothing is kept, so the oldest that can be had is the next one. */
	json_put_int(&w, "first", room->conv.seq + 1);
	json_put_int(&w, "read", member->read);
	json_put_str(&w, "epoch", room->epoch);
	if (already)
		json_put_bool(&w, "already", true);
	chat_reply_end(call, &w);
}

/* The room to join, made if there is none and that is allowed; NULL with the error filled. */
static struct chat_room *room_to_join(struct chat_call *call, struct slice name)
{
	const struct request_field *create = request_field(call->request, PROTO_FIELD_join_create);
	bool wanted = create->present ? create->flag : call->chat->options.auto_create;

	if (chat_room_find(call->chat, name) != NULL || !wanted)
		return chat_room_visible(call, name);
	if (!call->chat->options.auto_create) {
		chat_refuse(call, PROTO_ERR_no_such_room, "there is no room %.*s, and on this "
		    "server rooms are made with \"create\", not by joining", (int)name.len,
		    name.ptr);
		return NULL;
	}
	return chat_room_new(call, name);
}

static bool check_ban(struct chat_call *call, struct chat_room *room)
{
	struct chat_sanction *sanction =
	    chat_sanction_find(room, call->user->node.key, call->now);

	if (sanction == NULL || sanction->ban.until_ms == 0)
		return true;
	return chat_refuse(call, PROTO_ERR_banned, "you are banned from %s%s%s", room->name,
	    sanction->ban.reason != NULL ? ": " : "",
	    sanction->ban.reason != NULL ? sanction->ban.reason : "");
}

static void forget_invite(struct chat_call *call, struct chat_room *room)
{
	for (struct list *at = room->invites.next; at != &room->invites; at = at->next) {
		struct chat_invite *invite = list_entry(at, struct chat_invite, link);

		if (invite->user == call->user->id) {
			chat_invite_free(room, invite);
			return;
		}
	}
}

bool cmd_join(struct chat_call *call)
{
	struct slice name = chat_field_text(call, PROTO_FIELD_join_room);
	struct chat_member *member = chat_member_find(call->user, name);
	struct chat_room *room;

	if (member != NULL) {
		join_reply(call, member, true);
		return true;
	}
	if (!may_join_one_more(call))
		return false;
	room = room_to_join(call, name);
	if (room == NULL)
		return false;
	if (!check_ban(call, room))
		return false;
	if (call->user->guest && !room->guests)
		return chat_refuse(call, PROTO_ERR_not_allowed,
		    "guests may not enter the room %s", room->name);
	if (room->members.count >= PROTO_LIMIT_members)
		return chat_refuse_limit(call, PROTO_ERR_too_many, PROTO_LIMIT_members,
		    "the room has %d members already", PROTO_LIMIT_members);
	if (!become_member(call, room,
		room->members.count == 0 ? CHAT_ROLE_OWNER : CHAT_ROLE_MEMBER))
		return false;
	forget_invite(call, room);
	join_reply(call, chat_member_find(call->user, name), false);
	return true;
}

bool cmd_leave(struct chat_call *call)
{
	struct chat_member *member = call->member;

	if (member->role == CHAT_ROLE_OWNER && member->room->owner_count == 1 &&
	    member->room->members.count > 1 && !member->room->by_guest)
		return chat_refuse(call, PROTO_ERR_not_allowed,
		    "you are the last owner of %s; name another with \"role\", or \"destroy\" it",
		    member->room->name);
	chat_room_leave(call->chat, member, call->now);
	return true;
}

/* --- room, members -------------------------------------------------------------------------- */

bool cmd_room(struct chat_call *call)
{
	struct slice name = chat_field_text(call, PROTO_FIELD_room_room);
	struct chat_room *room = chat_room_visible(call, name);
	struct chat_member *member = chat_member_find(call->user, name);
	struct json_writer w;

	if (room == NULL)
		return false;
	if (!chat_reply_begin(call, &w))
		return true;
	json_put_str(&w, "room", room->name);
	json_put_str(&w, "topic", room->topic != NULL ? room->topic : "");
	json_put_str(&w, "title", room->title != NULL ? room->title : "");
	json_put_bool(&w, "private", room->is_private);
	json_put_bool(&w, "guests", room->guests);
	json_put_str(&w, "history", "none");
	json_put_int(&w, "slow", room->slow_s);
	json_put_str(&w, "visible", room->visible_joined ? "joined" : "all");
	json_put_int(&w, "member_count", (int64_t)room->members.count);
	json_put_int(&w, "online_count", room->online_count);
	if (member != NULL)
		json_put_str(&w, "role", chat_role_name(member->role));
	json_put_str(&w, "epoch", room->epoch);
	json_put_int(&w, "seq", room->conv.seq);
	json_put_int(&w, "first", room->conv.seq + 1);
	chat_reply_end(call, &w);
	return true;
}

bool cmd_members(struct chat_call *call)
{
	struct chat_page page;
	struct chat_member *member;
	const struct tree *members = &call->member->room->members;

	if (!chat_page_begin(&page, call, "members", PROTO_FIELD_members_after,
		PROTO_FIELD_members_limit))
		return true;
	while (chat_page_wants(&page) &&
	       (member = tree_entry(tree_after(members, page.after), struct chat_member,
		    in_room)) != NULL) {
		chat_page_seen(&page, member->in_room.key);
		json_open_object(&page.w, NULL);
		json_put_str(&page.w, "user", member->user->name);
		json_put_str(&page.w, "role", chat_role_name(member->role));
		json_put_bool(&page.w, "online", member->user->session_count > 0);
		if (member->user->guest)
			json_put_bool(&page.w, "guest", true);
		json_close_object(&page.w);
		page.count++;
	}
	chat_page_end(&page, tree_after(members, page.after) != NULL);
	return true;
}
