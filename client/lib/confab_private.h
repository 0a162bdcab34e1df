/*
 * The connection object behind the public functions, for the files that implement them: confab.c
 * (life, states, lines) and confab_send.c (sending). Thread: the owner's, save what `mutex` guards.
 */
#ifndef CONFAB_LIB_CONFAB_PRIVATE_H
#define CONFAB_LIB_CONFAB_PRIVATE_H

#include "base/list.h"
#include "lib/confab.h"
#include "lib/pending.h"
#include "lib/session.h"
#include "net/loop.h"

struct confab {
	struct loop *loop;
	struct session *session;
	struct tls_context *context;
	struct pending pending;
	struct mutex *mutex; /* for `posts`, which other threads append to */
	struct list posts;
	void (*on_line)(void *arg, struct confab *c, const struct confab_line *line);
	void (*on_state)(void *arg, struct confab *c, enum confab_state state,
	    enum confab_status status, const char *text);
	void *arg;
	char host[256];
	char label[256 + 8];
	uint16_t port;
	char *user, *device;
	char *password, *token; /* wiped when freed */
	struct error error;
};

/* Remembers a failure for confab_error_text and returns it as the caller's status. */
enum confab_status libconfab_fail(struct confab *c, enum status status, const char *text);

#endif
