/*
 * What people do. Who does what where is drawn at random, whether it is allowed or not: what must
 * not be allowed is found in the rights table and the state before the request.
 */
#include "chat/rights.h"
#include "sim.h"

/* --- Asking --------------------------------------------------------------------------------- */

static const struct request_field *field_named(const struct request *request, const char *name)
{
	static const struct request_field none;
	const struct proto_cmd_row *row = proto_cmd_row(request->cmd);

	for (unsigned i = 0; i < row->field_count; i++)
		if (strcmp(proto_field_row(row->first_field + i)->name, name) == 0)
			return &request->field[i];
	return &none;
}

static bool role_forbids(struct sim *sim, const struct chat_right *right,
    const struct chat_member *member, struct slice target)
{
	enum chat_role least = member->room->is_private ? right->least_private : right->least;
	const struct chat_user *user = chat_user_find(sim->chat, target);
	const struct chat_member *other =
	    tree_entry(tree_find(&member->room->members, target), struct chat_member, in_room);

	if (member->role < least)
		return true;
	switch (right->target) {
	case CHAT_TARGET_NOBODY:
	case CHAT_TARGET_NAME:
		return false;
	case CHAT_TARGET_USER:
		return user == NULL;
	case CHAT_TARGET_MEMBER:
		return other == NULL;
	case CHAT_TARGET_BELOW:
		return other == NULL || other->role >= member->role;
	case CHAT_TARGET_BELOW_OR_OUTSIDE:
		return other != NULL && other->role >= member->role;
	default: /* about a message: sim_log.c sees whose it is */
		return false;
	}
}

/* Is it for those only who are not muted? */
static bool is_said(enum proto_cmd cmd)
{
	return cmd == PROTO_CMD_send || cmd == PROTO_CMD_typing || cmd == PROTO_CMD_edit ||
	       cmd == PROTO_CMD_react;
}

/* Must this not be answered with ok, as things are now? */
static bool is_forbidden(struct sim *sim, const struct sim_conn *conn,
    const struct request *request, bool again)
{
	struct chat_user *user = conn->session->user;
	struct slice name = field_named(request, "room")->text;
	struct slice to = field_named(request, "to")->text;
	struct chat_room *room = chat_room_find(sim->chat, name);
	const struct chat_right *right = chat_right_of(request->cmd);
	struct chat_user *other = chat_user_find(sim->chat, to);
	const struct chat_member *member;
	const struct chat_sanction *sanction;
	bool hidden;

	if (user == NULL || again || request->cmd == PROTO_CMD_create)
		return false;
	if (to.len > 0)
		return other == NULL || ((request->cmd == PROTO_CMD_send ||
					     request->cmd == PROTO_CMD_typing) &&
					    tree_find(&other->blocks, user->node.key) != NULL);
	if (name.len == 0)
		return false;
	if (room == NULL)
		return right != NULL;
	member = chat_member_find(user, name);
	sanction = tree_entry(tree_find(&room->sanctions, user->node.key), struct chat_sanction,
	    node);
	hidden = room->is_private && member == NULL && chat_invite_find(room, user) == NULL;
	if (request->cmd == PROTO_CMD_room)
		return hidden;
	if (request->cmd == PROTO_CMD_join)
		return hidden || (member == NULL && user->guest && !room->guests) ||
		       (member == NULL && sanction != NULL &&
			   sanction->ban.until_ms > sim->now.unix_ms);
	if (member == NULL ||
	    (right != NULL && role_forbids(sim, right, member, field_named(request, "user")->text)))
		return true;
	return is_said(request->cmd) && sanction != NULL &&
	       sanction->mute.until_ms > sim->now.unix_ms;
}

/* PROTOCOL.md, 7.4: a stopped disk does not stop what is not stored. */
static bool needs_no_disk(const struct sim *sim, const struct request *request)
{
	const struct chat_room *room =
	    chat_room_find(sim->chat, field_named(request, "room")->text);

	if (!list_is_empty(&sim->chat->pending))
		return false;
	switch (request->cmd) {
	case PROTO_CMD_ping:
	case PROTO_CMD_typing:
	case PROTO_CMD_members:
	case PROTO_CMD_room:
	case PROTO_CMD_rooms:
	case PROTO_CMD_who:
	case PROTO_CMD_status:
	case PROTO_CMD_quit:
		return true;
	case PROTO_CMD_send:
		return room != NULL && !room->conv.kept;
	default:
		return false;
	}
}

