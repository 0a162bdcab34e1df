/* confab send: messages from the command line or from standard input, in their order. */
#include "cli/verbs.h"

#include <stdlib.h>

#include "base/list.h"
#include "base/utf8.h"
#include "cli/input.h"
#include "cli/show.h"
#include "os/clock.h"
#include "wire/json.h"
#include "wire/tables.h"

#define WINDOW 64     /* messages on their way, when all goes well */
#define WAIT_MAX_S 60 /* for a server that says "later" */

/* A message until the server has taken it. */
struct item {
	struct list node;
	struct sender *sender;
	uint64_t number;
	struct buf text;
};

struct sender {
	struct app *app;
	const char *target; /* "room" or "@user" */
	struct list again;  /* refused for now, in order; go before what is read next */
	uint64_t count;     /* items made so far */
	unsigned on_way;
	unsigned window;        /* 1 until the first was taken: it finds out whether to join */
	uint64_t wait_until_ms; /* not before this */
	bool joining, joined;
	int exit_code; /* once it is not EXIT_DONE, nothing more is sent */
};

static void item_free(struct item *item)
{
	buf_release(&item->text);
	free(item);
}

static int fail(struct sender *sender, int exit_code)
{
	if (sender->exit_code == EXIT_DONE)
		sender->exit_code = exit_code;
	return exit_code;
}

/* Puts an item back where its number says, so that the order stays. */
static void put_back(struct sender *sender, struct item *item)
{
	struct list *at = sender->again.next;

	while (at != &sender->again && list_entry(at, struct item, node)->number < item->number)
		at = at->next;
	list_put(at, &item->node); /* in front of `at` */
}

static void on_joined(
    void *arg, struct confab *c, enum confab_status status, const struct confab_line *line)
{
	struct sender *sender = arg;

	(void)c;
	sender->joining = false;
	sender->joined = true;
	if (status != CONFAB_OK)
		fail(sender, app_refused(sender->app, status, line));
}

static void join(struct sender *sender)
{
	struct json_writer w;
	struct buf json;
	enum confab_status status;

	buf_init(&json, 1024);
	json_begin(&w, &json);
	json_put_str(&w, "cmd", "join");
	json_put_str(&w, "room", sender->target);
	json_end(&w);
	status = confab_request(sender->app->c, json.ptr, json.len, on_joined, sender);
	buf_release(&json);
	if (status != CONFAB_OK)
		fail(sender, app_fail(sender->app, status));
	else
		sender->joining = true;
}

static void wait_a_little(struct sender *sender, const struct confab_line *line)
{
	int64_t seconds;

	if (!confab_line_int(line, "retry_after", &seconds) || seconds < 1)
		seconds = 1;
	if (seconds > WAIT_MAX_S)
		seconds = WAIT_MAX_S;
	/* From now on one at a time: of several on their way a later one could be taken first. */
	sender->window = 1;
	sender->wait_until_ms = clock_mono_ms() + (uint64_t)seconds * 1000;
}

static void on_reply(
    void *arg, struct confab *c, enum confab_status status, const struct confab_line *line)
{
	struct item *item = arg;
	struct sender *sender = item->sender;
	const char *code = line != NULL ? confab_line_name(line) : "";

	(void)c;
	sender->on_way--;
	if (status == CONFAB_OK) {
		if (sender->app->json)
			app_print_line(sender->app, line);
		if (sender->wait_until_ms == 0)
			sender->window = WINDOW;
		item_free(item);
	} else if (strcmp(code, "not_member") == 0 && sender->target[0] != '@' && !sender->joined) {
		put_back(sender, item);
		if (!sender->joining)
			join(sender);
	} else if (strcmp(code, "rate_limited") == 0) {
		put_back(sender, item);
		wait_a_little(sender, line);
	} else {
		fail(sender, app_refused(sender->app, status, line));
		item_free(item);
	}
}

static bool send_item(struct sender *sender, struct item *item)
{
	enum confab_status status =
	    confab_say(sender->app->c, sender->target, buf_text(&item->text), on_reply, item);

	if (status == CONFAB_OK) {
		sender->on_way++;
		return true;
	}
	put_back(sender, item);
	if (status != CONFAB_LIMIT)
		fail(sender, app_fail(sender->app, status));
	return false;
}

static struct item *new_item(struct sender *sender, struct slice text)
{
	struct item *item = malloc(sizeof *item);

	if (item == NULL)
		return NULL;
	item->sender = sender;
	item->number = sender->count++;
	list_init(&item->node);
	buf_init(&item->text, 4 * text.len + 1);
	show_repair(&item->text, text);
	if (item->text.failed || buf_text(&item->text)[0] == '\0') {
		item_free(item);
		return NULL;
	}
	return item;
}

/* A line as messages; one that is too long for a message becomes several. */
static bool put_line(struct sender *sender, struct slice line)
{
	while (line.len > 0) {
		/* A third: broken bytes grow to three when they are replaced. */
		bool whole = utf8_is_valid(line);
		struct slice part = utf8_cut(line, whole ? PROTO_LIMIT_text : PROTO_LIMIT_text / 3);
		struct item *item;

		if (part.len == 0)
			part = slice_make(line.ptr, line.len < 1024 ? line.len : 1024);
		item = new_item(sender, part);
		if (item == NULL) {
			app_error("%s", status_text(STATUS_NOMEM));
			fail(sender, EXIT_OTHER);
			return false;
		}
		put_back(sender, item);
		line = slice_make(line.ptr + part.len, line.len - part.len);
	}
	return true;
}

