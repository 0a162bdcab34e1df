/*
 * Rights: every row of rights.def with every role, against targets of every role, in public and
 * private rooms. What must happen follows from the row; that nothing else happened is seen in the
 * room's seq, which a refused request does not move.
 */
#include "tests/unit/unit.h"

#include "chat/rights.h"
#include "chat_world.h"

/* Who is in the room of each trial: two of each role, and two who are not in it. */
enum standing { OUTSIDER, MEMBER, OPERATOR, OWNER };
static const char *const names[4][2] = {
    {"out1", "out2"}, {"mem1", "mem2"}, {"opr1", "opr2"}, {"own1", "own2"}};

struct stage {
	struct world *world;
	unsigned session[4][2];
};

static void ask(
    struct stage *stage, unsigned session, const char *format, const char *a, const char *b)
{
	char line[256];
	struct buf text;

	buf_init(&text, sizeof line);
	/* Two places, marked by %, in this order. */
	for (const char *p = format, *word = a; *p != '\0'; p++) {
		if (*p == '%') {
			buf_put_str(&text, word);
			word = b;
		} else {
			buf_put_char(&text, *p);
		}
	}
	CHECK(str_copy(line, sizeof line, buf_slice(&text)));
	buf_release(&text);
	world_ask(stage->world, session, line);
}

static void drain(struct stage *stage, unsigned session)
{
	while (*world_read(stage->world, session) != '\0')
		;
}

static void set_stage(struct stage *stage, bool is_private)
{
	unsigned owner;

	stage->world = world_new(false, true);
	for (int standing = 0; standing < 4; standing++) {
		for (int i = 0; i < 2; i++) {
			unsigned s = world_connect(stage->world, names[standing][i]);

			stage->session[standing][i] = s;
			world_ask(stage->world, s, "{\"cmd\":\"login\"}");
		}
	}
	owner = stage->session[OWNER][0];
	world_ask(stage->world, owner, "{\"cmd\":\"create\",\"room\":\"r\"}");
	for (int standing = MEMBER; standing <= OWNER; standing++)
		for (int i = 0; i < 2; i++)
			world_ask(stage->world, stage->session[standing][i],
			    "{\"cmd\":\"join\",\"room\":\"r\"}");
	for (int i = 0; i < 2; i++) {
		ask(stage, owner, "{\"cmd\":\"role\",\"room\":\"r\",\"user\":\"%\",\"role\":\"%\"}",
		    names[OPERATOR][i], "operator");
		ask(stage, owner, "{\"cmd\":\"role\",\"room\":\"r\",\"user\":\"%\",\"role\":\"%\"}",
		    names[OWNER][i], "owner");
	}
	if (is_private)
		world_ask(stage->world, owner, "{\"cmd\":\"set\",\"room\":\"r\",\"private\":true}");
}

/* A message by one of them, who may not be in the room any more; its seq. */
static long long post(struct stage *stage, int standing, int which, bool is_private)
{
	unsigned author = stage->session[standing][which], owner = stage->session[OWNER][0];
	long long seq;

	if (standing == OUTSIDER) {
		world_ask(stage->world, owner, "{\"cmd\":\"set\",\"room\":\"r\",\"private\":false}");
		world_ask(stage->world, author, "{\"cmd\":\"join\",\"room\":\"r\"}");
	}
	drain(stage, author);
	world_ask(stage->world, author,
	    "{\"cmd\":\"send\",\"room\":\"r\",\"text\":\"hello\",\"id\":1}");
	CHECK(sscanf(world_read(stage->world, author), "{\"re\":1,\"ok\":true,\"seq\":%lld",
		  &seq) == 1);
	if (standing == OUTSIDER)
		world_ask(stage->world, author, "{\"cmd\":\"leave\",\"room\":\"r\"}");
	if (standing == OUTSIDER && is_private)
		world_ask(stage->world, owner, "{\"cmd\":\"set\",\"room\":\"r\",\"private\":true}");
	return seq;
}

static void strike(struct stage *stage)
{
	world_free(stage->world);
}

