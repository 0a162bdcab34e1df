/*
 * A page of history: messages in their order, none left out between the first and the last of it,
 * none that is not for this user, each with a text that it had since it was asked for.
 */
#include <inttypes.h>

#include "sim.h"

static bool had_text(const struct sim_conv *conv, const struct sim_entry *message,
    struct slice text, size_t since)
{
	struct slice now = message->entry.text;

	/* What it was then, and all that it became until now. */
	for (size_t i = (size_t)message->entry.seq; i < conv->count; i++) {
		const struct store_entry *at = &conv->entry[i].entry;

		if (at->kind != STORE_EDIT || at->target != message->entry.seq)
			continue;
		if (i >= since && slice_equal(now, text))
			return true;
		now = at->text;
	}
	return slice_equal(now, text);
}

static void check_message(struct sim *sim, const struct sim_conn *conn,
    const struct sim_asked *asked, const struct sim_conv *conv, const struct json *item,
    int64_t seq)
{
	const struct sim_entry *entry = &conv->entry[seq - 1];
	struct slice text = json_text(json_get(item, "text"));

	if (entry->entry.kind != STORE_MESSAGE)
		sim_fail(sim, "%s is shown %" PRId64 " of %s as a message", conn->name, seq,
		    asked->room);
	if (text.len == 0 && !entry->erased)
		sim_fail(sim, "%s is shown %" PRId64 " of %s without its text", conn->name, seq,
		    asked->room);
	if (text.len > 0 && entry->erased && (size_t)entry->erased_by <= conv->told)
		sim_fail(sim, "%s is shown the deleted %" PRId64 " of %s", conn->name, seq,
		    asked->room);
	if (text.len > 0 && !had_text(conv, entry, text, asked->told))
		sim_fail(sim, "%s is shown %" PRId64 " of %s with a text of another time: %.*s",
		    conn->name, seq, asked->room, (int)text.len, text.ptr);
}

/* None of them was left out. */
static void check_dense(const struct sim *sim, const struct sim_conn *conn,
    const struct sim_conv *conv, int64_t from, int64_t to, bool events, unsigned count)
{
	unsigned there = 0;

	for (int64_t seq = from; seq <= to; seq++)
		there += events || conv->entry[seq - 1].entry.kind == STORE_MESSAGE;
	if (there != count)
		sim_fail(sim, "%s is shown %u of %u entries from %" PRId64 " to %" PRId64,
		    conn->name, count, there, from, to);
}

/* As far as all is told: what is on its way may hide or show more. */
static int64_t first_shown(const struct sim *sim, const struct sim_conn *conn,
    const struct sim_conv *conv)
{
	const struct chat_conv *live = chat_conv_find(sim->chat, conv->id);
	struct chat_user *user = chat_user_by_id(sim->chat, conn->user);
	const struct chat_member *member = NULL;
	int64_t first = 1;

	if (live != NULL && live->room != NULL && user != NULL && live->seq == live->released)
		member = chat_member_find(user, live->room->node.key);
	if (member != NULL)
		first = chat_member_first_told(member);
	/* What retention has removed since the page was read may be in it. */
	return member != NULL && first > live->first ? first : 1;
}

/* NULL if the room of that name is another one than when it was asked: nobody knows which it is
 * then. */
static const struct sim_conv *conv_of(const struct sim *sim, const struct sim_asked *asked)
{
	const struct chat_room *room = chat_room_find(sim->chat, slice_of(asked->room));

	if (asked->room[0] != '\0' && (room == NULL || room->conv.id != asked->conv))
		return NULL;
	return sim_store_find(sim->store, asked->conv);
}

void sim_check_history(struct sim *sim, const struct sim_conn *conn,
    const struct sim_asked *asked, const struct json *root)
{
	const struct json *items = json_get(root, "events"), *at;
	const struct sim_conv *conv = conv_of(sim, asked);
	bool events = items != NULL;
	int64_t from = 0, last = 0, seq = 0, first = 1;
	unsigned count = 0;

	if (conv == NULL)
		return;
	json_int(json_get(root, "first"), &first);
	for (at = json_first(events ? items : json_get(root, "messages")); at != NULL;
	     at = json_next(at)) {
		if (!json_int(json_get(at, "seq"), &seq) || seq <= last ||
		    (size_t)seq > conv->told || seq < first)
			sim_fail(sim, "%s is shown %" PRId64 " behind %" PRId64 ", first %" PRId64,
			    conn->name, seq, last, first);
		if (from == 0)
			from = seq;
		last = seq;
		count++;
		if (!events)
			check_message(sim, conn, asked, conv, at, seq);
	}
	if (count > 0 && from < first_shown(sim, conn, conv))
		sim_fail(sim, "%s is shown %" PRId64 ", which is not for it", conn->name, from);
	if (count > 0)
		check_dense(sim, conn, conv, from, last, events, count);
	sim_totals.listed += count;
}
