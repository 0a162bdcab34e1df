/*
 * What can be done with messages that are there: where jobs, slow stores and failures meet. The
 * wire's rules are in tests/wire.
 */
#include "tests/unit/unit.h"

#include "chat/view.h"
#include "chat_world.h"

static void drain(struct world *world, unsigned session)
{
	while (*world_read(world, session) != '\0')
		;
}

/* What comes first after a request: its reply, as nothing else was on its way. */
static const char *ask(struct world *world, unsigned session, const char *line)
{
	drain(world, session);
	world_ask(world, session, line);
	return world_read(world, session);
}

static void expect(struct world *world, unsigned session, const char *line, const char *part)
{
	const char *reply = ask(world, session, line);

	if (strstr(reply, part) == NULL) {
		fprintf(stderr, "%s\nwas answered \"%s\", not …%s…\n", line, reply, part);
		exit(1);
	}
}

static void expect_not(struct world *world, unsigned session, const char *line, const char *part)
{
	const char *reply = ask(world, session, line);

	CHECK(strstr(reply, "\"ok\":true") != NULL);
	CHECK(strstr(reply, part) == NULL);
}

/* Alice owns the room dev and bob is in it: seq 1 and 2. */
static struct world *make(unsigned *alice, unsigned *bob)
{
	struct world *world = world_new(true, true);

	*alice = world_user(world, "alice");
	*bob = world_user(world, "bob");
	world_ask(world, *alice, "{\"cmd\":\"create\",\"room\":\"dev\"}");
	world_ask(world, *bob, "{\"cmd\":\"join\",\"room\":\"dev\"}");
	return world;
}

static void say(struct world *world, unsigned session, const char *text)
{
	char line[300];

	snprintf(line, sizeof line, "{\"cmd\":\"send\",\"room\":\"dev\",\"id\":1,\"text\":\"%s\"}", text);
	expect(world, session, line, "\"ok\":true");
}

#define HISTORY "{\"cmd\":\"history\",\"room\":\"dev\",\"id\":1}"
#define EVENTS "{\"cmd\":\"history\",\"room\":\"dev\",\"id\":1,\"events\":true}"

TEST(messages__edit__is_told_and_counts_once)
{
	unsigned a, b;
	struct world *world = make(&a, &b);

	say(world, a, "one");
	drain(world, b);
	expect(world, a, "{\"cmd\":\"edit\",\"room\":\"dev\",\"id\":1,\"target\":3,\"text\":\"two @bob\"}",
	    "\"ok\":true,\"seq\":4}");
	world_expect(world, b, "{\"event\":\"edit\",\"room\":\"dev\",\"seq\":4,\"target\":3,");
	expect(world, a, "{\"cmd\":\"edit\",\"room\":\"dev\",\"id\":1,\"target\":3,\"text\":\"two @bob\"}",
	    "\"ok\":true,\"seq\":4}");
	CHECK_STR(world_read(world, b), "");
	expect(world, b, "{\"cmd\":\"edit\",\"room\":\"dev\",\"id\":1,\"target\":3,\"text\":\"x\"}",
	    "not_allowed");
	expect(world, a, "{\"cmd\":\"edit\",\"room\":\"dev\",\"id\":1,\"target\":2,\"text\":\"x\"}",
	    "no_such_message"); /* a join */
	expect(world, a, "{\"cmd\":\"edit\",\"room\":\"dev\",\"id\":1,\"target\":9,\"text\":\"x\"}",
	    "no_such_message");
	expect(world, a, HISTORY,
	    "\"messages\":[{\"seq\":3,\"from\":\"alice\",\"time\":\"2026-09-21T14:13:20.000Z\","
	    "\"text\":\"two @bob\",\"mentions\":[\"bob\"],\"edited\":\"2026-09-21T14:13:20.000Z\"}],"
	    "\"first\":1,\"more\":false}");
	/* Back to the first text is another edit, as it says something else than the last one. */
	expect(world, a, "{\"cmd\":\"edit\",\"room\":\"dev\",\"id\":1,\"target\":3,\"text\":\"one\"}",
	    "\"seq\":5}");
	world_free(world);
}

