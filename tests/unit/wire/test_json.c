#include "tests/unit/unit.h"

#include "wire/json.h"

struct row {
	const char *text;
	size_t len;
};

/* A literal may hold NUL bytes: its length is the array's. */
/* clang-format off */
#define ROW(text) {text, sizeof(text) - 1}
/* clang-format on */

static const struct row accepted[] = {
    ROW("{}"),
    ROW("[]"),
    ROW("null"),
    ROW("true"),
    ROW("false"),
    ROW("\"\""),
    ROW(" \t\r\n{ \"a\" : [ 1 , 2 ] } \r\n"),
    ROW("0"),
    ROW("-0"),
    ROW("-0.0e-0"),
    ROW("1.5"),
    ROW("1e5"),
    ROW("1E+05"),
    ROW("123456789012345678901234567890"),
    ROW("1e308"),
    ROW("1e-999"),
    ROW("0.0000000000000000000000000000000000000000000000000000000000001"),
    ROW("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""),
    ROW("\"\\u00e9\\u00E9\\uFFFF\""),
    ROW("\"\\ud83d\\ude00\""),
    ROW("\"\\uD83D\\uDE00\\ud83d\\ude00\""),
    ROW("\"\x7F\""),
    ROW("\"Za\xC5\xBC\xC3\xB3\xC5\x82\xC4\x87 \xF0\x9F\x98\x80 \xE2\x80\xA8\""),
    ROW("\"\xF4\x8F\xBF\xBF\""),
    ROW("[[[[[[[[]]]]]]]]"),
    ROW("{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{}}}}}}}}"),
    ROW("{\"a\":1,\"A\":2,\"\":3,\" a\":4}"),
    ROW("[{\"a\":1},{\"a\":1}]"),
    ROW("{\"a\":{\"a\":{\"b\":1}},\"b\":1}"),
    ROW("{\"1\":0,\"2\":0,\"3\":0,\"4\":0,\"5\":0,\"6\":0,\"7\":0,\"8\":0,\"9\":0,\"10\":0}"),
};

static const struct row refused[] = {
    ROW(""),
    ROW(" "),
    ROW("{"),
    ROW("}"),
    ROW("["),
    ROW("]"),
    ROW("[1"),
    ROW("[1,"),
    ROW("[1,]"),
    ROW("[,1]"),
    ROW("[1 2]"),
    ROW("[1}"),
    ROW("{\"a\"}"),
    ROW("{\"a\":}"),
    ROW("{\"a\" 1}"),
    ROW("{\"a\":1,}"),
    ROW("{,}"),
    ROW("{a:1}"),
    ROW("{'a':1}"),
    ROW("{1:1}"),
    ROW("{\"a\":1 \"b\":2}"),
    ROW("{}{}"),
    ROW("{} x"),
    ROW("{},"),
    ROW("nul"),
    ROW("nulll"),
    ROW("NULL"),
    ROW("True"),
    ROW("NaN"),
    ROW("Infinity"),
    ROW("-Infinity"),
    ROW("-"),
    ROW("+1"),
    ROW("01"),
    ROW("-01"),
    ROW("1."),
    ROW(".5"),
    ROW("1.e5"),
    ROW("1e"),
    ROW("1e+"),
    ROW("1e+-5"),
    ROW("0x10"),
    ROW("1,5"),
    ROW("1 000"),
    ROW("1e999"),
    ROW("{\"a\":[-1e999]}"),
    ROW("0.00000000000000000000000000000000000000000000000000000000000001"),
    ROW("1e0000000000000000000000000000000000000000000000000000000000000000000001"),
    ROW("\""),
    ROW("\"a"),
    ROW("\"\\\""),
    ROW("\"\\"),
    ROW("'a'"),
    ROW("\"\n\""),
    ROW("\"\t\""),
    ROW("\"\x1F\""),
    ROW("\"\\x41\""),
    ROW("\"\\a\""),
    ROW("\"\\'\""),
    ROW("\"\\U0041\""),
    ROW("\"\\u\""),
    ROW("\"\\u12\""),
    ROW("\"\\u12g4\""),
    ROW("\"\\u 123\""),
    ROW("\"\\u0000\""),
    ROW("{\"a\\u0000b\":1}"),
    ROW("\"\\ud83d\""),
    ROW("\"\\ud83dx\""),
    ROW("\"\\ud83d\\n\""),
    ROW("\"\\ud83d\\u0041\""),
    ROW("\"\\ud83d\\ud83d\\ude00\""),
    ROW("\"\\ude00\""),
    ROW("\"\\ude00\\ud83d\""),
    ROW("\"\\ud83d\\ude0\""),
    ROW("\"\x80\""),
    ROW("\"\xC3\""),
    ROW("\"\xC3\x28\""),
    ROW("\"\xC0\x80\""),
    ROW("\"\xE0\x80\xAF\""),
    ROW("\"\xED\xA0\x80\""),
    ROW("\"\xED\xA0\xBD\xED\xB8\x80\""),
    ROW("\"\xF4\x90\x80\x80\""),
    ROW("\"\xF0\x9F\x98\""),
    ROW("\"\xFF\xFE\""),
    ROW("\xE9"),
    ROW("\xEF\xBB\xBF{}"),
    ROW("\xFF\xFE{\0}\0"),
    ROW("{}\0"),
    ROW("\0"),
    ROW("{\"a\":\"\0\"}"),
    ROW("\v{}"),
    ROW("\f{}"),
    ROW("\xC2\xA0{}"),
    ROW("/* c */{}"),
    ROW("{}//"),
    ROW("[[[[[[[[[]]]]]]]]]"),
    ROW("{\"a\":[{\"a\":[{\"a\":[{\"a\":[[1]]}]}]}]}"),
    ROW("{\"a\":1,\"a\":1}"),
    ROW("{\"a\":1,\"b\":2,\"a\":3}"),
    ROW("{\"a\":1,\"\\u0061\":2}"),
    ROW("{\"\":1,\"\":2}"),
    ROW("[0,{\"x\":{\"/\":1,\"\\/\":1}}]"),
    ROW("{\"1\":0,\"2\":0,\"3\":0,\"4\":0,\"5\":0,\"6\":0,\"7\":0,\"8\":0,\"9\":0,\"1\":0}"),
};

static struct json *parse(const char *text)
{
	struct json *root = NULL;
	struct error err;

	if (json_parse(slice_of(text), &root, &err) != STATUS_OK) {
		fprintf(stderr, "%s: %s\n", text, err.text);
		exit(1);
	}
	return root;
}

/* An exact copy on the heap: the sanitizers then see a byte read behind the end. */
static enum status parse_copy(const char *text, size_t len, struct json **ret, struct error *err)
{
	char *copy = malloc(len > 0 ? len : 1);
	enum status status;

	CHECK(copy != NULL);
	if (len > 0)
		memcpy(copy, text, len);
	status = json_parse(slice_make(copy, len), ret, err);
	free(copy);
	return status;
}

TEST(unit__json__accepts_what_rfc_8259_allows)
{
	for (size_t i = 0; i < sizeof accepted / sizeof *accepted; i++) {
		struct json *root = NULL;
		struct error err;

		if (parse_copy(accepted[i].text, accepted[i].len, &root, &err) != STATUS_OK) {
			fprintf(stderr, "refused: %s: %s\n", accepted[i].text, err.text);
			exit(1);
		}
		json_free(root);
	}
}

TEST(unit__json__refuses_what_the_protocol_does_not_allow)
{
	for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
		struct json *root = NULL;
		struct error err = {STATUS_OK, ""};

		if (parse_copy(refused[i].text, refused[i].len, &root, &err) != STATUS_INVALID) {
			fprintf(stderr, "accepted: %s\n", refused[i].text);
			exit(1);
		}
		CHECK(root == NULL);
		CHECK(err.status == STATUS_INVALID && err.text[0] != '\0');
	}
}

