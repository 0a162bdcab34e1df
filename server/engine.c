#include "engine.h"

#include <stdlib.h>

#include "os/clock.h"
#include "os/log.h"
#include "os/thread.h"
#include "worker.h"

struct engine {
	struct mutex *mutex;
	struct chat *chat;
	struct store *store;
	unsigned worker_count;
	struct worker *workers[];
};

static struct chat_time time_now(void)
{
	return (struct chat_time){clock_unix_ms(), clock_mono_ms()};
}

static void post(void *arg, struct chat_item *item)
{
	struct engine *engine = arg;

	worker_put_item(engine->workers[item->worker], item);
}

static void store_done(void *arg, uint64_t ticket, enum status status)
{
	struct engine *engine = arg;

	/* What was not stored is never told. The store of this version cannot fail; rolling back comes
	 * with one that can. */
	if (status != STATUS_OK) {
		log_error("store", "a batch was not stored: %s", status_text(status));
		return;
	}
	mutex_lock(engine->mutex);
	chat_committed(engine->chat, ticket);
	mutex_unlock(engine->mutex);
}

enum status engine_new(const struct chat_options *options, struct engine **ret)
{
	struct chat_options own = *options;
	struct engine *engine =
	    calloc(1, sizeof *engine + options->workers * sizeof engine->workers[0]);

	if (engine == NULL)
		return STATUS_NOMEM;
	engine->worker_count = options->workers;
	engine->mutex = mutex_new();
	engine->store = store_memory_new();
	own.store = engine->store;
	own.post = post;
	own.post_arg = engine;
	if (engine->store != NULL) {
		engine->store->done = store_done;
		engine->store->done_arg = engine;
		engine->chat = chat_new(&own);
	}
	if (engine->chat == NULL) {
		engine_free(engine);
		return STATUS_NOMEM;
	}
	*ret = engine;
	return STATUS_OK;
}

void engine_free(struct engine *engine)
{
	if (engine == NULL)
		return;
	/* Closing a store may still report tickets. */
	if (engine->store != NULL)
		engine->store->ops->close(engine->store);
	chat_free(engine->chat);
	mutex_free(engine->mutex);
	free(engine);
}

void engine_set_worker(struct engine *engine, unsigned index, struct worker *worker)
{
	engine->workers[index] = worker;
}

struct blob *engine_welcome(struct engine *engine)
{
	struct blob *line;

	mutex_lock(engine->mutex);
	line = chat_welcome(engine->chat);
	mutex_unlock(engine->mutex);
	return line;
}

struct chat_session *engine_session_open(struct engine *engine, const struct chat_peer *peer,
    unsigned worker, void *conn)
{
	struct chat_session *session;

	mutex_lock(engine->mutex);
	session = chat_session_open(engine->chat, peer, worker, conn, time_now());
	mutex_unlock(engine->mutex);
	return session;
}

void engine_session_close(struct engine *engine, struct chat_session *session)
{
	mutex_lock(engine->mutex);
	chat_session_close(engine->chat, session, time_now());
	mutex_unlock(engine->mutex);
}

enum chat_answer engine_request(struct engine *engine, struct chat_session *session,
    const struct request *request)
{
	enum chat_answer answer;

	mutex_lock(engine->mutex);
	answer = chat_request(engine->chat, session, request, time_now());
	mutex_unlock(engine->mutex);
	return answer;
}

bool engine_tick(struct engine *engine)
{
	bool more;

	mutex_lock(engine->mutex);
	more = chat_tick(engine->chat, time_now());
	mutex_unlock(engine->mutex);
	return more;
}

void engine_count(struct engine *engine, struct chat_counts *ret)
{
	mutex_lock(engine->mutex);
	chat_count(engine->chat, ret);
	mutex_unlock(engine->mutex);
}
