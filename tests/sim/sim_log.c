/*
 * What follows from the committed log alone: who is in a room with which role, who is muted or
 * banned; and that nobody did what these did not allow.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "base/rfc3339.h"
#include "sim.h"

struct slice sim_text_of(struct slice json, const char *name)
{
	char key[48];
	size_t len = (size_t)snprintf(key, sizeof key, "\"%s\":\"", name);

	for (size_t i = 0; i + len <= json.len; i++) {
		const char *end;

		if (json.ptr[i] != '"' || memcmp(json.ptr + i, key, len) != 0)
			continue;
		end = memchr(json.ptr + i + len, '"', json.len - i - len);
		return slice_make(json.ptr + i + len, (size_t)(end - json.ptr) - i - len);
	}
	return slice_make("", 0);
}

int64_t sim_int_of(struct slice json, const char *name, int64_t absent)
{
	char key[48];
	size_t len = (size_t)snprintf(key, sizeof key, "\"%s\":", name);
	int64_t number = 0;

	for (size_t i = 0; i + len < json.len; i++) {
		if (json.ptr[i] != '"' || memcmp(json.ptr + i, key, len) != 0)
			continue;
		for (i += len; i < json.len && json.ptr[i] >= '0' && json.ptr[i] <= '9'; i++)
			number = number * 10 + (json.ptr[i] - '0');
		return number;
	}
	return absent;
}

static bool has_flag(struct slice json, const char *name)
{
	char key[48];

	snprintf(key, sizeof key, "\"%s\":true", name);
	return slice_contains(json, slice_of(key));
}

/* --- Who is in ------------------------------------------------------------------------------ */

static struct sim_stay *stay_of(const struct sim_conv *conv, uint64_t user)
{
	for (size_t i = conv->stay_count; i-- > 0;)
		if (conv->stay[i].user == user && conv->stay[i].to == INT64_MAX)
			return &conv->stay[i];
	return NULL;
}

/* A guest whose connection has ended may be gone without a word, or leave soon. */
static struct sim_stay *stay_named(const struct sim_conv *conv, struct slice name, bool ending)
{
	for (size_t i = conv->stay_count; i-- > 0;)
		if (conv->stay[i].to == INT64_MAX && slice_is(name, conv->stay[i].name) &&
		    (ending || !conv->stay[i].ending))
			return &conv->stay[i];
	return NULL;
}

const struct sim_stay *sim_stay_at(const struct sim_conv *conv, uint64_t user, int64_t seq)
{
	for (size_t i = conv->stay_count; i-- > 0;)
		if (conv->stay[i].user == user && conv->stay[i].from <= seq &&
		    seq <= conv->stay[i].to)
			return &conv->stay[i];
	return NULL;
}

void sim_end_guest(struct sim *sim, uint64_t user)
{
	for (size_t i = 0; i < sim->store->conv_count; i++) {
		struct sim_stay *stay = stay_of(sim->store->conv[i], user);

		if (stay != NULL && stay->guest)
			stay->ending = true;
	}
}

/* Guests end with the process, without a word in the log. */
void sim_forget_guests(struct sim *sim)
{
	for (size_t i = 0; i < sim->store->conv_count; i++) {
		struct sim_conv *conv = sim->store->conv[i];

		for (size_t j = 0; j < conv->stay_count; j++)
			if (conv->stay[j].guest && conv->stay[j].to == INT64_MAX)
				conv->stay[j].to = (int64_t)conv->count;
	}
}

static struct sim_measure *measure_of(struct sim_conv *conv, struct slice name)
{
	for (size_t i = 0; i < conv->measure_count; i++)
		if (slice_is(name, conv->measure[i].name))
			return &conv->measure[i];
	conv->measure = sim_grow(conv->measure, conv->measure_count, &conv->measure_cap,
	    sizeof *conv->measure);
	conv->measure[conv->measure_count] = (struct sim_measure){.ban_until = 0};
	str_copy(conv->measure[conv->measure_count].name, sizeof conv->measure->name, name);
	return &conv->measure[conv->measure_count++];
}

