#include "tests/unit/unit.h"

#include "wire/message.h"

static struct buf out;

static const char *line(void)
{
	const char *text = buf_text(&out);

	CHECK(!out.failed);
	return text;
}

static struct request_id text_id(const char *text)
{
	struct request_id id = {.kind = REQUEST_ID_TEXT, .len = (unsigned char)strlen(text)};

	str_copy(id.text, sizeof id.text, slice_of(text));
	return id;
}

/* What was put is parsed as a client does; the line's memory may go, the message stays. */
static struct message parse_out(void)
{
	struct message message;
	struct error err;
	enum status status;

	CHECK(out.len > 0 && out.ptr[out.len - 1] == '\n');
	status = message_parse(slice_make(out.ptr, out.len - 1), &message, &err);
	if (status != STATUS_OK)
		fprintf(stderr, "%s\n", err.text);
	CHECK_INT(status, STATUS_OK);
	buf_release(&out);
	return message;
}

TEST(unit__message__round_trips_a_reply)
{
	struct request_id id = {.kind = REQUEST_ID_INT, .number = PROTO_INT_MAX};
	struct json_writer w;
	struct message message;

	buf_init(&out, 1000);
	message_begin_reply(&w, &out, &id);
	json_put_int(&w, "seq", 42);
	message_end(&w);
	CHECK_STR(line(), "{\"re\":999999999999999,\"ok\":true,\"seq\":42}\n");
	message = parse_out();
	CHECK_INT(message.kind, MESSAGE_REPLY);
	CHECK(message.ok && message.error.len == 0 && message.text.len == 0);
	CHECK_INT(message.re.kind, REQUEST_ID_INT);
	CHECK_INT(message.re.number, PROTO_INT_MAX);
	message_release(&message);
}

TEST(unit__message__round_trips_ids_of_all_kinds)
{
	static const char *const ids[] = {"", "a", "\"\\\n\x01",
	    "Za\xC5\xBC\xC3\xB3\xC5\x82\xC4\x87",
	    "0123456789012345678901234567890123456789012345678901234567890123"};
	struct request_id none = {.kind = REQUEST_ID_NONE};
	struct json_writer w;
	struct message message;

	for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
		struct request_id id = text_id(ids[i]);

		buf_init(&out, 1000);
		message_begin_reply(&w, &out, &id);
		message_end(&w);
		message = parse_out();
		CHECK_INT(message.re.kind, REQUEST_ID_TEXT);
		CHECK_INT(message.re.len, strlen(ids[i]));
		CHECK_STR(message.re.text, ids[i]);
		message_release(&message);
	}
	buf_init(&out, 1000);
	message_begin_reply(&w, &out, &none);
	message_end(&w);
	CHECK_STR(line(), "{\"re\":null,\"ok\":true}\n");
	message = parse_out();
	CHECK_INT(message.re.kind, REQUEST_ID_NONE);
	message_release(&message);
}

TEST(unit__message__round_trips_an_error)
{
	struct request_id id = text_id("x");
	struct request_error error;
	struct message message;

	request_error_set(&error, PROTO_ERR_rate_limited, "slow down, \"%s\"", "alice");
	CHECK(error.field == NULL && error.limit == 0 && error.retry_after == 0);
	error.retry_after = 3;
	buf_init(&out, 1000);
	message_put_error(&out, &id, &error);
	CHECK_STR(line(), "{\"re\":\"x\",\"ok\":false,\"error\":\"rate_limited\","
	                  "\"message\":\"slow down, \\\"alice\\\"\",\"retry_after\":3}\n");
	message = parse_out();
	CHECK(!message.ok);
	CHECK(slice_is(message.error, "rate_limited"));
	CHECK(slice_is(message.text, "slow down, \"alice\""));
	message_release(&message);

	request_error_set(&error, PROTO_ERR_too_large, "long");
	error.field = "text";
	error.limit = 8192;
	buf_init(&out, 1000);
	message_put_error(&out, NULL, &error);
	CHECK_STR(line(), "{\"re\":null,\"ok\":false,\"error\":\"too_large\",\"message\":\"long\","
	                  "\"field\":\"text\",\"limit\":8192}\n");
	buf_release(&out);
}

TEST(unit__message__an_error_without_a_sentence_says_its_meaning)
{
	struct request_error error = {.code = PROTO_ERR_not_member};
	struct message message;

	buf_init(&out, 1000);
	message_put_error(&out, NULL, &error);
	message = parse_out();
	CHECK(slice_is(message.text, proto_error_meaning(PROTO_ERR_not_member)));
	message_release(&message);
}

