/*
 * The start: the state is read from the store's keyed records, and where each conversation is from
 * the log. Never the whole log.
 */
#include "chat/chat_private.h"

struct loading {
	struct chat *chat;
	enum store_table table;
	uint64_t count;
	bool failed;
};

static bool take_record(void *arg, struct slice key, struct slice value)
{
	struct loading *loading = arg;

	loading->failed = !chat_record_apply(loading->chat, loading->table, key, &value);
	loading->count++;
	return !loading->failed;
}

static enum status load_table(struct loading *loading, struct error *err)
{
	struct store *store = loading->chat->options.store;
	enum status status = store->ops->load(store, loading->table, take_record, loading, err);

	if (status == STATUS_OK && loading->failed)
		return error_set(err, STATUS_INVALID,
		    "record %llu of table %d in the store cannot be read: restore a backup",
		    (unsigned long long)loading->count, (int)loading->table);
	return status;
}

/* A room that keeps nothing begins again at 1, and so do its members' markers. */
static void begin_anew(struct chat_room *room)
{
	for (struct list *at = room->by_age.next; at != &room->by_age; at = at->next) {
		struct chat_member *member = list_entry(at, struct chat_member, age);

		member->joined = member->read = 0;
	}
}

static enum status load_convs(struct chat *chat, struct error *err)
{
	struct store *store = chat->options.store;
	struct tree_node *node;

	for (node = tree_first(&chat->convs); node != NULL; node = tree_next(node)) {
		struct chat_conv *conv = tree_entry(node, struct chat_conv, node);
		enum status status;

		if (!conv->kept) {
			if (conv->room != NULL)
				begin_anew(conv->room);
			continue;
		}
		status = store->ops->last(store, conv->id, &conv->seq, &conv->time_ms,
		    &conv->first, err);
		if (status != STATUS_OK)
			return status;
		conv->released = conv->seq;
	}
	return STATUS_OK;
}

static bool take_last(void *arg, struct slice key, struct slice value)
{
	struct chat *chat = arg;

	(void)value;
	chat->audit_last = chat_id_of_key(key);
	return false;
}

static enum status load_audit(struct chat *chat, struct error *err)
{
	struct store *store = chat->options.store;
	struct chat_id_key end;

	chat_id_key(&end, UINT64_MAX);
	return store->ops->list(store, STORE_AUDIT, slice_make((char *)end.bytes, 8), 1, take_last,
	    chat, err);
}

enum status chat_load(struct chat *chat, struct chat_time now, struct error *err)
{
	/* What others hang on comes first. */
	static const enum store_table tables[] = {STORE_NUMBERS, STORE_USERS, STORE_ROOMS,
	    STORE_MEMBERS, STORE_PAIRS, STORE_BANS, STORE_INVITES, STORE_BLOCKS, STORE_TOKENS,
	    STORE_CODES, STORE_PINS, STORE_NONCES};
	struct loading loading = {.chat = chat};
	enum status status = STATUS_OK;

	chat->started_mono_ms = now.mono_ms;
	for (size_t i = 0; status == STATUS_OK && i < sizeof tables / sizeof *tables; i++) {
		loading.table = tables[i];
		loading.count = 0;
		status = load_table(&loading, err);
	}
	if (status == STATUS_OK)
		status = load_audit(chat, err);
	return status == STATUS_OK ? load_convs(chat, err) : status;
}
