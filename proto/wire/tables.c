#include "wire/tables.h"

#include <assert.h>

/* Where a command's fields start: behind its FIRST_ comes an enumerator one lower, so that its
 * first field, counted on from there, gets the number of FIRST_ itself. */
enum {
#define CMD(name, who, summary, reply) FIRST_##name, BEFORE_##name = FIRST_##name - 1,
#define FIELD(cmd, name, kind, need, min, max, note) AT_##cmd##_##name,
#include "tables.def"
};

/* How many they are: a struct for each command with one byte for each field, and one more because
 * C knows no empty struct. */
struct fields_of_none {
	char none;
#define CMD(name, who, summary, reply)                                                             \
	}                                                                                          \
	;                                                                                          \
	struct fields_of_##name {                                                                  \
		char none;
#define FIELD(cmd, name, kind, need, min, max, note) char name##_field;
#include "tables.def"
};

static const struct proto_cmd_row cmds[] = {
#define CMD(name, who, summary, reply)                                                             \
	{#name, PROTO_##who, summary, reply, (enum proto_field)FIRST_##name,                       \
	    sizeof(struct fields_of_##name) - 1},
#include "tables.def"
};

static const struct proto_field_row fields[] = {
#define FIELD(cmd, name, kind, need, min, max, note)                                               \
	{PROTO_CMD_##cmd, #name, PROTO_KIND_##kind, PROTO_##need, min, max, note},
#include "tables.def"
};

static const struct proto_event_row events[] = {
#define EVENT(name, takes_seq, fields, receivers) {#name, takes_seq, fields, receivers},
#include "tables.def"
};

struct name_row {
	const char *name, *meaning;
};

static const struct name_row errors[] = {
#define ERROR(name, meaning) {#name, meaning},
#include "tables.def"
};

static const struct name_row reasons[] = {
#define REASON(name, meaning) {#name, meaning},
#include "tables.def"
};

static const struct proto_limit_row limits[] = {
#define LIMIT(name, value, unit, meaning) {#name, PROTO_LIMIT_##name, unit, meaning},
#include "tables.def"
};

const struct proto_cmd_row *proto_cmd_row(enum proto_cmd cmd)
{
	assert((unsigned)cmd < PROTO_CMD_COUNT);
	return &cmds[cmd];
}

const struct proto_field_row *proto_field_row(enum proto_field field)
{
	assert((unsigned)field < PROTO_FIELD_COUNT);
	return &fields[field];
}

const struct proto_event_row *proto_event_row(enum proto_event event)
{
	assert((unsigned)event < PROTO_EVENT_COUNT);
	return &events[event];
}

static const struct name_row *error_row(enum proto_error error)
{
	assert((unsigned)error < PROTO_ERR_COUNT);
	return &errors[error];
}

const char *proto_error_name(enum proto_error error)
{
	return error_row(error)->name;
}

const char *proto_error_meaning(enum proto_error error)
{
	return error_row(error)->meaning;
}

static const struct name_row *reason_row(enum proto_reason reason)
{
	assert((unsigned)reason < PROTO_REASON_COUNT);
	return &reasons[reason];
}

const char *proto_reason_name(enum proto_reason reason)
{
	return reason_row(reason)->name;
}

const char *proto_reason_meaning(enum proto_reason reason)
{
	return reason_row(reason)->meaning;
}

const struct proto_limit_row *proto_limit_row(size_t index)
{
	return index < sizeof limits / sizeof *limits ? &limits[index] : NULL;
}

bool proto_cmd_find(struct slice name, enum proto_cmd *ret)
{
	for (size_t i = 0; i < PROTO_CMD_COUNT; i++) {
		if (slice_is(name, cmds[i].name)) {
			*ret = (enum proto_cmd)i;
			return true;
		}
	}
	return false;
}

bool proto_event_find(struct slice name, enum proto_event *ret)
{
	for (size_t i = 0; i < PROTO_EVENT_COUNT; i++) {
		if (slice_is(name, events[i].name)) {
			*ret = (enum proto_event)i;
			return true;
		}
	}
	return false;
}

bool proto_error_find(struct slice name, enum proto_error *ret)
{
	for (size_t i = 0; i < PROTO_ERR_COUNT; i++) {
		if (slice_is(name, errors[i].name)) {
			*ret = (enum proto_error)i;
			return true;
		}
	}
	return false;
}

/* Not the C library's isalnum: that follows the locale. */
static bool is_name(struct slice name, size_t max)
{
	if (name.len == 0 || name.len > max)
		return false;
	for (size_t i = 0; i < name.len; i++) {
		char c = name.ptr[i];
		bool inner = c == '.' || c == '_' || c == '-';

		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && !(inner && i > 0))
			return false;
	}
	return true;
}

bool proto_is_user_name(struct slice name)
{
	return is_name(name, PROTO_USER_MAX);
}

bool proto_is_room_name(struct slice name)
{
	return is_name(name, PROTO_ROOM_MAX);
}
