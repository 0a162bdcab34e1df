/*
 * confab chat: a conversation in plain lines, in any terminal and over a pipe. Typing is left to
 * the terminal's own line editing. What comes is printed at once, over the prompt, and the prompt
 * is written again below it; what was typed half stays in the terminal's hands.
 */
#include "cli/verbs.h"

#include <stdarg.h>

#include "base/options.h"
#include "base/utf8.h"
#include "cli/input.h"
#include "cli/membership.h"
#include "cli/show.h"
#include "os/random.h"
#include "wire/json.h"
#include "wire/tables.h"

struct chat {
	struct app *app;
	struct membership *rooms;
	struct input *input;
	char current[PROTO_ROOM_MAX + 2]; /* "dev" or "@bob"; "" at first */
	bool has_prompt;		  /* both ends are a terminal */
	bool prompt_shown;
	bool input_ended, told;
	char nonce[32]; /* how the nonces of this run begin */
	unsigned nonces;
};

/* --- The screen ---------------------------------------------------------------------------- */

/* Blanks instead of control sequences: every terminal knows what a blank is. */
static void hide_prompt(struct chat *chat)
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

static void print(struct chat *chat, struct slice text)
{
	hide_prompt(chat);
	app_print(chat->app, text);
}

static void note(struct chat *chat, const char *format, ...) PRINTF_LIKE(2, 3);

static void note(struct chat *chat, const char *format, ...)
{
	char text[600];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	hide_prompt(chat);
	app_note(chat->app, "-- %s", text);
}

/* --- Events -------------------------------------------------------------------------------- */

/* A message of ours that was typed at the prompt stands there already. */
static bool is_on_screen(const struct chat *chat, const struct json *event)
{
	struct slice nonce = json_text(json_get(event, "nonce"));

	return chat->has_prompt && nonce.ptr != NULL && slice_starts(nonce, chat->nonce);
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
		hide_prompt(chat);
		app_print_line(chat->app, line);
		return;
	}
	if (confab_line_kind(line) != CONFAB_EVENT ||
	    json_parse(slice_make(bytes, len), &event, NULL) != STATUS_OK)
		return;
	buf_init(&text, CONFAB_LINE_MAX);
	if (strcmp(confab_line_name(line), "welcome") == 0) {
		if (confab_line_text(line, "motd", motd, sizeof motd) > 0)
			note(chat, "%s", motd);
	} else if (!is_on_screen(chat, event) && show_event(&text, event, confab_user(c))) {
		print(chat, buf_slice(&text));
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
	note(chat, "%s %s, %lld here%s%s", again ? "again in" : "in", room, (long long)count,
	    topic[0] != '\0' ? ": " : "", topic);
	if (!again)
		str_copy(chat->current, sizeof chat->current, slice_of(room));
}

static void on_refused(void *arg, const char *room, enum confab_status status,
    const struct confab_line *line)
{
	struct chat *chat = arg;

	hide_prompt(chat);
	app_refused(chat->app, status, line);
	if (membership_has(chat->rooms, room))
		note(chat, "trying %s again in a few seconds", room);
}

static void on_state(void *arg, struct confab *c, enum confab_state state,
    enum confab_status status, const char *text)
{
	struct chat *chat = arg;

	(void)status;
	if (state == CONFAB_WAITING) {
		note(chat, "%s; connecting again, messages may be missing", text);
	} else if (state == CONFAB_READY) {
		note(chat, "%s to %s as %s; /help lists the commands",
		    chat->told ? "connected again" : "connected", confab_server(c),
		    confab_user(c));
		chat->told = true;
		membership_join_all(chat->rooms);
	}
}

/* --- Asking -------------------------------------------------------------------------------- */

static void on_sent(void *arg, struct confab *c, enum confab_status status,
    const struct confab_line *line)
{
	struct chat *chat = arg;

	(void)c;
	if (status == CONFAB_OK || chat->app->json)
		return;
	hide_prompt(chat);
	app_refused(chat->app, status, line);
}

static void ask(struct chat *chat, struct buf *json, confab_reply_fn *fn)
{
	enum confab_status status = json->failed ? CONFAB_LIMIT
						 : confab_request(chat->app->c, json->ptr,
						       json->len, fn, chat);

	if (status != CONFAB_OK)
		note(chat, "not sent: %s", confab_error_text(chat->app->c));
}

