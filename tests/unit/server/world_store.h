/*
 * A store in memory that keeps what it is given and answers as the SQLite one does, for tests that
 * want to decide when it commits and whether it fails. It outlasts the cores that use it, so a
 * restart can be played; `close` frees it. One thread.
 *
 * Searching is simpler than the real one's: words of the query are compared byte by byte, save for
 * the case of ASCII letters, at the limits of words.
 */
#ifndef CONFAB_TESTS_WORLD_STORE_H
#define CONFAB_TESTS_WORLD_STORE_H

#include "store/store.h"

struct world_store {
	struct store base; /* first; `done` is told from within commit and fail */
	bool slow;	   /* tickets wait for world_store_commit */
	enum status refuse;    /* what append answers, if not OK; after a failure until resume */
	enum status read_fails; /* what read answers, if not OK */
	unsigned reads;	       /* so far */
	struct world_batch *first, *last; /* not committed yet */
	unsigned open;			  /* how many these are */
	struct world_log *logs;		  /* conversations */
	size_t log_count;
	struct world_record *records; /* by table and key */
	size_t record_count, record_cap;
	uint64_t next_id; /* of entries, in the order of their commits */
};

struct world_store *world_store_new(void);

/* Commits the oldest open ticket and tells `done`; false if there is none. */
bool world_store_commit(struct world_store *store);

/* Forgets all open tickets and tells `done` of each; appends are refused until resume. */
void world_store_fail(struct world_store *store, enum status status);

#endif
