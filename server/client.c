#include <assert.h>
#include <stdlib.h>

#include "os/log.h"
#include "worker_private.h"

#define FLOOD_REFUSALS 1000
#define LINE_TOKEN 4096 /* bytes of a line that cost one more token */
#define DRAINED 65536   /* bytes that may still wait when more of a replay is asked for */
#define LIST_TOKENS 4   /* what a request for a list costs on top */

/* --- Lines out ------------------------------------------------------------------------------ */

void client_say_goodbye(struct client *client, enum proto_reason reason)
{
	struct worker *worker = client->worker;
	struct blob *line;

	if (client->finishing || client->conn == NULL)
		return;
	client->finishing = true;
	message_put_goodbye(&worker->scratch, reason, NULL);
	line = blob_new(buf_slice(&worker->scratch));
	buf_clear(&worker->scratch);
	if (line != NULL)
		conn_send(client->conn, line);
	blob_unref(line);
	conn_finish(client->conn);
}

/* The peer has broken the rules: it gets the answers to what it asked before, and then goodbye. */
static void end_after_answers(struct client *client, enum proto_reason reason)
{
	client->ending = true;
	client->why_ending = reason;
	if (client->unanswered == 0)
		client_say_goodbye(client, reason);
}

void client_send(struct client *client, struct blob *line)
{
	if (client->conn == NULL || client->finishing)
		return;
	conn_send(client->conn, line);
	/* What came in this very turn had no chance to leave; only what the socket does not take
	 * says that the peer is slow. */
	if (conn_backlog(client->conn) > PROTO_LIMIT_backlog)
		conn_send_now(client->conn);
	if (conn_backlog(client->conn) > PROTO_LIMIT_backlog) {
		if (worker_may_log(client->worker))
			log_warn("conn", "%s does not keep up: more than %d bytes waited for it",
			    client->peer.text, PROTO_LIMIT_backlog);
		conn_drop_lines(client->conn);
		client_say_goodbye(client, PROTO_REASON_slow_consumer);
	}
}

static void send_error(
    struct client *client, const struct request_id *id, const struct request_error *error)
{
	struct buf *scratch = &client->worker->scratch;
	struct blob *line;

	message_put_error(scratch, id, error);
	line = scratch->failed ? NULL : blob_new(buf_slice(scratch));
	buf_clear(scratch);
	if (line != NULL)
		client_send(client, line);
	blob_unref(line);
}

/* --- Requests ------------------------------------------------------------------------------- */

void client_pause(struct client *client)
{
	if (!client->paused && client->conn != NULL) {
		client->paused = true;
		conn_pause(client->conn);
	}
}

void client_resume(struct client *client)
{
	if (client->paused && !client->holding && client->unanswered < PROTO_LIMIT_unanswered &&
	    list_is_empty(&client->congested)) {
		client->paused = false;
		if (client->conn != NULL)
			conn_resume(client->conn);
	}
}

static void answered(struct client *client)
{
	assert(client->unanswered > 0);
	client->unanswered--;
	/* Nothing behind it was read, so it is the last to be answered. */
	if (client->unanswered == 0)
		client->holding = false;
	client_resume(client);
	if (client->unanswered > 0 || client->conn == NULL)
		return;
	if (client->ending)
		client_say_goodbye(client, client->why_ending);
	else if (client->peer_done)
		conn_finish(client->conn);
}

/* Long lines cost more than short ones, also those that turn out to be no request. */
static unsigned price_of_line(struct slice line)
{
	return 1 + (unsigned)(line.len / LINE_TOKEN);
}

/* On top: a list keeps the core, or the store's readers, busy many times as long as another request
 * does. */
static unsigned price_of_request(enum proto_cmd cmd)
{
	switch (cmd) {
	case PROTO_CMD_rooms:
	case PROTO_CMD_members:
	case PROTO_CMD_who:
	case PROTO_CMD_history:
	case PROTO_CMD_search:
	case PROTO_CMD_pins:
	case PROTO_CMD_unread:
	case PROTO_CMD_sync:
		return LIST_TOKENS;
	default:
		return 0;
	}
}

/* 0, or the seconds to wait. */
static unsigned take_tokens(struct client *client, unsigned count)
{
	const struct worker_options *options = client->worker->options;

	return bucket_take(&client->bucket, count, options->rate, options->burst,
	    loop_now_ms(client->worker->loop));
}

static void refuse_for_rate(struct client *client, const struct request_id *id, unsigned price)
{
	struct request_error error;
	unsigned wait_s = take_tokens(client, price); /* which fails: they are too few */

	request_error_set(&error, PROTO_ERR_rate_limited,
	    "more than %u requests a second; wait %u s", client->worker->options->rate, wait_s);
	error.retry_after = wait_s;
	send_error(client, id, &error);
	if (++client->refusals >= FLOOD_REFUSALS)
		end_after_answers(client, PROTO_REASON_flood);
}

