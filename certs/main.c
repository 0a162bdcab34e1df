/* The command line of confab-certs: verbs, their options and their help. */
#include "verbs.h"

#include "confab_version.h"
#include "dates.h"
#include "index.h"
#include "talk.h"
#include "base/options.h"
#include "net/tls.h"
#include "os/clock.h"
#include "os/program.h"

#define DAYS_MAX 36500 /* a hundred years */
#define WARN_DEFAULT 30

#define OPTION_DIR                                                                                 \
	{                                                                                          \
		"dir", 'd', "DIR", "the CA's folder (default: confab-certs in the current folder)" \
	}
#define OPTION_FROM                                                                                \
	{                                                                                          \
		"from", '\0', "YYYY-MM-DD", "good from this day, 00:00 UTC, not from an hour ago"  \
	}
#define OPTION_QUIET                                                                               \
	{                                                                                          \
		"quiet", 'q', NULL, "say nothing but warnings and errors"                          \
	}
#define OPTION_HELP                                                                                \
	{                                                                                          \
		"help", 'h', NULL, "this text"                                                     \
	}
#define OPTION_END                                                                                 \
	{                                                                                          \
		NULL, '\0', NULL, NULL                                                             \
	}

static const struct option init_options[] = {
    OPTION_DIR,
    {"name", '\0', "NAME", "the CA's name (default: Confab CA and eight digits)"},
    {"days", '\0', "N", "good for N days (default: 3652, ten years)"},
    OPTION_FROM,
    {"force", 'f', NULL, "replace the CA that is there: what it issued works no longer"},
    OPTION_QUIET,
    OPTION_HELP,
    OPTION_END,
};

static const struct option issue_options[] = {
    OPTION_DIR,
    {"days", '\0', "N", "good for N days (default: 397)"},
    OPTION_FROM,
    {"force", 'f', NULL, "replace certificate and key where they are there already"},
    OPTION_QUIET,
    OPTION_HELP,
    OPTION_END,
};

static const struct option renew_options[] = {
    OPTION_DIR,
    {"new-key", 'k', NULL, "make a new key, too"},
    {"days", '\0', "N", "good for N days (default: 397; for the CA 3652)"},
    OPTION_FROM,
    OPTION_QUIET,
    OPTION_HELP,
    OPTION_END,
};

static const struct option revoke_options[] = {
    OPTION_DIR,
    {"force", 'f', NULL, "take a SERIAL that the record does not know"},
    OPTION_QUIET,
    OPTION_HELP,
    OPTION_END,
};

static const struct option crl_options[] = {
    OPTION_DIR,
    {"days", '\0', "N", "good for N days (default: to the end of the CA)"},
    OPTION_QUIET,
    OPTION_HELP,
    OPTION_END,
};

static const struct option show_options[] = {OPTION_DIR, OPTION_HELP, OPTION_END};

static const struct option status_options[] = {
    OPTION_DIR,
    {"warn", 'w', "DAYS", "exit 1 if something ends in less than DAYS days (default: 30)"},
    {"all", 'a', NULL, "former ones, too, and the serial numbers"},
    OPTION_QUIET,
    OPTION_HELP,
    OPTION_END,
};

static const struct option top_options[] = {
    OPTION_HELP,
    {"version", 'V', NULL, "the program's version"},
    OPTION_END,
};

struct verb {
	const char *name, *words, *summary, *text;
	const struct option *options;
	enum status (*run)(struct verb_args *args, struct error *err);
	size_t min_words, max_words;
};

