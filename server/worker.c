#include "worker.h"

#include <limits.h>
#include <stdlib.h>

#include "os/log.h"
#include "worker_private.h"

#define TICK_MS 250     /* of the core's clock; one worker does it */
#define TICK_SOON_MS 2  /* when more was due than one tick does */
#define CONGESTED_MS 10 /* until a connection that waits for a full mailbox is tried again */
#define NEW_A_TURN 32   /* connections taken over, so that others wait no longer for a crowd */
#define LOG_RATE 50     /* lines a second about connections that ended badly, */
#define LOG_BURST 200   /* so that nobody can fill a disk with them */

/* The worker whose turn this thread is in: what it puts into its own mailbox is seen at the end
 * of the turn and needs no wake-up. */
static _Thread_local struct worker *current;

bool worker_may_log(struct worker *worker)
{
	if (bucket_take(&worker->log_bucket, 1, LOG_RATE, LOG_BURST, loop_now_ms(worker->loop)) ==
	    0)
		return true;
	worker->log_lost++;
	return false;
}

/* --- Congestion ------------------------------------------------------------------------------ */

/* Is some worker so far behind that nobody should make more work for it? */
static bool is_congested(struct worker *worker)
{
	for (unsigned i = 0; i < worker->options->count; i++)
		if (mailbox_is_high(&worker->options->peers[i]->mailbox))
			return true;
	return false;
}

static void hold(struct client *client)
{
	client_pause(client);
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

void worker_hold_if_congested(struct client *client)
{
	struct worker *worker = client->worker;

	if (!is_congested(worker))
		return;
	if (list_is_empty(&worker->congested))
		hold_all(worker);
	hold(client);
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
		client_resume(list_entry(at, struct client, congested));
}

/* --- Items of the core, sockets of the listener ----------------------------------------------- */

static void send_to_room(struct worker *worker, const struct chat_item *item)
{
	uint32_t count;
	struct room_guest *const *guests = room_index_get(&worker->rooms, item->slot, &count);

	for (uint32_t i = 0; i < count; i++) {
		struct client *client = (struct client *)guests[i];

		if (item->user == 0 || client->user != item->user)
			client_send(client, item->line);
	}
}

static void send_to_all(struct worker *worker, const struct chat_item *item)
{
	struct list *at, *next;

	for (at = worker->clients.next; at != &worker->clients; at = next) {
		struct client *client = list_entry(at, struct client, link);

		next = at->next;
		if (client->user != 0)
			client_send(client, item->line);
	}
}

static void carry_out_item(struct worker *worker, struct chat_item *item)
{
	if (item->kind == CHAT_ITEM_ROOM)
		send_to_room(worker, item);
	else if (item->kind == CHAT_ITEM_ALL)
		send_to_all(worker, item);
	else
		client_take_item(item->conn, item);
	chat_item_free(item);
}

/* What others put into the mailbox meanwhile waits for the next turn, for which they wake us: in
 * between the connections send what they have been given. Nothing here makes items of our own. */
static void drain(struct worker *worker, unsigned sockets_max)
{
	struct chat_item *item;
	struct mailbox_socket *socket;

	if (!mailbox_take(&worker->mailbox, sockets_max, &item, &socket))
		loop_wake(worker->loop);
	while (item != NULL) {
		struct chat_item *next = item->next;

		carry_out_item(worker, item);
		item = next;
	}
	while (socket != NULL) {
		struct mailbox_socket *next = socket->next;

		client_new(worker, socket);
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
	if (worker->log_lost > 0 && bucket_take(&worker->log_bucket, 1, LOG_RATE, LOG_BURST,
	                                loop_now_ms(worker->loop)) == 0) {
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
	drain(worker, UINT_MAX);
	for (at = worker->clients.next; at != &worker->clients; at = next) {
		struct client *client = list_entry(at, struct client, link);

		next = at->next;
		if (client->session != NULL)
			client_say_goodbye(client, PROTO_REASON_shutdown);
		else if (client->conn != NULL)
			conn_finish(client->conn);
	}
	loop_timer_start(worker->deadline, WORKER_STOP_MS, 0);
	if (list_is_empty(&worker->clients))
		loop_stop(worker->loop);
}

static void on_turn_end(void *arg)
{
	drain(arg, 0);
}

static void on_wake(void *arg)
{
	struct worker *worker = arg;

	drain(worker, NEW_A_TURN);
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

enum status worker_new(
    const struct worker_options *options, unsigned index, struct worker **ret, struct error *err)
{
	struct worker *worker = calloc(1, sizeof *worker);
	struct loop_handlers handlers = {on_wake, on_turn_end, worker};
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
