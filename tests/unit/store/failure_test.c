/* The store when the disk fails, comes back, is not there, or belongs to somebody else. */
#include "tests/unit/unit.h"

#include <sqlite3.h>

#include "fault_vfs.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/log.h"
#include "store_world.h"

/* Appends messages to conversation 1 until one is refused or `count` were taken; the seqs go on
 * from *seq, as a core's that counts before it knows. */
static void append_many(struct world *w, int count, int64_t *seq)
{
	for (int i = 0; i < count; i++) {
		struct store_entry entry = {
		    .conversation = 1, .seq = *seq + 1, .kind = STORE_MESSAGE, .text = {"text", 4}};

		if (world_append(w, &(struct store_batch){.entries = &entry, .entry_count = 1}) !=
		    STATUS_AGAIN) {
			w->next_ticket--;
			return;
		}
		++*seq;
	}
}

static int64_t last_seq(struct world *w)
{
	int64_t seq, time_ms, first;

	CHECK_INT(w->store->ops->last(w->store, 1, &seq, &time_ms, &first, NULL), STATUS_OK);
	return seq;
}

/* The first `*ret_good` tickets were told OK, the rest `status`, in order. */
static void check_told(struct world *w, enum status status, int64_t *ret_good)
{
	size_t i = 0;

	CHECK_INT(w->told_count, w->next_ticket);
	while (i < w->told_count && w->told[i].status == STATUS_OK)
		i++;
	*ret_good = (int64_t)i;
	for (; i < w->told_count; i++)
		CHECK_INT(w->told[i].status, status);
	for (i = 0; i < w->told_count; i++)
		CHECK_INT(w->told[i].ticket, i + 1);
}

static void wait_until_taken(struct world *w, int64_t seq)
{
	struct store_entry entry = {.conversation = 1, .seq = seq, .kind = STORE_MESSAGE};
	struct store_batch batch = {.entries = &entry, .entry_count = 1};
	enum status status = STATUS_IO;

	for (int i = 0; i < 300 && status != STATUS_AGAIN; i++) {
		status = world_append(w, &batch);
		if (status != STATUS_AGAIN) {
			w->next_ticket--;
			clock_sleep_ms(100);
		}
	}
	CHECK_INT(status, STATUS_AGAIN);
	CHECK_INT(world_wait(w), STATUS_OK);
}

static void fail_and_recover(int code, enum status want)
{
	struct world w;
	struct store_check check;
	int64_t seq = 0, good;
	struct store_entry entry = {.conversation = 1, .kind = STORE_MESSAGE};
	struct store_batch batch = {.entries = &entry, .entry_count = 1};

	log_setup(LOG_ERROR + 1, false);
	fault_vfs_install();
	world_init(&w);
	append_many(&w, 50, &seq);
	CHECK_INT(world_wait(&w), STATUS_OK);
	fault_vfs_set(code, 20);
	for (int i = 0; i < 1000 && world_wait(&w) == STATUS_OK; i++)
		append_many(&w, 20, &seq);
	CHECK_INT(world_wait(&w), want);
	check_told(&w, want, &good);
	CHECK_INT(last_seq(&w), good);
	/* Refused until the core has undone it, and as long as the disk fails. */
	entry.seq = good + 1;
	CHECK_INT(w.store->ops->append(w.store, &batch, 9999), want);
	w.store->ops->resume(w.store);
	CHECK_INT(w.store->ops->append(w.store, &batch, 9999), want);
	/* What is stored can be read meanwhile. */
	CHECK_STR(world_range(&w, 1, 0, 3, 10, false), "1 text|2 text|");
	fault_vfs_set(0, 0);
	wait_until_taken(&w, good + 1);
	CHECK_INT(last_seq(&w), good + 1);
	world_close(&w);
	CHECK_INT(store_sqlite_verify(w.dir, &check, NULL), STATUS_OK);
	CHECK_INT(check.entries, good + 1);
	world_release(&w);
}

TEST(unit__failure__full_disk_comes_back)
{
	fail_and_recover(SQLITE_FULL, STATUS_NO_SPACE);
}

