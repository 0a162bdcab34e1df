/*
 * Units: what a request has to tell, kept together until the store has committed its entries and
 * every unit before it has left. With a store that commits at once, and nothing waiting, a unit
 * leaves within the call that made it.
 */
#include "chat/chat_private.h"

#include <assert.h>
#include <stdlib.h>

void chat_item_free(struct chat_item *item)
{
	if (item != NULL) {
		blob_unref(item->line);
		free(item);
	}
}

bool chat_unit_begin(struct chat *chat, struct chat_unit *given)
{
	struct chat_unit *unit = given;

	assert(chat->unit == NULL);
	if (unit == NULL) {
		unit = chat->spare_unit;
		chat->spare_unit = NULL;
	}
	if (unit == NULL)
		unit = malloc(sizeof *unit);
	if (unit == NULL)
		return false;
	*unit = (struct chat_unit){0};
	list_init(&unit->link);
	chat->unit = unit;
	chat->entry_count = 0;
	return true;
}

static void release(struct chat *chat, struct chat_unit *unit)
{
	while (unit->first != NULL) {
		struct chat_item *item = unit->first;

		unit->first = item->next;
		item->next = NULL;
		chat->options.post(chat->options.post_arg, item);
	}
	if (chat->spare_unit == NULL)
		chat->spare_unit = unit;
	else
		free(unit);
}

static void release_ready(struct chat *chat)
{
	while (!list_is_empty(&chat->pending)) {
		struct chat_unit *unit = list_entry(chat->pending.next, struct chat_unit, link);

		if (!unit->committed)
			return;
		list_remove(&unit->link);
		release(chat, unit);
	}
}

bool chat_unit_end(struct chat *chat, struct chat_session *unanswered)
{
	struct chat_unit *unit = chat->unit;
	struct store *store = chat->options.store;
	struct store_batch batch = {.entries = chat->entries, .entry_count = chat->entry_count};

	unit->ticket = ++chat->next_ticket;
	unit->committed = chat->entry_count == 0 ||
			  store->ops->append(store, &batch, unit->ticket) == STATUS_OK;
	if (unit->committed && list_is_empty(&chat->pending)) {
		chat->unit = NULL;
		release(chat, unit);
		return true;
	}
	if (unanswered != NULL)
		chat_tell_reply(chat, unanswered, NULL);
	chat->unit = NULL;
	list_put(&chat->pending, &unit->link);
	return false;
}

void chat_committed(struct chat *chat, uint64_t ticket)
{
	for (struct list *at = chat->pending.next; at != &chat->pending; at = at->next) {
		struct chat_unit *unit = list_entry(at, struct chat_unit, link);

		if (unit->ticket == ticket) {
			unit->committed = true;
			break;
		}
	}
	release_ready(chat);
}

struct blob *chat_take_line(struct chat *chat)
{
	struct blob *line = chat->scratch.failed ? NULL : blob_new(buf_slice(&chat->scratch));

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

void chat_tell_attach(struct chat *chat, struct chat_session *session, struct chat_room *room)
{
	struct chat_item *item = tell_one(chat, CHAT_ITEM_ATTACH, session, NULL);

	room->attached[session->worker]++;
	if (item != NULL)
		item->slot = room->slot;
}

void chat_tell_detach(struct chat *chat, struct chat_session *session, struct chat_room *room)
{
	struct chat_item *item = tell_one(chat, CHAT_ITEM_DETACH, session, NULL);

	room->attached[session->worker]--;
	if (item != NULL)
		item->slot = room->slot;
}

void chat_tell_login(struct chat *chat, struct chat_session *session)
{
	struct chat_item *item = tell_one(chat, CHAT_ITEM_LOGIN, session, NULL);

	if (item != NULL)
		item->user = session->user->id;
}

void chat_tell_goodbye(struct chat *chat, struct chat_session *session, enum proto_reason reason)
{
	struct blob *line;

	if (session->finishing)
		return;
	message_put_goodbye(&chat->scratch, reason, NULL);
	line = chat_take_line(chat);
	chat_tell_session(chat, session, line);
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
