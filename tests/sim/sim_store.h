/*
 * A store in memory that commits, reports and fails when it is told to, so that the schedule of the
 * simulation decides what is on the disk at any moment. What was committed is never forgotten here,
 * also where the core had it trimmed or erased: it is the truth that everything is compared with.
 *
 * A batch goes through three states: queued (gone when the server crashes), committed (survives),
 * told (its `done` was called). No thread: all functions are called by the schedule.
 */
#ifndef CONFAB_TESTS_SIM_STORE_H
#define CONFAB_TESTS_SIM_STORE_H

#include "base/list.h"
#include "base/tree.h"
#include "store/store.h"

#define SIM_TABLES (STORE_NUMBERS + 1)

struct sim_entry {
	struct store_entry entry; /* with its own copies of text and extra */
	bool erased;		  /* its text is not read any more, */
	int64_t erased_by;	  /* since this entry */
};

/* Somebody's stay in a room, in seqs: from the own join to the end of it. */
struct sim_stay {
	uint64_t user;
	char name[40];
	bool guest, ending;
	int role;
	int64_t from, to; /* to is INT64_MAX for who is in */
};

struct sim_measure {
	char name[40];
	int64_t ban_until, mute_until; /* unix ms; 0: none */
};

/* A conversation with its whole log, and what follows from the log (sim_log.c). */
struct sim_conv {
	uint64_t id;
	struct sim_entry *entry; /* entry[i] has seq i + 1 */
	size_t count, cap;
	size_t told;   /* as many of them were reported as committed */
	int64_t first; /* the oldest that is kept */
	bool gone;

	char room[80]; /* or "" and the two users of a pair */
	uint64_t pair[2];
	bool none; /* a room that keeps no entries */
	bool removed;	   /* its record is no longer there */
	bool was_joined;   /* at times showed new members only what came after them */
	struct sim_stay *stay;
	size_t stay_count, stay_cap;
	struct sim_measure *measure;
	size_t measure_count, measure_cap;
};

struct sim_record {
	struct tree_node node;
	struct slice key, value;
	char bytes[];
};

struct sim_batch; /* queued, or committed and not told */

struct sim_store {
	struct store base;
	struct tree table[SIM_TABLES]; /* of sim_record.node: what is committed */
	struct sim_conv **conv;
	size_t conv_count, conv_cap;
	struct list queued, reports;
	enum status failed; /* appends are refused with it */
	bool resumed, broken; /* `broken`: the disk does not take anything */
	bool immediate; /* commits at once what it can */
	enum status refuse_next; /* refuses one append with it, without having failed */
	/* Called for what is committed, in its order. */
	void (*on_entry)(void *arg, struct sim_conv *conv, const struct store_entry *entry);
	void (*on_record)(void *arg, const struct store_record *record);
	void *arg;
};

struct sim_store *sim_store_new(void);
void sim_store_free(struct sim_store *store);

bool sim_store_is_idle(const struct sim_store *store); /* nothing queued, nothing to report */
/* Commits up to `count` of what is queued, all or nothing; with a broken disk everything that is
 * queued fails. False if nothing was queued. */
bool sim_store_commit(struct sim_store *store, size_t count);
/* Calls `done` for the oldest batch that was committed or has failed; false if there is none. */
bool sim_store_report(struct sim_store *store);
/* The disk breaks, and works again. */
void sim_store_break(struct sim_store *store);
void sim_store_mend(struct sim_store *store);
/* What is queued is lost, and nobody is told any more what was committed. */
void sim_store_crash(struct sim_store *store);

/* NULL if there is none, or made. */
struct sim_conv *sim_store_find(const struct sim_store *store, uint64_t id);
struct sim_conv *sim_store_conv(struct sim_store *store, uint64_t id);

/* Room for one more at the end of an array; its place. */
void *sim_grow(void *array, size_t count, size_t *cap, size_t size);

#endif
