#include "cli/outbox_file.h"

#include <stdlib.h>

#include "wire/json.h"

static const char *const mark_names[] = {
    [OUTBOX_DONE] = "done", [OUTBOX_SENT] = "sent", [OUTBOX_BACK] = "back"};
#define MARKS (sizeof mark_names / sizeof *mark_names)

struct outbox_message *outbox_message_new(const char *target, struct slice text)
{
	size_t target_size = strlen(target) + 1;
	struct outbox_message *message = calloc(1, sizeof *message + target_size + text.len + 1);
	char *bytes;

	if (message == NULL)
		return NULL;
	bytes = (char *)(message + 1);
	memcpy(bytes, target, target_size);
	if (text.len > 0)
		memcpy(bytes + target_size, text.ptr, text.len);
	list_init(&message->node);
	message->target = bytes;
	message->text = slice_make(bytes + target_size, text.len);
	return message;
}

void outbox_file_put(struct buf *to, const struct outbox_message *message)
{
	struct json_writer w;

	json_begin(&w, to);
	json_put_int(&w, "id", message->id);
	json_put_str(&w, "nonce", message->nonce);
	json_put_int(&w, "time", message->time_ms);
	json_put_str(&w, "to", message->target);
	if (message->reply > 0)
		json_put_int(&w, "reply", message->reply);
	json_put_text(&w, "text", message->text);
	json_end(&w);
	buf_put_char(to, '\n');
}

void outbox_file_mark(struct buf *to, enum outbox_mark mark, int64_t first, int64_t last)
{
	struct json_writer w;

	json_begin(&w, to);
	json_open_array(&w, mark_names[mark]);
	json_put_int(&w, NULL, first);
	json_put_int(&w, NULL, last);
	json_close_array(&w);
	json_end(&w);
	buf_put_char(to, '\n');
}

/* --- Reading ------------------------------------------------------------------------------- */

/* All messages of the file in order of their ids, to find the first of a range quickly. */
struct table {
	struct outbox_message **at;
	size_t count, cap;
};

static bool table_put(struct table *table, struct outbox_message *message)
{
	if (table->count == table->cap) {
		size_t cap = table->cap > 0 ? 2 * table->cap : 64;
		void *larger = realloc(table->at, cap * sizeof(struct outbox_message *));

		if (larger == NULL)
			return false;
		table->at = larger;
		table->cap = cap;
	}
	table->at[table->count++] = message;
	return true;
}

/* The index of the first message with this id or a higher one. */
static size_t table_find(const struct table *table, int64_t id)
{
	size_t low = 0, high = table->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (table->at[middle]->id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* A done message keeps its place in the table, with a number that says so. */
#define IS_DONE UINT64_MAX

static bool read_mark(struct table *table, const struct json *value, enum outbox_mark mark)
{
	const struct json *from = json_first(value);
	int64_t first, last;

	if (json_type(value) != JSON_ARRAY || from == NULL || !json_int(from, &first) ||
	    json_next(from) == NULL || !json_int(json_next(from), &last))
		return false;
	for (size_t i = table_find(table, first); i < table->count && table->at[i]->id <= last;
	     i++) {
		if (mark == OUTBOX_DONE)
			table->at[i]->number = IS_DONE;
		else
			table->at[i]->sent = mark == OUTBOX_SENT;
	}
	return true;
}

static enum status read_message(
    struct table *table, const struct json *root, struct outbox_reading *reading)
{
	struct slice nonce = json_text(json_get(root, "nonce"));
	struct slice to = json_text(json_get(root, "to"));
	struct slice text = json_text(json_get(root, "text"));
	struct outbox_message *message;
	int64_t id, time_ms;
	char target[80];

	if (!json_int(json_get(root, "id"), &id) || id < reading->next_id ||
	    !json_int(json_get(root, "time"), &time_ms) || nonce.len == 0 ||
	    nonce.len >= OUTBOX_NONCE_SIZE || text.len == 0 || to.len == 0 ||
	    !str_copy(target, sizeof target, to))
		return STATUS_INVALID;
	message = outbox_message_new(target, text);
	if (message == NULL || !table_put(table, message)) {
		free(message);
		return STATUS_NOMEM;
	}
	message->id = id;
	message->time_ms = time_ms;
	json_int(json_get(root, "reply"), &message->reply);
	str_copy(message->nonce, sizeof message->nonce, nonce);
	reading->next_id = id + 1;
	return STATUS_OK;
}

/* INVALID for a line that means nothing. */
static enum status read_line(struct table *table, struct slice line, struct outbox_reading *reading)
{
	struct json *root;
	struct error err;
	enum status status = json_parse(line, &root, &err);

	if (status != STATUS_OK)
		return status;
	status = STATUS_INVALID;
	for (size_t mark = 0; mark < MARKS; mark++) {
		const struct json *value = json_get(root, mark_names[mark]);

		if (value != NULL && read_mark(table, value, (enum outbox_mark)mark))
			status = STATUS_OK;
	}
	if (json_get(root, "id") != NULL)
		status = read_message(table, root, reading);
	json_free(root);
	return status;
}

enum status outbox_file_read(struct slice text, struct outbox_reading *ret)
{
	struct table table = {0};
	enum status status = STATUS_OK;

	*ret = (struct outbox_reading){.whole = 0};
	list_init(&ret->messages);
	while (status != STATUS_NOMEM && text.len > 0) {
		const char *end = memchr(text.ptr, '\n', text.len);
		size_t len = end != NULL ? (size_t)(end - text.ptr) : 0;

		if (end == NULL)
			break;
		status = read_line(&table, slice_make(text.ptr, len), ret);
		if (status != STATUS_OK && status != STATUS_NOMEM)
			ret->broken++;
		ret->whole += len + 1;
		text = slice_make(end + 1, text.len - len - 1);
	}
	for (size_t i = 0; i < table.count; i++) {
		if (status == STATUS_NOMEM || table.at[i]->number == IS_DONE) {
			free(table.at[i]);
			continue;
		}
		list_put(&ret->messages, &table.at[i]->node);
		ret->count++;
	}
	free(table.at);
	return status == STATUS_NOMEM ? status : STATUS_OK;
}
