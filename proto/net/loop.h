/*
 * An event loop (libuv's) that runs in one thread and owns the connections made in it. Others may
 * only wake it. Timers and the end-of-turn hook are for the loop's own thread.
 *
 * One turn: events of sockets and timers are handled, the wake-up callback runs if somebody called
 * loop_wake, then the end-of-turn hook, then every connection that has something to send sends
 * it, gathered. Memory of ended connections goes at the very end of a turn.
 */
#ifndef CONFAB_NET_LOOP_H
#define CONFAB_NET_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

struct loop;

struct loop_handlers {
	void (*on_wake)(void *arg);	/* somebody called loop_wake, once or more since */
	void (*on_turn_end)(void *arg); /* before the gathered output leaves; may be NULL */
	void *arg;
};

/* NOMEM or NO_FILES. */
enum status loop_new(const struct loop_handlers *handlers, struct loop **ret, struct error *err);

/* All connections must have ended (loop_run returned after loop_stop and none was left), or they
 * are cut off now without callbacks. */
void loop_free(struct loop *loop);

/* Runs turns until loop_stop was called and takes effect; a loop that waits for lines that come one
 * upon the other does so without sleeping (spin.h). Thread: becomes the loop's. */
void loop_run(struct loop *loop);

/* Runs for at most `timeout_ms` (one blocking wait at the most, then what is ready); 0 polls.
 * For a client that waits in its own thread. */
void loop_run_once(struct loop *loop, unsigned timeout_ms);

/* Ends loop_run after this turn. Loop's thread. */
void loop_stop(struct loop *loop);

/* Makes on_wake run soon; calls between two turns become one. Any thread, any time before
 * loop_free. */
void loop_wake(struct loop *loop);

/* Milliseconds of a steady clock, as of the start of the turn. Loop's thread. */
uint64_t loop_now_ms(const struct loop *loop);

/* How many connections are not freed yet. Loop's thread. */
unsigned loop_conn_count(const struct loop *loop);

struct loop_timer;

/* A timer that is not running; calls `fn(arg)` in the loop's thread. */
enum status loop_timer_new(struct loop *loop, void (*fn)(void *arg), void *arg,
    struct loop_timer **ret);
/* Runs once after `after_ms`, then every `every_ms` (0: once); starting again restarts it. */
void loop_timer_start(struct loop_timer *timer, uint64_t after_ms, uint64_t every_ms);
void loop_timer_stop(struct loop_timer *timer);
void loop_timer_free(struct loop_timer *timer); /* NULL is harmless */

#endif
