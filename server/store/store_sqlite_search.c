/*
 * Searching: the query's words and phrases become quoted strings of an FTS5 expression, so that
 * nothing of it is ever syntax. What the index finds is looked up among the entries, newest first,
 * and filtered there; memory does not grow with what is found.
 */
#include "store/store_sqlite_private.h"

#include <inttypes.h>
#include <stdlib.h>

#define LIMIT_MAX 1000
#define WORDS_MAX 64
#define EXPRESSION_MAX 65536
#define PLACES_MAX 64 /* conversations looked up in the index; more are filtered here */

/* --- The query --- */

static int count_token(void *arg, int flags, const char *token, int len, int start, int end)
{
	bool *has = arg;

	(void)flags;
	(void)token;
	(void)len;
	(void)start;
	(void)end;
	*has = true;
	return SQLITE_DONE;
}

/* The index's own way of cutting texts into words, to know what has none. */
struct tokenizer {
	fts5_tokenizer calls;
	Fts5Tokenizer *instance;
};

static bool tokenizer_open(struct store_db *db, struct tokenizer *tokenizer)
{
	const char *options[] = {"remove_diacritics", "2"};
	sqlite3_stmt *ask = NULL;
	fts5_api *api = NULL;
	void *context;

	if (sqlite3_prepare_v2(db->handle, "SELECT fts5(?1)", -1, &ask, NULL) == SQLITE_OK) {
		sqlite3_bind_pointer(ask, 1, &api, "fts5_api_ptr", NULL);
		sqlite3_step(ask);
	}
	sqlite3_finalize(ask);
	return api != NULL &&
	       api->xFindTokenizer(api, "unicode61", &context, &tokenizer->calls) == SQLITE_OK &&
	       tokenizer->calls.xCreate(context, options, 2, &tokenizer->instance) == SQLITE_OK;
}

static bool has_word(const struct tokenizer *tokenizer, struct slice text)
{
	bool has = false;

	tokenizer->calls.xTokenize(
	    tokenizer->instance, &has, FTS5_TOKENIZE_QUERY, text.ptr, (int)text.len, count_token);
	return has;
}

static bool is_gap(char c)
{
	return c >= 0 && c <= ' ';
}

/* Cuts the next word or "phrase" off the front, without its quotes; an end of the query ends a
 * phrase, too. */
static bool next_part(struct slice *query, struct slice *ret_part)
{
	bool quoted;
	size_t len = 0;

	while (query->len > 0 && is_gap(query->ptr[0])) {
		query->ptr++;
		query->len--;
	}
	if (query->len == 0)
		return false;
	quoted = query->ptr[0] == '"';
	if (quoted) {
		query->ptr++;
		query->len--;
	}
	while (len < query->len && query->ptr[len] != '"' && (quoted || !is_gap(query->ptr[len])))
		len++;
	*ret_part = slice_make(query->ptr, len);
	query->ptr += len;
	query->len -= len;
	if (quoted && query->len > 0) {
		query->ptr++;
		query->len--;
	}
	return true;
}

/* A part has no quotes in it; control characters (a NUL would end the expression) are spaces. */
static void put_string(struct buf *to, struct slice part)
{
	buf_put_char(to, '"');
	for (size_t i = 0; i < part.len; i++)
		buf_put_char(to, is_gap(part.ptr[i]) ? ' ' : part.ptr[i]);
	buf_put_char(to, '"');
}

static enum status put_words(
    struct buf *to, const struct tokenizer *tokenizer, struct slice query, struct error *err)
{
	unsigned count = 0;
	struct slice part;

	buf_put_str(to, "text : (");
	while (next_part(&query, &part)) {
		if (!has_word(tokenizer, part))
			continue;
		if (++count > WORDS_MAX)
			return error_set(err, STATUS_INVALID,
			    "a search may have at most %d words and phrases", WORDS_MAX);
		if (count > 1)
			buf_put_str(to, " AND ");
		put_string(to, part);
	}
	buf_put_str(to, ")");
	if (count == 0)
		return error_set(err, STATUS_INVALID, "the search has no word in it");
	if (to->failed)
		return error_set(err, STATUS_INVALID, "the search is too long");
	return STATUS_OK;
}

static void put_places(struct buf *to, const struct store_read *read)
{
	if (read->conversation_count <= PLACES_MAX) {
		buf_put_str(to, " AND place : (");
		for (size_t i = 0; i < read->conversation_count; i++)
			buf_put_fmt(
			    to, "%s\"c%" PRIu64 "\"", i > 0 ? " OR " : "", read->conversations[i]);
		buf_put_str(to, ")");
	}
	if (read->author != 0)
		buf_put_fmt(to, " AND place : \"a%" PRIu64 "\"", read->author);
}

static enum status make_expression(
    struct store_db *db, const struct store_read *read, struct buf *to, struct error *err)
{
	struct tokenizer tokenizer;
	enum status status;

