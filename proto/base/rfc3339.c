#include "base/rfc3339.h"

#include <stdio.h>

#define DAY_MS INT64_C(86400000)

/* Days since 1970-01-01 of a date in the Gregorian calendar: years are counted from March, so
 * that the leap day is the last of a year, in eras of 400 years (146,097 days). */
static int64_t days_of(int year, int month, int day)
{
	int64_t y = year - (month <= 2);
	int64_t era = y / 400, year_of_era = y % 400;
	int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

	return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 +
	       day_of_year - 719468;
}

static void date_of(int64_t days, int *year, int *month, int *day)
{
	int64_t z = days + 719468;
	int64_t era = z / 146097, day_of_era = z % 146097;
	int64_t year_of_era =
	    (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	int64_t day_of_year =
	    day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	int64_t m = (5 * day_of_year + 2) / 153;

	*day = (int)(day_of_year - (153 * m + 2) / 5 + 1);
	*month = (int)(m < 10 ? m + 3 : m - 9);
	*year = (int)(year_of_era + era * 400 + (*month <= 2));
}

static void put_digits(char *to, int count, int value)
{
	while (count-- > 0) {
		to[count] = (char)('0' + value % 10);
		value /= 10;
	}
}

void rfc3339_put(int64_t unix_ms, char to[RFC3339_SIZE])
{
	const int64_t last = INT64_C(253402300799999); /* the end of the year 9999 */
	int year, month, day, rest;

	if (unix_ms < 0)
		unix_ms = 0;
	if (unix_ms > last)
		unix_ms = last;
	date_of(unix_ms / DAY_MS, &year, &month, &day);
	rest = (int)(unix_ms % DAY_MS);
	memcpy(to, "0000-00-00T00:00:00.000Z", RFC3339_SIZE);
	put_digits(to, 4, year);
	put_digits(to + 5, 2, month);
	put_digits(to + 8, 2, day);
	put_digits(to + 11, 2, rest / 3600000);
	put_digits(to + 14, 2, rest / 60000 % 60);
	put_digits(to + 17, 2, rest / 1000 % 60);
	put_digits(to + 20, 3, rest % 1000);
}

static bool is_leap(int year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

bool rfc3339_get(struct slice text, int64_t *ret_unix_ms)
{
	static const char form[] = "0000-00-00T00:00:00.000Z";
	static const int days_in[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	int part[7] = {0}, at = 0, days;

	if (text.len != 20 && text.len != 24)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		char want = text.len == 20 && i == 19 ? 'Z' : form[i], got = text.ptr[i];

		if (want == '0') {
			if (got < '0' || got > '9')
				return false;
			part[at] = part[at] * 10 + (got - '0');
		} else {
			if (got != want)
				return false;
			at++;
		}
	}
	if (part[0] < 1970 || part[1] < 1 || part[1] > 12)
		return false;
	days = days_in[part[1] - 1] + (part[1] == 2 && is_leap(part[0]));
	if (part[2] < 1 || part[2] > days || part[3] > 23 || part[4] > 59 || part[5] > 59)
		return false;
	*ret_unix_ms = days_of(part[0], part[1], part[2]) * DAY_MS + part[3] * INT64_C(3600000) +
		       part[4] * INT64_C(60000) + part[5] * INT64_C(1000) + part[6];
	return true;
}
