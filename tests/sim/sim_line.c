/*
 * What comes out of the core. Every line is a line that a client can read; what has a seq is what
 * the store has at that place, byte by byte, comes to every device in order and without a gap, and
 * only to those who were there.
 */
#include <inttypes.h>

#include "sim.h"

/* --- Which entry is it? --------------------------------------------------------------------- */

/* In a replay a text that was deleted is not there, as soon as others know that. */
static bool is_told_erased(const struct sim_conv *conv, const struct sim_entry *entry)
{
	return entry->erased && (size_t)entry->erased_by <= conv->told;
}

static bool is_entry(struct sim *sim, const struct sim_conv *conv, int64_t seq,
    const struct chat_place *place, struct slice line, bool replay)
{
	const struct sim_entry *stored;
	struct store_entry entry;

	if (seq < 1 || (size_t)seq > conv->told)
		return false;
	stored = &conv->entry[seq - 1];
	entry = stored->entry;
	if (!replay || !is_told_erased(conv, stored)) {
		buf_clear(&sim->expected);
		chat_put_event(&sim->expected, place, &entry, replay);
		if (slice_equal(buf_slice(&sim->expected), line))
			return true;
	}
	if (!replay || !stored->erased)
		return false;
	entry.text = slice_make("", 0);
	buf_clear(&sim->expected);
	chat_put_event(&sim->expected, place, &entry, replay);
	return slice_equal(buf_slice(&sim->expected), line);
}

/* The room that goes by this name, as far as anybody was told. */
static struct sim_conv *room_now(const struct sim *sim, struct slice name)
{
	for (size_t i = sim->store->conv_count; i-- > 0;) {
		struct sim_conv *conv = sim->store->conv[i];

		if (slice_is(name, conv->room) && !conv->removed && (conv->told > 0 || conv->none))
			return conv;
	}
	return NULL;
}

/* The conversation that has this line at this seq; NULL if it keeps nothing. */
static struct sim_conv *find_room(struct sim *sim, struct slice name, int64_t seq,
    struct slice line, bool replay)
{
	struct sim_conv *now = room_now(sim, name);
	struct chat_place place = {.room = ""};

	str_copy(place.room, sizeof place.room, name);
	for (size_t i = sim->store->conv_count; i-- > 0;)
		if (slice_is(name, sim->store->conv[i]->room) &&
		    is_entry(sim, sim->store->conv[i], seq, &place, line, replay))
			return sim->store->conv[i];
	if (now != NULL && !now->none)
		sim_fail(sim, "not what the store has: %.*s", (int)line.len, line.ptr);
	return NULL;
}

static bool is_guest_name(const struct sim *sim, struct slice name)
{
	for (unsigned i = 0; i < sim->user_count; i++)
		if (slice_is(name, sim->user[i].name))
			return sim->user[i].guest;
	return false;
}

/* Only accounts have pairs that are kept. */
static void put_name(const struct sim *sim, uint64_t user, char to[PROTO_USER_MAX + 1])
{
	const struct sim_record *record;
	struct chat_id_key key;

	chat_id_key(&key, user);
	record = tree_entry(tree_find(&sim->store->table[STORE_USERS],
				slice_make((char *)key.bytes, 8)),
	    struct sim_record, node);
	if (record != NULL)
		str_copy(to, PROTO_USER_MAX + 1, sim_text_of(record->value, "name"));
}

static void place_of_pair(const struct sim *sim, const struct sim_conv *conv,
    struct chat_place *place)
{
	*place = (struct chat_place){.room = "", .id = {conv->pair[0], conv->pair[1]}};
	put_name(sim, conv->pair[0], place->user[0]);
	put_name(sim, conv->pair[1], place->user[1]);
}