TEST(messages__delete__leaves_a_tombstone)
{
	unsigned a, b;
	struct world *world = make(&a, &b);

	expect(world, b,
	    "{\"cmd\":\"send\",\"room\":\"dev\",\"id\":1,\"text\":\"secret\",\"data\":\"hidden\"}",
	    "\"seq\":3");
	expect(world, b, "{\"cmd\":\"edit\",\"room\":\"dev\",\"id\":1,\"target\":3,\"text\":\"mystery\"}",
	    "\"seq\":4");
	expect(world, a, "{\"cmd\":\"react\",\"room\":\"dev\",\"id\":1,\"target\":3,\"emoji\":\"x\"}",
	    "\"seq\":5");
	expect(world, a,
	    "{\"cmd\":\"delete\",\"room\":\"dev\",\"id\":1,\"target\":3,\"reason\":\"no\"}",
	    "\"seq\":6}");
	expect(world, b, "{\"cmd\":\"delete\",\"room\":\"dev\",\"id\":1,\"target\":3}", "\"seq\":6}");
	expect(world, b, HISTORY,
	    "\"messages\":[{\"seq\":3,\"from\":\"bob\",\"time\":\"2026-09-21T14:13:20.000Z\","
	    "\"deleted\":true}]");
	expect(world, b, EVENTS, "\"seq\":6,\"target\":3,");
	expect(world, b, EVENTS, "\"reason\":\"no\",\"replay\":true}");
	expect_not(world, b, EVENTS, "secret");
	expect_not(world, b, EVENTS, "mystery");
	expect_not(world, b, EVENTS, "hidden");
	expect(world, b, "{\"cmd\":\"search\",\"query\":\"secret\",\"id\":1}",
	    "\"messages\":[],\"more\":false");
	expect(world, b, "{\"cmd\":\"edit\",\"room\":\"dev\",\"id\":1,\"target\":3,\"text\":\"x\"}",
	    "no_such_message");
	expect(world, b, "{\"cmd\":\"react\",\"room\":\"dev\",\"id\":1,\"target\":3,\"emoji\":\"x\"}",
	    "no_such_message");
	world_free(world);
}

#define REACT "{\"cmd\":\"react\",\"room\":\"dev\",\"id\":1,\"target\":3,\"emoji\":\"+1\"}"
#define UNREACT "{\"cmd\":\"unreact\",\"room\":\"dev\",\"id\":1,\"target\":3,\"emoji\":\"+1\"}"

TEST(messages__react__counts_each_user_once)
{
	unsigned a, b;
	struct world *world = make(&a, &b);

	say(world, a, "one");
	expect(world, b, UNREACT, "\"ok\":true,\"seq\":3}"); /* nothing to take back */
	expect(world, b, REACT, "\"seq\":4}");
	expect(world, b, REACT, "\"seq\":4}");
	expect(world, a, REACT, "\"seq\":5}");
	expect(world, a, HISTORY,
	    "\"reactions\":[{\"emoji\":\"+1\",\"count\":2,\"users\":[\"bob\",\"alice\"],"
	    "\"me\":true}]}]");
	expect(world, b, UNREACT, "\"seq\":6}");
	expect(world, b, UNREACT, "\"seq\":6}");
	expect(world, b, HISTORY,
	    "\"reactions\":[{\"emoji\":\"+1\",\"count\":1,\"users\":[\"alice\"]}]}]");
	expect(world, b, REACT, "\"seq\":7}");
	expect(world, a, UNREACT, "\"seq\":8}");
	expect(world, b, UNREACT, "\"seq\":9}");
	expect_not(world, b, HISTORY, "reactions");
	world_free(world);
}

/* --- Races ---------------------------------------------------------------------------------- */

TEST(messages__race__two_devices_react_while_both_read)
{
	unsigned a, b, c;
	struct world *world = make(&a, &b);

	c = world_user(world, "bob");
	say(world, a, "one");
	drain(world, b);
	drain(world, c);
	world->idle = true;
	world_ask(world, b, REACT);
	world_ask(world, c, REACT);
	CHECK(world_run_job(world) && world_run_job(world));
	world_work(world);
	world_expect(world, b, "\"re\":1,\"ok\":true,\"seq\":4}");
	world_expect(world, b, "\"event\":\"react\"");
	CHECK_STR(world_read(world, b), "");
	world_expect(world, c, "\"event\":\"react\"");
	world_expect(world, c, "\"re\":1,\"ok\":true,\"seq\":4}");
	CHECK_STR(world_read(world, c), "");
	world_free(world);
}

