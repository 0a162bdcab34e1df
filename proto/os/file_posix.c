#include "os/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#include "os/file_platform.h"
#include "os/program.h"

const char file_platform_separator = '/';

bool file_platform_is_separator(char c)
{
	return c == '/';
}

bool file_platform_is_full(const char *path)
{
	return path[0] == '/';
}

int file_platform_create_private(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	return fd >= 0 ? fd : uv_translate_sys_error(errno);
}

int file_platform_make_private_dir(const char *path)
{
	return mkdir(path, 0700) == 0 ? 0 : uv_translate_sys_error(errno);
}

int file_platform_move(const char *from, const char *to, bool replace)
{
	if (!replace) {
		/* rename() always replaces; a second name for the file never does. */
		if (link(from, to) == 0) {
			unlink(from);
			return 0;
		}
		/* Some file systems have no second names; there a look at whether the name is free
		 * has to do. */
		if (errno != EPERM && errno != ENOTSUP && errno != ENOSYS)
			return uv_translate_sys_error(errno);
		if (access(to, F_OK) == 0)
			return UV_EEXIST;
	}
	return rename(from, to) == 0 ? 0 : uv_translate_sys_error(errno);
}

/* flock() and not fcntl(): the latter's locks vanish when any descriptor of the file is closed, and
 * do not hold within one process. */
int file_platform_open_locked(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	int code;

	if (fd < 0)
		return uv_translate_sys_error(errno);
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return fd;
	code = errno == EWOULDBLOCK ? UV_EBUSY : uv_translate_sys_error(errno);
	close(fd);
	return code;
}

int file_platform_sync_entry(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *dir = slash == NULL
	                ? str_dup(slice_of("."))
	                : str_dup(slice_make(path, slash == path ? 1 : (size_t)(slash - path)));
	int fd, code = 0;

	if (dir == NULL)
		return UV_ENOMEM;
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(dir);
	/* A folder that may be written but not read cannot be synced, nor can those of some file
	 * systems; the file is in place all the same. */
	if (fd < 0)
		return 0;
	if (fsync(fd) != 0 && errno == EIO)
		code = UV_EIO;
	close(fd);
	return code;
}

bool file_is_exposed(const char *path)
{
	struct stat info;

	return stat(path, &info) == 0 && (info.st_mode & (S_IRGRP | S_IROTH)) != 0;
}

/* $variable/confab, or ~/fallback/confab. A relative path in the variable is to be ignored, says
 * the XDG specification. */
static enum status user_dir(
    const char *variable, const char *fallback, struct buf *to, struct error *err)
{
	char *base = program_env(variable);
	char *home = NULL;
	enum status status = STATUS_OK;

	if (base != NULL && base[0] == '/') {
		path_join(to, base, "confab");
	} else {
		home = program_env("HOME");
		if (home != NULL && home[0] == '/') {
			path_join(to, home, fallback);
			path_join(to, "", "/confab");
		} else {
			status = error_set(err, STATUS_NOT_FOUND,
			    "neither HOME nor %s is set to a folder", variable);
		}
	}
	free(base);
	free(home);
	return status;
}

static bool serves_the_system(void)
{
	struct stat info;

	return geteuid() == 0 ||
	       (stat("/var/lib/confab", &info) == 0 && info.st_uid == geteuid());
}

enum status path_standard(enum path_dir which, struct buf *to, struct error *err)
{
	switch (which) {
	case PATH_CONFIG_USER:
		return user_dir("XDG_CONFIG_HOME", ".config", to, err);
	case PATH_DATA_USER:
		return user_dir("XDG_DATA_HOME", ".local/share", to, err);
	case PATH_STATE_USER:
		return user_dir("XDG_STATE_HOME", ".local/state", to, err);
	case PATH_CONFIG_SYSTEM:
		buf_put_str(to, "/etc/confab");
		return STATUS_OK;
	case PATH_DATA_SYSTEM:
		buf_put_str(to, "/var/lib/confab");
		return STATUS_OK;
	case PATH_DATA_SERVER:
		return path_standard(serves_the_system() ? PATH_DATA_SYSTEM : PATH_DATA_USER, to, err);
	}
	return error_set(err, STATUS_NOT_FOUND, "no such folder");
}
