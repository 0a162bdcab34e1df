#include <assert.h>
#include <stdlib.h>

#include "net/conn_private.h"

#define QUEUE_CAP_FIRST 8
#define QUEUE_CAP_KEPT 64 /* a larger ring is given back when it is empty */

/* Encrypted for one connection in one turn. Larger backlogs take several turns, between which
 * others are served. */
#define FLUSH_MAX (256 * 1024)

/* --- the queue -------------------------------------------------------------------------------- */

static struct blob **queue_at(struct conn *conn, unsigned index)
{
	return &conn->queue[(conn->queue_first + index) & (conn->queue_cap - 1)];
}

static bool queue_grow(struct conn *conn)
{
	unsigned cap = conn->queue_cap > 0 ? conn->queue_cap * 2 : QUEUE_CAP_FIRST;
	struct blob **queue = malloc(cap * sizeof *queue);

	if (queue == NULL)
		return false;
	for (unsigned i = 0; i < conn->queue_count; i++)
		queue[i] = *queue_at(conn, i);
	free(conn->queue);
	conn->queue = queue;
	conn->queue_cap = cap;
	conn->queue_first = 0;
	return true;
}

static void queue_drop_first(struct conn *conn)
{
	blob_unref(*queue_at(conn, 0));
	conn->queue_first = (conn->queue_first + 1) & (conn->queue_cap - 1);
	conn->queue_count--;
	conn->first_sent = 0;
}

void conn_drop_queue(struct conn *conn)
{
	while (conn->queue_count > 0)
		queue_drop_first(conn);
	free(conn->queue);
	conn->queue = NULL;
	conn->queue_cap = conn->queue_first = 0;
	conn->queue_bytes = 0;
}

void conn_send(struct conn *conn, struct blob *line)
{
	if (conn->state > CONN_OPEN || conn->is_broken)
		return;
	assert(line->len > 0 && line->bytes[line->len - 1] == '\n');
	if (conn->queue_count == conn->queue_cap && !queue_grow(conn)) {
		conn_end(conn, STATUS_NOMEM, "out of memory");
		return;
	}
	*queue_at(conn, conn->queue_count++) = blob_ref(line);
	conn->queue_bytes += line->len;
	conn_want_flush(conn);
}

void conn_drop_lines(struct conn *conn)
{
	unsigned kept = conn->first_sent > 0 ? 1 : 0;

	while (conn->queue_count > kept) {
		struct blob *last = *queue_at(conn, --conn->queue_count);

		conn->queue_bytes -= last->len;
		blob_unref(last);
	}
}

static size_t unsent(const struct conn *conn)
{
	return uv_stream_get_write_queue_size((const uv_stream_t *)&conn->tcp);
}

size_t conn_backlog(const struct conn *conn)
{
	return conn->queue_bytes + unsent(conn);
}

void conn_tell_drained(struct conn *conn, size_t bytes)
{
	if (conn->state > CONN_OPEN)
		return;
	conn->tell_drained = true;
	conn->drained = bytes;
	conn_want_flush(conn);
}

static void check_drained(struct conn *conn)
{
	if (!conn->tell_drained || conn->state != CONN_OPEN || conn->is_broken ||
	    conn->handlers == NULL || conn_backlog(conn) > conn->drained)
		return;
	conn->tell_drained = false;
	conn->handlers->on_drained(conn->arg, conn);
}

void conn_want_flush(struct conn *conn)
{
	if (conn->state == CONN_ENDED)
		return;
	list_remove(&conn->out);
	list_put(conn->hurried_in == conn->loop->turn ? &conn->loop->hurried :
		 conn->heard_in == conn->loop->turn   ? &conn->loop->speakers :
							&conn->loop->writable,
	    &conn->out);
	conn->loop->is_active = true;
}

void conn_hurry(struct conn *conn)
{
	conn->hurried_in = conn->loop->turn;
	conn_want_flush(conn);
}

/* --- ciphertext to the socket ----------------------------------------------------------------- */

/* What the socket did not take at once. */
struct rest {
	uv_write_t request;
	struct conn *conn;
	size_t len;
	char bytes[];
};

bool conn_collect(void *arg, const void *bytes, size_t len)
{
	struct conn *conn = arg;

	return buf_put(&conn->loop->cipher, bytes, len);
}

/* The peer is gone as far as writing is concerned. An alert that says why, or the rest of its
 * lines, may still lie unread in our kernel: read for a while, then end. */
static void break_off(struct conn *conn)
{
	if (conn->is_broken || conn->state == CONN_ENDED)
		return;
	conn->is_broken = true;
	conn_drop_queue(conn);
	if (conn->state == CONN_FAILING) {
		conn_end_as_said(conn);
	} else if (conn->peer_done && conn->said_goodbye) {
		conn_end(conn, STATUS_OK, "closed");
	} else if (conn->is_paused || conn->peer_done || conn->peer_ended || conn->too_long) {
		conn_end(conn, STATUS_RESET, "connection reset by the peer");
	} else {
		conn_set_deadline(conn, CONN_END_MS);
		conn_watch(conn);
	}
}

static void on_written(uv_write_t *request, int code)
{
	struct rest *rest = list_entry(request, struct rest, request);
	struct conn *conn = rest->conn;

	conn->loop->is_active = true;
	if (conn->state != CONN_ENDED) {
		if (code == 0) {
			conn->bytes_out += rest->len;
			/* The peer still takes something: an ending waits for it anew. */
			if (conn->state == CONN_FINISHING && !conn->has_shut)
				conn_set_deadline(conn, CONN_END_MS);
			if (conn->queue_count > 0 || conn->state == CONN_FINISHING ||
			    conn->tell_drained)
				conn_want_flush(conn);
		} else {
			break_off(conn);
		}
	}
	free(rest);
}

