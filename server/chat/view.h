/*
 * Messages as they are now: copies of entries, with what happened to them since (the newest text,
 * the reactions), for jobs, which have no lock. Memory is bounded by CHAT_VIEW_BYTES and what one
 * message can have; where that is not enough for all that was added, the caller takes fewer.
 */
#ifndef CONFAB_SERVER_CHAT_VIEW_H
#define CONFAB_SERVER_CHAT_VIEW_H

#include "chat/chat_private.h"

#define CHAT_VIEW_BYTES (1u << 20)
#define CHAT_VIEW_MESSAGES 500
#define CHAT_VIEW_NAMES 20   /* of those who reacted with the same emoji */
#define CHAT_VIEW_EMOJIS 64  /* different ones of one message; others are not shown */

struct chat_view_message {
	struct store_entry entry; /* its bytes are the view's own */
	struct slice newest;	  /* the text of the last edit, and what else that has */
	struct slice newest_extra;
	int64_t edited_ms; /* 0: never */
	struct chat_view_reaction *reactions;
	unsigned emoji_count;
};

struct chat_view {
	struct store *store;
	uint64_t me; /* whose own reactions are marked */
	struct chat_view_message *messages;
	size_t count, bytes;
	bool full;   /* what happened to them is too much for one page */
	bool failed; /* without memory */
};

void chat_view_init(struct chat_view *view, struct store *store, uint64_t me);
void chat_view_release(struct chat_view *view);

/* Adds an entry; false without memory, or when there are CHAT_VIEW_MESSAGES + 2 already. */
bool chat_view_add(struct chat_view *view, const struct store_entry *entry);
/* Removes one. */
void chat_view_remove(struct chat_view *view, size_t at);

/* Adds the message with that seq as it is now; nothing, if it is none or has been deleted. The view
 * has to be empty. STATUS_OK, NOMEM, or what the store says. */
enum status chat_view_one(struct chat_view *view, uint64_t conversation, int64_t seq);

/* Reads what happened to messages `from` to `to` - 1, which are of one conversation and in its
 * order. With `full` set nothing of it may be shown: fewer at a time, and one is never too much. Of
 * one the first 20,000 reactions are counted. STATUS_OK, NOMEM, or what the store says. */
enum status chat_view_update(struct chat_view *view, size_t from, size_t to);

/* Puts the fields of a message, after those the caller may have put. */
void chat_view_put(const struct chat_view *view, size_t at, struct json_writer *w);

/* --- What a job has made of them, until a reply takes it -------------------------------------- */

/* JSON values in one buffer. */
struct chat_lines {
	struct chat_line {
		uint64_t conversation;
		int64_t seq, mark; /* mark: the caller's */
		size_t at, len;
	} *line;
	size_t count;
	struct buf text;
};

/* How much of a reply they may be: the rest is for what stands around them. */
#define CHAT_LINES_BYTES (PROTO_LIMIT_reply - 4096)

/* False without memory. */
bool chat_lines_init(struct chat_lines *lines, size_t count);
void chat_lines_release(struct chat_lines *lines);
/* Where the next one goes; ended by chat_lines_end. */
struct buf *chat_lines_begin(struct chat_lines *lines, const struct store_entry *entry);
void chat_lines_end(struct chat_lines *lines);
struct slice chat_lines_get(const struct chat_lines *lines, size_t at);

#endif