static uint64_t conv_of(struct sim *sim, const struct sim_conn *conn,
    const struct request *request)
{
	const struct chat_room *room =
	    chat_room_find(sim->chat, field_named(request, "room")->text);
	struct chat_user *other = chat_user_find(sim->chat, field_named(request, "to")->text);
	const struct chat_pair *pair = NULL;

	if (conn->session->user != NULL && other != NULL)
		pair = chat_pair_find(conn->session->user, other);
	return room != NULL ? room->conv.id : pair != NULL ? pair->conv.id : 0;
}

static bool holds_next(enum proto_cmd cmd)
{
	return cmd == PROTO_CMD_login || cmd == PROTO_CMD_edit || cmd == PROTO_CMD_delete ||
	       cmd == PROTO_CMD_react || cmd == PROTO_CMD_unreact || cmd == PROTO_CMD_pin ||
	       cmd == PROTO_CMD_unpin || cmd == PROTO_CMD_passwd || cmd == PROTO_CMD_register;
}

/* Sends what stands in sim->line; `send` is its place in sim->send, or -1. */
static void ask(struct sim *sim, struct sim_conn *conn, int send)
{
	struct sim_asked *asked = &conn->asked[conn->asked_count];
	struct slice line = buf_slice(&sim->line);
	struct request_error error;
	struct request request;
	enum proto_cmd cmd;

	sim_say(sim, "%s < %.*s", conn->name, (int)line.len, line.ptr);
	if (request_parse(line, &request, &error) != STATUS_OK)
		sim_fail(sim, "%.*s: %s", (int)line.len, line.ptr, error.message);
	cmd = request.cmd;
	*asked = (struct sim_asked){
	    .id = (int)request.id.number,
	    .cmd = cmd,
	    .send = send,
	    .forbidden =
		is_forbidden(sim, conn, &request, send >= 0 && sim->send[send].attempts > 0),
	    .conv = cmd == PROTO_CMD_history ? conv_of(sim, conn, &request) : 0,
	    .may_be_ahead = cmd == PROTO_CMD_read,
	    .free_of_disk = needs_no_disk(sim, &request),
	};
	if (asked->conv != 0 && sim_store_find(sim->store, asked->conv) != NULL)
		asked->told = sim_store_find(sim->store, asked->conv)->told;
	if (field_named(&request, "since")->present && !conn->replaying) {
		asked->replay = true;
		sim_replay_begin(sim, conn, field_named(&request, "since")->value,
		    cmd == PROTO_CMD_sync);
	}
	str_copy(asked->room, sizeof asked->room, field_named(&request, "room")->text);
	if (request.id.kind != REQUEST_ID_NONE)
		conn->asked_count++;
	if (send >= 0) {
		sim->send[send].tries++;
		sim->send[send].attempts++;
		sim->send[send].on = conn;
	}
	sim_totals.requests++;
	conn->unanswered++;
	if (chat_request(sim->chat, conn->session, &request, sim->now) == CHAT_ANSWERED) {
		if (conn->unanswered == 0)
			sim_fail(sim, "%s is answered twice", conn->name);
		conn->unanswered--;
	}
	request_release(&request);
	conn->holding = holds_next(cmd) && conn->unanswered > 0;
}

static void begin(struct sim *sim)
{
	buf_clear(&sim->line);
	buf_put_fmt(&sim->line, "{\"id\":%d,", ++sim->next_id);
}

PRINTF_LIKE(3, 4)
static void say(struct sim *sim, struct sim_conn *conn, const char *format, ...)
{
	va_list args;

	begin(sim);
	va_start(args, format);
	buf_put_vfmt(&sim->line, format, args);
	va_end(args);
	buf_put_str(&sim->line, "}");
	ask(sim, conn, -1);
}

/* --- Coming and going ----------------------------------------------------------------------- */

