#include "wire/request.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/options.h"
#include "base/rfc3339.h"
#include "base/utf8.h"

void request_error_set(struct request_error *err, enum proto_error code, const char *format, ...)
{
	char text[512];
	struct slice cut;
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	*err = (struct request_error){.code = code};
	/* The sentence goes out as JSON: it may be cut, but in no character. */
	cut = utf8_cut(slice_of(text), sizeof err->message - 1);
	str_copy(err->message, sizeof err->message, cut);
}

static enum status bad_field(struct request_error *err, const char *field, const char *expected)
{
	request_error_set(err, PROTO_ERR_bad_field, "the field \"%s\" %s", field, expected);
	err->field = field;
	return STATUS_INVALID;
}

static enum status too_large(struct request_error *err, const struct proto_field_row *row)
{
	request_error_set(err, PROTO_ERR_too_large, "\"%s\" has more than the %lld bytes allowed",
	    row->name, (long long)row->max);
	err->field = row->name;
	err->limit = row->max;
	return STATUS_INVALID;
}

static enum status check_len(const struct proto_field_row *row, size_t len,
    struct request_error *err)
{
	char expected[48];

	if ((int64_t)len > row->max) {
		enum status status = too_large(err, row);

		snprintf(err->message, sizeof err->message,
		    "\"%s\" has %zu bytes; at most %lld are allowed", row->name, len,
		    (long long)row->max);
		return status;
	}
	if ((int64_t)len >= row->min)
		return STATUS_OK;
	if (row->min == 1)
		return bad_field(err, row->name, "must not be empty");
	snprintf(expected, sizeof expected, "needs at least %lld bytes", (long long)row->min);
	return bad_field(err, row->name, expected);
}

static enum status check_name(const struct proto_field_row *row, struct slice name,
    struct request_error *err)
{
	bool is_user = row->kind == PROTO_KIND_USER;

	if ((int64_t)name.len > row->max)
		return check_len(row, name.len, err);
	if (is_user ? proto_is_user_name(name) : proto_is_room_name(name))
		return STATUS_OK;
	return bad_field(err, row->name,
	    is_user ? "is no user's name: a-z and 0-9, behind the first also . _ -" :
		      "is no room's name: a-z and 0-9, behind the first also . _ -");
}

static enum status check_choice(const struct proto_field_row *row, struct slice word,
    int64_t *ret_index, struct request_error *err)
{
	struct slice rest = slice_of(row->note);
	char expected[160] = "must be one of";
	size_t len = strlen(expected);

	for (int64_t i = 0; rest.ptr != NULL; i++) {
		struct slice choice = slice_cut(&rest, '|');
		int more;

		if (slice_equal(word, choice)) {
			*ret_index = i;
			return STATUS_OK;
		}
		more = snprintf(expected + len, sizeof expected - len, "%s \"%.*s\"",
		    i > 0 ? "," : "", (int)choice.len, choice.ptr);
		assert(more > 0 && (size_t)more < sizeof expected - len);
		len += (size_t)more;
	}
	return bad_field(err, row->name, expected);
}

static enum status check_int(const struct proto_field_row *row, const struct json *value,
    int64_t *ret, struct request_error *err)
{
	char expected[80];
	int64_t number;

	if (json_int(value, &number) && number >= row->min && number <= row->max) {
		*ret = number;
		return STATUS_OK;
	}
	snprintf(expected, sizeof expected, "must be an integer from %lld to %lld",
	    (long long)row->min, (long long)row->max);
	return bad_field(err, row->name, expected);
}

/* A string, or the number that *ret_number then holds. */
static enum status check_id(const struct proto_field_row *row, const struct json *value,
    int64_t *ret_number, struct request_error *err)
{
	int64_t number;

	if (json_type(value) == JSON_STRING)
		return check_len(row, json_text(value).len, err);
	if (!json_int(value, &number) || number < 0)
		return bad_field(err, row->name,
		    "must be a string or an integer from 0 to 999999999999999");
	*ret_number = number;
	return STATUS_OK;
}

static enum status check_time(const struct proto_field_row *row, struct slice text, int64_t *ret,
    struct request_error *err)
{
	return rfc3339_get(text, ret) ? STATUS_OK :
					bad_field(err, row->name,
					    "must be a time such as 2026-01-31T12:00:00.000Z");
}

