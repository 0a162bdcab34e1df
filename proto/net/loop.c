#include "net/loop_private.h"

#include <assert.h>
#include <stdlib.h>

#include "os/thread.h"

struct loop_timer {
	uv_timer_t uv;
	struct list node;
	struct loop *loop;
	void (*fn)(void *arg);
	void *arg;
};

/* Moves all of `from` to `to`, which is empty: what is put into `from` meanwhile waits for the
 * next turn. */
static void move_all(struct list *from, struct list *to)
{
	list_init(to);
	if (list_is_empty(from))
		return;
	*to = *from;
	to->next->prev = to;
	to->prev->next = to;
	list_init(from);
}

static void for_each(struct list *from, void (*fn)(struct list *node))
{
	struct list now, *node;

	move_all(from, &now);
	while ((node = list_take(&now)) != NULL)
		fn(node);
}

static bool has_leftovers(const struct loop *loop)
{
	return !list_is_empty(&loop->handshakes) || !list_is_empty(&loop->readable) ||
	    !list_is_empty(&loop->hurried) || !list_is_empty(&loop->writable) ||
	    !list_is_empty(&loop->speakers);
}

static void on_idle(uv_idle_t *idle)
{
	struct loop *loop = idle->data;
	struct list *node;

	loop->is_active = true;
	while (loop->handshakes_left > 0 && (node = list_take(&loop->handshakes)) != NULL) {
		loop->handshakes_left--;
		conn_go_on(node);
	}
	for_each(&loop->readable, conn_go_on);
	if (!has_leftovers(loop))
		uv_idle_stop(idle);
}

void loop_hurry(struct loop *loop)
{
	loop->is_active = true;
	if (!uv_is_active((uv_handle_t *)&loop->idle))
		uv_idle_start(&loop->idle, on_idle);
}

/* The end of a turn: the wake-up callback, the owner's hook, then the gathered output. */
static void end_turn(struct loop *loop)
{
	if (loop->was_woken) {
		loop->was_woken = false;
		if (loop->handlers.on_wake != NULL)
			loop->handlers.on_wake(loop->handlers.arg);
	}
	if (!loop->is_active)
		return;
	loop->is_active = false;
	if (loop->handlers.on_turn_end != NULL)
		loop->handlers.on_turn_end(loop->handlers.arg);
	for_each(&loop->hurried, conn_flush);
	for_each(&loop->writable, conn_flush);
	for_each(&loop->speakers, conn_flush);
	loop->turn++;
	if (has_leftovers(loop))
		loop_hurry(loop);
}

/* While it runs the loop does not block. */
static void on_spin(uv_idle_t *idle)
{
	(void)idle;
	thread_yield();
}

/* Both hooks end a turn: check comes after the sockets' events, prepare comes before the loop
 * blocks again and sees to what timers and freshly made connections have caused. */
static void on_check(uv_check_t *check)
{
	struct loop *loop = check->data;

	if (loop->was_told)
		spin_end(&loop->spin, uv_hrtime());
	loop->was_told = false;
	loop->handshakes_left = LOOP_HANDSHAKES;
	end_turn(loop);
}

static void on_prepare(uv_prepare_t *prepare)
{
	struct loop *loop = prepare->data;

	end_turn(loop);
	loop->was_told = false; /* left over from the last turn: nobody has waited for it */
	if (loop->may_spin && !has_leftovers(loop) && spin_wait(&loop->spin, uv_hrtime()))
		uv_idle_start(&loop->spinning, on_spin);
	else
		uv_idle_stop(&loop->spinning);
}

static void on_async(uv_async_t *async)
{
	struct loop *loop = async->data;

	loop->was_woken = true;
	loop->is_active = true;
}

static void on_limit(uv_timer_t *timer)
{
	(void)timer; /* it has ended the wait, which is all it is for */
}

enum status loop_new(const struct loop_handlers *handlers, struct loop **ret, struct error *err)
{
	struct loop *loop = calloc(1, sizeof *loop);

