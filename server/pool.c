#include "pool.h"

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/list.h"
#include "os/thread.h"

enum { CLASS_COUNT = POOL_HASH + 1 };

static const unsigned waiting_max[CLASS_COUNT] = {
    [POOL_READ] = POOL_READ_MAX, [POOL_HASH] = POOL_HASH_MAX};

struct item {
	struct list queue;
	uint64_t number; /* counts all that was put: who came first */
	void (*run)(void *arg);
	void (*cancel)(void *arg);
	void *arg;
};

struct queue {
	struct list items;
	unsigned waiting, running, running_max;
};

struct pool {
	struct mutex *mutex;
	struct cond *changed; /* something may be taken, or the pool stops */
	struct queue queues[CLASS_COUNT];
	uint64_t put;
	bool is_stopping;
	unsigned thread_count;
	struct thread *threads[];
};

static struct item *first_of(struct queue *queue)
{
	return list_is_empty(&queue->items) ? NULL :
					      list_entry(queue->items.next, struct item, queue);
}

/* The queue whose first item has waited longest and may run now; NULL if there is none. */
static struct queue *next_queue(struct pool *pool)
{
	struct queue *best = NULL;

	for (int i = 0; i < CLASS_COUNT; i++) {
		struct queue *queue = &pool->queues[i];
		struct item *item = first_of(queue);

		if (item == NULL || queue->running >= queue->running_max)
			continue;
		if (best == NULL || item->number < first_of(best)->number)
			best = queue;
	}
	return best;
}

static struct item *take(struct queue *queue)
{
	struct item *item = list_entry(list_take(&queue->items), struct item, queue);

	queue->waiting--;
	return item;
}

static void run_items(void *arg)
{
	struct pool *pool = arg;

	mutex_lock(pool->mutex);
	while (!pool->is_stopping) {
		struct queue *queue = next_queue(pool);
		struct item *item;

		if (queue == NULL) {
			cond_wait(pool->changed, pool->mutex);
			continue;
		}
		item = take(queue);
		queue->running++;
		mutex_unlock(pool->mutex);
		item->run(item->arg);
		free(item);
		mutex_lock(pool->mutex);
		/* Nobody is woken for the place that this leaves: this thread itself takes what
		 * waits for it, or something older, of which another thread has been told. */
		queue->running--;
	}
	mutex_unlock(pool->mutex);
}

struct pool *pool_new(unsigned threads)
{
	struct pool *pool;

	assert(threads > 0);
	pool = calloc(1, sizeof *pool + threads * sizeof(struct thread *));
	if (pool == NULL)
		return NULL;
	pool->mutex = mutex_new();
	pool->changed = cond_new();
	for (int i = 0; i < CLASS_COUNT; i++)
		list_init(&pool->queues[i].items);
	pool->queues[POOL_READ].running_max = threads;
	pool->queues[POOL_HASH].running_max = threads > 1 ? threads / 2 : 1;
	for (; pool->thread_count < threads; pool->thread_count++) {
		struct thread **thread = &pool->threads[pool->thread_count];

		if (thread_start("pool", run_items, pool, thread) != STATUS_OK) {
			pool_stop(pool);
			return NULL;
		}
	}
	return pool;
}

/* With the lock held; takes `item` over if OK. */
static enum status put(struct pool *pool, enum pool_class class, struct item *item)
{
	struct queue *queue = &pool->queues[class];

	if (pool->is_stopping)
		return STATUS_CLOSED;
	if (queue->waiting >= waiting_max[class])
		return STATUS_FULL;
	item->number = pool->put++;
	list_put(&queue->items, &item->queue);
	queue->waiting++;
	if (queue->running < queue->running_max)
		cond_wake_all(pool->changed);
	return STATUS_OK;
}

enum status pool_put(struct pool *pool, enum pool_class class, void (*run)(void *arg),
    void (*cancel)(void *arg), void *arg)
{
	struct item *item = malloc(sizeof *item);
	enum status status;

	if (item == NULL)
		return STATUS_NOMEM;
	*item = (struct item){.run = run, .cancel = cancel, .arg = arg};
	mutex_lock(pool->mutex);
	status = put(pool, class, item);
	mutex_unlock(pool->mutex);
	if (status != STATUS_OK)
		free(item);
	return status;
}

/* Takes the oldest of all that waits; NULL if nothing does. */
static struct item *take_oldest(struct pool *pool)
{
	struct queue *queue;

	for (int i = 0; i < CLASS_COUNT; i++)
		pool->queues[i].running_max = 1; /* nothing runs any more */
	queue = next_queue(pool);
	return queue != NULL ? take(queue) : NULL;
}

void pool_stop(struct pool *pool)
{
	struct item *item;

	if (pool == NULL)
		return;
	mutex_lock(pool->mutex);
	pool->is_stopping = true;
	cond_wake_all(pool->changed);
	mutex_unlock(pool->mutex);
	for (unsigned i = 0; i < pool->thread_count; i++)
		thread_join(pool->threads[i]);
	while ((item = take_oldest(pool)) != NULL) {
		if (item->cancel != NULL)
			item->cancel(item->arg);
		free(item);
	}
	cond_free(pool->changed);
	mutex_free(pool->mutex);
	free(pool);
}
