#include "cli/print.h"

#include "base/rfc3339.h"
#include "cli/local.h"

#define CELL_MAX 8192 /* bytes of one value, shown */
#define PAD_MAX 40    /* columns that one long value may push the others to the right */

/* --- Values -------------------------------------------------------------------------------- */

static void put_value(struct buf *to, const struct json *value);

static void put_text(struct buf *to, struct slice text)
{
	char date[LOCAL_DATE_SIZE], time[LOCAL_TIME_SIZE];
	int64_t unix_ms;

	if (rfc3339_get(text, &unix_ms)) {
		local_date(unix_ms, date);
		local_time(unix_ms, time);
		buf_put_fmt(to, "%s %s", date, time);
	} else {
		show_text(to, text);
	}
}

static void put_members(struct buf *to, const struct json *container)
{
	for (const struct json *m = json_first(container); m != NULL; m = json_next(m)) {
		if (m != json_first(container))
			buf_put_str(to, ", ");
		if (json_key(m).len > 0) {
			show_text(to, json_key(m));
			buf_put_char(to, ' ');
		}
		put_value(to, m);
	}
}

static void put_value(struct buf *to, const struct json *value)
{
	switch (json_type(value)) {
	case JSON_NULL:
		buf_put_char(to, '-');
		break;
	case JSON_BOOL:
		buf_put_str(to, json_is_true(value) ? "yes" : "no");
		break;
	case JSON_STRING:
		put_text(to, json_text(value));
		break;
	case JSON_NUMBER:
		json_print(value, to);
		break;
	default:
		put_members(to, value);
	}
}

/* A value as a cell, which is never empty, so that columns can be counted. */
static void put_cell(struct buf *to, const struct json *value)
{
	buf_clear(to);
	if (value != NULL)
		put_value(to, value);
	if (to->len == 0)
		buf_put_char(to, '-');
}

/* --- Tables -------------------------------------------------------------------------------- */

static void add_column(struct print_table *table, struct slice name)
{
	struct slice shown;
	struct buf buf;

	for (size_t i = 0; i < table->count; i++)
		if (slice_is(name, table->name[i]))
			return;
	if (table->count == PRINT_COLUMNS_MAX || name.len >= sizeof table->name[0])
		return;
	str_copy(table->name[table->count], sizeof table->name[0], name);
	buf_init(&buf, 256);
	show_text(&buf, name);
	shown = buf_slice(&buf);
	table->width[table->count++] = show_width(shown);
	buf_release(&buf);
}

/* All fields of all rows, in the order in which they come first. */
static void measure(struct print_table *table, const struct json *list)
{
	struct buf cell;

	buf_init(&cell, CELL_MAX);
	for (const struct json *row = json_first(list); row != NULL; row = json_next(row))
		for (const struct json *m = json_first(row); m != NULL; m = json_next(m))
			add_column(table, json_key(m));
	for (const struct json *row = json_first(list); row != NULL; row = json_next(row)) {
		for (size_t i = 0; i < table->count; i++) {
			unsigned width;

			put_cell(&cell, json_get(row, table->name[i]));
			width = show_width(buf_slice(&cell));
			if (width > table->width[i])
				table->width[i] = width < PAD_MAX ? width : PAD_MAX;
		}
	}
	buf_release(&cell);
}

/* The last cell of a line is not filled up. */
static void put_padded(
    struct buf *to, const struct print_table *table, size_t column, struct slice cell)
{
	unsigned width = show_width(cell);

	buf_put_slice(to, cell);
	if (column + 1 == table->count)
		buf_put_char(to, '\n');
	else
		buf_put_fmt(to, "%*s  ",
		    width < table->width[column] ? (int)(table->width[column] - width) : 0, "");
}

/* The name of a field, with spaces between its words. */
static void put_field(struct buf *to, struct slice name)
{
	size_t start = to->len;

	show_text(to, name);
	for (size_t i = start; i < to->len; i++)
		if (to->ptr[i] == '_')
			to->ptr[i] = ' ';
}

