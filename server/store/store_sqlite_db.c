#include "store/store_sqlite_private.h"

#define ENTRY_COLUMNS "id, conversation, seq, time, kind, author, target, text, extra"
/* Not trimmed; without a conversation, none is. */
#define KEPT(seq) seq " >= (SELECT first FROM conversation WHERE id = ?1)"
#define OF_KINDS "(?4 = 0 OR (?4 >> kind) & 1)"
#define RANGE                                                                                      \
	"SELECT " ENTRY_COLUMNS " FROM entry WHERE conversation = ?1 AND seq > ?2 AND seq < ?3"    \
	" AND " KEPT("seq") " AND " OF_KINDS
/* "+seq": no index over seq is wanted here, but the one over targets. */
#define TARGETS                                                                                    \
	"SELECT " ENTRY_COLUMNS " FROM entry WHERE conversation = ?1 AND target > ?2"              \
	" AND target < ?3 AND " KEPT("+seq") " AND " OF_KINDS                                      \
	" AND +seq > ?6 AND (?7 = 0 OR author = ?7)"

static const char *const texts[SQL_COUNT] = {
    [SQL_BEGIN] = "BEGIN IMMEDIATE",
    [SQL_BEGIN_READ] = "BEGIN",
    [SQL_COMMIT] = "COMMIT",
    [SQL_ROLLBACK] = "ROLLBACK",
    [SQL_META_GET] = "SELECT value FROM meta WHERE key = ?1",
    [SQL_META_PUT] = "INSERT OR REPLACE INTO meta(key, value) VALUES(?1, ?2)",
    [SQL_META_REMOVE] = "DELETE FROM meta WHERE key = ?1",
    [SQL_CONVERSATION_GET] = "SELECT last, time, first FROM conversation WHERE id = ?1",
    [SQL_CONVERSATION_PUT] = "INSERT INTO conversation(id, last, time, first) VALUES(?1, ?2, ?3, 1)"
                             " ON CONFLICT(id) DO UPDATE SET last = ?2, time = ?3",
    [SQL_CONVERSATION_FIRST] = "UPDATE conversation SET first = max(first, min(?2, last) + 1)"
                               " WHERE id = ?1",
    [SQL_CONVERSATION_REMOVE] = "DELETE FROM conversation WHERE id = ?1",
    [SQL_ENTRY_PUT] = "INSERT INTO entry(" ENTRY_COLUMNS ")"
                      " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    [SQL_ENTRY_ERASE] = "UPDATE entry SET text = '', extra = ?3 WHERE id IN ("
                        "SELECT id FROM entry WHERE conversation = ?1 AND seq = ?2 AND kind = 1"
                        " UNION ALL SELECT id FROM entry WHERE conversation = ?1 AND target = ?2"
                        " AND kind = 2)",
    [SQL_RECORD_PUT] = "INSERT OR REPLACE INTO record(tbl, key, value) VALUES(?1, ?2, ?3)",
    [SQL_RECORD_REMOVE] = "DELETE FROM record WHERE tbl = ?1 AND key = ?2",
    [SQL_RECORD_LIST] = "SELECT key, value FROM record WHERE tbl = ?1 ORDER BY key",
    [SQL_RECORD_BEFORE] = "SELECT key, value FROM record WHERE tbl = ?1 AND key < ?2"
                          " ORDER BY key DESC LIMIT ?3",
    [SQL_TRIM_PUT] = "INSERT INTO trim(conversation, seq) VALUES(?1, ?2)"
                     " ON CONFLICT(conversation) DO UPDATE SET seq = max(seq, ?2)",
    [SQL_TRIM_FIRST] = "SELECT conversation, seq FROM trim LIMIT 1",
    [SQL_TRIM_REMOVE] = "DELETE FROM trim WHERE conversation = ?1 AND seq = ?2",
    [SQL_TRIM_ENTRIES] = "SELECT id, kind, seq, target FROM entry"
                         " WHERE conversation = ?1 AND seq <= ?2 ORDER BY seq LIMIT ?3",
    [SQL_ENTRY_REMOVE] = "DELETE FROM entry WHERE id = ?1",
    [SQL_RANGE_OLDEST] = RANGE " ORDER BY seq LIMIT ?5",
    [SQL_RANGE_NEWEST] = "SELECT * FROM (" RANGE " ORDER BY seq DESC LIMIT ?5) ORDER BY seq",
    [SQL_TARGETS_OLDEST] = TARGETS " ORDER BY +seq LIMIT ?5",
    [SQL_TARGETS_NEWEST] = "SELECT * FROM (" TARGETS " ORDER BY +seq DESC LIMIT ?5) ORDER BY seq",
    [SQL_ONE] = "SELECT " ENTRY_COLUMNS " FROM entry WHERE conversation = ?1 AND seq = ?2"
                " AND " KEPT("seq"),
    [SQL_BY_ID] = "SELECT " ENTRY_COLUMNS " FROM entry WHERE id = ?1 AND"
                  " seq >= (SELECT first FROM conversation WHERE id = entry.conversation)",
    [SQL_VERSION] =
        "SELECT id, author, text FROM entry WHERE conversation = ?1 AND seq = ?2 AND kind = 1"
        " AND id <= ?3"
        " UNION ALL SELECT id, author, text FROM entry WHERE conversation = ?1"
        " AND target = ?2 AND kind = 2 AND id <= ?3 ORDER BY 1 DESC LIMIT 1",
    [SQL_UNINDEXED] = "SELECT id, conversation, seq, kind, author, target, text FROM entry"
                      " WHERE id > ?1 ORDER BY id LIMIT ?2",
    [SQL_INDEX_PUT] = "INSERT INTO search(rowid, place, text) VALUES(?1, ?2, ?3)",
    [SQL_INDEX_REMOVE] = "INSERT INTO search(search, rowid, place, text)"
                         " VALUES('delete', ?1, ?2, ?3)",
    [SQL_INDEX_MERGE] = "INSERT INTO search(search, rank) VALUES('merge', ?1)",
    [SQL_SEARCH] = "SELECT rowid FROM search WHERE search MATCH ?1 ORDER BY rowid DESC",
};

enum status store_db_status(int code)
{
	switch (code & 0xFF) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE:
		return STATUS_OK;
	case SQLITE_FULL:
		return STATUS_NO_SPACE;
	case SQLITE_PERM:
	case SQLITE_READONLY:
	case SQLITE_CANTOPEN:
	case SQLITE_AUTH:
		return STATUS_ACCESS;
	case SQLITE_NOMEM:
		return STATUS_NOMEM;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return STATUS_INVALID;
	default:
		return STATUS_IO;
	}
}

