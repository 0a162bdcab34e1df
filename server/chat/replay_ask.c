/*
 * What a login or sync with `since` asks for: PROTOCOL.md, 16.1 to 16.4.
 */
#include "chat/replay.h"

#include <stdlib.h>

static int compare_waiting(const void *a, const void *b)
{
	uint64_t left = ((const struct waiting *)a)->conv;
	uint64_t right = ((const struct waiting *)b)->conv;

	return (left > right) - (left < right);
}

/* The request's `since`; NULL if it has none. */
static const struct json *since_of(const struct chat_call *call)
{
	const struct request_field *field = NULL;

	if (call->request->cmd == PROTO_CMD_login)
		field = request_field(call->request, PROTO_FIELD_login_since);
	else if (call->request->cmd == PROTO_CMD_sync)
		field = request_field(call->request, PROTO_FIELD_sync_since);
	return field != NULL && field->present ? field->value : NULL;
}

static bool is_conversation(struct slice name)
{
	if (name.len > 0 && name.ptr[0] == '@')
		return proto_is_user_name(slice_make(name.ptr + 1, name.len - 1));
	return proto_is_room_name(name);
}

/* NULL if the user is in no such conversation. */
static struct chat_conv *find_conv(struct chat *chat, struct chat_user *user, struct slice name)
{
	struct chat_member *member;
	struct chat_user *other;
	struct chat_pair *pair;

	if (name.ptr[0] != '@') {
		member = chat_member_find(user, name);
		return member != NULL ? &member->room->conv : NULL;
	}
	other = chat_user_find(chat, slice_make(name.ptr + 1, name.len - 1));
	pair = other != NULL ? chat_pair_find(user, other) : NULL;
	return pair != NULL ? &pair->conv : NULL;
}

#define NAMES_MAX (PROTO_LIMIT_rooms + PROTO_LIMIT_pairs)

bool chat_replay_check(struct chat_call *call, struct chat_user *user)
{
	const struct json *since = since_of(call);
	size_t count = 0;

	if (since == NULL || json_type(since) == JSON_NULL)
		return true;
	if (json_type(since) != JSON_OBJECT)
		return chat_refuse_field(call, "since", "since must be an object or null");
	for (const struct json *at = json_first(since); at != NULL; at = json_next(at)) {
		struct slice name = json_key(at);
		struct chat_conv *conv;
		int64_t seq;

		if (!is_conversation(name) || ++count > NAMES_MAX)
			return chat_refuse_field(call, "since",
			    "since names at most %d conversations: rooms, and users behind an @",
			    NAMES_MAX);
		if (!json_int(at, &seq) || seq < 0)
			return chat_refuse_field(call, "since",
			    "since has a seq for each conversation: an integer from 0 on");
		conv = user != NULL ? find_conv(call->chat, user, name) : NULL;
		if (conv != NULL && conv->kept && seq > conv->seq)
			return chat_refuse_field(call, "since", "%.*s has come to %lld only",
			    (int)name.len, name.ptr, (long long)conv->seq);
	}
	return true;
}

/* What `since` says: of conversations one is in as `named`, sorted; of others as lines. */
static size_t take_names(struct chat_call *call, struct waiting *named, struct buf *gone)
{
	const struct json *at = json_first(since_of(call));
	size_t count = 0;

	for (; at != NULL; at = json_next(at)) {
		struct chat_conv *conv = find_conv(call->chat, call->user, json_key(at));
		struct json_writer w;

		if (conv != NULL) {
			named[count].conv = conv->id;
			json_int(at, &named[count++].after);
			continue;
		}
		message_begin_event(&w, gone, PROTO_EVENT_gone);
		json_put_text(&w, "conversation", json_key(at));
		message_end(&w);
	}
	qsort(named, count, sizeof *named, compare_waiting);
	return count;
}

/* Has the session of this conversation something to replay? */
static void add_conv(struct chat_replay *replay, const struct chat_conv *conv, int64_t marker,
    const struct waiting *named, size_t named_count)
{
	struct waiting waiting = {.conv = conv->id, .after = marker, .upto = conv->seq};
	const struct waiting *found = NULL;

	if (!conv->kept)
		return;
	if (named_count > 0)
		found = bsearch(&waiting, named, named_count, sizeof *named, compare_waiting);
	if (found != NULL)
		waiting.after = found->after;
	if (waiting.after < conv->seq)
		replay->waiting[replay->count++] = waiting;
}

static void add_all(struct chat_replay *replay, struct chat_user *user,
    const struct waiting *named, size_t named_count)
{
	struct tree_node *node;

	for (node = tree_first(&user->memberships); node != NULL; node = tree_next(node)) {
		struct chat_member *member = tree_entry(node, struct chat_member, in_user);

		add_conv(replay, &member->room->conv, member->read, named, named_count);
	}
	for (node = tree_first(&user->pairs); node != NULL; node = tree_next(node)) {
		struct chat_pair *pair = tree_entry(node, struct chat_pair_end, node)->pair;

		add_conv(replay, &pair->conv, pair->read[pair->user[0] != user], named,
		    named_count);
	}
	qsort(replay->waiting, replay->count, sizeof *replay->waiting, compare_waiting);
}

bool chat_replay_make(struct chat_call *call)
{
	struct chat_user *user = call->user;
	size_t most = user->memberships.count + user->pairs.count;
	struct chat_replay *replay;
	struct waiting *named;
	struct buf gone;
	size_t count;

	if (since_of(call) == NULL)
		return true;
	if (!chat_replay_check(call, user))
		return false;
	replay = calloc(1, sizeof *replay + most * sizeof *replay->waiting);
	named = calloc(NAMES_MAX, sizeof *named);
	buf_init(&gone, NAMES_MAX * 128);
	if (replay != NULL && named != NULL) {
		count = take_names(call, named, &gone);
		replay->live = call->request->cmd == PROTO_CMD_sync;
		add_all(replay, user, named, count);
		if (gone.len > 0 && !gone.failed)
			replay->gone = blob_new(buf_slice(&gone));
		gone.failed |= gone.len > 0 && replay->gone == NULL;
	}
	if (replay == NULL || named == NULL || gone.failed) {
		free(replay);
		replay = NULL;
	}
	free(named);
	buf_release(&gone);
	call->session->replay = replay;
	return replay != NULL || chat_refuse_memory(call);
}
