/* Buffers, strings, UTF-8, times, blobs and statuses. */
#include "tests/unit/unit.h"

#include "base/blob.h"
#include "base/buf.h"
#include "base/list.h"
#include "base/rfc3339.h"
#include "base/rng.h"
#include "base/str.h"
#include "base/utf8.h"

TEST(unit__buf__grows_and_formats)
{
	struct buf buf;

	buf_init(&buf, 1000);
	CHECK_STR(buf_text(&buf), "");
	CHECK(buf_put_str(&buf, "one"));
	CHECK(buf_put_fmt(&buf, " %d %s", 2, "three"));
	CHECK(buf_put_char(&buf, '!'));
	CHECK(buf_put_slice(&buf, slice_make("four five", 4)));
	CHECK_STR(buf_text(&buf), "one 2 three!four");
	CHECK_INT(buf.len, 16);
	buf_drop(&buf, 4);
	CHECK_STR(buf_text(&buf), "2 three!four");
	buf_drop(&buf, 100);
	CHECK_INT(buf.len, 0);
	buf_release_secret(&buf);
	CHECK(buf.ptr == NULL);
	buf_release(&buf);
}

TEST(unit__buf__stops_at_its_maximum)
{
	struct buf buf;
	char bytes[100];

	memset(bytes, 'x', sizeof bytes);
	buf_init(&buf, 100);
	CHECK(buf_put(&buf, bytes, 99));
	CHECK(!buf_put(&buf, bytes, 2));
	CHECK(buf.failed);
	CHECK_INT(buf.len, 99);
	CHECK(!buf_put_char(&buf, 'y'));
	CHECK(buf_reserve(&buf, 1) == NULL);
	buf_clear(&buf);
	CHECK(buf_put(&buf, bytes, 100));
	CHECK(!buf.failed);
	CHECK_INT(buf.cap, 100);
	CHECK(buf_reserve(&buf, SIZE_MAX) == NULL);
	buf_release(&buf);
}

TEST(unit__buf__holds_what_random_appends_gave_it)
{
	struct rng rng = {7};

	for (int round = 0; round < 200; round++) {
		size_t max = 1 + rng_below(&rng, 3000), want = 0;
		char model[3000], piece[200];
		struct buf buf;

		buf_init(&buf, max);
		for (int i = 0; i < 60; i++) {
			size_t len = rng_below(&rng, sizeof piece);

			memset(piece, (int)rng_below(&rng, 256), sizeof piece);
			if (rng_below(&rng, 4) == 0) {
				len = len > want ? want : len;
				buf_drop(&buf, len);
				memmove(model, model + len, want - len);
				want -= len;
				continue;
			}
			CHECK(buf_put(&buf, piece, len) == (want + len <= max && !buf.failed));
			if (buf.failed)
				break;
			memcpy(model + want, piece, len);
			want += len;
		}
		CHECK_INT(buf.len, want);
		CHECK(want == 0 || memcmp(buf.ptr, model, want) == 0);
		buf_release(&buf);
	}
}

TEST(unit__str__compares_and_cuts)
{
	struct slice rest = slice_of("a,,b");

	CHECK(slice_compare(slice_of("a"), slice_of("ab")) < 0);
	CHECK(slice_compare(slice_of("\xFF"), slice_of("a")) > 0);
	CHECK(slice_compare(slice_make(NULL, 0), slice_make(NULL, 0)) == 0);
	CHECK(slice_equal(slice_of("ab"), slice_make("abc", 2)));
	CHECK(slice_is(slice_make("abc", 2), "ab"));
	CHECK(slice_starts(slice_of("abc"), "ab") && !slice_starts(slice_of("a"), "ab"));
	CHECK(slice_contains(slice_of("haystack"), slice_of("st")));
	CHECK(slice_contains(slice_of(""), slice_of("")));
	CHECK(!slice_contains(slice_of("s"), slice_of("st")));
	CHECK(slice_is(slice_cut(&rest, ','), "a"));
	CHECK(slice_is(slice_cut(&rest, ','), ""));
	CHECK(slice_is(slice_cut(&rest, ','), "b"));
	CHECK(rest.ptr == NULL);
	CHECK(slice_is(slice_trim(slice_of(" \t x y\r\n")), "x y"));
	CHECK_INT(slice_trim(slice_of(" \n ")).len, 0);
}

