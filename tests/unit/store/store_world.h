/*
 * A store in a folder of its own, and what it has told of tickets. Failed checks end the case.
 */
#ifndef CONFAB_TESTS_STORE_WORLD_H
#define CONFAB_TESTS_STORE_WORLD_H

#include "os/thread.h"
#include "store/store_sqlite.h"

#define WORLD_TOLD_MAX 200000

struct world {
	char dir[256];
	struct store *store;
	struct mutex *mutex;
	struct cond *told_more;
	size_t told_count;
	struct {
		uint64_t ticket;
		enum status status;
	} * told;
	uint64_t next_ticket;
	bool resume_at_once; /* when told of a failure, as a core does that has nothing to undo */
};

/* A new folder, and a store in it. */
void world_init(struct world *world);
/* Closes it, if it is open, and removes the folder. */
void world_release(struct world *world);
void world_open(struct world *world, enum store_durability durability);
void world_close(struct world *world);
/* "dir/name", lent until the next call but three. */
const char *world_path(const struct world *world, const char *name);

/* Appends with the next ticket: what append answers. */
enum status world_append(struct world *world, const struct store_batch *batch);
/* Waits until the last ticket is told: its status. */
enum status world_wait(struct world *world);
/* Both, for one entry; must succeed. */
void world_entry(struct world *world, uint64_t conversation, int64_t seq, enum store_kind kind,
    int64_t target, const char *text);
void world_message(struct world *world, uint64_t conversation, int64_t seq, const char *text);
void world_trim(struct world *world, uint64_t conversation, int64_t seq);
void world_record(struct world *world, enum store_table table, const char *key, const char *value);

/* The answer as "seq text|seq>target text|", lent until the next call. */
const char *world_read(struct world *world, const struct store_read *read);
const char *world_range(struct world *world, uint64_t conversation, int64_t after, int64_t before,
    unsigned limit, bool newest);
const char *world_records(struct world *world, enum store_table table);
/* In conversations 1 to 3. */
const char *world_search(struct world *world, const char *query);
enum status world_search_status(struct world *world, const char *query);

/* Do the bytes of a file have this text? False if there is no such file. */
bool file_has(const char *path, const char *text);

#endif
