#include "net/pipe.h"

#include <stdlib.h>
#include <uv.h>

#include "net/pipe_platform.h"
#include "os/program.h"
#include "wire/line.h"

#define READ_SIZE 65536
#define STOP_POLL_MS 200 /* between two looks at whether a signal to stop came */

struct pipe_client {
	uv_loop_t loop;
	uv_pipe_t pipe;
	uv_timer_t timer, poll;
	struct line_reader reader;
	struct slice input; /* read and not cut into lines yet */
	int end;	    /* why nothing more comes, or 0 */
	bool is_late;
	char read[READ_SIZE];
};

static void on_late(uv_timer_t *timer)
{
	((struct pipe_client *)timer->data)->is_late = true;
	uv_stop(timer->loop);
}

static void on_poll(uv_timer_t *timer)
{
	if (stop_requested())
		uv_stop(timer->loop);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret)
{
	struct pipe_client *client = handle->data;

	(void)suggested;
	*ret = uv_buf_init(client->read, READ_SIZE);
}

/* One piece at a time: the buffer is in use until its lines are taken. */
static void on_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *buf)
{
	struct pipe_client *client = stream->data;

	if (got == 0)
		return;
	uv_read_stop(stream);
	if (got < 0)
		client->end = (int)got;
	else
		client->input = slice_make(buf->base, (size_t)got);
	uv_stop(stream->loop);
}

static enum status explain(int code, const char *path, struct error *err)
{
	switch (code) {
	case UV_ENOENT:
		return error_set(err, STATUS_NOT_FOUND, "no server runs on this data folder");
	case UV_EACCES:
	case UV_EPERM:
		return error_set(err, STATUS_ACCESS,
		    "the server's control channel %s belongs to another user", path);
	case UV_ENAMETOOLONG:
		return error_set(err, STATUS_INVALID, "the path %s is too long for a socket", path);
	case UV_ETIMEDOUT:
		return error_set(err, STATUS_TIMEOUT,
		    "the server does not answer on its control channel");
	default:
		return error_set(err, STATUS_IO, "cannot connect to the server's control channel %s: %s",
		    path, uv_strerror(code));
	}
}

enum status pipe_client_open(const char *path, unsigned timeout_ms, struct pipe_client **ret,
    struct error *err)
{
	struct pipe_client *client = calloc(1, sizeof *client);
	int code;

	if (client == NULL)
		return error_set(err, STATUS_NOMEM, "out of memory");
	if (uv_loop_init(&client->loop) != 0) {
		free(client);
		return error_set(err, STATUS_NO_FILES, "too many open files");
	}
	uv_pipe_init(&client->loop, &client->pipe, 0);
	uv_timer_init(&client->loop, &client->timer);
	uv_timer_init(&client->loop, &client->poll);
	client->pipe.data = client->timer.data = client->poll.data = client;
	line_reader_init(&client->reader, PIPE_REPLY_MAX);
	code = pipe_platform_connect(&client->pipe, path, timeout_ms);
	if (code != 0) {
		pipe_client_close(client);
		return explain(code, path, err);
	}
	uv_timer_start(&client->poll, on_poll, STOP_POLL_MS, STOP_POLL_MS);
	*ret = client;
	return STATUS_OK;
}

/* Runs the loop until a callback stops it, or the time is up. */
static enum status wait(struct pipe_client *client, unsigned timeout_ms, struct error *err)
{
	client->is_late = false;
	uv_update_time(&client->loop);
	uv_timer_start(&client->timer, on_late, timeout_ms, 0);
	uv_run(&client->loop, UV_RUN_DEFAULT);
	uv_timer_stop(&client->timer);
	if (stop_requested())
		return error_set(err, STATUS_INTERRUPTED, "interrupted");
	if (client->is_late)
		return error_set(err, STATUS_TIMEOUT, "the server does not answer");
	return STATUS_OK;
}

struct sending {
	uv_write_t req;
	int code; /* 1: not done */
	bool is_abandoned;
	size_t len;
	char bytes[];
};

/* It may have held a password. */
static void sending_free(struct sending *sending)
{
	secret_wipe(sending->bytes, sending->len);
	free(sending);
}

static void on_sent(uv_write_t *req, int code)
{
	struct sending *sending = req->data;

	sending->code = code;
	if (sending->is_abandoned)
		sending_free(sending);
	else
		uv_stop(req->handle->loop);
}

static enum status finish_sending(struct pipe_client *client, struct sending *sending,
    unsigned timeout_ms, struct error *err)
{
	enum status status = STATUS_OK;

	while (sending->code == 1 && status == STATUS_OK)
		status = wait(client, timeout_ms, err);
	if (status != STATUS_OK && sending->code == 1) {
		sending->is_abandoned = true;
		return status;
	}
	if (sending->code != 0)
		status = error_set(err, STATUS_CLOSED, "the server ended the connection");
	sending_free(sending);
	return status;
}

enum status pipe_client_send(struct pipe_client *client, struct slice line, unsigned timeout_ms,
    struct error *err)
{
	struct sending *sending = malloc(sizeof *sending + line.len + 1);
	uv_buf_t buf;

	if (sending == NULL)
		return error_set(err, STATUS_NOMEM, "out of memory");
	*sending = (struct sending){.code = 1, .len = line.len + 1};
	sending->req.data = sending;
	memcpy(sending->bytes, line.ptr, line.len);
	sending->bytes[line.len] = '\n';
	buf = uv_buf_init(sending->bytes, (unsigned)sending->len);
	if (uv_write(&sending->req, (uv_stream_t *)&client->pipe, &buf, 1, on_sent) != 0) {
		sending_free(sending);
		return error_set(err, STATUS_CLOSED, "the server ended the connection");
	}
	return finish_sending(client, sending, timeout_ms, err);
}

enum status pipe_client_read(struct pipe_client *client, unsigned timeout_ms,
    struct slice *ret_line, struct error *err)
{
	enum status status;

	for (;;) {
		status = line_reader_next(&client->reader, &client->input, ret_line);
		if (status == STATUS_FULL)
			return error_set(err, status, "the server sent a line that is too long");
		if (status == STATUS_NOMEM)
			return error_set(err, status, "out of memory");
		if (status == STATUS_OK)
			return status;
		if (client->end != 0)
			return error_set(err, STATUS_CLOSED, "the server ended the connection");
		uv_read_start((uv_stream_t *)&client->pipe, on_alloc, on_read);
		status = wait(client, timeout_ms, err);
		uv_read_stop((uv_stream_t *)&client->pipe);
		if (status != STATUS_OK)
			return status;
	}
}

void pipe_client_close(struct pipe_client *client)
{
	if (client == NULL)
		return;
	uv_close((uv_handle_t *)&client->pipe, NULL);
	uv_close((uv_handle_t *)&client->timer, NULL);
	uv_close((uv_handle_t *)&client->poll, NULL);
	uv_run(&client->loop, UV_RUN_DEFAULT);
	if (uv_loop_close(&client->loop) != 0)
		abort(); /* a handle of ours is not closed */
	line_reader_release(&client->reader);
	secret_wipe(client->read, sizeof client->read);
	free(client);
}
