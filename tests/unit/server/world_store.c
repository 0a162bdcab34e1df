#include "world_store.h"

#include "tests/unit/unit.h"

#define LIMIT_MAX 1000
#define PARTS_MAX 64

/* An entry, its bytes behind it. */
struct kept {
	struct store_entry entry;
	uint64_t id;
};

struct world_log {
	uint64_t conversation;
	int64_t last, time_ms, first;
	struct kept *entries; /* entry `seq` at seq - 1 */
	size_t cap;
};

struct world_record {
	enum store_table table;
	struct slice key, value;
};

struct world_batch {
	struct world_batch *next;
	uint64_t ticket;
	struct store_batch batch; /* of these: */
	struct store_entry *entries;
	struct store_record *records;
	struct store_trim *trims;
};

static struct world_store *of(struct store *base)
{
	return (struct world_store *)base;
}

static void *must(void *memory)
{
	CHECK(memory != NULL);
	return memory;
}

static struct slice copy(struct slice bytes)
{
	char *to = must(malloc(bytes.len + 1));

	if (bytes.len > 0)
		memcpy(to, bytes.ptr, bytes.len);
	return slice_make(to, bytes.len);
}

/* A slice lends; these have bytes of their own. */
static void drop(struct slice *bytes)
{
	free((void *)(uintptr_t)bytes->ptr);
	*bytes = slice_make(NULL, 0);
}

/* --- Writing -------------------------------------------------------------------------------- */

static struct world_log *find_log(struct world_store *store, uint64_t conversation)
{
	for (size_t i = 0; i < store->log_count; i++)
		if (store->logs[i].conversation == conversation)
			return &store->logs[i];
	return NULL;
}

static struct world_log *get_log(struct world_store *store, uint64_t conversation)
{
	struct world_log *log = find_log(store, conversation);

	if (log != NULL)
		return log;
	if ((store->log_count & (store->log_count - 1)) == 0) {
		size_t cap = store->log_count > 0 ? store->log_count * 2 : 1;

		store->logs = must(realloc(store->logs, cap * sizeof *store->logs));
	}
	log = &store->logs[store->log_count++];
	*log = (struct world_log){.conversation = conversation, .first = 1};
	return log;
}

static void erase(struct world_log *log, int64_t target, struct slice left)
{
	for (int64_t seq = 1; seq <= log->last; seq++) {
		struct store_entry *entry = &log->entries[seq - 1].entry;

		if ((seq == target && entry->kind == STORE_MESSAGE) ||
		    (entry->target == target && entry->kind == STORE_EDIT)) {
			entry->text.len = 0;
			drop(&entry->extra);
			entry->extra = copy(left);
		}
	}
}

static void write_entry(struct world_store *store, const struct store_entry *entry)
{
	struct world_log *log = get_log(store, entry->conversation);
	struct kept *kept;

	CHECK_INT(entry->seq, log->last + 1);
	CHECK(entry->time_ms >= log->time_ms);
	if ((size_t)log->last == log->cap) {
		log->cap = log->cap > 0 ? log->cap * 2 : 16;
		log->entries = must(realloc(log->entries, log->cap * sizeof *log->entries));
	}
	kept = &log->entries[log->last];
	kept->entry = *entry;
	kept->entry.text = copy(entry->text);
	kept->entry.extra = copy(entry->extra);
	kept->entry.left = (struct slice){NULL, 0};
	kept->id = ++store->next_id;
	log->last = entry->seq;
	log->time_ms = entry->time_ms;
	if (entry->kind == STORE_DELETE)
		erase(log, entry->target, entry->left);
}

static void write_trim(struct world_store *store, const struct store_trim *trim)
{
	struct world_log *log = find_log(store, trim->conversation);
	bool gone = trim->seq == INT64_MAX;
	int64_t upto = log != NULL && trim->seq < log->last ? trim->seq : 0;

	if (log == NULL)
		return;
	if (trim->seq >= log->last)
		upto = log->last;
	for (int64_t seq = log->first; seq <= upto; seq++) {
		drop(&log->entries[seq - 1].entry.text);
		drop(&log->entries[seq - 1].entry.extra);
	}
	if (upto >= log->first)
		log->first = upto + 1;
	if (gone) {
		free(log->entries);
		*log = (struct world_log){.conversation = trim->conversation, .first = 1};
	}
}

static int compare_records(const struct world_record *record, enum store_table table,
    struct slice key)
{
	if (record->table != table)
		return record->table < table ? -1 : 1;
	return slice_compare(record->key, key);
}