TEST(unit__failure__broken_disk_comes_back)
{
	fail_and_recover(SQLITE_IOERR_WRITE, STATUS_IO);
}

TEST(unit__failure__read_only_disk_comes_back)
{
	fail_and_recover(SQLITE_READONLY, STATUS_ACCESS);
}

TEST(unit__failure__at_any_write)
{
	struct world w;
	struct store_check check;

	log_setup(LOG_ERROR + 1, false);
	fault_vfs_install();
	world_init(&w);
	world_close(&w);
	world_open(&w, STORE_FULL);
	w.resume_at_once = true;
	for (int i = 0; i < 5; i++) {
		static const int after[] = {0, 1, 2, 4, 7};
		int64_t seq = last_seq(&w);

		fault_vfs_set(i % 2 ? SQLITE_IOERR_FSYNC : SQLITE_FULL, after[i]);
		for (int j = 0; j < 20; j++)
			append_many(&w, 5, &seq);
		world_wait(&w);
		fault_vfs_set(0, 0);
		wait_until_taken(&w, last_seq(&w) + 1);
	}
	world_close(&w);
	CHECK_INT(store_sqlite_verify(w.dir, &check, NULL), STATUS_OK);
	world_release(&w);
}

TEST(unit__failure__file_that_was_deleted)
{
	struct world w;
	int64_t seq = 1;

	log_setup(LOG_ERROR + 1, false);
	world_init(&w);
	world_message(&w, 1, 1, "one");
	/* Windows does not let go of a file that is open. */
	if (remove(world_path(&w, "confab.db")) == 0) {
		append_many(&w, 1, &seq);
		CHECK_INT(world_wait(&w), STATUS_IO);
	}
	world_release(&w);
}

TEST(unit__open__is_for_one_at_a_time)
{
	struct world w;
	struct store *second = NULL;
	struct error err = {0};
	struct store_check check;

	world_init(&w);
	CHECK_INT(store_sqlite_open(w.dir, STORE_NORMAL, &second, &err), STATUS_EXISTS);
	CHECK(second == NULL);
	CHECK(strstr(err.text, w.dir) != NULL && strstr(err.text, "in use") != NULL);
	CHECK(strstr(err.text, "process ") != NULL);
	CHECK_INT(store_sqlite_verify(w.dir, &check, &err), STATUS_EXISTS);
	CHECK_INT(store_sqlite_restore(w.dir, world_path(&w, "confab.db"), &err), STATUS_EXISTS);
	world_close(&w);
	CHECK_INT(store_sqlite_open(w.dir, STORE_NORMAL, &w.store, &err), STATUS_OK);
	world_release(&w);
}

TEST(unit__open__tells_what_is_wrong)
{
	struct world w;
	struct store *store;
	struct error err = {0};
	char noise[8192];

	world_init(&w);
	world_message(&w, 1, 1, "one");
	world_close(&w);
	for (size_t i = 0; i < sizeof noise; i++)
		noise[i] = (char)(i * 31 + 7);
	CHECK_INT(file_write(world_path(&w, "confab.db"), slice_make(noise, sizeof noise),
	              FILE_PRIVATE, true, NULL),
	    STATUS_OK);
	CHECK_INT(store_sqlite_open(w.dir, STORE_NORMAL, &store, &err), STATUS_INVALID);
	CHECK(strstr(err.text, "damaged") != NULL && strstr(err.text, "restore") != NULL);
	CHECK(strstr(err.text, "confab.db") != NULL);
	/* A folder that cannot be one. */
	CHECK(store_sqlite_open(world_path(&w, "confab.db"), STORE_NORMAL, &store, &err) !=
	      STATUS_OK);
	CHECK(strstr(err.text, "confab.db") != NULL);
	world_release(&w);
}

UNIT_MAIN(CASE(unit__failure__full_disk_comes_back), CASE(unit__failure__broken_disk_comes_back),
    CASE(unit__failure__read_only_disk_comes_back), CASE(unit__failure__at_any_write),
    CASE(unit__failure__file_that_was_deleted), CASE(unit__open__is_for_one_at_a_time),
    CASE(unit__open__tells_what_is_wrong))
