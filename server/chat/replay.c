/*
 * Catching up: what a session missed is read from the store and sent to it before it goes live
 * (PROTOCOL.md, 16.1). One conversation after the other, one chunk at a time: the next one is read
 * when the connection has taken the last one, so that a slow reader holds no memory here.
 *
 * Each entry comes exactly once. A session that waits for a conversation is not attached to it. When
 * a chunk has been read, entries beyond conv->released are dropped from it, because units that wait
 * will tell them; and when the last one replayed is conv->released, the session is attached at
 * once, in front of those units, which hold only what comes after. A conversation in which more
 * leaves than is read keeps its newest lines meanwhile (its tail), which bridge the rest.
 *
 * A sync is the same for a session that is live already, up to what there was when it asked.
 */
#include "chat/chat_private.h"

#include <stdlib.h>

#define CHUNK_ENTRIES 64
#define CHUNK_BYTES (64u << 10)
#define CHUNK_MAX (256u << 10) /* with the entry that came to more */

struct waiting {
	uint64_t conv;
	int64_t after; /* the session knows what is up to here */
	int64_t upto;  /* of a sync: the last to replay */
	bool begun;
	bool near; /* uses the conversation's tail */
	bool over; /* caught up, or fallen out of it */
};

struct chat_replay {
	bool live;    /* a sync */
	bool paused;  /* the connection has not taken the last chunk */
	struct blob *gone; /* lines about conversations that one is not in, or NULL */
	size_t at, count;
	struct waiting waiting[]; /* by conv */
};

/* --- What waits ----------------------------------------------------------------------------- */

static struct waiting *find_waiting(const struct chat_session *session, uint64_t conv)
{
	struct chat_replay *replay = session->replay;
	size_t from = 0, to = replay != NULL ? replay->count : 0;

	while (from < to) {
		size_t at = from + (to - from) / 2;
		struct waiting *waiting = &replay->waiting[at];

		if (waiting->conv == conv)
			return waiting->over ? NULL : waiting;
		if (waiting->conv < conv)
			from = at + 1;
		else
			to = at;
	}
	return NULL;
}

bool chat_session_attached(const struct chat_session *session, uint64_t conv)
{
	return session->replay == NULL || session->replay->live ||
	       find_waiting(session, conv) == NULL;
}

static int compare_waiting(const void *a, const void *b)
{
	uint64_t left = ((const struct waiting *)a)->conv;
	uint64_t right = ((const struct waiting *)b)->conv;

	return (left > right) - (left < right);
}

/* The oldest entry that the user may see. */
static int64_t first_of(const struct chat_conv *conv, struct chat_user *user)
{
	struct chat_member *member =
	    conv->room != NULL ? chat_member_find(user, conv->room->node.key) : NULL;

	return member != NULL ? chat_member_first(member) : conv->first;
}

/* --- The tail ------------------------------------------------------------------------------- */

static void tail_drop_first(struct chat_tail *tail)
{
	struct blob *line = tail->line[tail->first];

	tail->bytes -= line->len;
	blob_unref(line);
	tail->first = (tail->first + 1) % CHAT_TAIL_MAX;
	tail->count--;
}

void chat_tail_free(struct chat_conv *conv)
{
	if (conv->tail == NULL)
		return;
	while (conv->tail->count > 0)
		tail_drop_first(conv->tail);
	free(conv->tail);
	conv->tail = NULL;
}

void chat_tail_put(struct chat *chat, uint64_t id, int64_t seq, struct blob *line)
{
	struct chat_conv *conv = chat_conv_find(chat, id);
	struct chat_tail *tail = conv != NULL ? conv->tail : NULL;

	if (tail == NULL)
		return;
	while (tail->count > 0 && (seq != tail->last + 1 || tail->count == CHAT_TAIL_MAX ||
				      tail->bytes + line->len > CHAT_TAIL_BYTES))
		tail_drop_first(tail);
	tail->line[(tail->first + tail->count++) % CHAT_TAIL_MAX] = blob_ref(line);
	tail->bytes += line->len;
	tail->last = seq;
}

