#include "worker.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/list.h"
#include "net/conn.h"
#include "os/log.h"
#include "os/thread.h"
#include "room_index.h"
#include "wire/message.h"

#define TICK_MS 250	/* of the core's clock; one worker does it */
#define TICK_SOON_MS 2	/* when more was due than one tick does */
#define CONGESTED_MS 10 /* until a connection that waits for a full mailbox is tried again */
#define FLOOD_REFUSALS 1000
#define LINE_TOKEN 4096 /* bytes of a line that cost one more token */
#define LIST_TOKENS 4 /* what a request for a list costs on top */
#define LOG_RATE 50 /* lines a second about connections that ended badly, */
#define LOG_BURST 200 /* so that nobody can fill a disk with them */

struct client {
	struct room_guest guest; /* first: the room index hands out pointers to it */
	struct list link;	 /* in worker->clients */
	struct list congested;	 /* in worker->congested */
	struct worker *worker;
	struct conn *conn; /* NULL once it has ended */
	struct chat_session *session;
	struct socket_address peer;
	struct bucket bucket;
	uint64_t user; /* inner number after login, else 0 */
	unsigned unanswered;
	unsigned bad_json; /* in a row */
	unsigned refusals; /* rate_limited in a row */
	bool paused, ping_sent, peer_done, finishing;
	bool logging_in; /* what comes behind a login waits for its end: PROTOCOL.md, 4.3 */
	bool ending;	 /* goodbye with `why_ending` as soon as all is answered */
	enum proto_reason why_ending;
};

struct worker {
	const struct worker_options *options;
	unsigned index;
	struct loop *loop;
	struct thread *thread;
	struct mailbox mailbox;
	struct room_index rooms;
	struct list clients, congested;
	struct loop_timer *tick, *congestion, *deadline;
	struct blob *welcome;
	struct buf scratch;
	struct bucket log_bucket;
	unsigned log_lost;
	atomic_uint load;
	atomic_bool silence, stop;
	bool silent, stopping;
	struct mutex *mutex; /* of `silent`, for whoever waits for it */
	struct cond *cond;
};

/* The worker whose turn this thread is in: what it puts into its own mailbox is seen at the end
 * of the turn and needs no wake-up. */
static _Thread_local struct worker *current;

static void client_free(struct client *client);

/* --- Lines out ------------------------------------------------------------------------------ */

static void say_goodbye(struct client *client, enum proto_reason reason)
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
		say_goodbye(client, reason);
}

static bool may_log(struct worker *worker)
{
	if (bucket_take(&worker->log_bucket, 1, LOG_RATE, LOG_BURST, loop_now_ms(worker->loop)) == 0)
		return true;
	worker->log_lost++;
	return false;
}

static void send_line(struct client *client, struct blob *line)
{
	if (client->conn == NULL || client->finishing)
		return;
	conn_send(client->conn, line);
	/* What came in this very turn had no chance to leave; only what the socket does not take
	 * says that the peer is slow. */
	if (conn_backlog(client->conn) > PROTO_LIMIT_backlog)
		conn_send_now(client->conn);
	if (conn_backlog(client->conn) > PROTO_LIMIT_backlog) {
		if (may_log(client->worker))
			log_warn("conn", "%s does not keep up: more than %d bytes waited for it",
			    client->peer.text, PROTO_LIMIT_backlog);
		conn_drop_lines(client->conn);
		say_goodbye(client, PROTO_REASON_slow_consumer);
	}
}

static void send_error(struct client *client, const struct request_id *id,
    const struct request_error *error)
{
	struct buf *scratch = &client->worker->scratch;
	struct blob *line;

	message_put_error(scratch, id, error);
	line = scratch->failed ? NULL : blob_new(buf_slice(scratch));
	buf_clear(scratch);
	if (line != NULL)
		send_line(client, line);
	blob_unref(line);
}

/* --- Requests ------------------------------------------------------------------------------- */

static void pause(struct client *client)
{
	if (!client->paused && client->conn != NULL) {
		client->paused = true;
		conn_pause(client->conn);
	}
}

static void resume(struct client *client)
{
	if (client->paused && !client->logging_in &&
	    client->unanswered < PROTO_LIMIT_unanswered && list_is_empty(&client->congested)) {
		client->paused = false;
		if (client->conn != NULL)
			conn_resume(client->conn);
	}
}

