/* Command lines. */
#include "tests/unit/unit.h"

#include "base/options.h"

static const struct option table[] = {
    {"server", 's', "HOST", "where the server is"},
    {"verbose", 'v', NULL, "say more\nand more"},
    {"a-very-long-name-of-an-option", '\0', "VALUE", "help"},
    {"private", '\0', "[=no]", "perhaps"},
    {NULL, '\0', NULL, NULL},
};

/* Writes down what was called: "server=x verbose word:y". */
static enum status note(
    void *arg, const struct option *option, const char *value, struct error *err)
{
	struct buf *to = arg;

	if (to->len > 0)
		buf_put_char(to, ' ');
	if (option == NULL)
		buf_put_fmt(to, "word:%s", value);
	else
		buf_put_fmt(to, value != NULL ? "%s=%s" : "%s", option->name, value);
	if (value != NULL && strcmp(value, "stop") == 0)
		return error_set(err, STATUS_INVALID, "stopped");
	return STATUS_OK;
}

static enum status parse(struct buf *to, struct error *err, int argc, ...)
{
	char *argv[16] = {0};
	char program[] = "program";
	va_list args;

	buf_init(to, 1000);
	argv[0] = program;
	va_start(args, argc);
	for (int i = 1; i <= argc; i++)
		argv[i] = va_arg(args, char *);
	va_end(args);
	return options_parse(table, argc + 1, argv, note, to, err);
}

static void check_parse(const char *want, int argc, char *a, char *b, char *c, char *d)
{
	struct buf got;
	struct error err = {.text = ""};

	CHECK_INT(parse(&got, &err, argc, a, b, c, d), STATUS_OK);
	CHECK_STR(buf_text(&got), want);
	buf_release(&got);
}

static void check_usage(const char *want, int argc, char *a)
{
	struct buf got;
	struct error err = {.text = ""};

	CHECK_INT(parse(&got, &err, argc, a), STATUS_USAGE);
	CHECK(strstr(err.text, want) != NULL);
	buf_release(&got);
}

#define ARG(text) ((char[]){text})

TEST(unit__options__takes_all_forms)
{
	check_parse("server=x verbose word:y", 4, ARG("--server"), ARG("x"), ARG("-v"), ARG("y"));
	check_parse("server=x=y server=", 2, ARG("--server=x=y"), ARG("--server="), NULL, NULL);
	check_parse("server=x server=y", 3, ARG("-s"), ARG("x"), ARG("-sy"), NULL);
	check_parse(
	    "word:- word:--server word:-v", 4, ARG("-"), ARG("--"), ARG("--server"), ARG("-v"));
	check_parse("server=--verbose", 2, ARG("--server"), ARG("--verbose"), NULL, NULL);
	check_parse("private word:no private=no", 3, ARG("--private"), ARG("no"),
	    ARG("--private=no"), NULL);
}

TEST(unit__options__refuses_what_it_does_not_know)
{
	check_usage("did you mean --server", 1, ARG("--sever"));
	check_usage("--help", 1, ARG("--zzzzzzzz"));
	check_usage("unknown option -x", 1, ARG("-x"));
	check_usage("takes no value", 1, ARG("--verbose=1"));
	check_usage("takes no value", 1, ARG("-vv"));
	check_usage("--server HOST", 1, ARG("--server"));
	check_usage("--server HOST", 1, ARG("-s"));
}

TEST(unit__options__stops_where_the_callback_says)
{
	struct buf got;
	struct error err;

	CHECK_INT(parse(&got, &err, 2, ARG("stop"), ARG("-v")), STATUS_INVALID);
	CHECK_STR(buf_text(&got), "word:stop");
	CHECK_STR(err.text, "stopped");
	buf_release(&got);
}

TEST(unit__options__aligns_help)
{
	struct buf help;

	buf_init(&help, 1000);
	options_help(table, &help);
	CHECK_STR(buf_text(&help), "  -s, --server HOST         where the server is\n"
	                           "  -v, --verbose             say more\n"
	                           "                            and more\n"
	                           "      --a-very-long-name-of-an-option VALUE\n"
	                           "                            help\n"
	                           "      --private[=no]        perhaps\n");
	buf_release(&help);
}

TEST(unit__options__finds_the_nearest_name)
{
	static const char *const names[] = {"join", "leave", "members", NULL};

	CHECK_STR(options_nearest("jion", names), "join");
	CHECK_STR(options_nearest("member", names), "members");
	CHECK(options_nearest("xyzzy", names) == NULL);
}

UNIT_MAIN(CASE(unit__options__takes_all_forms), CASE(unit__options__refuses_what_it_does_not_know),
    CASE(unit__options__stops_where_the_callback_says), CASE(unit__options__aligns_help),
    CASE(unit__options__finds_the_nearest_name))
