/*
 * What only the system knows about the person in front of it: the time of day on the wall, and the
 * name they logged in with. Any thread.
 */
#ifndef CONFAB_CLI_LOCAL_H
#define CONFAB_CLI_LOCAL_H

#include <stdint.h>

#define LOCAL_TIME_SIZE 9  /* "10:00:00" and NUL */
#define LOCAL_DATE_SIZE 11 /* "2026-11-22" and NUL */

/* `unix_ms`: milliseconds since 1970-01-01T00:00:00Z. "--:--:--" for a time that no calendar has.
 */
void local_time(int64_t unix_ms, char to[LOCAL_TIME_SIZE]);

/* The day of it, or "----------". */
void local_date(int64_t unix_ms, char to[LOCAL_DATE_SIZE]);

/* The login name in UTF-8 on the heap, the caller's to free(); NULL if the system does not tell. */
char *local_login(void);

#endif
