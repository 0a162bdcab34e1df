/*
 * What --help prints. Pure.
 */
#ifndef CONFAB_CLI_HELP_H
#define CONFAB_CLI_HELP_H

#include "cli/verbs.h"

/* About the program; about the verbs behind "admin"; about one verb. */
void help_program(struct buf *to);
void help_admin(struct buf *to);
void help_verb(const struct verb *verb, struct buf *to);

/* Appends a text in lines of at most 78 columns, each with `indent` spaces before it. */
void help_wrap(struct buf *to, const char *text, unsigned indent);

#endif
