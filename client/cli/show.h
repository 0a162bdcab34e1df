/*
 * What others wrote, made fit for a person's terminal. Everything from the network passes through
 * show_text first: control characters (C0, DEL, C1), those that turn the direction of writing
 * round, and invisible ones that are made for deception become U+FFFD, so that no message can
 * move the cursor, set a title, or look like another line. Pure.
 */
#ifndef CONFAB_CLI_SHOW_H
#define CONFAB_CLI_SHOW_H

#include <stdbool.h>

#include "base/buf.h"
#include "wire/json.h"

/* Appends `text` as a part of one line: line ends become spaces. */
void show_text(struct buf *to, struct slice text);

/* The same; each further line of the text starts on a new line behind a mark of ours. */
void show_block(struct buf *to, struct slice text);

/* Replaces what a message must not contain (NUL, bytes that are no UTF-8) by U+FFFD. */
void show_repair(struct buf *to, struct slice text);

/* Columns a shown text takes on a terminal, as nearly as that can be known. */
unsigned show_width(struct slice text);

/* Appends an event for people, with its line end: "10:00:00 dev alice: hi". False, and nothing
 * appended, for events that tell a person nothing. `self` is the user of this connection. */
bool show_event(struct buf *to, const struct json *event, const char *self);

#define SHOW_DAY_SIZE 11

/* Appends a message of a history, with its line end: "10:00:00 dev #42 alice: hi (edited)". The
 * conversation is NULL where the message names it. `day` is that of the message before, "" at
 * first; where it changes, a line that tells the new one comes before. */
void show_message(
    struct buf *to, const struct json *message, const char *conversation, char day[SHOW_DAY_SIZE]);

/* Where an event belongs, as a person writes it: "dev", or "@bob" for the pair with bob; "" for
 * neither. */
void show_conversation(const struct json *event, const char *self, char *to, size_t size);

#endif
