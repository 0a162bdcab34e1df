/*
 * libconfab: a connection to a Confab server, for programs in C and C++.
 *
 * The library connects (TLS, always verified), logs in, sends lines and requests, hands over what
 * comes, answers the server's pings, and connects again when that is wished. One struct confab is
 * one connection at a time, for as long as the program likes. It does not read files other than
 * those named in its options, writes nothing to the standard streams, and keeps no signal: a
 * program on a Unix system should ignore SIGPIPE.
 *
 * Threads: a struct confab belongs to the thread that calls confab_run; everything is for that
 * thread save confab_post and confab_wake. All callbacks come from within confab_run,
 * confab_connect and confab_close; in them everything may be called but these three and
 * confab_free. Texts are UTF-8, paths too, on every system. The protocol is in PROTOCOL.md.
 *
 *     confab_startup(NULL, 0);
 *     struct confab_options options = {sizeof options};
 *     options.server = "chat.example.org"; options.user = "alice"; options.on_line = print_line;
 *     struct confab *c;
 *     if (confab_new(&options, &c, error, sizeof error) == CONFAB_OK &&
 *         confab_connect(c) == CONFAB_OK && confab_say(c, "dev", "hello", NULL, NULL) == CONFAB_OK)
 *             while (confab_state(c) != CONFAB_ENDED)
 *                     confab_run(c, 1000);
 *     confab_free(c);
 */
#ifndef CONFAB_H
#define CONFAB_H

#include <stddef.h>
#include <stdint.h>

/* Only these names leave the shared library; where objects are not ELF, a list of names does it. */
#if defined(__ELF__)
#define CONFAB_API __attribute__((visibility("default")))
#else
#define CONFAB_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

struct confab;      /* a connection */
struct confab_line; /* a line from the server, lent to a callback */

enum confab_status {
	CONFAB_OK = 0,
	CONFAB_NOMEM = 1,     /* out of memory, threads or files */
	CONFAB_USAGE = 2,     /* an argument or option is wrong */
	CONFAB_FILE = 3,      /* a certificate, key or CA file is missing, unreadable or wrong */
	CONFAB_AUTH = 4,      /* login refused: auth_failed, not_logged_in, name_taken */
	CONFAB_TLS = 5,       /* the TLS handshake or the TLS stream failed */
	CONFAB_VERIFY = 6,    /* the server's certificate is not trusted or is for another name */
	CONFAB_REFUSED = 7,   /* the server answered "ok":false with any other error */
	CONFAB_NOT_FOUND = 8, /* no_such_room, no_such_user, no_such_message */
	CONFAB_TIMEOUT = 9,   /* no connection, no login or no end in time */
	CONFAB_UNREACHABLE = 10, /* refused, no route, or the name cannot be resolved */
	CONFAB_LOST = 11,        /* the connection was lost, or there is none now */
	CONFAB_LIMIT = 12,       /* too much is waiting already, or a line is too long */
	CONFAB_OTHER = 13
};

enum confab_state {
	CONFAB_IDLE = 0,       /* confab_connect or confab_start was not called yet */
	CONFAB_CONNECTING = 1, /* on the way: socket, TLS, greeting, login */
	CONFAB_READY = 2,      /* logged in (or greeted, with no_login) */
	CONFAB_WAITING = 3,    /* lost; will connect again by itself */
	CONFAB_CLOSING = 4,    /* confab_quit or confab_close was called */
	CONFAB_ENDED = 5       /* for good; confab_start begins anew */
};

enum confab_kind { CONFAB_REPLY = 0, CONFAB_EVENT = 1 };

#define CONFAB_LINE_MAX 1048576    /* bytes of a line in either direction */
#define CONFAB_PENDING_MAX 1024    /* requests that wait for their reply */
#define CONFAB_BACKLOG_MAX 4194304 /* bytes that wait to be sent */

/* Zero all members (`= {sizeof options}`) and fill in what is wanted; everything is copied, and
 * the copies of password and token are wiped by confab_free. */
struct confab_options {
	size_t size;           /* sizeof(struct confab_options) */
	const char *server;    /* "host", "host:port", "[v6]:port"; NULL: "localhost:8572" */
	const char *ca_file;   /* PEM, whom to trust; NULL: the system's store */
	const char *cert_file; /* PEM, to log in by certificate, with key_file; or NULL */
	const char *key_file;  /* PEM */
	const char *user;      /* with `password` the account; alone a guest; NULL: the one whom the
				* certificate or the token names */
	const char *password;  /* the account's, or NULL */
	const char *token;     /* of an earlier login with `remember`, instead of user and password */
	const char *device;    /* shown to the user's other sessions, or NULL */
	unsigned connect_ms;   /* for socket, TLS, greeting and login in all; 0: 10,000 */
	int remember;          /* ask for a token, which confab_token tells */
	int no_login;          /* stop at the greeting: the caller logs in by itself */
	int reconnect;         /* after a loss try again (500 ms doubling to 60 s, full jitter) */
	int catch_up;          /* and have the server replay what was missed meanwhile: each event
				* of a conversation with history comes once, in order; "skipped"
				* tells of those that are too many. Not for guests. */

	/* A line came: reply or event, the library's own pings excepted. A reply comes here first
	 * and then to the callback of its request. May be NULL. */
	void (*on_line)(void *arg, struct confab *c, const struct confab_line *line);
	/* The state has changed; `status` and `text` say why for WAITING and ENDED. May be NULL. */
	void (*on_state)(void *arg, struct confab *c, enum confab_state state,
	    enum confab_status status, const char *text);
	void *arg;
};

/* The end of a request. CONFAB_OK: "ok":true. AUTH, NOT_FOUND, REFUSED: "ok":false, the line's name
 * is the code. LOST: no reply will come, line is NULL, and whether it took effect is not known. */
