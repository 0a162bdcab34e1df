#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>

#include "net/conn_private.h"

#define HANDSHAKE_MS 10000

/* What one connection may use of one turn. */
#define TURN_LINES 64
#define TURN_BYTES 65536

/* --- held input ------------------------------------------------------------------------------- */

/* Between two turns the bytes must lie in memory of their own. */
static bool held_keep(struct conn_held *held)
{
	char *memory = NULL;

	if (held->rest.len > 0) {
		memory = malloc(held->rest.len);
		if (memory == NULL)
			return false;
		memcpy(memory, held->rest.ptr, held->rest.len);
	}
	free(held->memory);
	held->memory = memory;
	held->rest.ptr = memory;
	return true;
}

static void held_drop(struct conn_held *held)
{
	free(held->memory);
	*held = (struct conn_held){0};
}

/* --- ending ----------------------------------------------------------------------------------- */

static void on_closed(uv_handle_t *handle)
{
	static const struct error no_memory = {STATUS_NOMEM, "out of memory"};
	struct conn *conn = handle->data;

	if (--conn->handles > 0)
		return;
	conn->loop->is_active = true;
	/* Counted out before the owner hears of it, so that it can see whether it was the last. */
	list_remove(&conn->all);
	conn->loop->conn_count--;
	if (conn->handlers != NULL)
		conn->handlers->on_end(conn->arg, conn, conn->why != NULL ? conn->why : &no_memory,
		    conn->was_open);
	tls_free(conn->tls);
	held_drop(&conn->cipher);
	held_drop(&conn->plain);
	line_reader_release(&conn->lines);
	conn_drop_queue(conn);
	free(conn->why);
	free(conn);
}

void conn_end_as_said(struct conn *conn)
{
	if (conn->state == CONN_ENDED)
		return;
	conn->state = CONN_ENDED;
	list_remove(&conn->turn);
	list_remove(&conn->out);
	uv_close((uv_handle_t *)&conn->tcp, on_closed);
	uv_close((uv_handle_t *)&conn->timer, on_closed);
}

void conn_end(struct conn *conn, enum status status, const char *format, ...)
{
	va_list args;

	if (conn->state == CONN_ENDED)
		return;
	if (conn->why == NULL)
		conn->why = malloc(sizeof *conn->why);
	if (conn->why != NULL) {
		conn->why->status = status;
		va_start(args, format);
		vsnprintf(conn->why->text, sizeof conn->why->text, format, args);
		va_end(args);
	}
	conn_end_as_said(conn);
}

void conn_cut_off(struct list *node)
{
	struct conn *conn = list_entry(node, struct conn, all);

	conn->handlers = NULL;
	conn_end(conn, STATUS_CLOSED, "closed");
}

/* After an error of TLS, which stands in loop->err. An alert for the peer may have been collected, and it
 * must reach the peer: closing a socket with unread input would reset the connection and destroy
 * it, so our half is shut and the peer's end awaited, as after a goodbye. */
static void fail(struct conn *conn)
{
	bool has_alert = conn->loop->cipher.len > 0;

	held_drop(&conn->cipher);
	held_drop(&conn->plain);
	conn_drop_queue(conn);
	conn->why = malloc(sizeof *conn->why);
	if (conn->why != NULL)
		*conn->why = conn->loop->err;
	if (!has_alert || conn->is_broken || conn->said_goodbye) {
		buf_clear(&conn->loop->cipher);
		conn_end_as_said(conn);
		return;
	}
	conn->state = CONN_FAILING;
	conn_set_deadline(conn, CONN_END_MS);
	conn_push(conn);
	if (conn->state == CONN_FAILING)
		conn_shut(conn);
}

/* --- the timer -------------------------------------------------------------------------------- */

static void arm(struct conn *conn);

