#include "control.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "net/loop.h"
#include "net/pipe.h"
#include "os/thread.h"
#include "wire/message.h"

#define STOP_MS 2500 /* a little longer than pipe.c has patience with a peer */

/* What another thread wants of a connection: a line sent, or (NULL) its end. */
struct control_item {
	struct control_item *next;
	struct control_conn *conn; /* with a reference */
	struct blob *line;
};

struct control_conn {
	atomic_uint refs;     /* the owner, the pipe's side, and items */
	atomic_size_t queued; /* bytes of the lines of its items */
	struct control *control;
	struct pipe_conn *pipe; /* NULL when it is over; the thread's */
	void *session;
	unsigned owed; /* requests without a reply */
};

struct control {
	atomic_uint refs; /* control_stop's caller, and connections */
	struct control_ops ops;
	struct loop *loop;
	struct pipe_server *server;
	struct loop_timer *timer;
	struct thread *thread;
	struct mutex *mutex;
	struct control_item *first, *last; /* guarded, as are: */
	bool stop;	 /* wanted */
	bool is_stopped; /* the loop may be gone */
	bool is_stopping; /* the thread's: it has seen `stop` */
};

static void control_unref(struct control *control)
{
	if (atomic_fetch_sub(&control->refs, 1) > 1)
		return;
	mutex_free(control->mutex);
	free(control);
}

static void conn_unref(struct control_conn *conn)
{
	if (atomic_fetch_sub(&conn->refs, 1) > 1)
		return;
	control_unref(conn->control);
	free(conn);
}

/* --- From any thread ------------------------------------------------------------------------ */

static void put(struct control_conn *conn, struct blob *line)
{
	struct control *control = conn->control;
	struct control_item *item = malloc(sizeof *item);

	/* A lack of memory this small ends the process elsewhere, too. */
	if (item == NULL)
		abort();
	atomic_fetch_add(&conn->refs, 1);
	*item = (struct control_item){.conn = conn, .line = line};
	mutex_lock(control->mutex);
	if (control->is_stopped) {
		mutex_unlock(control->mutex);
		blob_unref(line);
		conn_unref(conn);
		free(item);
		return;
	}
	if (control->first == NULL)
		control->first = item;
	else
		control->last->next = item;
	control->last = item;
	loop_wake(control->loop);
	mutex_unlock(control->mutex);
}

void control_send(struct control_conn *conn, struct blob *line)
{
	size_t len = line != NULL ? line->len : 0;
	size_t before = atomic_fetch_add(&conn->queued, len);

	/* Too much, or no memory for the line: the end, once and without more lines. */
	if (line == NULL || before + len > PIPE_BACKLOG_MAX) {
		atomic_fetch_sub(&conn->queued, len);
		blob_unref(line);
		line = NULL;
	}
	put(conn, line);
}

void control_finish(struct control_conn *conn)
{
	put(conn, NULL);
}

void control_release(struct control_conn *conn)
{
	conn_unref(conn);
}

/* --- The thread ----------------------------------------------------------------------------- */

static bool is_reply(const struct blob *line)
{
	return slice_starts(blob_slice(line), "{\"re\":");
}

static void set_owed(struct control_conn *conn, unsigned owed)
{
	conn->owed = owed;
	pipe_conn_set_paused(conn->pipe, owed >= CONTROL_OWED_MAX);
	pipe_conn_set_owed(conn->pipe, owed > 0);
}

static void deliver(struct control_conn *conn, struct blob *line)
{
	bool answers;

	if (line != NULL)
		atomic_fetch_sub(&conn->queued, line->len);
	if (conn->pipe == NULL) {
		blob_unref(line);
	} else if (line == NULL) {
		pipe_conn_close(conn->pipe);
	} else {
		answers = conn->owed > 0 && is_reply(line);
		pipe_conn_send(conn->pipe, line);
		if (answers)
			set_owed(conn, conn->owed - 1);
	}
}

/* True when the channel is to stop: what was put before that has been delivered. */
static bool deliver_all(struct control *control)
{
	struct control_item *item, *next;
	bool stop;

	mutex_lock(control->mutex);
	stop = control->stop;
	item = control->first;
	control->first = control->last = NULL;
	mutex_unlock(control->mutex);
	for (; item != NULL; item = next) {
		next = item->next;
		deliver(item->conn, item->line);
		conn_unref(item->conn);
		free(item);
	}
	return stop;
}

static void *on_open(void *arg, struct pipe_conn *pipe)
{
	struct control *control = arg;
	struct control_conn *conn = calloc(1, sizeof *conn);

	if (conn == NULL)
		return NULL;
	atomic_init(&conn->refs, 2);
	conn->control = control;
	conn->pipe = pipe;
	atomic_fetch_add(&control->refs, 1);
	conn->session = control->ops.open(control->ops.arg, conn);
	if (conn->session != NULL)
		return conn;
	conn->pipe = NULL;
	conn_unref(conn);
	conn_unref(conn);
	return NULL;
}

