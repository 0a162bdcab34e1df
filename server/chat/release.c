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

static void release(struct chat *chat, struct chat_unit *unit)
{
	settle(chat, unit);
	while (unit->first != NULL) {
		struct chat_item *item = unit->first;

		unit->first = item->next;
		item->next = NULL;
		if (item->kind == CHAT_ITEM_OWN)
			chat_item_own(chat, item);
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
