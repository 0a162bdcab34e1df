#include <stdlib.h>

#include "admin/export.h"
#include "base/rfc3339.h"
#include "os/thread.h"
#include "wire/json.h"

#define FIRST_MAX 100000000 /* entries that are gone from a conversation's start */
#define FILL_COUNT 500	    /* entries in a batch of those that stand in for them */

struct import {
	struct store *store;
	struct mutex *mutex;
	struct cond *changed;
	uint64_t open;	     /* tickets not reported yet; guarded, as is */
	enum status failure; /* what the first that failed was told with */
	uint64_t ticket;
	int64_t lines;
	bool has_begun, has_ended;
	uint64_t conversation; /* whose entries come now; 0: none */
	int64_t seq, last;     /* of its last entry, so far and in the end */
	struct buf text, extra, value;
};

/* --- The store ------------------------------------------------------------------------------ */

static void on_done(void *arg, uint64_t ticket, enum status status)
{
	struct import *import = arg;

	(void)ticket;
	mutex_lock(import->mutex);
	import->open--;
	if (status != STATUS_OK && import->failure == STATUS_OK)
		import->failure = status;
	cond_wake_all(import->changed);
	mutex_unlock(import->mutex);
}

/* Until all that was appended is reported. */
static enum status drain(struct import *import)
{
	enum status status;

	mutex_lock(import->mutex);
	while (import->open > 0)
		cond_wait(import->changed, import->mutex);
	status = import->failure;
	mutex_unlock(import->mutex);
	return status;
}

static void count(struct import *import, int64_t by)
{
	mutex_lock(import->mutex);
	import->open += (uint64_t)by;
	mutex_unlock(import->mutex);
}

static enum status append(struct import *import, const struct store_batch *batch,
    struct error *err)
{
	enum status status;

	for (;;) {
		/* Before, as the report may come first. */
		count(import, 1);
		status = import->store->ops->append(import->store, batch, ++import->ticket);
		if (status == STATUS_AGAIN)
			return STATUS_OK;
		count(import, -1);
		if (status != STATUS_FULL)
			break;
		status = drain(import);
		if (status != STATUS_OK)
			break;
	}
	return status == STATUS_OK
	           ? status
	           : error_set(err, status, "the store did not take line %lld: %s",
	                 (long long)import->lines, status_text(status));
}

/* --- Lines ---------------------------------------------------------------------------------- */

static enum status bad(const struct import *import, struct error *err, const char *what)
{
	return error_set(err, STATUS_INVALID, "line %lld of the export: %s",
	    (long long)import->lines, what);
}