TEST(messages__race__what_is_on_its_way_is_waited_for)
{
	unsigned a, b, c;
	struct world *world = make(&a, &b);

	c = world_user(world, "bob");
	say(world, a, "one");
	drain(world, b);
	drain(world, c);
	world->slow = true;
	world_ask(world, b, REACT);
	world_ask(world, c, REACT);
	CHECK_STR(world_read(world, b), "");
	CHECK_STR(world_read(world, c), "");
	CHECK_INT(world->ticket_count, 1);
	CHECK(world_commit(world));
	world_expect(world, b, "\"seq\":4}");
	world_expect(world, c, "\"event\":\"react\"");
	world_expect(world, c, "\"seq\":4}");
	CHECK(!world_commit(world));
	world_free(world);
}

TEST(messages__race__others_do_not_wait_for_each_other)
{
	unsigned a, b;
	struct world *world = make(&a, &b);

	say(world, a, "one");
	drain(world, a);
	drain(world, b);
	world->slow = world->idle = true;
	world_ask(world, b, REACT);
	world_ask(world, a, REACT);
	world_work(world);
	world->idle = false;
	CHECK_INT(world->ticket_count, 2); /* both are on their way at once */
	CHECK(world_commit(world) && world_commit(world));
	world_expect(world, b, "\"seq\":4}");
	expect(world, a, HISTORY, "\"count\":2");
	world_free(world);
}

TEST(messages__race__a_deletion_stops_an_edit)
{
	unsigned a, b;
	struct world *world = make(&a, &b);

	say(world, b, "one");
	drain(world, a);
	drain(world, b);
	world->idle = true;
	world_ask(world, b, "{\"cmd\":\"edit\",\"room\":\"dev\",\"id\":1,\"target\":3,\"text\":\"x\"}");
	CHECK(world_run_job(world));
	world_ask(world, a, "{\"cmd\":\"delete\",\"room\":\"dev\",\"id\":2,\"target\":3}");
	CHECK(world_run_job(world));
	/* The edit is done first, so it counts, and goes with the deletion. */
	world_work(world);
	world_expect(world, b, "\"seq\":4}");
	world_expect(world, a, "\"event\":\"edit\"");
	world_expect(world, a, "\"re\":2,\"ok\":true,\"seq\":5}");
	world->idle = false;
	expect(world, b, HISTORY, "\"deleted\":true");
	expect_not(world, b, EVENTS, "\"x\"");
	world_free(world);
}

TEST(messages__race__a_deleted_text_is_not_sent)
{
	static const char *const asks[] = {HISTORY, EVENTS,
	    "{\"cmd\":\"search\",\"query\":\"one\",\"id\":1}",
	    "{\"cmd\":\"pins\",\"room\":\"dev\",\"id\":1}"};

	for (size_t i = 0; i < sizeof asks / sizeof *asks; i++) {
		unsigned a, b;
		struct world *world = make(&a, &b);
		const char *line;

		say(world, a, "one");
		expect(world, a, "{\"cmd\":\"pin\",\"room\":\"dev\",\"id\":1,\"target\":3}", "\"seq\":4}");
		drain(world, b);
		world->idle = true;
		world_ask(world, a, "{\"cmd\":\"delete\",\"room\":\"dev\",\"id\":1,\"target\":3}");
		CHECK(world_run_job(world));
		world_ask(world, b, asks[i]);
		CHECK(world_run_job(world)); /* both have read */
		CHECK(world_end_job(world)); /* it is deleted, */
		world_work(world);	     /* and read again */
		world_expect(world, b, "\"event\":\"delete\"");
		line = world_read(world, b);
		CHECK(strstr(line, "\"ok\":true") != NULL);
		CHECK(strstr(line, "\"one\"") == NULL);
		world_free(world);
	}
}

