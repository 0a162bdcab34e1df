/* The store in SQLite: what is written is what is read, in order, by whoever asks. */
#include "tests/unit/unit.h"

#include <inttypes.h>

#include "os/clock.h"
#include "os/file.h"
#include "store_world.h"

TEST(unit__append__is_read_back)
{
	struct world w;

	world_init(&w);
	world_message(&w, 1, 1, "one");
	world_message(&w, 1, 2, "");
	world_message(&w, 2, 1, "elsewhere");
	world_message(&w, 1, 3, "three");
	CHECK_STR(world_range(&w, 1, 0, INT64_MAX, 100, false), "1 one|2 |3 three|");
	CHECK_STR(world_range(&w, 2, 0, INT64_MAX, 100, false), "1 elsewhere|");
	CHECK_STR(world_range(&w, 3, 0, INT64_MAX, 100, false), "");
	world_release(&w);
}

static bool check_entry(void *arg, const struct store_entry *entry)
{
	const struct store_entry *want = arg;

	CHECK(entry->conversation == want->conversation && entry->seq == want->seq);
	CHECK(entry->time_ms == want->time_ms && entry->kind == want->kind);
	CHECK(entry->author == want->author && entry->target == want->target);
	CHECK(slice_equal(entry->text, want->text) && slice_equal(entry->extra, want->extra));
	return true;
}

TEST(unit__append__keeps_every_field)
{
	struct world w;
	struct store_entry entry = {
	    .conversation = INT64_MAX,
	    .seq = 1,
	    .time_ms = INT64_C(1790000000123),
	    .kind = STORE_REACT,
	    .author = INT64_MAX,
	    .target = INT64_C(1) << 60,
	    .text = {"a\0b\xFFż", 6},
	    .extra = {"\0\1\xFF", 3},
	};
	struct store_read read = {.kind = STORE_READ_ONE, .conversation = INT64_MAX, .after = 1};

	world_init(&w);
	CHECK_INT(world_append(&w, &(struct store_batch){.entries = &entry, .entry_count = 1}),
	    STATUS_AGAIN);
	CHECK_INT(world_wait(&w), STATUS_OK);
	CHECK_INT(w.store->ops->read(w.store, &read, check_entry, &entry, NULL), STATUS_OK);
	world_release(&w);
}

TEST(unit__read__takes_first_and_newest)
{
	struct world w;
	char text[20];

	world_init(&w);
	for (int i = 1; i <= 9; i++) {
		snprintf(text, sizeof text, "m%d", i);
		world_message(&w, 1, i, text);
	}
	CHECK_STR(world_range(&w, 1, 2, 8, 3, false), "3 m3|4 m4|5 m5|");
	CHECK_STR(world_range(&w, 1, 2, 8, 3, true), "5 m5|6 m6|7 m7|");
	CHECK_STR(world_range(&w, 1, 7, INT64_MAX, 100, true), "8 m8|9 m9|");
	CHECK_STR(world_range(&w, 1, 0, 2, 100, true), "1 m1|");
	CHECK_STR(world_range(&w, 1, 0, INT64_MAX, 0, false), "");
	CHECK_STR(world_range(&w, 1, -5, 1, 100, false), "");
	CHECK_STR(world_read(&w,
	              &(struct store_read){.kind = STORE_READ_ONE, .conversation = 1, .after = 4}),
	    "4 m4|");
	CHECK_STR(world_read(&w,
	              &(struct store_read){.kind = STORE_READ_ONE, .conversation = 1, .after = 10}),
	    "");
	world_release(&w);
}

