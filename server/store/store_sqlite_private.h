/*
 * What the files of the SQLite store share; only for store_sqlite*.c and their tests.
 *
 * Handles and who uses them: `writer` the writer thread; `index` whoever holds `index_mutex`
 * (housekeeping, or a search that catches up); `keeper` housekeeping's care of the WAL; readers whoever
 * took one from the pool. SQLite lets one handle write at a time, so those that write take turns
 * (store_turn_take), and the writer thread never waits for more than one small transaction.
 *
 * Locks, in the order in which they may be taken: index_mutex, turn, mutex. None is held while
 * the owner is told of a ticket.
 */
#ifndef CONFAB_SERVER_STORE_SQLITE_PRIVATE_H
#define CONFAB_SERVER_STORE_SQLITE_PRIVATE_H

#include <sqlite3.h>
#include <stdatomic.h>

#include "base/list.h"
#include "os/file.h"
#include "os/thread.h"
#include "store/store_sqlite.h"

#define STORE_READERS_MAX 4
#define STORE_QUEUE_MAX (64u << 20)     /* bytes waiting for the writer */
#define STORE_WAL_CHECKPOINT 1000       /* pages (4 KiB) after which a checkpoint is worth it */
#define STORE_WAL_LARGE 16000           /* pages after which the writer has to wait for one */
#define STORE_PROBE_MS 1000             /* between two tries while the disk fails */
#define STORE_APPLICATION_ID 0x436F6E66 /* in the file's header, for file(1) and for us */

/* --- Handles and statements (store_sqlite_db.c) --- */

/* Every statement there is; the texts stand in store_sqlite_db.c. */
enum store_sql {
	SQL_BEGIN,
	SQL_BEGIN_READ,
	SQL_COMMIT,
	SQL_ROLLBACK,
	SQL_META_GET,
	SQL_META_PUT,
	SQL_META_REMOVE,
	SQL_CONVERSATION_GET,
	SQL_CONVERSATION_PUT,
	SQL_CONVERSATION_FIRST,
	SQL_CONVERSATION_REMOVE,
	SQL_ENTRY_PUT,
	SQL_ENTRY_ERASE,
	SQL_RECORD_PUT,
	SQL_RECORD_REMOVE,
	SQL_RECORD_LIST,
	SQL_RECORD_BEFORE,
	SQL_TRIM_PUT,
	SQL_TRIM_FIRST,
	SQL_TRIM_REMOVE,
	SQL_TRIM_ENTRIES,
	SQL_ENTRY_REMOVE,
	SQL_RANGE_OLDEST,
	SQL_RANGE_NEWEST,
	SQL_TARGETS_OLDEST,
	SQL_TARGETS_NEWEST,
	SQL_ONE,
	SQL_BY_ID,
	SQL_VERSION, /* the newest text of a message */
	SQL_UNINDEXED,
	SQL_INDEX_PUT,
	SQL_INDEX_REMOVE,
	SQL_INDEX_MERGE,
	SQL_SEARCH,
	SQL_COUNT
};

struct store_db {
	sqlite3 *handle;
	sqlite3_stmt *statements[SQL_COUNT]; /* prepared when first used */
};

enum store_db_use { STORE_DB_WRITE, STORE_DB_READ };

/* Opens the file, which must exist, with the settings that all handles share. `full`: commits of
 * this handle survive power loss. On failure nothing is left open. */
enum status store_db_open(
    const char *path, enum store_db_use use, bool full, struct store_db *ret, struct error *err);
void store_db_close(struct store_db *db);

/* The statement, reset and without values; NULL if it cannot be prepared (see store_db_status). */
sqlite3_stmt *store_db_statement(struct store_db *db, enum store_sql which);
/* Runs a statement to its end and resets it. STATUS_OK or what went wrong. NULL is a failure. */
enum status store_db_run(struct store_db *db, sqlite3_stmt *statement);
/* One more row? Otherwise the statement is reset, and *ret_status tells whether that was its end.
 * NULL is a failure. */
bool store_db_row(struct store_db *db, sqlite3_stmt *statement, enum status *ret_status);
enum status store_db_do(struct store_db *db, enum store_sql which);
/* SQL texts of ours, one or several statements, without values. */
enum status store_db_exec(struct store_db *db, const char *sql);
/* The first column of a statement without values as a number. */
enum status store_db_number(struct store_db *db, const char *sql, int64_t *ret);
/* Leaves a transaction that failed, in whatever state it is. */
void store_db_rollback(struct store_db *db);

/* What a code of SQLite's means to us; FULL is NO_SPACE, a damaged file INVALID. */
enum status store_db_status(int code);
/* Fills `err` with the handle's last failure: "cannot <what>: <reason>". */
enum status store_db_fail(
    struct store_db *db, struct error *err, const char *what, const char *path);

enum status store_meta_number(struct store_db *db, const char *key, int64_t *ret);
enum status store_meta_put_number(struct store_db *db, const char *key, int64_t value);
enum status store_meta_put_text(struct store_db *db, const char *key, const char *value);
/* STATUS_NOT_FOUND if there is none. */
enum status store_meta_text(struct store_db *db, const char *key, char *to, size_t size);

void store_bind_slice(sqlite3_stmt *statement, int at, struct slice bytes, bool text);
struct slice store_column_slice(sqlite3_stmt *statement, int at);

/* --- The schema (store_sqlite_schema.c) --- */

struct store_migration {
	int version; /* 1, 2, 3, … */
	const char *sql;
};

/* Makes the schema of an empty file, or brings an older one up to date, after a copy of the file
 * to `path`.before-N. INVALID: newer than the last migration, or not ours, or damaged. */
