/*
 * Requests of those who keep a room: set, destroy, invite, kick, ban, unban, mute, unmute, bans,
 * role. Rights have been checked from rights.def before these run.
 */
#include "chat/chat_private.h"
#include "chat/page.h"

#include <stdlib.h>

static bool reply_seq(struct chat_call *call, int64_t seq)
{
	struct json_writer w;

	if (chat_reply_begin(call, &w)) {
		json_put_int(&w, "seq", seq);
		chat_reply_end(call, &w);
	}
	return true;
}

/* A note about the target, by the caller. */
static struct chat_note note_of(const struct chat_call *call, enum store_kind kind)
{
	return (struct chat_note){
	    .kind = kind,
	    .author = call->user,
	    .user = call->target_name,
	    .by = call->user->name,
	    .guest = call->target_user != NULL && call->target_user->guest,
	};
}

/* --- set ------------------------------------------------------------------------------------ */

static bool is_given(const struct chat_call *call, enum proto_field field)
{
	return request_field(call->request, field)->present;
}

static bool replace_text(struct chat_call *call, enum proto_field field, char **text)
{
	struct slice wanted = chat_field_text(call, field);
	char *copy = NULL;

	if (!is_given(call, field))
		return true;
	if (wanted.len > 0 && (copy = str_dup(wanted)) == NULL)
		return chat_refuse_memory(call);
	free(*text);
	*text = copy;
	return true;
}

/* Only what was given, in the event as in the request. */
static void put_settings(struct chat_call *call, struct json_writer *w)
{
	const struct proto_cmd_row *row = proto_cmd_row(PROTO_CMD_set);

	for (unsigned i = 0; i < row->field_count; i++) {
		const struct proto_field_row *name = proto_field_row(row->first_field + i);
		const struct request_field *field = &call->request->field[i];

		if (!field->present || name->kind == PROTO_KIND_ROOM)
			continue;
		if (name->kind == PROTO_KIND_BOOL)
			json_put_bool(w, name->name, field->flag);
		else if (name->kind == PROTO_KIND_INT || field->text.len == 0)
			json_put_int(w, name->name, field->number);
		else
			json_put_text(w, name->name, field->text);
	}
}

/* By the entry that comes next. */
static void set_visible(struct chat_room *room, bool joined)
{
	if (room->visible_seq <= room->conv.released)
		room->was_joined = room->visible_joined;
	room->visible_joined = joined;
	room->visible_seq = room->conv.seq + 1;
}

bool cmd_set(struct chat_call *call)
{
	const struct request *request = call->request;
	struct chat_room *room = call->member->room;
	struct json_writer w;
	struct blob *line;
	struct chat_entry entry = {.kind = STORE_SETTINGS, .author = call->user->id};
	const struct request_field *history = request_field(request, PROTO_FIELD_set_history);

	if (history->present && !room->conv.kept)
		return chat_refuse(call, PROTO_ERR_not_allowed,
		    "%s keeps no history, and that is for good: make another room", room->name);
	if (!chat_touch_room(call->chat, room))
		return chat_refuse_memory(call);
	if (!replace_text(call, PROTO_FIELD_set_topic, &room->topic) ||
	    !replace_text(call, PROTO_FIELD_set_title, &room->title))
		return false;
	if (is_given(call, PROTO_FIELD_set_private))
		chat_room_set_private(call->chat, room,
		    request_field(request, PROTO_FIELD_set_private)->flag);
	if (is_given(call, PROTO_FIELD_set_guests))
		room->guests = request_field(request, PROTO_FIELD_set_guests)->flag;
	if (is_given(call, PROTO_FIELD_set_slow))
		room->slow_s = (uint32_t)request_field(request, PROTO_FIELD_set_slow)->number;
	if (is_given(call, PROTO_FIELD_set_visible))
		set_visible(room, request_field(request, PROTO_FIELD_set_visible)->number == 1);
	if (history->present)
		room->days = (uint32_t)history->number;
	chat_extra_begin(call->chat, &w);
	json_put_str(&w, "by", call->user->name);
	put_settings(call, &w);
	line = chat_append(call->chat, &room->conv, &entry, call->now);
	reply_seq(call, room->conv.seq);
	chat_tell_room(call->chat, room, line, 0);
	blob_unref(line);
	return true;
}

/* --- destroy, invite ------------------------------------------------------------------------ */

bool cmd_destroy(struct chat_call *call)
{
	struct chat_room *room = call->member->room;
	const struct chat_note note = {
	    .kind = STORE_DESTROYED,
	    .author = call->user,
	    .by = call->user->name,
	};

	chat_room_tell(call->chat, room, &note, call->now);
	chat_room_end(call->chat, room);
	return true;
}