TEST(unit__json__refuses_every_start_of_a_text)
{
	static const char text[] =
	    "{\"a\\u00e9\":[1,-2.5e3,true,false,null],\"\\ud83d\\ude00\":{\"\xC3\xB3\":\"\\n\"}}";
	struct json *root;

	for (size_t len = 0; len < sizeof text - 1; len++)
		CHECK_INT(parse_copy(text, len, &root, NULL), STATUS_INVALID);
	CHECK_INT(parse_copy(text, sizeof text - 1, &root, NULL), STATUS_OK);
	json_free(root);
}

TEST(unit__json__says_what_is_wrong_and_where)
{
	struct json *root;
	struct error err;

	json_parse(slice_of("{\"a\" 1}"), &root, &err);
	CHECK_STR(err.text, "at byte 6: a colon is expected");
	json_parse(slice_of("{\"a\":[1,2"), &root, &err);
	CHECK(strstr(err.text, "at byte 10: ") != NULL);
	json_parse(slice_of("{\"key\":1,\"key\":1}"), &root, &err);
	CHECK_STR(err.text, "the key \"key\" stands twice in one object");
}

TEST(unit__json__cuts_a_long_key_in_no_character)
{
	struct json *root;
	struct error err;
	struct buf text;

	buf_init(&text, 1024);
	for (int i = 0; i < 2; i++) {
		buf_put_str(&text, i == 0 ? "{\"x" : ",\"x");
		for (int j = 0; j < 40; j++)
			buf_put_str(&text, "\xF0\x9F\x98\x80");
		buf_put_str(&text, "\":1");
	}
	buf_put_char(&text, '}');
	CHECK_INT(json_parse(buf_slice(&text), &root, &err), STATUS_INVALID);
	CHECK(strstr(err.text, "\"x\xF0\x9F\x98\x80") != NULL);
	CHECK(strstr(err.text, "\x98\x80\" stands twice") != NULL);
	buf_release(&text);
}

