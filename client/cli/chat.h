/*
 * A conversation on a terminal or over a pipe: verb_chat.c runs it and prints what comes,
 * chat_commands.c does what is typed. Main thread.
 */
#ifndef CONFAB_CLI_CHAT_H
#define CONFAB_CLI_CHAT_H

#include "cli/app.h"
#include "cli/input.h"
#include "cli/membership.h"
#include "wire/tables.h"

struct chat {
	struct app *app;
	struct membership *rooms;
	struct input *input;
	char current[PROTO_ROOM_MAX + 2]; /* "dev" or "@bob"; "" at first */
	bool has_prompt;                  /* both ends are a terminal */
	bool prompt_shown;
	bool input_ended, told;
	char nonce[32]; /* how the nonces of this run begin */
	unsigned nonces;
};

/* To standard output, where the prompt stands now; it is written again before the next wait. */
void chat_print(struct chat *chat, struct slice text);

/* A remark to standard error, in the same way. */
void chat_note(struct chat *chat, const char *format, ...) PRINTF_LIKE(2, 3);

/* Before something else is written to the terminal. */
void chat_hide_prompt(struct chat *chat);

/* A line that was typed: a command, or a text for the conversation. */
void chat_handle_input(struct chat *chat, struct slice line);

#endif
