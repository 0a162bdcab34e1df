/*
 * history: a page of a conversation, read and written by a job; what was deleted while it was read
 * makes it read again, so that no deleted text leaves.
 */
#include "chat/rights.h"
#include "chat/view.h"

#include <stdlib.h>

#define LIMIT 50 /* messages of a page, if nothing else is wanted */
#define TRIES_MAX 8

struct history_job {
	struct chat_job job;
	struct chat_place place;
	uint64_t conversation, me;
	int64_t first; /* that the caller may see */
	int64_t before, after, around; /* one of them, or -1 */
	size_t limit;
	bool events;
	unsigned tries;
	size_t pin_count;
	int64_t pins[PROTO_LIMIT_pins]; /* in the order of seq */
	/* What was read. */
	enum status status;
	bool more;
	struct chat_lines lines;
};

static void release(struct chat_job *base)
{
	chat_lines_release(&((struct history_job *)base)->lines);
}

/* --- Reading -------------------------------------------------------------------------------- */

/* One direction of a page. */
struct part {
	struct history_job *job;
	struct chat_view *view;
	size_t from, limit, bytes; /* entries of the view from `from` on are this part's */
	bool newest;		   /* then the oldest are too many, else the newest */
};

static bool take_entry(void *arg, const struct store_entry *entry)
{
	struct part *part = arg;
	struct chat_view *view = part->view;

	if (!part->newest && (view->count - part->from == part->limit ||
				 view->bytes > part->bytes)) {
		part->job->more = true;
		return false;
	}
	if (!chat_view_add(view, entry))
		return false;
	while (part->newest && view->count - part->from > 1 &&
	       (view->count - part->from > part->limit || view->bytes > part->bytes)) {
		chat_view_remove(view, part->from);
		part->job->more = true;
	}
	return true;
}

static enum status read_part(struct part *part, int64_t after, int64_t before)
{
	struct history_job *job = part->job;
	struct store *store = job->job.store;
	const struct store_read read = {
	    .kind = STORE_READ_RANGE,
	    .conversation = job->conversation,
	    .after = after,
	    .before = before,
	    .limit = (unsigned)part->limit + 1, /* is there more? */
	    .newest = part->newest,
	    .kinds = job->events ? 0 : 1u << STORE_MESSAGE,
	};
	enum status status;

	if (part->limit == 0)
		return STATUS_OK;
	part->from = part->view->count;
	part->bytes += part->view->bytes;
	status = store->ops->read(store, &read, take_entry, part, NULL);
	return status == STATUS_OK && part->view->failed ? STATUS_NOMEM : status;
}

/* The part of the reply that a page may be of entries, before JSON makes them longer. */
#define PAGE_BYTES (PROTO_LIMIT_reply / 2)

/* The entries of the page; *ret_anchor is where it grows from: the last to be given up. */
static enum status read_page(struct history_job *job, struct chat_view *view, size_t *ret_anchor)
{
	struct part part = {.job = job, .view = view, .limit = job->limit, .bytes = PAGE_BYTES};
	int64_t lowest = job->first - 1;
	enum status status;

	*ret_anchor = 0;
	if (job->after >= 0)
		return read_part(&part, job->after > lowest ? job->after : lowest, INT64_MAX);
	part.newest = true;
	if (job->around < 0) {
		status = read_part(&part, lowest, job->before >= 0 ? job->before : INT64_MAX);
		*ret_anchor = view->count;
		return status;
	}
	part.limit = job->limit / 2;
	status = read_part(&part, lowest, job->around);
	*ret_anchor = view->count;
	part.newest = false;
	part.bytes = PAGE_BYTES;
	part.limit = job->limit - job->limit / 2;
	if (status == STATUS_OK)
		status = read_part(&part, job->around > lowest ? job->around - 1 : lowest,
		    INT64_MAX);
	return status;
}

/* Gives up one of from..to-1: the one that is farthest from the anchor. */
static void shed(size_t anchor, size_t *from, size_t *to)
{
	if (*to > anchor && *to - anchor >= anchor - *from)
		--*to;
	else
		++*from;
}

/* What happened to them; with too much of it for so many, of the half of them, and so on. */
static enum status update(struct chat_view *view, size_t anchor, size_t *from, size_t *to)
{
	for (;;) {
		size_t half = (*to - *from) / 2;
		enum status status = chat_view_update(view, *from, *to);

		if (status != STATUS_OK || !view->full)
			return status;
		for (size_t i = 0; i < half; i++)
			shed(anchor, from, to);
	}
}

static bool is_pinned(const struct history_job *job, int64_t seq)
{
	for (size_t i = 0; i < job->pin_count; i++)
		if (job->pins[i] == seq)
			return true;
	return false;
}

static void put_line(struct history_job *job, const struct chat_view *view, size_t at)
{
	const struct store_entry *entry = &view->messages[at].entry;
	struct buf *to = chat_lines_begin(&job->lines, entry);
	struct json_writer w;

	if (job->events) {
		chat_put_event(to, &job->place, entry, true);
		if (to->len > 0 && !to->failed)
			to->len--; /* the LF */
	} else {
		json_begin(&w, to);
		chat_view_put(view, at, &w);
		if (is_pinned(job, entry->seq))
			json_put_bool(&w, "pinned", true);
		json_end(&w);
	}
	chat_lines_end(&job->lines);
}