static bool may_send(const struct sender *sender)
{
	return sender->exit_code == EXIT_DONE && !sender->joining &&
	       sender->on_way < sender->window && clock_mono_ms() >= sender->wait_until_ms;
}

/* Sends what may be sent now; true when the input is used up and all of it is on its way. */
static bool send_more(struct sender *sender, struct input *input)
{
	while (may_send(sender)) {
		struct slice line;
		enum status status;

		if (!list_is_empty(&sender->again)) {
			struct list *node = list_take(&sender->again);

			if (!send_item(sender, list_entry(node, struct item, node)))
				return false;
			continue;
		}
		if (input == NULL)
			return true;
		status = input_line(input, &line, NULL);
		if (status == STATUS_AGAIN)
			return false;
		if (status == STATUS_EOF)
			return true;
		if (status != STATUS_OK) {
			app_error("standard input: %s", status_text(status));
			fail(sender, EXIT_OTHER);
			return false;
		}
		put_line(sender, line);
	}
	return false;
}

/* How long to wait for something to happen: for a reply --timeout, for input for ever. */
static unsigned patience(const struct sender *sender)
{
	uint64_t now = clock_mono_ms();

	if (sender->wait_until_ms > now)
		return (unsigned)(sender->wait_until_ms - now);
	return sender->on_way > 0 || sender->joining ? sender->app->timeout_ms : 60000;
}

static int run(struct sender *sender, struct input *input)
{
	struct app *app = sender->app;
	uint64_t heard_ms = clock_mono_ms();

	for (;;) {
		bool all = send_more(sender, input);
		unsigned before = sender->on_way;
		enum confab_status status;

		if (sender->on_way == 0 && !sender->joining) {
			heard_ms = clock_mono_ms();
			if (sender->exit_code != EXIT_DONE ||
			    (all && list_is_empty(&sender->again)))
				return sender->exit_code;
		}
		status = confab_run(app->c, patience(sender));
		if (confab_state(app->c) == CONFAB_ENDED) {
			if (app_is_leaving(app))
				return fail(sender, EXIT_OTHER);
			return fail(
			    sender, app_fail(app, status == CONFAB_OK ? CONFAB_LOST : status));
		}
		if (sender->on_way != before || (sender->on_way == 0 && !sender->joining)) {
			heard_ms = clock_mono_ms();
		} else if (clock_mono_ms() - heard_ms >= app->timeout_ms) {
			app_error("no answer from %s within %u s", confab_server(app->c),
			    app->timeout_ms / 1000);
			return EXIT_TIMEOUT;
		}
	}
}

static int check_text(struct slice text)
{
	if (text.len == 0) {
		app_error("there is nothing to send: say what after the room, or - for standard "
		          "input");
		return EXIT_USAGE;
	}
	if (!utf8_is_valid(text)) {
		app_error("the text is not valid UTF-8");
		return EXIT_USAGE;
	}
	return EXIT_DONE;
}

/* The words of the text with a space between them. */
static void join_words(struct buf *text, const char *const *words, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			buf_put_char(text, ' ');
		buf_put_str(text, words[i]);
	}
}

static int send_all(struct sender *sender, struct slice text, bool from_input)
{
	static const struct app_handlers handlers = {0};
	struct app *app = sender->app;
	struct input *input = NULL;
	int result = app_open(app, &handlers, false);

	if (result != EXIT_DONE)
		return result;
	if (from_input && input_start(app->c, PROTO_LIMIT_text * 4, &input) != STATUS_OK) {
		app_error("%s", status_text(STATUS_NOMEM));
		result = EXIT_OTHER;
	} else {
		struct item *item = from_input ? NULL : new_item(sender, text);

		/* A text too long is not cut here: the one who typed it should hear of it. */
		if (item != NULL)
			put_back(sender, item);
		result = run(sender, input);
	}
	input_stop(input);
	app_close(app);
	return result;
}

int verb_send(struct app *app, const char *const *words, size_t count)
{
	struct sender sender = {.app = app, .window = 1};
	struct buf target, text;
	struct list *node;
	bool from_input;
	int result;

	buf_init(&target, 256);
	buf_init(&text, CONFAB_LINE_MAX / 2);
	list_init(&sender.again);
	if (app->to != NULL)
		buf_put_fmt(&target, "@%s", app->to);
	else if (count > 0)
		buf_put_str(&target, words[0]);
	sender.target = buf_text(&target);
	if (app->to == NULL && count > 0) {
		words++;
		count--;
	}
	from_input = count == 1 && strcmp(words[0], "-") == 0;
	join_words(&text, words, count);
	if (sender.target[0] == '\0') {
		app_error("send to whom? confab send ROOM TEXT…, or confab send --to USER TEXT…");
		result = EXIT_USAGE;
	} else {
		result = text.failed ? EXIT_USAGE : check_text(buf_slice(&text));
	}
	if (result == EXIT_DONE)
		result = send_all(&sender, buf_slice(&text), from_input);
	while ((node = list_take(&sender.again)) != NULL)
		item_free(list_entry(node, struct item, node));
	buf_release(&target);
	buf_release(&text);
	return result;
}
