#include "dates.h"

#include <stdio.h>

#include "base/rfc3339.h"

int64_t dates_days_left(int64_t end_ms, int64_t now_ms)
{
	int64_t left = end_ms - now_ms;

	/* Division rounds towards zero: an end an hour ago would still look like today. */
	return left >= 0 ? left / DATES_DAY_MS : -((-left + DATES_DAY_MS - 1) / DATES_DAY_MS);
}

void dates_text(int64_t ms, char to[DATES_TEXT_SIZE])
{
	char whole[RFC3339_SIZE];

	rfc3339_put(ms, whole);
	/* The same without ".123". */
	memcpy(to, whole, DATES_TEXT_SIZE - 2);
	to[DATES_TEXT_SIZE - 2] = 'Z';
	to[DATES_TEXT_SIZE - 1] = '\0';
}

bool dates_get(struct slice text, int64_t *ret_ms)
{
	return text.len == DATES_TEXT_SIZE - 1 && rfc3339_get(text, ret_ms);
}

bool dates_get_day(struct slice text, int64_t *ret_ms)
{
	char whole[DATES_TEXT_SIZE];

	if (text.len != 10)
		return false;
	snprintf(whole, sizeof whole, "%.10sT00:00:00Z", text.ptr);
	return dates_get(slice_of(whole), ret_ms);
}

void dates_compact(int64_t ms, char to[DATES_COMPACT_SIZE])
{
	char text[DATES_TEXT_SIZE];
	size_t len = 0;

	dates_text(ms, text);
	for (const char *c = text; *c != '\0'; c++)
		if (*c >= '0' && *c <= '9')
			to[len++] = *c;
	to[len] = '\0';
}

bool dates_of_parts(const int parts[6], int64_t *ret_ms)
{
	char text[80]; /* whatever six numbers there are */

	snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02dZ", parts[0], parts[1], parts[2],
	    parts[3], parts[4], parts[5]);
	return dates_get(slice_of(text), ret_ms);
}
