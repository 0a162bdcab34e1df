/*
 * The verbs of the program: those with a file each, and one for each command of the protocol. What
 * they are called, which words and options they take and what they do is told here once, for the
 * command line, the help, the completion of shells and the manual.
 *
 * `words` are the command line's words behind the verb; the result is the exit code, and what went
 * wrong has been told.
 */
#ifndef CONFAB_CLI_VERBS_H
#define CONFAB_CLI_VERBS_H

#include "cli/app.h"
#include "cli/command.h"

struct verb {
	const char *name;
	bool is_admin; /* stands behind the word "admin" */
	int cmd;       /* its command, whose options it takes; -1 if it is more than one */
	const char *words, *summary; /* NULL: those of the command */
	const char *more;            /* a few sentences for help and manual, or NULL */
	int (*run)(struct app *app, const char *const *words, size_t count);
};

/* In the order of help; NULL past the last. */
const struct verb *verb_at(size_t index);

/* NULL if there is none. */
const struct verb *verb_find(const char *name, bool is_admin);

/* Appends its words as help shows them, with a space before each; its summary. */
void verb_put_words(const struct verb *verb, struct buf *to);
const char *verb_summary(const struct verb *verb);

#define VERB_OPTIONS_MAX 48

/* Its own options, ended by a NULL name, with room for those of all verbs. */
struct verb_options {
	struct command_options command;
	struct option option[VERB_OPTIONS_MAX + 1];
	size_t count;
};
void verb_get_options(const struct verb *verb, struct verb_options *ret);

/* Appends the options of all verbs to `ret`. */
void verb_add_common(struct verb_options *ret);
const struct option *verb_common_options(void);

int verb_send(struct app *app, const char *const *words, size_t count);
int verb_outbox(struct app *app, const char *const *words, size_t count);
int verb_tail(struct app *app, const char *const *words, size_t count);
int verb_json(struct app *app, const char *const *words, size_t count);
int verb_pipe(struct app *app, const char *const *words, size_t count);
int verb_chat(struct app *app, const char *const *words, size_t count);
int verb_register(struct app *app, const char *const *words, size_t count);
int verb_login(struct app *app, const char *const *words, size_t count);
int verb_logout(struct app *app, const char *const *words, size_t count);
int verb_passwd(struct app *app, const char *const *words, size_t count);
int verb_command(struct app *app, const char *const *words, size_t count);
int verb_completion(struct app *app, const char *const *words, size_t count);

/* Connects, asks, prints the reply, and ends. */
int command_ask(struct app *app, struct command *command);

/* The exit code for a secret that could not be read. */
int secret_exit(enum status status);

#endif
