#include "store/store_sqlite_private.h"

#include <inttypes.h>
#include <stdlib.h>

#include "os/log.h"

char *store_path(const char *dir, const char *name)
{
	struct buf path;
	char *copy;

	buf_init(&path, 32768);
	path_join(&path, dir, name);
	copy = path.failed ? NULL : str_dup(buf_slice(&path));
	buf_release(&path);
	return copy;
}

static enum status no_memory(struct error *err, const char *dir)
{
	return error_set(err, STATUS_NOMEM, "cannot use %s: out of memory", dir);
}

/* --- Copies --- */

/* All pages in one step: it reads one snapshot, so that writers neither wait for it nor make it
 * begin anew. The copy is then made one file, which can be read where nothing can be written. */
static enum status copy_pages(struct store_db *from, struct store_db *to)
{
	sqlite3_backup *backup = sqlite3_backup_init(to->handle, "main", from->handle, "main");
	int code;

	if (backup == NULL)
		return store_db_status(sqlite3_errcode(to->handle));
	code = sqlite3_backup_step(backup, -1);
	sqlite3_backup_finish(backup);
	if (code != SQLITE_DONE)
		return code == SQLITE_OK ? STATUS_IO : store_db_status(code);
	return store_db_exec(to, "PRAGMA journal_mode = DELETE");
}

enum status store_copy(struct store_db *from, const char *path, struct error *err)
{
	struct store_db to;
	enum status status = file_write(path, slice_of(""), FILE_PRIVATE, false, err);

	if (status != STATUS_OK)
		return status;
	status = store_db_open(path, STORE_DB_WRITE, true, &to, err);
	if (status == STATUS_OK) {
		status = copy_pages(from, &to);
		if (status != STATUS_OK)
			error_set(
			    err, status, "cannot write the copy %s: %s", path, status_text(status));
		store_db_close(&to);
	}
	if (status != STATUS_OK)
		file_remove(path, NULL);
	return status;
}

enum status store_sqlite_backup(struct store *base, const char *path, struct error *err)
{
	struct store_sqlite *store = (struct store_sqlite *)base;
	struct store_db from;
	enum status status = store_db_open(store->path, STORE_DB_READ, false, &from, err);

	if (status != STATUS_OK)
		return status;
	status = store_copy(&from, path, err);
	store_db_close(&from);
	return status;
}

/* --- Looking at a whole file --- */

static enum status check_pages(struct store_db *db, const char *path, struct error *err)
{
	sqlite3_stmt *statement = NULL;
	enum status status = STATUS_OK;
	int code =
	    sqlite3_prepare_v2(db->handle, "PRAGMA integrity_check(1)", -1, &statement, NULL);

	if (code == SQLITE_OK)
		code = sqlite3_step(statement);
	if (code != SQLITE_ROW)
		status = store_db_fail(db, err, "check", path);
	else if (!slice_is(store_column_slice(statement, 0), "ok"))
		status = error_set(err, STATUS_INVALID, "%s is damaged: %s", path,
		    (const char *)sqlite3_column_text(statement, 0));
	sqlite3_finalize(statement);
	return status;
}

/* `sql` lists conversations that are not as they should be. */
static enum status check_none(
    struct store_db *db, const char *path, const char *sql, const char *what, struct error *err)
{
	int64_t conversation = -1;

	if (store_db_number(db, sql, &conversation) != STATUS_OK)
		return store_db_fail(db, err, "check", path);
	if (conversation < 0)
		return STATUS_OK;
	return error_set(err, STATUS_INVALID, "%s is damaged: conversation %" PRId64 " %s", path,
	    conversation, what);
}

enum status store_check_content(
    struct store_db *db, const char *path, struct store_check *ret_check, struct error *err)
{
	static const char gaps[] =
	    "SELECT c.id FROM conversation c LEFT JOIN (SELECT e.conversation AS id, count(*) AS n,"
	    " min(e.seq) AS low, max(e.seq) AS high FROM entry e JOIN conversation k"
	    " ON k.id = e.conversation AND e.seq >= k.first GROUP BY e.conversation) x USING(id)"
	    " WHERE coalesce(x.n, 0) <> c.last - c.first + 1 OR c.first < 1"
	    " OR (x.n > 0 AND (x.low <> c.first OR x.high <> c.last)) LIMIT 1";
	static const char strays[] =
	    "SELECT DISTINCT conversation FROM entry EXCEPT SELECT id FROM conversation"
	    " EXCEPT SELECT conversation FROM trim LIMIT 1";
	int64_t conversations = 0, entries = 0, records = 0;
	enum status status = check_pages(db, path, err);

	if (status == STATUS_OK)
		status = check_none(db, path, gaps, "lacks entries", err);
	if (status == STATUS_OK)
		status = check_none(db, path, strays, "has entries and no state", err);
	if (status != STATUS_OK)
		return status;
	if (store_db_exec(db, "INSERT INTO search(search) VALUES('integrity-check')") !=
	        STATUS_OK ||
	    store_db_number(db, "SELECT count(*) FROM conversation", &conversations) != STATUS_OK ||
	    store_db_number(db, "SELECT coalesce(sum(last - first + 1), 0) FROM conversation",
	        &entries) != STATUS_OK ||
	    store_db_number(db, "SELECT count(*) FROM record", &records) != STATUS_OK)
		return store_db_fail(db, err, "check", path);
	if (ret_check != NULL)
		*ret_check = (struct store_check){
		    (uint64_t)conversations, (uint64_t)entries, (uint64_t)records};
	return STATUS_OK;
}

enum status store_sqlite_verify(const char *dir, struct store_check *ret, struct error *err)
{
	char *path = store_path(dir, "confab.db");
	struct file_lock *lock = NULL;
	struct store_db db;
	enum status status = STATUS_OK;

