/*
 * Catching up in the core: every entry exactly once, whatever comes between a read of the store, a
 * commit, and the moment a session goes live. What a client sees of it is in tests/wire/replay.json.
 */
#include "tests/unit/unit.h"

#include "base/rng.h"
#include "chat/chat_private.h"
#include "chat_world.h"

static void expect_silence(struct world *world, unsigned session)
{
	CHECK_STR(world_read(world, session), "");
}

static void forget_lines(struct world *world, unsigned session)
{
	while (world_read(world, session)[0] != '\0')
		;
}

static void ask(struct world *world, unsigned session, const char *format, ...)
    PRINTF_LIKE(3, 4);

static void ask(struct world *world, unsigned session, const char *format, ...)
{
	char line[512];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof line, format, args);
	va_end(args);
	world_ask(world, session, line);
}

static void send_many(struct world *world, unsigned session, const char *where, int count)
{
	for (int i = 0; i < count; i++)
		ask(world, session, "{\"cmd\":\"send\",%s,\"text\":\"x\"}", where);
	forget_lines(world, session);
}

/* A world with alice in dev, whom entries up to `seq` were told. */
static struct world *world_with_room(unsigned *ret_alice, int seq)
{
	struct world *world = world_new(false, true);

	*ret_alice = world_user(world, "alice");
	ask(world, *ret_alice, "{\"cmd\":\"join\",\"room\":\"dev\",\"id\":1}");
	send_many(world, *ret_alice, "\"room\":\"dev\"", seq - 1);
	return world;
}

/* bob, who is in dev and away. */
static void add_bob(struct world *world)
{
	unsigned bob = world_user(world, "bob");

	ask(world, bob, "{\"cmd\":\"join\",\"room\":\"dev\",\"id\":1}");
	world_disconnect(world, bob);
}

static unsigned login(struct world *world, const char *user, const char *since)
{
	unsigned session = world_connect(world, user);

	ask(world, session, "{\"cmd\":\"login\",\"id\":1,\"since\":%s}", since);
	return session;
}

static void expect_entry(struct world *world, unsigned session, int64_t seq, bool replay)
{
	char part[64];
	const char *line = world_read(world, session);

	snprintf(part, sizeof part, "\"seq\":%lld,", (long long)seq);
	if (strstr(line, part) == NULL ||
	    (strstr(line, "\"replay\":true") != NULL) != replay) {
		fprintf(stderr, "got \"%s\", not %s\n", line, part);
		exit(1);
	}
}

TEST(replay__login__replays_and_goes_live)
{
	unsigned alice, bob;
	struct world *world = world_with_room(&alice, 5);

	add_bob(world); /* joins with 6 */
	send_many(world, alice, "\"room\":\"dev\"", 2);
	bob = login(world, "bob", "{\"dev\":3}");
	world_expect(world, bob, "\"re\":1,\"ok\":true");
	for (int seq = 4; seq <= 8; seq++)
		expect_entry(world, bob, seq, true);
	world_expect(world, bob, "\"event\":\"synced\"");
	send_many(world, alice, "\"room\":\"dev\"", 1);
	expect_entry(world, bob, 9, false);
	expect_silence(world, bob);
	world_free(world);
}

TEST(replay__login__attaches_in_front_of_what_waits)
{
	unsigned alice, bob;
	struct world *world = world_with_room(&alice, 3);

	add_bob(world);
	world->idle = world->slow = true;
	bob = login(world, "bob", "{\"dev\":0}");
	while (world_commit(world))
		;
	forget_lines(world, bob); /* the reply */
	ask(world, alice, "{\"cmd\":\"send\",\"room\":\"dev\",\"text\":\"5\"}");
	CHECK(world_run_job(world));
	CHECK(world_end_job(world));
	for (int seq = 1; seq <= 4; seq++)
		expect_entry(world, bob, seq, true);
	world_expect(world, bob, "\"event\":\"synced\"");
	CHECK_INT(world->session[bob].room_count, 1);
	expect_silence(world, bob);
	CHECK(world_commit(world));
	expect_entry(world, bob, 5, false);
	expect_silence(world, bob);
	world_free(world);
}

