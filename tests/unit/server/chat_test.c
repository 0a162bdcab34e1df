/*
 * The chat core by itself: what a request tells to whom and in which order, also while the store
 * is slow. The wire's rules are in tests/wire; here is what needs a clock or a slow store.
 */
#include "tests/unit/unit.h"

#include "base/rng.h"
#include "chat/chat_private.h"
#include "chat_world.h"

static void expect_silence(struct world *world, unsigned session)
{
	CHECK_STR(world_read(world, session), "");
}

TEST(chat__send__reaches_all_members_after_the_reply)
{
	struct world *world = world_new(true, false);
	unsigned a = world_guest(world, "alice"), b = world_guest(world, "bob");

	world_ask(world, a, "{\"cmd\":\"join\",\"room\":\"dev\",\"id\":2}");
	world_expect(world, a, "\"re\":2,\"ok\":true");
	world_expect(world, a, "\"event\":\"join\"");
	world_ask(world, b, "{\"cmd\":\"join\",\"room\":\"dev\",\"id\":2}");
	world_expect(world, b, "\"member_count\":2,\"seq\":2");
	world_expect(world, b, "\"user\":\"bob\"");
	world_expect(world, a, "\"user\":\"bob\"");
	world_ask(world, a,
	    "{\"cmd\":\"send\",\"room\":\"dev\",\"text\":\"hi\",\"id\":3,"
	    "\"nonce\":\"n1\"}");
	world_expect(world, a, "\"re\":3,\"ok\":true,\"seq\":3");
	world_expect(world, a, "\"nonce\":\"n1\"");
	world_expect(world, b, "\"from\":\"alice\"");
	expect_silence(world, a);
	expect_silence(world, b);
	world_free(world);
}

TEST(chat__send__tells_nothing_before_the_commit)
{
	struct world *world = world_new(false, true);
	unsigned a = world_user(world, "alice"), b = world_user(world, "bob");

	world->slow = true;
	world_ask(world, a, "{\"cmd\":\"join\",\"room\":\"dev\",\"id\":2}");
	world_ask(world, b, "{\"cmd\":\"rooms\",\"id\":2}");
	expect_silence(world, a);
	expect_silence(world, b); /* the list shows the new room: it has to wait, too */
	CHECK(world_commit(world));
	world_expect(world, a, "\"re\":2");
	world_expect(world, a, "\"event\":\"join\"");
	world_expect(world, b, "\"room\":\"dev\"");
	world_ask(world, a, "{\"cmd\":\"send\",\"room\":\"dev\",\"text\":\"1\"}");
	world_ask(world, a, "{\"cmd\":\"send\",\"room\":\"dev\",\"text\":\"2\"}");
	CHECK_INT(world->session[a].answers, 2);
	expect_silence(world, a);
	CHECK(world_commit(world));
	world_expect(world, a, "\"text\":\"1\"");
	expect_silence(world, a);
	CHECK_INT(world->session[a].answers, 3);
	CHECK(world_commit(world));
	world_expect(world, a, "\"text\":\"2\"");
	CHECK_INT(world->session[a].answers, 4);
	CHECK(!world_commit(world));
	world_free(world);
}

TEST(chat__commit__out_of_turn_releases_in_order)
{
	struct world *world = world_new(false, true);
	unsigned a = world_user(world, "alice");

	world_ask(world, a, "{\"cmd\":\"join\",\"room\":\"dev\"}");
	world_expect(world, a, "\"event\":\"join\"");
	world->slow = true;
	world_ask(world, a, "{\"cmd\":\"send\",\"room\":\"dev\",\"text\":\"1\"}");
	world_ask(world, a, "{\"cmd\":\"ping\",\"id\":2}"); /* has nothing to commit */
	expect_silence(world, a);
	CHECK(world_commit(world));
	world_expect(world, a, "\"text\":\"1\"");
	world_expect(world, a, "\"re\":2");
	world_free(world);
}

