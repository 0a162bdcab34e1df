/*
 * Accounts in the core by itself: what needs a clock, a slow or failing store, or work that is done
 * while something else happens. The wire's rules are in tests/wire/accounts.json.
 */
#include "tests/unit/unit.h"

#include "chat/chat_private.h"
#include "chat_world.h"

static void open_registration(struct chat_options *options)
{
	options->registration = CHAT_REGISTRATION_OPEN;
}

static void invite_registration(struct chat_options *options)
{
	options->registration = CHAT_REGISTRATION_INVITE;
}

static struct world *open_world(void)
{
	return world_new_with(open_registration);
}

/* A new connection that asks this; the reply has the part. */
static unsigned ask_new(struct world *world, const char *line, const char *part)
{
	unsigned session = world_connect(world, "");

	world_ask(world, session, line);
	world_expect(world, session, part);
	return session;
}

static void ask(struct world *world, unsigned session, const char *line, const char *part)
{
	world_ask(world, session, line);
	world_expect(world, session, part);
}

static unsigned sign_up(struct world *world, const char *name)
{
	char line[200];

	snprintf(line, sizeof line,
	    "{\"cmd\":\"register\",\"id\":1,\"user\":\"%s\",\"password\":\"password\"}", name);
	return ask_new(world, line, "\"ok\":true");
}

/* Its token, lent until the next call. */
static const char *sign_up_remembered(struct world *world, const char *name)
{
	static char token[CHAT_TOKEN_SIZE];
	unsigned session = world_connect(world, "");
	char line[200];
	const char *at;

	snprintf(line, sizeof line,
	    "{\"cmd\":\"register\",\"id\":1,\"user\":\"%s\",\"password\":\"password\","
	    "\"remember\":true}",
	    name);
	world_ask(world, session, line);
	at = strstr(world_read(world, session), "\"token\":\"");
	CHECK(at != NULL);
	CHECK(!str_copy(token, sizeof token, slice_of(at + 9)));
	return token;
}

static const char *token_login(const char *token)
{
	static char line[200];

	snprintf(line, sizeof line, "{\"cmd\":\"login\",\"id\":1,\"token\":\"%s\"}", token);
	return line;
}

#define ALICE "{\"cmd\":\"login\",\"id\":1,\"user\":\"alice\",\"password\":\"password\"}"
#define WRONG "{\"cmd\":\"login\",\"id\":1,\"user\":\"alice\",\"password\":\"wrong\"}"
#define UNKNOWN "{\"cmd\":\"login\",\"id\":1,\"user\":\"mallory\",\"password\":\"wrong\"}"

TEST(accounts__login__says_the_same_for_wrong_and_unknown)
{
	struct world *world = open_world();
	char first[300];

	sign_up(world, "alice");
	unsigned session = world_connect(world, "");
	world_ask(world, session, WRONG);
	str_copy(first, sizeof first, slice_of(world_read(world, session)));
	CHECK(strstr(first, "auth_failed") != NULL);
	world_ask(world, session, UNKNOWN);
	CHECK_STR(world_read(world, session), first);
	ask(world, session, ALICE, "\"ok\":true,\"user\":\"alice\",\"role\":\"user\"");
	world_free(world);
}

TEST(accounts__login__throttles_pairs_and_forgives_the_right_one)
{
	struct world *world = open_world();

	sign_up(world, "alice");
	for (int i = 0; i < 30; i++)
		ask_new(world, ALICE, "\"ok\":true");
	for (int i = 0; i < 5; i++)
		ask_new(world, WRONG, "auth_failed");
	ask_new(world, ALICE, "rate_limited");
	ask_new(world, UNKNOWN, "auth_failed"); /* another pair */
	world_wait(world, 60000);
	ask_new(world, ALICE, "\"ok\":true");
	world_free(world);
}

TEST(accounts__login__ends_the_connection_after_three_but_not_for_waiting)
{
	struct world *world = open_world();
	unsigned a;

	sign_up(world, "alice");
	for (int i = 0; i < 3; i++)
		ask_new(world, WRONG, "auth_failed");
	a = ask_new(world, WRONG, "auth_failed");
	ask(world, a, WRONG, "auth_failed");
	for (int i = 0; i < 5; i++)
		ask(world, a, WRONG, "\"retry_after\":");
	world_wait(world, 60000);
	ask(world, a, WRONG, "auth_failed");
	world_expect(world, a, "\"reason\":\"flood\"");
	CHECK(world->session[a].finished);
	world_free(world);
}