TEST(messages__failure__takes_a_change_back)
{
	unsigned a, b;
	struct world *world = make(&a, &b);

	say(world, a, "one");
	drain(world, a);
	drain(world, b);
	expect(world, a, "{\"cmd\":\"pin\",\"room\":\"dev\",\"id\":1,\"target\":3}", "\"seq\":4}");
	drain(world, a);
	drain(world, b);
	world->slow = world->idle = true;
	world_ask(world, b, REACT);
	world_ask(world, a, "{\"cmd\":\"delete\",\"room\":\"dev\",\"id\":2,\"target\":3}");
	world_work(world);
	world->idle = false;
	CHECK_INT(world->ticket_count, 2);
	world_fail(world, STATUS_NO_SPACE);
	world_expect(world, a, "\"re\":2,\"ok\":false,\"error\":\"unavailable\"");
	world_expect(world, b, "\"error\":\"unavailable\"");
	CHECK_STR(world_read(world, b), "");
	world->slow = false;
	expect(world, b, HISTORY, "\"text\":\"one\",\"pinned\":true}]");
	expect(world, b, REACT, "\"seq\":5}");
	expect(world, a, "{\"cmd\":\"delete\",\"room\":\"dev\",\"id\":2,\"target\":3}", "\"seq\":6}");
	world_free(world);
}

TEST(messages__failure__of_a_reader_is_told)
{
	static const char *const asks[] = {HISTORY, REACT,
	    "{\"cmd\":\"search\",\"query\":\"one\",\"id\":1}",
	    "{\"cmd\":\"pins\",\"room\":\"dev\",\"id\":1}"};
	unsigned a, b;
	struct world *world = make(&a, &b);

	say(world, a, "one");
	expect(world, a, "{\"cmd\":\"pin\",\"room\":\"dev\",\"id\":1,\"target\":3}", "\"seq\":4}");
	world->store->read_fails = STATUS_IO;
	for (size_t i = 0; i < sizeof asks / sizeof *asks; i++)
		expect(world, b, asks[i], "\"error\":\"unavailable\"");
	world->store->read_fails = STATUS_OK;
	for (size_t i = 0; i < sizeof asks / sizeof *asks; i++)
		expect(world, b, asks[i], "\"ok\":true");
	world_free(world);
}

/* --- Pages ---------------------------------------------------------------------------------- */

static void expect_page(struct world *world, unsigned session, const char *fields,
    const char *seqs, const char *more)
{
	const char *reply, *at;
	char line[200];
	struct buf got;
	int seq;

	buf_init(&got, 1000);
	snprintf(line, sizeof line, "{\"cmd\":\"history\",\"room\":\"dev\",\"id\":1%s}", fields);
	reply = ask(world, session, line);
	for (at = reply; (at = strstr(at, "{\"seq\":")) != NULL; at++) {
		CHECK(sscanf(at, "{\"seq\":%d", &seq) == 1);
		buf_put_fmt(&got, "%d ", seq);
	}
	CHECK_STR(buf_text(&got), seqs);
	buf_release(&got);
	CHECK(strstr(reply, more) != NULL);
}

TEST(messages__history__pages_in_all_directions)
{
	unsigned a, b;
	struct world *world = make(&a, &b);

	for (int i = 0; i < 10; i++)
		say(world, a, "m"); /* 3 to 12 */
	expect_page(world, b, "", "3 4 5 6 7 8 9 10 11 12 ", "\"more\":false");
	expect_page(world, b, ",\"limit\":3", "10 11 12 ", "\"more\":true");
	expect_page(world, b, ",\"limit\":3,\"before\":10", "7 8 9 ", "\"more\":true");
	expect_page(world, b, ",\"limit\":3,\"before\":6", "3 4 5 ", "\"more\":false");
	expect_page(world, b, ",\"limit\":3,\"after\":0", "3 4 5 ", "\"more\":true");
	expect_page(world, b, ",\"limit\":3,\"after\":9", "10 11 12 ", "\"more\":false");
	expect_page(world, b, ",\"limit\":3,\"after\":12", "", "\"more\":false");
	expect_page(world, b, ",\"limit\":4,\"around\":6", "4 5 6 7 ", "\"more\":true");
	expect_page(world, b, ",\"limit\":1,\"around\":6", "6 ", "\"more\":true");
	expect_page(world, b, ",\"limit\":40,\"around\":1", "3 4 5 6 7 8 9 10 11 12 ",
	    "\"more\":false");
	expect(world, b,
	    "{\"cmd\":\"history\",\"room\":\"dev\",\"id\":1,\"after\":1,\"around\":3}",
	    "\"field\":\"around\"");
	world_free(world);
}

