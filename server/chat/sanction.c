/*
 * Bans, mutes and invitations of a room.
 */
#include "chat/chat_private.h"

#include <stdlib.h>

static bool is_in_force(struct chat_sanction *sanction, struct chat_time now)
{
	if (sanction->ban.until_ms <= now.unix_ms)
		sanction->ban.until_ms = 0;
	if (sanction->mute.until_ms <= now.unix_ms)
		sanction->mute.until_ms = 0;
	return sanction->ban.until_ms != 0 || sanction->mute.until_ms != 0;
}

static struct chat_sanction *find(struct chat_room *room, struct slice user)
{
	return tree_entry(tree_find(&room->sanctions, user), struct chat_sanction, node);
}

struct chat_sanction *chat_sanction_find(struct chat_room *room, struct slice user,
    struct chat_time now)
{
	struct chat_sanction *sanction = find(room, user);

	return sanction != NULL && is_in_force(sanction, now) ? sanction : NULL;
}

void chat_sanction_tidy(struct chat_room *room, struct slice user, struct chat_time now)
{
	struct chat_sanction *sanction = find(room, user);

	if (sanction != NULL && !is_in_force(sanction, now))
		chat_sanction_free(room, sanction);
}

bool chat_sanction_make_room(struct chat *chat, struct chat_room *room, struct chat_time now)
{
	struct tree_node *node;

	if (room->sanctions.count < PROTO_LIMIT_bans)
		return true;
	for (node = tree_first(&room->sanctions); node != NULL; node = tree_next(node)) {
		struct chat_sanction *sanction = tree_entry(node, struct chat_sanction, node);

		if (is_in_force(sanction, now))
			continue;
		if (!chat_touch_ban(chat, room, node->key))
			return false;
		chat_sanction_free(room, sanction);
		return true;
	}
	return false;
}

struct chat_sanction *chat_sanction_make(struct chat *chat, struct chat_room *room,
    struct slice user)
{
	struct chat_sanction *sanction = calloc(1, sizeof *sanction);

	if (sanction == NULL)
		return NULL;
	str_copy(sanction->user, sizeof sanction->user, user);
	tree_put(&room->sanctions, &sanction->node, slice_of(sanction->user), chat_random(chat));
	return sanction;
}

void chat_sanction_free(struct chat_room *room, struct chat_sanction *sanction)
{
	tree_remove(&room->sanctions, &sanction->node);
	free(sanction->ban.reason);
	free(sanction->mute.reason);
	free(sanction);
}

struct chat_invite *chat_invite_find(const struct chat_room *room, const struct chat_user *user)
{
	return tree_entry(tree_find(&user->invites, room->node.key), struct chat_invite, in_user);
}

bool chat_invite_put(struct chat *chat, struct chat_room *room, struct chat_user *user)
{
	struct chat_invite *invite = calloc(1, sizeof *invite);

	if (invite == NULL)
		return false;
	invite->room = room;
	invite->user = user;
	list_put(&room->invites, &invite->link);
	tree_put(&user->invites, &invite->in_user, room->node.key, chat_random(chat));
	room->invite_count++;
	return true;
}

void chat_invite_free(struct chat_invite *invite)
{
	list_remove(&invite->link);
	tree_remove(&invite->user->invites, &invite->in_user);
	invite->room->invite_count--;
	free(invite);
}
