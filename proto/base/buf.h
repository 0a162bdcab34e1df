/*
 * A growable run of bytes with a maximum given at birth. Appending past the maximum, or without
 * memory, changes nothing and sets `failed`, which stays set until buf_clear: a writer may append
 * many things and ask once at the end. Not NUL-terminated; buf_text adds a NUL behind the bytes.
 * One owner, one thread at a time.
 */
#ifndef CONFAB_BASE_BUF_H
#define CONFAB_BASE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"
#include "base/str.h"

struct buf {
	char *ptr;
	size_t len; /* bytes in use */
	size_t cap; /* bytes allocated */
	size_t max; /* bytes it may ever hold */
	bool failed;
};

/* An empty buffer; allocates nothing. buf_release gives the memory back; both are harmless on a
 * released or zeroed one. */
void buf_init(struct buf *buf, size_t max);
void buf_release(struct buf *buf);

/* Overwrites what it held before giving it back. */
void buf_release_secret(struct buf *buf);

/* Empty and ready for reuse; keeps the memory. */
void buf_clear(struct buf *buf);

/* Makes room for `len` more bytes and returns where they go, or NULL (and `failed`). The caller
 * writes up to `len` bytes there and adds what it wrote to buf->len. */
char *buf_reserve(struct buf *buf, size_t len);

bool buf_put(struct buf *buf, const void *ptr, size_t len);
bool buf_put_slice(struct buf *buf, struct slice text);
bool buf_put_str(struct buf *buf, const char *text);
bool buf_put_char(struct buf *buf, char c);
bool buf_put_fmt(struct buf *buf, const char *format, ...) PRINTF_LIKE(2, 3);
bool buf_put_vfmt(struct buf *buf, const char *format, va_list args) PRINTF_LIKE(2, 0);

/* Removes `len` bytes from the front. */
void buf_drop(struct buf *buf, size_t len);

/* The bytes, lent until the next change. */
static inline struct slice buf_slice(const struct buf *buf)
{
	return slice_make(buf->ptr, buf->len);
}

/* The bytes as a C string, lent until the next change; "" without memory. */
const char *buf_text(struct buf *buf);

#endif
