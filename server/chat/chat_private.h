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
#include "chat/chat.h"
#include "wire/message.h"

#define CHAT_NONCE_COUNT_MAX 4096 /* of one user; the oldest goes first */
#define CHAT_NONCE_MS INT64_C(86400000)
#define CHAT_OFFLINE_MS 15000 /* without a session, before others hear of it */
#define CHAT_PRESENCE_MS 5000 /* between two presence events of one user */
#define CHAT_TICK_WORK 1000   /* members looked at for presence in one call of chat_tick */
#define CHAT_PAGE_WORK 600    /* entries of a list looked at; then the page ends early */
#define CHAT_ENTRIES_MAX (2 * PROTO_LIMIT_rooms + 16) /* of one unit: a guest leaves all rooms */
#define CHAT_EPOCH_SIZE 17    /* 16 hex digits and NUL */

enum chat_role { CHAT_ROLE_MEMBER, CHAT_ROLE_OPERATOR, CHAT_ROLE_OWNER };
enum chat_status { CHAT_ONLINE, CHAT_AWAY, CHAT_BUSY, CHAT_OFFLINE };

/* What rooms and pairs have in common: the sequence. */
struct chat_conv {
	uint64_t id; /* never reused */
	int64_t seq; /* of the newest entry, 0 before the first */
	int64_t time_ms;
};

struct chat_user {
	struct tree_node node; /* in chat->users, by name */
	uint64_t id;	       /* never reused, never 0 */
	char name[PROTO_USER_MAX + 1];
	bool guest;
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

struct chat_session {
	struct list in_user;
	struct chat_user *user; /* NULL before login */
	void *conn;
	unsigned worker;
	unsigned failed_logins;
	bool finishing; /* quit or goodbye was said: nothing more is carried out */
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
	uint32_t slow_s;	/* between two messages of a member */
	struct tree sanctions;	/* of chat_sanction.node: bans and mutes, by user */
	struct list invites;	/* of chat_invite.link, the oldest first */
	unsigned invite_count;
	bool by_guest; /* made by a guest: never without an owner */
	uint32_t slot; /* the workers' name for it; reused after the room has gone */
	unsigned owner_count, online_count;
	struct tree members;	/* of chat_member.in_room, by user */
	struct list by_age;	/* of chat_member.age, the longest-standing first */
	uint32_t attached[];	/* sessions in it, per worker */
};

struct chat_member {
	struct tree_node in_room, in_user;
	struct list age;
	struct chat_room *room;
	struct chat_user *user;
	enum chat_role role;
	int64_t read; /* the member has seen everything up to here */
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
	struct chat_pair_end end[2]; /* end[0] hangs in user[0]'s tree, under user[1]'s name */
};

/* Remembers a send, so that the same again does nothing. */
struct chat_nonce {
	struct tree_node node; /* key: conversation number and nonce, in `key` */
	struct list age;
	int64_t expires_ms; /* unix */
	int64_t seq, time_ms;
	uint64_t digest; /* of what was sent */
	char key[8 + PROTO_LIMIT_nonce];
};

/* What a request (or the passing of time) has to tell, in order, until it may leave. */
struct chat_unit {
	struct list link;
	uint64_t ticket;
	bool committed;
	struct chat_item *first, *last;
};

struct chat {
	struct chat_options options;
	char *name, *motd;
	char epoch[CHAT_EPOCH_SIZE];
	struct rng rng; /* for what nobody may foretell: trees' priorities; never shown */
	struct rng ids; /* for what is shown */
	struct tree users, rooms;
	struct tree listed; /* the rooms that are not private: a list must not come by others */
	struct list damped, offline; /* users, by when they are due */
	uint64_t next_id, next_ticket, mark;
	struct blob *welcome;
	struct buf scratch; /* for one line at a time */
	struct chat_counts counts;

	/* Slots of rooms: numbers given back are taken first. */
	uint32_t *free_slots;
	uint32_t free_slot_count, free_slot_cap, slot_count;