static void use_tail(struct waiting *waiting, struct chat_conv *conv)
{
	if (waiting->near)
		return;
	if (conv->tail == NULL)
		conv->tail = calloc(1, sizeof *conv->tail);
	if (conv->tail == NULL)
		return; /* the next chunk may come to the end all the same */
	conv->tail->users++;
	waiting->near = true;
}

static void end_waiting(struct chat *chat, struct waiting *waiting)
{
	struct chat_conv *conv = waiting->near ? chat_conv_find(chat, waiting->conv) : NULL;

	waiting->over = true;
	waiting->near = false;
	if (conv != NULL && conv->tail != NULL && --conv->tail->users == 0)
		chat_tail_free(conv);
}

/* The tail's lines as they are in a replay. */
static struct blob *replay_tail(const struct chat_tail *tail, unsigned from)
{
	static const char end[] = "}\n";
	struct blob *lines = NULL;
	struct buf text;

	buf_init(&text, CHAT_TAIL_BYTES + PROTO_LIMIT_line + CHAT_TAIL_MAX * 16);
	for (unsigned i = from; i < tail->count; i++) {
		struct slice line = blob_slice(tail->line[(tail->first + i) % CHAT_TAIL_MAX]);

		buf_put(&text, line.ptr, line.len - strlen(end));
		buf_put_str(&text, ",\"replay\":true");
		buf_put_str(&text, end);
	}
	if (!text.failed)
		lines = blob_new(buf_slice(&text));
	buf_release(&text);
	return lines;
}

/* Tells what the tail has behind waiting->after, if that is all there is. */
static void tell_tail(struct chat *chat, struct chat_session *session, struct waiting *waiting,
    const struct chat_conv *conv)
{
	const struct chat_tail *tail = waiting->near ? conv->tail : NULL;
	struct blob *lines;

	if (tail == NULL || tail->last != conv->released || waiting->after >= tail->last ||
	    tail->last - waiting->after > (int64_t)tail->count)
		return;
	lines = replay_tail(tail, (unsigned)(tail->count - (tail->last - waiting->after)));
	chat_tell_session(chat, session, lines);
	blob_unref(lines);
	waiting->after = tail->last;
}

/* --- What is asked for ---------------------------------------------------------------------- */

/* The request's `since`; NULL if it has none. */
static const struct json *since_of(const struct chat_call *call)
{
	const struct request_field *field = NULL;

	if (call->request->cmd == PROTO_CMD_login)
		field = request_field(call->request, PROTO_FIELD_login_since);
	else if (call->request->cmd == PROTO_CMD_sync)
		field = request_field(call->request, PROTO_FIELD_sync_since);
	return field != NULL && field->present ? field->value : NULL;
}

static bool is_conversation(struct slice name)
{
	if (name.len > 0 && name.ptr[0] == '@')
		return proto_is_user_name(slice_make(name.ptr + 1, name.len - 1));
	return proto_is_room_name(name);
}

/* NULL if the user is in no such conversation. */
static struct chat_conv *find_conv(struct chat *chat, struct chat_user *user, struct slice name)
{
	struct chat_member *member;
	struct chat_user *other;
	struct chat_pair *pair;

	if (name.ptr[0] != '@') {
		member = chat_member_find(user, name);
		return member != NULL ? &member->room->conv : NULL;
	}
	other = chat_user_find(chat, slice_make(name.ptr + 1, name.len - 1));
	pair = other != NULL ? chat_pair_find(user, other) : NULL;
	return pair != NULL ? &pair->conv : NULL;
}

#define NAMES_MAX (PROTO_LIMIT_rooms + PROTO_LIMIT_pairs)