/* Only a short line is looked at for the id to answer to. */
static void refuse_line(struct client *client, struct slice line)
{
	struct request request = {.id = {.kind = REQUEST_ID_NONE}};
	struct request_error error;
	unsigned price = price_of_line(line);

	if (line.len < LINE_TOKEN && request_parse(line, &request, &error) == STATUS_OK) {
		price += price_of_request(request.cmd);
		request_release(&request);
	}
	refuse_for_rate(client, &request.id, price);
}

/* The rest of a request's price; without it the line costs nothing either, so that whoever waits as
 * long as told is served. */
static bool pay(struct client *client, const struct request *request, unsigned paid)
{
	unsigned burst = client->worker->options->burst;
	unsigned more = price_of_request(request->cmd);

	/* A full bucket pays for everything. */
	if (paid + more > burst)
		more = burst > paid ? burst - paid : 0;
	if (more > 0 && take_tokens(client, more) > 0) {
		client->bucket.tokens += paid;
		refuse_for_rate(client, &request->id, paid + more);
		return false;
	}
	client->refusals = 0;
	return true;
}

/* Those that slow work is done for, and whose effect the next request must see. */
static bool holds_next(enum proto_cmd cmd)
{
	switch (cmd) {
	case PROTO_CMD_login:
	case PROTO_CMD_register:
	case PROTO_CMD_passwd:
	case PROTO_CMD_useradd:
	case PROTO_CMD_userpasswd:
	case PROTO_CMD_edit:
	case PROTO_CMD_delete:
	case PROTO_CMD_react:
	case PROTO_CMD_unreact:
	case PROTO_CMD_pin:
	case PROTO_CMD_unpin:
		return true;
	default:
		return false;
	}
}

static void carry_out(struct client *client, struct request *request)
{
	struct worker *worker = client->worker;

	client->unanswered++;
	if (engine_request(worker->options->engine, client->session, request) == CHAT_ANSWERED)
		answered(client);
	if (holds_next(request->cmd) && client->unanswered > 0) {
		client->holding = true;
		client_pause(client);
	}
	if (client->unanswered >= PROTO_LIMIT_unanswered)
		client_pause(client);
	worker_hold_if_congested(client);
}

static void on_line(void *arg, struct conn *conn, struct slice line)
{
	struct client *client = arg;
	struct request_error error;
	struct request request;
	unsigned price = price_of_line(line);

	if (client->finishing || client->ending || client->worker->silent)
		return;
	client->ping_sent = false;
	if (client->user != 0)
		conn_set_timer(conn, client->worker->options->idle_ms);
	if (take_tokens(client, price) > 0) {
		refuse_line(client, line);
		return;
	}
	if (request_parse(line, &request, &error) != STATUS_OK) {
		client->refusals = 0;
		client->bad_json = error.code == PROTO_ERR_bad_json ? client->bad_json + 1 : 0;
		send_error(client, &request.id, &error);
		if (client->bad_json >= PROTO_LIMIT_bad_json)
			end_after_answers(client, PROTO_REASON_protocol);
		return;
	}
	client->bad_json = 0;
	if (pay(client, &request, price))
		carry_out(client, &request);
	request_release(&request);
}

static void on_line_too_long(void *arg, struct conn *conn)
{
	struct client *client = arg;
	const struct request_id none = {.kind = REQUEST_ID_NONE};
	struct request_error error;
	unsigned max = client->user != 0 ? client->worker->options->line_max
	                                 : client->worker->options->first_line_max;

	(void)conn;
	request_error_set(&error, PROTO_ERR_line_too_long,
	    "a line may have %u bytes%s; this connection ends", max,
	    client->user != 0 ? "" : " before login");
	error.limit = max;
	send_error(client, &none, &error);
	end_after_answers(client, PROTO_REASON_protocol);
}

/* --- A connection's life -------------------------------------------------------------------- */

static void on_open(void *arg, struct conn *conn)
{
	struct client *client = arg;
	struct worker *worker = client->worker;
	const struct tls_info *info = conn_info(conn);
	struct chat_peer peer = {
	    .address = client->peer.host,
	    .tls_version = info->version,
	    .tls_cipher = info->cipher,
	    .fingerprint = info->peer_fingerprint,
	    .user = info->peer_user,
	};

	log_debug("conn", "%s: %s, %s", client->peer.text, info->version, info->cipher);
	if (info->peer_user_problem[0] != '\0' && worker_may_log(worker))
		log_warn("conn", "%s: its certificate names no user: %s", client->peer.text,
		    info->peer_user_problem);
	bucket_init(&client->bucket, worker->options->burst, loop_now_ms(worker->loop));
	if (worker->silent) {
		client_say_goodbye(client, PROTO_REASON_shutdown);
		return;
	}
	client->session =
	    engine_session_open(worker->options->engine, &peer, worker->index, client);
	if (client->session == NULL) {
		conn_abort(conn, NULL);
		return;
	}
	conn_send(conn, worker->welcome);
	conn_set_timer(conn, worker->options->login_ms);
}

static void on_peer_done(void *arg, struct conn *conn)
{
	struct client *client = arg;

	client->peer_done = true;
	if (client->unanswered == 0)
		conn_finish(conn);
}

