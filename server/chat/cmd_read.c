/*
 * Read markers: read, which moves one's own forward, and unread, which counts what is behind them.
 */
#include "chat/chat_private.h"

#include <stdlib.h>

/* --- read ----------------------------------------------------------------------------------- */

struct marker {
	struct chat_member *member; /* or */
	struct chat_pair *pair;
	const struct chat_conv *conv; /* NULL: with this user nobody has talked yet */
	int64_t *read;
};

static struct marker find_marker(const struct chat_call *call)
{
	struct marker marker = {.member = call->member};

	if (marker.member != NULL) {
		marker.conv = &marker.member->room->conv;
		marker.read = &marker.member->read;
		return marker;
	}
	marker.pair = chat_pair_find(call->user, call->other);
	if (marker.pair != NULL) {
		marker.conv = &marker.pair->conv;
		marker.read = &marker.pair->read[marker.pair->user[0] != call->user];
	}
	return marker;
}

static void tell_read(struct chat_call *call, const struct marker *marker)
{
	char name[CHAT_CONV_NAME];
	struct json_writer w;
	struct blob *line;

	chat_conv_name(marker->conv, call->user, name);
	message_begin_event(&w, &call->chat->scratch, PROTO_EVENT_read);
	if (marker->member != NULL)
		json_put_str(&w, "room", name);
	else
		json_put_str(&w, "to", name + 1);
	json_put_int(&w, "seq", *marker->read);
	message_end(&w);
	line = chat_take_line(call->chat);
	chat_tell_user(call->chat, call->user, line);
	blob_unref(line);
}

bool cmd_read(struct chat_call *call)
{
	int64_t seq = request_field(call->request, PROTO_FIELD_read_seq)->number;
	struct marker marker = find_marker(call);
	struct json_writer w;
	bool moves;

	if (marker.conv == NULL || seq > marker.conv->seq)
		return chat_refuse_field(call, "seq", "the conversation has come to %lld only",
		    marker.conv != NULL ? (long long)marker.conv->seq : 0LL);
	moves = seq > *marker.read;
	if (moves) {
		if (marker.member != NULL
			? !chat_touch_member(call->chat, marker.member->room, call->user)
			: !chat_touch_pair(call->chat, marker.pair))
			return chat_refuse_memory(call);
		*marker.read = seq;
	}
	if (chat_reply_begin(call, &w)) {
		json_put_int(&w, "seq", *marker.read);
		chat_reply_end(call, &w);
	}
	if (moves)
		tell_read(call, &marker);
	return true;
}

/* --- unread --------------------------------------------------------------------------------- */

#define COUNT_MAX 5000 /* entries read for one page */

struct counted {
	uint64_t conv;
	int64_t first, read, seq;
	int64_t unread, mentions;
};

struct counting {
	struct chat_job job;
	uint64_t user_id;
	char user[PROTO_USER_MAX + 1];
	enum status status;
	bool more; /* conversations behind the last of these */
	unsigned count, done, entries;
	struct counted *at; /* the one being counted */
	struct counted conv[PROTO_LIMIT_page + 1]; /* one more, to know where a full page goes on */
};

/* Is the user's name in the entry's "mentions"? */
static bool mentions(const struct store_entry *entry, const char *user)
{
	struct json *root = NULL;
	const struct json *at;
	struct error err;
	struct buf text;
	bool found = false;

	if (!slice_contains(entry->extra, slice_of("\"mentions\"")))
		return false;
	buf_init(&text, entry->extra.len + 2);
	buf_put_char(&text, '{');
	buf_put_slice(&text, entry->extra);
	buf_put_char(&text, '}');
	if (!text.failed && json_parse(buf_slice(&text), &root, &err) == STATUS_OK)
		for (at = json_first(json_get(root, "mentions")); at != NULL; at = json_next(at))
			found |= slice_is(json_text(at), user);
	json_free(root);
	buf_release(&text);
	return found;
}

static bool count_entry(void *arg, const struct store_entry *entry)
{
	struct counting *counting = arg;

	counting->entries++;
	if (entry->author == counting->user_id || entry->text.len == 0)
		return true; /* one's own, or deleted */
	counting->at->unread++;
	counting->at->mentions += mentions(entry, counting->user);
	return true;
}