/* The place of the first record that is not before this key. */
static size_t place_of(const struct world_store *store, enum store_table table, struct slice key)
{
	size_t from = 0, to = store->record_count;

	while (from < to) {
		size_t at = from + (to - from) / 2;

		if (compare_records(&store->records[at], table, key) < 0)
			from = at + 1;
		else
			to = at;
	}
	return from;
}

static void write_record(struct world_store *store, const struct store_record *record)
{
	size_t at = place_of(store, record->table, record->key);
	struct world_record *place = &store->records[at];
	bool found = at < store->record_count &&
		     compare_records(place, record->table, record->key) == 0;

	CHECK(record->key.len >= 1 && record->key.len <= 255);
	if (found) {
		drop(&place->value);
		if (!record->remove) {
			place->value = copy(record->value);
			return;
		}
		drop(&place->key);
		memmove(place, place + 1, (--store->record_count - at) * sizeof *place);
		return;
	}
	if (record->remove)
		return;
	if (store->record_count == store->record_cap) {
		store->record_cap = store->record_cap * 2 + 16;
		store->records =
		    must(realloc(store->records, store->record_cap * sizeof *store->records));
	}
	place = &store->records[at];
	memmove(place + 1, place, (store->record_count++ - at) * sizeof *place);
	*place = (struct world_record){record->table, copy(record->key), copy(record->value)};
}

static void write_batch(struct world_store *store, const struct store_batch *batch)
{
	for (size_t i = 0; i < batch->entry_count; i++)
		write_entry(store, &batch->entries[i]);
	for (size_t i = 0; i < batch->record_count; i++)
		write_record(store, &batch->records[i]);
	for (size_t i = 0; i < batch->trim_count; i++)
		write_trim(store, &batch->trims[i]);
}

/* --- Batches that wait ---------------------------------------------------------------------- */

static struct world_batch *batch_copy(const struct store_batch *from, uint64_t ticket)
{
	struct world_batch *to = must(calloc(1, sizeof *to));

	to->ticket = ticket;
	to->batch = *from;
	to->batch.entries = to->entries = must(calloc(from->entry_count + 1, sizeof *to->entries));
	to->batch.records = to->records = must(calloc(from->record_count + 1, sizeof *to->records));
	to->batch.trims = to->trims = must(calloc(from->trim_count + 1, sizeof *to->trims));
	for (size_t i = 0; i < from->entry_count; i++) {
		to->entries[i] = from->entries[i];
		to->entries[i].text = copy(from->entries[i].text);
		to->entries[i].extra = copy(from->entries[i].extra);
	}
	for (size_t i = 0; i < from->record_count; i++) {
		to->records[i] = from->records[i];
		to->records[i].key = copy(from->records[i].key);
		to->records[i].value = copy(from->records[i].value);
	}
	for (size_t i = 0; i < from->trim_count; i++)
		to->trims[i] = from->trims[i];
	return to;
}

static void batch_free(struct world_batch *batch)
{
	for (size_t i = 0; i < batch->batch.entry_count; i++) {
		drop(&batch->entries[i].text);
		drop(&batch->entries[i].extra);
	}
	for (size_t i = 0; i < batch->batch.record_count; i++) {
		drop(&batch->records[i].key);
		drop(&batch->records[i].value);
	}
	free(batch->entries);
	free(batch->records);
	free(batch->trims);
	free(batch);
}

static enum status append(struct store *base, const struct store_batch *batch, uint64_t ticket)
{
	struct world_store *store = of(base);
	struct world_batch *waiting;

	CHECK(batch->entry_count + batch->record_count + batch->trim_count > 0);
	if (store->refuse != STATUS_OK)
		return store->refuse;
	if (!store->slow && store->first == NULL) {
		write_batch(store, batch);
		return STATUS_OK;
	}
	waiting = batch_copy(batch, ticket);
	if (store->last != NULL)
		store->last->next = waiting;
	else
		store->first = waiting;
	store->last = waiting;
	store->open++;
	return STATUS_AGAIN;
}

static struct world_batch *take(struct world_store *store)
{
	struct world_batch *batch = store->first;

	if (batch == NULL)
		return NULL;
	store->first = batch->next;
	if (store->first == NULL)
		store->last = NULL;
	store->open--;
	return batch;
}

static void report(struct world_store *store, struct world_batch *batch, enum status status)
{
	uint64_t ticket = batch->ticket;

	batch_free(batch);
	if (store->base.done != NULL)
		store->base.done(store->base.done_arg, ticket, status);
}

bool world_store_commit(struct world_store *store)
{
	struct world_batch *batch = take(store);

	if (batch == NULL)
		return false;
	write_batch(store, &batch->batch);
	report(store, batch, STATUS_OK);
	return true;
}

