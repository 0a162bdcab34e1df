/*
 * The writer thread: takes everything that is queued as one transaction, commits, and reports the
 * tickets in their order. When the disk fails, everything that is queued fails with it, and the
 * thread tries the disk again once a second until it takes a write.
 */
#include "store/store_sqlite_private.h"

#include <inttypes.h>
#include <stdlib.h>

#include "os/clock.h"
#include "os/log.h"

/* --- What a batch writes --- */

/* The conversation that a run of entries belongs to, written once at the run's end. */
struct run {
	int64_t conversation; /* 0: none */
	int64_t last, time_ms;
};

static enum status run_end(struct store_db *db, struct run *run)
{
	sqlite3_stmt *put;

	if (run->conversation == 0)
		return STATUS_OK;
	put = store_db_statement(db, SQL_CONVERSATION_PUT);
	sqlite3_bind_int64(put, 1, run->conversation);
	sqlite3_bind_int64(put, 2, run->last);
	sqlite3_bind_int64(put, 3, run->time_ms);
	run->conversation = 0;
	return store_db_run(db, put);
}

static enum status run_begin(struct store_db *db, struct run *run, int64_t conversation)
{
	sqlite3_stmt *get = store_db_statement(db, SQL_CONVERSATION_GET);
	enum status status;

	*run = (struct run){.conversation = conversation};
	sqlite3_bind_int64(get, 1, conversation);
	if (!store_db_row(db, get, &status))
		return status;
	run->last = sqlite3_column_int64(get, 0);
	run->time_ms = sqlite3_column_int64(get, 1);
	sqlite3_reset(get);
	return STATUS_OK;
}

static enum status put_entry(struct store_sqlite *store, const struct store_entry *entry)
{
	struct store_db *db = &store->writer;
	sqlite3_stmt *put = store_db_statement(db, SQL_ENTRY_PUT);

	sqlite3_bind_int64(put, 1, store->next_id++);
	sqlite3_bind_int64(put, 2, (int64_t)entry->conversation);
	sqlite3_bind_int64(put, 3, entry->seq);
	sqlite3_bind_int64(put, 4, entry->time_ms);
	sqlite3_bind_int64(put, 5, entry->kind);
	sqlite3_bind_int64(put, 6, (int64_t)entry->author);
	if (entry->target != 0)
		sqlite3_bind_int64(put, 7, entry->target);
	store_bind_slice(put, 8, entry->text, true);
	if (entry->extra.len > 0)
		store_bind_slice(put, 9, entry->extra, false);
	return store_db_run(db, put);
}

/* The texts of a deleted message go in the transaction that deletes it, the index's words, too.
 * That "erased" is set makes housekeeping rewrite the index's pages. */
static enum status erase(struct store_sqlite *store, const struct store_entry *entry)
{
	struct store_db *db = &store->writer;
	sqlite3_stmt *statement;
	int64_t indexed = 0;
	enum status status = store_meta_number(db, "indexed", &indexed);

	if (status != STATUS_OK && status != STATUS_NOT_FOUND)
		return status;
	status = store_index_forget(db, entry->conversation, entry->target, indexed);
	/* A damaged index is made anew; that must not keep a text from being erased. */
	if (status != STATUS_OK && status != STATUS_INVALID)
		return status;
	statement = store_db_statement(db, SQL_ENTRY_ERASE);
	sqlite3_bind_int64(statement, 1, (int64_t)entry->conversation);
	sqlite3_bind_int64(statement, 2, entry->target);
	store_bind_slice(statement, 3, entry->left, false);
	status = store_db_run(db, statement);
	atomic_store(&store->erased, true);
	return status == STATUS_OK ? store_meta_put_number(db, "erased", 1) : status;
}

static enum status write_entries(
    struct store_sqlite *store, const struct store_batch *batch, bool *ret_gap)
{
	struct store_db *db = &store->writer;
	struct run run = {0};
	enum status status = STATUS_OK;

	for (size_t i = 0; i < batch->entry_count && status == STATUS_OK; i++) {
		const struct store_entry *entry = &batch->entries[i];

		if (run.conversation != (int64_t)entry->conversation) {
			status = run_end(db, &run);
			if (status == STATUS_OK)
				status = run_begin(db, &run, (int64_t)entry->conversation);
		}
		if (status != STATUS_OK)
			return status;
		if (entry->conversation - 1 >= INT64_MAX || entry->seq != run.last + 1) {
			log_error("store",
			    "refused: entry %" PRId64 " of conversation %" PRIu64
			    " cannot follow entry %" PRId64,
			    entry->seq, entry->conversation, run.last);
			*ret_gap = true;
			return STATUS_INVALID;
		}
		run.last = entry->seq;
		run.time_ms = entry->time_ms;
		status = put_entry(store, entry);
		if (status == STATUS_OK && entry->kind == STORE_DELETE)
			status = erase(store, entry);
	}
	return status == STATUS_OK ? run_end(db, &run) : status;
}

