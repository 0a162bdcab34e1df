/*
 * Log lines to standard error, for people or as JSON, one write each, from any thread.
 *
 *   2026-11-22T10:00:00.123Z info  listener: listening on [::]:8572
 *   {"time":"2026-11-22T10:00:00.123Z","level":"info","area":"listener","text":"listening on …"}
 *
 * Never give it message texts, passwords, tokens or keys. Control characters and bytes that are
 * not UTF-8 are replaced, lines are cut at 2 KiB. A full disk or a closed pipe behind standard
 * error loses lines, and nothing else happens.
 */
#ifndef CONFAB_OS_LOG_H
#define CONFAB_OS_LOG_H

#include <stdbool.h>

#include "base/status.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

/* Before other threads start. Default: LOG_INFO, text. */
void log_setup(enum log_level lowest, bool json);

/* Is a line of that level written? To spare the work of making one. */
bool log_wants(enum log_level level);

/* `area` is the room that speaks: "listener", "conn", "tls", "core", … */
void log_write(enum log_level level, const char *area, const char *format, ...) PRINTF_LIKE(3, 4);

#define log_debug(...) log_write(LOG_DEBUG, __VA_ARGS__)
#define log_info(...) log_write(LOG_INFO, __VA_ARGS__)
#define log_warn(...) log_write(LOG_WARN, __VA_ARGS__)
#define log_error(...) log_write(LOG_ERROR, __VA_ARGS__)

#endif