enum status store_schema_update(struct store_db *db, const char *path,
    const struct store_migration *migrations, size_t count, struct error *err);
/* The same with the migrations of this program; also sees to it that there is an epoch. */
enum status store_schema_open(struct store_db *db, const char *path, struct error *err);
/* Ours, whole, and not newer than we know? Changes nothing. */
enum status store_schema_check(struct store_db *db, const char *path, struct error *err);
enum status store_epoch_make(struct store_db *db);

/* --- Whole files (store_sqlite_copy.c) --- */

/* A consistent copy of what `from` sees into a new private file. EXISTS. */
enum status store_copy(struct store_db *from, const char *path, struct error *err);
/* Counts into *ret_check, which may be NULL. INVALID: damaged, or a seq is missing. */
enum status store_check_content(
    struct store_db *db, const char *path, struct store_check *ret_check, struct error *err);
/* Puts a restored file in its place, if a restore was cut off before. Under the directory's lock.
 */
enum status store_restore_finish(const char *dir, struct error *err);
/* Takes the directory's lock. EXISTS. */
enum status store_dir_lock(const char *dir, struct file_lock **ret, struct error *err);
/* "dir/name" on the heap. */
char *store_path(const char *dir, const char *name);

/* --- The store (store_sqlite.c) --- */

/* A batch in the queue: the lent bytes follow in the same piece of memory. */
struct store_job {
	struct list link;
	uint64_t ticket;
	enum status status; /* known after the writer has seen it */
	size_t bytes;
	struct store_batch batch;
};

struct store_sqlite {
	struct store base; /* first, so that the two pointers are one */
	char *path;
	bool full; /* commits survive power loss */
	struct file_lock *lock;
	char epoch[STORE_EPOCH_SIZE];

	struct mutex *mutex;
	struct cond *wake_writer, *wake_keeper, *wake_reader, *wake_turn;
	struct thread *writer_thread, *keeper_thread;

	/* Under `mutex`. */
	struct list queue;
	size_t queue_bytes;
	bool stopping, keeper_stopping;
	enum status failed; /* appends are refused with it; OK: all is well */
	bool resumed;       /* since the failure */
	bool probe_needed;  /* the disk has failed, and no write has succeeded since */
	bool turn_taken;
	unsigned turn_first; /* the writer thread waits for its turn */
	bool keeper_poked;

	struct store_db writer;
	int64_t next_id; /* writer thread's */

	struct mutex *index_mutex;
	struct store_db index; /* under index_mutex */
	atomic_bool index_damaged;
	_Atomic(int64_t) committed_id; /* the last entry's inner number */
	_Atomic(int64_t) indexed_id;   /* what the index has seen */
	atomic_bool trims_waiting;
	atomic_bool erased; /* words of erased texts may still be in the index's pages */

	struct store_db keeper; /* the housekeeping thread's */
	atomic_int wal_pages;   /* in the WAL after the last commit but housekeeping's own */

	/* The pool, under `mutex`. */
	struct store_db readers[STORE_READERS_MAX];
	bool reader_taken[STORE_READERS_MAX];
};

/* A turn at writing. `first`: before those who are not. */
void store_turn_take(struct store_sqlite *store, bool first);
void store_turn_give(struct store_sqlite *store);

/* --- Threads --- */

void store_writer_run(void *arg); /* store_sqlite_write.c */
void store_keeper_run(void *arg); /* store_sqlite_keep.c */
void store_keeper_poke(struct store_sqlite *store);
bool store_keeper_stopping(struct store_sqlite *store);

/* --- Reading (store_sqlite_read.c) --- */

enum status store_sqlite_read(struct store *store, const struct store_read *read,
    store_entry_fn *fn, void *arg, struct error *err);
enum status store_sqlite_load(struct store *store, enum store_table table,
    bool (*fn)(void *arg, struct slice key, struct slice value), void *arg, struct error *err);
enum status store_sqlite_list(struct store *store, enum store_table table, struct slice before,
    unsigned limit, bool (*fn)(void *arg, struct slice key, struct slice value), void *arg,
    struct error *err);
enum status store_sqlite_last(struct store *store, uint64_t conversation, int64_t *ret_seq,
    int64_t *ret_time_ms, int64_t *ret_first, struct error *err);
enum status store_reader_take(struct store_sqlite *store, struct store_db **ret, struct error *err);
void store_reader_give(struct store_sqlite *store, struct store_db *db);
/* A row of one of the statements that list entries; the bytes are lent until the next step. */
struct store_entry store_entry_of_row(sqlite3_stmt *row);

/* --- The search index (store_sqlite_index.c, store_sqlite_search.c) --- */

/* Brings the index up to what was committed before the call; ends early when the store closes. */
enum status store_index_catch_up(struct store_sqlite *store);
/* One small transaction of removing trimmed entries; *ret_more: there is more to do. */
enum status store_index_trim(struct store_sqlite *store, bool *ret_more);
/* A little of rewriting the index without what was removed from it; `begin` starts it. */
enum status store_index_merge(struct store_sqlite *store, bool begin, bool *ret_more);
/* Takes a message's text out of the index, if it has it, before the text is erased: within the
 * caller's transaction. `indexed`: the last entry that the index has seen. */
enum status store_index_forget(
    struct store_db *db, uint64_t conversation, int64_t message, int64_t indexed);
enum status store_search(struct store_sqlite *store, struct store_db *db,
    const struct store_read *read, store_entry_fn *fn, void *arg, struct error *err);

#endif