TEST(accounts__login__hashes_anew_when_the_parameters_rise)
{
	struct world *world = open_world();
	struct chat_user *alice;

	sign_up(world, "alice");
	alice = chat_user_find(world->chat, slice_of("alice"));
	memcpy(alice->password, "o:", 2);
	ask_new(world, ALICE, "\"ok\":true");
	CHECK_STR(alice->password, "h:password");
	world_restart(world);
	CHECK_STR(chat_user_find(world->chat, slice_of("alice"))->password, "h:password");
	world_free(world);
}

/* What was verified is no longer the password when the answer is given. */
TEST(accounts__login__looks_again_when_the_password_changed_meanwhile)
{
	struct world *world = open_world();
	unsigned first = sign_up(world, "alice"), late;

	world->idle = true;
	late = world_connect(world, "");
	world_ask(world, late, ALICE);
	CHECK(world_run_job(world));
	world_ask(world, first,
	    "{\"cmd\":\"passwd\",\"id\":2,\"old\":\"password\",\"new\":\"changed!\"}");
	CHECK(world_run_job(world));
	chat_job_done(world->chat, world->jobs[1], world->now); /* passwd overtakes */
	world->job_count = world->ran_count = 1;
	world_expect(world, first, "\"re\":2,\"ok\":true");
	CHECK(world_end_job(world));
	CHECK_STR(world_read(world, late), "");
	world->idle = false;
	world_work(world);
	world_expect(world, late, "auth_failed");
	world_free(world);
}

TEST(accounts__login__is_refused_when_suspended_meanwhile)
{
	struct world *world = open_world();
	unsigned console = world_console(world), late;

	sign_up(world, "alice");
	world->idle = true;
	late = world_connect(world, "");
	world_ask(world, late, ALICE);
	CHECK(world_run_job(world));
	ask(world, console, "{\"cmd\":\"suspend\",\"id\":1,\"user\":\"alice\",\"reason\":\"spam\"}",
	    "\"ok\":true");
	world->idle = false;
	world_work(world);
	world_expect(world, late, "this account is suspended: spam");
	ask_new(world, WRONG, "wrong user or secret");
	ask(world, console, "{\"cmd\":\"restore\",\"id\":2,\"user\":\"alice\"}", "\"ok\":true");
	ask_new(world, ALICE, "\"ok\":true");
	world_free(world);
}

/* A request whose work is being done when its user is suspended does nothing. */
TEST(accounts__suspend__stops_work_in_flight)
{
	struct world *world = open_world();
	unsigned alice = sign_up(world, "alice"), console = world_console(world);

	world->idle = true;
	world_ask(world, alice,
	    "{\"cmd\":\"passwd\",\"id\":2,\"old\":\"password\",\"new\":\"changed!\"}");
	CHECK(world_run_job(world));
	ask(world, console, "{\"cmd\":\"suspend\",\"id\":1,\"user\":\"alice\"}", "\"ok\":true");
	world_expect(world, alice, "\"reason\":\"suspended\"");
	CHECK(world_end_job(world));
	CHECK_INT(world->session[alice].answers, 2);
	CHECK_STR(chat_user_find(world->chat, slice_of("alice"))->password, "h:password");
	world->idle = false;
	world_free(world);
}

/* Nor one of an administrator, when somebody else has ended that. */
TEST(accounts__grant__stops_work_in_flight)
{
	struct world *world = open_world();
	unsigned alice = sign_up(world, "alice"), console = world_console(world);

	sign_up(world, "bob");
	ask(world, console, "{\"cmd\":\"grant\",\"id\":1,\"user\":\"alice\",\"admin\":true}",
	    "\"ok\":true");
	world->idle = true;
	world_ask(world, alice,
	    "{\"cmd\":\"userpasswd\",\"id\":2,\"user\":\"bob\",\"password\":\"changed!\"}");
	CHECK(world_run_job(world));
	ask(world, console, "{\"cmd\":\"grant\",\"id\":2,\"user\":\"alice\",\"admin\":false}",
	    "\"ok\":true");
	CHECK(world_end_job(world));
	world_expect(world, alice, "\"error\":\"not_allowed\"");
	CHECK_STR(chat_user_find(world->chat, slice_of("bob"))->password, "h:password");
	world->idle = false;
	world_free(world);
}

