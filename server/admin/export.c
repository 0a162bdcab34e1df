#include "admin/export.h"

#include <stdlib.h>

#include "base/tree.h"
#include "os/random.h"
#include "wire/json.h"
#include "wire/tables.h"

#define PAGE 1000

static const char *const table_names[EXPORT_TABLES_END] = {
    [STORE_USERS] = "users",
    [STORE_ROOMS] = "rooms",
    [STORE_MEMBERS] = "members",
    [STORE_PAIRS] = "pairs",
    [STORE_BANS] = "bans",
    [STORE_INVITES] = "invites",
    [STORE_BLOCKS] = "blocks",
    [STORE_CODES] = "codes",
    [STORE_AUDIT] = "audit",
    [STORE_PINS] = "pins",
    [STORE_NUMBERS] = "numbers",
};

static const char *const kind_names[EXPORT_KINDS_END] = {
    [STORE_MESSAGE] = "message",
    [STORE_EDIT] = "edit",
    [STORE_DELETE] = "delete",
    [STORE_REACT] = "react",
    [STORE_UNREACT] = "unreact",
    [STORE_PIN] = "pin",
    [STORE_UNPIN] = "unpin",
    [STORE_JOIN] = "join",
    [STORE_LEAVE] = "leave",
    [STORE_ROLE] = "role",
    [STORE_SETTINGS] = "settings",
    [STORE_KICK] = "kick",
    [STORE_BAN] = "ban",
    [STORE_UNBAN] = "unban",
    [STORE_MUTE] = "mute",
    [STORE_UNMUTE] = "unmute",
    [STORE_DESTROYED] = "destroyed",
};

const char *export_table_name(enum store_table table)
{
	return (unsigned)table < EXPORT_TABLES_END ? table_names[table] : NULL;
}

const char *export_kind_name(enum store_kind kind)
{
	return (unsigned)kind < EXPORT_KINDS_END ? kind_names[kind] : NULL;
}

/* A room or a pair, whose entries come when all records have been written. */
struct place {
	struct place *next;
	uint64_t conversation;
	char name[2][PROTO_ROOM_MAX + 1]; /* the room's; or the two users' */
	bool is_pair;
};

/* A user's name, for the lines of pairs. */
struct person {
	struct tree_node node;
	char key[8];
	char name[PROTO_USER_MAX + 1];
};

struct export {
	struct store *store;
	const char *room; /* or NULL */
	export_put_fn *put;
	void *arg;
	struct error *err;
	enum status status; /* the first failure */
	enum store_table table;
	const struct place *place;
	struct place *places, **places_end;
	struct tree people;
	int64_t lines;
	int64_t after; /* the last seq of this page */
	unsigned count; /* entries in it */
	struct buf line;
};

/* --- Lines ---------------------------------------------------------------------------------- */

static void begin(struct export *export, struct json_writer *w)
{
	buf_clear(&export->line);
	json_begin(w, &export->line);
}

static bool finish(struct export *export, struct json_writer *w)
{
	json_end(w);
	buf_put_char(&export->line, '\n');
	if (export->line.failed)
		export->status =
		    error_set(export->err, STATUS_FULL, "an entry is too long for a line");
	else
		export->status = export->put(export->arg, buf_slice(&export->line), export->err);
	export->lines++;
	return export->status == STATUS_OK;
}

/* As text, for JSON's numbers have 53 bits. */
static void put_id(struct json_writer *w, const char *name, uint64_t id)
{
	char text[24];

	snprintf(text, sizeof text, "%llu", (unsigned long long)id);
	json_put_str(w, name, text);
}

static void put_hex(struct json_writer *w, const char *name, struct slice bytes)
{
	struct buf hex;

	buf_init(&hex, EXPORT_LINE_MAX);
	for (size_t i = 0; i < bytes.len; i++)
		buf_put_fmt(&hex, "%02x", (unsigned char)bytes.ptr[i]);
	json_put_text(w, name, buf_slice(&hex));
	if (hex.failed)
		w->to->failed = true;
	buf_release(&hex);
}