bool chat_replay_check(struct chat_call *call, struct chat_user *user)
{
	const struct json *since = since_of(call);
	size_t count = 0;

	if (since == NULL || json_type(since) == JSON_NULL)
		return true;
	if (json_type(since) != JSON_OBJECT)
		return chat_refuse_field(call, "since", "since must be an object or null");
	for (const struct json *at = json_first(since); at != NULL; at = json_next(at)) {
		struct slice name = json_key(at);
		struct chat_conv *conv;
		int64_t seq;

		if (!is_conversation(name) || ++count > NAMES_MAX)
			return chat_refuse_field(call, "since",
			    "since names at most %d conversations: rooms, and users behind an @",
			    NAMES_MAX);
		if (!json_int(at, &seq) || seq < 0)
			return chat_refuse_field(call, "since",
			    "since has a seq for each conversation: an integer from 0 on");
		conv = user != NULL ? find_conv(call->chat, user, name) : NULL;
		if (conv != NULL && conv->kept && seq > conv->seq)
			return chat_refuse_field(call, "since", "%.*s has come to %lld only",
			    (int)name.len, name.ptr, (long long)conv->seq);
	}
	return true;
}

/* What `since` says: of conversations one is in as `named`, sorted; of others as lines. */
static size_t take_names(struct chat_call *call, struct waiting *named, struct buf *gone)
{
	const struct json *at = json_first(since_of(call));
	size_t count = 0;

	for (; at != NULL; at = json_next(at)) {
		struct chat_conv *conv = find_conv(call->chat, call->user, json_key(at));
		struct json_writer w;

		if (conv != NULL) {
			named[count].conv = conv->id;
			json_int(at, &named[count++].after);
			continue;
		}
		message_begin_event(&w, gone, PROTO_EVENT_gone);
		json_put_text(&w, "conversation", json_key(at));
		message_end(&w);
	}
	qsort(named, count, sizeof *named, compare_waiting);
	return count;
}

/* Has the session of this conversation something to replay? */
static void add_conv(struct chat_replay *replay, const struct chat_conv *conv, int64_t marker,
    const struct waiting *named, size_t named_count)
{
	struct waiting waiting = {.conv = conv->id, .after = marker, .upto = conv->seq};
	const struct waiting *found = NULL;

	if (!conv->kept)
		return;
	if (named_count > 0)
		found = bsearch(&waiting, named, named_count, sizeof *named, compare_waiting);
	if (found != NULL)
		waiting.after = found->after;
	if (waiting.after < conv->seq)
		replay->waiting[replay->count++] = waiting;
}

static void add_all(struct chat_replay *replay, struct chat_user *user,
    const struct waiting *named, size_t named_count)
{
	struct tree_node *node;

	for (node = tree_first(&user->memberships); node != NULL; node = tree_next(node)) {
		struct chat_member *member = tree_entry(node, struct chat_member, in_user);

		add_conv(replay, &member->room->conv, member->read, named, named_count);
	}
	for (node = tree_first(&user->pairs); node != NULL; node = tree_next(node)) {
		struct chat_pair *pair = tree_entry(node, struct chat_pair_end, node)->pair;

		add_conv(replay, &pair->conv, pair->read[pair->user[0] != user], named,
		    named_count);
	}
	qsort(replay->waiting, replay->count, sizeof *replay->waiting, compare_waiting);
}

bool chat_replay_make(struct chat_call *call)
{
	struct chat_user *user = call->user;
	size_t most = user->memberships.count + user->pairs.count;
	struct chat_replay *replay;
	struct waiting *named;
	struct buf gone;
	size_t count;

	if (since_of(call) == NULL)
		return true;
	if (!chat_replay_check(call, user))
		return false;
	replay = calloc(1, sizeof *replay + most * sizeof *replay->waiting);
	named = calloc(NAMES_MAX, sizeof *named);
	buf_init(&gone, NAMES_MAX * 128);
	if (replay != NULL && named != NULL) {
		count = take_names(call, named, &gone);
		replay->live = call->request->cmd == PROTO_CMD_sync;
		add_all(replay, user, named, count);
		if (gone.len > 0 && !gone.failed)
			replay->gone = blob_new(buf_slice(&gone));
		gone.failed |= gone.len > 0 && replay->gone == NULL;
	}
	if (replay == NULL || named == NULL || gone.failed) {
		free(replay);
		replay = NULL;
	}
	free(named);
	buf_release(&gone);
	call->session->replay = replay;
	return replay != NULL || chat_refuse_memory(call);
}