/* A word of the row, or a number of days. */
static enum status check_days(const struct proto_field_row *row, const struct json *value,
    struct request_field *field, struct request_error *err)
{
	char expected[80];
	int64_t index;

	if (json_type(value) == JSON_STRING &&
	    check_choice(row, field->text, &index, err) == STATUS_OK)
		return STATUS_OK;
	if (json_type(value) == JSON_NUMBER && json_int(value, &field->number) &&
	    field->number >= row->min && field->number <= row->max)
		return STATUS_OK;
	snprintf(expected, sizeof expected, "must be \"%s\" or a number of days from %lld to %lld",
	    strcmp(row->note, "full") == 0 ? "full" : "full\", \"none", (long long)row->min,
	    (long long)row->max);
	return bad_field(err, row->name, expected);
}

static enum status check_json(const struct proto_field_row *row, const struct json *value,
    struct request_error *err)
{
	struct buf printed;
	enum status status;

	buf_init(&printed, (size_t)row->max);
	status = json_print(value, &printed);
	buf_release(&printed);
	return status == STATUS_OK ? STATUS_OK : too_large(err, row);
}

static enum status check_field(const struct proto_field_row *row, const struct json *value,
    struct request_field *field, struct request_error *err)
{
	bool is_text = json_type(value) == JSON_STRING;

	field->present = true;
	field->value = value;
	field->text = json_text(value);
	switch (row->kind) {
	case PROTO_KIND_TEXT:
		return is_text ? check_len(row, field->text.len, err) :
				 bad_field(err, row->name, "must be a string");
	case PROTO_KIND_USER:
	case PROTO_KIND_ROOM:
		return is_text ? check_name(row, field->text, err) :
				 bad_field(err, row->name, "must be a string");
	case PROTO_KIND_CHOICE:
		return check_choice(row, field->text, &field->number, err);
	case PROTO_KIND_INT:
		return check_int(row, value, &field->number, err);
	case PROTO_KIND_BOOL:
		field->flag = json_is_true(value);
		return json_type(value) == JSON_BOOL ?
			   STATUS_OK :
			   bad_field(err, row->name, "must be true or false");
	case PROTO_KIND_ID:
		return check_id(row, value, &field->number, err);
	case PROTO_KIND_JSON:
		return check_json(row, value, err);
	case PROTO_KIND_TIME:
		return check_time(row, field->text, &field->number, err);
	case PROTO_KIND_DAYS:
		return check_days(row, value, field, err);
	}
	return STATUS_OK;
}

/* PROTOCOL.md, 5.3. */
static enum status check_either(const struct proto_cmd_row *cmd, const struct json *root,
    struct request_error *err)
{
	const char *names[2] = {NULL, NULL};
	unsigned present = 0, count = 0;
	char expected[80];

	for (unsigned i = 0; i < cmd->field_count; i++) {
		const struct proto_field_row *row =
		    proto_field_row((enum proto_field)(cmd->first_field + i));

		if (row->need != PROTO_EITHER)
			continue;
		if (count < 2)
			names[count] = row->name;
		count++;
		present += json_get(root, row->name) != NULL;
	}
	assert(count == 2);
	if (present == 1)
		return STATUS_OK;
	snprintf(expected, sizeof expected,
	    present == 0 ? "or \"%s\" is missing" : "and \"%s\" exclude each other", names[1]);
	return bad_field(err, names[0], expected);
}

static enum status check_fields(struct request *request, struct request_error *err)
{
	const struct proto_cmd_row *cmd = proto_cmd_row(request->cmd);
	bool either_done = false;

	assert(cmd->field_count <= REQUEST_FIELDS_MAX);
	for (unsigned i = 0; i < cmd->field_count; i++) {
		const struct proto_field_row *row =
		    proto_field_row((enum proto_field)(cmd->first_field + i));
		const struct json *value = json_get(request->root, row->name);
		enum status status = STATUS_OK;

		if (row->need == PROTO_EITHER && !either_done) {
			either_done = true;
			status = check_either(cmd, request->root, err);
		}
		if (status == STATUS_OK && value == NULL && row->need == PROTO_REQUIRED)
			status = bad_field(err, row->name, "is missing");
		if (status == STATUS_OK && value != NULL)
			status = check_field(row, value, &request->field[i], err);
		if (status != STATUS_OK)
			return status;
	}
	return STATUS_OK;
}

