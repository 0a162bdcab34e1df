/* Events and messages as lines of a conversation. */
#include "cli/show.h"

#include "base/rfc3339.h"
#include "cli/local.h"

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
	} else {
		show_text(&buf, field(event, "conversation"));
	}
	str_copy(to, size, buf_slice(&buf).ptr != NULL ? buf_slice(&buf) : slice_of(""));
	buf_release(&buf);
}

/* --- Parts of a line ----------------------------------------------------------------------- */

static void put_clock(struct buf *to, const struct json *event)
{
	char clock[LOCAL_TIME_SIZE] = "--:--:--";
	int64_t unix_ms;

	if (rfc3339_get(field(event, "time"), &unix_ms))
		local_time(unix_ms, clock);
	buf_put_str(to, clock);
}

/* "10:00:00 dev ": when and where. */
static void put_head(struct buf *to, const struct json *event, const char *self)
{
	char conversation[80];

	put_clock(to, event);
	show_conversation(event, self, conversation, sizeof conversation);
	buf_put_fmt(to, " %s%s", conversation, conversation[0] != '\0' ? " " : "");
}

/* A guest's name is proved by nothing, which the tilde says. */
static void put_name(struct buf *to, const struct json *event, const char *name)
{
	if (json_is_true(json_get(event, "guest")))
		buf_put_char(to, '~');
	show_text(to, field(event, name));
}

/* "#42"; nothing where there is no such number. */
static void put_number(struct buf *to, const struct json *event, const char *name)
{
	int64_t number;

	if (json_int(json_get(event, name), &number))
		buf_put_fmt(to, "#%lld", (long long)number);
}

static void put_reason(struct buf *to, const struct json *event)
{
	if (field(event, "reason").len == 0)
		return;
	buf_put_str(to, ": ");
	show_text(to, field(event, "reason"));
}

/* --- Messages ------------------------------------------------------------------------------ */

/* What is behind a reaction: how many, or who. */
static void put_reactors(struct buf *to, const struct json *who)
{
	int64_t count = 0;

	if (json_int(who, &count)) {
		buf_put_fmt(to, " %lld", (long long)count);
		return;
	}
	for (const struct json *user = json_first(who); user != NULL; user = json_next(user)) {
		buf_put_char(to, ' ');
		show_text(to, json_text(user).ptr != NULL ? json_text(user) : field(user, "user"));
	}
}

/* As an object of emoji, or as a list of objects with an emoji each. */
static void put_reactions(struct buf *to, const struct json *reactions)
{
	const char *before = " [";

	for (const struct json *m = json_first(reactions); m != NULL; m = json_next(m)) {
		bool is_item = json_key(m).len == 0;
		const struct json *who = is_item ? json_get(m, "users") : m;

		buf_put_str(to, before);
		show_text(to, is_item ? field(m, "emoji") : json_key(m));
		put_reactors(to, who != NULL ? who : json_get(m, "count"));
		before = ", ";
	}
	if (before[0] == ',')
		buf_put_char(to, ']');
}

static bool has(const struct json *message, const char *name)
{
	const struct json *value = json_get(message, name);

	return value != NULL && json_type(value) != JSON_NULL &&
	       (json_type(value) != JSON_BOOL || json_is_true(value));
}

/* All behind when and where. */
static void put_message(struct buf *to, const struct json *message)
{
	struct slice kind = field(message, "kind");
	bool is_action = slice_is(kind, "action");

	if (is_action)
		buf_put_str(to, "* ");
	put_name(to, message, "from");
	if (json_get(message, "reply") != NULL) {
		buf_put_str(to, " (to ");
		put_number(to, message, "reply");
		buf_put_char(to, ')');
	}
	buf_put_str(to, is_action ? " " : slice_is(kind, "notice") ? " (notice): " : ": ");
	if (has(message, "deleted"))
		buf_put_str(to, "(deleted)");
	else
		show_block(to, field(message, "text"));
	if (has(message, "edited"))
		buf_put_str(to, " (edited)");
	if (has(message, "pinned"))
		buf_put_str(to, " (pinned)");
	put_reactions(to, json_get(message, "reactions"));
	buf_put_char(to, '\n');
}

void show_message(
    struct buf *to, const struct json *message, const char *conversation, char day[SHOW_DAY_SIZE])
{
	char date[LOCAL_DATE_SIZE] = "";
	int64_t unix_ms;