static void say(struct chat *chat, const char *target, struct slice text, const char *kind)
{
	struct buf json, repaired;
	struct json_writer w;
	char nonce[64];

	if (target[0] == '\0') {
		note(chat, "to whom? /join ROOM first, or /msg USER TEXT");
		return;
	}
	buf_init(&json, CONFAB_LINE_MAX);
	buf_init(&repaired, CONFAB_LINE_MAX);
	show_repair(&repaired, text);
	snprintf(nonce, sizeof nonce, "%s%u", chat->nonce, ++chat->nonces);
	json_begin(&w, &json);
	json_put_str(&w, "cmd", "send");
	json_put_str(&w, target[0] == '@' ? "to" : "room", target + (target[0] == '@'));
	json_put_text(&w, "text", buf_slice(&repaired));
	if (kind != NULL)
		json_put_str(&w, "kind", kind);
	json_put_str(&w, "nonce", nonce);
	json_end(&w);
	ask(chat, &json, on_sent);
	buf_release(&json);
	buf_release(&repaired);
}

/* --- Answers that list things -------------------------------------------------------------- */

static void put_item(struct buf *to, const struct json *item)
{
	struct slice room = json_text(json_get(item, "room"));
	struct slice text = json_text(json_get(item, room.ptr != NULL ? "topic" : "text"));
	struct slice state = json_text(json_get(item, "role"));
	int64_t count;

	buf_put_str(to, "   ");
	if (json_is_true(json_get(item, "guest")))
		buf_put_char(to, '~');
	show_text(to, room.ptr != NULL ? room : json_text(json_get(item, "user")));
	if (json_int(json_get(item, "member_count"), &count))
		buf_put_fmt(to, " (%lld%s)", (long long)count,
		    json_is_true(json_get(item, "joined")) ? ", joined" : "");
	if (state.ptr == NULL)
		state = json_text(json_get(item, "status"));
	if (state.len > 0) {
		buf_put_str(to, " (");
		show_text(to, state);
		buf_put_char(to, ')');
	}
	if (text.len > 0) {
		buf_put_str(to, ": ");
		show_text(to, text);
	}
	buf_put_char(to, '\n');
}

static void on_list(void *arg, struct confab *c, enum confab_status status,
    const struct confab_line *line)
{
	static const char *const keys[] = {"rooms", "members", "users"};
	struct chat *chat = arg;
	struct json *reply;
	struct buf text;
	const char *bytes;
	size_t len;

	on_sent(arg, c, status, line);
	if (status != CONFAB_OK || chat->app->json)
		return;
	bytes = confab_line_bytes(line, &len);
	if (json_parse(slice_make(bytes, len), &reply, NULL) != STATUS_OK)
		return;
	buf_init(&text, 4 * CONFAB_LINE_MAX);
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
		const struct json *list = json_get(reply, keys[i]);

		if (list == NULL)
			continue;
		buf_put_fmt(&text, "-- %s:%s\n", keys[i], json_first(list) == NULL ? " none" : "");
		for (const struct json *m = json_first(list); m != NULL; m = json_next(m))
			put_item(&text, m);
	}
	if (json_is_true(json_get(reply, "more")))
		buf_put_str(&text, "   and more\n");
	print(chat, buf_slice(&text));
	buf_release(&text);
	json_free(reply);
}

static void ask_list(struct chat *chat, const char *cmd, const char *key, struct slice value)
{
	struct buf json;
	struct json_writer w;

	buf_init(&json, CONFAB_LINE_MAX);
	json_begin(&w, &json);
	json_put_str(&w, "cmd", cmd);
	if (value.len > 0)
		json_put_text(&w, key, value);
	json_end(&w);
	ask(chat, &json, on_list);
	buf_release(&json);
}

/* --- Commands ------------------------------------------------------------------------------ */

static void cmd_help(struct chat *chat, struct slice rest);

static void cmd_join(struct chat *chat, struct slice rest)
{
	char room[PROTO_ROOM_MAX + 1];

	if (!str_copy(room, sizeof room, rest) || !proto_is_room_name(rest))
		note(chat, "/join ROOM: lower-case letters, digits, '.', '_' and '-'");
	else if (!membership_add(chat->rooms, room))
		note(chat, "you are in too many rooms");
}

static void cmd_leave(struct chat *chat, struct slice rest)
{
	char room[PROTO_ROOM_MAX + 2];
	struct buf json;
	struct json_writer w;

	str_copy(room, sizeof room, rest.len > 0 ? rest : slice_of(chat->current));
	if (room[0] == '\0' || room[0] == '@') {
		note(chat, "/leave ROOM");
		return;
	}
	membership_remove(chat->rooms, room);
	buf_init(&json, 1024);
	json_begin(&w, &json);
	json_put_str(&w, "cmd", "leave");
	json_put_str(&w, "room", room);
	json_end(&w);
	ask(chat, &json, on_sent);
	buf_release(&json);
	if (strcmp(chat->current, room) == 0)
		chat->current[0] = '\0';
}

