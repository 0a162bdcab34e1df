/*
 * confab chat: a conversation in plain lines, in any terminal and over a pipe. Typing is left to
 * the terminal's own line editing. What comes is printed at once, over the prompt, and the prompt
 * is written again below it; what was typed half stays in the terminal's hands.
 */
#include "cli/verbs.h"

#include <stdarg.h>

#include "cli/chat.h"
#include "cli/local.h"
#include "cli/show.h"
#include "os/clock.h"
#include "os/random.h"
#include "wire/json.h"

/* --- The screen ---------------------------------------------------------------------------- */

/* Blanks instead of control sequences: every terminal knows what a blank is. */
void chat_hide_prompt(struct chat *chat)
{
	struct buf blank;
	unsigned columns = program_columns();

	if (!chat->prompt_shown)
		return;
	chat->prompt_shown = false;
	if (columns < 2 || columns > 500)
		columns = 80;
	buf_init(&blank, 1024);
	buf_put_fmt(&blank, "\r%*s\r", (int)columns - 1, "");
	app_print(chat->app, buf_slice(&blank));
	buf_release(&blank);
}

static void show_prompt(struct chat *chat)
{
	struct buf prompt;

	if (!chat->has_prompt || chat->prompt_shown || chat->input_ended)
		return;
	buf_init(&prompt, 128);
	buf_put_fmt(&prompt, "%s> ", chat->current);
	app_print(chat->app, buf_slice(&prompt));
	buf_release(&prompt);
	chat->prompt_shown = true;
}

void chat_print(struct chat *chat, struct slice text)
{
	chat_hide_prompt(chat);
	app_print(chat->app, text);
}

void chat_note(struct chat *chat, const char *format, ...)
{
	char text[600];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	chat_hide_prompt(chat);
	app_note(chat->app, "-- %s", text);
}

/* --- Events -------------------------------------------------------------------------------- */

/* A message of ours that was typed at the prompt stands there already. */
static bool is_on_screen(const struct chat *chat, const struct json *event)
{
	struct slice nonce = json_text(json_get(event, "nonce"));

	return chat->has_prompt && nonce.ptr != NULL && slice_starts(nonce, chat->nonce);
}

/* What is of this moment only, such as presence, has no time of its own. */
static void put_now(struct buf *line)
{
	char now[LOCAL_TIME_SIZE];

	local_time(clock_unix_ms(), now);
	if (line->len > strlen(now))
		memcpy(line->ptr, now, strlen(now));
}

static void on_line(void *arg, struct confab *c, const struct confab_line *line)
{
	struct chat *chat = arg;
	char motd[2048];
	struct json *event;
	struct buf text;
	size_t len;
	const char *bytes = confab_line_bytes(line, &len);

	chat->app->progress++;
	if (chat->app->json) {
		chat_hide_prompt(chat);
		app_print_line(chat->app, line);
		return;
	}
	if (confab_line_kind(line) != CONFAB_EVENT ||
	    json_parse(slice_make(bytes, len), &event, NULL) != STATUS_OK)
		return;
	buf_init(&text, CONFAB_LINE_MAX);
	if (strcmp(confab_line_name(line), "welcome") == 0) {
		if (confab_line_text(line, "motd", motd, sizeof motd) > 0)
			chat_note(chat, "%s", motd);
	} else if (!is_on_screen(chat, event) && show_event(&text, event, confab_user(c))) {
		if (json_get(event, "time") == NULL)
			put_now(&text);
		chat_print(chat, buf_slice(&text));
	}
	buf_release(&text);
	json_free(event);
}

static void on_joined(void *arg, const char *room, const struct confab_line *line, bool again)
{
	struct chat *chat = arg;
	char topic[PROTO_LIMIT_topic + 1];
	int64_t count = 0;

	confab_line_text(line, "topic", topic, sizeof topic);
	confab_line_int(line, "member_count", &count);
	chat_note(chat, "%s %s, %lld here%s%s", again ? "again in" : "in", room, (long long)count,
	    topic[0] != '\0' ? ": " : "", topic);
	if (!again)
		str_copy(chat->current, sizeof chat->current, slice_of(room));
}

static void on_refused(
    void *arg, const char *room, enum confab_status status, const struct confab_line *line)
{
	struct chat *chat = arg;

	chat_hide_prompt(chat);
	app_refused(chat->app, status, line);
	if (membership_has(chat->rooms, room))
		chat_note(chat, "trying %s again in a few seconds", room);
}

