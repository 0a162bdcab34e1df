/*
 * Administrators' requests about the server as a whole: stats, announce, invitecode, backup,
 * reload, shutdown.
 */
#include "chat/chat_private.h"
#include "chat/page.h"

#include <stdlib.h>

#include "confab_version.h"

bool cmd_stats(struct chat_call *call)
{
	struct chat *chat = call->chat;
	struct chat_counts counts;
	struct json_writer w;

	if (!chat_reply_begin(call, &w))
		return true;
	chat_count(chat, &counts);
	json_put_int(&w, "users", (int64_t)counts.users);
	json_put_int(&w, "sessions", (int64_t)counts.sessions);
	json_put_int(&w, "rooms", (int64_t)counts.rooms);
	json_put_int(&w, "messages", (int64_t)counts.messages);
	json_put_int(&w, "uptime", (int64_t)((call->now.mono_ms - chat->started_mono_ms) / 1000));
	json_put_str(&w, "version", CONFAB_VERSION);
	json_put_str(&w, "epoch", chat->epoch);
	chat_reply_end(call, &w);
	return true;
}

bool cmd_announce(struct chat_call *call)
{
	struct slice text = chat_field_text(call, PROTO_FIELD_announce_text);
	struct chat *chat = call->chat;
	struct json_writer w;
	struct blob *line;
	bool told;

	message_begin_event(&w, &chat->scratch, PROTO_EVENT_announce);
	json_put_text(&w, "text", text);
	json_put_str(&w, "by", call->session->console ? "console" : call->user->name);
	json_put_time(&w, "time", call->now.unix_ms);
	message_end(&w);
	line = chat_take_line(chat);
	told = chat_tell_all(chat, line);
	blob_unref(line);
	if (!told)
		return chat_refuse_memory(call);
	if (!chat_audit(call, NULL, text))
		return false;
	if (chat_reply_begin(call, &w)) {
		json_put_int(&w, "count", (int64_t)chat->logged_in);
		chat_reply_end(call, &w);
	}
	return true;
}

/* --- Invite codes ---------------------------------------------------------------------------- */

/* 20 characters of an alphabet without those that are taken for each other: 100 bits, from a
 * token's hash. */
static void make_text(struct chat *chat, char to[CHAT_CODE_SIZE])
{
	static const char alphabet[] = "0123456789abcdefghjkmnpqrstvwxyz";
	const struct chat_secrets *secrets = chat->options.secrets;
	unsigned char bytes[32];
	char token[CHAT_TOKEN_SIZE];
	int i;

	secrets->token_new(token);
	secrets->token_hash(slice_of(token), bytes);
	for (i = 0; i < 20; i++)
		to[i] = alphabet[bytes[i] % 32];
	to[i] = '\0';
	secret_wipe(token, sizeof token);
}

/* Those that have expired make room. */
static bool drop_expired(struct chat *chat, struct chat_time now)
{
	struct tree_node *node = tree_first(&chat->codes), *next;

	for (; node != NULL; node = next) {
		struct chat_code *code = tree_entry(node, struct chat_code, node);

		next = tree_next(node);
		if (code->expires_ms > now.unix_ms)
			continue;
		if (!chat_touch_code(chat, node->key))
			return false;
		chat_code_free(chat, code);
	}
	return true;
}

static bool create_code(struct chat_call *call)
{
	const struct request_field *uses =
	    request_field(call->request, PROTO_FIELD_invitecode_uses);
	const struct request_field *expires =
	    request_field(call->request, PROTO_FIELD_invitecode_expires);
	struct chat *chat = call->chat;
	struct chat_code *code = NULL;
	char text[CHAT_CODE_SIZE];
	struct json_writer w;

	if (!drop_expired(chat, call->now))
		return chat_refuse_memory(call);
	if (chat->codes.count >= PROTO_LIMIT_codes)
		return chat_refuse_limit(call, PROTO_ERR_too_many, PROTO_LIMIT_codes,
		    "there are %d codes already; revoke one", PROTO_LIMIT_codes);
	make_text(chat, text);
	if (chat_touch_code(chat, slice_of(text)))
		code = chat_code_make(chat, slice_of(text));
	if (code == NULL)
		return chat_refuse_memory(call);
	code->uses = uses->present ? (unsigned)uses->number : 1;
	code->expires_ms =
	    expires->present ? call->now.unix_ms + expires->number * 1000 : INT64_MAX;
	str_copy(code->by, sizeof code->by,
	    slice_of(call->session->console ? "console" : call->user->name));
	if (!chat_audit(call, NULL, slice_of("create")))
		return false;
	if (chat_reply_begin(call, &w)) {
		call->chat->secret = true;
		json_put_str(&w, "code", code->code);
		chat_reply_end(call, &w);
	}
	return true;
}

static void put_code(struct json_writer *w, const struct chat_code *code)
{
	json_open_object(w, NULL);
	json_put_str(w, "code", code->code);
	json_put_int(w, "uses", code->uses);
	if (code->expires_ms < INT64_MAX)
		json_put_time(w, "expires", code->expires_ms);
	json_put_str(w, "by", code->by);
	json_close_object(w);
}

