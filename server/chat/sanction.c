/*
 * Bans, mutes and invitations of a room.
 */
#include "chat/chat_private.h"

#include <stdlib.h>

struct chat_sanction *chat_sanction_find(struct chat_room *room, struct slice user,
    struct chat_time now)
{
	struct chat_sanction *sanction =
	    tree_entry(tree_find(&room->sanctions, user), struct chat_sanction, node);

	if (sanction == NULL)
		return NULL;
	if (sanction->ban.until_ms <= now.unix_ms)
		sanction->ban.until_ms = 0;
	if (sanction->mute.until_ms <= now.unix_ms)
		sanction->mute.until_ms = 0;
	if (sanction->ban.until_ms != 0 || sanction->mute.until_ms != 0)
		return sanction;
	chat_sanction_free(room, sanction);
	return NULL;
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
