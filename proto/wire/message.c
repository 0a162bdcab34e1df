#include "wire/message.h"

static void put_id(struct json_writer *w, const struct request_id *id)
{
	if (id == NULL || id->kind == REQUEST_ID_NONE)
		json_put_null(w, "re");
	else if (id->kind == REQUEST_ID_INT)
		json_put_int(w, "re", id->number);
	else
		json_put_text(w, "re", slice_make(id->text, id->len));
}

void message_begin_reply(struct json_writer *w, struct buf *to, const struct request_id *id)
{
	json_begin(w, to);
	put_id(w, id);
	json_put_bool(w, "ok", true);
}

void message_begin_event(struct json_writer *w, struct buf *to, enum proto_event event)
{
	json_begin(w, to);
	json_put_str(w, "event", proto_event_row(event)->name);
}

void message_end(struct json_writer *w)
{
	json_end(w);
	buf_put_char(w->to, '\n');
}

void message_put_error(struct buf *to, const struct request_id *id,
    const struct request_error *error)
{
	struct json_writer w;

	json_begin(&w, to);
	put_id(&w, id);
	json_put_bool(&w, "ok", false);
	json_put_str(&w, "error", proto_error_name(error->code));
	json_put_str(&w, "message",
	    error->message[0] != '\0' ? error->message : proto_error_meaning(error->code));
	if (error->field != NULL)
		json_put_str(&w, "field", error->field);
	if (error->limit != 0)
		json_put_int(&w, "limit", error->limit);
	if (error->retry_after != 0)
		json_put_int(&w, "retry_after", error->retry_after);
	message_end(&w);
}

void message_put_goodbye(struct buf *to, enum proto_reason reason, const char *text)
{
	struct json_writer w;

	message_begin_event(&w, to, PROTO_EVENT_goodbye);
	json_put_str(&w, "reason", proto_reason_name(reason));
	json_put_str(&w, "message", text != NULL ? text : proto_reason_meaning(reason));
	message_end(&w);
}

/* --- At the client's end --------------------------------------------------------------------- */

static enum status parse_id(const struct json *value, struct request_id *id, struct error *err)
{
	struct slice text = json_text(value);

	if (json_type(value) == JSON_STRING && text.len <= PROTO_ID_MAX) {
		id->kind = REQUEST_ID_TEXT;
		id->len = (unsigned char)text.len;
		str_copy(id->text, sizeof id->text, text);
	} else if (json_int(value, &id->number) && id->number >= 0) {
		id->kind = REQUEST_ID_INT;
	} else if (json_type(value) != JSON_NULL) {
		return error_set(err, STATUS_INVALID, "\"re\" is no id");
	}
	return STATUS_OK;
}

static enum status parse_reply(const struct json *re, struct message *message, struct error *err)
{
	const struct json *ok = json_get(message->root, "ok");

	message->kind = MESSAGE_REPLY;
	if (ok == NULL || json_type(ok) != JSON_BOOL)
		return error_set(err, STATUS_INVALID, "a reply without \"ok\"");
	message->ok = json_is_true(ok);
	if (!message->ok) {
		message->error = json_text(json_get(message->root, "error"));
		message->text = json_text(json_get(message->root, "message"));
		if (message->error.len == 0)
			return error_set(err, STATUS_INVALID, "a failure without \"error\"");
	}
	return parse_id(re, &message->re, err);
}

static enum status parse_object(struct message *message, struct error *err)
{
	const struct json *re = json_get(message->root, "re");
	const struct json *event = json_get(message->root, "event");

	if (json_type(message->root) != JSON_OBJECT)
		return error_set(err, STATUS_INVALID, "the line is not a JSON object");
	if ((re != NULL) == (event != NULL))
		return error_set(err, STATUS_INVALID, "the line is neither a reply nor an event");
	if (re != NULL)
		return parse_reply(re, message, err);
	message->kind = MESSAGE_EVENT;
	message->event = json_text(event);
	if (message->event.len == 0)
		return error_set(err, STATUS_INVALID, "an event without a name");
	return STATUS_OK;
}

enum status message_parse(struct slice line, struct message *ret, struct error *err)
{
	struct message message = {.kind = MESSAGE_REPLY};
	enum status status = json_parse_deep(line, JSON_DEPTH_REPLY, &message.root, err);

	if (status != STATUS_OK)
		return status;
	status = parse_object(&message, err);
	if (status != STATUS_OK) {
		json_free(message.root);
		return status;
	}
	*ret = message;
	return STATUS_OK;
}

void message_release(struct message *message)
{
	json_free(message->root);
	message->root = NULL;
}