static struct sim_conv *find_pair(struct sim *sim, uint64_t user, struct slice from,
    struct slice to, int64_t seq, struct slice line, bool replay)
{
	for (size_t i = 0; i < sim->store->conv_count; i++) {
		struct sim_conv *conv = sim->store->conv[i];
		struct chat_place place;

		if (conv->pair[0] != user && conv->pair[1] != user)
			continue;
		place_of_pair(sim, conv, &place);
		if (is_entry(sim, conv, seq, &place, line, replay))
			return conv;
	}
	if (!is_guest_name(sim, from) && !is_guest_name(sim, to))
		sim_fail(sim, "not what the store has: %.*s", (int)line.len, line.ptr);
	return NULL;
}

/* --- In order, without a gap ---------------------------------------------------------------- */

static void follow_room(const struct sim *sim, const struct sim_conn *conn, struct sim_slot *slot,
    int64_t seq)
{
	int64_t due = slot->last >= 0 ? slot->last + 1 : slot->exact ? slot->from + 1 : slot->from;

	if (seq != due && (slot->from >= 0 || slot->last >= 0))
		sim_fail(sim, "%s gets %" PRId64 " of a room, and %" PRId64 " was due", conn->name,
		    seq, due);
	slot->last = seq;
}

void sim_follow_pair(const struct sim *sim, struct sim_conn *conn, uint64_t conv, int64_t seq)
{
	unsigned i;

	for (i = 0; i < conn->pair_count && conn->pair[i].conv != conv; i++)
		;
	if (i == conn->pair_count) {
		if (i == sizeof conn->pair / sizeof *conn->pair)
			sim_fail(sim, "too many pairs for the simulation");
		conn->pair[conn->pair_count++] = (struct sim_pair){conv, 0};
	}
	if (seq != conn->pair[i].last + 1)
		sim_fail(sim, "%s gets %" PRId64 " of a pair, and %" PRId64 " was due", conn->name,
		    seq, conn->pair[i].last + 1);
	conn->pair[i].last = seq;
}

/* --- Events --------------------------------------------------------------------------------- */

struct event {
	struct slice line, name, room, from, to, text;
	int64_t seq; /* 0: none */
	bool replay;
	struct sim_conv *conv; /* of a room that keeps its entries */
};

static void read_event(struct event *event, const struct message *message, struct slice line)
{
	const struct json *root = message->root;

	*event = (struct event){
	    .line = line,
	    .name = message->event,
	    .room = json_text(json_get(root, "room")),
	    .from = json_text(json_get(root, "from")),
	    .to = json_text(json_get(root, "to")),
	    .text = json_text(json_get(root, "text")),
	    .replay = json_is_true(json_get(root, "replay")),
	};
	if (!json_int(json_get(root, "seq"), &event->seq) || slice_is(event->name, "read"))
		event->seq = 0;
}

/* PROTOCOL.md, 7.3: on the device that asked, the reply comes first. */
static void check_reply_first(const struct sim *sim, const struct sim_conn *conn,
    const struct event *event)
{
	for (unsigned i = 0; i < conn->asked_count; i++) {
		int at = conn->asked[i].send;

		if (at >= 0 && sim->send[at].attempts == 1 &&
		    slice_is(event->text, sim->send[at].text))
			sim_fail(sim, "%s gets the event before the reply: %.*s", conn->name,
			    (int)event->line.len, event->line.ptr);
	}
}

static void take_room_event(const struct sim *sim, struct sim_conn *conn, struct sim_slot *slot,
    const struct event *event)
{
	sim_totals.events++;
	sim_say(sim, "  > %s: %.*s", conn->name, (int)event->line.len - 1, event->line.ptr);
	if (event->seq == 0)
		return;
	if (event->conv != NULL && sim_stay_at(event->conv, conn->user, event->seq) == NULL)
		sim_fail(sim, "%s must not see: %.*s", conn->name, (int)event->line.len,
		    event->line.ptr);
	if (slot != NULL)
		follow_room(sim, conn, slot, event->seq);
	if (event->conv != NULL)
		sim_know(conn, event->room, event->seq);
	if (slice_is(event->name, "destroyed"))
		sim_forget(conn, event->room);
	if (slice_is(event->name, "message"))
		check_reply_first(sim, conn, event);
}