static bool put_header(struct export *export, int64_t now_ms)
{
	struct json_writer w;

	begin(export, &w);
	json_put_str(&w, "export", "confab");
	json_put_int(&w, "version", EXPORT_VERSION);
	json_put_time(&w, "time", now_ms);
	if (export->room != NULL)
		json_put_str(&w, "room", export->room);
	return finish(export, &w);
}

static bool put_end(struct export *export)
{
	struct json_writer w;

	begin(export, &w);
	json_put_int(&w, "end", export->lines);
	return finish(export, &w);
}

/* --- Records -------------------------------------------------------------------------------- */

static uint64_t id_of_key(struct slice key)
{
	uint64_t id = 0;

	for (size_t i = 0; i < 8 && i < key.len; i++)
		id = id << 8 | (unsigned char)key.ptr[i];
	return id;
}

static bool add_person(struct export *export, struct slice key, const struct json *value)
{
	struct person *person;

	/* Keys of a table are different, as tree_put wants them. */
	if (key.len != 8)
		return true;
	person = calloc(1, sizeof *person);
	if (person == NULL)
		return false;
	memcpy(person->key, key.ptr, 8);
	str_copy(person->name, sizeof person->name, json_text(json_get(value, "name")));
	tree_put(&export->people, &person->node, slice_make(person->key, 8), (uint32_t)random_u64());
	return true;
}

static void name_person(const struct export *export, struct slice number, char *to, size_t size)
{
	struct tree_node *node;
	int64_t id = 0;
	char key[8];

	str_to_int(number, 0, INT64_MAX, &id);
	for (int i = 0; i < 8; i++)
		key[i] = (char)(unsigned char)((uint64_t)id >> (56 - 8 * i));
	node = tree_find(&export->people, slice_make(key, 8));
	str_copy(to, size, node != NULL ? slice_of(tree_entry(node, struct person, node)->name) : number);
}

static bool add_place(struct export *export, struct slice key, const struct json *value)
{
	struct place *place = calloc(1, sizeof *place);

	if (place == NULL)
		return false;
	place->conversation = id_of_key(key);
	place->is_pair = export->table == STORE_PAIRS;
	if (place->is_pair) {
		name_person(export, json_text(json_get(value, "a")), place->name[0],
		    sizeof place->name[0]);
		name_person(export, json_text(json_get(value, "b")), place->name[1],
		    sizeof place->name[1]);
	} else {
		str_copy(place->name[0], sizeof place->name[0],
		    json_text(json_get(value, "name")));
	}
	*export->places_end = place;
	export->places_end = &place->next;
	return true;
}

static bool put_record(struct export *export, struct slice key, struct slice value, bool is_json)
{
	struct json_writer w;

	begin(export, &w);
	json_put_str(&w, "record", table_names[export->table]);
	put_hex(&w, "key", key);
	if (is_json)
		json_put_raw(&w, "value", value);
	else
		put_hex(&w, "hex", value);
	return finish(export, &w);
}

static bool is_wanted(const struct export *export, const struct json *value)
{
	return export->room == NULL || (export->table == STORE_ROOMS &&
	                                   slice_is(json_text(json_get(value, "name")), export->room));
}

static bool take_record(void *arg, struct slice key, struct slice value)
{
	struct export *export = arg;
	struct json *root = NULL;
	bool is_json = memchr(value.ptr, '\n', value.len) == NULL &&
		       json_parse(value, &root, NULL) == STATUS_OK;
	bool done = true;

	if (export->table == STORE_USERS)
		done = add_person(export, key, root);
	if (done && is_wanted(export, root)) {
		if (export->table == STORE_ROOMS || export->table == STORE_PAIRS)
			done = add_place(export, key, root);
		if (done)
			put_record(export, key, value, is_json);
	}
	json_free_secret(root);
	if (!done)
		export->status = error_set(export->err, STATUS_NOMEM, "out of memory");
	return export->status == STATUS_OK;
}

