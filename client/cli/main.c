/* The program `confab`: its command line, and which verb it means. */
#include <stdlib.h>

#include "base/options.h"
#include "cli/help.h"
#include "cli/verbs.h"
#include "confab_version.h"
#include "wire/tables.h"

#define WORDS_MAX 4096

struct line {
	struct app app;
	struct command command;
	const struct verb *verb; /* NULL for none */
	bool help, version;
	const char *words[WORDS_MAX];
	size_t count;
};

/* --- Options ------------------------------------------------------------------------------- */

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

static enum status set_reply(struct app *app, const char *value, struct error *err)
{
	if (!str_to_int(slice_of(value), 1, PROTO_INT_MAX, &app->reply))
		return error_set(err, STATUS_USAGE,
		    "--reply \"%.40s\" is no number of a message; confab history shows them",
		    value);
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

static enum status take_common(
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

/* Those of one verb; NOT_FOUND for others. */
static enum status take_own(
    struct line *line, const char *name, const char *value, struct error *err)
{
	static const char new_prefix[] = "new-";
	struct app *app = &line->app;

	if (line->verb != NULL && line->verb->run == verb_send && strcmp(name, "reply") == 0)
		return set_reply(app, value, err);
	if (line->verb == NULL || line->verb->cmd < 0)
		return STATUS_NOT_FOUND;
	if (strcmp(name, "all") == 0) {
		app->all = true;
		return STATUS_OK;
	}
	if (strcmp(name, "password") == 0) {
		app->ask_password = true;
		return STATUS_OK;
	}
	if (slice_starts(slice_of(name), "password-"))
		return secret_take_option(&app->secret, name, value, err);
	if (slice_starts(slice_of(name), new_prefix))
		return secret_take_option(
		    &app->new_secret, name + sizeof new_prefix - 1, value, err);
	if (strcmp(name, "device") == 0)
		app->device = value;
	return command_put_option(&line->command, name, value, err);
}

static enum status on_argument(
    void *arg, const struct option *option, const char *value, struct error *err)
{
	struct line *line = arg;
	enum status status;

	if (option != NULL) {
		status = take_own(line, option->name, value, err);
		return status != STATUS_NOT_FOUND ? status
		                                  : take_common(line, option->name, value, err);
	}
	if (line->count == WORDS_MAX)
		return error_set(err, STATUS_USAGE, "too many words; use - for standard input");
	line->words[line->count++] = value;
	return STATUS_OK;
}

/* --- The verb ------------------------------------------------------------------------------ */

/* The next word from argv[*i] on, with *i behind it; NULL if there is none, or an option that is
 * not one of all verbs, whose value cannot be told from a word. */
static const char *next_word(int argc, char *const *argv, int *i)
{
	while (*i < argc) {
		const char *text = argv[(*i)++];
		const struct option *option = verb_common_options();
		struct slice name = slice_of(text + 1);

		if (text[0] != '-' || text[1] == '\0')
			return text;
		if (text[1] == '-')
			name = slice_of(text + 2);
		if (memchr(name.ptr, '=', name.len) != NULL)
			continue;
		while (option->name != NULL && !slice_is(name, option->name) &&
		       !(text[1] != '-' && option->letter == text[1]))
			option++;
		if (option->name == NULL)
			return NULL;
		/* "-s HOST" and "--server HOST", but not "-sHOST". */
		if (option->value != NULL && (text[1] == '-' || name.len == 1))
			(*i)++;
	}
	return NULL;
}

static int no_such_verb(const char *word, bool is_admin)
{
	const char *names[128] = {NULL};
	const char *nearest;
	const struct verb *verb;
	size_t count = 0;

	for (size_t i = 0; (verb = verb_at(i)) != NULL && count < 126; i++)
		if (verb->is_admin == is_admin)
			names[count++] = verb->name;
	if (!is_admin)
		names[count++] = "admin";
	nearest = options_nearest(word, names);
	if (!is_admin && verb_find(word, true) != NULL)
		app_error("there is no verb \"%.40s\"; did you mean admin %s?", word, word);
	else if (nearest != NULL)
		app_error("there is no verb \"%s%.40s\"; did you mean %s%s?",
		    is_admin ? "admin " : "", word, is_admin ? "admin " : "", nearest);
	else
		app_error("there is no verb \"%s%.40s\"; --help lists them",
		    is_admin ? "admin " : "", word);
	return EXIT_USAGE;
}

/* Which verb it is, before its options can be told from its words. */
static int find_verb(struct line *line, int argc, char *const *argv, bool *ret_is_admin)
{
	int i = 1;
	const char *word = next_word(argc, argv, &i);

	/* "confab help VERB" is "confab VERB --help". */
	if (word != NULL && strcmp(word, "help") == 0) {
		line->help = true;
		word = next_word(argc, argv, &i);
	}
	*ret_is_admin = word != NULL && strcmp(word, "admin") == 0;
	if (*ret_is_admin)
		word = next_word(argc, argv, &i);
	if (word == NULL)
		return EXIT_DONE;
	line->verb = verb_find(word, *ret_is_admin);
	return line->verb != NULL ? EXIT_DONE : no_such_verb(word, *ret_is_admin);
}

static int print_help(struct line *line, bool is_admin)
{
	struct buf text;

	buf_init(&text, 65536);
	if (line->verb != NULL)
		help_verb(line->verb, &text);
	else if (is_admin)
		help_admin(&text);
	else
		help_program(&text);
	app_print(&line->app, buf_slice(&text));
	buf_release(&text);
	return line->app.out_exit;
}

static int run_verb(struct line *line)
{
	const struct verb *verb = line->verb;
	size_t skip = verb->is_admin ? 2 : 1;

	if (line->app.no_login && verb->run != verb_json && verb->run != verb_pipe) {
		app_error("--no-login goes with json and pipe only");
		return EXIT_USAGE;
	}
	return verb->run(&line->app, line->words + skip, line->count - skip);
}

static int run(struct line *line, int argc, char *const *argv)
{
	static struct verb_options options;
	struct error err = {.status = STATUS_OK};
	enum status status;
	bool is_admin;
	int result = find_verb(line, argc, argv, &is_admin);

	if (result != EXIT_DONE)
		return result;
	if (line->verb != NULL) {
		verb_get_options(line->verb, &options);
		if (line->verb->cmd >= 0)
			command_init(&line->command, (enum proto_cmd)line->verb->cmd);
		line->app.command = &line->command;
	}
	verb_add_common(&options);
	status = options_parse(options.option, argc, argv, on_argument, line, &err);
	if (status != STATUS_OK) {
		app_error("%s", err.text);
		return status == STATUS_USAGE ? EXIT_USAGE : EXIT_OTHER;
	}
	if (line->help)
		return print_help(line, is_admin);
	if (line->version) {
		app_print(&line->app, slice_of("confab " CONFAB_VERSION "\n"));
		return line->app.out_exit;
	}
	if (line->verb == NULL) {
		app_error(is_admin ? "what to do? confab admin --help lists the verbs"
		                   : "what to do? confab send, tail, rooms, history, …; --help "
		                     "lists the verbs");
		return EXIT_USAGE;
	}
	return run_verb(line);
}

int main(int argc, char **argv)
{
	static struct line line = {.app = {.timeout_ms = APP_TIMEOUT_MS}};
	int result;

	program_start(&argc, &argv);
	stop_install();
	result = run(&line, argc, argv);
	settings_release(&line.app.settings);
	token_release(&line.app.token);
	command_release(&line.command);
	if (result == EXIT_DONE)
		result = line.app.out_exit;
	stop_done();
	return result;
}