static void on_deadline(struct conn *conn)
{
	if (conn->state == CONN_FAILING)
		conn_end_as_said(conn);
	else if (conn->is_broken)
		conn_end(conn, STATUS_RESET, "connection reset by the peer");
	else if (conn->state == CONN_HANDSHAKE)
		conn_end(conn, STATUS_TIMEOUT, "the TLS handshake was not done in time");
	else if (!conn->has_shut)
		conn_end(conn, STATUS_TIMEOUT, "the peer did not take our last bytes in time");
	else if (conn->peer_done)
		conn_end(conn, STATUS_OK, "closed");
	else
		conn_end(conn, STATUS_TIMEOUT, "the peer did not end its stream in time");
}

static void on_timer(uv_timer_t *timer)
{
	struct conn *conn = timer->data;
	uint64_t now = uv_now(&conn->loop->uv);

	conn->loop->is_active = true;
	conn->armed_for = 0;
	if (conn->deadline_due != 0 && now >= conn->deadline_due) {
		on_deadline(conn);
		return;
	}
	if (conn->state == CONN_OPEN && conn->owner_due != 0 && now >= conn->owner_due) {
		conn->owner_due = 0;
		conn->handlers->on_timer(conn->arg, conn);
	}
	arm(conn);
}

/* One timer serves both times. It is moved only to fire earlier: one that fires too early finds
 * nothing due and is started again, so that putting a time off costs nothing. */
static void arm(struct conn *conn)
{
	uint64_t due = conn->deadline_due;
	uint64_t now = uv_now(&conn->loop->uv);

	if (conn->state == CONN_ENDED)
		return;
	if (conn->state == CONN_OPEN && conn->owner_due != 0 &&
	    (due == 0 || conn->owner_due < due))
		due = conn->owner_due;
	if (due == 0 || (conn->armed_for != 0 && conn->armed_for <= due))
		return;
	conn->armed_for = due;
	uv_timer_start(&conn->timer, on_timer, due > now ? due - now : 0, 0);
}

void conn_set_deadline(struct conn *conn, unsigned after_ms)
{
	conn->deadline_due = after_ms > 0 ? uv_now(&conn->loop->uv) + after_ms : 0;
	arm(conn);
}

void conn_set_timer(struct conn *conn, unsigned after_ms)
{
	conn->owner_due = after_ms > 0 ? uv_now(&conn->loop->uv) + after_ms : 0;
	arm(conn);
}

/* --- input ------------------------------------------------------------------------------------ */

/* TLS's `receive`. */
static size_t give(void *arg, void *to, size_t max)
{
	struct conn *conn = arg;
	struct slice *rest = &conn->cipher.rest;
	size_t len = rest->len < max ? rest->len : max;

	if (len == 0)
		return conn->peer_ended ? TLS_END : 0;
	memcpy(to, rest->ptr, len);
	rest->ptr += len;
	rest->len -= len;
	return len;
}

static bool has_held(const struct conn *conn)
{
	return conn->cipher.rest.len > 0 || conn->plain.rest.len > 0;
}

/* Comes back in the next turn. */
static void wait_for_turn(struct conn *conn, struct list *whose)
{
	if (conn->state == CONN_ENDED)
		return;
	list_remove(&conn->turn);
	list_put(whose, &conn->turn);
	loop_hurry(conn->loop);
}

static void on_alloc(uv_handle_t *handle, size_t wanted, uv_buf_t *ret)
{
	struct conn *conn = handle->data;

	(void)wanted;
	/* One buffer for all: it is used up or copied before the next connection is read. libuv
	 * asks for it only when there is something to read, on Windows too. */
	*ret = uv_buf_init(conn->loop->read, LOOP_READ_SIZE);
}

static void on_read(uv_stream_t *stream, ssize_t len, const uv_buf_t *bytes);

static bool wants_input(const struct conn *conn)
{
	if (conn->state == CONN_ENDED || conn->peer_ended || has_held(conn) ||
	    !list_is_empty(&conn->turn))
		return false;
	if (conn->state == CONN_OPEN)
		return !conn->is_paused && !conn->peer_done && !conn->too_long;
	return true;
}