	if (!tokenizer_open(db, &tokenizer))
		return error_set(err, STATUS_NOMEM, "cannot search: out of memory");
	status = put_words(to, &tokenizer, read->query, err);
	tokenizer.calls.xDelete(tokenizer.instance);
	if (status != STATUS_OK)
		return status;
	put_places(to, read);
	return to->failed ? error_set(err, STATUS_INVALID, "the search is too long") : STATUS_OK;
}

/* --- What was found --- */

struct place {
	uint64_t conversation;
	int64_t first; /* the oldest seq that is found there */
};

static int compare_places(const void *a, const void *b)
{
	const struct place *left = a, *right = b;

	return (left->conversation > right->conversation) -
	       (left->conversation < right->conversation);
}

/* NULL without memory. */
static struct place *sort_places(const struct store_read *read)
{
	struct place *places = malloc(read->conversation_count * sizeof *places);

	if (places == NULL)
		return NULL;
	for (size_t i = 0; i < read->conversation_count; i++)
		places[i] = (struct place){read->conversations[i],
		    read->firsts != NULL ? read->firsts[i] : INT64_MIN};
	qsort(places, read->conversation_count, sizeof *places, compare_places);
	return places;
}

struct filter {
	const struct store_read *read;
	struct place *places; /* sorted; NULL if the index looks for all that is asked */
	int64_t skip;     /* results to pass over */
	unsigned left;    /* results to give */
};

static bool is_in_place(const struct filter *filter, const struct store_entry *entry)
{
	const struct place wanted = {.conversation = entry->conversation};
	const struct place *place = bsearch(&wanted, filter->places,
	    filter->read->conversation_count, sizeof wanted, compare_places);

	return place != NULL &&
	       (entry->kind == STORE_EDIT ? entry->target : entry->seq) >= place->first;
}

static bool is_wanted(const struct filter *filter, const struct store_entry *entry)
{
	const struct store_read *read = filter->read;

	if (entry->time_ms < read->since_ms || entry->time_ms > read->until_ms)
		return false;
	if (read->kinds != 0 && (read->kinds >> entry->kind & 1) == 0)
		return false;
	return filter->places == NULL || is_in_place(filter, entry);
}

/* One of the index's finds; false ends the search. */
static bool give(struct store_db *db, int64_t id, struct filter *filter, store_entry_fn *fn,
    void *arg, enum status *ret_status)
{
	sqlite3_stmt *row = store_db_statement(db, SQL_BY_ID);
	struct store_entry entry;
	bool more = true;

	sqlite3_bind_int64(row, 1, id);
	if (!store_db_row(db, row, ret_status))
		return *ret_status == STATUS_OK; /* trimmed, and not out of the index yet */
	entry = store_entry_of_row(row);
	if (is_wanted(filter, &entry)) {
		if (filter->skip > 0)
			filter->skip--;
		else
			more = fn(arg, &entry) && --filter->left > 0;
	}
	sqlite3_reset(row);
	return more;
}

/* The index and the entries are seen as of one moment. */
static enum status find(struct store_db *db, struct slice expression, struct filter *filter,
    store_entry_fn *fn, void *arg)
{
	enum status status = store_db_do(db, SQL_BEGIN_READ);
	sqlite3_stmt *hit;

	if (status != STATUS_OK)
		return status;
	hit = store_db_statement(db, SQL_SEARCH);
	store_bind_slice(hit, 1, expression, true);
	while (store_db_row(db, hit, &status))
		if (!give(db, sqlite3_column_int64(hit, 0), filter, fn, arg, &status))
			break;
	if (status != STATUS_OK)
		return status;
	sqlite3_reset(hit);
	return store_db_do(db, SQL_COMMIT);
}

enum status store_search(struct store_sqlite *store, struct store_db *db,
    const struct store_read *read, store_entry_fn *fn, void *arg, struct error *err)
{
	struct filter filter = {
	    .read = read,
	    .skip = read->offset,
	    .left = read->limit < LIMIT_MAX ? read->limit : LIMIT_MAX,
	};
	struct buf expression;
	enum status status;

	buf_init(&expression, EXPRESSION_MAX);
	status = make_expression(db, read, &expression, err);
	if (status != STATUS_OK || read->conversation_count == 0 || filter.left == 0)
		goto end;
	if (read->conversation_count > PLACES_MAX || read->firsts != NULL) {
		filter.places = sort_places(read);
		if (filter.places == NULL) {
			status = error_set(err, STATUS_NOMEM, "cannot search: out of memory");
			goto end;
		}
	}
	status = store_index_catch_up(store);
	if (status != STATUS_OK) {
		status = status == STATUS_INVALID ? STATUS_IO : status;
		error_set(err, status, "cannot bring the search index of %s up to date: %s",
		    store->path, status_text(status));
		goto end;
	}
	status = find(db, buf_slice(&expression), &filter, fn, arg);
	if (status != STATUS_OK) {
		error_set(err, STATUS_IO, "cannot search in %s: %s", store->path,
		    sqlite3_errmsg(db->handle));
		status = STATUS_IO;
		store_db_rollback(db);
	}
end:
	free(filter.places);
	buf_release(&expression);
	return status;
}
