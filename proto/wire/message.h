/*
 * Lines from the server: writing replies and events, and reading them at the client's end.
 * PROTOCOL.md, "Three kinds of line". Pure; any thread.
 */
#ifndef CONFAB_WIRE_MESSAGE_H
#define CONFAB_WIRE_MESSAGE_H

#include "base/blob.h"
#include "wire/json.h"
#include "wire/request.h"
#include "wire/tables.h"

/* Starts {"re":…,"ok":true and {"event":"…"; the caller puts fields and calls message_end, which
 * closes the object and adds the LF. */
void message_begin_reply(struct json_writer *w, struct buf *to, const struct request_id *id);
void message_begin_event(struct json_writer *w, struct buf *to, enum proto_event event);
void message_end(struct json_writer *w);

/* A whole line {"re":…,"ok":false,"error":…,"message":…,…}. Without an id, "re" is null. */
void message_put_error(struct buf *to, const struct request_id *id,
    const struct request_error *error);

/* A whole goodbye line; `text` says more to people, NULL: the reason's meaning. */
void message_put_goodbye(struct buf *to, enum proto_reason reason, const char *text);

enum message_kind { MESSAGE_REPLY, MESSAGE_EVENT };

/* A line of the server as a client sees it. */
struct message {
	enum message_kind kind;
	struct json *root;	 /* owned */
	/* Reply: */
	struct request_id re;	 /* kind NONE for "re":null */
	bool ok;
	struct slice error;	 /* the code, lent from root; empty when ok */
	struct slice text;	 /* its message for people */
	/* Event: */
	struct slice event;	 /* its name, lent from root; may be one we do not know */
};

/* INVALID with `err`: not a line that a server may send. Nothing to release then. */
enum status message_parse(struct slice line, struct message *ret, struct error *err);
void message_release(struct message *message);

#endif