TEST(replay__read__sees_more_than_has_left)
{
	unsigned alice, bob;
	struct world *world = world_with_room(&alice, 3);

	add_bob(world);
	world->idle = true;
	bob = login(world, "bob", "{\"dev\":2}");
	forget_lines(world, bob);
	CHECK(world_run_job(world)); /* reads up to 4, */
	ask(world, alice, "{\"cmd\":\"send\",\"room\":\"dev\",\"text\":\"5\"}");
	CHECK(world_end_job(world)); /* which is not all any more */
	expect_entry(world, bob, 3, true);
	expect_entry(world, bob, 4, true);
	expect_silence(world, bob);
	world_work(world);
	expect_entry(world, bob, 5, true);
	world_expect(world, bob, "\"event\":\"synced\"");
	expect_silence(world, bob);
	world_free(world);
}

/* Whoever sends between each read and its end would never be caught up with. */
TEST(replay__tail__ends_a_race_that_never_ends)
{
	unsigned alice, bob;
	struct world *world = world_with_room(&alice, 3);
	bool synced = false;
	const char *line;
	char part[32];
	int seq = 3;

	add_bob(world);
	world->idle = true;
	bob = login(world, "bob", "{\"dev\":2}");
	forget_lines(world, bob);
	for (int tries = 0; !synced; tries++) {
		CHECK(tries < 3);
		CHECK(world_run_job(world));
		ask(world, alice, "{\"cmd\":\"send\",\"room\":\"dev\",\"text\":\"x\"}");
		CHECK(world_end_job(world));
		for (; (line = world_read(world, bob))[0] != '\0'; seq++) {
			synced = strstr(line, "\"synced\"") != NULL;
			snprintf(part, sizeof part, "\"seq\":%d,", seq);
			CHECK(synced || strstr(line, part) != NULL);
		}
		world_drain(world, bob);
	}
	world_free(world);
}

TEST(replay__pairs__wait_like_rooms)
{
	struct world *world = world_new(false, true);
	unsigned alice = world_user(world, "alice"), bob = world_user(world, "bob");

	send_many(world, alice, "\"to\":\"bob\"", 3);
	world_disconnect(world, bob);
	world->idle = true;
	bob = login(world, "bob", "{\"@alice\":1}");
	forget_lines(world, bob);
	ask(world, alice, "{\"cmd\":\"send\",\"to\":\"bob\",\"text\":\"4\"}");
	expect_silence(world, bob); /* it comes in its turn */
	world_work(world);
	for (int seq = 2; seq <= 4; seq++)
		expect_entry(world, bob, seq, true);
	world_expect(world, bob, "\"event\":\"synced\"");
	ask(world, alice, "{\"cmd\":\"send\",\"to\":\"bob\",\"text\":\"5\"}");
	expect_entry(world, bob, 5, false);
	expect_silence(world, bob);
	world_free(world);
}

TEST(replay__chunks__wait_for_the_connection)
{
	unsigned alice, bob, lines = 0;
	struct world *world = world_with_room(&alice, 300);

	add_bob(world);
	world->idle = true;
	bob = login(world, "bob", "{\"dev\":0}");
	forget_lines(world, bob);
	while (world_run_job(world) && world_end_job(world)) {
		unsigned before = lines;

		while (world_read(world, bob)[0] != '\0')
			lines++;
		CHECK(lines - before <= 66);
		CHECK_INT(world->job_count, 0); /* nothing more is read meanwhile */
		world_drain(world, bob);
	}
	CHECK_INT(lines, 302); /* 301 entries and synced */
	world_free(world);
}

TEST(replay__limit__skips_the_oldest)
{
	unsigned alice, bob;
	struct world *world = world_with_room(&alice, 1100);

	add_bob(world);
	bob = login(world, "bob", "{\"dev\":50}");
	world_expect(world, bob, "\"re\":1");
	world_expect(world, bob,
	    "{\"event\":\"skipped\",\"conversation\":\"dev\",\"first\":51,\"last\":101}");
	for (int seq = 102; seq <= 1101; seq++)
		expect_entry(world, bob, seq, true);
	world_expect(world, bob, "\"event\":\"synced\"");
	world_free(world);
}

TEST(replay__kick__falls_out_of_it)
{
	unsigned alice, bob;
	struct world *world = world_with_room(&alice, 5);

	add_bob(world);
	world->idle = true;
	bob = login(world, "bob", "{\"dev\":0}");
	forget_lines(world, bob);
	world_run_job(world);
	ask(world, alice, "{\"cmd\":\"kick\",\"room\":\"dev\",\"user\":\"bob\"}");
	world_expect(world, bob, "{\"event\":\"gone\",\"conversation\":\"dev\"}");
	world_work(world);
	world_expect(world, bob, "\"event\":\"synced\"");
	expect_silence(world, bob);
	CHECK_INT(world->session[bob].room_count, 0);
	world_free(world);
}