TEST(unit__str__copies_within_bounds)
{
	char to[4] = "zzz";
	char *copy = str_dup(slice_make("abcdef", 3));

	CHECK(!str_copy(to, sizeof to, slice_of("abcd")));
	CHECK_STR(to, "abc");
	CHECK(str_copy(to, sizeof to, slice_of("xy")));
	CHECK_STR(to, "xy");
	CHECK(str_copy(to, 1, slice_make(NULL, 0)));
	CHECK_STR(to, "");
	CHECK_STR(copy, "abc");
	secret_wipe(copy, 3);
	CHECK(memcmp(copy, "\0\0\0", 4) == 0);
	free(copy);
}

TEST(unit__str__reads_numbers_strictly)
{
	static const char *const bad[] = {"", "-", "+1", " 1", "1 ", "0x1", "1.0", "--1",
	    "9223372036854775808", "99999999999999999999999"};
	int64_t value = 5;

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		CHECK(!str_to_int(slice_of(bad[i]), INT64_MIN, INT64_MAX, &value));
	CHECK(!str_to_int(slice_of("11"), 1, 10, &value));
	CHECK(!str_to_int(slice_of("-1"), 0, 10, &value));
	CHECK_INT(value, 5);
	CHECK(str_to_int(slice_of("9223372036854775807"), 0, INT64_MAX, &value));
	CHECK(value == INT64_MAX);
	CHECK(str_to_int(slice_of("-007"), -10, 0, &value));
	CHECK_INT(value, -7);
}

TEST(unit__str__measures_distance)
{
	char longer[70];

	memset(longer, 'a', sizeof longer);
	CHECK_INT(str_distance(slice_of(""), slice_of("")), 0);
	CHECK_INT(str_distance(slice_of("kitten"), slice_of("sitting")), 3);
	CHECK_INT(str_distance(slice_of(""), slice_of("abc")), 3);
	CHECK_INT(str_distance(slice_make(longer, 70), slice_of("a")), 64);
	CHECK_INT(str_distance(slice_make(longer, 64), slice_of("")), 64);
}

TEST(unit__utf8__takes_only_valid_characters)
{
	static const char *const good[] = {"", "a", "\x7F", "\xC2\x80", "\xDF\xBF", "\xE0\xA0\x80",
	    "\xED\x9F\xBF", "\xEE\x80\x80", "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF"};
	static const char *const bad[] = {"\x80", "\xC0\x80", "\xC1\xBF", "\xC2", "\xC2\x41",
	    "\xE0\x9F\xBF", "\xED\xA0\x80", "\xED\xBF\xBF", "\xE2\x82", "\xF0\x8F\xBF\xBF",
	    "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF", "a\xFE", "\xF0\x90\x80"};

	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		CHECK(utf8_is_valid(slice_of(good[i])));
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		CHECK(!utf8_is_valid(slice_of(bad[i])));
	CHECK(utf8_is_valid(slice_make("a\0b", 3)));
}

TEST(unit__utf8__writes_what_it_reads)
{
	for (uint32_t cp = 0; cp <= 0x110005; cp++) {
		char bytes[4];
		uint32_t again = 0;
		size_t len = utf8_put(cp, bytes);
		int is_none = (cp >= 0xD800 && cp <= 0xDFFF) || cp > 0x10FFFF;

		CHECK((len == 0) == is_none);
		if (len > 0) {
			CHECK_INT(utf8_next(slice_make(bytes, len), &again), len);
			CHECK_INT(again, cp);
			CHECK_INT(utf8_next(slice_make(bytes, len - 1), NULL), 0);
		}
	}
}

TEST(unit__utf8__cuts_between_characters)
{
	struct slice text = slice_of("a\xC5\xBC\xF0\x9F\x98\x80z");
	static const size_t want[] = {0, 1, 1, 3, 3, 3, 3, 7, 8, 8};

	for (size_t max = 0; max < sizeof want / sizeof *want; max++)
		CHECK_INT(utf8_cut(text, max).len, want[max]);
}

TEST(unit__rfc3339__writes_known_times)
{
	char text[RFC3339_SIZE];

	rfc3339_put(0, text);
	CHECK_STR(text, "1970-01-01T00:00:00.000Z");
	rfc3339_put(INT64_C(951827696789), text);
	CHECK_STR(text, "2000-02-29T12:34:56.789Z");
	rfc3339_put(-1, text);
	CHECK_STR(text, "1970-01-01T00:00:00.000Z");
	rfc3339_put(INT64_MAX, text);
	CHECK_STR(text, "9999-12-31T23:59:59.999Z");
}

TEST(unit__rfc3339__reads_what_it_wrote)
{
	struct rng rng = {3};

	for (int i = 0; i < 100000; i++) {
		int64_t time = (int64_t)rng_below(&rng, 253402300800000), again = -1;
		char text[RFC3339_SIZE];

		rfc3339_put(time, text);
		CHECK(rfc3339_get(slice_of(text), &again));
		CHECK_INT(again, time);
	}
}

