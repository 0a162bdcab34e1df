/* Commands from a command line, and their replies for people. */
#include "tests/unit/unit.h"

#include "cli/print.h"
#include "cli/verbs.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* --- From words to a request --------------------------------------------------------------- */

static enum status make(enum proto_cmd cmd, const char *const *words, size_t count, const char *to,
    struct buf *ret, struct error *err)
{
	struct command command;
	enum status status;

	command_init(&command, cmd);
	status = command_put_words(&command, words, count, to, err);
	if (status == STATUS_OK)
		command_print(&command, ret);
	command_release(&command);
	return status;
}

static void check_made(
    enum proto_cmd cmd, const char *const *words, size_t count, const char *to, const char *wanted)
{
	struct error err = {.text = ""};
	struct buf json;

	buf_init(&json, 100000);
	if (make(cmd, words, count, to, &json, &err) != STATUS_OK) {
		fprintf(stderr, "refused: %s\n", err.text);
		exit(1);
	}
	CHECK_STR(buf_text(&json), wanted);
	buf_release(&json);
}

static void check_refused(
    enum proto_cmd cmd, const char *const *words, size_t count, const char *to, const char *part)
{
	struct error err = {.text = ""};
	struct buf json;

	buf_init(&json, 100000);
	CHECK_INT(make(cmd, words, count, to, &json, &err), STATUS_USAGE);
	if (strstr(err.text, part) == NULL) {
		fprintf(stderr, "\"%s\" does not say \"%s\"\n", err.text, part);
		exit(1);
	}
	buf_release(&json);
}

TEST(unit__command_put_words__fills_fields_in_order)
{
	static const char *const edit[] = {"dev", "042", "say", "\"hi\""};
	static const char *const role[] = {"dev", "@bob", "operator"};
	static const char *const grant[] = {"bob", "off"};

	check_made(PROTO_CMD_edit, edit, COUNT(edit), NULL,
	    "{\"cmd\":\"edit\",\"room\":\"dev\",\"target\":42,\"text\":\"say \\\"hi\\\"\"}");
	check_made(PROTO_CMD_edit, edit + 1, COUNT(edit) - 1, "bob",
	    "{\"cmd\":\"edit\",\"to\":\"bob\",\"target\":42,\"text\":\"say \\\"hi\\\"\"}");
	check_made(PROTO_CMD_role, role, COUNT(role), NULL,
	    "{\"cmd\":\"role\",\"room\":\"dev\",\"user\":\"bob\",\"role\":\"operator\"}");
	check_made(PROTO_CMD_grant, grant, COUNT(grant), NULL,
	    "{\"cmd\":\"grant\",\"user\":\"bob\",\"admin\":false}");
	check_made(PROTO_CMD_rooms, NULL, 0, NULL, "{\"cmd\":\"rooms\"}");
}

TEST(unit__command_put_words__takes_conversations)
{
	static const char *const pair[] = {"@bob", "7"};
	static const char *const since[] = {"dev=41", "@bob=7"};
	static const char *const json[] = {"{\"dev\":41}"};

	check_made(
	    PROTO_CMD_read, pair, COUNT(pair), NULL, "{\"cmd\":\"read\",\"to\":\"bob\",\"seq\":7}");
	check_made(PROTO_CMD_sync, since, COUNT(since), NULL,
	    "{\"cmd\":\"sync\",\"since\":{\"dev\":41,\"@bob\":7}}");
	check_made(
	    PROTO_CMD_sync, json, COUNT(json), NULL, "{\"cmd\":\"sync\",\"since\":{\"dev\":41}}");
	check_made(PROTO_CMD_sync, NULL, 0, NULL, "{\"cmd\":\"sync\",\"since\":null}");
}

TEST(unit__command_put_words__refuses_slips)
{
	static const char *const words[] = {"dev", "x", "y", "z"};
	static const char *const hostile[] = {"dev\"=1"};
	static const char *const broken[] = {"dev", "1", "\xff"};

	check_refused(PROTO_CMD_edit, words, 1, NULL, "ROOM|@USER SEQ TEXT");
	check_refused(PROTO_CMD_edit, words, 3, NULL, "whole number");
	check_refused(PROTO_CMD_edit, words + 1, 0, "bob", "confab edit");
	check_refused(PROTO_CMD_leave, words, 2, NULL, "no place for \"x\"");
	check_refused(PROTO_CMD_leave, words, 1, "bob", "takes no --to");
	check_refused(PROTO_CMD_sync, hostile, 1, NULL, "ROOM=SEQ");
	check_refused(PROTO_CMD_edit, broken, 3, NULL, "UTF-8");
	check_refused(PROTO_CMD_announce, words, 0, NULL, "confab admin announce");
}