TEST(replay__failed_kick__ends_the_connection)
{
	unsigned alice, bob;
	struct world *world = world_with_room(&alice, 5);

	add_bob(world);
	world->idle = true;
	bob = login(world, "bob", "{\"dev\":0}");
	world->slow = true;
	ask(world, alice, "{\"cmd\":\"kick\",\"room\":\"dev\",\"user\":\"bob\"}");
	world_fail(world, STATUS_IO);
	CHECK(world->session[bob].finished);
	world_work(world);
	world_free(world);
}

TEST(replay__destroy__of_the_room_that_is_read)
{
	unsigned alice, bob;
	struct world *world = world_with_room(&alice, 5);

	add_bob(world);
	world->idle = true;
	bob = login(world, "bob", "{\"dev\":0}");
	forget_lines(world, bob);
	ask(world, alice, "{\"cmd\":\"destroy\",\"room\":\"dev\"}");
	world_expect(world, bob, "{\"event\":\"gone\",\"conversation\":\"dev\"}");
	world_work(world);
	world_expect(world, bob, "\"event\":\"synced\"");
	expect_silence(world, bob);
	world_free(world);
}

/* What has left while the room was gone is known when it comes back. */
TEST(replay__failed_destroy__loses_nothing)
{
	unsigned alice, bob;
	struct world *world = world_with_room(&alice, 3);

	add_bob(world);
	world->slow = true;
	ask(world, alice, "{\"cmd\":\"send\",\"room\":\"dev\",\"text\":\"5\"}");
	ask(world, alice, "{\"cmd\":\"destroy\",\"room\":\"dev\"}");
	CHECK(world_commit(world));
	world_fail(world, STATUS_IO);
	world->slow = false;
	bob = login(world, "bob", "{\"dev\":4}");
	world_expect(world, bob, "\"re\":1,\"ok\":true");
	expect_entry(world, bob, 5, true);
	world_expect(world, bob, "\"event\":\"synced\"");
	world_free(world);
}

TEST(replay__close__in_the_midst_of_it)
{
	unsigned alice, bob;
	struct world *world = world_with_room(&alice, 200);

	add_bob(world);
	world->idle = true;
	bob = login(world, "bob", "{\"dev\":0}");
	CHECK(world_run_job(world));
	world_disconnect(world, bob);
	world_work(world);
	CHECK_INT(world->job_count, 0);
	world_free(world);
}

TEST(replay__read_error__ends_the_connection)
{
	unsigned alice, bob;
	struct world *world = world_with_room(&alice, 5);

	add_bob(world);
	world->store->read_fails = STATUS_IO;
	bob = login(world, "bob", "{\"dev\":0}");
	world_expect(world, bob, "\"re\":1,\"ok\":true");
	expect_silence(world, bob);
	CHECK(world->session[bob].finished);
	world_free(world);
}

TEST(replay__failed_login__leaves_nothing)
{
	unsigned alice, bob;
	struct world *world = world_with_room(&alice, 5);

	add_bob(world);
	world->idle = world->slow = true;
	ask(world, alice, "{\"cmd\":\"send\",\"room\":\"dev\",\"text\":\"x\"}");
	bob = login(world, "bob", "{\"dev\":0}");
	world_fail(world, STATUS_NO_SPACE);
	world_expect(world, bob, "\"error\":\"unavailable\"");
	world_work(world);
	expect_silence(world, bob);
	ask(world, bob, "{\"cmd\":\"login\",\"id\":2,\"since\":{\"dev\":5}}");
	world_expect(world, bob, "\"re\":2,\"ok\":true");
	world_work(world);
	expect_entry(world, bob, 6, true);
	world_expect(world, bob, "\"event\":\"synced\"");
	world_free(world);
}

TEST(sync__live__repeats_what_was_asked_for)
{
	unsigned alice;
	struct world *world = world_with_room(&alice, 5);

	world->idle = true;
	ask(world, alice, "{\"cmd\":\"sync\",\"id\":2,\"since\":{\"dev\":3}}");
	world_expect(world, alice, "{\"re\":2,\"ok\":true}");
	ask(world, alice, "{\"cmd\":\"sync\",\"id\":3,\"since\":null}");
	world_expect(world, alice, "\"error\":\"too_many\"");
	send_many(world, alice, "\"room\":\"dev\"", 1);
	world_work(world);
	expect_entry(world, alice, 4, true);
	expect_entry(world, alice, 5, true);
	world_expect(world, alice, "\"event\":\"synced\"");
	expect_silence(world, alice);
	world_free(world);
}