static void on_state(void *arg, struct confab *c, enum confab_state state,
    enum confab_status status, const char *text)
{
	struct chat *chat = arg;

	(void)status;
	if (state == CONFAB_WAITING) {
		chat_note(chat, "%s; connecting again%s", text,
		    app_is_guest(chat->app) ? ", messages may be missing" : "");
	} else if (state == CONFAB_READY) {
		chat_note(chat, "%s to %s as %s; /help lists the commands",
		    chat->told ? "connected again" : "connected", confab_server(c), confab_user(c));
		chat->told = true;
		membership_join_all(chat->rooms);
	}
}

/* --- Running ------------------------------------------------------------------------------- */

/* Over a pipe lines can come faster than the server answers: they are sent in the same order, and
 * none while a room is being entered, so that a script may say /join and then a text. */
static bool may_read(const struct chat *chat)
{
	return !chat->input_ended && confab_state(chat->app->c) == CONFAB_READY &&
	       confab_pending(chat->app->c) < (chat->has_prompt ? 64 : 1);
}

static void read_input(struct chat *chat)
{
	while (may_read(chat)) {
		struct slice line;
		enum status status = input_line(chat->input, &line, NULL);

		if (status == STATUS_AGAIN)
			return;
		if (status == STATUS_OK) {
			chat_handle_input(chat, line);
			continue;
		}
		chat->input_ended = true;
		confab_quit(chat->app->c);
	}
}

static int run(struct chat *chat)
{
	struct app *app = chat->app;
	enum confab_status status = CONFAB_OK;

	while (confab_state(app->c) != CONFAB_ENDED) {
		read_input(chat);
		if (confab_state(app->c) == CONFAB_READY)
			show_prompt(chat);
		status = confab_run(app->c, membership_tick(chat->rooms));
	}
	chat_hide_prompt(chat);
	if (app->out_exit != EXIT_DONE)
		return app->out_exit;
	if (app_is_leaving(app) || status == CONFAB_OK || chat->input_ended)
		return EXIT_DONE;
	return app_fail(app, status);
}

static int check_word(const char *const *words, size_t count)
{
	if (count > 1) {
		app_error("chat takes one room at most; enter more with /join");
		return EXIT_USAGE;
	}
	if (count == 1 && !proto_is_room_name(slice_of(words[0])) &&
	    !(words[0][0] == '@' && proto_is_user_name(slice_of(words[0] + 1)))) {
		app_error(
		    "\"%.80s\" is no name of a room: lower-case letters, digits, '.', '_' and "
		    "'-'",
		    words[0]);
		return EXIT_USAGE;
	}
	return EXIT_DONE;
}

static int converse(struct chat *chat)
{
	struct app_handlers handlers = {.on_line = on_line, .on_state = on_state, .arg = chat};
	int result = app_open(chat->app, &handlers, true);

	if (result != EXIT_DONE)
		return result;
	if (input_start(chat->app->c, PROTO_LIMIT_text, &chat->input) != STATUS_OK) {
		app_error("%s", status_text(STATUS_NOMEM));
		result = EXIT_OTHER;
	} else {
		result = run(chat);
	}
	input_stop(chat->input);
	app_close(chat->app);
	return result;
}

int verb_chat(struct app *app, const char *const *words, size_t count)
{
	struct chat chat = {.app = app};
	int result = check_word(words, count);

	if (result != EXIT_DONE)
		return result;
	chat.has_prompt =
	    !app->json && program_is_terminal(PROGRAM_STDIN) && program_is_terminal(PROGRAM_STDOUT);
	/* Unique over runs: the server takes a message with a nonce it knows for the same one. */
	snprintf(chat.nonce, sizeof chat.nonce, "%016llx-", (unsigned long long)random_u64());
	chat.rooms = membership_new(app, on_joined, on_refused, &chat);
	if (chat.rooms == NULL) {
		app_error("%s", status_text(STATUS_NOMEM));
		return EXIT_OTHER;
	}
	if (app->to != NULL)
		snprintf(chat.current, sizeof chat.current, "@%s", app->to);
	else if (count == 1 && words[0][0] == '@')
		str_copy(chat.current, sizeof chat.current, slice_of(words[0]));
	else if (count == 1)
		membership_add(chat.rooms, words[0]);
	result = converse(&chat);
	membership_free(chat.rooms);
	return result;
}