static void take_replayed(struct sim *sim, struct sim_conn *conn, const struct event *event)
{
	const struct sim_conv *conv;

	sim_totals.replayed++;
	conv = event->room.len > 0
		   ? find_room(sim, event->room, event->seq, event->line, true)
		   : find_pair(sim, conn->user, event->from, event->to, event->seq, event->line,
			 true);
	if (conv == NULL)
		sim_fail(sim, "%s gets a replay of what is not kept: %.*s", conn->name,
		    (int)event->line.len, event->line.ptr);
	sim_replay_entry(sim, conn, conv, event->seq);
}

static void take_pair_event(struct sim *sim, struct sim_conn *conn, const struct event *event)
{
	struct sim_conv *conv =
	    find_pair(sim, conn->user, event->from, event->to, event->seq, event->line, false);
	char where[80] = "@";

	if (slice_is(event->name, "message"))
		check_reply_first(sim, conn, event);
	if (conv == NULL)
		return;
	sim_follow_pair(sim, conn, conv->id, event->seq);
	str_copy(where + 1, sizeof where - 1,
	    slice_is(event->from, conn->name) ? event->to : event->from);
	sim_know(conn, slice_of(where), event->seq);
}

static void take_own_event(struct sim *sim, struct sim_conn *conn, const struct event *event,
    const struct json *root)
{
	sim_totals.events++;
	if (event->seq == 0) {
		sim_replay_event(sim, conn, event->name, root);
		return;
	}
	if (event->room.len == 0 && !slice_is(event->from, conn->name) &&
	    !slice_is(event->to, conn->name))
		sim_fail(sim, "%s must not see: %.*s", conn->name, (int)event->line.len,
		    event->line.ptr);
	if (event->replay)
		take_replayed(sim, conn, event);
	else if (event->room.len > 0)
		sim_fail(sim, "%s gets a room's entry by itself: %.*s", conn->name,
		    (int)event->line.len, event->line.ptr);
	else
		take_pair_event(sim, conn, event);
}

/* --- Replies -------------------------------------------------------------------------------- */

static void check_acknowledged(struct sim *sim, const struct sim_conn *conn,
    const struct sim_send *send, const struct message *message)
{
	struct sim_conv *now = NULL;
	int64_t seq = 0;

	json_int(json_get(message->root, "seq"), &seq);
	for (size_t i = sim->store->conv_count; i-- > 0;) {
		const struct sim_conv *conv = sim->store->conv[i];
		const struct store_entry *entry;

		if (seq < 1 || (size_t)seq > conv->told ||
		    (send->where[0] != '@' && !slice_is(slice_of(send->where), conv->room)))
			continue;
		entry = &conv->entry[seq - 1].entry;
		if (entry->kind == STORE_MESSAGE && entry->author == conn->user &&
		    slice_is(entry->text, send->text))
			return;
	}
	if (send->where[0] != '@')
		now = room_now(sim, slice_of(send->where));
	else if (conn->guest || is_guest_name(sim, slice_of(send->where + 1)))
		return;
	if (send->where[0] == '@' || (now != NULL && !now->none))
		sim_fail(sim, "acknowledged as %" PRId64 " in %s, and not there: %s", seq,
		    send->where, send->text);
}

