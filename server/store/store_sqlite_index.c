/*
 * The search index: filled in the order of the entries' inner numbers, some time after their
 * commit, in small transactions of its own. Of a message it has the newest text only: an edit takes
 * the former text out, deleting and trimming take out what is there. Since the index keeps no
 * texts, whatever is taken out is given to it again word for word, so it must be known exactly
 * what is in it: the newest version of a message among the entries up to the number "indexed" in
 * meta, if that version has a text.
 */
#include "store/store_sqlite_private.h"

#include <inttypes.h>

#include "os/clock.h"
#include "os/log.h"

#define CHUNK_ENTRIES 256 /* in one transaction */
#define CHUNK_MS 5
#define MERGE_PAGES 64

/* The words of the column "place". */
struct place {
	char text[64];
};

static struct slice place_of(int64_t conversation, int64_t author, struct place *place)
{
	snprintf(place->text, sizeof place->text, "c%" PRId64 " a%" PRId64, conversation, author);
	return slice_of(place->text);
}

static enum status index_change(
    struct store_db *db, enum store_sql which, int64_t id, struct slice place, struct slice text)
{
	sqlite3_stmt *change = store_db_statement(db, which);

	sqlite3_bind_int64(change, 1, id);
	store_bind_slice(change, 2, place, true);
	store_bind_slice(change, 3, text, true);
	return store_db_run(db, change);
}

/* Takes the newest text of a message among the entries up to `indexed` out; with `only` not 0 only
 * if that is the entry of this number. */
static enum status forget(
    struct store_db *db, int64_t conversation, int64_t message, int64_t indexed, int64_t only)
{
	sqlite3_stmt *version = store_db_statement(db, SQL_VERSION);
	enum status status;
	struct place place;
	struct slice text;
	int64_t id;

	sqlite3_bind_int64(version, 1, conversation);
	sqlite3_bind_int64(version, 2, message);
	sqlite3_bind_int64(version, 3, indexed);
	if (!store_db_row(db, version, &status))
		return status;
	id = sqlite3_column_int64(version, 0);
	text = store_column_slice(version, 2);
	if (text.len > 0 && (only == 0 || only == id))
		status = index_change(db, SQL_INDEX_REMOVE, id,
		    place_of(conversation, sqlite3_column_int64(version, 1), &place), text);
	sqlite3_reset(version);
	return status;
}

enum status store_index_forget(
    struct store_db *db, uint64_t conversation, int64_t message, int64_t indexed)
{
	return forget(db, (int64_t)conversation, message, indexed, 0);
}

/* --- Filling --- */

/* `row`: id, conversation, seq, kind, author, target, text. */
static enum status index_row(struct store_db *db, sqlite3_stmt *row)
{
	int64_t id = sqlite3_column_int64(row, 0), conversation = sqlite3_column_int64(row, 1);
	int kind = sqlite3_column_int(row, 3);
	enum status status = STATUS_OK;
	struct place place;
	struct slice text;

	if (kind == STORE_EDIT)
		status = forget(db, conversation, sqlite3_column_int64(row, 5), id - 1, 0);
	if (status != STATUS_OK || (kind != STORE_EDIT && kind != STORE_MESSAGE))
		return status;
	text = store_column_slice(row, 6);
	if (text.len == 0)
		return STATUS_OK;
	return index_change(db, SQL_INDEX_PUT, id,
	    place_of(conversation, sqlite3_column_int64(row, 4), &place), text);
}

/* Goes on from entry `from` until there is nothing more, or enough for one transaction. */
static enum status index_rows(struct store_sqlite *store, int64_t from, int64_t *ret_to)
{
	struct store_db *db = &store->index;
	sqlite3_stmt *row = store_db_statement(db, SQL_UNINDEXED);
	uint64_t begin = clock_mono_ms();
	enum status status;
	int64_t to = from;

