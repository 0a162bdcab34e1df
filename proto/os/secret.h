/*
 * A password from wherever the person keeps it: typed at the terminal without echo, the first line
 * of a file, a file descriptor, or what a command prints. Never from the command line, where every
 * user of the machine could read it. One line end at the end is cut; what is left has 1 to
 * SECRET_MAX bytes of UTF-8 in one line. What was read on the way is wiped.
 *
 * The prompt speaks to the terminal itself, so standard input and output may be elsewhere. While it
 * waits, the terminal shows nothing of what is typed; its mode is put back before the function
 * returns, also after Ctrl-C, and after a signal to stop where stop_install was called.
 *
 * Blocking calls of a program's start. One thread.
 */
#ifndef CONFAB_OS_SECRET_H
#define CONFAB_OS_SECRET_H

#include "base/options.h"
#include "base/status.h"

#define SECRET_MAX 256 /* bytes */

struct secret {
	char text[SECRET_MAX + 1]; /* ends with a NUL */
	size_t len;
};

/* Wipes it; harmless on a zeroed one. */
void secret_release(struct secret *secret);

struct secret_source {
	enum secret_from { SECRET_PROMPT, SECRET_FILE, SECRET_FD, SECRET_COMMAND } from;
	const char *value; /* path (- is standard input), number, command for the shell; lent */
};

/* Rows for a program's table of options. */
#define SECRET_OPTIONS                                                                             \
	{"password-file", '\0', "FILE", "read the password from a file; - is standard input"},     \
	    {"password-fd", '\0', "N", "read the password from an open file descriptor"},          \
	{                                                                                          \
		"password-command", '\0', "COMMAND",                                               \
		    "the password is what this command of the shell prints"                        \
	}

/* Takes one of these options into `source`, which starts out zeroed. NOT_FOUND: it is none of
 * them; USAGE: a second one. */
enum status secret_take_option(struct secret_source *source, const char *name, const char *value,
    struct error *err);

/* Reads it. `prompt` is shown where a person is asked ("Password for alice: "); `again`, if not
 * NULL, asks a second time, for a new password, and both have to be the same. USAGE: there is no
 * terminal to ask at; INVALID: empty, too long, of several lines, not UTF-8, or the two differ;
 * INTERRUPTED: Ctrl-C, the end of the input, or a signal to stop; NOT_FOUND, ACCESS, IO. */
enum status secret_read(const struct secret_source *source, const char *prompt, const char *again,
    struct secret *ret, struct error *err);

#endif
