/*
 * Requests that say something, send and typing, to a room or to a user; and block, unblock, blocks,
 * which say who may.
 */
#include "chat/chat_private.h"
#include "chat/page.h"

#include <stdlib.h>

static struct chat_user *other_user(struct chat_call *call, struct slice name)
{
	struct chat_user *other = chat_user_find(call->chat, name);

	if (other != NULL && other->deleted)
		other = NULL;
	if (other == NULL)
		chat_refuse(call, PROTO_ERR_no_such_user, "there is no user %.*s", (int)name.len,
		    name.ptr);
	return other;
}

/* What two sends with the same nonce must have in common. FNV-1a: a collision that somebody makes
 * on purpose harms only the one who made it. */
static uint64_t digest_of(const struct chat_call *call, struct slice data)
{
	const struct request_field *kind = request_field(call->request, PROTO_FIELD_send_kind);
	const struct request_field *reply = request_field(call->request, PROTO_FIELD_send_reply);
	struct slice text = chat_field_text(call, PROTO_FIELD_send_text);
	int64_t numbers[] = {kind->present ? kind->number : 0, reply->present ? reply->number : 0,
	    (int64_t)text.len};
	struct slice parts[] = {slice_make((const char *)numbers, sizeof numbers), text, data};
	uint64_t digest = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		for (size_t j = 0; j < parts[i].len; j++)
			digest = (digest ^ (unsigned char)parts[i].ptr[j]) *
				 UINT64_C(0x100000001b3);
	return digest;
}

/* Slow mode: members wait between two messages, operators and owners do not. */
static bool check_slow(struct chat_call *call, struct chat_member *member)
{
	uint64_t now = call->now.mono_ms;

	if (member->room->slow_s == 0 || member->role != CHAT_ROLE_MEMBER)
		return true;
	if (now < member->may_send_ms)
		return chat_refuse_later(call, (int64_t)(member->may_send_ms - now + 999) / 1000,
		    "%s is in slow mode: one message in %u s", member->room->name,
		    (unsigned)member->room->slow_s);
	return true;
}

static void send_reply(struct chat_call *call, int64_t seq, int64_t time_ms, bool duplicate)
{
	struct json_writer w;

	if (!chat_reply_begin(call, &w))
		return;
	json_put_int(&w, "seq", seq);
	json_put_time(&w, "time", time_ms);
	if (duplicate)
		json_put_bool(&w, "duplicate", true);
	chat_reply_end(call, &w);
}

/* Answers a send that was made before with the same nonce; true if that is done (or refused). */
static bool answer_twin(struct chat_call *call, const struct chat_conv *conv, uint64_t digest,
    bool *ret_ok)
{
	struct slice nonce = chat_field_text(call, PROTO_FIELD_send_nonce);
	struct chat_nonce *twin;

	if (nonce.len == 0)
		return false;
	twin = chat_nonce_find(call->user, conv, nonce, call->now);
	if (twin == NULL)
		return false;
	if (twin->digest != (digest & ~UINT64_C(1))) {
		*ret_ok = chat_refuse(call, PROTO_ERR_conflict,
		    "this nonce was used for a message with other contents");
	} else {
		send_reply(call, twin->seq, twin->time_ms, true);
		*ret_ok = true;
	}
	return true;
}

/* What a message has beside its text, into the entry that is being made. */
static void put_extra(struct chat_call *call, const struct chat_conv *conv, struct slice data)
{
	const struct request_field *kind = request_field(call->request, PROTO_FIELD_send_kind);
	const struct request_field *reply = request_field(call->request, PROTO_FIELD_send_reply);
	const struct request_field *nonce = request_field(call->request, PROTO_FIELD_send_nonce);
	struct json_writer w;

	chat_extra_begin(call->chat, &w);
	json_put_str(&w, "from", call->user->name);
	if (kind->present && kind->number != 0)
		json_put_text(&w, "kind", kind->text);
	if (reply->present)
		json_put_int(&w, "reply", reply->number);
	if (data.len > 0)
		json_put_raw(&w, "data", data);
	if (nonce->present)
		json_put_text(&w, "nonce", nonce->text);
	chat_put_mentions(&w, conv, chat_field_text(call, PROTO_FIELD_send_text));
	if (call->user->guest)
		json_put_bool(&w, "guest", true);
}

static void print_data(const struct chat_call *call, struct buf *data)
{
	const struct request_field *field = request_field(call->request, PROTO_FIELD_send_data);

	buf_init(data, PROTO_LIMIT_data + 1);
	if (field->present)
		json_print(field->value, data);
}

/* The conversation that a send names, as far as there is one, without asking for rights. */
static struct chat_conv *find_conv(const struct chat_call *call)
{
	const struct request_field *name = request_field(call->request, PROTO_FIELD_send_room);
	struct chat_pair *pair;
	struct chat_room *room;
	struct chat_user *other;

	if (name->present) {
		room = chat_room_find(call->chat, name->text);
		return room != NULL ? &room->conv : NULL;
	}
	other = chat_user_find(call->chat, chat_field_text(call, PROTO_FIELD_send_to));
	pair = other != NULL ? chat_pair_find(call->user, other) : NULL;
	return pair != NULL ? &pair->conv : NULL;
}

