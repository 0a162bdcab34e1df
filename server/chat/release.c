/*
 * Units: what a request has to tell, kept together until the store has committed its entries and
 * every unit before it has left. With a store that commits at once, and nothing waiting, a unit
 * leaves within the call that made it.
 *
 * When a commit fails, everything that waits is taken back, the newest first (undo.c): whoever
 * asked hears `unavailable`, and the state is what the store has. What cannot be taken back is the
 * end of a connection: its guest leaves once more.
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
	unit->ticket = 0;
	unit->committed = unit->broken = unit->at_once = false;
	unit->first = unit->last = NULL;
	unit->asker = unit->gone = NULL;
	unit->id.kind = REQUEST_ID_NONE;
	unit->job = NULL;
	unit->ended_guest = 0;
	unit->trims = NULL;
	unit->trim_count = 0;
	unit->undo = NULL;
	unit->undo_count = 0;
	list_init(&unit->link);
	chat->unit = unit;
	chat->entry_count = 0;
	chat->extra_from = 0;
	buf_clear(&chat->extra);
	return true;
}

void chat_unit_asked(struct chat *chat, struct chat_session *session, const struct request_id *id)
{
	chat->unit->asker = session;
	chat->unit->id = *id;
	session->refs++;
}

/* --- Leaving -------------------------------------------------------------------------------- */

