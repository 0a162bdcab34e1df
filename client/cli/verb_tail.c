/* confab tail: what is said in rooms, as it is said, until it is stopped. */
#include "cli/verbs.h"

#include <stdlib.h>

#include "cli/membership.h"
#include "cli/show.h"
#include "wire/tables.h"

struct tail {
	struct app *app;
	struct membership *rooms;
	const char *const *words; /* as given: rooms and @users */
	size_t count;
	bool told; /* that it listens */
	int exit_code;
};

static bool is_wanted(const struct tail *tail, const char *conversation)
{
	if (conversation[0] == '@' && tail->app->to != NULL &&
	    strcmp(conversation + 1, tail->app->to) == 0)
		return true;
	for (size_t i = 0; i < tail->count; i++)
		if (strcmp(conversation, tail->words[i]) == 0)
			return true;
	return false;
}

static void on_line(void *arg, struct confab *c, const struct confab_line *line)
{
	struct tail *tail = arg;
	char conversation[80];
	struct json *event;
	struct buf text;
	size_t len;
	const char *bytes = confab_line_bytes(line, &len);

	if (confab_line_kind(line) != CONFAB_EVENT ||
	    json_parse(slice_make(bytes, len), &event, NULL) != STATUS_OK)
		return;
	show_conversation(event, confab_user(c), conversation, sizeof conversation);
	buf_init(&text, CONFAB_LINE_MAX);
	if (conversation[0] == '\0' || !is_wanted(tail, conversation))
		; /* about something else */
	else if (tail->app->json)
		app_print_line(tail->app, line);
	else if (show_event(&text, event, confab_user(c)))
		app_print(tail->app, buf_slice(&text));
	buf_release(&text);
	json_free(event);
}

static void on_joined(void *arg, const char *room, const struct confab_line *line, bool again)
{
	struct tail *tail = arg;

	(void)line;
	app_note(tail->app, again ? "listening to %s again" : "listening to %s", room);
}

static void on_refused(
    void *arg, const char *room, enum confab_status status, const struct confab_line *line)
{
	struct tail *tail = arg;
	int exit_code = app_refused(tail->app, status, line);

	if (membership_has(tail->rooms, room)) {
		app_note(tail->app, "trying %s again in a few seconds", room);
		return;
	}
	tail->exit_code = exit_code;
	confab_quit(tail->app->c);
}

static void on_state(void *arg, struct confab *c, enum confab_state state,
    enum confab_status status, const char *text)
{
	struct tail *tail = arg;

	(void)status;
	if (state == CONFAB_WAITING) {
		app_note(tail->app, "%s; connecting again%s", text,
		    app_is_guest(tail->app) ? ", messages may be missing" : "");
	} else if (state == CONFAB_READY) {
		if (tail->told)
			app_note(tail->app, "connected to %s again", confab_server(c));
		tail->told = true;
		membership_join_all(tail->rooms);
	}
}

static int run(struct tail *tail)
{
	struct app *app = tail->app;
	enum confab_status status = CONFAB_OK;

	while (confab_state(app->c) != CONFAB_ENDED)
		status = confab_run(app->c, membership_tick(tail->rooms));
	if (tail->exit_code != EXIT_DONE)
		return tail->exit_code;
	if (app_is_leaving(app) || app->out_exit != EXIT_DONE)
		return app->out_exit;
	return app_fail(app, status == CONFAB_OK ? CONFAB_LOST : status);
}

static int check_words(const struct app *app, const char *const *words, size_t count)
{
	if (count == 0 && app->to == NULL) {
		app_error("listen to what? confab tail ROOM…");
		return EXIT_USAGE;
	}
	for (size_t i = 0; i < count; i++) {
		bool is_user = words[i][0] == '@';

		if (is_user ? proto_is_user_name(slice_of(words[i] + 1))
		            : proto_is_room_name(slice_of(words[i])))
			continue;
		app_error(
		    "\"%.80s\" is no name of a room: lower-case letters, digits, '.', '_' and "
		    "'-'",
		    words[i]);
		return EXIT_USAGE;
	}
	return EXIT_DONE;
}

int verb_tail(struct app *app, const char *const *words, size_t count)
{
	struct tail tail = {.app = app, .words = words, .count = count};
	struct app_handlers handlers = {.on_line = on_line, .on_state = on_state, .arg = &tail};
	int result = check_words(app, words, count);

	if (result != EXIT_DONE)
		return result;
	tail.rooms = membership_new(app, on_joined, on_refused, &tail);
	for (size_t i = 0; i < count && tail.rooms != NULL; i++) {
		if (words[i][0] != '@' && !membership_add(tail.rooms, words[i])) {
			app_error("at most %d rooms", MEMBERSHIP_MAX);
			membership_free(tail.rooms);
			return EXIT_USAGE;
		}
	}
	if (tail.rooms == NULL) {
		app_error("%s", status_text(STATUS_NOMEM));
		return EXIT_OTHER;
	}
	result = app_open(app, &handlers, true);
	if (result == EXIT_DONE)
		result = run(&tail);
	app_close(app);
	membership_free(tail.rooms);
	return result;
}
