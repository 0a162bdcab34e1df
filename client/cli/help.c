#include "cli/help.h"

#include "cli/show.h"

#define COLUMN 30
#define WIDTH 78

void help_wrap(struct buf *to, const char *text, unsigned indent)
{
	struct slice rest = slice_of(text);
	unsigned column = 0;

	while (rest.ptr != NULL) {
		struct slice word = slice_cut(&rest, ' ');
		unsigned width = show_width(word);

		if (column > 0 && indent + column + 1 + width > WIDTH) {
			buf_put_char(to, '\n');
			column = 0;
		}
		buf_put_fmt(to, "%*s", column == 0 ? (int)indent : 1, "");
		buf_put_slice(to, word);
		column += (column == 0 ? 0 : 1) + width;
	}
	buf_put_char(to, '\n');
}

/* The verb with its words, and what it does beside or below it. */
static void put_verb(const struct verb *verb, struct buf *to)
{
	struct buf words;

	buf_init(&words, 1024);
	buf_put_str(&words, verb->name);
	verb_put_words(verb, &words);
	buf_put_str(to, "  ");
	buf_put_slice(to, buf_slice(&words));
	if (show_width(buf_slice(&words)) + 4 > COLUMN) {
		buf_put_char(to, '\n');
		help_wrap(to, verb_summary(verb), COLUMN);
	} else {
		struct buf text;

		buf_init(&text, 4096);
		help_wrap(&text, verb_summary(verb), COLUMN);
		/* The first line's indentation is what the verb has left of it. */
		buf_drop(&text, show_width(buf_slice(&words)) + 2);
		buf_put_slice(to, buf_slice(&text));
		buf_release(&text);
	}
	buf_release(&words);
}

static void put_verbs(bool is_admin, struct buf *to)
{
	const struct verb *verb;

	for (size_t i = 0; (verb = verb_at(i)) != NULL; i++)
		if (verb->is_admin == is_admin)
			put_verb(verb, to);
}

void help_program(struct buf *to)
{
	buf_put_str(to, "usage: confab VERB [WORD…] [OPTION…]\n"
	                "The client of the chat server Confab.\n\nVerbs:\n");
	put_verbs(false, to);
	buf_put_str(to, "  admin VERB                  for administrators of the server; "
	                "confab admin --help\n\n"
	                "confab VERB --help tells a verb's own options. Options of all verbs:\n");
	options_help(verb_common_options(), to);
	buf_put_str(to,
	    "\nA text that starts with a dash comes after --. Data goes to standard output, talk "
	    "to\n"
	    "standard error. Exit codes: 0 done, 2 usage, 3 authentication, 4 TLS or certificate,\n"
	    "5 refused by the server, 6 not found, 7 time-out, 8 no connection or lost, 1 else.\n"
	    "The manual is confab(1).\n");
}

void help_admin(struct buf *to)
{
	buf_put_str(to, "usage: confab admin VERB [WORD…] [OPTION…]\n"
	                "For administrators of the server.\n\nVerbs:\n");
	put_verbs(true, to);
}

void help_verb(const struct verb *verb, struct buf *to)
{
	struct verb_options options;

	buf_put_fmt(to, "usage: confab %s%s", verb->is_admin ? "admin " : "", verb->name);
	verb_put_words(verb, to);
	buf_put_str(to, " [OPTION…]\n");
	help_wrap(to, verb_summary(verb), 0);
	if (verb->more != NULL)
		help_wrap(to, verb->more, 0);
	verb_get_options(verb, &options);
	if (options.count > 0)
		buf_put_str(to, "\nOptions:\n");
	options_help(options.option, to);
	buf_put_str(to, "\nOptions of all verbs:\n");
	options_help(verb_common_options(), to);
}
