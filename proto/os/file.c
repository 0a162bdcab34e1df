#include "os/file.h"

#include <inttypes.h>
#include <stdlib.h>
#include <uv.h>

#include "os/file_platform.h"
#include "os/random.h"

#define PATH_HERE_MAX 8192 /* bytes of the current folder's path */

static enum status status_of(int code)
{
	switch (code) {
	case 0:
		return STATUS_OK;
	case UV_ENOENT:
	case UV_ENOTDIR:
		return STATUS_NOT_FOUND;
	case UV_EACCES:
	case UV_EPERM:
	case UV_EROFS:
		return STATUS_ACCESS;
	case UV_EEXIST:
		return STATUS_EXISTS;
	case UV_ENOSPC:
	case UV_EFBIG:
		return STATUS_NO_SPACE;
	case UV_EMFILE:
	case UV_ENFILE:
		return STATUS_NO_FILES;
	case UV_ENOMEM:
		return STATUS_NOMEM;
	default:
		return STATUS_IO;
	}
}

enum status file_fail(struct error *err, int code, const char *what, const char *path)
{
	char reason[128];

	uv_strerror_r(code, reason, sizeof reason);
	return error_set(err, status_of(code), "cannot %s %s: %s", what, path, reason);
}

/* libuv's calls, made synchronous by a loop and a callback that are NULL. */
static int fs_open(const char *path, int flags, int mode)
{
	uv_fs_t req;
	int code = uv_fs_open(NULL, &req, path, flags, mode, NULL);

	uv_fs_req_cleanup(&req);
	return code;
}

static int fs_close(int fd)
{
	uv_fs_t req;
	int code = uv_fs_close(NULL, &req, fd, NULL);

	uv_fs_req_cleanup(&req);
	return code;
}

static int fs_read(int fd, char *to, size_t len)
{
	uv_fs_t req;
	uv_buf_t buf = uv_buf_init(to, (unsigned)len);
	int code;

	do {
		code = uv_fs_read(NULL, &req, fd, &buf, 1, -1, NULL);
		uv_fs_req_cleanup(&req);
	} while (code == UV_EINTR);
	return code;
}

static int fs_write_all(int fd, struct slice content)
{
	const size_t most = 1 << 20;

	while (content.len > 0) {
		size_t len = content.len < most ? content.len : most;
		uv_fs_t req;
		uv_buf_t buf;
		int code;

		/* uv_buf_t has no const; the bytes are only read. */
		memcpy(&buf.base, &content.ptr, sizeof buf.base);
		buf.len = (unsigned)len;
		code = uv_fs_write(NULL, &req, fd, &buf, 1, -1, NULL);
		uv_fs_req_cleanup(&req);
		if (code == UV_EINTR)
			continue;
		if (code < 0)
			return code;
		if (code == 0)
			return UV_EIO;
		content.ptr += code;
		content.len -= (size_t)code;
	}
	return 0;
}

static int fs_sync(int fd)
{
	uv_fs_t req;
	int code = uv_fs_fsync(NULL, &req, fd, NULL);

	uv_fs_req_cleanup(&req);
	return code;
}

static int fs_unlink(const char *path)
{
	uv_fs_t req;
	int code = uv_fs_unlink(NULL, &req, path, NULL);

	uv_fs_req_cleanup(&req);
	return code;
}

/* The size of an open file as a hint; 0 where it has none (a pipe, a file of the kernel's). */
static size_t fs_size(int fd)
{
	uv_fs_t req;
	int code = uv_fs_fstat(NULL, &req, fd, NULL);
	uint64_t size = code == 0 ? req.statbuf.st_size : 0;

	uv_fs_req_cleanup(&req);
	return size < SIZE_MAX ? (size_t)size : SIZE_MAX - 1;
}

static bool is_dir(const char *path)
{
	uv_fs_t req;
	int code = uv_fs_stat(NULL, &req, path, NULL);
	bool is = code == 0 && (req.statbuf.st_mode & 0170000) == 0040000;

	uv_fs_req_cleanup(&req);
	return is;
}

/* Reads to the end. The file may grow meanwhile, so its size is only a hint for the first piece,
 * which spares a secret from being left behind in memory that a growing buffer gave back. */
