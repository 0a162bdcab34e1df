/* The verbs that are one command of the protocol each, and its reply, page by page if wished. */
#include "cli/verbs.h"

#include "cli/command.h"
#include "cli/print.h"
#include "os/secret.h"

/* Pages come one after the other, and not without end where a server says "more" for ever. */
#define PAGES_MAX 1000000

struct question {
	struct app *app;
	struct command *command;
	struct print print;
	char conversation[PROTO_ROOM_MAX + 2];
	int64_t stop_at;  /* history --all --before N: the first seq not wanted, or 0 */
	bool done, more;  /* this page, and whether there is another */
	bool printed;     /* anything, on any page */
	bool awaits_sync; /* `sync` is done when the event says so */
	int exit_code;
};

/* --- Pages --------------------------------------------------------------------------------- */

static bool is_history(const struct question *question)
{
	return question->command->cmd == PROTO_CMD_history;
}

/* The seq of the last item of a page of a history; 0 if it has none. */
static int64_t last_seq(const struct json *reply)
{
	const struct json *list = json_get(reply, "messages");
	int64_t seq = 0;

	if (list == NULL)
		list = json_get(reply, "events");
	for (const struct json *m = json_first(list); m != NULL; m = json_next(m))
		json_int(json_get(m, "seq"), &seq);
	return seq;
}

/* Has the command ask for the next page; false if there is none. */
static bool turn_page(struct question *question, const struct json *reply)
{
	struct buf *after = command_value(question->command, "after");
	const struct json *next = json_get(reply, "next");
	int64_t seq;

	if (after == NULL || !json_is_true(json_get(reply, "more")))
		return false;
	if (is_history(question)) {
		seq = last_seq(reply);
		if (seq == 0 || (question->stop_at > 0 && seq + 1 >= question->stop_at))
			return false;
		buf_clear(after);
		buf_put_fmt(after, "%lld", (long long)seq);
		return true;
	}
	if (next == NULL)
		return false;
	buf_clear(after);
	json_print(next, after);
	return true;
}

/* What to type for the rest: words for people, as what came may hold anything. */
static void hint(const struct question *question, const struct json *reply)
{
	struct slice next = json_text(json_get(reply, "next"));
	const struct json *first = json_first(json_get(reply, "messages"));
	int64_t number;

	if (first == NULL)
		first = json_first(json_get(reply, "events"));
	if (question->app->all || !json_is_true(json_get(reply, "more")))
		return;
	if (is_history(question) && command_value(question->command, "after")->len > 0)
		app_note(question->app, "there is more: --after %lld, or --all",
		    (long long)last_seq(reply));
	else if (is_history(question) && json_int(json_get(first, "seq"), &number))
		app_note(
		    question->app, "there is more: --before %lld, or --all", (long long)number);
	else if (json_int(json_get(reply, "next"), &number))
		app_note(question->app, "there is more: --after %lld, or --all", (long long)number);
	else if (next.len > 0)
		app_note(question->app, "there is more: --after %.*s, or --all",
		    (int)(next.len < 100 ? next.len : 100), next.ptr);
	else
		app_note(question->app, "there is more: --all tells it");
}

/* All of a history is read from its start: what is the newest page changes while one reads. */
static int begin_all(struct question *question)
{
	struct command *command = question->command;
	struct buf *before = command_value(command, "before");

	if (!is_history(question))
		return EXIT_DONE;
	if (command_value(command, "around")->len > 0) {
		app_error("--all and --around do not go together");
		return EXIT_USAGE;
	}
	if (before->len > 0) {
		str_to_int(buf_slice(before), 1, PROTO_INT_MAX, &question->stop_at);
		buf_clear(before);
	}
	if (command_value(command, "after")->len == 0)
		buf_put_str(command_value(command, "after"), "0");
	return EXIT_DONE;
}

/* --- Answers ------------------------------------------------------------------------------- */

static void print_page(struct question *question, const struct json *reply)
{
	struct buf text;

	buf_init(&text, 8 * CONFAB_LINE_MAX);
	print_reply(&question->print, reply, &text);
	question->printed = question->printed || text.len > 0;
	if (text.failed)
		app_error("the answer is too long to be laid out; --json prints it as it is");
	if (text.len > 0)
		app_print(question->app, buf_slice(&text));
	buf_release(&text);
}

static void on_reply(
    void *arg, struct confab *c, enum confab_status status, const struct confab_line *line)
{
	struct question *question = arg;
	struct json *reply;
	const char *bytes;
	size_t len;

	if (!question->awaits_sync || status != CONFAB_OK)
		question->done = true;
	question->more = false;
	if (line != NULL && question->app->json)
		app_print_line(question->app, line);
	if (status != CONFAB_OK) {
		question->exit_code = app_refused(question->app, status, line);
		return;
	}
	bytes = confab_line_bytes(line, &len);
	if (json_parse(slice_make(bytes, len), &reply, NULL) != STATUS_OK)
		return;
	question->print.self = confab_user(c);
	if (!question->app->json)
		print_page(question, reply);
	hint(question, reply);
	question->more = question->app->all && turn_page(question, reply);
	json_free(reply);
}

