#include "os/file_journal.h"

#include <stdlib.h>
#include <uv.h>

#include "os/file.h"
#include "os/file_platform.h"

#define OPEN_TRIES 16

struct file_journal {
	int fd;
	bool entry_synced;
	uint64_t size; /* where the next append goes */
	char *path;
};

static int fs_close(int fd)
{
	uv_fs_t req;
	int code = uv_fs_close(NULL, &req, fd, NULL);

	uv_fs_req_cleanup(&req);
	return code;
}

static int fs_cut(int fd, uint64_t size)
{
	uv_fs_t req;
	int code = uv_fs_ftruncate(NULL, &req, fd, (int64_t)size, NULL);

	uv_fs_req_cleanup(&req);
	return code;
}

static int fs_write_at(int fd, struct slice text, uint64_t at)
{
	const size_t most = 1 << 20;

	while (text.len > 0) {
		uv_fs_t req;
		uv_buf_t buf;
		int code;

		/* uv_buf_t has no const; the bytes are only read. */
		memcpy(&buf.base, &text.ptr, sizeof buf.base);
		buf.len = (unsigned)(text.len < most ? text.len : most);
		code = uv_fs_write(NULL, &req, fd, &buf, 1, (int64_t)at, NULL);
		uv_fs_req_cleanup(&req);
		if (code == UV_EINTR)
			continue;
		if (code <= 0)
			return code < 0 ? code : UV_EIO;
		text = slice_make(text.ptr + code, text.len - (size_t)code);
		at += (uint64_t)code;
	}
	return 0;
}

/* Opens and locks; UV_EAGAIN if somebody removed the file between the two: what is locked then is
 * a file without a name, which nobody would find again. */
static int open_once(const char *path, uint64_t *ret_size)
{
	uv_fs_t req;
	int code, fd = file_platform_open_locked(path);

	if (fd < 0)
		return fd;
	code = uv_fs_fstat(NULL, &req, fd, NULL);
	if (code == 0 && req.statbuf.st_nlink == 0)
		code = UV_EAGAIN;
	if (code == 0)
		*ret_size = req.statbuf.st_size;
	uv_fs_req_cleanup(&req);
	if (code == 0)
		return fd;
	fs_close(fd);
	return code;
}

enum status file_journal_open(const char *path, struct file_journal **ret, struct error *err)
{
	struct file_journal *journal = calloc(1, sizeof *journal);

	if (journal == NULL || (journal->path = str_dup(slice_of(path))) == NULL) {
		free(journal);
		return error_set(err, STATUS_NOMEM, "cannot open %s: out of memory", path);
	}
	for (int tries = 0; tries < OPEN_TRIES; tries++) {
		journal->fd = open_once(path, &journal->size);
		if (journal->fd != UV_EAGAIN)
			break;
	}
	if (journal->fd < 0) {
		int code = journal->fd;

		free(journal->path);
		free(journal);
		if (code == UV_EBUSY)
			return error_set(err, STATUS_EXISTS, "%s is held by another process", path);
		return file_fail(err, code, "open", path);
	}
	*ret = journal;
	return STATUS_OK;
}

enum status file_journal_put(struct file_journal *journal, struct slice text, struct error *err)
{
	int code = fs_write_at(journal->fd, text, journal->size);

	if (code < 0) {
		fs_cut(journal->fd, journal->size);
		return file_fail(err, code, "write", journal->path);
	}
	journal->size += text.len;
	return STATUS_OK;
}

enum status file_journal_sync(struct file_journal *journal, struct error *err)
{
	uv_fs_t req;
	int code = uv_fs_fsync(NULL, &req, journal->fd, NULL);

	uv_fs_req_cleanup(&req);
	if (code == 0 && !journal->entry_synced) {
		code = file_platform_sync_entry(journal->path);
		journal->entry_synced = code == 0;
	}
	return code == 0 ? STATUS_OK : file_fail(err, code, "write", journal->path);
}

enum status file_journal_cut(struct file_journal *journal, uint64_t size, struct error *err)
{
	int code = fs_cut(journal->fd, size);

	if (code < 0)
		return file_fail(err, code, "shorten", journal->path);
	journal->size = size;
	return STATUS_OK;
}

uint64_t file_journal_size(const struct file_journal *journal)
{
	return journal->size;
}

void file_journal_close(struct file_journal *journal)
{
	if (journal == NULL)
		return;
	fs_close(journal->fd);
	free(journal->path);
	free(journal);
}

/* Removed while it is still locked, where the system lets one: whoever waits for the lock then sees
 * that the file has no name. Windows does not let one; but there to open is to lock, so nobody can
 * hold it before the second try, or that fails and they remove it. */
void file_journal_remove(struct file_journal *journal)
{
	enum status status;

	if (journal == NULL)
		return;
	fs_cut(journal->fd, 0);
	status = file_remove(journal->path, NULL);
	fs_close(journal->fd);
	if (status != STATUS_OK)
		file_remove(journal->path, NULL);
	free(journal->path);
	free(journal);
}