void chat_replay_free(struct chat *chat, struct chat_session *session)
{
	struct chat_replay *replay = session->replay;

	if (replay == NULL)
		return;
	for (size_t i = replay->at; i < replay->count; i++)
		if (!replay->waiting[i].over)
			end_waiting(chat, &replay->waiting[i]);
	blob_unref(replay->gone);
	free(replay);
	session->replay = NULL;
}

/* --- Reading -------------------------------------------------------------------------------- */

struct reading {
	struct chat_job job;
	uint64_t conv; /* 0: there is nothing more to read */
	int64_t after, before;
	struct chat_place place;
	enum status status;
	struct buf lines;
	unsigned count;
	struct {
		int64_t seq;
		size_t end; /* of its line */
	} line[CHUNK_ENTRIES];
};

static bool take_entry(void *arg, const struct store_entry *entry)
{
	struct reading *reading = arg;

	chat_put_event(&reading->lines, &reading->place, entry, true);
	reading->line[reading->count].seq = entry->seq;
	reading->line[reading->count++].end = reading->lines.len;
	return reading->count < CHUNK_ENTRIES && reading->lines.len < CHUNK_BYTES;
}

static void read_chunk(struct chat_job *job)
{
	struct reading *reading = (struct reading *)job;
	const struct store_read read = {
	    .kind = STORE_READ_RANGE,
	    .conversation = reading->conv,
	    .after = reading->after,
	    .before = reading->before,
	    .limit = CHUNK_ENTRIES,
	};
	struct error err;

	reading->status = STATUS_OK;
	if (reading->conv == 0)
		return;
	reading->status = job->store->ops->read(job->store, &read, take_entry, reading, &err);
	if (reading->lines.failed)
		reading->status = STATUS_NOMEM;
}

static void release_reading(struct chat_job *job)
{
	buf_release(&((struct reading *)job)->lines);
}

static bool chunk_done(struct chat_call *call, struct chat_job *job);
static void chunk_refused(struct chat *chat, struct chat_job *job);

/* On to the first that is not over; NULL if all are. */
static struct waiting *next_waiting(struct chat_replay *replay)
{
	while (replay->at < replay->count && replay->waiting[replay->at].over)
		replay->at++;
	return replay->at < replay->count ? &replay->waiting[replay->at] : NULL;
}

/* Where to read on; of too much only the newest is replayed. */
static int64_t read_after(const struct waiting *waiting, const struct chat_conv *conv,
    const struct chat_replay *replay, struct chat_user *user)
{
	int64_t first = first_of(conv, user), after = waiting->after, last = waiting->upto;

	if (!replay->live && conv->released > last)
		last = conv->released;
	if (!waiting->begun && after < last - PROTO_LIMIT_sync)
		after = last - PROTO_LIMIT_sync;
	return after < first - 1 ? first - 1 : after;
}

/* The job that reads the next chunk, or finds that there is none; NULL without memory. */
static struct chat_job *next_chunk(struct chat *chat, struct chat_session *session)
{
	struct waiting *waiting = next_waiting(session->replay);
	struct chat_conv *conv = waiting != NULL ? chat_conv_find(chat, waiting->conv) : NULL;
	struct reading *reading =
	    chat_job_make(chat, session, sizeof *reading, read_chunk, chunk_done);

