/*
 * What the verbs share: the connection made as the flags and the profile say, talk to standard
 * error, data to standard output, exit codes, and the end: Ctrl-C and a closed standard output
 * both end the connection gracefully. Main thread.
 */
#ifndef CONFAB_CLI_APP_H
#define CONFAB_CLI_APP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/status.h"
#include "cli/settings.h"
#include "cli/token.h"
#include "lib/confab.h"
#include "os/program.h"
#include "os/secret.h"

#define APP_TIMEOUT_MS 10000 /* default of --timeout */
#define APP_DEVICE "confab"  /* how the user's other sessions see this one */

struct command;

struct app {
	struct settings settings; /* of the flags; app_prepare completes them */
	const char *config_file, *profile; /* as the flags say, or NULL */
	const char *to;                    /* --to, without @; or NULL */
	const char *device;                /* --device, or NULL */
	bool json, quiet, no_login, no_outbox;
	int64_t reply; /* send: the seq of the message that is answered, or 0 */
	unsigned timeout_ms;
	/* Of the verbs that are commands, and of those of accounts: */
	struct command *command; /* its options, as the flags say */
	struct secret_source secret, new_secret;
	bool all, ask_password;
	/* How to log in, where it is neither a certificate nor a guest's name: */
	bool is_prepared, remember;
	const char *password; /* of settings' user */
	struct token token;   /* the one kept, or empty */
	struct confab *c;
	unsigned progress; /* counted up by verbs for what app_run_until should see as an answer */
	bool out_closed;   /* the reader of standard output has gone */
	int out_exit;      /* another failure of standard output, or EXIT_DONE */
};

/* The callbacks of a verb; members may be NULL. */
struct app_handlers {
	void (*on_line)(void *arg, struct confab *c, const struct confab_line *line);
	void (*on_state)(void *arg, struct confab *c, enum confab_state state,
	    enum confab_status status, const char *text);
	void *arg;
};

/* Completes the settings and finds the token kept for them, whose user is then the settings' too.
 * EXIT_DONE, or another exit code when that failed, which has been told. */
int app_prepare(struct app *app);

/* Would the login be that of a guest? */
bool app_is_guest(const struct app *app);

/* Prepares if that was not done, connects and logs in. Returns EXIT_DONE, or another exit code when that
 * failed, which has been told; then nothing is open. */
int app_open(struct app *app, const struct app_handlers *handlers, bool reconnect);

/* Ends the connection gracefully and frees everything; harmless when app_open failed. */
void app_close(struct app *app);

/* "confab: …" and a line end to standard error, controls made harmless. app_note is for what goes
 * well, and silent with --quiet. */
void app_error(const char *format, ...) PRINTF_LIKE(1, 2);
void app_note(const struct app *app, const char *format, ...) PRINTF_LIKE(2, 3);

/* To standard output. When its reader has gone, or it is full, the connection's end begins. */
void app_print(struct app *app, struct slice text);

/* A line of the server to standard output, as it came. */
void app_print_line(struct app *app, const struct confab_line *line);

/* The exit code that stands for a status of the library. */
int app_exit_of(enum confab_status status);

/* Tells the last failure of the connection, with what to do; returns its exit code. */
int app_fail(struct app *app, enum confab_status status);

/* Tells why a request was not answered with ok; returns the exit code. */
int app_refused(struct app *app, enum confab_status status, const struct confab_line *line);

/* Runs until `*done`, the end of the connection, or `timeout_ms` without a reply or progress. The
 * exit code: DONE (also after an end that was wished for), or what has been told. */
int app_run_until(struct app *app, const bool *done, unsigned timeout_ms);

/* Has somebody pressed Ctrl-C, or has the reader of our output gone? Then the verb's end is near
 * and is no failure of the connection. */
bool app_is_leaving(const struct app *app);

#endif