static void write_rest(struct conn *conn, const char *bytes, size_t len)
{
	struct rest *rest = malloc(sizeof *rest + len);
	uv_buf_t out;

	if (rest == NULL) {
		conn_end(conn, STATUS_NOMEM, "out of memory");
		return;
	}
	rest->conn = conn;
	rest->len = len;
	memcpy(rest->bytes, bytes, len);
	out = uv_buf_init(rest->bytes, (unsigned)len);
	if (uv_write(&rest->request, (uv_stream_t *)&conn->tcp, &out, 1, on_written) != 0) {
		free(rest);
		break_off(conn);
	}
}

void conn_push(struct conn *conn)
{
	struct buf *cipher = &conn->loop->cipher;
	uv_buf_t out = uv_buf_init(cipher->ptr, (unsigned)cipher->len);
	int taken;

	if (cipher->len == 0)
		return;
	if (conn->state != CONN_ENDED && !conn->is_broken) {
		taken = uv_try_write((uv_stream_t *)&conn->tcp, &out, 1);
		if (taken >= 0) {
			conn->bytes_out += (unsigned)taken;
			if ((size_t)taken < cipher->len)
				write_rest(conn, cipher->ptr + taken, cipher->len - (unsigned)taken);
		} else if (taken == UV_EAGAIN || taken == UV_ENOSYS) {
			write_rest(conn, cipher->ptr, cipher->len);
		} else {
			break_off(conn);
		}
	}
	buf_clear(cipher);
}

/* --- the end of a turn ------------------------------------------------------------------------ */

/* Fills one record's worth from the front of the queue; the bytes, to be written before the next
 * call. */
static struct slice next_record(struct conn *conn)
{
	char *to = conn->loop->plain_out;
	size_t len = 0;

	while (conn->queue_count > 0 && len < TLS_RECORD_MAX) {
		const struct blob *blob = *queue_at(conn, 0);
		size_t part = blob->len - conn->first_sent;

		if (part > TLS_RECORD_MAX - len)
			part = TLS_RECORD_MAX - len;
		memcpy(to + len, blob->bytes + conn->first_sent, part);
		len += part;
		conn->first_sent += part;
		if (conn->first_sent == blob->len)
			queue_drop_first(conn);
	}
	conn->queue_bytes -= len;
	return slice_make(to, len);
}

static enum status encrypt_queue(struct conn *conn)
{
	enum status status = STATUS_OK;
	size_t total = 0;

	while (status == STATUS_OK && conn->queue_count > 0 && total < FLUSH_MAX) {
		struct slice record = next_record(conn);

		status = tls_write(conn->tls, record.ptr, record.len);
		total += record.len;
	}
	if (conn->queue_count == 0 && conn->queue_cap > QUEUE_CAP_KEPT)
		conn_drop_queue(conn);
	return status;
}

static void on_shut(uv_shutdown_t *request, int code)
{
	struct conn *conn = request->data;

	conn->loop->is_active = true;
	if (conn->state == CONN_ENDED)
		return;
	if (code != 0)
		conn->is_broken = true;
	conn->has_shut = true;
	if (conn->peer_ended || (code != 0 && conn->peer_done)) {
		if (conn->state == CONN_FAILING)
			conn_end_as_said(conn);
		else
			conn_end(conn, STATUS_OK, "closed");
		return;
	}
	conn_set_deadline(conn, CONN_END_MS);
	conn_watch(conn);
}

void conn_shut(struct conn *conn)
{
	conn->shutdown.data = conn;
	if (uv_shutdown(&conn->shutdown, (uv_stream_t *)&conn->tcp, on_shut) != 0) {
		if (conn->state == CONN_FAILING)
			conn_end_as_said(conn);
		else
			conn_end(conn, STATUS_RESET, "connection reset by the peer");
	}
}

/* The goodbye follows the last line, in the same write where they fit. */
static enum status say_goodbye(struct conn *conn)
{
	conn->said_goodbye = true;
	return tls_close_notify(conn->tls);
}

void conn_flush(struct list *node)
{
	struct conn *conn = list_entry(node, struct conn, out);
	enum status status;
	bool last;

	if ((conn->state != CONN_OPEN && conn->state != CONN_FINISHING) || conn->said_goodbye ||
	    conn->is_broken)
		return;
	/* While the socket is full, lines gather in the queue; on_written comes back here. */
	if (unsent(conn) > 0)
		return;
	status = encrypt_queue(conn);
	last = conn->state == CONN_FINISHING && conn->queue_count == 0;
	if (status == STATUS_OK && last)
		status = say_goodbye(conn);
	if (status != STATUS_OK) {
		buf_clear(&conn->loop->cipher);
		conn_end(conn, status, "%s", status_text(status));
		return;
	}
	conn_push(conn);
	if (conn->state == CONN_ENDED || conn->is_broken)
		return;
	if (last)
		conn_shut(conn);
	else if (conn->queue_count > 0 && unsent(conn) == 0)
		conn_want_flush(conn);
	check_drained(conn);
}

void conn_send_now(struct conn *conn)
{
	assert(conn->loop->cipher.len == 0);
	while ((conn->state == CONN_OPEN || conn->state == CONN_FINISHING) && !conn->is_broken &&
	    conn->queue_count > 0 && unsent(conn) == 0)
		conn_flush(&conn->out);
}