void conn_watch(struct conn *conn)
{
	bool wanted = wants_input(conn);

	if (wanted == conn->is_reading || conn->state == CONN_ENDED)
		return;
	conn->is_reading = wanted;
	if (!wanted)
		uv_read_stop((uv_stream_t *)&conn->tcp);
	else if (uv_read_start((uv_stream_t *)&conn->tcp, on_alloc, on_read) != 0)
		conn_end(conn, STATUS_RESET, "connection reset by the peer");
}

static void open_up(struct conn *conn)
{
	struct tls_info info;

	conn->state = CONN_OPEN;
	conn->was_open = true;
	conn_set_deadline(conn, 0);
	tls_get_info(conn->tls, &info);
	tls_forget_peer(conn->tls);
	conn->info = &info;
	conn->handlers->on_open(conn->arg, conn);
	conn->info = NULL;
	if (conn->queue_count > 0)
		conn_want_flush(conn);
}

static void step_handshake(struct conn *conn)
{
	enum status status = tls_handshake(conn->tls, &conn->loop->err);

	if (status != STATUS_OK && status != STATUS_AGAIN) {
		fail(conn);
		return;
	}
	/* The whole flight in one write, and what the owner says at once with it: for a server its
	 * ticket and its first line. */
	if (status == STATUS_OK)
		open_up(conn);
	if (conn->state == CONN_OPEN && conn->queue_count > 0) {
		list_remove(&conn->out);
		conn_flush(&conn->out);
	}
	conn_push(conn);
}

/* The peer's TCP stream is at its end. What it means depends on who said goodbye before. */
static void stream_ended(struct conn *conn)
{
	if (conn->state == CONN_FAILING) {
		conn_end_as_said(conn);
	} else if (conn->is_broken) {
		conn_end(conn, STATUS_RESET, "connection reset by the peer");
	} else if (conn->said_goodbye) {
		/* The shutdown may still be on its way; its end is ours. */
		if (conn->has_shut)
			conn_end(conn, STATUS_OK, "closed");
	} else if (!conn->peer_done) {
		conn_end(conn, STATUS_TRUNCATED, "the peer's stream ended without close_notify");
	}
}

/* Cuts plaintext into lines; false when the turn is used up or lines are not wanted now. */
static bool deliver_lines(struct conn *conn, unsigned *lines_left)
{
	struct slice line;

	while (conn->plain.rest.len > 0) {
		enum status status;

		if (conn->state != CONN_OPEN) {
			conn->plain.rest.len = 0;
			return true;
		}
		if (conn->is_paused || *lines_left == 0)
			return false;
		status = line_reader_next(&conn->lines, &conn->plain.rest, &line);
		if (status == STATUS_OK) {
			--*lines_left;
			conn->heard_in = conn->loop->turn;
			conn->loop->was_told = true;
			conn->handlers->on_line(conn->arg, conn, line);
		} else if (status == STATUS_FULL) {
			conn->too_long = true;
			conn->plain.rest.len = 0;
			conn->handlers->on_line_too_long(conn->arg, conn);
			if (conn->state == CONN_OPEN)
				return false;
		} else if (status != STATUS_AGAIN) {
			conn_end(conn, status, "%s", status_text(status));
		}
	}
	return true;
}

static void peer_said_goodbye(struct conn *conn)
{
	conn->peer_done = true;
	conn->cipher.rest.len = 0;
	if (conn->state == CONN_OPEN)
		conn->handlers->on_peer_done(conn->arg, conn);
}

