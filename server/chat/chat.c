/*
 * The core's birth and end, its sessions, and the way of a request to its handler and back.
 */
#include "chat/chat_private.h"
#include "chat/rights.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "confab_version.h"

void chat_id_new(struct chat *chat, char to[CHAT_EPOCH_SIZE])
{
	snprintf(to, CHAT_EPOCH_SIZE, "%016llx", (unsigned long long)rng_next(&chat->ids));
}

/* A limit as the greeting tells it: as configured, where it can be. */
static int64_t limit_told(const struct chat_options *options, const struct proto_limit_row *row)
{
	const struct {
		const char *name;
		int64_t value;
	} configured[] = {
	    {"line", options->line_max},
	    {"first_line", options->first_line_max},
	    {"login_s", options->login_s},
	    {"idle_s", options->idle_s},
	    {"ping_s", options->ping_s},
	};

	for (size_t i = 0; i < sizeof configured / sizeof *configured; i++)
		if (strcmp(row->name, configured[i].name) == 0)
			return configured[i].value;
	return row->value;
}

static struct blob *make_welcome(struct chat *chat)
{
	struct json_writer w;
	const struct proto_limit_row *row;

	message_begin_event(&w, &chat->scratch, PROTO_EVENT_welcome);
	json_put_str(&w, "server", "confab/" CONFAB_VERSION);
	json_put_int(&w, "protocol", PROTO_VERSION);
	json_put_str(&w, "name", chat->name);
	json_put_str(&w, "epoch", chat->epoch);
	json_open_array(&w, "auth");
	json_put_str(&w, NULL, "password");
	json_put_str(&w, NULL, "token");
	if (chat->options.certificates)
		json_put_str(&w, NULL, "certificate");
	if (chat->options.guests)
		json_put_str(&w, NULL, "guest");
	json_close_array(&w);
	json_open_object(&w, "limits");
	for (size_t i = 0; (row = proto_limit_row(i)) != NULL; i++) {
		json_put_int(&w, row->name, limit_told(&chat->options, row));
	}
	json_close_object(&w);
	if (chat->motd != NULL)
		json_put_str(&w, "motd", chat->motd);
	message_end(&w);
	return chat_take_line(chat);
}

struct chat *chat_new(const struct chat_options *options)
{
	struct chat *chat = calloc(1, sizeof *chat);

	if (chat == NULL)
		return NULL;
	chat->options = *options;
	chat->options.name = chat->options.motd = NULL;
	chat->rng.state = options->seed;
	chat->ids.state = options->id_seed;
	list_init(&chat->damped);
	list_init(&chat->offline);
	list_init(&chat->pending);
	list_init(&chat->sessions);
	list_init(&chat->refused);
	buf_init(&chat->scratch, PROTO_LIMIT_reply);
	buf_init(&chat->extra, CHAT_EXTRA_MAX);
	buf_init(&chat->records, CHAT_RECORDS_MAX);
	chat->changes = calloc(CHAT_CHANGES, sizeof *chat->changes);
	chat->next_id = 1;
	if (options->epoch != NULL)
		str_copy(chat->epoch, sizeof chat->epoch, slice_of(options->epoch));
	else
		chat_id_new(chat, chat->epoch);
	chat->name = str_dup(slice_of(options->name));
	if (options->motd != NULL)
		chat->motd = str_dup(slice_of(options->motd));
	chat->entries = calloc(CHAT_ENTRIES_MAX, sizeof *chat->entries);
	chat->extra_at = calloc(CHAT_ENTRIES_MAX, sizeof *chat->extra_at);
	chat->console = chat_user_make(chat, slice_of(CHAT_CONSOLE), false, CHAT_MEMORY_ID - 1);
	if (!options->no_throttle)
		chat->throttle = login_throttle_new(rng_next(&chat->rng));
	if ((chat->throttle != NULL || options->no_throttle) && chat->name != NULL &&
	    (options->motd == NULL || chat->motd != NULL) &&
	    chat->entries != NULL && chat->extra_at != NULL && chat->changes != NULL &&
	    chat->console != NULL)
		chat->welcome = make_welcome(chat);
	if (chat->welcome == NULL) {
		chat_free(chat);
		return NULL;
	}
	return chat;
}

