#include "chat/view.h"

#include <stdlib.h>

#define RUN 1000    /* entries of one read */
#define RUNS_MAX 20 /* for one page */
#define TEXT_MAX (16u << 20)

struct chat_view_reaction {
	struct chat_view_reaction *next;
	unsigned count, name_count;
	bool me;
	unsigned char len;
	char emoji[PROTO_LIMIT_emoji];
	struct {
		uint64_t id;
		char name[PROTO_USER_MAX + 1];
	} who[CHAT_VIEW_NAMES];
};

void chat_view_init(struct chat_view *view, struct store *store, uint64_t me)
{
	*view = (struct chat_view){.store = store, .me = me};
}

/* --- Bytes ---------------------------------------------------------------------------------- */

static struct slice take_copy(struct chat_view *view, struct slice bytes)
{
	char *copy = malloc(bytes.len + 1);

	if (copy == NULL) {
		view->failed = true;
		return slice_make(NULL, 0);
	}
	if (bytes.len > 0)
		memcpy(copy, bytes.ptr, bytes.len);
	view->bytes += bytes.len;
	return slice_make(copy, bytes.len);
}

static void drop_copy(struct chat_view *view, struct slice *bytes)
{
	view->bytes -= bytes->len;
	/* The view's own, although a slice lends. */
	free((void *)(uintptr_t)bytes->ptr);
	*bytes = slice_make(NULL, 0);
}

static void drop_reaction(struct chat_view *view, struct chat_view_message *message,
    struct chat_view_reaction **link)
{
	struct chat_view_reaction *reaction = *link;

	*link = reaction->next;
	view->bytes -= sizeof *reaction;
	message->emoji_count--;
	free(reaction);
}

/* What happened to it is forgotten. */
static void reset(struct chat_view *view, struct chat_view_message *message)
{
	drop_copy(view, &message->newest);
	drop_copy(view, &message->newest_extra);
	message->edited_ms = 0;
	while (message->reactions != NULL)
		drop_reaction(view, message, &message->reactions);
}

bool chat_view_add(struct chat_view *view, const struct store_entry *entry)
{
	struct chat_view_message *message;

	if (view->messages == NULL)
		view->messages = calloc(CHAT_VIEW_MESSAGES + 2, sizeof *view->messages);
	if (view->messages == NULL || view->count == CHAT_VIEW_MESSAGES + 2) {
		view->failed = true;
		return false;
	}
	message = &view->messages[view->count++];
	*message = (struct chat_view_message){.entry = *entry};
	message->entry.text = take_copy(view, entry->text);
	message->entry.extra = take_copy(view, entry->extra);
	return !view->failed;
}

void chat_view_remove(struct chat_view *view, size_t at)
{
	struct chat_view_message *message = &view->messages[at];

	reset(view, message);
	drop_copy(view, &message->entry.text);
	drop_copy(view, &message->entry.extra);
	memmove(message, message + 1, (--view->count - at) * sizeof *message);
}

void chat_view_release(struct chat_view *view)
{
	while (view->count > 0)
		chat_view_remove(view, view->count - 1);
	free(view->messages);
	view->messages = NULL;
}

/* --- What happened since -------------------------------------------------------------------- */

struct reading {
	struct chat_view *view;
	size_t from, to;
	size_t found; /* in this run */
	int64_t last;
};

static struct chat_view_message *find(const struct reading *reading, int64_t seq)
{
	struct chat_view_message *messages = reading->view->messages;
	size_t from = reading->from, to = reading->to;

	while (from < to) {
		size_t at = from + (to - from) / 2;

		if (messages[at].entry.seq == seq)
			return &messages[at];
		if (messages[at].entry.seq < seq)
			from = at + 1;
		else
			to = at;
	}
	return NULL;
}

static void edit(struct chat_view *view, struct chat_view_message *message,
    const struct store_entry *entry)
{
	drop_copy(view, &message->newest);
	drop_copy(view, &message->newest_extra);
	message->newest = take_copy(view, entry->text);
	message->newest_extra = take_copy(view, entry->extra);
	message->edited_ms = entry->time_ms;
}

/* The link to the reaction with this emoji; to NULL behind the last, if there is none. */
static struct chat_view_reaction **find_emoji(struct chat_view_message *message, struct slice emoji)
{
	struct chat_view_reaction **link = &message->reactions;

