#include "cli/words.h"

#include "base/options.h"
#include "base/utf8.h"
#include "wire/json.h"
#include "wire/tables.h"

struct word {
	struct slice name, value;
	bool is_raw; /* written with := */
};

static enum status cut_word(const char *text, struct word *ret, struct error *err)
{
	struct slice rest = slice_of(text);

	if (!utf8_is_valid(rest))
		return error_set(err, STATUS_USAGE, "a word is not valid UTF-8");
	ret->name = slice_cut(&rest, '=');
	if (rest.ptr == NULL)
		return error_set(err, STATUS_USAGE,
		    "\"%.80s\" is not of the form field=value (as in cmd=send room=dev text=hi)",
		    text);
	ret->value = rest;
	ret->is_raw = ret->name.len > 1 && ret->name.ptr[ret->name.len - 1] == ':';
	if (ret->is_raw)
		ret->name.len--;
	if (ret->name.len == 0)
		return error_set(
		    err, STATUS_USAGE, "\"%.80s\" has no field's name before the =", text);
	return STATUS_OK;
}

static enum status unknown_command(struct slice name, struct error *err)
{
	const char *names[PROTO_CMD_COUNT + 1];
	const char *nearest;
	char word[65];

	for (int i = 0; i < PROTO_CMD_COUNT; i++)
		names[i] = proto_cmd_row((enum proto_cmd)i)->name;
	names[PROTO_CMD_COUNT] = NULL;
	str_copy(word, sizeof word, name);
	nearest = options_nearest(word, names);
	/* A newer server may know it, so this only helps with slips. */
	if (nearest == NULL)
		return STATUS_OK;
	return error_set(
	    err, STATUS_USAGE, "unknown command cmd=%s; did you mean cmd=%s?", word, nearest);
}

/* Finds the command among the words; STATUS_NOT_FOUND for one the tables do not know. */
static enum status find_command(
    const char *const *words, size_t count, enum proto_cmd *ret, struct error *err)
{
	for (size_t i = 0; i < count; i++) {
		struct word word;
		enum status status = cut_word(words[i], &word, err);

		if (status != STATUS_OK)
			return status;
		if (!slice_is(word.name, "cmd") || word.is_raw)
			continue;
		if (proto_cmd_find(word.value, ret))
			return STATUS_OK;
		status = unknown_command(word.value, err);
		return status == STATUS_OK ? STATUS_NOT_FOUND : status;
	}
	return error_set(err, STATUS_USAGE,
	    "no cmd=… among the words (as in cmd=send room=dev "
	    "text=hi)");
}

/* The kind the tables give a field, TEXT where they know none. */
static enum proto_kind kind_of(const struct proto_cmd_row *row, struct slice name)
{
	if (slice_is(name, "id"))
		return PROTO_KIND_ID;
	for (unsigned i = 0; row != NULL && i < row->field_count; i++) {
		const struct proto_field_row *field =
		    proto_field_row((enum proto_field)(row->first_field + i));

		if (slice_is(name, field->name))
			return field->kind;
	}
	return PROTO_KIND_TEXT;
}

/* Is the value to be written without quotes? */
static bool is_bare(enum proto_kind kind, struct slice value)
{
	int64_t number;

	if (kind == PROTO_KIND_INT || kind == PROTO_KIND_ID || kind == PROTO_KIND_DAYS)
		return str_to_int(value, -PROTO_INT_MAX, PROTO_INT_MAX, &number) ||
		       (kind == PROTO_KIND_INT && slice_is(value, "null"));
	if (kind == PROTO_KIND_BOOL)
		return slice_is(value, "true") || slice_is(value, "false") ||
		       slice_is(value, "null");
	return false;
}

static enum status check_raw(const struct word *word, struct error *err)
{
	struct json *root;
	struct error why;

	if (json_parse(word->value, &root, &why) != STATUS_OK)
		return error_set(err, STATUS_USAGE, "the value after %.*s:= is no JSON: %s",
		    (int)(word->name.len < 80 ? word->name.len : 80), word->name.ptr, why.text);
	json_free(root);
	return STATUS_OK;
}

static enum status put_word(
    const struct word *word, enum proto_kind kind, struct buf *to, struct error *err)
{
	struct slice value = word->value;
	int64_t number;

	json_put_quoted(to, word->name);
	buf_put_char(to, ':');
	if (word->is_raw) {
		buf_put_slice(to, value);
		return check_raw(word, err);
	}
	if (!is_bare(kind, value)) {
		if (kind == PROTO_KIND_USER && slice_starts(value, "@"))
			value = slice_make(value.ptr + 1, value.len - 1);
		json_put_quoted(to, value);
	} else if (str_to_int(value, -PROTO_INT_MAX, PROTO_INT_MAX, &number)) {
		/* Written anew: JSON takes no leading zeros. */
		buf_put_fmt(to, "%lld", (long long)number);
	} else {
		buf_put_slice(to, value);
	}
	return STATUS_OK;
}

enum status words_to_json(
    const char *const *words, size_t count, const char *to_user, struct buf *to, struct error *err)
{
	const struct proto_cmd_row *row = NULL;
	enum proto_cmd cmd;
	enum status status = find_command(words, count, &cmd, err);

	if (status == STATUS_OK)
		row = proto_cmd_row(cmd);
	else if (status != STATUS_NOT_FOUND)
		return status;
	if (!buf_put_char(to, '{'))
		return error_set(err, STATUS_NOMEM, "%s", status_text(STATUS_NOMEM));
	for (size_t i = 0; i < count; i++) {
		struct word word;

		status = cut_word(words[i], &word, err);
		if (i > 0)
			buf_put_char(to, ',');
		if (status == STATUS_OK)
			status = put_word(&word, kind_of(row, word.name), to, err);
		if (status != STATUS_OK)
			return status;
	}
	if (to_user != NULL) {
		buf_put_str(to, ",\"to\":");
		json_put_quoted(to, slice_of(to_user));
	}
	if (!buf_put_char(to, '}'))
		return error_set(err, STATUS_USAGE, "the command is too long");
	return STATUS_OK;
}