static enum status read_all(int fd, const char *path, struct buf *to, struct error *err)
{
	size_t piece = fs_size(fd) + 1;

	for (;;) {
		size_t room = to->max - to->len;
		char probe, *at = &probe;
		int got;

		if (piece < 4096)
			piece = 4096;
		if (piece > INT32_MAX)
			piece = INT32_MAX;
		if (piece > room)
			piece = room;
		if (room > 0)
			at = buf_reserve(to, piece);
		if (at == NULL)
			return error_set(err, STATUS_NOMEM, "cannot read %s: out of memory", path);
		got = fs_read(fd, at, room > 0 ? piece : 1);
		if (got < 0)
			return file_fail(err, got, "read", path);
		if (got == 0)
			return STATUS_OK;
		if (room == 0)
			return error_set(err, STATUS_FULL,
			    "cannot read %s: it is larger than %zu bytes", path, to->max);
		to->len += (size_t)got;
	}
}

enum status file_read(const char *path, struct buf *to, struct error *err)
{
	size_t before = to->len;
	enum status status;
	int fd;

	if (is_dir(path))
		return file_fail(err, UV_EISDIR, "read", path);
	fd = fs_open(path, UV_FS_O_RDONLY, 0);
	if (fd < 0)
		return file_fail(err, fd, "read", path);
	status = read_all(fd, path, to, err);
	if (status != STATUS_OK)
		to->len = before;
	fs_close(fd);
	return status;
}

/* A new file of a name that nobody can guess, in the folder of `path`. */
static int create_beside(const char *path, enum file_mode mode, struct buf *ret_name)
{
	buf_put_fmt(ret_name, "%s.%016" PRIx64 ".tmp", path, random_u64());
	if (ret_name->failed)
		return UV_ENAMETOOLONG;
	if (mode == FILE_PRIVATE)
		return file_platform_create_private(buf_text(ret_name));
	return fs_open(buf_text(ret_name), UV_FS_O_WRONLY | UV_FS_O_CREAT | UV_FS_O_EXCL, 0644);
}

enum status file_write(
    const char *path, struct slice content, enum file_mode mode, bool replace, struct error *err)
{
	struct buf name;
	int fd, code;

	/* Asked again when the new file is put in place; here to fail before anything is done. */
	if (!replace && file_exists(path))
		return file_fail(err, UV_EEXIST, "write", path);
	buf_init(&name, 32768);
	fd = create_beside(path, mode, &name);
	if (fd < 0) {
		buf_release(&name);
		return file_fail(err, fd, "write", path);
	}
	code = fs_write_all(fd, content);
	if (code == 0)
		code = fs_sync(fd);
	if (fs_close(fd) != 0 && code == 0)
		code = UV_EIO;
	if (code == 0)
		code = file_platform_move(buf_text(&name), path, replace);
	if (code != 0)
		fs_unlink(buf_text(&name));
	else
		code = file_platform_sync_entry(path);
	buf_release(&name);
	return code == 0 ? STATUS_OK : file_fail(err, code, "write", path);
}

static int make_one_dir(const char *path, enum file_mode mode)
{
	uv_fs_t req;
	int code;

	if (is_dir(path))
		return 0;
	if (mode == FILE_PRIVATE) {
		code = file_platform_make_private_dir(path);
	} else {
		code = uv_fs_mkdir(NULL, &req, path, 0755, NULL);
		uv_fs_req_cleanup(&req);
	}
	/* Somebody may have been faster. */
	return code == UV_EEXIST && is_dir(path) ? 0 : code;
}

enum status file_make_dir(const char *path, enum file_mode mode, struct error *err)
{
	char *part = str_dup(slice_of(path));
	int code = 0;

	if (part == NULL)
		return error_set(err, STATUS_NOMEM, "cannot create %s: out of memory", path);
	/* From the root down. Where nothing can be created (a drive, a share) a failure tells
	 * nothing yet: what counts is whether the folder itself can be made in the end. */
	for (size_t i = 1; part[i] != '\0'; i++) {
		if (!file_platform_is_separator(part[i]))
			continue;
		part[i] = '\0';
		make_one_dir(part, mode);
		part[i] = path[i];
	}
	code = make_one_dir(part, mode);
	free(part);
	return code == 0 ? STATUS_OK : file_fail(err, code, "create the folder", path);
}