TEST(unit__json__reads_values)
{
	struct json *root = parse("{\"t\":\"a\\u00e9\\ud83d\\ude00\\/\",\"n\":null,\"b\":true,"
	                          "\"f\":false,\"i\":42,\"T\":1,\"l\":[1,\"x\",{}],\"o\":{}}");
	const struct json *list = json_get(root, "l"), *item;

	CHECK_INT(json_type(root), JSON_OBJECT);
	CHECK(slice_is(json_text(json_get(root, "t")), "a\xC3\xA9\xF0\x9F\x98\x80/"));
	CHECK_INT(json_type(json_get(root, "n")), JSON_NULL);
	CHECK_INT(json_type(json_get(root, "b")), JSON_BOOL);
	CHECK(json_is_true(json_get(root, "b")) && !json_is_true(json_get(root, "f")));
	CHECK(!json_is_true(json_get(root, "i")) && !json_is_true(NULL));
	CHECK_INT(json_type(json_get(root, "T")), JSON_NUMBER);
	CHECK(json_get(root, "B") == NULL && json_get(root, "") == NULL);
	CHECK(json_get(NULL, "t") == NULL && json_get(list, "t") == NULL);
	CHECK(json_text(json_get(root, "i")).ptr == NULL && json_text(NULL).len == 0);

	item = json_first(list);
	CHECK_INT(json_type(item), JSON_NUMBER);
	CHECK(json_key(item).len == 0);
	item = json_next(item);
	CHECK(slice_is(json_text(item), "x"));
	item = json_next(item);
	CHECK_INT(json_type(item), JSON_OBJECT);
	CHECK(json_next(item) == NULL && json_first(item) == NULL);
	CHECK(slice_is(json_key(json_first(root)), "t"));
	CHECK(json_first(NULL) == NULL && json_first(json_get(root, "i")) == NULL);
	json_free(root);
	json_free(NULL);
	json_free_secret(NULL);
}

TEST(unit__json_int__takes_integral_numbers_in_range)
{
	static const struct {
		const char *text;
		bool is_int;
		int64_t value;
	} rows[] = {
	    {"0", true, 0},
	    {"-0", true, 0},
	    {"1.0", true, 1},
	    {"1e3", true, 1000},
	    {"10e-1", true, 1},
	    {"-17", true, -17},
	    {"999999999999999", true, 999999999999999},
	    {"-999999999999999", true, -999999999999999},
	    {"1000000000000000", false, 0},
	    {"-1000000000000000", false, 0},
	    {"9223372036854775807", false, 0},
	    {"1e308", false, 0},
	    {"1.5", false, 0},
	    {"1e-9", false, 0},
	    {"\"1\"", false, 0},
	    {"true", false, 0},
	    {"null", false, 0},
	    {"[1]", false, 0},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct json *root = parse(rows[i].text);
		int64_t value = -1;

		CHECK(json_int(root, &value) == rows[i].is_int);
		CHECK_INT(value, rows[i].is_int ? rows[i].value : -1);
		json_free(root);
	}
}