TEST(messages__history__begins_where_one_joined)
{
	unsigned a, b, c;
	struct world *world = make(&a, &b);

	say(world, a, "before");
	expect(world, a, "{\"cmd\":\"set\",\"room\":\"dev\",\"id\":1,\"visible\":\"joined\"}", "\"seq\":4}");
	c = world_user(world, "cyd");
	expect(world, c, "{\"cmd\":\"join\",\"room\":\"dev\",\"id\":1}", "\"seq\":5,\"first\":5");
	say(world, a, "after it");
	expect_page(world, c, "", "6 ", "\"first\":5,\"more\":false");
	expect_page(world, c, ",\"after\":0", "6 ", "\"more\":false");
	expect_page(world, c, ",\"around\":3", "6 ", "\"more\":false");
	expect(world, c, REACT, "no_such_message");
	expect(world, c, "{\"cmd\":\"send\",\"room\":\"dev\",\"id\":1,\"text\":\"x\",\"reply\":3}",
	    "no_such_message");
	expect(world, c, "{\"cmd\":\"search\",\"query\":\"before\",\"id\":1}", "\"messages\":[]");
	expect(world, b, "{\"cmd\":\"search\",\"query\":\"before\",\"id\":1}",
	    "\"messages\":[{\"conversation\":\"dev\",\"seq\":3,");
	world_free(world);
}

TEST(messages__history__ends_a_page_within_a_reply)
{
	unsigned a, b;
	struct world *world = make(&a, &b);
	long long after = 0, count = 0;
	struct buf text;

	buf_init(&text, 20000);
	buf_put_str(&text, "{\"cmd\":\"send\",\"room\":\"dev\",\"text\":\"");
	for (int i = 0; i < 1300; i++)
		buf_put_str(&text, "\\u0001"); /* six bytes in JSON for one */
	buf_put_str(&text, "\"}");
	for (int i = 0; i < 120; i++)
		world_ask(world, a, buf_text(&text));
	buf_release(&text);
	for (bool more = true; more;) {
		char line[120];
		const char *reply, *at;
		long long seq;

		snprintf(line, sizeof line,
		    "{\"cmd\":\"history\",\"room\":\"dev\",\"id\":1,\"limit\":500,\"after\":%lld}",
		    after);
		reply = ask(world, b, line);
		CHECK(strlen(reply) < PROTO_LIMIT_reply);
		more = strstr(reply, "\"more\":true") != NULL;
		CHECK(!more || strlen(reply) > PROTO_LIMIT_reply / 2);
		for (at = reply; (at = strstr(at, "{\"seq\":")) != NULL; at++) {
			CHECK(sscanf(at, "{\"seq\":%lld", &seq) == 1);
			CHECK(seq == after + 1 || after == 0);
			after = seq;
			count++;
		}
	}
	CHECK_INT(count, 120);
	/* The newest ones come first where nothing is said. */
	CHECK(strstr(ask(world, b, HISTORY), "{\"seq\":122,") != NULL);
	world_free(world);
}

/* --- Views ---------------------------------------------------------------------------------- */

static void put(struct store *store, int64_t seq, enum store_kind kind, int64_t target,
    uint64_t author, const char *text)
{
	const struct store_entry entry = {
	    .conversation = 1,
	    .seq = seq,
	    .time_ms = seq,
	    .kind = kind,
	    .author = author,
	    .target = target,
	    .text = slice_of(text),
	    .extra = slice_of("\"from\":\"alice\""),
	};

	CHECK(store->ops->append(store, &(struct store_batch){.entries = &entry, .entry_count = 1},
		  1) == STATUS_OK);
}

static bool take(void *arg, const struct store_entry *entry)
{
	return chat_view_add(arg, entry);
}

TEST(messages__view__ten_thousand_reactions_in_bounded_memory)
{
	struct world_store *store = world_store_new();
	const struct store_read read = {.conversation = 1, .before = 3, .limit = 2};
	struct chat_view view;
	struct json_writer w;
	struct buf text;

	put(&store->base, 1, STORE_MESSAGE, 0, 7, "one");
	put(&store->base, 2, STORE_MESSAGE, 0, 7, "two");
	for (int i = 0; i < 10000; i++)
		put(&store->base, 3 + i, STORE_REACT, 1, 100 + (uint64_t)i, "+1");
	for (int i = 0; i < 12000; i++)
		put(&store->base, 10003 + i, STORE_REACT, 2, 100 + (uint64_t)i, "+1");
	chat_view_init(&view, &store->base, 104);
	CHECK(store->base.ops->read(&store->base, &read, take, &view, NULL) == STATUS_OK);
	CHECK_INT(view.count, 2);
	CHECK(chat_view_update(&view, 0, 2) == STATUS_OK);
	CHECK(view.full); /* too many for both: one at a time */
	CHECK(chat_view_update(&view, 0, 1) == STATUS_OK);
	CHECK(!view.full);
	CHECK(view.bytes < 4096);
	buf_init(&text, 100000);
	json_begin(&w, &text);
	chat_view_put(&view, 0, &w);
	json_end(&w);
	CHECK(strstr(buf_text(&text), "\"count\":10000,\"users\":[\"alice\",") != NULL);
	CHECK(strstr(buf_text(&text), "\"me\":true") != NULL);
	buf_release(&text);
	chat_view_release(&view);
	store->base.ops->close(&store->base);
}