TEST(accounts__login__gives_a_try_back_that_nobody_looked_at)
{
	struct world *world = open_world();

	sign_up(world, "alice");
	world->idle = true;
	for (int i = 0; i < 10; i++) {
		unsigned session = world_connect(world, "");

		world_ask(world, session, ALICE);
		CHECK_INT((int)world->job_count, 1);
		world->job_count = 0;
		chat_job_refused(world->chat, world->jobs[0], world->now);
		world_expect(world, session, "auth_unavailable");
	}
	world->idle = false;
	ask_new(world, ALICE, "\"ok\":true");
	world_free(world);
}

TEST(accounts__token__lives_as_long_as_it_is_used)
{
	const int64_t day = INT64_C(86400000);
	struct world *world = open_world();
	char token[CHAT_TOKEN_SIZE];

	str_copy(token, sizeof token, slice_of(sign_up_remembered(world, "alice")));
	world_restart(world);
	for (int i = 0; i < 3; i++) {
		world_wait(world, 60 * day);
		ask_new(world, token_login(token), "\"ok\":true,\"user\":\"alice\"");
	}
	world_restart(world);
	world_wait(world, 89 * day);
	ask_new(world, token_login(token), "\"ok\":true");
	world_wait(world, 90 * day);
	ask_new(world, token_login(token), "auth_failed");
	world_free(world);
}

TEST(accounts__token__the_one_unused_the_longest_goes)
{
	struct world *world = open_world();
	char token[CHAT_TOKEN_SIZE];
	struct chat_user *alice;

	str_copy(token, sizeof token, slice_of(sign_up_remembered(world, "alice")));
	for (int i = 0; i < PROTO_LIMIT_tokens; i++) {
		unsigned session = world_connect(world, "");

		world_wait(world, 1000);
		ask(world, session,
		    "{\"cmd\":\"login\",\"id\":1,\"user\":\"alice\",\"password\":\"password\","
		    "\"remember\":true}",
		    i < PROTO_LIMIT_tokens - 1 ? "\"token\":" : "\"token\":");
		world_disconnect(world, session);
	}
	alice = chat_user_find(world->chat, slice_of("alice"));
	CHECK_INT((int)alice->token_count, PROTO_LIMIT_tokens);
	ask_new(world, token_login(token), "auth_failed");
	world_free(world);
}

TEST(accounts__register__is_taken_back_when_it_cannot_be_stored)
{
	struct world *world = world_new_with(invite_registration);
	unsigned console = world_console(world), session;
	char code[CHAT_CODE_SIZE], line[300];
	const char *at;

	world_ask(world, console, "{\"cmd\":\"invitecode\",\"id\":1,\"action\":\"create\"}");
	at = strstr(world_read(world, console), "\"code\":\"");
	CHECK(at != NULL);
	str_copy(code, 21, slice_of(at + 8));
	snprintf(line, sizeof line,
	    "{\"cmd\":\"register\",\"id\":1,\"user\":\"alice\",\"password\":\"password\","
	    "\"remember\":true,\"invite\":\"%s\"}",
	    code);
	world->slow = true;
	session = world_connect(world, "");
	world_ask(world, session, line);
	CHECK_STR(world_read(world, session), "");
	world_fail(world, STATUS_NO_SPACE);
	world_expect(world, session, "unavailable");
	CHECK(chat_user_find(world->chat, slice_of("alice")) == NULL);
	CHECK_INT((int)world->chat->tokens.count, 0);
	world->slow = false;
	ask(world, session, line, "\"ok\":true");
	/* One use: it is gone. */
	snprintf(line, sizeof line,
	    "{\"cmd\":\"register\",\"id\":1,\"user\":\"bob\",\"password\":\"password\","
	    "\"invite\":\"%s\"}",
	    code);
	ask_new(world, line, "registration_closed");
	world_free(world);
}