	sqlite3_bind_int64(row, 1, from);
	sqlite3_bind_int64(row, 2, CHUNK_ENTRIES);
	while (store_db_row(db, row, &status)) {
		status = index_row(db, row);
		if (status != STATUS_OK) {
			sqlite3_reset(row);
			return status;
		}
		to = sqlite3_column_int64(row, 0);
		if (clock_mono_ms() - begin >= CHUNK_MS) {
			sqlite3_reset(row);
			break;
		}
	}
	*ret_to = to;
	return status;
}

/* One transaction. Entries that were trimmed meanwhile leave nothing to index: then all up to
 * `goal` is done. */
static enum status index_chunk(struct store_sqlite *store, int64_t goal)
{
	struct store_db *db = &store->index;
	int64_t from = atomic_load(&store->indexed_id), to = from;
	enum status status;

	store_turn_take(store, false);
	status = store_db_do(db, SQL_BEGIN);
	if (status == STATUS_OK)
		status = index_rows(store, from, &to);
	if (to == from && to < goal)
		to = goal;
	if (status == STATUS_OK)
		status = store_meta_put_number(db, "indexed", to);
	if (status == STATUS_OK)
		status = store_db_do(db, SQL_COMMIT);
	if (status == STATUS_OK)
		atomic_store(&store->indexed_id, to);
	else
		store_db_rollback(db);
	store_turn_give(store);
	return status;
}

/* A damaged index costs nothing but the time to make it again. */
static enum status begin_anew(struct store_sqlite *store)
{
	struct store_db *db = &store->index;
	enum status status;

	log_warn("store", "the search index of %s is damaged and will be made anew", store->path);
	store_turn_take(store, false);
	status = store_db_do(db, SQL_BEGIN);
	if (status == STATUS_OK)
		status = store_db_exec(db, "INSERT INTO search(search) VALUES('delete-all')");
	if (status == STATUS_OK)
		status = store_meta_put_number(db, "indexed", 0);
	if (status == STATUS_OK)
		status = store_db_do(db, SQL_COMMIT);
	if (status == STATUS_OK)
		atomic_store(&store->indexed_id, 0);
	else
		store_db_rollback(db);
	store_turn_give(store);
	return status;
}

enum status store_index_catch_up(struct store_sqlite *store)
{
	int64_t goal = atomic_load(&store->committed_id);
	enum status status = STATUS_OK;
	bool anew = false;

	if (atomic_load(&store->indexed_id) >= goal)
		return STATUS_OK;
	mutex_lock(store->index_mutex);
	while (status == STATUS_OK && atomic_load(&store->indexed_id) < goal &&
	       !store_keeper_stopping(store)) {
		status = index_chunk(store, goal);
		if (status == STATUS_INVALID && !anew) {
			anew = true;
			status = begin_anew(store);
		}
	}
	mutex_unlock(store->index_mutex);
	return status;
}

/* --- Trimming --- */

struct trimmed {
	int64_t id, message; /* message 0: its text is not searched */
};

/* The entries to be removed next. They are noted before any goes, as the list would move. */
static enum status list_trimmed(
    struct store_db *db, int64_t conversation, int64_t seq, struct trimmed *to, size_t *ret_count)
{
	sqlite3_stmt *row = store_db_statement(db, SQL_TRIM_ENTRIES);
	enum status status;
	size_t count = 0;

	sqlite3_bind_int64(row, 1, conversation);
	sqlite3_bind_int64(row, 2, seq);
	sqlite3_bind_int64(row, 3, CHUNK_ENTRIES);
	while (store_db_row(db, row, &status)) {
		int kind = sqlite3_column_int(row, 1);

		to[count++] = (struct trimmed){
		    .id = sqlite3_column_int64(row, 0),
		    .message = kind == STORE_MESSAGE ? sqlite3_column_int64(row, 2)
		               : kind == STORE_EDIT  ? sqlite3_column_int64(row, 3)
		                                     : 0,
		};
	}
	*ret_count = count;
	return status;
}