/* --- Pins, search, mentions ----------------------------------------------------------------- */

#define PIN "{\"cmd\":\"pin\",\"room\":\"dev\",\"id\":1,\"target\":3}"
#define UNPIN "{\"cmd\":\"unpin\",\"room\":\"dev\",\"id\":1,\"target\":3}"
#define PINS "{\"cmd\":\"pins\",\"room\":\"dev\",\"id\":1}"

TEST(messages__pin__twice_and_taken_off_twice)
{
	unsigned a, b;
	struct world *world = make(&a, &b);

	say(world, b, "one");
	expect(world, b, PIN, "not_allowed");
	expect(world, a, "{\"cmd\":\"pin\",\"room\":\"dev\",\"id\":1,\"target\":2}", "no_such_message");
	drain(world, b);
	expect(world, a, PIN, "\"seq\":4}");
	world_expect(world, b, "{\"event\":\"pin\",\"room\":\"dev\",\"seq\":4,\"target\":3,");
	expect(world, a, PIN, "\"seq\":4}");
	expect(world, b, PINS, "\"messages\":[{\"seq\":3,\"from\":\"bob\",");
	expect(world, a, UNPIN, "\"seq\":5}");
	expect(world, a, UNPIN, "\"seq\":5}");
	expect(world, b, PINS, "\"messages\":[],\"more\":false");
	expect(world, a, PIN, "\"seq\":6}");
	expect(world, b, "{\"cmd\":\"delete\",\"room\":\"dev\",\"id\":1,\"target\":3}", "\"seq\":7}");
	expect(world, b, PINS, "\"messages\":[],\"more\":false");
	expect(world, a, PIN, "no_such_message");
	world_free(world);
}

TEST(messages__pin__has_a_limit_and_pages)
{
	unsigned a, b;
	struct world *world = make(&a, &b);
	char line[100];

	for (int i = 0; i <= PROTO_LIMIT_pins; i++)
		say(world, b, "one");
	for (int i = 0; i < PROTO_LIMIT_pins; i++) {
		snprintf(line, sizeof line, "{\"cmd\":\"pin\",\"room\":\"dev\",\"id\":1,\"target\":%d}",
		    3 + i);
		expect(world, a, line, "\"ok\":true");
	}
	snprintf(line, sizeof line, "{\"cmd\":\"pin\",\"room\":\"dev\",\"id\":1,\"target\":%d}",
	    3 + PROTO_LIMIT_pins);
	expect(world, a, line, "too_many");
	expect(world, a, "{\"cmd\":\"pins\",\"room\":\"dev\",\"id\":1,\"limit\":2}",
	    "\"more\":true,\"next\":4}");
	expect(world, a, "{\"cmd\":\"pins\",\"room\":\"dev\",\"id\":1,\"limit\":2,\"after\":4}",
	    "\"messages\":[{\"seq\":5,");
	world_free(world);
}

