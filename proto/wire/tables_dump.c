/*
 * confab-tables: prints the rows of tables.def, for tools that do not read C. It is part of the
 * build and of the tests and is not installed.
 *
 *     confab-tables --json       one JSON object: limits, commands, events, errors, reasons
 *     confab-tables --markdown   the tables of PROTOCOL.md between the marks of
 *                                scripts/protocol-tables.sh
 */
#include <stdio.h>

#include "wire/json.h"
#include "wire/tables.h"

static const char *const kinds[] = {
    [PROTO_KIND_TEXT] = "text",
    [PROTO_KIND_USER] = "user",
    [PROTO_KIND_ROOM] = "room",
    [PROTO_KIND_INT] = "int",
    [PROTO_KIND_BOOL] = "bool",
    [PROTO_KIND_CHOICE] = "choice",
    [PROTO_KIND_ID] = "id",
    [PROTO_KIND_JSON] = "json",
    [PROTO_KIND_TIME] = "time",
    [PROTO_KIND_DAYS] = "days",
};
static const char *const needs[] = {
    [PROTO_REQUIRED] = "required", [PROTO_OPTIONAL] = "optional", [PROTO_EITHER] = "either"};
static const char *const whos[] = {
    [PROTO_ANYONE] = "anyone", [PROTO_NEW] = "new", [PROTO_USER] = "user",
    [PROTO_ADMIN] = "admin"};

static const struct proto_field_row *field_of(const struct proto_cmd_row *cmd, unsigned i)
{
	return proto_field_row((enum proto_field)(cmd->first_field + i));
}

/* Is the note the words that the field may be? */
static bool has_words(const struct proto_field_row *row)
{
	return row->kind == PROTO_KIND_CHOICE || row->kind == PROTO_KIND_DAYS;
}

/* --- JSON ------------------------------------------------------------------------------------ */

static void put_field(struct json_writer *w, const struct proto_field_row *row)
{
	json_open_object(w, NULL);
	json_put_str(w, "name", row->name);
	json_put_str(w, "kind", kinds[row->kind]);
	json_put_str(w, "need", needs[row->need]);
	json_put_int(w, "min", row->min);
	json_put_int(w, "max", row->max);
	if (has_words(row)) {
		json_open_array(w, "words");
		for (struct slice rest = slice_of(row->note); rest.ptr != NULL;)
			json_put_text(w, NULL, slice_cut(&rest, '|'));
		json_close_array(w);
	} else {
		json_put_str(w, "note", row->note);
	}
	json_close_object(w);
}

static void put_commands(struct json_writer *w)
{
	json_open_array(w, "commands");
	for (int i = 0; i < PROTO_CMD_COUNT; i++) {
		const struct proto_cmd_row *cmd = proto_cmd_row((enum proto_cmd)i);

		json_open_object(w, NULL);
		json_put_str(w, "name", cmd->name);
		json_put_str(w, "who", whos[cmd->who]);
		json_put_str(w, "summary", cmd->summary);
		json_put_str(w, "reply", cmd->reply);
		json_open_array(w, "fields");
		for (unsigned j = 0; j < cmd->field_count; j++)
			put_field(w, field_of(cmd, j));
		json_close_array(w);
		json_close_object(w);
	}
	json_close_array(w);
}

static void put_events(struct json_writer *w)
{
	json_open_array(w, "events");
	for (int i = 0; i < PROTO_EVENT_COUNT; i++) {
		const struct proto_event_row *event = proto_event_row((enum proto_event)i);

		json_open_object(w, NULL);
		json_put_str(w, "name", event->name);
		json_put_bool(w, "takes_seq", event->takes_seq);
		json_put_str(w, "fields", event->fields);
		json_put_str(w, "receivers", event->receivers);
		json_close_object(w);
	}
	json_close_array(w);
}

static void put_meaning(struct json_writer *w, const char *name, const char *meaning)
{
	json_open_object(w, NULL);
	json_put_str(w, "name", name);
	json_put_str(w, "meaning", meaning);
	json_close_object(w);
}

