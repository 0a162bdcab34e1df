/*
 * What file.c needs from the system and libuv does not give, and how it tells of failures: only for
 * file*.c. Functions of the system answer 0 (or a descriptor) or a negative code of libuv's, which
 * file.c turns into a status.
 */
#ifndef CONFAB_OS_FILE_PLATFORM_H
#define CONFAB_OS_FILE_PLATFORM_H

#include <stdbool.h>

#include "base/status.h"

/* Of file.c: the status for a code of libuv's, with `err`: "cannot `what` `path`: …". */
enum status file_fail(struct error *err, int code, const char *what, const char *path);

/* Between the parts of a path, and all the characters that may stand there. */
extern const char file_platform_separator;
bool file_platform_is_separator(char c);

/* Is it the same whatever the current folder is? On Windows also whatever the current drive is. */
bool file_platform_is_full(const char *path);

/* Creates a file that must not exist, for writing and for its owner alone; a descriptor. */
int file_platform_create_private(const char *path);

int file_platform_make_private_dir(const char *path);

/* Gives a file another name in the same folder; UV_EEXIST if that is taken and not `replace`. */
int file_platform_move(const char *from, const char *to, bool replace);

/* Opens the file, creating it private, and locks it: a descriptor, or UV_EBUSY if somebody has it. */
int file_platform_open_locked(const char *path);

/* Makes the entry of `path` in its folder survive a power cut. */
int file_platform_sync_entry(const char *path);

#endif