static void put_titles(struct buf *to, const struct print_table *table)
{
	struct buf cell;

	buf_init(&cell, CELL_MAX);
	for (size_t i = 0; i < table->count; i++) {
		buf_clear(&cell);
		put_field(&cell, slice_of(table->name[i]));
		for (size_t j = 0; j < cell.len; j++)
			if (cell.ptr[j] >= 'a' && cell.ptr[j] <= 'z')
				cell.ptr[j] = (char)(cell.ptr[j] - 'a' + 'A');
		put_padded(to, table, i, buf_slice(&cell));
	}
	buf_release(&cell);
}

/* Another page has titles of its own only if there are columns that were not there before. */
static void put_table(struct print *print, struct buf *to, const struct json *list)
{
	struct print_table *table = &print->table;
	size_t shown;
	struct buf cell;

	if (!slice_is(json_key(list), table->list))
		*table = (struct print_table){.count = 0};
	str_copy(table->list, sizeof table->list, json_key(list));
	shown = table->count;
	measure(table, list);
	if (table->count > shown)
		put_titles(to, table);
	buf_init(&cell, CELL_MAX);
	for (const struct json *row = json_first(list); row != NULL; row = json_next(row)) {
		for (size_t i = 0; i < table->count; i++) {
			put_cell(&cell, json_get(row, table->name[i]));
			put_padded(to, table, i, buf_slice(&cell));
		}
	}
	buf_release(&cell);
}

/* --- Replies ------------------------------------------------------------------------------- */

static void put_list(struct print *print, const struct json *list, struct buf *to)
{
	bool is_messages = slice_is(json_key(list), "messages");
	bool is_events = slice_is(json_key(list), "events");

	print->is_empty = json_first(list) == NULL;
	if (print->is_empty)
		return;
	if (!is_messages && !is_events && json_type(json_first(list)) == JSON_OBJECT) {
		put_table(print, to, list);
		return;
	}
	for (const struct json *m = json_first(list); m != NULL; m = json_next(m)) {
		if (is_messages) {
			show_message(to, m, print->conversation, print->day);
		} else if (!is_events || !show_event(to, m, print->self)) {
			put_value(to, m);
			buf_put_char(to, '\n');
		}
	}
}

static bool is_list(const struct json *value)
{
	return value != NULL && json_type(value) == JSON_ARRAY;
}

/* What is there for programs: where the answer belongs, and how to go on. */
static bool is_for_people(const struct json *reply, const struct json *member)
{
	static const char *const names[] = {"re", "ok", "more", "next"};
	bool is_page = is_list(json_get(reply, "messages")) || is_list(json_get(reply, "events"));

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (slice_is(json_key(member), names[i]))
			return false;
	return !is_page || json_type(member) == JSON_ARRAY;
}

void print_reply(struct print *print, const struct json *reply, struct buf *to)
{
	const struct json *only = NULL;
	struct buf cell;
	size_t count = 0;

	for (const struct json *m = json_first(reply); m != NULL; m = json_next(m)) {
		if (is_for_people(reply, m)) {
			only = m;
			count++;
		}
	}
	/* The number of what was done is told as little as by `send`. */
	if (count == 1 && slice_is(json_key(only), "seq"))
		return;
	buf_init(&cell, CELL_MAX);
	for (const struct json *m = json_first(reply); m != NULL; m = json_next(m)) {
		if (!is_for_people(reply, m))
			continue;
		if (json_type(m) == JSON_ARRAY) {
			put_list(print, m, to);
			continue;
		}
		put_field(to, json_key(m));
		buf_put_str(to, ": ");
		put_cell(&cell, m);
		buf_put_slice(to, buf_slice(&cell));
		buf_put_char(to, '\n');
	}
	buf_release(&cell);
}
