/*
 * Catching up: a replay goes on exactly where the device was, without gap or overlap, and into what
 * is live in the same way; what is skipped was not to be seen any more.
 */
#include <inttypes.h>

#include "sim.h"

/* --- What a device knows -------------------------------------------------------------------- */

void sim_know(struct sim_conn *conn, struct slice where, int64_t seq)
{
	struct sim_device *device = conn->device;
	unsigned i;

	if (device == NULL)
		return;
	for (i = 0; i < device->known_count; i++)
		if (slice_is(where, device->known[i].where))
			break;
	if (i == SIM_REPLAYS)
		return;
	if (i == device->known_count) {
		device->known[i] = (struct sim_known){.seq = 0};
		str_copy(device->known[i].where, sizeof device->known[i].where, where);
		device->known_count++;
	}
	if (device->known[i].seq < seq)
		device->known[i].seq = seq;
}

void sim_forget(struct sim_conn *conn, struct slice where)
{
	struct sim_device *device = conn->device;

	for (unsigned i = 0; device != NULL && i < device->known_count; i++)
		if (slice_is(where, device->known[i].where)) {
			device->known[i] = device->known[--device->known_count];
			return;
		}
}

void sim_put_since(struct sim *sim, const struct sim_device *device)
{
	bool older = sim_draw(sim, 3) == 0, comma = false;

	if (sim_draw(sim, 4) == 0) {
		buf_put_str(&sim->line, "null");
		return;
	}
	buf_put_char(&sim->line, '{');
	for (unsigned i = 0; i < device->known_count; i++) {
		int64_t seq = device->known[i].seq;

		if (sim_draw(sim, 6) == 0)
			continue;
		if (older)
			seq = (int64_t)sim_draw(sim, (unsigned)seq + 1);
		buf_put_fmt(&sim->line, "%s\"%s\":%lld", comma ? "," : "", device->known[i].where,
		    (long long)seq);
		comma = true;
	}
	buf_put_char(&sim->line, '}');
}

/* --- What has to come ----------------------------------------------------------------------- */

static void add(struct sim *sim, struct sim_conn *conn, const struct chat_conv *conv,
    const struct chat_user *user, int64_t marker, const struct json *since)
{
	struct sim_replay *replay = &conn->replay[conn->replay_count];

	if (!conv->kept)
		return;
	if (conn->replay_count == SIM_REPLAYS)
		sim_fail(sim, "too many conversations for the simulation");
	conn->replay_count++;
	*replay = (struct sim_replay){.conv = conv->id, .last = marker, .upto = conv->seq};
	chat_conv_name(conv, user, replay->where);
	for (const struct json *at = json_first(since); at != NULL; at = json_next(at))
		if (slice_is(json_key(at), replay->where))
			json_int(at, &replay->last);
	/* There is nothing to come. */
	if (replay->last > conv->seq)
		replay->last = conv->seq;
}

void sim_replay_begin(struct sim *sim, struct sim_conn *conn, const struct json *since, bool live)
{
	const struct chat_user *user = live ? conn->session->user
					    : chat_user_find(sim->chat, slice_of(conn->name));
	struct tree_node *node;

	conn->replaying = true;
	conn->replay_begun = false;
	conn->live = live;
	conn->replay_count = 0;
	if (user == NULL)
		return;
	for (node = tree_first(&user->memberships); node != NULL; node = tree_next(node)) {
		const struct chat_member *member = tree_entry(node, struct chat_member, in_user);

		add(sim, conn, &member->room->conv, user, member->read, since);
	}
	for (node = tree_first(&user->pairs); node != NULL; node = tree_next(node)) {
		const struct chat_pair *pair = tree_entry(node, struct chat_pair_end, node)->pair;

		add(sim, conn, &pair->conv, user, pair->read[pair->user[0] != user], since);
	}
}

struct sim_replay *sim_replay_find(struct sim_conn *conn, uint64_t conv)
{
	for (unsigned i = 0; conn->replaying && i < conn->replay_count; i++)
		if (conn->replay[i].conv == conv && !conn->replay[i].gone)
			return &conn->replay[i];
	return NULL;
}

/* The oldest that the user may see of it, as things are told; INT64_MAX: nothing. */
static int64_t first_of(const struct sim *sim, const struct sim_conn *conn, uint64_t id)
{
	const struct chat_conv *conv = chat_conv_find(sim->chat, id);
	struct chat_user *user = chat_user_by_id(sim->chat, conn->user);
	const struct chat_member *member;

	if (conv == NULL || user == NULL)
		return INT64_MAX;
	if (conv->pair != NULL)
		return conv->pair->user[0] == user || conv->pair->user[1] == user ? conv->first
										   : INT64_MAX;
	member = chat_member_find(user, conv->room->node.key);
	return member != NULL ? chat_member_first_told(member) : INT64_MAX;
}

