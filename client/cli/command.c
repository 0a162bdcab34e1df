#include "cli/command.h"

#include "base/utf8.h"
#include "cli/input.h"

#define WORD_MAX 65536 /* bytes of one value, more than any field takes */

static const struct proto_field_row *row_of(enum proto_cmd cmd, unsigned i)
{
	return proto_field_row((enum proto_field)(proto_cmd_row(cmd)->first_field + i));
}

bool command_is_verb(enum proto_cmd cmd)
{
	return cmd != PROTO_CMD_send && cmd != PROTO_CMD_typing && cmd != PROTO_CMD_quit;
}

bool command_is_paged(enum proto_cmd cmd)
{
	bool after = false, limit = false;

	for (unsigned i = 0; i < proto_cmd_row(cmd)->field_count; i++) {
		after = after || strcmp(row_of(cmd, i)->name, "after") == 0;
		limit = limit || strcmp(row_of(cmd, i)->name, "limit") == 0;
	}
	return after && limit;
}

bool command_is_prose(enum proto_field field)
{
	const struct proto_field_row *row = proto_field_row(field);

	return row->need == PROTO_REQUIRED &&
	       (strcmp(row->name, "text") == 0 || strcmp(row->name, "query") == 0);
}

enum command_place command_place(enum proto_field field)
{
	const struct proto_field_row *row = proto_field_row(field);

	switch (field) {
	case PROTO_FIELD_register_password:
	case PROTO_FIELD_login_password:
	case PROTO_FIELD_passwd_old:
	case PROTO_FIELD_passwd_new:
	case PROTO_FIELD_useradd_password:
	case PROTO_FIELD_userpasswd_password:
		return COMMAND_SECRET;
	case PROTO_FIELD_login_user:
	case PROTO_FIELD_login_token:
	case PROTO_FIELD_login_remember:
	case PROTO_FIELD_login_since:
	case PROTO_FIELD_register_remember:
		return COMMAND_NOWHERE;
	default:
		break;
	}
	if (strcmp(row->name, "to") == 0)
		return COMMAND_NOWHERE;
	return row->need == PROTO_OPTIONAL ? COMMAND_OPTION : COMMAND_WORD;
}

const char *command_choice(enum proto_field field)
{
	const struct proto_field_row *row = proto_field_row(field);

	if (row->kind == PROTO_KIND_BOOL)
		return "yes|no";
	return row->kind == PROTO_KIND_CHOICE || row->kind == PROTO_KIND_DAYS ? row->note : "";
}

/* --- Values -------------------------------------------------------------------------------- */

void command_init(struct command *command, enum proto_cmd cmd)
{
	command->cmd = cmd;
	for (int i = 0; i < REQUEST_FIELDS_MAX; i++)
		buf_init(&command->value[i], 6 * WORD_MAX);
}

void command_release(struct command *command)
{
	for (int i = 0; i < REQUEST_FIELDS_MAX; i++)
		buf_release_secret(&command->value[i]);
}

struct buf *command_value(struct command *command, const char *field)
{
	for (unsigned i = 0; i < proto_cmd_row(command->cmd)->field_count; i++)
		if (strcmp(row_of(command->cmd, i)->name, field) == 0)
			return &command->value[i];
	return NULL;
}

void command_put_text(struct command *command, const char *field, struct slice text)
{
	struct buf *value = command_value(command, field);

	buf_clear(value);
	buf_reserve(value, 6 * text.len + 2); /* once, as it may be a secret */
	json_put_quoted(value, text);
}

static enum status bad_value(
    const struct proto_field_row *row, const char *text, const char *wanted, struct error *err)
{
	return error_set(err, STATUS_USAGE, "%s \"%.80s\" is no %s", row->name, text, wanted);
}

static enum status put_bool(
    const struct proto_field_row *row, const char *text, struct buf *to, struct error *err)
{
	static const char *const words[] = {"no", "yes", "false", "true", "off", "on", "0", "1"};

	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		if (strcmp(text, words[i]) == 0) {
			buf_put_str(to, i % 2 == 1 ? "true" : "false");
			return STATUS_OK;
		}
	}
	return bad_value(row, text, "yes or no", err);
}

/* A day is enough for a time; the protocol wants the rest. */
static void put_time(const char *text, struct buf *to)
{
	static const char midnight[] = "T00:00:00.000Z";
	char time[32];

	snprintf(time, sizeof time, "%.10s%s", text, midnight);
	json_put_quoted(to, slice_of(strlen(text) == 10 ? time : text));
}