static enum status remove_entries(struct store_db *db, int64_t conversation, int64_t indexed,
    const struct trimmed *list, size_t count)
{
	enum status status = STATUS_OK;

	for (size_t i = 0; i < count && status == STATUS_OK; i++) {
		sqlite3_stmt *remove;

		if (list[i].message != 0 && list[i].id <= indexed)
			status = forget(db, conversation, list[i].message, indexed, list[i].id);
		if (status != STATUS_OK)
			break;
		remove = store_db_statement(db, SQL_ENTRY_REMOVE);
		sqlite3_bind_int64(remove, 1, list[i].id);
		status = store_db_run(db, remove);
	}
	return status;
}

/* Within a transaction: *ret_more is false when no conversation waits to be trimmed. */
static enum status trim_some(struct store_sqlite *store, bool *ret_more)
{
	struct store_db *db = &store->index;
	sqlite3_stmt *next = store_db_statement(db, SQL_TRIM_FIRST);
	struct trimmed list[CHUNK_ENTRIES];
	int64_t conversation, seq;
	enum status status;
	size_t count;

	*ret_more = store_db_row(db, next, &status);
	if (!*ret_more)
		return status;
	conversation = sqlite3_column_int64(next, 0);
	seq = sqlite3_column_int64(next, 1);
	sqlite3_reset(next);
	status = list_trimmed(db, conversation, seq, list, &count);
	if (status == STATUS_OK)
		status =
		    remove_entries(db, conversation, atomic_load(&store->indexed_id), list, count);
	if (status != STATUS_OK || count == CHUNK_ENTRIES)
		return status;
	next = store_db_statement(db, SQL_TRIM_REMOVE);
	sqlite3_bind_int64(next, 1, conversation);
	sqlite3_bind_int64(next, 2, seq);
	status = store_db_run(db, next);
	atomic_store(&store->erased, true);
	return status == STATUS_OK ? store_meta_put_number(db, "erased", 1) : status;
}

enum status store_index_trim(struct store_sqlite *store, bool *ret_more)
{
	struct store_db *db = &store->index;
	enum status status;

	mutex_lock(store->index_mutex);
	store_turn_take(store, false);
	status = store_db_do(db, SQL_BEGIN);
	if (status == STATUS_OK)
		status = trim_some(store, ret_more);
	if (status == STATUS_OK)
		status = store_db_do(db, SQL_COMMIT);
	if (status != STATUS_OK)
		store_db_rollback(db);
	store_turn_give(store);
	mutex_unlock(store->index_mutex);
	return status;
}

/* --- Rewriting --- */

/* FTS5 notes what was taken out and drops the words when it next merges the pages in question. A
 * negative number of pages makes all pages ready to be merged; it says that nothing is left to do
 * by changing less than two rows. */
enum status store_index_merge(struct store_sqlite *store, bool begin, bool *ret_more)
{
	struct store_db *db = &store->index;
	sqlite3_stmt *merge;
	enum status status;
	int before;

	mutex_lock(store->index_mutex);
	store_turn_take(store, false);
	status = store_db_do(db, SQL_BEGIN);
	before = sqlite3_total_changes(db->handle);
	merge = store_db_statement(db, SQL_INDEX_MERGE);
	sqlite3_bind_int64(merge, 1, begin ? -MERGE_PAGES : MERGE_PAGES);
	if (status == STATUS_OK)
		status = store_db_run(db, merge);
	*ret_more = sqlite3_total_changes(db->handle) - before >= 2;
	/* Unless something was erased since this merge began. */
	if (status == STATUS_OK && !*ret_more && !atomic_load(&store->erased))
		status = store_meta_put_number(db, "erased", 0);
	if (status == STATUS_OK)
		status = store_db_do(db, SQL_COMMIT);
	if (status != STATUS_OK)
		store_db_rollback(db);
	store_turn_give(store);
	mutex_unlock(store->index_mutex);
	return status;
}
