#include "sim_store.h"

#include <stdlib.h>

struct sim_batch {
	struct list link;
	uint64_t ticket;
	enum status status;
	struct store_batch batch; /* into `bytes` */
	char bytes[];
};

static void out_of_memory(void)
{
	fprintf(stderr, "out of memory\n");
	exit(2);
}

static void *get_memory(size_t size)
{
	void *memory = calloc(1, size > 0 ? size : 1);

	if (memory == NULL)
		out_of_memory();
	return memory;
}

void *sim_grow(void *array, size_t count, size_t *cap, size_t size)
{
	if (count < *cap)
		return array;
	*cap = *cap > 0 ? *cap * 2 : 8;
	array = realloc(array, *cap * size);
	if (array == NULL)
		out_of_memory();
	return array;
}

/* --- Copies --------------------------------------------------------------------------------- */

static struct slice pack(char **to, struct slice from)
{
	struct slice at = slice_make(*to, from.len);

	if (from.len > 0)
		memcpy(*to, from.ptr, from.len);
	*to += from.len;
	return at;
}

static size_t bytes_of(const struct store_batch *batch)
{
	size_t size = batch->entry_count * sizeof *batch->entries +
		      batch->record_count * sizeof *batch->records +
		      batch->trim_count * sizeof *batch->trims;

	for (size_t i = 0; i < batch->entry_count; i++)
		size += batch->entries[i].text.len + batch->entries[i].extra.len;
	for (size_t i = 0; i < batch->record_count; i++)
		size += batch->records[i].key.len + batch->records[i].value.len;
	return size;
}

static struct sim_batch *copy_batch(const struct store_batch *batch, uint64_t ticket)
{
	struct sim_batch *copy = get_memory(sizeof *copy + bytes_of(batch));
	struct store_entry *entries = (struct store_entry *)(void *)copy->bytes;
	struct store_record *records = (void *)(entries + batch->entry_count);
	struct store_trim *trims = (void *)(records + batch->record_count);
	char *at = (char *)(trims + batch->trim_count);

	copy->ticket = ticket;
	list_init(&copy->link);
	for (size_t i = 0; i < batch->entry_count; i++) {
		entries[i] = batch->entries[i];
		entries[i].text = pack(&at, entries[i].text);
		entries[i].extra = pack(&at, entries[i].extra);
	}
	for (size_t i = 0; i < batch->record_count; i++) {
		records[i] = batch->records[i];
		records[i].key = pack(&at, records[i].key);
		records[i].value = pack(&at, records[i].value);
	}
	for (size_t i = 0; i < batch->trim_count; i++)
		trims[i] = batch->trims[i];
	copy->batch = *batch;
	copy->batch.entries = entries;
	copy->batch.records = records;
	copy->batch.trims = trims;
	return copy;
}

/* --- What is committed ---------------------------------------------------------------------- */

struct sim_conv *sim_store_find(const struct sim_store *store, uint64_t id)
{
	for (size_t i = store->conv_count; i-- > 0;)
		if (store->conv[i]->id == id)
			return store->conv[i];
	return NULL;
}

struct sim_conv *sim_store_conv(struct sim_store *store, uint64_t id)
{
	struct sim_conv *conv = sim_store_find(store, id);

	if (conv != NULL)
		return conv;
	conv = get_memory(sizeof *conv);
	conv->id = id;
	conv->first = 1;
	store->conv =
	    sim_grow(store->conv, store->conv_count, &store->conv_cap, sizeof *store->conv);
	store->conv[store->conv_count++] = conv;
	return conv;
}

static struct slice copy_slice(struct slice from)
{
	char *to = get_memory(from.len);

	return pack(&to, from);
}

static void erase(struct sim_entry *entry, int64_t by)
{
	if (!entry->erased)
		entry->erased_by = by;
	entry->erased = true;
}

