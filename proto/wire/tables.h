/*
 * The rows of proto/tables.def as enums and look-ups. Names are those of the wire, so that one
 * grep finds a command, its handler cmd_<name> and PROTO_CMD_<name>. Pure; any thread.
 */
#ifndef CONFAB_WIRE_TABLES_H
#define CONFAB_WIRE_TABLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

enum proto_cmd {
#define CMD(name, who, summary, reply) PROTO_CMD_##name,
#include "tables.def"
	PROTO_CMD_COUNT
};

enum proto_event {
#define EVENT(name, takes_seq, fields, receivers) PROTO_EVENT_##name,
#include "tables.def"
	PROTO_EVENT_COUNT
};

enum proto_error {
#define ERROR(name, meaning) PROTO_ERR_##name,
#include "tables.def"
	PROTO_ERR_COUNT
};

enum proto_reason {
#define REASON(name, meaning) PROTO_REASON_##name,
#include "tables.def"
	PROTO_REASON_COUNT
};

/* PROTO_LIMIT_line and so on, as constants. */
enum proto_limit {
#define LIMIT(name, value, unit, meaning) PROTO_LIMIT_##name = (value),
#include "tables.def"
};

/* All fields of all commands in one row: PROTO_FIELD_send_text. */
enum proto_field {
#define FIELD(cmd, name, kind, need, min, max, note) PROTO_FIELD_##cmd##_##name,
#include "tables.def"
	PROTO_FIELD_COUNT
};

#define PROTO_PORT 8572
#define PROTO_VERSION 1
#define PROTO_USER_MAX 32 /* bytes of a user's name */
#define PROTO_ROOM_MAX 64 /* bytes of a room's name */
#define PROTO_ID_MAX 64	  /* bytes of an id that is a string */
#define PROTO_INT_MAX INT64_C(999999999999999)

enum proto_who { PROTO_ANYONE, PROTO_NEW, PROTO_USER, PROTO_ADMIN };
enum proto_need { PROTO_REQUIRED, PROTO_OPTIONAL, PROTO_EITHER };
enum proto_kind {
	PROTO_KIND_TEXT,
	PROTO_KIND_USER,
	PROTO_KIND_ROOM,
	PROTO_KIND_INT,
	PROTO_KIND_BOOL,
	PROTO_KIND_CHOICE,
	PROTO_KIND_ID,
	PROTO_KIND_JSON,
	PROTO_KIND_TIME,
	PROTO_KIND_DAYS,
};

struct proto_field_row {
	enum proto_cmd cmd;
	const char *name;
	enum proto_kind kind;
	enum proto_need need;
	int64_t min, max;
	const char *note; /* the words of a CHOICE or DAYS, else a remark */
};

struct proto_cmd_row {
	const char *name;
	enum proto_who who;
	const char *summary, *reply;
	enum proto_field first_field; /* its fields are field_count rows from here on */
	unsigned field_count;
};

struct proto_event_row {
	const char *name;
	bool takes_seq;
	const char *fields, *receivers;
};

const struct proto_cmd_row *proto_cmd_row(enum proto_cmd cmd);
const struct proto_field_row *proto_field_row(enum proto_field field);
const struct proto_event_row *proto_event_row(enum proto_event event);

/* The name on the wire, and its meaning in one sentence. */
const char *proto_error_name(enum proto_error error);
const char *proto_error_meaning(enum proto_error error);
const char *proto_reason_name(enum proto_reason reason);
const char *proto_reason_meaning(enum proto_reason reason);

/* The limits as rows, for the greeting and PROTOCOL.md; NULL past the last. */
struct proto_limit_row {
	const char *name;
	int64_t value;
	const char *unit, *meaning;
};
const struct proto_limit_row *proto_limit_row(size_t index);

/* By name; false if there is none. */
bool proto_cmd_find(struct slice name, enum proto_cmd *ret);
bool proto_event_find(struct slice name, enum proto_event *ret);
bool proto_error_find(struct slice name, enum proto_error *ret);

/* [a-z0-9][a-z0-9._-]{0,31}, rooms up to 64. */
bool proto_is_user_name(struct slice name);
bool proto_is_room_name(struct slice name);

#endif
