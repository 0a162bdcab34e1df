#include "store/store_sqlite_private.h"

#define LIMIT_MAX 1000

/* --- The pool of handles --- */

/* The place of a free handle, the ones that are open already first; -1 if all are in use. */
static int find_reader(const struct store_sqlite *store)
{
	int found = -1;

	for (int i = 0; i < STORE_READERS_MAX; i++) {
		if (store->reader_taken[i])
			continue;
		if (store->readers[i].handle != NULL)
			return i;
		if (found < 0)
			found = i;
	}
	return found;
}

static void give_place(struct store_sqlite *store, size_t at)
{
	mutex_lock(store->mutex);
	store->reader_taken[at] = false;
	cond_wake_all(store->wake_reader);
	mutex_unlock(store->mutex);
}

enum status store_reader_take(struct store_sqlite *store, struct store_db **ret, struct error *err)
{
	enum status status = STATUS_OK;
	int at;

	mutex_lock(store->mutex);
	while ((at = find_reader(store)) < 0)
		cond_wait(store->wake_reader, store->mutex);
	store->reader_taken[at] = true;
	mutex_unlock(store->mutex);
	if (store->readers[at].handle == NULL)
		status = store_db_open(store->path, STORE_DB_READ, false, &store->readers[at], err);
	if (status != STATUS_OK) {
		give_place(store, (size_t)at);
		return status;
	}
	*ret = &store->readers[at];
	return STATUS_OK;
}

void store_reader_give(struct store_sqlite *store, struct store_db *db)
{
	give_place(store, (size_t)(db - store->readers));
}

/* --- Entries --- */

struct store_entry store_entry_of_row(sqlite3_stmt *row)
{
	return (struct store_entry){
	    .conversation = (uint64_t)sqlite3_column_int64(row, 1),
	    .seq = sqlite3_column_int64(row, 2),
	    .time_ms = sqlite3_column_int64(row, 3),
	    .kind = (enum store_kind)sqlite3_column_int(row, 4),
	    .author = (uint64_t)sqlite3_column_int64(row, 5),
	    .target = sqlite3_column_int64(row, 6),
	    .text = store_column_slice(row, 7),
	    .extra = store_column_slice(row, 8),
	};
}

static enum store_sql statement_for(const struct store_read *read)
{
	switch (read->kind) {
	case STORE_READ_RANGE:
		return read->newest ? SQL_RANGE_NEWEST : SQL_RANGE_OLDEST;
	case STORE_READ_TARGETS:
		return read->newest ? SQL_TARGETS_NEWEST : SQL_TARGETS_OLDEST;
	case STORE_READ_ONE:
	case STORE_SEARCH:
		break;
	}
	return SQL_ONE;
}

static enum status read_entries(
    struct store_db *db, const struct store_read *read, store_entry_fn *fn, void *arg)
{
	enum store_sql which = statement_for(read);
	sqlite3_stmt *row = store_db_statement(db, which);
	enum status status;

	sqlite3_bind_int64(row, 1, (int64_t)read->conversation);
	sqlite3_bind_int64(row, 2, read->after);
	if (which != SQL_ONE) {
		sqlite3_bind_int64(row, 3, read->before);
		sqlite3_bind_int64(row, 4, read->kinds);
		sqlite3_bind_int64(row, 5, read->limit < LIMIT_MAX ? read->limit : LIMIT_MAX);
	}
	if (read->kind == STORE_READ_TARGETS) {
		sqlite3_bind_int64(row, 6, read->newer);
		sqlite3_bind_int64(row, 7, (int64_t)read->author);
	}
	while (store_db_row(db, row, &status)) {
		struct store_entry entry = store_entry_of_row(row);

		if (!fn(arg, &entry)) {
			sqlite3_reset(row);
			return STATUS_OK;
		}
	}
	return status;
}

/* To those who only know the store a damaged file is a failure of the disk. */
static enum status read_fail(struct store_sqlite *store, struct store_db *db, struct error *err)
{
	enum status status = store_db_fail(db, err, "read", store->path);