void world_store_fail(struct world_store *store, enum status status)
{
	struct world_batch *failed = store->first;

	store->first = store->last = NULL;
	store->open = 0;
	store->refuse = status;
	while (failed != NULL) {
		struct world_batch *next = failed->next;

		report(store, failed, status);
		failed = next;
	}
}

static void resume(struct store *base)
{
	of(base)->refuse = STATUS_OK;
}

/* --- Reading -------------------------------------------------------------------------------- */

static bool is_kind(const struct store_read *read, enum store_kind kind)
{
	return read->kinds == 0 || (read->kinds >> kind & 1) != 0;
}

static bool is_in(const struct store_read *read, const struct store_entry *entry)
{
	int64_t place = read->kind == STORE_READ_TARGETS ? entry->target : entry->seq;

	if (read->kind == STORE_READ_TARGETS &&
	    (entry->target == 0 || entry->seq <= read->newer ||
		(read->author != 0 && entry->author != read->author)))
		return false;
	if (read->kind == STORE_READ_ONE)
		return entry->seq == read->after;
	return place > read->after && place < read->before && is_kind(read, entry->kind);
}

static void read_entries(struct world_log *log, const struct store_read *read, store_entry_fn *fn,
    void *arg)
{
	unsigned limit = read->limit < LIMIT_MAX ? read->limit : LIMIT_MAX, found = 0;
	int64_t from = log->first;

	if (read->kind == STORE_READ_ONE)
		limit = 1;
	if (read->newest && read->kind != STORE_READ_ONE) {
		for (from = log->last + 1; from > log->first && found < limit; from--)
			found += is_in(read, &log->entries[from - 2].entry);
		found = 0;
	}
	for (int64_t seq = from; seq <= log->last && found < limit; seq++) {
		const struct store_entry *entry = &log->entries[seq - 1].entry;

		if (!is_in(read, entry))
			continue;
		found++;
		if (!fn(arg, entry))
			return;
	}
}

static bool is_letter(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (unsigned char)c >= 0x80;
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + 'a' - 'A') : c;
}

static bool is_at(struct slice text, size_t at, struct slice part)
{
	if (at + part.len > text.len || (at > 0 && is_letter(text.ptr[at - 1])) ||
	    (at + part.len < text.len && is_letter(text.ptr[at + part.len])))
		return false;
	for (size_t i = 0; i < part.len; i++)
		if (lower(text.ptr[at + i]) != lower(part.ptr[i]))
			return false;
	return true;
}

static bool has_all(struct slice text, const struct slice *parts, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		size_t at = 0;

		while (at < text.len && !is_at(text, at, parts[i]))
			at++;
		if (at == text.len)
			return false;
	}
	return true;
}

/* The words and phrases of a query that have a letter; how many. */
static size_t cut_query(struct slice query, struct slice parts[PARTS_MAX])
{
	size_t count = 0, at = 0;

	while (at < query.len && count < PARTS_MAX) {
		bool quoted = query.ptr[at] == '"', has = false;
		size_t from = at + quoted;

		for (at = from; at < query.len && query.ptr[at] != '"' &&
				(quoted || query.ptr[at] > ' ' || query.ptr[at] < 0);
		     at++)
			has = has || is_letter(query.ptr[at]);
		if (has)
			parts[count++] = slice_make(query.ptr + from, at - from);
		at += quoted || (at < query.len && query.ptr[at] <= ' ' && query.ptr[at] >= 0);
	}
	return count;
}

/* Is this the text that its message has now? */
static bool is_newest(const struct world_log *log, const struct store_entry *entry)
{
	int64_t message = entry->kind == STORE_EDIT ? entry->target : entry->seq;

	for (int64_t seq = entry->seq + 1; seq <= log->last; seq++) {
		const struct store_entry *later = &log->entries[seq - 1].entry;

		if (later->kind == STORE_EDIT && later->target == message)
			return false;
	}
	return true;
}

static bool is_hit(const struct world_log *log, const struct store_entry *entry,
    const struct store_read *read, const struct slice *parts, size_t count)
{
	return (entry->kind == STORE_MESSAGE || entry->kind == STORE_EDIT) &&
	       entry->text.len > 0 && is_kind(read, entry->kind) &&
	       (read->author == 0 || read->author == entry->author) &&
	       entry->time_ms >= read->since_ms && entry->time_ms <= read->until_ms &&
	       has_all(entry->text, parts, count) && is_newest(log, entry);
}

