/*
 * The simulation: the chat core, a store that is slow, fails and is lost (sim_store.h), a clock
 * that goes as it is told to, and people with several devices who come, go, and are cut off in
 * the middle of anything. Everything is drawn from one seed; the same seed is the same run.
 *
 * sim.c       the schedule: what happens next; start, crash and end of the server
 * sim_act.c   what people do: requests, as lines
 * sim_line.c  what comes out of the core, as the workers would pass it on, and what a client may
 *	       and may not see in it
 * sim_replay.c  the same for what was missed
 * sim_history.c  the same for what is asked for
 * sim_log.c   what is committed: does each entry follow from those before, and had its author the
 *	       right to it?
 * sim_state.c quiet moments: is the core's state what the store has?
 *
 * One thread. A mistake that is found ends the program with the seed and the step.
 */
#ifndef CONFAB_TESTS_SIM_H
#define CONFAB_TESTS_SIM_H

#include "base/rng.h"
#include "chat/chat_private.h"
#include "sim_store.h"

#define SIM_USERS 8 /* accounts, by certificate */
#define SIM_GUESTS 2
#define SIM_ROOMS 4
#define SIM_DEVICES 20
#define SIM_SENDS 512 /* in one run */
#define SIM_ASKED 16  /* requests of a connection without an answer */
#define SIM_REPLAYS (SIM_ROOMS * 2 + SIM_USERS + SIM_GUESTS)
#define SIM_WORKERS 2
#define SIM_DAY_MS INT64_C(86400000)

/* A message that somebody wants to be there once; its text begins with "m<number> ". */
struct sim_send {
	char where[80]; /* "dev" or "@bob" */
	char text[48];
	char nonce[24]; /* or "" */
	unsigned user;	/* its author's place in sim->user */
	int64_t made_ms;
	unsigned tries;	    /* without an answer: it may be there or come */
	unsigned attempts;  /* in all */
	uint64_t stored_in; /* the conversation where it was seen last, or 0 */
	int64_t stored_seq;
	const struct sim_conn *on; /* where its author waits for the answer, or NULL */
	bool done; /* acknowledged or refused for good, as its author knows */
};

struct sim_conn;

struct sim_asked {
	int id;
	enum proto_cmd cmd;
	int send;	/* its place in sim->send, or -1 */
	bool forbidden; /* must not be answered with ok */
	bool may_be_ahead; /* of a room that is another one by now */
	bool replay;	/* conn->replay is what it asks for */
	bool free_of_disk; /* must not be `unavailable` */
	char room[80];
	uint64_t conv; /* whose history it wants, and what had been told of it; or 0 */
	size_t told;
};

/* A room in which a connection is, to its worker. */
struct sim_slot {
	uint32_t slot;
	uint64_t conv;
	int64_t last;	   /* the newest seq it got; -1: none yet */
	int64_t from;	   /* had left when it was attached */
	bool exact;	   /* its first event has to be from + 1 */
};

struct sim_pair {
	uint64_t conv;
	int64_t last;
};

/* What a login or sync with `since` has to bring. */
struct sim_replay {
	uint64_t conv;
	char where[80];
	int64_t last; /* the newest that came, or that was there before */
	int64_t upto; /* of a sync: as far as it goes at least */
	bool gone;
};

struct sim_known {
	char where[80];
	int64_t seq;
};

struct sim_conn {
	struct chat_session *session; /* NULL: closed */
	struct sim_device *device;    /* NULL: the client is gone, and the server may not know */
	unsigned worker;
	uint64_t user; /* inner number, from LOGIN on */
	char name[40];
	bool guest;
	bool finished, gone;
	unsigned unanswered;
	bool holding;
	struct sim_slot slot[SIM_ROOMS * 4];
	unsigned slot_count;
	struct sim_pair pair[SIM_USERS + SIM_GUESTS * 8];
	unsigned pair_count;
	struct sim_asked asked[SIM_ASKED];
	unsigned asked_count;
	bool replaying, live; /* until `synced`; `live`: a sync */
	struct sim_replay replay[SIM_REPLAYS];
	unsigned replay_count;
	bool paced;	   /* the server waits for it to take what was sent */
	bool replay_begun; /* the reply was there: what is gone is gone from this one */
};

struct sim_device {
	unsigned user; /* its place in sim->user */
	struct sim_conn *conn; /* or NULL */
	bool logged_in;	       /* as it knows */
	struct sim_known known[SIM_REPLAYS]; /* what it has seen, over all connections */
	unsigned known_count;
};

