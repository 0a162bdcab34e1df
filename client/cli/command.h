/*
 * A command of the protocol as a command line, from its rows in the tables: required fields are
 * words, in the table's order; optional ones are options; `room` and `to` of one another's place
 * are one word, "dev" or "@bob"; passwords are neither, as everybody could read them. The last
 * word, if it is a text to be read, may be several, or - for standard input. Values are checked as
 * far as their JSON depends on it; whether they are good the server tells. Pure, save standard
 * input.
 */
#ifndef CONFAB_CLI_COMMAND_H
#define CONFAB_CLI_COMMAND_H

#include "base/buf.h"
#include "base/options.h"
#include "base/status.h"
#include "wire/request.h"
#include "wire/tables.h"

enum command_place {
	COMMAND_NOWHERE, /* the program fills it in, or --to does */
	COMMAND_WORD,
	COMMAND_OPTION,
	COMMAND_SECRET,
};

/* Where a field of a command stands. Of a pair `room` and `to`, the first is the word of both. */
enum command_place command_place(enum proto_field field);

/* Is there a verb that asks this? Not for `send`, which is more than one command, and not for what
 * makes sense only as a part of a longer connection. */
bool command_is_verb(enum proto_cmd cmd);

/* Is it a text to be read, which may be several words? */
bool command_is_prose(enum proto_field field);

/* Does it answer in pages? */
bool command_is_paged(enum proto_cmd cmd);

/* Its fields' values, as JSON; empty where not given. */
struct command {
	enum proto_cmd cmd;
	struct buf value[REQUEST_FIELDS_MAX];
};

void command_init(struct command *command, enum proto_cmd cmd);
void command_release(struct command *command); /* wipes; harmless on a zeroed one */

/* The value of a field by its name; NULL if it has no such field. For what is no word or option:
 * secrets, the place of the next page. */
struct buf *command_value(struct command *command, const char *field);
void command_put_text(struct command *command, const char *field, struct slice text);

/* Takes an option; `value` may be NULL for one that is true or false. NOT_FOUND: it has no such
 * option; USAGE with a sentence. */
enum status command_put_option(
    struct command *command, const char *name, const char *value, struct error *err);

/* Takes the words. `to_user` (--to, or NULL) stands for the word of a conversation. USAGE with a
 * sentence; IO, FULL of standard input. */
enum status command_put_words(struct command *command, const char *const *words, size_t count,
    const char *to_user, struct error *err);

/* Appends the request. */
void command_print(const struct command *command, struct buf *to);

/* Appends the words as help shows them: " ROOM|@USER TARGET TEXT…|-". */
void command_put_usage(enum proto_cmd cmd, struct buf *to);

/* The words a field may be, separated by |; "" where it may be anything. */
const char *command_choice(enum proto_field field);

#define COMMAND_OPTIONS_MAX 16

/* Its options as rows for options.h, ended by a NULL name, with the texts of their values. */
struct command_options {
	struct option option[COMMAND_OPTIONS_MAX + 1];
	enum proto_field field[COMMAND_OPTIONS_MAX];
	char value[COMMAND_OPTIONS_MAX][64];
	char help[COMMAND_OPTIONS_MAX][120];
	size_t count;
};
void command_get_options(enum proto_cmd cmd, struct command_options *ret);

#endif
