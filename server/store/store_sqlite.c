#include "store/store_sqlite_private.h"

#include <inttypes.h>
#include <stdlib.h>

#include "os/log.h"

/* --- Turns --- */

void store_turn_take(struct store_sqlite *store, bool first)
{
	mutex_lock(store->mutex);
	store->turn_first += first;
	while (store->turn_taken || (!first && store->turn_first > 0))
		cond_wait(store->wake_turn, store->mutex);
	store->turn_taken = true;
	store->turn_first -= first;
	mutex_unlock(store->mutex);
}

void store_turn_give(struct store_sqlite *store)
{
	mutex_lock(store->mutex);
	store->turn_taken = false;
	cond_wake_all(store->wake_turn);
	mutex_unlock(store->mutex);
}

/* --- Appending --- */

static size_t job_size(const struct store_batch *batch)
{
	size_t size = sizeof(struct store_job) + batch->entry_count * sizeof *batch->entries +
	              batch->record_count * sizeof *batch->records +
	              batch->trim_count * sizeof *batch->trims;

	for (size_t i = 0; i < batch->entry_count; i++)
		size += batch->entries[i].text.len + batch->entries[i].extra.len +
			batch->entries[i].left.len;
	for (size_t i = 0; i < batch->record_count; i++)
		size += batch->records[i].key.len + batch->records[i].value.len;
	return size;
}

static void *take_array(char **at, const void *from, size_t size)
{
	void *to = *at;

	if (size > 0)
		memcpy(to, from, size);
	*at += size;
	return to;
}

static void take_bytes(char **at, struct slice *bytes)
{
	if (bytes->len > 0)
		memcpy(*at, bytes->ptr, bytes->len);
	bytes->ptr = *at;
	*at += bytes->len;
}

/* Everything in one piece of memory: the arrays first, which keeps them aligned, then the bytes. */
static struct store_job *job_new(const struct store_batch *batch, uint64_t ticket)
{
	size_t size = job_size(batch);
	struct store_job *job = malloc(size);
	struct store_entry *entries;
	struct store_record *records;
	char *at;

	if (job == NULL)
		return NULL;
	at = (char *)(job + 1);
	*job = (struct store_job){.ticket = ticket, .bytes = size, .batch = *batch};
	entries = take_array(&at, batch->entries, batch->entry_count * sizeof *entries);
	records = take_array(&at, batch->records, batch->record_count * sizeof *records);
	job->batch.trims = take_array(&at, batch->trims, batch->trim_count * sizeof *batch->trims);
	for (size_t i = 0; i < batch->entry_count; i++) {
		take_bytes(&at, &entries[i].text);
		take_bytes(&at, &entries[i].extra);
		take_bytes(&at, &entries[i].left);
	}
	for (size_t i = 0; i < batch->record_count; i++) {
		take_bytes(&at, &records[i].key);
		take_bytes(&at, &records[i].value);
	}
	job->batch.entries = entries;
	job->batch.records = records;
	return job;
}

static enum status sqlite_append(
    struct store *base, const struct store_batch *batch, uint64_t ticket)
{
	struct store_sqlite *store = (struct store_sqlite *)base;
	struct store_job *job = job_new(batch, ticket);
	enum status status = STATUS_AGAIN;

	if (job == NULL)
		return STATUS_NOMEM;
	mutex_lock(store->mutex);
	if (store->failed != STATUS_OK) {
		status = store->failed;
	} else if (store->queue_bytes + job->bytes > STORE_QUEUE_MAX &&
	           !list_is_empty(&store->queue)) {
		status = STATUS_FULL;
	} else {
		if (list_is_empty(&store->queue))
			cond_wake_all(store->wake_writer);
		list_put(&store->queue, &job->link);
		store->queue_bytes += job->bytes;
	}
	mutex_unlock(store->mutex);
	if (status != STATUS_AGAIN)
		free(job);
	return status;
}

static void sqlite_resume(struct store *base)
{
	struct store_sqlite *store = (struct store_sqlite *)base;

	mutex_lock(store->mutex);
	store->resumed = true;
	if (!store->probe_needed)
		store->failed = STATUS_OK;
	mutex_unlock(store->mutex);
}

/* --- Opening and closing --- */

static void join(struct store_sqlite *store, struct thread *thread, bool *stopping)
{
	if (thread == NULL)
		return;
	mutex_lock(store->mutex);
	*stopping = true;
	cond_wake_all(store->wake_writer);
	cond_wake_all(store->wake_keeper);
	mutex_unlock(store->mutex);
	thread_join(thread);
}

static void sqlite_close(struct store *base)
{
	struct store_sqlite *store = (struct store_sqlite *)base;

	join(store, store->writer_thread, &store->stopping);
	join(store, store->keeper_thread, &store->keeper_stopping);
	for (size_t i = 0; i < STORE_READERS_MAX; i++)
		store_db_close(&store->readers[i]);
	store_db_close(&store->keeper);
	store_db_close(&store->index);
	/* The last handle brings the WAL home and removes it. */
	store_db_close(&store->writer);
	file_unlock(store->lock);
	cond_free(store->wake_turn);
	cond_free(store->wake_reader);
	cond_free(store->wake_keeper);
	cond_free(store->wake_writer);
	mutex_free(store->index_mutex);
	mutex_free(store->mutex);
	free(store->path);
	free(store);
}

enum status store_dir_lock(const char *dir, struct file_lock **ret, struct error *err)
{
	char *path = store_path(dir, "confab.lock");
	struct error reason = {.status = STATUS_NOMEM, .text = "out of memory"};
	enum status status = STATUS_NOMEM;

