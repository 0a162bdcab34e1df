/*
 * Requests about the connection itself and the people around it: whoami, ping, quit, who, status.
 */
#include "chat/chat_private.h"
#include "chat/page.h"

#include <stdlib.h>

bool cmd_whoami(struct chat_call *call)
{
	struct json_writer w;

	if (!chat_reply_begin(call, &w))
		return true;
	json_put_str(&w, "user", call->user->name);
	json_put_str(&w, "role", chat_user_role(call->user));
	json_put_bool(&w, "guest", call->user->guest);
	json_put_str(&w, "session", call->session->id);
	json_open_object(&w, "tls");
	json_put_str(&w, "version", call->session->tls_version);
	json_put_str(&w, "cipher", call->session->tls_cipher);
	if (call->session->fingerprint[0] != '\0')
		json_put_str(&w, "peer_fingerprint", call->session->fingerprint);
	json_close_object(&w);
	chat_reply_end(call, &w);
	return true;
}

bool cmd_ping(struct chat_call *call)
{
	const struct request_field *data = request_field(call->request, PROTO_FIELD_ping_data);
	struct json_writer w;

	if (!chat_reply_begin(call, &w))
		return true;
	if (data->present)
		json_put_text(&w, "data", data->text);
	chat_reply_end(call, &w);
	return true;
}

bool cmd_quit(struct chat_call *call)
{
	struct json_writer w;

	if (chat_reply_begin(call, &w))
		chat_reply_end(call, &w);
	chat_tell_goodbye(call->chat, call->session, PROTO_REASON_quit, NULL);
	return true;
}

bool cmd_status(struct chat_call *call)
{
	struct slice text = chat_field_text(call, PROTO_FIELD_status_text);
	struct chat_user *user = call->user;
	char *copy = NULL;

	if (text.len > 0 && (copy = str_dup(text)) == NULL)
		return chat_refuse(call, PROTO_ERR_unavailable, "out of memory; try again later");
	/* The words of the row stand in the order of enum chat_status. */
	user->wanted =
	    (enum chat_status)request_field(call->request, PROTO_FIELD_status_status)->number;
	if (!slice_equal(text, slice_of(user->text != NULL ? user->text : "")))
		user->text_changed = true;
	free(user->text);
	user->text = copy;
	chat_presence_changed(call->chat, user, call->now);
	return true;
}

/* A search in a room's members, as much work as so many steps from one entry to the next. */
#define SEARCH_WORK 4

static struct chat_user *next_of_all(struct chat_call *call, struct slice after)
{
	struct tree_node *node = tree_after(&call->chat->users, after);

	/* The console's name comes before all others. */
	if (node != NULL && node == &call->chat->console->node)
		node = tree_next(node);
	return tree_entry(node, struct chat_user, node);
}

/* The next person in the order of names who shares a room with the caller: the least of what each
 * room has next. The caller is in the list, even without a room. */
static struct chat_user *next_person(struct chat_call *call, struct slice after, unsigned *work)
{
	struct chat_user *user = call->user, *best = NULL;

	if (call->chat->options.directory)
		return next_of_all(call, after);
	if (slice_compare(user->node.key, after) > 0)
		best = user;
	for (struct tree_node *node = tree_first(&user->memberships); node != NULL;
	     node = tree_next(node)) {
		struct chat_room *room = tree_entry(node, struct chat_member, in_user)->room;
		struct chat_member *next = tree_entry(tree_after(&room->members, after),
		    struct chat_member, in_room);

		*work += SEARCH_WORK;
		if (next != NULL &&
		    (best == NULL || slice_compare(next->user->node.key, best->node.key) < 0))
			best = next->user;
	}
	return best;
}

static void put_person(struct json_writer *w, const struct chat_user *user, struct chat_time now)
{
	json_open_object(w, NULL);
	json_put_str(w, "user", user->name);
	json_put_str(w, "status", chat_status_name(user->wanted));
	if (user->text != NULL)
		json_put_str(w, "text", user->text);
	json_put_int(w, "idle", (int64_t)((now.mono_ms - user->active_mono_ms) / 1000));
	if (user->guest)
		json_put_bool(w, "guest", true);
	json_close_object(w);
}

bool cmd_who(struct chat_call *call)
{
	struct slice like = chat_field_text(call, PROTO_FIELD_who_like);
	struct chat_page page;
	struct chat_user *user;

	if (!chat_page_begin(&page, call, "users", PROTO_FIELD_who_after, PROTO_FIELD_who_limit))
		return true;
	while (chat_page_wants(&page) &&
	       (user = next_person(call, page.after, &page.work)) != NULL) {
		chat_page_seen(&page, user->node.key);
		if (user->session_count == 0 || !slice_contains(user->node.key, like))
			continue;
		put_person(&page.w, user, call->now);
		page.count++;
	}
	/* After so much work nobody looks again whether there is one more. */
	chat_page_end(&page, page.work >= CHAT_PAGE_WORK ||
				 next_person(call, page.after, &page.work) != NULL);
	return true;
}
