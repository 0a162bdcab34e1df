/*
 * The core's own structures, for the files of server/chat only. All of them live under the one
 * lock of the caller; pointers between them are valid as long as both ends exist, and whoever
 * removes one end clears the other.
 */
#ifndef CONFAB_SERVER_CHAT_PRIVATE_H
#define CONFAB_SERVER_CHAT_PRIVATE_H

#include "base/buf.h"
#include "base/list.h"
#include "base/rng.h"
#include "base/tree.h"
#include "base/utf8.h"
#include "chat/chat.h"
#include "chat/login_throttle.h"
#include "wire/message.h"

#define CHAT_NONCE_MS INT64_C(86400000)
#define CHAT_OFFLINE_MS 15000 /* without a session, before others hear of it */
#define CHAT_PRESENCE_MS 5000 /* between two presence events of one user */
#define CHAT_TICK_WORK 1000   /* members looked at for presence in one call of chat_tick */
#define CHAT_PAGE_WORK 600    /* entries of a list looked at; then the page ends early */
#define CHAT_ENTRIES_MAX (2 * PROTO_LIMIT_rooms + 16) /* of one unit: a guest leaves all rooms */
#define CHAT_CHANGES 4096 /* the last ones, that jobs are asked about */
#define CHAT_CONSOLE "*console*"
#define CHAT_EXTRA_MAX (1u << 20)     /* bytes that the entries of one unit have beside texts */
#define CHAT_RECORDS_MAX (256u << 20) /* bytes of the records of one unit */
#define CHAT_EPOCH_SIZE 17    /* 16 hex digits and NUL */
#define CHAT_TOKEN_HASH_SIZE 32
#define CHAT_CODE_SIZE 33 /* an invite code and NUL */
#define CHAT_AUDIT_MAX 100000 /* records of the audit that are kept */
#define CHAT_MEMORY_ID (UINT64_C(1) << 62) /* inner numbers of what the store never sees */

enum chat_role { CHAT_ROLE_MEMBER, CHAT_ROLE_OPERATOR, CHAT_ROLE_OWNER };
enum chat_status { CHAT_ONLINE, CHAT_AWAY, CHAT_BUSY, CHAT_OFFLINE };

/* An inner number as a key: big-endian, so that trees and the store list in its order. */
struct chat_id_key {
	unsigned char bytes[8];
};

/* What rooms and pairs have in common: the sequence. */
struct chat_conv {
	struct tree_node node; /* in chat->convs, by key */
	struct chat_id_key key;
	uint64_t id;	  /* never reused */
	int64_t seq;	  /* of the newest entry, 0 before the first */
	int64_t released; /* of the newest one that has left: what a session that attaches knows */
	int64_t first;	  /* the oldest that is kept; seq + 1 when there is none */
	int64_t time_ms;  /* of the newest */
	bool kept;	  /* entries go to the store; else they are passed on and forgotten */
	uint64_t trim_at; /* steady clock: not looked at for what is too old before then */
	struct chat_tail *tail; /* while a replay is about to catch up; else NULL */
	struct chat_room *room; /* whose it is, or */
	struct chat_pair *pair;
};

struct chat_user {
	struct tree_node node; /* in chat->users, by name */
	struct tree_node by_id; /* in chat->users_by_id, by key */
	struct chat_id_key key;
	uint64_t id; /* never reused, never 0 */
	char name[PROTO_USER_MAX + 1];
	bool guest;
	/* An account. One that was deleted stays, so that nobody else gets its name. */
	bool admin, suspended, deleted;
	char *password; /* its hash; NULL: it has none */
	char *reason;	/* of the suspension, or NULL */
	int64_t created_ms;
	struct list tokens; /* of chat_token.in_user */
	unsigned token_count;
	struct list sessions;
	unsigned session_count;
	struct tree memberships; /* of chat_member.in_user, by room */
	struct tree invites;	 /* of chat_invite.in_user, by room */
	struct tree pairs;	 /* of chat_pair_end.node, by the other's name */
	struct tree nonces;	 /* of chat_nonce.node */
	struct list nonces_by_age;
	struct tree blocks; /* of chat_block.node, by name */
	uint64_t active_mono_ms; /* last request */
	uint64_t mark;		 /* the last sweep that met this user */

	/* Presence. What others were told last, and what they would be told now. */
	enum chat_status wanted, told;
	char *text; /* of the status; NULL: none, as nearly always */
	bool text_changed;
	struct list damped;	/* in chat->damped while a change was told recently */
	struct list offline;	/* in chat->offline while without sessions, not told yet */
	uint64_t damped_until, offline_at;
};

/* A secret that logs its user in. Only its hash is known here. */
struct chat_token {
	struct tree_node node; /* in chat->tokens, by hash */
	struct list in_user;
	struct chat_user *user;
	unsigned char hash[CHAT_TOKEN_HASH_SIZE];
	char id[CHAT_EPOCH_SIZE]; /* what sessions and logout call it */
	char *device;		  /* or NULL */
	int64_t created_ms, used_ms;
};

struct chat_code {
	struct tree_node node; /* in chat->codes, by the code */
	char code[CHAT_CODE_SIZE];
	unsigned uses;	    /* accounts that can still be opened with it */
	int64_t expires_ms; /* INT64_MAX: never */
	char by[PROTO_USER_MAX + 1];
};

