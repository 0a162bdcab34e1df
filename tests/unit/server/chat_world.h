/*
 * The chat core in a world of its own: a virtual clock, a store that keeps and commits when it
 * is told to, a pool without threads, and sessions whose lines are collected as their workers would send them. No thread, no socket.
 */
#ifndef CONFAB_TESTS_CHAT_WORLD_H
#define CONFAB_TESTS_CHAT_WORLD_H

#include "chat/chat.h"
#include "world_store.h"

#define WORLD_SESSIONS 64
#define WORLD_WORKERS 2
#define WORLD_JOBS 512

struct world_session {
	struct chat_session *session;
	struct buf lines;  /* what was sent to it and not read yet */
	unsigned answers;  /* requests that were answered */
	uint64_t user;
	bool finished, gone;
	bool paced; /* an item wants world_drain; world_work does it, too, unless it is */
	bool slow;
	uint32_t rooms[64];
	unsigned room_count;
};

struct world {
	struct chat *chat;
	struct world_store *store;
	const struct store_ops *keeping; /* the store's own */
	struct store_ops ops;
	bool slow;	       /* does the store wait for world_commit? */
	unsigned ticket_count; /* not committed yet */
	bool idle;	       /* do jobs wait for world_run_job and world_end_job, or world_work? */
	struct chat_job *jobs[WORLD_JOBS]; /* those that ran and are not done come first */
	unsigned ran_count, job_count;
	struct chat_time now;
	struct world_session session[WORLD_SESSIONS];
	void (*change)(struct chat_options *options);
	unsigned count;
};

struct world *world_new(bool guests, bool certificates);
/* With other options: `change` is called with those it would have. A password's hash is the password
 * behind "h:"; one behind "o:" is to be made anew. */
struct world *world_new_with(void (*change)(struct chat_options *options));
/* The core ends, and another one is made of what the store has; all sessions go. */
void world_restart(struct world *world);
void world_free(struct world *world);

/* A connection of the console: an administrator. */
unsigned world_console(struct world *world);
/* A new connection, with the user its certificate names ("": none); its number. */
unsigned world_connect(struct world *world, const char *cert_user);
/* The same and a guest's login under `name`, whose reply is checked and dropped. */
unsigned world_guest(struct world *world, const char *name);
/* The same for the account `name`, by its certificate; commits what waits. */
unsigned world_user(struct world *world, const char *name);
void world_disconnect(struct world *world, unsigned session);

/* Gives the session a request line, which has to pass the checks of the tables. */
void world_ask(struct world *world, unsigned session, const char *line);

/* The next line that was sent to the session, without LF, or "" if there is none; lent until the
 * next call. */
const char *world_read(struct world *world, unsigned session);

/* Reads the next line and checks that it contains `part`. */
void world_expect(struct world *world, unsigned session, const char *part);

/* Commits the oldest open ticket; false if there is none. */
bool world_commit(struct world *world);
/* The store fails with all open tickets, and can be written again. */
void world_fail(struct world *world, enum status status);

/* Slow work happens at the end of the call that made it; while `idle` only when it is told to: the
 * oldest job runs, or the oldest that ran is done; false if there is none. */
bool world_run_job(struct world *world);
bool world_end_job(struct world *world);
void world_work(struct world *world);
/* The connection has taken what was paced; false if nothing was. */
bool world_drain(struct world *world, unsigned session);

/* Lets time pass. */
void world_wait(struct world *world, int64_t ms);

#endif
