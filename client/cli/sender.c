#include "cli/sender.h"

#include <inttypes.h>
#include <stdlib.h>

#include "net/socket.h"
#include "os/clock.h"
#include "os/file.h"
#include "wire/json.h"
#include "wire/tables.h"

#define WINDOW 64         /* messages on their way, when all goes well */
#define WAIT_MAX_S 60     /* for a server that says "later" */
#define RETRY_MIN_MS 1000 /* without a connection, while the input goes on */
#define RETRY_MAX_MS 60000

static int fail(struct sender *sender, int exit_code)
{
	if (sender->exit_code == EXIT_DONE)
		sender->exit_code = exit_code;
	return exit_code;
}

/* The outbox goes on in memory, so this is told once. A full disk must not keep the message that
 * the disk is full. */
static void warn(const char *why)
{
	app_error("%s; what cannot be sent now is not kept (--no-outbox: never)", why);
}

static void flush(struct sender *sender, bool sync)
{
	struct error err = {.status = STATUS_OK};

	if (outbox_flush(sender->outbox, sync, &err) != STATUS_OK)
		warn(err.text);
}

bool sender_put(struct sender *sender, const char *target, int64_t reply, struct slice text)
{
	struct error err = {.status = STATUS_OK};

	if (outbox_put(sender->outbox, target, reply, text, &err) == STATUS_OK)
		return true;
	app_error("%s; `confab outbox` shows them, `confab outbox send` and `confab outbox drop` "
	          "make room",
	    err.text);
	fail(sender, EXIT_OTHER);
	return false;
}

/* --- Answers ------------------------------------------------------------------------------- */

/* Puts a message back where its number says, so that the order stays. Those that come back are
 * few, as only a window of them is on its way. */