static void on_line(void *user, struct slice line)
{
	struct control_conn *conn = user;
	struct control *control = conn->control;

	if (control->is_stopping)
		return;
	set_owed(conn, conn->owed + 1);
	if (!control->ops.line(control->ops.arg, conn->session, line))
		put(conn, NULL);
}

/* Both go by the queue, behind the replies that wait there. */
static void on_too_long(void *user)
{
	const struct request_id none = {.kind = REQUEST_ID_NONE};
	struct control_conn *conn = user;
	struct request_error error = {.field = NULL};
	struct buf text;

	request_error_set(&error, PROTO_ERR_line_too_long,
	    "a line may have %d bytes; this connection ends", PIPE_LINE_MAX);
	error.limit = PIPE_LINE_MAX;
	buf_init(&text, 4096);
	message_put_error(&text, &none, &error);
	message_put_goodbye(&text, PROTO_REASON_protocol, NULL);
	control_send(conn, text.failed ? NULL : blob_new(buf_slice(&text)));
	control_finish(conn);
	buf_release(&text);
}

static void on_close(void *user)
{
	struct control_conn *conn = user;
	struct control *control = conn->control;

	conn->pipe = NULL;
	control->ops.close(control->ops.arg, conn->session);
	conn_unref(conn);
	if (control->is_stopping && pipe_server_count(control->server) == 0)
		loop_stop(control->loop);
}

static void on_late(void *arg)
{
	struct control *control = arg;

	loop_stop(control->loop);
}

static void on_wake(void *arg)
{
	struct control *control = arg;

	if (!deliver_all(control) || control->is_stopping)
		return;
	control->is_stopping = true;
	pipe_server_stop(control->server);
	pipe_server_finish(control->server);
	loop_timer_start(control->timer, STOP_MS, 0);
	if (pipe_server_count(control->server) == 0)
		loop_stop(control->loop);
}

static void run(void *arg)
{
	struct control *control = arg;

	loop_run(control->loop);
	pipe_server_free(control->server);
	mutex_lock(control->mutex);
	control->is_stopped = true;
	mutex_unlock(control->mutex);
	deliver_all(control);
	loop_timer_free(control->timer);
	loop_free(control->loop);
}

/* --- Start and stop ------------------------------------------------------------------------- */

static enum status listen_at(struct control *control, const char *data_dir, unsigned idle_ms,
    struct error *err)
{
	struct pipe_handlers handlers = {
	    .on_open = on_open,
	    .on_line = on_line,
	    .on_too_long = on_too_long,
	    .on_close = on_close,
	    .arg = control,
	};
	struct buf path;
	enum status status;

	buf_init(&path, 65536);
	status = pipe_path(data_dir, &path, err);
	if (status == STATUS_OK)
		status = pipe_server_new(
		    control->loop, buf_text(&path), &handlers, idle_ms, &control->server, err);
	buf_release(&path);
	return status;
}

enum status control_start(const char *data_dir, const struct control_ops *ops, unsigned idle_ms,
    struct control **ret, struct error *err)
{
	struct control *control = calloc(1, sizeof *control);
	struct loop_handlers handlers = {.on_wake = on_wake, .arg = control};
	enum status status;

	if (control == NULL)
		return error_set(err, STATUS_NOMEM, "out of memory");
	atomic_init(&control->refs, 1);
	control->ops = *ops;
	control->mutex = mutex_new();
	status = loop_new(&handlers, &control->loop, err);
	if (status != STATUS_OK)
		goto no_loop;
	status = loop_timer_new(control->loop, on_late, control, &control->timer);
	if (status == STATUS_OK)
		status = listen_at(control, data_dir, idle_ms, err);
	else
		error_set(err, status, "out of memory");
	if (status != STATUS_OK)
		goto no_thread;
	status = thread_start("control", run, control, &control->thread);
	if (status != STATUS_OK) {
		error_set(err, status, "cannot start the control channel's thread");
		goto no_thread;
	}
	*ret = control;
	return STATUS_OK;

no_thread:
	pipe_server_free(control->server);
	loop_timer_free(control->timer);
	loop_free(control->loop);
no_loop:
	control_unref(control);
	return status;
}

void control_stop(struct control *control)
{
	if (control == NULL)
		return;
	mutex_lock(control->mutex);
	control->stop = true;
	loop_wake(control->loop);
	mutex_unlock(control->mutex);
	thread_join(control->thread);
	control_unref(control);
}
