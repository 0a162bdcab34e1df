/* Sending: lines as they are, and requests, which are lines with an id. */
#include <stdlib.h>

#include "lib/confab_private.h"
#include "wire/json.h"

static enum confab_status send_line(struct confab *c, struct slice line)
{
	enum status status = session_send(c->session, line);

	switch (status) {
	case STATUS_OK:
		return CONFAB_OK;
	case STATUS_AGAIN:
		return libconfab_fail(c, status, "too much waits to be sent already");
	case STATUS_FULL:
		return libconfab_fail(c, status, "the line is too long");
	case STATUS_CLOSED:
		return libconfab_fail(c, status, "there is no connection");
	default:
		return libconfab_fail(c, status, status_text(status));
	}
}

enum confab_status confab_send_line(struct confab *c, const char *line, size_t len)
{
	if (memchr(line, '\n', len) != NULL)
		return libconfab_fail(c, STATUS_USAGE, "a line end inside a line");
	return send_line(c, slice_make(line, len));
}

/* The id of the caller's in its wire form, if there is one that a server would take. */
static enum status read_id(const struct json *value, struct request_id *ret)
{
	if (json_type(value) == JSON_STRING && json_text(value).len <= PROTO_ID_MAX) {
		struct slice text = json_text(value);

		ret->kind = REQUEST_ID_TEXT;
		ret->len = (unsigned char)text.len;
		str_copy(ret->text, sizeof ret->text, text);
		return STATUS_OK;
	}
	if (json_int(value, &ret->number) && ret->number >= 0) {
		ret->kind = REQUEST_ID_INT;
		return STATUS_OK;
	}
	return STATUS_USAGE;
}

/* The object as one line. Line ends in it are white space between its tokens, as a string cannot
 * hold them. An id of ours goes in front of the first member. */
static void put_request(
    struct buf *to, struct slice json, bool is_empty, const struct request_id *own_id)
{
	size_t start;

	json = slice_trim(json);
	if (own_id != NULL) {
		buf_put_fmt(to, "{\"id\":%lld%s", (long long)own_id->number, is_empty ? "" : ",");
		json.ptr++;
		json.len--;
	}
	start = to->len;
	buf_put_slice(to, json);
	for (size_t i = start; i < to->len; i++)
		if (to->ptr[i] == '\n' || to->ptr[i] == '\r')
			to->ptr[i] = ' ';
}

static enum confab_status send_request(
    struct confab *c, struct slice json, const struct json *root, confab_reply_fn *fn, void *arg)
{
	const struct json *given = json_get(root, "id");
	struct request_id id = {.kind = REQUEST_ID_NONE};
	enum confab_status result;
	enum status status;
	struct buf line;

	if (given == NULL)
		id = pending_number(&c->pending);
	else if (read_id(given, &id) != STATUS_OK)
		return libconfab_fail(c, STATUS_USAGE,
		    "\"id\" is neither a string of at most 64 bytes nor a whole number");
	status = pending_put(&c->pending, &id, fn, arg);
	if (status == STATUS_FULL)
		return libconfab_fail(c, status, "too many requests wait for their reply");
	if (status == STATUS_EXISTS)
		return libconfab_fail(c, status, "a request with that id waits for its reply");
	if (status != STATUS_OK)
		return libconfab_fail(c, status, status_text(status));
	buf_init(&line, CONFAB_LINE_MAX + 64);
	buf_reserve(&line, json.len < CONFAB_LINE_MAX ? json.len + 64 : 0);
	put_request(&line, json, json_first(root) == NULL, given == NULL ? &id : NULL);
	result = line.failed ? libconfab_fail(c, STATUS_FULL, "the request is too long")
	                     : send_line(c, buf_slice(&line));
	buf_release_secret(&line); /* which may hold a password */
	if (result != CONFAB_OK)
		free(pending_take(&c->pending, &id));
	return result;
}

enum confab_status confab_request(
    struct confab *c, const char *json, size_t len, confab_reply_fn *fn, void *arg)
{
	struct json *root;
	struct error err;
	enum confab_status result;
	enum status status = json_parse(slice_make(json, len), &root, &err);

	if (status == STATUS_INVALID)
		return libconfab_fail(c, STATUS_USAGE, err.text);
	if (status != STATUS_OK)
		return libconfab_fail(c, status, status_text(status));
	if (json_type(root) != JSON_OBJECT)
		result = libconfab_fail(c, STATUS_USAGE, "a request is a JSON object");
	else
		result = send_request(c, slice_make(json, len), root, fn, arg);
	json_free_secret(root);
	return result;
}

enum confab_status confab_say(
    struct confab *c, const char *target, const char *text, confab_reply_fn *fn, void *arg)
{
	enum confab_status result;
	struct json_writer w;
	struct buf json;

	buf_init(&json, CONFAB_LINE_MAX);
	json_begin(&w, &json);
	json_put_str(&w, "cmd", "send");
	if (target[0] == '@')
		json_put_str(&w, "to", target + 1);
	else
		json_put_str(&w, "room", target);
	json_put_str(&w, "text", text);
	json_end(&w);
	result = json.failed ? libconfab_fail(c, STATUS_FULL, "the text is too long")
	                     : confab_request(c, json.ptr, json.len, fn, arg);
	buf_release(&json);
	return result;
}