static void cmd_room(struct chat *chat, struct slice rest)
{
	char target[PROTO_ROOM_MAX + 2];
	bool is_user = slice_starts(rest, "@");

	if (str_copy(target, sizeof target, rest) &&
	    ((is_user && proto_is_user_name(slice_of(target + 1))) ||
		membership_has(chat->rooms, target)))
		str_copy(chat->current, sizeof chat->current, rest);
	else
		note(chat, "/room ROOM or @USER: where what you type goes; /join it first");
}

static void cmd_rooms(struct chat *chat, struct slice rest)
{
	ask_list(chat, "rooms", "like", rest);
}

static void cmd_members(struct chat *chat, struct slice rest)
{
	if (rest.len == 0)
		rest = slice_of(chat->current);
	if (rest.len == 0 || rest.ptr[0] == '@')
		note(chat, "/members ROOM");
	else
		ask_list(chat, "members", "room", rest);
}

static void cmd_who(struct chat *chat, struct slice rest)
{
	ask_list(chat, "who", "like", rest);
}

static void cmd_me(struct chat *chat, struct slice rest)
{
	if (rest.len == 0)
		note(chat, "/me TEXT");
	else
		say(chat, chat->current, rest, "action");
}

static void cmd_msg(struct chat *chat, struct slice rest)
{
	struct slice user = slice_cut(&rest, ' ');
	char target[PROTO_USER_MAX + 2] = "@";

	if (slice_starts(user, "@"))
		user = slice_make(user.ptr + 1, user.len - 1);
	rest = rest.ptr != NULL ? slice_trim(rest) : slice_of("");
	if (!proto_is_user_name(user) || rest.len == 0) {
		note(chat, "/msg USER TEXT");
		return;
	}
	str_copy(target + 1, sizeof target - 1, user);
	say(chat, target, rest, NULL);
}

static void cmd_quit(struct chat *chat, struct slice rest)
{
	(void)rest;
	confab_quit(chat->app->c);
}

static const struct command {
	const char *name, *words, *help;
	void (*run)(struct chat *chat, struct slice rest);
} commands[] = {
    {"help", "", "this list", cmd_help},
    {"join", "ROOM", "enter a room; what you type goes there", cmd_join},
    {"leave", "[ROOM]", "leave this room or another", cmd_leave},
    {"room", "ROOM|@USER", "type to another room you are in, or to a user", cmd_room},
    {"rooms", "[PART]", "the rooms there are", cmd_rooms},
    {"members", "[ROOM]", "who is in the room", cmd_members},
    {"who", "[PART]", "the people you share rooms with", cmd_who},
    {"me", "TEXT", "say what you do", cmd_me},
    {"msg", "USER TEXT", "write to one user", cmd_msg},
    {"quit", "", "end", cmd_quit},
};
#define COMMANDS (sizeof commands / sizeof *commands)

static void cmd_help(struct chat *chat, struct slice rest)
{
	(void)rest;
	hide_prompt(chat);
	for (size_t i = 0; i < COMMANDS; i++)
		app_note(chat->app, "   /%s %s%*s%s", commands[i].name, commands[i].words,
		    (int)(22 - strlen(commands[i].name) - strlen(commands[i].words)), "",
		    commands[i].help);
	app_note(chat->app, "   Everything else is said in the room; // says a text that starts "
			    "with a slash.");
}

static void run_command(struct chat *chat, struct slice line)
{
	struct slice rest = slice_make(line.ptr + 1, line.len - 1);
	struct slice name = slice_cut(&rest, ' ');
	const char *names[COMMANDS + 1] = {NULL};
	char word[33];
	const char *nearest;

	rest = rest.ptr != NULL ? slice_trim(rest) : slice_of("");
	for (size_t i = 0; i < COMMANDS; i++) {
		if (slice_is(name, commands[i].name)) {
			commands[i].run(chat, rest);
			return;
		}
		names[i] = commands[i].name;
	}
	str_copy(word, sizeof word, name);
	nearest = options_nearest(word, names);
	note(chat, "there is no /%s; %s%s", word, nearest != NULL ? "did you mean /" : "see /help",
	    nearest != NULL ? nearest : "");
}

static void handle_input(struct chat *chat, struct slice line)
{
	/* The key that ended the line has moved the cursor off the prompt. */
	chat->prompt_shown = false;
	if (line.len == 0)
		return;
	if (line.ptr[0] != '/')
		say(chat, chat->current, line, NULL);
	else if (line.len > 1 && line.ptr[1] == '/')
		say(chat, chat->current, slice_make(line.ptr + 1, line.len - 1), NULL);
	else
		run_command(chat, line);
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
			handle_input(chat, line);
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
	hide_prompt(chat);
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
		app_error("\"%.80s\" is no name of a room: lower-case letters, digits, '.', '_' and "
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
	chat.has_prompt = !app->json && program_is_terminal(PROGRAM_STDIN) &&
			  program_is_terminal(PROGRAM_STDOUT);
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
