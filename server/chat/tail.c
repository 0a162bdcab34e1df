/*
 * A conversation's tail: its newest lines that have left, kept while some replay has nearly caught up
 * with it. What leaves faster than it is read would never be caught up with otherwise.
 */
#include "chat/chat_private.h"

#include <stdlib.h>

static void drop_first(struct chat_tail *tail)
{
	struct blob *line = tail->line[tail->first];

	tail->bytes -= line->len;
	blob_unref(line);
	tail->first = (tail->first + 1) % CHAT_TAIL_MAX;
	tail->count--;
}

void chat_tail_clear(struct chat_conv *conv)
{
	while (conv->tail != NULL && conv->tail->count > 0)
		drop_first(conv->tail);
}

void chat_tail_free(struct chat_conv *conv)
{
	chat_tail_clear(conv);
	free(conv->tail);
	conv->tail = NULL;
}

void chat_tail_put(struct chat *chat, uint64_t id, int64_t seq, struct blob *line)
{
	struct chat_conv *conv = chat_conv_find(chat, id);
	struct chat_tail *tail = conv != NULL ? conv->tail : NULL;

	if (tail == NULL)
		return;
	while (tail->count > 0 && (seq != tail->last + 1 || tail->count == CHAT_TAIL_MAX ||
				      tail->bytes + line->len > CHAT_TAIL_BYTES))
		drop_first(tail);
	tail->line[(tail->first + tail->count++) % CHAT_TAIL_MAX] = blob_ref(line);
	tail->bytes += line->len;
	tail->last = seq;
}

bool chat_tail_use(struct chat_conv *conv)
{
	if (conv->tail == NULL)
		conv->tail = calloc(1, sizeof *conv->tail);
	if (conv->tail == NULL)
		return false;
	conv->tail->users++;
	return true;
}

void chat_tail_leave(struct chat_conv *conv)
{
	if (conv->tail != NULL && --conv->tail->users == 0)
		chat_tail_free(conv);
}

bool chat_tail_bridges(const struct chat_conv *conv, int64_t after)
{
	const struct chat_tail *tail = conv->tail;

	return tail != NULL && tail->last == conv->released && after < tail->last &&
	       tail->last - after <= (int64_t)tail->count;
}

/* The tail's lines as they are in a replay. */
static struct blob *replayed(const struct chat_tail *tail, unsigned from)
{
	static const char end[] = "}\n";
	struct blob *lines = NULL;
	struct buf text;

	buf_init(&text, CHAT_TAIL_BYTES + PROTO_LIMIT_line + CHAT_TAIL_MAX * 16);
	for (unsigned i = from; i < tail->count; i++) {
		struct slice line = blob_slice(tail->line[(tail->first + i) % CHAT_TAIL_MAX]);

		buf_put(&text, line.ptr, line.len - strlen(end));
		buf_put_str(&text, ",\"replay\":true");
		buf_put_str(&text, end);
	}
	if (!text.failed)
		lines = blob_new(buf_slice(&text));
	buf_release(&text);
	return lines;
}

struct blob *chat_tail_lines(const struct chat_conv *conv, int64_t after)
{
	return replayed(conv->tail, (unsigned)(conv->tail->count - (conv->tail->last - after)));
}
