/*
 * The control channel of a running server: each of its connections is a console of the core.
 */
#ifndef CONFAB_SERVER_CONTROL_CONSOLE_H
#define CONFAB_SERVER_CONTROL_CONSOLE_H

#include "control.h"
#include "engine.h"

/* As control_start. The engine has to live until after control_stop. */
enum status control_console_start(const char *data_dir, struct engine *engine,
    struct control **ret, struct error *err);

#endif
