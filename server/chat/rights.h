/*
 * The rights table (rights.def): checked for every request that has a row, before its handler.
 */
#ifndef CONFAB_SERVER_CHAT_RIGHTS_H
#define CONFAB_SERVER_CHAT_RIGHTS_H

#include "chat/chat_private.h"

enum chat_target {
	CHAT_TARGET_NOBODY,
	CHAT_TARGET_NAME,
	CHAT_TARGET_USER,
	CHAT_TARGET_MEMBER,
	CHAT_TARGET_BELOW,
	CHAT_TARGET_BELOW_OR_OUTSIDE,
};

struct chat_right {
	enum proto_cmd cmd;
	enum chat_role least, least_private;
	enum chat_target target;
};

/* The row of a command; NULL if it has none. */
const struct chat_right *chat_right_of(enum proto_cmd cmd);

/* Fills call->member (the caller's membership of the room that the request names) and
 * call->target_name, target_user and target_member as far as there are such; false with the error
 * filled. True for commands without a row, which change nothing of that. */
bool chat_check_rights(struct chat_call *call);

#endif