TEST(chat__close__with_entries_on_their_way)
{
	struct world *world = world_new(true, true);
	unsigned b = world_user(world, "bob"), a = world_guest(world, "alice");

	world_ask(world, b, "{\"cmd\":\"create\",\"room\":\"dev\",\"guests\":true}");
	world_ask(world, a, "{\"cmd\":\"join\",\"room\":\"dev\"}");
	while (*world_read(world, b) != '\0')
		;
	world->slow = true;
	world_ask(world, a, "{\"cmd\":\"send\",\"room\":\"dev\",\"text\":\"last words\"}");
	world_disconnect(world, a);
	CHECK(!world->session[a].gone);
	CHECK(world_commit(world));
	world_expect(world, b, "last words");
	CHECK(world_commit(world));
	world_expect(world, b, "\"event\":\"leave\"");
	CHECK(world->session[a].gone);
	world_free(world);
}

TEST(chat__close__a_guests_room_is_inherited)
{
	struct world *world = world_new(true, false);
	unsigned a = world_guest(world, "alice"), b = world_guest(world, "bob");

	world_ask(world, a, "{\"cmd\":\"join\",\"room\":\"dev\"}");
	world_ask(world, b, "{\"cmd\":\"join\",\"room\":\"dev\"}");
	while (*world_read(world, b) != '\0')
		;
	world_disconnect(world, a);
	world_expect(world, b, "\"event\":\"leave\"");
	world_expect(world, b, "\"role\":\"owner\"");
	world_free(world);
}

TEST(chat__nonce__duplicate_conflict_and_expiry)
{
	struct world *world = world_new(true, false);
	unsigned a = world_guest(world, "alice");
	const char *send = "{\"cmd\":\"send\",\"to\":\"alice\",\"text\":\"x\",\"nonce\":\"n\","
	                   "\"id\":5}";

	world_ask(world, a, send);
	world_expect(world, a, "\"seq\":1");
	world_expect(world, a, "\"event\":\"message\"");
	world_ask(world, a, send);
	world_expect(world, a, "\"seq\":1,\"time\":\"2026-09-21T");
	expect_silence(world, a);
	world_ask(world, a,
	    "{\"cmd\":\"send\",\"to\":\"alice\",\"text\":\"y\",\"nonce\":\"n\","
	    "\"id\":6}");
	world_expect(world, a, "\"error\":\"conflict\"");
	world_wait(world, 86400001);
	world_ask(world, a, send);
	world_expect(world, a, "\"seq\":2");
	world_free(world);
}

TEST(chat__nonce__twin_waits_for_the_first)
{
	struct world *world = world_new(false, true);
	unsigned a = world_user(world, "alice");
	const char *send = "{\"cmd\":\"send\",\"to\":\"alice\",\"text\":\"x\",\"nonce\":\"n\","
	                   "\"id\":5}";

	world->slow = true;
	world_ask(world, a, send);
	world_ask(world, a, send);
	expect_silence(world, a);
	CHECK(world_commit(world));
	world_expect(world, a, "\"re\":5,\"ok\":true,\"seq\":1");
	world_expect(world, a, "\"event\":\"message\"");
	world_expect(world, a, "\"duplicate\":true");
	world_free(world);
}

TEST(chat__time__never_goes_back)
{
	struct world *world = world_new(true, false);
	unsigned a = world_guest(world, "alice");

	world_ask(world, a, "{\"cmd\":\"send\",\"to\":\"alice\",\"text\":\"x\",\"id\":1}");
	world_expect(world, a, "\"time\":\"2026-09-21T14:13:20.000Z\"");
	world_read(world, a);
	world->now.unix_ms -= 3600000;
	world_ask(world, a, "{\"cmd\":\"send\",\"to\":\"alice\",\"text\":\"x\",\"id\":1}");
	world_expect(world, a, "\"time\":\"2026-09-21T14:13:20.000Z\"");
	world_free(world);
}