/* The error that the row demands; NULL if the request must succeed. */
static const char *demanded(
    const struct chat_right *right, bool is_private, int caller, int target, bool oneself)
{
	int least = (int)(is_private ? right->least_private : right->least) + MEMBER;

	if (caller == OUTSIDER)
		return is_private ? "no_such_room" : "not_member";
	if (caller < least)
		return "not_allowed";
	switch (right->target) {
	case CHAT_TARGET_NOBODY:
	case CHAT_TARGET_NAME:
	case CHAT_TARGET_USER:
		break;
	case CHAT_TARGET_MEMBER:
		return target == OUTSIDER ? "no_such_user" : NULL;
	case CHAT_TARGET_BELOW:
		if (target == OUTSIDER)
			return "no_such_user";
		return oneself || target >= caller ? "not_allowed" : NULL;
	case CHAT_TARGET_BELOW_OR_OUTSIDE:
		return target != OUTSIDER && (oneself || target >= caller) ? "not_allowed" : NULL;
	case CHAT_TARGET_MESSAGE:
		break;
	case CHAT_TARGET_OWN_MESSAGE:
		return oneself ? NULL : "not_allowed";
	case CHAT_TARGET_OWN_OR_OPERATOR:
		return oneself || caller >= OPERATOR ? NULL : "not_allowed";
	}
	return NULL;
}

/* What the request needs beside the room: `name` is the target's, `seq` its message's. */
static void put_request(struct buf *to, const struct chat_right *right, const char *name,
    long long seq)
{
	buf_put_fmt(to, "{\"cmd\":\"%s\",\"id\":1,\"room\":\"r\"",
	    proto_cmd_row(right->cmd)->name);
	if (right->target >= CHAT_TARGET_MESSAGE)
		buf_put_fmt(to, ",\"target\":%lld", seq);
	else if (right->target != CHAT_TARGET_NOBODY)
		buf_put_fmt(to, ",\"user\":\"%s\"", name);
	if (right->cmd == PROTO_CMD_role)
		buf_put_str(to, ",\"role\":\"member\"");
	if (right->cmd == PROTO_CMD_send || right->cmd == PROTO_CMD_edit)
		buf_put_str(to, ",\"text\":\"hi\"");
	if (right->cmd == PROTO_CMD_react || right->cmd == PROTO_CMD_unreact)
		buf_put_str(to, ",\"emoji\":\"+1\"");
	if (right->cmd == PROTO_CMD_read)
		buf_put_str(to, ",\"seq\":1");
	if (right->cmd == PROTO_CMD_search)
		buf_put_str(to, ",\"query\":\"hello\"");
	buf_put_str(to, "}");
}

/* Whatever the row allows, these are refused for another reason. */
static bool is_special(enum proto_cmd cmd, int target)
{
	return cmd == PROTO_CMD_invite && target != OUTSIDER; /* already_member */
}

static long long seq_of_room(struct stage *stage)
{
	unsigned owner = stage->session[OWNER][1];
	const char *line, *at;
	long long seq;

	drain(stage, owner);
	world_ask(stage->world, owner, "{\"cmd\":\"room\",\"room\":\"r\",\"id\":9}");
	line = world_read(stage->world, owner);
	at = strstr(line, "\"seq\":");
	if (at == NULL)
		return -1; /* the room has gone */
	CHECK(sscanf(at, "\"seq\":%lld", &seq) == 1);
	return seq;
}

static void try_row(const struct chat_right *right, bool is_private, int caller, int target,
    bool oneself, bool muted)
{
	const char *cmd = proto_cmd_row(right->cmd)->name;
	const char *want = demanded(right, is_private, caller, target, oneself);
	int which = oneself ? 0 : 1;
	long long before, message = 0;
	struct buf request;
	const char *reply;
	struct stage stage;
	unsigned session;

	set_stage(&stage, is_private);
	session = stage.session[caller][0];
	if (right->target >= CHAT_TARGET_MESSAGE)
		message = post(&stage, target, which, is_private);
	if (muted)
		ask(&stage, stage.session[OWNER][1],
		    "{\"cmd\":\"mute\",\"room\":\"r\",\"user\":\"%\"}", names[caller][0], "");
	if (muted && right->voice != CHAT_VOICE_ANY)
		want = "muted";
	before = seq_of_room(&stage);
	drain(&stage, session);
	buf_init(&request, 1000);
	put_request(&request, right, names[target][which], message);
	world_ask(stage.world, session, buf_text(&request));
	buf_release(&request);
	reply = world_read(stage.world, session);
	if (want == NULL && is_special(right->cmd, target))
		want = "already_member";
	if ((want == NULL) != (strstr(reply, "\"ok\":true") != NULL) ||
	    (want != NULL && strstr(reply, want) == NULL)) {
		fprintf(stderr, "%s by %d to %d%s%s (private: %d): \"%s\", wanted %s\n", cmd,
		    caller, target, oneself ? " (oneself)" : "", muted ? ", muted" : "",
		    is_private, reply, want != NULL ? want : "ok");
		exit(1);
	}
	if (want != NULL)
		CHECK_INT(seq_of_room(&stage), before);
	strike(&stage);
}