TEST(unit__command_put_option__takes_kinds_from_the_tables)
{
	struct command command;
	struct error err = {.text = ""};
	struct buf json;

	command_init(&command, PROTO_CMD_set);
	CHECK_INT(command_put_option(&command, "slow", "5s", &err), STATUS_USAGE);
	CHECK_INT(command_put_option(&command, "private", "perhaps", &err), STATUS_USAGE);
	CHECK_INT(command_put_option(&command, "private", NULL, &err), STATUS_OK);
	CHECK_INT(command_put_option(&command, "guests", "off", &err), STATUS_OK);
	CHECK_INT(command_put_option(&command, "history", "007", &err), STATUS_OK);
	CHECK_INT(command_put_option(&command, "history", "full", &err), STATUS_OK);
	CHECK_INT(command_put_option(&command, "slow", "-5", &err), STATUS_OK);
	CHECK_INT(command_put_option(&command, "topic", "", &err), STATUS_OK);
	CHECK_INT(command_put_option(&command, "room", "dev", &err), STATUS_NOT_FOUND);
	buf_init(&json, 1000);
	command_print(&command, &json);
	CHECK_STR(buf_text(&json), "{\"cmd\":\"set\",\"topic\":\"\",\"private\":true,"
	                           "\"guests\":false,\"history\":\"full\",\"slow\":-5}");
	buf_release(&json);
	command_release(&command);
}

/* A password has to come from elsewhere, in every command there is and will be. */
TEST(unit__command_place__keeps_secrets_off_the_command_line)
{
	for (int i = 0; i < PROTO_FIELD_COUNT; i++) {
		enum proto_field field = (enum proto_field)i;
		const char *name = proto_field_row(field)->name;
		bool is_secret = strcmp(name, "password") == 0 || strcmp(name, "old") == 0 ||
		                 strcmp(name, "new") == 0;

		if (is_secret)
			CHECK_INT(command_place(field), COMMAND_SECRET);
		if (strcmp(name, "token") == 0)
			CHECK_INT(command_place(field), COMMAND_NOWHERE);
	}
}

/* Every command has a verb or a reason, fits into a command line, and no name means two things. */
TEST(unit__verbs__are_those_of_the_tables)
{
	static struct verb_options options;
	const struct verb *verb;
	size_t count = 0;

	for (int i = 0; i < PROTO_CMD_COUNT; i++) {
		const struct proto_cmd_row *row = proto_cmd_row((enum proto_cmd)i);

		verb = verb_find(row->name, row->who == PROTO_ADMIN);
		CHECK((verb != NULL && (verb->cmd == i || i == PROTO_CMD_send)) ||
		      !command_is_verb((enum proto_cmd)i));
		CHECK(row->field_count <= REQUEST_FIELDS_MAX);
	}
	for (size_t i = 0; (verb = verb_at(i)) != NULL; i++) {
		CHECK(verb_find(verb->name, verb->is_admin) == verb);
		options = (struct verb_options){.count = 0};
		verb_get_options(verb, &options);
		verb_add_common(&options);
		for (size_t a = 0; a < options.count; a++)
			for (size_t b = a + 1; b < options.count; b++)
				CHECK(strcmp(options.option[a].name, options.option[b].name) != 0);
		CHECK(options.count < VERB_OPTIONS_MAX);
		count++;
	}
	CHECK(count > PROTO_CMD_COUNT);
}

/* --- Replies ------------------------------------------------------------------------------- */

#define R "\xEF\xBF\xBD"

static void check_printed(const char *reply, const char *wanted)
{
	struct print print = {.self = "me", .conversation = "dev"};
	struct json *root;
	struct buf text;

	CHECK_INT(json_parse(slice_of(reply), &root, NULL), STATUS_OK);
	buf_init(&text, 100000);
	print_reply(&print, root, &text);
	CHECK_STR(buf_text(&text), wanted);
	buf_release(&text);
	json_free(root);
}

