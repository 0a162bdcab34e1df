/*
 * What the tool says. Data (paths of what was made, tables, fingerprints) goes to standard output,
 * talk to standard error, each line of it after the program's name. One thread.
 */
#ifndef CONFAB_CERTS_TALK_H
#define CONFAB_CERTS_TALK_H

#include "base/buf.h"
#include "base/status.h"

/* One sentence to standard error: what was done, which talk_be_quiet silences. */
void talk_say(const char *format, ...) PRINTF_LIKE(1, 2);
void talk_be_quiet(void);

/* One sentence to standard error in any case: an error or a warning. */
void talk_warn(const char *format, ...) PRINTF_LIKE(1, 2);

/* Collected data to standard output. STATUS_NOMEM if the buffer failed; NO_SPACE, CLOSED or IO. */
enum status talk_data(struct buf *data, struct error *err);

/* One path on a line of its own, to standard output. */
enum status talk_path(const char *path, struct error *err);

/* Appends a word for a command line: in double quotes where a shell would take it apart. */
void talk_put_word(struct buf *to, const char *word);

/* Appends text from a certificate with control characters and bad UTF-8 replaced by '?'. */
void talk_put_foreign(struct buf *to, struct slice text);

#endif
