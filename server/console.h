/*
 * The administrator on the server's own machine: a session of the core that is logged in from its
 * start, without TLS and without a worker. Its lines come from the control channel, or from a verb
 * of the program when no server runs. Any thread.
 */
#ifndef CONFAB_SERVER_CONSOLE_H
#define CONFAB_SERVER_CONSOLE_H

#include "engine.h"

/* What the core has for the session; called with the core's lock held: must not call anything of
 * the engine. */
struct console_handlers {
	void (*line)(void *arg, struct blob *line); /* to reference, not to take */
	void (*finish)(void *arg);		    /* a goodbye was said: end it */
	void (*gone)(void *arg);		    /* behind console_close: the last call */
};

struct console;

/* NULL without memory. */
struct console *console_open(struct engine *engine, const struct console_handlers *handlers,
    void *arg);

/* A request, without LF. It needs an id, so that exactly one reply comes of it. */
void console_line(struct console *console, struct slice line);

/* No more lines; `gone` is called, and `console` with it. */
void console_close(struct console *console);

/* For the engine: an item whose `conn` is a console. Takes it over. */
void console_take_item(struct chat_item *item);

#endif