static void put_limits(struct json_writer *w)
{
	const struct proto_limit_row *row;

	json_open_array(w, "limits");
	for (size_t i = 0; (row = proto_limit_row(i)) != NULL; i++) {
		json_open_object(w, NULL);
		json_put_str(w, "name", row->name);
		json_put_int(w, "value", row->value);
		json_put_str(w, "unit", row->unit);
		json_put_str(w, "meaning", row->meaning);
		json_close_object(w);
	}
	json_close_array(w);
}

static void dump_json(struct buf *to)
{
	struct json_writer w;

	json_begin(&w, to);
	json_put_int(&w, "protocol", PROTO_VERSION);
	json_put_int(&w, "port", PROTO_PORT);
	put_limits(&w);
	put_commands(&w);
	put_events(&w);
	json_open_array(&w, "errors");
	for (int i = 0; i < PROTO_ERR_COUNT; i++)
		put_meaning(&w, proto_error_name((enum proto_error)i),
		    proto_error_meaning((enum proto_error)i));
	json_close_array(&w);
	json_open_array(&w, "reasons");
	for (int i = 0; i < PROTO_REASON_COUNT; i++)
		put_meaning(&w, proto_reason_name((enum proto_reason)i),
		    proto_reason_meaning((enum proto_reason)i));
	json_close_array(&w);
	json_end(&w);
	buf_put_char(to, '\n');
}

/* --- Markdown -------------------------------------------------------------------------------- */

/* `columns` as they stand between the bars. */
static void begin_table(struct buf *to, const char *name, const char *columns)
{
	buf_put_fmt(to, "<!-- tables: %s -->\n| %s |\n|", name, columns);
	for (const char *p = columns; *p != '\0'; p++)
		if (*p == '|')
			buf_put_str(to, "---|");
	buf_put_str(to, "---|\n");
}

static void end_table(struct buf *to)
{
	buf_put_str(to, "<!-- end -->\n");
}

static void put_choice(struct buf *to, const char *words)
{
	for (struct slice rest = slice_of(words); rest.ptr != NULL;) {
		buf_put_str(to, "`\"");
		buf_put_slice(to, slice_cut(&rest, '|'));
		buf_put_str(to, rest.ptr != NULL ? "\"`, " : "\"`");
	}
}

static void put_kind(struct buf *to, const struct proto_field_row *row)
{
	switch (row->kind) {
	case PROTO_KIND_TEXT:
		buf_put_fmt(
		    to, "text of %lld to %lld bytes", (long long)row->min, (long long)row->max);
		break;
	case PROTO_KIND_USER:
		buf_put_str(to, "a user's name");
		break;
	case PROTO_KIND_ROOM:
		buf_put_str(to, "a room's name");
		break;
	case PROTO_KIND_INT:
		buf_put_fmt(
		    to, "integer from %lld to %lld", (long long)row->min, (long long)row->max);
		break;
	case PROTO_KIND_BOOL:
		buf_put_str(to, "true or false");
		break;
	case PROTO_KIND_CHOICE:
		put_choice(to, row->note);
		break;
	case PROTO_KIND_ID:
		buf_put_fmt(to, "text of at most %lld bytes, or integer from 0 to %lld",
		    (long long)row->max, (long long)PROTO_INT_MAX);
		break;
	case PROTO_KIND_JSON:
		buf_put_fmt(to, "any JSON of at most %lld bytes", (long long)row->max);
		break;
	case PROTO_KIND_TIME:
		buf_put_str(to, "a time");
		break;
	case PROTO_KIND_DAYS:
		put_choice(to, row->note);
		buf_put_fmt(to, ", or days from %lld to %lld", (long long)row->min,
		    (long long)row->max);
		break;
	}
	if (!has_words(row) && row->note[0] != '\0')
		buf_put_fmt(to, ": %s", row->note);
}

static void put_requests(struct buf *to)
{
	static const char *const may[] = {
	    [PROTO_ANYONE] = "anyone", [PROTO_NEW] = "before login", [PROTO_USER] = "after login",
	    [PROTO_ADMIN] = "administrator"};

	begin_table(to, "requests", "cmd | what it does | reply (beyond `re`, `ok`) | who");
	for (int i = 0; i < PROTO_CMD_COUNT; i++) {
		const struct proto_cmd_row *cmd = proto_cmd_row((enum proto_cmd)i);

		buf_put_fmt(to, "| `%s` | %s | %s | %s |\n", cmd->name, cmd->summary, cmd->reply,
		    may[cmd->who]);
	}
	end_table(to);
}