static enum status put_value(
    const struct proto_field_row *row, const char *text, struct buf *to, struct error *err)
{
	int64_t number;
	bool is_number = str_to_int(slice_of(text), -PROTO_INT_MAX, PROTO_INT_MAX, &number);

	buf_clear(to);
	if (!utf8_is_valid(slice_of(text)))
		return error_set(err, STATUS_USAGE, "%s is not valid UTF-8", row->name);
	switch (row->kind) {
	case PROTO_KIND_BOOL:
		return put_bool(row, text, to, err);
	case PROTO_KIND_INT:
		if (!is_number)
			return bad_value(row, text, "whole number", err);
		buf_put_fmt(to, "%lld", (long long)number);
		return STATUS_OK;
	case PROTO_KIND_DAYS:
		if (is_number)
			buf_put_fmt(to, "%lld", (long long)number);
		else
			json_put_quoted(to, slice_of(text));
		return STATUS_OK;
	case PROTO_KIND_USER:
		json_put_quoted(to, slice_of(text[0] == '@' ? text + 1 : text));
		return STATUS_OK;
	case PROTO_KIND_TIME:
		put_time(text, to);
		return STATUS_OK;
	default:
		json_put_quoted(to, slice_of(text));
		return STATUS_OK;
	}
}

enum status command_put_option(
    struct command *command, const char *name, const char *value, struct error *err)
{
	const struct proto_cmd_row *row = proto_cmd_row(command->cmd);

	for (unsigned i = 0; i < row->field_count; i++) {
		enum proto_field field = (enum proto_field)(row->first_field + i);

		if (command_place(field) == COMMAND_OPTION &&
		    strcmp(proto_field_row(field)->name, name) == 0)
			return put_value(proto_field_row(field), value != NULL ? value : "yes",
			    &command->value[i], err);
	}
	return STATUS_NOT_FOUND;
}

/* --- Words --------------------------------------------------------------------------------- */

/* The last word's text: all that is left, or standard input. */
static enum status put_text(const struct proto_field_row *row, const char *const *words,
    size_t count, struct buf *to, struct error *err)
{
	struct buf text;
	enum status status = STATUS_OK;

	buf_init(&text, WORD_MAX);
	if (count == 1 && strcmp(words[0], "-") == 0) {
		status = input_all(&text);
		while (text.len > 0 && strchr("\r\n", text.ptr[text.len - 1]) != NULL)
			text.len--;
		if (status != STATUS_OK)
			error_set(err, status == STATUS_FULL ? STATUS_USAGE : status,
			    "standard input: %s", status_text(status));
	} else {
		for (size_t i = 0; i < count; i++) {
			buf_put_str(&text, i > 0 ? " " : "");
			buf_put_str(&text, words[i]);
		}
		if (text.failed)
			status = error_set(err, STATUS_USAGE, "%s is too long", row->name);
	}
	if (status == STATUS_OK && memchr(buf_text(&text), '\0', text.len) != NULL)
		status = error_set(err, STATUS_USAGE, "%s must not hold NUL", row->name);
	if (status == STATUS_OK)
		status = put_value(row, buf_text(&text), to, err);
	buf_release(&text);
	return status == STATUS_FULL ? STATUS_USAGE : status;
}

/* What to replay: JSON, or words like dev=41 @bob=7, or nothing, which is null. */
static enum status put_since(
    const char *const *words, size_t count, struct buf *to, struct error *err)
{
	struct json_writer w;

	buf_clear(to);
	if (count == 0 || (count == 1 && strcmp(words[0], "null") == 0)) {
		buf_put_str(to, "null");
		return STATUS_OK;
	}
	if (count == 1 && words[0][0] == '{') {
		struct json *root;
		struct error why;

		if (json_parse(slice_of(words[0]), &root, &why) != STATUS_OK)
			return error_set(err, STATUS_USAGE, "that is no JSON: %.400s", why.text);
		json_free(root);
		buf_put_str(to, words[0]);
		return STATUS_OK;
	}
	json_begin(&w, to);
	for (size_t i = 0; i < count; i++) {
		struct slice rest = slice_of(words[i]), name = slice_cut(&rest, '=');
		bool is_user = slice_starts(name, "@");
		char key[PROTO_ROOM_MAX + 2];
		int64_t seq;

		if (rest.ptr == NULL || !str_to_int(rest, 0, PROTO_INT_MAX, &seq) ||
		    !(is_user ? proto_is_user_name(slice_make(name.ptr + 1, name.len - 1))
		              : proto_is_room_name(name)))
			return error_set(err, STATUS_USAGE,
			    "\"%.80s\" is not of the form ROOM=SEQ or @USER=SEQ", words[i]);
		str_copy(key, sizeof key, name);
		json_put_int(&w, key, seq);
	}
	json_end(&w);
	return STATUS_OK;
}