/* The events of a `sync`, up to the last; what is said meanwhile is not its matter. */
static void on_line(void *arg, struct confab *c, const struct confab_line *line)
{
	struct question *question = arg;
	const char *name = confab_line_name(line);
	const char *bytes;
	struct json *event;
	struct buf text;
	size_t len;

	if (!question->awaits_sync || confab_line_kind(line) != CONFAB_EVENT)
		return;
	bytes = confab_line_bytes(line, &len);
	if (json_parse(slice_make(bytes, len), &event, NULL) != STATUS_OK)
		return;
	buf_init(&text, CONFAB_LINE_MAX);
	if (strcmp(name, "synced") == 0)
		question->done = true;
	else if (!json_is_true(json_get(event, "replay")) && strcmp(name, "skipped") != 0 &&
	         strcmp(name, "gone") != 0)
		goto out;
	question->app->progress++;
	if (question->app->json)
		app_print_line(question->app, line);
	else if (show_event(&text, event, confab_user(c)))
		app_print(question->app, buf_slice(&text));
out:
	buf_release(&text);
	json_free(event);
}

/* --- Asking -------------------------------------------------------------------------------- */

static int ask_page(struct question *question)
{
	struct app *app = question->app;
	enum confab_status status;
	struct buf json;
	int result;

	buf_init(&json, CONFAB_LINE_MAX);
	buf_reserve(&json, PROTO_LIMIT_line); /* once, as it may hold a password */
	command_print(question->command, &json);
	question->done = false;
	status = json.failed ? CONFAB_LIMIT
	                     : confab_request(app->c, json.ptr, json.len, on_reply, question);
	if (status != CONFAB_OK)
		result = app_fail(app, status);
	else
		result = app_run_until(app, &question->done, app->timeout_ms);
	buf_release_secret(&json);
	if (result != EXIT_DONE)
		return result;
	return question->done ? question->exit_code : EXIT_OTHER;
}

int command_ask(struct app *app, struct command *command)
{
	struct question question = {.app = app, .command = command, .print.self = ""};
	struct app_handlers handlers = {.on_line = on_line, .arg = &question};
	struct buf *room = command_value(command, "room"), *to = command_value(command, "to");
	int result = app->all ? begin_all(&question) : EXIT_DONE;

	if (result == EXIT_DONE)
		result = app_open(app, &handlers, false);
	if (result != EXIT_DONE)
		return result;
	/* The values are names between quotes. */
	if (to != NULL && to->len > 2)
		snprintf(question.conversation, sizeof question.conversation, "@%.*s",
		    (int)to->len - 2, to->ptr + 1);
	else if (room != NULL && room->len > 2)
		snprintf(question.conversation, sizeof question.conversation, "%.*s",
		    (int)room->len - 2, room->ptr + 1);
	/* Results of a search name theirs. */
	if (question.conversation[0] != '\0' && command->cmd != PROTO_CMD_search)
		question.print.conversation = question.conversation;
	question.awaits_sync = command->cmd == PROTO_CMD_sync;
	for (unsigned page = 0; page < PAGES_MAX; page++) {
		result = ask_page(&question);
		if (result != EXIT_DONE || !question.more || app_is_leaving(app))
			break;
	}
	if (result == EXIT_DONE && question.print.is_empty && !question.printed && !app->json)
		app_note(app, "none");
	app_close(app);
	return result;
}

/* A password of another user's, which an administrator gives. */
static int put_password(struct app *app, struct command *command)
{
	struct buf *value = command_value(command, "password");
	struct error err = {.status = STATUS_OK};
	struct secret secret = {.len = 0};
	enum status status;

	if (value == NULL || (command->cmd == PROTO_CMD_useradd && !app->ask_password &&
	                         app->secret.from == SECRET_PROMPT))
		return EXIT_DONE;
	status = secret_read(&app->secret, "New password: ", "The same again: ", &secret, &err);
	if (status == STATUS_OK)
		command_put_text(command, "password", slice_make(secret.text, secret.len));
	else
		app_error("%s", err.text);
	secret_release(&secret);
	return status == STATUS_OK ? EXIT_DONE : secret_exit(status);
}

int secret_exit(enum status status)
{
	return status == STATUS_USAGE || status == STATUS_INVALID ? EXIT_USAGE : EXIT_OTHER;
}

/* `set` without a setting would tell the whole room that nothing has changed. */
static bool sets_nothing(struct command *command)
{
	const struct proto_cmd_row *row = proto_cmd_row(command->cmd);

	if (command->cmd != PROTO_CMD_set)
		return false;
	for (unsigned i = 0; i < row->field_count; i++) {
		const char *name = proto_field_row(row->first_field + i)->name;

		if (strcmp(name, "room") != 0 && command_value(command, name)->len > 0)
			return false;
	}
	return true;
}

int verb_command(struct app *app, const char *const *words, size_t count)
{
	struct error err = {.status = STATUS_OK};
	enum status status = command_put_words(app->command, words, count, app->to, &err);
	int result;

	if (status != STATUS_OK) {
		app_error("%s", err.text);
		return status == STATUS_USAGE ? EXIT_USAGE : EXIT_OTHER;
	}
	if (sets_nothing(app->command)) {
		app_error("set what? confab set --help lists the settings");
		return EXIT_USAGE;
	}
	result = put_password(app, app->command);
	return result == EXIT_DONE ? command_ask(app, app->command) : result;
}