static void open_conn(struct sim *sim, struct sim_device *device)
{
	const struct sim_user *user = &sim->user[device->user];
	const struct chat_peer peer = {
	    .address = "192.0.2.7",
	    .tls_version = "TLSv1.3",
	    .tls_cipher = "TLS_AES_128_GCM_SHA256",
	    .fingerprint = "",
	    .user = user->guest ? "" : user->name,
	};
	struct sim_conn *conn = calloc(1, sizeof *conn);

	sim->conn = sim_grow(sim->conn, sim->conn_count, &sim->conn_cap, sizeof *sim->conn);
	if (conn == NULL)
		sim_fail(sim, "out of memory");
	sim->conn[sim->conn_count++] = conn;
	conn->device = device;
	conn->worker = sim_draw(sim, SIM_WORKERS);
	conn->guest = user->guest;
	str_copy(conn->name, sizeof conn->name, slice_of(user->name));
	conn->session = chat_session_open(sim->chat, &peer, conn->worker, conn, sim->now);
	if (conn->session == NULL)
		sim_fail(sim, "no session");
	device->conn = conn;
	device->logged_in = false;
}

static void log_in(struct sim *sim, struct sim_conn *conn)
{
	if (conn->guest) {
		say(sim, conn, "\"cmd\":\"login\",\"user\":\"%s\"", conn->name);
		return;
	}
	begin(sim);
	buf_put_str(&sim->line, "\"cmd\":\"login\",\"device\":\"d\"");
	if (sim_draw(sim, 5) == 0)
		buf_put_str(&sim->line, ",\"remember\":true");
	if (sim_draw(sim, 100) < sim->odds.since) {
		buf_put_str(&sim->line, ",\"since\":");
		sim_put_since(sim, conn->device);
	}
	buf_put_str(&sim->line, "}");
	ask(sim, conn, -1);
}

void sim_cut(struct sim *sim, struct sim_conn *conn)
{
	sim_say(sim, "%s is cut off", conn->name);
	if (conn->device != NULL) {
		conn->device->conn = NULL;
		conn->device->logged_in = false;
	}
	conn->device = NULL;
	for (unsigned i = 0; i < sim->send_count; i++) {
		if (sim->send[i].on != conn)
			continue;
		sim->send[i].on = NULL;
		/* Without a nonce nobody may send it again; a guest is somebody else next time. */
		if (sim->send[i].nonce[0] == '\0' || conn->guest)
			sim->send[i].done = true;
	}
}

/* --- Requests ------------------------------------------------------------------------------- */

static const char *any_room(struct sim *sim)
{
	return sim->room[sim_draw(sim, sim->room_count)];
}

/* Mostly one that the user is in. */
static const char *own_room(struct sim *sim, const struct sim_conn *conn)
{
	const struct chat_user *user = conn->session->user;
	unsigned count = user != NULL ? (unsigned)user->memberships.count : 0;
	struct tree_node *node;
	unsigned at;

	if (count == 0 || sim_draw(sim, 8) == 0)
		return any_room(sim);
	at = sim_draw(sim, count);
	for (node = tree_first(&user->memberships); at > 0; at--)
		node = tree_next(node);
	return tree_entry(node, struct chat_member, in_user)->room->name;
}

static const char *any_user(struct sim *sim)
{
	return sim->user[sim_draw(sim, sim->user_count)].name;
}

static void put_send(struct sim *sim, struct sim_conn *conn, unsigned at)
{
	const struct sim_send *send = &sim->send[at];
	bool pair = send->where[0] == '@';

	begin(sim);
	buf_put_fmt(&sim->line, "\"cmd\":\"send\",\"%s\":\"%s\",\"text\":\"%s\"",
	    pair ? "to" : "room", send->where + pair, send->text);
	if (send->nonce[0] != '\0')
		buf_put_fmt(&sim->line, ",\"nonce\":\"%s\"", send->nonce);
	buf_put_str(&sim->line, "}");
	ask(sim, conn, (int)at);
}

static void send_new(struct sim *sim, struct sim_conn *conn)
{
	unsigned at = sim->send_count;
	struct sim_send *send = &sim->send[at];

	if (at == SIM_SENDS)
		return;
	sim->send_count++;
	*send = (struct sim_send){.user = conn->device->user, .made_ms = sim->now.unix_ms};
	if (sim_draw(sim, 4) == 0) {
		send->where[0] = '@';
		str_copy(send->where + 1, sizeof send->where - 1, slice_of(any_user(sim)));
	} else {
		str_copy(send->where, sizeof send->where, slice_of(own_room(sim, conn)));
	}
	snprintf(send->text, sizeof send->text, "m%u %llx", at,
	    (unsigned long long)rng_next(&sim->rng));
	if (sim_draw(sim, 100) < sim->odds.nonce)
		snprintf(send->nonce, sizeof send->nonce, "n%u", at);
	put_send(sim, conn, at);
}

