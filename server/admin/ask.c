#include "admin/verbs.h"

#include <stdlib.h>

#include "os/clock.h"
#include "os/file.h"
#include "os/program.h"

#define TIMEOUT_S 10
#define LINE_MAX 65536
#define REQUEST_ID 1 /* one request at a time */

/* --- Requests ------------------------------------------------------------------------------- */

void admin_request_begin(struct admin_request *request, const char *cmd)
{
	buf_init(&request->line, LINE_MAX);
	/* All at once, so that growing leaves no copy of a password behind. */
	buf_reserve(&request->line, LINE_MAX);
	json_begin(&request->w, &request->line);
	json_put_str(&request->w, "cmd", cmd);
	json_put_int(&request->w, "id", REQUEST_ID);
}

static enum status refusal(const struct message *reply, struct error *err)
{
	enum proto_error code;
	enum status status = STATUS_REFUSED;

	if (proto_error_find(reply->error, &code)) {
		if (code == PROTO_ERR_no_such_user || code == PROTO_ERR_no_such_room ||
		    code == PROTO_ERR_no_such_message)
			status = STATUS_NOT_FOUND;
		else if (code == PROTO_ERR_auth_failed || code == PROTO_ERR_not_logged_in)
			status = STATUS_AUTH;
	}
	return error_set(err, status, "%.*s", (int)reply->text.len, reply->text.ptr);
}

/* Reads until the reply comes; events are not for us. */
static enum status wait_reply(struct admin *admin, unsigned timeout_ms, struct message *ret,
    struct error *err)
{
	uint64_t end = clock_mono_ms() + timeout_ms;

	for (;;) {
		uint64_t now = clock_mono_ms();
		struct slice line;
		enum status status;

		if (now >= end)
			return error_set(err, STATUS_TIMEOUT, "the server does not answer");
		status = admin->channel.ops->read(
		    admin->channel.impl, (unsigned)(end - now), &line, err);
		if (status == STATUS_OK)
			status = message_parse(line, ret, err);
		if (status != STATUS_OK)
			return status;
		if (ret->kind == MESSAGE_REPLY &&
		    (ret->re.kind == REQUEST_ID_NONE ||
		        (ret->re.kind == REQUEST_ID_INT && ret->re.number == REQUEST_ID)))
			return STATUS_OK;
		message_release(ret);
	}
}

static enum status ask(struct admin *admin, struct admin_request *request, struct message *ret,
    struct error *err)
{
	int64_t seconds = admin->timeout_s != 0 ? admin->timeout_s : TIMEOUT_S;
	unsigned timeout_ms = (unsigned)(seconds * 1000);
	enum status status = STATUS_OK;

	if (request->line.failed)
		return error_set(err, STATUS_FULL, "the request is too long");
	if (admin->channel.ops == NULL)
		status = admin_channel_open(&admin->config, admin->need, &admin->channel, err);
	if (status == STATUS_OK)
		status = admin->channel.ops->send(
		    admin->channel.impl, buf_slice(&request->line), timeout_ms, err);
	if (status == STATUS_OK)
		status = wait_reply(admin, timeout_ms, ret, err);
	if (status != STATUS_OK || ret->ok)
		return status;
	status = refusal(ret, err);
	message_release(ret);
	return status;
}

enum status admin_ask(struct admin *admin, struct admin_request *request, struct message *ret,
    struct error *err)
{
	enum status status;

	json_end(&request->w);
	status = ask(admin, request, ret, err);
	buf_release_secret(&request->line);
	return status;
}

enum status admin_tell(struct admin *admin, struct admin_request *request, const char *done,
    struct error *err)
{
	struct message reply;
	enum status status = admin_ask(admin, request, &reply, err);
	struct buf text;

	if (status != STATUS_OK)
		return status;
	if (admin->json) {
		admin_print_json(admin, reply.root);
	} else {
		buf_init(&text, 4096);
		buf_put_fmt(&text, "%s\n", done);
		admin_print(admin, buf_slice(&text));
		buf_release(&text);
	}
	message_release(&reply);
	return STATUS_OK;
}

enum status admin_list(struct admin *admin, const char *cmd, const char *list,
    void (*fields)(struct admin *admin, struct json_writer *w),
    void (*fn)(struct admin *admin, const struct json *item), struct error *err)
{
	struct buf after;
	enum status status;
	bool more = true;

	buf_init(&after, 4096);
	do {
		struct admin_request request;
		struct message reply;
		const struct json *item;

		admin_request_begin(&request, cmd);
		if (fields != NULL)
			fields(admin, &request.w);
		if (after.len > 0)
			json_put_text(&request.w, "after", buf_slice(&after));
		status = admin_ask(admin, &request, &reply, err);
		if (status != STATUS_OK)
			break;
		item = json_first(json_get(reply.root, list));
		more = json_is_true(json_get(reply.root, "more"));
		for (; item != NULL; item = json_next(item))
			fn(admin, item);
		buf_clear(&after);
		buf_put_slice(&after, json_text(json_get(reply.root, "next")));
		message_release(&reply);
	} while (more && after.len > 0 && admin->out == STATUS_OK);
	buf_release(&after);
	return status;
}

/* --- Output --------------------------------------------------------------------------------- */

void admin_print(struct admin *admin, struct slice text)
{
	if (admin->out == STATUS_OK)
		admin->out = program_write(PROGRAM_STDOUT, text.ptr, text.len);
}

void admin_print_json(struct admin *admin, const struct json *value)
{
	struct buf line;

	buf_init(&line, 1 << 20);
	json_print(value, &line);
	buf_put_char(&line, '\n');
	if (line.failed)
		admin->out = STATUS_NOMEM;
	else
		admin_print(admin, buf_slice(&line));
	buf_release(&line);
}

void admin_put_text(struct buf *to, const struct json *object, const char *key,
    const char *missing)
{
	const struct json *value = json_get(object, key);
	struct slice text = json_text(value);

	if (value == NULL || json_type(value) == JSON_NULL) {
		buf_put_str(to, missing);
	} else if (json_type(value) != JSON_STRING) {
		json_print(value, to);
	} else {
		for (size_t i = 0; i < text.len; i++) {
			unsigned char c = (unsigned char)text.ptr[i];

			buf_put_char(to, c < 0x20 || c == 0x7F ? '?' : (char)c);
		}
	}
}

/* --- Places --------------------------------------------------------------------------------- */

enum status admin_data(const struct admin *admin, const char **ret, struct error *err)
{
	*ret = config_text(&admin->config, CONFIG_data);
	if (*ret == NULL)
		return error_set(err, STATUS_USAGE,
		    "where? name the server's folder with --data DIR or --dir DIR");
	return STATUS_OK;
}

enum status admin_need_no_server(const struct admin *admin, const char *verb, struct error *err)
{
	const char *data;
	enum status status = admin_data(admin, &data, err);

	if (status != STATUS_OK)
		return status;
	status = admin_channel_probe(data, err);
	if (status == STATUS_OK)
		return error_set(err, STATUS_REFUSED,
		    "a server runs on %s: stop it first (confab-server shutdown), %s needs the "
		    "store for itself",
		    data, verb);
	/* What else is in the way is told by whoever takes the lock. */
	return STATUS_OK;
}

enum status admin_full_path(const char *path, char **ret, struct error *err)
{
	struct buf full;
	enum status status;

	buf_init(&full, 65536);
	status = path_make_full(path, &full, err);
	if (status == STATUS_OK) {
		*ret = str_dup(buf_slice(&full));
		if (*ret == NULL)
			status = error_set(err, STATUS_NOMEM, "out of memory");
	}
	buf_release(&full);
	return status;
}