TEST(unit__read__finds_what_happened_to_a_page)
{
	struct world w;
	struct store_read read = {
	    .kind = STORE_READ_TARGETS, .conversation = 1, .after = 0, .before = 3, .limit = 100};

	world_init(&w);
	world_message(&w, 1, 1, "a");
	world_message(&w, 1, 2, "b");
	world_message(&w, 1, 3, "c");
	world_entry(&w, 1, 4, STORE_REACT, 3, "+");
	world_entry(&w, 1, 5, STORE_EDIT, 2, "bb");
	world_entry(&w, 1, 6, STORE_REACT, 1, "-");
	world_entry(&w, 1, 7, STORE_PIN, 2, "");
	CHECK_STR(world_read(&w, &read), "5>2 bb|6>1 -|7>2 |");
	read.kinds = 1u << STORE_EDIT | 1u << STORE_PIN;
	CHECK_STR(world_read(&w, &read), "5>2 bb|7>2 |");
	read.limit = 1;
	CHECK_STR(world_read(&w, &read), "5>2 bb|");
	read.newest = true;
	CHECK_STR(world_read(&w, &read), "7>2 |");
	world_release(&w);
}

static void check_last(
    struct world *w, uint64_t conversation, int64_t seq, int64_t time_ms, int64_t first)
{
	int64_t got_seq = -1, got_time = -1, got_first = -1;

	CHECK_INT(
	    w->store->ops->last(w->store, conversation, &got_seq, &got_time, &got_first, NULL),
	    STATUS_OK);
	CHECK_INT(got_seq, seq);
	CHECK_INT(got_time, time_ms);
	CHECK_INT(got_first, first);
}

TEST(unit__last__survives_reopening)
{
	struct world w;

	world_init(&w);
	check_last(&w, 1, 0, 0, 1);
	world_message(&w, 1, 1, "a");
	world_message(&w, 1, 2, "b");
	check_last(&w, 1, 2, 2000, 1);
	world_close(&w);
	world_open(&w, STORE_FULL);
	check_last(&w, 1, 2, 2000, 1);
	world_message(&w, 1, 3, "c");
	CHECK_STR(world_range(&w, 1, 0, INT64_MAX, 100, false), "1 a|2 b|3 c|");
	world_release(&w);
}

static bool put_key(void *arg, struct slice key, struct slice value)
{
	char *text = arg;
	size_t len = strlen(text);

	(void)value;
	str_copy(text + len, 100 - len, key);
	return strcmp(text, "dc") != 0;
}

static const char *list_before(struct world *w, const char *before, unsigned limit)
{
	static char text[100];

	text[0] = '\0';
	CHECK_INT(w->store->ops->list(w->store, STORE_AUDIT, slice_of(before), limit, put_key, text,
		      NULL),
	    STATUS_OK);
	return text;
}

TEST(unit__list__comes_backwards_from_a_key)
{
	struct world w;

	world_init(&w);
	world_record(&w, STORE_CODES, "0", "other table");
	for (const char *key = "abcde"; *key != '\0'; key++)
		world_record(&w, STORE_AUDIT, (char[]){*key, '\0'}, "x");
	world_record(&w, STORE_PINS, "0", "other table");
	CHECK_STR(list_before(&w, "c", 9), "ba");
	CHECK_STR(list_before(&w, "z", 2), "ed");
	CHECK_STR(list_before(&w, "a", 9), "");
	CHECK_STR(list_before(&w, "e", 9), "dc"); /* ended by who was called */
	world_release(&w);
}

TEST(unit__records__are_listed_by_key)
{
	struct world w;

	world_init(&w);
	world_record(&w, STORE_USERS, "zoe", "1");
	world_record(&w, STORE_USERS, "alice", "2");
	world_record(&w, STORE_ROOMS, "alice", "room");
	world_record(&w, STORE_USERS, "zoe", "3");
	world_record(&w, STORE_USERS, "bob", "4");
	world_record(&w, STORE_USERS, "bob", NULL);
	world_record(&w, STORE_USERS, "nobody", NULL);
	CHECK_STR(world_records(&w, STORE_USERS), "alice=2|zoe=3|");
	world_close(&w);
	world_open(&w, STORE_NORMAL);
	CHECK_STR(world_records(&w, STORE_USERS), "alice=2|zoe=3|");
	CHECK_STR(world_records(&w, STORE_ROOMS), "alice=room|");
	CHECK_STR(world_records(&w, STORE_AUDIT), "");
	world_release(&w);
}

