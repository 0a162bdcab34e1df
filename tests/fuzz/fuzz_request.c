#include "tests/fuzz/fuzz.h"

#include "base/utf8.h"
#include "wire/message.h"
#include "wire/request.h"

const char *const fuzz_seeds[] = {
    "{\"cmd\":\"login\",\"id\":1,\"user\":\"alice\",\"password\":\"secret\",\"device\":\"pc\"}",
    "{\"cmd\":\"whoami\",\"id\":\"x\"}",
    "{\"cmd\":\"ping\",\"id\":0,\"data\":\"\"}",
    "{\"cmd\":\"rooms\",\"id\":2,\"like\":\"de\",\"after\":\"dev\",\"limit\":500}",
    "{\"cmd\":\"create\",\"id\":3,\"room\":\"dev\",\"topic\":\"t\",\"title\":\"T\","
    "\"private\":true,\"guests\":false,\"history\":\"none\"}",
    "{\"cmd\":\"join\",\"room\":\"dev\",\"create\":false}",
    "{\"cmd\":\"members\",\"room\":\"dev\",\"after\":\"bob\",\"limit\":1}",
    "{\"cmd\":\"send\",\"id\":7,\"room\":\"dev\",\"text\":\"hi\",\"nonce\":\"n\",\"reply\":3,"
    "\"kind\":\"action\",\"data\":{\"a\":[1,null]}}",
    "{\"cmd\":\"send\",\"id\":8,\"to\":\"bob\",\"text\":\"hi\"}",
    "{\"cmd\":\"status\",\"status\":\"away\",\"text\":\"lunch\"}",
    NULL,
};

const char *const fuzz_pieces[] = {"\"cmd\":", "\"id\":", "null", "true", "1.0", "-1", "1e15",
    "999999999999999", "1000000000000000", "\"room\":\"dev\",", "\"to\":\"bob\",", "\"text\":\"x\"",
    "\"limit\":", "501", "\"online\"", "[]", "{}", "\"\"", "A", "@", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "\xC5\xBC\xC3\xB3\xC5\x82\xC4\x87", "\\u0001", NULL};

static void check_field(const struct proto_field_row *row, const struct request_field *field)
{
	int64_t len = (int64_t)field->text.len;

	if (!field->present) {
		FUZZ_CHECK(row->need != PROTO_REQUIRED);
		return;
	}
	switch (row->kind) {
	case PROTO_KIND_TEXT:
		FUZZ_CHECK(len >= row->min && len <= row->max);
		break;
	case PROTO_KIND_USER:
		FUZZ_CHECK(proto_is_user_name(field->text));
		break;
	case PROTO_KIND_ROOM:
		FUZZ_CHECK(proto_is_room_name(field->text));
		break;
	case PROTO_KIND_INT:
		FUZZ_CHECK(field->number >= row->min && field->number <= row->max);
		break;
	case PROTO_KIND_CHOICE:
		FUZZ_CHECK(slice_contains(slice_of(row->note), field->text) && len > 0);
		break;
	case PROTO_KIND_BOOL:
		FUZZ_CHECK(json_type(field->value) == JSON_BOOL);
		break;
	case PROTO_KIND_TIME:
		FUZZ_CHECK(json_type(field->value) == JSON_STRING);
		break;
	case PROTO_KIND_DAYS:
		FUZZ_CHECK(len > 0 ? slice_contains(slice_of(row->note), field->text) :
				     field->number >= row->min && field->number <= row->max);
		break;
	case PROTO_KIND_ID:
	case PROTO_KIND_JSON:
		FUZZ_CHECK(field->value != NULL);
		break;
	}
}

static void check_request(const struct request *request)
{
	const struct proto_cmd_row *cmd = proto_cmd_row(request->cmd);
	unsigned either = 0, either_present = 0;

	for (unsigned i = 0; i < cmd->field_count; i++) {
		const struct proto_field_row *row =
		    proto_field_row((enum proto_field)(cmd->first_field + i));

		check_field(row, &request->field[i]);
		either += row->need == PROTO_EITHER;
		either_present += row->need == PROTO_EITHER && request->field[i].present;
	}
	FUZZ_CHECK(either == 0 || either_present == 1);
}

/* The answer is a line that a client understands, and says what it should. */
static void check_answer(const struct request_id *id, const struct request_error *error)
{
	struct buf line;
	struct message message;

	buf_init(&line, 4096);
	message_put_error(&line, id, error);
	FUZZ_CHECK(!line.failed && line.ptr[line.len - 1] == '\n');
	FUZZ_CHECK(message_parse(slice_make(line.ptr, line.len - 1), &message, NULL) == STATUS_OK);
	FUZZ_CHECK(!message.ok && slice_is(message.error, proto_error_name(error->code)));
	FUZZ_CHECK(slice_is(message.text, error->message) && message.text.len > 0);
	FUZZ_CHECK(message.re.kind == id->kind && message.re.len == id->len);
	FUZZ_CHECK((error->code == PROTO_ERR_bad_field) == (error->field != NULL && error->limit == 0));
	FUZZ_CHECK((error->code == PROTO_ERR_too_large) == (error->field != NULL && error->limit > 0));
	message_release(&message);
	buf_release(&line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct request request;
	struct request_error error;
	enum status status =
	    request_parse(slice_make((const char *)data, size), &request, &error);

	FUZZ_CHECK(request.id.len <= PROTO_ID_MAX);
	FUZZ_CHECK(utf8_is_valid(slice_make(request.id.text, request.id.len)));
	if (request.id.kind == REQUEST_ID_INT)
		FUZZ_CHECK(request.id.number >= 0 && request.id.number <= PROTO_INT_MAX);
	if (status == STATUS_OK) {
		check_request(&request);
		request_release(&request);
	} else {
		FUZZ_CHECK(status == STATUS_INVALID && request.root == NULL);
		check_answer(&request.id, &error);
	}
	return 0;
}
