/*
 * Requests that change a message: edit, delete, react, unreact, pin, unpin. A job reads the message
 * and what happened to it; then rights are checked and the entry is appended, or, where the same
 * was done before, the first one's seq is told. What came while the job was reading makes it read
 * again (change.c).
 */
#include "chat/chat_private.h"
#include "chat/rights.h"

#define TRIES_MAX 8
#define RUN 1000      /* entries of one read */
#define RUNS_MAX 1000 /* a user's own reactions to one message */

#define CHAT_LEFT_MAX 256 /* bytes: who wrote it */

struct change_job {
	struct chat_job job;
	struct chat_change change; /* as it will be */
	struct slice text;	   /* the new one, or the emoji; lent from the request */
	unsigned tries;
	/* What was read. */
	enum status status;
	bool found, erased; /* is it a message; has it been deleted? */
	struct buf left;    /* of its extra, when it is deleted */
	bool same;	    /* what is wanted is so already, since entry `seq` */
	uint64_t author;
	int64_t seq, last;
	size_t count;
};

/* --- Reading -------------------------------------------------------------------------------- */

static bool take_message(void *arg, const struct store_entry *entry)
{
	struct change_job *job = arg;

	job->found = entry->kind == STORE_MESSAGE;
	job->author = entry->author;
	job->erased = entry->text.len == 0;
	if (job->change.kind == STORE_DELETE)
		chat_put_left(&job->left, entry->extra);
	job->same = job->change.kind == STORE_EDIT && slice_equal(entry->text, job->text);
	job->seq = entry->seq;
	return false;
}

/* An edit, deletion or unpinning: the one that counts. */
static bool take_one(void *arg, const struct store_entry *entry)
{
	struct change_job *job = arg;

	job->same = job->change.kind != STORE_EDIT || slice_equal(entry->text, job->text);
	job->seq = entry->seq;
	return false;
}

/* The caller's reactions, oldest first: the last one of this emoji holds. */
static bool take_reaction(void *arg, const struct store_entry *entry)
{
	struct change_job *job = arg;

	job->last = entry->seq;
	job->count++;
	if (slice_equal(entry->text, job->text)) {
		job->same = entry->kind == job->change.kind;
		job->seq = entry->seq;
	}
	return true;
}

static enum status read_store(struct change_job *job, const struct store_read *read,
    store_entry_fn *fn)
{
	struct store *store = job->job.store;

	return store->ops->read(store, read, fn, job, NULL);
}

static enum status read_reactions(struct change_job *job)
{
	struct store_read read = {
	    .kind = STORE_READ_TARGETS,
	    .conversation = job->change.conversation,
	    .after = job->change.target - 1,
	    .before = job->change.target + 1,
	    .limit = RUN,
	    .kinds = 1u << STORE_REACT | 1u << STORE_UNREACT,
	    .author = job->change.author,
	};
	enum status status = STATUS_OK;

	/* Who never reacted has nothing to take back: that is as if it was done. */
	job->same = job->change.kind == STORE_UNREACT;
	for (unsigned i = 0; i < RUNS_MAX && status == STATUS_OK; i++) {
		job->count = 0;
		status = read_store(job, &read, take_reaction);
		if (job->count < RUN)
			break;
		read.newer = job->last;
	}
	return status;
}

static enum status read_changes(struct change_job *job)
{
	enum store_kind kind = job->change.kind;
	const struct store_read read = {
	    .kind = STORE_READ_TARGETS,
	    .conversation = job->change.conversation,
	    .after = job->change.target - 1,
	    .before = job->change.target + 1,
	    .limit = 1,
	    .newest = kind != STORE_DELETE,
	    .kinds = 1u << kind,
	};

	switch (kind) {
	case STORE_REACT:
	case STORE_UNREACT:
		return read_reactions(job);
	case STORE_PIN:
		return STATUS_OK;
	case STORE_UNPIN:
		job->same = true; /* or it would be pinned, and no job */
		break;
	default:
		break;
	}
	return read_store(job, &read, take_one);
}

static void run(struct chat_job *base)
{
	struct change_job *job = (struct change_job *)base;
	const struct store_read read = {
	    .kind = STORE_READ_ONE,
	    .conversation = job->change.conversation,
	    .after = job->change.target,
	};

	job->status = read_store(job, &read, take_message);
	if (job->status == STATUS_OK && job->found)
		job->status = read_changes(job);
}