/* Sessions must have been closed; users and rooms that stay behind go with the core. */
void chat_free(struct chat *chat)
{
	struct tree_node *node;

	if (chat == NULL)
		return;
	while ((node = tree_first(&chat->rooms)) != NULL)
		chat_room_free(chat, tree_entry(node, struct chat_room, node));
	while ((node = tree_first(&chat->users)) != NULL)
		chat_user_free(chat, tree_entry(node, struct chat_user, node));
	while (!list_is_empty(&chat->pending)) {
		struct chat_unit *unit =
		    list_entry(list_take(&chat->pending), struct chat_unit, link);

		while (unit->first != NULL) {
			struct chat_item *item = unit->first;

			unit->first = item->next;
			chat_item_free(item);
		}
		if (unit->job != NULL)
			chat_job_free(chat, unit->job);
		chat_undo_release(unit);
		free(unit);
	}
	while (!list_is_empty(&chat->refused))
		chat_job_free(chat,
		    list_entry(list_take(&chat->refused), struct chat_job, link));
	while (chat->codes.root != NULL)
		chat_code_free(chat, tree_entry(chat->codes.root, struct chat_code, node));
	while (!list_is_empty(&chat->sessions))
		chat_session_forget(list_entry(chat->sessions.next, struct chat_session, all));
	login_throttle_free(chat->throttle);
	free(chat->spare_unit);
	free(chat->entries);
	free(chat->extra_at);
	free(chat->changes);
	free(chat->free_slots);
	blob_unref(chat->welcome);
	buf_release(&chat->scratch);
	buf_release(&chat->extra);
	buf_release(&chat->records);
	free(chat->name);
	free(chat->motd);
	free(chat);
}

struct blob *chat_welcome(struct chat *chat)
{
	return blob_ref(chat->welcome);
}

void chat_count(const struct chat *chat, struct chat_counts *ret)
{
	*ret = chat->counts;
	ret->users = chat->users.count - 1; /* without the console */
	ret->rooms = chat->rooms.count;
}

void chat_end_store(struct chat *chat)
{
	chat->options.store = NULL;
}

bool chat_tick(struct chat *chat, struct chat_time now)
{
	chat_job_refuse_all(chat, now);
	chat_retention_tick(chat, now);
	return chat_presence_tick(chat, now);
}

/* --- Requests ------------------------------------------------------------------------------- */

PRINTF_LIKE(4, 0)
static bool refuse(struct chat_call *call, enum proto_error code, int64_t limit,
    const char *format, va_list args)
{
	call->error = (struct request_error){.code = code, .limit = limit};
	vsnprintf(call->error.message, sizeof call->error.message, format, args);
	return false;
}

bool chat_refuse(struct chat_call *call, enum proto_error code, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	refuse(call, code, 0, format, args);
	va_end(args);
	return false;
}

bool chat_refuse_field(struct chat_call *call, const char *field, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	refuse(call, PROTO_ERR_bad_field, 0, format, args);
	va_end(args);
	call->error.field = field;
	return false;
}

bool chat_refuse_limit(struct chat_call *call, enum proto_error code, int64_t limit,
    const char *format, ...)
{
	va_list args;

	va_start(args, format);
	refuse(call, code, limit, format, args);
	va_end(args);
	return false;
}

bool chat_refuse_later(struct chat_call *call, int64_t wait_s, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	refuse(call, PROTO_ERR_rate_limited, 0, format, args);
	va_end(args);
	call->error.retry_after = wait_s;
	return false;
}

bool chat_refuse_memory(struct chat_call *call)
{
	return chat_refuse(call, PROTO_ERR_unavailable, "out of memory; try again later");
}

bool chat_reply_begin(struct chat_call *call, struct json_writer *w)
{
	if (call->request->id.kind == REQUEST_ID_NONE)
		return false;
	message_begin_reply(w, &call->chat->scratch, &call->request->id);
	return true;
}