/* Reads what there is, within the turn's bounds; true when all was used up. */
static bool read_some(struct conn *conn)
{
	unsigned lines_left = TURN_LINES;
	size_t bytes = 0;

	while (conn->state != CONN_ENDED && conn->state != CONN_FAILING) {
		enum status status;
		size_t len;

		if (!deliver_lines(conn, &lines_left))
			return false;
		if (conn->state == CONN_ENDED)
			return true;
		if (conn->state == CONN_OPEN && (conn->is_paused || lines_left == 0))
			return false;
		if (conn->peer_done) {
			conn->cipher.rest.len = 0;
			return true;
		}
		if (bytes >= TURN_BYTES)
			return false;
		status = tls_read(conn->tls, conn->loop->plain_in, LOOP_PLAIN_SIZE, &len,
		    &conn->loop->err);
		if (status != STATUS_OK && status != STATUS_AGAIN && status != STATUS_EOF &&
		    status != STATUS_TRUNCATED) {
			fail(conn);
			break;
		}
		/* TLS may have answered something of its own, such as "no renegotiation". */
		conn_push(conn);
		if (status == STATUS_OK) {
			bytes += len;
			conn->plain.rest = slice_make(conn->loop->plain_in, len);
		} else if (status == STATUS_EOF) {
			peer_said_goodbye(conn);
		} else {
			return true;
		}
	}
	conn->cipher.rest.len = conn->plain.rest.len = 0;
	return true;
}

/* All that can be done now with the input there is. */
static void use_input(struct conn *conn)
{
	bool used_up = true;

	if (conn->state == CONN_HANDSHAKE)
		step_handshake(conn);
	if (conn->state == CONN_OPEN || conn->state == CONN_FINISHING)
		used_up = read_some(conn);
	else
		conn->cipher.rest.len = 0;
	if (conn->state == CONN_ENDED)
		return;
	if (!held_keep(&conn->cipher) || !held_keep(&conn->plain)) {
		conn_end(conn, STATUS_NOMEM, "out of memory");
		return;
	}
	if (!used_up && !(conn->state == CONN_OPEN && (conn->is_paused || conn->too_long)))
		wait_for_turn(conn, &conn->loop->readable);
	else if (conn->peer_ended && used_up)
		stream_ended(conn);
	if (conn->state != CONN_ENDED)
		conn_watch(conn);
}

void conn_go_on(struct list *node)
{
	use_input(list_entry(node, struct conn, turn));
}

static void read_failed(struct conn *conn)
{
	if (conn->state == CONN_FAILING)
		conn_end_as_said(conn);
	else if (conn->peer_done && conn->said_goodbye)
		conn_end(conn, STATUS_OK, "closed");
	else
		conn_end(conn, STATUS_RESET, "connection reset by the peer");
}

static void on_read(uv_stream_t *stream, ssize_t len, const uv_buf_t *bytes)
{
	struct conn *conn = stream->data;
	struct loop *loop = conn->loop;

	loop->is_active = true;
	if (conn->state == CONN_ENDED || len == 0)
		return;
	if (len < 0 && len != UV_EOF) {
		read_failed(conn);
		return;
	}
	if (len == UV_EOF) {
		conn->peer_ended = true;
	} else {
		conn->bytes_in += (size_t)len;
		conn->cipher.rest = slice_make(bytes->base, (size_t)len);
	}
	if (conn->state != CONN_HANDSHAKE) {
		use_input(conn);
		/* libuv would go on with a full buffer at once; others come first. */
		if (len == LOOP_READ_SIZE) {
			wait_for_turn(conn, &loop->readable);
			conn_watch(conn);
		}
		return;
	}
	/* Handshakes are dear (1 ms and more): they take turns, first come, first served. */
	if (loop->handshakes_left > 0 && list_is_empty(&loop->handshakes)) {
		loop->handshakes_left--;
		use_input(conn);
		return;
	}
	if (!held_keep(&conn->cipher)) {
		conn_end(conn, STATUS_NOMEM, "out of memory");
		return;
	}
	wait_for_turn(conn, &loop->handshakes);
	conn_watch(conn);
}

/* --- birth and the owner's calls -------------------------------------------------------------- */

static void on_stillborn(uv_handle_t *handle)
{
	free(handle->data);
}

