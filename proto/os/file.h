/*
 * Files and folders. Paths are UTF-8 on every system; sizes are bounded; a file with a secret is
 * created so that only its owner can read it (mode 0600; on Windows an access list for the owner
 * and SYSTEM). Blocking calls: programs' start and tools, never a worker. Any thread.
 */
#ifndef CONFAB_OS_FILE_H
#define CONFAB_OS_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/status.h"

enum file_mode {
	FILE_PUBLIC,  /* 0644 less the umask */
	FILE_PRIVATE, /* 0600, or an access list for the owner and SYSTEM */
};

/* Appends the whole file to `to`, whose maximum bounds it. STATUS_NOT_FOUND, ACCESS, FULL (larger
 * than the buffer may be), NOMEM, IO; `err` names the file and the reason. */
enum status file_read(const char *path, struct buf *to, struct error *err);

/* Writes a whole file: into a new file beside it, flushed to the disk, then renamed over it, so
 * that a crash leaves the old or the new one. Without `replace` an existing file is
 * STATUS_EXISTS. NO_SPACE, ACCESS, IO, NOT_FOUND (no such folder). */
enum status file_write(const char *path, struct slice content, enum file_mode mode, bool replace,
    struct error *err);

/* Creates a folder and those above it; FILE_PRIVATE means 0700 (or the access list) for the new
 * ones. One that is there already is STATUS_OK and keeps its rights. */
enum status file_make_dir(const char *path, enum file_mode mode, struct error *err);

bool file_exists(const char *path);

/* Removes an empty folder; STATUS_OK also when there is none. */
enum status file_remove_dir(const char *path, struct error *err);

/* STATUS_OK also when there is no such file. */
enum status file_remove(const char *path, struct error *err);

/* Can anybody but the owner (and SYSTEM) read it? For warnings about keys. On Windows false. */
bool file_is_exposed(const char *path);

/* Gives a file another name in the same folder, flushed to the disk. Without `replace` a name that is
 * taken is STATUS_EXISTS. */
enum status file_rename(const char *from, const char *to, bool replace, struct error *err);

/* A lock that goes with the process, however that ends: on a file which is made for it and stays,
 * with the process's number in it for people. STATUS_EXISTS if somebody has it (also this process);
 * `err` then names their number. ACCESS, NOT_FOUND, IO. */
struct file_lock;
enum status file_lock(const char *path, struct file_lock **ret, struct error *err);
/* NULL is harmless. */
void file_unlock(struct file_lock *lock);

/* Calls `fn` with the name (without its folder) of each entry, in no order. */
enum status file_list_dir(const char *path, void (*fn)(void *arg, const char *name), void *arg,
    struct error *err);

/* Appends `dir`, the system's separator, and `name` to `to`, which is NUL-terminated by buf_text. */
void path_join(struct buf *to, const char *dir, const char *name);

/* Appends `path` as it is from everywhere: behind the current folder if it is relative to that. */
enum status path_make_full(const char *path, struct buf *to, struct error *err);

enum path_dir {
	PATH_CONFIG_USER,   /* $XDG_CONFIG_HOME/confab, ~/.config/confab; %APPDATA%\Confab */
	PATH_CONFIG_SYSTEM, /* /etc/confab; %ProgramData%\Confab */
	PATH_DATA_USER,	    /* $XDG_DATA_HOME/confab, ~/.local/share/confab; %LOCALAPPDATA%\Confab */
	PATH_DATA_SYSTEM,   /* /var/lib/confab; %ProgramData%\Confab */
	PATH_STATE_USER,    /* $XDG_STATE_HOME/confab, ~/.local/state/confab; %LOCALAPPDATA%\Confab */
	PATH_DATA_SERVER,   /* a server's: the system's for root, for who owns that folder and for a
			       Windows service; else the user's */
};

/* Appends the folder's path; STATUS_NOT_FOUND if the environment does not tell. */
enum status path_standard(enum path_dir which, struct buf *to, struct error *err);

#endif