/* What this user does not know to be there goes out once more, also from another device. */
static bool send_again(struct sim *sim, struct sim_conn *conn)
{
	unsigned from = sim->send_count > 0 ? sim_draw(sim, sim->send_count) : 0;

	for (unsigned i = 0; i < sim->send_count; i++) {
		unsigned at = (from + i) % sim->send_count;
		const struct sim_send *send = &sim->send[at];

		if (send->done || send->on != NULL || send->nonce[0] == '\0' ||
		    send->user != conn->device->user ||
		    sim->now.unix_ms - send->made_ms > SIM_DAY_MS - 60000)
			continue;
		put_send(sim, conn, at);
		return true;
	}
	return false;
}

static void do_send(struct sim *sim, struct sim_conn *conn)
{
	if (sim_draw(sim, 3) > 0 || !send_again(sim, conn))
		send_new(sim, conn);
}

static void do_join(struct sim *sim, struct sim_conn *conn)
{
	say(sim, conn, "\"cmd\":\"join\",\"room\":\"%s\"", any_room(sim));
}

static void do_leave(struct sim *sim, struct sim_conn *conn)
{
	say(sim, conn, "\"cmd\":\"leave\",\"room\":\"%s\"", own_room(sim, conn));
}

static void do_create(struct sim *sim, struct sim_conn *conn)
{
	static const char *const history[] = {"", ",\"history\":\"none\"", ",\"history\":7"};

	const char *room = any_room(sim);
	bool private = sim_draw(sim, 2), guests = sim_draw(sim, 2);

	say(sim, conn, "\"cmd\":\"create\",\"room\":\"%s\"%s%s%s", room,
	    private ? ",\"private\":true" : "",
	    guests ? ",\"guests\":true" : ",\"topic\":\"t\"",
	    history[conn->guest ? 0 : sim_draw(sim, 3)]);
}

static void do_destroy(struct sim *sim, struct sim_conn *conn)
{
	say(sim, conn, "\"cmd\":\"destroy\",\"room\":\"%s\"", own_room(sim, conn));
}

static void do_role(struct sim *sim, struct sim_conn *conn)
{
	static const char *const roles[] = {"member", "operator", "owner"};

	const char *room = own_room(sim, conn), *user = any_user(sim);

	say(sim, conn, "\"cmd\":\"role\",\"room\":\"%s\",\"user\":\"%s\",\"role\":\"%s\"", room,
	    user, roles[sim_draw(sim, 3)]);
}

static void do_measure(struct sim *sim, struct sim_conn *conn)
{
	static const char *const cmds[] = {"kick", "ban", "mute", "unban", "unmute", "invite"};
	static const char *const times[] = {"", ",\"for\":5", ",\"for\":90000"};
	unsigned cmd = sim_draw(sim, 6), time = sim_draw(sim, 3);
	const char *room = own_room(sim, conn), *user = any_user(sim);
	bool reason = cmd < 3 && sim_draw(sim, 2);

	say(sim, conn, "\"cmd\":\"%s\",\"room\":\"%s\",\"user\":\"%s\"%s%s", cmds[cmd], room, user,
	    reason ? ",\"reason\":\"r\"" : "", cmd == 1 || cmd == 2 ? times[time] : "");
}

static void do_set(struct sim *sim, struct sim_conn *conn)
{
	static const char *const settings[] = {"\"topic\":\"new\"", "\"topic\":\"\"",
	    "\"private\":true", "\"private\":false", "\"guests\":true", "\"visible\":\"joined\"",
	    "\"visible\":\"joined\"", "\"history\":7",
	    "\"visible\":\"all\"", "\"slow\":2", "\"slow\":0", "\"title\":\"T\""};
	const char *room = own_room(sim, conn);

	say(sim, conn, "\"cmd\":\"set\",\"room\":\"%s\",%s", room,
	    settings[sim_draw(sim, sizeof settings / sizeof *settings)]);
}