TEST(unit__print_reply__has_a_shape_for_each_kind)
{
	check_printed("{\"re\":1,\"ok\":true}", "");
	check_printed("{\"re\":1,\"ok\":true,\"seq\":5}", "");
	check_printed("{\"re\":1,\"ok\":true,\"count\":5,\"a\":{\"b\":[1,2],\"c\":null}}",
	    "count: 5\na: b 1, 2, c -\n");
	check_printed(
	    "{\"re\":1,\"ok\":true,\"users\":[\"bob\",\"eve\"],\"more\":false}", "bob\neve\n");
	check_printed(
	    "{\"re\":1,\"users\":[{\"user\":\"bob\",\"on\":true},{\"user\":\"e\",\"x\":1}]}",
	    "USER  ON   X\nbob   yes  -\ne     -    1\n");
	check_printed("{\"re\":1,\"messages\":7,\"member_count\":2,\"topic\":\"\"}",
	    "messages: 7\nmember count: 2\ntopic: -\n");
	check_printed("{\"re\":1,\"users\":[],\"more\":true,\"next\":\"x\"}", "");
	check_printed(
	    "{\"re\":1,\"first\":3,\"messages\":[{\"seq\":3,\"from\":\"a\",\"text\":\"x\"}]}",
	    "--:--:-- dev #3 a: x\n");
	check_printed(
	    "{\"re\":1,\"first\":3,\"events\":[{\"event\":\"pin\",\"room\":\"dev\",\"by\":\"a\","
	    "\"target\":2},{\"event\":\"new\",\"n\":1}]}",
	    "--:--:-- dev -- a pinned #2\nevent new, n 1\n");
}

TEST(unit__print_reply__aligns_what_is_wide)
{
	check_printed("{\"l\":[{\"a\":\"日本\",\"b\":1},{\"a\":\"żółw\",\"b\":2},"
	              "{\"a\":\"e\xCC\x81\",\"b\":3}]}",
	    "A     B\n日本  1\nżółw  2\ne\xCC\x81     3\n");
}

TEST(unit__print_reply__titles_a_table_once)
{
	static const char *const pages[] = {
	    "{\"l\":[{\"a_b\":\"long enough\",\"c\":1}]}",
	    "{\"l\":[{\"a_b\":\"x\",\"c\":2}]}",
	    "{\"l\":[{\"a_b\":\"y\",\"c\":3,\"d\":4}]}",
	};
	struct print print = {.self = ""};
	struct buf text;

	buf_init(&text, 1000);
	for (size_t i = 0; i < 3; i++) {
		struct json *root;

		CHECK_INT(json_parse(slice_of(pages[i]), &root, NULL), STATUS_OK);
		print_reply(&print, root, &text);
		json_free(root);
	}
	CHECK_STR(buf_text(&text), "A B          C\nlong enough  1\nx            2\n"
	                           "A B          C  D\ny            3  4\n");
	buf_release(&text);
}

TEST(unit__print_reply__lets_no_control_through)
{
	check_printed("{\"re\":1,\"a\\u001b[2J\":\"x\\ny\\u009b\"}", "a" R "[2J: x y" R "\n");
	check_printed("{\"l\":[{\"k\\u0007\":\"v\\r\\n\"}]}", "K" R "\nv" R " \n");
	check_printed("{\"l\":[\"\\u202ex\",[\"\\u0001\"]]}", R "x\n" R "\n");
}

/* Whatever a server sends where a list of messages belongs. */
TEST(unit__print_reply__bears_what_is_no_message)
{
	check_printed("{\"messages\":[7,\"x\",null,[]]}",
	    "--:--:-- dev  : \n--:--:-- dev  : \n--:--:-- dev  : \n--:--:-- dev  : \n");
	check_printed("{\"messages\":[{\"from\":1,\"text\":{},\"reactions\":[1,{\"emoji\":2}],"
	              "\"reply\":\"x\"}]}",
	    "--:--:-- dev   (to ):  [, ]\n");
	check_printed("{\"l\":[{},{\"a\":{}}]}", "A\n-\n-\n");
	check_printed("{\"l\":[1,{\"a\":2}]}", "1\na 2\n");
}

UNIT_MAIN(CASE(unit__command_put_words__fills_fields_in_order),
    CASE(unit__command_put_words__takes_conversations),
    CASE(unit__command_put_words__refuses_slips),
    CASE(unit__command_put_option__takes_kinds_from_the_tables),
    CASE(unit__command_place__keeps_secrets_off_the_command_line),
    CASE(unit__verbs__are_those_of_the_tables), CASE(unit__print_reply__has_a_shape_for_each_kind),
    CASE(unit__print_reply__aligns_what_is_wide), CASE(unit__print_reply__lets_no_control_through),
    CASE(unit__print_reply__titles_a_table_once), CASE(unit__print_reply__bears_what_is_no_message))