TEST(accounts__passwd__ends_other_sessions_and_all_tokens)
{
	struct world *world = open_world();
	char token[CHAT_TOKEN_SIZE];
	unsigned second;

	str_copy(token, sizeof token, slice_of(sign_up_remembered(world, "alice")));
	second = ask_new(world, ALICE, "\"ok\":true");
	world_read(world, 0); /* the second device */
	ask(world, second,
	    "{\"cmd\":\"passwd\",\"id\":2,\"old\":\"nonsense\",\"new\":\"changed!\"}",
	    "auth_failed");
	ask(world, second,
	    "{\"cmd\":\"passwd\",\"id\":3,\"old\":\"password\",\"new\":\"changed!\"}",
	    "\"re\":3,\"ok\":true");
	world_expect(world, 0, "\"reason\":\"killed\"");
	CHECK(world->session[0].finished && !world->session[second].finished);
	ask_new(world, token_login(token), "auth_failed");
	ask_new(world, ALICE, "auth_failed");
	world_free(world);
}

TEST(accounts__userdel__leaves_a_tombstone_and_an_heir)
{
	struct world *world = open_world();
	unsigned alice = sign_up(world, "alice"), bob = sign_up(world, "bob");
	unsigned eve = sign_up(world, "eve"), console = world_console(world);
	struct chat_room *room;

	ask(world, alice, "{\"cmd\":\"create\",\"room\":\"dev\",\"id\":2}", "\"ok\":true");
	world_ask(world, bob, "{\"cmd\":\"join\",\"room\":\"dev\"}");
	world_ask(world, eve, "{\"cmd\":\"join\",\"room\":\"dev\"}");
	world_ask(world, alice,
	    "{\"cmd\":\"role\",\"room\":\"dev\",\"user\":\"eve\",\"role\":\"operator\"}");
	world_ask(world, alice, "{\"cmd\":\"send\",\"to\":\"bob\",\"text\":\"hi\"}");
	world_ask(world, alice, "{\"cmd\":\"block\",\"user\":\"bob\"}");
	ask(world, console, "{\"cmd\":\"userdel\",\"id\":1,\"user\":\"alice\"}", "\"ok\":true");
	CHECK(world->session[alice].finished);
	room = chat_room_find(world->chat, slice_of("dev"));
	CHECK_INT((int)room->members.count, 2);
	CHECK(chat_member_find(chat_user_find(world->chat, slice_of("eve")), room->node.key)->role ==
	      CHAT_ROLE_OWNER);
	for (int i = 0; i < 2; i++) {
		struct chat_user *gone = chat_user_find(world->chat, slice_of("alice"));

		CHECK(gone->deleted && gone->password == NULL && gone->blocks.count == 0);
		CHECK_INT((int)gone->pairs.count, 1);
		ask_new(world,
		    "{\"cmd\":\"register\",\"id\":1,\"user\":\"alice\","
		    "\"password\":\"password\"}",
		    "name_taken");
		ask_new(world, "{\"cmd\":\"login\",\"id\":1,\"user\":\"alice\"}", "name_taken");
		ask_new(world, ALICE, "auth_failed");
		world_restart(world);
	}
	bob = ask_new(world,
	    "{\"cmd\":\"login\",\"id\":1,\"user\":\"bob\",\"password\":\"password\"}",
	    "\"rooms\":[\"dev\"]");
	ask(world, bob, "{\"cmd\":\"send\",\"id\":2,\"to\":\"alice\",\"text\":\"hi\"}",
	    "no_such_user");
	world_free(world);
}

TEST(accounts__userdel__is_taken_back_whole)
{
	struct world *world = open_world();
	unsigned alice = sign_up(world, "alice"), console = world_console(world);
	struct chat_user *user = chat_user_find(world->chat, slice_of("alice"));

	sign_up_remembered(world, "bob");
	world_ask(world, alice, "{\"cmd\":\"create\",\"room\":\"dev\"}");
	world_ask(world, alice, "{\"cmd\":\"block\",\"user\":\"bob\"}");
	world->slow = true;
	world_ask(world, console, "{\"cmd\":\"userdel\",\"id\":1,\"user\":\"alice\"}");
	CHECK(user->deleted && chat_room_find(world->chat, slice_of("dev")) == NULL);
	world_fail(world, STATUS_IO);
	world_expect(world, console, "unavailable");
	world->slow = false;
	CHECK(!user->deleted && user->blocks.count == 1 && user->memberships.count == 1);
	CHECK_STR(user->password, "h:password");
	CHECK_INT((int)chat_room_find(world->chat, slice_of("dev"))->owner_count, 1);
	ask_new(world, ALICE, "\"rooms\":[\"dev\"]");
	world_free(world);
}

