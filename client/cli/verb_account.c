/*
 * The verbs of accounts: register, login, logout, passwd. Each needs a password or has to do with
 * the token that is kept so that the other verbs need none.
 */
#include "cli/verbs.h"

#include "cli/command.h"
#include "os/secret.h"

struct account {
	struct app *app;
	struct command *command; /* to ask once the connection is ready, or NULL */
	bool done;
	enum confab_status status;
	int exit_code;
	struct token token; /* what the reply brought */
};

/* --- One connection ------------------------------------------------------------------------ */

/* The reply to the login, which the library asks for by itself. */
static void on_line(void *arg, struct confab *c, const struct confab_line *line)
{
	struct account *account = arg;
	char re[32];

	(void)c;
	if (!account->app->json || account->command != NULL ||
	    confab_line_kind(line) != CONFAB_REPLY)
		return;
	confab_line_text(line, "re", re, sizeof re);
	if (strcmp(re, "confab-login") == 0)
		app_print_line(account->app, line);
}

static void on_reply(
    void *arg, struct confab *c, enum confab_status status, const struct confab_line *line)
{
	struct account *account = arg;

	(void)c;
	account->done = true;
	account->status = status;
	if (line != NULL && account->app->json)
		app_print_line(account->app, line);
	if (status != CONFAB_OK) {
		account->exit_code = app_refused(account->app, status, line);
		return;
	}
	confab_line_text(line, "user", account->token.user, sizeof account->token.user);
	if (confab_line_text(line, "token", account->token.text, sizeof account->token.text) >
	    TOKEN_MAX)
		token_release(&account->token);
}

/* Connects, asks the command if there is one, and ends; the connection's own token is taken if
 * the login brought one. */
static int converse(struct account *account)
{
	struct app *app = account->app;
	struct app_handlers handlers = {.on_line = on_line, .arg = account};
	enum confab_status status = CONFAB_OK;
	struct buf json;
	int result = app_open(app, &handlers, false);

	if (result != EXIT_DONE)
		return result;
	str_copy(account->token.text, sizeof account->token.text, slice_of(confab_token(app->c)));
	str_copy(account->token.user, sizeof account->token.user, slice_of(confab_user(app->c)));
	if (account->command != NULL) {
		buf_init(&json, PROTO_LIMIT_first_line);
		buf_reserve(&json, PROTO_LIMIT_first_line);
		command_print(account->command, &json);
		status = json.failed
		             ? CONFAB_LIMIT
		             : confab_request(app->c, json.ptr, json.len, on_reply, account);
		buf_release_secret(&json);
		if (status != CONFAB_OK)
			result = app_fail(app, status);
		else
			result = app_run_until(app, &account->done, app->timeout_ms);
		if (result == EXIT_DONE)
			result = account->done ? account->exit_code : EXIT_OTHER;
	}
	app_close(app);
	return result;
}

/* --- Who, and the secret ------------------------------------------------------------------- */

/* Completes the settings, without a token: the user is that of the only word there may be, the
 * flags, the profile, the token kept, or the system. */
static int find_user(struct app *app, const char *verb, const char *const *words, size_t count)
{
	const char *word = count > 0 ? words[0] + (words[0][0] == '@') : "";
	int result;

	if (count > 1 || (count == 1 && !proto_is_user_name(slice_of(word)))) {
		app_error(
		    "%s takes one user's name: lower-case letters, digits, '.', '_' and '-'", verb);
		return EXIT_USAGE;
	}
	if (count == 1 && settings_set(&app->settings, SETTINGS_USER, slice_of(word)) != STATUS_OK)
		return EXIT_OTHER;
	result = app_prepare(app);
	if (result != EXIT_DONE)
		return result;
	/* From now on by another login. */
	token_release(&app->token);
	if (app->settings.value[SETTINGS_USER] != NULL ||
	    app->settings.value[SETTINGS_CERT] != NULL)
		return EXIT_DONE;
	app_error("%s: whose account? Say --user NAME", verb);
	return EXIT_USAGE;
}

static int ask_secret(const struct app *app, const struct secret_source *source, const char *what,
    bool twice, struct secret *ret)
{
	const char *server = app->settings.value[SETTINGS_SERVER];
	struct error err = {.status = STATUS_OK};
	char prompt[400];
	enum status status;

	snprintf(prompt, sizeof prompt, "%s for %s at %s: ", what,
	    app->settings.value[SETTINGS_USER] != NULL ? app->settings.value[SETTINGS_USER]
	                                               : "this certificate",
	    server != NULL ? server : "localhost");
	status = secret_read(source, prompt, twice ? "The same again: " : NULL, ret, &err);
	if (status == STATUS_OK)
		return EXIT_DONE;
	app_error("%s", err.text);
	return secret_exit(status);
}

/* Keeps what the login brought. */
static int keep(struct app *app, const struct token *token, const char *what)
{
	struct error err = {.status = STATUS_OK};

	if (token->text[0] == '\0') {
		app_error("the server gave no token to log in with later");
		return EXIT_OTHER;
	}
	if (token_save(&app->settings, token, &err) != STATUS_OK) {
		app_error("%s as %s, but it cannot be kept: %s", what, token->user, err.text);
		return EXIT_OTHER;
	}
	app_note(
	    app, "%s as %s; this device stays logged in until confab logout", what, token->user);
	return EXIT_DONE;
}

/* --- Verbs --------------------------------------------------------------------------------- */