TEST(chat__presence__offline_after_15_s_and_damped)
{
	struct world *world = world_new(false, true);
	unsigned a = world_connect(world, "alice"), b = world_connect(world, "bob");

	world_ask(world, a, "{\"cmd\":\"login\"}");
	world_ask(world, b, "{\"cmd\":\"login\"}");
	world_ask(world, a, "{\"cmd\":\"join\",\"room\":\"dev\"}");
	world_ask(world, a, "{\"cmd\":\"join\",\"room\":\"ops\"}");
	world_ask(world, b, "{\"cmd\":\"join\",\"room\":\"dev\"}");
	world_ask(world, b, "{\"cmd\":\"join\",\"room\":\"ops\"}");
	while (*world_read(world, a) != '\0')
		;
	world_wait(world, 6000);
	world_ask(world, b, "{\"cmd\":\"status\",\"status\":\"away\"}");
	world_expect(world, a, "{\"event\":\"presence\",\"user\":\"bob\",\"status\":\"away\"}");
	expect_silence(world, a); /* one event, though they share two rooms */
	world_ask(world, b, "{\"cmd\":\"status\",\"status\":\"busy\"}");
	world_ask(world, b, "{\"cmd\":\"status\",\"status\":\"online\",\"text\":\"back\"}");
	expect_silence(world, a);
	world_wait(world, 5000);
	world_expect(world, a, "\"status\":\"online\",\"text\":\"back\"");
	world_disconnect(world, b);
	world_wait(world, 14999);
	expect_silence(world, a);
	world_wait(world, 1);
	world_expect(world, a, "\"user\":\"bob\",\"status\":\"offline\"}");
	expect_silence(world, a);
	world_free(world);
}

TEST(chat__presence__short_absence_is_not_told)
{
	struct world *world = world_new(false, true);
	unsigned a = world_connect(world, "alice"), b = world_connect(world, "bob"), again;

	world_ask(world, a, "{\"cmd\":\"login\"}");
	world_ask(world, b, "{\"cmd\":\"login\"}");
	world_ask(world, a, "{\"cmd\":\"join\",\"room\":\"dev\"}");
	world_ask(world, b, "{\"cmd\":\"join\",\"room\":\"dev\"}");
	while (*world_read(world, a) != '\0')
		;
	world_disconnect(world, b);
	world_wait(world, 10000);
	again = world_connect(world, "bob");
	world_ask(world, again, "{\"cmd\":\"login\",\"id\":1}");
	world_expect(world, again, "\"rooms\":[\"dev\"]"); /* still a member */
	world_wait(world, 60000);
	expect_silence(world, a);
	world_ask(world, a, "{\"cmd\":\"send\",\"room\":\"dev\",\"text\":\"hi\"}");
	world_expect(world, again, "\"text\":\"hi\"");
	world_free(world);
}

TEST(chat__presence__many_at_once_take_turns)
{
	struct world *world = world_new(false, true);
	unsigned calls = 1;
	char name[16];

	for (unsigned i = 0; i < 60; i++) {
		snprintf(name, sizeof name, "user%u", i);
		world_connect(world, name);
		world_ask(world, i, "{\"cmd\":\"login\"}");
		world_ask(world, i, "{\"cmd\":\"join\",\"room\":\"dev\"}");
	}
	world_wait(world, 60000);
	for (unsigned i = 1; i < 60; i++)
		world_disconnect(world, i);
	while (*world_read(world, 0) != '\0')
		;
	world->now.mono_ms += 60000;
	while (chat_tick(world->chat, world->now))
		calls++;
	CHECK(calls > 2); /* 59 people with 60 members each */
	for (unsigned i = 1; i < 60; i++)
		world_expect(world, 0, "\"status\":\"offline\"");
	expect_silence(world, 0);
	world_free(world);
}

