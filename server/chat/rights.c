#include "chat/rights.h"

const struct chat_right *chat_right_of(enum proto_cmd cmd)
{
	static const struct chat_right rows[] = {
#define RIGHT(cmd, least, least_private, target)                                                   \
	{PROTO_CMD_##cmd, CHAT_ROLE_##least, CHAT_ROLE_##least_private, CHAT_TARGET_##target},
#include "rights.def"
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (rows[i].cmd == cmd)
			return &rows[i];
	return NULL;
}

/* The field of that name of the request's command; its text, empty if there is none. */
static struct slice field_named(const struct chat_call *call, const char *name)
{
	const struct proto_cmd_row *row = proto_cmd_row(call->request->cmd);

	for (unsigned i = 0; i < row->field_count; i++)
		if (strcmp(proto_field_row(row->first_field + i)->name, name) == 0)
			return call->request->field[i].text;
	return slice_make(NULL, 0);
}

static bool refuse_role(struct chat_call *call, enum chat_role least)
{
	return chat_refuse(call, PROTO_ERR_not_allowed, "only %s may do that in %s",
	    least == CHAT_ROLE_OWNER ? "an owner" : "an operator or owner",
	    call->member->room->name);
}

static bool check_target(struct chat_call *call, enum chat_target target)
{
	struct slice name = field_named(call, "user");
	struct chat_room *room = call->member->room;

	if (target == CHAT_TARGET_NOBODY)
		return true;
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

bool chat_check_rights(struct chat_call *call)
{
	const struct chat_right *right = chat_right_of(call->request->cmd);
	enum chat_role least;

	if (right == NULL)
		return true;
	call->member = chat_membership(call, field_named(call, "room"));
	if (call->member == NULL)
		return false;
	least = call->member->room->is_private ? right->least_private : right->least;
	if (call->member->role < least)
		return refuse_role(call, least);
	return check_target(call, right->target);
}
