/*
 * The requests that wait for their reply, found by their id. Replies may come in any order, but
 * mostly come in the order of the requests, so the search starts at the oldest. Bounded by
 * CONFAB_PENDING_MAX. One thread.
 */
#ifndef CONFAB_LIB_PENDING_H
#define CONFAB_LIB_PENDING_H

#include "base/list.h"
#include "base/status.h"
#include "lib/confab.h"
#include "wire/request.h"

struct pending {
	struct list list;
	size_t count;
	int64_t last_number;
};

struct pending_request {
	struct list node;
	struct request_id id;
	confab_reply_fn *fn; /* may be NULL */
	void *arg;
};

void pending_init(struct pending *pending);

/* Frees all that wait, without calling them. */
void pending_release(struct pending *pending);

/* A number that no waiting request uses. */
struct request_id pending_number(struct pending *pending);

/* FULL, EXISTS (that id waits already), NOMEM. */
enum status pending_put(
    struct pending *pending, const struct request_id *id, confab_reply_fn *fn, void *arg);

/* Takes the request of that id out, for the caller to free(); NULL if there is none. */
struct pending_request *pending_take(struct pending *pending, const struct request_id *id);

/* Takes the oldest out, for the caller to free(); NULL if there is none. */
struct pending_request *pending_take_first(struct pending *pending);

#endif