TEST(chat__devices__see_one_state)
{
	struct world *world = world_new(false, true);
	unsigned a = world_connect(world, "alice"), b = world_connect(world, "alice");

	world_ask(world, a, "{\"cmd\":\"login\",\"id\":1,\"device\":\"desk\"}");
	world_expect(world, a, "\"user\":\"alice\"");
	world_ask(world, b, "{\"cmd\":\"login\",\"id\":1}");
	world_expect(world, b, "\"ok\":true");
	world_expect(world, a, "\"event\":\"session\"");
	world_ask(world, a, "{\"cmd\":\"join\",\"room\":\"dev\",\"id\":2}");
	world_expect(world, a, "\"re\":2");
	world_expect(world, a, "\"event\":\"join\"");
	world_expect(world, b, "\"event\":\"join\"");
	world_ask(world, b, "{\"cmd\":\"send\",\"room\":\"dev\",\"text\":\"x\",\"id\":3}");
	world_expect(world, b, "\"re\":3");
	world_expect(world, b, "\"event\":\"message\"");
	world_expect(world, a, "\"event\":\"message\"");
	world_disconnect(world, b);
	world_expect(world, a, "\"on\":false");
	expect_silence(world, a);
	world_free(world);
}

/* The state that a generator of base/rng.h was left in when it gave `z`. */
static uint64_t state_behind(uint64_t z)
{
	z = (z ^ z >> 31 ^ z >> 62) * UINT64_C(0x319642B2D24D8EC3);
	z = (z ^ z >> 27 ^ z >> 54) * UINT64_C(0x96DE1B173F119089);
	return z ^ z >> 30 ^ z >> 60;
}

TEST(chat__ids__do_not_foretell_the_shape_of_trees)
{
	struct world *world = world_new(true, false);
	unsigned a = world_guest(world, "alice");
	struct rng check = {1}, guess;
	const char *id;
	uint32_t priority = chat_user_find(world->chat, slice_of("alice"))->node.priority;

	CHECK(state_behind(rng_next(&check)) == check.state);
	world_ask(world, a, "{\"cmd\":\"whoami\",\"id\":2}");
	id = strstr(world_read(world, a), "\"session\":\"");
	CHECK(id != NULL);
	guess.state = state_behind(strtoull(id + 11, NULL, 16));
	for (int i = 0; i < 64; i++)
		CHECK(rng_next(&guess) >> 32 != priority);
	world_free(world);
}

TEST(chat__guest__name_is_free_when_the_connection_ends)
{
	struct world *world = world_new(true, true);
	unsigned a = world_guest(world, "alice"), b = world_connect(world, ""), c;

	world_ask(world, b, "{\"cmd\":\"login\",\"id\":1,\"user\":\"alice\"}");
	world_expect(world, b, "\"error\":\"name_taken\"");
	world_disconnect(world, a);
	world_ask(world, b, "{\"cmd\":\"login\",\"id\":1,\"user\":\"alice\"}");
	world_expect(world, b, "\"ok\":true");
	c = world_connect(world, "alice");
	world_ask(world, c, "{\"cmd\":\"login\",\"id\":1}");
	world_expect(world, c, "\"error\":\"name_taken\"");
	world_free(world);
}

TEST(chat__join__has_a_bound_for_guests)
{
	struct world *world = world_new(true, true);
	unsigned guest = world_guest(world, "alice"), user = world_connect(world, "bob");
	char line[80];

	world_ask(world, user, "{\"cmd\":\"login\",\"id\":1}");
	world_expect(world, user, "\"ok\":true");
	for (int i = 0; i <= PROTO_LIMIT_guest_rooms; i++) {
		for (unsigned s = guest; s <= user; s++) {
			snprintf(line, sizeof line,
			    "{\"cmd\":\"join\",\"id\":1,\"room\":\"r%u-%d\"}", s, i);
			world_ask(world, s, line);
			if (s == guest && i == PROTO_LIMIT_guest_rooms)
				world_expect(world, s, "\"error\":\"too_many\"");
			else
				world_expect(world, s, "\"ok\":true");
			while (*world_read(world, s) != '\0')
				;
		}
	}
	world_free(world);
}