	if (path != NULL)
		status = file_lock(path, ret, &reason);
	free(path);
	if (status == STATUS_EXISTS)
		return error_set(err, status,
		    "the data directory %s is in use (%s): stop that server first, or use another "
		    "directory",
		    dir, reason.text);
	if (status != STATUS_OK)
		return error_set(
		    err, status, "cannot use the data directory %s: %s", dir, reason.text);
	return STATUS_OK;
}

static int count_pages(void *arg, sqlite3 *handle, const char *name, int pages)
{
	struct store_sqlite *store = arg;

	(void)handle;
	(void)name;
	atomic_store(&store->wal_pages, pages);
	return SQLITE_OK;
}

static enum status read_state(struct store_sqlite *store)
{
	struct store_db *db = &store->writer;
	int64_t last = 0, indexed = 0, trims = 0, erased = 0;
	enum status status = store_meta_text(db, "epoch", store->epoch, sizeof store->epoch);

	if (status == STATUS_OK)
		status = store_db_number(db, "SELECT coalesce(max(id), 0) FROM entry", &last);
	if (status == STATUS_OK)
		status = store_db_number(db, "SELECT count(*) FROM trim", &trims);
	if (status == STATUS_OK)
		status = store_meta_number(db, "indexed", &indexed);
	if (status == STATUS_OK || status == STATUS_NOT_FOUND)
		status = store_meta_number(db, "erased", &erased);
	if (status != STATUS_OK && status != STATUS_NOT_FOUND)
		return status;
	/* The newest entries may have been trimmed: their numbers are known to the index. */
	store->next_id = (last > indexed ? last : indexed) + 1;
	atomic_store(&store->committed_id, store->next_id - 1);
	atomic_store(&store->indexed_id, indexed);
	atomic_store(&store->trims_waiting, trims > 0);
	atomic_store(&store->erased, erased != 0);
	return STATUS_OK;
}

static enum status open_file(struct store_sqlite *store, const char *dir, struct error *err)
{
	enum status status = store_restore_finish(dir, err);

	/* Made here, so that nobody else can read it: SQLite gives its other files the same rights.
	 */
	if (status == STATUS_OK && !file_exists(store->path))
		status = file_write(store->path, slice_of(""), FILE_PRIVATE, false, err);
	if (status == STATUS_OK)
		status = store_db_open(store->path, STORE_DB_WRITE, store->full, &store->writer, err);
	if (status == STATUS_OK)
		status = store_schema_open(&store->writer, store->path, err);
	if (status == STATUS_OK && read_state(store) != STATUS_OK)
		status = store_db_fail(&store->writer, err, "open", store->path);
	/* What the index does can be done again: its commits need not survive power loss. */
	if (status == STATUS_OK)
		status = store_db_open(store->path, STORE_DB_WRITE, false, &store->index, err);
	if (status == STATUS_OK)
		status = store_db_open(store->path, STORE_DB_WRITE, store->full, &store->keeper, err);
	if (status != STATUS_OK)
		return status;
	sqlite3_busy_timeout(store->keeper.handle, 20);
	/* Prepared while there is memory, so that no transaction of the keeper's stays open. */
	if (store_db_statement(&store->keeper, SQL_ROLLBACK) == NULL)
		return store_db_fail(&store->keeper, err, "open", store->path);
	sqlite3_wal_hook(store->writer.handle, count_pages, store);
	sqlite3_wal_hook(store->index.handle, count_pages, store);
	return STATUS_OK;
}

static struct store_sqlite *new_closed(const char *dir)
{
	static const struct store_ops ops = {
	    sqlite_append,
	    sqlite_resume,
	    store_sqlite_read,
	    store_sqlite_load,
	    store_sqlite_last,
	    sqlite_close,
	    store_sqlite_list,
	    store_sqlite_backup,
	};
	struct store_sqlite *store = calloc(1, sizeof *store);

	if (store == NULL)
		return NULL;
	store->base.ops = &ops;
	store->path = store_path(dir, "confab.db");
	if (store->path == NULL) {
		free(store);
		return NULL;
	}
	store->mutex = mutex_new();
	store->index_mutex = mutex_new();
	store->wake_writer = cond_new();
	store->wake_keeper = cond_new();
	store->wake_reader = cond_new();
	store->wake_turn = cond_new();
	list_init(&store->queue);
	return store;
}

enum status store_sqlite_open(
    const char *dir, enum store_durability durability, struct store **ret, struct error *err)
{
	enum status status = file_make_dir(dir, FILE_PRIVATE, err);
	struct store_sqlite *store;

	if (status != STATUS_OK)
		return status;
	store = new_closed(dir);
	if (store == NULL)
		return error_set(err, STATUS_NOMEM, "cannot open %s: out of memory", dir);
	store->full = durability == STORE_FULL;
	status = store_dir_lock(dir, &store->lock, err);
	if (status == STATUS_OK)
		status = open_file(store, dir, err);
	if (status == STATUS_OK &&
	    (thread_start("store", store_writer_run, store, &store->writer_thread) != STATUS_OK ||
	        thread_start("store-keeper", store_keeper_run, store, &store->keeper_thread) !=
	            STATUS_OK))
		status = error_set(err, STATUS_NOMEM, "cannot start the store's threads");
	if (status != STATUS_OK) {
		sqlite_close(&store->base);
		return status;
	}
	log_debug("store", "%s is open, %" PRId64 " entries written so far", store->path,
	    atomic_load(&store->committed_id));
	*ret = &store->base;
	return STATUS_OK;
}

const char *store_sqlite_epoch(const struct store *store)
{
	return ((const struct store_sqlite *)store)->epoch;
}
