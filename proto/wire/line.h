/*
 * Cuts a stream of bytes into lines: LF ends one, a CR before it is dropped, empty lines vanish.
 * Holds at most one unfinished line and never more than the maximum. Pure; one thread at a time.
 */
#ifndef CONFAB_WIRE_LINE_H
#define CONFAB_WIRE_LINE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/status.h"
#include "base/str.h"

struct line_reader {
	struct buf part; /* the start of a line whose end has not come yet */
	size_t max;	 /* bytes of a line with its LF */
	bool done_part;	 /* `part` was lent as a whole line and goes with the next call */
};

void line_reader_init(struct line_reader *reader, size_t max);
void line_reader_release(struct line_reader *reader);

/* May change between two lines. A part that is already longer counts as too long. */
void line_reader_set_max(struct line_reader *reader, size_t max);

/* Takes bytes from the front of `input` up to the next line: OK with the line, lent until the
 * next call or until the input's memory goes; AGAIN when the input is used up without one; FULL
 * when the line is too long (the rest of the stream cannot be used); NOMEM. */
enum status line_reader_next(struct line_reader *reader, struct slice *input,
    struct slice *ret_line);

#endif
