/*
 * The log of record, behind one interface: the core appends entries and records in order and is
 * told when they are committed; others read back by conversation and seq. Nothing that shows an
 * entry leaves the server before its commit. The store never sees JSON: texts and record values
 * are bytes to it; who may do what, and what an entry does to the state, is the core's business.
 *
 * An entry names its conversation by a number that is never reused, and carries the seq that
 * follows the conversation's last one; a store answers committed or failed for a whole batch. No
 * reader depends on SQL: a replicated log with keyed records can stand behind this.
 *
 * Implementations: store_memory (commits at once, keeps nothing: rooms with "history":"none"),
 * store_sqlite (one file in the data directory). Threads: as said at each function.
 */
#ifndef CONFAB_SERVER_STORE_H
#define CONFAB_SERVER_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/status.h"
#include "base/str.h"

/* Numbers are part of the file's format: never change or reuse one. */
enum store_kind {
	STORE_MESSAGE = 1,
	STORE_EDIT = 2,	  /* text: the new one; target: the message */
	STORE_DELETE = 3, /* target: the message, whose texts and extras are erased */
	STORE_REACT = 4,  /* text: the emoji */
	STORE_UNREACT = 5,
	STORE_PIN = 6,
	STORE_UNPIN = 7,
	STORE_JOIN = 8,
	STORE_LEAVE = 9,
	STORE_ROLE = 10,
	STORE_SETTINGS = 11,
	STORE_KICK = 12,
	STORE_BAN = 13,
	STORE_UNBAN = 14,
	STORE_MUTE = 15,
	STORE_UNMUTE = 16,
	STORE_DESTROYED = 17,
};

/* One entry of a conversation. Bytes are lent for the call that gives it. */
struct store_entry {
	uint64_t conversation; /* the core's number of the room or pair; at most 2^63-1 */
	int64_t seq;	       /* the conversation's last one before is seq - 1 */
	int64_t time_ms;       /* unix milliseconds; never decreases in a conversation */
	enum store_kind kind;
	uint64_t author;    /* the user's inner number, never reused; at most 2^63-1 */
	int64_t target;	    /* the seq it is about, or 0 */
	struct slice text;  /* what is searched in a MESSAGE or EDIT */
	struct slice extra; /* whatever else belongs to it; opaque */
	struct slice left;  /* DELETE: what the extra of the message and of its edits becomes */
};

/* A keyed record: the state so far, so that nobody has to read the whole log at the start. */
enum store_table { /* numbers are part of the format, too */
	STORE_USERS = 1,
	STORE_ROOMS = 2,
	STORE_MEMBERS = 3,
	STORE_PAIRS = 5,
	STORE_TOKENS = 6,
	STORE_BANS = 7,
	STORE_INVITES = 8,
	STORE_BLOCKS = 9,
	STORE_NONCES = 10,
	STORE_CODES = 11, /* invite codes */
	STORE_AUDIT = 12,
	STORE_PINS = 13,
	STORE_NUMBERS = 14, /* counters of the core */
};

struct store_record {
	enum store_table table;
	struct slice key; /* 1 to 255 bytes */
	struct slice value;
	bool remove; /* delete the key instead of putting it */
};

/* What is written together. Lent for the call. */
struct store_batch {
	const struct store_entry *entries;
	size_t entry_count;
	const struct store_record *records; /* applied in order, after the entries */
	size_t record_count;
	/* Entries of these conversations up to the seq (retention), or all of them (seq
	 * INT64_MAX: the conversation is gone). */
	const struct store_trim {
		uint64_t conversation;
		int64_t seq;
	} *trims;
	size_t trim_count;
};

struct store;

/* Told in order of the tickets, from the store's own thread, never from within store_append:
 * STATUS_OK, or why nothing of that ticket was stored (NO_SPACE, IO, ACCESS, NOMEM; INVALID: its seq
 * does not follow, a mistake of the core's). After a failure every ticket given before the report
 * was taken in (store_resume) fails, too. */
typedef void store_done_fn(void *arg, uint64_t ticket, enum status status);

