/*
 * The audit: a record of each thing that administrators did, under ascending numbers, of which the
 * last CHAT_AUDIT_MAX are kept. The core writes them and never reads them again, save for a list.
 */
#include "chat/chat_private.h"

#include "base/utf8.h"

#define ITEMS_MAX 65536 /* bytes of a page; no record has as many as limits.reply leaves */

bool chat_audit(struct chat_call *call, const struct chat_user *user, struct slice text)
{
	struct chat *chat = call->chat;
	struct chat_id_key key;
	struct json_writer w;
	struct buf value;
	bool ok;

	buf_init(&value, 8192);
	json_begin(&w, &value);
	json_put_time(&w, "time", call->now.unix_ms);
	json_put_str(&w, "by", call->session->console ? "console" : call->user->name);
	json_put_str(&w, "action", proto_cmd_row(call->request->cmd)->name);
	if (user != NULL)
		json_put_str(&w, "user", user->name);
	if (text.len > 0)
		json_put_text(&w, "text", utf8_cut(text, PROTO_LIMIT_topic));
	json_end(&w);
	chat_id_key(&key, ++chat->audit_last);
	ok = !value.failed && chat_put_record(chat, STORE_AUDIT,
				  slice_make((char *)key.bytes, 8), buf_slice(&value));
	if (ok && chat->audit_last > CHAT_AUDIT_MAX) {
		chat_id_key(&key, chat->audit_last - CHAT_AUDIT_MAX);
		ok = chat_drop_record(chat, STORE_AUDIT, slice_make((char *)key.bytes, 8));
	}
	buf_release(&value);
	if (!ok)
		chat->unit->broken = true;
	return ok || chat_refuse_memory(call);
}

/* --- audit ----------------------------------------------------------------------------------- */

struct audit_job {
	struct chat_job job;
	uint64_t before;
	unsigned limit, count;
	struct buf items;
	uint64_t last; /* the number of the last item */
	bool more;
	enum status status;
};

static bool take(void *arg, struct slice key, struct slice value)
{
	struct audit_job *audit = arg;

	if (audit->count == audit->limit || audit->items.len > ITEMS_MAX) {
		audit->more = true;
		return false;
	}
	if (audit->count > 0)
		buf_put_char(&audit->items, ',');
	buf_put_slice(&audit->items, value);
	audit->last = chat_id_of_key(key);
	audit->count++;
	return true;
}

static void run(struct chat_job *job)
{
	struct audit_job *audit = (struct audit_job *)job;
	struct chat_id_key key;
	struct error err;

	chat_id_key(&key, audit->before);
	audit->status = job->store->ops->list(job->store, STORE_AUDIT,
	    slice_make((char *)key.bytes, 8), audit->limit + 1, take, audit, &err);
}

static bool done(struct chat_call *call, struct chat_job *job)
{
	struct audit_job *audit = (struct audit_job *)job;
	struct json_writer w;
	char next[24];

	if (audit->status != STATUS_OK || audit->items.failed)
		return chat_refuse(call, PROTO_ERR_unavailable,
		    "the store cannot be read now; try again later");
	if (!chat_reply_begin(call, &w))
		return true;
	json_open_array(&w, "entries");
	if (audit->count > 0)
		json_put_raw(&w, NULL, buf_slice(&audit->items));
	json_close_array(&w);
	json_put_bool(&w, "more", audit->more);
	if (audit->more) {
		snprintf(next, sizeof next, "%llu", (unsigned long long)audit->last);
		json_put_str(&w, "next", next);
	}
	chat_reply_end(call, &w);
	return true;
}

static void release(struct chat_job *job)
{
	buf_release(&((struct audit_job *)job)->items);
}

bool cmd_audit(struct chat_call *call)
{
	const struct request_field *limit = request_field(call->request, PROTO_FIELD_audit_limit);
	const struct request_field *after = request_field(call->request, PROTO_FIELD_audit_after);
	int64_t before = INT64_MAX;
	struct audit_job *audit;

	if (after->present && !str_to_int(after->text, 1, INT64_MAX, &before)) {
		chat_refuse(call, PROTO_ERR_bad_field, "after is the next of the page before");
		call->error.field = "after";
		return false;
	}
	if (call->chat->options.store == NULL)
		return chat_refuse(call, PROTO_ERR_unavailable, "the server keeps nothing now");
	audit = chat_job_new(call, sizeof *audit, run, done);
	if (audit == NULL)
		return false;
	audit->job.release = release;
	audit->before = (uint64_t)before;
	audit->limit = limit->present ? (unsigned)limit->number : PROTO_LIMIT_page;
	buf_init(&audit->items, 2 * ITEMS_MAX);
	return true;
}