/* What a unit did holds for good: conversations have come that far, slots are free. */
static void settle(struct chat *chat, struct chat_unit *unit)
{
	for (unsigned i = 0; i < unit->undo_count; i++) {
		const struct chat_undo *step = &unit->undo[i];
		struct chat_conv *conv;

		if (step->kind == CHAT_UNDO_LOGIN)
			step->session->entered = step->session->user != NULL;
		if (step->kind == CHAT_UNDO_SLOT)
			chat->free_slots[chat->free_slot_count++] = (uint32_t)step->seq;
		if (step->kind == CHAT_UNDO_CHANGE)
			chat_change_settled(chat, step);
		if (step->kind != CHAT_UNDO_CONV)
			continue;
		conv = chat_conv_find(chat, step->id);
		if (conv != NULL)
			conv->released = step->new_seq;
	}
	chat_undo_release(unit);
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

static void carry_out_own(struct chat *chat, struct chat_item *item)
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

static void release(struct chat *chat, struct chat_unit *unit)
{
	settle(chat, unit);
	while (unit->first != NULL) {
		struct chat_item *item = unit->first;

		unit->first = item->next;
		item->next = NULL;
		if (item->kind == CHAT_ITEM_OWN)
			carry_out_own(chat, item);
		else
			chat->options.post(chat->options.post_arg, item);
	}
	if (unit->job != NULL)
		chat_job_start(chat, unit->job);
	if (unit->asker != NULL)
		chat_session_unref(chat, unit->asker);
	if (unit->gone != NULL)
		chat_session_unref(chat, unit->gone);
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

/* --- To the store --------------------------------------------------------------------------- */

/* The records that the unit touched, as they are now; what did not change is left out. */
static bool put_records(struct chat *chat, struct chat_unit *unit, struct store_record *records,
    size_t *at, size_t *ret_count)
{
	size_t count = 0;

	buf_clear(&chat->records);
	for (unsigned i = 0; i < unit->undo_count; i++) {
		const struct chat_undo *step = &unit->undo[i];
		struct slice key = slice_make(step->bytes, step->key_len);
		struct store_record *record = &records[count];

		if (step->bytes == NULL || !step->stored)
			continue;
		*record = (struct store_record){.table = (enum store_table)step->table, .key = key};
		at[count] = chat->records.len;
		if (step->kind == CHAT_UNDO_PUT && step->had)
			record->remove = true;
		else if (step->kind == CHAT_UNDO_PUT)
			buf_put(&chat->records, step->bytes + step->key_len, step->old_len);
		else
			record->remove =
			    !chat_record_put(chat, record->table, key, false, &chat->records);
		if (record->remove && !step->had)
			continue;
		record->value.len = chat->records.len - at[count];
		count++;
	}
	for (size_t i = 0; i < count; i++)
		records[i].value.ptr = chat->records.ptr + at[i];
	*ret_count = count;
	return !chat->records.failed;
}

static enum status append(struct chat *chat, struct chat_unit *unit)
{
	struct store *store = chat->options.store;
	struct store_batch batch = {
	    .entries = chat->entries,
	    .entry_count = chat->entry_count,
	    .trims = unit->trims,
	    .trim_count = unit->trim_count,
	};
	struct store_record few[8], *records = few;
	size_t few_at[8], *at = few_at;
	enum status status = STATUS_NOMEM;

	for (size_t i = 0; i < chat->entry_count; i++)
		chat->entries[i].extra.ptr = chat->extra.ptr + chat->extra_at[i];
	if (unit->undo_count > 8) {
		records = calloc(unit->undo_count, sizeof *records);
		at = calloc(unit->undo_count, sizeof *at);
	}
	batch.records = records;
	if (records != NULL && at != NULL &&
	    put_records(chat, unit, records, at, &batch.record_count)) {
		if (store == NULL || batch.entry_count + batch.record_count + batch.trim_count == 0)
			status = STATUS_OK;
		else
			status = store->ops->append(store, &batch, unit->ticket);
	}
	if (records != few) {
		free(records);
		free(at);
	}
	buf_clear(&chat->records);
	return status;
}

/* --- Failing -------------------------------------------------------------------------------- */

/* What is told even so: that a connection ends, and why. */
static bool is_farewell(const struct chat_item *item)
{
	return item->farewell || item->kind == CHAT_ITEM_FINISH || item->kind == CHAT_ITEM_GONE;
}

static void drop_items(struct chat_unit *unit)
{
	struct chat_item *item = unit->first, *next;
	struct chat_item **link = &unit->first;

	unit->last = NULL;
	for (; item != NULL; item = next) {
		next = item->next;
		if (!is_farewell(item)) {
			chat_item_free(item);
			continue;
		}
		*link = unit->last = item;
		link = &item->next;
	}
	*link = NULL;
}

/* Its steps have been taken back: now it answers, and leaves when its turn comes. */
static void fail(struct chat *chat, struct chat_unit *unit)
{
	struct request_error error;
	struct blob *line;

	drop_items(unit);
	unit->committed = true;
	if (unit->job != NULL)
		chat_job_free(chat, unit->job);
	unit->job = NULL;
	if (unit->asker == NULL)
		return;
	request_error_set(&error, PROTO_ERR_unavailable,
	    "the server cannot store anything now; try again later");
	message_put_error(&chat->scratch, &unit->id, &error);
	line = chat_take_line(chat);
	chat->unit = unit;
	chat_tell_reply(chat, unit->asker, line);
	chat->unit = NULL;
	blob_unref(line);
}

/* A guest whose connection has ended leaves again, where that need not be stored. */
static void end_again(struct chat *chat, uint64_t guest, struct chat_time now)
{
	struct chat_user *user = guest != 0 ? chat_user_by_id(chat, guest) : NULL;

	if (user == NULL || !chat_unit_begin(chat, NULL))
		return;
	chat_guest_end(chat, user, true, now);
	chat->unit->ended_guest = 0; /* once is enough */
	chat_unit_end(chat, false, now);
}

/* Users who were told to be there, or not, by what is taken back: the tick will say how it is. */
static void retell_presence(struct chat *chat)
{
	for (struct list *at = chat->damped.next; at != &chat->damped; at = at->next)
		list_entry(at, struct chat_user, damped)->text_changed = true;
}

bool chat_unit_end(struct chat *chat, bool unanswered, struct chat_time now)
{
	struct chat_unit *unit = chat->unit;
	enum status status = STATUS_OK;
	uint64_t guest = 0;

	if (unit->at_once) {
		assert(chat->entry_count == 0 && unit->undo_count == 0);
		chat->unit = NULL;
		release(chat, unit);
		return true;
	}
	unit->ticket = ++chat->next_ticket;
	if (chat->entry_count > 0 || unit->undo_count > 0 || unit->trim_count > 0 || unit->broken)
		status = unit->broken ? STATUS_NOMEM : append(chat, unit);
	unit->committed = status != STATUS_AGAIN;
	if (status != STATUS_OK && status != STATUS_AGAIN) {
		chat->unit = NULL;
		guest = unit->ended_guest;
		chat_undo_unit(chat, unit, false);
		fail(chat, unit);
	} else if (unit->committed && list_is_empty(&chat->pending)) {
		chat->unit = NULL;
		release(chat, unit);
		return true;
	} else if (unanswered) {
		chat_tell_reply(chat, unit->asker, NULL);
	}
	chat->unit = NULL;
	list_put(&chat->pending, &unit->link);
	release_ready(chat);
	end_again(chat, guest, now);
	return false;
}

static struct chat_unit *find_pending(struct chat *chat, uint64_t ticket)
{
	for (struct list *at = chat->pending.next; at != &chat->pending; at = at->next) {
		struct chat_unit *unit = list_entry(at, struct chat_unit, link);

		if (unit->ticket == ticket)
			return unit;
	}
	return NULL;
}

void chat_committed(struct chat *chat, uint64_t ticket)
{
	struct chat_unit *unit = find_pending(chat, ticket);

	if (unit != NULL)
		unit->committed = true;
	release_ready(chat);
}

bool chat_failed(struct chat *chat, uint64_t ticket, struct chat_time now)
{
	struct list failed;
	struct list *at;

	if (find_pending(chat, ticket) == NULL)
		return false;
	list_init(&failed);
	for (at = chat->pending.prev; at != &chat->pending; at = at->prev)
		chat_undo_unit(chat, list_entry(at, struct chat_unit, link), true);
	retell_presence(chat);
	for (at = chat->pending.next; at != &chat->pending; at = at->next)
		fail(chat, list_entry(at, struct chat_unit, link));
	while ((at = list_take(&chat->pending)) != NULL)
		list_put(&failed, at);
	while ((at = list_take(&failed)) != NULL) {
		struct chat_unit *unit = list_entry(at, struct chat_unit, link);
		uint64_t guest = unit->ended_guest;

		release(chat, unit);
		end_again(chat, guest, now);
	}
	return true;
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
