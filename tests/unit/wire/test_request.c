#include "tests/unit/unit.h"

#include "wire/request.h"

static struct request request;
static struct request_error error;

static enum status parse(const char *line)
{
	return request_parse(slice_of(line), &request, &error);
}

static void check_good(const char *line)
{
	if (parse(line) == STATUS_OK)
		return;
	fprintf(stderr, "%s: %s\n", line, error.message);
	exit(1);
}

struct bad_row {
	const char *line, *code, *field;
	int64_t limit;
};

static void check_bad(const struct bad_row *row)
{
	enum status status = parse(row->line);

	if (status != STATUS_INVALID || strcmp(proto_error_name(error.code), row->code) != 0 ||
	    strcmp(error.field != NULL ? error.field : "", row->field) != 0 ||
	    error.limit != row->limit || error.retry_after != 0 || error.message[0] == '\0') {
		fprintf(stderr, "%s: status %d, %s, field %s, limit %lld: %s\n", row->line,
		    (int)status, proto_error_name(error.code), error.field, (long long)error.limit,
		    error.message);
		exit(1);
	}
	CHECK(request.root == NULL);
}

#define CHECK_BAD(...)                                                                             \
	do {                                                                                       \
		static const struct bad_row rows_[] = {__VA_ARGS__};                               \
		for (size_t i_ = 0; i_ < sizeof rows_ / sizeof *rows_; i_++)                       \
			check_bad(&rows_[i_]);                                                     \
	} while (0)

TEST(unit__request__bad_json)
{
	CHECK_BAD({"", "bad_json", "", 0}, {"{", "bad_json", "", 0}, {"[]", "bad_json", "", 0},
	    {"\"ping\"", "bad_json", "", 0}, {"{\"cmd\":\"ping\"}x", "bad_json", "", 0},
	    {"{\"cmd\":\"ping\",\"cmd\":\"ping\"}", "bad_json", "", 0},
	    {"{\"id\":1,\"cmd\":\"ping\",\"data\":\"\\u0000\"}", "bad_json", "", 0});
	CHECK_INT(request.id.kind, REQUEST_ID_NONE);
}

TEST(unit__request__takes_usable_ids)
{
	check_good("{\"cmd\":\"ping\",\"id\":0}");
	CHECK_INT(request.id.kind, REQUEST_ID_INT);
	CHECK_INT(request.id.number, 0);
	request_release(&request);
	check_good("{\"cmd\":\"ping\",\"id\":1.0}");
	CHECK_INT(request.id.number, 1);
	request_release(&request);
	check_good("{\"cmd\":\"ping\",\"id\":999999999999999}");
	CHECK_INT(request.id.number, 999999999999999);
	request_release(&request);
	check_good("{\"cmd\":\"ping\",\"id\":\"\"}");
	CHECK_INT(request.id.kind, REQUEST_ID_TEXT);
	CHECK_INT(request.id.len, 0);
	request_release(&request);
	check_good("{\"cmd\":\"ping\",\"id\":"
	           "\"0123456789012345678901234567890123456789012345678901234567890123\"}");
	CHECK_INT(request.id.len, 64);
	CHECK_INT(strlen(request.id.text), 64);
	request_release(&request);
	check_good("{\"cmd\":\"ping\"}");
	CHECK_INT(request.id.kind, REQUEST_ID_NONE);
	request_release(&request);
}

TEST(unit__request__an_unusable_id_comes_first)
{
	CHECK_BAD({"{\"id\":-1,\"cmd\":\"ping\"}", "bad_field", "id", 0},
	    {"{\"id\":1.5,\"cmd\":7}", "bad_field", "id", 0},
	    {"{\"id\":true}", "bad_field", "id", 0},
	    {"{\"id\":null,\"cmd\":\"nope\"}", "bad_field", "id", 0},
	    {"{\"id\":[1],\"cmd\":\"ping\"}", "bad_field", "id", 0},
	    {"{\"id\":1000000000000000,\"cmd\":\"ping\"}", "bad_field", "id", 0},
	    {"{\"id\":\"01234567890123456789012345678901234567890123456789012345678901234\","
	     "\"cmd\":\"ping\"}",
	        "bad_field", "id", 0});
	CHECK_INT(request.id.kind, REQUEST_ID_NONE);
}