TEST(unit__json__prints_the_shortest_form)
{
	static const char *const rows[][2] = {
	    {"{ \"a\" : [ 1 , true , null , \"x\" ] , \"b\" : { } }",
	        "{\"a\":[1,true,null,\"x\"],\"b\":{}}"},
	    {"[]", "[]"},
	    {"[false]", "[false]"},
	    {"\"\\u0001\\u001f\\b\\f\\n\\r\\t\\\"\\\\\\/\"",
	        "\"\\u0001\\u001f\\b\\f\\n\\r\\t\\\"\\\\/\""},
	    {"\"\x7F\xE2\x80\xA8\\u2028\\u00e9\"", "\"\x7F\xE2\x80\xA8\xE2\x80\xA8\xC3\xA9\""},
	    {"{\"\\n\":1}", "{\"\\n\":1}"},
	    {"0", "0"},
	    {"-0.0", "0"},
	    {"1.0", "1"},
	    {"1e3", "1000"},
	    {"-999999999999999", "-999999999999999"},
	    {"0.1", "0.1"},
	    {"-1.5", "-1.5"},
	    {"1e20", "1e20"},
	    {"123e-9", "1.23e-7"},
	    {"1.7976931348623157e308", "1.7976931348623157e308"},
	    {"5e-324", "4.94065645841247e-324"},
	    {"0.30000000000000004", "0.30000000000000004"},
	    {"9007199254740993", "9007199254740992"},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct json *root = parse(rows[i][0]);
		struct buf printed;

		buf_init(&printed, 1000);
		CHECK_INT(json_print(root, &printed), STATUS_OK);
		CHECK_STR(buf_text(&printed), rows[i][1]);
		buf_release(&printed);
		json_free(root);
	}
}

TEST(unit__json__prints_no_more_than_the_buffer_may_hold)
{
	struct json *root = parse("{\"a\":[1,2,3]}");
	struct buf printed;

	buf_init(&printed, 13);
	CHECK_INT(json_print(root, &printed), STATUS_OK);
	buf_release(&printed);
	buf_init(&printed, 12);
	CHECK_INT(json_print(root, &printed), STATUS_FULL);
	buf_release(&printed);
	json_free(root);
}

TEST(unit__json__writes_a_text)
{
	struct json_writer w;
	struct buf to;

	buf_init(&to, 1000);
	json_begin(&w, &to);
	json_put_str(&w, "s", "a\"b\\c\x01\n");
	json_put_text(&w, "empty", slice_make(NULL, 0));
	json_put_int(&w, "min", INT64_MIN);
	json_put_int(&w, "zero", 0);
	json_put_bool(&w, "yes", true);
	json_put_null(&w, "none");
	json_open_array(&w, "list");
	json_put_int(&w, NULL, 1);
	json_open_object(&w, NULL);
	json_close_object(&w);
	json_open_object(&w, NULL);
	json_put_bool(&w, "no", false);
	json_close_object(&w);
	json_close_array(&w);
	json_open_object(&w, "o");
	json_put_raw(&w, "raw", slice_of("[1]"));
	json_close_object(&w);
	json_put_time(&w, "time", 0);
	json_end(&w);
	CHECK(!to.failed);
	CHECK_STR(buf_text(&to),
	    "{\"s\":\"a\\\"b\\\\c\\u0001\\n\",\"empty\":\"\",\"min\":-9223372036854775808,\"zero\":"
	    "0,"
	    "\"yes\":true,\"none\":null,\"list\":[1,{},{\"no\":false}],\"o\":{\"raw\":[1]},"
	    "\"time\":\"1970-01-01T00:00:00.000Z\"}");
	buf_release(&to);
}

TEST(unit__json__writing_past_the_maximum_fails)
{
	struct json_writer w;
	struct buf to;

	buf_init(&to, 8);
	json_begin(&w, &to);
	json_put_str(&w, "key", "value");
	json_end(&w);
	CHECK(to.failed);
	buf_release(&to);
}

static struct buf *filled(struct buf *text, const char *head, const char *unit, size_t count)
{
	buf_init(text, 1000000);
	buf_put_str(text, head);
	for (size_t i = 0; i < count; i++)
		buf_put_str(text, unit);
	return text;
}