struct chat_session {
	struct list in_user;
	struct list all;	/* in chat->sessions */
	struct chat_user *user; /* NULL before login, and again when its connection has ended */
	char token[CHAT_EPOCH_SIZE]; /* the id of that it logged in with or was given, or "" */
	unsigned refs; /* the connection's, until its GONE has left, and one for each job */
	bool closed;
	bool console; /* the administrator on the server's own machine */
	void *conn;
	unsigned worker;
	unsigned failed_logins;
	bool finishing; /* quit or goodbye was said: nothing more is carried out */
	bool entered; /* its login has left: it is told what happens from here on */
	struct chat_replay *replay; /* of what it missed, or NULL */
	/* Made at birth, so that an end can always be told, also without memory. */
	struct chat_item *finish_item, *gone_item;
	struct chat_unit *close_unit;
	const char *tls_version, *tls_cipher;
	int64_t since_ms; /* unix */
	char *device;	  /* as told at login; NULL: none */
	char id[CHAT_EPOCH_SIZE];
	/* Of the peer, "" where there is none; they lie behind the struct, for most are short. */
	const char *address, *fingerprint, *cert_user;
	char strings[];
};

struct chat_room {
	struct tree_node node; /* in chat->rooms, by name */
	struct tree_node listed; /* in chat->listed, unless it is private */
	struct chat_conv conv;
	char name[PROTO_ROOM_MAX + 1];
	char epoch[CHAT_EPOCH_SIZE];
	char *topic, *title;
	bool is_private, guests;
	bool visible_joined;	/* new members see history from their joining only */
	bool was_joined;	/* the same before entry `visible_seq`, which changed it last */
	int64_t visible_seq;
	uint32_t slow_s;	/* between two messages of a member */
	uint32_t days;		/* how long history is kept; 0: for good */
	int64_t created_ms;
	struct tree pins;	/* of chat_pin.node, by seq */
	struct tree sanctions;	/* of chat_sanction.node: bans and mutes, by user */
	struct list invites;	/* of chat_invite.link, the oldest first */
	unsigned invite_count;
	bool by_guest; /* made by a guest: never without an owner */
	uint32_t slot; /* the workers' name for it; reused after the room has gone */
	unsigned owner_count, online_count;
	struct tree members;	/* of chat_member.in_room, by user */
	struct list by_age;	/* of chat_member.age, the longest-standing first */
	/* Its members' sessions, per worker: those that replay it first, too, for they may be
	 * attached by the time that something leaves. */
	uint32_t attached[];
};

struct chat_member {
	struct tree_node in_room, in_user;
	struct list age;
	struct chat_room *room;
	struct chat_user *user;
	enum chat_role role;
	int64_t joined; /* the room's seq when the member came, its own entry included */
	int64_t read;	/* the member has seen everything up to here */
	uint64_t may_send_ms; /* steady clock; slow mode */
};

/* A ban or a mute or both, by name, so that leaving and coming back does not end it. An account's
 * name is never given to somebody else; a guest's is all there is of a guest. */
struct chat_measure {
	int64_t until_ms; /* unix; 0: none, INT64_MAX: until taken back */
	int64_t time_ms;
	char by[PROTO_USER_MAX + 1];
	char *reason; /* or NULL */
};
struct chat_sanction {
	struct tree_node node;
	struct chat_measure ban, mute;
	char user[PROTO_USER_MAX + 1];
};

/* Goes with the room and with the user: a later guest of the same name is not invited. */
struct chat_invite {
	struct list link;	   /* in room->invites */
	struct tree_node in_user; /* in user->invites, by room */
	struct chat_room *room;
	struct chat_user *user;
};

struct chat_pin {
	struct tree_node node;
	struct chat_id_key key; /* the seq of the message */
	int64_t target, time_ms;
	int64_t seq; /* of the pinning itself */
	char by[PROTO_USER_MAX + 1];
};

struct chat_block {
	struct tree_node node;
	char name[PROTO_USER_MAX + 1];
};

/* A direct conversation, seen from both ends; with oneself the second end is not used. */
struct chat_pair_end {
	struct tree_node node;
	struct chat_pair *pair;
};
struct chat_pair {
	struct chat_conv conv;
	struct chat_user *user[2];
	int64_t read[2]; /* what each has seen */
	struct chat_pair_end end[2]; /* end[0] hangs in user[0]'s tree, under user[1]'s name */
};

/* Remembers a send, so that the same again does nothing. */
struct chat_nonce {
	struct tree_node node; /* key: conversation number and nonce, in `key` */
	struct list age;
	int64_t expires_ms; /* unix */
	int64_t seq, time_ms;
	uint64_t digest; /* of what was sent */
	uint64_t conv;
	char key[8 + PROTO_LIMIT_nonce];
};

/* One step back, for a unit whose entries could not be stored. */
enum chat_undo_kind {
	CHAT_UNDO_RECORD,   /* what the record with this key was before */
	CHAT_UNDO_PUT,	    /* nothing to take back: a record that is only written, or dropped */
	CHAT_UNDO_CONV,	    /* seq and time of conversation `id` */
	CHAT_UNDO_LOGIN,    /* `session` became a user's */
	CHAT_UNDO_PRESENCE, /* user `id` was told to be something else than `seq` */
	CHAT_UNDO_CHANGE,   /* change number `id` was made */
	CHAT_UNDO_SLOT,	    /* the slot `seq` of room `id` was given up */
	CHAT_UNDO_FIRST,    /* conversation `id` was kept from `seq` on */
	CHAT_UNDO_SYNC,	    /* `session` asked for a replay */
	CHAT_UNDO_GONE,	    /* `session` was told that a conversation it waited for is gone */
};
struct chat_undo {
	unsigned char kind, table, key_len;
	bool stored; /* is the record also in the store? */
	bool had;    /* was there one? CHANGE: is it a deletion? */
	uint32_t old_len;
	char *bytes; /* the key, then the record's value before (PUT: the value to write) */
	uint64_t id, conv;
	int64_t seq, time_ms, new_seq;
	struct chat_session *session;
};