TEST(unit__request__keeps_the_id_of_a_failure)
{
	CHECK_BAD({"{\"id\":7,\"cmd\":\"nope\"}", "unknown_command", "", 0});
	CHECK_INT(request.id.kind, REQUEST_ID_INT);
	CHECK_INT(request.id.number, 7);
	CHECK_BAD({"{\"cmd\":\"join\",\"id\":\"x\"}", "bad_field", "room", 0});
	CHECK_INT(request.id.kind, REQUEST_ID_TEXT);
	CHECK_STR(request.id.text, "x");
	CHECK_STR(error.message, "the field \"room\" is missing");
}

TEST(unit__request__refuses_a_command_that_is_none)
{
	CHECK_BAD({"{}", "bad_field", "cmd", 0}, {"{\"cmd\":7}", "bad_field", "cmd", 0},
	    {"{\"cmd\":null}", "bad_field", "cmd", 0},
	    {"{\"CMD\":\"ping\"}", "bad_field", "cmd", 0},
	    {"{\"cmd\":\"\"}", "unknown_command", "", 0},
	    {"{\"cmd\":\"Ping\"}", "unknown_command", "", 0},
	    {"{\"cmd\":\"histories\",\"room\":\"dev\"}", "unknown_command", "", 0});
	CHECK_BAD({"{\"cmd\":\"jion\"}", "unknown_command", "", 0});
	CHECK_STR(error.message, "there is no command \"jion\"; did you mean \"join\"?");
	CHECK_BAD({"{\"cmd\":\"zzzzzzzz\"}", "unknown_command", "", 0});
	CHECK_STR(error.message, "there is no command \"zzzzzzzz\"");
}

TEST(unit__request__takes_every_field)
{
	check_good("{\"cmd\":\"send\",\"id\":1,\"room\":\"dev\",\"text\":\"hi\",\"nonce\":\"n\","
	           "\"reply\":3,\"kind\":\"notice\",\"data\":{\"a\":[null]},\"unknown\":[1]}");
	CHECK_INT(request.cmd, PROTO_CMD_send);
	CHECK(slice_is(request_field(&request, PROTO_FIELD_send_room)->text, "dev"));
	CHECK(!request_field(&request, PROTO_FIELD_send_to)->present);
	CHECK(slice_is(request_field(&request, PROTO_FIELD_send_text)->text, "hi"));
	CHECK(slice_is(request_field(&request, PROTO_FIELD_send_nonce)->text, "n"));
	CHECK_INT(request_field(&request, PROTO_FIELD_send_reply)->number, 3);
	CHECK_INT(request_field(&request, PROTO_FIELD_send_kind)->number, 2);
	CHECK(slice_is(request_field(&request, PROTO_FIELD_send_kind)->text, "notice"));
	CHECK_INT(json_type(request_field(&request, PROTO_FIELD_send_data)->value), JSON_OBJECT);
	request_release(&request);

	check_good("{\"cmd\":\"create\",\"room\":\"a\",\"private\":true,\"guests\":false,"
	           "\"topic\":\"\",\"history\":\"none\"}");
	CHECK(request_field(&request, PROTO_FIELD_create_private)->flag);
	CHECK(request_field(&request, PROTO_FIELD_create_guests)->present);
	CHECK(!request_field(&request, PROTO_FIELD_create_guests)->flag);
	CHECK(request_field(&request, PROTO_FIELD_create_topic)->present);
	CHECK(!request_field(&request, PROTO_FIELD_create_title)->present);
	CHECK_INT(request_field(&request, PROTO_FIELD_create_history)->number, 0);
	request_release(&request);

	check_good("{\"cmd\":\"login\"}");
	CHECK(!request_field(&request, PROTO_FIELD_login_user)->present);
	request_release(&request);
	request_release(&request);
}

TEST(unit__request__missing_and_wrong_types)
{
	CHECK_BAD({"{\"cmd\":\"join\"}", "bad_field", "room", 0},
	    {"{\"cmd\":\"join\",\"room\":null}", "bad_field", "room", 0},
	    {"{\"cmd\":\"join\",\"room\":7}", "bad_field", "room", 0},
	    {"{\"cmd\":\"join\",\"room\":\"a\",\"create\":1}", "bad_field", "create", 0},
	    {"{\"cmd\":\"join\",\"room\":\"a\",\"create\":null}", "bad_field", "create", 0},
	    {"{\"cmd\":\"ping\",\"data\":{}}", "bad_field", "data", 0},
	    {"{\"cmd\":\"status\",\"status\":true}", "bad_field", "status", 0},
	    {"{\"cmd\":\"members\",\"room\":\"a\",\"limit\":\"5\"}", "bad_field", "limit", 0},
	    {"{\"cmd\":\"members\",\"room\":\"a\",\"limit\":null}", "bad_field", "limit", 0},
	    {"{\"cmd\":\"login\",\"user\":[\"a\"]}", "bad_field", "user", 0});
}