	if (path == NULL)
		status = no_memory(err, dir);
	else if (!file_exists(path))
		status = error_set(err, STATUS_NOT_FOUND, "there is no store in %s", dir);
	if (status == STATUS_OK)
		status = store_dir_lock(dir, &lock, err);
	if (status == STATUS_OK)
		status = store_db_open(path, STORE_DB_WRITE, true, &db, err);
	if (status == STATUS_OK) {
		status = store_schema_check(&db, path, err);
		if (status == STATUS_OK)
			status = store_check_content(&db, path, ret, err);
		store_db_close(&db);
	}
	file_unlock(lock);
	free(path);
	return status;
}

/* --- Restoring --- */

/* What has to happen to the names of a directory, in this order, each step harmless when it is
 * done again: a restore that was cut off is finished by whoever opens the directory next. */
struct restore {
	char *db, *db_wal, *db_shm;
	char *restoring; /* the copy while it is made */
	char *restored;  /* whole, checked, and not in its place yet */
	char *replaced, *replaced_wal;
};

static bool restore_init(struct restore *names, const char *dir)
{
	*names = (struct restore){
	    .db = store_path(dir, "confab.db"),
	    .db_wal = store_path(dir, "confab.db-wal"),
	    .db_shm = store_path(dir, "confab.db-shm"),
	    .restoring = store_path(dir, "confab.db.restoring"),
	    .restored = store_path(dir, "confab.db.restored"),
	    .replaced = store_path(dir, "confab.db.replaced"),
	    .replaced_wal = store_path(dir, "confab.db.replaced-wal"),
	};
	return names->db != NULL && names->db_wal != NULL && names->db_shm != NULL &&
	       names->restoring != NULL && names->restored != NULL && names->replaced != NULL &&
	       names->replaced_wal != NULL;
}

static void restore_release(struct restore *names)
{
	free(names->db);
	free(names->db_wal);
	free(names->db_shm);
	free(names->restoring);
	free(names->restored);
	free(names->replaced);
	free(names->replaced_wal);
}

/* The last commits of the old file may be in its WAL: they are brought home, or, where the file is
 * too damaged for that, the WAL stays beside it. It must never be taken for the new file's. */
static enum status put_old_away(const struct restore *names, struct error *err)
{
	struct store_db old;
	enum status status = STATUS_OK;

	if (file_exists(names->db) &&
	    store_db_open(names->db, STORE_DB_WRITE, true, &old, NULL) == STATUS_OK) {
		store_db_exec(&old, "PRAGMA wal_checkpoint(TRUNCATE)");
		store_db_close(&old);
	}
	if (file_exists(names->db))
		status = file_remove(names->replaced_wal, err);
	if (status == STATUS_OK && file_exists(names->db_wal))
		status = file_rename(names->db_wal, names->replaced_wal, true, err);
	if (status == STATUS_OK)
		status = file_remove(names->db_shm, err);
	if (status == STATUS_OK && file_exists(names->db))
		status = file_rename(names->db, names->replaced, true, err);
	return status;
}

enum status store_restore_finish(const char *dir, struct error *err)
{
	struct restore names;
	enum status status = STATUS_OK;

	if (!restore_init(&names, dir)) {
		status = no_memory(err, dir);
	} else if (file_exists(names.restored)) {
		status = put_old_away(&names, err);
		if (status == STATUS_OK)
			status = file_rename(names.restored, names.db, false, err);
	}
	restore_release(&names);
	return status;
}

/* The checked copy of `backup` under the name `restored`. */
static enum status bring(const struct restore *names, const char *backup, struct error *err)
{
	struct store_db from, copy;
	enum status status;

	if (!file_exists(backup))
		return error_set(err, STATUS_NOT_FOUND, "there is no file %s", backup);
	status = file_remove(names->restoring, err);
	if (status == STATUS_OK)
		status = store_db_open(backup, STORE_DB_READ, false, &from, err);
	if (status != STATUS_OK)
		return status;
	status = store_schema_check(&from, backup, err);
	if (status == STATUS_OK)
		status = store_copy(&from, names->restoring, err);
	store_db_close(&from);
	if (status != STATUS_OK)
		return status;
	status = store_db_open(names->restoring, STORE_DB_WRITE, true, &copy, err);
	if (status == STATUS_OK) {
		status = store_check_content(&copy, backup, NULL, err);
		if (status == STATUS_OK && store_epoch_make(&copy) != STATUS_OK)
			status = store_db_fail(&copy, err, "write", names->restoring);
		store_db_close(&copy);
	}
	if (status == STATUS_OK)
		return file_rename(names->restoring, names->restored, true, err);
	file_remove(names->restoring, NULL);
	return status;
}

enum status store_sqlite_restore(const char *dir, const char *backup, struct error *err)
{
	struct restore names;
	struct file_lock *lock = NULL;
	enum status status = file_make_dir(dir, FILE_PRIVATE, err);

	if (status != STATUS_OK)
		return status;
	if (!restore_init(&names, dir))
		status = no_memory(err, dir);
	if (status == STATUS_OK)
		status = store_dir_lock(dir, &lock, err);
	if (status == STATUS_OK)
		status = bring(&names, backup, err);
	if (status == STATUS_OK) {
		status = store_restore_finish(dir, err);
		/* What is told to have failed must not happen at the next start. */
		if (status != STATUS_OK && file_exists(names.db))
			file_remove(names.restored, NULL);
	}
	if (status == STATUS_OK)
		log_info("store", "%s was restored from %s; the old store is %s", names.db, backup,
		    names.replaced);
	file_unlock(lock);
	restore_release(&names);
	return status;
}