#define CHAT_UNDO_FEW 2 /* as many as nearly every request needs */

/* What a request (or the passing of time) has to tell, in order, until it may leave. */
struct chat_unit {
	struct list link;
	uint64_t ticket;
	bool committed;
	bool broken; /* there was no memory for a step: the others are to be taken back */
	bool at_once; /* shows only what has left before: goes in front of those that wait */
	struct chat_item *first, *last;
	/* Whose request it answers, or NULL; kept as long as the unit waits, for `unavailable`. */
	struct chat_session *asker;
	struct request_id id;
	struct chat_job *job; /* begins when the unit leaves */
	struct chat_session *gone; /* freed when the unit has left */
	uint64_t ended_guest;	   /* the guest's number, if it was one */
	struct store_trim *trims;  /* what need not be kept any more */
	unsigned trim_count;
	struct chat_undo few[CHAT_UNDO_FEW], *undo;
	unsigned undo_count, undo_cap;
};

/* Something that happened to a message, for those who are just reading it. */
struct chat_change {
	uint64_t conversation, author;
	int64_t target; /* 0, of one who asks: any */
	uint64_t digest; /* of a reaction */
	enum store_kind kind;
};

struct chat {
	struct chat_options options;
	char *name, *motd;
	char epoch[CHAT_EPOCH_SIZE];
	struct rng rng; /* for what nobody may foretell: trees' priorities; never shown */
	struct rng ids; /* for what is shown */
	struct tree users, rooms;
	struct tree users_by_id, convs;
	struct tree tokens, codes;
	struct list sessions;
	struct chat_user *console; /* who the sessions of the control channel are */
	struct tree listed; /* the rooms that are not private: a list must not come by others */
	struct list damped, offline; /* users, by when they are due */
	uint64_t next_id, next_ticket, mark;
	uint64_t started_mono_ms;
	struct login_throttle *throttle; /* NULL: none */
	uint64_t logged_in;  /* sessions */
	uint64_t audit_last; /* number of the newest record */
	bool busy;	     /* a backup or reload is going on */
	struct blob *welcome;
	struct buf scratch; /* for one line at a time, */
	bool secret;	    /* in which there is a token or a code */
	struct chat_counts counts;

	/* Slots of rooms: numbers given back are taken first. */
	uint32_t *free_slots;
	uint32_t free_slot_count, free_slot_cap, slot_count;

	/* The unit being made, and those that wait. */
	struct chat_unit *unit, *spare_unit;
	struct store_entry *entries; /* CHAT_ENTRIES_MAX */
	size_t entry_count;
	struct buf extra; /* of the unit's entries, */
	size_t *extra_at; /* where each begins, and the one being made */
	size_t extra_from;
	struct buf records; /* values on their way to the store */
	/* Number i at i % CHAT_CHANGES. From `changes_from` on they are there; before
	 * `changes_left` they have left. */
	struct chat_change *changes;
	uint64_t change_count, changes_from, changes_left;
	struct list pending;
	struct list refused; /* jobs that nobody could take */
	/* Retention goes round: the conversation and the user looked at last. */
	uint64_t trimmed_conv, swept_user;
	bool trimming; /* a job looks for what is too old */
	/* While a unit is undone: the slot that its room must get back. */
	uint64_t undone_room;
	uint32_t undone_slot;
};

/* A request on its way through its handler. */
struct chat_call {
	struct chat *chat;
	struct chat_session *session;
	struct chat_user *user; /* NULL before login */
	struct request *request;
	struct chat_time now;
	/* Found by chat_check_rights for commands with a row in rights.def. */
	struct chat_member *member; /* of the room it names, */
	struct chat_user *other;    /* or whose pair it names */
	struct slice target_name;
	struct chat_user *target_user;
	struct chat_member *target_member;
	struct request_error error; /* what a refusing handler says */
	bool replied;
	bool postponed; /* a job will answer */
};

/* --- release.c: units ------------------------------------------------------------- */

/* Starts the unit that everything until chat_unit_end belongs to; `given` is memory for it from
 * the heap, or NULL. False without memory. */
bool chat_unit_begin(struct chat *chat, struct chat_unit *given);
/* The unit answers this request of the session. */
void chat_unit_asked(struct chat *chat, struct chat_session *session, const struct request_id *id);
/* Hands its entries and records to the store, and lets it go when it may. True if it has left
 * already; if it has not, and `unanswered`, its request is ended by an item without a line when it
 * does. What the store refuses is taken back, and answered with `unavailable`. */
bool chat_unit_end(struct chat *chat, bool unanswered, struct chat_time now);
/* Ends a session outside of any unit, when there is no memory even for one. */
void chat_cut_off_now(struct chat *chat, struct chat_session *session);
/* --- tell.c: what units say ------------------------------------------------------------------- */

