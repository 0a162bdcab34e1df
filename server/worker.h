/*
 * A worker: a thread with an event loop that owns its connections for good: socket, TLS state,
 * lines in and out. Requests are parsed here and given to the core; what the core tells comes back
 * through the mailbox. Per room the worker keeps the list of its own connections in it, changed
 * only by items of its mailbox, so that an event for a thousand members is one item here.
 */
#ifndef CONFAB_SERVER_WORKER_H
#define CONFAB_SERVER_WORKER_H

#include <stdbool.h>

#include "chat/chat.h"
#include "engine.h"
#include "throttle.h"
#include "mailbox.h"
#include "tls_slot.h"

struct worker;

/* The same for all workers; lent for their whole life. */
struct worker_options {
	struct engine *engine;
	struct tls_slot *tls;
	struct throttle *throttle;
	struct worker *const *peers; /* all workers, this one too */
	unsigned count;
	unsigned line_max, first_line_max; /* bytes */
	unsigned rate, burst;	  /* requests a second; 0: no limit */
	unsigned login_ms;	  /* 0: no deadline */
	unsigned idle_ms, ping_ms; /* idle_ms 0: no pings */
};

enum status worker_new(const struct worker_options *options, unsigned index, struct worker **ret,
    struct error *err);

/* Starts its thread. */
enum status worker_start(struct worker *worker);

/* Stopping takes two steps, so that whatever one worker has acknowledged still reaches the
 * connections of the others: first all of them stop carrying out requests, ... */
void worker_silence(struct worker *worker);
void worker_wait_silent(struct worker *worker);

/* ... then each delivers what is in its mailbox, says goodbye to everybody, and ends, within
 * WORKER_STOP_MS. Any thread. */
#define WORKER_STOP_MS 2700
void worker_stop(struct worker *worker);

/* Waits for its thread's end, and ends the sessions of connections that were cut off. */
void worker_join(struct worker *worker);
/* After all workers have been joined; NULL is harmless. */
void worker_free(struct worker *worker);

/* Hand over to the worker, which is woken if need be. Any thread. */
void worker_put_item(struct worker *worker, struct chat_item *item);
void worker_put_socket(struct worker *worker, struct mailbox_socket *socket);

/* How many connections it has or is about to have. Any thread. */
unsigned worker_load(const struct worker *worker);

#endif
