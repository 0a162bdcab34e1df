/* confab outbox: what could not be sent yet, of all servers and users; to send or to drop it. */
#include "cli/verbs.h"

#include <stdlib.h>

#include "base/options.h"
#include "base/rfc3339.h"
#include "cli/outbox_file.h"
#include "cli/sender.h"
#include "cli/show.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/file_journal.h"
#include "wire/json.h"

struct listing {
	struct app *app;
	const char *folder; /* of all outboxes, then of one */
	struct buf place;   /* "alice@localhost:8572" */
	size_t count;
	struct error err;
};

/* The folder's name as a person writes it. */
static void show_place(struct buf *to, const char *name)
{
	for (const char *c = name[0] == '@' ? name + 1 : name; *c != '\0'; c++) {
		int64_t high, low;

		if (*c == '%' && c[1] != '\0' && c[2] != '\0') {
			static const char digits[] = "0123456789ABCDEF";
			const char *a = strchr(digits, c[1]), *b = strchr(digits, c[2]);

			high = a != NULL ? a - digits : 0;
			low = b != NULL ? b - digits : 0;
			buf_put_char(to, (char)(high * 16 + low));
			c += 2;
		} else {
			buf_put_char(to, *c == ',' ? ':' : *c);
		}
	}
}

static const char *state_of(const struct outbox_message *message, bool busy)
{
	if (busy)
		return "busy";
	if (message->sent)
		return "unsure";
	return outbox_is_doubtful(message, clock_unix_ms()) ? "old" : "waiting";
}

static void print_message(
    struct listing *listing, const struct outbox_message *message, const char *state)
{
	char time[RFC3339_SIZE];
	struct json_writer w;
	struct buf line;

	rfc3339_put(message->time_ms, time);
	buf_init(&line, CONFAB_LINE_MAX * 4);
	if (listing->app->json) {
		json_begin(&w, &line);
		json_put_text(&w, "outbox", buf_slice(&listing->place));
		json_put_str(&w, "state", state);
		json_put_str(&w, "time", time);
		json_put_str(&w, "nonce", message->nonce);
		json_put_str(&w, "to", message->target);
		json_put_text(&w, "text", message->text);
		json_end(&w);
	} else {
		buf_put_fmt(&line, "%s %-7s ", time, state);
		show_text(&line, buf_slice(&listing->place));
		buf_put_str(&line, " to ");
		show_text(&line, slice_of(message->target));
		buf_put_str(&line, ": ");
		show_text(&line, message->text);
	}
	buf_put_char(&line, '\n');
	app_print(listing->app, buf_slice(&line));
	buf_release(&line);
	listing->count++;
}

/* Does another process send what is in this file? */
static bool is_busy(const char *path)
{
	struct file_journal *journal;
	enum status status = file_journal_open(path, &journal, NULL);

	if (status != STATUS_OK)
		return status == STATUS_EXISTS;
	if (file_journal_size(journal) == 0)
		file_journal_remove(journal);
	else
		file_journal_close(journal);
	return false;
}

static void list_file(struct listing *listing, const char *path)
{
	struct outbox_reading reading;
	struct list *node;
	struct buf text;
	bool busy;

	if (!file_exists(path))
		return;
	busy = is_busy(path);
	buf_init(&text, 2 * OUTBOX_BYTES_MAX);
	if (file_read(path, &text, &listing->err) == STATUS_NOT_FOUND)
		listing->err.status = STATUS_OK;
	if (outbox_file_read(buf_slice(&text), &reading) == STATUS_OK) {
		while ((node = list_take(&reading.messages)) != NULL) {
			struct outbox_message *message =
			    list_entry(node, struct outbox_message, node);

			print_message(listing, message, state_of(message, busy));
			free(message);
		}
	}
	buf_release(&text);
}

/* --- All outboxes, and all their files, in order ------------------------------------------- */

#define NAMES_MAX (OUTBOX_FILES_MAX * 4)

struct names {
	char *at[NAMES_MAX];
	size_t count;
};

