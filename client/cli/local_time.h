/*
 * The time of day as the clock on the user's wall shows it, which only the system knows. Any thread.
 */
#ifndef CONFAB_CLI_LOCAL_TIME_H
#define CONFAB_CLI_LOCAL_TIME_H

#include <stdint.h>

#define LOCAL_TIME_SIZE 9 /* "10:00:00" and NUL */

/* `unix_ms`: milliseconds since 1970-01-01T00:00:00Z. "--:--:--" for a time that no calendar has. */
void local_time_put(int64_t unix_ms, char to[LOCAL_TIME_SIZE]);

#endif