TEST(unit__rfc3339__refuses_other_forms)
{
	static const char *const bad[] = {"", "2026-11-22", "2026-11-22T10:00:00", "x",
	    "2026-11-22T10:00:00+00:00", "2026-11-22t10:00:00Z", "2026-11-22 10:00:00Z",
	    "2026-13-22T10:00:00Z", "2026-11-31T10:00:00Z", "2026-11-00T10:00:00Z",
	    "2026-11-22T24:00:00Z", "2026-11-22T10:60:00Z", "2026-11-22T10:00:60Z",
	    "1969-11-22T10:00:00Z", "2026-11-22T10:00:00.12Z", "2026-11-22T10:00:00.1234Z",
	    "2O26-11-22T10:00:00Z"};
	int64_t time = 5;

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		CHECK(!rfc3339_get(slice_of(bad[i]), &time));
	CHECK_INT(time, 5);
	CHECK(rfc3339_get(slice_of("1970-01-01T00:00:01Z"), &time));
	CHECK_INT(time, 1000);
}

TEST(unit__rfc3339__knows_the_last_day_of_february)
{
	int64_t time;

	CHECK(rfc3339_get(slice_of("2024-02-29T00:00:00Z"), &time));
	CHECK(rfc3339_get(slice_of("2000-02-29T00:00:00Z"), &time));
	CHECK(!rfc3339_get(slice_of("2026-02-29T00:00:00Z"), &time));
	CHECK(!rfc3339_get(slice_of("2100-02-29T00:00:00Z"), &time));
	CHECK(!rfc3339_get(slice_of("2024-02-30T00:00:00Z"), &time));
}

TEST(unit__blob__lives_until_the_last_reference)
{
	struct blob *blob = blob_new(slice_of("bytes")), *empty = blob_new(slice_make(NULL, 0));

	CHECK(blob_ref(blob) == blob);
	blob_unref(blob);
	CHECK(slice_is(blob_slice(blob), "bytes"));
	blob_unref(blob);
	CHECK_INT(empty->len, 0);
	blob_unref(empty);
	blob_unref(NULL);
	blob = blob_new_secret(slice_of("a password"));
	CHECK(slice_is(blob_slice(blob), "a password"));
	blob_unref(blob);
}

TEST(unit__list__keeps_the_order)
{
	struct list head, nodes[3];

	list_init(&head);
	CHECK(list_is_empty(&head) && list_take(&head) == NULL);
	for (int i = 0; i < 3; i++)
		list_put(&head, &nodes[i]);
	list_remove(&nodes[1]);
	list_remove(&nodes[1]);
	CHECK(list_take(&head) == &nodes[0]);
	CHECK(list_take(&head) == &nodes[2]);
	CHECK(list_is_empty(&head));
}

TEST(unit__status__fills_and_cuts_errors)
{
	struct error err;
	char longer[1000];

	memset(longer, 'x', sizeof longer - 1);
	longer[sizeof longer - 1] = '\0';
	CHECK_INT(error_set(&err, STATUS_FULL, "%s", longer), STATUS_FULL);
	CHECK_INT(strlen(err.text), ERROR_TEXT_MAX - 1);
	CHECK_INT(err.status, STATUS_FULL);
	CHECK_INT(error_set(NULL, STATUS_EOF, "x"), STATUS_EOF);
	for (int i = 0; i < STATUS_COUNT; i++)
		CHECK(status_text((enum status)i)[0] != '\0');
	CHECK_STR(status_text(STATUS_COUNT), "unknown status");
}

UNIT_MAIN(CASE(unit__buf__grows_and_formats), CASE(unit__buf__stops_at_its_maximum),
    CASE(unit__buf__holds_what_random_appends_gave_it), CASE(unit__str__compares_and_cuts),
    CASE(unit__str__copies_within_bounds), CASE(unit__str__reads_numbers_strictly),
    CASE(unit__str__measures_distance), CASE(unit__utf8__takes_only_valid_characters),
    CASE(unit__utf8__writes_what_it_reads), CASE(unit__utf8__cuts_between_characters),
    CASE(unit__rfc3339__writes_known_times), CASE(unit__rfc3339__reads_what_it_wrote),
    CASE(unit__rfc3339__refuses_other_forms), CASE(unit__rfc3339__knows_the_last_day_of_february),
    CASE(unit__blob__lives_until_the_last_reference), CASE(unit__list__keeps_the_order),
    CASE(unit__status__fills_and_cuts_errors))