static void do_block(struct sim *sim, struct sim_conn *conn)
{
	const char *user = any_user(sim);

	say(sim, conn, "\"cmd\":\"%s\",\"user\":\"%s\"", sim_draw(sim, 2) ? "block" : "unblock",
	    user);
}

static void do_passing(struct sim *sim, struct sim_conn *conn)
{
	static const char *const status[] = {"online", "away", "busy"};
	bool text = sim_draw(sim, 2);

	switch (sim_draw(sim, 4)) {
	case 0:
		say(sim, conn, "\"cmd\":\"typing\",\"to\":\"%s\"", any_user(sim));
		break;
	case 1:
		say(sim, conn, "\"cmd\":\"status\",\"status\":\"%s\"%s",
		    status[sim_draw(sim, 3)], text ? ",\"text\":\"s\"" : "");
		break;
	default:
		say(sim, conn, "\"cmd\":\"typing\",\"room\":\"%s\"", own_room(sim, conn));
		break;
	}
}

static void do_look(struct sim *sim, struct sim_conn *conn)
{
	static const char *const cmds[] = {"rooms", "who", "blocks", "sessions", "whoami", "ping"};
	static const char *const of_rooms[] = {"members", "room", "bans"};
	const char *room = own_room(sim, conn);

	if (sim_draw(sim, 2))
		say(sim, conn, "\"cmd\":\"%s\"", cmds[sim_draw(sim, 6)]);
	else
		say(sim, conn, "\"cmd\":\"%s\",\"room\":\"%s\"", of_rooms[sim_draw(sim, 3)],
		    room);
}

/* A message that this user has seen, mostly; `ret_to`: "room" or "to". */
static int64_t any_target(struct sim *sim, const struct sim_conn *conn, const char **ret_to,
    const char **ret_where)
{
	const struct sim_device *device = conn->device;
	const struct sim_send *send = NULL;
	const struct sim_known *known;

	if (sim->send_count > 0)
		send = &sim->send[sim->send_count - 1 -
				  sim_draw(sim, sim->send_count < 12 ? sim->send_count : 12)];
	if (send != NULL && send->stored_in != 0 &&
	    (send->where[0] != '@' || send->user == device->user)) {
		*ret_to = send->where[0] == '@' ? "to" : "room";
		*ret_where = send->where + (send->where[0] == '@');
		return send->stored_seq;
	}
	if (device->known_count == 0)
		return 0;
	known = &device->known[sim_draw(sim, device->known_count)];
	*ret_to = known->where[0] == '@' ? "to" : "room";
	*ret_where = known->where + (known->where[0] == '@');
	return known->seq > 0 ? 1 + (int64_t)sim_draw(sim, (unsigned)known->seq) : 0;
}

static void do_change(struct sim *sim, struct sim_conn *conn)
{
	static const char *const cmds[] = {"edit", "edit", "react", "react", "unreact", "pin",
	    "unpin", "delete"};
	const char *to, *where;
	int64_t target = any_target(sim, conn, &to, &where);
	unsigned cmd = sim_draw(sim, 8);

	if (target == 0 || (to[0] == 't' && cmd >= 5 && cmd <= 6))
		return;
	begin(sim);
	buf_put_fmt(&sim->line, "\"cmd\":\"%s\",\"%s\":\"%s\",\"target\":%lld", cmds[cmd], to,
	    where, (long long)target);
	if (cmd < 2)
		buf_put_fmt(&sim->line, ",\"text\":\"e%u\"", sim_draw(sim, 3));
	else if (cmd < 5)
		buf_put_fmt(&sim->line, ",\"emoji\":\"+%u\"", sim_draw(sim, 2));
	buf_put_str(&sim->line, "}");
	ask(sim, conn, -1);
}

static void do_history(struct sim *sim, struct sim_conn *conn)
{
	static const char *const marks[] = {"before", "after", "around"};
	const char *to, *where;
	int64_t target = any_target(sim, conn, &to, &where);

	if (target == 0)
		return;
	begin(sim);
	buf_put_fmt(&sim->line, "\"cmd\":\"history\",\"%s\":\"%s\"", to, where);
	if (sim_draw(sim, 2))
		buf_put_fmt(&sim->line, ",\"%s\":%lld", marks[sim_draw(sim, 3)],
		    (long long)target);
	if (sim_draw(sim, 2))
		buf_put_fmt(&sim->line, ",\"limit\":%u", 1 + sim_draw(sim, 8));
	if (sim_draw(sim, 3) == 0)
		buf_put_str(&sim->line, ",\"events\":true");
	buf_put_str(&sim->line, "}");
	ask(sim, conn, -1);
}

