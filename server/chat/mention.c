/*
 * Mentions: "@name" in a text, where that is the name of somebody in the conversation. Found once,
 * when the text is written, and kept with the entry.
 */
#include "chat/chat_private.h"

/* Names looked up for one text, however many it has. */
#define TRIES_MAX (4 * PROTO_LIMIT_mentions)

struct finder {
	const struct chat_conv *conv;
	const char *found[PROTO_LIMIT_mentions]; /* the users' own names */
	unsigned count, tries;
};

static bool is_name(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

static bool is_upper(char c)
{
	return c >= 'A' && c <= 'Z';
}

/* The name as its user has it, if that is in the conversation. */
static const char *find(struct finder *finder, struct slice name)
{
	const struct chat_conv *conv = finder->conv;
	struct tree_node *node;

	finder->tries++;
	if (conv->room != NULL) {
		node = tree_find(&conv->room->members, name);
		return node != NULL ? tree_entry(node, struct chat_member, in_room)->user->name
				    : NULL;
	}
	for (int i = 0; i < 2; i++)
		if (slice_equal(conv->pair->user[i]->node.key, name))
			return conv->pair->user[i]->name;
	return NULL;
}

/* The longest name there is: a full stop or dash behind it may be its last letter. */
static const char *find_longest(struct finder *finder, struct slice run)
{
	while (run.len > 0 && finder->tries < TRIES_MAX) {
		char end = run.ptr[run.len - 1];
		const char *name = run.len <= PROTO_USER_MAX ? find(finder, run) : NULL;

		if (name != NULL)
			return name;
		if (end != '.' && end != '-' && end != '_')
			return NULL;
		run.len--;
	}
	return NULL;
}

static void add(struct finder *finder, const char *name)
{
	for (unsigned i = 0; i < finder->count; i++)
		if (finder->found[i] == name)
			return;
	finder->found[finder->count++] = name;
}

static void find_all(struct finder *finder, struct slice text)
{
	const char *at = text.ptr, *end = text.ptr + text.len;

	while (finder->count < PROTO_LIMIT_mentions && finder->tries < TRIES_MAX &&
	       (at = memchr(at, '@', (size_t)(end - at))) != NULL) {
		bool inside = at > text.ptr && (is_name(at[-1]) || is_upper(at[-1]) || at[-1] == '@');
		const char *from = ++at, *name;

		while (at < end && is_name(*at))
			at++;
		if (inside || (at < end && (is_upper(*at) || *at == '@')))
			continue;
		name = find_longest(finder, slice_make(from, (size_t)(at - from)));
		if (name != NULL)
			add(finder, name);
	}
}

void chat_put_mentions(struct json_writer *w, const struct chat_conv *conv, struct slice text)
{
	struct finder finder = {.conv = conv};

	if (text.len > 0 && memchr(text.ptr, '@', text.len) != NULL)
		find_all(&finder, text);
	if (finder.count == 0)
		return;
	json_open_array(w, "mentions");
	for (unsigned i = 0; i < finder.count; i++)
		json_put_str(w, NULL, finder.found[i]);
	json_close_array(w);
}
