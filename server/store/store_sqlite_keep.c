/*
 * The housekeeping thread: brings the search index up, removes what was trimmed, rewrites the index
 * without the words of erased texts, and brings the WAL home. It gathers what commits leave to do
 * for a moment, so that under load it works in few large strokes, and sleeps when all is done.
 */
#include "store/store_sqlite_private.h"

#include "os/clock.h"
#include "os/log.h"

#define GATHER_MS 100
#define IDLE_MS 1000         /* without a commit, before the WAL is emptied */
#define ROOM_PAGES 16        /* in the WAL, for whoever writes after a quiet time */
#define WAL_FRAME 4120       /* a page of 4 KiB and what stands in front of it in the WAL */
#define RETRY_MS 1000        /* after a failure */
#define RESTART_REST_MS 500  /* between two tries to begin the WAL anew */
#define MERGE_REST_MIN 60000 /* between two rewritings of the index, and 50 times as long as one   \
	                      */

struct keeper {
	struct store_sqlite *store;
	bool failing;              /* has the failure been logged? */
	uint64_t merge_not_before; /* monotonic milliseconds */
	uint64_t restart_not_before;
};

void store_keeper_poke(struct store_sqlite *store)
{
	mutex_lock(store->mutex);
	if (!store->keeper_poked) {
		store->keeper_poked = true;
		cond_wake_all(store->wake_keeper);
	}
	mutex_unlock(store->mutex);
}

bool store_keeper_stopping(struct store_sqlite *store)
{
	bool stopping;

	mutex_lock(store->mutex);
	stopping = store->keeper_stopping;
	mutex_unlock(store->mutex);
	return stopping;
}

/* --- The index --- */

static enum status trim_all(struct store_sqlite *store)
{
	enum status status = STATUS_OK;
	bool more = atomic_exchange(&store->trims_waiting, false);

	while (more && status == STATUS_OK && !store_keeper_stopping(store))
		status = store_index_trim(store, &more);
	if (status != STATUS_OK || more)
		atomic_store(&store->trims_waiting, true);
	return status;
}

/* Rewriting reads and writes the whole index, so it rests in between the longer the more there is.
 */
static enum status merge_all(struct keeper *keeper)
{
	struct store_sqlite *store = keeper->store;
	uint64_t begin = clock_mono_ms(), rest;
	enum status status;
	bool more = true;

	if (begin < keeper->merge_not_before || !atomic_exchange(&store->erased, false))
		return STATUS_OK;
	status = store_index_merge(store, true, &more);
	while (more && status == STATUS_OK && !store_keeper_stopping(store))
		status = store_index_merge(store, false, &more);
	if (status != STATUS_OK || more)
		atomic_store(&store->erased, true);
	rest = (clock_mono_ms() - begin) * 50;
	keeper->merge_not_before =
	    clock_mono_ms() + (rest > MERGE_REST_MIN ? rest : MERGE_REST_MIN);
	return status;
}

/* --- The WAL --- */

static enum status checkpoint(struct store_sqlite *store, int mode)
{
	int pages = 0, done = 0;
	int code = sqlite3_wal_checkpoint_v2(store->keeper.handle, "main", mode, &pages, &done);

	/* A reader that is not through is no failure: next time. */
	if ((code & 0xFF) == SQLITE_BUSY || (code & 0xFF) == SQLITE_LOCKED)
		return STATUS_OK;
	if (code == SQLITE_OK && mode == SQLITE_CHECKPOINT_TRUNCATE)
		atomic_store(&store->wal_pages, 0);
	return store_db_status(code);
}

/* One stroke of making room, under the lock of whoever writes to the WAL. False: there is nothing
 * more to do, or it cannot be done; *ret_grown is the file if it has grown. */
static bool make_some_room(struct store_sqlite *store, sqlite3_int64 goal, sqlite3_file **ret_grown)
{
	static const char zeros[65536];
	struct store_db *db = &store->keeper;
	sqlite3_int64 size = 0;
	sqlite3_file *file = NULL;
	bool grown = false;

	store_turn_take(store, false);
	if (store_db_do(db, SQL_BEGIN) == STATUS_OK &&
	    sqlite3_file_control(db->handle, "main", SQLITE_FCNTL_JOURNAL_POINTER, &file) ==
		SQLITE_OK &&
	    file != NULL && file->pMethods != NULL &&
	    file->pMethods->xFileSize(file, &size) == SQLITE_OK && size < goal)
		grown = file->pMethods->xWrite(file, zeros, sizeof zeros, size) == SQLITE_OK;
	store_db_rollback(db);
	store_turn_give(store);
	if (grown)
		*ret_grown = file;
	return grown && size + (sqlite3_int64)sizeof zeros < goal;
}

/* A commit that overwrites costs the disk about half of one by which the file grows, for then the
 * file system keeps books, too. So there is room in the WAL before it is needed: twice of what was
 * used of it, up to the size at which it is brought home and begun anew. It is made of zeros, which
 * are no frame of a log, behind the file's end only. Without room everything goes on, just slower,
 * so that it is no failure if there is none; but one to flush is the disk's. */