TEST(unit__append__tells_tickets_in_order)
{
	struct world w;
	char text[2000];
	struct store_entry entries[3];

	memset(text, 'x', sizeof text);
	world_init(&w);
	for (int i = 0; i < 5000; i++) {
		for (int j = 0; j < 3; j++)
			entries[j] = (struct store_entry){
			    .conversation = j == 2 ? 2 : 1,
			    .seq = j == 2 ? i + 1 : 2 * i + j + 1,
			    .kind = STORE_MESSAGE,
			    .author = 1,
			    .text = {text, (size_t)(i % 500)},
			};
		CHECK_INT(
		    world_append(&w, &(struct store_batch){.entries = entries, .entry_count = 3}),
		    STATUS_AGAIN);
	}
	CHECK_INT(world_wait(&w), STATUS_OK);
	CHECK_INT(w.told_count, 5000);
	for (size_t i = 0; i < 5000; i++) {
		CHECK_INT(w.told[i].ticket, i + 1);
		CHECK_INT(w.told[i].status, STATUS_OK);
	}
	check_last(&w, 1, 10000, 0, 1);
	check_last(&w, 2, 5000, 0, 1);
	world_release(&w);
}

TEST(unit__append__refuses_a_gap)
{
	struct world w;
	struct store_entry entries[2] = {
	    {.conversation = 2, .seq = 1, .kind = STORE_MESSAGE, .text = {"x", 1}},
	    {.conversation = 1, .seq = 3, .kind = STORE_MESSAGE, .text = {"x", 1}},
	};
	struct store_batch batch = {.entries = entries, .entry_count = 2};

	world_init(&w);
	world_message(&w, 1, 1, "one");
	CHECK_INT(world_append(&w, &batch), STATUS_AGAIN);
	CHECK_INT(world_wait(&w), STATUS_INVALID);
	CHECK_INT(world_append(&w, &batch), STATUS_INVALID);
	w.store->ops->resume(w.store);
	/* Nothing of it was stored, and the right ones go on. */
	CHECK_STR(world_range(&w, 2, 0, INT64_MAX, 10, false), "");
	world_message(&w, 1, 2, "two");
	CHECK_STR(world_range(&w, 1, 0, INT64_MAX, 10, false), "1 one|2 two|");
	world_release(&w);
}

TEST(unit__append__writes_those_before_a_gap)
{
	struct world w;
	struct store_entry entry = {.conversation = 1, .kind = STORE_MESSAGE, .text = {"x", 1}};
	struct store_batch batch = {.entries = &entry, .entry_count = 1};
	size_t good = 0;

	world_init(&w);
	for (int i = 1; i <= 300; i++) {
		entry.seq = i == 200 ? 1 : i;
		if (world_append(&w, &batch) != STATUS_AGAIN) {
			w.next_ticket--;
			break;
		}
	}
	CHECK_INT(world_wait(&w), STATUS_INVALID);
	for (size_t i = 0; i < w.told_count; i++) {
		CHECK_INT(w.told[i].ticket, i + 1);
		CHECK_INT(w.told[i].status, i < 199 ? STATUS_OK : STATUS_INVALID);
		good += w.told[i].status == STATUS_OK;
	}
	CHECK_INT(good, 199);
	check_last(&w, 1, 199, 0, 1);
	world_release(&w);
}

static bool has_text(const struct world *w, const char *text)
{
	return file_has(world_path(w, "confab.db"), text) ||
	       file_has(world_path(w, "confab.db-wal"), text);
}

static void check_gone(const struct world *w, const char *text)
{
	CHECK(!has_text(w, text));
}

/* What housekeeping does takes a moment. */
static void wait_until_gone(const struct world *w, const char *text)
{
	for (int i = 0; i < 300 && has_text(w, text); i++)
		clock_sleep_ms(100);
	check_gone(w, text);
}