TEST(unit__request__ranges)
{
	CHECK_BAD({"{\"cmd\":\"members\",\"room\":\"a\",\"limit\":0}", "bad_field", "limit", 0},
	    {"{\"cmd\":\"members\",\"room\":\"a\",\"limit\":501}", "bad_field", "limit", 0},
	    {"{\"cmd\":\"members\",\"room\":\"a\",\"limit\":1.5}", "bad_field", "limit", 0},
	    {"{\"cmd\":\"members\",\"room\":\"a\",\"limit\":-1}", "bad_field", "limit", 0},
	    {"{\"cmd\":\"members\",\"room\":\"a\",\"limit\":1e300}", "bad_field", "limit", 0},
	    {"{\"cmd\":\"send\",\"room\":\"a\",\"text\":\"\"}", "bad_field", "text", 0});
	CHECK_STR(error.message, "the field \"text\" must not be empty");
	check_good("{\"cmd\":\"members\",\"room\":\"a\",\"limit\":500}");
	CHECK_INT(request_field(&request, PROTO_FIELD_members_limit)->number, 500);
	request_release(&request);
}

TEST(unit__request__names)
{
	CHECK_BAD({"{\"cmd\":\"join\",\"room\":\"\"}", "bad_field", "room", 0},
	    {"{\"cmd\":\"join\",\"room\":\"Dev\"}", "bad_field", "room", 0},
	    {"{\"cmd\":\"join\",\"room\":\".dev\"}", "bad_field", "room", 0},
	    {"{\"cmd\":\"join\",\"room\":\"a b\"}", "bad_field", "room", 0},
	    {"{\"cmd\":\"join\",\"room\":\"@bob\"}", "bad_field", "room", 0},
	    {"{\"cmd\":\"join\",\"room\":\"\xC3\xB3\"}", "bad_field", "room", 0},
	    /* 65 bytes, and not even a name: too long is what is said first. */
	    {"{\"cmd\":\"join\",\"room\":"
	     "\"A123456789012345678901234567890123456789012345678901234567890"
	     "1234\"}",
	        "too_large", "room", 64},
	    {"{\"cmd\":\"login\",\"user\":\"a12345678901234567890123456789012\"}", "too_large",
	        "user", 32});
	check_good("{\"cmd\":\"login\",\"user\":\"a1234567890123456789012345678901\"}");
	request_release(&request);
}

TEST(unit__request__choices)
{
	CHECK_BAD({"{\"cmd\":\"status\",\"status\":\"\"}", "bad_field", "status", 0},
	    {"{\"cmd\":\"status\",\"status\":\"onlin\"}", "bad_field", "status", 0},
	    {"{\"cmd\":\"status\",\"status\":\"online|away\"}", "bad_field", "status", 0},
	    {"{\"cmd\":\"create\",\"room\":\"a\",\"history\":\"some\"}", "bad_field", "history", 0},
	    {"{\"cmd\":\"status\",\"status\":\"Busy\"}", "bad_field", "status", 0});
	CHECK_STR(
	    error.message, "the field \"status\" must be one of \"online\", \"away\", \"busy\"");
	check_good("{\"cmd\":\"status\",\"status\":\"busy\"}");
	CHECK_INT(request_field(&request, PROTO_FIELD_status_status)->number, 2);
	request_release(&request);
}

