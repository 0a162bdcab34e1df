/*
 * The log of record, behind one interface: the core appends entries in order and is told when they
 * are committed. Nothing that shows an entry leaves the server before that. The store never sees
 * JSON; who may do what, and what an entry does to the state, is the core's business.
 *
 * In this version there is one implementation, store_memory: it commits at once and keeps nothing,
 * which is what rooms with "history":"none" promise. An implementation with a disk answers
 * STATUS_AGAIN and reports later.
 */
#ifndef CONFAB_SERVER_STORE_H
#define CONFAB_SERVER_STORE_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "base/str.h"

enum store_kind {
	STORE_MESSAGE,
	STORE_JOIN,
	STORE_LEAVE,
	STORE_ROLE,
	STORE_SETTINGS,
	STORE_KICK,
	STORE_BAN,
	STORE_UNBAN,
	STORE_MUTE,
	STORE_UNMUTE,
	STORE_DESTROYED,
};

/* One entry of a conversation. Everything is lent for the call. */
struct store_entry {
	uint64_t conversation; /* the core's number of the room or pair */
	int64_t seq;	       /* the conversation's last one before is seq - 1 */
	int64_t time_ms;       /* unix milliseconds; never decreases in a conversation */
	enum store_kind kind;
	uint64_t author; /* the user's inner number, never reused */
	struct slice text;
};

struct store;

/* Told in order of the tickets; STATUS_OK, or why nothing of the batch was stored. Called from the
 * store's own thread, never from within store_append. */
typedef void store_done_fn(void *arg, uint64_t ticket, enum status status);

struct store_ops {
	/* Takes a batch, all or nothing. STATUS_OK: committed at once (only possible while no
	 * earlier ticket is open). STATUS_AGAIN: `done` will be called with this ticket. Anything
	 * else: refused, nothing is stored. Called with the core's lock held: must not block. */
	enum status (*append)(struct store *store, const struct store_entry *entries, size_t count,
	    uint64_t ticket);
	void (*close)(struct store *store);
};

struct store {
	const struct store_ops *ops;
	store_done_fn *done;
	void *done_arg;
};

/* A store that commits at once. NULL without memory; ended by store->ops->close. */
struct store *store_memory_new(void);

#endif
