/*
 * search: what the store finds in the caller's conversations, as the messages are now. The store
 * looks only at what the caller may see, or the end of a page would tell that there is more.
 */
#include "chat/rights.h"
#include "chat/view.h"

#include <stdlib.h>

#define LIMIT 20
#define TRIES_MAX 8

struct hit {
	uint64_t conversation;
	int64_t seq, offset;
};

/* Where the caller may look, and from which seq on. */
struct scope {
	uint64_t *conversations;
	int64_t *firsts;
	size_t count;
};

struct search_job {
	struct chat_job job;
	struct scope scope;
	struct slice query; /* lent from the request */
	uint64_t me, author;
	int64_t since_ms, until_ms, offset;
	size_t limit;
	unsigned tries;
	/* What was found. */
	enum status status;
	struct hit hits[CHAT_VIEW_MESSAGES];
	size_t hit_count;
	int64_t seen; /* results of the store looked at */
	bool more;
	struct chat_lines lines; /* mark: the result's offset */
};

static void release(struct chat_job *base)
{
	struct search_job *job = (struct search_job *)base;

	free(job->scope.conversations);
	free(job->scope.firsts);
	chat_lines_release(&job->lines);
}

/* --- Searching ------------------------------------------------------------------------------ */

static bool take_hit(void *arg, const struct store_entry *entry)
{
	struct search_job *job = arg;
	int64_t seq = entry->kind == STORE_EDIT ? entry->target : entry->seq;

	if (job->hit_count == job->limit) {
		job->more = true;
		return false;
	}
	job->hits[job->hit_count++] =
	    (struct hit){entry->conversation, seq, job->offset + job->seen++};
	return true;
}

/* One result as its message is now; nothing, if that has just been deleted. */
static enum status put_hit(struct search_job *job, const struct hit *hit)
{
	struct chat_view view;
	struct json_writer w;
	enum status status;

	chat_view_init(&view, job->job.store, job->me);
	status = chat_view_one(&view, hit->conversation, hit->seq);
	if (status == STATUS_OK && view.count > 0) {
		w = (struct json_writer){
		    .to = chat_lines_begin(&job->lines, &view.messages[0].entry)};
		job->lines.line[job->lines.count].mark = hit->offset;
		chat_view_put(&view, 0, &w);
		chat_lines_end(&job->lines);
	}
	chat_view_release(&view);
	return status;
}

static enum status put_hits(struct search_job *job)
{
	struct chat_lines *lines = &job->lines;
	enum status status = STATUS_OK;

	if (!chat_lines_init(lines, job->hit_count))
		return STATUS_NOMEM;
	for (size_t i = 0; i < job->hit_count && status == STATUS_OK; i++) {
		size_t around = lines->count * (CHAT_CONV_NAME + 64);

		status = put_hit(job, &job->hits[i]);
		if (lines->text.len + around < CHAT_LINES_BYTES || lines->count < 2)
			continue;
		/* It comes with the next page, and what is behind it. */
		lines->count--;
		job->seen = job->hits[i].offset - job->offset;
		job->more = true;
		break;
	}
	return status == STATUS_OK && lines->text.failed ? STATUS_NOMEM : status;
}

static void run(struct chat_job *base)
{
	struct search_job *job = (struct search_job *)base;
	const struct store_read read = {
	    .kind = STORE_SEARCH,
	    .limit = (unsigned)job->limit + 1, /* is there more? */
	    .conversations = job->scope.conversations,
	    .firsts = job->scope.firsts,
	    .conversation_count = job->scope.count,
	    .query = job->query,
	    .author = job->author,
	    .since_ms = job->since_ms,
	    .until_ms = job->until_ms,
	    .offset = job->offset,
	};

	if (job->scope.conversations == NULL || job->scope.firsts == NULL) {
		job->status = STATUS_NOMEM;
		return;
	}
	job->status = base->store->ops->read(base->store, &read, take_hit, job, NULL);
	if (job->status == STATUS_OK)
		job->status = put_hits(job);
}

/* --- The reply ------------------------------------------------------------------------------ */

/* The conversation, if the caller may still see that message. */
static struct chat_conv *find_visible(const struct chat_call *call, const struct chat_line *line)
{
	struct chat_conv *conv = chat_conv_find(call->chat, line->conversation);
	int64_t first = INT64_MAX;

	if (conv == NULL)
		return NULL;
	if (conv->room != NULL) {
		struct chat_member *member = chat_member_find(call->user, conv->room->node.key);

		if (member != NULL)
			first = chat_member_first(member);
	} else if (conv->pair->user[0] == call->user || conv->pair->user[1] == call->user) {
		first = conv->first;
	}
	return line->seq >= first ? conv : NULL;
}

static void put_result(const struct chat_call *call, const struct search_job *job, size_t at,
    struct json_writer *w)
{
	const struct chat_line *line = &job->lines.line[at];
	const struct chat_conv *conv = find_visible(call, line);
	char name[CHAT_CONV_NAME];
	struct tree_node *pin = NULL;
	struct chat_id_key key;

	if (conv == NULL)
		return;
	chat_conv_name(conv, call->user, name);
	chat_id_key(&key, (uint64_t)line->seq);
	if (conv->room != NULL)
		pin = tree_find(&conv->room->pins, slice_make((char *)key.bytes, sizeof key.bytes));
	json_open_object(w, NULL);
	json_put_str(w, "conversation", name);
	buf_put_char(w->to, ',');
	buf_put_slice(w->to, chat_lines_get(&job->lines, at));
	if (pin != NULL)
		json_put_bool(w, "pinned", true);
	json_close_object(w);
}