static void take_refusal(struct sim *sim, const struct sim_asked *asked,
    const struct message *message, bool heard)
{
	static const char *const never[] = {"internal", "unknown_command", "bad_json", "bad_field",
	    "too_large", "conflict", "not_logged_in", "already_logged_in"};
	bool unavailable = slice_is(message->error, "unavailable");

	for (size_t i = 0; i < sizeof never / sizeof *never; i++)
		if (slice_is(message->error, never[i]) &&
		    !((asked->replay || asked->may_be_ahead) && slice_is(message->error, "bad_field")))
			sim_fail(sim, "%s is answered with %s: %.*s",
			    proto_cmd_row(asked->cmd)->name, never[i], (int)message->text.len,
			    message->text.ptr);
	if (unavailable && asked->free_of_disk)
		sim_fail(sim, "%s needs no disk, and is unavailable",
		    proto_cmd_row(asked->cmd)->name);
	sim_totals.refusals++;
	sim_totals.unavailable += unavailable;
	if (asked->send >= 0 && !unavailable && heard)
		sim->send[asked->send].done = true;
}

static void take_reply(struct sim *sim, struct sim_conn *conn, const struct message *message)
{
	struct sim_asked asked;
	unsigned i;

	for (i = 0; i < conn->asked_count && conn->asked[i].id != message->re.number; i++)
		;
	if (message->re.kind == REQUEST_ID_NONE && !message->ok)
		return;
	if (i == conn->asked_count)
		sim_fail(sim, "%s gets a reply to nothing it asked", conn->name);
	asked = conn->asked[i];
	conn->asked[i] = conn->asked[--conn->asked_count];
	if (asked.send >= 0) {
		sim->send[asked.send].tries--;
		sim->send[asked.send].on = NULL;
	}
	if (asked.cmd == PROTO_CMD_login && conn->device != NULL)
		conn->device->logged_in = message->ok;
	conn->replay_begun |= asked.replay;
	if (asked.replay && !message->ok) {
		conn->replaying = false;
		if (conn->device != NULL && slice_is(message->error, "bad_field"))
			conn->device->known_count = 0;
	}
	if (!message->ok) {
		take_refusal(sim, &asked, message, conn->device != NULL);
		return;
	}
	sim_totals.oks++;
	sim_totals.ok_of[asked.cmd]++;
	if (asked.forbidden)
		sim_fail(sim, "%s may not do %s in %s, and did", conn->name,
		    proto_cmd_row(asked.cmd)->name, asked.room);
	if (asked.cmd == PROTO_CMD_history)
		sim_check_history(sim, conn, &asked, message->root);
	if (asked.send >= 0) {
		check_acknowledged(sim, conn, &sim->send[asked.send], message);
		sim->send[asked.send].done |= conn->device != NULL;
	}
}

/* --- As the workers do ---------------------------------------------------------------------- */

static void parse(const struct sim *sim, struct slice line, struct message *ret)
{
	struct error err;

	if (line.len == 0 || line.ptr[line.len - 1] != '\n' ||
	    message_parse(slice_make(line.ptr, line.len - 1), ret, &err) != STATUS_OK)
		sim_fail(sim, "no client can read: %.*s", (int)line.len, line.ptr);
}

static void send_line(struct sim *sim, struct sim_conn *conn, struct slice line)
{
	struct message message;
	struct event event;

	sim_say(sim, "  > %s: %.*s", conn->name, (int)line.len - 1, line.ptr);
	parse(sim, line, &message);
	if (message.kind == MESSAGE_REPLY) {
		take_reply(sim, conn, &message);
	} else {
		read_event(&event, &message, line);
		take_own_event(sim, conn, &event, message.root);
	}
	message_release(&message);
}

/* A piece of a replay is many lines in one. */
static void send_lines(struct sim *sim, struct sim_conn *conn, struct slice lines)
{
	while (lines.len > 0) {
		const char *end = memchr(lines.ptr, '\n', lines.len);
		size_t len = end != NULL ? (size_t)(end - lines.ptr) + 1 : lines.len;

		send_line(sim, conn, slice_make(lines.ptr, len));
		lines = slice_make(lines.ptr + len, lines.len - len);
	}
}

