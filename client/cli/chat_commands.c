#include "cli/chat.h"

#include "base/options.h"
#include "cli/show.h"
#include "wire/json.h"

/* --- Asking -------------------------------------------------------------------------------- */

static void on_sent(
    void *arg, struct confab *c, enum confab_status status, const struct confab_line *line)
{
	struct chat *chat = arg;

	(void)c;
	if (status == CONFAB_OK || chat->app->json)
		return;
	chat_hide_prompt(chat);
	app_refused(chat->app, status, line);
}

static void ask(struct chat *chat, struct buf *json, confab_reply_fn *fn)
{
	enum confab_status status =
	    json->failed ? CONFAB_LIMIT
	                 : confab_request(chat->app->c, json->ptr, json->len, fn, chat);

	if (status != CONFAB_OK)
		chat_note(chat, "not sent: %s", confab_error_text(chat->app->c));
}

static void say(struct chat *chat, const char *target, struct slice text, const char *kind)
{
	struct buf json, repaired;
	struct json_writer w;
	char nonce[64];

	if (target[0] == '\0') {
		chat_note(chat, "to whom? /join ROOM first, or /msg USER TEXT");
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

static void on_list(
    void *arg, struct confab *c, enum confab_status status, const struct confab_line *line)
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
	chat_print(chat, buf_slice(&text));
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
		chat_note(chat, "/join ROOM: lower-case letters, digits, '.', '_' and '-'");
	else if (!membership_add(chat->rooms, room))
		chat_note(chat, "you are in too many rooms");
}

static void cmd_leave(struct chat *chat, struct slice rest)
{
	char room[PROTO_ROOM_MAX + 2];
	struct buf json;
	struct json_writer w;

	str_copy(room, sizeof room, rest.len > 0 ? rest : slice_of(chat->current));
	if (room[0] == '\0' || room[0] == '@') {
		chat_note(chat, "/leave ROOM");
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
		chat_note(chat, "/room ROOM or @USER: where what you type goes; /join it first");
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
		chat_note(chat, "/members ROOM");
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
		chat_note(chat, "/me TEXT");
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
		chat_note(chat, "/msg USER TEXT");
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
	chat_hide_prompt(chat);
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
	chat_note(chat, "there is no /%s; %s%s", word,
	    nearest != NULL ? "did you mean /" : "see /help", nearest != NULL ? nearest : "");
}

void chat_handle_input(struct chat *chat, struct slice line)
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