/* Was one of the results deleted while the job was reading? */
static bool is_outdated(const struct chat_call *call, const struct search_job *job)
{
	for (size_t i = 0; i < job->lines.count; i++) {
		const struct chat_change change = {
		    .conversation = job->lines.line[i].conversation,
		    .target = job->lines.line[i].seq,
		    .kind = STORE_MESSAGE,
		};

		if (chat_change_missed(call->chat, &job->job, &change))
			return true;
	}
	return false;
}

static bool refuse_query(struct chat_call *call)
{
	chat_refuse(call, PROTO_ERR_bad_field, "there is no word to look for, or far too many");
	call->error.field = "query";
	return false;
}

static bool start(struct chat_call *call, unsigned tries);

static bool done(struct chat_call *call, struct chat_job *base)
{
	struct search_job *job = (struct search_job *)base;
	struct json_writer w;

	if (!chat_check_rights(call))
		return false;
	if (job->status == STATUS_INVALID)
		return refuse_query(call);
	if (job->status != STATUS_OK)
		return chat_refuse(call, PROTO_ERR_unavailable,
		    "cannot search now; try again later");
	if (is_outdated(call, job))
		return start(call, job->tries + 1);
	if (!chat_reply_begin(call, &w))
		return true;
	json_open_array(&w, "messages");
	for (size_t i = 0; i < job->lines.count; i++)
		put_result(call, job, i, &w);
	json_close_array(&w);
	json_put_bool(&w, "more", job->more);
	if (job->more)
		json_put_int(&w, "next", job->offset + job->seen);
	chat_reply_end(call, &w);
	return true;
}

/* --- The request ---------------------------------------------------------------------------- */

static void add_scope(struct scope *scope, const struct chat_conv *conv, int64_t first)
{
	if (conv == NULL || !conv->kept)
		return;
	scope->conversations[scope->count] = conv->id;
	scope->firsts[scope->count++] = first;
}

/* The one that the request names, or all of the caller's; without memory `run` sees it. */
static void fill_scope(const struct chat_call *call, struct scope *scope)
{
	const struct chat_user *user = call->user;
	size_t most = user->memberships.count + user->pairs.count + 1;
	struct tree_node *node;

	scope->conversations = calloc(most, sizeof *scope->conversations);
	scope->firsts = calloc(most, sizeof *scope->firsts);
	if (scope->conversations == NULL || scope->firsts == NULL)
		return;
	if (call->member != NULL || call->other != NULL) {
		add_scope(scope, chat_call_conv(call), chat_call_first(call));
		return;
	}
	for (node = tree_first(&user->memberships); node != NULL; node = tree_next(node)) {
		const struct chat_member *member = tree_entry(node, struct chat_member, in_user);

		add_scope(scope, &member->room->conv, chat_member_first(member));
	}
	for (node = tree_first(&user->pairs); node != NULL; node = tree_next(node)) {
		const struct chat_conv *conv =
		    &tree_entry(node, struct chat_pair_end, node)->pair->conv;

		add_scope(scope, conv, conv->first);
	}
}

static int64_t number_of(const struct chat_call *call, enum proto_field field, int64_t absent)
{
	const struct request_field *f = request_field(call->request, field);

	return f->present ? f->number : absent;
}

/* Who is meant by `from`; false if that is nobody. */
static bool find_author(struct chat_call *call, uint64_t *ret)
{
	const struct request_field *from = request_field(call->request, PROTO_FIELD_search_from);
	struct chat_user *user;

	*ret = 0;
	if (!from->present)
		return true;
	user = chat_user_find(call->chat, from->text);
	if (user == NULL)
		return chat_refuse(call, PROTO_ERR_no_such_user, "there is no user %.*s",
		    (int)from->text.len, from->text.ptr);
	*ret = user->id;
	return true;
}

static bool start(struct chat_call *call, unsigned tries)
{
	struct search_job *job;
	uint64_t author;

	if (!find_author(call, &author))
		return false;
	if (call->request->id.kind == REQUEST_ID_NONE)
		return true; /* nobody would hear the answer */
	if (tries >= TRIES_MAX)
		return chat_refuse(call, PROTO_ERR_unavailable,
		    "too much is being deleted there; try again later");
	job = chat_job_new(call, sizeof *job, run, done);
	if (job == NULL)
		return false;
	job->job.release = release;
	job->query = chat_field_text(call, PROTO_FIELD_search_query);
	job->me = call->user->id;
	job->author = author;
	job->since_ms = number_of(call, PROTO_FIELD_search_since, 0);
	job->until_ms = number_of(call, PROTO_FIELD_search_until, INT64_MAX);
	job->offset = number_of(call, PROTO_FIELD_search_after, 0);
	job->limit = (size_t)number_of(call, PROTO_FIELD_search_limit, LIMIT);
	job->tries = tries;
	fill_scope(call, &job->scope);
	return true;
}

bool cmd_search(struct chat_call *call)
{
	if (call->member != NULL && request_field(call->request, PROTO_FIELD_search_to)->present) {
		chat_refuse(call, PROTO_ERR_bad_field, "room or to, not both");
		call->error.field = "to";
		return false;
	}
	return start(call, 0);
}