	if (reading == NULL)
		return NULL;
	reading->job.quiet = true;
	reading->job.refused = chunk_refused;
	reading->job.release = release_reading;
	buf_init(&reading->lines, CHUNK_MAX);
	if (conv != NULL) {
		reading->conv = conv->id;
		reading->after = read_after(waiting, conv, session->replay, session->user);
		reading->before = session->replay->live ? waiting->upto + 1 : INT64_MAX;
		chat_place_of(conv, &reading->place);
	}
	return &reading->job;
}

static void start_chunk(struct chat *chat, struct chat_session *session)
{
	struct chat_job *job = next_chunk(chat, session);

	if (job != NULL)
		chat_job_start(chat, job);
	else
		chat_cut_off_now(chat, session);
}

/* --- Telling -------------------------------------------------------------------------------- */

static void tell_event(struct chat *chat, struct chat_session *session, enum proto_event event,
    const struct chat_conv *conv, int64_t first, int64_t last)
{
	char name[CHAT_CONV_NAME];
	struct json_writer w;
	struct blob *line;

	message_begin_event(&w, &chat->scratch, event);
	if (conv != NULL) {
		chat_conv_name(conv, session->user, name);
		json_put_str(&w, "conversation", name);
	}
	if (last > 0) {
		json_put_int(&w, "first", first);
		json_put_int(&w, "last", last);
	}
	message_end(&w);
	line = chat_take_line(chat);
	chat_tell_session(chat, session, line);
	blob_unref(line);
}

/* Goes on behind what was told: `told` is a chunk that the connection has to take first. */
static void go_on(struct chat *chat, struct chat_session *session, bool told)
{
	struct chat_replay *replay = session->replay;

	if (next_waiting(replay) == NULL) {
		tell_event(chat, session, PROTO_EVENT_synced, NULL, 0, 0);
		chat_replay_free(chat, session);
		return;
	}
	replay->paused = told;
	if (told)
		return;
	chat->unit->job = next_chunk(chat, session);
	if (chat->unit->job == NULL)
		chat_tell_end(chat, session);
}

/* The entries of the chunk that the session is to be told now: line[from] to line[to - 1]. What is
 * beyond `goal` comes in its turn, what is before `first` is not for this member any more. */
struct part {
	unsigned from, to;
};

static struct part part_of(const struct reading *reading, int64_t first, int64_t goal)
{
	struct part part = {0, reading->count};

	while (part.to > 0 && reading->line[part.to - 1].seq > goal)
		part.to--;
	while (part.from < part.to && reading->line[part.from].seq < first)
		part.from++;
	return part;
}

static void tell_part(struct chat *chat, struct chat_session *session,
    const struct reading *reading, struct part part)
{
	size_t begin = part.from > 0 ? reading->line[part.from - 1].end : 0;
	size_t end = reading->line[part.to - 1].end;
	struct blob *lines = blob_new(slice_make(reading->lines.ptr + begin, end - begin));

	chat_tell_paced(chat, session, lines);
	blob_unref(lines);
}

/* Tells the part and what is not replayed before it. False if the store does not have what it
 * should: nothing true can be told then. */
static bool tell_chunk(struct chat *chat, struct chat_session *session, struct waiting *waiting,
    const struct chat_conv *conv, const struct reading *reading, struct part part, int64_t goal)
{
	int64_t first = first_of(conv, session->user);
	int64_t next = first <= goal ? first : goal + 1;

	if (part.from < part.to)
		next = reading->line[part.from].seq;
	else if (next <= waiting->after + 1)
		return goal <= waiting->after;
	if (next > waiting->after + 1)
		tell_event(chat, session, PROTO_EVENT_skipped, conv, waiting->after + 1, next - 1);
	waiting->after = next - 1;
	waiting->begun = true;
	if (part.from < part.to) {
		tell_part(chat, session, reading, part);
		waiting->after = reading->line[part.to - 1].seq;
	}
	return true;
}

