#include "tests/unit/unit.h"

#include "wire/line.h"

static struct line_reader reader;
static struct slice input;

/* The next line as a C string, or the status in brackets. */
static const char *next(void)
{
	static char text[100];
	struct slice line;
	enum status status = line_reader_next(&reader, &input, &line);

	if (status == STATUS_AGAIN) {
		CHECK_INT(input.len, 0);
		return "[again]";
	}
	if (status != STATUS_OK)
		return status == STATUS_FULL ? "[full]" : "[other]";
	CHECK(str_copy(text, sizeof text, line));
	return text;
}

static void feed(const char *text)
{
	CHECK_INT(input.len, 0);
	input = slice_of(text);
}

TEST(unit__line__cuts_a_stream_into_lines)
{
	line_reader_init(&reader, 50);
	feed("one\ntwo\nthr");
	CHECK_STR(next(), "one");
	CHECK_STR(next(), "two");
	CHECK_STR(next(), "[again]");
	feed("ee");
	CHECK_STR(next(), "[again]");
	feed("\nfour\n");
	CHECK_STR(next(), "three");
	CHECK_STR(next(), "four");
	CHECK_STR(next(), "[again]");
	CHECK_STR(next(), "[again]");
	line_reader_release(&reader);
}

TEST(unit__line__takes_single_bytes)
{
	static const char text[] = "ab\r\n\ncd\n";
	struct buf lines;

	buf_init(&lines, 100);
	line_reader_init(&reader, 50);
	for (size_t i = 0; i < sizeof text - 1; i++) {
		struct slice line;

		input = slice_make(text + i, 1);
		while (line_reader_next(&reader, &input, &line) == STATUS_OK) {
			buf_put_slice(&lines, line);
			buf_put_char(&lines, '|');
		}
	}
	CHECK_STR(buf_text(&lines), "ab|cd|");
	buf_release(&lines);
	line_reader_release(&reader);
}

TEST(unit__line__drops_one_cr_before_lf)
{
	line_reader_init(&reader, 50);
	feed("a\r\nb\rc\nd\r\r\ne\r");
	CHECK_STR(next(), "a");
	CHECK_STR(next(), "b\rc");
	CHECK_STR(next(), "d\r");
	CHECK_STR(next(), "[again]");
	feed("\n");
	CHECK_STR(next(), "e");
	line_reader_release(&reader);
}

TEST(unit__line__ignores_empty_lines)
{
	line_reader_init(&reader, 50);
	feed("\n\r\n\n\n");
	CHECK_STR(next(), "[again]");
	feed("\r");
	CHECK_STR(next(), "[again]");
	feed("\na\n\n");
	CHECK_STR(next(), "a");
	CHECK_STR(next(), "[again]");
	feed(" \n");
	CHECK_STR(next(), " ");
	line_reader_release(&reader);
}

TEST(unit__line__keeps_bytes_of_all_values)
{
	struct slice line;

	line_reader_init(&reader, 50);
	input = slice_make("a\0b\xFF\n", 5);
	CHECK_INT(line_reader_next(&reader, &input, &line), STATUS_OK);
	CHECK(slice_equal(line, slice_make("a\0b\xFF", 4)));
	line_reader_release(&reader);
}

TEST(unit__line__allows_max_bytes_with_the_lf)
{
	line_reader_init(&reader, 5);
	feed("1234\n123\r\n");
	CHECK_STR(next(), "1234");
	CHECK_STR(next(), "123");
	CHECK_STR(next(), "[again]");
	feed("12");
	CHECK_STR(next(), "[again]");
	feed("34");
	CHECK_STR(next(), "[again]");
	feed("\n");
	CHECK_STR(next(), "1234");
	line_reader_release(&reader);
}

TEST(unit__line__refuses_a_line_too_long)
{
	static const char *const starts[] = {"12345\n", "12345", "1234\r\n", "123456789"};

	for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) {
		line_reader_init(&reader, 5);
		input = slice_make(NULL, 0);
		feed(starts[i]);
		CHECK_STR(next(), "[full]");
		line_reader_release(&reader);
	}
}

TEST(unit__line__refuses_a_line_too_long_in_pieces)
{
	line_reader_init(&reader, 5);
	feed("a\n123");
	CHECK_STR(next(), "a");
	CHECK_STR(next(), "[again]");
	feed("45");
	CHECK_STR(next(), "[full]");
	line_reader_release(&reader);
}

TEST(unit__line__holds_no_more_than_the_maximum)
{
	line_reader_init(&reader, 1000);
	for (int i = 0; i < 999; i++) {
		feed("x");
		CHECK_STR(next(), "[again]");
		CHECK(reader.part.len <= 1000 && reader.part.cap <= 1000);
	}
	feed("x");
	CHECK_STR(next(), "[full]");
	line_reader_release(&reader);
}

TEST(unit__line__takes_another_maximum_between_lines)
{
	line_reader_init(&reader, 5);
	feed("a\n123456789\n");
	CHECK_STR(next(), "a");
	line_reader_set_max(&reader, 10);
	CHECK_STR(next(), "123456789");
	feed("1234567");
	CHECK_STR(next(), "[again]");
	line_reader_set_max(&reader, 5);
	feed("\n");
	CHECK_STR(next(), "[full]");
	line_reader_release(&reader);
}

TEST(unit__line__lends_a_line_until_the_next_call)
{
	struct slice first;

	line_reader_init(&reader, 50);
	feed("on");
	CHECK_STR(next(), "[again]");
	feed("e\ntwo\n");
	CHECK_INT(line_reader_next(&reader, &input, &first), STATUS_OK);
	CHECK(slice_is(first, "one"));
	CHECK_STR(next(), "two");
	line_reader_release(&reader);
	line_reader_release(&reader);
}

UNIT_MAIN(CASE(unit__line__cuts_a_stream_into_lines),
    CASE(unit__line__takes_single_bytes),
    CASE(unit__line__drops_one_cr_before_lf),
    CASE(unit__line__ignores_empty_lines),
    CASE(unit__line__keeps_bytes_of_all_values),
    CASE(unit__line__allows_max_bytes_with_the_lf),
    CASE(unit__line__refuses_a_line_too_long),
    CASE(unit__line__refuses_a_line_too_long_in_pieces),
    CASE(unit__line__holds_no_more_than_the_maximum),
    CASE(unit__line__takes_another_maximum_between_lines),
    CASE(unit__line__lends_a_line_until_the_next_call))
