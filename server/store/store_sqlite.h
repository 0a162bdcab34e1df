/*
 * The store in one SQLite file (WAL) of the data directory: a writer thread with group commit,
 * readers of their own for whoever calls, a search index that follows in transactions of its own,
 * checkpoints on a handle of their own. SQLite's header is seen in store_sqlite*.c only; every
 * value goes in as a bound parameter.
 *
 * Files: confab.db (with -wal and -shm), confab.lock (held by the process that owns the directory),
 * confab.db.before-N (a copy made before migration N).
 */
#ifndef CONFAB_SERVER_STORE_SQLITE_H
#define CONFAB_SERVER_STORE_SQLITE_H

#include "store/store.h"

enum store_durability {
	STORE_FULL,   /* a commit survives power loss */
	STORE_NORMAL, /* a commit survives the process's end */
};

/* Opens or makes the file in `dir` (made with rights for the owner only, if missing) and takes the
 * directory's lock. EXISTS: another process has it; INVALID: the file is damaged, or of a newer
 * version than this program knows; ACCESS, NO_SPACE, IO. `err` says what to do. Blocks. */
enum status store_sqlite_open(const char *dir, enum store_durability durability,
    struct store **ret, struct error *err);

/* The history line's name, made with the file and anew by a restore. Lent. */
const char *store_sqlite_epoch(const struct store *store);

/* A consistent copy while the store works, not starved by writers. EXISTS if the file is there.
 * Blocks; the pool. */
enum status store_sqlite_backup(struct store *store, const char *path, struct error *err);

/* For a directory without a running server (they take the lock themselves): puts a backup in the
 * place of the store with a new epoch (the old file stays as confab.db.replaced); checks the file
 * and that every conversation's seq is dense. */
enum status store_sqlite_restore(const char *dir, const char *backup, struct error *err);

struct store_check {
	uint64_t conversations, entries, records;
};
enum status store_sqlite_verify(const char *dir, struct store_check *ret, struct error *err);

#endif