TEST(chat__join__large_rooms_do_not_announce)
{
	struct world *world = world_new(false, true);
	unsigned first = world_connect(world, "first");
	char line[128];

	world_ask(world, first, "{\"cmd\":\"login\"}");
	world_ask(world, first, "{\"cmd\":\"join\",\"room\":\"big\"}");
	for (int i = 0; i < 256; i++) {
		unsigned s = world->count < WORLD_SESSIONS ? world->count : WORLD_SESSIONS - 1;

		if (world->count == WORLD_SESSIONS) {
			/* The same slot again: members stay when their connection has gone. */
			world->count--;
			buf_release(&world->session[s].lines);
			world->session[s] = (struct world_session){0};
		}
		snprintf(line, sizeof line, "u%d", i);
		s = world_connect(world, line);
		world_ask(world, s, "{\"cmd\":\"login\"}");
		world_ask(world, s, "{\"cmd\":\"join\",\"room\":\"big\"}");
		if (s == WORLD_SESSIONS - 1)
			world_disconnect(world, s);
	}
	world_ask(world, first, "{\"cmd\":\"room\",\"room\":\"big\",\"id\":9}");
	for (int i = 0; i < 256; i++) /* its own and 255 more: the 257th came in silence */
		world_expect(world, first, "\"event\":\"join\"");
	world_expect(world, first, "\"member_count\":257");
	world_free(world);
}

TEST(chat__page__lists_all_exactly_once)
{
	struct world *world = world_new(false, true);
	unsigned a = world_connect(world, "alice");
	unsigned seen = 0;
	char line[256], next[80] = "";

	world_ask(world, a, "{\"cmd\":\"login\"}");
	for (int i = 0; i < 60; i++) {
		snprintf(line, sizeof line,
		    "{\"cmd\":\"create\",\"room\":\"r%03d\",\"topic\":\"t\",\"id\":1}", i);
		world_ask(world, a, line);
	}
	while (*world_read(world, a) != '\0')
		;
	for (int page = 0; page < 10; page++) {
		const char *reply, *at;

		snprintf(line, sizeof line,
		    "{\"cmd\":\"rooms\",\"id\":1,\"like\":\"r\",\"limit\":13%s%s%s}",
		    next[0] != '\0' ? ",\"after\":\"" : "", next, next[0] != '\0' ? "\"" : "");
		world_ask(world, a, line);
		reply = world_read(world, a);
		for (at = reply; (at = strstr(at, "\"room\":")) != NULL; at++)
			seen++;
		if (strstr(reply, "\"more\":false") != NULL)
			break;
		at = strstr(reply, "\"next\":\"");
		CHECK(at != NULL);
		CHECK(sscanf(at, "\"next\":\"%79[^\"]", next) == 1);
	}
	CHECK_INT(seen, 60);
	world_free(world);
}

TEST(chat__page__tells_nothing_of_private_rooms)
{
	struct world *world = world_new(true, false);
	unsigned a = world_guest(world, "alice");
	char line[96];

	world_ask(world, a, "{\"cmd\":\"create\",\"room\":\"public\"}");
	for (unsigned i = 0; i < 30; i++) {
		unsigned guest;

		snprintf(line, sizeof line, "guest%u", i);
		guest = world_guest(world, line);
		for (unsigned j = 0; j < PROTO_LIMIT_guest_rooms; j++) {
			snprintf(line, sizeof line,
			    "{\"cmd\":\"create\",\"room\":\"secret%u-%u\",\"private\":true}", i, j);
			world_ask(world, guest, line);
		}
	}
	while (*world_read(world, a) != '\0')
		;
	world_ask(world, a, "{\"cmd\":\"rooms\",\"id\":1,\"like\":\"zzz\"}");
	world_expect(world, a, "\"rooms\":[],\"more\":false}");
	world_ask(world, a, "{\"cmd\":\"rooms\",\"id\":1,\"limit\":1}");
	world_expect(world, a, "\"room\":\"public\"");
	world_ask(world, a, "{\"cmd\":\"rooms\",\"id\":1,\"limit\":1}");
	world_expect(world, a, "\"more\":false}");
	world_free(world);
}

