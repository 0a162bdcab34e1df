/*
 * What a session has seen of each conversation: the last seq, so that after a loss the server can
 * be asked for what came later (PROTOCOL.md, "since" of login), and what it replays can be told
 * from what was handed over already. Bounded; the conversations that were quiet the longest are
 * forgotten first. One thread.
 */
#ifndef CONFAB_LIB_SEEN_H
#define CONFAB_LIB_SEEN_H

#include <stdbool.h>

#include "base/status.h"
#include "wire/message.h"

#define SEEN_MAX 2048 /* conversations */

struct seen;

/* NOMEM. */
enum status seen_new(struct seen **ret);
void seen_free(struct seen *seen); /* NULL is harmless */

/* Forgets everything but the epoch. */
void seen_clear(struct seen *seen);

/* The greeting's epoch: another one than before means that no seq is good any more. */
void seen_set_epoch(struct seen *seen, struct slice epoch);

/* The connection was lost: from now on a replay counts as known if it is older than this. */
void seen_pause(struct seen *seen);

/* Takes note of a line to `self`. False for an event that was there before the loss already,
 * which only comes while the server replays (`catching_up`). */
bool seen_note(
    struct seen *seen, const struct message *message, const char *self, bool catching_up);

/* Puts the field "since" with as many conversations, the liveliest first, as keep the line below
 * `max` bytes. False, and nothing put, if there are none. */
bool seen_put_since(const struct seen *seen, struct json_writer *w, size_t max);

#endif
