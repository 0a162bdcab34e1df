/* The program `confab`: its command line, and which verb it means. */
#include <stdlib.h>

#include "base/options.h"
#include "cli/verbs.h"
#include "confab_version.h"
#include "wire/tables.h"

#define WORDS_MAX 4096

static const struct verb {
	const char *name, *words, *summary;
	int (*run)(struct app *app, const char *const *words, size_t count);
} verbs[] = {
    {"send", "ROOM|@USER TEXT…|-", "send a message, or each line of standard input", verb_send},
    {"outbox", "[list|send|drop]", "what could not be sent yet", verb_outbox},
    {"tail", "ROOM|@USER…", "print what is said in rooms, until it is stopped", verb_tail},
    {"json", "'{\"cmd\":…}'|cmd=… FIELD=VALUE…|-", "one command; print its reply", verb_json},
    {"pipe", "", "the wire itself: lines in, replies and events out", verb_pipe},
    {"chat", "[ROOM|@USER]", "talk in plain lines; /help in it tells more", verb_chat},
};
#define VERBS (sizeof verbs / sizeof *verbs)

static const struct option options[] = {
    {"server", 's', "HOST[:PORT]", "where to connect (localhost:8572)"},
    {"user", 'u', "NAME", "log in as this guest (your login name)"},
    {"cert", '\0', "FILE", "log in by this client certificate (PEM), with --key"},
    {"key", '\0', "FILE", "its private key (PEM)"},
    {"ca", '\0', "FILE",
        "whom to trust (PEM); else the profile's ca.pem, else the\nsystem's store"},
    {"to", '\0', "USER", "the user meant, wherever @USER can stand"},
    {"json", 'j', NULL, "print the lines of the protocol as they are"},
    {"timeout", 't', "SECONDS", "how long to wait for the connection and for answers (10)"},
    {"quiet", 'q', NULL, "no remarks on standard error, only errors"},
    {"no-login", '\0', NULL, "json, pipe: do not log in (the commands do)"},
    {"no-outbox", '\0', NULL, "send: keep nothing on the disk, forget what cannot be sent"},
    {"profile", 'p', "NAME", "a profile of the configuration file"},
    {"config", '\0', "FILE", "another configuration file"},
    {"help", 'h', NULL, "this text"},
    {"version", 'V', NULL, "the version"},
    {NULL, '\0', NULL, NULL},
};

struct line {
	struct app app;
	bool help, version;
	const char *words[WORDS_MAX];
	size_t count;
};

static enum status set_timeout(struct app *app, const char *value, struct error *err)
{
	int64_t seconds;

	if (!str_to_int(slice_of(value), 1, 86400, &seconds))
		return error_set(err, STATUS_USAGE,
		    "--timeout \"%.40s\" is no number of seconds from 1 to 86400", value);
	app->timeout_ms = (unsigned)seconds * 1000;
	return STATUS_OK;
}

static enum status set_to(struct app *app, const char *value, struct error *err)
{
	app->to = value[0] == '@' ? value + 1 : value;
	if (!proto_is_user_name(slice_of(app->to)))
		return error_set(err, STATUS_USAGE, "--to \"%.80s\" is no user's name", value);
	return STATUS_OK;
}

static enum status set_value(
    struct app *app, enum settings_key key, const char *name, const char *value, struct error *err)
{
	if (value[0] == '\0')
		return error_set(err, STATUS_USAGE, "--%s needs a value", name);
	if (settings_set(&app->settings, key, slice_of(value)) != STATUS_OK)
		return error_set(err, STATUS_NOMEM, "%s", status_text(STATUS_NOMEM));
	return STATUS_OK;
}

static enum status take_option(
    struct line *line, const char *name, const char *value, struct error *err)
{
	static const char *const keys[SETTINGS_KEYS] = {"server", "user", "ca", "cert", "key"};
	struct app *app = &line->app;

