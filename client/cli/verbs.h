/*
 * The verbs of the program, one file each. `words` are the command line's words behind the verb;
 * the result is the exit code, and what went wrong has been told.
 */
#ifndef CONFAB_CLI_VERBS_H
#define CONFAB_CLI_VERBS_H

#include "cli/app.h"

int verb_send(struct app *app, const char *const *words, size_t count);
int verb_outbox(struct app *app, const char *const *words, size_t count);
int verb_tail(struct app *app, const char *const *words, size_t count);
int verb_json(struct app *app, const char *const *words, size_t count);
int verb_pipe(struct app *app, const char *const *words, size_t count);
int verb_chat(struct app *app, const char *const *words, size_t count);

#endif