static void count_unread(struct chat_job *job)
{
	struct counting *counting = (struct counting *)job;
	struct error err;

	counting->status = STATUS_OK;
	while (counting->done < counting->count && counting->entries < COUNT_MAX &&
	       counting->status == STATUS_OK) {
		struct counted *conv = counting->at = &counting->conv[counting->done++];
		const struct store_read read = {
		    .kind = STORE_READ_RANGE,
		    .conversation = conv->conv,
		    .after = conv->first - 1,
		    .before = conv->seq + 1,
		    .limit = PROTO_LIMIT_sync,
		    .kinds = 1u << STORE_MESSAGE,
		};

		counting->status =
		    job->store->ops->read(job->store, &read, count_entry, counting, &err);
	}
}

static bool is_mine(struct chat_conv *conv, struct chat_user *user)
{
	if (conv->room != NULL)
		return chat_member_find(user, conv->room->node.key) != NULL;
	return conv->pair->user[0] == user || conv->pair->user[1] == user;
}

static bool put_counted(struct chat_call *call, struct json_writer *w, const struct counted *counted,
    char name[CHAT_CONV_NAME])
{
	struct chat_conv *conv = chat_conv_find(call->chat, counted->conv);

	if (conv == NULL || !is_mine(conv, call->user))
		return false;
	chat_conv_name(conv, call->user, name);
	if (counted->unread == 0)
		return true;
	json_open_object(w, NULL);
	json_put_str(w, "conversation", name);
	json_put_int(w, "unread", counted->unread);
	json_put_int(w, "mentions", counted->mentions);
	json_put_int(w, "read", counted->read);
	json_put_int(w, "seq", counted->seq);
	json_close_object(w);
	return true;
}

static bool unread_done(struct chat_call *call, struct chat_job *job)
{
	struct counting *counting = (struct counting *)job;
	char name[CHAT_CONV_NAME] = "";
	struct json_writer w;
	bool more = counting->more || counting->done < counting->count;

	if (counting->status != STATUS_OK)
		return chat_refuse(call, PROTO_ERR_unavailable,
		    "what is stored cannot be read now; try again later");
	if (!chat_reply_begin(call, &w))
		return true;
	json_open_array(&w, "conversations");
	for (unsigned i = 0; i < counting->done; i++)
		put_counted(call, &w, &counting->conv[i], name);
	json_close_array(&w);
	json_put_bool(&w, "more", more && name[0] != '\0');
	if (more && name[0] != '\0')
		json_put_str(&w, "next", name);
	chat_reply_end(call, &w);
	return true;
}

/* What of the conversation has to be counted, if anything can be unread. */
static void add_conv(struct counting *counting, const struct chat_conv *conv, int64_t read,
    int64_t first)
{
	struct counted *counted = &counting->conv[counting->count];

	if (!conv->kept || read >= conv->seq || first > conv->seq)
		return;
	*counted = (struct counted){.conv = conv->id, .read = read, .seq = conv->seq};
	counted->first = read + 1 > first ? read + 1 : first;
	if (counted->first <= conv->seq - PROTO_LIMIT_sync)
		counted->first = conv->seq - PROTO_LIMIT_sync + 1;
	counting->count++;
}

/* Rooms by name, then pairs by the other's name: "@" begins the second part. */
static void add_all(struct counting *counting, struct chat_user *user, struct slice after,
    unsigned limit)
{
	bool in_pairs = after.len > 0 && after.ptr[0] == '@';
	struct tree_node *node = NULL;

	if (!in_pairs)
		node = tree_after(&user->memberships, after);
	for (; node != NULL && counting->count <= limit; node = tree_next(node)) {
		struct chat_member *member = tree_entry(node, struct chat_member, in_user);

		add_conv(counting, &member->room->conv, member->read, chat_member_first(member));
	}
	if (in_pairs)
		node = tree_after(&user->pairs, slice_make(after.ptr + 1, after.len - 1));
	else
		node = tree_first(&user->pairs);
	for (; node != NULL && counting->count <= limit; node = tree_next(node)) {
		struct chat_pair *pair = tree_entry(node, struct chat_pair_end, node)->pair;

		add_conv(counting, &pair->conv, pair->read[pair->user[0] != user],
		    pair->conv.first);
	}
	counting->more = counting->count > limit;
	if (counting->more)
		counting->count = limit;
}

bool cmd_unread(struct chat_call *call)
{
	const struct request_field *limit = request_field(call->request, PROTO_FIELD_unread_limit);
	struct slice after = chat_field_text(call, PROTO_FIELD_unread_after);
	struct counting *counting =
	    chat_job_new(call, sizeof *counting, count_unread, unread_done);

	if (counting == NULL)
		return false;
	counting->user_id = call->user->id;
	str_copy(counting->user, sizeof counting->user, call->user->node.key);
	add_all(counting, call->user, after,
	    limit->present ? (unsigned)limit->number : PROTO_LIMIT_page);
	return true;
}
