/*
 * pins: the pinned messages of a room as they are now, in the order in which they were sent.
 */
#include "chat/rights.h"
#include "chat/view.h"

#include <stdlib.h>

#define TRIES_MAX 8

struct pins_job {
	struct chat_job job;
	uint64_t conversation, me;
	unsigned tries;
	size_t count, limit;
	int64_t pins[PROTO_LIMIT_pins];
	/* What was read. */
	enum status status;
	size_t seen; /* pins looked at */
	struct chat_lines lines;
};

static void release(struct chat_job *base)
{
	chat_lines_release(&((struct pins_job *)base)->lines);
}

static enum status put_pin(struct pins_job *job, int64_t seq)
{
	struct chat_view view;
	struct json_writer w;
	enum status status;

	chat_view_init(&view, job->job.store, job->me);
	status = chat_view_one(&view, job->conversation, seq);
	if (status == STATUS_OK && view.count > 0) {
		json_begin(&w, chat_lines_begin(&job->lines, &view.messages[0].entry));
		chat_view_put(&view, 0, &w);
		json_put_bool(&w, "pinned", true);
		json_end(&w);
		chat_lines_end(&job->lines);
	}
	chat_view_release(&view);
	return status;
}

static void run(struct chat_job *base)
{
	struct pins_job *job = (struct pins_job *)base;
	struct chat_lines *lines = &job->lines;

	job->status = chat_lines_init(lines, job->count) ? STATUS_OK : STATUS_NOMEM;
	for (; job->seen < job->count && lines->count < job->limit && job->status == STATUS_OK;
	     job->seen++) {
		job->status = put_pin(job, job->pins[job->seen]);
		if (lines->text.len + lines->count < CHAT_LINES_BYTES || lines->count < 2)
			continue;
		lines->count--; /* it comes with the next page */
		break;
	}
	if (job->status == STATUS_OK && lines->text.failed)
		job->status = STATUS_NOMEM;
}

static bool start(struct chat_call *call, unsigned tries);

static bool done(struct chat_call *call, struct chat_job *base)
{
	struct pins_job *job = (struct pins_job *)base;
	const struct chat_change any = {
	    .conversation = job->conversation,
	    .kind = STORE_MESSAGE,
	};
	bool more = job->seen < job->count;
	struct json_writer w;

	if (!chat_check_rights(call))
		return false;
	if (call->member->room->conv.id != job->conversation ||
	    chat_change_missed(call->chat, base, &any))
		return start(call, job->tries + 1);
	if (job->status != STATUS_OK)
		return chat_refuse(call, PROTO_ERR_unavailable,
		    "the messages cannot be read now; try again later");
	if (!chat_reply_begin(call, &w))
		return true;
	json_open_array(&w, "messages");
	for (size_t i = 0; i < job->lines.count; i++)
		if (job->lines.line[i].seq >= chat_call_first(call))
			json_put_raw(&w, NULL, chat_lines_get(&job->lines, i));
	json_close_array(&w);
	json_put_bool(&w, "more", more);
	if (more)
		json_put_int(&w, "next", job->pins[job->seen - 1]);
	chat_reply_end(call, &w);
	return true;
}

static bool start(struct chat_call *call, unsigned tries)
{
	const struct request_field *after = request_field(call->request, PROTO_FIELD_pins_after);
	const struct request_field *limit = request_field(call->request, PROTO_FIELD_pins_limit);
	struct tree *pins = &call->member->room->pins;
	struct chat_id_key key;
	struct tree_node *node;
	struct pins_job *job;

	if (call->request->id.kind == REQUEST_ID_NONE)
		return true; /* nobody would hear the answer */
	if (tries >= TRIES_MAX)
		return chat_refuse(call, PROTO_ERR_unavailable,
		    "too much is being deleted there; try again later");
	chat_id_key(&key, after->present ? (uint64_t)after->number : 0);
	node = tree_after(pins, slice_make((char *)key.bytes, sizeof key.bytes));
	job = chat_job_new(call, sizeof *job, run, done);
	if (job == NULL)
		return false;
	job->job.release = release;
	job->conversation = call->member->room->conv.id;
	job->me = call->user->id;
	job->limit = limit->present ? (size_t)limit->number : PROTO_LIMIT_pins;
	job->tries = tries;
	for (; node != NULL && job->count < PROTO_LIMIT_pins; node = tree_next(node))
		job->pins[job->count++] = tree_entry(node, struct chat_pin, node)->target;
	return true;
}

bool cmd_pins(struct chat_call *call)
{
	return start(call, 0);
}
