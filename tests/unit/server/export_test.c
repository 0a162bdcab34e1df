/* A store as JSON lines and back. */
#include "tests/unit/unit.h"

#include <stdlib.h>

#include "admin/export.h"
#include "admin/files.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/thread.h"
#include "store/store_sqlite.h"

static struct error err;

/* A store in a folder of its own, and what it reports. */
struct world {
	char *dir;
	struct store *store;
	struct mutex *mutex;
	struct cond *changed;
	uint64_t ticket, done;
};

static void on_done(void *arg, uint64_t ticket, enum status status)
{
	struct world *world = arg;

	CHECK_INT(status, STATUS_OK);
	mutex_lock(world->mutex);
	world->done = ticket;
	cond_wake_all(world->changed);
	mutex_unlock(world->mutex);
}

static void start(struct world *world)
{
	*world = (struct world){.mutex = mutex_new(), .changed = cond_new()};
	CHECK_INT(files_make_work(".", "export-test", &world->dir, &err), STATUS_OK);
	CHECK_INT(store_sqlite_open(world->dir, STORE_NORMAL, &world->store, &err), STATUS_OK);
	world->store->done = on_done;
	world->store->done_arg = world;
}

static void stop(struct world *world)
{
	world->store->ops->close(world->store);
	files_remove_work(world->dir);
	cond_free(world->changed);
	mutex_free(world->mutex);
}

static void append(struct world *world, const struct store_batch *batch)
{
	CHECK_INT(world->store->ops->append(world->store, batch, ++world->ticket), STATUS_AGAIN);
	mutex_lock(world->mutex);
	while (world->done < world->ticket)
		CHECK(cond_wait_ms(world->changed, world->mutex, 10000));
	mutex_unlock(world->mutex);
}

static void put_record(struct world *world, enum store_table table, const char *key, size_t len,
    const char *value)
{
	const struct store_record record = {table, slice_make(key, len), slice_of(value), false};

	append(world, &(struct store_batch){.records = &record, .record_count = 1});
}

static void put_entry(struct world *world, struct store_entry entry)
{
	append(world, &(struct store_batch){.entries = &entry, .entry_count = 1});
}

#define KEY(n) "\0\0\0\0\0\0\0" n, 8

static void fill(struct world *world)
{
	const struct store_trim trim = {7, 1};

	put_record(world, STORE_NUMBERS, "next", 4, "{\"next\":\"9\"}");
	put_record(world, STORE_USERS, KEY("\3"), "{\"name\":\"alice\",\"created\":1700000000000}");
	put_record(world, STORE_USERS, KEY("\4"), "{\"name\":\"bob\"}");
	put_record(world, STORE_TOKENS, "hash", 4, "{\"secret\":1}");
	put_record(world, STORE_ROOMS, KEY("\7"), "{\"name\":\"hall\",\"topic\":\"a \\\"b\\\"\"}");
	put_record(world, STORE_ROOMS, KEY("\10"), "{\"name\":\"void\",\"none\":true}");
	put_record(world, STORE_PAIRS, KEY("\11"), "{\"a\":\"3\",\"b\":\"4\"}");
	put_record(world, STORE_AUDIT, "\xff", 1, "no JSON");
	for (int i = 1; i <= 1200; i++)
		put_entry(world, (struct store_entry){
		    .conversation = 7,
		    .seq = i,
		    .time_ms = INT64_C(1700000000000) + i,
		    .kind = i == 3 ? STORE_REACT : STORE_MESSAGE,
		    .author = 3,
		    .target = i == 3 ? 2 : 0,
		    .text = slice_of(i == 3 ? "\xf0\x9f\x91\x8d" : "line\n\"two\""),
		    .extra = slice_of("\"from\":\"alice\",\"data\":{\"x\":[1,0.5]}"),
		});
	put_entry(world, (struct store_entry){
	    .conversation = 9, .seq = 1, .time_ms = 5, .kind = STORE_MESSAGE, .author = 4,
	    .text = slice_of("hi"), .extra = slice_of("")});
	append(world, &(struct store_batch){.trims = &trim, .trim_count = 1});
}

static enum status put_line(void *arg, struct slice line, struct error *e)
{
	(void)e;
	CHECK(line.ptr[line.len - 1] == '\n');
	buf_put_slice(arg, line);
	return STATUS_OK;
}

static void export_to(struct world *world, const char *room, struct buf *to)
{
	buf_init(to, 8 << 20);
	CHECK_INT(export_write(world->store, room, 0, put_line, to, &err), STATUS_OK);
	CHECK(!to->failed);
}

static enum status import_text(struct world *world, struct slice text)
{
	struct import *import;
	enum status status = STATUS_OK;

	CHECK_INT(import_new(world->store, &import, &err), STATUS_OK);
	while (status == STATUS_OK && text.len > 0)
		status = import_line(import, slice_cut(&text, '\n'), &err);
	if (status == STATUS_OK)
		status = import_finish(import, &err);
	import_free(import);
	return status;
}

