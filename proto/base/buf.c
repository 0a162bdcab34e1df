#include "base/buf.h"

#include <stdlib.h>

void buf_init(struct buf *buf, size_t max)
{
	*buf = (struct buf){.max = max};
}

void buf_release(struct buf *buf)
{
	free(buf->ptr);
	buf_init(buf, buf->max);
}

void buf_release_secret(struct buf *buf)
{
	if (buf->ptr != NULL)
		secret_wipe(buf->ptr, buf->cap);
	buf_release(buf);
}

void buf_clear(struct buf *buf)
{
	buf->len = 0;
	buf->failed = false;
}

/* Doubles, so that appending n bytes one by one costs O(n). */
static bool grow(struct buf *buf, size_t need)
{
	size_t cap = buf->cap > 0 ? buf->cap : 64;
	char *ptr;

	while (cap < need)
		cap = cap > buf->max / 2 ? buf->max : cap * 2;
	if (cap > buf->max)
		cap = buf->max;
	ptr = realloc(buf->ptr, cap);
	if (ptr == NULL)
		return false;
	buf->ptr = ptr;
	buf->cap = cap;
	return true;
}

/* In a function of its own so that those below have it without a call: they run for every key and
 * every comma that is written. */
static inline char *reserve(struct buf *buf, size_t len)
{
	if (buf->failed || len > buf->max || buf->len > buf->max - len ||
	    (buf->len + len > buf->cap && !grow(buf, buf->len + len))) {
		buf->failed = true;
		return NULL;
	}
	return buf->ptr + buf->len;
}

char *buf_reserve(struct buf *buf, size_t len)
{
	return reserve(buf, len);
}

bool buf_put(struct buf *buf, const void *ptr, size_t len)
{
	char *at;

	if (len == 0)
		return !buf->failed;
	at = reserve(buf, len);
	if (at == NULL)
		return false;
	memcpy(at, ptr, len);
	buf->len += len;
	return true;
}

bool buf_put_slice(struct buf *buf, struct slice text)
{
	return buf_put(buf, text.ptr, text.len);
}

bool buf_put_str(struct buf *buf, const char *text)
{
	return buf_put(buf, text, strlen(text));
}

bool buf_put_char(struct buf *buf, char c)
{
	char *at = reserve(buf, 1);

	if (at == NULL)
		return false;
	*at = c;
	buf->len++;
	return true;
}

bool buf_put_vfmt(struct buf *buf, const char *format, va_list args)
{
	va_list again;
	int len;
	char *at;

	va_copy(again, args);
	len = vsnprintf(NULL, 0, format, again);
	va_end(again);
	if (len < 0) {
		buf->failed = true;
		return false;
	}
	/* vsnprintf writes a NUL behind the text, so the room is one byte larger. */
	at = buf_reserve(buf, (size_t)len + 1);
	if (at == NULL)
		return false;
	vsnprintf(at, (size_t)len + 1, format, args);
	buf->len += (size_t)len;
	return true;
}

bool buf_put_fmt(struct buf *buf, const char *format, ...)
{
	va_list args;
	bool done;

	va_start(args, format);
	done = buf_put_vfmt(buf, format, args);
	va_end(args);
	return done;
}

void buf_drop(struct buf *buf, size_t len)
{
	if (len >= buf->len) {
		buf->len = 0;
		return;
	}
	memmove(buf->ptr, buf->ptr + len, buf->len - len);
	buf->len -= len;
}

const char *buf_text(struct buf *buf)
{
	if (buf->len == buf->cap && !grow(buf, buf->len + 1))
		return "";
	if (buf->len == buf->cap)
		return ""; /* exactly at its maximum: no room for the NUL */
	buf->ptr[buf->len] = '\0';
	return buf->ptr;
}