static int64_t until_of(const struct store_entry *entry)
{
	int64_t until = INT64_MAX;

	rfc3339_get(sim_text_of(entry->extra, "until"), &until);
	return until;
}

/* --- One entry after the other -------------------------------------------------------------- */

static void wrong(const struct sim *sim, const struct sim_conv *conv,
    const struct store_entry *entry, const char *what)
{
	sim_fail(sim, "entry %" PRId64 " (kind %d, author %" PRIu64 ", %.*s) of conversation %" PRIu64
		      " (%s): %s",
	    entry->seq, (int)entry->kind, entry->author, (int)entry->extra.len,
	    entry->extra.ptr, conv->id, conv->room, what);
}

static void check_join(struct sim *sim, struct sim_conv *conv, const struct store_entry *entry)
{
	struct slice name = sim_text_of(entry->extra, "user");
	const struct sim_measure *measure = measure_of(conv, name);
	struct sim_stay *stay;

	if (stay_of(conv, entry->author) != NULL)
		wrong(sim, conv, entry, "joins, but is in");
	if (!sim->backwards && entry->time_ms < measure->ban_until)
		wrong(sim, conv, entry, "joins, but is banned");
	conv->stay = sim_grow(conv->stay, conv->stay_count, &conv->stay_cap, sizeof *conv->stay);
	stay = &conv->stay[conv->stay_count++];
	*stay = (struct sim_stay){
	    .user = entry->author,
	    .guest = has_flag(entry->extra, "guest"),
	    .role = entry->seq == 1 ? CHAT_ROLE_OWNER : CHAT_ROLE_MEMBER,
	    .from = entry->seq,
	    .to = INT64_MAX,
	};
	str_copy(stay->name, sizeof stay->name, name);
}

static int role_named(struct slice name)
{
	return slice_is(name, "owner") ? CHAT_ROLE_OWNER
	       : slice_is(name, "operator") ? CHAT_ROLE_OPERATOR : CHAT_ROLE_MEMBER;
}

/* The table once more, from the paper: what kind of entry needs which role. */
static int least_role(enum store_kind kind)
{
	switch (kind) {
	case STORE_SETTINGS:
	case STORE_KICK:
	case STORE_BAN:
	case STORE_UNBAN:
	case STORE_MUTE:
	case STORE_UNMUTE:
	case STORE_PIN:
	case STORE_UNPIN:
		return CHAT_ROLE_OPERATOR;
	case STORE_ROLE:
	case STORE_DESTROYED:
		return CHAT_ROLE_OWNER;
	default:
		return CHAT_ROLE_MEMBER;
	}
}

static void check_about(struct sim *sim, struct sim_conv *conv, const struct store_entry *entry,
    const struct sim_stay *author)
{
	struct slice name = sim_text_of(entry->extra, "user");
	bool outside = entry->kind == STORE_BAN || entry->kind == STORE_MUTE;
	struct sim_stay *target = stay_named(conv, name, !outside);
	bool below = target == NULL || target->role < author->role;

	switch (entry->kind) {
	case STORE_SETTINGS:
		if (slice_is(sim_text_of(entry->extra, "visible"), "joined"))
			conv->was_joined = true;
		break;
	case STORE_KICK:
		if (target == NULL || !below)
			wrong(sim, conv, entry, "puts out who is not below");
		target->to = entry->seq;
		break;
	case STORE_BAN:
		if (target != NULL)
			wrong(sim, conv, entry, "bans who is still in");
		measure_of(conv, name)->ban_until = until_of(entry);
		break;
	case STORE_UNBAN:
		measure_of(conv, name)->ban_until = 0;
		break;
	case STORE_MUTE:
		if (!below)
			wrong(sim, conv, entry, "mutes who is not below");
		measure_of(conv, name)->mute_until = until_of(entry);
		break;
	case STORE_UNMUTE:
		measure_of(conv, name)->mute_until = 0;
		break;
	case STORE_ROLE:
		if (target == NULL)
			wrong(sim, conv, entry, "gives a role to who is not in");
		target->role = role_named(sim_text_of(entry->extra, "role"));
		break;
	default:
		break;
	}
}

