/*
 * Times of certificates: milliseconds since 1970 inside, and the forms in which they are written,
 * shown and asked for. UTC only, years 1970 to 9999. Pure.
 */
#ifndef CONFAB_CERTS_DATES_H
#define CONFAB_CERTS_DATES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

#define DATES_DAY_MS INT64_C(86400000)
#define DATES_HOUR_MS INT64_C(3600000)

/* Whole days from `now_ms` to `end_ms`, rounded down: 0 on the last day, negative after it. */
int64_t dates_days_left(int64_t end_ms, int64_t now_ms);

#define DATES_TEXT_SIZE 21 /* with the final NUL */

/* "2026-11-22T10:00:00Z", for people and for the record. */
void dates_text(int64_t ms, char to[DATES_TEXT_SIZE]);

/* Reads that form; false if it is another. */
bool dates_get(struct slice text, int64_t *ret_ms);

/* Reads a day, "2026-11-22", as its first moment; false if it is none. */
bool dates_get_day(struct slice text, int64_t *ret_ms);

#define DATES_COMPACT_SIZE 15 /* with the final NUL */

/* "20261122100000", what mbedTLS's writer takes. */
void dates_compact(int64_t ms, char to[DATES_COMPACT_SIZE]);

/* From numbers, as mbedTLS's parser gives them; false if they are no date. */
bool dates_of_parts(const int parts[6], int64_t *ret_ms);

#endif
