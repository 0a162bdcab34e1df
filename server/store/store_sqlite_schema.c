#include "store/store_sqlite_private.h"

#include <inttypes.h>

#include "os/clock.h"
#include "os/log.h"
#include "os/random.h"

/* A migration that has been in a release is never changed: another one follows it.
 *
 * Entries have an inner number, in the order of their commits over all conversations: writing is
 * sequential, the search index knows entries by it, and how far that has come is one number.
 * An entry without a target has NULL there, so that the index over targets has no row of it.
 *
 * The search index keeps no texts ("contentless"): a word is taken out of it by giving it the text
 * again, which happens before that is erased. Its column "place" has one word for the conversation
 * and one for the author, so that these are looked up in the index, too. */
static const struct store_migration migrations[] = {
    {1, "CREATE TABLE meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID;"
        "CREATE TABLE conversation(id INTEGER PRIMARY KEY, last INTEGER NOT NULL,"
        " time INTEGER NOT NULL, first INTEGER NOT NULL);"
        "CREATE TABLE entry(id INTEGER PRIMARY KEY, conversation INTEGER NOT NULL,"
        " seq INTEGER NOT NULL, time INTEGER NOT NULL, kind INTEGER NOT NULL,"
        " author INTEGER NOT NULL, target INTEGER, text TEXT NOT NULL, extra BLOB);"
        "CREATE UNIQUE INDEX entry_place ON entry(conversation, seq);"
        "CREATE INDEX entry_target ON entry(conversation, target) WHERE target IS NOT NULL;"
        "CREATE TABLE record(tbl INTEGER NOT NULL, key BLOB NOT NULL, value BLOB NOT NULL,"
        " PRIMARY KEY(tbl, key)) WITHOUT ROWID;"
        "CREATE TABLE trim(conversation INTEGER PRIMARY KEY, seq INTEGER NOT NULL);"
        "CREATE VIRTUAL TABLE search USING fts5(place, text, content='', columnsize=0,"
        " tokenize='unicode61 remove_diacritics 2');"},
};

enum status store_epoch_make(struct store_db *db)
{
	char epoch[STORE_EPOCH_SIZE];

	snprintf(epoch, sizeof epoch, "%016" PRIx64, random_u64());
	return store_meta_put_text(db, "epoch", epoch);
}

/* What the file says it is. An empty one is version 0 and `empty`. */
static enum status read_version(struct store_db *db, const char *path, int64_t newest,
    int64_t *ret_version, bool *ret_empty, struct error *err)
{
	int64_t application = 0, version = 0, tables = 0;

	if (store_db_number(db, "PRAGMA application_id", &application) != STATUS_OK ||
	    store_db_number(db, "PRAGMA user_version", &version) != STATUS_OK ||
	    store_db_number(db, "SELECT count(*) FROM sqlite_schema", &tables) != STATUS_OK)
		return store_db_fail(db, err, "open", path);
	if (application != STORE_APPLICATION_ID && (tables > 0 || version != 0))
		return error_set(err, STATUS_INVALID,
		    "%s is a database, but none of Confab's: move it away, or use another "
		    "directory",
		    path);
	if (version > newest || version < 0)
		return error_set(err, STATUS_INVALID,
		    "%s was written by a newer version of this program (its schema is %" PRId64
		    ", this program knows %" PRId64 "): use that version",
		    path, version, newest);
	*ret_version = version;
	*ret_empty = tables == 0;
	return STATUS_OK;
}

static enum status migrate_one(struct store_db *db, const struct store_migration *migration)
{
	char pragma[100];
	enum status status = store_db_exec(db, "BEGIN IMMEDIATE");

	if (status == STATUS_OK)
		status = store_db_exec(db, migration->sql);
	snprintf(pragma, sizeof pragma, "PRAGMA application_id = %d; PRAGMA user_version = %d",
	    STORE_APPLICATION_ID, migration->version);
	if (status == STATUS_OK)
		status = store_db_exec(db, pragma);
	if (status == STATUS_OK)
		status = store_db_exec(db, "COMMIT");
	return status;
}

/* path.before-N; one that is there comes from a migration that did not end, of the same file. */
static enum status copy_before(
    struct store_db *db, const char *path, int version, struct error *err)
{
	struct buf name;
	enum status status;

	buf_init(&name, 32768);
	buf_put_fmt(&name, "%s.before-%d", path, version);
	status = file_remove(buf_text(&name), err);
	if (status == STATUS_OK)
		status = store_copy(db, buf_text(&name), err);
	if (status == STATUS_OK)
		log_info(
		    "store", "a copy was made before the schema is changed: %s", buf_text(&name));
	buf_release(&name);
	return status;
}

enum status store_schema_update(struct store_db *db, const char *path,
    const struct store_migration *list, size_t count, struct error *err)
{
	int64_t version;
	bool empty;
	enum status status = read_version(db, path, list[count - 1].version, &version, &empty, err);

	if (status != STATUS_OK)
		return status;
	if (!empty && version < list[count - 1].version) {
		status = copy_before(db, path, (int)version + 1, err);
		if (status != STATUS_OK)
			return status;
	}
	for (size_t i = 0; i < count; i++) {
		if (list[i].version <= version)
			continue;
		if (migrate_one(db, &list[i]) != STATUS_OK) {
			status = store_db_fail(db, err, "change the schema of", path);
			store_db_rollback(db);
			return status;
		}
	}
	return STATUS_OK;
}

enum status store_schema_check(struct store_db *db, const char *path, struct error *err)
{
	const int64_t newest = migrations[sizeof migrations / sizeof *migrations - 1].version;
	int64_t version;
	bool empty;
	enum status status = read_version(db, path, newest, &version, &empty, err);

	if (status == STATUS_OK && empty)
		return error_set(err, STATUS_INVALID, "%s has nothing in it", path);
	return status;
}

static enum status use_wal(struct store_db *db, const char *path, struct error *err)
{
	sqlite3_stmt *statement = NULL;
	enum status status = STATUS_IO;
	bool row = sqlite3_prepare_v2(db->handle, "PRAGMA journal_mode = WAL", -1, &statement,
	               NULL) == SQLITE_OK &&
	           sqlite3_step(statement) == SQLITE_ROW;

	if (!row)
		status = store_db_fail(db, err, "open", path);
	else if (slice_is(store_column_slice(statement, 0), "wal"))
		status = STATUS_OK;
	else
		status = error_set(err, STATUS_ACCESS,
		    "cannot use %s: its file system does not let several handles share memory (a "
		    "network share?); use a local disk",
		    path);
	sqlite3_finalize(statement);
	return status;
}

enum status store_schema_open(struct store_db *db, const char *path, struct error *err)
{
	char epoch[STORE_EPOCH_SIZE];
	int64_t version;
	bool empty;
	const size_t count = sizeof migrations / sizeof *migrations;
	enum status status =
	    read_version(db, path, migrations[count - 1].version, &version, &empty, err);

	if (status == STATUS_OK)
		status = use_wal(db, path, err);
	if (status == STATUS_OK)
		status = store_schema_update(db, path, migrations, count, err);
	if (status != STATUS_OK)
		return status;
	status = store_meta_text(db, "epoch", epoch, sizeof epoch);
	if (status == STATUS_NOT_FOUND) {
		status = store_meta_put_number(db, "created", clock_unix_ms());
		if (status == STATUS_OK)
			status = store_epoch_make(db);
	}
	return status == STATUS_OK ? STATUS_OK : store_db_fail(db, err, "open", path);
}