/* Random users join, leave, talk and vanish while the store is slow at times. Every session must
 * see, for every room while it is attached, a dense sequence; and every request is answered. */
static void check_dense(struct world *world, unsigned session, long long *last)
{
	const char *line;

	while (*(line = world_read(world, session)) != '\0') {
		const char *room = strstr(line, "\"room\":\"r"), *seq = strstr(line, "\"seq\":");
		long long number;
		int slot;

		if (strncmp(line, "{\"event\":\"", 10) != 0 || room == NULL || seq == NULL)
			continue;
		slot = room[9] - '0';
		CHECK(sscanf(seq, "\"seq\":%lld", &number) == 1);
		CHECK(last[slot] == 0 || number == last[slot] + 1);
		last[slot] = number;
		if (strstr(line, "\"event\":\"leave\"") != NULL) {
			char own[40];

			snprintf(own, sizeof own, "\"user\":\"g%u\"", session);
			if (strstr(line, own) != NULL)
				last[slot] = 0;
		}
	}
}

TEST(chat__random__sequences_stay_dense)
{
	struct rng rng = {7};

	for (int round = 0; round < 200; round++) {
		struct world *world = world_new(false, true);
		long long last[12][4] = {{0}};
		unsigned asked[12];
		bool alive[12];
		char line[128];

		for (unsigned i = 0; i < 12; i++) {
			snprintf(line, sizeof line, "g%u", i);
			world_user(world, line);
			asked[i] = 1;
			alive[i] = true;
		}
		for (int step = 0; step < 300; step++) {
			unsigned s = (unsigned)rng_below(&rng, 12),
			         r = (unsigned)rng_below(&rng, 3);
			static const char *const cmds[] = {"\"join\"", "\"leave\"",
			    "\"send\",\"text\":\"x\",\"id\":1", "\"typing\"",
			    "\"members\",\"id\":2"};

			world->slow = rng_below(&rng, 3) != 0;
			if (rng_below(&rng, 4) == 0)
				world_commit(world);
			if (!alive[s])
				continue;
			if (rng_below(&rng, 60) == 0 && world->ticket_count < 200) {
				world_disconnect(world, s);
				alive[s] = false;
				continue;
			}
			if (world->ticket_count >= 200)
				world->slow = false;
			snprintf(line, sizeof line, "{\"cmd\":%s,\"room\":\"r%u\"}",
			    cmds[rng_below(&rng, 5)], r);
			world_ask(world, s, line);
			asked[s]++;
		}
		while (world_commit(world))
			;
		for (unsigned i = 0; i < 12; i++) {
			check_dense(world, i, last[i]);
			if (alive[i])
				CHECK_INT(world->session[i].answers, asked[i]);
			else
				CHECK(world->session[i].gone);
		}
		world_free(world);
	}
}

UNIT_MAIN(CASE(chat__send__reaches_all_members_after_the_reply),
    CASE(chat__send__tells_nothing_before_the_commit),
    CASE(chat__commit__out_of_turn_releases_in_order), CASE(chat__close__with_entries_on_their_way),
    CASE(chat__close__a_guests_room_is_inherited),
    CASE(chat__nonce__duplicate_conflict_and_expiry), CASE(chat__nonce__twin_waits_for_the_first),
    CASE(chat__time__never_goes_back), CASE(chat__presence__offline_after_15_s_and_damped),
    CASE(chat__presence__short_absence_is_not_told), CASE(chat__presence__many_at_once_take_turns),
    CASE(chat__devices__see_one_state), CASE(chat__ids__do_not_foretell_the_shape_of_trees),
    CASE(chat__guest__name_is_free_when_the_connection_ends),
    CASE(chat__join__has_a_bound_for_guests), CASE(chat__join__large_rooms_do_not_announce),
    CASE(chat__page__lists_all_exactly_once), CASE(chat__page__tells_nothing_of_private_rooms),
    CASE(chat__random__sequences_stay_dense))
