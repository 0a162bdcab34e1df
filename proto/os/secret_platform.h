/*
 * The terminal while a secret is typed, and what becomes of the keys: only for secret*.c and the
 * tests of them. The system's file gives keys as bytes of UTF-8 and as the characters below,
 * whatever the person's own settings for them are.
 */
#ifndef CONFAB_OS_SECRET_PLATFORM_H
#define CONFAB_OS_SECRET_PLATFORM_H

#include "os/secret.h"

#define SECRET_KEY_INTERRUPT 0x03
#define SECRET_KEY_END 0x04 /* of the input, on an empty line */
#define SECRET_KEY_KILL 0x15 /* forgets the line */
#define SECRET_KEY_ERASE 0x7F /* forgets the last character */

#define SECRET_POLL_MS 200 /* between two looks at whether a signal to stop came */

struct secret_terminal;

/* Opens the terminal and switches echo, lines and signals of keys off. NOT_FOUND: there is none. */
enum status secret_terminal_open(struct secret_terminal **ret);
/* Puts its mode back. */
void secret_terminal_close(struct secret_terminal *terminal);

void secret_terminal_say(struct secret_terminal *terminal, const char *text);

/* Waits for a byte. INTERRUPTED: a signal to stop; EOF: the terminal has gone. */
enum status secret_terminal_read(struct secret_terminal *terminal, unsigned char *ret);

/* How the shell is called: the first SECRET_SHELL_ARGS of its arguments, and the command as the last
 * one, on the heap, or NULL without memory. */
#define SECRET_SHELL_ARGS 2
void secret_shell(char *args[SECRET_SHELL_ARGS]);
char *secret_shell_text(const char *command);

/* A line that is being typed. */
struct secret_line {
	struct secret secret;
	bool is_full; /* more was typed than fits */
};

/* What a typed byte does: OK when the line is finished, AGAIN, or INTERRUPTED. */
enum status secret_line_put(struct secret_line *line, unsigned char c);

#endif