/* --- Changing ------------------------------------------------------------------------------- */

static bool reply_seq(struct chat_call *call, int64_t seq)
{
	struct json_writer w;

	if (chat_reply_begin(call, &w)) {
		json_put_int(&w, "seq", seq);
		chat_reply_end(call, &w);
	}
	return true;
}

static bool refuse_message(struct chat_call *call)
{
	return chat_refuse(call, PROTO_ERR_no_such_message, "there is no message %lld",
	    (long long)chat_field_named(call, "target")->number);
}

static void tell_line(struct chat_call *call, const struct chat_conv *conv, struct blob *line)
{
	if (conv->room != NULL) {
		chat_tell_room(call->chat, conv->room, line, 0);
		return;
	}
	chat_tell_pair(call->chat, conv->pair, line);
}

static bool is_by_somebody(enum store_kind kind)
{
	return kind == STORE_PIN || kind == STORE_UNPIN;
}

static void put_extra(struct chat_call *call, const struct chat_conv *conv,
    const struct chat_change *change, struct slice text)
{
	const struct request_field *reason = chat_field_named(call, "reason");
	struct json_writer w;

	chat_extra_begin(call->chat, &w);
	json_put_str(&w, is_by_somebody(change->kind) ? "by" : "from", call->user->name);
	if (reason != NULL && reason->present && reason->text.len > 0)
		json_put_text(&w, "reason", reason->text);
	if (change->kind == STORE_EDIT)
		chat_put_mentions(&w, conv, text);
	if (call->user->guest && !is_by_somebody(change->kind))
		json_put_bool(&w, "guest", true);
}

static struct chat_pin *find_pin(const struct chat_conv *conv, int64_t target)
{
	struct chat_id_key key;

	if (conv->room == NULL)
		return NULL;
	chat_id_key(&key, (uint64_t)target);
	return tree_entry(
	    tree_find(&conv->room->pins, slice_make((char *)key.bytes, sizeof key.bytes)),
	    struct chat_pin, node);
}

/* The pin of a message that is deleted goes without a word: the deletion says it. */
static bool drop_pin(struct chat *chat, const struct chat_conv *conv, int64_t target)
{
	struct chat_pin *pin = find_pin(conv, target);

	if (pin == NULL)
		return true;
	if (!chat_touch_pin(chat, conv->room, target))
		return false;
	chat_pin_free(conv->room, pin);
	return true;
}

/* With the entry that was just appended. */
static bool put_pin(struct chat_call *call, struct chat_conv *conv, int64_t target)
{
	struct chat_pin *pin = chat_pin_make(call->chat, conv->room, target);

	if (pin == NULL) {
		call->chat->unit->broken = true;
		return false;
	}
	pin->seq = conv->seq;
	pin->time_ms = conv->time_ms;
	str_copy(pin->by, sizeof pin->by, call->user->node.key);
	return true;
}

static bool change_pins(struct chat_call *call, struct chat_conv *conv,
    const struct chat_change *change)
{
	if (change->kind == STORE_DELETE || change->kind == STORE_UNPIN)
		return drop_pin(call->chat, conv, change->target);
	return change->kind != STORE_PIN || put_pin(call, conv, change->target);
}

/* Rights and state have been checked: makes the entry. */
static bool apply(struct chat_call *call, struct chat_conv *conv, const struct chat_change *change,
    struct slice text, struct slice left)
{
	const struct chat_entry entry = {
	    .kind = change->kind,
	    .author = call->user->id,
	    .target = change->target,
	    .text = text,
	    .left = left,
	};
	struct chat *chat = call->chat;
	struct blob *line;

	if (change->kind == STORE_PIN && !chat_touch_pin(chat, conv->room, change->target))
		return chat_refuse_memory(call);
	put_extra(call, conv, change, text);
	line = chat_append(chat, conv, &entry, call->now);
	if (!chat_change_put(chat, change) || !change_pins(call, conv, change)) {
		blob_unref(line);
		return chat_refuse_memory(call);
	}
	reply_seq(call, conv->seq);
	tell_line(call, conv, line);
	blob_unref(line);
	return true;
}