TEST(unit__request__exactly_one_of_two)
{
	CHECK_BAD({"{\"cmd\":\"send\",\"text\":\"x\"}", "bad_field", "room", 0},
	    {"{\"cmd\":\"send\",\"text\":7}", "bad_field", "room", 0},
	    {"{\"cmd\":\"send\",\"to\":\"b\",\"room\":\"a\",\"text\":\"x\"}", "bad_field", "room",
	        0},
	    {"{\"cmd\":\"send\",\"to\":\"b\",\"room\":null,\"text\":\"x\"}", "bad_field", "room",
	        0},
	    {"{\"cmd\":\"send\",\"to\":\"B\",\"text\":\"x\"}", "bad_field", "to", 0},
	    {"{\"cmd\":\"typing\",\"to\":\"b\",\"room\":\"a\"}", "bad_field", "room", 0});
	CHECK_STR(error.message, "the field \"room\" and \"to\" exclude each other");
	CHECK_BAD({"{\"cmd\":\"typing\"}", "bad_field", "room", 0});
	CHECK_STR(error.message, "the field \"room\" or \"to\" is missing");
	check_good("{\"cmd\":\"typing\",\"to\":\"b\"}");
	CHECK(slice_is(request_field(&request, PROTO_FIELD_typing_to)->text, "b"));
	CHECK(!request_field(&request, PROTO_FIELD_typing_room)->present);
	request_release(&request);
}

/* {"cmd":"send","room":"a",<key>:"xxx…"} */
static enum status parse_long(const char *key, const char *open, size_t len, const char *close)
{
	struct buf line;
	enum status status;

	buf_init(&line, 65536);
	buf_put_fmt(&line, "{\"cmd\":\"send\",\"room\":\"a\",%s%s", key, open);
	for (size_t i = 0; i < len; i++)
		buf_put_char(&line, 'x');
	buf_put_fmt(&line, "%s}", close);
	CHECK(!line.failed);
	status = request_parse(buf_slice(&line), &request, &error);
	buf_release(&line);
	return status;
}

TEST(unit__request__too_large)
{
	CHECK_INT(parse_long("\"text\":", "\"", 8192, "\""), STATUS_OK);
	CHECK_INT(request_field(&request, PROTO_FIELD_send_text)->text.len, 8192);
	request_release(&request);
	CHECK_INT(parse_long("\"text\":", "\"", 9000, "\""), STATUS_INVALID);
	CHECK_INT(error.code, PROTO_ERR_too_large);
	CHECK_STR(error.field, "text");
	CHECK_INT(error.limit, 8192);
	CHECK_STR(error.message, "\"text\" has 9000 bytes; at most 8192 are allowed");
	CHECK_INT(parse_long("\"text\":\"t\",\"nonce\":", "\"", 65, "\""), STATUS_INVALID);
	CHECK_STR(error.field, "nonce");
	CHECK_INT(error.limit, 64);
}

TEST(unit__request__data_counts_as_printed)
{
	/* {"k":"…"} is 8 bytes more than what is in it; white space does not count. */
	CHECK_INT(
	    parse_long("\"text\":\"t\",\"data\":", "{ \"k\" :    \"", 4088, "\" }"), STATUS_OK);
	request_release(&request);
	CHECK_INT(parse_long("\"text\":\"t\",\"data\":", "{\"k\":\"", 4089, "\"}"), STATUS_INVALID);
	CHECK_INT(error.code, PROTO_ERR_too_large);
	CHECK_STR(error.field, "data");
	CHECK_INT(error.limit, 4096);
	check_good("{\"cmd\":\"send\",\"room\":\"a\",\"text\":\"t\",\"data\":null}");
	CHECK(request_field(&request, PROTO_FIELD_send_data)->present);
	request_release(&request);
}

TEST(unit__request__the_first_rule_in_table_order_wins)
{
	CHECK_BAD({"{\"cmd\":\"send\",\"kind\":\"x\",\"text\":\"\",\"room\":\"A\"}", "bad_field",
	              "room", 0},
	    {"{\"cmd\":\"send\",\"kind\":\"x\",\"text\":\"\",\"room\":\"a\"}", "bad_field", "text",
	        0},
	    {"{\"cmd\":\"send\",\"kind\":\"x\",\"reply\":0,\"text\":\"t\",\"room\":\"a\"}",
	        "bad_field", "reply", 0});
}

UNIT_MAIN(CASE(unit__request__bad_json), CASE(unit__request__takes_usable_ids),
    CASE(unit__request__an_unusable_id_comes_first), CASE(unit__request__keeps_the_id_of_a_failure),
    CASE(unit__request__refuses_a_command_that_is_none), CASE(unit__request__takes_every_field),
    CASE(unit__request__missing_and_wrong_types), CASE(unit__request__ranges),
    CASE(unit__request__names), CASE(unit__request__choices),
    CASE(unit__request__exactly_one_of_two), CASE(unit__request__too_large),
    CASE(unit__request__data_counts_as_printed),
    CASE(unit__request__the_first_rule_in_table_order_wins))