static enum status make_room(struct store_sqlite *store, int used)
{
	const sqlite3_int64 pages = used < (STORE_WAL_CHECKPOINT - ROOM_PAGES) / 2
					? ROOM_PAGES + 2 * used
					: STORE_WAL_CHECKPOINT;
	sqlite3_file *grown = NULL;

	while (make_some_room(store, pages * WAL_FRAME, &grown) && !store_keeper_stopping(store))
		continue;
	if (grown == NULL)
		return STATUS_OK;
	return store_db_status(grown->pMethods->xSync(grown, SQLITE_SYNC_NORMAL));
}

/* The first commit to a WAL that was cut has to bring its head to the disk before itself: better this
 * one than somebody's who waits for the answer. The keeper's commits are not counted in wal_pages. */
static void begin_wal(struct store_sqlite *store)
{
	struct store_db *db = &store->keeper;
	enum status status;

	store_turn_take(store, false);
	status = store_db_do(db, SQL_BEGIN);
	if (status == STATUS_OK)
		status = store_meta_put_number(db, "idle", clock_unix_ms());
	if (status == STATUS_OK)
		status = store_db_do(db, SQL_COMMIT);
	if (status != STATUS_OK)
		store_db_rollback(db);
	store_turn_give(store);
}

/* Most of it goes without anybody noticing. Only when the WAL has become large, because commits
 * come faster than it is brought home, the writer waits for the small rest of it, and for readers
 * in the midst of it, but not for long: the next commit then begins the WAL anew. */
static enum status bring_wal_home(struct keeper *keeper, bool idle)
{
	struct store_sqlite *store = keeper->store;
	int pages = atomic_load(&store->wal_pages);
	enum status status = STATUS_OK;

	if (pages >= STORE_WAL_CHECKPOINT || (idle && pages > 0))
		status = checkpoint(store, SQLITE_CHECKPOINT_PASSIVE);
	if (status != STATUS_OK || pages == 0 || clock_mono_ms() < keeper->restart_not_before ||
	    (!idle && pages < STORE_WAL_LARGE))
		return status;
	keeper->restart_not_before = clock_mono_ms() + RESTART_REST_MS;
	store_turn_take(store, false);
	status = checkpoint(store, idle ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_RESTART);
	store_turn_give(store);
	return status;
}

static enum status keep_wal(struct keeper *keeper, bool idle)
{
	struct store_sqlite *store = keeper->store;
	int used = atomic_load(&store->wal_pages);
	enum status status = bring_wal_home(keeper, idle);

	if (status != STATUS_OK || !store->full)
		return status;
	status = make_room(store, used);
	if (idle && used > 0 && atomic_load(&store->wal_pages) == 0)
		begin_wal(store);
	return status;
}

/* --- The thread --- */

static enum status work(struct keeper *keeper, bool idle)
{
	struct store_sqlite *store = keeper->store;
	enum status status = store_index_catch_up(store);

	if (status == STATUS_OK && atomic_load(&store->trims_waiting))
		status = trim_all(store);
	if (status == STATUS_OK)
		status = merge_all(keeper);
	if (status == STATUS_OK)
		return keep_wal(keeper, idle);
	/* Brought home even if the rest fails, as that may give the disk space back. */
	bring_wal_home(keeper, idle);
	return status;
}

/* How long to wait at most; 0 is for ever. */
static uint64_t patience(const struct keeper *keeper, bool failed)
{
	const struct store_sqlite *store = keeper->store;
	uint64_t now = clock_mono_ms();

	if (failed)
		return RETRY_MS;
	if (atomic_load(&store->wal_pages) > 0)
		return IDLE_MS;
	if (atomic_load(&store->erased))
		return keeper->merge_not_before > now ? keeper->merge_not_before - now : 1;
	return 0;
}

/* Waits for a poke; *ret_idle: the time was up without one. False when it is time to stop. */
static bool wait_for_work(struct keeper *keeper, uint64_t ms, bool *ret_idle)
{
	struct store_sqlite *store = keeper->store;
	uint64_t until = clock_mono_ms() + ms;
	bool go_on;

	mutex_lock(store->mutex);
	while (!store->keeper_poked && !store->keeper_stopping) {
		uint64_t now = clock_mono_ms();

		if (ms == 0)
			cond_wait(store->wake_keeper, store->mutex);
		else if (now < until)
			cond_wait_ms(store->wake_keeper, store->mutex, until - now);
		else
			break;
	}
	*ret_idle = !store->keeper_poked;
	until = clock_mono_ms() + GATHER_MS;
	while (store->keeper_poked && !store->keeper_stopping && clock_mono_ms() < until)
		cond_wait_ms(store->wake_keeper, store->mutex, GATHER_MS);
	store->keeper_poked = false;
	go_on = !store->keeper_stopping;
	mutex_unlock(store->mutex);
	return go_on;
}

void store_keeper_run(void *arg)
{
	struct keeper keeper = {.store = arg};
	enum status status = STATUS_OK;
	bool idle;

	store_keeper_poke(keeper.store);
	while (wait_for_work(&keeper, patience(&keeper, status != STATUS_OK), &idle)) {
		status = work(&keeper, idle);
		if (status != STATUS_OK && !keeper.failing)
			log_warn("store", "housekeeping of %s: %s", keeper.store->path,
			    status_text(status));
		keeper.failing = status != STATUS_OK;
	}
}