static void do_search(struct sim *sim, struct sim_conn *conn)
{
	unsigned kind = sim_draw(sim, 3);

	if (kind == 0)
		say(sim, conn, "\"cmd\":\"pins\",\"room\":\"%s\"", own_room(sim, conn));
	else if (kind == 1)
		say(sim, conn, "\"cmd\":\"search\",\"query\":\"e1\"");
	else
		say(sim, conn, "\"cmd\":\"search\",\"query\":\"m1\",\"room\":\"%s\"",
		    own_room(sim, conn));
}

static void do_sync(struct sim *sim, struct sim_conn *conn)
{
	if (conn->replaying)
		return;
	begin(sim);
	buf_put_str(&sim->line, "\"cmd\":\"sync\",\"since\":");
	sim_put_since(sim, conn->device);
	buf_put_str(&sim->line, "}");
	ask(sim, conn, -1);
}

static void do_read(struct sim *sim, struct sim_conn *conn)
{
	const struct sim_known *known;

	if (conn->device->known_count == 0)
		return;
	known = &conn->device->known[sim_draw(sim, conn->device->known_count)];
	if (sim_draw(sim, 4) == 0)
		say(sim, conn, "\"cmd\":\"unread\"");
	else
		say(sim, conn, "\"cmd\":\"read\",\"%s\":\"%s\",\"seq\":%lld",
		    known->where[0] == '@' ? "to" : "room", known->where + (known->where[0] == '@'),
		    (long long)known->seq);
}

static void do_quit(struct sim *sim, struct sim_conn *conn)
{
	const struct chat_user *user = conn->session->user;
	struct list *other = user != NULL ? user->sessions.next : NULL;

	if (other == NULL || sim_draw(sim, 2))
		say(sim, conn, "\"cmd\":\"quit\"");
	else
		say(sim, conn, "\"cmd\":\"logout\",\"session\":\"%s\"",
		    list_entry(other, struct chat_session, in_user)->id);
}

static void do_cut(struct sim *sim, struct sim_conn *conn)
{
	sim_totals.cuts++;
	sim_cut(sim, conn);
}

static void act_on(struct sim *sim, struct sim_conn *conn)
{
	static const struct {
		unsigned weight;
		void (*act)(struct sim *sim, struct sim_conn *conn);
	} acts[] = {
	    {44, do_send},
	    {16, do_join},
	    {4, do_leave},
	    {4, do_create},
	    {1, do_destroy},
	    {6, do_role},
	    {14, do_measure},
	    {6, do_set},
	    {2, do_block},
	    {5, do_passing},
	    {3, do_look},
	    {14, do_change},
	    {4, do_history},
	    {1, do_search},
	    {4, do_sync},
	    {4, do_read},
	    {1, do_quit},
	    {3, do_cut},
	};
	unsigned sum = 0, drawn;

	for (size_t i = 0; i < sizeof acts / sizeof *acts; i++)
		sum += acts[i].weight;
	drawn = sim_draw(sim, sum);
	for (size_t i = 0; i < sizeof acts / sizeof *acts; i++) {
		if (drawn < acts[i].weight) {
			acts[i].act(sim, conn);
			return;
		}
		drawn -= acts[i].weight;
	}
}

void sim_act(struct sim *sim)
{
	struct sim_device *device = &sim->device[sim_draw(sim, sim->device_count)];
	struct sim_conn *conn = device->conn;

	if (conn == NULL) {
		open_conn(sim, device);
		log_in(sim, device->conn);
		return;
	}
	if (conn->finished || conn->session->finishing || conn->holding ||
	    conn->asked_count == SIM_ASKED)
		return;
	/* A login that was not stored, or a name that was taken: try again, at times elsewhere. */
	if (!device->logged_in) {
		if (sim_draw(sim, 4) == 0)
			sim_cut(sim, conn);
		else if (conn->session->user == NULL)
			log_in(sim, conn);
		return;
	}
	act_on(sim, conn);
}
