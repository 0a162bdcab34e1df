/*
 * Quiet moments: nothing is on its way, so the core's state has to be what the store has, record
 * by record in both directions, and what follows from the log. That holds after a failure (the way
 * back) and after a start (the way in), too.
 */
#include <inttypes.h>

#include "sim.h"

/* --- Records -------------------------------------------------------------------------------- */

static void put_measure(struct buf *to, const struct json *record, const char *name,
    int64_t now_ms)
{
	const struct json *measure = json_get(record, name);
	int64_t until;

	if (measure == NULL ||
	    (json_int(json_get(measure, "until"), &until) && until <= now_ms))
		return;
	buf_put_str(to, name);
	json_print(measure, to);
}

/* What is over may be there in one and not in the other: it is dropped when somebody looks. */
static void put_in_force(const struct sim *sim, struct slice value, struct buf *to)
{
	/* With a clock that is set back, what was over may be in force again. */
	int64_t now_ms = sim->now.unix_ms + (sim->backwards ? 600000 : 0);
	struct json *record = NULL;
	struct error err;

	buf_clear(to);
	if (value.len > 0 && json_parse(value, &record, &err) != STATUS_OK)
		sim_fail(sim, "no record: %.*s", (int)value.len, value.ptr);
	put_measure(to, record, "ban", now_ms);
	put_measure(to, record, "mute", now_ms);
	json_free(record);
}

static bool is_same_ban(const struct sim *sim, struct slice a, struct slice b)
{
	struct buf one, two;
	bool same;

	buf_init(&one, 65536);
	buf_init(&two, 65536);
	put_in_force(sim, a, &one);
	put_in_force(sim, b, &two);
	same = slice_equal(buf_slice(&one), buf_slice(&two));
	buf_release(&one);
	buf_release(&two);
	return same;
}

static bool is_over(const struct sim *sim, int table, struct slice value)
{
	return table == STORE_NONCES &&
	       sim_int_of(value, "expires", INT64_MAX) <= sim->now.unix_ms;
}

/* Where nothing is kept the count begins anew with each start, and marks in it with it. */
static bool is_same_member(const struct sim *sim, struct slice key, struct slice a, struct slice b)
{
	const struct chat_conv *conv =
	    chat_conv_find(sim->chat, chat_id_of_key(slice_make(key.ptr, 8)));

	return conv != NULL && !conv->kept && sim_int_of(a, "role", -1) == sim_int_of(b, "role", -2);
}

static void check_record(struct sim *sim, int table, const struct sim_record *record)
{
	struct slice live;

	buf_clear(&sim->line);
	chat_record_put(sim->chat, (enum store_table)table, record->key, false, &sim->line);
	live = buf_slice(&sim->line);
	if (slice_equal(live, record->value) ||
	    (table == STORE_BANS && is_same_ban(sim, live, record->value)) ||
	    (table == STORE_MEMBERS && is_same_member(sim, record->key, live, record->value)) ||
	    (live.len == 0 && is_over(sim, table, record->value)))
		return;
	sim_fail(sim, "a record of table %d is %.*s in the store and %.*s in the core", table,
	    (int)record->value.len, record->value.ptr, (int)live.len, live.ptr);
}

/* --- From the core to the store ------------------------------------------------------------- */

struct key {
	char bytes[8 + PROTO_USER_MAX + 1];
};

static void check_stored(const struct sim *sim, int table, struct slice key, const char *what)
{
	if (tree_find(&sim->store->table[table], key) == NULL)
		sim_fail(sim, "a record of table %d (%s) is in the core only", table, what);
}

static void check_stored_two(const struct sim *sim, int table, uint64_t id, struct slice rest,
    const char *what)
{
	struct chat_id_key first;
	struct key key;

	chat_id_key(&first, id);
	memcpy(key.bytes, first.bytes, 8);
	memcpy(key.bytes + 8, rest.ptr, rest.len);
	check_stored(sim, table, slice_make(key.bytes, 8 + rest.len), what);
}

static struct slice key_of(const struct chat_id_key *key)
{
	return slice_make((const char *)key->bytes, 8);
}

static void check_room(const struct sim *sim, const struct chat_room *room)
{
	struct tree_node *node;

	if (room->by_guest)
		return;
	check_stored(sim, STORE_ROOMS, key_of(&room->conv.key), room->name);
	for (node = tree_first(&room->members); node != NULL; node = tree_next(node)) {
		const struct chat_member *member = tree_entry(node, struct chat_member, in_room);

		if (!member->user->guest)
			check_stored_two(sim, STORE_MEMBERS, room->conv.id,
			    key_of(&member->user->key), member->user->name);
	}
	for (node = tree_first(&room->sanctions); node != NULL; node = tree_next(node)) {
		const struct chat_sanction *sanction =
		    tree_entry(node, struct chat_sanction, node);

		if (sanction->ban.until_ms > sim->now.unix_ms ||
		    sanction->mute.until_ms > sim->now.unix_ms)
			check_stored_two(sim, STORE_BANS, room->conv.id, node->key, room->name);
	}
	for (node = tree_first(&room->pins); node != NULL; node = tree_next(node))
		check_stored_two(sim, STORE_PINS, room->conv.id, node->key, room->name);
}

