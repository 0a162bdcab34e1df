#include "net/pipe.h"

#include <assert.h>
#include <stdlib.h>

#include "net/loop_private.h"
#include "net/pipe_platform.h"
#include "wire/line.h"

#define READ_SIZE 4096
#define CLOSE_MS 2000 /* for the peer to take what was sent */

struct pipe_server {
	struct loop *loop;
	struct pipe_handlers handlers;
	struct pipe_acceptor *acceptor;
	struct list conns;
	unsigned count;
	unsigned idle_ms;
};

struct pipe_conn {
	struct list node;
	struct pipe_server *server;
	void *user;
	uv_pipe_t pipe;
	uv_timer_t timer;    /* idle, or the end of the patience in closing */
	unsigned handles;    /* of these two that are not closed */
	size_t backlog;	     /* bytes that were not taken yet */
	bool owed, paused;
	bool peer_done;	     /* it sent its end */
	bool closing, ended; /* we let what was sent leave; it is over */
	struct line_reader reader;
	char read[READ_SIZE];
};

struct sending {
	uv_write_t req;
	struct pipe_conn *conn;
	struct blob *line;
};

enum status pipe_path(const char *data_dir, struct buf *to, struct error *err)
{
	uv_fs_t req;
	int code = uv_fs_realpath(NULL, &req, data_dir, NULL);
	enum status status = STATUS_OK;

	if (code == 0) {
		pipe_platform_path(req.ptr, to);
		if (to->failed)
			status = error_set(err, STATUS_NOMEM, "out of memory");
	} else if (code == UV_ENOENT || code == UV_ENOTDIR) {
		status = error_set(err, STATUS_NOT_FOUND, "there is no folder %s", data_dir);
	} else {
		status = error_set(err, code == UV_EACCES ? STATUS_ACCESS : STATUS_IO,
		    "cannot use the folder %s: %s", data_dir, uv_strerror(code));
	}
	uv_fs_req_cleanup(&req);
	return status;
}

/* --- The end of a connection ---------------------------------------------------------------- */

static void on_closed(uv_handle_t *handle)
{
	struct pipe_conn *conn = handle->data;

	if (--conn->handles > 0)
		return;
	line_reader_release(&conn->reader);
	free(conn);
}

static void end(struct pipe_conn *conn)
{
	if (conn->ended)
		return;
	conn->ended = conn->closing = true;
	list_remove(&conn->node);
	conn->server->count--;
	uv_close((uv_handle_t *)&conn->pipe, on_closed);
	uv_close((uv_handle_t *)&conn->timer, on_closed);
	if (conn->user != NULL)
		conn->server->handlers.on_close(conn->user);
	conn->user = NULL;
}

static void on_timer(uv_timer_t *timer)
{
	end(timer->data);
}

/* Ends it from the loop, not from within the caller's own call. */
static void end_soon(struct pipe_conn *conn)
{
	conn->closing = true;
	uv_timer_start(&conn->timer, on_timer, 0, 0);
}

static void rest(struct pipe_conn *conn)
{
	if (conn->closing)
		return;
	if (conn->owed)
		uv_timer_stop(&conn->timer);
	else
		uv_timer_start(&conn->timer, on_timer, conn->server->idle_ms, 0);
}

void pipe_conn_close(struct pipe_conn *conn)
{
	if (conn->closing)
		return;
	conn->closing = true;
	uv_read_stop((uv_stream_t *)&conn->pipe);
	uv_timer_start(&conn->timer, on_timer, conn->backlog > 0 ? CLOSE_MS : 0, 0);
}

/* --- Output --------------------------------------------------------------------------------- */

static void on_sent(uv_write_t *req, int code)
{
	struct sending *sending = req->data;
	struct pipe_conn *conn = sending->conn;

	conn->backlog -= sending->line->len;
	blob_unref(sending->line);
	free(sending);
	if (conn->ended)
		return;
	if (code != 0 || (conn->closing && conn->backlog == 0))
		end_soon(conn);
	else
		rest(conn);
}

void pipe_conn_send(struct pipe_conn *conn, struct blob *line)
{
	struct sending *sending;
	uv_buf_t buf;

	if (conn->closing) {
		blob_unref(line);
		return;
	}
	sending = malloc(sizeof *sending);
	if (sending == NULL || line->len > PIPE_BACKLOG_MAX - conn->backlog)
		goto fail;
	*sending = (struct sending){.conn = conn, .line = line};
	sending->req.data = sending;
	buf = uv_buf_init(line->bytes, line->len);
	conn->backlog += line->len;
	if (uv_write(&sending->req, (uv_stream_t *)&conn->pipe, &buf, 1, on_sent) == 0)
		return;
	conn->backlog -= line->len;

fail:
	free(sending);
	blob_unref(line);
	end_soon(conn);
}