static enum status take_socket(struct conn *conn, socket_handle socket)
{
	conn->tcp.data = conn->timer.data = conn;
	if (uv_tcp_init(&conn->loop->uv, &conn->tcp) != 0) {
		free(conn);
		return STATUS_NOMEM;
	}
	if (uv_tcp_open(&conn->tcp, (uv_os_sock_t)socket) != 0) {
		uv_close((uv_handle_t *)&conn->tcp, on_stillborn);
		return STATUS_IO;
	}
	uv_timer_init(&conn->loop->uv, &conn->timer);
	conn->handles = 2;
	return STATUS_OK;
}

enum status conn_new(struct loop *loop, socket_handle socket, const struct conn_options *options,
    struct conn **ret)
{
	struct conn *conn = calloc(1, sizeof *conn);
	struct tls_io io = {.receive = give, .send = conn_collect, .arg = conn};
	enum status status = STATUS_NOMEM;
	struct tls *tls;

	if (conn == NULL)
		goto no_conn;
	status = tls_new(options->context, options->host, &io, loop->tls, &tls);
	if (status != STATUS_OK)
		goto no_tls;
	conn->loop = loop;
	status = take_socket(conn, socket);
	if (status != STATUS_OK)
		goto no_socket;
	conn->tls = tls;
	conn->handlers = options->handlers;
	conn->arg = options->arg;
	line_reader_init(&conn->lines, options->line_max);
	list_init(&conn->all);
	list_init(&conn->turn);
	list_init(&conn->out);
	list_put(&loop->conns, &conn->all);
	loop->conn_count++;
	conn_set_deadline(conn, options->handshake_ms > 0 ? options->handshake_ms : HANDSHAKE_MS);
	/* A client speaks first; a server waits. */
	if (options->host != NULL)
		wait_for_turn(conn, &loop->handshakes);
	conn_watch(conn);
	*ret = conn;
	return STATUS_OK;

no_socket:
	tls_free(tls);
	socket_close(socket);
	return status;
no_tls:
	free(conn);
no_conn:
	socket_close(socket);
	return status;
}

void conn_finish(struct conn *conn)
{
	if (conn->state == CONN_HANDSHAKE) {
		conn_end(conn, STATUS_CLOSED, "closed before the TLS handshake was done");
		return;
	}
	if (conn->state != CONN_OPEN)
		return;
	conn->state = CONN_FINISHING;
	if (!conn->is_broken)
		conn_set_deadline(conn, CONN_END_MS);
	/* Held lines are thrown away, but the peer's goodbye may lie behind them. */
	conn->is_paused = false;
	if (has_held(conn) || conn->peer_ended)
		wait_for_turn(conn, &conn->loop->readable);
	conn_want_flush(conn);
	conn_watch(conn);
}

void conn_abort(struct conn *conn, const struct error *why)
{
	if (why != NULL)
		conn_end(conn, why->status, "%s", why->text);
	else
		conn_end(conn, STATUS_CLOSED, "closed");
}

void conn_pause(struct conn *conn)
{
	conn->is_paused = true;
	if (conn->state == CONN_OPEN)
		conn_watch(conn);
}

void conn_resume(struct conn *conn)
{
	if (!conn->is_paused)
		return;
	conn->is_paused = false;
	if (conn->state != CONN_OPEN)
		return;
	/* Held input goes first, and not from within the caller's call. */
	if (has_held(conn))
		wait_for_turn(conn, &conn->loop->readable);
	conn_watch(conn);
}

void conn_set_line_max(struct conn *conn, size_t line_max)
{
	line_reader_set_max(&conn->lines, line_max);
}

const struct tls_info *conn_info(const struct conn *conn)
{
	assert(conn->info != NULL);
	return conn->info;
}

void conn_traffic(const struct conn *conn, uint64_t *ret_in, uint64_t *ret_out)
{
	*ret_in = conn->bytes_in;
	*ret_out = conn->bytes_out;
}