static void send_to_room(struct sim *sim, const struct chat_item *item)
{
	struct slice line = blob_slice(item->line);
	struct message message;
	struct event event;

	parse(sim, line, &message);
	read_event(&event, &message, line);
	if (event.seq > 0)
		event.conv = find_room(sim, event.room, event.seq, line, false);
	for (size_t i = 0; i < sim->conn_count; i++) {
		struct sim_conn *conn = sim->conn[i];

		if (conn->gone || conn->finished || conn->worker != item->worker ||
		    (item->user != 0 && conn->user == item->user))
			continue;
		for (unsigned j = 0; j < conn->slot_count; j++)
			if (conn->slot[j].slot == item->slot)
				take_room_event(sim, conn, &conn->slot[j], &event);
	}
	message_release(&message);
}

static const struct chat_room *room_of_slot(const struct sim *sim, uint32_t slot)
{
	struct tree_node *node;

	for (node = tree_first(&sim->chat->rooms); node != NULL; node = tree_next(node))
		if (tree_entry(node, struct chat_room, node)->slot == slot)
			return tree_entry(node, struct chat_room, node);
	return NULL;
}

/* After a replay a room goes on where that has ended. */
static void attach_behind(const struct sim *sim, struct sim_conn *conn,
    const struct chat_room *room)
{
	struct sim_replay *replay = room != NULL && !conn->live
					? sim_replay_find(conn, room->conv.id)
					: NULL;

	if (replay == NULL)
		return;
	if (replay->last != room->conv.released)
		sim_fail(sim, "%s goes live in %s at %" PRId64 ", and has it up to %" PRId64,
		    conn->name, room->name, room->conv.released, replay->last);
	replay->gone = true;
	conn->slot[conn->slot_count - 1].last = replay->last;
}

static void attach(const struct sim *sim, struct sim_conn *conn, uint32_t slot)
{
	const struct chat_room *room = room_of_slot(sim, slot);

	/* One that was ended in the middle of a replay is told what it will never see. */
	if (conn->finished)
		return;
	for (unsigned i = 0; i < conn->slot_count; i++)
		if (conn->slot[i].slot == slot)
			sim_fail(sim, "%s is attached twice", conn->name);
	if (conn->slot_count == sizeof conn->slot / sizeof *conn->slot)
		sim_fail(sim, "%s is in too many rooms for the simulation", conn->name);
	conn->slot[conn->slot_count++] = (struct sim_slot){
	    .slot = slot,
	    .conv = room != NULL ? room->conv.id : 0,
	    .last = -1,
	    .from = room != NULL ? room->conv.released : -1,
	    .exact = sim->entering == conn,
	};
	attach_behind(sim, conn, room);
}

static void detach(const struct sim *sim, struct sim_conn *conn, uint32_t slot)
{
	for (unsigned i = 0; i < conn->slot_count; i++) {
		if (conn->slot[i].slot == slot) {
			conn->slot[i] = conn->slot[--conn->slot_count];
			return;
		}
	}
	/* One that was ended in the middle of a replay is attached to less than the core thinks. */
	if (!conn->finished)
		sim_fail(sim, "%s is detached from a room it was not in", conn->name);
}

static void enter(struct sim *sim, struct sim_conn *conn, uint64_t user)
{
	const struct chat_user *found = chat_user_by_id(sim->chat, user);
	struct tree_node *node;

	if (conn->user != 0)
		sim_fail(sim, "%s is logged in twice", conn->name);
	conn->user = user;
	sim->entering = conn;
	for (node = found != NULL ? tree_first(&found->pairs) : NULL; node != NULL;
	     node = tree_next(node)) {
		const struct chat_pair *pair = tree_entry(node, struct chat_pair_end, node)->pair;
		const struct sim_replay *replay = sim_replay_find(conn, pair->conv.id);

		if (pair->conv.kept)
			conn->pair[conn->pair_count++] = (struct sim_pair){
			    pair->conv.id,
			    replay != NULL ? replay->last : pair->conv.released,
			};
	}
}

