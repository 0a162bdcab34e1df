#include "os/file_stream.h"

#include <stdlib.h>
#include <uv.h>

#include "os/file_platform.h"

#define CALL_MAX (1u << 20) /* bytes of one call to the system */

struct file_stream {
	int fd;
	char *path; /* for messages */
};

static enum status make(int fd, const char *what, const char *path, struct file_stream **ret,
    struct error *err)
{
	struct file_stream *stream;

	if (fd < 0)
		return file_fail(err, fd, what, path);
	stream = calloc(1, sizeof *stream);
	if (stream != NULL)
		*stream = (struct file_stream){fd, str_dup(slice_of(path))};
	if (stream != NULL && stream->path != NULL) {
		*ret = stream;
		return STATUS_OK;
	}
	if (stream != NULL) {
		file_stream_close(stream);
	} else {
		uv_fs_t req;

		uv_fs_close(NULL, &req, fd, NULL);
		uv_fs_req_cleanup(&req);
	}
	return error_set(err, STATUS_NOMEM, "out of memory");
}

enum status file_stream_create(const char *path, struct file_stream **ret, struct error *err)
{
	return make(file_platform_create_private(path), "create", path, ret, err);
}

enum status file_stream_open(const char *path, struct file_stream **ret, struct error *err)
{
	uv_fs_t req;
	int fd = uv_fs_open(NULL, &req, path, UV_FS_O_RDONLY, 0, NULL);

	uv_fs_req_cleanup(&req);
	return make(fd, "open", path, ret, err);
}

enum status file_stream_put(struct file_stream *stream, struct slice bytes, struct error *err)
{
	while (bytes.len > 0) {
		size_t len = bytes.len < CALL_MAX ? bytes.len : CALL_MAX;
		uv_fs_t req;
		uv_buf_t buf;
		int code;

		/* uv_buf_t has no const; the bytes are only read. */
		memcpy(&buf.base, &bytes.ptr, sizeof buf.base);
		buf.len = (unsigned)len;
		code = uv_fs_write(NULL, &req, stream->fd, &buf, 1, -1, NULL);
		uv_fs_req_cleanup(&req);
		if (code == UV_EINTR)
			continue;
		if (code <= 0)
			return file_fail(err, code < 0 ? code : UV_EIO, "write", stream->path);
		bytes.ptr += code;
		bytes.len -= (size_t)code;
	}
	return STATUS_OK;
}

enum status file_stream_get(struct file_stream *stream, void *to, size_t max, size_t *ret_len,
    struct error *err)
{
	uv_buf_t buf = uv_buf_init(to, (unsigned)(max < CALL_MAX ? max : CALL_MAX));
	uv_fs_t req;
	int code;

	do {
		code = uv_fs_read(NULL, &req, stream->fd, &buf, 1, -1, NULL);
		uv_fs_req_cleanup(&req);
	} while (code == UV_EINTR);
	if (code < 0)
		return file_fail(err, code, "read", stream->path);
	*ret_len = (size_t)code;
	return STATUS_OK;
}

enum status file_stream_sync(struct file_stream *stream, struct error *err)
{
	uv_fs_t req;
	int code = uv_fs_fsync(NULL, &req, stream->fd, NULL);

	uv_fs_req_cleanup(&req);
	return code == 0 ? STATUS_OK : file_fail(err, code, "write", stream->path);
}

void file_stream_close(struct file_stream *stream)
{
	uv_fs_t req;

	if (stream == NULL)
		return;
	uv_fs_close(NULL, &req, stream->fd, NULL);
	uv_fs_req_cleanup(&req);
	free(stream->path);
	free(stream);
}