/* Carries out an item of the core's own (CHAT_ITEM_OWN), whose turn has come, and frees it. */
void chat_item_own(struct chat *chat, struct chat_item *item);
/* Adds to the unit. Lines are referenced, not taken. Without memory the connection concerned is
 * ended instead of being told less than it should know. */
void chat_tell_session(struct chat *chat, struct chat_session *session, struct blob *line);
void chat_tell_user(struct chat *chat, struct chat_user *user, struct blob *line);
void chat_tell_room(struct chat *chat, struct chat_room *room, struct blob *line,
    uint64_t skip_user);
/* An entry of a pair, to all sessions of both; which those are is seen when it leaves. */
void chat_tell_pair(struct chat *chat, const struct chat_pair *pair, struct blob *line);
/* An entry's line, for the conversation's tail when it leaves. */
void chat_tell_tail(struct chat *chat, const struct chat_conv *conv, int64_t seq,
    struct blob *line);
/* A line or several in one, after which chat_session_drained is to come; false if the session had
 * to be cut off. */
bool chat_tell_paced(struct chat *chat, struct chat_session *session, struct blob *lines);
void chat_tell_attach(struct chat *chat, struct chat_session *session, struct chat_room *room);
void chat_tell_detach(struct chat *chat, struct chat_session *session, struct chat_room *room);
void chat_tell_login(struct chat *chat, struct chat_session *session);
/* `text` says more to people, NULL: the reason's meaning. */
void chat_tell_goodbye(struct chat *chat, struct chat_session *session, enum proto_reason reason,
    const char *text);
/* To everybody who is logged in; false without memory, and nobody is told. */
bool chat_tell_all(struct chat *chat, struct blob *line);
/* The reply goes before everything else of the unit and ends the request; line may be NULL. */
void chat_tell_reply(struct chat *chat, struct chat_session *session, struct blob *line);
/* Ends the session's connection without a word. */
void chat_tell_end(struct chat *chat, struct chat_session *session);
/* The session ends with this unit. */
void chat_tell_gone(struct chat *chat, struct chat_session *session);

/* The bytes of chat->scratch as a line of their own, which empties it; NULL without memory. */
struct blob *chat_take_line(struct chat *chat);

/* --- undo.c: the way back -------------------------------------------------------------------- */

/* To be called before anything of the record with this key changes, comes or goes: keeps what it
 * was, and has it written with the unit. Once for all changes of a unit is enough. False without
 * memory: then nothing may be changed any more, and the whole unit will be taken back. What hangs
 * on something is touched before it when both go, and behind it when both come. */
/* Of a user, room or pair that is about to be made with this number. */
bool chat_touch_new(struct chat *chat, enum store_table table, uint64_t id, bool stored);
bool chat_touch_user(struct chat *chat, const struct chat_user *user);
bool chat_touch_room(struct chat *chat, const struct chat_room *room);
bool chat_touch_member(struct chat *chat, const struct chat_room *room,
    const struct chat_user *user);
bool chat_touch_pair(struct chat *chat, const struct chat_pair *pair);
bool chat_touch_ban(struct chat *chat, const struct chat_room *room, struct slice user);
bool chat_touch_invite(struct chat *chat, const struct chat_room *room,
    const struct chat_user *user);
bool chat_touch_block(struct chat *chat, const struct chat_user *user, struct slice name);
bool chat_touch_nonce(struct chat *chat, const struct chat_user *user,
    const struct chat_conv *conv, struct slice nonce);
bool chat_touch_token(struct chat *chat, const unsigned char hash[CHAT_TOKEN_HASH_SIZE]);
bool chat_touch_code(struct chat *chat, struct slice code);
bool chat_touch_pin(struct chat *chat, const struct chat_room *room, int64_t target);
bool chat_touch_numbers(struct chat *chat);
/* A record that is written and never read again by the core (the audit); and the end of one. */
bool chat_put_record(struct chat *chat, enum store_table table, struct slice key,
    struct slice value);
bool chat_drop_record(struct chat *chat, enum store_table table, struct slice key);
/* Entries that need not be kept: up to the seq, or with INT64_MAX all of the conversation. */
bool chat_trim(struct chat *chat, uint64_t conversation, int64_t seq);
/* A step of another kind, zeroed; NULL without memory. */
struct chat_undo *chat_undo_step(struct chat *chat, enum chat_undo_kind kind);
/* Takes everything back that the unit did, in the reverse order. `all`: all units before it that
 * have not left go the same way. */
void chat_undo_unit(struct chat *chat, struct chat_unit *unit, bool all);
void chat_undo_release(struct chat_unit *unit);

/* --- record.c: what the state is as keyed records --------------------------------------------- */

/* Appends the record's value as it is now; false if there is none. `whole`: with what only this
 * process has to know of it (an undone room gets its slot back). */
bool chat_record_put(struct chat *chat, enum store_table table, struct slice key, bool whole,
    struct buf *to);
/* Makes the state what the record says; `value` NULL: there is none. At the start and when a unit
 * is undone; tells nobody. False without memory, or when the value is no record. */
bool chat_record_apply(struct chat *chat, enum store_table table, struct slice key,
    const struct slice *value);

/* --- conv.c: conversations and their entries -------------------------------------------------- */