/* --- Read markers --------------------------------------------------------------------------- */

TEST(read__again__writes_nothing)
{
	unsigned alice;
	struct world *world = world_with_room(&alice, 5);

	world->slow = true;
	ask(world, alice, "{\"cmd\":\"read\",\"id\":2,\"room\":\"dev\",\"seq\":4}");
	CHECK_INT(world->ticket_count, 1);
	CHECK(world_commit(world));
	world_expect(world, alice, "{\"re\":2,\"ok\":true,\"seq\":4}");
	world_expect(world, alice, "{\"event\":\"read\",\"room\":\"dev\",\"seq\":4}");
	ask(world, alice, "{\"cmd\":\"read\",\"id\":3,\"room\":\"dev\",\"seq\":3}");
	CHECK_INT(world->ticket_count, 0);
	world_expect(world, alice, "{\"re\":3,\"ok\":true,\"seq\":4}");
	world_free(world);
}

TEST(read__not_stored__is_taken_back)
{
	unsigned alice;
	struct world *world = world_with_room(&alice, 5);

	world->slow = true;
	ask(world, alice, "{\"cmd\":\"read\",\"id\":2,\"room\":\"dev\",\"seq\":4}");
	world_fail(world, STATUS_IO);
	world_expect(world, alice, "\"error\":\"unavailable\"");
	world->slow = false;
	ask(world, alice, "{\"cmd\":\"read\",\"id\":3,\"room\":\"dev\",\"seq\":2}");
	world_expect(world, alice, "{\"re\":3,\"ok\":true,\"seq\":2}");
	world_free(world);
}

/* An entry with mentions, as send will make them. */
static void mention(struct world *world, const char *from, const char *names)
{
	struct chat *chat = world->chat;
	struct chat_room *room = chat_room_find(chat, slice_of("dev"));
	const struct chat_entry entry = {
	    .kind = STORE_MESSAGE,
	    .author = chat_user_find(chat, slice_of(from))->id,
	    .text = slice_of("hi"),
	};
	struct json_writer w;

	CHECK(chat_unit_begin(chat, NULL));
	chat_extra_begin(chat, &w);
	json_put_str(&w, "from", from);
	json_put_raw(&w, "mentions", slice_of(names));
	blob_unref(chat_append(chat, &room->conv, &entry, world->now));
	chat_unit_end(chat, false, world->now);
}

TEST(unread__mentions__are_counted_apart)
{
	unsigned alice, bob;
	struct world *world = world_with_room(&alice, 2);

	add_bob(world);
	mention(world, "alice", "[\"bob\",\"carol\"]");
	mention(world, "alice", "[\"bobby\"]");
	mention(world, "bob", "[\"bob\"]");
	mention(world, "alice", "[\"bob\"]");
	bob = world_user(world, "bob");
	ask(world, bob, "{\"cmd\":\"unread\",\"id\":2}");
	world_expect(world, bob,
	    "[{\"conversation\":\"dev\",\"unread\":3,\"mentions\":2,\"read\":3,\"seq\":7}],"
	    "\"more\":false}");
	world_free(world);
}

TEST(unread__limit__counts_the_newest_only)
{
	unsigned alice, bob;
	struct world *world = world_with_room(&alice, 2);

	add_bob(world);
	send_many(world, alice, "\"room\":\"dev\"", 1200);
	bob = world_user(world, "bob");
	ask(world, bob, "{\"cmd\":\"unread\",\"id\":2}");
	world_expect(world, bob, "\"unread\":1000,\"mentions\":0,\"read\":3,\"seq\":1203}]");
	world_free(world);
}

/* Too much for one page ends it early. */
TEST(unread__work__is_bounded)
{
	struct world *world = world_new(false, true);
	unsigned alice = world_user(world, "alice"), bob = world_user(world, "bob");

	for (int i = 0; i < 7; i++) {
		char where[32];

		snprintf(where, sizeof where, "\"room\":\"r%d\"", i);
		ask(world, alice, "{\"cmd\":\"join\",%s}", where);
		ask(world, bob, "{\"cmd\":\"join\",%s}", where);
		send_many(world, alice, where, 1000);
	}
	forget_lines(world, bob);
	ask(world, bob, "{\"cmd\":\"unread\",\"id\":2}");
	world_expect(world, bob, "\"more\":true,\"next\":\"r4\"}");
	ask(world, bob, "{\"cmd\":\"unread\",\"id\":3,\"after\":\"r4\"}");
	world_expect(world, bob, "{\"re\":3,\"ok\":true,\"conversations\":[{\"conversation\":\"r5\"");
	world_free(world);
}