/* "dev" or "@bob" for the fields room and to; the second stands right behind the first. */
static enum status put_conversation(
    struct command *command, unsigned i, const char *word, struct error *err)
{
	bool is_user = word[0] == '@';
	const struct proto_field_row *row = row_of(command->cmd, is_user ? i + 1 : i);
	struct slice name = slice_of(word + is_user);

	if (is_user ? !proto_is_user_name(name) : !proto_is_room_name(name))
		return error_set(err, STATUS_USAGE,
		    "\"%.80s\" is neither a room's name nor @ and a user's", word);
	return put_value(row, word, &command->value[is_user ? i + 1 : i], err);
}

static enum status missing(enum proto_cmd cmd, struct error *err)
{
	struct buf usage;
	enum status status;

	buf_init(&usage, 512);
	command_put_usage(cmd, &usage);
	status = error_set(err, STATUS_USAGE, "what is needed: confab %s%s%s",
	    proto_cmd_row(cmd)->who == PROTO_ADMIN ? "admin " : "", proto_cmd_row(cmd)->name,
	    buf_text(&usage));
	buf_release(&usage);
	return status;
}

/* One field's words; their number in *ret_used. */
static enum status put_field(struct command *command, unsigned i, const char *const *words,
    size_t count, const char *to_user, size_t *ret_used, struct error *err)
{
	enum proto_field field = (enum proto_field)(proto_cmd_row(command->cmd)->first_field + i);
	const struct proto_field_row *row = proto_field_row(field);

	*ret_used = 1;
	if (row->kind == PROTO_KIND_JSON) {
		*ret_used = count;
		return put_since(words, count, &command->value[i], err);
	}
	if (row->need == PROTO_EITHER && to_user != NULL) {
		*ret_used = 0;
		return put_value(row_of(command->cmd, i + 1), to_user, &command->value[i + 1], err);
	}
	if (count == 0)
		return missing(command->cmd, err);
	if (row->need == PROTO_EITHER)
		return put_conversation(command, i, words[0], err);
	if (command_is_prose(field)) {
		*ret_used = count;
		return put_text(row, words, count, &command->value[i], err);
	}
	return put_value(row, words[0], &command->value[i], err);
}

enum status command_put_words(struct command *command, const char *const *words, size_t count,
    const char *to_user, struct error *err)
{
	const struct proto_cmd_row *row = proto_cmd_row(command->cmd);
	struct buf *to = command_value(command, "to");

	if (to_user != NULL && to == NULL)
		return error_set(err, STATUS_USAGE, "%s takes no --to", row->name);
	/* Where it is no word's other half, it is an option like others. */
	if (to_user != NULL &&
	    row_of(command->cmd, (unsigned)(to - command->value))->need == PROTO_OPTIONAL)
		command_put_text(command, "to", slice_of(to_user));
	for (unsigned i = 0; i < row->field_count; i++) {
		enum status status;
		size_t used;

		if (command_place((enum proto_field)(row->first_field + i)) != COMMAND_WORD)
			continue;
		status = put_field(command, i, words, count, to_user, &used, err);
		if (status != STATUS_OK)
			return status;
		words += used;
		count -= used;
	}
	if (count > 0)
		return error_set(err, STATUS_USAGE,
		    "there is no place for \"%.80s\"; confab %s%s "
		    "--help tells what goes where",
		    words[0], row->who == PROTO_ADMIN ? "admin " : "", row->name);
	return STATUS_OK;
}

void command_print(const struct command *command, struct buf *to)
{
	const struct proto_cmd_row *row = proto_cmd_row(command->cmd);

	buf_put_fmt(to, "{\"cmd\":\"%s\"", row->name);
	for (unsigned i = 0; i < row->field_count; i++) {
		if (command->value[i].len == 0)
			continue;
		buf_put_fmt(to, ",\"%s\":", row_of(command->cmd, i)->name);
		buf_put_slice(to, buf_slice(&command->value[i]));
	}
	buf_put_char(to, '}');
}