void chat_id_key(struct chat_id_key *key, uint64_t id);
uint64_t chat_id_of_key(struct slice key);
/* A number for what the store keeps; 0 without memory. */
uint64_t chat_next_id(struct chat *chat);
/* And one for what it does not. */
uint64_t chat_memory_id(struct chat *chat);
void chat_conv_put(struct chat *chat, struct chat_conv *conv, uint64_t id, bool kept);
struct chat_conv *chat_conv_find(struct chat *chat, uint64_t id);
/* "dev" or "@bob", as `user` calls it; room for CHAT_CONV_NAME. */
#define CHAT_CONV_NAME (PROTO_ROOM_MAX + 2)
void chat_conv_name(const struct chat_conv *conv, const struct chat_user *user,
    char to[CHAT_CONV_NAME]);

/* Starts what an entry has beside kind, text and target, as JSON members; ends with chat_append. */
void chat_extra_begin(struct chat *chat, struct json_writer *w);
/* What happens in a conversation. `extra` comes from chat_extra_begin. */
struct chat_entry {
	enum store_kind kind;
	uint64_t author;
	int64_t target; /* or 0 */
	struct slice text;
	struct slice left; /* DELETE: see store.h */
};
/* Gives the conversation its next seq and the entry to the unit; returns its event's line, the
 * caller's to unref (NULL without memory). */
struct blob *chat_append(struct chat *chat, struct chat_conv *conv, const struct chat_entry *entry,
    struct chat_time now);

/* Where entries happened, as their lines name it: copies, for whoever has no lock. */
struct chat_place {
	char room[PROTO_ROOM_MAX + 1]; /* or "" and the two users of a pair */
	char user[2][PROTO_USER_MAX + 1];
	uint64_t id[2];
};
void chat_place_of(const struct chat_conv *conv, struct chat_place *ret);
/* The fields of an entry's event, without `event` itself and the braces. Pure. */
void chat_put_entry(struct json_writer *w, const struct chat_place *place,
    const struct store_entry *entry);
/* What an entry has in `extra`, as a tree; NULL without memory. And one member of it, if it is
 * there. Pure. */
struct json *chat_extra_parse(struct slice extra);
void chat_put_member(struct json_writer *w, const struct json *root, const char *name);
/* What is left of a message's or edit's extra when it is deleted. Pure. */
void chat_put_left(struct buf *to, struct slice extra);
/* The event's whole line. Pure. */
void chat_put_event(struct buf *to, const struct chat_place *place,
    const struct store_entry *entry, bool replay);

/* Puts "mentions", if the text has any of somebody in the conversation. */
void chat_put_mentions(struct json_writer *w, const struct chat_conv *conv, struct slice text);

/* --- change.c: what happened to messages lately ------------------------------------------------ */

/* With the entry that is appended for it. False without memory: the unit is broken. */
bool chat_change_put(struct chat *chat, const struct chat_change *change);
void chat_change_settled(struct chat *chat, const struct chat_undo *step);
void chat_change_undone(struct chat *chat, const struct chat_undo *step);
/* Has something happened that the job may not have read, and that matters to `mine`? Deletions
 * matter to all; otherwise another edit to an edit, the same user's same reaction to a reaction. Kind
 * STORE_MESSAGE: nothing but deletions. */
bool chat_change_missed(const struct chat *chat, const struct chat_job *job,
    const struct chat_change *mine);

/* Has a deletion in the conversation left since the job began? */
bool chat_change_deleted(const struct chat *chat, const struct chat_job *job, uint64_t conv);

/* --- replay.c: catching up -------------------------------------------------------------------- */

/* A login or sync with `since`. Can it be done for this user, or, with NULL, for anybody? Changes
 * nothing; false with `bad_field`. True without `since`. */
bool chat_replay_check(struct chat_call *call, struct chat_user *user);
/* Sets call->session->replay for call->user, if the request wants one; false with the error
 * filled. */
bool chat_replay_make(struct chat_call *call);
/* After that, in the same unit: what is to be read first, or that there is nothing. */
void chat_replay_begin(struct chat_call *call);
/* Does the session get what happens in the conversation (`id`), or replays it first? */
bool chat_session_attached(const struct chat_session *session, uint64_t conv);
/* The user leaves the conversation. First, for each session: where its replay has not come to that
 * conversation's end it is told so, in place of what it would have seen. */
void chat_replay_tell_gone(struct chat *chat, struct chat_session *session,
    const struct chat_conv *conv);
/* Then, with the membership gone: replays go on without it. */
void chat_replay_let_go(struct chat *chat, struct chat_user *user, uint64_t conv);
void chat_replay_free(struct chat *chat, struct chat_session *session);

/* --- tail.c: the newest lines of a conversation ------------------------------------------------- */

/* The newest lines of a conversation that have left, for those who have read the rest of it from
 * the store: what leaves faster than it is read would never be caught up with. */
#define CHAT_TAIL_MAX 256
#define CHAT_TAIL_BYTES (256u << 10)
struct chat_tail {
	unsigned users;	  /* replays */
	unsigned first, count;
	size_t bytes;
	int64_t last; /* the seq of the newest; those before it follow each other */
	struct blob *line[CHAT_TAIL_MAX]; /* a ring */
};
void chat_tail_put(struct chat *chat, uint64_t conv, int64_t seq, struct blob *line);
void chat_tail_free(struct chat_conv *conv);
/* Forgets the lines there are: one of them has a text that was deleted. */
void chat_tail_clear(struct chat_conv *conv);
/* Kept from now on, for one more replay; false without memory. And no longer for it. */
bool chat_tail_use(struct chat_conv *conv);
void chat_tail_leave(struct chat_conv *conv);
/* Has it everything behind `after` that has left? Then these lines, as in a replay; NULL without
 * memory. */
