#include "cli/show.h"

#include "base/utf8.h"

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

static bool is_wide(uint32_t cp)
{
	return (cp >= 0x1100 && cp <= 0x115F) || (cp >= 0x2E80 && cp <= 0xA4CF) ||
	       (cp >= 0xAC00 && cp <= 0xD7A3) || (cp >= 0xF900 && cp <= 0xFAFF) ||
	       (cp >= 0xFE30 && cp <= 0xFE6F) || (cp >= 0xFF00 && cp <= 0xFF60) ||
	       (cp >= 0x1F300 && cp <= 0x1FAFF) || (cp >= 0x20000 && cp <= 0x3FFFD);
}

static bool is_combining(uint32_t cp)
{
	return (cp >= 0x0300 && cp <= 0x036F) || (cp >= 0x20D0 && cp <= 0x20FF) || cp == 0x200C ||
	       cp == 0x200D || (cp >= 0xFE00 && cp <= 0xFE0F);
}

unsigned show_width(struct slice text)
{
	unsigned width = 0;

	while (text.len > 0) {
		uint32_t cp;
		size_t len = utf8_next(text, &cp);

		if (len == 0)
			return width;
		width += is_combining(cp) ? 0 : is_wide(cp) ? 2 : 1;
		text = slice_make(text.ptr + len, text.len - len);
	}
	return width;
}