/* The last of these two kinds before the entry that is about the same by the same; 0: none. */
static enum store_kind last_of(const struct sim_conv *conv, const struct store_entry *entry,
    enum store_kind one, enum store_kind other)
{
	bool reaction = one == STORE_REACT;

	for (size_t i = (size_t)entry->seq - 1; i-- > 0;) {
		const struct store_entry *at = &conv->entry[i].entry;

		if ((at->kind == one || at->kind == other) && at->target == entry->target &&
		    (!reaction ||
			(at->author == entry->author && slice_equal(at->text, entry->text))))
			return at->kind;
	}
	return (enum store_kind)0;
}

static struct slice text_before(const struct sim_conv *conv, const struct store_entry *entry)
{
	for (size_t i = (size_t)entry->seq - 1; i-- > (size_t)entry->target;)
		if (conv->entry[i].entry.kind == STORE_EDIT &&
		    conv->entry[i].entry.target == entry->target)
			return conv->entry[i].entry.text;
	return conv->entry[entry->target - 1].entry.text;
}

/* The same a second time changes nothing and is not there. */
static void check_twice(struct sim *sim, struct sim_conv *conv, const struct store_entry *entry)
{
	bool twice = false;

	switch (entry->kind) {
	case STORE_EDIT:
		twice = slice_equal(entry->text, text_before(conv, entry));
		break;
	case STORE_DELETE:
		twice = conv->entry[entry->target - 1].erased_by != entry->seq;
		break;
	case STORE_REACT:
		twice = last_of(conv, entry, STORE_REACT, STORE_UNREACT) == STORE_REACT;
		break;
	case STORE_UNREACT:
		twice = last_of(conv, entry, STORE_REACT, STORE_UNREACT) != STORE_REACT;
		break;
	case STORE_PIN:
		twice = last_of(conv, entry, STORE_PIN, STORE_UNPIN) == STORE_PIN;
		break;
	case STORE_UNPIN:
		twice = last_of(conv, entry, STORE_PIN, STORE_UNPIN) != STORE_PIN;
		break;
	default:
		break;
	}
	if (twice)
		wrong(sim, conv, entry, "changes nothing");
}

/* Whoever edits is the author; who deletes, too, or an operator of the room. */
static void check_target(struct sim *sim, struct sim_conv *conv, const struct store_entry *entry,
    int role)
{
	const struct sim_entry *target;

	if (entry->target <= 0)
		return;
	if (entry->target >= entry->seq)
		wrong(sim, conv, entry, "is about what is yet to come");
	target = &conv->entry[entry->target - 1];
	if (target->entry.kind != STORE_MESSAGE)
		wrong(sim, conv, entry, "is about what is no message");
	if (target->entry.author != entry->author &&
	    (entry->kind == STORE_EDIT ||
		(entry->kind == STORE_DELETE && role < CHAT_ROLE_OPERATOR)))
		wrong(sim, conv, entry, "changes somebody else's message");
	if (target->erased && target->erased_by < entry->seq && entry->kind != STORE_UNPIN)
		wrong(sim, conv, entry, "changes a deleted message");
	sim_totals.changes++;
	check_twice(sim, conv, entry);
}

static void check_owners(struct sim *sim, const struct sim_conv *conv,
    const struct store_entry *entry)
{
	unsigned owners = 0, accounts = 0;

	for (size_t i = 0; i < conv->stay_count; i++) {
		if (conv->stay[i].to != INT64_MAX)
			continue;
		owners += conv->stay[i].role == CHAT_ROLE_OWNER;
		accounts += !conv->stay[i].guest;
	}
	if (accounts > 0 && owners == 0)
		wrong(sim, conv, entry, "leaves the room without an owner");
}