static void on_timer(void *arg, struct conn *conn)
{
	struct client *client = arg;
	struct json_writer w;
	struct blob *line;

	if (client->user == 0) {
		client_say_goodbye(client, PROTO_REASON_login_timeout);
		return;
	}
	if (client->ping_sent) {
		client_say_goodbye(client, PROTO_REASON_idle);
		return;
	}
	client->ping_sent = true;
	message_begin_event(&w, &client->worker->scratch, PROTO_EVENT_ping);
	message_end(&w);
	line = blob_new(buf_slice(&client->worker->scratch));
	buf_clear(&client->worker->scratch);
	if (line != NULL)
		client_send(client, line);
	blob_unref(line);
	if (!client->finishing)
		conn_set_timer(conn, client->worker->options->ping_ms);
}

static void log_end(struct client *client, const struct error *why, bool opened)
{
	if (why->status == STATUS_OK) {
		log_debug("conn", "%s: closed", client->peer.text);
		return;
	}
	if (worker_may_log(client->worker))
		log_write(LOG_INFO, "conn", "%s: %s%s", client->peer.text,
		    opened ? "" : "refused: ", why->text);
}

static void on_end(void *arg, struct conn *conn, const struct error *why, bool opened)
{
	struct client *client = arg;
	struct worker *worker = client->worker;

	(void)conn;
	log_end(client, why, opened);
	client->conn = NULL;
	list_remove(&client->congested);
	throttle_leave(worker->options->throttle, &client->peer);
	if (client->session == NULL) {
		client_free(client);
		return;
	}
	/* CHAT_ITEM_GONE, when the core has nothing more for it, frees the client. */
	engine_session_close(worker->options->engine, client->session);
	client->session = NULL;
}

static void on_drained(void *arg, struct conn *conn)
{
	struct client *client = arg;

	(void)conn;
	if (client->session != NULL && !client->finishing)
		engine_session_drained(client->worker->options->engine, client->session);
}

void client_new(struct worker *worker, struct mailbox_socket *socket)
{
	static const struct conn_handlers handlers = {
	    .on_open = on_open,
	    .on_line = on_line,
	    .on_line_too_long = on_line_too_long,
	    .on_peer_done = on_peer_done,
	    .on_timer = on_timer,
	    .on_end = on_end,
	    .on_drained = on_drained,
	};
	struct client *client = worker->silent ? NULL : calloc(1, sizeof *client);
	struct conn_options options = {
	    .handlers = &handlers,
	    .arg = client,
	    .line_max = worker->options->first_line_max,
	};

	if (client == NULL) {
		socket_close(socket->socket);
		throttle_leave(worker->options->throttle, &socket->peer);
		atomic_fetch_sub(&worker->load, 1);
		return;
	}
	options.context = tls_slot_take(worker->options->tls);
	client->worker = worker;
	client->peer = socket->peer;
	list_init(&client->congested);
	list_put(&worker->clients, &client->link);
	if (conn_new(worker->loop, socket->socket, &options, &client->conn) != STATUS_OK) {
		log_error("conn", "%s: no memory for the connection", client->peer.text);
		throttle_leave(worker->options->throttle, &client->peer);
		client_free(client);
	}
	tls_context_unref(options.context);
}

void client_free(struct client *client)
{
	struct worker *worker = client->worker;

	room_index_leave_all(&worker->rooms, &client->guest);
	list_remove(&client->link);
	free(client);
	atomic_fetch_sub(&worker->load, 1);
	if (worker->stopping && list_is_empty(&worker->clients))
		loop_stop(worker->loop);
}

/* --- Items of the core ---------------------------------------------------------------------- */

void client_take_item(struct client *client, const struct chat_item *item)
{
	struct worker *worker = client->worker;

	switch ((enum chat_item_kind)item->kind) {
	case CHAT_ITEM_LINE:
		if (item->line != NULL) {
			/* One who has asked waits; of the others nobody knows that there is news. */
			if (item->answers && client->conn != NULL)
				conn_hurry(client->conn);
			client_send(client, item->line);
		}
		if (item->paced && client->conn != NULL)
			conn_tell_drained(client->conn, DRAINED);
		if (item->answers)
			answered(client);
		break;
	case CHAT_ITEM_ROOM:
	case CHAT_ITEM_ALL:
	case CHAT_ITEM_OWN:
		break;
	case CHAT_ITEM_ATTACH:
		if (!room_index_attach(&worker->rooms, item->slot, &client->guest) &&
		    client->conn != NULL)
			conn_abort(client->conn, NULL);
		break;
	case CHAT_ITEM_DETACH:
		room_index_detach(&worker->rooms, item->slot, &client->guest);
		break;
	case CHAT_ITEM_LOGIN:
		client->user = item->user;
		if (client->conn != NULL) {
			conn_set_line_max(client->conn, worker->options->line_max);
			conn_set_timer(client->conn, worker->options->idle_ms);
		}
		break;
	case CHAT_ITEM_FINISH:
		client->finishing = true;
		if (client->conn != NULL)
			conn_finish(client->conn);
		break;
	case CHAT_ITEM_GONE:
		client_free(client);
		break;
	}
}