static void check_user(const struct sim *sim, const struct chat_user *user)
{
	struct tree_node *node;

	if (user->guest || user == sim->chat->console)
		return;
	check_stored(sim, STORE_USERS, key_of(&user->key), user->name);
	for (node = tree_first(&user->blocks); node != NULL; node = tree_next(node))
		check_stored_two(sim, STORE_BLOCKS, user->id, node->key, user->name);
	for (node = tree_first(&user->invites); node != NULL; node = tree_next(node)) {
		const struct chat_invite *invite = tree_entry(node, struct chat_invite, in_user);

		if (!invite->room->by_guest)
			check_stored_two(sim, STORE_INVITES, invite->room->conv.id,
			    key_of(&user->key), user->name);
	}
	for (node = tree_first(&user->nonces); node != NULL; node = tree_next(node)) {
		const struct chat_conv *conv =
		    chat_conv_find(sim->chat, chat_id_of_key(node->key));

		if (conv != NULL && conv->kept)
			check_stored_two(sim, STORE_NONCES, user->id, node->key, user->name);
	}
}

static void check_conv(const struct sim *sim, const struct chat_conv *conv)
{
	const struct sim_conv *stored = sim_store_find(sim->store, conv->id);
	int64_t seq = stored != NULL ? (int64_t)stored->count : 0;

	if (!conv->kept)
		return;
	if (conv->seq != seq || conv->released != seq)
		sim_fail(sim, "conversation %" PRIu64 " is at %" PRId64 ", told up to %" PRId64
			      ", and the store has %" PRId64, conv->id, conv->seq, conv->released,
		    seq);
	if (seq > 0 && (conv->time_ms != stored->entry[seq - 1].entry.time_ms ||
			   conv->first != stored->first || stored->gone))
		sim_fail(sim, "conversation %" PRIu64 " is not as the store has it", conv->id);
	if (conv->pair != NULL)
		check_stored(sim, STORE_PAIRS, key_of(&conv->key), "a pair");
}

/* --- From the log to the records ------------------------------------------------------------ */

static void check_log(struct sim *sim, const struct sim_conv *conv)
{
	size_t members = 0, records = 0;
	struct chat_id_key key;
	struct tree_node *node;

	chat_id_key(&key, conv->id);
	for (size_t i = 0; i < conv->stay_count; i++) {
		const struct sim_stay *stay = &conv->stay[i];
		struct chat_id_key user;
		const struct sim_record *record;
		char both[16];

		if (stay->to != INT64_MAX || stay->guest)
			continue;
		members++;
		chat_id_key(&user, stay->user);
		memcpy(both, key.bytes, 8);
		memcpy(both + 8, user.bytes, 8);
		record = tree_entry(
		    tree_find(&sim->store->table[STORE_MEMBERS], slice_make(both, 16)),
		    struct sim_record, node);
		if (record == NULL || sim_int_of(record->value, "role", -1) != stay->role)
			sim_fail(sim, "%s is not in %s as the log says", stay->name, conv->room);
	}
	for (node = tree_first(&sim->store->table[STORE_MEMBERS]); node != NULL;
	     node = tree_next(node))
		records += memcmp(node->key.ptr, key.bytes, 8) == 0;
	if (members != records)
		sim_fail(sim, "%s has other members than its log says", conv->room);
}

void sim_check_state(struct sim *sim)
{
	struct tree_node *node;

	for (int table = 1; table < SIM_TABLES; table++) {
		if (table == STORE_AUDIT)
			continue;
		for (node = tree_first(&sim->store->table[table]); node != NULL;
		     node = tree_next(node))
			check_record(sim, table, tree_entry(node, struct sim_record, node));
	}
	for (node = tree_first(&sim->chat->users); node != NULL; node = tree_next(node))
		check_user(sim, tree_entry(node, struct chat_user, node));
	for (node = tree_first(&sim->chat->rooms); node != NULL; node = tree_next(node))
		check_room(sim, tree_entry(node, struct chat_room, node));
	for (node = tree_first(&sim->chat->convs); node != NULL; node = tree_next(node))
		check_conv(sim, tree_entry(node, struct chat_conv, node));
	for (size_t i = 0; i < sim->store->conv_count; i++) {
		const struct sim_conv *conv = sim->store->conv[i];

		if (conv->room[0] != '\0' && !conv->removed && !conv->none)
			check_log(sim, conv);
	}
	for (size_t i = 0; i < sim->conn_count; i++)
		sim_check_quiet_conn(sim, sim->conn[i]);
	sim_totals.quiet++;
}
