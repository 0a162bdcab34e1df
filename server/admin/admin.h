/*
 * The verbs of confab-server when it does not serve: accounts, invite codes, copies of the store,
 * and questions to a running server. `confab-server VERB …` ends in admin_main; the table of verbs
 * and options in admin.c is where their help comes from.
 *
 * A verb either sends requests through a channel (channel.h), to the running server or, without
 * one, to the core on the data directory that we lock ourselves; or it works on the store's files.
 * What went wrong is told in one line on standard error.
 */
#ifndef CONFAB_SERVER_ADMIN_H
#define CONFAB_SERVER_ADMIN_H

#include "base/buf.h"

/* Are these arguments of a verb: does the first one not start with a dash? */
bool admin_is_meant(int argc, char *const *argv);

/* Does what the arguments say; the process's exit code. After program_start and stop_install. */
int admin_main(int argc, char *const *argv);

/* Appends the list of the verbs, for --help. */
void admin_help(struct buf *to);

#endif