/* Users come before the pairs that name them. */
static void put_records(struct export *export)
{
	for (int table = 1; table < EXPORT_TABLES_END && export->status == STATUS_OK; table++) {
		enum status status;

		if (table_names[table] == NULL)
			continue;
		export->table = (enum store_table)table;
		status = export->store->ops->load(
		    export->store, export->table, take_record, export, export->err);
		if (export->status == STATUS_OK)
			export->status = status;
	}
}

/* --- Entries -------------------------------------------------------------------------------- */

static void put_place(struct json_writer *w, const struct place *place)
{
	put_id(w, "conversation", place->conversation);
	if (place->is_pair) {
		json_open_array(w, "pair");
		json_put_str(w, NULL, place->name[0]);
		json_put_str(w, NULL, place->name[1]);
		json_close_array(w);
	} else {
		json_put_str(w, "room", place->name[0]);
	}
}

static bool take_entry(void *arg, const struct store_entry *entry)
{
	struct export *export = arg;
	const char *kind = export_kind_name(entry->kind);
	struct json_writer w;

	export->after = entry->seq;
	export->count++;
	if (kind == NULL) {
		export->status = error_set(export->err, STATUS_INVALID,
		    "the store has an entry of kind %d, which this version does not know",
		    (int)entry->kind);
		return false;
	}
	begin(export, &w);
	put_place(&w, export->place);
	json_put_int(&w, "seq", entry->seq);
	json_put_time(&w, "time", entry->time_ms);
	json_put_str(&w, "entry", kind);
	put_id(&w, "author", entry->author);
	if (entry->target > 0)
		json_put_int(&w, "target", entry->target);
	if (entry->text.len > 0)
		json_put_text(&w, "text", entry->text);
	if (entry->extra.len > 0) {
		buf_put_char(&export->line, ',');
		buf_put_slice(&export->line, entry->extra);
	}
	return finish(export, &w);
}

static void put_conversation(struct export *export, const struct place *place)
{
	struct store_read read = {
	    .kind = STORE_READ_RANGE,
	    .conversation = place->conversation,
	    .before = INT64_MAX,
	    .limit = PAGE,
	};
	struct store *store = export->store;
	struct json_writer w;
	int64_t last, time_ms, first;

	export->status = store->ops->last(
	    store, place->conversation, &last, &time_ms, &first, export->err);
	if (export->status != STATUS_OK)
		return;
	begin(export, &w);
	put_place(&w, place);
	json_put_int(&w, "first", first);
	json_put_int(&w, "last", last);
	if (!finish(export, &w))
		return;
	export->place = place;
	do {
		enum status status;

		export->count = 0;
		status = store->ops->read(store, &read, take_entry, export, export->err);
		if (export->status == STATUS_OK)
			export->status = status;
		read.after = export->after;
	} while (export->count > 0 && export->status == STATUS_OK);
}

static void release(struct export *export)
{
	struct place *place, *next;
	struct tree_node *node;

	for (place = export->places; place != NULL; place = next) {
		next = place->next;
		free(place);
	}
	while ((node = tree_first(&export->people)) != NULL) {
		tree_remove(&export->people, node);
		free(tree_entry(node, struct person, node));
	}
	buf_release_secret(&export->line);
}

enum status export_write(struct store *store, const char *room, int64_t now_ms,
    export_put_fn *put, void *arg, struct error *err)
{
	struct export export = {
	    .store = store, .room = room, .put = put, .arg = arg, .err = err};

	export.places_end = &export.places;
	buf_init(&export.line, EXPORT_LINE_MAX);
	put_header(&export, now_ms);
	if (export.status == STATUS_OK)
		put_records(&export);
	if (export.status == STATUS_OK && room != NULL && export.places == NULL)
		export.status =
		    error_set(err, STATUS_NOT_FOUND, "there is no room %.64s in the store", room);
	for (const struct place *place = export.places;
	     place != NULL && export.status == STATUS_OK; place = place->next)
		put_conversation(&export, place);
	if (export.status == STATUS_OK)
		put_end(&export);
	release(&export);
	return export.status;
}