static void check_message(struct sim *sim, struct sim_conv *conv, const struct store_entry *entry)
{
	struct slice rest = entry->text, number;
	int64_t at = -1;
	struct sim_send *send;

	if (rest.len < 2 || rest.ptr[0] != 'm')
		wrong(sim, conv, entry, "was never sent");
	rest = slice_make(rest.ptr + 1, rest.len - 1);
	number = slice_cut(&rest, ' ');
	if (!str_to_int(number, 0, (int64_t)sim->send_count - 1, &at))
		wrong(sim, conv, entry, "was never sent");
	send = &sim->send[at];
	if (!slice_is(entry->text, send->text))
		wrong(sim, conv, entry, "has another text than was sent");
	if (send->tries == 0)
		wrong(sim, conv, entry, "was refused, and is there");
	if (send->stored_in == conv->id)
		wrong(sim, conv, entry, "is there twice");
	send->stored_in = conv->id;
	send->stored_seq = entry->seq;
}

static void check_room_entry(struct sim *sim, struct sim_conv *conv,
    const struct store_entry *entry)
{
	struct sim_stay *author = stay_of(conv, entry->author);

	if (entry->kind == STORE_JOIN) {
		check_join(sim, conv, entry);
		return;
	}
	if (author == NULL)
		wrong(sim, conv, entry, "is by somebody who is not in");
	if (author->role < least_role(entry->kind))
		wrong(sim, conv, entry, "is by somebody who may not do that");
	if ((entry->kind == STORE_MESSAGE || entry->kind == STORE_EDIT ||
		entry->kind == STORE_REACT) &&
	    !sim->backwards &&
	    entry->time_ms < measure_of(conv, slice_of(author->name))->mute_until)
		wrong(sim, conv, entry, "is by somebody who is muted");
	check_about(sim, conv, entry, author);
	check_target(sim, conv, entry, author->role);
	if (entry->kind == STORE_LEAVE)
		author->to = entry->seq;
	check_owners(sim, conv, entry);
}

void sim_on_entry(void *arg, struct sim_conv *conv, const struct store_entry *entry)
{
	struct sim *sim = arg;
	const struct store_entry *before =
	    conv->count > 1 ? &conv->entry[conv->count - 2].entry : NULL;

	sim_totals.entries++;
	if (entry->seq != (int64_t)conv->count)
		wrong(sim, conv, entry, "does not follow the one before");
	if (before != NULL && entry->time_ms < before->time_ms)
		wrong(sim, conv, entry, "is older than the one before");
	if (conv->gone || conv->none)
		wrong(sim, conv, entry, "is in a conversation that keeps nothing");
	/* The first entry of a pair comes before its record; no pair begins with a join. */
	if (entry->seq == 1 ? entry->kind == STORE_JOIN : conv->pair[0] == 0)
		check_room_entry(sim, conv, entry);
	else
		check_target(sim, conv, entry, CHAT_ROLE_MEMBER);
	if (conv->pair[0] != 0 && entry->author != conv->pair[0] && entry->author != conv->pair[1])
		wrong(sim, conv, entry, "is by a third one");
	if (entry->kind == STORE_MESSAGE)
		check_message(sim, conv, entry);
}

static uint64_t id_named(struct slice value, const char *name)
{
	int64_t id = 0;

	str_to_int(sim_text_of(value, name), 0, INT64_MAX, &id);
	return (uint64_t)id;
}

void sim_on_record(void *arg, const struct store_record *record)
{
	struct sim *sim = arg;
	struct sim_conv *conv;

	if (record->table != STORE_ROOMS && record->table != STORE_PAIRS)
		return;
	conv = sim_store_conv(sim->store, chat_id_of_key(record->key));
	conv->removed = record->remove;
	if (record->remove)
		return;
	if (record->table == STORE_ROOMS) {
		str_copy(conv->room, sizeof conv->room, sim_text_of(record->value, "name"));
		conv->none = has_flag(record->value, "none");
	} else {
		conv->pair[0] = id_named(record->value, "a");
		conv->pair[1] = id_named(record->value, "b");
		for (size_t i = 0; i < conv->count; i++)
			if (conv->entry[i].entry.author != conv->pair[0] &&
			    conv->entry[i].entry.author != conv->pair[1])
				wrong(sim, conv, &conv->entry[i].entry, "is by a third one");
	}
}