static void put_entry(struct sim_store *store, const struct store_entry *entry)
{
	struct sim_conv *conv = sim_store_conv(store, entry->conversation);
	struct sim_entry *made;

	conv->entry = sim_grow(conv->entry, conv->count, &conv->cap, sizeof *conv->entry);
	made = &conv->entry[conv->count++];
	*made = (struct sim_entry){.entry = *entry};
	made->entry.text = copy_slice(entry->text);
	made->entry.extra = copy_slice(entry->extra);
	if (entry->kind == STORE_DELETE)
		for (size_t i = 0; i < conv->count; i++) {
			struct sim_entry *old = &conv->entry[i];

			if ((old->entry.kind == STORE_MESSAGE && old->entry.seq == entry->target) ||
			    (old->entry.kind == STORE_EDIT && old->entry.target == entry->target))
				erase(old, entry->seq);
		}
	store->on_entry(store->arg, conv, &made->entry);
}

static void put_record(struct sim_store *store, const struct store_record *record)
{
	struct tree *table = &store->table[record->table];
	struct tree_node *node = tree_find(table, record->key);
	struct sim_record *made;
	char *at;

	if (node != NULL) {
		tree_remove(table, node);
		free(tree_entry(node, struct sim_record, node));
	}
	if (!record->remove) {
		made = get_memory(sizeof *made + record->key.len + record->value.len);
		at = made->bytes;
		made->key = pack(&at, record->key);
		made->value = pack(&at, record->value);
		/* The number of records is the simulation's own: no need to hide priorities. */
		tree_put(table, &made->node, made->key,
		    (uint32_t)(table->count * UINT32_C(2654435761)));
	}
	store->on_record(store->arg, record);
}

static void put_trim(struct sim_store *store, const struct store_trim *trim)
{
	struct sim_conv *conv = sim_store_find(store, trim->conversation);

	if (conv == NULL)
		return;
	if (trim->seq == INT64_MAX)
		conv->gone = true;
	else if (trim->seq >= conv->first)
		conv->first = trim->seq + 1;
}

static void commit_batch(struct sim_store *store, const struct store_batch *batch)
{
	for (size_t i = 0; i < batch->entry_count; i++)
		put_entry(store, &batch->entries[i]);
	for (size_t i = 0; i < batch->record_count; i++)
		put_record(store, &batch->records[i]);
	for (size_t i = 0; i < batch->trim_count; i++)
		put_trim(store, &batch->trims[i]);
}

static void tell_batch(struct sim_store *store, const struct store_batch *batch)
{
	for (size_t i = 0; i < batch->entry_count; i++)
		sim_store_find(store, batch->entries[i].conversation)->told =
		    (size_t)batch->entries[i].seq;
}

/* --- The schedule's hands ------------------------------------------------------------------- */

bool sim_store_is_idle(const struct sim_store *store)
{
	return list_is_empty(&store->queued) && list_is_empty(&store->reports);
}

static void fail_queued(struct sim_store *store, enum status status)
{
	struct list *at;

	store->failed = status;
	store->resumed = false;
	while ((at = list_take(&store->queued)) != NULL) {
		list_entry(at, struct sim_batch, link)->status = status;
		list_put(&store->reports, at);
	}
}

bool sim_store_commit(struct sim_store *store, size_t count)
{
	struct list *at;

	if (list_is_empty(&store->queued))
		return false;
	if (store->broken) {
		fail_queued(store, STATUS_NO_SPACE);
		return true;
	}
	while (count-- > 0 && (at = list_take(&store->queued)) != NULL) {
		struct sim_batch *batch = list_entry(at, struct sim_batch, link);

		commit_batch(store, &batch->batch);
		batch->status = STATUS_OK;
		list_put(&store->reports, at);
	}
	return true;
}

bool sim_store_report(struct sim_store *store)
{
	struct list *at = list_take(&store->reports);
	struct sim_batch *batch;

	if (at == NULL)
		return false;
	batch = list_entry(at, struct sim_batch, link);
	if (batch->status == STATUS_OK)
		tell_batch(store, &batch->batch);
	store->base.done(store->base.done_arg, batch->ticket, batch->status);
	free(batch);
	return true;
}

void sim_store_break(struct sim_store *store)
{
	store->broken = true;
}