static const struct verb verbs[] = {
    {"init", "", "make a CA",
        "Makes the folder with ca.pem, ca.key, an empty crl.pem and the record issued.txt.\n"
        "The CA has a P-256 key and signs certificates of servers and users directly.\n",
        init_options, make_init, 0, 0},
    {"server", " [NAME|IP]...", "make a server's certificate and key",
        "Each word is a host name, a wildcard like *.example.org, or an IP address; the first\n"
        "names the files. The certificate is good for these names only. localhost, which also\n"
        "is the default, brings 127.0.0.1 and ::1 along. International names are written in\n"
        "their xn-- form.\n",
        issue_options, make_server, 0, VERB_WORDS_MAX},
    {"client", " USER", "make a user's certificate and key",
        "The user logs in with client-USER.pem and client-USER.key. USER is a name as the chat\n"
        "has it: 1 to 32 of a-z, 0-9, '.', '_' and '-', beginning with a letter or digit.\n",
        issue_options, make_client, 1, 1},
    {"show", " [NAME|FILE]...", "what certificates or the revocation list say",
        "NAME is a host, a user, a file name without its ending, ca (the default) or crl.\n",
        show_options, show_details, 0, VERB_WORDS_MAX},
    {"status", " [NAME|FILE|SERIAL]...", "what ends when",
        "Without words all that the CA has issued, the CA itself and its revocation list.\n"
        "DAYS are whole days left. Exit code 1 if something that is in use ends too soon.\n",
        status_options, expiry_show, 0, VERB_WORDS_MAX},
    {"renew", " NAME|FILE|SERIAL...", "issue again with the same names and key",
        "Replaces the certificate, and with --new-key also the key. The one before stays good\n"
        "until its own end unless it is revoked. renew ca keeps the CA's name and key, so that\n"
        "what it issued stays good; give everybody the new ca.pem before the old one ends.\n",
        renew_options, make_renewed, 1, VERB_WORDS_MAX},
    {"revoke", " NAME|FILE|SERIAL...", "withdraw certificates and sign a new crl.pem",
        "By NAME all that were issued under it and have not ended; by FILE or SERIAL that one.\n"
        "Servers read crl.pem when they start.\n",
        revoke_options, revoke_certs, 1, VERB_WORDS_MAX},
    {"crl", "", "sign crl.pem again",
        "A server whose revocation list has ended refuses every certificate, so by default the\n"
        "list is good as long as the CA.\n",
        crl_options, revoke_sign_list, 0, 0},
    {"fingerprint", " [NAME|FILE]...", "SHA-256 of certificate and public key",
        "Two lines for each: the certificate and its public key (SPKI). Without words the CA.\n",
        show_options, show_fingerprints, 0, VERB_WORDS_MAX},
};

#define VERB_COUNT (sizeof verbs / sizeof *verbs)

struct parse {
	const struct verb *verb; /* NULL before the verb is known */
	struct verb_args args;
	bool wants_help, wants_version;
};

static void print(struct buf *text)
{
	struct error err = {0};

	if (talk_data(text, &err) != STATUS_OK)
		talk_warn("%s", err.text);
	buf_release(text);
}

static void help(const struct verb *verb)
{
	struct buf text;

	buf_init(&text, 64 << 10);
	if (verb != NULL) {
		buf_put_fmt(&text, "usage: confab-certs %s [OPTIONS]%s\n\n%s\n", verb->name,
		    verb->words, verb->text);
		options_help(verb->options, &text);
	} else {
		buf_put_str(&text,
		    "usage: confab-certs VERB [OPTIONS] [WORDS]\n\n"
		    "Makes and looks after the certificates of a Confab server and its users.\n\n");
		for (size_t i = 0; i < VERB_COUNT; i++)
			buf_put_fmt(&text, "  %-12s%s\n", verbs[i].name, verbs[i].summary);
		buf_put_str(&text,
		    "\nBegin with: confab-certs init, confab-certs server NAME, "
		    "confab-certs client USER.\n"
		    "Options of a verb: confab-certs VERB --help. Of the program:\n\n");
		options_help(top_options, &text);
		buf_put_str(
		    &text, "\nExit codes: 0 done, 2 wrong usage, 6 not found, 1 anything else.\n");
	}
	print(&text);
}

static enum status get_number(
    const struct option *option, const char *value, int64_t min, int64_t *ret, struct error *err)
{
	if (!str_to_int(slice_of(value), min, DAYS_MAX, ret))
		return error_set(err, STATUS_USAGE, "--%s takes a number of days from %d to %d",
		    option->name, (int)min, DAYS_MAX);
	return STATUS_OK;
}

static enum status take_option(
    struct parse *parse, const struct option *option, const char *value, struct error *err)
{
	struct verb_args *args = &parse->args;
	struct slice name = slice_of(option->name);