TEST(unit__json__bears_hostile_sizes)
{
	static const struct {
		const char *head, *unit;
		size_t count;
	} rows[] = {
	    {"", "[", 65536},
	    {"", "{\"a\":", 13000},
	    {"[", "[],", 20000},
	    {"\"", "\\ud83d\\ude00", 5000},
	    {"\"", "\\", 65536},
	    {"", "-", 65536},
	    {"", "9", 65536},
	    {"", " ", 65536},
	    {"\"", "\xF0\x9F\x98\x80", 16000},
	    {"{", "\"\":0,", 10000},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct buf text;
		struct json *root;

		filled(&text, rows[i].head, rows[i].unit, rows[i].count);
		CHECK_INT(json_parse(buf_slice(&text), &root, NULL), STATUS_INVALID);
		buf_release(&text);
	}
}

/* Keys in ascending, descending and repeating order: the worst that a sort can meet. */
static enum status parse_many_keys(size_t count, size_t factor, size_t modulus)
{
	struct buf text;
	struct json *root = NULL;
	enum status status;

	filled(&text, "{", "", 0);
	for (size_t i = 0; i < count; i++)
		buf_put_fmt(&text, "%s\"%zx\":0", i > 0 ? "," : "", i * factor % modulus);
	buf_put_char(&text, '}');
	CHECK(!text.failed);
	status = json_parse(buf_slice(&text), &root, NULL);
	json_free(root);
	buf_release(&text);
	return status;
}

TEST(unit__json__finds_equal_keys_among_thousands)
{
	CHECK_INT(parse_many_keys(9000, 1, 1000000), STATUS_OK);
	CHECK_INT(parse_many_keys(9000, 9000, 9001), STATUS_OK);
	CHECK_INT(parse_many_keys(9000, 4567, 9001), STATUS_OK);
	CHECK_INT(parse_many_keys(9001, 4567, 9001), STATUS_OK);
	CHECK_INT(parse_many_keys(9002, 4567, 9001), STATUS_INVALID);
	CHECK_INT(parse_many_keys(9000, 1, 8999), STATUS_INVALID);
	for (size_t count = 2; count < 40; count++) {
		CHECK_INT(parse_many_keys(count, 1, count), STATUS_OK);
		CHECK_INT(parse_many_keys(count, 1, count - 1), STATUS_INVALID);
	}
}

/* Strings are looked at several bytes at a time: a byte that may not stand as it is must be found at
 * every place, in strings of every length around that. */
TEST(unit__json__sees_every_byte_at_every_place)
{
	for (unsigned byte = 1; byte < 256; byte++) {
		bool special = byte < 0x20 || byte == '"' || byte == '\\';

		for (size_t len = 1; len < 20; len++) {
			for (size_t at = 0; at < len; at++) {
				char text[24], quoted[24];
				struct buf written;
				struct json *root = NULL;
				enum status status;

				memset(text, 'a', len);
				text[at] = (char)byte;
				buf_init(&written, 64);
				json_put_quoted(&written, slice_make(text, len));
				CHECK(!written.failed);
				CHECK((written.len > len + 2) == special);
				/* Read back it is the same, where it is UTF-8 at all. */
				status = json_parse(buf_slice(&written), &root, NULL);
				CHECK_INT(status, byte < 0x80 ? STATUS_OK : STATUS_INVALID);
				if (status == STATUS_OK)
					CHECK(slice_equal(json_text(root), slice_make(text, len)));
				json_free(root);
				buf_release(&written);
				/* Without its escape it is refused. */
				quoted[0] = quoted[len + 1] = '"';
				memcpy(quoted + 1, text, len);
				status = json_parse(slice_make(quoted, len + 2), &root, NULL);
				CHECK_INT(status, special || byte >= 0x80 ? STATUS_INVALID : STATUS_OK);
				if (status == STATUS_OK)
					json_free(root);
			}
		}
	}
}

UNIT_MAIN(CASE(unit__json__sees_every_byte_at_every_place),
    CASE(unit__json__accepts_what_rfc_8259_allows),
    CASE(unit__json__refuses_what_the_protocol_does_not_allow),
    CASE(unit__json__refuses_every_start_of_a_text), CASE(unit__json__says_what_is_wrong_and_where),
    CASE(unit__json__cuts_a_long_key_in_no_character), CASE(unit__json__reads_values),
    CASE(unit__json_int__takes_integral_numbers_in_range),
    CASE(unit__json__prints_the_shortest_form),
    CASE(unit__json__prints_no_more_than_the_buffer_may_hold), CASE(unit__json__writes_a_text),
    CASE(unit__json__writing_past_the_maximum_fails), CASE(unit__json__bears_hostile_sizes),
    CASE(unit__json__finds_equal_keys_among_thousands))
