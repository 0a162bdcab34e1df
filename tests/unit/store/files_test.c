/* Whole files: versions, copies, backups, and what is wrong with a file. */
#include "tests/unit/unit.h"

#include <inttypes.h>

#include "os/clock.h"
#include "os/file.h"
#include "store/store_sqlite_private.h"
#include "store_world.h"

/* SQL on the closed store's file. */
static void change(const struct world *w, const char *name, const char *sql)
{
	sqlite3 *db;

	CHECK_INT(sqlite3_open(world_path(w, name), &db), SQLITE_OK);
	CHECK_INT(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static int64_t ask(const struct world *w, const char *name, const char *sql)
{
	struct store_db db = {0};
	int64_t number = -1;

	CHECK_INT(sqlite3_open(world_path(w, name), &db.handle), SQLITE_OK);
	CHECK_INT(store_db_number(&db, sql, &number), STATUS_OK);
	store_db_close(&db);
	return number;
}

static enum status try_open(struct world *w, struct error *err)
{
	struct store *store = NULL;
	enum status status = store_sqlite_open(w->dir, STORE_NORMAL, &store, err);

	if (status == STATUS_OK)
		store->ops->close(store);
	return status;
}

TEST(unit__migrate__keeps_a_copy_of_an_older_file)
{
	struct world w;

	world_init(&w);
	world_close(&w);
	CHECK_INT(file_remove(world_path(&w, "confab.db"), NULL), STATUS_OK);
	change(&w, "confab.db",
	    "PRAGMA application_id = 1131376230; CREATE TABLE old(x); INSERT INTO old VALUES(42)");
	world_open(&w, STORE_NORMAL);
	world_message(&w, 1, 1, "one");
	world_close(&w);
	CHECK_INT(ask(&w, "confab.db", "PRAGMA user_version"), 1);
	CHECK_INT(ask(&w, "confab.db.before-1", "PRAGMA user_version"), 0);
	CHECK_INT(ask(&w, "confab.db.before-1", "SELECT x FROM old"), 42);
	world_open(&w, STORE_NORMAL);
	CHECK_STR(world_range(&w, 1, 0, INT64_MAX, 10, false), "1 one|");
	world_release(&w);
}

TEST(unit__migrate__goes_step_by_step)
{
	static const struct store_migration three[] = {
	    {1, "CREATE TABLE a(x)"},
	    {2, "INSERT INTO a VALUES(1); CREATE TABLE b(x)"},
	    {3, "INSERT INTO a VALUES(2); INSERT INTO b VALUES(3)"},
	};
	static const struct store_migration wrong[] = {
	    {1, ""},
	    {2, ""},
	    {3, ""},
	    {4, "INSERT INTO a VALUES(4)"},
	    {5, "INSERT INTO a VALUES(5); INSERT INTO nothing VALUES(5)"},
	};
	struct world w;
	struct store_db db;
	struct error err = {0};
	const char *path;

	world_init(&w);
	world_close(&w);
	path = world_path(&w, "x.db");
	CHECK_INT(file_write(path, slice_of(""), FILE_PRIVATE, false, NULL), STATUS_OK);
	CHECK_INT(store_db_open(path, STORE_DB_WRITE, true, &db, &err), STATUS_OK);
	CHECK_INT(store_schema_update(&db, path, three, 1, &err), STATUS_OK);
	CHECK(!file_exists(world_path(&w, "x.db.before-1")));
	CHECK_INT(store_schema_update(&db, path, three, 3, &err), STATUS_OK);
	CHECK_INT(store_schema_update(&db, path, three, 2, &err), STATUS_INVALID);
	CHECK_INT(store_schema_update(&db, path, wrong, 5, &err), STATUS_IO);
	store_db_close(&db);
	CHECK(file_exists(world_path(&w, "x.db.before-2")));
	CHECK(file_exists(world_path(&w, "x.db.before-4")));
	/* What a failing step did is undone; the steps before it stay. */
	CHECK_INT(ask(&w, "x.db", "PRAGMA user_version"), 4);
	CHECK_INT(ask(&w, "x.db", "SELECT sum(x) FROM a"), 1 + 2 + 4);
	CHECK_INT(ask(&w, "x.db.before-2", "SELECT count(*) FROM a"), 0);
	world_release(&w);
}

TEST(unit__open__refuses_other_files)
{
	struct world w;
	struct error err = {0};

	world_init(&w);
	world_close(&w);
	change(&w, "confab.db", "PRAGMA user_version = 99");
	CHECK_INT(try_open(&w, &err), STATUS_INVALID);
	CHECK(strstr(err.text, "newer version") != NULL);
	CHECK_INT(store_sqlite_verify(w.dir, &(struct store_check){0}, &err), STATUS_INVALID);
	change(&w, "confab.db", "PRAGMA user_version = 1; PRAGMA application_id = 5");
	CHECK_INT(try_open(&w, &err), STATUS_INVALID);
	CHECK(strstr(err.text, "none of Confab's") != NULL);
	change(&w, "confab.db", "PRAGMA application_id = 1131376230");
	CHECK_INT(try_open(&w, &err), STATUS_OK);
	world_release(&w);
}

TEST(unit__verify__counts_and_finds_gaps)
{
	struct world w;
	struct store_check check = {0};
	struct error err = {0};

	world_init(&w);
	CHECK_INT(store_sqlite_verify("no such folder", &check, &err), STATUS_NOT_FOUND);
	for (int i = 1; i <= 10; i++)
		world_message(&w, 1 + i % 2, (i + 1) / 2, "text");
	world_record(&w, STORE_USERS, "a", "b");
	world_trim(&w, 2, 2);
	world_close(&w);
	CHECK_INT(store_sqlite_verify(w.dir, &check, &err), STATUS_OK);
	CHECK_INT(check.conversations, 2);
	CHECK_INT(check.entries, 8);
	CHECK_INT(check.records, 1);
	change(&w, "confab.db", "UPDATE entry SET seq = 7 WHERE conversation = 1 AND seq = 5");
	CHECK_INT(store_sqlite_verify(w.dir, &check, &err), STATUS_INVALID);
	CHECK(strstr(err.text, "conversation 1 lacks entries") != NULL);
	change(&w, "confab.db",
	    "UPDATE entry SET seq = 5 WHERE conversation = 1 AND seq = 7;"
	    "DELETE FROM conversation WHERE id = 2; DELETE FROM trim");
	CHECK_INT(store_sqlite_verify(w.dir, &check, &err), STATUS_INVALID);
	CHECK(strstr(err.text, "conversation 2") != NULL);
	world_release(&w);
}

TEST(unit__verify__finds_damage)
{
	struct world w;
	struct buf content;
	struct store_check check;
	struct error err = {0};

	world_init(&w);
	for (int i = 1; i <= 200; i++)
		world_message(&w, 1, i, "text that fills more than one page of the file");
	world_close(&w);
	buf_init(&content, 1 << 20);
	CHECK_INT(file_read(world_path(&w, "confab.db"), &content, NULL), STATUS_OK);
	for (size_t at = 8192 + 5; at < content.len; at += 4096)
		content.ptr[at] ^= 0x55;
	CHECK_INT(
	    file_write(world_path(&w, "confab.db"), buf_slice(&content), FILE_PRIVATE, true, NULL),
	    STATUS_OK);
	buf_release(&content);
	CHECK_INT(store_sqlite_verify(w.dir, &check, &err), STATUS_INVALID);
	CHECK(strstr(err.text, "damaged") != NULL);
	world_release(&w);
}

struct busy {
	struct world *w;
	struct mutex *mutex;
	bool stop;
	int64_t written;
};

static bool busy_stopped(struct busy *busy)
{
	bool stop;

	mutex_lock(busy->mutex);
	stop = busy->stop;
	mutex_unlock(busy->mutex);
	return stop;
}

static void keep_writing(void *arg)
{
	struct busy *busy = arg;
	int64_t seq = 2000;

	while (!busy_stopped(busy)) {
		world_message(busy->w, 1, ++seq, "written while a copy is made");
		mutex_lock(busy->mutex);
		busy->written = seq;
		mutex_unlock(busy->mutex);
	}
}

static void fill(struct world *w, int64_t count)
{
	char text[500];

	memset(text, 'x', sizeof text);
	for (int64_t i = 1; i <= count; i++) {
		struct store_entry entry = {.conversation = 1,
		    .seq = i,
		    .kind = STORE_MESSAGE,
		    .text = {text, sizeof text}};

		CHECK_INT(
		    world_append(w, &(struct store_batch){.entries = &entry, .entry_count = 1}),
		    STATUS_AGAIN);
	}
	CHECK_INT(world_wait(w), STATUS_OK);
}

TEST(unit__backup__goes_on_beside_the_writer)
{
	struct world w, other;
	struct busy busy = {.w = &w, .mutex = mutex_new()};
	struct thread *thread;
	struct store_check check;
	struct error err = {0};
	int64_t seq, time_ms, first;

	world_init(&w);
	fill(&w, 2000);
	CHECK_INT(thread_start("busy", keep_writing, &busy, &thread), STATUS_OK);
	for (int i = 0; i < 5; i++) {
		file_remove(world_path(&w, "copy.db"), NULL);
		CHECK_INT(store_sqlite_backup(w.store, world_path(&w, "copy.db"), &err), STATUS_OK);
	}
	CHECK_INT(store_sqlite_backup(w.store, world_path(&w, "copy.db"), &err), STATUS_EXISTS);
	mutex_lock(busy.mutex);
	busy.stop = true;
	mutex_unlock(busy.mutex);
	thread_join(thread);
	CHECK(busy.written > 2000);
	world_init(&other);
	world_close(&other);
	CHECK_INT(store_sqlite_restore(other.dir, world_path(&w, "copy.db"), &err), STATUS_OK);
	CHECK_INT(store_sqlite_verify(other.dir, &check, &err), STATUS_OK);
	CHECK(check.entries >= 2000 && check.entries <= (uint64_t)busy.written);
	world_open(&other, STORE_NORMAL);
	CHECK_INT(other.store->ops->last(other.store, 1, &seq, &time_ms, &first, NULL), STATUS_OK);
	CHECK_INT(seq, check.entries);
	world_release(&other);
	world_release(&w);
	mutex_free(busy.mutex);
}

TEST(unit__backup__leaves_nothing_when_it_fails)
{
	struct world w;
	struct error err = {0};

	world_init(&w);
	CHECK(store_sqlite_backup(w.store, world_path(&w, "no folder/copy.db"), &err) != STATUS_OK);
	CHECK(strstr(err.text, "copy.db") != NULL);
	world_release(&w);
}

TEST(unit__restore__brings_the_backup_and_a_new_epoch)
{
	struct world w;
	struct error err = {0};
	char before[STORE_EPOCH_SIZE], again[STORE_EPOCH_SIZE];

	world_init(&w);
	str_copy(before, sizeof before, slice_of(store_sqlite_epoch(w.store)));
	CHECK_INT(strlen(before), 16);
	world_message(&w, 1, 1, "in the backup");
	CHECK_STR(world_search(&w, "backup"), "1 in the backup|");
	CHECK_INT(store_sqlite_backup(w.store, world_path(&w, "copy.db"), &err), STATUS_OK);
	world_message(&w, 1, 2, "after it");
	world_close(&w);
	world_open(&w, STORE_NORMAL);
	CHECK_STR(store_sqlite_epoch(w.store), before);
	world_close(&w);
	CHECK_INT(store_sqlite_restore(w.dir, world_path(&w, "copy.db"), &err), STATUS_OK);
	world_open(&w, STORE_NORMAL);
	str_copy(again, sizeof again, slice_of(store_sqlite_epoch(w.store)));
	CHECK_INT(strlen(again), 16);
	CHECK(strcmp(before, again) != 0);
	CHECK_STR(world_range(&w, 1, 0, INT64_MAX, 10, false), "1 in the backup|");
	world_message(&w, 1, 2, "another");
	CHECK_STR(world_search(&w, "another"), "2 another|");
	world_close(&w);
	CHECK_INT(ask(&w, "confab.db.replaced", "SELECT last FROM conversation WHERE id = 1"), 2);
	world_release(&w);
}

TEST(unit__restore__refuses_what_is_no_backup)
{
	struct world w;
	struct error err = {0};

	world_init(&w);
	world_message(&w, 1, 1, "one");
	CHECK_INT(store_sqlite_backup(w.store, world_path(&w, "gap.db"), &err), STATUS_OK);
	world_close(&w);
	change(&w, "gap.db", "UPDATE entry SET seq = 2");
	change(&w, "other.db", "CREATE TABLE x(y)");
	CHECK_INT(file_write(world_path(&w, "noise.db"), slice_of("this is no database at all"),
	              FILE_PRIVATE, false, NULL),
	    STATUS_OK);
	CHECK_INT(store_sqlite_restore(w.dir, world_path(&w, "none.db"), &err), STATUS_NOT_FOUND);
	CHECK_INT(store_sqlite_restore(w.dir, world_path(&w, "gap.db"), &err), STATUS_INVALID);
	CHECK(strstr(err.text, "lacks entries") != NULL);
	CHECK_INT(store_sqlite_restore(w.dir, world_path(&w, "other.db"), &err), STATUS_INVALID);
	CHECK_INT(store_sqlite_restore(w.dir, world_path(&w, "noise.db"), &err), STATUS_INVALID);
	CHECK(!file_exists(world_path(&w, "confab.db.restoring")));
	CHECK(!file_exists(world_path(&w, "confab.db.replaced")));
	world_open(&w, STORE_NORMAL);
	CHECK_STR(world_range(&w, 1, 0, INT64_MAX, 10, false), "1 one|");
	world_release(&w);
}

TEST(unit__restore__is_finished_by_the_next_start)
{
	struct world w;
	struct error err = {0};

	world_init(&w);
	world_message(&w, 1, 1, "one");
	CHECK_INT(
	    store_sqlite_backup(w.store, world_path(&w, "confab.db.restored"), &err), STATUS_OK);
	world_message(&w, 1, 2, "two");
	world_close(&w);
	/* Cut off before the old file was put away, and after. */
	world_open(&w, STORE_NORMAL);
	CHECK_STR(world_range(&w, 1, 0, INT64_MAX, 10, false), "1 one|");
	CHECK(file_exists(world_path(&w, "confab.db.replaced")));
	world_close(&w);
	CHECK_INT(file_rename(world_path(&w, "confab.db"), world_path(&w, "confab.db.restored"),
	              false, &err),
	    STATUS_OK);
	world_open(&w, STORE_NORMAL);
	CHECK_STR(world_range(&w, 1, 0, INT64_MAX, 10, false), "1 one|");
	world_release(&w);
}

TEST(unit__restore__survives_a_damaged_store)
{
	struct world w;
	struct error err = {0};

	world_init(&w);
	world_message(&w, 1, 1, "one");
	CHECK_INT(store_sqlite_backup(w.store, world_path(&w, "copy.db"), &err), STATUS_OK);
	world_close(&w);
	CHECK_INT(file_write(world_path(&w, "confab.db"), slice_of("this is no database at all"),
	              FILE_PRIVATE, true, NULL),
	    STATUS_OK);
	CHECK_INT(file_write(world_path(&w, "confab.db-wal"), slice_of("nor is this its log"),
	              FILE_PRIVATE, true, NULL),
	    STATUS_OK);
	CHECK_INT(store_sqlite_restore(w.dir, world_path(&w, "copy.db"), &err), STATUS_OK);
	world_open(&w, STORE_NORMAL);
	CHECK_STR(world_range(&w, 1, 0, INT64_MAX, 10, false), "1 one|");
	CHECK(file_has(world_path(&w, "confab.db.replaced"), "no database"));
	world_release(&w);
}

TEST(unit__wal__stays_small_and_goes_when_idle)
{
	struct world w;
	struct buf content;

	world_init(&w);
	fill(&w, 20000);
	buf_init(&content, 1 << 30);
	for (int i = 0; i < 300; i++) {
		buf_clear(&content);
		if (file_read(world_path(&w, "confab.db-wal"), &content, NULL) == STATUS_OK &&
		    content.len == 0)
			break;
		clock_sleep_ms(100);
	}
	CHECK_INT(content.len, 0);
	buf_release(&content);
	world_release(&w);
}

/* What stands in the WAL, when there is something in it. */
static void read_wal(struct world *w, struct buf *ret)
{
	for (int i = 0; i < 300; i++) {
		buf_clear(ret);
		if (file_read(world_path(w, "confab.db-wal"), ret, NULL) == STATUS_OK &&
		    ret->len > 0)
			return;
		clock_sleep_ms(10);
	}
	CHECK(false);
}

/* SQLite's file format, 4.1. */
static bool has_head(const struct buf *wal)
{
	return wal->len > 32 && memcmp(wal->ptr, "\x37\x7f\x06", 3) == 0;
}

static bool ends_in_zeros(const struct buf *wal)
{
	static const char zeros[8 * 4096];

	return wal->len >= 16 * 4096 &&
	       memcmp(wal->ptr + wal->len - sizeof zeros, zeros, sizeof zeros) == 0;
}

TEST(unit__wal__has_room_before_it_is_needed)
{
	struct world w;
	struct buf file, wal;
	char last[32];
	int count = 1;

	buf_init(&file, 1 << 30);
	buf_init(&wal, 1 << 30);
	world_init(&w);
	world_close(&w);
	world_open(&w, STORE_FULL);
	world_message(&w, 1, 1, "first");
	/* Until housekeeping has brought everything home, made room again, and begun it. */
	for (int i = 0; i < 3000; i++) {
		read_wal(&w, &wal);
		if (ends_in_zeros(&wal) && has_head(&wal) &&
		    !slice_contains(buf_slice(&wal), slice_of("first")))
			break;
		clock_sleep_ms(10);
	}
	CHECK(has_head(&wal));
	CHECK(!slice_contains(buf_slice(&wal), slice_of("first")));
	/* As after a crash: the zeros behind the last frame are none to whoever opens it next. A
	 * machine that is slow enough brings the message home meanwhile, then it is the next one's
	 * turn. */
	do {
		snprintf(last, sizeof last, "number%d", ++count);
		world_message(&w, 1, count, last);
		read_wal(&w, &wal);
		buf_clear(&file);
		CHECK_INT(file_read(world_path(&w, "confab.db"), &file, NULL), STATUS_OK);
	} while (count < 20 && (!slice_contains(buf_slice(&wal), slice_of(last)) ||
				   slice_contains(buf_slice(&file), slice_of(last))));
	CHECK(ends_in_zeros(&wal));
	CHECK(slice_contains(buf_slice(&wal), slice_of(last)));
	CHECK(!slice_contains(buf_slice(&file), slice_of(last)));
	world_close(&w);
	CHECK_INT(
	    file_write(world_path(&w, "confab.db"), buf_slice(&file), FILE_PRIVATE, true, NULL),
	    STATUS_OK);
	CHECK_INT(
	    file_write(world_path(&w, "confab.db-wal"), buf_slice(&wal), FILE_PRIVATE, true, NULL),
	    STATUS_OK);
	world_open(&w, STORE_FULL);
	CHECK(strstr(world_range(&w, 1, 0, INT64_MAX, 100, false), last) != NULL);
	buf_release(&wal);
	buf_release(&file);
	world_release(&w);
}

/* How SQLite means to run a statement, as text. */
static const char *plan_of(struct store_db *db, enum store_sql which, struct buf *to)
{
	sqlite3_stmt *statement = store_db_statement(db, which), *plan;

	CHECK(statement != NULL);
	buf_clear(to);
	buf_put_fmt(to, "EXPLAIN QUERY PLAN %s", sqlite3_sql(statement));
	CHECK_INT(sqlite3_prepare_v2(db->handle, buf_text(to), -1, &plan, NULL), SQLITE_OK);
	buf_clear(to);
	while (sqlite3_step(plan) == SQLITE_ROW)
		buf_put_fmt(to, "%s;", (const char *)sqlite3_column_text(plan, 3));
	sqlite3_finalize(plan);
	return buf_text(to);
}

TEST(unit__statements__never_read_a_whole_table)
{
	struct world w;
	struct store_db db;
	struct buf plan;

	world_init(&w);
	world_close(&w);
	buf_init(&plan, 10000);
	CHECK_INT(store_db_open(world_path(&w, "confab.db"), STORE_DB_WRITE, false, &db, NULL),
	    STATUS_OK);
	for (int i = 0; i < SQL_COUNT; i++) {
		const char *text = plan_of(&db, (enum store_sql)i, &plan);

		CHECK(strstr(text, "SCAN entry") == NULL && strstr(text, "SCAN record") == NULL);
		CHECK(strstr(text, "SCAN conversation") == NULL);
	}
	CHECK(strstr(plan_of(&db, SQL_RANGE_NEWEST, &plan), "seq>? AND seq<?") != NULL);
	CHECK(strstr(plan_of(&db, SQL_TARGETS_OLDEST, &plan), "target>? AND target<?") != NULL);
	CHECK(strstr(plan_of(&db, SQL_TARGETS_NEWEST, &plan), "target>? AND target<?") != NULL);
	CHECK(strstr(plan_of(&db, SQL_VERSION, &plan), "target=?") != NULL);
	CHECK(strstr(plan_of(&db, SQL_ENTRY_ERASE, &plan), "target=?") != NULL);
	buf_release(&plan);
	store_db_close(&db);
	world_release(&w);
}

UNIT_MAIN(CASE(unit__statements__never_read_a_whole_table),
    CASE(unit__migrate__keeps_a_copy_of_an_older_file), CASE(unit__migrate__goes_step_by_step),
    CASE(unit__open__refuses_other_files), CASE(unit__verify__counts_and_finds_gaps),
    CASE(unit__verify__finds_damage), CASE(unit__backup__goes_on_beside_the_writer),
    CASE(unit__backup__leaves_nothing_when_it_fails),
    CASE(unit__restore__brings_the_backup_and_a_new_epoch),
    CASE(unit__restore__refuses_what_is_no_backup),
    CASE(unit__restore__is_finished_by_the_next_start),
    CASE(unit__restore__survives_a_damaged_store), CASE(unit__wal__stays_small_and_goes_when_idle),
    CASE(unit__wal__has_room_before_it_is_needed))