enum status store_db_fail(
    struct store_db *db, struct error *err, const char *what, const char *path)
{
	enum status status = store_db_status(sqlite3_errcode(db->handle));

	/* Where SQLite saw no failure it was ours, and that can only be a lack of memory. */
	if (status == STATUS_OK)
		return error_set(err, STATUS_NOMEM, "cannot %s %s: out of memory", what, path);
	if (status == STATUS_INVALID)
		return error_set(err, status,
		    "cannot %s %s: the file is damaged (%s); put a backup in its place with "
		    "\"confab-server restore\"",
		    what, path, sqlite3_errmsg(db->handle));
	return error_set(err, status, "cannot %s %s: %s", what, path, sqlite3_errmsg(db->handle));
}

enum status store_db_open(
    const char *path, enum store_db_use use, bool full, struct store_db *ret, struct error *err)
{
	static const char settings[] =
	    "PRAGMA trusted_schema = OFF; PRAGMA secure_delete = ON; PRAGMA temp_store = MEMORY;"
	    "PRAGMA cache_size = -8000; PRAGMA wal_autocheckpoint = 0;"
	    "PRAGMA cell_size_check = ON;";
	struct store_db db = {0};
	int code =
	    sqlite3_open_v2(path, &db.handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
	enum status status;

	if (db.handle == NULL)
		return error_set(err, STATUS_NOMEM, "cannot open %s: out of memory", path);
	status = store_db_status(code);
	/* Recovery after a crash is the only time when a handle waits for another. */
	sqlite3_busy_timeout(db.handle, 10000);
	sqlite3_db_config(db.handle, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
	sqlite3_db_config(db.handle, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
	sqlite3_db_config(db.handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	if (status == STATUS_OK)
		status = store_db_exec(&db, settings);
	if (status == STATUS_OK)
		status = store_db_exec(
		    &db, full ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL");
	if (status == STATUS_OK && use == STORE_DB_READ)
		status = store_db_exec(&db, "PRAGMA query_only = ON");
	if (status != STATUS_OK) {
		status = store_db_fail(&db, err, "open", path);
		store_db_close(&db);
		return status;
	}
	*ret = db;
	return STATUS_OK;
}

void store_db_close(struct store_db *db)
{
	for (size_t i = 0; i < SQL_COUNT; i++)
		sqlite3_finalize(db->statements[i]);
	sqlite3_close_v2(db->handle);
	*db = (struct store_db){0};
}

sqlite3_stmt *store_db_statement(struct store_db *db, enum store_sql which)
{
	sqlite3_stmt **statement = &db->statements[which];

	if (*statement == NULL)
		sqlite3_prepare_v3(
		    db->handle, texts[which], -1, SQLITE_PREPARE_PERSISTENT, statement, NULL);
	if (*statement != NULL) {
		sqlite3_reset(*statement);
		sqlite3_clear_bindings(*statement);
	}
	return *statement;
}

enum status store_db_run(struct store_db *db, sqlite3_stmt *statement)
{
	enum status status;

	while (store_db_row(db, statement, &status))
		;
	return status;
}

bool store_db_row(struct store_db *db, sqlite3_stmt *statement, enum status *ret_status)
{
	int code;

	if (statement == NULL) {
		enum status status = store_db_status(sqlite3_errcode(db->handle));

		*ret_status = status != STATUS_OK ? status : STATUS_NOMEM;
		return false;
	}
	code = sqlite3_step(statement);
	*ret_status = store_db_status(code);
	if (code == SQLITE_ROW)
		return true;
	sqlite3_reset(statement);
	return false;
}

enum status store_db_do(struct store_db *db, enum store_sql which)
{
	return store_db_run(db, store_db_statement(db, which));
}

enum status store_db_exec(struct store_db *db, const char *sql)
{
	return store_db_status(sqlite3_exec(db->handle, sql, NULL, NULL, NULL));
}

enum status store_db_number(struct store_db *db, const char *sql, int64_t *ret)
{
	sqlite3_stmt *statement = NULL;
	int code = sqlite3_prepare_v2(db->handle, sql, -1, &statement, NULL);

	if (code == SQLITE_OK)
		code = sqlite3_step(statement);
	if (code == SQLITE_ROW)
		*ret = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	return store_db_status(code);
}

void store_db_rollback(struct store_db *db)
{
	for (size_t i = 0; i < SQL_COUNT; i++)
		if (db->statements[i] != NULL)
			sqlite3_reset(db->statements[i]);
	/* Some failures have rolled back by themselves. */
	if (!sqlite3_get_autocommit(db->handle))
		store_db_do(db, SQL_ROLLBACK);
}

enum status store_meta_number(struct store_db *db, const char *key, int64_t *ret)
{
	sqlite3_stmt *get = store_db_statement(db, SQL_META_GET);
	enum status status;

	store_bind_slice(get, 1, slice_of(key), true);
	if (!store_db_row(db, get, &status))
		return status != STATUS_OK ? status : STATUS_NOT_FOUND;
	*ret = sqlite3_column_int64(get, 0);
	sqlite3_reset(get);
	return STATUS_OK;
}

enum status store_meta_text(struct store_db *db, const char *key, char *to, size_t size)
{
	sqlite3_stmt *get = store_db_statement(db, SQL_META_GET);
	enum status status;

	store_bind_slice(get, 1, slice_of(key), true);
	if (!store_db_row(db, get, &status))
		return status != STATUS_OK ? status : STATUS_NOT_FOUND;
	str_copy(to, size, store_column_slice(get, 0));
	sqlite3_reset(get);
	return STATUS_OK;
}

enum status store_meta_put_number(struct store_db *db, const char *key, int64_t value)
{
	sqlite3_stmt *put = store_db_statement(db, SQL_META_PUT);

	store_bind_slice(put, 1, slice_of(key), true);
	sqlite3_bind_int64(put, 2, value);
	return store_db_run(db, put);
}

enum status store_meta_put_text(struct store_db *db, const char *key, const char *value)
{
	sqlite3_stmt *put = store_db_statement(db, SQL_META_PUT);

	store_bind_slice(put, 1, slice_of(key), true);
	store_bind_slice(put, 2, slice_of(value), true);
	return store_db_run(db, put);
}

/* The bytes are lent until the statement is run to its end. */
void store_bind_slice(sqlite3_stmt *statement, int at, struct slice bytes, bool text)
{
	const char *ptr = bytes.len > 0 ? bytes.ptr : "";

	if (text)
		sqlite3_bind_text64(statement, at, ptr, bytes.len, SQLITE_STATIC, SQLITE_UTF8);
	else
		sqlite3_bind_blob64(statement, at, ptr, bytes.len, SQLITE_STATIC);
}

struct slice store_column_slice(sqlite3_stmt *statement, int at)
{
	const char *bytes = sqlite3_column_blob(statement, at);
	int len = sqlite3_column_bytes(statement, at);

	return bytes != NULL && len > 0 ? slice_make(bytes, (size_t)len) : slice_make("", 0);
}