/* The chunk has been read; the unit goes in front of those that wait. */
static void take_chunk(struct chat *chat, struct chat_session *session,
    const struct reading *reading)
{
	struct chat_replay *replay = session->replay;
	struct waiting *waiting = find_waiting(session, reading->conv);
	struct chat_conv *conv = waiting != NULL ? chat_conv_find(chat, waiting->conv) : NULL;
	struct part part;
	int64_t goal;

	if (conv == NULL) {
		go_on(chat, session, false);
		return;
	}
	goal = replay->live ? waiting->upto : conv->released;
	part = part_of(reading, first_of(conv, session->user), goal);
	if (reading->status != STATUS_OK ||
	    !tell_chunk(chat, session, waiting, conv, reading, part, goal)) {
		chat_tell_end(chat, session);
		return;
	}
	tell_tail(chat, session, waiting, conv);
	if (waiting->after >= goal) {
		end_waiting(chat, waiting);
		if (!replay->live && conv->room != NULL)
			chat_tell_attach(chat, session, conv->room);
	} else if (goal - waiting->after <= CHAT_TAIL_MAX / 2 && !replay->live) {
		use_tail(waiting, conv);
	}
	go_on(chat, session, part.from < part.to);
}

static bool chunk_done(struct chat_call *call, struct chat_job *job)
{
	struct chat_session *session = call->session;

	call->chat->unit->at_once = true;
	if (session->replay != NULL && !session->finishing)
		take_chunk(call->chat, session, (const struct reading *)job);
	return true;
}

/* Others are faster just now: the next tick tries again. */
static void chunk_refused(struct chat *chat, struct chat_job *job)
{
	struct chat_session *session = job->session;

	if (session->replay != NULL && !session->finishing)
		start_chunk(chat, session);
}

void chat_session_drained(struct chat *chat, struct chat_session *session)
{
	struct chat_replay *replay = session->replay;

	if (replay == NULL || !replay->paused || session->finishing)
		return;
	replay->paused = false;
	start_chunk(chat, session);
}

/* --- Its beginning, and what happens meanwhile ----------------------------------------------- */

void chat_replay_begin(struct chat_call *call)
{
	struct chat_session *session = call->session;
	struct chat_replay *replay = session->replay;

	if (replay == NULL)
		return;
	if (replay->gone != NULL)
		chat_tell_session(call->chat, session, replay->gone);
	blob_unref(replay->gone);
	replay->gone = NULL;
	go_on(call->chat, session, false);
}

void chat_replay_tell_gone(struct chat *chat, struct chat_session *session,
    const struct chat_conv *conv)
{
	struct chat_undo *step;

	if (find_waiting(session, conv->id) == NULL)
		return;
	step = chat_undo_step(chat, CHAT_UNDO_GONE);
	if (step == NULL) {
		chat_tell_end(chat, session);
		return;
	}
	step->session = session;
	if (!session->replay->live)
		tell_event(chat, session, PROTO_EVENT_gone, conv, 0, 0);
}

void chat_replay_let_go(struct chat *chat, struct chat_user *user, uint64_t conv)
{
	for (struct list *at = user->sessions.next; at != &user->sessions; at = at->next) {
		struct chat_session *session = list_entry(at, struct chat_session, in_user);
		struct waiting *waiting = find_waiting(session, conv);

		if (waiting != NULL)
			end_waiting(chat, waiting);
	}
}

bool cmd_sync(struct chat_call *call)
{
	struct chat_session *session = call->session;
	struct chat_undo *step;

	if (session->replay != NULL)
		return chat_refuse_limit(call, PROTO_ERR_too_many, 1,
		    "a replay is under way: wait for its end");
	if (!chat_replay_make(call))
		return false;
	step = chat_undo_step(call->chat, CHAT_UNDO_SYNC);
	if (step == NULL) {
		chat_replay_free(call->chat, session);
		return chat_refuse_memory(call);
	}
	step->session = session;
	chat_replay_begin(call);
	return true;
}