/* --- Retention ------------------------------------------------------------------------------ */

#define DAY INT64_C(86400000)

static struct chat_conv *dev(struct world *world)
{
	return &chat_room_find(world->chat, slice_of("dev"))->conv;
}

static int64_t first_stored(struct world *world)
{
	int64_t seq, time_ms, first = 0;
	struct error err;

	world->keeping->last(&world->store->base, dev(world)->id, &seq, &time_ms, &first, &err);
	return first;
}

TEST(retention__days__trims_what_is_older)
{
	unsigned alice;
	struct world *world = world_with_room(&alice, 10);

	ask(world, alice, "{\"cmd\":\"set\",\"room\":\"dev\",\"history\":3}"); /* 11 */
	world_wait(world, 2 * DAY);
	send_many(world, alice, "\"room\":\"dev\"", 5); /* up to 16 */
	CHECK_INT(dev(world)->first, 1);
	world_wait(world, DAY + 1000);
	world_wait(world, 1000); /* once round */
	CHECK_INT(dev(world)->first, 12);
	CHECK_INT(first_stored(world), 12);
	world_wait(world, 2 * DAY);
	world_wait(world, 1000);
	CHECK_INT(dev(world)->first, 17);
	forget_lines(world, alice);
	ask(world, alice, "{\"cmd\":\"room\",\"id\":2,\"room\":\"dev\"}");
	world_expect(world, alice, "\"seq\":16,\"first\":17");
	ask(world, alice, "{\"cmd\":\"sync\",\"id\":3,\"since\":{\"dev\":7}}");
	world_expect(world, alice, "\"re\":3");
	world_expect(world, alice, "\"skipped\",\"conversation\":\"dev\",\"first\":8,\"last\":16}");
	world_expect(world, alice, "\"synced\"");
	world_free(world);
}

TEST(retention__not_stored__is_taken_back)
{
	unsigned alice;
	struct world *world = world_with_room(&alice, 10);

	ask(world, alice, "{\"cmd\":\"set\",\"room\":\"dev\",\"history\":3}");
	world->slow = true;
	world_wait(world, 4 * DAY);
	world_wait(world, 1000);
	CHECK_INT(dev(world)->first, 12);
	world_fail(world, STATUS_IO);
	CHECK_INT(dev(world)->first, 1);
	world->slow = false;
	world_wait(world, 3600000);
	world_wait(world, 1000);
	CHECK_INT(dev(world)->first, 12);
	CHECK_INT(first_stored(world), 12);
	world_free(world);
}

TEST(retention__without_days__keeps_all)
{
	unsigned alice;
	struct world *world = world_with_room(&alice, 10);

	for (int i = 0; i < 5; i++)
		world_wait(world, 1000 * DAY);
	CHECK_INT(dev(world)->first, 1);
	world_free(world);
}

TEST(retention__replay__in_the_midst_of_a_trim)
{
	unsigned alice, bob;
	struct world *world = world_with_room(&alice, 10);

	add_bob(world); /* 11 */
	world_wait(world, DAY);
	ask(world, alice, "{\"cmd\":\"set\",\"room\":\"dev\",\"history\":1}"); /* 12 */
	world->idle = true;
	bob = login(world, "bob", "{\"dev\":2}");
	forget_lines(world, bob);
	world->idle = false;
	world_wait(world, 1000);
	CHECK_INT(dev(world)->first, 12);
	while (world_read(world, bob)[0] != '\0')
		;
	CHECK_INT(world->session[bob].room_count, 1);
	world_free(world);
}

TEST(retention__nonces__go_when_they_are_over)
{
	unsigned alice;
	struct world *world = world_with_room(&alice, 2);
	struct chat_user *user = chat_user_find(world->chat, slice_of("alice"));
	size_t before = world->store->record_count;

	for (int i = 0; i < 200; i++)
		ask(world, alice,
		    "{\"cmd\":\"send\",\"room\":\"dev\",\"text\":\"x\",\"nonce\":\"n%d\"}", i);
	CHECK_INT(user->nonces.count, 200);
	CHECK_INT(world->store->record_count, before + 200);
	world_wait(world, DAY);
	CHECK(user->nonces.count >= 100); /* not all in one tick */
	for (int i = 0; i < 8; i++)
		world_wait(world, 250);
	CHECK_INT(user->nonces.count, 0);
	CHECK_INT(world->store->record_count, before);
	world_free(world);
}