static void check_erasing(enum store_durability durability)
{
	struct world w;

	world_init(&w);
	world_close(&w);
	world_open(&w, durability);
	world_message(&w, 1, 1, "the Xylophone42secret is here");
	world_message(&w, 1, 2, "neighbour");
	world_entry(&w, 1, 3, STORE_EDIT, 1, "the Marimba42secret is there");
	world_message(&w, 1, 4, "target of nothing");
	world_entry(&w, 1, 5, STORE_REACT, 1, "+");
	CHECK_STR(world_search(&w, "marimba42secret"), "3>1 the Marimba42secret is there|");
	CHECK_STR(world_search(&w, "xylophone42secret"), "");
	world_entry(&w, 1, 6, STORE_DELETE, 1, "");
	CHECK_STR(world_range(&w, 1, 0, INT64_MAX, 10, false),
	    "1 |2 neighbour|3>1 |4 target of nothing|5>1 +|6>1 |");
	CHECK_STR(world_search(&w, "marimba42secret"), "");
	CHECK_STR(world_search(&w, "neighbour"), "2 neighbour|");
	/* The index drops the words when its pages are rewritten, which follows by itself. */
	wait_until_gone(&w, "rimba42secret");
	world_close(&w);
	check_gone(&w, "Xylophone42secret");
	check_gone(&w, "Marimba42secret");
	check_gone(&w, "marimba42secret");
	check_gone(&w, "ylophone42secret");
	world_release(&w);
}

TEST(unit__delete__erases_the_texts)
{
	check_erasing(STORE_NORMAL);
	check_erasing(STORE_FULL);
}

static void append_only(struct world *w, uint64_t conversation, int64_t seq, enum store_kind kind,
    int64_t target, const char *text)
{
	struct store_entry entry = {.conversation = conversation,
	    .seq = seq,
	    .kind = kind,
	    .author = 7,
	    .target = target,
	    .text = slice_of(text)};

	CHECK_INT(world_append(w, &(struct store_batch){.entries = &entry, .entry_count = 1}),
	    STATUS_AGAIN);
}

static bool take_extra(void *arg, const struct store_entry *entry)
{
	struct buf *all = arg;

	buf_put_slice(all, entry->extra);
	buf_put_char(all, '|');
	return true;
}

TEST(unit__delete__leaves_of_extras_what_it_says)
{
	const struct store_read read = {
	    .kind = STORE_READ_RANGE, .conversation = 1, .before = INT64_MAX, .limit = 10};
	struct store_entry entries[] = {
	    {.conversation = 1, .seq = 1, .kind = STORE_MESSAGE, .author = 7,
		.text = slice_of("text"), .extra = slice_of("author,Zither42secret")},
	    {.conversation = 1, .seq = 2, .kind = STORE_EDIT, .author = 7, .target = 1,
		.text = slice_of("more"), .extra = slice_of("author,Zither42secret")},
	    {.conversation = 1, .seq = 3, .kind = STORE_DELETE, .author = 7, .target = 1,
		.extra = slice_of("by"), .left = slice_of("author")},
	};
	struct buf all;
	struct world w;
	struct error err;

	world_init(&w);
	CHECK_INT(world_append(&w, &(struct store_batch){.entries = entries, .entry_count = 3}),
	    STATUS_AGAIN);
	CHECK_INT(world_wait(&w), STATUS_OK);
	buf_init(&all, 1000);
	CHECK_INT(w.store->ops->read(w.store, &read, take_extra, &all, &err), STATUS_OK);
	CHECK_STR(buf_text(&all), "author|author|by|");
	buf_release(&all);
	world_close(&w);
	check_gone(&w, "Zither42secret");
	world_release(&w);
}

