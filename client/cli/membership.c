#include "cli/membership.h"

#include <stdlib.h>

#include "os/clock.h"
#include "wire/json.h"
#include "wire/tables.h"

#define RETRY_MS 5000

struct room {
	char name[PROTO_ROOM_MAX + 1];
	bool used, was_in;
	uint64_t retry_at_ms; /* 0: nothing to try */
	struct membership *owner;
};

struct membership {
	struct app *app;
	void (*on_joined)(void *arg, const char *room, const struct confab_line *line, bool again);
	void (*on_refused)(
	    void *arg, const char *room, enum confab_status status, const struct confab_line *line);
	void *arg;
	struct room room[MEMBERSHIP_MAX];
};

struct membership *membership_new(struct app *app,
    void (*on_joined)(void *arg, const char *room, const struct confab_line *line, bool again),
    void (*on_refused)(
        void *arg, const char *room, enum confab_status status, const struct confab_line *line),
    void *arg)
{
	struct membership *membership = calloc(1, sizeof *membership);

	if (membership == NULL)
		return NULL;
	membership->app = app;
	membership->on_joined = on_joined;
	membership->on_refused = on_refused;
	membership->arg = arg;
	for (size_t i = 0; i < MEMBERSHIP_MAX; i++)
		membership->room[i].owner = membership;
	return membership;
}

void membership_free(struct membership *membership)
{
	free(membership);
}

static struct room *find(const struct membership *membership, const char *name)
{
	for (size_t i = 0; i < MEMBERSHIP_MAX; i++) {
		const struct room *room = &membership->room[i];

		if (room->used && strcmp(room->name, name) == 0)
			return &room->owner->room[i];
	}
	return NULL;
}

static void on_reply(
    void *arg, struct confab *c, enum confab_status status, const struct confab_line *line)
{
	struct room *room = arg;
	struct membership *membership = room->owner;

	(void)c;
	if (!room->used || line == NULL)
		return; /* left meanwhile; or lost, and joined again when the connection is back */
	if (status == CONFAB_OK) {
		bool again = room->was_in;

		room->was_in = true;
		room->retry_at_ms = 0;
		membership->on_joined(membership->arg, room->name, line, again);
		return;
	}
	if (room->was_in)
		room->retry_at_ms = clock_mono_ms() + RETRY_MS;
	else
		room->used = false;
	membership->on_refused(membership->arg, room->name, status, line);
}

static void join(struct room *room)
{
	struct json_writer w;
	struct buf json;

	room->retry_at_ms = 0;
	buf_init(&json, 1024);
	json_begin(&w, &json);
	json_put_str(&w, "cmd", "join");
	json_put_str(&w, "room", room->name);
	json_end(&w);
	/* Fails only without memory or connection; the second brings another membership_join_all.
	 */
	if (confab_request(room->owner->app->c, json.ptr, json.len, on_reply, room) != CONFAB_OK)
		room->retry_at_ms = clock_mono_ms() + RETRY_MS;
	buf_release(&json);
}

bool membership_add(struct membership *membership, const char *name)
{
	struct room *room = find(membership, name);

	for (size_t i = 0; i < MEMBERSHIP_MAX && room == NULL; i++)
		if (!membership->room[i].used)
			room = &membership->room[i];
	if (room == NULL)
		return false;
	if (!room->used) {
		room->used = true;
		room->was_in = false;
		room->retry_at_ms = 0;
		str_copy(room->name, sizeof room->name, slice_of(name));
	}
	if (membership->app->c != NULL && confab_state(membership->app->c) == CONFAB_READY)
		join(room);
	return true;
}

void membership_remove(struct membership *membership, const char *name)
{
	struct room *room = find(membership, name);

	if (room != NULL)
		room->used = false;
}

bool membership_has(const struct membership *membership, const char *name)
{
	return find(membership, name) != NULL;
}

void membership_join_all(struct membership *membership)
{
	for (size_t i = 0; i < MEMBERSHIP_MAX; i++)
		if (membership->room[i].used)
			join(&membership->room[i]);
}

unsigned membership_tick(struct membership *membership)
{
	uint64_t now = clock_mono_ms();
	unsigned wait = 60000;

	if (confab_state(membership->app->c) != CONFAB_READY)
		return wait;
	for (size_t i = 0; i < MEMBERSHIP_MAX; i++) {
		struct room *room = &membership->room[i];

		if (!room->used || room->retry_at_ms == 0)
			continue;
		if (room->retry_at_ms <= now)
			join(room);
		else if (room->retry_at_ms - now < wait)
			wait = (unsigned)(room->retry_at_ms - now);
	}
	return wait;
}