static enum status write_record(struct store_db *db, const struct store_record *record)
{
	sqlite3_stmt *statement =
	    store_db_statement(db, record->remove ? SQL_RECORD_REMOVE : SQL_RECORD_PUT);

	sqlite3_bind_int64(statement, 1, record->table);
	store_bind_slice(statement, 2, record->key, false);
	if (!record->remove)
		store_bind_slice(statement, 3, record->value, false);
	return store_db_run(db, statement);
}

/* Nobody sees the entries any more from this commit on; housekeeping removes them little by
 * little, since there may be very many. */
static enum status write_trim(struct store_db *db, const struct store_trim *trim)
{
	bool gone = trim->seq == INT64_MAX;
	sqlite3_stmt *statement =
	    store_db_statement(db, gone ? SQL_CONVERSATION_REMOVE : SQL_CONVERSATION_FIRST);
	enum status status;

	sqlite3_bind_int64(statement, 1, (int64_t)trim->conversation);
	if (!gone)
		sqlite3_bind_int64(statement, 2, trim->seq);
	status = store_db_run(db, statement);
	if (status != STATUS_OK)
		return status;
	statement = store_db_statement(db, SQL_TRIM_PUT);
	sqlite3_bind_int64(statement, 1, (int64_t)trim->conversation);
	sqlite3_bind_int64(statement, 2, trim->seq);
	return store_db_run(db, statement);
}

static enum status write_batch(
    struct store_sqlite *store, const struct store_batch *batch, bool *ret_gap)
{
	enum status status = write_entries(store, batch, ret_gap);

	for (size_t i = 0; i < batch->record_count && status == STATUS_OK; i++)
		status = write_record(&store->writer, &batch->records[i]);
	for (size_t i = 0; i < batch->trim_count && status == STATUS_OK; i++)
		status = write_trim(&store->writer, &batch->trims[i]);
	return status;
}

/* --- Transactions --- */

/* A file that was deleted or moved away takes writes as before, and nobody would ever see them. */
static bool has_moved(struct store_db *db)
{
	int moved = 0;

	return sqlite3_file_control(db->handle, "main", SQLITE_FCNTL_HAS_MOVED, &moved) ==
	           SQLITE_OK &&
	       moved != 0;
}

/* Writes the jobs before `end` (all: the list's head) in one transaction. *ret_gap: the job that
 * cannot follow what is there; nothing was written then. */
static enum status write_jobs(
    struct store_sqlite *store, struct list *jobs, struct list *end, struct list **ret_gap)
{
	int64_t first_id = store->next_id;
	enum status status;

	store_turn_take(store, true);
	status = has_moved(&store->writer) ? STATUS_IO : store_db_do(&store->writer, SQL_BEGIN);
	for (struct list *at = jobs->next; at != end && status == STATUS_OK; at = at->next) {
		bool gap = false;

		status = write_batch(store, &list_entry(at, struct store_job, link)->batch, &gap);
		if (gap)
			*ret_gap = at;
	}
	if (status == STATUS_OK)
		status = store_db_do(&store->writer, SQL_COMMIT);
	if (status != STATUS_OK) {
		if (*ret_gap == NULL)
			log_error("store", "cannot write %s: %s", store->path,
			    has_moved(&store->writer) ? "it was moved or deleted"
			                              : sqlite3_errmsg(store->writer.handle));
		store_db_rollback(&store->writer);
		store->next_id = first_id;
	}
	store_turn_give(store);
	return status;
}

/* What others should know about jobs that are committed. */
static void publish(struct store_sqlite *store, struct list *jobs, struct list *end)
{
	for (struct list *at = jobs->next; at != end; at = at->next)
		if (list_entry(at, struct store_job, link)->batch.trim_count > 0)
			atomic_store(&store->trims_waiting, true);
	atomic_store(&store->committed_id, store->next_id - 1);
	store_keeper_poke(store);
}

/* From now on appends are refused; what was queued meanwhile joins those that failed. */
static void fail(struct store_sqlite *store, enum status status, bool disk, struct list *jobs)
{
	struct list *job;

	mutex_lock(store->mutex);
	store->failed = status;
	store->resumed = false;
	store->probe_needed = disk;
	while ((job = list_take(&store->queue)) != NULL)
		list_put(jobs, job);
	store->queue_bytes = 0;
	mutex_unlock(store->mutex);
}

