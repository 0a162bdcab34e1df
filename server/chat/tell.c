/*
 * Telling: what a unit has to say becomes items for the workers, in its order. Nothing leaves here;
 * that is release.c.
 */
#include "chat/chat_private.h"

#include <stdlib.h>

void chat_item_free(struct chat_item *item)
{
	if (item != NULL) {
		blob_unref(item->line);
		free(item);
	}
}

static struct chat_item *item_new(enum chat_item_kind kind, unsigned worker, void *conn,
    struct blob *line)
{
	struct chat_item *item = malloc(sizeof *item);

	if (item != NULL)
		*item = (struct chat_item){
		    .kind = (unsigned char)kind,
		    .worker = worker,
		    .conn = conn,
		    .line = line != NULL ? blob_ref(line) : NULL,
		};
	return item;
}

/* What is not for one worker, but for whoever is concerned when it leaves. */
struct own_item {
	struct chat_item item; /* first: freed as all items are */
	uint64_t conv;
	uint64_t user[2]; /* of a pair; or */
	int64_t seq;	  /* of the line, for the tail */
};

/* Sessions that still replay the pair will come to this entry in their turn; those whose login
 * waits behind it are told nothing that was before. */
static void tell_sessions_now(struct chat *chat, uint64_t user_id, const struct own_item *own)
{
	struct chat_user *user = chat_user_by_id(chat, user_id);

	if (user == NULL)
		return;
	for (struct list *at = user->sessions.next; at != &user->sessions; at = at->next) {
		struct chat_session *session = list_entry(at, struct chat_session, in_user);
		struct chat_item *item;

		if (!session->entered || !chat_session_attached(session, own->conv))
			continue;
		item = item_new(CHAT_ITEM_LINE, session->worker, session->conn, own->item.line);
		if (item != NULL)
			chat->options.post(chat->options.post_arg, item);
		else
			chat_cut_off_now(chat, session);
	}
}

void chat_item_own(struct chat *chat, struct chat_item *item)
{
	const struct own_item *own = (const struct own_item *)item;

	if (own->seq > 0) {
		chat_tail_put(chat, own->conv, own->seq, item->line);
	} else {
		tell_sessions_now(chat, own->user[0], own);
		if (own->user[1] != own->user[0])
			tell_sessions_now(chat, own->user[1], own);
	}
	chat_item_free(item);
}

struct blob *chat_take_line(struct chat *chat)
{
	struct slice text = buf_slice(&chat->scratch);
	struct blob *line = NULL;

	if (!chat->scratch.failed)
		line = chat->secret ? blob_new_secret(text) : blob_new(text);
	if (chat->secret && text.len > 0)
		secret_wipe(chat->scratch.ptr, text.len);
	chat->secret = false;
	buf_clear(&chat->scratch);
	return line;
}

static void put_last(struct chat_unit *unit, struct chat_item *item)
{
	item->next = NULL;
	if (unit->last != NULL)
		unit->last->next = item;
	else
		unit->first = item;
	unit->last = item;
}

/* A connection that cannot be told what it should know is ended: its client sees that and comes
 * back, which is better than a gap that nobody notices. */
static void cut_off(struct chat *chat, struct chat_session *session)
{
	if (session->finish_item != NULL) {
		put_last(chat->unit, session->finish_item);
		session->finish_item = NULL;
	}
	session->finishing = true;
}

void chat_cut_off_now(struct chat *chat, struct chat_session *session)
{
	struct chat_item *item = session->finish_item;

	session->finish_item = NULL;
	session->finishing = true;
	if (item != NULL)
		chat->options.post(chat->options.post_arg, item);
}

/* Adds an item about one session; NULL if the session had to be cut off instead. */
static struct chat_item *tell_one(struct chat *chat, enum chat_item_kind kind,
    struct chat_session *session, struct blob *line)
{
	struct chat_item *item = item_new(kind, session->worker, session->conn, line);

	if (item == NULL)
		cut_off(chat, session);
	else
		put_last(chat->unit, item);
	return item;
}

void chat_tell_session(struct chat *chat, struct chat_session *session, struct blob *line)
{
	if (session->finishing)
		return;
	if (line == NULL)
		cut_off(chat, session);
	else
		tell_one(chat, CHAT_ITEM_LINE, session, line);
}

void chat_tell_user(struct chat *chat, struct chat_user *user, struct blob *line)
{
	for (struct list *at = user->sessions.next; at != &user->sessions; at = at->next)
		chat_tell_session(chat, list_entry(at, struct chat_session, in_user), line);
}

/* Without memory for an event of a room, everybody of that worker who would miss it is cut off. */
static void cut_off_room(struct chat *chat, struct chat_room *room, unsigned worker)
{
	for (struct list *m = room->by_age.next; m != &room->by_age; m = m->next) {
		struct chat_user *user = list_entry(m, struct chat_member, age)->user;

		for (struct list *s = user->sessions.next; s != &user->sessions; s = s->next) {
			struct chat_session *session = list_entry(s, struct chat_session, in_user);

			if (session->worker == worker)
				cut_off(chat, session);
		}
	}
}