static void try_all(const struct chat_right *right, bool is_private)
{
	for (int caller = OUTSIDER; caller <= OWNER; caller++) {
		for (int target = OUTSIDER; target <= OWNER; target++)
			try_row(right, is_private, caller, target, false, false);
		try_row(right, is_private, caller, caller, true, false);
	}
	/* Muting somebody needs a higher role; whoever may not at all is not asked for a voice. */
	if (demanded(right, is_private, MEMBER, MEMBER, true) == NULL)
		try_row(right, is_private, MEMBER, MEMBER, true, true);
}

TEST(rights__matrix__every_row_with_every_role)
{
	unsigned rows = 0;

	for (int cmd = 0; cmd < PROTO_CMD_COUNT; cmd++) {
		const struct chat_right *right = chat_right_of((enum proto_cmd)cmd);

		if (right == NULL)
			continue;
		rows++;
		try_all(right, false);
		try_all(right, true);
	}
	CHECK_INT(rows, 24);
}

TEST(rights__ban__ends_by_time)
{
	struct stage stage;
	unsigned owner, out;

	set_stage(&stage, false);
	owner = stage.session[OWNER][0];
	out = stage.session[MEMBER][0];
	drain(&stage, owner);
	drain(&stage, out);
	world_ask(stage.world, owner,
	    "{\"cmd\":\"ban\",\"room\":\"r\",\"user\":\"mem1\",\"for\":60,\"reason\":\"spam\"}");
	world_expect(stage.world, out, "\"event\":\"leave\"");
	CHECK_STR(world_read(stage.world, out), ""); /* the ban is told to those inside */
	world_expect(stage.world, owner, "\"by\":\"own1\",\"reason\":\"spam\"");
	world_expect(stage.world, owner, "\"event\":\"ban\"");
	world_ask(stage.world, out, "{\"cmd\":\"join\",\"room\":\"r\",\"id\":1}");
	world_expect(stage.world, out, "\"error\":\"banned\"");
	world_ask(stage.world, owner, "{\"cmd\":\"bans\",\"room\":\"r\",\"id\":1}");
	world_expect(
	    stage.world, owner, "\"bans\":[{\"user\":\"mem1\",\"kind\":\"ban\",\"by\":\"own1\"");
	world_wait(stage.world, 60000);
	world_ask(stage.world, out, "{\"cmd\":\"join\",\"room\":\"r\",\"id\":2}");
	world_expect(stage.world, out, "\"ok\":true");
	world_ask(stage.world, owner, "{\"cmd\":\"bans\",\"room\":\"r\",\"id\":2}");
	while (strncmp(world_read(stage.world, owner), "{\"re\":2", 7) != 0)
		;
	strike(&stage);
}

TEST(rights__mute__outlasts_a_leave)
{
	struct stage stage;
	unsigned owner, muted;

	set_stage(&stage, false);
	owner = stage.session[OWNER][0];
	muted = stage.session[MEMBER][0];
	world_ask(stage.world, owner, "{\"cmd\":\"mute\",\"room\":\"r\",\"user\":\"mem1\"}");
	world_ask(stage.world, muted, "{\"cmd\":\"leave\",\"room\":\"r\"}");
	world_ask(stage.world, muted, "{\"cmd\":\"join\",\"room\":\"r\"}");
	drain(&stage, muted);
	world_ask(stage.world, muted, "{\"cmd\":\"send\",\"room\":\"r\",\"text\":\"x\",\"id\":1}");
	world_expect(stage.world, muted, "\"error\":\"muted\"");
	world_ask(stage.world, muted, "{\"cmd\":\"typing\",\"room\":\"r\",\"id\":2}");
	world_expect(stage.world, muted, "\"error\":\"muted\"");
	world_ask(stage.world, owner, "{\"cmd\":\"unmute\",\"room\":\"r\",\"user\":\"mem1\"}");
	world_expect(stage.world, muted, "\"event\":\"unmute\"");
	world_ask(stage.world, muted, "{\"cmd\":\"send\",\"room\":\"r\",\"text\":\"x\",\"id\":3}");
	world_expect(stage.world, muted, "\"re\":3,\"ok\":true");
	strike(&stage);
}

