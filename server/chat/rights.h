/*
 * The rights table (rights.def): checked for every request that has a row, before its handler, and
 * again when a job of it is done.
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
	CHAT_TARGET_MESSAGE,
	CHAT_TARGET_OWN_MESSAGE,
	CHAT_TARGET_OWN_OR_OPERATOR,
};

enum chat_voice { CHAT_VOICE_ANY, CHAT_VOICE_UNMUTED, CHAT_VOICE_HEARD };

struct chat_right {
	enum proto_cmd cmd;
	enum chat_role least, least_private;
	enum chat_target target;
	enum chat_voice voice;
};

/* The row of a command; NULL if it has none. */
const struct chat_right *chat_right_of(enum proto_cmd cmd);

/* Fills call->member (the caller's membership of the room that the request names) or call->other
 * (whose pair it names; neither, where a request need not name any), and call->target_name,
 * target_user and target_member as far as there are such; false with the error filled. True for
 * commands without a row, which change nothing of that. */
bool chat_check_rights(struct chat_call *call);

/* Once it is known who wrote the message: may the caller do that to it? */
bool chat_check_author(struct chat_call *call, uint64_t author);

#endif