static void answered(struct client *client)
{
	assert(client->unanswered > 0);
	client->unanswered--;
	client->logging_in = false;
	resume(client);
	if (client->unanswered > 0 || client->conn == NULL)
		return;
	if (client->ending)
		say_goodbye(client, client->why_ending);
	else if (client->peer_done)
		conn_finish(client->conn);
}

/* Is some worker so far behind that nobody should make more work for it? */
static bool is_congested(struct worker *worker)
{
	for (unsigned i = 0; i < worker->options->count; i++)
		if (mailbox_is_high(&worker->options->peers[i]->mailbox))
			return true;
	return false;
}

/* Long lines cost more than short ones, also those that turn out to be no request. */
static unsigned price_of_line(struct slice line)
{
	return 1 + (unsigned)(line.len / LINE_TOKEN);
}

/* On top: a list keeps the core busy many times as long as another request does. */
static unsigned price_of_request(enum proto_cmd cmd)
{
	return cmd == PROTO_CMD_rooms || cmd == PROTO_CMD_members || cmd == PROTO_CMD_who
		   ? LIST_TOKENS
		   : 0;
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

static void hold(struct client *client)
{
	pause(client);
	if (list_is_empty(&client->congested))
		list_put(&client->worker->congested, &client->congested);
}

/* All at once: each of a thousand connections could bring one more line before its turn came to be
 * held. */
static void hold_all(struct worker *worker)
{
	for (struct list *at = worker->clients.next; at != &worker->clients; at = at->next) {
		struct client *client = list_entry(at, struct client, link);

		if (client->session != NULL && !client->finishing)
			hold(client);
	}
	loop_timer_start(worker->congestion, CONGESTED_MS, 0);
}

static void carry_out(struct client *client, const struct request *request)
{
	struct worker *worker = client->worker;

	client->unanswered++;
	if (engine_request(worker->options->engine, client->session, request) == CHAT_ANSWERED)
		answered(client);
	if (request->cmd == PROTO_CMD_login) {
		/* Until its reply or, where none was wanted, CHAT_ITEM_LOGIN comes back. */
		client->logging_in = true;
		pause(client);
	}
	if (client->unanswered >= PROTO_LIMIT_unanswered)
		pause(client);
	if (is_congested(worker)) {
		if (list_is_empty(&worker->congested))
			hold_all(worker);
		hold(client);
	}
}

static void on_congestion(void *arg)
{
	struct worker *worker = arg;
	struct list *at;

	if (is_congested(worker)) {
		loop_timer_start(worker->congestion, CONGESTED_MS, 0);
		return;
	}
	while ((at = list_take(&worker->congested)) != NULL)
		resume(list_entry(at, struct client, congested));
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
	if (info->peer_user_problem[0] != '\0' && may_log(worker))
		log_warn("conn", "%s: its certificate names no user: %s", client->peer.text,
		    info->peer_user_problem);
	bucket_init(&client->bucket, worker->options->burst, loop_now_ms(worker->loop));
	if (worker->silent) {
		say_goodbye(client, PROTO_REASON_shutdown);
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
		say_goodbye(client, PROTO_REASON_login_timeout);
		return;
	}
	if (client->ping_sent) {
		say_goodbye(client, PROTO_REASON_idle);
		return;
	}
	client->ping_sent = true;
	message_begin_event(&w, &client->worker->scratch, PROTO_EVENT_ping);
	message_end(&w);
	line = blob_new(buf_slice(&client->worker->scratch));
	buf_clear(&client->worker->scratch);
	if (line != NULL)
		send_line(client, line);
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
	if (may_log(client->worker))
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

static void client_free(struct client *client)
{
	struct worker *worker = client->worker;

	room_index_leave_all(&worker->rooms, &client->guest);
	list_remove(&client->link);
	free(client);
	atomic_fetch_sub(&worker->load, 1);
	if (worker->stopping && list_is_empty(&worker->clients))
		loop_stop(worker->loop);
}

static void take_socket(struct worker *worker, struct mailbox_socket *socket)
{
	static const struct conn_handlers handlers = {
	    .on_open = on_open,
	    .on_line = on_line,
	    .on_line_too_long = on_line_too_long,
	    .on_peer_done = on_peer_done,
	    .on_timer = on_timer,
	    .on_end = on_end,
	};
	struct client *client = worker->silent ? NULL : calloc(1, sizeof *client);
	struct conn_options options = {
	    .handlers = &handlers,
	    .arg = client,
	    .context = worker->options->tls,
	    .line_max = worker->options->first_line_max,
	};

	if (client == NULL) {
		socket_close(socket->socket);
		throttle_leave(worker->options->throttle, &socket->peer);
		atomic_fetch_sub(&worker->load, 1);
		return;
	}
	client->worker = worker;
	client->peer = socket->peer;
	list_init(&client->congested);
	list_put(&worker->clients, &client->link);
	if (conn_new(worker->loop, socket->socket, &options, &client->conn) != STATUS_OK) {
		log_error("conn", "%s: no memory for the connection", client->peer.text);
		throttle_leave(worker->options->throttle, &client->peer);
		client_free(client);
	}
}

/* --- Items of the core ---------------------------------------------------------------------- */

static void send_to_room(struct worker *worker, const struct chat_item *item)
{
	uint32_t count;
	struct room_guest *const *guests = room_index_get(&worker->rooms, item->slot, &count);

	for (uint32_t i = 0; i < count; i++) {
		struct client *client = (struct client *)guests[i];

		if (item->user == 0 || client->user != item->user)
			send_line(client, item->line);
	}
}

static void carry_out_item(struct worker *worker, struct chat_item *item)
{
	struct client *client = item->conn;

	switch ((enum chat_item_kind)item->kind) {
	case CHAT_ITEM_LINE:
		if (item->line != NULL)
			send_line(client, item->line);
		if (item->answers)
			answered(client);
		break;
	case CHAT_ITEM_ROOM:
		send_to_room(worker, item);
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
		client->logging_in = false;
		resume(client);
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
	chat_item_free(item);
}

/* What others put into the mailbox meanwhile waits for the next turn, for which they wake us: in
 * between the connections send what they have been given. Nothing here makes items of our own. */
static void drain(void *arg)
{
	struct worker *worker = arg;
	struct chat_item *item;
	struct mailbox_socket *socket;

	mailbox_take(&worker->mailbox, &item, &socket);
	while (item != NULL) {
		struct chat_item *next = item->next;

		carry_out_item(worker, item);
		item = next;
	}
	while (socket != NULL) {
		struct mailbox_socket *next = socket->next;

		take_socket(worker, socket);
		free(socket);
		socket = next;
	}
	if (!list_is_empty(&worker->congested))
		on_congestion(worker);
}

/* --- Its own life --------------------------------------------------------------------------- */

static void on_tick(void *arg)
{
	struct worker *worker = arg;

	if (worker->index == 0 && engine_tick(worker->options->engine))
		loop_timer_start(worker->tick, TICK_SOON_MS, TICK_MS);
	if (worker->log_lost > 0 &&
	    bucket_take(&worker->log_bucket, 1, LOG_RATE, LOG_BURST, loop_now_ms(worker->loop)) == 0) {
		log_warn("conn", "%u more lines like these were left out", worker->log_lost);
		worker->log_lost = 0;
	}
}

static void on_deadline(void *arg)
{
	struct worker *worker = arg;

	log_warn("worker", "stopping: some connections did not end in time and were cut off");
	loop_stop(worker->loop);
}

static void begin_stop(struct worker *worker)
{
	struct list *at, *next;

	worker->stopping = true;
	drain(worker);
	for (at = worker->clients.next; at != &worker->clients; at = next) {
		struct client *client = list_entry(at, struct client, link);

		next = at->next;
		if (client->session != NULL)
			say_goodbye(client, PROTO_REASON_shutdown);
		else if (client->conn != NULL)
			conn_finish(client->conn);
	}
	loop_timer_start(worker->deadline, WORKER_STOP_MS, 0);
	if (list_is_empty(&worker->clients))
		loop_stop(worker->loop);
}

static void on_wake(void *arg)
{
	struct worker *worker = arg;

	drain(worker);
	if (atomic_load(&worker->silence) && !worker->silent) {
		mutex_lock(worker->mutex);
		worker->silent = true;
		cond_wake_all(worker->cond);
		mutex_unlock(worker->mutex);
	}
	if (atomic_load(&worker->stop) && !worker->stopping)
		begin_stop(worker);
}

static void run(void *arg)
{
	struct worker *worker = arg;

	current = worker;
	loop_timer_start(worker->tick, TICK_MS, TICK_MS);
	loop_run(worker->loop);
	current = NULL;
}

enum status worker_new(const struct worker_options *options, unsigned index, struct worker **ret,
    struct error *err)
{
	struct worker *worker = calloc(1, sizeof *worker);
	struct loop_handlers handlers = {on_wake, drain, worker};
	enum status status;

	if (worker == NULL)
		return error_set(err, STATUS_NOMEM, "out of memory");
	worker->options = options;
	worker->index = index;
	list_init(&worker->clients);
	list_init(&worker->congested);
	mailbox_init(&worker->mailbox);
	buf_init(&worker->scratch, PROTO_LIMIT_reply);
	atomic_init(&worker->load, 0);
	atomic_init(&worker->silence, false);
	atomic_init(&worker->stop, false);
	worker->mutex = mutex_new();
	worker->cond = cond_new();
	worker->welcome = engine_welcome(options->engine);
	status = loop_new(&handlers, &worker->loop, err);
	if (status == STATUS_OK &&
	    (loop_timer_new(worker->loop, on_tick, worker, &worker->tick) != STATUS_OK ||
		loop_timer_new(worker->loop, on_congestion, worker, &worker->congestion) !=
		    STATUS_OK ||
		loop_timer_new(worker->loop, on_deadline, worker, &worker->deadline) != STATUS_OK))
		status = error_set(err, STATUS_NOMEM, "out of memory");
	if (status != STATUS_OK) {
		worker_free(worker);
		return status;
	}
	bucket_init(&worker->log_bucket, LOG_BURST, loop_now_ms(worker->loop));
	*ret = worker;
	return STATUS_OK;
}

enum status worker_start(struct worker *worker)
{
	char name[16];

	snprintf(name, sizeof name, "worker-%u", worker->index % 1000);
	return thread_start(name, run, worker, &worker->thread);
}

void worker_silence(struct worker *worker)
{
	atomic_store(&worker->silence, true);
	loop_wake(worker->loop);
}

void worker_wait_silent(struct worker *worker)
{
	if (worker->thread == NULL)
		return;
	mutex_lock(worker->mutex);
	while (!worker->silent)
		cond_wait(worker->cond, worker->mutex);
	mutex_unlock(worker->mutex);
}

void worker_stop(struct worker *worker)
{
	atomic_store(&worker->stop, true);
	loop_wake(worker->loop);
}

/* Connections that were cut off at the deadline still have sessions; others hear of their end as
 * long as they run. */
void worker_join(struct worker *worker)
{
	thread_join(worker->thread);
	worker->thread = NULL;
	for (struct list *at = worker->clients.next; at != &worker->clients; at = at->next) {
		struct client *client = list_entry(at, struct client, link);

		if (client->session != NULL)
			engine_session_close(worker->options->engine, client->session);
		client->session = NULL;
	}
}

void worker_free(struct worker *worker)
{
	if (worker == NULL)
		return;
	while (!list_is_empty(&worker->clients))
		client_free(list_entry(worker->clients.next, struct client, link));
	if (worker->loop != NULL) {
		loop_timer_free(worker->tick);
		loop_timer_free(worker->congestion);
		loop_timer_free(worker->deadline);
		loop_free(worker->loop);
	}
	mailbox_release(&worker->mailbox);
	room_index_release(&worker->rooms);
	buf_release(&worker->scratch);
	blob_unref(worker->welcome);
	cond_free(worker->cond);
	mutex_free(worker->mutex);
	free(worker);
}

void worker_put_item(struct worker *worker, struct chat_item *item)
{
	if (mailbox_put_item(&worker->mailbox, item) && worker != current)
		loop_wake(worker->loop);
}

void worker_put_socket(struct worker *worker, struct mailbox_socket *socket)
{
	atomic_fetch_add(&worker->load, 1);
	if (mailbox_put_socket(&worker->mailbox, socket) && worker != current)
		loop_wake(worker->loop);
}

unsigned worker_load(const struct worker *worker)
{
	return atomic_load(&worker->load);
}
