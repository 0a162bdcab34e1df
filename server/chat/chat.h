/*
 * The chat core: users, sessions, rooms, messages and rights. Pure: no I/O, no clock, no thread.
 * Checked requests go in, with the time; items for the workers come out, in one release order.
 * The caller holds one lock around every call (server/engine.h) and passes items on in the order
 * in which they come.
 *
 * A request becomes 0 to n entries of the log; they are applied at once and handed to the store,
 * and everything the request has to tell (its reply, events, attachments) waits in a unit until
 * the store has committed them and all units before it have left. Nothing overtakes.
 *
 * Who wrote something is the user's inner number, never the name: a later owner of a name is
 * somebody else.
 */
#ifndef CONFAB_SERVER_CHAT_H
#define CONFAB_SERVER_CHAT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/blob.h"
#include "base/status.h"
#include "store/store.h"
#include "wire/request.h"

struct chat;
struct chat_session;

struct chat_job;

/* Passwords and tokens, for which the core has no library of its own (server/passwords.h). `hash`
 * and `verify` are slow and called in jobs only; with a hash of NULL `verify` takes as long as with
 * any other and says no. */
#define CHAT_PASSWORD_HASH_SIZE 128
#define CHAT_TOKEN_SIZE 44 /* text and NUL */
struct chat_secrets {
	enum status (*hash)(struct slice password, char ret[CHAT_PASSWORD_HASH_SIZE]);
	bool (*verify)(const char *hash, struct slice password, bool *ret_rehash);
	void (*token_new)(char ret[CHAT_TOKEN_SIZE]);
	void (*token_hash)(struct slice token, unsigned char ret[32]);
};

struct chat_time {
	int64_t unix_ms;  /* what messages are stamped with */
	uint64_t mono_ms; /* steady: presence and idle times */
};

/* What a worker has to do. An item is freed with chat_item_free by whoever took it. */
enum chat_item_kind {
	CHAT_ITEM_LINE,	  /* send `line` (or nothing, if NULL) to `conn` */
	CHAT_ITEM_ROOM,	  /* send `line` to the worker's connections in room `slot`, save those of
			     `skip_user` */
	CHAT_ITEM_ALL,	  /* send `line` to all of the worker's connections that are logged in */
	CHAT_ITEM_ATTACH, /* `conn` now belongs to room `slot`, */
	CHAT_ITEM_DETACH, /* and now no longer */
	CHAT_ITEM_LOGIN,  /* `conn` is the user `user` from now on */
	CHAT_ITEM_FINISH, /* end `conn` gracefully after what was sent before */
	CHAT_ITEM_GONE,	  /* the last item about `conn`; its attachments end with it */
	CHAT_ITEM_OWN,	  /* the core's: never given to a worker */
};

struct chat_item {
	struct chat_item *next; /* for queues of whoever has it */
	void *conn;		/* as given to chat_session_open */
	struct blob *line;	/* a reference of the item's own, or NULL */
	uint64_t user;		/* LOGIN: who; ROOM: whom to skip (0: nobody) */
	unsigned worker;	/* for whom it is */
	uint32_t slot;
	unsigned char kind;
	bool answers;  /* LINE: this ends one unanswered request of `conn` */
	bool farewell; /* LINE: its goodbye */
	bool paced; /* LINE: chat_session_drained when `conn` has taken nearly all that waits */
};

void chat_item_free(struct chat_item *item);

enum chat_registration { CHAT_REGISTRATION_CLOSED, CHAT_REGISTRATION_INVITE, CHAT_REGISTRATION_OPEN };

