#include "cli/app.h"

#include <stdarg.h>
#include <stdlib.h>

#include "cli/command.h"
#include "cli/show.h"
#include "os/clock.h"
#include "os/thread.h"
#include "wire/tables.h"

/* The thread that hears of Ctrl-C asks for the end through this. */
static struct mutex *stop_mutex;
static struct confab *stop_connection;

static void say(const char *prefix, const char *format, va_list args) PRINTF_LIKE(2, 0);

static void say(const char *prefix, const char *format, va_list args)
{
	struct buf text, shown;

	buf_init(&text, 4096);
	buf_init(&shown, 16384);
	buf_put_vfmt(&text, format, args);
	buf_put_str(&shown, prefix);
	show_text(&shown, buf_slice(&text));
	buf_put_char(&shown, '\n');
	program_write(PROGRAM_STDERR, shown.ptr, shown.len);
	buf_release(&text);
	buf_release(&shown);
}

void app_error(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say("confab: ", format, args);
	va_end(args);
}

void app_note(const struct app *app, const char *format, ...)
{
	va_list args;

	if (app->quiet)
		return;
	va_start(args, format);
	say("", format, args);
	va_end(args);
}

void app_print(struct app *app, struct slice text)
{
	enum status status;

	if (app->out_closed || app->out_exit != EXIT_DONE)
		return;
	status = program_write(PROGRAM_STDOUT, text.ptr, text.len);
	if (status == STATUS_OK)
		return;
	if (status == STATUS_CLOSED) {
		app->out_closed = true;
	} else {
		app_error("cannot write to standard output: %s", status_text(status));
		app->out_exit = EXIT_OTHER;
	}
	if (app->c != NULL)
		confab_quit(app->c);
}

void app_print_line(struct app *app, const struct confab_line *line)
{
	struct buf text;
	size_t len;
	const char *bytes = confab_line_bytes(line, &len);

	/* One write a line, so that a reader never sees half of one. */
	buf_init(&text, CONFAB_LINE_MAX + 1);
	buf_put(&text, bytes, len);
	buf_put_char(&text, '\n');
	app_print(app, buf_slice(&text));
	buf_release(&text);
}

bool app_is_leaving(const struct app *app)
{
	return app->out_closed || stop_requested();
}

/* --- Failures ------------------------------------------------------------------------------ */

int app_exit_of(enum confab_status status)
{
	switch (status) {
	case CONFAB_OK:
		return EXIT_DONE;
	case CONFAB_USAGE:
		return EXIT_USAGE;
	case CONFAB_AUTH:
		return EXIT_AUTH;
	case CONFAB_FILE:
	case CONFAB_TLS:
	case CONFAB_VERIFY:
		return EXIT_TLS;
	case CONFAB_REFUSED:
		return EXIT_REFUSED;
	case CONFAB_NOT_FOUND:
		return EXIT_NOT_FOUND;
	case CONFAB_TIMEOUT:
		return EXIT_TIMEOUT;
	case CONFAB_UNREACHABLE:
	case CONFAB_LOST:
		return EXIT_LOST;
	default:
		return EXIT_OTHER;
	}
}

static const char *hint_of(const struct app *app, enum confab_status status)
{
	if (status == CONFAB_AUTH && app->token.text[0] != '\0')
		return "; the login kept on this device is not good any more: run confab login";
	if (status == CONFAB_AUTH && app->password != NULL)
		return "";
	if (status == CONFAB_AUTH && app->settings.value[SETTINGS_CERT] != NULL)
		return "; does the server know the authority of this certificate (its "
		       "--client-ca)?";
	if (status == CONFAB_AUTH)
		return "; if the account is yours, run confab login; guests need a name that is "
		       "free (--user)";
	return "";
}

int app_fail(struct app *app, enum confab_status status)
{
	const char *text = confab_error_text(app->c);

	app_error(
	    "%s%s", text[0] != '\0' ? text : confab_status_text(status), hint_of(app, status));
	return app_exit_of(status);
}

static const char *next_step(const struct app *app, const char *code)
{
	static const char *const steps[][2] = {
	    {"no_such_room", "; confab rooms lists the rooms there are"},
	    {"not_member", "; confab join ROOM"},
	    {"not_logged_in", "; run confab login"},
	    {"rate_limited", "; wait a little and try again"},
	    {"unavailable", "; try again later"},
	};

	/* Its words say what to do, and that is not to wait. */
	if (app->command != NULL && app->command->cmd == PROTO_CMD_backup)
		return "";

	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
		if (strcmp(code, steps[i][0]) == 0)
			return steps[i][1];
	return "";
}

int app_refused(struct app *app, enum confab_status status, const struct confab_line *line)
{
	char text[300];
	const char *code;

	if (line == NULL) {
		if (app_is_leaving(app))
			return EXIT_OTHER;
		app_error("the connection was lost before the answer came");
		return EXIT_LOST;
	}
	code = confab_line_name(line);
	confab_line_text(line, "message", text, sizeof text);
	app_error("%s: %s%s", code, text, next_step(app, code));
	/* Of an account that somebody logged in makes, it says nothing about the login. */
	if (strcmp(code, "name_taken") == 0 && !app->no_login)
		return EXIT_REFUSED;
	return app_exit_of(status);
}

/* --- Running ------------------------------------------------------------------------------- */

