/*
 * Threads for slow work: hashing passwords, reading the store. Never on a worker, whose other
 * connections would wait. Each class of work runs first in, first out, and the two take turns by
 * age; hashing has at most half of the threads (at least one), so with two threads or more one is
 * always left for reading.
 *
 * Every item put is ended exactly once: its `run` is called on a thread of the pool or its
 * `cancel` by pool_stop, both without any lock held. All functions but pool_new and pool_stop: any
 * thread, also from within `run`.
 */
#ifndef CONFAB_SERVER_POOL_H
#define CONFAB_SERVER_POOL_H

#include "base/status.h"

/* How many may wait; those that run are not counted. */
#define POOL_READ_MAX 16384
#define POOL_HASH_MAX 64

enum pool_class { POOL_READ, POOL_HASH };

struct pool;

/* `threads` is at least 1. NULL without memory. */
struct pool *pool_new(unsigned threads);

/* Queues `run(arg)`; never blocks. `cancel(arg)` is called instead if the pool stops before its
 * turn; NULL: there is nothing to do then. FULL when too many of the class wait, NOMEM, CLOSED
 * while the pool stops: then neither is called and `arg` stays the caller's. */
enum status pool_put(struct pool *pool, enum pool_class class, void (*run)(void *arg),
    void (*cancel)(void *arg), void *arg);

/* Lets running work finish, starts nothing more, joins the threads, then cancels what never ran,
 * in the order in which it was put, and frees the pool. Blocks; not from within `run`, and nobody
 * may put anything afterwards. NULL is harmless. */
void pool_stop(struct pool *pool);

#endif
