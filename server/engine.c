#include "engine.h"

#include <stdlib.h>

#include "console.h"
#include "os/clock.h"
#include "os/log.h"
#include "os/thread.h"
#include "passwords.h"
#include "pool.h"
#include "worker.h"

#define POOL_THREADS 4

struct engine {
	struct mutex *mutex;
	struct pool *pool;
	struct chat *chat;
	struct store *store;
	struct worker *workers[];
};

static struct chat_time time_now(void)
{
	return (struct chat_time){clock_unix_ms(), clock_mono_ms()};
}

static void post(void *arg, struct chat_item *item)
{
	struct engine *engine = arg;

	if (item->worker == ENGINE_CONSOLE)
		console_take_item(item);
	else
		worker_put_item(engine->workers[item->worker], item);
}

static void store_done(void *arg, uint64_t ticket, enum status status)
{
	struct engine *engine = arg;
	bool first = false;

	mutex_lock(engine->mutex);
	if (status == STATUS_OK)
		chat_committed(engine->chat, ticket);
	else
		first = chat_failed(engine->chat, ticket, time_now());
	mutex_unlock(engine->mutex);
	/* One report takes everything back; those about the rest of it find nothing more. */
	if (!first)
		return;
	log_error("store", "nothing can be stored: %s; what was not acknowledged is taken back",
	    status_text(status));
	engine->store->ops->resume(engine->store);
}

/* --- Slow work ------------------------------------------------------------------------------ */

struct work {
	struct engine *engine;
	struct chat_job *job;
};

static void run_job(void *arg)
{
	struct work *work = arg;
	struct engine *engine = work->engine;

	chat_job_run(work->job);
	mutex_lock(engine->mutex);
	chat_job_done(engine->chat, work->job, time_now());
	mutex_unlock(engine->mutex);
	free(work);
}

static void cancel_job(void *arg)
{
	struct work *work = arg;
	struct engine *engine = work->engine;

	mutex_lock(engine->mutex);
	chat_job_refused(engine->chat, work->job, time_now());
	mutex_unlock(engine->mutex);
	free(work);
}

/* Called with the lock. What cannot be taken is refused by the next tick: not from in here. */
static void submit(void *arg, struct chat_job *job)
{
	struct engine *engine = arg;
	struct work *work = engine->pool != NULL ? malloc(sizeof *work) : NULL;

	if (work != NULL) {
		*work = (struct work){engine, job};
		if (pool_put(engine->pool, chat_job_hashes(job) ? POOL_HASH : POOL_READ, run_job,
			cancel_job, work) == STATUS_OK)
			return;
		free(work);
	}
	chat_job_refuse_later(engine->chat, job);
}

static enum status begin(struct engine *engine, const struct chat_options *options,
    struct error *err)
{
	static const struct chat_secrets secrets = {
	    .hash = password_hash,
	    .verify = password_verify,
	    .token_new = token_new,
	    .token_hash = token_hash,
	};
	struct chat_options own = *options;

	own.post = post;
	own.submit = submit;
	own.post_arg = engine;
	own.secrets = &secrets;
	engine->store->done = store_done;
	engine->store->done_arg = engine;
	engine->mutex = mutex_new();
	engine->pool = pool_new(POOL_THREADS);
	engine->chat = chat_new(&own);
	if (engine->pool == NULL || engine->chat == NULL)
		return error_set(err, STATUS_NOMEM, "out of memory");
	return chat_load(engine->chat, time_now(), err);
}

enum status engine_new(const struct chat_options *options, struct engine **ret, struct error *err)
{
	struct engine *engine =
	    calloc(1, sizeof *engine + options->workers * sizeof engine->workers[0]);
	enum status status;

	if (engine == NULL) {
		options->store->ops->close(options->store);
		return error_set(err, STATUS_NOMEM, "out of memory");
	}
	engine->store = options->store;
	status = begin(engine, options, err);
	if (status == STATUS_OK)
		*ret = engine;
	else
		engine_free(engine);
	return status;
}

void engine_settle(struct engine *engine)
{
	struct store *store = engine->store;
	struct pool *pool;

	/* Replays of connections that still read want more of it all the while. */
	if (engine->mutex != NULL)
		mutex_lock(engine->mutex);
	pool = engine->pool;
	engine->pool = NULL;
	if (engine->mutex != NULL)
		mutex_unlock(engine->mutex);
	pool_stop(pool);
	engine->store = NULL;
	if (store == NULL)
		return;
	/* Nobody asks for anything any more; but connections end, and guests with them. */
	mutex_lock(engine->mutex);
	if (engine->chat != NULL)
		chat_end_store(engine->chat);
	mutex_unlock(engine->mutex);
	/* Closing reports what is still open. */
	store->ops->close(store);
}

void engine_free(struct engine *engine)
{
	if (engine == NULL)
		return;
	engine_settle(engine);
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

void engine_session_drained(struct engine *engine, struct chat_session *session)
{
	mutex_lock(engine->mutex);
	chat_session_drained(engine->chat, session);
	mutex_unlock(engine->mutex);
}

enum chat_answer engine_request(struct engine *engine, struct chat_session *session,
    struct request *request)
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
