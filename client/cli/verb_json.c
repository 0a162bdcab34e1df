/* confab json: one command, its reply, and the exit code that the reply means. */
#include "cli/verbs.h"

#include "cli/input.h"
#include "cli/words.h"
#include "wire/json.h"

struct question {
	struct app *app;
	bool done;
	int exit_code;
};

static void on_reply(
    void *arg, struct confab *c, enum confab_status status, const struct confab_line *line)
{
	struct question *question = arg;

	(void)c;
	question->done = true;
	if (line != NULL)
		app_print_line(question->app, line);
	question->exit_code = EXIT_DONE;
	if (status != CONFAB_OK)
		question->exit_code = app_refused(question->app, status, line);
}

/* The command as JSON text, from whichever form it was given in. */
static enum status read_command(const struct app *app, const char *const *words, size_t count,
    struct buf *json, struct error *err)
{
	enum status status;

	if (count == 0)
		return error_set(err, STATUS_USAGE,
		    "which command? confab json '{\"cmd\":\"rooms\"}', confab json cmd=rooms, or - "
		    "for standard input");
	if (count > 1 || (words[0][0] != '{' && strcmp(words[0], "-") != 0))
		return words_to_json(words, count, app->to, json, err);
	if (app->to != NULL)
		return error_set(err, STATUS_USAGE,
		    "--to goes with words (cmd=send text=hi); in JSON write \"to\"");
	if (words[0][0] == '{') {
		buf_put_str(json, words[0]);
		return json->failed ? error_set(err, STATUS_USAGE, "the command is too long")
		                    : STATUS_OK;
	}
	status = input_all(json);
	if (status != STATUS_OK)
		return error_set(err, status == STATUS_FULL ? STATUS_USAGE : status,
		    "standard input: %s", status_text(status));
	return STATUS_OK;
}

static int ask(struct app *app, struct slice json)
{
	static const struct app_handlers handlers = {0};
	struct question question = {.app = app};
	enum confab_status status;
	int result = app_open(app, &handlers, false);

	if (result != EXIT_DONE)
		return result;
	status = confab_request(app->c, json.ptr, json.len, on_reply, &question);
	if (status != CONFAB_OK)
		result = app_fail(app, status);
	else
		result = app_run_until(app, &question.done, app->timeout_ms);
	if (result == EXIT_DONE && question.done)
		result = question.exit_code;
	else if (result == EXIT_DONE)
		result = EXIT_OTHER;
	app_close(app);
	return result;
}

int verb_json(struct app *app, const char *const *words, size_t count)
{
	struct error err = {.status = STATUS_OK};
	struct json *root;
	struct buf json;
	enum status status;
	int result;

	buf_init(&json, CONFAB_LINE_MAX);
	status = read_command(app, words, count, &json, &err);
	/* Looked at before anything is connected: a slip is told at once. */
	if (status == STATUS_OK) {
		struct error why;

		status = json_parse(buf_slice(&json), &root, &why);
		if (status == STATUS_OK)
			json_free(root);
		else
			error_set(&err, status, "the command is no JSON: %.400s",
			    status == STATUS_INVALID ? why.text : status_text(status));
	}
	if (status == STATUS_OK) {
		result = ask(app, buf_slice(&json));
	} else {
		app_error("%s", err.text);
		result =
		    status == STATUS_USAGE || status == STATUS_INVALID ? EXIT_USAGE : EXIT_OTHER;
	}
	buf_release(&json);
	return result;
}