int app_run_until(struct app *app, const bool *done, unsigned timeout_ms)
{
	uint64_t since = clock_mono_ms();
	size_t pending = confab_pending(app->c);
	unsigned progress = app->progress;

	while (!*done) {
		uint64_t waited = clock_mono_ms() - since;
		enum confab_status status;

		if (waited >= timeout_ms) {
			app_error("no answer from %s within %u s", confab_server(app->c),
			    timeout_ms / 1000);
			return EXIT_TIMEOUT;
		}
		status = confab_run(app->c, (unsigned)(timeout_ms - waited));
		if (*done)
			break;
		if (confab_state(app->c) == CONFAB_ENDED) {
			if (app_is_leaving(app) || status == CONFAB_OK)
				return EXIT_DONE;
			return app_fail(app, status);
		}
		if (confab_pending(app->c) != pending || app->progress != progress) {
			pending = confab_pending(app->c);
			progress = app->progress;
			since = clock_mono_ms();
		}
	}
	return EXIT_DONE;
}

/* --- Opening and closing ------------------------------------------------------------------- */

static void quit(void *arg, struct confab *c)
{
	(void)arg;
	confab_quit(c);
}

static void on_stop(void *arg)
{
	(void)arg;
	mutex_lock(stop_mutex);
	if (stop_connection != NULL)
		confab_post(stop_connection, quit, NULL);
	mutex_unlock(stop_mutex);
}

static void set_stop_connection(struct confab *c)
{
	mutex_lock(stop_mutex);
	stop_connection = c;
	mutex_unlock(stop_mutex);
}

static enum confab_status make(
    struct app *app, const struct app_handlers *handlers, bool reconnect, char *error, size_t size)
{
	char *const *value = app->settings.value;
	bool by_token = app->token.text[0] != '\0' && !app->no_login;
	struct confab_options options = {
	    .size = sizeof options,
	    .server = value[SETTINGS_SERVER],
	    .ca_file = value[SETTINGS_CA],
	    .cert_file = value[SETTINGS_CERT],
	    .key_file = value[SETTINGS_KEY],
	    .user = app->no_login || by_token ? NULL : value[SETTINGS_USER],
	    .password = app->no_login ? NULL : app->password,
	    .token = by_token ? app->token.text : NULL,
	    .remember = app->remember,
	    .device = app->device != NULL ? app->device : APP_DEVICE,
	    .connect_ms = app->timeout_ms,
	    .no_login = app->no_login,
	    .reconnect = reconnect,
	    .catch_up = reconnect,
	    .on_line = handlers->on_line,
	    .on_state = handlers->on_state,
	    .arg = handlers->arg,
	};

	return confab_new(&options, &app->c, error, size);
}

int app_prepare(struct app *app)
{
	struct error err = {.status = STATUS_OK};
	enum status status = STATUS_OK;

	if (app->is_prepared)
		return EXIT_DONE;
	app->is_prepared = true;
	status =
	    settings_complete(&app->settings, app->config_file, app->profile, app->no_login, &err);
	if (status != STATUS_OK) {
		app_error("%s", err.text);
		return status == STATUS_NOMEM ? EXIT_OTHER : EXIT_USAGE;
	}
	if (app->no_login || app->settings.value[SETTINGS_CERT] != NULL)
		return EXIT_DONE;
	status = token_load(&app->settings, &app->token, &err);
	if (status == STATUS_OK)
		status = settings_set(&app->settings, SETTINGS_USER, slice_of(app->token.user));
	if (status == STATUS_OK || status == STATUS_NOT_FOUND)
		return EXIT_DONE;
	app_error("%s", err.text);
	return status == STATUS_USAGE ? EXIT_USAGE : EXIT_OTHER;
}

bool app_is_guest(const struct app *app)
{
	return app->settings.value[SETTINGS_CERT] == NULL && app->token.text[0] == '\0' &&
	       app->password == NULL;
}

int app_open(struct app *app, const struct app_handlers *handlers, bool reconnect)
{
	char error[ERROR_TEXT_MAX] = "";
	enum confab_status status;
	int result = app_prepare(app);

	if (result != EXIT_DONE)
		return result;
	status = confab_startup(error, sizeof error);
	if (status == CONFAB_OK) {
		status = make(app, handlers, reconnect, error, sizeof error);
		if (status != CONFAB_OK)
			confab_cleanup();
	}
	if (status != CONFAB_OK) {
		app_error("%s", error);
		return app_exit_of(status);
	}
	if (stop_mutex == NULL) {
		stop_mutex = mutex_new();
		stop_watch(on_stop, NULL);
	}
	set_stop_connection(app->c);
	status = stop_requested() ? CONFAB_LOST : confab_connect(app->c);
	if (status == CONFAB_OK)
		return EXIT_DONE;
	if (app_is_leaving(app))
		app_note(app, "interrupted");
	else
		app_fail(app, status);
	app_close(app);
	return stop_requested() ? EXIT_OTHER : app_exit_of(status);
}

void app_close(struct app *app)
{
	if (app->c == NULL)
		return;
	if (confab_state(app->c) != CONFAB_ENDED)
		confab_close(app->c);
	set_stop_connection(NULL);
	confab_free(app->c);
	app->c = NULL;
	confab_cleanup();
}