void chat_tell_room(struct chat *chat, struct chat_room *room, struct blob *line,
    uint64_t skip_user)
{
	for (unsigned worker = 0; worker < chat->options.workers; worker++) {
		struct chat_item *item = NULL;

		if (room->attached[worker] == 0)
			continue;
		if (line != NULL)
			item = item_new(CHAT_ITEM_ROOM, worker, NULL, line);
		if (item == NULL) {
			cut_off_room(chat, room, worker);
			continue;
		}
		item->slot = room->slot;
		item->user = skip_user;
		put_last(chat->unit, item);
	}
}

bool chat_tell_all(struct chat *chat, struct blob *line)
{
	struct chat_item *first = NULL;

	for (unsigned worker = 0; worker < chat->options.workers; worker++) {
		struct chat_item *item =
		    line != NULL ? item_new(CHAT_ITEM_ALL, worker, NULL, line) : NULL;

		if (item != NULL) {
			item->next = first;
			first = item;
			continue;
		}
		for (; first != NULL; first = item) {
			item = first->next;
			chat_item_free(first);
		}
		return false;
	}
	while (first != NULL) {
		struct chat_item *next = first->next;

		put_last(chat->unit, first);
		first = next;
	}
	return true;
}

static struct own_item *own_new(const struct chat_conv *conv, struct blob *line)
{
	struct own_item *own = calloc(1, sizeof *own);

	if (own == NULL)
		return NULL;
	own->item.kind = CHAT_ITEM_OWN;
	own->item.line = blob_ref(line);
	own->conv = conv->id;
	return own;
}

void chat_tell_pair(struct chat *chat, const struct chat_pair *pair, struct blob *line)
{
	struct own_item *own = line != NULL ? own_new(&pair->conv, line) : NULL;

	if (own == NULL) {
		chat_tell_user(chat, pair->user[0], NULL);
		chat_tell_user(chat, pair->user[1], NULL);
		return;
	}
	own->user[0] = pair->user[0]->id;
	own->user[1] = pair->user[1]->id;
	put_last(chat->unit, &own->item);
}

void chat_tell_tail(struct chat *chat, const struct chat_conv *conv, int64_t seq,
    struct blob *line)
{
	struct own_item *own = line != NULL ? own_new(conv, line) : NULL;

	/* Without it there is a gap in the tail, and it will not be used. */
	if (own == NULL)
		return;
	own->seq = seq;
	put_last(chat->unit, &own->item);
}

bool chat_tell_paced(struct chat *chat, struct chat_session *session, struct blob *lines)
{
	struct chat_item *item = NULL;

	if (lines != NULL)
		item = tell_one(chat, CHAT_ITEM_LINE, session, lines);
	else
		cut_off(chat, session);
	if (item != NULL)
		item->paced = true;
	return item != NULL;
}

void chat_tell_end(struct chat *chat, struct chat_session *session)
{
	cut_off(chat, session);
}

void chat_tell_attach(struct chat *chat, struct chat_session *session, struct chat_room *room)
{
	struct chat_item *item = tell_one(chat, CHAT_ITEM_ATTACH, session, NULL);

	if (item != NULL)
		item->slot = room->slot;
}

void chat_tell_detach(struct chat *chat, struct chat_session *session, struct chat_room *room)
{
	struct chat_item *item = tell_one(chat, CHAT_ITEM_DETACH, session, NULL);

	if (item != NULL)
		item->slot = room->slot;
}

void chat_tell_login(struct chat *chat, struct chat_session *session)
{
	struct chat_item *item = tell_one(chat, CHAT_ITEM_LOGIN, session, NULL);

	if (item != NULL)
		item->user = session->user->id;
}

void chat_tell_goodbye(struct chat *chat, struct chat_session *session, enum proto_reason reason,
    const char *text)
{
	struct chat_item *item;
	struct blob *line;

	if (session->finishing)
		return;
	message_put_goodbye(&chat->scratch, reason, text);
	line = chat_take_line(chat);
	item = line != NULL ? tell_one(chat, CHAT_ITEM_LINE, session, line) : NULL;
	if (item != NULL)
		item->farewell = true;
	blob_unref(line);
	cut_off(chat, session);
}

void chat_tell_reply(struct chat *chat, struct chat_session *session, struct blob *line)
{
	struct chat_unit *unit = chat->unit;
	struct chat_item *item = item_new(CHAT_ITEM_LINE, session->worker, session->conn, line);

	if (item == NULL) {
		cut_off(chat, session);
		return;
	}
	item->answers = true;
	item->next = unit->first;
	unit->first = item;
	if (unit->last == NULL)
		unit->last = item;
}

void chat_tell_gone(struct chat *chat, struct chat_session *session)
{
	put_last(chat->unit, session->gone_item);
	session->gone_item = NULL;
}