bool chat_tail_bridges(const struct chat_conv *conv, int64_t after);
struct blob *chat_tail_lines(const struct chat_conv *conv, int64_t after);

/* --- retention.c ------------------------------------------------------------------------------ */

/* Little by little: entries, nonces and tokens that are too old go. */
void chat_retention_tick(struct chat *chat, struct chat_time now);

/* --- job.c: slow work, done by others without the lock ---------------------------------------- */

/* Part of a larger struct of whoever asks for it. */
struct chat_job {
	/* Without the lock: reads the store, hashes. Sees nothing of the core but what the job
	 * holds. */
	void (*run)(struct chat_job *job);
	/* With the lock, if the session is still there: as a handler, with the job's request. */
	bool (*done)(struct chat_call *call, struct chat_job *job);
	/* With the lock, in place of `done`: of a quiet job that nobody could take. */
	void (*refused)(struct chat *chat, struct chat_job *job);
	/* Frees what the larger struct holds, but not the struct itself. */
	void (*release)(struct chat_job *job);
	struct list link; /* in chat->refused */
	bool hash; /* is it a password's? */
	bool quiet; /* no request waits for it; `done` starts no reply */
	uint64_t seen; /* changes before this one had left when it began */
	struct store *store;
	const struct chat_secrets *secrets;
	struct chat_session *session; /* NULL: nobody's */
	struct request request;
};
/* Zeroed memory of `size` bytes that starts with the job. For the call's request, which moves into
 * it, so that the handler returns at once with it; it begins when everything before it has left.
 * NULL with the error filled. */
void *chat_job_new(struct chat_call *call, size_t size, void (*run)(struct chat_job *job),
    bool (*done)(struct chat_call *call, struct chat_job *job));
/* For nobody's request, and perhaps nobody's session: to be started by chat_job_start. NULL without
 * memory. */
void *chat_job_make(struct chat *chat, struct chat_session *session, size_t size,
    void (*run)(struct chat_job *job), bool (*done)(struct chat_call *call, struct chat_job *job));
/* Hands it over. With the pool full it fails at once: `unavailable`, or `auth_unavailable`. */
void chat_job_start(struct chat *chat, struct chat_job *job);
void chat_job_refuse_all(struct chat *chat, struct chat_time now);
void chat_job_free(struct chat *chat, struct chat_job *job);

/* --- user.c: users, their nonces, pairs and presence ---------------------------------------- */

struct chat_user *chat_user_find(struct chat *chat, struct slice name);
/* The functions that end in _make and _free change the state and nothing else: they are for
 * record.c, and for those who have touched the record. NULL without memory. */
struct chat_user *chat_user_make(struct chat *chat, struct slice name, bool guest, uint64_t id);
/* With everything around it; NULL with the error filled. */
struct chat_user *chat_user_new(struct chat_call *call, struct slice name, bool guest);
struct chat_block *chat_block_make(struct chat *chat, struct chat_user *user, struct slice name);
void chat_block_free(struct chat_user *user, struct chat_block *block);
struct chat_pair *chat_pair_make(struct chat *chat, struct chat_user *a, struct chat_user *b,
    uint64_t id, bool kept);
void chat_pair_free(struct chat *chat, struct chat_pair *pair);
/* NULL if they have never talked. */
struct chat_pair *chat_pair_find(struct chat_user *user, struct chat_user *other);
struct chat_nonce *chat_nonce_make(struct chat *chat, struct chat_user *user, struct slice key);
void chat_nonce_free(struct chat_user *user, struct chat_nonce *nonce);
/* With its record. */
bool chat_nonce_drop(struct chat *chat, struct chat_user *user, struct chat_nonce *nonce);
struct chat_user *chat_user_by_id(struct chat *chat, uint64_t id);
void chat_user_free(struct chat *chat, struct chat_user *user);
/* The conversation of two users, made if there is none; NULL with `error` filled. */
struct chat_pair *chat_pair_get(struct chat_call *call, struct chat_user *other);
struct chat_nonce *chat_nonce_find(struct chat_user *user, const struct chat_conv *conv,
    struct slice nonce, struct chat_time now);
/* With its record; false without memory. */
bool chat_nonce_drop(struct chat *chat, struct chat_user *user, struct chat_nonce *nonce);
bool chat_nonce_put(struct chat *chat, struct chat_user *user, const struct chat_conv *conv,
    struct slice nonce, uint64_t digest, struct chat_time now);
const char *chat_status_name(enum chat_status status);
/* A first session came, the last one went, or the status was set. */
void chat_presence_changed(struct chat *chat, struct chat_user *user, struct chat_time now);
bool chat_presence_tick(struct chat *chat, struct chat_time now);

/* --- room.c: rooms and members -------------------------------------------------------------- */

struct chat_room *chat_room_find(struct chat *chat, struct slice name);
/* As the caller may know it: NULL with `no_such_room` also for a private one it is not in. */
struct chat_room *chat_room_visible(struct chat_call *call, struct slice name);
struct chat_room *chat_room_make(struct chat *chat, struct slice name, uint64_t id, bool kept);
struct chat_room *chat_room_new(struct chat_call *call, struct slice name, bool kept);
struct chat_member *chat_member_make(struct chat *chat, struct chat_room *room,
    struct chat_user *user, enum chat_role role);