/* A reading request. Bytes are copied. */
enum store_read_kind {
	STORE_READ_RANGE,   /* entries with after < seq < before, oldest first: of the first (or,
			       `newest`, of the last) `limit` of them */
	STORE_READ_TARGETS, /* entries whose target lies in after < target < before, by seq:
			       what happened to a page of messages since; in several runs, each
			       with the last seq of the one before as `newer` */
	STORE_READ_ONE,	    /* the entry with seq `after` */
	STORE_SEARCH,	    /* messages and edits whose text has all of the words, newest first */
};
struct store_read {
	enum store_read_kind kind;
	uint64_t conversation;
	int64_t after, before;	/* seq, exclusive; before INT64_MAX: open */
	unsigned limit;		/* entries, at most 1,000 */
	bool newest;
	uint32_t kinds;		/* bit 1 << kind; 0: all */
	int64_t newer;		/* STORE_READ_TARGETS: only entries with a greater seq */
	uint64_t author;	/* STORE_READ_TARGETS, STORE_SEARCH; 0: anybody */
	/* STORE_SEARCH: */
	const uint64_t *conversations; /* where; `conversation` is not used */
	const int64_t *firsts; /* of each, the oldest seq that is found; an edit has its message's.
				  NULL: everything */
	size_t conversation_count;
	struct slice query;	/* words and "phrases", UTF-8; never handed to SQL as syntax */
	int64_t since_ms, until_ms; /* time, inclusive; 0 and INT64_MAX: open */
	int64_t offset;		/* results to pass over */
};

/* Called for every entry of the answer, in order; the bytes are lent. False ends it. */
typedef bool store_entry_fn(void *arg, const struct store_entry *entry);

struct store_ops {
	/* Takes a batch, all or nothing; copies what it needs. STATUS_OK: committed at once (only
	 * possible while no earlier ticket is open). STATUS_AGAIN: `done` will be called with
	 * this ticket. Refused: what the last failure was told with (NO_SPACE, IO, …), as long as
	 * the core has not resumed or the disk has not come back; FULL: too much waits to be
	 * written; NOMEM. Called with the core's lock held: does not block on the disk. */
	enum status (*append)(struct store *store, const struct store_batch *batch,
	    uint64_t ticket);
	/* The core has rolled back what failed; later tickets may succeed again. Any thread. */
	void (*resume)(struct store *store);
	/* Blocks; any thread but the core's lock holder: the pool. INVALID for a query that has no
	 * word; IO. Sees everything that was committed before the call. */
	enum status (*read)(struct store *store, const struct store_read *read,
	    store_entry_fn *fn, void *arg, struct error *err);
	/* All records of a table in the order of their keys, at the start. Blocks. */
	enum status (*load)(struct store *store, enum store_table table,
	    bool (*fn)(void *arg, struct slice key, struct slice value), void *arg,
	    struct error *err);
	/* Last seq, time and first kept seq of a conversation (0, 0, 1 if it has none). Blocks;
	 * start and recovery. */
	enum status (*last)(struct store *store, uint64_t conversation, int64_t *ret_seq,
	    int64_t *ret_time_ms, int64_t *ret_first, struct error *err);
	/* Commits what was appended, stops its threads, frees. */
	void (*close)(struct store *store);
	/* At most `limit` records of a table whose keys come before `before`, the last of them
	 * first. Blocks, as `read` does; IO. */
	enum status (*list)(struct store *store, enum store_table table, struct slice before,
	    unsigned limit, bool (*fn)(void *arg, struct slice key, struct slice value), void *arg,
	    struct error *err);
	/* A consistent copy while the store works, into a file that is not there (EXISTS); NULL:
	 * there is nothing to copy. Blocks; the pool. */
	enum status (*backup)(struct store *store, const char *path, struct error *err);
};

struct store {
	const struct store_ops *ops;
	store_done_fn *done; /* set by the owner before the first append */
	void *done_arg;
};

#define STORE_EPOCH_SIZE 17 /* 16 hex digits and NUL */

/* A store that commits at once and keeps nothing. NULL without memory. */
struct store *store_memory_new(void);

#endif