/* Also those whose time ended while the server did not run. */
TEST(retention__nonces__go_after_a_restart)
{
	unsigned alice;
	struct world *world = world_with_room(&alice, 2);
	size_t before = world->store->record_count;

	ask(world, alice, "{\"cmd\":\"send\",\"room\":\"dev\",\"text\":\"x\",\"nonce\":\"n\"}");
	CHECK_INT(world->store->record_count, before + 1);
	world->now.unix_ms += DAY;
	world_restart(world);
	for (int i = 0; i < 4; i++)
		world_wait(world, 250);
	CHECK_INT(world->store->record_count, before);
	world_free(world);
}

TEST(retention__tokens__go_when_nobody_uses_them)
{
	unsigned alice;
	struct world *world = world_with_room(&alice, 2);
	struct chat_user *user = chat_user_find(world->chat, slice_of("alice"));
	unsigned char hash[CHAT_TOKEN_HASH_SIZE] = {1};
	struct chat_token *token;

	CHECK(chat_unit_begin(world->chat, NULL));
	CHECK(chat_touch_token(world->chat, hash));
	token = chat_token_make(world->chat, user, hash);
	token->created_ms = token->used_ms = world->now.unix_ms;
	chat_unit_end(world->chat, false, world->now);
	world_wait(world, (PROTO_LIMIT_token_days - 1) * DAY);
	world_wait(world, 1000);
	CHECK_INT(user->token_count, 1);
	world_wait(world, DAY);
	world_wait(world, 1000);
	CHECK_INT(user->token_count, 0);
	world_free(world);
}

/* --- A store whose reports come late ----------------------------------------------------------- */

/* What has been committed can be read, but the core has not heard of it yet. */
#define REPORTS_MAX 512
static struct late {
	store_done_fn *done;
	uint64_t ticket[REPORTS_MAX];
	enum status status[REPORTS_MAX];
	unsigned count;
} late;

static void report_late(void *arg, uint64_t ticket, enum status status)
{
	(void)arg;
	CHECK(late.count < REPORTS_MAX);
	late.ticket[late.count] = ticket;
	late.status[late.count++] = status;
}

static void begin_late(struct world *world)
{
	late = (struct late){.done = world->store->base.done};
	world->store->base.done = report_late;
}

static void report(struct world *world)
{
	for (unsigned i = 0; i < late.count; i++)
		late.done(world, late.ticket[i], late.status[i]);
	late.count = 0;
}

static void end_late(struct world *world)
{
	report(world);
	world->store->base.done = late.done;
}

TEST(replay__read__sees_what_has_not_left)
{
	unsigned alice, bob;
	struct world *world = world_with_room(&alice, 3);

	add_bob(world);
	world->idle = true;
	bob = login(world, "bob", "{\"dev\":2}");
	forget_lines(world, bob);
	world->slow = true;
	begin_late(world);
	ask(world, alice, "{\"cmd\":\"send\",\"room\":\"dev\",\"text\":\"5\"}");
	CHECK(world_commit(world));
	CHECK(world_run_job(world)); /* reads 5, too */
	CHECK(world_end_job(world));
	expect_entry(world, bob, 3, true);
	expect_entry(world, bob, 4, true);
	world_expect(world, bob, "\"event\":\"synced\"");
	expect_silence(world, bob);
	end_late(world);
	expect_entry(world, bob, 5, false);
	expect_silence(world, bob);
	world_free(world);
}

TEST(pairs__login__hears_nothing_before_its_reply)
{
	struct world *world = world_new(false, true);
	unsigned alice = world_user(world, "alice"), bob = world_user(world, "bob");

	world_disconnect(world, bob);
	world->slow = true;
	ask(world, alice, "{\"cmd\":\"send\",\"to\":\"bob\",\"text\":\"1\"}");
	bob = world_connect(world, "bob");
	ask(world, bob, "{\"cmd\":\"login\",\"id\":1}");
	ask(world, alice, "{\"cmd\":\"send\",\"to\":\"bob\",\"text\":\"2\"}");
	while (world_commit(world))
		;
	world_expect(world, bob, "\"re\":1,\"ok\":true");
	expect_entry(world, bob, 2, false);
	expect_silence(world, bob);
	world_free(world);
}