struct chat_options {
	const char *name;  /* of the server, for the greeting */
	const char *motd;  /* or NULL */
	const char *epoch; /* of what the store keeps; copied */
	enum chat_registration registration;
	bool guests;	   /* may guests log in? */
	bool certificates; /* are client certificates accepted? */
	bool auto_create;  /* does `join` create a room that is not there? */
	bool directory;	   /* does `who` list everybody, or those with whom one shares a room? */
	bool no_throttle;  /* are passwords tried as fast as they come? For benchmarks. */
	unsigned workers;
	/* From the system's random numbers; the simulation's in tests. Of the second one, clients see
	 * ids made, from which they could compute all of its others; the first one stays secret,
	 * because who foretells it can choose names that make a tree as deep as a list. */
	uint64_t seed, id_seed;
	/* What the greeting tells where the configuration can change it: bytes, seconds. */
	int64_t line_max, first_line_max;
	int64_t login_s, idle_s, ping_s;
	struct store *store; /* the caller's, who closes it before chat_free */
	const struct chat_secrets *secrets; /* static */
	/* Takes an item over for its worker, in release order; called from within the
	 * functions below, must not call them. */
	void (*post)(void *arg, struct chat_item *item);
	/* Has slow work done: chat_job_run by some thread without the lock, then chat_job_done with
	 * it; or, if it can't be taken, chat_job_refuse_later at once. */
	void (*submit)(void *arg, struct chat_job *job);
	void *post_arg; /* of both */
	/* What administrators ask of the process; NULL: it cannot do that. `reload` reads the
	 * certificates again: it may block, and is called by a job; `shutdown` returns at once. */
	enum status (*reload)(void *owner, struct error *err);
	void (*shutdown)(void *owner);
	void *owner;
};

/* NULL without memory. Texts are copied. */
struct chat *chat_new(const struct chat_options *options);
void chat_free(struct chat *chat);

/* The first line for every connection, the caller's to unref; the same for all. */
struct blob *chat_welcome(struct chat *chat);

/* What the connection is, as far as TLS and the socket know; lent for the call. */
struct chat_peer {
	const char *address;	 /* without port */
	const char *tls_version; /* static strings */
	const char *tls_cipher;
	const char *fingerprint; /* of the client's certificate, or "" */
	const char *user;	 /* whom a verified certificate names, or "" */
	bool console; /* the control channel: an administrator from the start, and no user */
};

/* A connection is ready. `conn` comes back in items for `worker`. NULL without memory. */
struct chat_session *chat_session_open(struct chat *chat, const struct chat_peer *peer,
    unsigned worker, void *conn, struct chat_time now);

/* Its connection has ended, whatever the reason: nothing more comes in. The session is dead
 * afterwards; CHAT_ITEM_GONE follows when all that was due has been released. */
void chat_session_close(struct chat *chat, struct chat_session *session, struct chat_time now);

/* The connection has taken what waited for it, up to a rest, after an item that is `paced`: more
 * of the replay can come. Submits; posts nothing but the session's end. */
void chat_session_drained(struct chat *chat, struct chat_session *session);

enum chat_answer {
	CHAT_ANSWERED, /* released already and without a reply line: no item will end it */
	CHAT_PENDING,  /* an item with `answers` comes, or came during the call */
};

/* Carries out a request that request_parse has accepted; may move it away (root is NULL then). */
enum chat_answer chat_request(struct chat *chat, struct chat_session *session,
    struct request *request, struct chat_time now);

/* The store's report about a ticket, in their order. */
void chat_committed(struct chat *chat, uint64_t ticket);

/* And that it could not be stored: all that waits is taken back. The caller then lets the store
 * resume. False if the ticket was taken back before. */
bool chat_failed(struct chat *chat, uint64_t ticket, struct chat_time now);

/* See chat_options.submit. */
void chat_job_run(struct chat_job *job);
bool chat_job_hashes(const struct chat_job *job); /* is it a password's? */
void chat_job_done(struct chat *chat, struct chat_job *job, struct chat_time now);
/* It will be refused by the next tick; and it is refused now (not from within submit). */
void chat_job_refuse_later(struct chat *chat, struct chat_job *job);
void chat_job_refused(struct chat *chat, struct chat_job *job, struct chat_time now);

/* Reads the state from the store, before the first session. NOMEM, or what the store says. */
enum status chat_load(struct chat *chat, struct chat_time now, struct error *err);

/* The store has been closed: from now on nothing is kept. */
void chat_end_store(struct chat *chat);

/* What is due by time (presence), at least once a second. A thousand people whose network went may
 * be due at once: true if more is left for another call, soon but after others had the lock. */
bool chat_tick(struct chat *chat, struct chat_time now);

struct chat_counts {
	uint64_t users, sessions, rooms, messages;
};
void chat_count(const struct chat *chat, struct chat_counts *ret);

#endif
