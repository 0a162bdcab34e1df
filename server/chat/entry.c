/*
 * Entries: the only way in which a conversation moves on. Each takes the next seq, a time that
 * never decreases, and goes to the store with the unit that it belongs to.
 */
#include "chat/chat_private.h"

#include <assert.h>

int64_t chat_append(struct chat *chat, struct chat_conv *conv, enum store_kind kind,
    struct chat_user *author, struct slice text, struct chat_time now)
{
	conv->seq++;
	if (now.unix_ms > conv->time_ms)
		conv->time_ms = now.unix_ms;
	assert(chat->entry_count < CHAT_ENTRIES_MAX);
	chat->entries[chat->entry_count++] = (struct store_entry){
	    .conversation = conv->id,
	    .seq = conv->seq,
	    .time_ms = conv->time_ms,
	    .kind = kind,
	    .author = author->id,
	    .text = text,
	};
	return conv->seq;
}