	if (rfc3339_get(field(message, "time"), &unix_ms))
		local_date(unix_ms, date);
	if (strcmp(date, day) != 0) {
		buf_put_fmt(to, "-- %s\n", date);
		str_copy(day, SHOW_DAY_SIZE, slice_of(date));
	}
	put_clock(to, message);
	buf_put_char(to, ' ');
	if (conversation != NULL) {
		show_text(to, slice_of(conversation));
		buf_put_char(to, ' ');
	} else if (field(message, "conversation").len > 0) {
		show_text(to, field(message, "conversation"));
		buf_put_char(to, ' ');
	}
	put_number(to, message, "seq");
	buf_put_char(to, ' ');
	put_message(to, message);
}

/* --- Remarks ------------------------------------------------------------------------------- */

static void put_edit(struct buf *to, const struct json *event)
{
	put_name(to, event, "from");
	buf_put_str(to, " edited ");
	put_number(to, event, "target");
	if (has(event, "text")) {
		buf_put_str(to, ": ");
		show_block(to, field(event, "text"));
	}
}

static void put_leave(struct buf *to, const struct json *event)
{
	put_name(to, event, "user");
	buf_put_str(to, has(event, "by") ? " was put out by " : " left");
	show_text(to, field(event, "by"));
	put_reason(to, event);
}

/* Only what was changed is there. */
static void put_settings(struct buf *to, const struct json *event)
{
	static const char *const names[] = {
	    "topic", "title", "private", "guests", "history", "slow", "visible"};
	const char *before = " set ";

	put_name(to, event, "by");
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		const struct json *value = json_get(event, names[i]);
		int64_t number;

		if (value == NULL)
			continue;
		buf_put_fmt(to, "%s%s: ", before, names[i]);
		if (json_int(value, &number))
			buf_put_fmt(to, "%lld", (long long)number);
		else if (json_type(value) == JSON_BOOL)
			buf_put_str(to, json_is_true(value) ? "yes" : "no");
		else
			show_text(to, json_text(value));
		before = ", ";
	}
}

static void put_skipped(struct buf *to, const struct json *event)
{
	put_number(to, event, "first");
	buf_put_str(to, " to ");
	put_number(to, event, "last");
	buf_put_str(to, " are too many and not shown here; confab history has them");
}

/* Remarks of one form: who, what happened, and to what, which may be a number. */
static const struct remark {
	const char *event, *who, *what, *whom, *behind;
	bool has_reason;
	void (*put)(struct buf *to, const struct json *event);
} remarks[] = {
    {"join", "user", " joined", NULL, "", false, NULL},
    {"leave", NULL, NULL, NULL, NULL, false, put_leave},
    {"role", "user", " is now ", "role", "", false, NULL},
    {"presence", "user", " is ", "status", "", false, NULL},
    {"edit", NULL, NULL, NULL, NULL, false, put_edit},
    {"delete", "from", " deleted ", "target", "", true, NULL},
    {"react", "from", " put ", "emoji", " on ", false, NULL},
    {"unreact", "from", " took ", "emoji", " off ", false, NULL},
    {"pin", "by", " pinned ", "target", "", false, NULL},
    {"unpin", "by", " unpinned ", "target", "", false, NULL},
    {"room", NULL, NULL, NULL, NULL, false, put_settings},
    {"ban", "user", " was banned by ", "by", "", true, NULL},
    {"unban", "user", " is no longer banned", NULL, "", false, NULL},
    {"mute", "user", " was muted by ", "by", "", true, NULL},
    {"unmute", "user", " is no longer muted", NULL, "", false, NULL},
    {"destroyed", "by", " ended the room", NULL, "", false, NULL},
    {"invite", "by", " invites you", NULL, "", false, NULL},
    {"announce", "by", " announces: ", "text", "", false, NULL},
    {"skipped", NULL, NULL, NULL, NULL, false, put_skipped},
    {"gone", "", "you are not in it any more", NULL, "", false, NULL},
};

static void put_remark(struct buf *to, const struct json *event, const struct remark *remark)
{
	if (remark->put != NULL) {
		remark->put(to, event);
		return;
	}
	put_name(to, event, remark->who);
	buf_put_str(to, remark->what);
	if (remark->whom != NULL) {
		show_text(to, field(event, remark->whom));
		put_number(to, event, remark->whom);
	}
	if (remark->behind[0] != '\0') {
		buf_put_str(to, remark->behind);
		put_number(to, event, "target");
	}
	if (remark->has_reason)
		put_reason(to, event);
}

bool show_event(struct buf *to, const struct json *event, const char *self)
{
	struct slice name = field(event, "event");

	if (slice_is(name, "message")) {
		put_head(to, event, self);
		put_message(to, event);
		return true;
	}
	for (size_t i = 0; i < sizeof remarks / sizeof *remarks; i++) {
		if (!slice_is(name, remarks[i].event))
			continue;
		put_head(to, event, self);
		buf_put_str(to, "-- ");
		put_remark(to, event, &remarks[i]);
		buf_put_char(to, '\n');
		return true;
	}
	return false;
}
