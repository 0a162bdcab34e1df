/* confab pipe: the wire itself, for programs that speak the protocol. */
#include "cli/verbs.h"

#include "cli/input.h"

#define BACKLOG 262144 /* bytes that wait, before no more input is read */

struct pipe {
	struct app *app;
	bool ending, done;
	int exit_code;
};

static void on_line(void *arg, struct confab *c, const struct confab_line *line)
{
	struct pipe *pipe = arg;

	(void)c;
	/* The reply to our own quit is nothing the caller asked for. */
	if (pipe->ending && confab_line_kind(line) == CONFAB_REPLY) {
		char re[32];

		confab_line_text(line, "re", re, sizeof re);
		if (strcmp(re, "confab-end") == 0)
			return;
	}
	pipe->app->progress++;
	app_print_line(pipe->app, line);
}

static void on_end_reply(
    void *arg, struct confab *c, enum confab_status status, const struct confab_line *line)
{
	struct pipe *pipe = arg;

	(void)c;
	(void)line;
	/* When it is lost, the way the connection ended tells whether that is a failure: after a
	 * `quit` of the caller's own it is not. */
	pipe->done = status != CONFAB_LOST;
}

static int fail_input(struct pipe *pipe, const char *text)
{
	app_error("standard input: %s", text);
	pipe->exit_code = EXIT_OTHER;
	return EXIT_OTHER;
}

/* `quit` is answered after all before it, so its reply says that all replies are in: also for
 * requests without an id, which are answered only when they fail. */
static void begin_end(struct pipe *pipe)
{
	static const char quit[] = "{\"cmd\":\"quit\",\"id\":\"confab-end\"}";

	pipe->ending = true;
	if (confab_request(pipe->app->c, quit, sizeof quit - 1, on_end_reply, pipe) != CONFAB_OK)
		pipe->done = true;
}

/* Sends lines until there are none for now, or too much waits. */
static void send_more(struct pipe *pipe, struct input *input)
{
	while (!pipe->ending && pipe->exit_code == EXIT_DONE &&
	       confab_state(pipe->app->c) == CONFAB_READY &&
	       confab_backlog(pipe->app->c) < BACKLOG) {
		struct slice line;
		bool is_piece;
		enum status status = input_line(input, &line, &is_piece);

		if (status == STATUS_AGAIN)
			return;
		if (status == STATUS_EOF)
			begin_end(pipe);
		else if (status != STATUS_OK)
			fail_input(pipe, status_text(status));
		else if (is_piece)
			fail_input(pipe, "a line is longer than 1 MiB");
		else if (line.len > 0 &&
		         confab_send_line(pipe->app->c, line.ptr, line.len) != CONFAB_OK)
			pipe->exit_code = app_fail(pipe->app, CONFAB_LOST);
	}
}

static int run(struct pipe *pipe, struct input *input)
{
	struct app *app = pipe->app;

	while (!pipe->done && pipe->exit_code == EXIT_DONE) {
		enum confab_status status;

		send_more(pipe, input);
		if (pipe->ending)
			return app_run_until(app, &pipe->done, app->timeout_ms);
		status = confab_run(app->c, confab_backlog(app->c) < BACKLOG ? 60000 : 20);
		if (confab_state(app->c) == CONFAB_ENDED) {
			if (app_is_leaving(app) || status == CONFAB_OK)
				return EXIT_DONE;
			return app_fail(app, status);
		}
	}
	return pipe->exit_code;
}

int verb_pipe(struct app *app, const char *const *words, size_t count)
{
	struct pipe pipe = {.app = app};
	struct app_handlers handlers = {.on_line = on_line, .arg = &pipe};
	struct input *input = NULL;
	int result;

	if (count > 0) {
		app_error("pipe takes no words, but got \"%s\"; commands come from standard input",
		    words[0]);
		return EXIT_USAGE;
	}
	result = app_open(app, &handlers, false);
	if (result != EXIT_DONE)
		return result;
	if (input_start(app->c, CONFAB_LINE_MAX - 1, &input) != STATUS_OK)
		result = fail_input(&pipe, status_text(STATUS_NOMEM));
	else
		result = run(&pipe, input);
	input_stop(input);
	app_close(app);
	return result;
}