	for (int i = 0; i < SETTINGS_KEYS; i++)
		if (strcmp(name, keys[i]) == 0)
			return set_value(app, (enum settings_key)i, name, value, err);
	if (strcmp(name, "to") == 0)
		return set_to(app, value, err);
	if (strcmp(name, "timeout") == 0)
		return set_timeout(app, value, err);
	if (strcmp(name, "profile") == 0)
		app->profile = value;
	else if (strcmp(name, "config") == 0)
		app->config_file = value;
	else if (strcmp(name, "json") == 0)
		app->json = true;
	else if (strcmp(name, "quiet") == 0)
		app->quiet = true;
	else if (strcmp(name, "no-login") == 0)
		app->no_login = true;
	else if (strcmp(name, "no-outbox") == 0)
		app->no_outbox = true;
	else if (strcmp(name, "help") == 0)
		line->help = true;
	else if (strcmp(name, "version") == 0)
		line->version = true;
	return STATUS_OK;
}

static enum status on_argument(
    void *arg, const struct option *option, const char *value, struct error *err)
{
	struct line *line = arg;

	if (option != NULL)
		return take_option(line, option->name, value, err);
	if (line->count == WORDS_MAX)
		return error_set(err, STATUS_USAGE, "too many words; use - for standard input");
	line->words[line->count++] = value;
	return STATUS_OK;
}

static void print_help(struct app *app)
{
	struct buf text;

	buf_init(&text, 16384);
	buf_put_str(&text, "usage: confab VERB [WORD…] [OPTION…]\n"
	                   "The client of the chat server Confab.\n\nVerbs:\n");
	for (size_t i = 0; i < VERBS; i++)
		buf_put_fmt(&text, "  %s%s%s\n                            %s\n", verbs[i].name,
		    verbs[i].words[0] != '\0' ? " " : "", verbs[i].words, verbs[i].summary);
	buf_put_str(&text, "\nOptions:\n");
	options_help(options, &text);
	buf_put_str(&text,
	    "\nA text that starts with a dash comes after --. Data goes to standard output, talk "
	    "to\n"
	    "standard error. Exit codes: 0 done, 2 usage, 3 authentication, 4 TLS or certificate,\n"
	    "5 refused by the server, 6 not found, 7 time-out, 8 no connection or lost, 1 else.\n"
	    "The manual is confab(1).\n");
	app_print(app, buf_slice(&text));
	buf_release(&text);
}

static const struct verb *find_verb(const char *word)
{
	const char *names[VERBS + 1] = {NULL};
	const char *nearest;

	for (size_t i = 0; i < VERBS; i++) {
		if (strcmp(word, verbs[i].name) == 0)
			return &verbs[i];
		names[i] = verbs[i].name;
	}
	nearest = options_nearest(word, names);
	if (nearest != NULL)
		app_error("there is no verb \"%.40s\"; did you mean %s?", word, nearest);
	else
		app_error("there is no verb \"%.40s\"; --help lists them", word);
	return NULL;
}

static int run(struct line *line, int argc, char *const *argv)
{
	struct error err = {.status = STATUS_OK};
	const struct verb *verb;
	enum status status = options_parse(options, argc, argv, on_argument, line, &err);

	if (status != STATUS_OK) {
		app_error("%s", err.text);
		return status == STATUS_USAGE ? EXIT_USAGE : EXIT_OTHER;
	}
	if (line->help) {
		print_help(&line->app);
		return line->app.out_exit;
	}
	if (line->version) {
		app_print(&line->app, slice_of("confab " CONFAB_VERSION "\n"));
		return line->app.out_exit;
	}
	if (line->count == 0) {
		app_error(
		    "what to do? confab send, outbox, tail, json, pipe or chat; --help tells more");
		return EXIT_USAGE;
	}
	verb = find_verb(line->words[0]);
	if (verb == NULL)
		return EXIT_USAGE;
	if (line->app.no_login && verb->run != verb_json && verb->run != verb_pipe) {
		app_error("--no-login goes with json and pipe only");
		return EXIT_USAGE;
	}
	return verb->run(&line->app, line->words + 1, line->count - 1);
}

int main(int argc, char **argv)
{
	static struct line line = {.app = {.timeout_ms = APP_TIMEOUT_MS}};
	int result;

	program_start(&argc, &argv);
	stop_install();
	result = run(&line, argc, argv);
	settings_release(&line.app.settings);
	if (result == EXIT_DONE)
		result = line.app.out_exit;
	stop_done();
	return result;
}
