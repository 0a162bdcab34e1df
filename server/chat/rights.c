#include "chat/rights.h"

const struct chat_right *chat_right_of(enum proto_cmd cmd)
{
	static const struct chat_right rows[] = {
#define RIGHT(cmd, least, least_private, target, voice)                                            \
	{PROTO_CMD_##cmd, CHAT_ROLE_##least, CHAT_ROLE_##least_private, CHAT_TARGET_##target,      \
	    CHAT_VOICE_##voice},
#include "rights.def"
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (rows[i].cmd == cmd)
			return &rows[i];
	return NULL;
}

const struct request_field *chat_field_named(const struct chat_call *call, const char *name)
{
	const struct proto_cmd_row *row = proto_cmd_row(call->request->cmd);

	for (unsigned i = 0; i < row->field_count; i++)
		if (str_equal(proto_field_row(row->first_field + i)->name, name))
			return &call->request->field[i];
	return NULL;
}

/* Its text; empty if there is no such field, or it is not given. */
static struct slice text_named(const struct chat_call *call, const char *name)
{
	const struct request_field *field = chat_field_named(call, name);

	return field != NULL && field->present ? field->text : slice_make(NULL, 0);
}

static bool refuse_role(struct chat_call *call, enum chat_role least)
{
	return chat_refuse(call, PROTO_ERR_not_allowed, "only %s may do that in %s",
	    least == CHAT_ROLE_OWNER ? "an owner" : "an operator or owner",
	    call->member->room->name);
}

static bool check_target(struct chat_call *call, enum chat_target target)
{
	struct chat_room *room = call->member->room;
	struct slice name;

	/* Who wrote a message is known later: chat_check_author. */
	if (target == CHAT_TARGET_NOBODY || target >= CHAT_TARGET_MESSAGE)
		return true;
	name = text_named(call, "user");
	call->target_name = name;
	call->target_user = chat_user_find(call->chat, name);
	if (call->target_user != NULL && call->target_user->deleted)
		call->target_user = NULL;
	if (call->target_user != NULL)
		call->target_member = chat_member_find(call->target_user, room->node.key);
	if (target == CHAT_TARGET_NAME)
		return true;
	if (target == CHAT_TARGET_USER)
		return call->target_user != NULL ||
		       chat_refuse(call, PROTO_ERR_no_such_user, "there is no user %.*s",
			   (int)name.len, name.ptr);
	if (call->target_member == NULL)
		return target == CHAT_TARGET_BELOW_OR_OUTSIDE ||
		       chat_refuse(call, PROTO_ERR_no_such_user, "%.*s is not in %s",
			   (int)name.len, name.ptr, room->name);
	if (target != CHAT_TARGET_MEMBER && call->target_member->role >= call->member->role)
		return chat_refuse(call, PROTO_ERR_not_allowed,
		    "the role of %s in %s is not below yours", call->target_user->name,
		    room->name);
	return true;
}

/* May the caller say something there now? */
static bool check_voice(struct chat_call *call, enum chat_voice voice)
{
	struct chat_sanction *sanction;

	if (voice == CHAT_VOICE_ANY)
		return true;
	if (call->other != NULL)
		/* Who blocks hears nothing of it. */
		return voice != CHAT_VOICE_HEARD ||
		       tree_find(&call->other->blocks, call->user->node.key) == NULL ||
		       chat_refuse(call, PROTO_ERR_blocked,
			   "%s takes no direct messages from you", call->other->name);
	sanction = chat_sanction_find(call->member->room, call->user->node.key, call->now);
	return sanction == NULL || sanction->mute.until_ms == 0 ||
	       chat_refuse(call, PROTO_ERR_muted, "you are muted in %s",
		   call->member->room->name);
}

static bool check_pair(struct chat_call *call, struct slice name, const struct chat_right *right)
{
	call->other = chat_user_find(call->chat, name);
	/* What was said with a deleted account stays; nothing more is said to it. */
	if (call->other != NULL && call->other->deleted && right->voice == CHAT_VOICE_HEARD)
		call->other = NULL;
	if (call->other == NULL)
		return chat_refuse(call, PROTO_ERR_no_such_user, "there is no user %.*s",
		    (int)name.len, name.ptr);
	return check_voice(call, right->voice);
}

bool chat_check_rights(struct chat_call *call)
{
	const struct chat_right *right = chat_right_of(call->request->cmd);
	struct slice room, to;
	enum chat_role least;

	if (right == NULL)
		return true;
	room = text_named(call, "room");
	to = text_named(call, "to");
	if (room.len == 0)
		return to.len == 0 || check_pair(call, to, right);
	call->member = chat_membership(call, room);
	if (call->member == NULL)
		return false;
	least = call->member->room->is_private ? right->least_private : right->least;
	if (call->member->role < least)
		return refuse_role(call, least);
	return check_target(call, right->target) && check_voice(call, right->voice);
}

bool chat_check_author(struct chat_call *call, uint64_t author)
{
	const struct chat_right *right = chat_right_of(call->request->cmd);

	if (right->target == CHAT_TARGET_MESSAGE || author == call->user->id)
		return true;
	if (right->target == CHAT_TARGET_OWN_OR_OPERATOR && call->member != NULL &&
	    call->member->role >= CHAT_ROLE_OPERATOR)
		return true;
	return chat_refuse(call, PROTO_ERR_not_allowed, "somebody else wrote that message");
}

struct chat_conv *chat_call_conv(const struct chat_call *call)
{
	struct chat_pair *pair;

	if (call->member != NULL)
		return &call->member->room->conv;
	pair = chat_pair_find(call->user, call->other);
	return pair != NULL ? &pair->conv : NULL;
}

int64_t chat_call_first(const struct chat_call *call)
{
	const struct chat_conv *conv;

	if (call->member != NULL)
		return chat_member_first(call->member);
	conv = chat_call_conv(call);
	return conv != NULL ? conv->first : 1;
}