bool chat_send_again(struct chat_call *call, bool *ret_ok)
{
	struct chat_conv *conv;
	struct buf data;
	bool is_again;

	if (!request_field(call->request, PROTO_FIELD_send_nonce)->present)
		return false;
	conv = find_conv(call);
	if (conv == NULL)
		return false;
	print_data(call, &data);
	is_again = answer_twin(call, conv, digest_of(call, buf_slice(&data)), ret_ok);
	buf_release(&data);
	return is_again;
}

/* What is answered has to be there, and the caller may have to have seen it: PROTOCOL.md, 7.5. */
static bool check_reply(struct chat_call *call, const struct chat_conv *conv)
{
	const struct request_field *reply = request_field(call->request, PROTO_FIELD_send_reply);

	if (!reply->present || (reply->number <= conv->seq &&
				   (!conv->kept || reply->number >= chat_call_first(call))))
		return true;
	return chat_refuse(call, PROTO_ERR_no_such_message,
	    "there is no message %lld to reply to", (long long)reply->number);
}

/* Where the message goes; NULL with the error filled. */
static struct chat_conv *get_conv(struct chat_call *call)
{
	struct chat_conv *conv = NULL;
	struct chat_pair *pair;

	if (call->member != NULL) {
		if (check_slow(call, call->member))
			conv = &call->member->room->conv;
	} else {
		pair = chat_pair_get(call, call->other);
		if (pair != NULL)
			conv = &pair->conv;
	}
	return conv != NULL && check_reply(call, conv) ? conv : NULL;
}

bool cmd_send(struct chat_call *call)
{
	const struct chat_entry entry = {
	    .kind = STORE_MESSAGE,
	    .author = call->user->id,
	    .text = chat_field_text(call, PROTO_FIELD_send_text),
	};
	struct slice nonce = chat_field_text(call, PROTO_FIELD_send_nonce);
	struct chat_conv *conv = get_conv(call);
	struct chat *chat = call->chat;
	struct buf data;
	struct blob *line;

	if (conv == NULL)
		return false;
	print_data(call, &data);
	put_extra(call, conv, buf_slice(&data));
	line = chat_append(chat, conv, &entry, call->now);
	if (nonce.len > 0)
		chat_nonce_put(chat, call->user, conv, nonce,
		    digest_of(call, buf_slice(&data)), call->now);
	buf_release(&data);
	if (call->member != NULL)
		call->member->may_send_ms =
		    call->now.mono_ms + (uint64_t)call->member->room->slow_s * 1000;
	chat->counts.messages++;
	send_reply(call, conv->seq, conv->time_ms, false);
	if (conv->room != NULL) {
		chat_tell_room(chat, conv->room, line, 0);
	} else {
		chat_tell_pair(chat, conv->pair, line);
	}
	blob_unref(line);
	return true;
}

bool cmd_typing(struct chat_call *call)
{
	struct chat_member *member = call->member;
	struct chat_user *other = call->other;
	struct json_writer w;
	struct blob *line;

	message_begin_event(&w, &call->chat->scratch, PROTO_EVENT_typing);
	if (member != NULL)
		json_put_str(&w, "room", member->room->name);
	else
		json_put_str(&w, "to", other->name);
	json_put_str(&w, "from", call->user->name);
	if (call->user->guest)
		json_put_bool(&w, "guest", true);
	message_end(&w);
	line = chat_take_line(call->chat);
	if (member != NULL)
		chat_tell_room(call->chat, member->room, line, call->user->id);
	else if (other != call->user)
		chat_tell_user(call->chat, other, line);
	blob_unref(line);
	return true;
}

/* --- block, unblock, blocks ----------------------------------------------------------------- */

bool cmd_block(struct chat_call *call)
{
	struct slice name = chat_field_text(call, PROTO_FIELD_block_user);

	if (other_user(call, name) == NULL)
		return false;
	if (tree_find(&call->user->blocks, name) != NULL)
		return true;
	if (call->user->blocks.count >= PROTO_LIMIT_blocks)
		return chat_refuse_limit(call, PROTO_ERR_too_many, PROTO_LIMIT_blocks,
		    "you have blocked %d users already", PROTO_LIMIT_blocks);
	return (chat_touch_block(call->chat, call->user, name) &&
		   chat_block_make(call->chat, call->user, name) != NULL) ||
	       chat_refuse_memory(call);
}

bool cmd_unblock(struct chat_call *call)
{
	struct slice name = chat_field_text(call, PROTO_FIELD_unblock_user);
	struct tree_node *node = tree_find(&call->user->blocks, name);

	if (node == NULL)
		return true;
	if (!chat_touch_block(call->chat, call->user, name))
		return chat_refuse_memory(call);
	chat_block_free(call->user, tree_entry(node, struct chat_block, node));
	return true;
}

bool cmd_blocks(struct chat_call *call)
{
	const struct tree *blocks = &call->user->blocks;
	struct chat_page page;
	struct tree_node *node;

	if (!chat_page_begin(&page, call, "users", PROTO_FIELD_blocks_after,
		PROTO_FIELD_blocks_limit))
		return true;
	while (chat_page_wants(&page) && (node = tree_after(blocks, page.after)) != NULL) {
		chat_page_seen(&page, node->key);
		json_put_text(&page.w, NULL, node->key);
		page.count++;
	}
	chat_page_end(&page, tree_after(blocks, page.after) != NULL);
	return true;
}
