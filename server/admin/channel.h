/*
 * Where requests of the administrative verbs go: lines of the protocol to and from the control
 * channel of a running server, or to the core inside this process when none runs. One thread.
 */
#ifndef CONFAB_SERVER_ADMIN_CHANNEL_H
#define CONFAB_SERVER_ADMIN_CHANNEL_H

#include <stdbool.h>

#include "base/status.h"
#include "base/str.h"
#include "config.h"

struct admin_channel_ops {
	/* A request's line, given without LF. */
	enum status (*send)(void *impl, struct slice line, unsigned timeout_ms, struct error *err);
	/* The next line from the server, lent until the next call. TIMEOUT, CLOSED. */
	enum status (*read)(void *impl, unsigned timeout_ms, struct slice *ret_line,
	    struct error *err);
	void (*close)(void *impl);
};

struct admin_channel {
	const struct admin_channel_ops *ops; /* NULL: not open */
	void *impl;
	bool is_local; /* no server runs: we hold the data directory's lock */
};

/* What a verb wants to speak to. */
enum admin_need {
	ADMIN_STORE,	 /* a server that runs, or the store that is there */
	ADMIN_NEW_STORE, /* the same, and a store is made where none is */
	ADMIN_SERVER,	 /* a server that runs */
};

/* To the server that runs on the configuration's data directory, else a local one. NOT_FOUND when
 * there is no store, CONN_REFUSED when no server runs and one is needed. */
enum status admin_channel_open(const struct config *config, enum admin_need need,
    struct admin_channel *ret, struct error *err);
void admin_channel_close(struct admin_channel *channel); /* harmless when it is not open */

/* OK: a server runs there; NOT_FOUND: none; or what is in the way of knowing. */
enum status admin_channel_probe(const char *data_dir, struct error *err);

/* local.c: the core in this process. */
enum status admin_local_open(const struct config *config, struct admin_channel *ret,
    struct error *err);

#endif