	while (*link != NULL && !slice_equal(slice_make((*link)->emoji, (*link)->len), emoji))
		link = &(*link)->next;
	return link;
}

/* "from", without reading all of the JSON: names need no escapes, and it comes first. */
static struct slice name_of(const struct store_entry *entry)
{
	const char *start = "\"from\":\"";
	struct slice rest = entry->extra;

	if (!slice_starts(rest, start))
		return slice_make("", 0);
	rest.ptr += strlen(start);
	rest.len -= strlen(start);
	return slice_cut(&rest, '"');
}

static void react(struct chat_view *view, struct chat_view_message *message,
    const struct store_entry *entry)
{
	struct chat_view_reaction **link = find_emoji(message, entry->text);
	struct chat_view_reaction *reaction = *link;

	if (reaction == NULL) {
		if (message->emoji_count == CHAT_VIEW_EMOJIS || entry->text.len > PROTO_LIMIT_emoji)
			return;
		reaction = *link = calloc(1, sizeof *reaction);
		if (reaction == NULL) {
			view->failed = true;
			return;
		}
		view->bytes += sizeof *reaction;
		message->emoji_count++;
		reaction->len = (unsigned char)entry->text.len;
		memcpy(reaction->emoji, entry->text.ptr, entry->text.len);
	}
	reaction->count++;
	reaction->me = reaction->me || entry->author == view->me;
	if (reaction->name_count == CHAT_VIEW_NAMES)
		return;
	reaction->who[reaction->name_count].id = entry->author;
	str_copy(reaction->who[reaction->name_count++].name, PROTO_USER_MAX + 1, name_of(entry));
}

static void unreact(struct chat_view *view, struct chat_view_message *message,
    const struct store_entry *entry)
{
	struct chat_view_reaction **link = find_emoji(message, entry->text);
	struct chat_view_reaction *reaction = *link;
	unsigned i = 0;

	if (reaction == NULL)
		return;
	if (--reaction->count == 0) {
		drop_reaction(view, message, link);
		return;
	}
	reaction->me = reaction->me && entry->author != view->me;
	while (i < reaction->name_count && reaction->who[i].id != entry->author)
		i++;
	if (i < reaction->name_count)
		memmove(&reaction->who[i], &reaction->who[i + 1],
		    (--reaction->name_count - i) * sizeof reaction->who[0]);
}

static bool take_change(void *arg, const struct store_entry *entry)
{
	struct reading *reading = arg;
	struct chat_view *view = reading->view;
	struct chat_view_message *message = find(reading, entry->target);

	reading->found++;
	reading->last = entry->seq;
	if (message == NULL || message->entry.kind != STORE_MESSAGE)
		return true;
	if (entry->kind == STORE_EDIT)
		edit(view, message, entry);
	else if (entry->kind == STORE_REACT)
		react(view, message, entry);
	else
		unreact(view, message, entry);
	if (view->bytes > CHAT_VIEW_BYTES && reading->to - reading->from > 1)
		view->full = true;
	return !view->failed && !view->full;
}

/* All changes of these kinds, in runs. */
static enum status read_kinds(struct chat_view *view, struct store_read *read,
    struct reading *reading)
{
	for (unsigned i = 0; i < RUNS_MAX; i++) {
		enum status status;

		reading->found = 0;
		status = view->store->ops->read(view->store, read, take_change, reading, NULL);
		if (status == STATUS_OK && view->failed)
			status = STATUS_NOMEM;
		if (status != STATUS_OK || view->full || reading->found < read->limit ||
		    read->newest)
			return status;
		read->newer = reading->last;
	}
	view->full = reading->to - reading->from > 1;
	return STATUS_OK;
}

enum status chat_view_update(struct chat_view *view, size_t from, size_t to)
{
	struct reading reading = {.view = view, .from = from, .to = to};
	struct store_read read = {
	    .kind = STORE_READ_TARGETS,
	    .conversation = view->messages[from].entry.conversation,
	    .after = view->messages[from].entry.seq - 1,
	    .before = view->messages[to - 1].entry.seq + 1,
	    .limit = RUN,
	    .kinds = 1u << STORE_EDIT,
	};
	enum status status;