static void send_reply(struct chat_call *call)
{
	struct blob *line = chat_take_line(call->chat);

	chat_tell_reply(call->chat, call->session, line);
	blob_unref(line);
	call->replied = true;
}

void chat_reply_end(struct chat_call *call, struct json_writer *w)
{
	message_end(w);
	send_reply(call);
}

bool chat_check_state(struct chat_call *call)
{
	switch (proto_cmd_row(call->request->cmd)->who) {
	case PROTO_ANYONE:
		return true;
	case PROTO_NEW:
		return call->user == NULL || chat_refuse(call, PROTO_ERR_already_logged_in,
						 "this connection is %s already",
						 call->user->name);
	case PROTO_USER:
	case PROTO_ADMIN:
		break;
	}
	if (call->user == NULL)
		return chat_refuse(call, PROTO_ERR_not_logged_in,
		    "log in first, with \"cmd\":\"login\"");
	if (proto_cmd_row(call->request->cmd)->who == PROTO_USER)
		return !call->session->console ||
		       chat_refuse(call, PROTO_ERR_not_allowed,
			   "that is for users; the console is none");
	return call->session->console || call->user->admin ||
	       chat_refuse(call, PROTO_ERR_not_allowed,
		   "only an administrator of the server may do that");
}

static bool dispatch(struct chat_call *call)
{
	static bool (*const handlers[])(struct chat_call *) = {
#define CMD(name, who, summary, reply) [PROTO_CMD_##name] = cmd_##name,
#include "tables.def"
	};
	return handlers[call->request->cmd](call);
}

/* True if the answer has left already, or there is none to come. */
static bool end_call(struct chat_call *call, bool ok)
{
	struct chat *chat = call->chat;
	struct json_writer w;
	bool left;

	if (!ok) {
		message_put_error(&chat->scratch, &call->request->id, &call->error);
		send_reply(call);
		if (call->session->failed_logins >= PROTO_LIMIT_login_tries)
			chat_tell_goodbye(chat, call->session, PROTO_REASON_flood, NULL);
	} else if (!call->postponed && !call->replied && chat_reply_begin(call, &w)) {
		chat_reply_end(call, &w);
	} else if (!call->postponed && !call->replied &&
		   proto_cmd_row(call->request->cmd)->who == PROTO_NEW) {
		/* The worker holds back what comes behind a login until it is answered. */
		chat_tell_reply(chat, call->session, NULL);
		call->replied = true;
	}
	left = chat_unit_end(chat, !call->replied && !call->postponed, call->now);
	return left && !call->replied && !call->postponed;
}

void chat_call_end(struct chat_call *call, bool ok)
{
	struct chat_session *session = call->session;
	bool unanswered;

	/* A job's request is ended by an item, whether its reply is wanted or not. */
	unanswered = ok && !call->postponed && !call->replied &&
		     call->request->id.kind == REQUEST_ID_NONE;
	if (unanswered) {
		chat_tell_reply(call->chat, session, NULL);
		call->replied = true;
	}
	end_call(call, ok);
}

enum chat_answer chat_request(struct chat *chat, struct chat_session *session,
    struct request *request, struct chat_time now)
{
	struct chat_call call = {
	    .chat = chat,
	    .session = session,
	    .user = session->user,
	    .request = request,
	    .now = now,
	};
	bool ok;

	if (session->finishing)
		return CHAT_ANSWERED;
	if (!chat_unit_begin(chat, NULL)) {
		chat_cut_off_now(chat, session);
		return CHAT_ANSWERED;
	}
	chat_unit_asked(chat, session, &request->id);
	if (call.user != NULL)
		call.user->active_mono_ms = now.mono_ms;
	ok = chat_check_state(&call);
	if (ok && !(request->cmd == PROTO_CMD_send && chat_send_again(&call, &ok)))
		ok = chat_check_rights(&call) && dispatch(&call);
	return end_call(&call, ok) ? CHAT_ANSWERED : CHAT_PENDING;
}