bool file_exists(const char *path)
{
	uv_fs_t req;
	int code = uv_fs_stat(NULL, &req, path, NULL);

	uv_fs_req_cleanup(&req);
	return code == 0;
}

enum status file_remove(const char *path, struct error *err)
{
	int code = fs_unlink(path);

	return code == 0 || code == UV_ENOENT ? STATUS_OK : file_fail(err, code, "remove", path);
}

enum status file_rename(const char *from, const char *to, bool replace, struct error *err)
{
	int code = file_platform_move(from, to, replace);

	if (code == 0)
		code = file_platform_sync_entry(to);
	return code == 0 ? STATUS_OK : file_fail(err, code, "rename to", to);
}

struct file_lock {
	int fd;
};

/* The number of the process that has the lock, as it wrote it; or "another process" if it has not yet. */
static void read_owner(const char *path, char *to, size_t size)
{
	struct buf text;
	int64_t pid;

	buf_init(&text, 64);
	if (file_read(path, &text, NULL) == STATUS_OK &&
	    str_to_int(slice_trim(buf_slice(&text)), 1, INT64_MAX, &pid))
		snprintf(to, size, "process %" PRId64, pid);
	else
		snprintf(to, size, "another process");
	buf_release(&text);
}

static int write_owner(int fd)
{
	uv_fs_t req;
	char text[32];
	int code = uv_fs_ftruncate(NULL, &req, fd, 0, NULL);

	uv_fs_req_cleanup(&req);
	if (code < 0)
		return code;
	snprintf(text, sizeof text, "%d\n", (int)uv_os_getpid());
	return fs_write_all(fd, slice_of(text));
}

enum status file_lock(const char *path, struct file_lock **ret, struct error *err)
{
	struct file_lock *lock = malloc(sizeof *lock);
	char owner[48];
	int code;

	if (lock == NULL)
		return error_set(err, STATUS_NOMEM, "cannot lock %s: out of memory", path);
	lock->fd = file_platform_open_locked(path);
	if (lock->fd < 0) {
		code = lock->fd;
		free(lock);
		if (code != UV_EBUSY)
			return file_fail(err, code, "lock", path);
		read_owner(path, owner, sizeof owner);
		return error_set(err, STATUS_EXISTS, "%s is held by %s", path, owner);
	}
	/* The number is for people only: a full disk must not keep a server from its data. */
	(void)write_owner(lock->fd);
	*ret = lock;
	return STATUS_OK;
}

void file_unlock(struct file_lock *lock)
{
	if (lock != NULL)
		fs_close(lock->fd);
	free(lock);
}

enum status file_list_dir(
    const char *path, void (*fn)(void *arg, const char *name), void *arg, struct error *err)
{
	uv_fs_t req;
	uv_dirent_t entry;
	int code = uv_fs_scandir(NULL, &req, path, 0, NULL);

	while (code >= 0 && (code = uv_fs_scandir_next(&req, &entry)) == 0)
		fn(arg, entry.name);
	uv_fs_req_cleanup(&req);
	return code == UV_EOF ? STATUS_OK : file_fail(err, code, "list", path);
}

enum status file_remove_dir(const char *path, struct error *err)
{
	uv_fs_t req;
	int code = uv_fs_rmdir(NULL, &req, path, NULL);

	uv_fs_req_cleanup(&req);
	return code == 0 || code == UV_ENOENT ? STATUS_OK : file_fail(err, code, "remove", path);
}

enum status path_make_full(const char *path, struct buf *to, struct error *err)
{
	char here[PATH_HERE_MAX];
	size_t size = sizeof here;
	int code;

	if (file_platform_is_full(path)) {
		buf_put_str(to, path);
		return STATUS_OK;
	}
	code = uv_cwd(here, &size);
	if (code != 0)
		return file_fail(err, code, "find the current folder for", path);
	path_join(to, here, path);
	return STATUS_OK;
}

void path_join(struct buf *to, const char *dir, const char *name)
{
	size_t len = strlen(dir);

	buf_put(to, dir, len);
	if (len > 0 && !file_platform_is_separator(dir[len - 1]))
		buf_put_char(to, file_platform_separator);
	buf_put_str(to, name);
}
