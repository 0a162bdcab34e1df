/*
 * Replies that list things: a page ends at the number of items asked for, before the reply gets
 * too long for limits.reply, or after a bounded amount of work under the core's lock; then it says
 * "more":true and "next", which is what the following request gives as "after".
 */
#ifndef CONFAB_SERVER_CHAT_PAGE_H
#define CONFAB_SERVER_CHAT_PAGE_H

#include "chat/chat_private.h"

#define CHAT_PAGE_KEY_MAX 64

struct chat_page {
	struct chat_call *call;
	struct json_writer w;
	struct slice after; /* the last name looked at; in `key` from the first one on */
	char key[CHAT_PAGE_KEY_MAX + 1];
	int64_t count, limit; /* items */
	unsigned work;
};

/* Starts the reply with the array `name`; false if the request wants no reply. */
bool chat_page_begin(struct chat_page *page, struct chat_call *call, const char *name,
    enum proto_field after, enum proto_field limit);

/* Is there room for another item? */
bool chat_page_wants(const struct chat_page *page);

/* The page has come to `key`, whether it lists it or not. */
void chat_page_seen(struct chat_page *page, struct slice key);

void chat_page_end(struct chat_page *page, bool more);

#endif
