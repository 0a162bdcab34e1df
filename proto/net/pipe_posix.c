#include "net/pipe_platform.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "os/file.h"

#define SOCKET_NAME "control.sock"
#define BACKLOG 16

struct pipe_acceptor {
	uv_pipe_t pipe;
	void (*fn)(void *arg);
	void *arg;
};

void pipe_platform_path(const char *dir, struct buf *to)
{
	path_join(to, dir, SOCKET_NAME);
}

static bool fits(const char *path)
{
	return strlen(path) < sizeof((struct sockaddr_un){0}).sun_path;
}

/* Whoever may write to the folder could put a socket of their own there. */
static enum status check_folder(const char *path, struct error *err)
{
	const char *slash = strrchr(path, '/');
	char *dir = str_dup(slash == NULL ? slice_of(".")
	                                  : slice_make(path, slash == path ? 1 : (size_t)(slash - path)));
	enum status status = STATUS_OK;
	struct stat info;

	if (dir == NULL)
		return error_set(err, STATUS_NOMEM, "out of memory");
	if (stat(dir, &info) != 0)
		status = error_set(err, errno == EACCES ? STATUS_ACCESS : STATUS_NOT_FOUND,
		    "cannot use the folder %s for the control channel: %s", dir,
		    uv_strerror(uv_translate_sys_error(errno)));
	else if (info.st_uid != geteuid() && geteuid() != 0)
		status = error_set(err, STATUS_ACCESS,
		    "the folder %s belongs to another user; the control channel needs one of its "
		    "own",
		    dir);
	else if ((info.st_mode & (S_IWGRP | S_IWOTH)) != 0)
		status = error_set(err, STATUS_ACCESS,
		    "others can write to the folder %s: chmod go-w it", dir);
	free(dir);
	return status;
}

/* What a server that died has left. */
static enum status clear_way(const char *path, struct error *err)
{
	struct stat info;

	if (lstat(path, &info) != 0)
		return STATUS_OK;
	if (!S_ISSOCK(info.st_mode))
		return error_set(err, STATUS_EXISTS,
		    "%s is in the way of the control channel, and no socket", path);
	if (unlink(path) != 0)
		return error_set(err, STATUS_ACCESS, "cannot replace the old socket %s: %s", path,
		    uv_strerror(uv_translate_sys_error(errno)));
	return STATUS_OK;
}

static void on_waiting(uv_stream_t *stream, int code)
{
	struct pipe_acceptor *acceptor = stream->data;

	if (code == 0)
		acceptor->fn(acceptor->arg);
}

static void on_closed(uv_handle_t *handle)
{
	free(handle->data);
}

static int bind_private(uv_pipe_t *pipe, const char *path)
{
	/* The mode is right from the first moment. */
	mode_t before = umask(0177);
	int code = uv_pipe_bind(pipe, path);

	umask(before);
	return code;
}

enum status pipe_acceptor_new(uv_loop_t *loop, const char *path, void (*fn)(void *arg), void *arg,
    struct pipe_acceptor **ret, struct error *err)
{
	struct pipe_acceptor *acceptor;
	enum status status;
	int code;

	if (!fits(path))
		return error_set(err, STATUS_INVALID,
		    "the path %s is too long for a socket: at most %d bytes; choose a data folder "
		    "with a shorter path",
		    path, (int)sizeof((struct sockaddr_un){0}).sun_path - 1);
	status = check_folder(path, err);
	if (status == STATUS_OK)
		status = clear_way(path, err);
	if (status != STATUS_OK)
		return status;
	acceptor = calloc(1, sizeof *acceptor);
	if (acceptor == NULL)
		return error_set(err, STATUS_NOMEM, "out of memory");
	*acceptor = (struct pipe_acceptor){.fn = fn, .arg = arg};
	uv_pipe_init(loop, &acceptor->pipe, 0);
	acceptor->pipe.data = acceptor;
	code = bind_private(&acceptor->pipe, path);
	if (code == 0)
		code = uv_listen((uv_stream_t *)&acceptor->pipe, BACKLOG, on_waiting);
	if (code != 0) {
		uv_close((uv_handle_t *)&acceptor->pipe, on_closed);
		return error_set(err, code == UV_EACCES ? STATUS_ACCESS : STATUS_IO,
		    "cannot listen on %s: %s", path, uv_strerror(code));
	}
	*ret = acceptor;
	return STATUS_OK;
}

int pipe_acceptor_take(struct pipe_acceptor *acceptor, uv_pipe_t *to)
{
	return uv_accept((uv_stream_t *)&acceptor->pipe, (uv_stream_t *)to);
}

/* Removes the file, too. */
void pipe_acceptor_close(struct pipe_acceptor *acceptor)
{
	uv_close((uv_handle_t *)&acceptor->pipe, on_closed);
}

static int connect_fd(int fd, const char *path, unsigned timeout_ms)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	/* Where the queue of a server that hangs is full, connecting waits that long. */
	struct timeval patience = {
	    .tv_sec = (time_t)(timeout_ms / 1000),
	    .tv_usec = (suseconds_t)(timeout_ms % 1000) * 1000,
	};

	str_copy(address.sun_path, sizeof address.sun_path, slice_of(path));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
	while (connect(fd, (const struct sockaddr *)&address, sizeof address) != 0) {
		if (errno == ECONNREFUSED)
			return UV_ENOENT;
		if (errno == EAGAIN || errno == EINPROGRESS)
			return UV_ETIMEDOUT;
		if (errno != EINTR)
			return uv_translate_sys_error(errno);
	}
	return 0;
}

int pipe_platform_connect(uv_pipe_t *to, const char *path, unsigned timeout_ms)
{
	int fd, code;

	if (!fits(path))
		return UV_ENAMETOOLONG;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return uv_translate_sys_error(errno);
	code = connect_fd(fd, path, timeout_ms);
	if (code == 0)
		code = uv_pipe_open(to, fd);
	if (code != 0)
		close(fd);
	return code;
}
