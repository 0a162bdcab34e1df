#include "os/log.h"

#include <stdarg.h>

#include "base/rfc3339.h"
#include "base/utf8.h"
#include "os/clock.h"
#include "os/program.h"

#define LINE_MAX_BYTES 2048 /* with the final newline */
#define END_MAX 4           /* room kept for the longest end: "\"}\n" */

static const char *const names[] = {"debug", "info", "warn", "error"};
static enum log_level lowest_level = LOG_INFO;
static bool as_json;

struct line {
	char bytes[LINE_MAX_BYTES];
	size_t len;
};

void log_setup(enum log_level lowest, bool json)
{
	lowest_level = lowest;
	as_json = json;
}

bool log_wants(enum log_level level)
{
	return level >= lowest_level;
}

/* Appends all or nothing; false when the line is full. */
static bool put(struct line *line, const char *bytes, size_t len)
{
	if (len > sizeof line->bytes - END_MAX - line->len)
		return false;
	memcpy(line->bytes + line->len, bytes, len);
	line->len += len;
	return true;
}

static void put_str(struct line *line, const char *text)
{
	put(line, text, strlen(text));
}

/* Characters that could make a terminal or a reader of logs see another line than is there:
 * controls of ASCII and Latin-1, separators of lines, and those that turn the direction. */
static bool is_harmful(uint32_t cp)
{
	return cp < 0x20 || (cp >= 0x7F && cp < 0xA0) || (cp >= 0x2028 && cp <= 0x202E) ||
	       (cp >= 0x2066 && cp <= 0x2069);
}

/* Appends text from anywhere, character by character, until it ends or the line is full. */
static void put_text(struct line *line, struct slice text)
{
	while (text.len > 0) {
		uint32_t cp;
		size_t len = utf8_next(text, &cp);
		bool fits;

		if (len == 0 || is_harmful(cp))
			fits = put(line, "\xEF\xBF\xBD", 3); /* U+FFFD */
		else if (as_json && (cp == '"' || cp == '\\'))
			fits = put(line, cp == '"' ? "\\\"" : "\\\\", 2);
		else
			fits = put(line, text.ptr, len);
		if (!fits)
			return;
		len = len > 0 ? len : 1;
		text.ptr += len;
		text.len -= len;
	}
}

void log_write(enum log_level level, const char *area, const char *format, ...)
{
	char time[RFC3339_SIZE], text[LINE_MAX_BYTES];
	struct line line = {.len = 0};
	const char *end = as_json ? "\"}\n" : "\n";
	va_list args;
	int len;

	if (!log_wants(level))
		return;
	va_start(args, format);
	len = vsnprintf(text, sizeof text, format, args);
	va_end(args);
	if (len < 0)
		return;
	if ((size_t)len >= sizeof text)
		len = (int)utf8_cut(slice_of(text), sizeof text - 4).len;
	rfc3339_put(clock_unix_ms(), time);
	put_str(&line, as_json ? "{\"time\":\"" : "");
	put_str(&line, time);
	put_str(&line, as_json ? "\",\"level\":\"" : " ");
	put_str(&line, names[level]);
	put_str(&line, as_json ? "\",\"area\":\"" : strlen(names[level]) < 5 ? "  " : " ");
	put_text(&line, slice_of(area));
	put_str(&line, as_json ? "\",\"text\":\"" : ": ");
	put_text(&line, slice_make(text, (size_t)len));
	memcpy(line.bytes + line.len, end, strlen(end));
	line.len += strlen(end);
	/* Where standard error cannot be written there is nobody to tell. */
	(void)program_write(PROGRAM_STDERR, line.bytes, line.len);
}