	if (status == STATUS_INVALID && err != NULL)
		err->status = STATUS_IO;
	return status == STATUS_INVALID ? STATUS_IO : status;
}

enum status store_sqlite_read(struct store *base, const struct store_read *read, store_entry_fn *fn,
    void *arg, struct error *err)
{
	struct store_sqlite *store = (struct store_sqlite *)base;
	struct store_db *db;
	enum status status = store_reader_take(store, &db, err);

	if (status != STATUS_OK)
		return status;
	if (read->kind == STORE_SEARCH) {
		status = store_search(store, db, read, fn, arg, err);
	} else {
		status = read_entries(db, read, fn, arg);
		if (status != STATUS_OK)
			status = read_fail(store, db, err);
	}
	store_reader_give(store, db);
	return status;
}

/* --- Records and conversations --- */

static enum status read_records(struct store_sqlite *store, struct store_db *db, sqlite3_stmt *row,
    bool (*fn)(void *arg, struct slice key, struct slice value), void *arg, struct error *err)
{
	enum status status;

	while (store_db_row(db, row, &status)) {
		if (!fn(arg, store_column_slice(row, 0), store_column_slice(row, 1))) {
			sqlite3_reset(row);
			break;
		}
	}
	return status == STATUS_OK ? STATUS_OK : read_fail(store, db, err);
}

enum status store_sqlite_load(struct store *base, enum store_table table,
    bool (*fn)(void *arg, struct slice key, struct slice value), void *arg, struct error *err)
{
	struct store_sqlite *store = (struct store_sqlite *)base;
	sqlite3_stmt *row;
	struct store_db *db;
	enum status status = store_reader_take(store, &db, err);

	if (status != STATUS_OK)
		return status;
	row = store_db_statement(db, SQL_RECORD_LIST);
	sqlite3_bind_int64(row, 1, table);
	status = read_records(store, db, row, fn, arg, err);
	store_reader_give(store, db);
	return status;
}

enum status store_sqlite_list(struct store *base, enum store_table table, struct slice before,
    unsigned limit, bool (*fn)(void *arg, struct slice key, struct slice value), void *arg,
    struct error *err)
{
	struct store_sqlite *store = (struct store_sqlite *)base;
	sqlite3_stmt *row;
	struct store_db *db;
	enum status status = store_reader_take(store, &db, err);

	if (status != STATUS_OK)
		return status;
	row = store_db_statement(db, SQL_RECORD_BEFORE);
	sqlite3_bind_int64(row, 1, table);
	store_bind_slice(row, 2, before, false);
	sqlite3_bind_int64(row, 3, limit < LIMIT_MAX ? limit : LIMIT_MAX);
	status = read_records(store, db, row, fn, arg, err);
	store_reader_give(store, db);
	return status;
}

enum status store_sqlite_last(struct store *base, uint64_t conversation, int64_t *ret_seq,
    int64_t *ret_time_ms, int64_t *ret_first, struct error *err)
{
	struct store_sqlite *store = (struct store_sqlite *)base;
	int64_t seq = 0, time_ms = 0, first = 1;
	sqlite3_stmt *row;
	struct store_db *db;
	enum status status = store_reader_take(store, &db, err);

	if (status != STATUS_OK)
		return status;
	row = store_db_statement(db, SQL_CONVERSATION_GET);
	sqlite3_bind_int64(row, 1, (int64_t)conversation);
	if (store_db_row(db, row, &status)) {
		seq = sqlite3_column_int64(row, 0);
		time_ms = sqlite3_column_int64(row, 1);
		first = sqlite3_column_int64(row, 2);
		sqlite3_reset(row);
	}
	if (status != STATUS_OK) {
		status = read_fail(store, db, err);
	} else {
		*ret_seq = seq;
		*ret_time_ms = time_ms;
		*ret_first = first;
	}
	store_reader_give(store, db);
	return status;
}