static bool get_id(const struct json *line, const char *name, uint64_t *ret)
{
	int64_t id;

	if (!str_to_int(json_text(json_get(line, name)), 0, INT64_MAX, &id))
		return false;
	*ret = (uint64_t)id;
	return true;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool get_hex(const struct json *line, const char *name, struct buf *to)
{
	struct slice hex = json_text(json_get(line, name));

	buf_clear(to);
	for (size_t i = 0; i + 1 < hex.len; i += 2) {
		int high = hex_digit(hex.ptr[i]), low = hex_digit(hex.ptr[i + 1]);

		if (high < 0 || low < 0)
			return false;
		buf_put_char(to, (char)(unsigned char)(high << 4 | low));
	}
	return hex.ptr != NULL && hex.len % 2 == 0 && !to->failed;
}

static enum status take_header(struct import *import, const struct json *line, struct error *err)
{
	int64_t version;

	if (!slice_is(json_text(json_get(line, "export")), "confab") ||
	    !json_int(json_get(line, "version"), &version))
		return bad(import, err, "this is no export of confab-server's");
	if (version != EXPORT_VERSION)
		return bad(import, err, "it was made by a newer version of confab-server");
	if (json_get(line, "room") != NULL)
		return bad(import, err,
		    "an export of one room is for reading, and cannot be imported: it has no "
		    "users");
	import->has_begun = true;
	return STATUS_OK;
}

static enum status take_record(struct import *import, const struct json *line, struct error *err)
{
	struct slice name = json_text(json_get(line, "record"));
	const struct json *value = json_get(line, "value");
	struct store_record record = {.remove = false};
	const struct store_batch batch = {.records = &record, .record_count = 1};

	for (int table = 1; table < EXPORT_TABLES_END; table++) {
		const char *known = export_table_name((enum store_table)table);

		if (known != NULL && slice_is(name, known))
			record.table = (enum store_table)table;
	}
	if (record.table == 0)
		return bad(import, err, "there is no such kind of record");
	if (!get_hex(line, "key", &import->text) || import->text.len == 0 ||
	    import->text.len > 255)
		return bad(import, err, "the key is no key");
	buf_clear(&import->value);
	if (value != NULL)
		json_print(value, &import->value);
	else if (!get_hex(line, "hex", &import->value))
		return bad(import, err, "the record has no value");
	if (import->value.failed)
		return bad(import, err, "the record is too long");
	record.key = buf_slice(&import->text);
	record.value = buf_slice(&import->value);
	return append(import, &batch, err);
}

/* Where the start of a conversation is gone, the store's numbers go on all the same: something
 * stands in for it and is trimmed at once. */
static enum status fill_up(struct import *import, int64_t first, struct error *err)
{
	struct store_entry entries[FILL_COUNT];
	const struct store_trim trim = {import->conversation, first - 1};
	struct store_batch batch = {.entries = entries};
	enum status status = STATUS_OK;

	while (status == STATUS_OK && import->seq < first - 1) {
		for (batch.entry_count = 0;
		     batch.entry_count < FILL_COUNT && import->seq < first - 1; batch.entry_count++)
			entries[batch.entry_count] = (struct store_entry){
			    .conversation = import->conversation,
			    .seq = ++import->seq,
			    .kind = STORE_LEAVE,
			};
		if (import->seq == first - 1) {
			batch.trims = &trim;
			batch.trim_count = 1;
		}
		status = append(import, &batch, err);
	}
	return status;
}

static enum status end_conversation(struct import *import, struct error *err)
{
	if (import->conversation != 0 && import->seq != import->last)
		return bad(import, err, "entries are missing before it");
	return STATUS_OK;
}

static enum status take_conversation(struct import *import, const struct json *line,
    struct error *err)
{
	int64_t first;
	enum status status = end_conversation(import, err);

	if (status != STATUS_OK)
		return status;
	if (!get_id(line, "conversation", &import->conversation) || import->conversation == 0 ||
	    !json_int(json_get(line, "first"), &first) ||
	    !json_int(json_get(line, "last"), &import->last) || first < 1 ||
	    first > FIRST_MAX || import->last < first - 1)
		return bad(import, err, "this is no conversation");
	import->seq = 0;
	return fill_up(import, first, err);
}

static bool is_header(struct slice key)
{
	static const char *const keys[] = {"conversation", "room", "pair", "seq", "time", "entry",
	    "author", "target", "text"};

	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
		if (slice_is(key, keys[i]))
			return true;
	return false;
}

/* The members that are not the line's own. */
static void get_extra(const struct json *line, struct buf *to)
{
	buf_clear(to);
	for (const struct json *m = json_first(line); m != NULL; m = json_next(m)) {
		if (is_header(json_key(m)))
			continue;
		if (to->len > 0)
			buf_put_char(to, ',');
		json_put_quoted(to, json_key(m));
		buf_put_char(to, ':');
		json_print(m, to);
	}
}

static bool get_kind(struct slice name, enum store_kind *ret)
{
	for (int kind = 1; kind < EXPORT_KINDS_END; kind++)
		if (slice_is(name, export_kind_name((enum store_kind)kind))) {
			*ret = (enum store_kind)kind;
			return true;
		}
	return false;
}

static enum status take_entry(struct import *import, const struct json *line, struct error *err)
{
	struct store_entry entry = {.target = 0};
	const struct store_batch batch = {.entries = &entry, .entry_count = 1};

	if (!get_id(line, "conversation", &entry.conversation) ||
	    entry.conversation != import->conversation || import->conversation == 0 ||
	    !json_int(json_get(line, "seq"), &entry.seq) || entry.seq != import->seq + 1 ||
	    entry.seq > import->last)
		return bad(import, err, "this entry does not follow what is before it");
	if (!rfc3339_get(json_text(json_get(line, "time")), &entry.time_ms) ||
	    !get_kind(json_text(json_get(line, "entry")), &entry.kind) ||
	    !get_id(line, "author", &entry.author) ||
	    (json_get(line, "target") != NULL &&
	        (!json_int(json_get(line, "target"), &entry.target) || entry.target < 1)))
		return bad(import, err, "this is no entry");
	entry.text = json_text(json_get(line, "text"));
	if (entry.text.ptr == NULL)
		entry.text = slice_of("");
	get_extra(line, &import->extra);
	if (import->extra.failed)
		return bad(import, err, "the entry is too long");
	entry.extra = buf_slice(&import->extra);
	import->seq++;
	return append(import, &batch, err);
}

static enum status take_end(struct import *import, const struct json *line, struct error *err)
{
	int64_t lines;

	if (!json_int(json_get(line, "end"), &lines) || lines != import->lines - 1)
		return bad(import, err, "lines are missing before the end");
	import->has_ended = true;
	return end_conversation(import, err);
}

static enum status take_line(struct import *import, const struct json *line, struct error *err)
{
	if (json_type(line) != JSON_OBJECT)
		return bad(import, err, "not a JSON object");
	if (!import->has_begun)
		return take_header(import, line, err);
	if (import->has_ended)
		return bad(import, err, "there is more behind the end");
	if (json_get(line, "record") != NULL)
		return take_record(import, line, err);
	if (json_get(line, "end") != NULL)
		return take_end(import, line, err);
	if (json_get(line, "seq") != NULL)
		return take_entry(import, line, err);
	return take_conversation(import, line, err);
}

enum status import_line(struct import *import, struct slice line, struct error *err)
{
	struct json *root;
	struct error flaw;
	enum status status;

	import->lines++;
	status = json_parse(line, &root, &flaw);
	if (status != STATUS_OK)
		return bad(import, err, flaw.text);
	status = take_line(import, root, err);
	json_free_secret(root);
	return status;
}

/* --- Start and end -------------------------------------------------------------------------- */

enum status import_new(struct store *store, struct import **ret, struct error *err)
{
	struct import *import = calloc(1, sizeof *import);

	if (import == NULL)
		return error_set(err, STATUS_NOMEM, "out of memory");
	import->store = store;
	import->mutex = mutex_new();
	import->changed = cond_new();
	buf_init(&import->text, EXPORT_LINE_MAX);
	buf_init(&import->extra, EXPORT_LINE_MAX);
	buf_init(&import->value, EXPORT_LINE_MAX);
	store->done = on_done;
	store->done_arg = import;
	*ret = import;
	return STATUS_OK;
}

enum status import_finish(struct import *import, struct error *err)
{
	enum status status = drain(import);

	if (status != STATUS_OK)
		return error_set(err, status, "the store did not take the export: %s",
		    status_text(status));
	if (!import->has_ended)
		return error_set(err, STATUS_INVALID,
		    "the export is cut off behind line %lld: its last line is missing",
		    (long long)import->lines);
	return STATUS_OK;
}

void import_free(struct import *import)
{
	if (import == NULL)
		return;
	drain(import);
	import->store->done = NULL;
	cond_free(import->changed);
	mutex_free(import->mutex);
	buf_release(&import->text);
	buf_release(&import->extra);
	buf_release_secret(&import->value);
	free(import);
}