static void take_name(void *arg, const char *name)
{
	struct names *names = arg;

	if (names->count < NAMES_MAX && (names->at[names->count] = str_dup(slice_of(name))) != NULL)
		names->count++;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Calls `fn` with each entry's name and path. A folder that is not there is empty. */
static void each_entry(struct listing *listing, const char *folder,
    void (*fn)(struct listing *listing, const char *name, const char *path))
{
	struct names *names = calloc(1, sizeof *names);
	struct error err = {.status = STATUS_OK};
	enum status status = STATUS_NOMEM;
	struct buf path;

	if (names != NULL)
		status = file_list_dir(folder, take_name, names, &err);
	if (status != STATUS_OK && status != STATUS_NOT_FOUND)
		listing->err = err;
	if (names == NULL)
		return;
	qsort(names->at, names->count, sizeof *names->at, compare_names);
	for (size_t i = 0; i < names->count; i++) {
		buf_init(&path, 4096);
		path_join(&path, folder, names->at[i]);
		fn(listing, names->at[i], buf_text(&path));
		buf_release(&path);
		free(names->at[i]);
	}
	free(names);
}

static void on_file(struct listing *listing, const char *name, const char *path)
{
	size_t len = strlen(name);

	if (len > 6 && strcmp(name + len - 6, ".jsonl") == 0)
		list_file(listing, path);
}

static void on_outbox(struct listing *listing, const char *name, const char *path)
{
	if (name[0] != '@')
		return;
	buf_clear(&listing->place);
	show_place(&listing->place, name);
	each_entry(listing, path, on_file);
}

static int list_all(struct app *app)
{
	struct listing listing = {.app = app};
	struct error err = {.status = STATUS_OK};
	struct buf root;

	buf_init(&root, 4096);
	buf_init(&listing.place, 1024);
	if (outbox_root(&root, &err) == STATUS_OK)
		each_entry(&listing, buf_text(&root), on_outbox);
	else
		listing.err = err;
	buf_release(&root);
	buf_release(&listing.place);
	if (listing.err.status != STATUS_OK) {
		app_error("%s", listing.err.text);
		return EXIT_OTHER;
	}
	if (listing.count == 0)
		app_note(app, "nothing waits");
	return EXIT_DONE;
}

/* --- One outbox ---------------------------------------------------------------------------- */

static void drop(struct sender *sender)
{
	struct list *queue = outbox_queue(sender->outbox);
	size_t count = 0;

	for (; !list_is_empty(queue); count++)
		outbox_done(sender->outbox, list_entry(queue->next, struct outbox_message, node));
	app_note(sender->app, "%zu message%s dropped", count, count == 1 ? "" : "s");
}

static int act(struct app *app, bool is_drop)
{
	struct sender sender;
	int result;

	sender_init(&sender, app);
	sender.send_all = true;
	result = sender_open(&sender);
	if (result != EXIT_DONE)
		return result;
	if (!outbox_is_kept(sender.outbox))
		sender.exit_code = EXIT_OTHER; /* why has been told */
	else if (is_drop)
		drop(&sender);
	else if (outbox_count(sender.outbox) > 0)
		sender_run(&sender, NULL);
	else
		app_note(app, "nothing waits for %s", sender.place);
	return sender_close(&sender);
}

int verb_outbox(struct app *app, const char *const *words, size_t count)
{
	static const char *const names[] = {"list", "send", "drop", NULL};
	const char *what = count > 0 ? words[0] : "list";
	const char *nearest;

	if (count > 1 || app->no_outbox) {
		app_error("confab outbox list, send or drop, and no more");
		return EXIT_USAGE;
	}
	if (strcmp(what, "list") == 0)
		return list_all(app);
	if (strcmp(what, "send") == 0 || strcmp(what, "drop") == 0)
		return act(app, what[0] == 'd');
	nearest = options_nearest(what, names);
	app_error("confab outbox knows list, send and drop%s%s",
	    nearest != NULL ? "; did you mean " : "", nearest != NULL ? nearest : "");
	return EXIT_USAGE;
}