TEST(messages__search__pages_over_own_conversations)
{
	unsigned a, b, c;
	struct world *world = make(&a, &b);

	c = world_user(world, "cyd");
	say(world, a, "apple one");
	say(world, b, "apple two");
	say(world, a, "pear");
	expect(world, b, "{\"cmd\":\"send\",\"to\":\"alice\",\"id\":1,\"text\":\"apple pie\"}",
	    "\"ok\":true");
	expect(world, a, "{\"cmd\":\"edit\",\"room\":\"dev\",\"id\":1,\"target\":5,\"text\":\"apple\"}",
	    "\"ok\":true");
	expect(world, c, "{\"cmd\":\"search\",\"query\":\"apple\",\"id\":1}", "\"messages\":[]");
	expect(world, c, "{\"cmd\":\"search\",\"query\":\"apple\",\"room\":\"dev\",\"id\":1}",
	    "not_member");
	expect(world, a, "{\"cmd\":\"search\",\"query\":\"apple\",\"limit\":2,\"id\":1}",
	    "\"messages\":[{\"conversation\":\"dev\",\"seq\":5,\"from\":\"alice\",");
	expect(world, a, "{\"cmd\":\"search\",\"query\":\"apple\",\"limit\":2,\"id\":1}",
	    "{\"conversation\":\"@bob\",\"seq\":1,");
	expect(world, a, "{\"cmd\":\"search\",\"query\":\"apple\",\"limit\":2,\"id\":1}",
	    "\"more\":true,\"next\":2}");
	expect(world, a, "{\"cmd\":\"search\",\"query\":\"apple\",\"limit\":2,\"after\":2,\"id\":1}",
	    "\"messages\":[{\"conversation\":\"dev\",\"seq\":4,");
	expect(world, a,
	    "{\"cmd\":\"search\",\"query\":\"apple\",\"room\":\"dev\",\"from\":\"bob\",\"id\":1}",
	    "\"messages\":[{\"conversation\":\"dev\",\"seq\":4,");
	expect(world, a, "{\"cmd\":\"search\",\"query\":\"pie\",\"to\":\"bob\",\"id\":1}",
	    "\"messages\":[{\"conversation\":\"@bob\",\"seq\":1,");
	expect(world, a, "{\"cmd\":\"search\",\"query\":\"pie\",\"to\":\"cyd\",\"id\":1}",
	    "\"messages\":[],\"more\":false");
	expect(world, a, "{\"cmd\":\"search\",\"query\":\"-\",\"id\":1}", "\"field\":\"query\"");
	expect(world, a, "{\"cmd\":\"search\",\"query\":\"x\",\"from\":\"nobody\",\"id\":1}",
	    "no_such_user");
	expect(world, a,
	    "{\"cmd\":\"search\",\"query\":\"x\",\"room\":\"dev\",\"to\":\"bob\",\"id\":1}",
	    "\"field\":\"to\"");
	world_free(world);
}

TEST(messages__mentions__are_names_of_members)
{
	static const struct {
		const char *text, *mentions;
	} cases[] = {
	    {"@bob", "\"mentions\":[\"bob\"]"},
	    {"hi @bob, @alice: @bob!", "\"mentions\":[\"bob\",\"alice\"]"},
	    {"(@bob)", "\"mentions\":[\"bob\"]"},
	    {"thanks @bob.", "\"mentions\":[\"bob\"]"},
	    {"thanks @bob...-", "\"mentions\":[\"bob\"]"},
	    {"@b.o and @b.o.", "\"mentions\":[\"b.o\"]"},
	    {"mail a@bob", NULL},
	    {"mail A@bob", NULL},
	    {"@@bob", NULL},
	    {"@bob@host", NULL},
	    {"@bobby", NULL},
	    {"@bobX", NULL},
	    {"@Bob", NULL},
	    {"@nobody @all @room @", NULL},
	    {"ą@bob", "\"mentions\":[\"bob\"]"},
	    {"no at", NULL},
	};
	unsigned a, b;
	struct world *world = make(&a, &b);

	expect(world, world_user(world, "b.o"), "{\"cmd\":\"join\",\"room\":\"dev\",\"id\":1}", "true");
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const char *event;

		say(world, a, cases[i].text);
		event = world_read(world, a);
		CHECK(strstr(event, cases[i].text) != NULL);
		if (cases[i].mentions == NULL)
			CHECK(strstr(event, "mentions") == NULL);
		else
			CHECK(strstr(event, cases[i].mentions) != NULL);
	}
	world_free(world);
}

/* --- Pairs and rooms in memory -------------------------------------------------------------- */