static int refuse_certificate(const struct app *app, const char *verb)
{
	app_error("%s: the certificate of %s logs in by itself, without a password", verb,
	    app->settings.profile[0] != '\0' ? "this profile" : "--cert");
	return EXIT_USAGE;
}

int verb_login(struct app *app, const char *const *words, size_t count)
{
	struct account account = {.app = app};
	struct secret secret = {.len = 0};
	int result = find_user(app, "login", words, count);

	if (result == EXIT_DONE && app->settings.value[SETTINGS_CERT] != NULL)
		result = refuse_certificate(app, "login");
	if (result == EXIT_DONE)
		result = ask_secret(app, &app->secret, "Password", false, &secret);
	if (result == EXIT_DONE) {
		app->password = secret.text;
		app->remember = true;
		result = converse(&account);
	}
	if (result == EXIT_DONE)
		result = keep(app, &account.token, "logged in");
	secret_release(&secret);
	token_release(&account.token);
	return result;
}

int verb_register(struct app *app, const char *const *words, size_t count)
{
	struct account account = {.app = app, .command = app->command};
	struct secret secret = {.len = 0};
	int result = find_user(app, "register", words, count);

	if (result == EXIT_DONE && app->settings.value[SETTINGS_USER] == NULL) {
		app_error("register: whose account? Say confab register USER");
		result = EXIT_USAGE;
	}
	if (result == EXIT_DONE)
		result = ask_secret(app, &app->secret, "New password", true, &secret);
	if (result == EXIT_DONE) {
		command_put_text(
		    app->command, "user", slice_of(app->settings.value[SETTINGS_USER]));
		command_put_text(app->command, "password", slice_make(secret.text, secret.len));
		buf_put_str(command_value(app->command, "remember"), "true");
		if (command_value(app->command, "device")->len == 0)
			command_put_text(app->command, "device", slice_of(APP_DEVICE));
		app->no_login = true;
		result = converse(&account);
	}
	if (result == EXIT_DONE)
		result = keep(app, &account.token, "registered and logged in");
	secret_release(&secret);
	token_release(&account.token);
	return result;
}

int verb_logout(struct app *app, const char *const *words, size_t count)
{
	struct account account = {.app = app, .command = app->command};
	struct error err = {.status = STATUS_OK};
	int result;

	/* Another session than this device's is ended like anything else is asked. */
	if (command_value(app->command, "session")->len > 0)
		return verb_command(app, words, count);
	if (count > 0) {
		app_error("logout takes no words; --session ID ends another session");
		return EXIT_USAGE;
	}
	result = app_prepare(app);
	if (result != EXIT_DONE)
		return result;
	if (app->token.text[0] == '\0') {
		app_error("no login is kept on this device for this server and user");
		return EXIT_OTHER;
	}
	result = converse(&account);
	/* One that the server refuses is worth nothing any more. */
	if ((result == EXIT_DONE || result == EXIT_AUTH) &&
	    token_remove(&app->settings, &app->token, &err) != STATUS_OK) {
		app_error("%s", err.text);
		result = EXIT_OTHER;
	}
	if (result == EXIT_DONE)
		app_note(app, "logged out");
	token_release(&account.token);
	return result;
}

/* All tokens have ended: this device gets another one, by the new password. */
static int log_in_anew(struct app *app, const struct secret *secret)
{
	struct account account = {.app = app};
	struct error err = {.status = STATUS_OK};
	bool json = app->json;
	int result;

	app->password = secret->text;
	app->remember = true;
	app->json = false; /* the reply to passwd was printed */
	result = converse(&account);
	app->json = json;
	if (result == EXIT_DONE && token_save(&app->settings, &account.token, &err) != STATUS_OK) {
		app_error("%s", err.text);
		result = EXIT_OTHER;
	}
	if (result != EXIT_DONE)
		app_error("the password is changed, but this device is not logged in any more: "
		          "run confab login");
	token_release(&account.token);
	return result;
}

int verb_passwd(struct app *app, const char *const *words, size_t count)
{
	struct account account = {.app = app, .command = app->command};
	struct secret old = {.len = 0}, new = {.len = 0};
	bool by_certificate, was_kept;
	int result;

	if (count > 0) {
		app_error("passwd takes no words: it asks, or reads --password-file and "
		          "--new-password-file");
		return EXIT_USAGE;
	}
	result = app_prepare(app);
	was_kept = app->token.text[0] != '\0';
	by_certificate = app->settings.value[SETTINGS_CERT] != NULL;
	if (result == EXIT_DONE && !by_certificate)
		result = find_user(app, "passwd", words, count);
	if (result == EXIT_DONE)
		result = ask_secret(app, &app->secret, "Old password", false, &old);
	if (result == EXIT_DONE)
		result = ask_secret(app, &app->new_secret, "New password", true, &new);
	if (result == EXIT_DONE) {
		/* By the old password, so that it works also where the token has ended. */
		if (!by_certificate)
			app->password = old.text;
		command_put_text(app->command, "old", slice_make(old.text, old.len));
		command_put_text(app->command, "new", slice_make(new.text, new.len));
		result = converse(&account);
	}
	if (result == EXIT_DONE && was_kept)
		result = log_in_anew(app, &new);
	if (result == EXIT_DONE)
		app_note(app, "the password is changed; all other sessions have ended");
	secret_release(&old);
	secret_release(&new);
	token_release(&account.token);
	return result;
}