	if (loop == NULL)
		return error_set(err, STATUS_NOMEM, "out of memory");
	loop->handlers = *handlers;
	buf_init(&loop->cipher, LOOP_CIPHER_MAX);
	list_init(&loop->conns);
	list_init(&loop->handshakes);
	list_init(&loop->readable);
	list_init(&loop->hurried);
	list_init(&loop->writable);
	list_init(&loop->speakers);
	loop->turn = 1;
	list_init(&loop->timers);
	loop->handshakes_left = LOOP_HANDSHAKES;
	loop->tls = tls_buffers_new();
	if (loop->tls == NULL) {
		free(loop);
		return error_set(err, STATUS_NOMEM, "out of memory");
	}
	if (uv_loop_init(&loop->uv) != 0)
		goto no_loop;
	if (uv_async_init(&loop->uv, &loop->wake, on_async) != 0)
		goto no_async;
	/* These cannot fail. */
	uv_prepare_init(&loop->uv, &loop->prepare);
	uv_check_init(&loop->uv, &loop->check);
	uv_idle_init(&loop->uv, &loop->idle);
	uv_idle_init(&loop->uv, &loop->spinning);
	uv_timer_init(&loop->uv, &loop->limit);
	loop->wake.data = loop->prepare.data = loop->check.data = loop->idle.data = loop;
	uv_prepare_start(&loop->prepare, on_prepare);
	uv_check_start(&loop->check, on_check);
	*ret = loop;
	return STATUS_OK;

no_async:
	uv_loop_close(&loop->uv);
no_loop:
	tls_buffers_free(loop->tls);
	free(loop);
	return error_set(err, STATUS_NO_FILES, "an event loop cannot be made: too many open files");
}

static void on_timer_closed(uv_handle_t *handle)
{
	free(handle->data);
}

void loop_free(struct loop *loop)
{
	struct list *node;

	if (loop == NULL)
		return;
	for_each(&loop->conns, conn_cut_off);
	while ((node = list_take(&loop->timers)) != NULL)
		loop_timer_free(list_entry(node, struct loop_timer, node));
	uv_close((uv_handle_t *)&loop->wake, NULL);
	uv_close((uv_handle_t *)&loop->prepare, NULL);
	uv_close((uv_handle_t *)&loop->check, NULL);
	uv_close((uv_handle_t *)&loop->idle, NULL);
	uv_close((uv_handle_t *)&loop->spinning, NULL);
	uv_close((uv_handle_t *)&loop->limit, NULL);
	/* Nothing can go on now but closing; the loop ends when all is closed. */
	while (uv_run(&loop->uv, UV_RUN_DEFAULT) != 0)
		continue;
	if (uv_loop_close(&loop->uv) != 0)
		abort(); /* somebody else's handle is in our loop */
	buf_release(&loop->cipher);
	tls_buffers_free(loop->tls);
	free(loop);
}

void loop_run(struct loop *loop)
{
	loop->is_active = true;
	loop->may_spin = true;
	uv_run(&loop->uv, UV_RUN_DEFAULT);
	loop->may_spin = false;
	uv_idle_stop(&loop->spinning);
}

void loop_run_once(struct loop *loop, unsigned timeout_ms)
{
	loop->is_active = true;
	if (timeout_ms == 0) {
		uv_run(&loop->uv, UV_RUN_NOWAIT);
	} else {
		uv_update_time(&loop->uv);
		uv_timer_start(&loop->limit, on_limit, timeout_ms, 0);
		uv_run(&loop->uv, UV_RUN_ONCE);
		uv_timer_stop(&loop->limit);
	}
	/* Timers run last in this mode; what they sent must not wait for the next call. */
	loop->is_active = true;
	end_turn(loop);
}

void loop_stop(struct loop *loop)
{
	loop->is_active = true;
	uv_stop(&loop->uv);
}

void loop_wake(struct loop *loop)
{
	uv_async_send(&loop->wake);
}

uint64_t loop_now_ms(const struct loop *loop)
{
	return uv_now(&loop->uv);
}

unsigned loop_conn_count(const struct loop *loop)
{
	return loop->conn_count;
}

enum status loop_timer_new(struct loop *loop, void (*fn)(void *arg), void *arg,
    struct loop_timer **ret)
{
	struct loop_timer *timer = calloc(1, sizeof *timer);

	if (timer == NULL)
		return STATUS_NOMEM;
	timer->loop = loop;
	timer->fn = fn;
	timer->arg = arg;
	uv_timer_init(&loop->uv, &timer->uv);
	timer->uv.data = timer;
	list_put(&loop->timers, &timer->node);
	*ret = timer;
	return STATUS_OK;
}

static void on_timer(uv_timer_t *uv)
{
	struct loop_timer *timer = uv->data;

	timer->loop->is_active = true;
	timer->fn(timer->arg);
}

void loop_timer_start(struct loop_timer *timer, uint64_t after_ms, uint64_t every_ms)
{
	uv_timer_start(&timer->uv, on_timer, after_ms, every_ms);
}

void loop_timer_stop(struct loop_timer *timer)
{
	uv_timer_stop(&timer->uv);
}

void loop_timer_free(struct loop_timer *timer)
{
	if (timer == NULL)
		return;
	list_remove(&timer->node);
	uv_close((uv_handle_t *)&timer->uv, on_timer_closed);
}