void sim_store_mend(struct sim_store *store)
{
	store->broken = false;
	if (store->resumed)
		store->failed = STATUS_OK;
}

void sim_store_crash(struct sim_store *store)
{
	struct list *at;

	while ((at = list_take(&store->queued)) != NULL)
		free(list_entry(at, struct sim_batch, link));
	while ((at = list_take(&store->reports)) != NULL)
		free(list_entry(at, struct sim_batch, link));
	for (size_t i = 0; i < store->conv_count; i++)
		store->conv[i]->told = store->conv[i]->count;
	store->failed = STATUS_OK;
	store->broken = false;
	store->refuse_next = STATUS_OK;
}

/* --- The store as the core sees it ---------------------------------------------------------- */

static enum status append(struct store *base, const struct store_batch *batch, uint64_t ticket)
{
	struct sim_store *store = (struct sim_store *)base;
	struct sim_batch *copy;

	if (store->failed != STATUS_OK)
		return store->failed;
	if (store->refuse_next != STATUS_OK) {
		enum status refused = store->refuse_next;

		store->refuse_next = STATUS_OK;
		return refused;
	}
	if (store->immediate && !store->broken && sim_store_is_idle(store)) {
		commit_batch(store, batch);
		tell_batch(store, batch);
		return STATUS_OK;
	}
	copy = copy_batch(batch, ticket);
	list_put(&store->queued, &copy->link);
	return STATUS_AGAIN;
}

static void resume(struct store *base)
{
	struct sim_store *store = (struct sim_store *)base;

	store->resumed = true;
	if (!store->broken)
		store->failed = STATUS_OK;
}

static bool is_wanted(const struct store_read *read, const struct store_entry *entry)
{
	int64_t at = read->kind == STORE_READ_TARGETS ? entry->target : entry->seq;

	if (read->kinds != 0 && (read->kinds & (1u << entry->kind)) == 0)
		return false;
	if (read->kind == STORE_READ_TARGETS &&
	    (entry->target == 0 || entry->seq <= read->newer ||
		(read->author != 0 && entry->author != read->author)))
		return false;
	if (read->kind == STORE_READ_ONE)
		return entry->seq == read->after;
	return at > read->after && at < read->before;
}

static bool give(const struct sim_entry *from, store_entry_fn *fn, void *arg)
{
	struct store_entry entry = from->entry;

	if (from->erased)
		entry.text = slice_make("", 0);
	return fn(arg, &entry);
}

static void read_conv(const struct sim_conv *conv, const struct store_read *read,
    store_entry_fn *fn, void *arg)
{
	size_t from = (size_t)conv->first - 1, left;

	if (read->newest)
		for (left = read->limit, from = conv->count;
		     from > (size_t)conv->first - 1 && left > 0; from--)
			left -= is_wanted(read, &conv->entry[from - 1].entry);
	left = read->kind == STORE_READ_ONE ? 1 : read->limit;
	for (size_t i = from; i < conv->count && left > 0; i++) {
		if (!is_wanted(read, &conv->entry[i].entry))
			continue;
		if (!give(&conv->entry[i], fn, arg))
			return;
		left--;
	}
}

/* Good enough to be asked: the words' order and the like are the real store's business. */
static void search(const struct sim_store *store, const struct store_read *read,
    store_entry_fn *fn, void *arg)
{
	int64_t skip = read->offset;
	size_t left = read->limit;

	for (size_t c = 0; c < read->conversation_count; c++) {
		const struct sim_conv *conv = sim_store_find(store, read->conversations[c]);

		for (size_t i = conv != NULL && !conv->gone ? conv->count : 0; i-- > 0 && left > 0;) {
			const struct sim_entry *found = &conv->entry[i];

			if ((found->entry.kind != STORE_MESSAGE &&
				found->entry.kind != STORE_EDIT) ||
			    found->entry.seq < conv->first || found->erased ||
			    (read->author != 0 && read->author != found->entry.author) ||
			    !slice_contains(found->entry.text, read->query) || skip-- > 0)
				continue;
			if (!give(found, fn, arg))
				return;
			left--;
		}
	}
}