void chat_member_free(struct chat_member *member);
/* The oldest seq that this member may see. */
int64_t chat_member_first(const struct chat_member *member);
/* The same as far as everybody knows: a setting on its way to the store does not count yet. */
int64_t chat_member_first_told(const struct chat_member *member);
void chat_member_set_role(struct chat_member *member, enum chat_role role);
struct chat_pin *chat_pin_make(struct chat *chat, struct chat_room *room, int64_t target);
void chat_pin_free(struct chat_room *room, struct chat_pin *pin);
struct chat_sanction *chat_sanction_make(struct chat *chat, struct chat_room *room,
    struct slice user);
/* Of a private room nobody may know but its members and who is invited. */
void chat_room_set_private(struct chat *chat, struct chat_room *room, bool is_private);
struct chat_member *chat_member_find(struct chat_user *user, struct slice room);
/* The caller's membership; NULL with `not_member` or `no_such_room`. */
struct chat_member *chat_membership(struct chat_call *call, struct slice name);
/* What can be said of a room in one entry and event; zeroed fields are left out. */
struct chat_note {
	enum store_kind kind;
	struct chat_user *author;
	struct slice user; /* whom it is about */
	const char *role, *by;
	struct slice reason;
	int64_t until_ms;
	bool guest;
};
/* Gives it the room's next seq and tells all members; returns the seq. */
int64_t chat_room_tell(struct chat *chat, struct chat_room *room, const struct chat_note *note,
    struct chat_time now);
/* What is in force against a user, for the time being; NULL if nothing. What is over stays until
 * its record is touched: looking must not need the disk. */
struct chat_sanction *chat_sanction_find(struct chat_room *room, struct slice user,
    struct chat_time now);
/* Frees it if it is over, or nothing of it is left; the record has been touched. */
void chat_sanction_tidy(struct chat_room *room, struct slice user, struct chat_time now);
/* For one more; if there are too many, one that is over goes. False if there is none. */
bool chat_sanction_make_room(struct chat *chat, struct chat_room *room, struct chat_time now);
/* NULL if the user is not invited. */
struct chat_invite *chat_invite_find(const struct chat_room *room, const struct chat_user *user);
bool chat_invite_put(struct chat *chat, struct chat_room *room, struct chat_user *user);
void chat_invite_free(struct chat_invite *invite);
void chat_sanction_free(struct chat_room *room, struct chat_sanction *sanction);
/* Entry and event, if the room is small enough to announce; the user's sessions are attached. */
struct chat_member *chat_room_join(struct chat *chat, struct chat_room *room,
    struct chat_user *user, enum chat_role role, struct chat_time now);
/* Likewise; an empty room goes. False without memory: the unit is broken then. */
bool chat_room_leave(struct chat *chat, struct chat_member *member, struct chat_time now);
/* The room goes, with all who are in it. */
bool chat_room_end(struct chat *chat, struct chat_room *room);
/* The same without entry and event, for who was put out. */
bool chat_room_remove(struct chat *chat, struct chat_member *member, struct chat_time now);
const char *chat_role_name(enum chat_role role);
void chat_room_free(struct chat *chat, struct chat_room *room);

/* --- token.c: tokens and invite codes --------------------------------------------------------- */

struct chat_token *chat_token_make(struct chat *chat, struct chat_user *user,
    const unsigned char hash[CHAT_TOKEN_HASH_SIZE]);
void chat_token_free(struct chat *chat, struct chat_token *token);
struct chat_token *chat_token_find(struct chat *chat,
    const unsigned char hash[CHAT_TOKEN_HASH_SIZE]);
struct chat_code *chat_code_make(struct chat *chat, struct slice code);
void chat_code_free(struct chat *chat, struct chat_code *code);

/* NULL if there is none, or it is good no longer. */
struct chat_code *chat_code_find(struct chat *chat, struct slice text, struct chat_time now);
/* One use less; the last one ends it. */
bool chat_code_use(struct chat *chat, struct chat_code *code);

/* --- secret.c: jobs that verify and hash passwords -------------------------------------------- */

struct chat_secret_want {
	struct slice name; /* whose */
	bool check;	   /* verify `old`, against what `user` has, who may be NULL */
	const struct chat_user *user;
	struct slice old;
	struct slice fresh; /* to be hashed, if `old` is right; or empty */
	bool throttled;	    /* charge the try, and refuse it if there were too many */
};
struct chat_secret {
	struct chat_job job;
	struct chat *chat; /* for the job's end, under the lock */
	char name[PROTO_USER_MAX + 1];
	bool check, known, charged, looked;
	struct slice old, fresh; /* lent from the request */
	uint64_t charged_ms;
	char hash[CHAT_PASSWORD_HASH_SIZE]; /* what was verified against */
	bool right;
	/* Of `fresh`; of `old` if that should be hashed anew; or "". */
	char made[CHAT_PASSWORD_HASH_SIZE];
};
/* For handlers: `done` gets a struct chat_secret. False with the error filled. */
bool chat_secret_ask(struct chat_call *call, const struct chat_secret_want *want,
    bool (*done)(struct chat_call *call, struct chat_job *job));