/* The oldest of too many is forgotten. */
static bool invite(struct chat_call *call, struct chat_room *room)
{
	struct chat *chat = call->chat;
	struct chat_invite *oldest = list_entry(room->invites.next, struct chat_invite, link);

	if (room->invite_count >= PROTO_LIMIT_invites) {
		if (!chat_touch_invite(chat, room, oldest->user))
			return false;
		chat_invite_free(oldest);
	}
	return chat_touch_invite(chat, room, call->target_user) &&
	       chat_invite_put(chat, room, call->target_user);
}

bool cmd_invite(struct chat_call *call)
{
	struct chat_room *room = call->member->room;
	struct json_writer w;
	struct blob *line;

	if (call->target_member != NULL)
		return chat_refuse(call, PROTO_ERR_already_member, "%s is in %s already",
		    call->target_user->name, room->name);
	if (chat_invite_find(room, call->target_user) == NULL && !invite(call, room))
		return chat_refuse_memory(call);
	message_begin_event(&w, &call->chat->scratch, PROTO_EVENT_invite);
	json_put_str(&w, "room", room->name);
	json_put_str(&w, "by", call->user->name);
	json_put_time(&w, "time", call->now.unix_ms);
	message_end(&w);
	line = chat_take_line(call->chat);
	chat_tell_user(call->chat, call->target_user, line);
	blob_unref(line);
	return true;
}

/* --- kick, ban, mute ------------------------------------------------------------------------ */

/* The member hears why, like everybody, and is out. */
static int64_t put_out(struct chat_call *call, enum store_kind kind, struct slice reason)
{
	struct chat_note note = note_of(call, kind);
	int64_t seq;

	note.reason = reason;
	seq = chat_room_tell(call->chat, call->member->room, &note, call->now);
	chat_room_remove(call->chat, call->target_member, call->now);
	call->target_member = NULL;
	return seq;
}

bool cmd_kick(struct chat_call *call)
{
	return reply_seq(call,
	    put_out(call, STORE_KICK, chat_field_text(call, PROTO_FIELD_kick_reason)));
}

/* The record for the target, made if there is none; NULL with the error filled. */
static struct chat_sanction *sanction_get(struct chat_call *call)
{
	struct chat_room *room = call->member->room;
	struct chat_sanction *sanction;

	if (!chat_touch_ban(call->chat, room, call->target_name)) {
		chat_refuse_memory(call);
		return NULL;
	}
	sanction = chat_sanction_find(room, call->target_name, call->now);
	if (sanction != NULL)
		return sanction;
	chat_sanction_tidy(room, call->target_name, call->now);
	if (!chat_sanction_make_room(call->chat, room, call->now)) {
		chat_refuse_limit(call, PROTO_ERR_too_many, PROTO_LIMIT_bans,
		    "%d users are banned or muted in %s already", PROTO_LIMIT_bans, room->name);
		return NULL;
	}
	sanction = chat_sanction_make(call->chat, room, call->target_name);
	if (sanction == NULL)
		chat_refuse_memory(call);
	return sanction;
}

static bool put_measure(struct chat_call *call, struct chat_measure *measure,
    const struct request_field *seconds, struct slice reason)
{
	char *copy = reason.len > 0 ? str_dup(reason) : NULL;

	if (reason.len > 0 && copy == NULL)
		return chat_refuse_memory(call);
	free(measure->reason);
	measure->reason = copy;
	measure->time_ms = call->now.unix_ms;
	measure->until_ms =
	    seconds->present ? call->now.unix_ms + seconds->number * 1000 : INT64_MAX;
	str_copy(measure->by, sizeof measure->by, call->user->node.key);
	return true;
}

static int64_t tell_measure(struct chat_call *call, const struct chat_measure *measure,
    enum store_kind kind)
{
	struct chat_note note = note_of(call, kind);

	note.reason = measure->reason != NULL ? slice_of(measure->reason) : slice_make(NULL, 0);
	note.until_ms = measure->until_ms;
	return chat_room_tell(call->chat, call->member->room, &note, call->now);
}

/* Who is in the room leaves it first, then the ban is told: its seq is the reply's. */
bool cmd_ban(struct chat_call *call)
{
	struct slice reason = chat_field_text(call, PROTO_FIELD_ban_reason);
	struct chat_sanction *sanction = sanction_get(call);

	if (sanction == NULL ||
	    !put_measure(call, &sanction->ban, request_field(call->request, PROTO_FIELD_ban_for),
		reason))
		return false;
	if (call->target_member != NULL)
		put_out(call, STORE_KICK, reason);
	return reply_seq(call, tell_measure(call, &sanction->ban, STORE_BAN));
}