struct sim_user {
	char name[40];
	bool guest;
};

struct sim_job {
	struct chat_job *job;
	bool ran;
};

/* How often what happens, differently for each seed. */
struct sim_odds {
	unsigned act, commit, report, job, drain, tick, fault, crash, cut, nonce, since;
};

struct sim {
	uint64_t seed;
	unsigned step, steps;
	bool verbose;
	struct rng rng;
	struct sim_odds odds;
	struct chat_time now;
	struct chat *chat;
	struct sim_store *store;
	bool down; /* what the core says is not heard any more */
	bool backwards; /* the wall clock has been set back */
	struct sim_user user[SIM_USERS + SIM_GUESTS];
	unsigned user_count;
	char room[SIM_ROOMS][16];
	unsigned room_count;
	struct sim_device device[SIM_DEVICES];
	unsigned device_count;
	struct sim_conn **conn;
	const struct sim_conn *entering; /* between LOGIN and what is not an attachment */
	size_t conn_count, conn_cap;
	struct sim_send send[SIM_SENDS];
	unsigned send_count;
	struct sim_job *job;
	size_t job_count, job_cap;
	int next_id;
	struct buf line, expected;
};

/* Over all seeds of a run: how much of what was there, so that one sees what is tested. */
struct sim_totals {
	uint64_t steps, requests, oks, refusals, unavailable, events, entries, crashes, failures,
	    quiet, cuts, replayed, skipped, gone, synced, changes, listed, ok_of[PROTO_CMD_COUNT];
};
extern struct sim_totals sim_totals;

/* Ends the program. */
#if defined(__GNUC__)
__attribute__((noreturn))
#endif
void sim_fail(const struct sim *sim, const char *format, ...) PRINTF_LIKE(2, 3);
void sim_say(const struct sim *sim, const char *format, ...) PRINTF_LIKE(2, 3);

static inline unsigned sim_draw(struct sim *sim, unsigned below)
{
	return (unsigned)rng_below(&sim->rng, below);
}

/* sim.c */
void sim_close(struct sim *sim, struct sim_conn *conn); /* the server sees the connection's end */

/* sim_act.c */
void sim_act(struct sim *sim);
/* The client goes without a word; the server sees it later. */
void sim_cut(struct sim *sim, struct sim_conn *conn);

/* sim_line.c */
void sim_post(void *arg, struct chat_item *item);
void sim_follow_pair(const struct sim *sim, struct sim_conn *conn, uint64_t conv, int64_t seq);
void sim_check_quiet_conn(const struct sim *sim, const struct sim_conn *conn);

/* sim_history.c */
void sim_check_history(struct sim *sim, const struct sim_conn *conn,
    const struct sim_asked *asked, const struct json *root);

/* sim_replay.c */
/* Before a login or sync with `since`: where each conversation has to go on. */
void sim_replay_begin(struct sim *sim, struct sim_conn *conn, const struct json *since, bool live);
/* NULL if the conversation is not in the replay. */
struct sim_replay *sim_replay_find(struct sim_conn *conn, uint64_t conv);
void sim_replay_entry(struct sim *sim, struct sim_conn *conn, const struct sim_conv *conv,
    int64_t seq);
/* `skipped`, `gone` and `synced`. */
void sim_replay_event(struct sim *sim, struct sim_conn *conn, struct slice name,
    const struct json *root);
void sim_know(struct sim_conn *conn, struct slice where, int64_t seq);
void sim_forget(struct sim_conn *conn, struct slice where);
/* Appends what `since` is to be. */
void sim_put_since(struct sim *sim, const struct sim_device *device);

/* sim_log.c */
void sim_on_entry(void *arg, struct sim_conv *conv, const struct store_entry *entry);
void sim_on_record(void *arg, const struct store_record *record);
/* The user's stay in the conversation at this seq; NULL if there is none. */
const struct sim_stay *sim_stay_at(const struct sim_conv *conv, uint64_t user, int64_t seq);
void sim_forget_guests(struct sim *sim);
/* The guest's connection has ended. */
void sim_end_guest(struct sim *sim, uint64_t user);
/* The text of a member of JSON that is written by the core; empty if there is none. */
struct slice sim_text_of(struct slice json, const char *name);
int64_t sim_int_of(struct slice json, const char *name, int64_t absent);

/* sim_state.c */
void sim_check_state(struct sim *sim);

#endif
