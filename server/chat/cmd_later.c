/*
 * Requests whose rooms are not built yet: all are refused.
 */
#include "chat/chat_private.h"

#define LATER(name) \
	bool cmd_##name(struct chat_call *call) \
	{ \
		return chat_refuse(call, PROTO_ERR_unavailable, "not yet"); \
	}
LATER(edit)
LATER(delete)
LATER(react)
LATER(unreact)
LATER(pin)
LATER(unpin)
LATER(pins)
LATER(history)
LATER(search)