static void report(struct store_sqlite *store, struct list *jobs)
{
	struct list *link;

	while ((link = list_take(jobs)) != NULL) {
		struct store_job *job = list_entry(link, struct store_job, link);
		uint64_t ticket = job->ticket;
		enum status status = job->status;

		secret_wipe(job, job->bytes);
		free(job);
		store->base.done(store->base.done_arg, ticket, status);
	}
}

static void set_status(struct list *jobs, struct list *from, enum status status)
{
	for (struct list *at = from; at != jobs; at = at->next)
		list_entry(at, struct store_job, link)->status = status;
}

static void process(struct store_sqlite *store, struct list *jobs)
{
	struct list *gap = NULL, *end = jobs;
	enum status status = write_jobs(store, jobs, jobs, &gap);

	/* The jobs before one that is wrong are not to blame: they are written without it. */
	if (gap != NULL) {
		end = gap;
		status = STATUS_OK;
		gap = NULL;
		if (end != jobs->next)
			status = write_jobs(store, jobs, end, &gap);
	}
	if (status == STATUS_OK) {
		publish(store, jobs, end);
		if (end != jobs) {
			fail(store, STATUS_INVALID, false, jobs);
			set_status(jobs, end, STATUS_INVALID);
		}
	} else {
		/* A damaged file is the disk's failure to those who only know the store. */
		if (status == STATUS_INVALID)
			status = STATUS_IO;
		fail(store, status, true, jobs);
		set_status(jobs, jobs->next, status);
	}
	report(store, jobs);
}

/* --- The disk has failed: is it back? --- */

/* More than one page, since the last few bytes of a full disk help nobody. */
static bool probe(struct store_sqlite *store)
{
	struct store_db *db = &store->writer;
	sqlite3_stmt *statement;
	enum status status;

	store_turn_take(store, true);
	status = has_moved(db) ? STATUS_IO : store_db_do(db, SQL_BEGIN);
	if (status == STATUS_OK) {
		statement = store_db_statement(db, SQL_META_PUT);
		store_bind_slice(statement, 1, slice_of("probe"), true);
		sqlite3_bind_zeroblob(statement, 2, 65536);
		status = store_db_run(db, statement);
	}
	if (status == STATUS_OK)
		status = store_db_do(db, SQL_COMMIT);
	if (status == STATUS_OK) {
		statement = store_db_statement(db, SQL_META_REMOVE);
		store_bind_slice(statement, 1, slice_of("probe"), true);
		status = store_db_run(db, statement);
	}
	if (status != STATUS_OK)
		store_db_rollback(db);
	store_turn_give(store);
	return status == STATUS_OK;
}

static void try_disk(struct store_sqlite *store)
{
	bool back = probe(store);

	mutex_lock(store->mutex);
	if (back) {
		store->probe_needed = false;
		if (store->resumed)
			store->failed = STATUS_OK;
	}
	mutex_unlock(store->mutex);
	if (back) {
		log_info("store", "%s can be written again", store->path);
		store_keeper_poke(store);
	}
}

/* --- The thread --- */

enum task { TASK_WRITE, TASK_PROBE, TASK_STOP };

/* Waits for something to do; for TASK_WRITE the queue is moved to `jobs`. */
static enum task next_task(struct store_sqlite *store, struct list *jobs, uint64_t probe_at)
{
	enum task task = TASK_WRITE;
	struct list *job;

	mutex_lock(store->mutex);
	while (list_is_empty(&store->queue) && !store->stopping) {
		uint64_t now = clock_mono_ms();

		if (!store->probe_needed)
			cond_wait(store->wake_writer, store->mutex);
		else if (now < probe_at)
			cond_wait_ms(store->wake_writer, store->mutex, probe_at - now);
		else
			break;
	}
	if (list_is_empty(&store->queue))
		task = store->stopping ? TASK_STOP : TASK_PROBE;
	while ((job = list_take(&store->queue)) != NULL)
		list_put(jobs, job);
	store->queue_bytes = 0;
	mutex_unlock(store->mutex);
	return task;
}

void store_writer_run(void *arg)
{
	struct store_sqlite *store = arg;
	uint64_t probe_at = 0;
	struct list jobs;

	list_init(&jobs);
	for (;;) {
		switch (next_task(store, &jobs, probe_at)) {
		case TASK_WRITE:
			process(store, &jobs);
			break;
		case TASK_PROBE:
			try_disk(store);
			break;
		case TASK_STOP:
			return;
		}
		probe_at = clock_mono_ms() + STORE_PROBE_MS;
	}
}
