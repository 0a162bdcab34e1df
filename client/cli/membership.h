/*
 * The rooms that tail and chat are in, so that they can be entered again after the connection was
 * lost: a guest's memberships end with the connection, and a restarted server may not know the
 * rooms of guests any more. Main thread.
 */
#ifndef CONFAB_CLI_MEMBERSHIP_H
#define CONFAB_CLI_MEMBERSHIP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"
#include "cli/app.h"

#define MEMBERSHIP_MAX 256

struct membership;

/* `on_joined` is called for each good reply to a join, with whether it was one after a loss; and
 * `on_refused` for each bad one, after which the room is wanted no more unless it was entered
 * before: then it is tried again every few seconds. NULL without memory. */
struct membership *membership_new(struct app *app,
    void (*on_joined)(void *arg, const char *room, const struct confab_line *line, bool again),
    void (*on_refused)(
        void *arg, const char *room, enum confab_status status, const struct confab_line *line),
    void *arg);
void membership_free(struct membership *membership);

/* Wants a room, and joins it if the connection is ready. False: too many, or no memory. */
bool membership_add(struct membership *membership, const char *room);
void membership_remove(struct membership *membership, const char *room);
bool membership_has(const struct membership *membership, const char *room);

/* The connection is ready: joins all. */
void membership_join_all(struct membership *membership);

/* Tries again what is due; returns for how long confab_run may wait at most. */
unsigned membership_tick(struct membership *membership);

#endif
