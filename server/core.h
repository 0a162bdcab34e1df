/*
 * The core on its data directory, as the configuration says: the store is opened, which takes the
 * directory's lock, and the state is read. For the server, and for the verbs when none runs.
 */
#ifndef CONFAB_SERVER_CORE_H
#define CONFAB_SERVER_CORE_H

#include "config.h"
#include "engine.h"

/* What administrators can ask of the process; see struct chat_options. */
struct core_owner {
	enum status (*reload)(void *arg, struct error *err);
	void (*shutdown)(void *arg);
	void *arg;
};

/* USAGE without a directory; NOMEM; or what the store says. `workers` may be 0, `owner` NULL.
 * Blocks. */
enum status core_open(const struct config *config, unsigned workers,
    const struct core_owner *owner, struct engine **ret, struct error *err);

#endif