TEST(unit__delete__erases_one_of_many)
{
	struct world w;
	char text[400];

	world_init(&w);
	for (int i = 1; i <= 2000; i++) {
		snprintf(text, sizeof text, "secret%dTEXT and %.*s", i, i % 300,
		    "Lorem ipsum dolor sit amet, consectetur adipiscing elit, sed do eiusmod "
		    "tempor incididunt ut labore et dolore magna aliqua. Ut enim ad minim veniam, "
		    "quis nostrud exercitation ullamco laboris nisi ut aliquip ex ea commodo "
		    "consequat. Duis aute irure dolor in reprehenderit in voluptate velit.");
		append_only(&w, 1 + (uint64_t)i % 2, (i + 1) / 2, STORE_MESSAGE, 0, text);
	}
	CHECK_INT(world_wait(&w), STATUS_OK);
	for (int i = 1; i <= 1000; i += 3)
		append_only(&w, 1, 1000 + (i + 2) / 3, STORE_DELETE, i, "");
	CHECK_INT(world_wait(&w), STATUS_OK);
	world_close(&w);
	for (int i = 1; i <= 1000; i += 27) {
		snprintf(text, sizeof text, "secret%dTEXT", 2 * i);
		check_gone(&w, text);
	}
	CHECK(file_has(world_path(&w, "confab.db"), "secret4TEXT"));
	world_release(&w);
}

TEST(unit__trim__hides_at_once_and_keeps_counting)
{
	struct world w;
	struct store_check check;

	world_init(&w);
	for (int i = 1; i <= 9; i++)
		world_message(&w, 1, i, "text");
	world_message(&w, 2, 1, "other");
	world_trim(&w, 1, 4);
	CHECK_STR(world_range(&w, 1, 0, 7, 10, false), "5 text|6 text|");
	CHECK_STR(world_range(&w, 1, 0, 6, 10, true), "5 text|");
	CHECK_STR(world_read(&w,
	              &(struct store_read){.kind = STORE_READ_ONE, .conversation = 1, .after = 4}),
	    "");
	check_last(&w, 1, 9, 9000, 5);
	world_trim(&w, 1, 2);
	check_last(&w, 1, 9, 9000, 5);
	world_trim(&w, 1, 100);
	check_last(&w, 1, 9, 9000, 10);
	world_message(&w, 1, 10, "next");
	CHECK_STR(world_range(&w, 1, 0, INT64_MAX, 10, false), "10 next|");
	CHECK_STR(world_search(&w, "text"), "");
	CHECK_STR(world_search(&w, "next"), "10 next|");
	world_trim(&w, 2, INT64_MAX);
	check_last(&w, 2, 0, 0, 1);
	CHECK_STR(world_range(&w, 2, 0, INT64_MAX, 10, false), "");
	CHECK_STR(world_search(&w, "other"), "");
	world_close(&w);
	CHECK_INT(store_sqlite_verify(w.dir, &check, NULL), STATUS_OK);
	CHECK_INT(check.conversations, 1);
	CHECK_INT(check.entries, 1);
	world_release(&w);
}

TEST(unit__trim__removes_the_texts_by_and_by)
{
	struct world w;
	char text[100];

	world_init(&w);
	for (int i = 1; i <= 1000; i++) {
		snprintf(text, sizeof text, "Marimba%dsecret", i);
		world_message(&w, 1, i, text);
	}
	world_trim(&w, 1, 999);
	wait_until_gone(&w, "Marimba7secret");
	world_close(&w);
	check_gone(&w, "Marimba1secret");
	check_gone(&w, "Marimba7secret");
	check_gone(&w, "Marimba998secret");
	CHECK(file_has(world_path(&w, "confab.db"), "Marimba1000secret"));
	world_release(&w);
}

UNIT_MAIN(CASE(unit__append__is_read_back), CASE(unit__append__keeps_every_field),
    CASE(unit__read__takes_first_and_newest), CASE(unit__read__finds_what_happened_to_a_page),
    CASE(unit__last__survives_reopening), CASE(unit__records__are_listed_by_key),
    CASE(unit__list__comes_backwards_from_a_key),
    CASE(unit__append__tells_tickets_in_order), CASE(unit__append__refuses_a_gap),
    CASE(unit__append__writes_those_before_a_gap), CASE(unit__delete__erases_the_texts),
    CASE(unit__delete__leaves_of_extras_what_it_says), CASE(unit__delete__erases_one_of_many), CASE(unit__trim__hides_at_once_and_keeps_counting),
    CASE(unit__trim__removes_the_texts_by_and_by))