TEST(messages__pair__is_its_two_users)
{
	unsigned a, b, c;
	struct world *world = make(&a, &b);

	c = world_user(world, "cyd");
	expect(world, a, "{\"cmd\":\"send\",\"to\":\"bob\",\"id\":1,\"text\":\"hi @bob @cyd\"}",
	    "\"seq\":1,");
	world_expect(world, a, "\"mentions\":[\"bob\"]");
	expect(world, c, "{\"cmd\":\"history\",\"to\":\"bob\",\"id\":1}",
	    "\"messages\":[],\"first\":1,\"more\":false");
	expect(world, b, "{\"cmd\":\"edit\",\"to\":\"alice\",\"id\":1,\"target\":1,\"text\":\"x\"}",
	    "not_allowed");
	expect(world, b, "{\"cmd\":\"delete\",\"to\":\"alice\",\"id\":1,\"target\":1}", "not_allowed");
	expect(world, b, "{\"cmd\":\"react\",\"to\":\"alice\",\"id\":1,\"target\":1,\"emoji\":\"x\"}",
	    "\"seq\":2}");
	expect(world, b, "{\"cmd\":\"block\",\"user\":\"alice\",\"id\":1}", "\"ok\":true");
	expect(world, a, "{\"cmd\":\"react\",\"to\":\"bob\",\"id\":1,\"target\":1,\"emoji\":\"x\"}",
	    "blocked");
	drain(world, b);
	expect(world, a, "{\"cmd\":\"edit\",\"to\":\"bob\",\"id\":1,\"target\":1,\"text\":\"yo\"}",
	    "blocked");
	expect(world, b, "{\"cmd\":\"unblock\",\"user\":\"alice\",\"id\":1}", "\"ok\":true");
	expect(world, a, "{\"cmd\":\"edit\",\"to\":\"bob\",\"id\":1,\"target\":1,\"text\":\"yo\"}",
	    "\"seq\":3}");
	world_expect(world, b, "{\"event\":\"edit\",\"to\":\"bob\",\"seq\":3,\"target\":1,");
	expect(world, b, "{\"cmd\":\"history\",\"to\":\"alice\",\"id\":1}",
	    "\"text\":\"yo\",\"edited\":");
	expect(world, a, "{\"cmd\":\"delete\",\"to\":\"bob\",\"id\":1,\"target\":1}", "\"seq\":4}");
	expect(world, a, "{\"cmd\":\"history\",\"to\":\"nobody\",\"id\":1}", "no_such_user");
	world_free(world);
}

TEST(messages__memory__has_no_history)
{
	struct world *world = world_new(true, true);
	unsigned g = world_guest(world, "gus");

	world_ask(world, g, "{\"cmd\":\"create\",\"room\":\"dev\"}");
	say(world, g, "one");
	expect(world, g, HISTORY, "\"messages\":[],\"first\":3,\"more\":false");
	expect(world, g, EVENTS, "\"events\":[],\"first\":3,\"more\":false");
	expect(world, g, "{\"cmd\":\"edit\",\"room\":\"dev\",\"id\":1,\"target\":2,\"text\":\"x\"}",
	    "no_such_message");
	expect(world, g, "{\"cmd\":\"pin\",\"room\":\"dev\",\"id\":1,\"target\":2}", "no_such_message");
	expect(world, g, "{\"cmd\":\"search\",\"query\":\"one\",\"id\":1}", "\"messages\":[]");
	expect(world, g, PINS, "\"messages\":[],\"more\":false");
	expect(world, g, "{\"cmd\":\"send\",\"room\":\"dev\",\"id\":1,\"text\":\"x\",\"reply\":2}",
	    "\"ok\":true");
	world_free(world);
}

UNIT_MAIN(CASE(messages__edit__is_told_and_counts_once),
    CASE(messages__delete__leaves_a_tombstone), CASE(messages__react__counts_each_user_once),
    CASE(messages__race__two_devices_react_while_both_read),
    CASE(messages__race__what_is_on_its_way_is_waited_for),
    CASE(messages__race__others_do_not_wait_for_each_other),
    CASE(messages__race__a_deletion_stops_an_edit),
    CASE(messages__race__a_deleted_text_is_not_sent), CASE(messages__failure__takes_a_change_back),
    CASE(messages__failure__of_a_reader_is_told),
    CASE(messages__history__pages_in_all_directions),
    CASE(messages__history__begins_where_one_joined),
    CASE(messages__history__ends_a_page_within_a_reply),
    CASE(messages__view__ten_thousand_reactions_in_bounded_memory),
    CASE(messages__pin__twice_and_taken_off_twice), CASE(messages__pin__has_a_limit_and_pages),
    CASE(messages__search__pages_over_own_conversations),
    CASE(messages__mentions__are_names_of_members), CASE(messages__pair__is_its_two_users),
    CASE(messages__memory__has_no_history))
