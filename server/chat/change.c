/*
 * What happened to messages lately. A job that has read a message knows what the store had when it
 * began; whether something came since is seen here, in a ring of the last changes: those that
 * have left the core while the job was reading, and those still on their way to the store.
 */
#include "chat/chat_private.h"

bool chat_change_put(struct chat *chat, const struct chat_change *change)
{
	struct chat_undo *step = chat_undo_step(chat, CHAT_UNDO_CHANGE);

	if (step == NULL) {
		chat->unit->broken = true;
		return false;
	}
	step->id = chat->change_count;
	step->conv = change->conversation;
	step->had = change->kind == STORE_DELETE;
	chat->changes[chat->change_count++ % CHAT_CHANGES] = *change;
	if (chat->change_count > chat->changes_from + CHAT_CHANGES)
		chat->changes_from = chat->change_count - CHAT_CHANGES;
	return true;
}

void chat_change_settled(struct chat *chat, const struct chat_undo *step)
{
	struct chat_conv *conv = step->had ? chat_conv_find(chat, step->conv) : NULL;

	chat->changes_left = step->id + 1;
	if (conv != NULL)
		chat_tail_clear(conv);
}

/* The newest goes first on the way back; what it overwrote in the ring stays lost. */
void chat_change_undone(struct chat *chat, const struct chat_undo *step)
{
	chat->change_count = step->id;
}

static bool is_reaction(const struct chat_change *change)
{
	return change->kind == STORE_REACT || change->kind == STORE_UNREACT;
}

/* Would `mine` be another one, had it seen `other`? */
static bool matters(const struct chat_change *mine, const struct chat_change *other)
{
	if (mine->conversation != other->conversation ||
	    (mine->target != 0 && mine->target != other->target))
		return false;
	if (other->kind == STORE_DELETE)
		return true;
	if (is_reaction(mine))
		return is_reaction(other) && mine->author == other->author &&
		       mine->digest == other->digest;
	return mine->kind == other->kind && mine->kind != STORE_MESSAGE;
}

bool chat_change_deleted(const struct chat *chat, const struct chat_job *job, uint64_t conv)
{
	if (job->seen < chat->changes_from)
		return true;
	for (uint64_t i = job->seen; i < chat->changes_left; i++) {
		const struct chat_change *change = &chat->changes[i % CHAT_CHANGES];

		if (change->kind == STORE_DELETE && change->conversation == conv)
			return true;
	}
	return false;
}

bool chat_change_missed(const struct chat *chat, const struct chat_job *job,
    const struct chat_change *mine)
{
	if (job->seen < chat->changes_from)
		return true;
	for (uint64_t i = job->seen; i < chat->change_count; i++)
		if (matters(mine, &chat->changes[i % CHAT_CHANGES]))
			return true;
	return false;
}
