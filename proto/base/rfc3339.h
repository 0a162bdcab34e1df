/*
 * Times of the wire: RFC 3339, UTC, milliseconds ("2026-11-22T10:00:00.123Z"). Pure.
 */
#ifndef CONFAB_BASE_RFC3339_H
#define CONFAB_BASE_RFC3339_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

#define RFC3339_SIZE 25 /* with the final NUL */

/* `unix_ms`: milliseconds since 1970-01-01T00:00:00Z; years 1970 to 9999, else clamped. */
void rfc3339_put(int64_t unix_ms, char to[RFC3339_SIZE]);

/* Reads the form above, with or without the fraction, ended by Z; false if it is another. */
bool rfc3339_get(struct slice text, int64_t *ret_unix_ms);

#endif
