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

/* What the caller may know of: three lists in one order, walked side by side. */
struct room_walk {
	struct tree_node *listed, *own, *invites; /* those to come */
	struct chat_room *room;
	bool joined, invited;
};

static void walk_begin(struct room_walk *walk, const struct chat_call *call, struct slice after)
{
	*walk = (struct room_walk){
	    .listed = tree_after(&call->chat->listed, after),
	    .own = tree_after(&call->user->memberships, after),
	    .invites = tree_after(&call->user->invites, after),
	};
}

static bool walk_has_more(const struct room_walk *walk)
{
	return walk->listed != NULL || walk->own != NULL || walk->invites != NULL;
}

static void take_earlier(struct chat_room **first, struct chat_room *room)
{
	if (*first == NULL || slice_compare(room->node.key, (*first)->node.key) < 0)
		*first = room;
}

/* On to the first of all three; there must be more. */
static void walk_on(struct room_walk *walk)
{
	struct chat_room *listed = tree_entry(walk->listed, struct chat_room, listed);
	struct chat_member *own = tree_entry(walk->own, struct chat_member, in_user);
	struct chat_invite *invite = tree_entry(walk->invites, struct chat_invite, in_user);

	walk->room = listed;
	if (own != NULL)
		take_earlier(&walk->room, own->room);
	if (invite != NULL)
		take_earlier(&walk->room, invite->room);
	walk->joined = own != NULL && own->room == walk->room;
	walk->invited = invite != NULL && invite->room == walk->room;
	if (listed == walk->room)
		walk->listed = tree_next(walk->listed);
	if (walk->joined)
		walk->own = tree_next(walk->own);
	if (walk->invited)
		walk->invites = tree_next(walk->invites);
}

bool cmd_rooms(struct chat_call *call)
{
	struct slice like = chat_field_text(call, PROTO_FIELD_rooms_like);
	struct chat_page page;
	struct room_walk walk;

	if (!chat_page_begin(&page, call, "rooms", PROTO_FIELD_rooms_after,
		PROTO_FIELD_rooms_limit))
		return true;
	walk_begin(&walk, call, page.after);
	while (walk_has_more(&walk) && chat_page_wants(&page)) {
		walk_on(&walk);
		page.after = walk.room->node.key;
		page.work++;
		if (slice_contains(page.after, like)) {
			put_listed_room(&page.w, walk.room, walk.joined,
			    walk.invited && !walk.joined);
			page.count++;
		}
	}
	chat_page_end(&page, walk_has_more(&walk));
	return true;
}

/* --- create, join, leave -------------------------------------------------------------------- */

/* Guests are anybody, as often as they like: what one of them holds has to be little, and the end
 * of one, which leaves all its rooms at once, short. */
static bool may_join_one_more(struct chat_call *call)
{
	int limit = call->user->guest ? PROTO_LIMIT_guest_rooms : PROTO_LIMIT_rooms;

	return call->user->memberships.count < (size_t)limit ||
	       chat_refuse_limit(call, PROTO_ERR_too_many, limit,
		   "you are in %d rooms already; leave one first", limit);
}

/* A copy of an optional text; false without memory. */
static bool copy_text(struct chat_call *call, enum proto_field field, char **ret)
{
	struct slice text = chat_field_text(call, field);

	*ret = text.len > 0 ? str_dup(text) : NULL;
	return text.len == 0 || *ret != NULL ||
	       chat_refuse_memory(call);
}

static bool become_member(struct chat_call *call, struct chat_room *room, enum chat_role role)
{
	if (chat_room_join(call->chat, room, call->user, role, call->now) != NULL)
		return true;
	call->chat->unit->broken = true; /* a room made for it goes again */
	return chat_refuse_memory(call);
}

bool cmd_create(struct chat_call *call)
{
	const struct request *request = call->request;
	struct slice name = chat_field_text(call, PROTO_FIELD_create_room);
	const struct request_field *history = request_field(request, PROTO_FIELD_create_history);
	bool kept = !slice_is(history->text, "none");
	struct chat_room *room;
	struct json_writer w;
	char *topic = NULL, *title = NULL;

	if (chat_room_find(call->chat, name) != NULL)
		return chat_refuse(call, PROTO_ERR_room_exists, "there is a room %.*s already",
		    (int)name.len, name.ptr);
	if (!may_join_one_more(call))
		return false;
	if (call->user->guest && history->present && kept)
		return chat_refuse(call, PROTO_ERR_not_allowed,
		    "what a guest makes keeps no history");
	if (!copy_text(call, PROTO_FIELD_create_topic, &topic) ||
	    !copy_text(call, PROTO_FIELD_create_title, &title) ||
	    (room = chat_room_new(call, name, kept)) == NULL) {
		free(topic);
		free(title);
		return false;
	}
	room->topic = topic;
	room->title = title;
	room->days = (uint32_t)history->number;
	if (request_field(request, PROTO_FIELD_create_private)->flag)
		chat_room_set_private(call->chat, room, true);
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
	json_put_int(&w, "first", chat_member_first(member));
	json_put_int(&w, "read", member->read);
	if (!room->conv.kept)
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
	return chat_room_new(call, name, true);
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

bool cmd_join(struct chat_call *call)
{
	struct slice name = chat_field_text(call, PROTO_FIELD_join_room);
	struct chat_member *member = chat_member_find(call->user, name);
	struct chat_invite *invite;
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
	invite = chat_invite_find(room, call->user);
	if (invite != NULL && chat_touch_invite(call->chat, room, call->user))
		chat_invite_free(invite);
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
	return chat_room_leave(call->chat, member, call->now) || chat_refuse_memory(call);
}

/* --- room, members -------------------------------------------------------------------------- */

static void put_history(struct json_writer *w, const struct chat_room *room)
{
	if (!room->conv.kept)
		json_put_str(w, "history", "none");
	else if (room->days == 0)
		json_put_str(w, "history", "full");
	else
		json_put_int(w, "history", room->days);
}

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
	put_history(&w, room);
	json_put_int(&w, "slow", room->slow_s);
	json_put_str(&w, "visible", room->visible_joined ? "joined" : "all");
	json_put_int(&w, "member_count", (int64_t)room->members.count);
	json_put_int(&w, "online_count", room->online_count);
	if (member != NULL)
		json_put_str(&w, "role", chat_role_name(member->role));
	if (!room->conv.kept)
		json_put_str(&w, "epoch", room->epoch);
	json_put_int(&w, "seq", room->conv.seq);
	json_put_int(&w, "first", member != NULL ? chat_member_first(member) : room->conv.first);
	chat_reply_end(call, &w);
	return true;
}

bool cmd_members(struct chat_call *call)
{
	struct chat_page page;
	struct tree_node *node;

	if (!chat_page_begin(&page, call, "members", PROTO_FIELD_members_after,
		PROTO_FIELD_members_limit))
		return true;
	for (node = tree_after(&call->member->room->members, page.after);
	     node != NULL && chat_page_wants(&page); node = tree_next(node)) {
		const struct chat_member *member = tree_entry(node, struct chat_member, in_room);

		page.after = node->key;
		json_open_object(&page.w, NULL);
		json_put_str(&page.w, "user", member->user->name);
		json_put_str(&page.w, "role", chat_role_name(member->role));
		json_put_bool(&page.w, "online", member->user->session_count > 0);
		if (member->user->guest)
			json_put_bool(&page.w, "guest", true);
		json_close_object(&page.w);
		page.count++;
	}
	chat_page_end(&page, node != NULL);
	return true;
}
