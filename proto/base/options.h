/*
 * Command lines from a table of options, one way for all three programs: `--name value`,
 * `--name=value`, `-n value`, flags, and words in any order; `--` ends the options, and a lone
 * `-` is a word (standard input). An unknown option is answered with the nearest name there is.
 * Pure: prints nothing.
 */
#ifndef CONFAB_BASE_OPTIONS_H
#define CONFAB_BASE_OPTIONS_H

#include "base/buf.h"
#include "base/status.h"

struct option {
	const char *name;  /* without dashes; a table ends with a NULL name */
	char letter;	   /* or '\0' */
	const char *value; /* how help calls the value ("FILE"); NULL: a flag without one; "[…": a
			    * flag that may have one, with = only ("[=no]") */
	const char *help;
};

/* Called for each option (value NULL for a flag) and each word (option NULL, value the word), in
 * order; lent for the call, though words and values live as long as argv. Another status than
 * STATUS_OK, with `err` filled, ends the parse. */
typedef enum status option_fn(void *arg, const struct option *option, const char *value,
    struct error *err);

/* argv[0] is skipped. STATUS_USAGE with one sentence in `err`, or what `fn` answered. */
enum status options_parse(const struct option *table, int argc, char *const *argv, option_fn *fn,
    void *arg, struct error *err);

/* Appends the table as help shows it: one aligned line or more for each option. */
void options_help(const struct option *table, struct buf *to);

/* The one of `names` (NULL-terminated) nearest to `word` if it is near enough for a "did you
 * mean", else NULL. */
const char *options_nearest(const char *word, const char *const *names);

#endif
