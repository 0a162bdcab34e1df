#include "chat/page.h"

/* From here on a page takes no further item: it would take too long to write under the core's lock.
 * No item, of a name, two long texts and small numbers, is longer than what is left up to
 * limits.reply. */
#define PAGE_BYTES 65536
_Static_assert(PAGE_BYTES + 6 * 2 * PROTO_LIMIT_topic + 1024 < PROTO_LIMIT_reply, "a reply's line");

bool chat_page_begin(struct chat_page *page, struct chat_call *call, const char *name,
    enum proto_field after, enum proto_field limit)
{
	const struct request_field *wanted = request_field(call->request, limit);

	page->call = call;
	page->count = 0;
	page->work = 0;
	page->limit = wanted->present ? wanted->number : PROTO_LIMIT_page;
	chat_page_seen(page, chat_field_text(call, after));
	if (!chat_reply_begin(call, &page->w))
		return false;
	json_open_array(&page->w, name);
	return true;
}

bool chat_page_wants(const struct chat_page *page)
{
	return page->count < page->limit && page->work < CHAT_PAGE_WORK &&
	       page->call->chat->scratch.len < PAGE_BYTES;
}

void chat_page_seen(struct chat_page *page, struct slice key)
{
	str_copy(page->key, sizeof page->key, key);
	page->after = slice_of(page->key);
	page->work++;
}

void chat_page_end(struct chat_page *page, bool more)
{
	json_close_array(&page->w);
	json_put_bool(&page->w, "more", more);
	if (more)
		json_put_text(&page->w, "next", page->after);
	chat_reply_end(page->call, &page->w);
}