/* The hit that was committed last before number `before`; NULL if there is none. */
static const struct kept *next_hit(struct world_store *store, const struct store_read *read,
    const struct slice *parts, size_t count, uint64_t before)
{
	const struct kept *best = NULL;

	for (size_t i = 0; i < read->conversation_count; i++) {
		struct world_log *log = find_log(store, read->conversations[i]);
		int64_t first = read->firsts != NULL ? read->firsts[i] : 0;

		for (int64_t seq = log != NULL ? log->last : 0; log != NULL && seq >= log->first;
		     seq--) {
			const struct kept *kept = &log->entries[seq - 1];

			if (kept->id < before && (best == NULL || kept->id > best->id) &&
			    (kept->entry.kind == STORE_EDIT ? kept->entry.target : seq) >= first &&
			    is_hit(log, &kept->entry, read, parts, count))
				best = kept;
		}
	}
	return best;
}

static enum status search(struct world_store *store, const struct store_read *read,
    store_entry_fn *fn, void *arg, struct error *err)
{
	unsigned limit = read->limit < LIMIT_MAX ? read->limit : LIMIT_MAX;
	struct slice parts[PARTS_MAX];
	size_t count = cut_query(read->query, parts);
	int64_t skip = read->offset;
	const struct kept *hit;
	uint64_t before = UINT64_MAX;

	if (count == 0)
		return error_set(err, STATUS_INVALID, "the search has no word in it");
	while (limit > 0 && (hit = next_hit(store, read, parts, count, before)) != NULL) {
		before = hit->id;
		if (skip-- > 0)
			continue;
		limit--;
		if (!fn(arg, &hit->entry))
			break;
	}
	return STATUS_OK;
}

static enum status read_store(struct store *base, const struct store_read *read,
    store_entry_fn *fn, void *arg, struct error *err)
{
	struct world_store *store = of(base);
	struct world_log *log;

	store->reads++;
	if (store->read_fails != STATUS_OK)
		return error_set(err, store->read_fails, "cannot read");
	if (read->kind == STORE_SEARCH)
		return search(store, read, fn, arg, err);
	log = find_log(store, read->conversation);
	if (log != NULL)
		read_entries(log, read, fn, arg);
	return STATUS_OK;
}

static enum status load(struct store *base, enum store_table table,
    bool (*fn)(void *arg, struct slice key, struct slice value), void *arg, struct error *err)
{
	struct world_store *store = of(base);

	if (store->read_fails != STATUS_OK)
		return error_set(err, store->read_fails, "cannot read");
	for (size_t i = 0; i < store->record_count; i++)
		if (store->records[i].table == table &&
		    !fn(arg, store->records[i].key, store->records[i].value))
			break;
	return STATUS_OK;
}

static enum status list(struct store *base, enum store_table table, struct slice before,
    unsigned limit, bool (*fn)(void *arg, struct slice key, struct slice value), void *arg,
    struct error *err)
{
	struct world_store *store = of(base);

	if (store->read_fails != STATUS_OK)
		return error_set(err, store->read_fails, "cannot read");
	for (size_t i = store->record_count; i-- > 0 && limit > 0;) {
		if (store->records[i].table != table ||
		    slice_compare(store->records[i].key, before) >= 0)
			continue;
		if (!fn(arg, store->records[i].key, store->records[i].value))
			break;
		limit--;
	}
	return STATUS_OK;
}

static enum status last(struct store *base, uint64_t conversation, int64_t *ret_seq,
    int64_t *ret_time_ms, int64_t *ret_first, struct error *err)
{
	struct world_log *log = find_log(of(base), conversation);

	(void)err;
	*ret_seq = log != NULL ? log->last : 0;
	*ret_time_ms = log != NULL ? log->time_ms : 0;
	*ret_first = log != NULL ? log->first : 1;
	return STATUS_OK;
}

/* --- Birth and end -------------------------------------------------------------------------- */

static void close_store(struct store *base)
{
	struct world_store *store = of(base);

	while (world_store_commit(store))
		;
	for (size_t i = 0; i < store->log_count; i++) {
		for (int64_t seq = 1; seq <= store->logs[i].last; seq++) {
			drop(&store->logs[i].entries[seq - 1].entry.text);
			drop(&store->logs[i].entries[seq - 1].entry.extra);
		}
		free(store->logs[i].entries);
	}
	for (size_t i = 0; i < store->record_count; i++) {
		drop(&store->records[i].key);
		drop(&store->records[i].value);
	}
	free(store->logs);
	free(store->records);
	free(store);
}

struct world_store *world_store_new(void)
{
	static const struct store_ops ops = {append, resume, read_store, load, last, close_store, list,
	    NULL};
	struct world_store *store = must(calloc(1, sizeof *store));

	store->base.ops = &ops;
	return store;
}