TEST(accounts__audit__is_kept_newest_first)
{
	struct world *world = open_world();
	unsigned console = world_console(world);

	sign_up(world, "alice");
	for (int i = 0; i < 3; i++)
		ask(world, console,
		    i % 2 == 0 ? "{\"cmd\":\"grant\",\"id\":1,\"user\":\"alice\",\"admin\":true}"
			       : "{\"cmd\":\"grant\",\"id\":1,\"user\":\"alice\","
				 "\"admin\":false}",
		    "\"ok\":true");
	world_restart(world);
	console = world_console(world);
	ask(world, console, "{\"cmd\":\"suspend\",\"id\":1,\"user\":\"alice\",\"reason\":\"r\"}",
	    "\"ok\":true");
	world_ask(world, console, "{\"cmd\":\"audit\",\"id\":2,\"limit\":1}");
	world_expect(world, console,
	    "\"by\":\"console\",\"action\":\"suspend\",\"user\":\"alice\",\"text\":\"r\"}],"
	    "\"more\":true,\"next\":\"4\"");
	world_ask(world, console, "{\"cmd\":\"audit\",\"id\":2,\"after\":\"3\"}");
	world_expect(world, console, "\"text\":\"no administrator\"");
	world_free(world);
}

TEST(accounts__audit__forgets_the_oldest)
{
	struct world *world = open_world();
	unsigned console = world_console(world);

	ask(world, console, "{\"cmd\":\"useradd\",\"id\":1,\"user\":\"alice\"}", "\"ok\":true");
	world->chat->audit_last = CHAT_AUDIT_MAX;
	ask(world, console, "{\"cmd\":\"restore\",\"id\":1,\"user\":\"alice\"}", "\"ok\":true");
	world_ask(world, console, "{\"cmd\":\"audit\",\"id\":2}");
	world_expect(world, console, "\"action\":\"restore\",\"user\":\"alice\"}],\"more\":false");
	world_free(world);
}

TEST(accounts__announce__reaches_who_is_logged_in)
{
	struct world *world = open_world();
	unsigned alice = sign_up(world, "alice"), guest = world_guest(world, "gus");
	unsigned nobody = world_connect(world, ""), console = world_console(world);

	ask(world, console, "{\"cmd\":\"announce\",\"id\":1,\"text\":\"soon\"}", "\"count\":2");
	world_expect(world, alice, "\"event\":\"announce\",\"text\":\"soon\",\"by\":\"console\"");
	world_expect(world, guest, "\"event\":\"announce\"");
	CHECK_STR(world_read(world, nobody), "");
	world_free(world);
}

UNIT_MAIN(CASE(accounts__login__says_the_same_for_wrong_and_unknown),
    CASE(accounts__login__throttles_pairs_and_forgives_the_right_one),
    CASE(accounts__login__ends_the_connection_after_three_but_not_for_waiting),
    CASE(accounts__login__hashes_anew_when_the_parameters_rise),
    CASE(accounts__login__looks_again_when_the_password_changed_meanwhile),
    CASE(accounts__login__is_refused_when_suspended_meanwhile),
    CASE(accounts__suspend__stops_work_in_flight),
    CASE(accounts__grant__stops_work_in_flight),
    CASE(accounts__login__gives_a_try_back_that_nobody_looked_at),
    CASE(accounts__token__lives_as_long_as_it_is_used),
    CASE(accounts__token__the_one_unused_the_longest_goes),
    CASE(accounts__register__is_taken_back_when_it_cannot_be_stored),
    CASE(accounts__passwd__ends_other_sessions_and_all_tokens),
    CASE(accounts__userdel__leaves_a_tombstone_and_an_heir),
    CASE(accounts__userdel__is_taken_back_whole),
    CASE(accounts__audit__is_kept_newest_first), CASE(accounts__audit__forgets_the_oldest),
    CASE(accounts__announce__reaches_who_is_logged_in))