static enum status check_request_id(const struct json *root, struct request_id *id,
    struct request_error *err)
{
	const struct json *value = json_get(root, "id");
	struct slice text = json_text(value);

	if (value == NULL)
		return STATUS_OK;
	if (json_type(value) == JSON_STRING && text.len <= PROTO_ID_MAX) {
		id->kind = REQUEST_ID_TEXT;
		id->len = (unsigned char)text.len;
		str_copy(id->text, sizeof id->text, text);
		return STATUS_OK;
	}
	if (json_int(value, &id->number) && id->number >= 0) {
		id->kind = REQUEST_ID_INT;
		return STATUS_OK;
	}
	*id = (struct request_id){.kind = REQUEST_ID_NONE};
	return bad_field(err, "id",
	    "must be a string of at most 64 bytes or an integer from 0 to 999999999999999");
}

static enum status unknown_command(struct slice name, struct request_error *err)
{
	static const char *const names[] = {
#define CMD(name, who, summary, reply) #name,
#include "tables.def"
	    NULL};
	char word[33];
	const char *nearest;

	str_copy(word, sizeof word, utf8_cut(name, sizeof word - 1));
	nearest = options_nearest(word, names);
	if (nearest != NULL)
		request_error_set(err, PROTO_ERR_unknown_command,
		    "there is no command \"%s\"; did you mean \"%s\"?", word, nearest);
	else
		request_error_set(err, PROTO_ERR_unknown_command, "there is no command \"%s\"",
		    word);
	return STATUS_INVALID;
}

static enum status check_cmd(const struct json *root, enum proto_cmd *cmd,
    struct request_error *err)
{
	const struct json *value = json_get(root, "cmd");

	if (value == NULL)
		return bad_field(err, "cmd", "is missing");
	if (json_type(value) != JSON_STRING)
		return bad_field(err, "cmd", "must be a string");
	if (!proto_cmd_find(json_text(value), cmd))
		return unknown_command(json_text(value), err);
	return STATUS_OK;
}

static enum status parse_object(struct slice line, struct json **ret, struct request_error *err)
{
	struct error why;
	enum status status = json_parse(line, ret, &why);

	if (status == STATUS_NOMEM) {
		request_error_set(err, PROTO_ERR_unavailable, "the server is out of memory");
		return STATUS_INVALID;
	}
	if (status != STATUS_OK) {
		request_error_set(err, PROTO_ERR_bad_json, "the line is not JSON: %s", why.text);
		return STATUS_INVALID;
	}
	if (json_type(*ret) == JSON_OBJECT)
		return STATUS_OK;
	request_error_set(err, PROTO_ERR_bad_json, "the line is JSON, but not an object");
	return STATUS_INVALID;
}

enum status request_parse(struct slice line, struct request *request, struct request_error *err)
{
	enum status status;

	*request = (struct request){.root = NULL};
	status = parse_object(line, &request->root, err);
	if (status == STATUS_OK)
		status = check_request_id(request->root, &request->id, err);
	if (status == STATUS_OK)
		status = check_cmd(request->root, &request->cmd, err);
	if (status == STATUS_OK)
		status = check_fields(request, err);
	if (status != STATUS_OK) {
		/* Whatever it was meant to be: a misspelt login has a password too. */
		json_free_secret(request->root);
		request->root = NULL;
	}
	return status;
}

/* Requests with a secret in one of their fields. */
static bool has_secret(enum proto_cmd cmd)
{
	switch (cmd) {
	case PROTO_CMD_login:
	case PROTO_CMD_register:
	case PROTO_CMD_passwd:
	case PROTO_CMD_useradd:
	case PROTO_CMD_userpasswd:
	case PROTO_CMD_invitecode:
		return true;
	default:
		return false;
	}
}

void request_release(struct request *request)
{
	if (has_secret(request->cmd))
		json_free_secret(request->root);
	else
		json_free(request->root);
	request->root = NULL;
}