TEST(rights__slow__holds_members_back_only)
{
	struct stage stage;
	unsigned member, operator;

	set_stage(&stage, false);
	member = stage.session[MEMBER][0];
	operator= stage.session[OPERATOR][0];
	world_ask(stage.world, operator, "{\"cmd\":\"set\",\"room\":\"r\",\"slow\":30}");
	drain(&stage, member);
	world_ask(stage.world, member, "{\"cmd\":\"send\",\"room\":\"r\",\"text\":\"1\",\"id\":1}");
	world_expect(stage.world, member, "\"re\":1,\"ok\":true");
	drain(&stage, member);
	world_wait(stage.world, 10000);
	world_ask(stage.world, member, "{\"cmd\":\"send\",\"room\":\"r\",\"text\":\"2\",\"id\":2}");
	world_expect(stage.world, member, "\"retry_after\":20");
	for (int i = 0; i < 3; i++) {
		drain(&stage, operator);
		world_ask(stage.world, operator,
		    "{\"cmd\":\"send\",\"room\":\"r\",\"text\":\"3\",\"id\":3}");
		world_expect(stage.world, operator, "\"ok\":true");
	}
	world_wait(stage.world, 20000);
	drain(&stage, member);
	world_ask(stage.world, member, "{\"cmd\":\"send\",\"room\":\"r\",\"text\":\"4\",\"id\":4}");
	world_expect(stage.world, member, "\"re\":4,\"ok\":true");
	strike(&stage);
}

TEST(rights__invite__opens_a_private_room)
{
	struct stage stage;
	unsigned owner, out;

	set_stage(&stage, true);
	owner = stage.session[OWNER][0];
	out = stage.session[OUTSIDER][0];
	drain(&stage, out);
	world_ask(stage.world, out, "{\"cmd\":\"join\",\"room\":\"r\",\"id\":1}");
	world_expect(stage.world, out, "\"error\":\"no_such_room\"");
	world_ask(stage.world, owner, "{\"cmd\":\"invite\",\"room\":\"r\",\"user\":\"out1\"}");
	world_expect(stage.world, out, "{\"event\":\"invite\",\"room\":\"r\",\"by\":\"own1\"");
	world_ask(stage.world, out, "{\"cmd\":\"rooms\",\"id\":2}");
	world_expect(stage.world, out, "\"joined\":false,\"invited\":true");
	world_ask(stage.world, out, "{\"cmd\":\"join\",\"room\":\"r\",\"id\":3}");
	world_expect(stage.world, out, "\"re\":3,\"ok\":true");
	world_ask(stage.world, out, "{\"cmd\":\"leave\",\"room\":\"r\"}");
	drain(&stage, out);
	world_ask(stage.world, out, "{\"cmd\":\"join\",\"room\":\"r\",\"id\":4}");
	world_expect(stage.world, out, "\"error\":\"no_such_room\""); /* it was good for once */
	strike(&stage);
}

TEST(rights__destroy__is_told_to_all_and_frees_the_name)
{
	struct stage stage;
	unsigned owner, member;

	set_stage(&stage, false);
	owner = stage.session[OWNER][0];
	member = stage.session[MEMBER][1];
	drain(&stage, owner);
	drain(&stage, member);
	world_ask(stage.world, owner, "{\"cmd\":\"destroy\",\"room\":\"r\",\"id\":1}");
	world_expect(stage.world, owner, "\"re\":1,\"ok\":true");
	world_expect(stage.world, owner, "\"event\":\"destroyed\"");
	world_expect(stage.world, member, "\"event\":\"destroyed\"");
	CHECK_STR(world_read(stage.world, member), "");
	world_ask(stage.world, member, "{\"cmd\":\"send\",\"room\":\"r\",\"text\":\"x\",\"id\":2}");
	world_expect(stage.world, member, "\"error\":\"no_such_room\"");
	world_ask(stage.world, member, "{\"cmd\":\"create\",\"room\":\"r\",\"id\":3}");
	world_expect(stage.world, member, "\"re\":3,\"ok\":true");
	world_expect(stage.world, member, "\"event\":\"join\",\"room\":\"r\",\"seq\":1");
	strike(&stage);
}

TEST(rights__destroy__leaves_no_heir_of_a_guest)
{
	struct world *world = world_new(true, false);
	unsigned a = world_guest(world, "a"), b = world_guest(world, "b");

	world_ask(world, a, "{\"cmd\":\"join\",\"room\":\"r\"}");
	world_ask(world, b, "{\"cmd\":\"join\",\"room\":\"r\"}");
	world_expect(world, b, "\"event\":\"join\"");
	world_ask(world, a, "{\"cmd\":\"destroy\",\"room\":\"r\"}");
	world_expect(world, b, "\"event\":\"destroyed\"");
	CHECK_STR(world_read(world, b), "");
	world_free(world);
}

