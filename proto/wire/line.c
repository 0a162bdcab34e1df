#include "wire/line.h"

void line_reader_init(struct line_reader *reader, size_t max)
{
	/* The part never holds an LF, so it has room for any line that is not too long. */
	buf_init(&reader->part, max);
	reader->max = max;
	reader->done_part = false;
}

void line_reader_release(struct line_reader *reader)
{
	buf_release(&reader->part);
}

void line_reader_set_max(struct line_reader *reader, size_t max)
{
	reader->max = max;
	reader->part.max = max;
}

/* An idle connection keeps no line buffer: most lines arrive whole and never need one. */
static void forget_part(struct line_reader *reader)
{
	buf_release(&reader->part);
	reader->done_part = false;
}

/* Keeps the start of a line until its end comes. */
static enum status keep(struct line_reader *reader, struct slice *input)
{
	struct slice start = *input;

	*input = slice_make(NULL, 0);
	/* Without its LF it must be shorter than the maximum, or the LF would be one too many. */
	if (reader->part.len >= reader->max || start.len >= reader->max - reader->part.len)
		return STATUS_FULL;
	return buf_put_slice(&reader->part, start) ? STATUS_AGAIN : STATUS_NOMEM;
}

static struct slice without_cr(struct slice line)
{
	if (line.len > 0 && line.ptr[line.len - 1] == '\r')
		line.len--;
	return line;
}

enum status line_reader_next(struct line_reader *reader, struct slice *input,
    struct slice *ret_line)
{
	if (reader->done_part)
		forget_part(reader);
	for (;;) {
		const char *end = input->len > 0 ? memchr(input->ptr, '\n', input->len) : NULL;
		struct slice line;

		if (end == NULL)
			return keep(reader, input);
		line = slice_make(input->ptr, (size_t)(end - input->ptr));
		if (reader->part.len >= reader->max || line.len >= reader->max - reader->part.len)
			return STATUS_FULL;
		input->ptr += line.len + 1;
		input->len -= line.len + 1;
		if (reader->part.len > 0) {
			if (!buf_put_slice(&reader->part, line))
				return STATUS_NOMEM;
			line = buf_slice(&reader->part);
			reader->done_part = true;
		}
		line = without_cr(line);
		if (line.len > 0) {
			*ret_line = line;
			return STATUS_OK;
		}
		if (reader->done_part)
			forget_part(reader);
	}
}