	if (slice_is(name, "help"))
		parse->wants_help = true;
	else if (slice_is(name, "version"))
		parse->wants_version = true;
	else if (slice_is(name, "dir") && value[0] == '\0')
		return error_set(err, STATUS_USAGE, "--dir needs the name of a folder");
	else if (slice_is(name, "dir"))
		args->dir = value;
	else if (slice_is(name, "name"))
		args->name = value;
	else if (slice_is(name, "days"))
		return get_number(option, value, 1, &args->days, err);
	else if (slice_is(name, "warn"))
		return get_number(option, value, 0, &args->warn, err);
	else if (slice_is(name, "force"))
		args->force = true;
	else if (slice_is(name, "new-key"))
		args->new_key = true;
	else if (slice_is(name, "quiet"))
		talk_be_quiet();
	else if (slice_is(name, "all"))
		args->all = true;
	else if (!(args->has_from = dates_get_day(slice_of(value), &args->from_ms)))
		return error_set(err, STATUS_USAGE, "--from takes a day like 2030-01-31");
	return STATUS_OK;
}

static enum status take(
    void *arg, const struct option *option, const char *value, struct error *err)
{
	struct parse *parse = arg;

	if (option != NULL)
		return take_option(parse, option, value, err);
	if (parse->args.count >= parse->verb->max_words)
		return error_set(err, STATUS_USAGE,
		    "too many words; usage: confab-certs %s [OPTIONS]%s", parse->verb->name,
		    parse->verb->words);
	parse->args.words[parse->args.count++] = value;
	return STATUS_OK;
}

static enum status find_verb(const char *word, const struct verb **ret, struct error *err)
{
	const char *names[VERB_COUNT + 1] = {0};
	const char *nearest;

	for (size_t i = 0; i < VERB_COUNT; i++) {
		names[i] = verbs[i].name;
		if (strcmp(word, verbs[i].name) == 0) {
			*ret = &verbs[i];
			return STATUS_OK;
		}
	}
	nearest = options_nearest(word, names);
	if (nearest != NULL)
		return error_set(
		    err, STATUS_USAGE, "unknown verb %s; did you mean %s?", word, nearest);
	return error_set(err, STATUS_USAGE, "unknown verb %s; --help lists them all", word);
}

static enum status run_verb(struct parse *parse, int argc, char **argv, struct error *err)
{
	const struct verb *verb;
	enum status status = find_verb(argv[1], &parse->verb, err);

	if (status != STATUS_OK)
		return status;
	verb = parse->verb;
	status = options_parse(verb->options, argc - 1, argv + 1, take, parse, err);
	if (status != STATUS_OK)
		return status;
	if (parse->wants_help) {
		help(verb);
		return STATUS_OK;
	}
	if (parse->args.count < verb->min_words)
		return error_set(err, STATUS_USAGE,
		    "a word is missing; usage: confab-certs %s [OPTIONS]%s", verb->name,
		    verb->words);
	status = tls_startup(err);
	if (status != STATUS_OK)
		return status;
	status = verb->run(&parse->args, err);
	tls_cleanup();
	return status;
}

/* Without a verb: --help and --version. */
static enum status run_top(struct parse *parse, int argc, char **argv, struct error *err)
{
	struct buf text;
	enum status status;

	if (argc < 2)
		return error_set(err, STATUS_USAGE, "what to do? confab-certs --help tells");
	status = options_parse(top_options, argc, argv, take, parse, err);
	if (status != STATUS_OK)
		return status;
	if (parse->wants_version) {
		buf_init(&text, 256);
		buf_put_str(&text, "confab-certs " CONFAB_VERSION "\n");
		print(&text);
	} else {
		help(NULL);
	}
	return STATUS_OK;
}

int main(int argc, char **argv)
{
	/* Where options stand before the verb, words are none of theirs. */
	static const struct verb no_verb = {.name = "VERB", .words = " [WORDS]"};
	struct parse parse = {.verb = &no_verb};
	struct error err = {0};
	enum status status;

	program_start(&argc, &argv);
	parse.args.dir = "confab-certs";
	parse.args.warn = WARN_DEFAULT;
	parse.args.now_ms = clock_unix_ms();
	if (argc < 2 || argv[1][0] == '-')
		status = run_top(&parse, argc, argv, &err);
	else
		status = run_verb(&parse, argc, argv, &err);
	if (status != STATUS_OK) {
		talk_warn("%s", err.text[0] != '\0' ? err.text : status_text(status));
		return program_exit_of(status);
	}
	return parse.args.is_below_warn ? EXIT_OTHER : EXIT_DONE;
}