TEST(rights__role__last_owner_stays)
{
	struct stage stage;
	unsigned owner;

	set_stage(&stage, false);
	owner = stage.session[OWNER][0];
	ask(&stage, owner, "{\"cmd\":\"role\",\"room\":\"r\",\"user\":\"%\",\"role\":\"%\"}",
	    "own2", "member");
	drain(&stage, owner);
	ask(&stage, owner,
	    "{\"cmd\":\"role\",\"room\":\"r\",\"user\":\"%\",\"role\":\"%\",\"id\":1}", "own1",
	    "member");
	world_expect(stage.world, owner, "\"error\":\"not_allowed\"");
	world_ask(stage.world, owner, "{\"cmd\":\"leave\",\"room\":\"r\",\"id\":2}");
	world_expect(stage.world, owner, "\"error\":\"not_allowed\"");
	strike(&stage);
}

TEST(block__send__is_refused_and_taken_back)
{
	struct stage stage;
	unsigned a, b;

	set_stage(&stage, false);
	a = stage.session[OUTSIDER][0];
	b = stage.session[OUTSIDER][1];
	world_ask(stage.world, a, "{\"cmd\":\"block\",\"user\":\"out2\"}");
	world_ask(stage.world, a, "{\"cmd\":\"block\",\"user\":\"out2\",\"id\":1}");
	drain(&stage, a);
	drain(&stage, b);
	world_ask(stage.world, b, "{\"cmd\":\"send\",\"to\":\"out1\",\"text\":\"x\",\"id\":1}");
	world_expect(stage.world, b, "\"error\":\"blocked\"");
	CHECK_STR(world_read(stage.world, a), "");
	world_ask(stage.world, a, "{\"cmd\":\"blocks\",\"id\":2}");
	world_expect(stage.world, a, "\"users\":[\"out2\"],\"more\":false");
	world_ask(stage.world, a, "{\"cmd\":\"unblock\",\"user\":\"out2\"}");
	world_ask(stage.world, b, "{\"cmd\":\"send\",\"to\":\"out1\",\"text\":\"x\",\"id\":2}");
	world_expect(stage.world, b, "\"ok\":true");
	world_expect(stage.world, a, "\"from\":\"out2\"");
	strike(&stage);
}

TEST(sessions__logout__ends_another_device)
{
	struct world *world = world_new(false, true);
	unsigned a = world_connect(world, "alice"), b = world_connect(world, "alice");
	char line[128], id[20];
	const char *at;

	world_ask(world, a, "{\"cmd\":\"login\"}");
	world_ask(world, b, "{\"cmd\":\"login\",\"device\":\"phone\",\"id\":1}");
	at = strstr(world_read(world, b), "\"session\":\"");
	CHECK(at != NULL && sscanf(at, "\"session\":\"%16[0-9a-f]", id) == 1);
	world_expect(world, a, "\"event\":\"session\"");
	world_ask(world, a, "{\"cmd\":\"sessions\",\"id\":1}");
	world_expect(world, a, "\"device\":\"phone\"");
	snprintf(line, sizeof line, "{\"cmd\":\"logout\",\"session\":\"%s\",\"id\":2}", id);
	world_ask(world, a, line);
	world_expect(world, a, "\"re\":2,\"ok\":true");
	world_expect(world, b, "\"reason\":\"killed\"");
	CHECK(world->session[b].finished);
	CHECK(!world->session[a].finished);
	world_ask(world, a, "{\"cmd\":\"logout\",\"session\":\"nonsense\",\"id\":3}");
	world_expect(world, a, "\"re\":3,\"ok\":true"); /* it has ended already */
	world_free(world);
}

UNIT_MAIN(CASE(rights__matrix__every_row_with_every_role), CASE(rights__ban__ends_by_time),
    CASE(rights__mute__outlasts_a_leave), CASE(rights__slow__holds_members_back_only),
    CASE(rights__invite__opens_a_private_room),
    CASE(rights__destroy__is_told_to_all_and_frees_the_name),
    CASE(rights__destroy__leaves_no_heir_of_a_guest), CASE(rights__role__last_owner_stays),
    CASE(block__send__is_refused_and_taken_back), CASE(sessions__logout__ends_another_device))
