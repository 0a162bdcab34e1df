#include "cli/show.h"

#include "base/rfc3339.h"
#include "base/utf8.h"
#include "cli/local.h"

#define REPLACEMENT "\xEF\xBF\xBD"
#define CONTINUED "\n         | "

/* Characters that act on a terminal or on the reader instead of being read. */
static bool is_harmful(uint32_t cp)
{
	return cp < 0x20 || (cp >= 0x7F && cp <= 0x9F) ||      /* C0, DEL, C1 */
	       cp == 0x061C || cp == 0x200E || cp == 0x200F || /* direction marks */
	       (cp >= 0x202A && cp <= 0x202E) || (cp >= 0x2066 && cp <= 0x206F) || cp == 0x2028 ||
	       cp == 0x2029 ||                                 /* line and paragraph separators */
	       cp == 0x200B || cp == 0x2060 || cp == 0xFEFF || /* of no width */
	       (cp >= 0xFFF9 && cp <= 0xFFFB) || (cp >= 0xE0000 && cp <= 0xE007F);
}

static void put_shown(struct buf *to, struct slice text, const char *line_end)
{
	while (text.len > 0) {
		uint32_t cp;
		size_t len = utf8_next(text, &cp);

		if (len == 0) {
			buf_put_str(to, REPLACEMENT);
			len = 1;
		} else if (cp == '\n') {
			buf_put_str(to, line_end);
		} else if (cp == '\t') {
			buf_put_str(to, "    ");
		} else if (is_harmful(cp)) {
			buf_put_str(to, REPLACEMENT);
		} else {
			buf_put(to, text.ptr, len);
		}
		text = slice_make(text.ptr + len, text.len - len);
	}
}

void show_text(struct buf *to, struct slice text)
{
	put_shown(to, text, " ");
}

void show_block(struct buf *to, struct slice text)
{
	while (text.len > 0 && (text.ptr[text.len - 1] == '\n' || text.ptr[text.len - 1] == '\r'))
		text.len--;
	put_shown(to, text, CONTINUED);
}

void show_repair(struct buf *to, struct slice text)
{
	while (text.len > 0) {
		uint32_t cp;
		size_t len = utf8_next(text, &cp);

		if (len == 0 || cp == 0)
			buf_put_str(to, REPLACEMENT);
		else
			buf_put(to, text.ptr, len);
		if (len == 0)
			len = 1;
		text = slice_make(text.ptr + len, text.len - len);
	}
}

static struct slice field(const struct json *event, const char *name)
{
	struct slice text = json_text(json_get(event, name));

	return text.ptr != NULL ? text : slice_of("");
}

void show_conversation(const struct json *event, const char *self, char *to, size_t size)
{
	struct slice room = field(event, "room");
	struct slice other = field(event, "to");
	struct buf buf;

	buf_init(&buf, 1024);
	if (room.len > 0) {
		show_text(&buf, room);
	} else if (other.len > 0) {
		if (slice_is(other, self))
			other = field(event, "from");
		buf_put_char(&buf, '@');
		show_text(&buf, other);
	}
	str_copy(to, size, buf_slice(&buf).ptr != NULL ? buf_slice(&buf) : slice_of(""));
	buf_release(&buf);
}

/* "10:00:00 dev ": when and where. */
static void put_head(struct buf *to, const struct json *event, const char *self)
{
	char clock[LOCAL_TIME_SIZE] = "--:--:--";
	char conversation[80];
	int64_t unix_ms;

	if (rfc3339_get(field(event, "time"), &unix_ms))
		local_time(unix_ms, clock);
	show_conversation(event, self, conversation, sizeof conversation);
	buf_put_fmt(to, "%s %s%s", clock, conversation, conversation[0] != '\0' ? " " : "");
}

/* A guest's name is proved by nothing, which the tilde says. */
static void put_name(struct buf *to, const struct json *event, const char *name)
{
	if (json_is_true(json_get(event, "guest")))
		buf_put_char(to, '~');
	show_text(to, field(event, name));
}

static void put_message(struct buf *to, const struct json *event, const char *self)
{
	struct slice kind = field(event, "kind");

	put_head(to, event, self);
	if (slice_is(kind, "action"))
		buf_put_str(to, "* ");
	put_name(to, event, "from");
	buf_put_str(to, slice_is(kind, "action")   ? " "
	                : slice_is(kind, "notice") ? " (notice): "
	                                           : ": ");
	show_block(to, field(event, "text"));
	buf_put_char(to, '\n');
}

static void put_remark(
    struct buf *to, const struct json *event, const char *self, const char *what, const char *more)
{
	put_head(to, event, self);
	buf_put_str(to, "-- ");
	put_name(to, event, "user");
	buf_put_str(to, what);
	if (more != NULL)
		show_text(to, field(event, more));
	buf_put_char(to, '\n');
}

bool show_event(struct buf *to, const struct json *event, const char *self)
{
	struct slice name = field(event, "event");

	if (slice_is(name, "message"))
		put_message(to, event, self);
	else if (slice_is(name, "join"))
		put_remark(to, event, self, " joined", NULL);
	else if (slice_is(name, "leave"))
		put_remark(to, event, self, " left", NULL);
	else if (slice_is(name, "role"))
		put_remark(to, event, self, " is now ", "role");
	else if (slice_is(name, "presence"))
		put_remark(to, event, self, " is ", "status");
	else
		return false;
	return true;
}