/* Pins of messages that are not kept any more make room for others. */
static bool check_pins(struct chat_call *call, struct chat_conv *conv)
{
	struct tree *pins = &conv->room->pins;
	struct tree_node *node;

	while ((node = tree_first(pins)) != NULL) {
		int64_t target = tree_entry(node, struct chat_pin, node)->target;

		if (target >= conv->first)
			break;
		if (!drop_pin(call->chat, conv, target))
			return chat_refuse_memory(call);
	}
	return pins->count < PROTO_LIMIT_pins ||
	       chat_refuse_limit(call, PROTO_ERR_too_many, PROTO_LIMIT_pins,
		   "%s has %d pinned messages already", conv->room->name, PROTO_LIMIT_pins);
}

static bool start(struct chat_call *call, enum store_kind kind, unsigned tries);

static bool done(struct chat_call *call, struct chat_job *base)
{
	struct change_job *job = (struct change_job *)base;
	enum store_kind kind = job->change.kind;
	struct slice left = buf_slice(&job->left);
	struct chat_conv *conv;

	if (!chat_check_rights(call))
		return false;
	if (job->status != STATUS_OK || job->left.failed)
		return chat_refuse(call, PROTO_ERR_unavailable,
		    "the message cannot be read now; try again later");
	conv = chat_call_conv(call);
	if (conv == NULL || conv->id != job->change.conversation ||
	    chat_change_missed(call->chat, base, &job->change))
		return start(call, kind, job->tries + 1);
	if (!job->found || job->change.target < chat_call_first(call))
		return refuse_message(call);
	if (!chat_check_author(call, job->author))
		return false;
	if (job->erased && kind != STORE_DELETE && kind != STORE_UNPIN)
		return refuse_message(call);
	if (kind == STORE_PIN || kind == STORE_UNPIN) {
		const struct chat_pin *pin = find_pin(conv, job->change.target);

		/* Both may have changed while the job was reading. */
		if (pin != NULL)
			return kind == STORE_PIN
				   ? reply_seq(call, pin->seq)
				   : apply(call, conv, &job->change, job->text, left);
		if (kind == STORE_PIN && !check_pins(call, conv))
			return false;
	}
	return job->same ? reply_seq(call, job->seq)
			 : apply(call, conv, &job->change, job->text, left);
}

/* FNV-1a; a collision makes a job read once more, and nothing else. */
static uint64_t digest_of(struct slice text)
{
	uint64_t digest = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < text.len; i++)
		digest = (digest ^ (unsigned char)text.ptr[i]) * UINT64_C(0x100000001b3);
	return digest;
}

/* `tries`: how often something came between. */
static void release_left(struct chat_job *base)
{
	buf_release(&((struct change_job *)base)->left);
}

static bool start(struct chat_call *call, enum store_kind kind, unsigned tries)
{
	const char *name = kind == STORE_EDIT ? "text" : "emoji";
	const struct request_field *text = chat_field_named(call, name);
	struct chat_conv *conv = chat_call_conv(call);
	int64_t target = chat_field_named(call, "target")->number;
	const struct chat_pin *pin;
	struct change_job *job;

	if (conv == NULL || !conv->kept || target > conv->seq || target < chat_call_first(call))
		return refuse_message(call);
	if (tries >= TRIES_MAX)
		return chat_refuse(call, PROTO_ERR_unavailable,
		    "too much happens to that message; try again later");
	pin = find_pin(conv, target);
	if (kind == STORE_PIN && pin != NULL)
		return reply_seq(call, pin->seq);
	job = chat_job_new(call, sizeof *job, run, done);
	if (job == NULL)
		return false;
	job->change = (struct chat_change){
	    .conversation = conv->id,
	    .author = call->user->id,
	    .target = target,
	    .kind = kind,
	};
	if (text != NULL) {
		job->text = text->text;
		job->change.digest = digest_of(text->text);
	}
	job->job.release = release_left;
	buf_init(&job->left, CHAT_LEFT_MAX);
	job->tries = tries;
	return true;
}

bool cmd_edit(struct chat_call *call)
{
	return start(call, STORE_EDIT, 0);
}

bool cmd_delete(struct chat_call *call)
{
	return start(call, STORE_DELETE, 0);
}

bool cmd_react(struct chat_call *call)
{
	return start(call, STORE_REACT, 0);
}

bool cmd_unreact(struct chat_call *call)
{
	return start(call, STORE_UNREACT, 0);
}

bool cmd_pin(struct chat_call *call)
{
	return start(call, STORE_PIN, 0);
}

bool cmd_unpin(struct chat_call *call)
{
	return start(call, STORE_UNPIN, 0);
}
