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
#include "chat/replay.h"

#include <stdlib.h>

#define CHUNK_ENTRIES 64
#define CHUNK_BYTES (64u << 10)
#define CHUNK_MAX (256u << 10) /* with the entry that came to more */

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

/* The oldest entry that the user may see. */
static int64_t first_of(const struct chat_conv *conv, struct chat_user *user)
{
	struct chat_member *member =
	    conv->room != NULL ? chat_member_find(user, conv->room->node.key) : NULL;

	return member != NULL ? chat_member_first_told(member) : conv->first;
}

static void end_waiting(struct chat *chat, struct waiting *waiting)
{
	struct chat_conv *conv = waiting->near ? chat_conv_find(chat, waiting->conv) : NULL;

	waiting->over = true;
	waiting->near = false;
	if (conv != NULL)
		chat_tail_leave(conv);
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

/* Tells what the tail has, if that is all that is missing. */
static void tell_tail(struct chat *chat, struct chat_session *session, struct waiting *waiting,
    const struct chat_conv *conv)
{
	struct blob *lines;

	if (!waiting->near || !chat_tail_bridges(conv, waiting->after))
		return;
	lines = chat_tail_lines(conv, waiting->after);
	chat_tell_session(chat, session, lines);
	blob_unref(lines);
	waiting->after = conv->released;
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
		waiting->near = waiting->near || chat_tail_use(conv);
	}
	go_on(chat, session, part.from < part.to);
}

static bool chunk_done(struct chat_call *call, struct chat_job *job)
{
	struct chat_session *session = call->session;

	call->chat->unit->at_once = true;
	if (session->replay == NULL || session->finishing)
		return true;
	/* A text whose deletion has left meanwhile is not sent any more. */
	if (chat_change_deleted(call->chat, job, ((const struct reading *)job)->conv))
		start_chunk(call->chat, session);
	else
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
