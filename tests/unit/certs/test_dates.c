/* Days left, and the forms of a time. */
#include "tests/unit/unit.h"

#include "dates.h"

static int64_t ms_of(const char *text)
{
	int64_t ms = -1;

	CHECK(dates_get(slice_of(text), &ms));
	return ms;
}

TEST(unit__dates__days_left_round_down)
{
	const int64_t now = ms_of("2026-11-22T10:00:00Z");

	CHECK_INT(dates_days_left(now + 397 * DATES_DAY_MS, now), 397);
	CHECK_INT(dates_days_left(now + DATES_DAY_MS - 1, now), 0);
	CHECK_INT(dates_days_left(now, now), 0);
	CHECK_INT(dates_days_left(now - 1, now), -1);
	CHECK_INT(dates_days_left(now - DATES_DAY_MS, now), -1);
	CHECK_INT(dates_days_left(now - DATES_DAY_MS - 1, now), -2);
}

TEST(unit__dates__forms)
{
	char text[DATES_TEXT_SIZE], compact[DATES_COMPACT_SIZE];
	int64_t ms = ms_of("2049-12-31T23:59:59Z");

	dates_text(ms + 999, text);
	CHECK_STR(text, "2049-12-31T23:59:59Z");
	dates_compact(ms, compact);
	CHECK_STR(compact, "20491231235959");
	dates_compact(ms + 1000, compact);
	CHECK_STR(compact, "20500101000000");
	/* Ten years of 3652 days end within two days of the same date. */
	dates_text(ms_of("2026-11-22T10:00:00Z") + 3652 * DATES_DAY_MS, text);
	CHECK_STR(text, "2036-11-21T10:00:00Z");
}

TEST(unit__dates__days_and_parts)
{
	const int parts[6] = {2028, 2, 29, 1, 2, 3}, none[6] = {2027, 2, 29, 1, 2, 3};
	const int wild[6] = {-2147483647, 2147483647, -1, 99, 99, 99};
	int64_t ms = 7;

	CHECK(dates_get_day(slice_of("2026-11-22"), &ms));
	CHECK_INT(ms, ms_of("2026-11-22T00:00:00Z"));
	CHECK(!dates_get_day(slice_of("2026-02-30"), &ms));
	CHECK(!dates_get_day(slice_of("2026-1-1"), &ms));
	CHECK(!dates_get_day(slice_of("tomorrow"), &ms));
	CHECK(!dates_get(slice_of("2026-11-22T10:00:00.123Z"), &ms));
	CHECK(dates_of_parts(parts, &ms));
	CHECK_INT(ms, ms_of("2028-02-29T01:02:03Z"));
	CHECK(!dates_of_parts(none, &ms));
	CHECK(!dates_of_parts(wild, &ms));
}

UNIT_MAIN(CASE(unit__dates__days_left_round_down), CASE(unit__dates__forms),
    CASE(unit__dates__days_and_parts))