/* Those that fit into a reply. */
static enum status put_lines(struct history_job *job, const struct chat_view *view, size_t anchor,
    size_t from, size_t to)
{
	struct chat_lines *lines = &job->lines;
	size_t low = 0, high = to - from, bytes;

	if (!chat_lines_init(lines, to - from))
		return STATUS_NOMEM;
	for (size_t at = from; at < to; at++)
		put_line(job, view, at);
	if (lines->text.failed)
		return STATUS_NOMEM;
	bytes = lines->text.len + lines->count;
	anchor = anchor > from ? anchor - from : 0;
	while (bytes > CHAT_LINES_BYTES && high - low > 1) {
		size_t low_before = low, high_before = high;

		shed(anchor < high ? anchor : high, &low, &high);
		bytes -= lines->line[low > low_before ? low_before : high_before - 1].len + 1;
		job->more = true;
	}
	memmove(lines->line, lines->line + low, (high - low) * sizeof *lines->line);
	lines->count = high - low;
	return STATUS_OK;
}

static void run(struct chat_job *base)
{
	struct history_job *job = (struct history_job *)base;
	struct chat_view view;
	size_t anchor = 0, from = 0, to;

	chat_view_init(&view, base->store, job->me);
	job->status = read_page(job, &view, &anchor);
	to = view.count;
	if (job->status == STATUS_OK && to > 0 && !job->events)
		job->status = update(&view, anchor, &from, &to);
	job->more = job->more || to - from < view.count;
	if (job->status == STATUS_OK)
		job->status = put_lines(job, &view, anchor, from, to);
	chat_view_release(&view);
}

/* --- The request ---------------------------------------------------------------------------- */

static bool reply(struct chat_call *call, const struct chat_lines *lines, int64_t first, bool more)
{
	bool events = request_field(call->request, PROTO_FIELD_history_events)->flag;
	struct json_writer w;

	if (!chat_reply_begin(call, &w))
		return true;
	json_open_array(&w, events ? "events" : "messages");
	for (size_t i = 0; lines != NULL && i < lines->count; i++)
		if (lines->line[i].seq >= first)
			json_put_raw(&w, NULL, chat_lines_get(lines, i));
	json_close_array(&w);
	json_put_int(&w, "first", first);
	json_put_bool(&w, "more", more);
	chat_reply_end(call, &w);
	return true;
}

static bool start(struct chat_call *call, unsigned tries);

static bool done(struct chat_call *call, struct chat_job *base)
{
	struct history_job *job = (struct history_job *)base;
	const struct chat_change any = {
	    .conversation = job->conversation,
	    .kind = STORE_MESSAGE,
	};
	struct chat_conv *conv;

	if (!chat_check_rights(call))
		return false;
	conv = chat_call_conv(call);
	if (conv == NULL || conv->id != job->conversation ||
	    chat_change_missed(call->chat, base, &any))
		return start(call, job->tries + 1);
	if (job->status != STATUS_OK)
		return chat_refuse(call, PROTO_ERR_unavailable,
		    "the history cannot be read now; try again later");
	return reply(call, &job->lines, chat_call_first(call), job->more);
}

static int64_t number_of(const struct chat_call *call, enum proto_field field)
{
	const struct request_field *f = request_field(call->request, field);

	return f->present ? f->number : -1;
}

static void copy_pins(struct history_job *job, const struct chat_conv *conv)
{
	struct tree_node *node = conv->room != NULL ? tree_first(&conv->room->pins) : NULL;

	for (; node != NULL && job->pin_count < PROTO_LIMIT_pins; node = tree_next(node))
		job->pins[job->pin_count++] = tree_entry(node, struct chat_pin, node)->target;
}

static bool start(struct chat_call *call, unsigned tries)
{
	struct chat_conv *conv = chat_call_conv(call);
	int64_t limit = number_of(call, PROTO_FIELD_history_limit);
	struct history_job *job;

	if (call->request->id.kind == REQUEST_ID_NONE)
		return true; /* nobody would hear the answer */
	if (conv == NULL || !conv->kept)
		return reply(call, NULL, conv != NULL ? conv->seq + 1 : 1, false);
	if (tries >= TRIES_MAX)
		return chat_refuse(call, PROTO_ERR_unavailable,
		    "too much is being deleted there; try again later");
	job = chat_job_new(call, sizeof *job, run, done);
	if (job == NULL)
		return false;
	job->job.release = release;
	chat_place_of(conv, &job->place);
	job->conversation = conv->id;
	job->me = call->user->id;
	job->first = chat_call_first(call);
	job->before = number_of(call, PROTO_FIELD_history_before);
	job->after = number_of(call, PROTO_FIELD_history_after);
	job->around = number_of(call, PROTO_FIELD_history_around);
	job->limit = limit > 0 ? (size_t)limit : LIMIT;
	job->events = request_field(call->request, PROTO_FIELD_history_events)->flag;
	job->tries = tries;
	copy_pins(job, conv);
	return true;
}

bool cmd_history(struct chat_call *call)
{
	static const struct {
		enum proto_field field;
		const char *name;
	} places[] = {
	    {PROTO_FIELD_history_before, "before"},
	    {PROTO_FIELD_history_after, "after"},
	    {PROTO_FIELD_history_around, "around"},
	};
	unsigned given = 0;

	for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
		given += request_field(call->request, places[i].field)->present;
		if (given < 2)
			continue;
		chat_refuse(call, PROTO_ERR_bad_field,
		    "a page is before, after or around something: one of them");
		call->error.field = places[i].name;
		return false;
	}
	return start(call, 0);
}
