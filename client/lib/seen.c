#include "lib/seen.h"

#include <stdlib.h>

#include "base/rfc3339.h"

#define NAME_MAX (PROTO_ROOM_MAX + 1) /* "dev", "@bob" */

struct entry {
	char name[NAME_MAX + 1];
	int64_t seq;
	bool keeps_nothing; /* a room without history, whose seq means nothing later */
};

/* The entry that moved last stands last. */
struct seen {
	struct entry *entry;
	size_t count, cap;
	char epoch[65];
	int64_t newest_ms; /* the latest time of the server's that any event had */
	int64_t paused_ms; /* that when the connection was lost, 0 if unknown */
};

enum status seen_new(struct seen **ret)
{
	*ret = calloc(1, sizeof **ret);
	return *ret != NULL ? STATUS_OK : STATUS_NOMEM;
}

void seen_free(struct seen *seen)
{
	if (seen == NULL)
		return;
	free(seen->entry);
	free(seen);
}

void seen_clear(struct seen *seen)
{
	seen->count = 0;
	seen->newest_ms = seen->paused_ms = 0;
}

void seen_set_epoch(struct seen *seen, struct slice epoch)
{
	if (slice_is(epoch, seen->epoch))
		return;
	seen_clear(seen);
	str_copy(seen->epoch, sizeof seen->epoch, epoch);
}

void seen_pause(struct seen *seen)
{
	seen->paused_ms = seen->newest_ms;
}

static struct entry *find(const struct seen *seen, const char *name)
{
	for (size_t i = seen->count; i-- > 0;)
		if (strcmp(seen->entry[i].name, name) == 0)
			return &seen->entry[i];
	return NULL;
}

static void forget(struct seen *seen, struct entry *entry)
{
	size_t index = (size_t)(entry - seen->entry);

	seen->count--;
	memmove(entry, entry + 1, (seen->count - index) * sizeof *entry);
}

/* Moves a conversation to the end, with what is known of it now. */
static void put(struct seen *seen, const struct entry *new_entry)
{
	struct entry *old = find(seen, new_entry->name);

	if (old != NULL)
		forget(seen, old);
	else if (seen->count == SEEN_MAX)
		forget(seen, seen->entry);
	if (seen->count == seen->cap) {
		size_t cap = seen->cap == 0 ? 16 : 2 * seen->cap;
		struct entry *entry = realloc(seen->entry, cap * sizeof *entry);

		/* What is not known is replayed from the read marker, which is still good. */
		if (entry == NULL)
			return;
		seen->entry = entry;
		seen->cap = cap;
	}
	seen->entry[seen->count++] = *new_entry;
}

/* "dev" or "@bob"; false for what belongs to no conversation. */
static bool conversation_of(const struct json *root, const char *self, char to[NAME_MAX + 1])
{
	struct slice room = json_text(json_get(root, "room"));
	struct slice user = json_text(json_get(root, "to"));

	/* A name of the wire goes into a line of ours as it is: it has to be one. */
	if (room.len > 0)
		return proto_is_room_name(room) && str_copy(to, NAME_MAX + 1, room);
	if (user.len > 0 && slice_is(user, self))
		user = json_text(json_get(root, "from"));
	to[0] = '@';
	return proto_is_user_name(user) && str_copy(to + 1, NAME_MAX, user);
}

/* The reply to `join`, alone with a "read", tells where a conversation stands. */
static void note_join(struct seen *seen, const struct json *root)
{
	struct entry entry = {.keeps_nothing = json_get(root, "epoch") != NULL};
	struct entry *old;

	if (json_get(root, "read") == NULL || !json_int(json_get(root, "seq"), &entry.seq) ||
	    !conversation_of(root, "", entry.name))
		return;
	old = find(seen, entry.name);
	if (old == NULL || (old->keeps_nothing != entry.keeps_nothing))
		put(seen, &entry);
}

static bool note_event(
    struct seen *seen, const struct json *root, const char *self, bool catching_up)
{
	bool replayed = catching_up && json_is_true(json_get(root, "replay"));
	struct entry entry = {.seq = 0};
	const struct entry *old;
	int64_t time_ms = 0;

	if (!json_int(json_get(root, "seq"), &entry.seq) ||
	    !conversation_of(root, self, entry.name))
		return true;
	old = find(seen, entry.name);
	rfc3339_get(json_text(json_get(root, "time")), &time_ms);
	if (replayed && (old != NULL ? entry.seq <= old->seq : time_ms < seen->paused_ms))
		return false;
	if (time_ms > seen->newest_ms)
		seen->newest_ms = time_ms;
	entry.keeps_nothing = old != NULL && old->keeps_nothing;
	if (old == NULL || entry.seq > old->seq)
		put(seen, &entry);
	return true;
}

bool seen_note(struct seen *seen, const struct message *message, const char *self, bool catching_up)
{
	struct slice gone;
	char name[NAME_MAX + 1];
	struct entry *entry;

	if (message->kind == MESSAGE_REPLY) {
		if (message->ok)
			note_join(seen, message->root);
		return true;
	}
	if (slice_is(message->event, "read"))
		return true;
	if (!slice_is(message->event, "gone") && !slice_is(message->event, "destroyed"))
		return note_event(seen, message->root, self, catching_up);
	gone = json_text(
	    json_get(message->root, slice_is(message->event, "gone") ? "conversation" : "room"));
	if (gone.len > 0 && str_copy(name, sizeof name, gone) && (entry = find(seen, name)) != NULL)
		forget(seen, entry);
	return true;
}

bool seen_put_since(const struct seen *seen, struct json_writer *w, size_t max)
{
	bool any = false;

	for (size_t i = seen->count; i-- > 0;) {
		const struct entry *entry = &seen->entry[i];

		/* Quotes, colon, comma, the largest seq, and the ends of two objects. */
		if (entry->keeps_nothing || w->to->len + strlen(entry->name) + 40 > max)
			continue;
		if (!any)
			json_open_object(w, "since");
		json_put_int(w, entry->name, entry->seq);
		any = true;
	}
	if (any)
		json_close_object(w);
	return any;
}
