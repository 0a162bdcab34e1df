#include "talk.h"

#include <stdarg.h>

#include "base/utf8.h"
#include "os/program.h"

static bool is_quiet;

void talk_be_quiet(void)
{
	is_quiet = true;
}

static void put_line(const char *format, va_list args) PRINTF_LIKE(1, 0);
static void put_line(const char *format, va_list args)
{
	struct buf line;

	buf_init(&line, 64 << 10);
	buf_put_str(&line, "confab-certs: ");
	buf_put_vfmt(&line, format, args);
	buf_put_char(&line, '\n');
	/* Nobody is left to tell when standard error cannot be written. */
	(void)program_write(PROGRAM_STDERR, line.ptr, line.len);
	buf_release(&line);
}

void talk_say(const char *format, ...)
{
	va_list args;

	if (is_quiet)
		return;
	va_start(args, format);
	put_line(format, args);
	va_end(args);
}

void talk_warn(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	put_line(format, args);
	va_end(args);
}

enum status talk_data(struct buf *data, struct error *err)
{
	enum status status;

	if (data->failed)
		return error_set(err, STATUS_NOMEM, "out of memory");
	if (data->len == 0)
		return STATUS_OK;
	status = program_write(PROGRAM_STDOUT, data->ptr, data->len);
	if (status != STATUS_OK)
		return error_set(
		    err, status, "cannot write to standard output: %s", status_text(status));
	return STATUS_OK;
}

enum status talk_path(const char *path, struct error *err)
{
	enum status status;
	struct buf line;

	buf_init(&line, 64 << 10);
	buf_put_str(&line, path);
	buf_put_char(&line, '\n');
	status = talk_data(&line, err);
	buf_release(&line);
	return status;
}

void talk_put_word(struct buf *to, const char *word)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	                            "._-/\\:@+=,";

	if (word[0] != '\0' && strspn(word, plain) == strlen(word))
		buf_put_str(to, word);
	else
		buf_put_fmt(to, "\"%s\"", word);
}

void talk_put_foreign(struct buf *to, struct slice text)
{
	while (text.len > 0) {
		uint32_t code_point;
		size_t len = utf8_next(text, &code_point);
		bool is_bad =
		    len == 0 || code_point < 0x20 || (code_point >= 0x7f && code_point < 0xa0);

		if (len == 0)
			len = 1;
		if (is_bad)
			buf_put_char(to, '?');
		else
			buf_put(to, text.ptr, len);
		text.ptr += len;
		text.len -= len;
	}
}