static enum status read_store(struct store *base, const struct store_read *read,
    store_entry_fn *fn, void *arg, struct error *err)
{
	const struct sim_store *store = (struct sim_store *)base;
	const struct sim_conv *conv = sim_store_find(store, read->conversation);

	(void)err;
	if (read->kind == STORE_SEARCH)
		search(store, read, fn, arg);
	else if (conv != NULL && !conv->gone)
		read_conv(conv, read, fn, arg);
	return STATUS_OK;
}

static enum status load(struct store *base, enum store_table table,
    bool (*fn)(void *arg, struct slice key, struct slice value), void *arg, struct error *err)
{
	const struct sim_store *store = (struct sim_store *)base;
	struct tree_node *node;

	(void)err;
	for (node = tree_first(&store->table[table]); node != NULL; node = tree_next(node)) {
		const struct sim_record *record = tree_entry(node, struct sim_record, node);

		if (!fn(arg, record->key, record->value))
			break;
	}
	return STATUS_OK;
}

static enum status last(struct store *base, uint64_t conversation, int64_t *ret_seq,
    int64_t *ret_time_ms, int64_t *ret_first, struct error *err)
{
	const struct sim_conv *conv = sim_store_find((struct sim_store *)base, conversation);
	bool none = conv == NULL || conv->gone || conv->count == 0;

	(void)err;
	*ret_seq = none ? 0 : (int64_t)conv->count;
	*ret_time_ms = none ? 0 : conv->entry[conv->count - 1].entry.time_ms;
	*ret_first = none ? 1 : conv->first;
	return STATUS_OK;
}

#define LIST_MAX 1000

static enum status list_back(struct store *base, enum store_table table, struct slice before,
    unsigned limit, bool (*fn)(void *arg, struct slice key, struct slice value), void *arg,
    struct error *err)
{
	const struct sim_store *store = (struct sim_store *)base;
	const struct sim_record *found[LIST_MAX];
	struct tree_node *node;
	size_t count = 0;

	(void)err;
	for (node = tree_first(&store->table[table]); node != NULL; node = tree_next(node))
		if (before.len == 0 || slice_compare(node->key, before) < 0)
			found[count++ % LIST_MAX] = tree_entry(node, struct sim_record, node);
	for (size_t i = count; i-- > 0 && limit > 0 && count - i <= LIST_MAX; limit--)
		if (!fn(arg, found[i % LIST_MAX]->key, found[i % LIST_MAX]->value))
			break;
	return STATUS_OK;
}

static enum status backup(struct store *base, const char *path, struct error *err)
{
	(void)base;
	(void)path;
	return error_set(err, STATUS_IO, "the simulation makes no copies");
}

static void close_store(struct store *base)
{
	(void)base;
}

struct sim_store *sim_store_new(void)
{
	static const struct store_ops ops = {
	    .append = append,
	    .resume = resume,
	    .read = read_store,
	    .load = load,
	    .last = last,
	    .close = close_store,
	    .list = list_back,
	    .backup = backup,
	};
	struct sim_store *store = get_memory(sizeof *store);

	store->base.ops = &ops;
	list_init(&store->queued);
	list_init(&store->reports);
	return store;
}

static void free_conv(struct sim_conv *conv)
{
	for (size_t i = 0; i < conv->count; i++) {
		free((char *)(uintptr_t)conv->entry[i].entry.text.ptr);
		free((char *)(uintptr_t)conv->entry[i].entry.extra.ptr);
	}
	free(conv->entry);
	free(conv->stay);
	free(conv->measure);
	free(conv);
}

void sim_store_free(struct sim_store *store)
{
	sim_store_crash(store);
	for (size_t i = 0; i < SIM_TABLES; i++)
		while (store->table[i].root != NULL) {
			struct tree_node *node = store->table[i].root;

			tree_remove(&store->table[i], node);
			free(tree_entry(node, struct sim_record, node));
		}
	for (size_t i = 0; i < store->conv_count; i++)
		free_conv(store->conv[i]);
	free(store->conv);
	free(store);
}
