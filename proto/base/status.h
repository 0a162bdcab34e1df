/*
 * What a function of ours can answer, one list for the whole house. Wire errors are another list
 * (proto/wire/tables.h); operating-system, mbedTLS and libuv codes are translated at the border
 * where they arise and never travel further.
 *
 * struct error carries a status together with one sentence for a person: what happened, to what,
 * and what to do next. It owns nothing and may live on the stack.
 */
#ifndef CONFAB_BASE_STATUS_H
#define CONFAB_BASE_STATUS_H

#include <stdio.h>

/* X(name, text) */
#define STATUS_LIST(X)                                                                             \
	X(OK, "done")                                                                              \
	X(AGAIN, "not now: try again later")                                                       \
	X(NOMEM, "out of memory")                                                                  \
	X(FULL, "a limit is reached")                                                              \
	X(INVALID, "not valid")                                                                    \
	X(USAGE, "wrong usage")                                                                    \
	X(NOT_FOUND, "not found")                                                                  \
	X(EXISTS, "exists already")                                                                \
	X(ACCESS, "permission denied")                                                             \
	X(NO_SPACE, "no space left on the disk")                                                   \
	X(NO_FILES, "too many open files")                                                         \
	X(IO, "input/output error")                                                                \
	X(EOF, "end of the stream")                                                                \
	X(RESOLVE, "the host name cannot be resolved")                                             \
	X(CONN_REFUSED, "connection refused")                                                      \
	X(UNREACHABLE, "host or network unreachable")                                              \
	X(ADDR_IN_USE, "the address is in use")                                                    \
	X(ADDR_NOT_AVAILABLE, "the address is not available on this machine")                      \
	X(RESET, "connection reset by the peer")                                                   \
	X(TRUNCATED, "the peer's stream ended without close_notify")                               \
	X(CLOSED, "connection closed")                                                             \
	X(TIMEOUT, "timed out")                                                                    \
	X(TLS, "TLS error")                                                                        \
	X(TLS_VERIFY, "the peer's certificate is not trusted")                                     \
	X(NOT_TLS, "the peer does not speak TLS")                                                  \
	X(AUTH, "authentication failed")                                                           \
	X(REFUSED, "refused by the server")                                                        \
	X(INTERRUPTED, "interrupted")

enum status {
#define X(name, text) STATUS_##name,
	STATUS_LIST(X)
#undef X
	STATUS_COUNT
};

/* The text of the list; never NULL. Any thread. */
const char *status_text(enum status status);

#define ERROR_TEXT_MAX 512 /* bytes with the final NUL; longer texts are cut */

struct error {
	enum status status;
	char text[ERROR_TEXT_MAX];
};

#if defined(__MINGW_PRINTF_FORMAT) /* of <stdio.h>: whose %zu and %lld are in use */
#define PRINTF_LIKE(fmt, args) __attribute__((format(__MINGW_PRINTF_FORMAT, fmt, args)))
#elif defined(__GNUC__)
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define PRINTF_LIKE(fmt, args)
#endif

/* Fills `err` (which may be NULL) and returns `status`, so that it can end a function. */
enum status error_set(struct error *err, enum status status, const char *format, ...)
    PRINTF_LIKE(3, 4);

#endif