/* Is what was verified still the user's password? The user may be NULL. */
bool chat_secret_is_of(const struct chat_secret *secret, const struct chat_user *user);
/* The try was good and is not charged. */
void chat_secret_forgive(struct chat_secret *secret, struct chat_time now);
/* Charges a try of the session's address with that name; true, with the error filled, when there
 * were too many. */
bool chat_throttle_refuses(struct chat_call *call, struct slice name);

/* --- account.c: what accounts have and how they end ------------------------------------------- */

/* NULL for guests and for who was deleted. */
struct chat_user *chat_account_find(struct chat *chat, struct slice name);
/* True, with the error filled, if nobody, or nobody else, may have the name. */
bool chat_name_refused(struct chat_call *call, struct slice name);
bool chat_name_taken(struct chat_call *call, struct slice name);
const char *chat_user_role(const struct chat_user *user);
/* These touch what they change; false: the unit is broken. */
bool chat_account_set_password(struct chat *chat, struct chat_user *user, const char *hash);
bool chat_token_end(struct chat *chat, struct chat_token *token);
bool chat_account_end_tokens(struct chat *chat, struct chat_user *user);
/* The account becomes a tombstone; messages stay, and rooms without an owner get another one. */
bool chat_account_delete(struct chat *chat, struct chat_user *user, struct chat_time now);
/* Makes a token, whose secret is `text`; NULL with the error filled. */
struct chat_token *chat_account_remember(struct chat_call *call, struct chat_user *user,
    char text[CHAT_TOKEN_SIZE]);
/* By its id. */
struct chat_token *chat_token_of(const struct chat_user *user, struct slice id);
/* Was it not used for too long? */
bool chat_token_is_over(const struct chat_token *token, struct chat_time now);
/* Says goodbye to all but `except`; their number. */
unsigned chat_account_end_sessions(struct chat *chat, struct chat_user *user,
    const struct chat_session *except, enum proto_reason reason, const char *text);

/* --- audit.c ---------------------------------------------------------------------------------- */

/* The call's command is written down, with whom it was about (or NULL) and more text. False with
 * the error filled. */
bool chat_audit(struct chat_call *call, const struct chat_user *user, struct slice text);

/* --- Replies (chat.c) ----------------------------------------------------------------------- */

/* A session becomes the user's: told to the worker, attached to all rooms, its devices told. */
bool chat_session_enter(struct chat_call *call, struct chat_user *user);
/* And the way back, without a word: its connection has ended, or the login was not stored. */
void chat_session_unlink(struct chat *chat, struct chat_session *session);
/* When the core ends: jobs that were never done do not matter any more. */
void chat_session_forget(struct chat_session *session);
void chat_session_unref(struct chat *chat, struct chat_session *session);
/* A guest is the connection: memberships and name end with it. `quiet`: without a word where that
 * would have to be stored. */
void chat_guest_end(struct chat *chat, struct chat_user *user, bool quiet, struct chat_time now);

/* The conversation that the request names, as chat_check_rights found it; NULL for two users who
 * have never talked. And the oldest seq of it that the caller may see. */
struct chat_conv *chat_call_conv(const struct chat_call *call);
int64_t chat_call_first(const struct chat_call *call);
/* A field of the request's command; NULL if it has none of that name. */
const struct request_field *chat_field_named(const struct chat_call *call, const char *name);
/* Answers a send that was made before with the same nonce, whatever the rights are by now; false
 * if it was not. */
bool chat_send_again(struct chat_call *call, bool *ret_ok);
/* Starts a reply in chat->scratch; false if the request has no id and wants none. */
bool chat_reply_begin(struct chat_call *call, struct json_writer *w);
void chat_reply_end(struct chat_call *call, struct json_writer *w);

/* For handlers: fill call->error and return false. */
bool chat_refuse_field(struct chat_call *call, const char *field, const char *format, ...)
    PRINTF_LIKE(3, 4);
bool chat_refuse(struct chat_call *call, enum proto_error code, const char *format, ...)
    PRINTF_LIKE(3, 4);
bool chat_refuse_limit(struct chat_call *call, enum proto_error code, int64_t limit,
    const char *format, ...) PRINTF_LIKE(4, 5);

bool chat_refuse_later(struct chat_call *call, int64_t wait_s, const char *format, ...)
    PRINTF_LIKE(3, 4);
bool chat_refuse_memory(struct chat_call *call);
/* May this connection ask that now? The row says who may; PROTOCOL.md, "Greeting". False with the error
 * filled. */
bool chat_check_state(struct chat_call *call);
/* Ends a handled call: an error's line, or the reply that is still missing. */
void chat_call_end(struct chat_call *call, bool ok);
/* An id that is new, as the wire has it. */
void chat_id_new(struct chat *chat, char to[CHAT_EPOCH_SIZE]);

static inline uint32_t chat_random(struct chat *chat)
{
	return (uint32_t)(rng_next(&chat->rng) >> 32);
}

/* A TEXT, USER or ROOM field's bytes; empty where it is absent. */
static inline struct slice chat_field_text(const struct chat_call *call, enum proto_field field)
{
	const struct request_field *f = request_field(call->request, field);

	return f->present ? f->text : slice_make(NULL, 0);
}

/* --- Handlers, one a command: false when refused, with call->error filled -------------------- */
#define CMD(name, who, summary, reply) bool cmd_##name(struct chat_call *call);
#include "tables.def"

#endif