static bool list_codes(struct chat_call *call)
{
	struct tree_node *node;
	struct chat_page page;

	if (!chat_page_begin(&page, call, "codes", PROTO_FIELD_invitecode_after,
		PROTO_FIELD_invitecode_limit))
		return true;
	node = tree_after(&call->chat->codes, page.after);
	for (; node != NULL && chat_page_wants(&page); node = tree_next(node)) {
		const struct chat_code *code = tree_entry(node, struct chat_code, node);

		chat_page_seen(&page, node->key);
		if (code->expires_ms <= call->now.unix_ms)
			continue;
		put_code(&page.w, code);
		page.count++;
	}
	chat_page_end(&page, node != NULL);
	return true;
}

/* One that is not there is revoked already. */
static bool revoke_code(struct chat_call *call)
{
	struct slice text = chat_field_text(call, PROTO_FIELD_invitecode_code);
	struct chat_code *code;

	if (text.len == 0) {
		chat_refuse(call, PROTO_ERR_bad_field, "revoke needs a code");
		call->error.field = "code";
		return false;
	}
	code = tree_entry(tree_find(&call->chat->codes, text), struct chat_code, node);
	if (code == NULL)
		return true;
	if (!chat_touch_code(call->chat, text))
		return chat_refuse_memory(call);
	chat_code_free(call->chat, code);
	return chat_audit(call, NULL, slice_of("revoke"));
}

bool cmd_invitecode(struct chat_call *call)
{
	/* The words of the row stand in this order. */
	static bool (*const actions[])(struct chat_call *) = {create_code, list_codes, revoke_code};

	return actions[request_field(call->request, PROTO_FIELD_invitecode_action)->number](call);
}

/* --- backup ---------------------------------------------------------------------------------- */

struct server_job {
	struct chat_job job;
	struct chat *chat; /* for `release`, under the lock */
	char file[4097];
	enum status (*reload)(void *arg, struct error *err);
	void *reload_arg;
	struct error err;
	enum status status;
};

static void run_backup(struct chat_job *job)
{
	struct server_job *own = (struct server_job *)job;

	own->status = job->store->ops->backup(job->store, own->file, &own->err);
}

static bool refuse_failed(struct chat_call *call, const struct server_job *own)
{
	struct slice why = utf8_cut(slice_of(own->err.text), 190);

	return chat_refuse(call, PROTO_ERR_unavailable, "%.*s", (int)why.len, why.ptr);
}

static bool backup_done(struct chat_call *call, struct chat_job *job)
{
	struct server_job *own = (struct server_job *)job;
	struct json_writer w;

	if (own->status != STATUS_OK)
		return refuse_failed(call, own);
	if (!chat_audit(call, NULL, slice_of(own->file)))
		return false;
	if (chat_reply_begin(call, &w)) {
		json_put_str(&w, "file", own->file);
		chat_reply_end(call, &w);
	}
	return true;
}

static void release_busy(struct chat_job *job)
{
	((struct server_job *)job)->chat->busy = false;
}

/* One at a time, of backup and reload, so that they leave the pool to others. */
static struct server_job *server_job(struct chat_call *call, void (*run)(struct chat_job *job),
    bool (*done)(struct chat_call *call, struct chat_job *job))
{
	struct server_job *own;

	if (call->chat->busy) {
		chat_refuse(call, PROTO_ERR_unavailable,
		    "another backup or reload is going on; try again later");
		return NULL;
	}
	own = chat_job_new(call, sizeof *own, run, done);
	if (own == NULL)
		return NULL;
	own->chat = call->chat;
	own->chat->busy = true;
	own->job.release = release_busy;
	return own;
}

static bool is_absolute(struct slice path)
{
	return path.ptr[0] == '/' || path.ptr[0] == '\\' || (path.len > 2 && path.ptr[1] == ':');
}

bool cmd_backup(struct chat_call *call)
{
	struct slice file = chat_field_text(call, PROTO_FIELD_backup_file);
	struct store *store = call->chat->options.store;
	struct server_job *own;

	if (!is_absolute(file)) {
		chat_refuse(call, PROTO_ERR_bad_field, "file has to be an absolute path");
		call->error.field = "file";
		return false;
	}
	if (store == NULL || store->ops->backup == NULL)
		return chat_refuse(call, PROTO_ERR_unavailable,
		    "this server has nothing that could be copied");
	own = server_job(call, run_backup, backup_done);
	return own != NULL && str_copy(own->file, sizeof own->file, file);
}

/* --- reload, shutdown ------------------------------------------------------------------------ */

static void run_reload(struct chat_job *job)
{
	struct server_job *own = (struct server_job *)job;

	own->status = own->reload(own->reload_arg, &own->err);
}

static bool reload_done(struct chat_call *call, struct chat_job *job)
{
	struct server_job *own = (struct server_job *)job;

	if (own->status != STATUS_OK)
		return refuse_failed(call, own);
	return chat_audit(call, NULL, slice_of(""));
}

bool cmd_reload(struct chat_call *call)
{
	const struct chat_options *options = &call->chat->options;
	struct server_job *own;

	if (options->reload == NULL)
		return chat_refuse(call, PROTO_ERR_unavailable, "this server cannot do that");
	own = server_job(call, run_reload, reload_done);
	if (own == NULL)
		return false;
	own->reload = options->reload;
	own->reload_arg = options->owner;
	return true;
}

bool cmd_shutdown(struct chat_call *call)
{
	const struct chat_options *options = &call->chat->options;

	if (options->shutdown == NULL)
		return chat_refuse(call, PROTO_ERR_unavailable, "this server cannot do that");
	if (!chat_audit(call, NULL, slice_of("")))
		return false;
	options->shutdown(options->owner);
	return true;
}
