#include "tests/unit/unit.h"

#include "wire/request.h"

TEST(unit__tables__finds_every_name)
{
	for (int i = 0; i < PROTO_CMD_COUNT; i++) {
		enum proto_cmd cmd = PROTO_CMD_COUNT;

		CHECK(proto_cmd_find(slice_of(proto_cmd_row((enum proto_cmd)i)->name), &cmd));
		CHECK_INT(cmd, i);
	}
	for (int i = 0; i < PROTO_EVENT_COUNT; i++) {
		enum proto_event event = PROTO_EVENT_COUNT;

		CHECK(
		    proto_event_find(slice_of(proto_event_row((enum proto_event)i)->name), &event));
		CHECK_INT(event, i);
	}
	for (int i = 0; i < PROTO_ERR_COUNT; i++) {
		enum proto_error error = PROTO_ERR_COUNT;

		CHECK(proto_error_find(slice_of(proto_error_name((enum proto_error)i)), &error));
		CHECK_INT(error, i);
		CHECK(proto_error_meaning((enum proto_error)i)[0] != '\0');
	}
}

/* Each name is found at its own place (above), so no two are equal; reasons and limits have no
 * look-up by name. */
TEST(unit__tables__reasons_and_limits_are_unique)
{
	for (int i = 0; i < PROTO_REASON_COUNT; i++) {
		CHECK(proto_reason_meaning((enum proto_reason)i)[0] != '\0');
		for (int j = 0; j < i; j++)
			CHECK(strcmp(proto_reason_name((enum proto_reason)i),
			          proto_reason_name((enum proto_reason)j)) != 0);
	}
	for (size_t i = 0; proto_limit_row(i) != NULL; i++) {
		CHECK(proto_limit_row(i)->value > 0);
		for (size_t j = 0; j < i; j++)
			CHECK(strcmp(proto_limit_row(i)->name, proto_limit_row(j)->name) != 0);
	}
	CHECK_STR(proto_limit_row(0)->name, "line");
	CHECK_INT(proto_limit_row(0)->value, 65536);
	CHECK(proto_limit_row(1000) == NULL);
}

TEST(unit__tables__finds_no_other_name)
{
	static const char *const names[] = {
	    "", "logi", "loginn", "Login", "login ", "re", "\xC3\xB3"};
	enum proto_cmd cmd;
	enum proto_event event;
	enum proto_error error;

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		CHECK(!proto_cmd_find(slice_of(names[i]), &cmd));
		CHECK(!proto_event_find(slice_of(names[i]), &event));
		CHECK(!proto_error_find(slice_of(names[i]), &error));
	}
	CHECK(!proto_cmd_find(slice_make(NULL, 0), &cmd));
}

TEST(unit__tables__fields_stand_behind_their_command)
{
	unsigned total = 0;

	for (int i = 0; i < PROTO_CMD_COUNT; i++) {
		const struct proto_cmd_row *cmd = proto_cmd_row((enum proto_cmd)i);
		unsigned either = 0;

		CHECK_INT(cmd->first_field, total);
		CHECK(cmd->field_count <= REQUEST_FIELDS_MAX);
		for (unsigned j = 0; j < cmd->field_count; j++) {
			const struct proto_field_row *row =
			    proto_field_row((enum proto_field)(total + j));

			CHECK_INT(row->cmd, i);
			CHECK(row->min <= row->max);
			CHECK(strcmp(row->name, "id") != 0 && strcmp(row->name, "cmd") != 0);
			CHECK(row->kind != PROTO_KIND_CHOICE || row->note[0] != '\0');
			either += row->need == PROTO_EITHER;
			for (unsigned k = 0; k < j; k++)
				CHECK(
				    strcmp(row->name,
				        proto_field_row((enum proto_field)(total + k))->name) != 0);
		}
		CHECK(either == 0 || either == 2);
		total += cmd->field_count;
	}
	CHECK_INT(total, PROTO_FIELD_COUNT);
	CHECK_INT(proto_cmd_row(PROTO_CMD_send)->first_field, PROTO_FIELD_send_room);
	CHECK_INT(proto_cmd_row(PROTO_CMD_send)->field_count, 7);
	CHECK_INT(proto_cmd_row(PROTO_CMD_whoami)->field_count, 0);
}

TEST(unit__tables__know_a_name)
{
	static const char *const good[] = {"a", "0", "alice", "a.b_c-d", "9-", "x..", "room_1"};
	static const char *const bad[] = {
	    "", ".", "-a", "_a", "Alice", "a b", "a@b", "\xC3\xB3", "a\n", "a/b", "@bob"};
	char name[70];

	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		CHECK(
		    proto_is_user_name(slice_of(good[i])) && proto_is_room_name(slice_of(good[i])));
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		CHECK(
		    !proto_is_user_name(slice_of(bad[i])) && !proto_is_room_name(slice_of(bad[i])));
	memset(name, 'x', sizeof name);
	CHECK(
	    proto_is_user_name(slice_make(name, 32)) && !proto_is_user_name(slice_make(name, 33)));
	CHECK(
	    proto_is_room_name(slice_make(name, 64)) && !proto_is_room_name(slice_make(name, 65)));
	CHECK(!proto_is_user_name(slice_make("a\0", 2)));
}

UNIT_MAIN(CASE(unit__tables__finds_every_name), CASE(unit__tables__reasons_and_limits_are_unique),
    CASE(unit__tables__finds_no_other_name), CASE(unit__tables__fields_stand_behind_their_command),
    CASE(unit__tables__know_a_name))