/* Who has left and come back meanwhile, also if that is yet to be told, needs no more of it. */
static bool has_come_back(const struct sim *sim, const struct sim_conn *conn,
    const struct sim_replay *replay)
{
	const struct chat_conv *conv = chat_conv_find(sim->chat, replay->conv);
	struct chat_user *user = chat_user_by_id(sim->chat, conn->user);
	const struct chat_member *member =
	    conv != NULL && conv->room != NULL && user != NULL
		? chat_member_find(user, conv->room->node.key)
		: NULL;

	return member != NULL && member->joined > replay->upto;
}

/* A pair has no moment of its own at which it goes live: one count for both. */
static void follow(const struct sim *sim, struct sim_conn *conn, struct sim_replay *replay,
    int64_t seq)
{
	if (replay->where[0] == '@' && !conn->live)
		sim_follow_pair(sim, conn, replay->conv, seq);
	else if (seq != replay->last + 1)
		sim_fail(sim, "the replay of %s for %s brings %" PRId64 ", and %" PRId64
			      " was due",
		    replay->where, conn->name, seq, replay->last + 1);
	replay->last = seq;
}

void sim_replay_entry(struct sim *sim, struct sim_conn *conn, const struct sim_conv *conv,
    int64_t seq)
{
	struct sim_replay *replay = sim_replay_find(conn, conv->id);

	if (replay == NULL)
		sim_fail(sim, "%s gets a replay it did not ask for", conn->name);
	if (seq < first_of(sim, conn, conv->id))
		sim_fail(sim, "%s must not see %" PRId64 " of %s", conn->name, seq, replay->where);
	follow(sim, conn, replay, seq);
	sim_know(conn, slice_of(replay->where), seq);
}

/* What may be skipped: what is not for this user, or was not a moment ago. */
static int64_t hidden_before(const struct sim *sim, const struct sim_conn *conn,
    const struct sim_replay *replay)
{
	const struct sim_conv *stored = sim_store_find(sim->store, replay->conv);
	int64_t first = first_of(sim, conn, replay->conv);
	const struct sim_stay *stay =
	    stored != NULL ? sim_stay_at(stored, conn->user, (int64_t)stored->told) : NULL;

	return stay != NULL && stored->was_joined && stay->from > first ? stay->from : first;
}

/* --- skipped, gone, synced ------------------------------------------------------------------ */

static struct sim_replay *find_named(struct sim_conn *conn, struct slice where)
{
	for (unsigned i = 0; conn->replaying && conn->replay_begun && i < conn->replay_count; i++)
		if (!conn->replay[i].gone && slice_is(where, conn->replay[i].where))
			return &conn->replay[i];
	return NULL;
}

static void take_skipped(struct sim *sim, struct sim_conn *conn, struct slice where,
    const struct json *root)
{
	struct sim_replay *replay = find_named(conn, where);
	int64_t first = 0, last = 0;

	sim_totals.skipped++;
	json_int(json_get(root, "first"), &first);
	json_int(json_get(root, "last"), &last);
	if (replay == NULL)
		sim_fail(sim, "%s is told to have missed what it did not ask for", conn->name);
	if (first != replay->last + 1 || last < first || last >= hidden_before(sim, conn, replay))
		sim_fail(sim, "%s is told to have missed %" PRId64 " to %" PRId64 " of %s",
		    conn->name, first, last, replay->where);
	for (unsigned i = 0; i < conn->pair_count; i++)
		if (!conn->live && conn->pair[i].conv == replay->conv)
			conn->pair[i].last = last;
	replay->last = last;
}

static void take_synced(struct sim *sim, struct sim_conn *conn)
{
	sim_totals.synced++;
	if (!conn->replaying)
		sim_fail(sim, "%s is told the end of no replay", conn->name);
	for (unsigned i = 0; i < conn->replay_count; i++) {
		const struct sim_replay *replay = &conn->replay[i];
		const struct chat_conv *conv = chat_conv_find(sim->chat, replay->conv);
		int64_t due;

		if (replay->gone || conv == NULL ||
		    first_of(sim, conn, replay->conv) == INT64_MAX ||
		    has_come_back(sim, conn, replay))
			continue;
		due = conn->live ? replay->upto : conv->released;
		/* A pair that went live in the middle of it is followed as that. */
		if (replay->where[0] == '@' && !conn->live)
			continue;
		if (replay->last < due)
			sim_fail(sim, "the replay of %s for %s ends at %" PRId64 ", and %" PRId64
				      " was due",
			    replay->where, conn->name, replay->last, due);
	}
	conn->replaying = false;
}

void sim_replay_event(struct sim *sim, struct sim_conn *conn, struct slice name,
    const struct json *root)
{
	struct slice where = json_text(json_get(root, "conversation"));
	struct sim_replay *replay;

	if (slice_is(name, "synced")) {
		take_synced(sim, conn);
	} else if (slice_is(name, "skipped")) {
		take_skipped(sim, conn, where, root);
	} else if (slice_is(name, "gone")) {
		sim_totals.gone++;
		replay = find_named(conn, where);
		if (replay != NULL)
			replay->gone = true;
		sim_forget(conn, where);
	}
}
