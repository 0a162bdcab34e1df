/*
 * Without a running server the verbs ask the core in this process, on the data directory that we
 * then hold the lock of.
 */
#include <stdlib.h>

#include "admin/channel.h"
#include "console.h"
#include "core.h"
#include "os/clock.h"
#include "os/thread.h"

struct waiting {
	struct waiting *next;
	struct blob *line;
};

struct local {
	struct engine *engine;
	struct console *console;
	struct mutex *mutex;
	struct cond *cond;
	struct waiting *first, **last;
	struct blob *shown; /* lent to the caller */
	bool ended;
};

/* --- What the core says, from any of its threads ---------------------------------------------- */

static void end(struct local *local)
{
	mutex_lock(local->mutex);
	local->ended = true;
	cond_wake_all(local->cond);
	mutex_unlock(local->mutex);
}

static void on_line(void *arg, struct blob *line)
{
	struct local *local = arg;
	struct waiting *waiting = malloc(sizeof *waiting);

	if (waiting == NULL) {
		end(local);
		return;
	}
	*waiting = (struct waiting){NULL, blob_ref(line)};
	mutex_lock(local->mutex);
	*local->last = waiting;
	local->last = &waiting->next;
	cond_wake_all(local->cond);
	mutex_unlock(local->mutex);
}

static void on_finish(void *arg)
{
	end(arg);
}

static void on_gone(void *arg)
{
	(void)arg;
}

/* --- The channel ------------------------------------------------------------------------------ */

static enum status send_line(void *impl, struct slice line, unsigned timeout_ms, struct error *err)
{
	struct local *local = impl;

	(void)timeout_ms;
	(void)err;
	console_line(local->console, line);
	return STATUS_OK;
}

static struct waiting *take(struct local *local, unsigned timeout_ms)
{
	uint64_t until = clock_mono_ms() + timeout_ms;
	struct waiting *waiting;

	mutex_lock(local->mutex);
	while (local->first == NULL && !local->ended) {
		uint64_t now = clock_mono_ms();

		if (now >= until)
			break;
		cond_wait_ms(local->cond, local->mutex, until - now);
	}
	waiting = local->first;
	if (waiting != NULL) {
		local->first = waiting->next;
		if (local->first == NULL)
			local->last = &local->first;
	}
	mutex_unlock(local->mutex);
	return waiting;
}

static enum status read_line(void *impl, unsigned timeout_ms, struct slice *ret_line,
    struct error *err)
{
	struct local *local = impl;
	struct waiting *waiting = take(local, timeout_ms);
	struct slice line;

	if (waiting == NULL && local->ended)
		return error_set(err, STATUS_CLOSED, "the request was not answered");
	if (waiting == NULL)
		return error_set(err, STATUS_TIMEOUT, "the request was not answered in time");
	blob_unref(local->shown);
	local->shown = waiting->line;
	free(waiting);
	line = blob_slice(local->shown);
	*ret_line = slice_make(line.ptr, line.len - 1);
	return STATUS_OK;
}

static void close_local(void *impl)
{
	struct local *local = impl;

	if (local->console != NULL)
		console_close(local->console);
	engine_free(local->engine);
	while (local->first != NULL) {
		struct waiting *waiting = local->first;

		local->first = waiting->next;
		blob_unref(waiting->line);
		free(waiting);
	}
	blob_unref(local->shown);
	cond_free(local->cond);
	mutex_free(local->mutex);
	free(local);
}

enum status admin_local_open(const struct config *config, struct admin_channel *ret,
    struct error *err)
{
	static const struct console_handlers handlers = {on_line, on_finish, on_gone};
	static const struct admin_channel_ops ops = {send_line, read_line, close_local};
	struct local *local = calloc(1, sizeof *local);
	enum status status;

	if (local == NULL)
		return error_set(err, STATUS_NOMEM, "out of memory");
	local->last = &local->first;
	local->mutex = mutex_new();
	local->cond = cond_new();
	status = core_open(config, 0, NULL, &local->engine, err);
	if (status == STATUS_OK)
		local->console = console_open(local->engine, &handlers, local);
	if (status == STATUS_OK && local->console == NULL)
		status = error_set(err, STATUS_NOMEM, "out of memory");
	if (status != STATUS_OK) {
		close_local(local);
		return status;
	}
	*ret = (struct admin_channel){&ops, local, true};
	return STATUS_OK;
}