/* --- At random ------------------------------------------------------------------------------ */

#define CONVS 2
static const char *const conv_name[CONVS] = {"dev", "@alice"};

/* Somebody who comes and goes and has to miss nothing. */
struct subject {
	struct world *world;
	unsigned session;
	bool here;
	/* The last seq it has seen; -1: it is not in there; -2: the server knows from where on. */
	int64_t known[CONVS];
	unsigned synced;
	bool refused; /* its login was not stored */
};

static void see_entry(struct subject *subject, int conv, const char *line)
{
	const char *at = strstr(line, "\"seq\":");
	long long seq = at != NULL ? strtoll(at + 6, NULL, 10) : 0;
	bool own = strstr(line, "\"user\":\"bob\"") != NULL;

	if (subject->known[conv] == -2 ||
	    (own && strstr(line, "\"event\":\"join\"") != NULL && subject->known[conv] < 0))
		subject->known[conv] = seq - 1;
	if (subject->known[conv] < 0 || seq != subject->known[conv] + 1) {
		fprintf(stderr, "%s after %lld\n", line, (long long)subject->known[conv]);
		exit(1);
	}
	subject->known[conv] = seq;
	if (own && strstr(line, "\"event\":\"leave\"") != NULL &&
	    strstr(line, "\"replay\":true") == NULL)
		subject->known[conv] = -1;
}

static void see(struct subject *subject)
{
	for (;;) {
		const char *line = world_read(subject->world, subject->session);

		if (line[0] == '\0')
			return;
		CHECK(strstr(line, "bad_field") == NULL);
		if (strstr(line, "\"error\":\"unavailable\"") != NULL)
			subject->refused = true;
		else if (strstr(line, "\"event\":\"synced\"") != NULL)
			subject->synced++;
		else if (strstr(line, "\"event\":\"gone\"") != NULL)
			subject->known[strstr(line, "\"dev\"") != NULL ? 0 : 1] = -1;
		else if (strstr(line, "\"event\":") != NULL && strstr(line, "\"room\":\"dev\""))
			see_entry(subject, 0, line);
		else if (strstr(line, "\"event\":\"message\"") != NULL)
			see_entry(subject, 1, line);
	}
}

static void come(struct subject *subject)
{
	char since[128] = "";
	size_t len = 0;

	subject->session = world_connect(subject->world, "bob");
	subject->here = true;
	subject->refused = false;
	for (int i = 0; i < CONVS; i++) {
		if (subject->known[i] >= 0)
			len += (size_t)snprintf(since + len, sizeof since - len, "%s\"%s\":%lld",
			    len > 0 ? "," : "", conv_name[i], (long long)subject->known[i]);
		else
			subject->known[i] = -2;
	}
	ask(subject->world, subject->session, "{\"cmd\":\"login\",\"id\":1,\"since\":{%s}}",
	    since);
}

static void go(struct subject *subject)
{
	see(subject);
	world_disconnect(subject->world, subject->session);
	subject->here = false;
}

static void settle(struct subject *subject)
{
	while (world_commit(subject->world))
		;
	report(subject->world);
	world_work(subject->world);
	see(subject);
}

/* `device` is bob's other one, which is always there; alice and bob's device are told all along. */
static void step(struct subject *subject, unsigned alice, unsigned device, struct rng *rng,
    bool fails)
{
	struct world *world = subject->world;

	switch (rng_next(rng) % 16) {
	case 0:
	case 1:
	case 2:
		ask(world, alice, "{\"cmd\":\"send\",\"room\":\"dev\",\"text\":\"x\"}");
		break;
	case 3:
	case 4:
		if (rng_next(rng) % 2 != 0)
			ask(world, alice, "{\"cmd\":\"send\",\"to\":\"bob\",\"text\":\"x\"}");
		else
			ask(world, device,
			    "{\"cmd\":\"send\",\"to\":\"alice\",\"text\":\"x\"}");
		break;
	case 5:
	case 6:
	case 7:
		world_commit(world);
		if (rng_next(rng) % 3 != 0)
			report(world);
		break;
	case 8:
	case 9:
		world_run_job(world);
		break;
	case 10:
	case 11:
		world_end_job(world);
		break;
	case 12:
		if (subject->here)
			world_drain(world, subject->session);
		break;
	case 13:
		if (subject->here && rng_next(rng) % 3 == 0)
			go(subject);
		else if (!subject->here && world->count < WORLD_SESSIONS - 1)
			come(subject);
		break;
	case 14:
		if (rng_next(rng) % 4 == 0)
			ask(world, device, "{\"cmd\":\"%s\",\"room\":\"dev\"}",
			    rng_next(rng) % 2 != 0 ? "leave" : "join");
		break;
	case 15:
		report(world);
		if (fails && rng_next(rng) % 8 == 0)
			world_fail(world, STATUS_IO);
		report(world);
		break;
	}
	if (subject->here) {
		see(subject);
		if (subject->refused || world->session[subject->session].finished)
			go(subject);
	}
}

