/*
 * A request: one line from a client, parsed and checked against its rows in tables.def, so that
 * no handler meets a field that is missing, of a wrong type or out of range. PROTOCOL.md,
 * "Requests". Pure; any thread.
 */
#ifndef CONFAB_WIRE_REQUEST_H
#define CONFAB_WIRE_REQUEST_H

#include "wire/json.h"
#include "wire/tables.h"

enum request_id_kind { REQUEST_ID_NONE, REQUEST_ID_INT, REQUEST_ID_TEXT };

/* What comes back as "re": a copy, independent of the line. */
struct request_id {
	enum request_id_kind kind;
	int64_t number;
	char text[PROTO_ID_MAX + 1];
	unsigned char len;
};

struct request_field {
	bool present;
	bool flag;		  /* BOOL */
	int64_t number;		  /* INT; for a CHOICE the index of the word; TIME: unix ms; DAYS: 0
				     where `text` is a word */
	struct slice text;	  /* TEXT, USER, ROOM, CHOICE; DAYS: the word, or empty */
	const struct json *value; /* as parsed; JSON */
};

#define REQUEST_FIELDS_MAX 12

struct request {
	enum proto_cmd cmd;
	struct request_id id;
	struct json *root; /* owned */
	struct request_field field[REQUEST_FIELDS_MAX];
};

/* What a failed request is answered with. */
struct request_error {
	enum proto_error code;
	const char *field;   /* static, or NULL */
	int64_t limit;	     /* for too_large and too_many, else 0 */
	int64_t retry_after; /* seconds, for rate_limited, else 0 */
	char message[200];   /* one sentence for people */
};

/* Fills `err`, without field, limit and retry_after. */
void request_error_set(struct request_error *err, enum proto_error code, const char *format, ...)
    PRINTF_LIKE(3, 4);

/* OK: everything is checked but what depends on state; `request` holds memory until
 * request_release. INVALID: `err` says what to answer; request->id is set where it was usable, and
 * there is nothing to release. */
enum status request_parse(struct slice line, struct request *request, struct request_error *err);
void request_release(struct request *request);

/* A field of this request's command, by its number in the table. */
static inline const struct request_field *request_field(const struct request *request,
    enum proto_field field)
{
	return &request->field[field - proto_cmd_row(request->cmd)->first_field];
}

#endif