	/* The unit being made, and those that wait. */
	struct chat_unit *unit, *spare_unit;
	struct store_entry *entries; /* CHAT_ENTRIES_MAX */
	size_t entry_count;
	struct list pending;
};

/* A request on its way through its handler. */
struct chat_call {
	struct chat *chat;
	struct chat_session *session;
	struct chat_user *user; /* NULL before login */
	const struct request *request;
	struct chat_time now;
	/* Found by chat_check_rights for commands with a row in rights.def. */
	struct chat_member *member;
	struct slice target_name;
	struct chat_user *target_user;
	struct chat_member *target_member;
	struct request_error error; /* what a refusing handler says */
	bool replied;
};

/* --- release.c: units and items ------------------------------------------------------------- */

/* Starts the unit that everything until chat_unit_end belongs to; `given` is memory for it from
 * the heap, or NULL. False without memory. */
bool chat_unit_begin(struct chat *chat, struct chat_unit *given);
/* Hands its entries to the store, and lets it go when it may. True if it has left already; if it
 * has not, and `unanswered` is not NULL, that session's request is ended by an item without a
 * line when it does. */
bool chat_unit_end(struct chat *chat, struct chat_session *unanswered);
/* Ends a session outside of any unit, when there is no memory even for one. */
void chat_cut_off_now(struct chat *chat, struct chat_session *session);
/* Adds to the unit. Lines are referenced, not taken. Without memory the connection concerned is
 * ended instead of being told less than it should know. */
void chat_tell_session(struct chat *chat, struct chat_session *session, struct blob *line);
void chat_tell_user(struct chat *chat, struct chat_user *user, struct blob *line);
void chat_tell_room(struct chat *chat, struct chat_room *room, struct blob *line,
    uint64_t skip_user);
void chat_tell_attach(struct chat *chat, struct chat_session *session, struct chat_room *room);
void chat_tell_detach(struct chat *chat, struct chat_session *session, struct chat_room *room);
void chat_tell_login(struct chat *chat, struct chat_session *session);
void chat_tell_goodbye(struct chat *chat, struct chat_session *session, enum proto_reason reason);
/* The reply goes before everything else of the unit and ends the request; line may be NULL. */
void chat_tell_reply(struct chat *chat, struct chat_session *session, struct blob *line);
/* The session ends with this unit. */
void chat_tell_gone(struct chat *chat, struct chat_session *session);

/* The bytes of chat->scratch as a line of their own, which empties it; NULL without memory. */
struct blob *chat_take_line(struct chat *chat);

/* --- entry.c: entries of the log ------------------------------------------------------------ */

/* Gives the conversation its next seq and the entry to the unit; returns the seq. */
int64_t chat_append(struct chat *chat, struct chat_conv *conv, enum store_kind kind,
    struct chat_user *author, struct slice text, struct chat_time now);

/* --- user.c: users, their nonces, pairs and presence ---------------------------------------- */

struct chat_user *chat_user_find(struct chat *chat, struct slice name);
struct chat_user *chat_user_new(struct chat *chat, struct slice name, bool guest);
void chat_user_free(struct chat *chat, struct chat_user *user);
/* The conversation of two users, made if there is none; NULL with `error` filled. */
struct chat_pair *chat_pair_get(struct chat_call *call, struct chat_user *other);
struct chat_nonce *chat_nonce_find(struct chat_user *user, const struct chat_conv *conv,
    struct slice nonce, struct chat_time now);
void chat_nonce_put(struct chat *chat, struct chat_user *user, const struct chat_conv *conv,
    struct slice nonce, uint64_t digest, struct chat_time now);
const char *chat_status_name(enum chat_status status);
/* A first session came, the last one went, or the status was set. */
void chat_presence_changed(struct chat *chat, struct chat_user *user, struct chat_time now);
bool chat_presence_tick(struct chat *chat, struct chat_time now);

/* --- room.c: rooms and members -------------------------------------------------------------- */

struct chat_room *chat_room_find(struct chat *chat, struct slice name);
/* As the caller may know it: NULL with `no_such_room` also for a private one it is not in. */
struct chat_room *chat_room_visible(struct chat_call *call, struct slice name);
struct chat_room *chat_room_new(struct chat_call *call, struct slice name);
/* Of a private room nobody may know but its members and who is invited. */
void chat_room_set_private(struct chat *chat, struct chat_room *room, bool is_private);
struct chat_member *chat_member_find(struct chat_user *user, struct slice room);
/* The caller's membership; NULL with `not_member` or `no_such_room`. */
struct chat_member *chat_membership(struct chat_call *call, struct slice name);
/* What can be said of a room in one entry and event; zeroed fields are left out. */
struct chat_note {
	enum store_kind kind;
	enum proto_event event;
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
/* What is in force against a user, for the time being; NULL if nothing. */
struct chat_sanction *chat_sanction_find(struct chat_room *room, struct slice user,
    struct chat_time now);
/* NULL if the user is not invited. */
struct chat_invite *chat_invite_find(const struct chat_room *room, const struct chat_user *user);
/* False without memory; the oldest of too many of the room is forgotten. */
bool chat_invite_put(struct chat *chat, struct chat_room *room, struct chat_user *user);
void chat_invite_free(struct chat_invite *invite);
void chat_sanction_free(struct chat_room *room, struct chat_sanction *sanction);
/* Entry and event, if the room is small enough to announce; the user's sessions are attached. */
struct chat_member *chat_room_join(struct chat *chat, struct chat_room *room,
    struct chat_user *user, enum chat_role role, struct chat_time now);
/* Likewise; an empty room goes. */
void chat_room_leave(struct chat *chat, struct chat_member *member, struct chat_time now);
/* The same without entry and event, for who was put out. */
void chat_room_remove(struct chat *chat, struct chat_member *member, struct chat_time now);
const char *chat_role_name(enum chat_role role);
void chat_room_free(struct chat *chat, struct chat_room *room);

/* --- Replies (chat.c) ----------------------------------------------------------------------- */

/* Starts a reply in chat->scratch; false if the request has no id and wants none. */
bool chat_reply_begin(struct chat_call *call, struct json_writer *w);
void chat_reply_end(struct chat_call *call, struct json_writer *w);

/* For handlers: fill call->error and return false. */
bool chat_refuse(struct chat_call *call, enum proto_error code, const char *format, ...)
    PRINTF_LIKE(3, 4);
bool chat_refuse_limit(struct chat_call *call, enum proto_error code, int64_t limit,
    const char *format, ...) PRINTF_LIKE(4, 5);

bool chat_refuse_later(struct chat_call *call, int64_t wait_s, const char *format, ...)
    PRINTF_LIKE(3, 4);
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
