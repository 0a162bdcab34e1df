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

void chat_sanction_free(struct chat_room *room, struct chat_sanction *sanction)
{
	tree_remove(&room->sanctions, &sanction->node);
	free(sanction->ban.reason);
	free(sanction->mute.reason);
	free(sanction);
}

bool chat_is_invited(const struct chat_room *room, const struct chat_user *user)
{
	for (struct list *at = room->invites.next; at != &room->invites; at = at->next)
		if (list_entry(at, struct chat_invite, link)->user == user->id)
			return true;
	return false;
}

void chat_invite_free(struct chat_room *room, struct chat_invite *invite)
{
	list_remove(&invite->link);
	room->invite_count--;
	free(invite);
}