TEST(unit__export__comes_back_the_same)
{
	struct world from, to;
	struct buf first, second;

	start(&from);
	fill(&from);
	export_to(&from, NULL, &first);
	stop(&from);
	start(&to);
	if (import_text(&to, buf_slice(&first)) != STATUS_OK) {
		fprintf(stderr, "%s\n", err.text);
		exit(1);
	}
	export_to(&to, NULL, &second);
	stop(&to);
	CHECK(slice_equal(buf_slice(&first), buf_slice(&second)));
	CHECK(!slice_contains(buf_slice(&first), slice_of("tokens")));
	CHECK(slice_contains(buf_slice(&first),
	    slice_of("{\"conversation\":\"7\",\"room\":\"hall\",\"seq\":3,"
		     "\"time\":\"2023-11-14T22:13:20.003Z\",\"entry\":\"react\",\"author\":\"3\","
		     "\"target\":2,\"text\":\"\xf0\x9f\x91\x8d\",\"from\":\"alice\","
		     "\"data\":{\"x\":[1,0.5]}}\n")));
	CHECK(slice_contains(buf_slice(&first), slice_of("\"pair\":[\"alice\",\"bob\"],\"seq\":1")));
	CHECK(slice_contains(buf_slice(&first), slice_of("\"first\":2,\"last\":1200}")));
	CHECK(slice_contains(buf_slice(&first), slice_of("\"hex\":\"6e6f204a534f4e\"")));
	buf_release(&first);
	buf_release(&second);
}

TEST(unit__export__of_a_room_has_that_only)
{
	struct world world, other;
	struct buf text;

	start(&world);
	fill(&world);
	export_to(&world, "hall", &text);
	CHECK(slice_contains(buf_slice(&text), slice_of("\"seq\":1200")));
	CHECK(!slice_contains(buf_slice(&text), slice_of("\"users\"")));
	CHECK(!slice_contains(buf_slice(&text), slice_of("bob")));
	CHECK_INT(export_write(world.store, "none", 0, put_line, &text, &err), STATUS_NOT_FOUND);
	stop(&world);
	start(&other);
	CHECK_INT(import_text(&other, buf_slice(&text)), STATUS_INVALID);
	stop(&other);
	buf_release(&text);
}

static enum status refuse_line(void *arg, struct slice line, struct error *e)
{
	int *left = arg;

	(void)line;
	return (*left)-- > 0 ? STATUS_OK : error_set(e, STATUS_NO_SPACE, "full");
}

TEST(unit__export__ends_when_nobody_takes_it)
{
	struct world world;
	int left;

	start(&world);
	fill(&world);
	for (int i = 0; i < 20; i++) {
		left = i;
		CHECK_INT(export_write(world.store, NULL, 0, refuse_line, &left, &err),
		    STATUS_NO_SPACE);
		CHECK_STR(err.text, "full");
		CHECK_INT(left, -1);
	}
	stop(&world);
}

#define HEADER "{\"export\":\"confab\",\"version\":1}\n"
#define CONV HEADER "{\"conversation\":\"7\",\"first\":1,\"last\":2}\n"
#define ENTRY(seq)                                                                                 \
	"{\"conversation\":\"7\",\"seq\":" seq ",\"time\":\"2023-11-14T22:13:20.003Z\","         \
	"\"entry\":\"message\",\"author\":\"3\"}\n"

TEST(unit__import__refuses_what_is_no_export)
{
	static const char *const bad[] = {
	    "", "hello", "[]", "{}", "{\"export\":\"other\",\"version\":1}",
	    "{\"export\":\"confab\",\"version\":2}", HEADER, HEADER "{}", HEADER HEADER,
	    HEADER "{\"end\":2}", HEADER "{\"end\":1}\n{\"end\":2}",
	    HEADER "{\"record\":\"tokens\",\"key\":\"00\",\"value\":1}",
	    HEADER "{\"record\":\"users\",\"key\":\"0\",\"value\":1}",
	    HEADER "{\"record\":\"users\",\"key\":\"\",\"value\":1}",
	    HEADER "{\"record\":\"users\",\"key\":\"zz\",\"value\":1}",
	    HEADER "{\"record\":\"users\",\"key\":\"00\"}",
	    HEADER "{\"conversation\":\"7\",\"first\":0,\"last\":2}",
	    HEADER "{\"conversation\":\"7\",\"first\":900000000,\"last\":900000000}",
	    HEADER "{\"conversation\":\"0\",\"first\":1,\"last\":2}",
	    HEADER "{\"conversation\":\"7\",\"first\":3,\"last\":1}", HEADER ENTRY("1"),
	    CONV ENTRY("2"), CONV ENTRY("1") ENTRY("1"), CONV ENTRY("1") "{\"end\":3}",
	    CONV ENTRY("1") ENTRY("2") ENTRY("3"),
	    CONV "{\"conversation\":\"7\",\"seq\":1,\"time\":\"now\",\"entry\":\"message\","
		 "\"author\":\"3\"}",
	    CONV "{\"conversation\":\"7\",\"seq\":1,\"time\":\"2023-11-14T22:13:20.003Z\","
		 "\"entry\":\"x\",\"author\":\"3\"}",
	};

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct world world;

		start(&world);
		CHECK_INT(import_text(&world, slice_of(bad[i])), STATUS_INVALID);
		CHECK(strstr(err.text, "line") != NULL);
		stop(&world);
	}
}

TEST(unit__import__takes_the_smallest_there_is)
{
	struct world world;

	start(&world);
	CHECK_INT(import_text(&world, slice_of(HEADER "{\"end\":1}\n")), STATUS_OK);
	CHECK_INT(import_text(&world, slice_of(CONV ENTRY("1") ENTRY("2") "{\"end\":4}")), STATUS_OK);
	stop(&world);
}

UNIT_MAIN(CASE(unit__export__comes_back_the_same), CASE(unit__export__of_a_room_has_that_only),
    CASE(unit__export__ends_when_nobody_takes_it), CASE(unit__import__refuses_what_is_no_export),
    CASE(unit__import__takes_the_smallest_there_is))