static void put_fields(struct buf *to)
{
	static const char *const marks[] = {
	    [PROTO_REQUIRED] = "", [PROTO_OPTIONAL] = "*", [PROTO_EITHER] = "†"};

	begin_table(to, "fields", "cmd | field | what it may be");
	for (int i = 0; i < PROTO_CMD_COUNT; i++) {
		const struct proto_cmd_row *cmd = proto_cmd_row((enum proto_cmd)i);

		for (unsigned j = 0; j < cmd->field_count; j++) {
			const struct proto_field_row *row = field_of(cmd, j);

			buf_put_fmt(
			    to, "| `%s` | `%s`%s | ", cmd->name, row->name, marks[row->need]);
			put_kind(to, row);
			buf_put_str(to, " |\n");
		}
	}
	end_table(to);
}

/* The rows of rights.def as words. */
static const struct {
	const char *cmd, *least, *least_private, *target, *voice;
} rights[] = {
#define RIGHT(cmd, least, least_private, target, voice)                                            \
	{#cmd, #least, #least_private, #target, #voice},
#include "rights.def"
};

static void put_lower(struct buf *to, const char *word)
{
	for (; *word != '\0'; word++)
		buf_put_char(to, *word == '_' ? ' ' : (char)(*word | 0x20));
}

static void put_rights(struct buf *to)
{
	begin_table(to, "rights", "cmd | least role | in a private room | to whom | voice");
	for (size_t i = 0; i < sizeof rights / sizeof *rights; i++) {
		buf_put_fmt(to, "| `%s` | ", rights[i].cmd);
		put_lower(to, rights[i].least);
		buf_put_str(to, " | ");
		put_lower(to, rights[i].least_private);
		buf_put_str(to, " | ");
		put_lower(to, rights[i].target);
		buf_put_str(to, " | ");
		put_lower(to, rights[i].voice);
		buf_put_str(to, " |\n");
	}
	end_table(to);
}

static void dump_markdown(struct buf *to)
{
	const struct proto_limit_row *limit;

	put_requests(to);
	put_fields(to);
	put_rights(to);
	begin_table(to, "events", "event | fields | `seq` | who receives it");
	for (int i = 0; i < PROTO_EVENT_COUNT; i++) {
		const struct proto_event_row *event = proto_event_row((enum proto_event)i);

		buf_put_fmt(to, "| `%s` | %s | %s | %s |\n", event->name, event->fields,
		    event->takes_seq ? "yes" : "no", event->receivers);
	}
	end_table(to);
	begin_table(to, "errors", "error | meaning");
	for (int i = 0; i < PROTO_ERR_COUNT; i++)
		buf_put_fmt(to, "| `%s` | %s |\n", proto_error_name((enum proto_error)i),
		    proto_error_meaning((enum proto_error)i));
	end_table(to);
	begin_table(to, "reasons", "reason | meaning");
	for (int i = 0; i < PROTO_REASON_COUNT; i++)
		buf_put_fmt(to, "| `%s` | %s |\n", proto_reason_name((enum proto_reason)i),
		    proto_reason_meaning((enum proto_reason)i));
	end_table(to);
	begin_table(to, "limits", "limit | value | unit | of what");
	for (size_t i = 0; (limit = proto_limit_row(i)) != NULL; i++)
		buf_put_fmt(to, "| `%s` | %lld | %s | %s |\n", limit->name, (long long)limit->value,
		    limit->unit, limit->meaning);
	end_table(to);
}

int main(int argc, char **argv)
{
	struct buf out;
	bool done;

	buf_init(&out, 1 << 20);
	if (argc == 2 && strcmp(argv[1], "--json") == 0) {
		dump_json(&out);
	} else if (argc == 2 && strcmp(argv[1], "--markdown") == 0) {
		dump_markdown(&out);
	} else {
		fputs("usage: confab-tables --json | --markdown\n", stderr);
		return 2;
	}
	done = !out.failed && fwrite(out.ptr, 1, out.len, stdout) == out.len && fflush(stdout) == 0;
	buf_release(&out);
	return done ? 0 : 1;
}