TEST(unit__message__a_long_sentence_is_cut_in_no_character)
{
	struct request_error error;
	struct message message;
	char text[301];

	for (size_t i = 0; i < sizeof text - 1; i++)
		text[i] = i % 2 == 0 ? '\xC3' : '\xB3';
	text[sizeof text - 1] = '\0';
	request_error_set(&error, PROTO_ERR_bad_json, "%s", text);
	buf_init(&out, 1000);
	message_put_error(&out, NULL, &error);
	message = parse_out();
	CHECK_INT(message.text.len, 198);
	message_release(&message);
}

TEST(unit__message__round_trips_an_event)
{
	struct json_writer w;
	struct message message;

	buf_init(&out, 1000);
	message_begin_event(&w, &out, PROTO_EVENT_message);
	json_put_str(&w, "room", "dev");
	json_put_str(&w, "text", "two\nlines");
	message_end(&w);
	CHECK_STR(line(), "{\"event\":\"message\",\"room\":\"dev\",\"text\":\"two\\nlines\"}\n");
	message = parse_out();
	CHECK_INT(message.kind, MESSAGE_EVENT);
	CHECK(slice_is(message.event, "message"));
	CHECK(slice_is(json_text(json_get(message.root, "text")), "two\nlines"));
	message_release(&message);
}

TEST(unit__message__says_goodbye)
{
	buf_init(&out, 1000);
	message_put_goodbye(&out, PROTO_REASON_flood, "three logins failed");
	CHECK_STR(line(), "{\"event\":\"goodbye\",\"reason\":\"flood\","
	                  "\"message\":\"three logins failed\"}\n");
	buf_clear(&out);
	message_put_goodbye(&out, PROTO_REASON_shutdown, NULL);
	CHECK_STR(line(), "{\"event\":\"goodbye\",\"reason\":\"shutdown\","
	                  "\"message\":\"the server stops\"}\n");
	buf_release(&out);
}

TEST(unit__message_parse__refuses_what_no_server_sends)
{
	static const char *const rows[] = {
	    "",
	    "[]",
	    "{}",
	    "1",
	    "{\"re\":1}",
	    "{\"re\":1,\"ok\":null}",
	    "{\"re\":1,\"ok\":\"true\"}",
	    "{\"re\":1,\"ok\":false}",
	    "{\"re\":1,\"ok\":false,\"error\":7}",
	    "{\"re\":1,\"ok\":false,\"error\":\"\"}",
	    "{\"re\":-1,\"ok\":true}",
	    "{\"re\":1.5,\"ok\":true}",
	    "{\"re\":[],\"ok\":true}",
	    ("{\"re\":\"01234567890123456789012345678901234567890123456789012345678901234\","
	     "\"ok\":true}"),
	    "{\"ok\":true}",
	    "{\"event\":7}",
	    "{\"event\":\"\"}",
	    "{\"event\":null}",
	    "{\"re\":1,\"ok\":true,\"event\":\"message\"}",
	    "{\"event\":\"message\"} x",
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct message message;
		struct error err = {STATUS_OK, ""};

		if (message_parse(slice_of(rows[i]), &message, &err) != STATUS_INVALID) {
			fprintf(stderr, "accepted: %s\n", rows[i]);
			exit(1);
		}
		CHECK(err.text[0] != '\0');
	}
}

TEST(unit__message_parse__takes_what_a_later_server_may_send)
{
	static const char *const rows[] = {
	    "{\"event\":\"brand_new\",\"x\":{\"y\":[1]}}",
	    "{\"re\":null,\"ok\":false,\"error\":\"brand_new\"}",
	    "{\"ok\":true,\"new\":1,\"re\":\"a\"}",
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct message message;

		CHECK_INT(message_parse(slice_of(rows[i]), &message, NULL), STATUS_OK);
		message_release(&message);
		message_release(&message);
	}
}

UNIT_MAIN(CASE(unit__message__round_trips_a_reply),
    CASE(unit__message__round_trips_ids_of_all_kinds), CASE(unit__message__round_trips_an_error),
    CASE(unit__message__an_error_without_a_sentence_says_its_meaning),
    CASE(unit__message__a_long_sentence_is_cut_in_no_character),
    CASE(unit__message__round_trips_an_event), CASE(unit__message__says_goodbye),
    CASE(unit__message_parse__refuses_what_no_server_sends),
    CASE(unit__message_parse__takes_what_a_later_server_may_send))
