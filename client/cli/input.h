/*
 * Standard input as lines, for a thread that must not block. Reading a file, a pipe or a console
 * without blocking is different everywhere, and for some not possible; so a thread reads
 * blockingly, hands over at most one piece at a time, and wakes the connection's loop.
 *
 * The reading thread cannot be stopped while it waits for input: at the end it is left alone, and
 * goes with the process. One input per process.
 */
#ifndef CONFAB_CLI_INPUT_H
#define CONFAB_CLI_INPUT_H

#include <stdbool.h>

#include "base/status.h"
#include "base/str.h"
#include "lib/confab.h"

struct buf;
struct input;

/* Starts to read. A line longer than `line_max` bytes comes in pieces. `c` may be NULL. NOMEM. */
enum status input_start(struct confab *c, size_t line_max, struct input **ret);

/* Wakes this connection from now on; NULL: none, as before confab_free. */
void input_attach(struct input *input, struct confab *c);

/* Without a connection: blocks until there may be a line or the end, at most `timeout_ms`. */
void input_wait(struct input *input, uint64_t timeout_ms);

/* The next line without its LF or CR LF, lent until the next call; with `ret_is_piece` (may be
 * NULL) true when the line goes on in the next one. AGAIN when none is there yet: confab_run
 * returns when that changes. EOF at the end, the last line needs no LF. NOMEM, or IO when it cannot
 * be read. */
enum status input_line(struct input *input, struct slice *ret_line, bool *ret_is_piece);

/* Before confab_free; afterwards the input wakes nobody. NULL is harmless. */
void input_stop(struct input *input);

/* All of it, up to the maximum of `to`, read blockingly without a thread: for one command on
 * standard input. FULL, NOMEM, IO. */
enum status input_all(struct buf *to);

#endif