	view->full = false;
	for (size_t i = from; i < to; i++)
		reset(view, &view->messages[i]);
	/* Of one only the last edit matters, however many there were. */
	if (to - from == 1) {
		read.limit = 1;
		read.newest = true;
	}
	status = read_kinds(view, &read, &reading);
	if (status != STATUS_OK || view->full)
		return status;
	read.kinds = 1u << STORE_REACT | 1u << STORE_UNREACT;
	read.limit = RUN;
	read.newest = false;
	read.newer = 0;
	return read_kinds(view, &read, &reading);
}

static bool take_message(void *arg, const struct store_entry *entry)
{
	if (entry->kind == STORE_MESSAGE && entry->text.len > 0)
		chat_view_add(arg, entry);
	return false;
}

enum status chat_view_one(struct chat_view *view, uint64_t conversation, int64_t seq)
{
	const struct store_read read = {
	    .kind = STORE_READ_ONE,
	    .conversation = conversation,
	    .after = seq,
	};
	enum status status = view->store->ops->read(view->store, &read, take_message, view, NULL);

	if (status == STATUS_OK && view->failed)
		return STATUS_NOMEM;
	return status == STATUS_OK && view->count > 0 ? chat_view_update(view, 0, 1) : status;
}

/* --- As JSON -------------------------------------------------------------------------------- */

static void put_reactions(const struct chat_view_message *message, struct json_writer *w)
{
	if (message->reactions == NULL)
		return;
	json_open_array(w, "reactions");
	for (const struct chat_view_reaction *r = message->reactions; r != NULL; r = r->next) {
		json_open_object(w, NULL);
		json_put_text(w, "emoji", slice_make(r->emoji, r->len));
		json_put_int(w, "count", r->count);
		json_open_array(w, "users");
		for (unsigned i = 0; i < r->name_count; i++)
			json_put_str(w, NULL, r->who[i].name);
		json_close_array(w);
		if (r->me)
			json_put_bool(w, "me", true);
		json_close_object(w);
	}
	json_close_array(w);
}

/* What it was before it was deleted is shown to nobody: PROTOCOL.md, 15.3. */
static void put_content(const struct chat_view_message *message, const struct json *root,
    struct json_writer *w)
{
	bool edited = message->edited_ms != 0;
	struct json *newest = edited ? chat_extra_parse(message->newest_extra) : NULL;

	json_put_text(w, "text", edited ? message->newest : message->entry.text);
	chat_put_member(w, root, "kind");
	chat_put_member(w, root, "reply");
	chat_put_member(w, root, "data");
	chat_put_member(w, edited ? newest : root, "mentions");
	chat_put_member(w, root, "guest");
	if (edited)
		json_put_time(w, "edited", message->edited_ms);
	put_reactions(message, w);
	json_free(newest);
}

void chat_view_put(const struct chat_view *view, size_t at, struct json_writer *w)
{
	const struct chat_view_message *message = &view->messages[at];
	struct json *root = chat_extra_parse(message->entry.extra);
	bool erased = message->entry.text.len == 0 ||
		      (message->edited_ms != 0 && message->newest.len == 0);

	if (root == NULL)
		w->to->failed = true;
	json_put_int(w, "seq", message->entry.seq);
	chat_put_member(w, root, "from");
	json_put_time(w, "time", message->entry.time_ms);
	if (erased) {
		chat_put_member(w, root, "guest");
		json_put_bool(w, "deleted", true);
	} else {
		put_content(message, root, w);
	}
	json_free(root);
}

/* --- Lines ---------------------------------------------------------------------------------- */

bool chat_lines_init(struct chat_lines *lines, size_t count)
{
	buf_init(&lines->text, TEXT_MAX);
	lines->count = 0;
	lines->line = calloc(count + 1, sizeof *lines->line);
	return lines->line != NULL;
}

void chat_lines_release(struct chat_lines *lines)
{
	buf_release(&lines->text);
	free(lines->line);
	lines->line = NULL;
}

struct buf *chat_lines_begin(struct chat_lines *lines, const struct store_entry *entry)
{
	lines->line[lines->count] = (struct chat_line){
	    .conversation = entry->conversation,
	    .seq = entry->seq,
	    .at = lines->text.len,
	};
	return &lines->text;
}

void chat_lines_end(struct chat_lines *lines)
{
	struct chat_line *line = &lines->line[lines->count++];

	line->len = lines->text.len - line->at;
}

struct slice chat_lines_get(const struct chat_lines *lines, size_t at)
{
	return slice_make(lines->text.ptr + lines->line[at].at, lines->line[at].len);
}