static void play(uint64_t seed, bool fails)
{
	struct world *world = world_new(false, true);
	struct subject subject = {.world = world, .known = {0, 0}};
	struct rng rng = {seed};
	unsigned alice = world_user(world, "alice"), device = world_user(world, "bob");
	struct chat_user *bob;
	struct chat_member *member;
	struct chat_pair *pair;

	ask(world, alice, "{\"cmd\":\"join\",\"room\":\"dev\"}");
	ask(world, device, "{\"cmd\":\"join\",\"room\":\"dev\"}");
	send_many(world, alice, "\"to\":\"bob\"", (int)(rng_next(&rng) % 150) + 1);
	send_many(world, alice, "\"room\":\"dev\"", (int)(rng_next(&rng) % 150));
	world->slow = world->idle = true;
	begin_late(world);
	for (int i = 0; i < 300; i++) {
		step(&subject, alice, device, &rng, fails);
		forget_lines(world, alice);
		forget_lines(world, device);
	}
	settle(&subject);
	if (!subject.here || subject.refused || world->session[subject.session].finished) {
		if (subject.here)
			go(&subject);
		come(&subject);
		settle(&subject);
	}
	CHECK(subject.synced > 0);
	bob = chat_user_find(world->chat, slice_of("bob"));
	member = chat_member_find(bob, slice_of("dev"));
	pair = chat_pair_find(bob, chat_user_find(world->chat, slice_of("alice")));
	if (member == NULL)
		CHECK(subject.known[0] < 0);
	else if (subject.known[0] >= 0)
		CHECK_INT(subject.known[0], member->room->conv.seq);
	else
		CHECK_INT(member->read, member->room->conv.seq);
	CHECK_INT(subject.known[1], pair->conv.seq);
	world->slow = world->idle = false;
	end_late(world);
	world_free(world);
}

TEST(replay__random__every_entry_exactly_once)
{
	for (uint64_t seed = 1; seed <= 300; seed++)
		play(seed, false);
}

TEST(replay__random__also_when_the_store_fails)
{
	for (uint64_t seed = 1000; seed < 1300; seed++)
		play(seed, true);
}

UNIT_MAIN(CASE(replay__login__replays_and_goes_live),
    CASE(replay__login__attaches_in_front_of_what_waits),
    CASE(replay__read__sees_more_than_has_left), CASE(replay__tail__ends_a_race_that_never_ends),
    CASE(replay__read__sees_what_has_not_left), CASE(pairs__login__hears_nothing_before_its_reply),
    CASE(replay__pairs__wait_like_rooms), CASE(replay__chunks__wait_for_the_connection),
    CASE(replay__limit__skips_the_oldest), CASE(replay__kick__falls_out_of_it),
    CASE(replay__failed_kick__ends_the_connection),
    CASE(replay__destroy__of_the_room_that_is_read), CASE(replay__failed_destroy__loses_nothing),
    CASE(replay__close__in_the_midst_of_it),
    CASE(replay__read_error__ends_the_connection), CASE(replay__failed_login__leaves_nothing),
    CASE(sync__live__repeats_what_was_asked_for), CASE(read__again__writes_nothing),
    CASE(read__not_stored__is_taken_back), CASE(unread__mentions__are_counted_apart),
    CASE(unread__limit__counts_the_newest_only), CASE(unread__work__is_bounded),
    CASE(retention__days__trims_what_is_older), CASE(retention__not_stored__is_taken_back),
    CASE(retention__without_days__keeps_all), CASE(retention__replay__in_the_midst_of_a_trim),
    CASE(retention__nonces__go_when_they_are_over),
    CASE(retention__nonces__go_after_a_restart),
    CASE(retention__tokens__go_when_nobody_uses_them),
    CASE(replay__random__every_entry_exactly_once),
    CASE(replay__random__also_when_the_store_fails))
