/*
 * JSON of the wire: reading through cJSON, made strict, and writing straight into a buffer.
 * json.c is the only file that includes cJSON's header.
 *
 * Reading accepts exactly what PROTOCOL.md allows: RFC 8259 texts in valid UTF-8, no BOM, no NUL
 * (also not as \u0000), no lone surrogates, no duplicate keys, nesting of at most 8, nothing
 * behind the value, no number that a double cannot hold or that has more than 63 characters. cJSON
 * alone is laxer; the differences are checked on the bytes before it.
 *
 * Writing does not build a tree: an event is serialised once for all its receivers, and a page of
 * a list has to know its size while it grows. Pure; any thread.
 */
#ifndef CONFAB_WIRE_JSON_H
#define CONFAB_WIRE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/status.h"
#include "base/str.h"

#define JSON_DEPTH_MAX 8
#define JSON_DEPTH_REPLY 11 /* `data`, as deep as it can be, in the list of a reply */

/* A value of a parsed text, lent from the root until json_free(root). */
struct json;

enum json_type { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

/* INVALID: `err` says what is wrong and at which byte; NOMEM. The root is the caller's. */
enum status json_parse(struct slice text, struct json **ret, struct error *err);
/* The same for what may be nested deeper. */
enum status json_parse_deep(struct slice text, int depth, struct json **ret, struct error *err);
void json_free(struct json *root); /* NULL is harmless */
/* Overwrites all texts before: for a tree that may hold a password or a token. */
void json_free_secret(struct json *root);

enum json_type json_type(const struct json *value);

/* Member of an object by its exact name; NULL if there is none, or `object` is NULL or no object. */
const struct json *json_get(const struct json *object, const char *key);

/* Iteration over an object's or array's members: the first (NULL if empty or another type), the
 * next after one (NULL at the end), and a member's key ("" in an array). */
const struct json *json_first(const struct json *container);
const struct json *json_next(const struct json *member);
struct slice json_key(const struct json *member);

/* A string's bytes; {NULL, 0} for NULL and other types. */
struct slice json_text(const struct json *value);
/* True if it is a number without fraction within ±999,999,999,999,999. */
bool json_int(const struct json *value, int64_t *ret);
bool json_is_true(const struct json *value);

/* Appends the value in its shortest form. FULL: the buffer failed (its maximum, or memory). */
enum status json_print(const struct json *value, struct buf *to);

/* --- Writing --------------------------------------------------------------------------------
 * Call in the order of the text; commas come by themselves. Failures stay in to->failed. Keys are
 * literals of ours and are not escaped; NULL as key inside an array. */
struct json_writer {
	struct buf *to;
	bool need_comma;
};

void json_begin(struct json_writer *w, struct buf *to); /* "{" */
void json_end(struct json_writer *w);			/* "}" */
void json_open_object(struct json_writer *w, const char *key);
void json_close_object(struct json_writer *w);
void json_open_array(struct json_writer *w, const char *key);
void json_close_array(struct json_writer *w);
/* Text must be UTF-8; control characters, quotes and backslashes are escaped. */
void json_put_text(struct json_writer *w, const char *key, struct slice text);
void json_put_str(struct json_writer *w, const char *key, const char *text);
void json_put_int(struct json_writer *w, const char *key, int64_t value);
void json_put_bool(struct json_writer *w, const char *key, bool value);
void json_put_null(struct json_writer *w, const char *key);
void json_put_time(struct json_writer *w, const char *key, int64_t unix_ms);
/* `raw` is JSON already. */
void json_put_raw(struct json_writer *w, const char *key, struct slice raw);
/* Appends a string with its quotes, escaped. */
void json_put_quoted(struct buf *to, struct slice text);

#endif