static void put_back(struct sender *sender, struct outbox_message *message)
{
	struct list *at = &sender->again;

	while (at->prev != &sender->again &&
	       list_entry(at->prev, struct outbox_message, node)->number > message->number)
		at = at->prev;
	list_put(at, &message->node); /* in front of `at` */
	sender->again_count++;
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

/* For good: trying again would not change it. */
static void refused(struct sender *sender, struct outbox_message *message,
    enum confab_status status, const struct confab_line *line)
{
	int exit_code = app_refused(sender->app, status, line);

	if (message->earlier) {
		app_error("so a message that an earlier call left is dropped, to %s: %.60s",
		    message->target, message->text.ptr);
		if (sender->earlier_exit == EXIT_DONE)
			sender->earlier_exit = exit_code;
	} else {
		sender->call_refused = true;
		fail(sender, exit_code);
	}
	outbox_done(sender->outbox, message);
}

/* A message that was not taken, or whose room could not be joined. */
static void settle(struct sender *sender, struct outbox_message *message, enum confab_status status,
    const struct confab_line *line)
{
	const char *code = line != NULL ? confab_line_name(line) : "";

	if (line == NULL) {
		/* No answer: why the connection ended is told where that is noticed. */
		put_back(sender, message);
	} else if (strcmp(code, "rate_limited") == 0) {
		outbox_back(sender->outbox, message);
		put_back(sender, message);
		wait_a_little(sender, line);
	} else if (strcmp(code, "unavailable") == 0 || status == CONFAB_AUTH) {
		outbox_back(sender->outbox, message);
		put_back(sender, message);
		fail(sender, app_refused(sender->app, status, line));
	} else {
		refused(sender, message, status, line);
	}
}

static void on_joined(
    void *arg, struct confab *c, enum confab_status status, const struct confab_line *line)
{
	struct outbox_message *message = arg;
	struct sender *sender = message->holder;

	(void)c;
	sender->joiner = NULL;
	if (status == CONFAB_OK) {
		str_copy(sender->joined, sizeof sender->joined, slice_of(message->target));
		put_back(sender, message);
	} else {
		settle(sender, message, status, line);
	}
}

static void join(struct sender *sender, struct outbox_message *message)
{
	struct json_writer w;
	struct buf json;
	enum confab_status status;

	buf_init(&json, 1024);
	json_begin(&w, &json);
	json_put_str(&w, "cmd", "join");
	json_put_str(&w, "room", message->target);
	json_end(&w);
	sender->joiner = message;
	status = confab_request(sender->app->c, json.ptr, json.len, on_joined, message);
	buf_release(&json);
	if (status == CONFAB_OK)
		return;
	sender->joiner = NULL;
	put_back(sender, message);
	fail(sender, app_fail(sender->app, status));
}

static void on_reply(
    void *arg, struct confab *c, enum confab_status status, const struct confab_line *line)
{
	struct outbox_message *message = arg;
	struct sender *sender = message->holder;

	(void)c;
	sender->on_way--;
	if (status == CONFAB_OK) {
		if (sender->app->json)
			app_print_line(sender->app, line);
		if (sender->wait_until_ms == 0)
			sender->window = WINDOW;
		outbox_done(sender->outbox, message);
	} else if (line != NULL && strcmp(confab_line_name(line), "not_member") == 0 &&
	           message->target[0] != '@' && strcmp(sender->joined, message->target) != 0) {
		outbox_back(sender->outbox, message);
		if (sender->joiner == NULL)
			join(sender, message);
		else
			put_back(sender, message);
	} else {
		settle(sender, message, status, line);
	}
}

/* The first reply is that to the login: is this user a guest, whose nonces go with the connection?
 */
static void on_line(void *arg, struct confab *c, const struct confab_line *line)
{
	struct sender *sender = arg;
	struct json *root;
	struct error err;
	const char *bytes;
	size_t len;

	(void)c;
	if (sender->login_seen || confab_line_kind(line) != CONFAB_REPLY)
		return;
	sender->login_seen = true;
	bytes = confab_line_bytes(line, &len);
	if (json_parse(slice_make(bytes, len), &root, &err) != STATUS_OK)
		return;
	sender->is_guest = json_is_true(json_get(root, "guest"));
	json_free(root);
}

/* --- Sending ------------------------------------------------------------------------------- */

static bool may_send(const struct sender *sender)
{
	return sender->exit_code == EXIT_DONE && sender->joiner == NULL &&
	       clock_mono_ms() >= sender->wait_until_ms;
}

/* The next message to be sent, in no list; NULL if there is none now. */
static struct outbox_message *next_message(struct sender *sender, int64_t now_ms)
{
	for (;;) {
		struct list *node = list_take(&sender->again);
		struct outbox_message *message;

		if (node != NULL)
			sender->again_count--;
		else
			node = list_take(outbox_queue(sender->outbox));
		if (node == NULL)
			return NULL;
		message = list_entry(node, struct outbox_message, node);
		if (sender->send_all || !outbox_is_doubtful(message, now_ms))
			return message;
		list_put(&sender->aside, node);
		sender->aside_count++;
	}
}

static enum confab_status request(struct sender *sender, struct outbox_message *message)
{
	struct json_writer w;
	struct buf json;
	enum confab_status status = CONFAB_NOMEM;

	buf_init(&json, CONFAB_LINE_MAX);
	json_begin(&w, &json);
	json_put_str(&w, "cmd", "send");
	if (message->target[0] == '@')
		json_put_str(&w, "to", message->target + 1);
	else
		json_put_str(&w, "room", message->target);
	/* It costs the server a record on its disk: for nothing where nothing is sent again. */
	if (!sender->app->no_outbox)
		json_put_str(&w, "nonce", message->nonce);
	if (message->reply > 0)
		json_put_int(&w, "reply", message->reply);
	json_put_text(&w, "text", message->text);
	json_end(&w);
	message->holder = sender;
	if (!json.failed)
		status = confab_request(sender->app->c, json.ptr, json.len, on_reply, message);
	buf_release(&json);
	return status;
}

/* As many as may be on their way now. What is in the outbox is written before any is sent. */
static void send_batch(struct sender *sender)
{
	int64_t now_ms = clock_unix_ms();
	enum confab_status status = CONFAB_OK;
	struct outbox_message *message;
	struct list batch, *node;
	unsigned count = 0;

	list_init(&batch);
	while (may_send(sender) && sender->on_way + count < sender->window &&
	       (message = next_message(sender, now_ms)) != NULL) {
		if (sender->is_guest)
			outbox_sent(sender->outbox, message);
		list_put(&batch, &message->node);
		count++;
	}
	if (outbox_is_unwritten(sender->outbox) || outbox_is_unsynced(sender->outbox))
		flush(sender, false);
	while ((node = list_take(&batch)) != NULL) {
		message = list_entry(node, struct outbox_message, node);
		if (status == CONFAB_OK)
			status = request(sender, message);
		if (status == CONFAB_OK) {
			sender->on_way++;
		} else {
			outbox_back(sender->outbox, message);
			put_back(sender, message);
		}
	}
	if (status != CONFAB_OK && status != CONFAB_LIMIT && status != CONFAB_LOST)
		fail(sender, app_fail(sender->app, status));
}

/* How many wait to be sent for the first time. */
static size_t queued(const struct sender *sender)
{
	return outbox_count(sender->outbox) - sender->on_way - sender->again_count -
	       sender->aside_count - (sender->joiner != NULL);
}

/* Takes lines while there are any, until `most` wait. */
static void fill(struct sender *sender, struct input *input, size_t most)
{
	while (input != NULL && !sender->input_ended && sender->exit_code == EXIT_DONE &&
	       queued(sender) < most) {
		struct slice line;
		enum status status = input_line(input, &line, NULL);

		if (status == STATUS_AGAIN)
			return;
		sender->input_ended = status != STATUS_OK;
		if (status == STATUS_OK) {
			sender->put_line(sender, line);
		} else if (status != STATUS_EOF) {
			app_error("standard input: %s", status_text(status));
			fail(sender, EXIT_OTHER);
		}
	}
}

/* How long to wait for something to happen: for a reply --timeout, for input for ever. */
static unsigned patience(const struct sender *sender)
{
	uint64_t now = clock_mono_ms();
	unsigned ms = 60000;

	if (sender->wait_until_ms > now)
		ms = (unsigned)(sender->wait_until_ms - now);
	else if (sender->on_way > 0 || sender->joiner != NULL)
		ms = sender->app->timeout_ms;
	return outbox_is_unsynced(sender->outbox) && ms > OUTBOX_SYNC_MS ? OUTBOX_SYNC_MS : ms;
}

static bool is_idle(const struct sender *sender)
{
	return sender->on_way == 0 && sender->joiner == NULL;
}

/* Over the connection there is; the exit code. */
static int converse(struct sender *sender, struct input *input)
{
	struct app *app = sender->app;
	uint64_t heard_ms = clock_mono_ms();

	for (;;) {
		unsigned before;
		enum confab_status status;

		if (queued(sender) < WINDOW)
			fill(sender, input, 4 * WINDOW);
		send_batch(sender);
		before = sender->on_way;
		if (is_idle(sender)) {
			heard_ms = clock_mono_ms();
			if (sender->exit_code != EXIT_DONE)
				return sender->exit_code;
			if ((input == NULL || sender->input_ended) && queued(sender) == 0 &&
			    sender->again_count == 0)
				return EXIT_DONE;
		}
		status = confab_run(app->c, patience(sender));
		if (confab_state(app->c) == CONFAB_ENDED) {
			if (app_is_leaving(app))
				return fail(sender, EXIT_OTHER);
			return app_fail(app, status == CONFAB_OK ? CONFAB_LOST : status);
		}
		if (sender->on_way != before || is_idle(sender)) {
			heard_ms = clock_mono_ms();
		} else if (clock_mono_ms() - heard_ms >= app->timeout_ms) {
			app_error("no answer from %s within %u s", confab_server(app->c),
			    app->timeout_ms / 1000);
			return EXIT_TIMEOUT;
		}
	}
}

/* Without a connection: takes what comes for `ms`. False when there is no reason to go on. */
static bool keep_input(struct sender *sender, struct input *input, uint64_t ms)
{
	uint64_t until_ms = clock_mono_ms() + ms;

	for (;;) {
		uint64_t now = clock_mono_ms();

		fill(sender, input, OUTBOX_COUNT_MAX + 1);
		flush(sender, false);
		if (sender->input_ended || sender->exit_code != EXIT_DONE ||
		    app_is_leaving(sender->app) || !outbox_is_kept(sender->outbox))
			return false;
		if (now >= until_ms)
			return true;
		input_wait(input, until_ms - now < 200 ? until_ms - now : 200);
	}
}

int sender_run(struct sender *sender, struct input *input)
{
	const struct app_handlers handlers = {.on_line = on_line, .arg = sender};
	struct app *app = sender->app;
	uint64_t retry_ms = RETRY_MIN_MS;
	int result;

	for (;;) {
		sender->login_seen = sender->is_guest = false;
		sender->joined[0] = '\0';
		sender->window = 1;
		sender->wait_until_ms = 0;
		result = app_open(app, &handlers, false);
		if (result == EXIT_DONE) {
			if (input != NULL)
				input_attach(input, app->c);
			result = converse(sender, input);
			if (input != NULL)
				input_attach(input, NULL);
			if (outbox_is_unwritten(sender->outbox))
				flush(sender, false);
			/* Answers what is still on its way with "lost", as a rule. */
			app_close(app);
			retry_ms = RETRY_MIN_MS;
		}
		if (input == NULL || (result != EXIT_LOST && result != EXIT_TIMEOUT) ||
		    !outbox_is_kept(sender->outbox))
			break;
		if (!keep_input(sender, input, retry_ms))
			break;
		retry_ms = 2 * retry_ms < RETRY_MAX_MS ? 2 * retry_ms : RETRY_MAX_MS;
	}
	fail(sender, app_is_leaving(app) && result != EXIT_DONE ? EXIT_OTHER : result);
	return sender->exit_code;
}

/* --- Which outbox -------------------------------------------------------------------------- */

/* A certificate names its user to the server only; here it stands for itself. FNV-1a. */
static bool name_certificate(const char *path, char *to, size_t size)
{
	uint64_t hash = UINT64_C(14695981039346656037);
	struct buf text;
	bool ok;

	buf_init(&text, 1 << 20);
	ok = file_read(path, &text, NULL) == STATUS_OK;
	for (size_t i = 0; i < text.len; i++)
		hash = (hash ^ (unsigned char)text.ptr[i]) * UINT64_C(1099511628211);
	buf_release(&text);
	snprintf(to, size, "certificate-%016" PRIx64, hash);
	return ok;
}

/* The folder of the outbox for the settings, and what to call it. */
static enum status find_folder(struct sender *sender, struct buf *folder, struct error *err)
{
	char *const *value = sender->app->settings.value;
	const char *server = value[SETTINGS_SERVER] != NULL ? value[SETTINGS_SERVER] : "localhost";
	char host[256], label[300], user[64];
	uint16_t port = PROTO_PORT;
	enum status status = socket_split(server, host, sizeof host, &port, err);

	if (status != STATUS_OK)
		return status;
	snprintf(label, sizeof label, strchr(host, ':') != NULL ? "[%s]:%u" : "%s:%u", host,
	    (unsigned)port);
	if (value[SETTINGS_USER] != NULL)
		str_copy(user, sizeof user, slice_of(value[SETTINGS_USER]));
	else if (value[SETTINGS_CERT] == NULL ||
	         !name_certificate(value[SETTINGS_CERT], user, sizeof user))
		return error_set(err, STATUS_USAGE, "nobody to log in as");
	snprintf(sender->place, sizeof sender->place, "%s as %s", label, user);
	return outbox_path(label, user, folder, err);
}

void sender_init(struct sender *sender, struct app *app)
{
	*sender = (struct sender){.app = app};
	list_init(&sender->again);
	list_init(&sender->aside);
}

int sender_open(struct sender *sender)
{
	struct app *app = sender->app;
	struct error err = {.status = STATUS_OK};
	unsigned broken = 0;
	struct buf folder;
	enum status status;
	int result = app_prepare(app);

	if (result != EXIT_DONE)
		return result;
	buf_init(&folder, 4096);
	if (!app->no_outbox) {
		status = find_folder(sender, &folder, &err);
		if (status == STATUS_OK)
			status = outbox_open(buf_text(&folder), &sender->outbox, &broken, &err);
		/* What is wrong with the settings is told by connecting with them. */
		if (status != STATUS_OK && status != STATUS_USAGE)
			warn(err.text);
	}
	buf_release(&folder);
	if (broken > 0)
		app_error("%u lines of the outbox were damaged and left out", broken);
	if (sender->outbox == NULL && outbox_open(NULL, &sender->outbox, NULL, &err) != STATUS_OK) {
		app_error("%s", err.text);
		return EXIT_OTHER;
	}
	return EXIT_DONE;
}

/* --- The end ------------------------------------------------------------------------------- */

/* Counts a list and moves it to `to`. The rest of a call that was refused is dropped: its exit code
 * says that it was not sent. */
static void count(
    struct sender *sender, struct list *list, struct list *to, size_t *waiting, size_t *doubtful)
{
	int64_t now_ms = clock_unix_ms();
	struct list *node;

	while ((node = list_take(list)) != NULL) {
		struct outbox_message *message = list_entry(node, struct outbox_message, node);

		if (sender->call_refused && !message->earlier) {
			outbox_done(sender->outbox, message);
			continue;
		}
		++*(outbox_is_doubtful(message, now_ms) ? doubtful : waiting);
		list_put(to, node);
	}
}

static void tell_rest(const struct sender *sender, bool kept, size_t waiting, size_t doubtful)
{
	size_t all = waiting + doubtful;

	if (!kept && all > 0)
		app_error("%zu message%s not sent, or without an answer", all,
		    all == 1 ? " was" : "s were");
	if (kept && waiting > 0)
		app_error("%zu message%s in the outbox for %s and will go with the next `confab "
		          "send` there, or `confab outbox send`",
		    waiting, waiting == 1 ? " waits" : "s wait", sender->place);
	if (kept && doubtful > 0)
		app_error(
		    "%zu message%s kept aside in the outbox for %s, as it may have been stored "
		    "already or is older than %d hours: see `confab outbox`, then `confab "
		    "outbox send` or `confab outbox drop`",
		    doubtful, doubtful == 1 ? " is" : "s are", sender->place,
		    (int)(OUTBOX_AGE_MAX_MS / 3600000));
}

int sender_close(struct sender *sender)
{
	struct error err = {.status = STATUS_OK};
	size_t waiting = 0, doubtful = 0;
	struct list all, *node;
	bool kept;

	if (sender->outbox == NULL)
		return sender->exit_code;
	list_init(&all);
	count(sender, &sender->again, &all, &waiting, &doubtful);
	count(sender, outbox_queue(sender->outbox), &all, &waiting, &doubtful);
	count(sender, &sender->aside, &all, &waiting, &doubtful);
	while ((node = list_take(&all)) != NULL)
		list_put(outbox_queue(sender->outbox), node);
	/* On the disk first, then said to be there. */
	flush(sender, waiting + doubtful > 0);
	kept = outbox_is_kept(sender->outbox);
	if (outbox_close(sender->outbox, &err) != STATUS_OK)
		warn(err.text);
	sender->outbox = NULL;
	tell_rest(sender, kept, waiting, doubtful);
	return sender->exit_code != EXIT_DONE ? sender->exit_code : sender->earlier_exit;
}
