/* How a command's rows read for people: its words, its options. */
#include "cli/command.h"

static enum proto_field field_at(const struct proto_cmd_row *row, unsigned i)
{
	return (enum proto_field)(row->first_field + i);
}

static void put_upper(struct buf *to, const char *name)
{
	for (; *name != '\0'; name++)
		buf_put_char(to, *name >= 'a' && *name <= 'z' ? (char)(*name - 'a' + 'A') : *name);
}

void command_put_usage(enum proto_cmd cmd, struct buf *to)
{
	const struct proto_cmd_row *row = proto_cmd_row(cmd);

	for (unsigned i = 0; i < row->field_count; i++) {
		const struct proto_field_row *field = proto_field_row(field_at(row, i));

		if (command_place(field_at(row, i)) != COMMAND_WORD)
			continue;
		buf_put_char(to, ' ');
		if (field->kind == PROTO_KIND_JSON)
			buf_put_str(to, "[CONVERSATION=SEQ]…");
		else if (field->need == PROTO_EITHER)
			buf_put_str(to, "ROOM|@USER");
		else if (command_choice(field_at(row, i))[0] != '\0')
			buf_put_str(to, command_choice(field_at(row, i)));
		else if (strcmp(field->name, "target") == 0)
			buf_put_str(to, "SEQ");
		else
			put_upper(to, field->name);
		if (command_is_prose(field_at(row, i)))
			buf_put_str(to, "…|-");
	}
}

static const char *value_of(const struct proto_field_row *row, char *to, size_t size)
{
	switch (row->kind) {
	case PROTO_KIND_BOOL:
		return "[=no]";
	case PROTO_KIND_INT:
		return "N";
	case PROTO_KIND_USER:
		return "USER";
	case PROTO_KIND_ROOM:
		return "ROOM";
	case PROTO_KIND_TIME:
		return "TIME";
	case PROTO_KIND_CHOICE:
		return row->note;
	case PROTO_KIND_DAYS:
		snprintf(to, size, "%s|DAYS", row->note);
		return to;
	default:
		return "TEXT";
	}
}

static const char *help_of(const struct proto_field_row *row, char *to, size_t size)
{
	switch (row->kind) {
	case PROTO_KIND_BOOL:
		return row->note[0] != '\0' ? row->note : "yes, or no";
	case PROTO_KIND_CHOICE:
		return "one of these";
	case PROTO_KIND_DAYS:
		snprintf(to, size, "one of these words, or days, %lld to %lld", (long long)row->min,
		    (long long)row->max);
		return to;
	case PROTO_KIND_TIME:
		snprintf(to, size, "%s; a day (2026-11-22) or 2026-11-22T10:00:00Z", row->note);
		return to;
	case PROTO_KIND_INT:
		if (row->note[0] != '\0')
			return row->note;
		snprintf(to, size, "at most so many, %lld to %lld", (long long)row->min,
		    (long long)row->max);
		return to;
	default:
		if (row->note[0] != '\0')
			return row->note;
		snprintf(to, size, "at most %lld bytes", (long long)row->max);
		return to;
	}
}

void command_get_options(enum proto_cmd cmd, struct command_options *ret)
{
	const struct proto_cmd_row *row = proto_cmd_row(cmd);

	*ret = (struct command_options){.count = 0};
	for (unsigned i = 0; i < row->field_count && ret->count < COMMAND_OPTIONS_MAX; i++) {
		const struct proto_field_row *field = proto_field_row(field_at(row, i));
		size_t n = ret->count;

		if (command_place(field_at(row, i)) != COMMAND_OPTION)
			continue;
		ret->field[n] = field_at(row, i);
		ret->option[n] = (struct option){field->name, '\0',
		    value_of(field, ret->value[n], sizeof ret->value[n]),
		    help_of(field, ret->help[n], sizeof ret->help[n])};
		ret->count++;
	}
}