static void answered(const struct sim *sim, struct sim_conn *conn)
{
	if (conn->unanswered == 0)
		sim_fail(sim, "%s gets more answers than it asked for", conn->name);
	if (--conn->unanswered == 0)
		conn->holding = false;
}

static void pass_on(struct sim *sim, struct sim_conn *conn, const struct chat_item *item)
{
	switch ((enum chat_item_kind)item->kind) {
	case CHAT_ITEM_LINE:
		if (item->line != NULL && !conn->finished)
			send_lines(sim, conn, blob_slice(item->line));
		conn->paced |= item->paced;
		if (item->answers)
			answered(sim, conn);
		break;
	case CHAT_ITEM_ATTACH:
		attach(sim, conn, item->slot);
		break;
	case CHAT_ITEM_DETACH:
		detach(sim, conn, item->slot);
		break;
	case CHAT_ITEM_LOGIN:
		enter(sim, conn, item->user);
		break;
	case CHAT_ITEM_FINISH:
		conn->finished = true;
		break;
	case CHAT_ITEM_GONE:
		conn->gone = true;
		break;
	default:
		break;
	}
}

void sim_post(void *arg, struct chat_item *item)
{
	struct sim *sim = arg;
	struct sim_conn *conn = item->conn;

	if (!sim->down) {
		if (conn != NULL && conn->gone)
			sim_fail(sim, "%s is told something after its end", conn->name);
		if (item->kind != CHAT_ITEM_ATTACH || conn != sim->entering)
			sim->entering = NULL;
		if (item->kind == CHAT_ITEM_ROOM)
			send_to_room(sim, item);
		else
			pass_on(sim, conn, item);
	}
	chat_item_free(item);
}

/* --- When nothing is on its way ------------------------------------------------------------- */

static void check_quiet_slot(const struct sim *sim, const struct sim_conn *conn,
    const struct sim_slot *slot)
{
	const struct chat_room *room = room_of_slot(sim, slot->slot);
	int64_t last = slot->last >= 0 ? slot->last : slot->from;

	if (room == NULL || chat_member_find(conn->session->user, room->node.key) == NULL)
		sim_fail(sim, "%s is attached to a room it is not in", conn->name);
	if (last != room->conv.seq && slot->from >= 0)
		sim_fail(sim, "%s has %s up to %" PRId64 ", and %" PRId64 " is there", conn->name,
		    room->name, last, room->conv.seq);
}

void sim_check_quiet_conn(const struct sim *sim, const struct sim_conn *conn)
{
	if (conn->unanswered > 0)
		sim_fail(sim, "%s was not answered", conn->name);
	if (conn->finished || conn->session == NULL)
		return;
	if (conn->asked_count > 0)
		sim_fail(sim, "%s was not answered with a reply", conn->name);
	if (conn->user != (conn->session->user != NULL ? conn->session->user->id : 0))
		sim_fail(sim, "%s is not who the worker knows", conn->name);
	if (conn->user == 0)
		return;
	if (conn->replaying)
		sim_fail(sim, "the replay of %s does not end", conn->name);
	if (conn->slot_count != conn->session->user->memberships.count)
		sim_fail(sim, "%s is not attached to all of its rooms", conn->name);
	for (unsigned i = 0; i < conn->slot_count; i++)
		check_quiet_slot(sim, conn, &conn->slot[i]);
	for (unsigned i = 0; i < conn->pair_count; i++) {
		const struct chat_conv *conv = chat_conv_find(sim->chat, conn->pair[i].conv);

		/* The number of a pair that was taken back may be another's now. */
		if (conv != NULL && conv->pair != NULL &&
		    (conv->pair->user[0]->id == conn->user ||
			conv->pair->user[1]->id == conn->user) &&
		    conv->seq != conn->pair[i].last)
			sim_fail(sim, "%s misses something of a pair", conn->name);
	}
}
