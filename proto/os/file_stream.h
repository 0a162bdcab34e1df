/*
 * Files that are too long to be read or written in one piece, from start to end. Blocking calls of
 * tools. One thread at a time.
 */
#ifndef CONFAB_OS_FILE_STREAM_H
#define CONFAB_OS_FILE_STREAM_H

#include <stddef.h>

#include "base/status.h"
#include "base/str.h"

struct file_stream;

/* A new file that only its owner can read (os/file.h). EXISTS, NOT_FOUND (no such folder), ACCESS,
 * IO. */
enum status file_stream_create(const char *path, struct file_stream **ret, struct error *err);

/* For reading. NOT_FOUND, ACCESS, IO. */
enum status file_stream_open(const char *path, struct file_stream **ret, struct error *err);

/* All of it, or NO_SPACE, IO. */
enum status file_stream_put(struct file_stream *stream, struct slice bytes, struct error *err);

/* Up to `max` bytes; *ret_len 0 is the end. */
enum status file_stream_get(struct file_stream *stream, void *to, size_t max, size_t *ret_len,
    struct error *err);

/* Sees that what was written is on the disk. */
enum status file_stream_sync(struct file_stream *stream, struct error *err);

void file_stream_close(struct file_stream *stream); /* NULL is harmless */

#endif