bool cmd_mute(struct chat_call *call)
{
	struct chat_sanction *sanction = sanction_get(call);

	if (sanction == NULL ||
	    !put_measure(call, &sanction->mute, request_field(call->request, PROTO_FIELD_mute_for),
		chat_field_text(call, PROTO_FIELD_mute_reason)))
		return false;
	return reply_seq(call, tell_measure(call, &sanction->mute, STORE_MUTE));
}

/* Taking back what is not in force is told, too: whoever asked sees that it holds now. */
bool cmd_unban(struct chat_call *call)
{
	struct chat_room *room = call->member->room;
	struct chat_note note = note_of(call, STORE_UNBAN);
	struct chat_sanction *sanction;

	if (!chat_touch_ban(call->chat, room, call->target_name))
		return chat_refuse_memory(call);
	sanction = chat_sanction_find(room, call->target_name, call->now);
	if (sanction != NULL)
		sanction->ban.until_ms = 0;
	chat_sanction_tidy(room, call->target_name, call->now);
	return reply_seq(call, chat_room_tell(call->chat, room, &note, call->now));
}

bool cmd_unmute(struct chat_call *call)
{
	struct chat_room *room = call->member->room;
	struct chat_note note = note_of(call, STORE_UNMUTE);
	struct chat_sanction *sanction;

	if (!chat_touch_ban(call->chat, room, call->target_name))
		return chat_refuse_memory(call);
	sanction = chat_sanction_find(room, call->target_name, call->now);
	if (sanction != NULL)
		sanction->mute.until_ms = 0;
	chat_sanction_tidy(room, call->target_name, call->now);
	return reply_seq(call, chat_room_tell(call->chat, room, &note, call->now));
}

static void put_listed(struct json_writer *w, const struct chat_sanction *sanction,
    const char *kind, const struct chat_measure *measure)
{
	if (measure->until_ms == 0)
		return;
	json_open_object(w, NULL);
	json_put_str(w, "user", sanction->user);
	json_put_str(w, "kind", kind);
	json_put_str(w, "by", measure->by);
	if (measure->reason != NULL)
		json_put_str(w, "reason", measure->reason);
	json_put_time(w, "time", measure->time_ms);
	if (measure->until_ms < INT64_MAX)
		json_put_time(w, "until", measure->until_ms);
	json_close_object(w);
}

bool cmd_bans(struct chat_call *call)
{
	struct chat_room *room = call->member->room;
	struct chat_page page;
	struct tree_node *node;

	if (!chat_page_begin(&page, call, "bans", PROTO_FIELD_bans_after, PROTO_FIELD_bans_limit))
		return true;
	while (chat_page_wants(&page) &&
	       (node = tree_after(&room->sanctions, page.after)) != NULL) {
		struct chat_sanction *sanction;

		chat_page_seen(&page, node->key);
		sanction = chat_sanction_find(room, page.after, call->now);
		if (sanction == NULL)
			continue;
		put_listed(&page.w, sanction, "ban", &sanction->ban);
		put_listed(&page.w, sanction, "mute", &sanction->mute);
		page.count++;
	}
	chat_page_end(&page, tree_after(&room->sanctions, page.after) != NULL);
	return true;
}

/* --- role ----------------------------------------------------------------------------------- */

bool cmd_role(struct chat_call *call)
{
	struct chat_member *target = call->target_member;
	struct chat_room *room = call->member->room;
	struct chat_note note = note_of(call, STORE_ROLE);
	enum chat_role role; /* the words of the row stand in the order of enum chat_role */

	role = (enum chat_role)request_field(call->request, PROTO_FIELD_role_role)->number;
	if (target->role == CHAT_ROLE_OWNER && role != CHAT_ROLE_OWNER && room->owner_count == 1)
		return chat_refuse(call, PROTO_ERR_not_allowed,
		    "%s is the last owner of %s; name another first", target->user->name,
		    room->name);
	/* A guest goes without being asked, and would leave it without an owner. */
	if (role == CHAT_ROLE_OWNER && target->user->guest && !room->by_guest)
		return chat_refuse(call, PROTO_ERR_not_allowed,
		    "%s is a guest, and cannot own a room that stays", target->user->name);
	if (!chat_touch_member(call->chat, room, target->user))
		return chat_refuse_memory(call);
	chat_member_set_role(target, role);
	note.role = chat_role_name(role);
	return reply_seq(call, chat_room_tell(call->chat, room, &note, call->now));
}