/* --- Input ---------------------------------------------------------------------------------- */

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret)
{
	struct pipe_conn *conn = handle->data;

	(void)suggested;
	*ret = uv_buf_init(conn->read, READ_SIZE);
}

static void on_end_of_input(struct pipe_conn *conn)
{
	conn->peer_done = true;
	uv_read_stop((uv_stream_t *)&conn->pipe);
	if (!conn->owed)
		pipe_conn_close(conn);
}

static void on_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *buf)
{
	struct pipe_conn *conn = stream->data;
	struct slice input, line;
	enum status status = STATUS_OK;

	if (got == UV_EOF) {
		on_end_of_input(conn);
		return;
	}
	if (got < 0) {
		end(conn);
		return;
	}
	input = slice_make(buf->base, (size_t)got);
	rest(conn);
	while (!conn->closing && status == STATUS_OK) {
		status = line_reader_next(&conn->reader, &input, &line);
		if (status == STATUS_OK)
			conn->server->handlers.on_line(conn->user, line);
	}
	if (status == STATUS_FULL) {
		uv_read_stop(stream);
		conn->server->handlers.on_too_long(conn->user);
	} else if (status == STATUS_NOMEM) {
		end_soon(conn);
	}
}

void pipe_conn_set_owed(struct pipe_conn *conn, bool owed)
{
	conn->owed = owed;
	if (!owed && conn->peer_done)
		pipe_conn_close(conn);
	rest(conn);
}

void pipe_conn_set_paused(struct pipe_conn *conn, bool paused)
{
	if (conn->paused == paused || conn->closing || conn->peer_done)
		return;
	conn->paused = paused;
	if (paused)
		uv_read_stop((uv_stream_t *)&conn->pipe);
	else
		uv_read_start((uv_stream_t *)&conn->pipe, on_alloc, on_read);
}

/* --- Connections ---------------------------------------------------------------------------- */

static struct pipe_conn *conn_new(struct pipe_server *server)
{
	struct pipe_conn *conn = calloc(1, sizeof *conn);

	if (conn == NULL)
		return NULL;
	conn->server = server;
	line_reader_init(&conn->reader, PIPE_LINE_MAX);
	uv_pipe_init(&server->loop->uv, &conn->pipe, 0);
	uv_timer_init(&server->loop->uv, &conn->timer);
	conn->handles = 2;
	conn->pipe.data = conn->timer.data = conn;
	list_put(&server->conns, &conn->node);
	server->count++;
	return conn;
}

static void on_connection(void *arg)
{
	struct pipe_server *server = arg;
	struct pipe_conn *conn = conn_new(server);

	if (conn == NULL)
		return;
	/* Taken in any case, for it would wait for ever. */
	if (pipe_acceptor_take(server->acceptor, &conn->pipe) != 0 ||
	    server->count > PIPE_CONNS_MAX) {
		end(conn);
		return;
	}
	conn->user = server->handlers.on_open(server->handlers.arg, conn);
	if (conn->user == NULL) {
		end(conn);
		return;
	}
	rest(conn);
	if (!conn->closing)
		uv_read_start((uv_stream_t *)&conn->pipe, on_alloc, on_read);
}

enum status pipe_server_new(struct loop *loop, const char *path,
    const struct pipe_handlers *handlers, unsigned idle_ms, struct pipe_server **ret,
    struct error *err)
{
	struct pipe_server *server = calloc(1, sizeof *server);
	enum status status;

	if (server == NULL)
		return error_set(err, STATUS_NOMEM, "out of memory");
	server->loop = loop;
	server->handlers = *handlers;
	server->idle_ms = idle_ms > 0 ? idle_ms : PIPE_IDLE_MS;
	list_init(&server->conns);
	status = pipe_acceptor_new(
	    &loop->uv, path, on_connection, server, &server->acceptor, err);
	if (status != STATUS_OK) {
		free(server);
		return status;
	}
	*ret = server;
	return STATUS_OK;
}

void pipe_server_stop(struct pipe_server *server)
{
	if (server->acceptor != NULL)
		pipe_acceptor_close(server->acceptor);
	server->acceptor = NULL;
}

void pipe_server_finish(struct pipe_server *server)
{
	for (struct list *node = server->conns.next; node != &server->conns; node = node->next)
		pipe_conn_close(list_entry(node, struct pipe_conn, node));
}

void pipe_server_free(struct pipe_server *server)
{
	if (server == NULL)
		return;
	pipe_server_stop(server);
	while (!list_is_empty(&server->conns))
		end(list_entry(server->conns.next, struct pipe_conn, node));
	free(server);
}

unsigned pipe_server_count(const struct pipe_server *server)
{
	return server->count;
}
