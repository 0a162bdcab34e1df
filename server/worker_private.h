/*
 * What worker.c and client.c share: a worker and its connections. worker.c has the thread, the
 * mailbox and what concerns all connections at once; client.c has one connection's life, from the
 * socket that came to the last item of the core: requests in, lines out. The worker's thread only.
 */
#ifndef CONFAB_SERVER_WORKER_PRIVATE_H
#define CONFAB_SERVER_WORKER_PRIVATE_H

#include <stdatomic.h>

#include "base/list.h"
#include "net/conn.h"
#include "os/thread.h"
#include "room_index.h"
#include "wire/message.h"
#include "worker.h"

struct client {
	struct room_guest guest; /* first: the room index hands out pointers to it */
	struct list link;        /* in worker->clients */
	struct list congested;   /* in worker->congested */
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
	bool holding; /* what comes behind waits for the last request's end: PROTOCOL.md, 4.3 */
	bool ending;     /* goodbye with `why_ending` as soon as all is answered */
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

/* --- client.c --- */

/* Takes over a socket that came; without memory it is closed, and logged. */
void client_new(struct worker *worker, struct mailbox_socket *socket);
/* Its connection has ended and the core has nothing more for it. */
void client_free(struct client *client);

/* Does what an item of the core says, save those for a whole room. The item stays the caller's. */
void client_take_item(struct client *client, const struct chat_item *item);

/* Queues a line; who does not keep up is sent goodbye instead. */
void client_send(struct client *client, struct blob *line);
/* The last line, and the graceful end; ignored when one was said before. */
void client_say_goodbye(struct client *client, enum proto_reason reason);

/* Stops reading until client_resume is called with nothing left that holds it. */
void client_pause(struct client *client);
void client_resume(struct client *client);

/* --- worker.c --- */

/* May another line about a connection be logged now? If not, it is counted as left out. */
bool worker_may_log(struct worker *worker);

/* To be called after a request: while some worker is so far behind that nobody should make more
 * work for it, the connections of this one are not read. */
void worker_hold_if_congested(struct client *client);

#endif