typedef void confab_reply_fn(
    void *arg, struct confab *c, enum confab_status status, const struct confab_line *line);

/* --- Start and end ------------------------------------------------------------------------- */

/* Once, before everything else and before other threads use the library; confab_cleanup at the
 * very end. `error` (may be NULL) gets a sentence. CONFAB_OTHER. */
CONFAB_API enum confab_status confab_startup(char *error, size_t size);
CONFAB_API void confab_cleanup(void);

/* "0.1.0". Any thread. */
CONFAB_API const char *confab_version(void);

/* Reads the files, connects nothing yet. USAGE, FILE, NOMEM; `error` (may be NULL) gets a
 * sentence, and *ret is untouched. */
CONFAB_API enum confab_status confab_new(
    const struct confab_options *options, struct confab **ret, char *error, size_t size);

/* Cuts off what is still open, without a goodbye, and frees everything; confab_close first ends
 * it well. May wait for a name look-up that is on its way. NULL is harmless. */
CONFAB_API void confab_free(struct confab *c);

/* Begins to connect and returns; on_state tells how it went. The first connection is tried once,
 * with or without `reconnect`: a wrong name or port should be told, not retried. USAGE when it is
 * not idle or ended, NOMEM. */
CONFAB_API enum confab_status confab_start(struct confab *c);

/* confab_start, and runs until it is ready or has failed: OK or what on_state said; the sentence is
 * confab_error_text. */
CONFAB_API enum confab_status confab_connect(struct confab *c);

/* Runs callbacks for what has come; waits for something at most `timeout_ms` (0: not at all) and
 * returns after one round. CONFAB_OK, or once the state is ENDED why it ended. */
CONFAB_API enum confab_status confab_run(struct confab *c, unsigned timeout_ms);

/* Begins a graceful end: `quit`, the answers to all before it, close_notify; at most 2 s for each
 * side. The state becomes CLOSING, then ENDED within confab_run. Harmless when called again. */
CONFAB_API void confab_quit(struct confab *c);

/* confab_quit, and runs until the end. OK when both sides said goodbye, else LOST or TIMEOUT. */
CONFAB_API enum confab_status confab_close(struct confab *c);

/* --- Asking -------------------------------------------------------------------------------- */

CONFAB_API enum confab_state confab_state(const struct confab *c);

/* The last failure in one sentence; "" before any. Lent until the next call. */
CONFAB_API const char *confab_error_text(const struct confab *c);

/* The name of a status in a few words. Any thread. */
CONFAB_API const char *confab_status_text(enum confab_status status);

/* Who this connection is, as the login's reply told; "" before. Lent until the state changes. */
CONFAB_API const char *confab_user(const struct confab *c);

/* The token that a login with `remember` brought: a secret, worth as much as the password, with
 * which `options.token` logs in later; "" without one. Connections after a loss use it by
 * themselves. Lent until confab_start or confab_free, which wipe it. */
CONFAB_API const char *confab_token(const struct confab *c);

/* The server as "host:port". Lent until confab_free. */
CONFAB_API const char *confab_server(const struct confab *c);

/* Requests without a reply yet, and bytes that wait to be sent. */
CONFAB_API size_t confab_pending(const struct confab *c);
CONFAB_API size_t confab_backlog(const struct confab *c);

/* --- Sending ------------------------------------------------------------------------------- */

/* Sends a line as it is (without line end; copied). LOST when not READY, LIMIT when it is longer
 * than CONFAB_LINE_MAX or more than CONFAB_BACKLOG_MAX waits, USAGE for a line end in it, NOMEM. */
CONFAB_API enum confab_status confab_send_line(struct confab *c, const char *line, size_t len);

/* Sends a JSON object as a request. Without "id" it gets one (a number); an "id" of the
 * caller's must not be among those that wait. `fn` (may be NULL) is called exactly once if this
 * returned OK. USAGE when it is no JSON object, else as above, and LIMIT when
 * CONFAB_PENDING_MAX requests wait. */
CONFAB_API enum confab_status confab_request(
    struct confab *c, const char *json, size_t len, confab_reply_fn *fn, void *arg);

/* Sends a message to "room" or "@user". */
CONFAB_API enum confab_status confab_say(
    struct confab *c, const char *target, const char *text, confab_reply_fn *fn, void *arg);

/* --- Reading a line ------------------------------------------------------------------------ */

CONFAB_API enum confab_kind confab_line_kind(const struct confab_line *line);

/* The line as it came, without line end, with a NUL behind it. */
CONFAB_API const char *confab_line_bytes(const struct confab_line *line, size_t *ret_len);

/* An event's name; the error code of a refused reply; "" for a good reply. */
CONFAB_API const char *confab_line_name(const struct confab_line *line);

/* A field that is a string, cut to fit and ended by NUL; returns its whole length in bytes, or -1
 * (and "") if there is none. What others wrote may hold control characters: not for terminals. */
CONFAB_API long confab_line_text(
    const struct confab_line *line, const char *field, char *to, size_t size);

/* A field that is a whole number; 1, or 0 if there is none. */
CONFAB_API int confab_line_int(const struct confab_line *line, const char *field, int64_t *ret);

/* --- Other threads ------------------------------------------------------------------------- */

/* Has `fn(arg, c)` called from within confab_run, in the order posted. NOMEM, and then it never is.
 * What is posted and not run by confab_free is dropped. Any thread, before confab_free. */
CONFAB_API enum confab_status confab_post(
    struct confab *c, void (*fn)(void *arg, struct confab *c), void *arg);

/* Makes a confab_run that waits, or the next one, return soon. Any thread, before confab_free. */
CONFAB_API void confab_wake(struct confab *c);

#ifdef __cplusplus
}
#endif

#endif
